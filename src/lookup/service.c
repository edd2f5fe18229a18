/* lookup/service.c -- the life of the process: tables come from main, questions from receive and queue. */
#include "lookup/lookup.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "io/fd.h"
#include "log/log.h"

enum { SCRATCH_MAX = 64 << 20, OCTETS_KEEP = 64 * 1024 };

/* A receive process, and what it has open. */
struct lookup_peer {
    struct list node;
    struct ipc_channel *channel;
    struct lookup_sessions sessions;
};

static void on_want(struct lookup_tables *t, struct str path)
{
    struct lookup *l = CONTAINER_OF(t, struct lookup, tables);

    ipc_send_table_want(l->worker->main, &(struct ipc_table_want){ .path = path });
}

/* Who runs the server: the kernel knows who made the socket pair to main. Root, if it does not say. */
static uint32_t server_owner(const struct worker *w)
{
    struct ucred made_by = { 0 };
    socklen_t n = sizeof(made_by);

    if (!w->main || getsockopt(w->main->fd, SOL_SOCKET, SO_PEERCRED, &made_by, &n) < 0)
        return 0;
    return made_by.uid;
}

/* Tables come before START: the first thing we hear of makes us. */
static struct lookup *lookup_of(struct worker *w, struct err *err)
{
    struct lookup *l = w->state;

    if (!l && w->config) {
        l = lookup_new(w->loop, w->config, w->generation, on_want, err);
        if (l) {
            l->worker = w;
            l->view.owner = server_owner(w);
        }
        w->state = l;
    }
    return l;
}

static bool on_start(struct worker *w, struct err *err)
{
    return lookup_of(w, err) != NULL;
}

static void on_sandbox(struct worker *w, struct sandbox *box)
{
    box->threads = true;
}

/* ---- who has what open ---- */

static struct lookup_peer *peer_of(struct lookup *l, const struct ipc_channel *channel)
{
    LIST_FOR(node, &l->peers) {
        struct lookup_peer *p = CONTAINER_OF(node, struct lookup_peer, node);
        if (p->channel == channel)
            return p;
    }
    return NULL;
}

static struct lookup_peer *peer_have(struct lookup *l, struct ipc_channel *channel)
{
    struct lookup_peer *p = peer_of(l, channel);

    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->channel = channel;
    list_append(&l->peers, &p->node);
    return p;
}

static void release_all(struct lookup_turn *t, const struct lookup_sessions *s)
{
    for (size_t i = 0; i < s->room; i++)
        for (uint32_t k = 0; k < s->slots[i].count; k++)
            lookup_release(t, lookup_session_client(&s->slots[i]), s->slots[i].listener, s->slots[i].exempt);
}

/* ---- questions ---- */

static void answer_connect(struct lookup_turn *t, struct ipc_channel *from, const struct ipc_connect_ask *ask)
{
    struct lookup_peer *p = peer_have(t->lookup, from);
    struct ipc_connect_answer answer;

    t->session = ask->session;
    bool exempt = lookup_connect(t, ask, &answer);
    /* What cannot be noted here could not be given back later either. */
    if (!p || !lookup_sessions_add(&p->sessions, ask->client, ask->listener, exempt))
        lookup_release(t, ask->client, ask->listener, exempt);
    ipc_send_connect_answer(from, &answer);
}

static void hear_disconnect(struct lookup_turn *t, struct ipc_channel *from,
                            const struct ipc_disconnect *notice)
{
    struct lookup_peer *p = peer_of(t->lookup, from);
    bool exempt;

    if (p && lookup_sessions_remove(&p->sessions, notice->client, notice->listener, &exempt))
        lookup_disconnect(t, notice, exempt);
}

static void answer(struct lookup_turn *t, struct ipc_channel *from, const struct ipc_message *m)
{
    switch (m->type) {
    case IPC_CONNECT_ASK:
        answer_connect(t, from, &m->connect_ask);
        return;
    case IPC_DISCONNECT:
        hear_disconnect(t, from, &m->disconnect);
        return;
    case IPC_MAIL_ASK: {
        struct ipc_mail_answer a;
        t->session = m->mail_ask.session;
        lookup_mail(t, &m->mail_ask, &a);
        ipc_send_mail_answer(from, &a);
        return;
    }
    case IPC_RCPT_ASK: {
        struct ipc_rcpt_answer a;
        t->session = m->rcpt_ask.session;
        lookup_rcpt(t, &m->rcpt_ask, &a);
        ipc_send_rcpt_answer(from, &a);
        return;
    }
    case IPC_GUESS_ASK: {
        struct ipc_guess_answer a;
        if (lookup_guess(t, from, &m->guess_ask, &a))
            ipc_send_guess_answer(from, &a);
        return;
    }
    case IPC_GUESSED:
        lookup_guessed(t, from, &m->guessed);
        return;
    case IPC_VERIFIED:
        lookup_hear_verified(t, &m->verified);
        return;
    case IPC_VRFY_ASK: {
        struct ipc_vrfy_answer a;
        t->session = m->vrfy_ask.session;
        lookup_vrfy(t, &m->vrfy_ask, &a);
        ipc_send_vrfy_answer(from, &a);
        return;
    }
    case IPC_EXPAND_ASK: {
        struct ipc_expand_answer a;
        lookup_expand(t, &m->expand_ask, &a);
        ipc_send_expand_answer(from, &a);
        return;
    }
    case IPC_EXPLAIN_ASK: {
        struct ipc_explain_answer a;
        t->only_looks = true;
        lookup_explain(t, &m->explain_ask, &a);
        ipc_send_explain_answer(from, &a);
        return;
    }
    case IPC_ROUTE_ASK: {
        struct ipc_route_answer a;
        lookup_route(t, &m->route_ask, &a);
        ipc_send_route_answer(from, &a);
        return;
    }
    default:
        return;
    }
}

/* Those whose wait for other guesses is over. */
static void answer_guesses(struct lookup_turn *t)
{
    struct ipc_guess_answer a;
    struct ipc_channel *asker;

    while ((asker = lookup_guess_next(t, &a)) != NULL)
        ipc_send_guess_answer(asker, &a);
}

static struct lookup_turn turn_of(struct lookup *l, struct arena *scratch)
{
    return (struct lookup_turn){
        .lookup = l,
        .scratch = scratch,
        .octets = &l->octets,
        .now_msec = io_now_msec(l->worker->loop),
        .utc_msec = io_wall_msec(),
    };
}

static void take_file(struct worker *w, struct lookup *l, struct ipc_message *m)
{
    int fd = m->fd;

    m->fd = -1;
    if (str_eq(m->opened.path, STR(IPC_FILE_LOGINS))) {
        lookup_logins_give(&l->logins, fd);
    } else if (str_eq(m->opened.path, STR(IPC_FILE_RATES))) {
        lookup_share_rates(l, fd);
        fd_close(&fd);
    } else {
        lookup_tables_give(&l->tables, m->opened.path, fd, m->opened.error, !w->started);
    }
}

static void on_message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct err err = { 0 };
    struct lookup *l = lookup_of(w, &err);
    struct arena *scratch;

    if (!l)
        return;
    if (m->type == IPC_OPENED) {
        take_file(w, l, m);
        return;
    }
    scratch = arena_new(SCRATCH_MAX);
    /* Without an answer the session waits for its time-out, and says 421 or 451. */
    if (!scratch)
        return;
    struct lookup_turn t = turn_of(l, scratch);
    answer(&t, from, m);
    answer_guesses(&t);
    buf_shrink(&l->octets, OCTETS_KEEP);
    arena_free(scratch);
}

static void close_sessions(struct lookup_turn *t, struct lookup_peer *p)
{
    release_all(t, &p->sessions);
    lookup_sessions_done(&p->sessions);
    list_remove(&p->node);
    free(p);
}

static void on_peer_down(struct worker *w, struct ipc_channel *channel)
{
    struct lookup *l = w->state;
    struct lookup_peer *p = l ? peer_of(l, channel) : NULL;
    struct arena *scratch;
    struct lookup_turn t;

    if (!l)
        return;
    scratch = arena_new(SCRATCH_MAX);
    t = turn_of(l, scratch);
    if (p)
        close_sessions(&t, p);
    lookup_guesses_gone(l, channel);
    /* Without memory they wait for the next message. */
    if (scratch)
        answer_guesses(&t);
    arena_free(scratch);
}

static void on_status(struct worker *w, struct buf *records)
{
    struct lookup *l = w->state;

    if (l)
        lookup_tables_status(&l->tables, records);
}

const struct worker_service lookup_service = {
    .kind = PROCESS_LOOKUP,
    .start = on_start,
    .sandbox = on_sandbox,
    .message = on_message,
    .peer_down = on_peer_down,
    .status = on_status,
};
