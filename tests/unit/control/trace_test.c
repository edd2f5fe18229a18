/* trace and trace --live at the control process: slices between turns, slow readers, who watches and who goes. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/commands.h"
#include "control/service.h"
#include "io/fd.h"

enum { MANY = 40000 };

struct rig {
    struct worker worker;
    struct config config;
    struct io_loop *loop;
    struct ipc_handler far;
    struct ipc_channel *far_main, *far_receive;
    struct io_timer end;
    struct io_watch watch;
    int client;
    bool reads; /* the client takes what is said to it */
    struct buf got;
    char state[64];
    unsigned watched, ended; /* what receive was told */
    uint64_t ticket;
};

static void far_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct rig *rig = CONTAINER_OF(h, struct rig, far);

    (void)c;
    if (m->type != IPC_WATCH)
        return;
    rig->ticket = m->watch.ticket;
    rig->watched += !m->watch.ends;
    rig->ended += m->watch.ends;
    io_loop_stop(rig->loop);
}

static void near_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    control_service.message(CONTAINER_OF(h, struct worker, handler), c, m);
}

static void gone(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
}

static struct ipc_channel *connect_pair(struct rig *rig, enum process_kind kind, struct ipc_channel **far)
{
    int fds[2];

    assert_true(fd_pair(fds, NULL));
    *far = ipc_channel_new(rig->loop, fds[1], kind, PROCESS_CONTROL, &rig->far, NULL);
    return ipc_channel_new(rig->loop, fds[0], PROCESS_CONTROL, kind, &rig->worker.handler, NULL);
}

static void on_answer(struct io_watch *w, unsigned what)
{
    struct rig *rig = CONTAINER_OF(w, struct rig, watch);
    char *room = buf_room(&rig->got, 65536);
    ssize_t r = recv(rig->client, room, 65536, MSG_DONTWAIT);

    (void)what;
    if (r > 0)
        buf_grew(&rig->got, (size_t)r);
    if (r <= 0 || str_contains(str_skip(buf_str(&rig->got), rig->got.n > 64 ? rig->got.n - 64 : 0), STR("\"end\":true")) ||
        str_contains(buf_str(&rig->got), STR("\"watching\":true")))
        io_loop_stop(rig->loop);
}

static void on_end(struct io_timer *t)
{
    io_loop_stop(CONTAINER_OF(t, struct rig, end)->loop);
}

static struct control *control_of(const struct rig *rig)
{
    return rig->worker.state;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char history[100];
    int fds[2];

    snprintf(rig->state, sizeof(rig->state), "/tmp/veredus-trace-XXXXXX");
    assert_non_null(mkdtemp(rig->state));
    snprintf(history, sizeof(history), "%s/history", rig->state);
    assert_int_equal(mkdir(history, 0700), 0);
    rig->config.state.text = str_from_c(rig->state);
    rig->config.history = (struct config_history){ .msec = 86400000, .octets = 64 << 20 };
    rig->got = BUF_INIT(64 << 20);
    rig->loop = io_loop_new(NULL);
    rig->far = (struct ipc_handler){ .message = far_message, .ended = gone };
    rig->worker = (struct worker){
        .service = &control_service,
        .loop = rig->loop,
        .handler = { .message = near_message, .ended = gone },
        .config = &rig->config,
        .started = true,
    };
    rig->worker.main = connect_pair(rig, PROCESS_MAIN, &rig->far_main);
    rig->worker.peers[0] = connect_pair(rig, PROCESS_RECEIVE, &rig->far_receive);
    rig->worker.n_peers = 1;
    assert_true(control_service.start(&rig->worker, NULL));
    assert_true(control_of(rig)->history.open);
    assert_true(fd_pair(fds, NULL));
    rig->client = fds[1];
    control_of(rig)->permission.server = getuid();
    assert_non_null(client_new(control_of(rig), fds[0], false));
    control_of(rig)->sockets[0].clients++;
    assert_true(io_watch_init(&rig->watch, rig->loop, rig->client, on_answer, NULL));
    assert_true(io_timer_init(&rig->end, rig->loop, on_end, NULL));
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    struct control *control = control_of(rig);
    char command[120];

    control_service.retire(&rig->worker);
    log_writer_done(&control->writer);
    arena_free(control->arena);
    free(control);
    log_sink_set(NULL);
    ipc_channel_free(rig->worker.peers[0]);
    ipc_channel_free(rig->worker.main);
    ipc_channel_free(rig->far_main);
    ipc_channel_free(rig->far_receive);
    io_timer_done(&rig->end);
    io_watch_done(&rig->watch);
    fd_close(&rig->client);
    buf_done(&rig->got);
    io_loop_free(rig->loop);
    for (unsigned i = 1; i < 20; i++) {
        snprintf(command, sizeof(command), "%s/history/%016x.events", rig->state, i);
        unlink(command);
        snprintf(command, sizeof(command), "%s/history/%016x.index", rig->state, i);
        unlink(command);
    }
    snprintf(command, sizeof(command), "%s/history", rig->state);
    assert_int_equal(rmdir(command), 0);
    assert_int_equal(rmdir(rig->state), 0);
    free(rig);
    return 0;
}

/* A record that receive sends. */
static void record_comes(struct rig *rig, struct log_record *r)
{
    struct ipc_message m = { .type = IPC_LOG, .log = { .record = log_octets(r) }, .fd = -1 };

    control_service.message(&rig->worker, rig->worker.peers[0], &m);
}

static void accept_comes(struct rig *rig, uint64_t id)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_ACCEPT, LOG_LEVEL_INFO, io_wall_msec());
    log_id(&r, (struct queue_id){ id });
    log_text_c(&r, LOG_FROM, "carol@example.net");
    record_comes(rig, &r);
}

static void line_comes(struct rig *rig, const char *text)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_DIALOGUE, LOG_LEVEL_DEBUG, io_wall_msec());
    log_number(&r, LOG_NUMBER, (int64_t)rig->ticket);
    log_text_c(&r, LOG_BY, "client");
    log_text_c(&r, LOG_TEXT, text);
    record_comes(rig, &r);
}

static void ask(struct rig *rig, const char *request)
{
    buf_clear(&rig->got);
    assert_int_equal(send(rig->client, request, strlen(request), 0), strlen(request));
    io_watch_arm(&rig->watch, IO_READ);
    assert_true(io_loop_run(rig->loop, NULL));
}

static unsigned lines_with(const struct rig *rig, struct str what)
{
    struct str rest = buf_str(&rig->got);
    unsigned n = 0;

    while (rest.p)
        n += str_contains(str_cut(&rest, '\n'), what);
    return n;
}

static void all_records_come_in_slices_and_others_are_heard_meanwhile(void **state)
{
    struct rig *rig = *state;

    for (uint64_t id = 1; id <= MANY; id++)
        accept_comes(rig, id);
    ask(rig, "{\"command\":\"trace\",\"address\":\"carol@example.net\"}\n");
    assert_int_equal(lines_with(rig, STR("\"event\":\"accept\"")), MANY);
    assert_int_equal(lines_with(rig, STR("\"exit\":0")), 1);
    ask(rig, "{\"command\":\"trace\",\"id\":\"000000000007\"}\n");
    assert_int_equal(lines_with(rig, STR("\"event\":\"accept\"")), 1);
    ask(rig, "{\"command\":\"trace\",\"session\":\"0000000007\"}\n");
    assert_int_equal(lines_with(rig, STR("\"exit\":1")), 1);
}

/* A client that reads nothing costs a bounded memory; one that goes takes its search along. */
static void a_slow_reader_holds_up_only_itself(void **state)
{
    struct rig *rig = *state;
    static const char request[] = "{\"command\":\"trace\",\"address\":\"carol@example.net\"}\n";
    struct control_client *c = CONTAINER_OF(control_of(rig)->clients.next, struct control_client, node);

    for (uint64_t id = 1; id <= MANY; id++)
        accept_comes(rig, id);
    assert_int_equal(send(rig->client, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    for (unsigned turn = 0; turn < 50; turn++) {
        io_timer_start(&rig->end, 1);
        assert_true(io_loop_run(rig->loop, NULL));
        assert_true(c->out.n < CLIENT_OUT_MAX / 2);
    }
    assert_non_null(c->trace);
    /* The history is turned off and on under it. */
    rig->config.history.off = true;
    control_service.reconfigured(&rig->worker);
    rig->config.history.off = false;
    control_service.reconfigured(&rig->worker);
    shutdown(rig->client, SHUT_RDWR);
    while (!list_empty(&control_of(rig)->clients)) {
        io_timer_start(&rig->end, 1);
        assert_true(io_loop_run(rig->loop, NULL));
    }
}

static void what_is_not_asked_for_rightly_is_refused(void **state)
{
    struct rig *rig = *state;

    ask(rig, "{\"command\":\"trace\"}\n");
    assert_int_equal(lines_with(rig, STR("\"exit\":64")), 1);
    ask(rig, "{\"command\":\"trace\",\"id\":\"000000000007\",\"address\":\"a@b\"}\n");
    assert_int_equal(lines_with(rig, STR("\"exit\":64")), 1);
    ask(rig, "{\"command\":\"trace live\"}\n");
    assert_int_equal(lines_with(rig, STR("\"exit\":64")), 1);
    rig->config.history.off = true;
    control_service.reconfigured(&rig->worker);
    ask(rig, "{\"command\":\"trace\",\"id\":\"000000000007\"}\n");
    assert_int_equal(lines_with(rig, STR("there is no history")), 1);
}

static void lines_go_to_who_watches_and_nowhere_else(void **state)
{
    struct rig *rig = *state;

    ask(rig, "{\"command\":\"trace live\",\"client\":\"203.0.113.7\"}\n");
    while (!rig->watched)
        assert_true(io_loop_run(rig->loop, NULL));
    line_comes(rig, "NOOP one");
    rig->ticket++;
    line_comes(rig, "NOOP of another");
    assert_int_equal(control_of(rig)->writer.records, 0);
    assert_int_equal(control_of(rig)->history.history.pending.n, 0);
    buf_clear(&rig->got);
    while (!rig->got.n) {
        io_timer_start(&rig->end, 1);
        assert_true(io_loop_run(rig->loop, NULL));
    }
    assert_int_equal(lines_with(rig, STR("NOOP one")), 1);
    assert_int_equal(lines_with(rig, STR("of another")), 0);
    /* It goes: receive is told. */
    io_watch_arm(&rig->watch, 0);
    shutdown(rig->client, SHUT_RDWR);
    while (!rig->ended)
        assert_true(io_loop_run(rig->loop, NULL));
    assert_int_equal(rig->ended, 1);
    line_comes(rig, "NOOP");
}

static void lines_beyond_what_may_wait_are_counted(void **state)
{
    struct rig *rig = *state;
    char text[LOG_VALUE_MAX];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    ask(rig, "{\"command\":\"trace live\",\"session\":\"7QK2M0X4TB\"}\n");
    while (!rig->watched)
        assert_true(io_loop_run(rig->loop, NULL));
    struct control_client *c = CONTAINER_OF(control_of(rig)->clients.next, struct control_client, node);
    for (unsigned i = 0; i < 10000; i++)
        line_comes(rig, text);
    assert_true(c->out.n < 2 << 20);
    assert_true(c->count > 5000);
    buf_clear(&rig->got);
    while (!lines_with(rig, STR("\"lost\":"))) {
        io_timer_start(&rig->end, 1);
        assert_true(io_loop_run(rig->loop, NULL));
    }
    assert_int_equal(c->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_records_come_in_slices_and_others_are_heard_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_holds_up_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_asked_for_rightly_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_go_to_who_watches_and_nowhere_else, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_beyond_what_may_wait_are_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
