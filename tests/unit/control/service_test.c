/* The control process between a client, main and the queue: who may ask what, and how answers come. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/command.h"
#include "control/control.h"
#include "control/service.h"
#include "core/num.h"
#include "io/fd.h"
#include "route/plan.h"

enum { QUEUE_MESSAGES = 1234, MANY_MESSAGES = 30000 };

struct rig {
    struct worker worker;
    struct config config;
    struct io_loop *loop;
    struct ipc_handler far; /* main, queue, lookup and resolve, played by the test */
    struct ipc_channel *far_main, *far_queue, *far_lookup, *far_resolve;
    struct io_watch watch;
    int client;
    char name[64]; /* of the abstract socket, without its NUL in front */
    struct buf got;
    bool queue_is_silent;
    bool tells_when_silent; /* by ending the loop's run */
    uint64_t messages; /* in the queue */
    unsigned pages;
    int reloads;
    struct buf asked;     /* what the queue was asked last: the texts of SELECT, and how many ids */
    uint32_t uid_plus;    /* the same */
    uint32_t generation;  /* of resolve; that of lookup is 7 */
    bool lookup_is_silent;
    bool resolve_lies; /* it answers status with a plan */
};

/* ---- the far side ---- */

static void add_row(struct buf *rows, enum log_event event, uint64_t id)
{
    struct log_record r;

    log_begin(&r, event, LOG_LEVEL_INFO, 0);
    log_id(&r, (struct queue_id){ id });
    log_text(&r, LOG_FROM, STR("carol@example.net"));
    assert_true(worker_row_add(rows, &r));
}

static void answer_list(struct rig *rig, struct ipc_channel *c, const struct ipc_queue_list_ask *ask)
{
    struct buf rows = BUF_INIT(1 << 20);
    uint64_t id = ask->after;

    for (uint32_t i = 0; i < ask->limit && id < rig->messages; i++)
        add_row(&rows, LOG_EVENT_ROW_MESSAGE, ++id);
    rig->pages++;
    rig->uid_plus = ask->uid_plus;
    buf_clear(&rig->asked);
    buf_printf(&rig->asked, "%zu ids %.*s %.*s %.*s %.*s %.*s %llu", ask->ids.n / 8, STR_ARG(ask->from), STR_ARG(ask->to),
               STR_ARG(ask->site), STR_ARG(ask->state), STR_ARG(ask->reason), (unsigned long long)ask->older_msec);
    ipc_send_queue_list_answer(c, &(struct ipc_queue_list_answer){
                                      .ticket = ask->ticket,
                                      .last = id < rig->messages ? id : 0,
                                      .records = buf_str(&rows),
                                  });
    buf_done(&rows);
}

/* Every second message is changed. */
static void answer_act(struct rig *rig, struct ipc_channel *c, const struct ipc_queue_act_ask *ask)
{
    uint64_t left = rig->messages - ask->after, n = left < ask->limit ? left : ask->limit;

    rig->pages++;
    buf_clear(&rig->asked);
    buf_printf(&rig->asked, "%u %u %zu ids %.*s %.*s %llu %.*s", ask->verb, ask->dry, ask->ids.n / 8, STR_ARG(ask->from),
               STR_ARG(ask->state), (unsigned long long)ask->older_msec, STR_ARG(ask->note));
    ipc_send_queue_act_answer(c, &(struct ipc_queue_act_answer){
                                     .ticket = ask->ticket,
                                     .last = n < left ? ask->after + n : 0,
                                     .count = (uint32_t)n,
                                     .done = ask->dry ? 0 : (uint32_t)n / 2,
                                 });
}

static void add_hop(struct buf *hops, uint32_t route, struct str domain)
{
    char head[6];

    le32_put(head, route);
    le16_put(head + 4, (uint16_t)domain.n);
    buf_add(hops, str_of(head, sizeof(head)));
    buf_add(hops, domain);
}

static void answer_explain(struct rig *rig, struct ipc_channel *c, const struct ipc_explain_ask *ask)
{
    struct buf rows = BUF_INIT(1 << 20), hops = BUF_INIT(1000);

    if (rig->lookup_is_silent)
        return;
    buf_clear(&rig->asked);
    buf_printf(&rig->asked, "%.*s@%.*s from %.*s, %zu, %llu", STR_ARG(ask->local), STR_ARG(ask->domain),
               STR_ARG(ask->sender), ask->client.n, (unsigned long long)ask->size);
    add_row(&rows, LOG_EVENT_ROW_VERDICT, 1);
    add_row(&rows, LOG_EVENT_ROW_DECISION, 1);
    add_hop(&hops, 3, STR("example.net"));
    add_hop(&hops, 4, STR("null.example"));
    ipc_send_explain_answer(c, &(struct ipc_explain_answer){
                                   .ticket = ask->ticket,
                                   .generation = 7,
                                   .count = 2,
                                   .hops = buf_str(&hops),
                                   .records = buf_str(&rows),
                               });
    buf_done(&rows);
    buf_done(&hops);
}

static void answer_plan(struct rig *rig, struct ipc_channel *c, const struct ipc_plan_ask *ask)
{
    static const struct route_plan_address addresses[] = {
        { .host = STR_INIT("mx1.example.net"), .address = { IP_V4, { 203, 0, 113, 10 } }, .port = 25, .preference = 10 },
        { .host = STR_INIT("mx1.example.net"), .address = { IP_V6, { 0x20, 1 } }, .port = 2525, .preference = 10 },
        { .host = STR_INIT("mx2.example.net"), .address = { IP_V4, { 203, 0, 113, 11 } }, .port = 25, .preference = 20,
          .secure = true },
    };
    const struct route_plan plan = { .secure = true, .addresses = addresses, .n = ARRAY_LEN(addresses) };
    struct ipc_plan_answer answer = { .ticket = ask->ticket, .generation = rig->generation };
    struct buf octets = BUF_INIT(10000);

    assert_true(route_plan_encode(&octets, &plan));
    if (ask->route == 3) {
        assert_str_is(ask->domain, STR("example.net"));
        answer.plan = buf_str(&octets);
    } else {
        assert_str_is(ask->domain, STR("null.example"));
        answer.status = IPC_PLAN_PERM;
        answer.code = STR("5.1.10");
        answer.text = STR("null.example takes no mail");
    }
    ipc_send_plan_answer(c, &answer);
    buf_done(&octets);
}

static void answer_show(struct rig *rig, struct ipc_channel *c, const struct ipc_queue_show_ask *ask)
{
    struct buf rows = BUF_INIT(1 << 20);

    rig->uid_plus = ask->uid_plus;

    if (ask->id == 7) {
        add_row(&rows, LOG_EVENT_ROW_MESSAGE, 7);
        add_row(&rows, LOG_EVENT_ROW_RECIPIENT, 7);
    }
    ipc_send_queue_show_answer(c, &(struct ipc_queue_show_answer){ .ticket = ask->ticket, .records = buf_str(&rows) });
    buf_done(&rows);
}

static void answer_command(struct rig *rig, struct ipc_channel *c, const struct ipc_command_ask *ask)
{
    struct ipc_command_answer answer = { .ticket = ask->ticket, .ok = 1 };
    struct buf rows = BUF_INIT(1 << 20);

    if (ask->verb == IPC_COMMAND_RELOAD) {
        rig->reloads++;
        answer.ok = rig->reloads == 1;
        answer.text = answer.ok ? STR("") : STR("veredus.conf:1:1: error: no\n");
    } else {
        add_row(&rows, LOG_EVENT_ROW_PROCESS, 1);
        answer.records = buf_str(&rows);
    }
    ipc_send_command_answer(c, &answer);
    buf_done(&rows);
}

static void far_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct rig *rig = CONTAINER_OF(h, struct rig, far);

    if (c == rig->far_queue && rig->queue_is_silent) {
        if (rig->tells_when_silent)
            io_loop_stop(rig->loop);
        return;
    }
    if (m->type == IPC_QUEUE_LIST_ASK)
        answer_list(rig, c, &m->queue_list_ask);
    else if (m->type == IPC_QUEUE_SHOW_ASK)
        answer_show(rig, c, &m->queue_show_ask);
    else if (m->type == IPC_QUEUE_ACT_ASK)
        answer_act(rig, c, &m->queue_act_ask);
    else if (m->type == IPC_EXPLAIN_ASK)
        answer_explain(rig, c, &m->explain_ask);
    else if (m->type == IPC_PLAN_ASK)
        answer_plan(rig, c, &m->plan_ask);
    else if (m->type == IPC_COMMAND_ASK)
        answer_command(rig, c, &m->command_ask);
    else if (m->type == IPC_STATUS_ASK && c == rig->far_resolve && rig->resolve_lies)
        /* Where a status answer has an address and a length. */
        ipc_send_plan_answer(
            c, &(struct ipc_plan_answer){ .ticket = m->status_ask.ticket, .generation = 0x5555, .reason = 4096 });
    else if (m->type == IPC_STATUS_ASK)
        ipc_send_status_answer(c, &(struct ipc_status_answer){ .ticket = m->status_ask.ticket });
}

static void far_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
}

/* ---- the near side ---- */

static void near_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    control_service.message(CONTAINER_OF(h, struct worker, handler), c, m);
}

static void near_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i] == c)
            w->peers[i] = w->peers[--w->n_peers];
    control_service.peer_down(w, c);
    ipc_channel_free(c);
}

static struct ipc_channel *connect_pair(struct rig *rig, enum process_kind kind, struct ipc_channel **far)
{
    int fds[2];

    assert_true(fd_pair(fds, NULL));
    *far = ipc_channel_new(rig->loop, fds[1], kind, PROCESS_CONTROL, &rig->far, NULL);
    return ipc_channel_new(rig->loop, fds[0], PROCESS_CONTROL, kind, &rig->worker.handler, NULL);
}

static socklen_t address_of(const struct rig *rig, struct sockaddr_un *sa)
{
    *sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
    size_t n = strlen(rig->name);
    memcpy(sa->sun_path + 1, rig->name, n);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static int set_up(void **state)
{
    static struct rig rigs[32];
    static int used;
    struct rig *rig = &rigs[used++];
    struct sockaddr_un sa;

    *rig = (struct rig){
        .client = -1,
        .messages = QUEUE_MESSAGES,
        .got = BUF_INIT(8 << 20),
        .asked = BUF_INIT(8 << 20),
        .generation = 7,
    };
    rig->loop = io_loop_new(NULL);
    rig->far = (struct ipc_handler){ .message = far_message, .ended = far_ended };
    rig->worker = (struct worker){
        .service = &control_service,
        .loop = rig->loop,
        .handler = { .message = near_message, .ended = near_ended },
        .config = &rig->config,
        .started = true,
    };
    rig->worker.main = connect_pair(rig, PROCESS_MAIN, &rig->far_main);
    rig->worker.peers[0] = connect_pair(rig, PROCESS_QUEUE, &rig->far_queue);
    rig->worker.peers[1] = connect_pair(rig, PROCESS_LOOKUP, &rig->far_lookup);
    rig->worker.peers[2] = connect_pair(rig, PROCESS_RESOLVE, &rig->far_resolve);
    rig->worker.n_peers = 3;
    assert_true(control_service.start(&rig->worker, NULL));

    snprintf(rig->name, sizeof(rig->name), "veredus-test-%d-%d", (int)getpid(), used);
    struct ipc_message m = { .type = IPC_CONTROL_SOCKET };
    m.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t n = address_of(rig, &sa);
    assert_int_equal(bind(m.fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(m.fd, 8), 0);
    control_service.message(&rig->worker, rig->worker.main, &m);
    assert_int_equal(m.fd, -1);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    control_service.retire(&rig->worker);
    struct control *control = rig->worker.state;
    log_writer_done(&control->writer);
    arena_free(control->arena);
    free(control);
    log_sink_set(NULL);
    for (size_t i = 0; i < rig->worker.n_peers; i++)
        ipc_channel_free(rig->worker.peers[i]);
    ipc_channel_free(rig->worker.main);
    ipc_channel_free(rig->far_main);
    ipc_channel_free(rig->far_queue);
    ipc_channel_free(rig->far_lookup);
    ipc_channel_free(rig->far_resolve);
    buf_done(&rig->asked);
    io_watch_done(&rig->watch);
    fd_close(&rig->client);
    buf_done(&rig->got);
    io_loop_free(rig->loop);
    return 0;
}

/* ---- the client ---- */

static void on_answer(struct io_watch *w, unsigned what)
{
    struct rig *rig = CONTAINER_OF(w, struct rig, watch);
    char *room = buf_room(&rig->got, 4096);
    ssize_t r = recv(rig->client, room, 4096, MSG_DONTWAIT);

    (void)what;
    if (r > 0)
        buf_grew(&rig->got, (size_t)r);
    struct str got = buf_str(&rig->got), tail = got.n > 64 ? str_skip(got, got.n - 64) : got;
    if (r <= 0 || str_contains(tail, STR("\"end\":true")))
        io_loop_stop(rig->loop);
}

static void client_connect(struct rig *rig)
{
    struct sockaddr_un sa;
    socklen_t n = address_of(rig, &sa);

    rig->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(rig->client, (struct sockaddr *)&sa, n), 0);
    assert_true(io_watch_init(&rig->watch, rig->loop, rig->client, on_answer, NULL));
    io_watch_arm(&rig->watch, IO_READ);
}

/* Sends OCTETS and returns all up to the end of the answer. */
static struct str ask(struct rig *rig, struct str octets)
{
    struct err err = { 0 };

    if (rig->client < 0)
        client_connect(rig);
    buf_clear(&rig->got);
    assert_int_equal(send(rig->client, octets.p, octets.n, MSG_NOSIGNAL), octets.n);
    assert_true(io_loop_run(rig->loop, &err));
    return buf_str(&rig->got);
}

static size_t lines_in(struct str s)
{
    size_t n = 0;

    for (; s.n; n++)
        str_cut(&s, '\n');
    return n;
}

static void version_is_for_everyone(void **state)
{
    struct rig *rig = *state;

    assert_str_is(ask(rig, STR("{\"command\":\"version\"}\n")),
                  STR("{\"version\":\"" VEREDUS_VERSION "\"}\n{\"end\":true,\"exit\":0}\n"));
}

/* The whole list, page by page, in order, each message once. */
static void a_long_queue_comes_in_pages(void **state)
{
    struct rig *rig = *state;
    struct str got = ask(rig, STR("{\"command\":\"queue list\"}\n"));
    uint64_t want = 1;

    assert_int_equal(lines_in(got), QUEUE_MESSAGES + 1);
    assert_true(rig->pages > 1);
    for (; want <= QUEUE_MESSAGES; want++) {
        struct str line = str_cut(&got, '\n');
        json_t *row = json_loadb(line.p, line.n, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(row, "id")),
                            queue_id_text((struct queue_id){ want }).c);
        assert_string_equal(json_string_value(json_object_get(row, "event")), "message");
        json_decref(row);
    }
    assert_str_is(got, STR("{\"end\":true,\"exit\":0}\n"));
}

static void on_tick(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

static void some_turns(struct rig *rig, int n)
{
    struct io_timer tick;
    struct err err = { 0 };

    assert_true(io_timer_init(&tick, rig->loop, on_tick, NULL));
    for (; n > 0; n--) {
        io_timer_start(&tick, 0);
        assert_true(io_loop_run(rig->loop, &err));
    }
    io_timer_done(&tick);
}

/* Who does not read what was asked for costs a bounded amount of memory, and gets all of it when reading again. */
static void a_client_that_does_not_read_stops_the_pages(void **state)
{
    struct rig *rig = *state;
    struct control *control = rig->worker.state;
    struct err err = { 0 };

    rig->messages = MANY_MESSAGES;
    client_connect(rig);
    io_watch_arm(&rig->watch, 0);
    assert_true(send(rig->client, "{\"command\":\"queue list\"}\n", 25, 0) == 25);
    some_turns(rig, 500);
    unsigned pages = rig->pages;
    some_turns(rig, 100);
    assert_true(pages > 0);
    assert_int_equal(rig->pages, pages);
    struct control_client *c = CONTAINER_OF(control->clients.next, struct control_client, node);
    assert_true(c->out.n > 0 && c->out.n < (size_t)2 * CLIENT_OUT_LOW);

    io_watch_arm(&rig->watch, IO_READ);
    assert_true(io_loop_run(rig->loop, &err));
    assert_int_equal(lines_in(buf_str(&rig->got)), MANY_MESSAGES + 1);
}

static void one_message_is_shown_or_said_to_be_unknown(void **state)
{
    struct rig *rig = *state;

    struct str got = ask(rig, STR("{\"command\":\"queue show\",\"id\":\"000000000007\"}\n"));
    assert_int_equal(lines_in(got), 3);
    assert_true(str_contains(got, STR("\"event\":\"recipient\"")));
    got = ask(rig, STR("{\"command\":\"queue show\",\"id\":\"000000000008\",\"content\":true}\n"));
    assert_true(str_contains(got, STR("no such message")));
    assert_true(str_ends(got, STR("{\"end\":true,\"exit\":1}\n")));
    got = ask(rig, STR("{\"command\":\"queue show\",\"id\":\"?\"}\n"));
    assert_true(str_ends(got, STR("{\"end\":true,\"exit\":64}\n")));
}

static void reload_says_how_it_went(void **state)
{
    struct rig *rig = *state;

    assert_str_is(ask(rig, STR("{\"command\":\"reload\"}\n")), STR("{\"end\":true,\"exit\":0}\n"));
    assert_str_is(ask(rig, STR("{\"command\":\"reload\"}\n")),
                  STR("{\"text\":\"veredus.conf:1:1: error: no\\n\"}\n{\"end\":true,\"exit\":78}\n"));
}

static void status_gathers_all_and_names_who_is_silent(void **state)
{
    struct rig *rig = *state;

    struct str got = ask(rig, STR("{\"command\":\"status\"}\n"));
    assert_int_equal(lines_in(got), 3);
    assert_true(str_contains(got, STR("\"process\":\"control\"")));
    assert_true(str_ends(got, STR("{\"end\":true,\"exit\":0}\n")));
}

/* The patience of 2 seconds is ended by hand: no test waits for a clock. */
static void a_silent_queue_is_named_not_waited_for(void **state)
{
    struct rig *rig = *state;
    struct control *control = rig->worker.state;
    struct err err = { 0 };

    rig->queue_is_silent = true;
    rig->tells_when_silent = true;
    client_connect(rig);
    assert_int_equal(send(rig->client, "{\"command\":\"status\"}\n", 21, 0), 21);
    assert_true(io_loop_run(rig->loop, &err));
    command_too_late(CONTAINER_OF(control->clients.next, struct control_client, node));
    assert_true(io_loop_run(rig->loop, &err));
    struct str got = buf_str(&rig->got);
    assert_true(str_contains(got, STR("\"process\":\"queue\"")));
    assert_true(str_contains(got, STR("\"error\":\"did not answer in 2 seconds\"")));
    assert_true(str_ends(got, STR("{\"end\":true,\"exit\":1}\n")));
}

/* All know the ticket of a question about status: what else one of them says under it is none of its answers. */
static void an_answer_of_another_type_is_no_status(void **state)
{
    struct rig *rig = *state;
    struct control *control = rig->worker.state;
    struct err err = { 0 };

    rig->resolve_lies = true;
    client_connect(rig);
    assert_int_equal(send(rig->client, "{\"command\":\"status\"}\n", 21, 0), 21);
    some_turns(rig, 20);
    command_too_late(CONTAINER_OF(control->clients.next, struct control_client, node));
    assert_true(io_loop_run(rig->loop, &err));
    assert_true(str_contains(buf_str(&rig->got), STR("\"process\":\"resolve\"")));
    assert_true(str_ends(buf_str(&rig->got), STR("{\"end\":true,\"exit\":1}\n")));
}

static void requests_that_are_none_end_in_64(void **state)
{
    static const struct str requests[] = {
        STR_INIT("\n"),
        STR_INIT("nonsense\n"),
        STR_INIT("{}\n"),
        STR_INIT("[\"status\"]\n"),
        STR_INIT("{\"command\":7}\n"),
        STR_INIT("{\"command\":\"queue frob\"}\n"),
        STR_INIT("{\"command\":\"stop\",\"command\":\"status\"}\n"),
        STR_INIT("{\"command\":\"stop\xff\"}\n"),
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        assert_true(str_ends(ask(rig, requests[i]), STR("{\"end\":true,\"exit\":64}\n")));
}

static void an_endless_request_is_refused_and_closed(void **state)
{
    struct rig *rig = *state;
    char octets[CLIENT_REQUEST_MAX];

    memset(octets, 'x', sizeof(octets));
    assert_true(str_ends(ask(rig, str_of(octets, sizeof(octets))), STR("{\"end\":true,\"exit\":64}\n")));
    struct err err = { 0 };
    buf_clear(&rig->got);
    assert_true(io_loop_run(rig->loop, &err));
    assert_int_equal(rig->got.n, 0);
}

/* The kernel says who asks: another user has nothing but what is for everyone. */
static void strangers_may_ask_for_nothing_that_matters(void **state)
{
    static const struct str requests[] = {
        STR_INIT("{\"command\":\"status\"}\n"),
        STR_INIT("{\"command\":\"stop\"}\n"),
        STR_INIT("{\"command\":\"reload\"}\n"),
        STR_INIT("{\"command\":\"queue flush\",\"all\":true}\n"),
        STR_INIT("{\"command\":\"queue remove\",\"ids\":[\"000000000007\"]}\n"),
        STR_INIT("{\"command\":\"explain\",\"address\":\"anna@example.org\"}\n"),
    };
    struct rig *rig = *state;
    struct control *control = rig->worker.state;
    uid_t me = geteuid();

    /* The credentials of a connection are those of the moment it is made. */
    if (me == 0)
        assert_int_equal(seteuid(65534), 0);
    else
        control->permission.server = me + 1;
    client_connect(rig);
    if (me == 0)
        assert_int_equal(seteuid(0), 0);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        assert_true(str_ends(ask(rig, requests[i]), STR("{\"end\":true,\"exit\":77}\n")));
    assert_int_equal(rig->reloads, 0);
    assert_int_equal(rig->asked.n, 0);
    assert_true(str_ends(ask(rig, STR("{\"command\":\"version\"}\n")), STR("{\"end\":true,\"exit\":0}\n")));
    /* Of the queue they see what they gave to sendmail(1) themselves: it is asked for no more than that. */
    uint32_t mine = me == 0 ? 65535 : me + 1;
    assert_true(str_ends(ask(rig, STR("{\"command\":\"queue list\"}\n")), STR("{\"end\":true,\"exit\":0}\n")));
    assert_int_equal(rig->uid_plus, mine);
    rig->uid_plus = 0;
    ask(rig, STR("{\"command\":\"queue show\",\"id\":\"000000000007\"}\n"));
    assert_int_equal(rig->uid_plus, mine);
}

static void a_queue_that_dies_ends_the_wait(void **state)
{
    struct rig *rig = *state;

    rig->queue_is_silent = true;
    client_connect(rig);
    assert_true(send(rig->client, "{\"command\":\"queue list\"}\n", 25, 0) == 25);
    ipc_channel_free(rig->far_queue);
    rig->far_queue = NULL;
    struct err err = { 0 };
    assert_true(io_loop_run(rig->loop, &err));
    assert_true(str_ends(buf_str(&rig->got), STR("{\"end\":true,\"exit\":69}\n")));
}

/* What changes things is in the log, with who did it. */
static void admin_records_say_who_did_it(void **state)
{
    static const struct config_log logs[] = { { .kind = CONFIG_LOG_STDERR, .level = CONFIG_LOG_INFO } };
    struct rig *rig = *state;
    char octets[4096];
    int fds[2];

    rig->config.logs = logs;
    rig->config.n_logs = 1;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct ipc_message m = { .type = IPC_LOG_TARGET, .fd = fds[1] };
    control_service.message(&rig->worker, rig->worker.main, &m);
    assert_int_equal(m.fd, -1);
    ask(rig, STR("{\"command\":\"reload\"}\n"));
    ssize_t n = read(fds[0], octets, sizeof(octets));
    assert_true(n > 0);
    assert_true(str_contains(str_of(octets, (size_t)n), STR(" level=info event=admin account=")));
    assert_true(str_contains(str_of(octets, (size_t)n), STR(" action=reload\n")));
    /* A count alone is no change. */
    rig->messages = 2;
    ask(rig, STR("{\"command\":\"queue hold\",\"all\":true,\"dry\":true}\n"));
    assert_true(read(fds[0], octets, sizeof(octets)) < 0);
    ask(rig, STR("{\"command\":\"queue hold\",\"ids\":[\"000000000007\"],\"note\":\"see ticket 4411\"}\n"));
    n = read(fds[0], octets, sizeof(octets));
    assert_true(n > 0);
    assert_true(str_ends(str_of(octets, (size_t)n),
                         STR(" action=hold id=000000000007 count=1 note=\"see ticket 4411\"\n")));
    close(fds[0]);
}

/* ---- queue verbs ---- */

static void select_reaches_the_queue_as_it_was_said(void **state)
{
    struct rig *rig = *state;

    rig->messages = 3;
    ask(rig, STR("{\"command\":\"queue list\",\"ids\":[\"000000000002\",\"000000000003\"],\"from\":\"<>\","
                  "\"to\":\".example.net\","
                 "\"site\":\"example.net\",\"state\":\"deferred\",\"reason\":\"timed out\",\"older_msec\":7200000}\n"));
    assert_str_is(buf_str(&rig->asked), STR("2 ids <> .example.net example.net deferred timed out 7200000"));
    ask(rig, STR("{\"command\":\"queue hold\",\"from\":\"a@example.org\",\"dry\":true,\"note\":\"why\"}\n"));
    assert_str_is(buf_str(&rig->asked), STR("1 1 0 ids a@example.org  0 why"));
    ask(rig, STR("{\"command\":\"queue remove\",\"ids\":[\"000000000002\"],\"bounce\":true}\n"));
    assert_str_is(buf_str(&rig->asked), STR("4 0 1 ids   0 "));
    ask(rig, STR("{\"command\":\"queue flush\",\"state\":\"held\",\"bounce\":true}\n"));
    assert_str_is(buf_str(&rig->asked), STR("0 0 0 ids  held 0 "));
}

static void a_verb_goes_over_all_pages_and_says_what_was_done(void **state)
{
    struct rig *rig = *state;

    rig->messages = 5000;
    assert_str_is(ask(rig, STR("{\"command\":\"queue flush\",\"all\":true,\"dry\":true}\n")),
                  STR("{\"count\":5000,\"done\":0}\n{\"end\":true,\"exit\":0}\n"));
    assert_int_equal(rig->pages, 3);
    assert_str_is(ask(rig, STR("{\"command\":\"queue flush\",\"all\":true}\n")),
                  STR("{\"count\":5000,\"done\":2500}\n{\"end\":true,\"exit\":0}\n"));
}

static void a_verb_without_a_choice_does_nothing(void **state)
{
    static const struct str requests[] = {
        STR_INIT("{\"command\":\"queue remove\"}\n"),
        STR_INIT("{\"command\":\"queue remove\",\"all\":false,\"ids\":[],\"from\":\"\",\"older_msec\":0}\n"),
        STR_INIT("{\"command\":\"queue remove\",\"ids\":[\"?\"]}\n"),
        STR_INIT("{\"command\":\"queue remove\",\"ids\":[7]}\n"),
        STR_INIT("{\"command\":\"queue remove\",\"state\":\"asleep\"}\n"),
        STR_INIT("{\"command\":\"queue list\",\"state\":\"asleep\"}\n"),
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        assert_true(str_ends(ask(rig, requests[i]), STR("{\"end\":true,\"exit\":64}\n")));
    assert_int_equal(rig->pages, 0);
}

/* ---- explain ---- */

static void explain_asks_lookup_and_then_where_mail_would_go(void **state)
{
    static const char want[] =
        "{\"event\":\"host\",\"site\":\"example.net\",\"host\":\"mx1.example.net\",\"preference\":10,"
        "\"peer\":[\"203.0.113.10\",\"[2001::]:2525\"],\"secure\":false}\n"
        "{\"event\":\"host\",\"site\":\"example.net\",\"host\":\"mx2.example.net\",\"preference\":20,"
        "\"peer\":[\"203.0.113.11\"],\"secure\":true}\n"
        "{\"event\":\"host\",\"site\":\"null.example\",\"status\":\"5.1.10\",\"error\":\"null.example takes no mail\"}\n"
        "{\"end\":true,\"exit\":0}\n";
    struct rig *rig = *state;
    struct str got = ask(rig, STR("{\"command\":\"explain\",\"address\":\"\\\"a b\\\"@Example.ORG\",\"client\":\"203.0.113.7\","
                                  "\"sender\":\"Carol@EXAMPLE.net\",\"size\":4122}\n"));

    assert_str_is(buf_str(&rig->asked), STR("a b@example.org from Carol@example.net, 16, 4122"));
    assert_int_equal(lines_in(got), 6);
    assert_true(str_starts(got, STR("{\"event\":\"verdict\"")));
    assert_true(str_ends(got, str_from_c(want)));
    ask(rig, STR("{\"command\":\"explain\",\"address\":\"anna@example.org\",\"sender\":\"<>\"}\n"));
    assert_str_is(buf_str(&rig->asked), STR("anna@example.org from , 0, 0"));
}

static void plans_of_another_configuration_are_not_shown(void **state)
{
    struct rig *rig = *state;

    rig->generation = 8;
    struct str got = ask(rig, STR("{\"command\":\"explain\",\"address\":\"anna@example.org\"}\n"));
    assert_false(str_contains(got, STR("mx1.example.net")));
    assert_true(str_contains(got, STR("is being changed just now")));
    assert_true(str_ends(got, STR("{\"end\":true,\"exit\":0}\n")));
}

static void what_cannot_be_explained_ends_in_64(void **state)
{
    static const struct str requests[] = {
        STR_INIT("{\"command\":\"explain\"}\n"),
        STR_INIT("{\"command\":\"explain\",\"address\":\"anna\"}\n"),
        STR_INIT("{\"command\":\"explain\",\"address\":\"<>\"}\n"),
        STR_INIT("{\"command\":\"explain\",\"address\":\"anna@example.org\",\"sender\":\"carol\"}\n"),
        STR_INIT("{\"command\":\"explain\",\"address\":\"anna@example.org\",\"client\":\"localhost\"}\n"),
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        assert_true(str_ends(ask(rig, requests[i]), STR("{\"end\":true,\"exit\":64}\n")));
    assert_int_equal(rig->asked.n, 0);
}

static void a_lookup_that_dies_ends_the_wait(void **state)
{
    struct rig *rig = *state;
    struct err err = { 0 };

    rig->lookup_is_silent = true;
    client_connect(rig);
    assert_true(send(rig->client, "{\"command\":\"explain\",\"address\":\"anna@example.org\"}\n", 51, 0) == 51);
    ipc_channel_free(rig->far_lookup);
    rig->far_lookup = NULL;
    assert_true(io_loop_run(rig->loop, &err));
    assert_true(str_ends(buf_str(&rig->got), STR("{\"end\":true,\"exit\":69}\n")));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(version_is_for_everyone),
        CASE(a_long_queue_comes_in_pages),
        CASE(a_client_that_does_not_read_stops_the_pages),
        CASE(one_message_is_shown_or_said_to_be_unknown),
        CASE(reload_says_how_it_went),
        CASE(status_gathers_all_and_names_who_is_silent),
        CASE(an_answer_of_another_type_is_no_status),
        CASE(a_silent_queue_is_named_not_waited_for),
        CASE(requests_that_are_none_end_in_64),
        CASE(an_endless_request_is_refused_and_closed),
        CASE(strangers_may_ask_for_nothing_that_matters),
        CASE(a_queue_that_dies_ends_the_wait),
        CASE(admin_records_say_who_did_it),
        CASE(select_reaches_the_queue_as_it_was_said),
        CASE(a_verb_goes_over_all_pages_and_says_what_was_done),
        CASE(a_verb_without_a_choice_does_nothing),
        CASE(explain_asks_lookup_and_then_where_mail_would_go),
        CASE(plans_of_another_configuration_are_not_shown),
        CASE(what_cannot_be_explained_ends_in_64),
        CASE(a_lookup_that_dies_ends_the_wait),
    };

    return cmocka_run_group_tests_name("control/service", tests, NULL, NULL);
}
