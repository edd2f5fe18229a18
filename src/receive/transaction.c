/* receive/transaction.c -- one message from MAIL to its 250: id, recipients, content, commit (RFC 5321 3.3). */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/num.h"
#include "message/trace.h"
#include "receive/session.h"

enum {
    TRANSACTION_ARENA_MAX = 32 << 20,
    COMMIT_MEMORY_MAX = 3 << 20, /* envelope and content of one frame between processes */
    CONTENT_MEMORY_MAX = 2 << 20, /* content of one; more of it is in a file by then */
    REST_MAX = 64 << 10, /* of such a frame: our Received, and what an envelope has beside its recipients */
    RECIPIENTS_OCTETS_MAX = COMMIT_MEMORY_MAX - RECEIVE_MEMORY_CONTENT - REST_MAX,
    RESULT_FIXED = 4,            /* of a result of EXPAND: index, by, kind */
};

/* ---- MAIL ---- */

static struct str sender_text(struct arena *a, const struct smtp_path *path)
{
    struct buf text = BUF_INIT(2048);
    struct str s = STR_NONE; /* not "": that is the null reverse-path */

    if (smtp_path_write(&text, path))
        s = arena_str(a, buf_str(&text));
    buf_done(&text);
    return s;
}

static void refuse_for_memory(struct session *s)
{
    transaction_drop(s);
    smtp_server_answer(s->smtp, SMTP_REPLY_MEMORY_SHORT, NULL, &s->receive->out);
}

static void mail_ok(struct session *s)
{
    /* Whether it is an address of theirs, too. */
    if (s->listener->asks_mail || s->account.n)
        session_ask(s, QUESTION_MAIL);
    else
        smtp_server_answer(s->smtp, SMTP_REPLY_MAIL_OK, NULL, &s->receive->out);
}

void transaction_take_id(struct session *s)
{
    if (receive_take_id(s->receive, &s->tx->id))
        mail_ok(s);
    else
        session_ask(s, QUESTION_IDS);
}

void transaction_begin(struct session *s)
{
    struct arena *a = arena_new(TRANSACTION_ARENA_MAX);
    struct transaction *tx = a ? ARENA_NEW(a, struct transaction) : NULL;

    BUG_ON(s->tx);
    if (!tx) {
        arena_free(a);
        smtp_server_answer(s->smtp, SMTP_REPLY_MEMORY_SHORT, NULL, &s->receive->out);
        return;
    }
    *tx = (struct transaction){
        .arena = a,
        .began_msec = io_now_msec(s->receive->worker->loop),
        .began_usec = io_clock_usec(),
        .sender = sender_text(a, &smtp_server_transaction(s->smtp)->sender),
        .header = message_header_scan_new(a),
    };
    list_init(&tx->recipients);
    s->tx = tx;
    if (!tx->header || !tx->sender.p) {
        refuse_for_memory(s);
        return;
    }
    transaction_take_id(s);
}

void transaction_drop(struct session *s)
{
    content_drop(s);
    if (s->tx) {
        submission_done(s->tx);
        arena_free(s->tx->arena);
    }
    s->tx = NULL;
}

/* ---- RCPT ---- */

/* In the envelope, unless an alias makes something else of it. */
static size_t octets_of(const struct smtp_path *path, struct str original)
{
    return envelope_recipient_octets(&(struct envelope_recipient){
        .number = 1, .local = path->local, .domain = path->domain, .original = original });
}

/* A client may always send the rest in another transaction, once it has its hundred (RFC 5321 4.5.3.1.8, 4.5.3.1.10). */
bool transaction_has_room(struct session *s, const struct smtp_path *path)
{
    struct smtp_slots slots = { .number = s->tx->n_recipients };
    struct buf original = BUF_INIT(2048);
    bool fits = smtp_path_write(&original, path) &&
                s->tx->recipients_octets + octets_of(path, buf_str(&original)) <= RECIPIENTS_OCTETS_MAX;

    if (!fits) {
        s->rejected++;
        s->receive->rejected++;
        record_refused(s, "rcpt", SMTP_REPLY_TOO_MANY_RECIPIENTS, LOG_REASON_LIMIT, STR("default"), buf_str(&original),
                       &slots);
        smtp_server_answer(s->smtp, SMTP_REPLY_TOO_MANY_RECIPIENTS, &slots, &s->receive->out);
    }
    buf_done(&original);
    return fits;
}

bool transaction_add(struct session *s, const struct smtp_path *path, bool plain, uint64_t max_size)
{
    struct transaction *tx = s->tx;
    struct receive_recipient *rc = ARENA_NEW(tx->arena, struct receive_recipient);

    if (!rc)
        return false;
    rc->local = arena_str(tx->arena, path->local);
    rc->domain = arena_str(tx->arena, path->domain);
    rc->original = sender_text(tx->arena, path);
    rc->plain = plain;
    if (!rc->local.p || !rc->domain.p || !rc->original.p)
        return false;
    list_init(&rc->node);
    list_append(&tx->recipients, &rc->node);
    tx->n_recipients++;
    tx->recipients_octets += octets_of(path, rc->original);
    if (max_size && (!tx->max_size || max_size < tx->max_size))
        tx->max_size = max_size;
    return true;
}

/* ---- the end of data ---- */

static void refuse_content(struct session *s, enum smtp_reply_name row, enum log_reason reason,
                           struct config_place place, uint64_t number)
{
    struct smtp_slots slots = { .number = number };

    s->rejected++;
    s->receive->rejected++;
    record_refused(s, "data", row, reason, str_from_c(config_rule(s->receive->worker->config, place).c), STR_NONE,
                   &slots);
    smtp_server_answer(s->smtp, row, &slots, &s->receive->out);
    transaction_drop(s);
}

static void refuse_storage(struct session *s, bool full)
{
    refuse_content(s, full ? SMTP_REPLY_STORAGE_SHORT : SMTP_REPLY_SYSTEM_FAILED, LOG_REASON_STORAGE,
                   CONFIG_PLACE_DEFAULT, 0);
}

/* What is refused because of what the content is; true when it was. */
static bool judged(struct session *s)
{
    const struct config *config = s->receive->worker->config;
    const struct config_session *limits = &s->listener->config->session;
    const struct message_header *h = message_header_scan_facts(s->tx->header);

    bool too_big = s->tx->mends && s->tx->mends->step == MESSAGE_SUBMISSION_TOO_BIG;

    if (h->size > limits->max_header_size.n || too_big)
        refuse_content(s, SMTP_REPLY_HEADER_TOO_BIG, LOG_REASON_HEADER, limits->max_header_size.place,
                       limits->max_header_size.n);
    else if (s->tx->mends && s->tx->mends->step == MESSAGE_SUBMISSION_NO_MEMORY)
        refuse_content(s, SMTP_REPLY_MEMORY_SHORT, LOG_REASON_STORAGE, CONFIG_PLACE_DEFAULT, 0);
    else if (!s->file && s->content.n > CONTENT_MEMORY_MAX)
        /* A header section that is completed comes as one; without an empty line it does so at the end, too late for a file. */
        refuse_content(s, SMTP_REPLY_HEADER_TOO_BIG, LOG_REASON_HEADER, CONFIG_PLACE_DEFAULT, CONTENT_MEMORY_MAX);
    else if (h->received > config->max_received.n)
        refuse_content(s, SMTP_REPLY_LOOP, LOG_REASON_LOOP, config->max_received.place, h->received);
    else if (s->tx->max_size && s->tx->facts->size > s->tx->max_size)
        refuse_content(s, SMTP_REPLY_CONTENT_TOO_BIG, LOG_REASON_SIZE, CONFIG_PLACE_DEFAULT, s->tx->max_size);
    else if (s->content_failed)
        refuse_storage(s, s->content_full);
    else
        return false;
    return true;
}

static bool all_plain(const struct transaction *tx)
{
    LIST_FOR(node, &tx->recipients)
        if (!CONTAINER_OF(node, struct receive_recipient, node)->plain)
            return false;
    return true;
}

/* Mailboxes themselves: what the recipients become is what they are, once each. */
static bool keep_recipients(struct transaction *tx)
{
    struct envelope_recipient *out = ARENA_NEW_ARRAY(tx->arena, tx->n_recipients, struct envelope_recipient);

    if (!out)
        return false;
    LIST_FOR(node, &tx->recipients) {
        struct receive_recipient *rc = CONTAINER_OF(node, struct receive_recipient, node);
        bool again = false;
        for (uint32_t i = 0; i < tx->n_final && !again; i++)
            again = str_eq(out[i].local, rc->local) && str_eq(out[i].domain, rc->domain);
        if (again)
            continue;
        out[tx->n_final] = (struct envelope_recipient){
            .number = tx->n_final + 1,
            .local = rc->local,
            .domain = rc->domain,
            .original = rc->original,
        };
        tx->n_final++;
    }
    tx->final = out;
    return true;
}

/* A system call for each token would cost more than the token. */
static bool draw_token(struct receive *r, char *token, size_t n)
{
    if (r->lots_left < n) {
        if (getrandom(r->lots, sizeof(r->lots), 0) != (ssize_t)sizeof(r->lots))
            return false;
        r->lots_left = sizeof(r->lots);
    }
    r->lots_left -= n;
    memcpy(token, r->lots + r->lots_left, n);
    return true;
}

/* With what aliases made of them, and with a header that had to be held as one. */
static bool fits_in_commit(const struct session *s)
{
    size_t octets = REST_MAX + s->content.n;

    for (uint32_t i = 0; i < s->tx->n_final && octets <= COMMIT_MEMORY_MAX; i++)
        octets += envelope_recipient_octets(&s->tx->final[i]);
    return octets <= COMMIT_MEMORY_MAX;
}

static void refuse_for_recipients(struct session *s, uint64_t number)
{
    refuse_content(s, SMTP_REPLY_ENVELOPE_TOO_BIG, LOG_REASON_LIMIT, CONFIG_PLACE_DEFAULT, number);
}

static void commit(struct session *s)
{
    if (!fits_in_commit(s)) {
        refuse_for_recipients(s, s->tx->n_final);
        return;
    }
    /* While its recipients were expanded the queue that lent its file died. */
    if (s->content_failed) {
        refuse_storage(s, s->content_full);
        return;
    }
    if (s->has_token) {
        memcpy(s->tx->token, s->token, sizeof(s->token));
    } else if (!draw_token(s->receive, (char *)s->tx->token, sizeof(s->tx->token))) {
        refuse_storage(s, false);
        return;
    }
    session_ask(s, QUESTION_COMMIT);
}

void transaction_end_of_data(struct session *s, const struct smtp_content_facts *facts)
{
    struct smtp_content_facts *kept = ARENA_NEW(s->tx->arena, struct smtp_content_facts);

    if (!kept) {
        refuse_for_memory(s);
        return;
    }
    *kept = *facts;
    s->tx->facts = kept;
    submission_end(s);
    message_header_scan_end(s->tx->header);
    submission_facts(s, kept);
    if (facts->size > smtp_server_transaction(s->smtp)->params.size)
        s->undeclared_octets += facts->size - smtp_server_transaction(s->smtp)->params.size;
    if (s->account_ended != LOG_REASON_NONE) {
        refuse_content(s, SMTP_REPLY_LOGIN_ENDED, LOG_REASON_AUTH, CONFIG_PLACE_DEFAULT, 0);
        return;
    }
    if (judged(s))
        return;
    if (!all_plain(s->tx))
        session_ask(s, QUESTION_EXPAND);
    else if (keep_recipients(s->tx))
        commit(s);
    else
        refuse_for_memory(s);
}

/* ---- expansion ---- */

static bool take_counted(struct str *rest, struct str *out)
{
    if (rest->n < 2 || le16_get(rest->p) > rest->n - 2)
        return false;
    *out = str_slice(*rest, 2, 2 + (size_t)le16_get(rest->p));
    *rest = str_skip(*rest, 2 + out->n);
    return true;
}

static struct receive_recipient *recipient_at(struct transaction *tx, uint32_t index)
{
    LIST_FOR(node, &tx->recipients)
        if (index-- == 0)
            return CONTAINER_OF(node, struct receive_recipient, node);
    return NULL;
}

static bool take_result(struct session *s, struct str *rest, struct receive_expansion *x,
                        struct envelope_recipient *out)
{
    struct transaction *tx = s->tx;
    struct str local, domain, sender;
    struct receive_recipient *rc;

    if (rest->n < RESULT_FIXED || !(rc = recipient_at(tx, le16_get(rest->p))))
        return false;
    uint8_t kind = (uint8_t)rest->p[3];
    x->by = (uint8_t)rest->p[2];
    *rest = str_skip(*rest, RESULT_FIXED);
    if (kind > ENVELOPE_FILE)
        return false;
    if (!take_counted(rest, &local) || !take_counted(rest, &domain) || !take_counted(rest, &x->rule) ||
        !take_counted(rest, &sender))
        return false;
    *out = (struct envelope_recipient){
        .number = ++tx->n_final,
        .kind = (enum envelope_kind)kind,
        .local = arena_str(tx->arena, local),
        .domain = arena_str(tx->arena, domain),
        .original = rc->original,
        /* A null reverse-path stays null, whoever owns the list (RFC 5321 3.9, 4.5.5). */
        .has_sender = sender.n > 0 && tx->sender.n > 0,
    };
    if (out->has_sender)
        out->sender = arena_str(tx->arena, sender);
    return out->local.p && out->domain.p;
}

/* One record for all that a recipient became by one rule; lookup gives its results in that order. */
static void tell_expansion(struct session *s, const struct receive_expansion *x, uint32_t first, uint32_t end)
{
    if (first < end)
        record_expand(s, x, &s->tx->final[first], end - first);
}

static bool same_expansion(const struct transaction *tx, const struct receive_expansion *a,
                           const struct receive_expansion *b, uint32_t before, uint32_t after)
{
    return a->by == b->by && str_eq(a->rule, b->rule) &&
           str_eq(tx->final[before].original, tx->final[after].original);
}

void transaction_expanded(struct session *s, const struct ipc_expand_answer *a)
{
    struct str rest = a->results;
    struct transaction *tx = s->tx;
    /* No result has fewer octets than its fixed part: that bounds the array by what was sent. */
    bool sane = a->count > 0 && a->count <= rest.n / RESULT_FIXED;

    if (sane && a->count > ENVELOPE_RECIPIENTS_MAX) {
        refuse_for_recipients(s, a->count);
        return;
    }
    tx->final = sane ? ARENA_NEW_ARRAY(tx->arena, a->count, struct envelope_recipient) : NULL;
    struct receive_expansion last = { 0 }, x;
    uint32_t first = 0;
    for (uint32_t i = 0; tx->final && sane && i < a->count; i++) {
        sane = take_result(s, &rest, &x, &tx->final[i]);
        if (!sane)
            break;
        if (i > first && !same_expansion(tx, &last, &x, first, i)) {
            tell_expansion(s, &last, first, i);
            first = i;
        }
        last = x;
    }
    if (sane && tx->final)
        tell_expansion(s, &last, first, a->count);
    if (!sane)
        refuse_storage(s, false);
    else if (!tx->final)
        refuse_content(s, SMTP_REPLY_MEMORY_SHORT, LOG_REASON_STORAGE, CONFIG_PLACE_DEFAULT, 0);
    else
        commit(s);
}

/* ---- commit ---- */

static void add_received(struct session *s, struct buf *out, const char *id)
{
    const struct transaction *tx = s->tx;
    const struct config_session *session = &s->listener->config->session;
    bool shows_client = s->client_n && !(s->listener->offer && session->hide_client.on);
    struct ip_text room;
    struct receive_recipient *only = tx->n_recipients == 1 ? recipient_at(s->tx, 0) : NULL;

    message_received_write(out, &(struct message_received){
                                    .client_helo = smtp_server_client_name(s->smtp),
                                    .client = shows_client ? session_client_text(s, &room) : STR_NONE,
                                    .uid_plus = s->uid_plus,
                                    .hostname = session->hostname.text,
                                    .protocol = smtp_server_protocol(s->smtp),
                                    .tls_cipher = s->secure.cipher,
                                    .id = str_from_c(id),
                                    .recipient = only ? only->original : STR_NONE,
                                    .utc_msec = io_wall_msec(),
                                });
}

static void add_envelope(struct session *s, struct buf *out)
{
    const struct transaction *tx = s->tx;
    const struct message_header *header = message_header_scan_facts(tx->header);
    struct session_id_text session = session_id_text(s->id);
    struct submission_release release;

    submission_release(s, &release);
    bool encoded = envelope_encode(
        out, &(struct envelope){
                 .sender = tx->sender,
                 .smtputf8 = smtp_server_transaction(s->smtp)->params.smtputf8,
                 .body = tx->facts->eight_bit ? ENVELOPE_BODY_8BIT : ENVELOPE_BODY_7BIT,
                 .size = tx->facts->size,
                 .lines = tx->facts->lines,
                 .longest_line = tx->facts->longest_line,
                 .leading_dots = tx->facts->leading_dots,
                 .client = str_of((char *)s->client_octets, s->client_n),
                 .client_name = smtp_server_client_name(s->smtp),
                 .uid_plus = s->uid_plus,
                 .account = s->account,
                 .held = tx->held,
                 .release_msec = release.msec,
                 .release_request = str_from_c(release.request),
                 .listener = s->listener->config->name.text,
                 .protocol = smtp_server_protocol(s->smtp),
                 .session = str_from_c(session.c),
                 .message_id = header->message_id,
                 .subject = header->subject,
                 .references = header->references,
                 .header_octets = header->size,
                 .header_eight_bit = header->eight_bit,
                 .recipients = tx->final,
                 .n_recipients = tx->n_final,
             });

    out->failed = out->failed || !encoded;
}

void transaction_commit_send(struct session *s, struct ipc_channel *queue)
{
    struct receive *r = s->receive;
    struct transaction *tx = s->tx;
    struct queue_id_text id = queue_id_text(tx->id);
    size_t head;

    buf_clear(&r->scratch);
    add_received(s, &r->scratch, id.c);
    head = r->scratch.n;
    add_envelope(s, &r->scratch);
    s->handed_usec = io_clock_usec();
    s->looked_again = false;
    s->question_sent = !r->scratch.failed && r->scratch.n + s->content.n <= COMMIT_MEMORY_MAX &&
                       ipc_send_commit_ask(queue, &(struct ipc_commit_ask){
                                                      .ticket = (uint64_t)s->serial << 32 | s->slot,
                                                      .id = tx->id.n,
                                                      .token = str_of((char *)tx->token, sizeof(tx->token)),
                                                      .handed_usec = (uint64_t)s->handed_usec,
                                                      .expected = r->in_content,
                                                      .file = s->file,
                                                      .file_size = s->file_octets,
                                                      .envelope = str_skip(buf_str(&r->scratch), head),
                                                      .head = str_head(buf_str(&r->scratch), head),
                                                      .body = buf_str(&s->content),
                                                  });
    if (!s->question_sent)
        return;
    session_deadline(s, RECEIVE_COMMIT_WAIT_MSEC);
    /* The content is the queue's now: it is no longer ours to give back, and needs no memory here. */
    content_given(s);
}

void transaction_stored(struct session *s, enum ipc_storage status, uint32_t batch, uint64_t sync_usec)
{
    struct queue_id_text id;

    if (status == IPC_NO_MEMORY) {
        refuse_content(s, SMTP_REPLY_MEMORY_SHORT, LOG_REASON_STORAGE, CONFIG_PLACE_DEFAULT, 0);
        return;
    }
    if (status != IPC_STORED) {
        refuse_storage(s, status == IPC_NO_SPACE);
        return;
    }
    id = queue_id_text(s->tx->id);
    record_accept(s, batch, (int64_t)sync_usec);
    smtp_server_answer(s->smtp, s->tx->held.n ? SMTP_REPLY_HELD : SMTP_REPLY_QUEUED,
                       &(struct smtp_slots){ .id = str_from_c(id.c) }, &s->receive->out);
    s->messages++;
    s->receive->accepted++;
    transaction_drop(s);
}
