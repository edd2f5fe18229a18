/*
 * receive/login.c -- AUTH (RFC 4954): who logs in is for auth to say. An exchange stays with the process it began with; a
 * password that is slow to check keeps its own client waiting, and nobody else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/log.h"
#include "receive/session.h"

enum {
    SAID_MAX = 64 * 1024,
    ANSWER_MSEC = 60000, /* of auth, which may ask others; below the 2 minutes of RFC 6409 5.3 (C129) */
};

static struct str mechanism_of(const struct session *s)
{
    return str_from_c(s->login->mechanism);
}

/* ---- where it is asked ---- */

static struct ipc_channel *by_instance(struct worker *w, uint32_t instance)
{
    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i]->peer == PROCESS_AUTH && w->peers[i]->instance == instance && !w->peers[i]->closed)
            return w->peers[i];
    return NULL;
}

/* They take turns: the one behind the last in the order of instances, else the first. */
static struct ipc_channel *next_in_turn(struct worker *w, uint32_t last)
{
    struct ipc_channel *first = NULL, *next = NULL;

    for (size_t i = 0; i < w->n_peers; i++) {
        struct ipc_channel *c = w->peers[i];
        if (c->peer != PROCESS_AUTH || c->closed || c->generation != w->generation)
            continue;
        if (!first || c->instance < first->instance)
            first = c;
        if (c->instance > last && (!next || c->instance < next->instance))
            next = c;
    }
    return next ? next : first;
}

struct ipc_channel *login_channel(struct session *s)
{
    struct worker *w = s->receive->worker;

    return s->login->begun ? by_instance(w, s->login->instance) : next_in_turn(w, s->receive->last_auth);
}

struct session *login_by_ticket(struct receive *r, uint64_t ticket)
{
    uint32_t slot = (uint32_t)ticket;
    struct session *s = slot < r->n_slots ? r->sessions[slot] : NULL;

    if (!s || s->finished || s->question != QUESTION_LOGIN || !s->question_sent || s->login->ticket != ticket)
        return NULL;
    return s;
}

/* ---- asking ---- */

static bool send_first(struct session *s, struct ipc_channel *auth)
{
    const struct receive_login *l = s->login;
    unsigned char exporter[32], unique[64];
    size_t n_unique = 0;
    struct arena *a = arena_new(HANDSHAKE_NAMES_MAX);
    struct str names = STR_NONE;
    bool has_exporter = tls_stream_exporter(s->tls, exporter);
    bool has_unique = tls_stream_unique(s->tls, unique, &n_unique);

    if (s->vouched && (!a || !tls_stream_addresses(s->tls, a, &names)))
        names = STR_NONE;
    bool sent = ipc_send_login_ask(
        auth, &(struct ipc_login_ask){
                  .ticket = l->ticket,
                  .client = str_of((const char *)s->client_octets, s->client_n),
                  .listener = s->listener->index,
                  .mechanism = mechanism_of(s),
                  .has_initial = l->has_initial,
                  .initial = buf_str(&l->said),
                  .exporter = str_of((const char *)exporter, has_exporter ? sizeof(exporter) : 0),
                  .unique = str_of((const char *)unique, has_unique ? n_unique : 0),
                  .names = names,
              });
    arena_free(a);
    return sent;
}

bool login_send(struct session *s, struct ipc_channel *auth)
{
    struct receive_login *l = s->login;
    bool sent = l->begun ? ipc_send_login_step(auth, &(struct ipc_login_step){ l->ticket, buf_str(&l->said) })
                         : send_first(s, auth);

    if (!sent)
        return false;
    buf_wipe(&l->said);
    l->begun = true;
    l->instance = s->receive->last_auth = auth->instance;
    session_deadline(s, ANSWER_MSEC);
    return true;
}

static void refuse_unavailable(struct session *s)
{
    s->rejected++;
    s->receive->rejected++;
    record_refused(s, "auth", SMTP_REPLY_AUTH_UNAVAILABLE, LOG_REASON_LOOKUP, STR("default"), STR_NONE, NULL);
    smtp_server_answer(s->smtp, SMTP_REPLY_AUTH_UNAVAILABLE, NULL, &s->receive->out);
    login_drop(s);
}

void login_begin(struct session *s, const struct smtp_event *ev)
{
    struct receive_login *l = calloc(1, sizeof(*l));

    BUG_ON(s->login || !s->tls);
    s->login = l;
    if (!l) {
        refuse_unavailable(s);
        return;
    }
    *l = (struct receive_login){ .has_initial = ev->has_initial, .said = BUF_INIT(SAID_MAX) };
    snprintf(l->mechanism, sizeof(l->mechanism), "%.*s", STR_ARG(ev->mechanism));
    if (!buf_add(&l->said, ev->response)) {
        refuse_unavailable(s);
        return;
    }
    l->ticket = (uint64_t)++s->receive->last_serial << 32 | s->slot;
    session_ask(s, QUESTION_LOGIN);
}

void login_step(struct session *s, const struct smtp_event *ev)
{
    struct receive_login *l = s->login;

    BUG_ON(!l);
    l->said = BUF_INIT(SAID_MAX);
    if (buf_add(&l->said, ev->response) && by_instance(s->receive->worker, l->instance))
        session_ask(s, QUESTION_LOGIN);
    else
        refuse_unavailable(s);
}

void login_drop(struct session *s)
{
    struct receive_login *l = s->login;

    if (!l)
        return;
    struct ipc_channel *auth = l->begun ? by_instance(s->receive->worker, l->instance) : NULL;
    if (auth)
        ipc_send_login_gone(auth, &(struct ipc_login_gone){ .ticket = l->ticket });
    buf_wipe(&l->said);
    free(l);
    s->login = NULL;
}

void login_unanswered(struct session *s)
{
    question_done(s);
    refuse_unavailable(s);
}

/* ---- the answer ---- */

/* What the client gets, and the log; the exchange is over, and auth knows. */
static void refuse(struct session *s, const struct ipc_login_answer *a)
{
    struct smtp_slots slots = { .text = a->detail, .number = a->number };
    enum log_reason reason = a->reason < LOG_REASONS ? (enum log_reason)a->reason : LOG_REASON_NONE;
    enum smtp_reply_name row = SMTP_REPLY_AUTH_UNAVAILABLE;

    s->rejected++;
    s->receive->rejected++;
    if (a->status == IPC_LOGIN_REFUSED) {
        row = SMTP_REPLY_AUTH_FAILED;
        record_auth_fail(s, s->login->mechanism, reason, a);
    } else if (a->status == IPC_LOGIN_LIMITED) {
        row = SMTP_REPLY_AUTH_LIMITED;
        record_auth_limit(s, a);
    } else {
        /* The day's trouble, or a broken client: not somebody who guesses. */
        row = a->status == IPC_LOGIN_WRONG ? SMTP_REPLY_AUTH_WRONG : row;
        reason = a->status == IPC_LOGIN_WRONG ? LOG_REASON_SYNTAX : LOG_REASON_LOOKUP;
        record_auth_refused(s, row, reason, a);
    }
    smtp_server_answer(s->smtp, row, &slots, &s->receive->out);
}

/* Who it is lives as long as the session. */
static bool take_account(struct session *s, struct str account)
{
    s->account = arena_str(s->arena, account);
    if (!s->account.n) {
        s->account = STR_NONE;
        return false;
    }
    s->account_from = s->login->instance;
    list_append(&s->receive->accounts, &s->account_node);
    return true;
}

static void tell_kept(const struct session *s, struct ipc_channel *auth)
{
    ipc_send_login_kept(auth, &(struct ipc_login_kept){ .account = s->account });
}

/* By this configuration's sources; a newer one may have others. */
static void tell_newer(const struct session *s)
{
    struct worker *w = s->receive->worker;

    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i]->peer == PROCESS_AUTH && w->peers[i]->generation > w->generation)
            tell_kept(s, w->peers[i]);
}

void login_answered(struct session *s, const struct ipc_login_answer *a)
{
    question_done(s);
    if (a->status == IPC_LOGIN_CONTINUE) {
        smtp_server_challenge(s->smtp, a->challenge, &s->receive->out);
        return;
    }
    s->login->begun = false;
    if (a->status == IPC_LOGIN_DONE && s->receive->no_logins) {
        refuse_unavailable(s);
        return;
    }
    if (a->status == IPC_LOGIN_DONE && take_account(s, a->account)) {
        record_auth(s, s->login->mechanism);
        smtp_server_authenticated(s->smtp, &s->receive->out);
        tell_newer(s);
    } else {
        refuse(s, a);
    }
    login_drop(s);
}

/* ---- its end ---- */

/*
 * Of the two auth processes that say it the one that let the client in counts: what it said before was said by the former
 * file, what it says later by the new one. Only where that one is gone, or has another configuration, the others do.
 */
static bool counts(const struct session *s, const struct ipc_channel *from)
{
    struct worker *w = s->receive->worker;

    return from->generation != w->generation || from->instance == s->account_from ||
           !by_instance(w, s->account_from);
}

bool login_leaves(struct session *s)
{
    bool is_stored = s->question == QUESTION_COMMIT || s->question == QUESTION_TOKEN;

    if (s->account_ended == LOG_REASON_NONE || s->finished || s->closing)
        return false;
    /* Whether the message that was given whole is taken is answered first; one that is not whole is refused at its end. */
    if (is_stored || smtp_server_in_content(s->smtp))
        return false;
    session_send(s);
    if (!s->finished)
        session_goodbye(s, SMTP_REPLY_LOGIN_ENDED, NULL);
    return true;
}

static bool is_over(const struct session *s)
{
    return s->finished || s->closing || s->account_ended != LOG_REASON_NONE;
}

static void end(struct session *s, enum log_reason reason)
{
    s->account_ended = reason;
    record_auth_end(s);
    (void)login_leaves(s);
}

void login_ended(struct receive *r, const struct ipc_channel *from, const struct ipc_login_ended *m)
{
    enum log_reason reason = m->reason < LOG_REASONS ? (enum log_reason)m->reason : LOG_REASON_NONE;

    LIST_FOR (node, &r->accounts) {
        struct session *s = CONTAINER_OF(node, struct session, account_node);
        if (is_over(s) || reason == LOG_REASON_NONE)
            continue;
        if (str_eq_nocase(s->account, m->account) && counts(s, from))
            end(s, reason);
    }
}

void logins_wanted(struct receive *r, struct ipc_channel *from)
{
    LIST_FOR (node, &r->accounts) {
        const struct session *s = CONTAINER_OF(node, struct session, account_node);
        if (!is_over(s))
            tell_kept(s, from);
    }
}

void logins_over(struct receive *r)
{
    r->no_logins = true;
    LIST_FOR (node, &r->accounts) {
        struct session *s = CONTAINER_OF(node, struct session, account_node);
        if (!is_over(s))
            end(s, LOG_REASON_REMOVED);
    }
}
