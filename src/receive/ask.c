/* receive/ask.c -- questions to other processes: one open for a session, asked again when the process asked dies. */
#include "receive/session.h"

#include "core/num.h"
#include "ipc/worker.h"

static enum process_kind peer_of(enum question q)
{
    switch (q) {
    case QUESTION_IDS:
    case QUESTION_FILE:
    case QUESTION_COMMIT:
    case QUESTION_TOKEN:
        return PROCESS_QUEUE;
    case QUESTION_PLAN:
        return PROCESS_RESOLVE;
    case QUESTION_VERIFY:
        return PROCESS_SEND;
    case QUESTION_SIGN:
        return PROCESS_KEY;
    case QUESTION_LOGIN:
        return PROCESS_AUTH;
    default:
        return PROCESS_LOOKUP;
    }
}

static uint64_t ticket_of(const struct session *s)
{
    return (uint64_t)s->serial << 32 | s->slot;
}

struct session *session_by_ticket(struct receive *r, uint64_t ticket, enum question q)
{
    uint32_t slot = (uint32_t)ticket;
    struct session *s = slot < r->n_slots ? r->sessions[slot] : NULL;

    if (!s || s->finished || s->serial != (uint32_t)(ticket >> 32) || s->question != q)
        return NULL;
    return s;
}

static struct str client_octets(const struct session *s)
{
    return str_of((const char *)s->client_octets, s->client_n);
}

/* ---- asking ---- */

static bool send_connect(struct session *s, struct ipc_channel *c)
{
    bool sent = ipc_send_connect_ask(c, &(struct ipc_connect_ask){
                                            .ticket = ticket_of(s),
                                            .session = s->id.n,
                                            .client = client_octets(s),
                                            .listener = s->listener->index,
                                        });

    if (sent)
        s->lookup_instance = c->instance;
    return sent;
}

static bool send_mail(struct session *s, struct ipc_channel *c)
{
    return ipc_send_mail_ask(c, &(struct ipc_mail_ask){
                                    .ticket = ticket_of(s),
                                    .session = s->id.n,
                                    .client = client_octets(s),
                                    .listener = s->listener->index,
                                    .account = s->account,
                                    .certificate = session_certificate(s),
                                    .sender = s->tx->sender,
                                    .size = smtp_server_transaction(s->smtp)->params.size,
                                });
}

static bool send_rcpt(struct session *s, struct ipc_channel *c)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);

    return ipc_send_rcpt_ask(c, &(struct ipc_rcpt_ask){
                                    .ticket = ticket_of(s),
                                    .session = s->id.n,
                                    .client = client_octets(s),
                                    .listener = s->listener->index,
                                    .account = s->account,
                                    .certificate = session_certificate(s),
                                    .sender = s->tx->sender,
                                    .local = s->path->local,
                                    .domain = s->path->domain,
                                    .size = t->params.size,
                                });
}

static bool send_vrfy(struct session *s, struct ipc_channel *c)
{
    return ipc_send_vrfy_ask(c, &(struct ipc_vrfy_ask){
                                    .ticket = ticket_of(s),
                                    .session = s->id.n,
                                    .client = client_octets(s),
                                    .listener = s->listener->index,
                                    .local = s->path->local,
                                    .domain = s->path->domain,
                                });
}

static void add_counted(struct buf *out, struct str s)
{
    char n[2];

    le16_put(n, (uint16_t)s.n);
    buf_add(out, str_of(n, 2));
    buf_add(out, s);
}

static bool send_expand(struct session *s, struct ipc_channel *c)
{
    struct buf *octets = &s->receive->scratch;

    buf_clear(octets);
    LIST_FOR(node, &s->tx->recipients) {
        struct receive_recipient *rc = CONTAINER_OF(node, struct receive_recipient, node);
        add_counted(octets, rc->local);
        add_counted(octets, rc->domain);
    }
    return !octets->failed && ipc_send_expand_ask(c, &(struct ipc_expand_ask){
                                                         .ticket = ticket_of(s),
                                                         .count = s->tx->n_recipients,
                                                         .recipients = buf_str(octets),
                                                     });
}

static bool send_token(struct session *s, struct ipc_channel *c)
{
    return ipc_send_token_ask(c, &(struct ipc_token_ask){
                                     .ticket = ticket_of(s),
                                     .token = str_of((char *)s->tx->token, sizeof(s->tx->token)),
                                 });
}

/* One block of ids for all who wait for one. */
static bool send_ids(struct receive *r, struct ipc_channel *c)
{
    if (!r->ids_asked)
        r->ids_asked = ipc_send_ids_ask(c, &(struct ipc_ids_ask){ .count = RECEIVE_IDS_BLOCK });
    return r->ids_asked;
}

static bool send_question(struct session *s, struct ipc_channel *c)
{
    switch (s->question) {
    case QUESTION_NONE:
        return true;
    case QUESTION_CONNECT:
        return send_connect(s, c);
    case QUESTION_MAIL:
        return send_mail(s, c);
    case QUESTION_IDS:
        return send_ids(s->receive, c);
    case QUESTION_RCPT:
        return send_rcpt(s, c);
    case QUESTION_PLAN:
        return verify_send_plan(s, c, ticket_of(s));
    case QUESTION_VERIFY:
        return verify_send(s, c, ticket_of(s));
    case QUESTION_VRFY:
        return send_vrfy(s, c);
    case QUESTION_FILE:
        return ipc_send_file_ask(c, &(struct ipc_file_ask){ .ticket = ticket_of(s) });
    case QUESTION_EXPAND:
        return send_expand(s, c);
    case QUESTION_COMMIT:
        transaction_commit_send(s, c);
        return s->question_sent;
    case QUESTION_TOKEN:
        return send_token(s, c);
    case QUESTION_SIGN:
        return handshake_send(s, c, ticket_of(s));
    case QUESTION_LOGIN:
        return login_send(s, c);
    }
    return false;
}

static struct ipc_channel *channel_for(struct receive *r, enum process_kind peer)
{
    /* The others must mean the same by a listener or a route as we do; the queue lives through every reload. */
    if (peer != PROCESS_QUEUE)
        return worker_peer_of(r->worker, peer, r->worker->generation);
    return worker_peer(r->worker, peer);
}

static void try_send(struct session *s)
{
    /* Which of the auth processes is a matter of the exchange. */
    struct ipc_channel *c =
        s->question == QUESTION_LOGIN ? login_channel(s) : channel_for(s->receive, peer_of(s->question));

    s->question_sent = c && ipc_may_ask(c) && send_question(s, c);
}

void session_ask(struct session *s, enum question q)
{
    s->question = q;
    s->serial = ++s->receive->last_serial;
    if (q == QUESTION_FILE)
        s->file_until_msec = io_now_msec(s->receive->worker->loop) + RECEIVE_FILE_WAIT_MSEC;
    /* A handshake has its own time for all. */
    if (q != QUESTION_SIGN)
        session_deadline(s, (int64_t)s->listener->config->session.timeout_lookup.msec);
    try_send(s);
}

void question_done(struct session *s)
{
    s->question = QUESTION_NONE;
    s->question_sent = false;
    s->serial = ++s->receive->last_serial;
}

void questions_send(struct receive *r, enum process_kind peer)
{
    for (uint32_t i = 0; i < r->n_slots; i++) {
        struct session *s = r->sessions[i];
        if (s && !s->finished && s->question != QUESTION_NONE && !s->question_sent && peer_of(s->question) == peer)
            try_send(s);
    }
}

/* A new lookup knows of nobody: those who are connected tell it of themselves, once. */
static void connect_again(struct receive *r, struct ipc_channel *c)
{
    for (uint32_t i = 0; i < r->n_slots; i++) {
        struct session *s = r->sessions[i];
        if (!s || s->finished || s->question == QUESTION_CONNECT || !s->lookup_instance ||
            s->lookup_instance == c->instance)
            continue;
        if (ipc_send_connect_ask(c, &(struct ipc_connect_ask){
                                        .ticket = UINT64_MAX,
                                        .client = client_octets(s),
                                        .listener = s->listener->index,
                                        .again = 1,
                                    }))
            s->lookup_instance = c->instance;
    }
}

void questions_peer_up(struct receive *r, struct ipc_channel *c)
{
    if (c->peer == PROCESS_LOOKUP && c->generation == r->worker->generation)
        connect_again(r, c);
    questions_send(r, c->peer);
}

/*
 * The queue that lent it is gone. A commit that was not sent must not be: to the next queue the number of that file
 * may mean another one.
 */
static void file_lost(struct session *s)
{
    bool committing = s->question == QUESTION_COMMIT;

    content_file_lost(s);
    if (!committing)
        return;
    question_done(s);
    transaction_stored(s, IPC_STORAGE_FAILED, 0, 0);
    session_go_on(s);
}

void questions_lost(struct receive *r, struct ipc_channel *c)
{
    enum process_kind peer = c->peer;

    if (peer == PROCESS_QUEUE)
        r->ids_asked = false;
    for (uint32_t i = 0; i < r->n_slots; i++) {
        struct session *s = r->sessions[i];
        if (!s || s->finished)
            continue;
        /* One that was committed is no longer ours. */
        if (peer == PROCESS_QUEUE && s->file)
            file_lost(s);
        if (s->question == QUESTION_NONE || peer_of(s->question) != peer)
            continue;
        /* The exchange was there and nowhere else; what another one has is not lost. */
        if (s->question == QUESTION_LOGIN) {
            if (s->login->begun && s->login->instance == c->instance) {
                login_unanswered(s);
                session_go_on(s);
            }
            continue;
        }
        /* What was asked may have been done: only its successor can say (DESIGN 3). */
        if (s->question == QUESTION_COMMIT && s->question_sent)
            s->question = QUESTION_TOKEN;
        s->question_sent = false;
        s->serial = ++r->last_serial;
    }
}

/* ---- answers ---- */

struct verdict {
    bool refused;
    uint16_t row;
    uint16_t reason;
    uint64_t number;
    struct str detail;
    struct str rule;
    uint16_t code; /* with ROW NONE: an administrator's own words, STATUS and DETAIL */
    struct str status;
};

/* A lesser process chose the row: it must be one. */
static enum smtp_reply_name row_of(uint16_t row)
{
    return row > SMTP_REPLY_NONE && row < SMTP_REPLY_COUNT ? (enum smtp_reply_name)row : SMTP_REPLY_SYSTEM_FAILED;
}

static enum log_reason reason_of(uint16_t reason)
{
    return reason < LOG_REASONS ? (enum log_reason)reason : LOG_REASON_NONE;
}

/* In the administrator's words, if they make a refusal; else false, and nothing is said. */
static bool refuse_in_words(struct session *s, const char *stage, const struct verdict *v, struct str to)
{
    struct smtp_reply reply = { .code = v->code, .status = v->status, .words = v->detail };

    if (v->row != SMTP_REPLY_NONE || v->code < 400 || !smtp_reply_is_sane(&reply))
        return false;
    record_refused_with(s, stage, &reply, reason_of(v->reason), v->rule, to);
    smtp_server_answer_with(s->smtp, &reply, NULL, &s->receive->out);
    return true;
}

static void refuse(struct session *s, const char *stage, const struct verdict *v, struct str to)
{
    struct ip_text room;
    struct smtp_slots slots = {
        .client = session_client_text(s, &room),
        .text = v->detail,
        .number = v->number,
    };
    enum smtp_reply_name row = row_of(v->row);

    s->rejected++;
    s->receive->rejected++;
    if (refuse_in_words(s, stage, v, to))
        return;
    if (smtp_reply_row(row).code < 400)
        row = SMTP_REPLY_SYSTEM_FAILED;
    record_refused(s, stage, row, reason_of(v->reason), v->rule, to, &slots);
    smtp_server_answer(s->smtp, row, &slots, &s->receive->out);
}

static void on_connect(struct session *s, const struct ipc_connect_answer *a)
{
    struct verdict v = { true, a->row, a->reason, a->number, a->detail, a->rule };
    struct ip_text room;
    struct smtp_slots slots = {
        .client = session_client_text(s, &room),
        .text = a->detail,
        .number = a->number,
    };
    enum smtp_reply_name row = row_of(v.row);

    question_done(s);
    if (!a->refused) {
        s->relays = a->relays;
        session_welcome(s);
        return;
    }
    if (smtp_reply_row(row).code == 421 || !session_may_speak(s)) {
        record_refused(s, "connect", row, reason_of(v.reason), v.rule, STR_NONE, &slots);
        session_goodbye(s, row, &slots);
        return;
    }
    record_refused(s, "connect", row, reason_of(v.reason), v.rule, STR_NONE, &slots);
    smtp_server_refuse(s->smtp, SMTP_REPLY_GREETING_REFUSED, &slots, &s->receive->out);
    session_go_on(s);
}

/* Not refused, but kept: the first limit that wants it stands for all. */
static void note_held(struct session *s, bool held, struct str limit)
{
    if (held && !s->tx->held.n)
        s->tx->held = arena_str(s->tx->arena, limit.n ? limit : STR("limit"));
}

static void on_mail(struct session *s, const struct ipc_mail_answer *a)
{
    struct verdict v = { a->refused, a->row, a->reason, a->number, a->detail, a->rule };

    question_done(s);
    if (a->refused) {
        refuse(s, "mail", &v, STR_NONE);
        transaction_drop(s);
    } else {
        note_held(s, a->held, a->detail);
        smtp_server_answer(s->smtp, SMTP_REPLY_MAIL_OK, NULL, &s->receive->out);
    }
    session_go_on(s);
}

void recipient_taken(struct session *s, bool plain, uint64_t max_size)
{
    bool added = transaction_add(s, s->path, plain, max_size);

    s->tx->rcpt_usec = io_clock_usec();
    smtp_server_answer(s->smtp, added ? SMTP_REPLY_RCPT_OK : SMTP_REPLY_MEMORY_SHORT, NULL, &s->receive->out);
}

static void on_rcpt(struct session *s, const struct ipc_rcpt_answer *a)
{
    struct verdict v = { a->refused, a->row, a->reason, a->number, a->detail, a->rule, a->code, a->status };
    struct buf to = BUF_INIT(2048);

    question_done(s);
    if (!a->refused)
        note_held(s, a->held, a->detail);
    if (a->refused) {
        smtp_path_write(&to, s->path);
        refuse(s, "rcpt", &v, buf_str(&to));
    } else if (a->ask) {
        verify_begin(s, a);
    } else {
        recipient_taken(s, a->plain, a->max_size);
    }
    buf_done(&to);
    session_go_on(s);
}

static void on_vrfy(struct session *s, const struct ipc_vrfy_answer *a)
{
    struct smtp_path path = { .local = a->local, .domain = a->domain };
    struct buf address = BUF_INIT(2048);
    struct smtp_slots slots = { 0 };

    question_done(s);
    if (a->local.n && smtp_path_write(&address, &path))
        slots.address = buf_str(&address);
    smtp_server_answer(s->smtp, row_of(a->row), &slots, &s->receive->out);
    buf_done(&address);
    session_go_on(s);
}

static void on_expand(struct session *s, const struct ipc_expand_answer *a)
{
    question_done(s);
    if (!a->refused) {
        transaction_expanded(s, a);
    } else {
        struct verdict v = { true, a->row, a->reason, a->number, a->detail, a->rule };
        refuse(s, "data", &v, STR_NONE);
        transaction_drop(s);
    }
    session_go_on(s);
}

/* The spool has no ids to give: it refuses, and so do we. */
static void refuse_without_id(struct session *s, enum ipc_storage why)
{
    enum smtp_reply_name row = why == IPC_NO_MEMORY ? SMTP_REPLY_MEMORY_SHORT : SMTP_REPLY_SYSTEM_FAILED;
    struct smtp_slots slots = { 0 };

    record_refused(s, "mail", row, LOG_REASON_STORAGE, STR("default"), STR_NONE, &slots);
    smtp_server_answer(s->smtp, row, &slots, &s->receive->out);
    transaction_drop(s);
}

static void on_ids(struct receive *r, const struct ipc_ids_answer *a)
{
    bool given = a->first && a->count;

    r->ids_asked = false;
    r->id_next = a->first;
    r->ids_left = given ? a->count : 0;
    for (uint32_t i = 0; i < r->n_slots; i++) {
        struct session *s = r->sessions[i];
        if (!s || s->finished || s->question != QUESTION_IDS)
            continue;
        question_done(s);
        if (given)
            transaction_take_id(s);
        else
            refuse_without_id(s, a->status);
        session_go_on(s);
    }
}

/*
 * The queue keeps some ready, and makes more when they are taken: many large messages at once wait a moment, instead of
 * 451. A spool that is full says so, and nothing is gained by waiting for that.
 */
static bool file_waits(struct session *s, enum ipc_storage status)
{
    struct receive *r = s->receive;

    if (status != IPC_STORAGE_FAILED || r->stopping || io_now_msec(r->worker->loop) >= s->file_until_msec)
        return false;
    s->question_sent = false;
    s->serial = ++s->receive->last_serial;
    if (!io_timer_pending(&r->file_again))
        io_timer_start(&r->file_again, RECEIVE_FILE_AGAIN_MSEC);
    return true;
}

void questions_file_again(struct receive *r)
{
    for (uint32_t i = 0; i < r->n_slots; i++) {
        struct session *s = r->sessions[i];
        if (s && !s->finished && s->question == QUESTION_FILE && !s->question_sent)
            try_send(s);
    }
}

static void on_file(struct receive *r, struct ipc_message *m)
{
    struct session *s = session_by_ticket(r, m->file_answer.ticket, QUESTION_FILE);
    struct ipc_channel *queue = worker_peer(r->worker, PROCESS_QUEUE);

    if (!s) {
        /* The session went away meanwhile. */
        if (queue && m->file_answer.file)
            ipc_send_file_return(queue, &(struct ipc_file_return){ .file = m->file_answer.file });
        return;
    }
    if (file_waits(s, (enum ipc_storage)m->file_answer.status))
        return;
    question_done(s);
    int fd = m->fd;
    m->fd = -1;
    content_file(s, fd, m->file_answer.file, (enum ipc_storage)m->file_answer.status);
    session_go_on(s);
}

void question_message_over(struct session *s)
{
    if (!s->receive->stopping) {
        session_go_on(s);
        return;
    }
    session_send(s);
    session_shutdown(s);
}

static void on_commit(struct receive *r, const struct ipc_commit_answer *a)
{
    struct session *s = session_by_ticket(r, a->ticket, QUESTION_COMMIT);

    if (!s)
        return;
    question_done(s);
    transaction_stored(s, (enum ipc_storage)a->status, a->batch, a->sync_usec);
    question_message_over(s);
}

static void on_token(struct receive *r, const struct ipc_token_answer *a)
{
    struct session *s = session_by_ticket(r, a->ticket, QUESTION_TOKEN);

    if (!s)
        return;
    question_done(s);
    transaction_stored(s, a->stands && a->id == s->tx->id.n ? IPC_STORED : IPC_STORAGE_FAILED, 1, 0);
    question_message_over(s);
}

void question_message(struct receive *r, struct ipc_message *m)
{
    struct session *s;

    switch (m->type) {
    case IPC_CONNECT_ANSWER:
        if ((s = session_by_ticket(r, m->connect_answer.ticket, QUESTION_CONNECT)))
            on_connect(s, &m->connect_answer);
        break;
    case IPC_MAIL_ANSWER:
        if ((s = session_by_ticket(r, m->mail_answer.ticket, QUESTION_MAIL)))
            on_mail(s, &m->mail_answer);
        break;
    case IPC_RCPT_ANSWER:
        if ((s = session_by_ticket(r, m->rcpt_answer.ticket, QUESTION_RCPT)))
            on_rcpt(s, &m->rcpt_answer);
        break;
    case IPC_PLAN_ANSWER:
        if ((s = session_by_ticket(r, m->plan_answer.ticket, QUESTION_PLAN)))
            verify_planned(s, &m->plan_answer);
        break;
    case IPC_VERIFY_ANSWER:
        if ((s = session_by_ticket(r, m->verify_answer.ticket, QUESTION_VERIFY)))
            verify_answered(s, &m->verify_answer);
        break;
    case IPC_VRFY_ANSWER:
        if ((s = session_by_ticket(r, m->vrfy_answer.ticket, QUESTION_VRFY)))
            on_vrfy(s, &m->vrfy_answer);
        break;
    case IPC_EXPAND_ANSWER:
        if ((s = session_by_ticket(r, m->expand_answer.ticket, QUESTION_EXPAND)))
            on_expand(s, &m->expand_answer);
        break;
    case IPC_IDS_ANSWER:
        on_ids(r, &m->ids_answer);
        break;
    case IPC_FILE_ANSWER:
        on_file(r, m);
        break;
    case IPC_COMMIT_ANSWER:
        on_commit(r, &m->commit_answer);
        break;
    case IPC_TOKEN_ANSWER:
        if ((uint32_t)m->token_answer.ticket == DROP_TICKET_SLOT)
            drop_token(r, &m->token_answer);
        else
            on_token(r, &m->token_answer);
        break;
    case IPC_SIGN_ANSWER:
        if ((s = session_by_ticket(r, m->sign_answer.ticket, QUESTION_SIGN)))
            handshake_signed(s, &m->sign_answer);
        break;
    case IPC_LOGIN_ANSWER:
        if ((s = login_by_ticket(r, m->login_answer.ticket))) {
            login_answered(s, &m->login_answer);
            session_go_on(s);
        }
        break;
    default:
        break;
    }
}
