/* receive/record.c -- what the log says of sessions and messages that come in (FACE 3.2). */
#include "core/ip.h"
#include "receive/session.h"
#include "route/find.h"

enum { EXPANSION_SHOWN = 64, RECIPIENTS_SHOWN = 32 };

static void begin(struct log_record *r, enum log_event event, struct session *s)
{
    struct ip_text room;

    log_start(r, event);
    log_session(r, s->id);
    if (s->uid_plus)
        log_number(r, LOG_UID, (int64_t)s->uid_plus - 1);
    else
        log_text(r, LOG_CLIENT, session_client_text(s, &room));
}

static void add_tls(struct log_record *r, const struct session *s)
{
    if (s->secure.on)
        log_text(r, LOG_TLS, s->secure.version);
}

void record_connect(struct session *s)
{
    struct log_record r;

    if (!log_wants(LOG_EVENT_CONNECT))
        return;
    begin(&r, LOG_EVENT_CONNECT, s);
    if (s->client_n)
        log_number(&r, LOG_CLIENT_PORT, s->client_port);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_send(&r);
}

void record_disconnect(struct session *s)
{
    struct log_record r;

    if (!log_wants(LOG_EVENT_DISCONNECT))
        return;
    begin(&r, LOG_EVENT_DISCONNECT, s);
    log_text_c(&r, LOG_REASON, s->end_reason);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_seconds(&r, LOG_SECONDS, io_clock_usec() - s->began_usec);
    log_number(&r, LOG_MESSAGES, s->messages);
    log_number(&r, LOG_REJECTED, s->rejected);
    log_number(&r, LOG_OCTETS_IN, (int64_t)s->octets_in);
    log_number(&r, LOG_OCTETS_OUT, (int64_t)s->octets_out);
    add_tls(&r, s);
    log_send(&r);
}

/* The reply as the client sees it, without the code: "5.1.1 nobody@example.org: no such mailbox". */
static void add_reply(struct log_record *r, const struct smtp_reply *reply, const struct smtp_slots *slots)
{
    struct buf line = BUF_INIT(4096);

    if (smtp_reply_write(&line, reply, slots, true) && line.n > 4)
        log_text(r, LOG_REPLY, str_trim(str_skip(buf_str(&line), 4)));
    buf_done(&line);
}

static void begin_refused(struct log_record *r, struct session *s, const char *stage, const struct smtp_reply *reply,
                          enum log_reason reason, struct str rule)
{
    begin(r, LOG_EVENT_REJECT, s);
    log_reason(r, reason);
    log_text(r, LOG_LISTENER, s->listener->config->name.text);
    log_text_c(r, LOG_STAGE, stage);
    log_number(r, LOG_CODE, reply->code);
    if (reply->status.n)
        log_text(r, LOG_STATUS, reply->status);
    if (rule.n)
        log_text(r, LOG_RULE, rule);
}

/* SLOTS of NULL: the words have none. */
static void refused(struct session *s, const char *stage, const struct smtp_reply *reply, enum log_reason reason,
                    struct str rule, struct str to, const struct smtp_slots *slots)
{
    struct log_record r;

    if (!log_wants(LOG_EVENT_REJECT))
        return;
    begin_refused(&r, s, stage, reply, reason, rule);
    if (s->tx)
        log_text(&r, LOG_FROM, s->tx->sender);
    if (to.n)
        log_text(&r, LOG_TO, to);
    add_reply(&r, reply, slots);
    log_send(&r);
}

void record_refused(struct session *s, const char *stage, enum smtp_reply_name row, enum log_reason reason,
                    struct str rule, struct str to, const struct smtp_slots *slots)
{
    struct smtp_reply reply = smtp_reply_row(row);
    struct smtp_slots all = slots ? *slots : (struct smtp_slots){ 0 };

    if (!all.address.p)
        all.address = to;
    all.hostname = s->listener->config->session.hostname.text;
    refused(s, stage, &reply, reason, rule, to, &all);
}

void record_refused_with(struct session *s, const char *stage, const struct smtp_reply *reply,
                         enum log_reason reason, struct str rule, struct str to)
{
    refused(s, stage, reply, reason, rule, to, NULL);
}

/* As the client gave them: the values have the bound of one value, which few reach. */
static void add_recipients(struct log_record *r, const struct transaction *tx)
{
    struct str list[RECIPIENTS_SHOWN];
    size_t n = 0;

    LIST_FOR(node, &tx->recipients) {
        if (n == RECIPIENTS_SHOWN)
            break;
        list[n++] = CONTAINER_OF(node, struct receive_recipient, node)->original;
    }
    log_list(r, LOG_RCPT, list, n);
}

void record_accept(struct session *s, uint32_t batch, int64_t sync_usec)
{
    const struct transaction *tx = s->tx;
    int64_t end = io_clock_usec();
    struct log_record r;

    if (!log_wants(LOG_EVENT_ACCEPT))
        return;
    begin(&r, LOG_EVENT_ACCEPT, s);
    log_id(&r, tx->id);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_text(&r, LOG_PROTOCOL, smtp_server_protocol(s->smtp));
    add_tls(&r, s);
    if (s->account.n)
        log_text(&r, LOG_ACCOUNT, s->account);
    log_number(&r, LOG_SIZE, (int64_t)tx->facts->size);
    log_number(&r, LOG_RECIPIENTS, tx->n_final);
    log_text(&r, LOG_BODY, tx->facts->eight_bit ? STR("8bit") : STR("7bit"));
    log_seconds(&r, LOG_T_SESSION, end - s->began_usec);
    log_seconds(&r, LOG_T_RCPT, tx->rcpt_usec - tx->began_usec);
    log_seconds(&r, LOG_T_RECEIVE, end - tx->began_usec);
    log_seconds(&r, LOG_T_SYNC, sync_usec);
    log_number(&r, LOG_BATCH, batch);
    log_text(&r, LOG_FROM, tx->sender);
    add_recipients(&r, tx);
    log_text(&r, LOG_MSGID, message_header_scan_facts(tx->header)->message_id);
    log_send(&r);
}

void record_tls(struct session *s, const struct tls_facts *f)
{
    struct log_record r;

    if (!log_wants(LOG_EVENT_TLS))
        return;
    begin(&r, LOG_EVENT_TLS, s);
    log_text_c(&r, LOG_VERSION, f->version);
    log_text_c(&r, LOG_CIPHER, f->cipher);
    log_flag(&r, LOG_RESUMED, f->resumed);
    if (f->sni.n)
        log_text(&r, LOG_SNI, f->sni);
    log_send(&r);
}

void record_tls_fail(struct session *s, const char *error)
{
    struct log_record r;

    begin(&r, LOG_EVENT_TLS_FAIL, s);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_text_c(&r, LOG_ERROR, error);
    log_send(&r);
}

void record_auth(struct session *s, const char *mechanism)
{
    struct log_record r;

    begin(&r, LOG_EVENT_AUTH, s);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_text_c(&r, LOG_MECHANISM, mechanism);
    log_text(&r, LOG_ACCOUNT, s->account);
    log_send(&r);
}

/* The client hears less than the log: whoever looks for its reason finds that in auth's words. */
static void add_detail(struct log_record *r, const struct ipc_login_answer *a)
{
    if (a->detail.n)
        log_text(r, LOG_ERROR, a->detail);
    if (a->account.n)
        log_text(r, LOG_ACCOUNT, a->account);
}

void record_auth_fail(struct session *s, const char *mechanism, enum log_reason reason,
                      const struct ipc_login_answer *a)
{
    struct log_record r;

    begin(&r, LOG_EVENT_AUTH_FAIL, s);
    log_reason(&r, reason == LOG_REASON_NONE ? LOG_REASON_PASSWORD : reason);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_text_c(&r, LOG_MECHANISM, mechanism);
    add_detail(&r, a);
    log_send(&r);
}

void record_auth_refused(struct session *s, enum smtp_reply_name row, enum log_reason reason,
                         const struct ipc_login_answer *a)
{
    struct smtp_reply reply = smtp_reply_row(row);
    struct log_record r;

    if (!log_wants(LOG_EVENT_REJECT))
        return;
    begin_refused(&r, s, "auth", &reply, reason, a->rule.n ? a->rule : STR("default"));
    add_detail(&r, a);
    add_reply(&r, &reply, &(struct smtp_slots){ 0 });
    log_send(&r);
}

void record_auth_end(struct session *s)
{
    struct log_record r;

    begin(&r, LOG_EVENT_AUTH_END, s);
    log_reason(&r, s->account_ended);
    log_text(&r, LOG_LISTENER, s->listener->config->name.text);
    log_text(&r, LOG_ACCOUNT, s->account);
    log_send(&r);
}

/* As it is written in the configuration: the one that was met, by its number. */
static struct str bound_of(const struct session *s, enum config_limit_key key, uint64_t number)
{
    const struct config_limits *limits = &s->listener->config->session.limits;

    for (size_t i = 0; i < limits->n; i++) {
        const struct config_limit *l = limits->items[i];
        if (l->key == key && l->measure == CONFIG_MEASURE_AUTH_FAILURES && l->bound == number)
            return l->written;
    }
    return STR_NONE;
}

/* The limit's own words name the client, or the account. lookup, which met it, knows no sessions of guesses. */
void record_auth_limit(struct session *s, const struct ipc_login_answer *a)
{
    struct ip_text room;
    bool is_client = str_eq(a->detail, session_client_text(s, &room));
    enum config_limit_key key = is_client ? CONFIG_LIMIT_CLIENT : CONFIG_LIMIT_ACCOUNT;
    struct str bound = bound_of(s, key, a->number);
    struct log_record r;

    begin(&r, LOG_EVENT_LIMIT, s);
    log_reason(&r, LOG_REASON_LIMIT);
    log_text(&r, LOG_KEY, config_limit_key_name(key));
    log_text(&r, LOG_MEASURE, config_limit_measure_name(CONFIG_MEASURE_AUTH_FAILURES));
    log_number(&r, LOG_VALUE, (int64_t)a->number + 1);
    if (bound.n)
        log_text(&r, LOG_BOUND, bound);
    log_text(&r, LOG_ACTION, config_limit_action_name(CONFIG_LIMIT_DEFER));
    if (a->rule.n)
        log_text(&r, LOG_RULE, a->rule);
    if (a->account.n)
        log_text(&r, LOG_ACCOUNT, a->account);
    log_send(&r);
}

/* An address, or "|command" or "/file" as an alias names it. */
static bool add_recipient(struct buf *out, const struct envelope_recipient *r)
{
    struct smtp_path path = { .local = r->local, .domain = r->domain };

    if (r->kind == ENVELOPE_ADDRESS)
        return smtp_path_write(out, &path);
    return (r->kind == ENVELOPE_FILE || buf_add_char(out, '|')) && buf_add(out, r->local);
}

void record_expand(struct session *s, const struct receive_expansion *x, const struct envelope_recipient *into,
                   size_t n)
{
    struct str list[EXPANSION_SHOWN];
    struct buf text = BUF_INIT(LOG_VALUE_MAX * 2);
    size_t ends[EXPANSION_SHOWN], shown = 0;
    struct log_record r;

    for (; shown < n && shown < EXPANSION_SHOWN; shown++) {
        if (!add_recipient(&text, &into[shown]))
            break;
        ends[shown] = text.n;
    }
    for (size_t i = 0; i < shown; i++)
        list[i] = str_slice(buf_str(&text), i ? ends[i - 1] : 0, ends[i]);
    /* What stayed itself was not expanded. */
    if (log_wants(LOG_EVENT_EXPAND) && shown && !(n == 1 && str_eq(list[0], into[0].original))) {
        log_start(&r, LOG_EVENT_EXPAND);
        log_id(&r, s->tx->id);
        log_text(&r, LOG_BY, route_by_name((enum route_by)x->by));
        log_text(&r, LOG_RULE, x->rule);
        log_text(&r, LOG_TO, into[0].original);
        log_list(&r, LOG_INTO, list, shown);
        log_send(&r);
    }
    buf_done(&text);
}
