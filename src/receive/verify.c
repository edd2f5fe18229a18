/* receive/verify.c -- `users ask`: the next hop is asked whether it takes the recipient (FACE 1.9, users). */
#include "ipc/worker.h"
#include "receive/session.h"
#include "route/plan.h"

static struct str client_octets(const struct session *s)
{
    return str_of((const char *)s->client_octets, s->client_n);
}

static void tell_lookup(struct session *s, bool exists)
{
    struct receive *r = s->receive;
    struct ipc_channel *lookup = worker_peer_of(r->worker, PROCESS_LOOKUP, r->worker->generation);

    if (lookup)
        ipc_send_verified(lookup, &(struct ipc_verified){
                                      .client = client_octets(s),
                                      .listener = s->listener->index,
                                      .account = s->account,
                                      .local = s->path->local,
                                      .domain = s->path->domain,
                                      .exists = exists,
                                  });
}

static void take(struct session *s)
{
    recipient_taken(s, s->verify.plain, s->verify.max_size);
}

static void refuse(struct session *s, enum smtp_reply_name row, enum log_reason reason)
{
    struct buf to = BUF_INIT(2048);

    smtp_path_write(&to, s->path);
    s->rejected++;
    s->receive->rejected++;
    record_refused(s, "rcpt", row, reason, s->verify.rule, buf_str(&to), NULL);
    smtp_server_answer(s->smtp, row, NULL, &s->receive->out);
    buf_done(&to);
}

static bool can_ask(struct session *s)
{
    struct worker *w = s->receive->worker;

    return worker_peer_of(w, PROCESS_RESOLVE, w->generation) &&
           worker_peer_of(w, PROCESS_SEND, w->generation);
}

void verify_begin(struct session *s, const struct ipc_rcpt_answer *a)
{
    int64_t wait = (int64_t)s->listener->config->session.timeout_lookup.msec;

    buf_done(&s->verify.plan);
    s->verify = (struct receive_verify){
        .plain = a->plain,
        .max_size = a->max_size,
        .route = a->route,
        .rule = arena_str(s->tx->arena, a->rule),
        .deadline_msec = io_now_msec(s->receive->worker->loop) + wait,
        .plan = BUF_INIT(ROUTE_PLAN_OCTETS_MAX),
    };
    if (can_ask(s))
        session_ask(s, QUESTION_PLAN);
    else
        take(s);
}

bool verify_send_plan(struct session *s, struct ipc_channel *resolve, uint64_t ticket)
{
    return ipc_send_plan_ask(resolve, &(struct ipc_plan_ask){
                                          .ticket = ticket,
                                          .route = s->verify.route,
                                          .domain = s->path->domain,
                                      });
}

/* As it stands between < and >. */
bool verify_send(struct session *s, struct ipc_channel *send, uint64_t ticket)
{
    struct buf address = BUF_INIT(2048);
    bool sent =
        smtp_path_write(&address, s->path) && ipc_send_verify_ask(send, &(struct ipc_verify_ask){
                                                                            .ticket = ticket,
                                                                            .route = s->verify.route,
                                                                            .plan = buf_str(&s->verify.plan),
                                                                            .address = buf_str(&address),
                                                                        });

    buf_done(&address);
    return sent;
}

void verify_planned(struct session *s, const struct ipc_plan_answer *a)
{
    int64_t left = s->verify.deadline_msec - io_now_msec(s->receive->worker->loop);

    question_done(s);
    if (a->status == IPC_PLAN_OK && left > 0 && buf_add(&s->verify.plan, a->plan)) {
        session_ask(s, QUESTION_VERIFY);
        session_deadline(s, left);
    } else {
        take(s);
    }
    session_go_on(s);
}

/* "5.1.…", or nothing: it is about the mailbox; anything else is about us, the sender, or the day. */
static bool says_unknown(const struct ipc_verify_answer *a)
{
    return !a->enhanced.n || str_starts(a->enhanced, STR("5.1."));
}

void verify_answered(struct session *s, const struct ipc_verify_answer *a)
{
    question_done(s);
    if (!a->asked || a->status == IPC_TEMP) {
        take(s);
    } else if (a->status == IPC_OK) {
        tell_lookup(s, true);
        take(s);
    } else if (says_unknown(a)) {
        tell_lookup(s, false);
        refuse(s, SMTP_REPLY_NO_SUCH_MAILBOX, LOG_REASON_NO_USER);
    } else {
        refuse(s, SMTP_REPLY_RECIPIENT_REFUSED, LOG_REASON_REFUSED);
    }
    buf_done(&s->verify.plan);
    session_go_on(s);
}

void verify_overdue(struct session *s)
{
    buf_done(&s->verify.plan);
    take(s);
}
