/* main beside children that the test plays: deliver processes asked for, a start that fails, reloads refused. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/parse.h"
#include "io/fd.h"
#include "main/server.h"

enum { SEEN_MAX = 16, TURNS = 12 };

struct seen {
    enum ipc_type type;
    uint64_t ticket;
    uint8_t status;
    uint32_t instance;
    char text[512];
};

static struct {
    char folder[40];
    char path[80];
    struct main_options options;
    struct main_server *server;
    struct ipc_handler far; /* of the children's ends */
    struct ipc_channel *ends[4];
    size_t n_ends;
    struct io_timer turn;
    struct seen seen[SEEN_MAX];
    size_t n_seen;
} room;

static void on_seen(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    (void)c;
    assert_true(room.n_seen < SEEN_MAX);
    struct seen *s = &room.seen[room.n_seen++];
    *s = (struct seen){ .type = m->type };
    if (m->type == IPC_DELIVER_ANSWER) {
        s->ticket = m->deliver_answer.ticket;
        s->status = m->deliver_answer.status;
        s->instance = m->deliver_answer.instance;
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(m->deliver_answer.text));
    } else if (m->type == IPC_COMMAND_ANSWER) {
        s->ticket = m->command_answer.ticket;
        s->status = m->command_answer.ok;
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(m->command_answer.text));
    }
}

static void far_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
}

static void on_turn(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

static void on_end(struct io_timer *t)
{
    (void)t;
}

static void go_on(void)
{
    struct err err = { 0 };

    for (int i = 0; i < TURNS; i++) {
        io_timer_start(&room.turn, 0);
        assert_true(io_loop_run(room.server->loop, &err));
    }
}

static void write_config(const char *words)
{
    FILE *f = fopen(room.path, "w");

    assert_non_null(f);
    fputs(words, f);
    assert_int_equal(fclose(f), 0);
}

/* A child that is in STATE, with the test at the other end of its channel. */
static struct main_child *child(enum process_kind kind, enum child_state state)
{
    struct main_server *s = room.server;
    struct main_child *c = calloc(1, sizeof(*c));
    struct err err = { 0 };
    int fds[2];

    assert_non_null(c);
    assert_true(fd_pair(fds, &err));
    *c = (struct main_child){
        .server = s,
        .kind = kind,
        .state = state,
        .instance = ++s->last_instance,
        .generation = s->generation,
        .identity = { .uid = getuid(), .gid = getgid() },
    };
    list_init(&c->node);
    list_init(&c->asked);
    list_append(&s->children, &c->node);
    c->channel = ipc_channel_new(s->loop, fds[0], PROCESS_MAIN, kind, &s->handler, &err);
    room.ends[room.n_ends] = ipc_channel_new(s->loop, fds[1], kind, PROCESS_MAIN, &room.far, &err);
    assert_true(c->channel && room.ends[room.n_ends]);
    c->channel->instance = c->instance;
    room.n_ends++;
    return c;
}

static void open_room(const char *config)
{
    struct buf text = BUF_INIT(10000);
    struct err err = { 0 };

    memset(&room, 0, sizeof(room));
    snprintf(room.folder, sizeof(room.folder), "/tmp/veredus-main-XXXXXX");
    assert_non_null(mkdtemp(room.folder));
    snprintf(room.path, sizeof(room.path), "%s/veredus.conf", room.folder);
    write_config(config);
    room.options = (struct main_options){ .config_path = room.path };
    room.far = (struct ipc_handler){ .message = on_seen, .ended = far_ended };
    room.server = calloc(1, sizeof(*room.server));
    assert_non_null(room.server);
    *room.server = (struct main_server){
        .options = &room.options,
        .loop = io_loop_new(&err),
        .handler = { .message = child_message, .ended = child_channel_ended },
        .phase = PHASE_RUNNING,
        .control_fds = { -1, -1 },
        .early_log = BUF_INIT(10000),
        .reload_text = BUF_INIT(10000),
    };
    list_init(&room.server->children);
    list_init(&room.server->resting);
    assert_true(io_timer_init(&room.turn, room.server->loop, on_turn, &err));
    assert_true(io_timer_init(&room.server->end, room.server->loop, on_end, &err));
    assert_true(io_timer_init(&room.server->mend, room.server->loop, on_end, &err));
    assert_true(io_timer_init(&room.server->reload, room.server->loop, on_end, &err));
    assert_true(io_timer_init(&room.server->deliver_rest, room.server->loop, on_end, &err));
    struct main_generation *g = generation_load(room.server, &text);
    if (!g)
        fail_msg("%.*s", STR_ARG(buf_str(&text)));
    room.server->generation = g->number;
    buf_done(&text);
}

static void close_room(void)
{
    struct main_server *s = room.server;

    for (struct list *node; (node = list_take(&s->children));) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->kind == PROCESS_DELIVER)
            delivery_ended(c);
        ipc_channel_free(c->channel);
        free(c);
    }
    delivery_rested(s);
    for (size_t i = 0; i < room.n_ends; i++)
        ipc_channel_free(room.ends[i]);
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++)
        if (s->generations[i].number)
            generation_drop(&s->generations[i]);
    io_timer_done(&s->end);
    io_timer_done(&s->mend);
    io_timer_done(&s->reload);
    io_timer_done(&s->deliver_rest);
    io_timer_done(&room.turn);
    io_loop_free(s->loop);
    buf_done(&s->early_log);
    buf_done(&s->reload_text);
    free(s);
    unlink(room.path);
    rmdir(room.folder);
}

#define TWO_DOMAINS                                                                                         \
    "hostname mail.example.org;\n"                                                                          \
    "domain example.org { users any; deliver maildir:/var/mail/{domain}/{user}; }\n"                        \
    "domain example.net { users any; deliver maildir:/var/mail/{domain}/{user}; }\n"

static void ask_for(struct ipc_deliver_ask ask)
{
    assert_true(ipc_send_deliver_ask(room.ends[0], &ask));
    go_on();
}

/* For the `deliver` of a domain. */
static void ask(uint64_t ticket, uint32_t generation, uint32_t domain)
{
    const struct config *config = main_config(room.server);

    ask_for((struct ipc_deliver_ask){
        .ticket = ticket,
        .generation = generation,
        .route = domain < config->n_domains ? (uint32_t)config->domains[domain].route->index : 0,
        .domain_index = domain,
    });
}

/* A room with a queue, and a deliver process of /var/mail that has been started. */
static struct main_child *deliver_starts(void)
{
    open_room(TWO_DOMAINS);
    (void)child(PROCESS_QUEUE, CHILD_READY);
    struct main_child *deliver = child(PROCESS_DELIVER, CHILD_STARTING);
    snprintf(deliver->param, sizeof(deliver->param), "/var/mail");
    return deliver;
}

static void all_who_asked_for_a_process_being_started_get_it(void **state)
{
    struct main_child *deliver = deliver_starts();

    (void)state;
    ask(7, 1, 0);
    ask(8, 1, 1);
    assert_int_equal(room.n_seen, 0);
    deliver->state = CHILD_READY;
    delivery_ready(deliver);
    go_on();
    assert_int_equal(room.n_seen, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(room.seen[i].ticket, 7 + i);
        assert_int_equal(room.seen[i].status, IPC_OK);
        assert_int_equal(room.seen[i].instance, deliver->instance);
    }
    ask(9, 1, 1);
    assert_int_equal(room.seen[2].status, IPC_OK);
    close_room();
}

/* Only what the queue leases to is ended at its word; that a successor is started is seen when it has ended. */
static void who_claims_what_he_was_never_lent_is_ended(void **state)
{
    struct main_child *deliver = deliver_starts(), *receive = child(PROCESS_RECEIVE, CHILD_READY);
    int status = 0;

    (void)state;
    deliver->state = CHILD_READY;
    deliver->pid = fork();
    if (deliver->pid == 0)
        for (;;)
            pause();
    assert_true(deliver->pid > 0);
    /* Were it ended, this test would be. */
    receive->pid = getpid();
    const struct ipc_mistrusted told[] = {
        { .kind = PROCESS_RECEIVE, .instance = receive->instance, .why = STR("nonsense from receive") },
        { .kind = PROCESS_DELIVER, .instance = deliver->instance + 7, .why = STR("nonsense from deliver") },
        { .kind = PROCESS_DELIVER, .instance = deliver->instance, .why = STR("nonsense from deliver") },
    };
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        assert_non_null(deliver->channel);
        assert_true(ipc_send_mistrusted(room.ends[0], &told[i]));
        go_on();
    }
    assert_null(deliver->channel);
    assert_non_null(receive->channel);
    assert_int_equal(waitpid(deliver->pid, &status, 0), deliver->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    receive->pid = 0;
    close_room();
}

/* Nobody's mail is put off for that: who asked gets the next one, after a rest. */
static void all_who_asked_for_a_process_that_dies_get_the_next(void **state)
{
    struct main_child *deliver = deliver_starts();

    (void)state;
    ask(7, 1, 0);
    ask(8, 1, 1);
    delivery_ended(deliver);
    deliver->state = CHILD_ENDING;
    assert_true(io_timer_pending(&room.server->deliver_rest));
    go_on();
    assert_int_equal(room.n_seen, 0);
    struct main_child *next = child(PROCESS_DELIVER, CHILD_READY);
    snprintf(next->param, sizeof(next->param), "/var/mail");
    io_timer_stop(&room.server->deliver_rest);
    delivery_rested(room.server);
    go_on();
    assert_int_equal(room.n_seen, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(room.seen[i].status, IPC_OK);
        assert_int_equal(room.seen[i].instance, next->instance);
    }
    close_room();
}

static void directives_of_another_configuration_are_not_carried_out(void **state)
{
    (void)state;
    (void)deliver_starts();
    ask(7, 2, 0);
    ask(8, 1, 2);
    ask_for((struct ipc_deliver_ask){ .ticket = 9, .generation = 1, .route = 99 });
    /* One domain's mailboxes, with the account of another; or with none. */
    uint32_t first = (uint32_t)main_config(room.server)->domains[0].route->index;
    ask_for((struct ipc_deliver_ask){ .ticket = 10, .generation = 1, .route = first, .domain_index = 1 });
    ask_for((struct ipc_deliver_ask){ .ticket = 11, .generation = 1, .route = first, .domain_index = IPC_NO_DOMAIN });
    ask_for((struct ipc_deliver_ask){ .ticket = 12, .generation = 1, .route = first, .kind = IPC_DELIVERY_FILE + 1 });
    /* A route that leads to no mailbox: the one by MX. */
    uint32_t last = (uint32_t)main_config(room.server)->n_routes - 1;
    ask_for((struct ipc_deliver_ask){ .ticket = 13, .generation = 1, .route = last, .domain_index = IPC_NO_DOMAIN });
    assert_int_equal(room.n_seen, 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(room.seen[i].status, IPC_TEMP);
    close_room();
}

/* DESIGN 3: a process without a sandbox is started only for what the configuration itself says. */
static void nothing_runs_without_a_sandbox_unless_the_configuration_says_so(void **state)
{
    (void)state;
    open_room("hostname mail.example.org;\n"
              "domain example.org { users any; deliver maildir:/var/mail/{user}; }\n"
              "domain example.net { users any; deliver maildir:/var/mail/{user}; alias-commands on; }\n");
    (void)child(PROCESS_QUEUE, CHILD_READY);
    struct main_child *mailboxes = child(PROCESS_DELIVER, CHILD_READY);
    snprintf(mailboxes->param, sizeof(mailboxes->param), "/var/mail");
    struct main_child *commands = child(PROCESS_DELIVER, CHILD_READY);
    const uint8_t kinds[] = { IPC_DELIVERY_COMMAND, IPC_DELIVERY_FILE };

    for (uint32_t i = 0; i < 2; i++) {
        ask_for((struct ipc_deliver_ask){ .ticket = i, .generation = 1, .domain_index = 0, .kind = kinds[i] });
        assert_int_equal(room.seen[2 * i].status, IPC_PERM);
        assert_non_null(strstr(room.seen[2 * i].text, "alias-commands"));
        ask_for((struct ipc_deliver_ask){ .ticket = i, .generation = 1, .domain_index = 1, .kind = kinds[i] });
        assert_int_equal(room.seen[2 * i + 1].status, IPC_OK);
        assert_int_equal(room.seen[2 * i + 1].instance, commands->instance);
    }
    ask(9, 1, 1);
    assert_int_equal(room.seen[4].instance, mailboxes->instance);
    close_room();
}

/* The words are needed until the record of the stop is written. */
static void a_start_that_fails_remembers_why(void **state)
{
    (void)state;
    open_room(TWO_DOMAINS);
    room.server->phase = PHASE_STARTING;
    (void)child(PROCESS_QUEUE, CHILD_STARTING);
    (void)ipc_send_failed(room.ends[0], &(struct ipc_failed){ .fatal = 1, .text = STR("spool: it is no spool") });
    go_on();
    assert_int_equal(room.server->phase, PHASE_STOPPING);
    assert_int_equal(room.server->exit_code, 78);
    assert_string_equal(room.server->stop_cause, "spool: it is no spool");
    close_room();
}

static void reload(void)
{
    assert_true(ipc_send_command_ask(room.ends[0], &(struct ipc_command_ask){ .ticket = 5, .verb = IPC_COMMAND_RELOAD }));
    go_on();
    assert_int_equal(room.n_seen, 1);
    assert_int_equal(room.seen[0].type, IPC_COMMAND_ANSWER);
    assert_int_equal(room.seen[0].ticket, 5);
}

static void a_reload_that_moves_the_spool_changes_nothing(void **state)
{
    (void)state;
    open_room(TWO_DOMAINS "spool /var/spool/a;\n");
    (void)child(PROCESS_CONTROL, CHILD_READY);
    write_config(TWO_DOMAINS "spool /var/spool/b;\n");
    reload();
    assert_false(room.seen[0].status);
    assert_non_null(strstr(room.seen[0].text, "spool changed from '/var/spool/a' to '/var/spool/b'"));
    assert_int_equal(room.server->generation, 1);
    assert_str_is(main_config(room.server)->spool.text, STR("/var/spool/a"));
    close_room();
}

static void a_reload_that_moves_the_state_changes_nothing(void **state)
{
    (void)state;
    open_room(TWO_DOMAINS);
    (void)child(PROCESS_CONTROL, CHILD_READY);
    write_config(TWO_DOMAINS "state /var/lib/b;\n");
    reload();
    assert_false(room.seen[0].status);
    assert_non_null(strstr(room.seen[0].text, "state changed from '/var/lib/veredus' to '/var/lib/b'"));
    close_room();
}

static void a_reload_of_what_does_not_parse_says_where(void **state)
{
    (void)state;
    open_room(TWO_DOMAINS);
    (void)child(PROCESS_CONTROL, CHILD_READY);
    write_config(TWO_DOMAINS "hostnam x;\n");
    reload();
    assert_false(room.seen[0].status);
    assert_non_null(strstr(room.seen[0].text, "veredus.conf:4:1"));
    assert_int_equal(room.server->generation, 1);
    close_room();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_asked_for_a_process_being_started_get_it),
        cmocka_unit_test(who_claims_what_he_was_never_lent_is_ended),
        cmocka_unit_test(all_who_asked_for_a_process_that_dies_get_the_next),
        cmocka_unit_test(directives_of_another_configuration_are_not_carried_out),
        cmocka_unit_test(nothing_runs_without_a_sandbox_unless_the_configuration_says_so),
        cmocka_unit_test(a_start_that_fails_remembers_why),
        cmocka_unit_test(a_reload_that_moves_the_spool_changes_nothing),
        cmocka_unit_test(a_reload_that_moves_the_state_changes_nothing),
        cmocka_unit_test(a_reload_of_what_does_not_parse_says_where),
    };

    return cmocka_run_group_tests_name("main/server", tests, NULL, NULL);
}
