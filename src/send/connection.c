/* send/connection.c -- the life of a connection: its time, its work, its end. */
#include "send/connection.h"

#include <stdlib.h>

#include "io/fd.h"
#include "send/authenticate.h"

enum {
    PLAN_ARENA_MAX = 256 * 1024,
    SESSION_ARENA_MAX = 64 * 1024,
    PROGRESS_OCTETS = 1024, /* of content, to move the deadline: a peer that takes single ones does not */
    HAND_SLOTS = SMTP_CLIENT_DEPTH,
    HURRIED_QUIT_MSEC = 1000, /* so long a server that stops waits for the reply to QUIT */
};

static struct io_loop *loop_of(const struct connection *c)
{
    return c->send->worker->loop;
}

/* ---- what is in hand when this process dies was perhaps why (DESIGN 3) ---- */

void connection_hand_note(const struct connection *c)
{
    struct worker_hand *hand = c->send->worker->hand;
    size_t slot = 0;

    if (!hand)
        return;
    LIST_FOR(node, &c->inside)
    {
        if (slot < HAND_SLOTS)
            __atomic_store_n(&hand->ids[slot++], CONTAINER_OF(node, struct transfer, place)->id,
                             __ATOMIC_RELEASE);
    }
}

static void hand_clear(const struct send *s)
{
    struct worker_hand *hand = s->worker->hand;

    for (size_t slot = 0; hand && slot < HAND_SLOTS; slot++)
        __atomic_store_n(&hand->ids[slot], 0, __ATOMIC_RELEASE);
}

/* ---- time (RFC 5321 4.5.3.2; C153) ---- */

void connection_deadline(struct connection *c, int64_t msec)
{
    int64_t now = io_now_msec(loop_of(c));

    c->deadline_msec = msec ? now + msec : 0;
    /* The timer is not moved for each command: never late, it looks at the deadline when it fires. */
    if (msec && (!io_timer_pending(&c->timer) || c->deadline_msec < c->timer_msec)) {
        c->timer_msec = c->deadline_msec;
        io_timer_start(&c->timer, msec);
    }
}

static int64_t patience(const struct connection *c, enum smtp_stage stage)
{
    const struct config_sending *s = c->sending;

    if (c->blocked)
        return (int64_t)s->timeout_block.msec;
    switch (stage) {
    case SMTP_STAGE_CONNECT:
        return (int64_t)s->timeout_connect.msec;
    case SMTP_STAGE_GREETING:
        return (int64_t)s->timeout_greeting.msec;
    case SMTP_STAGE_EHLO:
    case SMTP_STAGE_TLS:
    case SMTP_STAGE_AUTH:
        return (int64_t)s->timeout_ehlo.msec;
    case SMTP_STAGE_MAIL:
        return (int64_t)s->timeout_mail.msec;
    case SMTP_STAGE_RCPT:
        return (int64_t)s->timeout_rcpt.msec;
    case SMTP_STAGE_DATA:
        return (int64_t)s->timeout_data.msec;
    case SMTP_STAGE_CONTENT:
        return (int64_t)s->timeout_block.msec;
    case SMTP_STAGE_FINAL:
        return (int64_t)s->timeout_final.msec;
    case SMTP_STAGE_QUIT:
        return c->hurried && s->timeout_quit.msec > HURRIED_QUIT_MSEC ? HURRIED_QUIT_MSEC
                                                                      : (int64_t)s->timeout_quit.msec;
    case SMTP_STAGE_NONE:
    case SMTP_STAGES:
        break;
    }
    return 0;
}

void connection_deadline_follow(struct connection *c)
{
    enum smtp_stage stage = smtp_client_stage(c->smtp);
    size_t replies = smtp_client_replies(c->smtp);

    if (stage == c->stage && replies == c->replies && c->progress_octets < PROGRESS_OCTETS)
        return;
    c->progress_octets = 0;
    c->stage = stage;
    c->replies = replies;
    connection_deadline(c, patience(c, stage));
}

/* ---- the end ---- */

void connection_made(struct connection *c, struct transfer *t)
{
    struct transfer *next;

    list_remove(&t->place);
    c->owner->made(c, t);
    next = transfer_first(&c->inside);
    if (next)
        next->began_usec = io_clock_usec();
}

static void give_back(struct connection *c, struct list *list)
{
    struct transfer *t;

    while ((t = transfer_first(list))) {
        transfer_set_all(t, SMTP_RESULT_AGAIN, STR("4.4.2"), STR("the connection ended before its turn"));
        connection_made(c, t);
    }
}

void connection_gone(struct connection *c)
{
    give_back(c, &c->inside);
    give_back(c, &c->waiting);
    c->state = CONNECTION_ENDED;
    authenticate_done(c);
    io_watch_arm(&c->watch, 0);
    connection_deadline(c, 0);
    io_task_post(&c->work);
}

void connection_over(struct connection *c, bool orderly, const struct smtp_client_result *farewell)
{
    give_back(c, &c->inside);
    give_back(c, &c->waiting);
    c->owner->closed(c, orderly, farewell);
    connection_gone(c);
}

static void connection_free(struct connection *c)
{
    struct send *s = c->send;

    io_task_done(&c->work);
    io_watch_done(&c->watch);
    io_timer_done(&c->timer);
    authenticate_done(c);
    secure_done(c);
    fd_close(&c->fd);
    smtp_client_done(c->smtp);
    arena_free(c->session);
    arena_free(c->arena);
    buf_done(&c->in);
    buf_done(&c->out);
    list_remove(&c->node);
    s->n_connections--;
    if (c->owner->gone)
        c->owner->gone(c);
    free(c);
    send_exit_if_done(s);
}

/* ---- events ---- */

void connection_ready(struct io_watch *w, unsigned what)
{
    struct connection *c = CONTAINER_OF(w, struct connection, watch);

    connection_hand_note(c);
    if (c->state == CONNECTION_CONNECTING)
        reach_done(c);
    else if (c->state == CONNECTION_SHAKING)
        secure_go_on(c);
    else
        dialogue_go_on(c, what);
    hand_clear(c->send);
}

/* "timed out" is what the log knows the reason by (queue/record.c). */
static const char *late_words(const struct connection *c, enum smtp_stage stage)
{
    if (c->login && login_waits(c->login))
        return "timed out: what the password is salted with takes too long to be reckoned";
    switch (stage) {
    case SMTP_STAGE_CONNECT:
        return "connection timed out";
    case SMTP_STAGE_GREETING:
        return "timed out waiting for the greeting";
    case SMTP_STAGE_EHLO:
        return "timed out waiting for the reply to EHLO";
    case SMTP_STAGE_TLS:
        return "timed out waiting for the reply to STARTTLS";
    case SMTP_STAGE_AUTH:
        return "timed out waiting for the reply to AUTH";
    case SMTP_STAGE_MAIL:
        return "timed out waiting for the reply to MAIL";
    case SMTP_STAGE_RCPT:
        return "timed out waiting for the reply to RCPT";
    case SMTP_STAGE_DATA:
        return "timed out waiting for the reply to DATA";
    case SMTP_STAGE_CONTENT:
        return "timed out: the content was not taken";
    case SMTP_STAGE_FINAL:
        return "timed out waiting for the reply to the final dot";
    default:
        return "timed out waiting for a reply";
    }
}

static void on_timer(struct io_timer *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, timer);
    int64_t left = c->deadline_msec - io_now_msec(loop_of(c));

    if (!c->deadline_msec)
        return;
    if (left > 0) {
        c->timer_msec = c->deadline_msec;
        io_timer_start(&c->timer, left);
        return;
    }
    connection_hand_note(c);
    if (c->state == CONNECTION_CONNECTING)
        reach_refused(c, &(struct reach_answer){ .stage = SMTP_STAGE_CONNECT, .reason = LOG_REASON_TIMEOUT,
                                                 .enhanced = STR("4.4.1"),
                                                 .text = str_from_c(late_words(c, SMTP_STAGE_CONNECT)) });
    else if (c->state == CONNECTION_SHAKING)
        secure_timed_out(c);
    else if (dialogue_speaks(c))
        dialogue_break_off(c, LOG_REASON_TIMEOUT, late_words(c, smtp_client_stage(c->smtp)));
    hand_clear(c->send);
}

static bool anything_begun(const struct connection *c)
{
    const struct transfer *t = transfer_first(&c->inside);

    return t && t->tx.begun;
}

/* Is it to end now, for want of anything that must be finished? */
static bool may_go(const struct connection *c)
{
    if (c->cut || (c->hurried && !anything_begun(c)))
        return true;
    return c->state < CONNECTION_OPEN && c->closing && list_empty(&c->waiting);
}

static void on_work(struct io_task *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, work);

    if (c->state == CONNECTION_ENDED) {
        connection_free(c);
        return;
    }
    connection_hand_note(c);
    if (c->hurried)
        give_back(c, &c->waiting);
    if (may_go(c) && c->state == CONNECTION_OPEN)
        dialogue_break_off(c, LOG_REASON_LOST, "the server is stopping");
    else if (may_go(c))
        reach_give_up(c, c->hurried ? "the server is stopping" : "it is not wanted any more");
    else if (c->state == CONNECTION_BEGINNING)
        reach_next(c);
    else if (c->state == CONNECTION_OPEN)
        dialogue_drive(c, STR_NONE);
    hand_clear(c->send);
}

/* ---- life ---- */

void connection_greet(struct connection *c)
{
    unsigned flags = c->address->protocol == ROUTE_PLAN_LMTP ? SMTP_CLIENT_LMTP : 0;

    flags |= secure_flags(c);
    c->session = arena_new(SESSION_ARENA_MAX);
    if (c->session)
        c->smtp = smtp_client_new(c->session, c->send->worker->config->session.hostname.text, flags);
    if (!c->smtp) {
        reach_refused(c, &(struct reach_answer){ .stage = SMTP_STAGE_CONNECT, .reason = LOG_REASON_CONNECT,
                                                 .enhanced = STR("4.3.1"), .text = STR("out of memory") });
        return;
    }
    c->state = CONNECTION_GREETING;
    c->stage = SMTP_STAGE_GREETING;
    c->replies = 0;
    connection_deadline(c, patience(c, c->stage));
    io_watch_arm(&c->watch, IO_READ);
}

static bool take_plan(struct connection *c, struct str octets)
{
    struct str copy = arena_str(c->arena, octets);

    if (!copy.p || !route_plan_decode(copy, c->arena, &c->plan))
        return false;
    /* C140: hosts of equal preference share the load, connection by connection. */
    route_plan_shuffle(&c->plan, c->send->lot += 0x9e3779b97f4a7c15U, c->arena);
    return true;
}

struct connection *connection_open(struct send *s, struct str plan, const struct config_route *route,
                                   const struct connection_owner *owner, void *whose, struct err *err)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (!c) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *c = (struct connection){
        .send = s,
        .owner = owner,
        .whose = whose,
        .route = route,
        .sending = route ? &route->sending : &s->worker->config->sending,
        .arena = arena_new(PLAN_ARENA_MAX),
        .only_521 = true,
        .fd = -1,
        .hears = IO_READ,
        .speaks = IO_WRITE,
        .in = BUF_INIT(SEND_IN_MAX),
        .out = BUF_INIT(SEND_OUT_MAX),
        .began_usec = io_clock_usec(),
    };
    list_init(&c->node);
    list_init(&c->waiting);
    list_init(&c->inside);
    io_task_init(&c->work, s->worker->loop, on_work);
    if (!c->arena || !take_plan(c, plan)) {
        err_temp(err, c->arena ? "the plan cannot be read" : "out of memory");
        goto fail;
    }
    if (!io_timer_init(&c->timer, s->worker->loop, on_timer, err))
        goto fail;
    list_append(&s->connections, &c->node);
    s->n_connections++;
    io_task_post(&c->work);
    return c;
fail:
    arena_free(c->arena);
    free(c);
    return NULL;
}

/* Without memory for that it goes nowhere: what the route says may be less than the site demands (TLS). */
void connection_use_site(struct connection *c, const struct config_site *site)
{
    struct config_sending *own = ARENA_NEW(c->arena, struct config_sending);

    if (!own) {
        connection_cut(c);
        return;
    }
    config_sending_merge(c->sending, &site->sending, own);
    c->sending = own;
}

bool connection_takes(const struct connection *c)
{
    return !c->closing && c->state != CONNECTION_ENDED;
}

void connection_give(struct connection *c, struct transfer *t)
{
    list_append(&c->waiting, &t->place);
    if (c->state == CONNECTION_OPEN)
        io_task_post(&c->work);
}

void connection_close(struct connection *c)
{
    c->closing = true;
    io_task_post(&c->work);
}

void connection_hurry(struct connection *c)
{
    c->hurried = true;
    connection_close(c);
}

void connection_cut(struct connection *c)
{
    c->cut = true;
    connection_close(c);
}

struct str connection_host(const struct connection *c)
{
    return c->address ? c->address->host : STR_NONE;
}

struct address_text connection_peer(const struct connection *c)
{
    return c->address && !c->address->path.n ? address_text(c->address) : (struct address_text){ "" };
}
