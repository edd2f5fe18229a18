/* tests/unit/send/play.h -- a send service in one room with its queue and the hosts it sends to. */
#ifndef TESTS_SEND_PLAY_H
#define TESTS_SEND_PLAY_H

#include "config/parse.h"
#include "tests/unit/send/peer.h"

#include <signal.h>

#include "core/num.h"
#include "ipc/channel.h"
#include "send/connection.h"
#include "send/login.h"

enum { PLAY_SEEN = 64, PLAY_PEERS = 4, PLAY_TURNS = 40 };

/* What the queue, or receive, heard. */
struct seen {
    enum ipc_type type;
    uint64_t name; /* lease, connection or ticket */
    unsigned status; /* of it, or of the first recipient */
    unsigned last;   /* of the last recipient */
    unsigned stage;
    unsigned code;
    unsigned count;
    bool flag; /* orderly, in doubt, asked, finished */
    char enhanced[16];
    char text[500];
    char host[64];
};

struct play {
    struct config config;
    struct worker worker;
    struct worker_hand hand;
    bool liar; /* who asks is to be closed by the service */
    struct send *send;
    struct io_timer turn;
    struct ipc_channel *queue, *receive; /* their ends */
    struct ipc_handler handler;
    uint32_t instances;
    struct seen seen[PLAY_SEEN];
    size_t n_seen;
    struct peer peers[PLAY_PEERS];
    size_t first_peer; /* of plans */
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
    struct ipc_channel *c = worker_peer(w, kind);

    return c && c->generation == generation ? c : NULL;
}

bool worker_row_add(struct buf *rows, const struct log_record *r)
{
    return buf_add(rows, log_octets(r));
}

void worker_exit(struct worker *w)
{
    for (size_t i = 0; i < w->n_peers; i++)
        ipc_channel_flush(w->peers[i]);
    play.exited = true;
}

static void to_service(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    w->service->message(w, c, m);
}

static void service_peer_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);
    bool lied = play.liar && c->peer == PROCESS_RECEIVE;

    assert_string_equal(c->why, lied ? "nonsense from receive: a question to a host of no route" : "peer closed");
    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i] == c)
            w->peers[i] = w->peers[--w->n_peers];
    w->service->peer_down(w, c);
    ipc_channel_free(c);
}

/* ---- the queue and receive ---- */

static void put(char *room, size_t n, struct str s)
{
    snprintf(room, n, "%.*s", STR_ARG(s));
}

/* The first and the last of { u32; u8 kind; u8 stage; u8 from_peer; u16 code; status; text }. */
static void note_results(struct seen *s, struct str rest)
{
    for (unsigned i = 0; i < s->count; i++) {
        assert_true(rest.n >= 13);
        size_t status = le16_get(rest.p + 9), text = le16_get(rest.p + 11 + status);
        s->last = (unsigned char)rest.p[4];
        if (i == 0) {
            s->status = s->last;
            s->stage = (unsigned char)rest.p[5];
            s->code = le16_get(rest.p + 7);
            put(s->enhanced, sizeof(s->enhanced), str_slice(rest, 11, 11 + status));
            put(s->text, sizeof(s->text), str_slice(rest, 13 + status, 13 + status + text));
        }
        rest = str_skip(rest, 13 + status + text);
    }
    assert_int_equal(rest.n, 0);
}

static void note_transferred(struct seen *s, const struct ipc_transferred *t)
{
    s->name = t->lease;
    s->flag = t->in_doubt;
    s->count = t->count;
    put(s->host, sizeof(s->host), t->host);
    note_results(s, t->results);
}

static void note_open(struct seen *s, const struct ipc_open_answer *a)
{
    s->name = a->connection;
    s->status = a->status;
    s->stage = a->stage;
    s->code = a->code;
    put(s->enhanced, sizeof(s->enhanced), a->enhanced);
    put(s->text, sizeof(s->text), a->text);
    put(s->host, sizeof(s->host), a->host);
}

static void note_kept(struct seen *s, const struct ipc_transfer_kept *k)
{
    s->name = k->lease;
    s->flag = k->finished;
    put(s->host, sizeof(s->host), k->voucher);
    s->count = k->count;
    if (k->finished)
        note_results(s, k->results);
    else
        assert_int_equal(k->results.n + k->count, 0);
}

static void note_verify(struct seen *s, const struct ipc_verify_answer *a)
{
    s->name = a->ticket;
    s->status = a->status;
    s->code = a->code;
    s->flag = a->asked;
    put(s->enhanced, sizeof(s->enhanced), a->enhanced);
    put(s->text, sizeof(s->text), a->text);
}

static void note(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    (void)c;
    assert_true(play.n_seen < PLAY_SEEN);
    struct seen *s = &play.seen[play.n_seen++];
    *s = (struct seen){ .type = m->type };
    if (m->type == IPC_TRANSFERRED) {
        note_transferred(s, &m->transferred);
    } else if (m->type == IPC_OPEN_ANSWER) {
        note_open(s, &m->open_answer);
    } else if (m->type == IPC_TRANSFER_KEPT) {
        note_kept(s, &m->transfer_kept);
    } else if (m->type == IPC_VERIFY_ANSWER) {
        note_verify(s, &m->verify_answer);
    } else if (m->type == IPC_CONNECTION_CLOSED) {
        s->name = m->connection_closed.connection;
        s->flag = m->connection_closed.orderly;
        s->code = m->connection_closed.code;
    } else if (m->type == IPC_KEPT_END) {
        s->count = m->kept_end.count;
    }
}

static void end_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    if (!play.liar)
        fail_msg("%s", c->why);
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

static inline struct ipc_channel *end_comes(enum process_kind kind)
{
    int fds[2];
    struct err err = { 0 };

    assert_true(fd_pair(fds, &err));
    struct ipc_channel *c = ipc_channel_new(play.worker.loop, fds[0], PROCESS_SEND, kind, &play.worker.handler, &err);
    struct ipc_channel *end = ipc_channel_new(play.worker.loop, fds[1], kind, PROCESS_SEND, &play.handler, &err);
    assert_true(c && end);
    c->instance = ++play.instances;
    play.worker.peers[play.worker.n_peers++] = c;
    play.worker.service->peer_up(&play.worker, c);
    go_on();
    return end;
}

static inline void queue_dies(void)
{
    ipc_channel_free(play.queue);
    play.queue = NULL;
    go_on();
}

/* The newest of that type; there must be one. */
static inline const struct seen *seen(enum ipc_type type)
{
    for (size_t i = play.n_seen; i > 0; i--)
        if (play.seen[i - 1].type == type)
            return &play.seen[i - 1];
    fail_msg("nobody said %s", ipc_type_name(type));
    return NULL;
}

static inline size_t seen_count(enum ipc_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].type == type;
    return n;
}

static inline const struct seen *seen_of(enum ipc_type type, uint64_t name)
{
    for (size_t i = play.n_seen; i > 0; i--)
        if (play.seen[i - 1].type == type && play.seen[i - 1].name == name)
            return &play.seen[i - 1];
    fail_msg("nobody said %s of %u", ipc_type_name(type), (unsigned)name);
    return NULL;
}

/* ---- questions ---- */

/* The configuration names the host of the peers: nobody else is asked about addresses. */
/* Domains of which the next hop is asked (`users ask`), as a configuration has them. */
static inline const struct config_name_index *asking_names(void)
{
    static const struct config *config;
    static struct arena *a; /* found by the leak check as long as it is needed: until the end */
    const struct config_reader reader = { .facts = { .fqdn = STR("mail.example.org") } };
    struct str text = STR("domain example.net b { users ask; deliver smtp://mx.example.net; }");
    struct config_source source = { .overrides = &text, .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    struct config_bundle bundle;

    if (!config) {
        a = arena_new(1 << 22);
        assert_true(config_bundle_record(&bundle, &source, &reader, a));
        assert_true(config_parse_bundle(&bundle, a, &config, &diag));
    }
    return config->names;
}

static inline void host_is_named(void)
{
    static struct config_target host;
    static struct config_route route;

    host = (struct config_target){
        .kind = CONFIG_TARGET_SMTP,
        .host = STR("mx.example.net"),
        .port = peer_address(&play.peers[play.first_peer]).port,
    };
    route = (struct config_route){ .targets = &host, .n_targets = 1, .sending = play.config.sending };
    play.config.routes = &route;
    play.config.n_routes = 1;
    play.config.names = asking_names();
}

/* A plan of N peers of the room, in order. */
static inline struct str plan_of(size_t n, struct buf *room)
{
    struct route_plan_address addresses[PLAY_PEERS];
    struct route_plan plan = { .addresses = addresses, .n = n };

    for (size_t i = 0; i < n; i++)
        addresses[i] = peer_address(&play.peers[play.first_peer + i]);
    assert_true(route_plan_encode(room, &plan));
    return buf_str(room);
}

static inline void ask_open(uint64_t connection, size_t n_peers)
{
    struct buf room = BUF_INIT(4096);

    assert_true(ipc_send_open_ask(play.queue, &(struct ipc_open_ask){ .connection = connection,
                                                                      .plan = plan_of(n_peers, &room) }));
    buf_done(&room);
    go_on();
}

static inline void ask_close(uint64_t connection)
{
    assert_true(ipc_send_close_connection(play.queue, &(struct ipc_close_connection){ .connection = connection }));
    go_on();
}

/* As the queue made it: whoever has the lease only keeps it. */
struct play_voucher {
    char c[32];
};

static inline struct play_voucher play_voucher(uint64_t lease)
{
    struct play_voucher v;

    snprintf(v.c, sizeof(v.c), "voucher of lease %llu", (unsigned long long)lease);
    return v;
}

/* To anna1@example.net and so on; sent, and not waited for. */
static inline void put_transfer(uint64_t connection, uint64_t lease, uint32_t count, struct str body, int fd,
                                uint64_t file_size)
{
    struct buf recipients = BUF_INIT(4096);
    char head[6], address[32];

    for (uint32_t i = 1; i <= count; i++) {
        int n = snprintf(address, sizeof(address), "anna%u@example.net", i);
        le32_put(head, i);
        le16_put(head + 4, (uint16_t)n);
        buf_add(&recipients, str_of(head, 6));
        buf_add(&recipients, str_of(address, (size_t)n));
    }
    assert_true(ipc_send_transfer(play.queue,
                                  &(struct ipc_transfer){
                                      .lease = lease,
                                      .connection = connection,
                                      .id = 1000 + lease,
                                      .flags = IPC_TRANSFER_DOTS,
                                      .sender = STR("carol@example.org"),
                                      .count = count,
                                      .recipients = buf_str(&recipients),
                                      .voucher = str_from_c(play_voucher(lease).c),
                                      .file_size = file_size,
                                      .head = STR("Received: from x\r\n"),
                                      .body = body,
                                  },
                                  fd));
    buf_done(&recipients);
}

static inline void ask_transfer(uint64_t connection, uint64_t lease)
{
    put_transfer(connection, lease, 1, STR("\r\nhello\r\n"), -1, 0);
    go_on();
}

static inline void say_settled(uint64_t lease)
{
    assert_true(ipc_send_settled(play.queue, &(struct ipc_settled){ .lease = lease }));
    go_on();
}

/* The time of all that is waited for is up, without a clock. */
static inline void time_passes(void)
{
    LIST_FOR(node, &play.send->connections)
    {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        if (!c->deadline_msec)
            continue;
        c->deadline_msec = 1;
        c->timer.fired(&c->timer);
    }
    go_on();
}

/* ---- the room ---- */

static inline void play_open(void)
{
    const struct config_time long_time = { .msec = 3600000 };
    struct err err = { 0 };

    play = (struct play){ 0 };
    signal(SIGPIPE, SIG_IGN); /* as ipc/worker.c does */
    play.config.session.hostname.text = STR("mail.example.org");
    play.config.sending = (struct config_sending){
        .timeout_connect = long_time, .timeout_greeting = long_time, .timeout_ehlo = long_time,
        .timeout_mail = long_time,    .timeout_rcpt = long_time,     .timeout_data = long_time,
        .timeout_block = long_time,   .timeout_final = long_time,    .timeout_quit = long_time,
    };
    play.handler = (struct ipc_handler){ .message = note, .ended = end_ended };
    play.worker = (struct worker){
        .service = &send_service,
        .loop = io_loop_new(&err),
        .handler = { .message = to_service, .ended = service_peer_ended },
        .config = &play.config,
        .hand = &play.hand,
    };
    assert_true(io_timer_init(&play.turn, play.worker.loop, on_turn, &err));
    assert_true(send_service.start(&play.worker, &err));
    play.send = send_of(&play.worker);
    play.queue = end_comes(PROCESS_QUEUE);
    assert_int_equal(seen(IPC_KEPT_END)->count, 0);
    for (size_t i = 0; i < PLAY_PEERS; i++)
        peer_bind(&play.peers[i]);
}

/* Whatever a test left, the process ends with nothing in hand. */
static inline void play_close(void)
{
    send_service.stop(&play.worker, 60000);
    go_on();
    play.send->patience.fired(&play.send->patience);
    go_on();
    assert_true(play.exited);
    assert_int_equal(play.send->n_connections, 0);
    assert_int_equal(play.send->n_verifies, 0);
    assert_int_equal(play.send->running, 0);
    assert_int_equal(play.send->octets, 0);
    for (size_t i = 0; i < WORKER_HAND_SLOTS; i++)
        assert_int_equal(play.hand.ids[i], 0);
    if (play.queue)
        queue_dies();
    if (play.receive)
        ipc_channel_free(play.receive);
    go_on();
    for (size_t i = 0; i < PLAY_PEERS; i++)
        peer_done(&play.peers[i]);
    io_timer_done(&play.turn);
    io_timer_done(&play.send->patience);
    io_loop_free(play.worker.loop);
    for (size_t i = 0; i < SEND_TABLE; i++) {
        struct list *node;
        while ((node = list_take(&play.send->transfers[i])))
            transfer_free(CONTAINER_OF(node, struct transfer, node));
    }
    trust_done(&play.send->trust);
    assert_null(play.send->logins); /* and the keys in it are wiped */
    buf_done(&play.send->out);
    free(play.send->read_room);
    free(play.send);
}

#endif
