/* tests/unit/receive/play.h -- a receive service in one room: the test plays lookup, the queue, and the clients. */
#ifndef TESTS_RECEIVE_PLAY_H
#define TESTS_RECEIVE_PLAY_H

#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/parse.h"
#include "core/check.h"
#include "io/fd.h"
#include "receive/session.h"

enum { PLAY_CLIENTS = 8, PLAY_ASKED = 64, PLAY_TURNS = 24, PLAY_FIRST_ID = 4096, PLAY_ROUTE = 3 };

/* A question that reached a peer, with what of it tests look at. */
struct asked {
    enum ipc_type type;
    struct ipc_channel *peer; /* who was asked */
    uint64_t ticket;
    uint64_t id;
    uint64_t file;
    uint64_t size;
    bool again;
    uint32_t route;
    bool exists;
    char token[16];
    char body[4096];
    char text[512]; /* plan, address */
    char envelope[4096];
    size_t envelope_n;
};

struct client {
    int fd;
    struct session *session;
    char got[16384];
    size_t n;
    bool closed;
};

struct play {
    struct arena *arena;
    struct config_bundle bundle;
    struct worker worker;
    struct receive *receive;
    struct io_timer turn;
    int listener[2];
    struct client clients[PLAY_CLIENTS];
    size_t n_clients;
    struct ipc_channel *lookup, *queue, *resolve, *send, *key, *auth[2]; /* their ends */
    struct ipc_handler handler;
    bool lookup_silent, queue_silent; /* they answer only what the test sends */
    bool expands;                     /* recipients are no mailboxes themselves */
    bool asks;                        /* only the next hop of route PLAY_ROUTE knows them */
    bool no_ids;
    bool relays; /* relay-from names those who come */
    bool held;   /* what comes is kept, for a limit's sake */
    struct asked asked[PLAY_ASKED];
    size_t n_asked;
    uint32_t instances;
    bool exited;
};

static struct play play;

/* ---- what ipc/worker.c does for a real process ---- */

struct ipc_channel *worker_peer(struct worker *w, enum process_kind kind)
{
    for (size_t i = w->n_peers; i > 0; i--)
        if (w->peers[i - 1]->peer == kind && !w->peers[i - 1]->closed)
            return w->peers[i - 1];
    return NULL;
}

struct ipc_channel *worker_peer_of(struct worker *w, enum process_kind kind, uint32_t generation)
{
    (void)generation;
    return worker_peer(w, kind);
}

bool worker_row_add(struct buf *rows, const struct log_record *r)
{
    return buf_add(rows, log_octets(r));
}

void worker_exit(struct worker *w)
{
    (void)w;
    play.exited = true;
}

static void to_service(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    w->service->message(w, c, m);
}

static void service_credit(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    w->service->credit(w, c);
}

static void service_peer_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i] == c)
            w->peers[i] = w->peers[--w->n_peers];
    w->service->peer_down(w, c);
    ipc_channel_free(c);
}

/* ---- lookup and the queue ---- */

static void note(struct ipc_channel *c, const struct ipc_message *m)
{
    assert_true(play.n_asked < PLAY_ASKED);
    struct asked *a = &play.asked[play.n_asked++];

    *a = (struct asked){ .type = m->type, .peer = c };
    switch (m->type) {
    case IPC_MAIL_ASK:
        a->ticket = m->mail_ask.ticket;
        snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(m->mail_ask.account));
        break;
    case IPC_SIGN_ASK:
        a->ticket = m->sign_ask.ticket;
        a->size = m->sign_ask.scheme;
        assert_true(m->sign_ask.octets.n <= sizeof(a->envelope));
        memcpy(a->envelope, m->sign_ask.octets.p, m->sign_ask.octets.n);
        a->envelope_n = m->sign_ask.octets.n;
        break;
    case IPC_LOGIN_KEPT:
        snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(m->login_kept.account));
        break;
    case IPC_LOGIN_ASK:
        a->ticket = m->login_ask.ticket;
        a->again = m->login_ask.has_initial;
        a->size = m->login_ask.exporter.n;
        snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(m->login_ask.mechanism));
        snprintf(a->body, sizeof(a->body), "%.*s", STR_ARG(m->login_ask.initial));
        break;
    case IPC_LOGIN_STEP:
        a->ticket = m->login_step.ticket;
        snprintf(a->body, sizeof(a->body), "%.*s", STR_ARG(m->login_step.response));
        break;
    case IPC_LOGIN_GONE:
        a->ticket = m->login_gone.ticket;
        break;
    case IPC_CONNECT_ASK:
        a->ticket = m->connect_ask.ticket;
        a->again = m->connect_ask.again;
        break;
    case IPC_RCPT_ASK:
        a->ticket = m->rcpt_ask.ticket;
        break;
    case IPC_VRFY_ASK:
        a->ticket = m->vrfy_ask.ticket;
        break;
    case IPC_EXPAND_ASK:
        a->ticket = m->expand_ask.ticket;
        break;
    case IPC_IDS_ASK:
        a->ticket = m->ids_ask.ticket;
        break;
    case IPC_FILE_ASK:
        a->ticket = m->file_ask.ticket;
        break;
    case IPC_FILE_RETURN:
        a->file = m->file_return.file;
        break;
    case IPC_COMMIT_ASK:
        a->ticket = m->commit_ask.ticket;
        a->id = m->commit_ask.id;
        a->file = m->commit_ask.file;
        a->size = m->commit_ask.file ? m->commit_ask.file_size : m->commit_ask.body.n;
        assert_int_equal(m->commit_ask.token.n, sizeof(a->token));
        memcpy(a->token, m->commit_ask.token.p, sizeof(a->token));
        snprintf(a->body, sizeof(a->body), "%.*s", STR_ARG(m->commit_ask.body));
        snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(m->commit_ask.head));
        /* Of one that is longer tests look at its length. */
        memcpy(a->envelope, m->commit_ask.envelope.p, size_min(m->commit_ask.envelope.n, sizeof(a->envelope)));
        a->envelope_n = m->commit_ask.envelope.n;
        break;
    case IPC_PLAN_ASK:
        a->ticket = m->plan_ask.ticket;
        a->route = m->plan_ask.route;
        snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(m->plan_ask.domain));
        break;
    case IPC_VERIFY_ASK:
        a->ticket = m->verify_ask.ticket;
        a->route = m->verify_ask.route;
        snprintf(a->text, sizeof(a->text), "%.*s along %.*s", STR_ARG(m->verify_ask.address),
                 STR_ARG(m->verify_ask.plan));
        break;
    case IPC_VERIFIED:
        a->exists = m->verified.exists;
        snprintf(a->text, sizeof(a->text), "%.*s at %.*s", STR_ARG(m->verified.local), STR_ARG(m->verified.domain));
        break;
    case IPC_TOKEN_ASK:
        a->ticket = m->token_ask.ticket;
        memcpy(a->token, m->token_ask.token.p, sizeof(a->token));
        break;
    default:
        break;
    }
}

static bool answer_rcpt(uint64_t ticket, bool refused, uint16_t row)
{
    return ipc_send_rcpt_answer(play.lookup, &(struct ipc_rcpt_answer){
                                                 .ticket = ticket,
                                                 .refused = refused,
                                                 .row = row,
                                                 .plain = !play.expands,
                                                 .ask = play.asks,
                                                 .route = PLAY_ROUTE,
                                                 .rule = STR("default"),
                                             });
}

static void lookup_answers(const struct ipc_message *m)
{
    if (m->type == IPC_CONNECT_ASK)
        assert_true(ipc_send_connect_answer(play.lookup, &(struct ipc_connect_answer){
                                                             .ticket = m->connect_ask.ticket,
                                                             .relays = play.relays,
                                                         }));
    else if (m->type == IPC_MAIL_ASK)
        assert_true(ipc_send_mail_answer(play.lookup, &(struct ipc_mail_answer){
                                                          .ticket = m->mail_ask.ticket,
                                                          .held = play.held,
                                                          .detail = STR("limit account messages 2/h"),
                                                      }));
    else if (m->type == IPC_RCPT_ASK)
        assert_true(answer_rcpt(m->rcpt_ask.ticket, false, 0));
}

static void queue_answers(const struct ipc_message *m)
{
    if (m->type == IPC_IDS_ASK)
        assert_true(ipc_send_ids_answer(play.queue, &(struct ipc_ids_answer){
                                                        .first = play.no_ids ? 0 : PLAY_FIRST_ID,
                                                        .count = play.no_ids ? 0 : m->ids_ask.count,
                                                    }));
}

static void to_peer(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    note(c, m);
    if (c == play.lookup && !play.lookup_silent)
        lookup_answers(m);
    else if (c == play.queue && !play.queue_silent)
        queue_answers(m);
}

static void peer_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
}

/* ---- turns ---- */

static void on_turn(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

/* Everybody has said what they have to say: nothing in the room waits for a clock. */
static inline void go_on(void)
{
    struct err err = { 0 };

    for (int i = 0; i < PLAY_TURNS; i++) {
        io_timer_start(&play.turn, 0);
        assert_true(io_loop_run(play.worker.loop, &err));
    }
}

static inline void peer_comes(enum process_kind kind, struct ipc_channel **end)
{
    int fds[2];
    struct err err = { 0 };

    assert_true(fd_pair(fds, &err));
    struct ipc_channel *c =
        ipc_channel_new(play.worker.loop, fds[0], PROCESS_RECEIVE, kind, &play.worker.handler, &err);
    *end = ipc_channel_new(play.worker.loop, fds[1], kind, PROCESS_RECEIVE, &play.handler, &err);
    assert_true(c && *end);
    c->instance = ++play.instances;
    c->generation = 1;
    play.worker.peers[play.worker.n_peers++] = c;
    play.worker.service->peer_up(&play.worker, c);
    go_on();
}

static inline void peer_dies(struct ipc_channel **end)
{
    ipc_channel_free(*end);
    *end = NULL;
    go_on();
}

static inline size_t asked_of(enum ipc_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_asked; i++)
        n += play.asked[i].type == type;
    return n;
}

/* The newest question of that type. */
static inline struct asked *asked(enum ipc_type type)
{
    for (size_t i = play.n_asked; i > 0; i--)
        if (play.asked[i - 1].type == type)
            return &play.asked[i - 1];
    fail_msg("nobody asked %s", ipc_type_name(type));
    return NULL;
}

/* ---- clients ---- */

static inline struct client *client_comes(void)
{
    int fds[2];
    struct err err = { 0 };
    struct session_client nobody = { .address = { .family = IP_NONE } };

    assert_true(play.n_clients < PLAY_CLIENTS);
    assert_true(fd_pair(fds, &err));
    struct client *c = &play.clients[play.n_clients++];
    *c = (struct client){ .fd = fds[1] };
    session_begin(play.receive, &play.receive->listeners[0], fds[0], &nobody);
    for (uint32_t i = 0; i < play.receive->n_slots; i++)
        if (play.receive->sessions[i] && play.receive->sessions[i]->fd == fds[0])
            c->session = play.receive->sessions[i];
    go_on();
    return c;
}

static inline void client_reads(struct client *c)
{
    for (;;) {
        ssize_t n = recv(c->fd, c->got + c->n, sizeof(c->got) - 1 - c->n, 0);
        if (n == 0)
            c->closed = true;
        if (n <= 0)
            break;
        c->n += (size_t)n;
    }
    c->got[c->n] = '\0';
}

/* Says WORDS, and hears from now on only what is new. */
static inline void say(struct client *c, const char *words)
{
    size_t n = strlen(words);

    c->n = 0;
    while (n) {
        ssize_t sent = send(c->fd, words, n, MSG_NOSIGNAL);
        if (sent > 0) {
            words += sent;
            n -= (size_t)sent;
        }
        go_on();
        client_reads(c);
    }
    client_reads(c);
}

static inline void hear(struct client *c, const char *code)
{
    go_on();
    client_reads(c);
    assert_str_is(str_head(str_of(c->got, c->n), strlen(code)), str_from_c(code));
}

/* Its time is up, without a clock. */
static inline void time_passes(struct client *c)
{
    c->session->deadline_msec = 0;
    c->session->timer.fired(&c->session->timer);
    go_on();
    client_reads(c);
}

/* ---- the room ---- */

static inline const struct config *play_config(const char *words)
{
    struct str text = str_from_c(words);
    static const struct config_reader reader = { .facts = { .fqdn = STR_INIT("mail.example.org") } };
    struct config_source source = { .overrides = &text, .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    const struct config *config = NULL;

    assert_true(config_bundle_record(&play.bundle, &source, &reader, play.arena));
    assert_true(config_parse_bundle(&play.bundle, play.arena, &config, &diag));
    return config;
}

static inline void play_open_with(const char *words)
{
    struct err err = { 0 };
    struct ipc_message m = { .type = IPC_LISTENER };

    play = (struct play){ .arena = arena_new(1 << 24) };
    play.handler = (struct ipc_handler){ .message = to_peer, .ended = peer_ended };
    play.worker = (struct worker){
        .service = &receive_service,
        .loop = io_loop_new(&err),
        .handler = { .message = to_service, .ended = service_peer_ended, .credit = service_credit },
        .config = play_config(words),
        .generation = 1,
    };
    assert_true(io_timer_init(&play.turn, play.worker.loop, on_turn, &err));
    assert_true(receive_service.start(&play.worker, &err));
    play.receive = receive_of(&play.worker);
    assert_true(fd_pair(play.listener, &err));
    m.fd = play.listener[0];
    receive_service.message(&play.worker, NULL, &m);
    assert_int_equal(play.receive->n_listeners, 1);
    peer_comes(PROCESS_LOOKUP, &play.lookup);
    peer_comes(PROCESS_QUEUE, &play.queue);
}

static inline void play_open(void)
{
    play_open_with("hostname mail.example.org; listen 127.0.0.1:25;"
                   "domain example.org { users any; deliver maildir:/nowhere/{user}; }");
}

static inline void play_close(void)
{
    for (size_t i = 0; i < play.n_clients; i++)
        close(play.clients[i].fd);
    go_on();
    /* Those that wait for an answer do not look at their client. */
    for (uint32_t i = 0; i < play.receive->n_slots; i++)
        if (play.receive->sessions[i])
            session_end(play.receive->sessions[i], "lost");
    go_on();
    assert_int_equal(play.receive->n_sessions, 0);
    assert_int_equal(play.receive->content_memory, 0);
    assert_int_equal(play.receive->in_content, 0);
    play.exited = false;
    if (!play.receive->retiring)
        receive_service.retire(&play.worker);
    if (play.lookup)
        peer_dies(&play.lookup);
    if (play.queue)
        peer_dies(&play.queue);
    if (play.resolve)
        peer_dies(&play.resolve);
    if (play.send)
        peer_dies(&play.send);
    if (play.key)
        peer_dies(&play.key);
    for (size_t i = 0; i < ARRAY_LEN(play.auth); i++)
        if (play.auth[i])
            peer_dies(&play.auth[i]);
    io_timer_done(&play.turn);
    io_timer_done(&play.receive->accept_again);
    io_timer_done(&play.receive->file_again);
    io_timer_done(&play.receive->unread_next);
    offers_done(play.receive);
    io_loop_free(play.worker.loop);
    close(play.listener[1]);
    buf_done(&play.receive->out);
    buf_done(&play.receive->scratch);
    local_closer_done(&play.receive->closer);
    free(play.receive->sessions);
    free(play.receive->read_room);
    free(play.receive);
    arena_free(play.arena);
}

#endif
