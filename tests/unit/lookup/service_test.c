/* The process as its peers see it: questions over a channel, files from main, the death of a peer. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lookup/rates.h"
#include "tests/unit/lookup/room.h"

static const char config[] =
    "hostname mail.example.org; listen 25 { limit client connections 2; limit client messages 2/h; "
    "limit client auth-failures 2/h; }\n"
    "domain example.org { users file:/users; aliases file:/aliases; deliver maildir:/m/{user}; }\n";

/* Both ends of each channel live in one loop: ours is the service's, THEIRS plays main, receive and queue. */
struct hall {
    struct worker worker;
    struct ipc_handler theirs;
    struct ipc_channel *main;
    struct ipc_channel *receive[2];
    struct ipc_channel *auth[2];
    struct ipc_channel *at_service[4];
    struct io_timer patience;
    struct ipc_message last;
    char text[256]; /* of the last answer */
    size_t heard;
    size_t wait_for;
};

static struct hall hall;

static void service_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    lookup_service.message(w, c, m);
}

static void service_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    lookup_service.peer_down(w, c);
    for (size_t i = 0; i < ARRAY_LEN(hall.at_service); i++)
        if (hall.at_service[i] == c)
            hall.at_service[i] = NULL;
    ipc_channel_free(c);
    io_loop_stop(w->loop);
}

static void their_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h, (void)c;
    hall.last = *m;
    hall.text[0] = '\0';
    if (m->type == IPC_TABLE_WANT)
        snprintf(hall.text, sizeof(hall.text), "%.*s", STR_ARG(m->table_want.path));
    else if (m->type == IPC_ROUTE_ANSWER)
        snprintf(hall.text, sizeof(hall.text), "%.*s", STR_ARG(m->route_answer.user));
    if (++hall.heard >= hall.wait_for)
        io_loop_stop(room.loop);
}

static void their_end(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h, (void)c;
    fail_msg("the service closed the channel: %s", c->why);
}

static struct ipc_channel *connect_to_service(enum process_kind kind, struct ipc_channel **at_service)
{
    struct err err = { 0 };
    struct ipc_channel *ours;
    int fds[2];

    assert_true(fd_pair(fds, &err));
    ours = ipc_channel_new(room.loop, fds[0], kind, PROCESS_LOOKUP, &hall.theirs, &err);
    *at_service = ipc_channel_new(room.loop, fds[1], PROCESS_LOOKUP, kind, &hall.worker.handler, &err);
    assert_non_null(ours);
    assert_non_null(*at_service);
    return ours;
}

static int open_hall(void **state)
{
    (void)state;
    room_open(config);
    lookup_free(room.lookup);
    room.lookup = NULL;
    hall = (struct hall){ 0 };
    hall.theirs = (struct ipc_handler){ .message = their_message, .ended = their_end };
    hall.worker = (struct worker){
        .service = &lookup_service,
        .loop = room.loop,
        .config = world_config(room.arena, config),
        .generation = 3,
        .handler = { .message = service_message, .ended = service_ended },
    };
    hall.main = connect_to_service(PROCESS_MAIN, &hall.worker.main);
    for (size_t i = 0; i < 2; i++)
        hall.receive[i] = connect_to_service(PROCESS_RECEIVE, &hall.at_service[i]);
    for (size_t i = 0; i < 2; i++)
        hall.auth[i] = connect_to_service(PROCESS_AUTH, &hall.at_service[2 + i]);
    return 0;
}

static int close_hall(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hall.at_service); i++)
        if (hall.at_service[i])
            lookup_service.peer_down(&hall.worker, hall.at_service[i]);
    room.lookup = hall.worker.state;
    ipc_channel_free(hall.main);
    ipc_channel_free(hall.worker.main);
    for (size_t i = 0; i < 2; i++) {
        ipc_channel_free(hall.receive[i]);
        ipc_channel_free(hall.auth[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(hall.at_service); i++)
        ipc_channel_free(hall.at_service[i]);
    room_close();
    return 0;
}

/* Run until so many answers were heard. */
static void hear(size_t answers)
{
    struct err err = { 0 };

    hall.heard = 0;
    hall.wait_for = answers;
    assert_true(io_loop_run(room.loop, &err));
}

static void give_file(const char *path, const char *text)
{
    int fd = room_fd(text);

    assert_true(ipc_send_opened(hall.main, &(struct ipc_opened){ .path = str_from_c(path) }, fd));
    fd_close(&fd);
}

static void start(void)
{
    struct err err = { 0 };

    assert_true(lookup_service.start(&hall.worker, &err));
    hall.worker.started = true;
}

static const char client[16] = { 0x20, 0x01, 0x0d, (char)0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };

static uint16_t connect_row(size_t receive)
{
    assert_true(ipc_send_connect_ask(hall.receive[receive],
                                     &(struct ipc_connect_ask){ .client = str_of(client, 16) }));
    hear(1);
    assert_int_equal(hall.last.type, IPC_CONNECT_ANSWER);
    return hall.last.connect_answer.row;
}

/* This machine itself, which no built-in limit binds. */
static const char local_client[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };

static void ask_rcpt(size_t receive, uint64_t ticket, const char *local)
{
    assert_true(ipc_send_rcpt_ask(hall.receive[receive], &(struct ipc_rcpt_ask){
                                                             .ticket = ticket,
                                                             .client = str_of(local_client, 16),
                                                             .local = str_from_c(local),
                                                             .domain = STR("example.org"),
                                                         }));
}

/* Files that come before START are there when the first question comes. */
static void files_before_the_start_answer_the_first_question(void **state)
{
    (void)state;
    give_file("/aliases", "list: :include:/list\n");
    hear(1);
    assert_int_equal(hall.last.type, IPC_TABLE_WANT);
    assert_string_equal(hall.text, "/list");
    give_file("/users", "Anna\n");
    give_file("/list", "anna\n:include:/more\n");
    hear(1);
    assert_string_equal(hall.text, "/more");
    start();
    ask_rcpt(0, 1, "anna");
    hear(1);
    assert_int_equal(hall.last.rcpt_answer.refused, 0);
    assert_int_equal(hall.last.rcpt_answer.plain, 1);
}

static void questions_of_a_turn_are_answered_in_order(void **state)
{
    (void)state;
    give_file("/aliases", "x: :include:/nowhere\n");
    give_file("/users", "Anna\n");
    hear(1);
    start();
    for (uint64_t i = 0; i < 100; i++)
        ask_rcpt(i % 2, i, i % 3 ? "anna" : "x");
    hear(100);
    assert_int_equal(hall.heard, 100);
    ask_rcpt(0, 7, "x");
    hear(1);
    assert_int_equal(hall.last.rcpt_answer.ticket, 7);
    assert_int_equal(hall.last.rcpt_answer.row, SMTP_REPLY_LOOKUP_FAILED);
}

static void a_file_given_later_is_read_beside_the_loop(void **state)
{
    (void)state;
    give_file("/aliases", "x: :include:/nowhere\n");
    give_file("/users", "Anna\n");
    hear(1);
    start();
    give_file("/users", "Anna\nben\n");
    for (uint16_t row = SMTP_REPLY_NO_SUCH_MAILBOX; row != SMTP_REPLY_RCPT_OK;
         row = hall.last.rcpt_answer.row) {
        assert_int_equal(row, SMTP_REPLY_NO_SUCH_MAILBOX);
        ask_rcpt(0, 1, "ben+detail");
        hear(1);
    }
}

static void the_death_of_receive_gives_its_connections_back(void **state)
{
    (void)state;
    struct err err = { 0 };

    start();
    assert_int_equal(connect_row(0), 0);
    assert_int_equal(connect_row(0), 0);
    assert_int_equal(connect_row(1), SMTP_REPLY_TOO_MANY_CONNECTIONS);
    ipc_send_disconnect(hall.receive[1], &(struct ipc_disconnect){ .client = str_of(client, 16) });
    /* One that was never opened here takes none away. */
    ipc_send_disconnect(hall.receive[1], &(struct ipc_disconnect){ .client = str_of(client, 16) });
    assert_int_equal(connect_row(1), SMTP_REPLY_TOO_MANY_CONNECTIONS);
    ipc_send_disconnect(hall.receive[1], &(struct ipc_disconnect){ .client = str_of(client, 16) });
    ipc_channel_free(hall.receive[0]);
    hall.receive[0] = NULL;
    assert_true(io_loop_run(room.loop, &err));
    assert_int_equal(connect_row(1), 0);
    assert_int_equal(connect_row(1), 0);
    assert_int_equal(connect_row(1), SMTP_REPLY_TOO_MANY_CONNECTIONS);
}

/* ---- rates ---- */

enum { SEALED = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* As main makes it; N octets, with these seals. */
static int make_memory(size_t n, int seals)
{
    static const uint64_t seeds[2] = { 1, 2 };
    struct policy_rates_head head = policy_rates_head(seeds);
    int fd = memfd_create("rates", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, (off_t)n), 0);
    assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static uint16_t mail_row(size_t receive)
{
    assert_true(ipc_send_mail_ask(hall.receive[receive], &(struct ipc_mail_ask){ .client = str_of(client, 16) }));
    hear(1);
    assert_int_equal(hall.last.type, IPC_MAIL_ANSWER);
    return hall.last.mail_answer.row;
}

/* A process that ends leaves to the next one what was counted; one that has nothing of main's counts for itself. */
static void rates_outlive_the_process(void **state)
{
    (void)state;
    int fd = make_memory(sizeof(struct policy_rates), SEALED);

    for (int life = 0; life < 3; life++) {
        assert_true(ipc_send_opened(hall.main, &(struct ipc_opened){ .path = STR(IPC_FILE_RATES) }, life < 2 ? fd : -1));
        give_file("/aliases", "x: :include:/nowhere\n");
        hear(1);
        start();
        assert_int_equal(mail_row(0), life == 1 ? SMTP_REPLY_LIMIT_DEFER : 0);
        assert_int_equal(mail_row(1), life == 1 ? SMTP_REPLY_LIMIT_DEFER : 0);
        assert_int_equal(mail_row(0), SMTP_REPLY_LIMIT_DEFER);
        lookup_free(hall.worker.state);
        hall.worker.state = NULL;
    }
    fd_close(&fd);
    room_forget_records();
}

/* What could get shorter, has another size or another form is not read. */
static void memory_that_is_not_mains_is_left(void **state)
{
    (void)state;
    int fds[] = {
        make_memory(sizeof(struct policy_rates), 0),
        make_memory(sizeof(struct policy_rates) - 4096, SEALED),
        make_memory(sizeof(struct policy_rates) + 4096, SEALED),
        memfd_create("rates", MFD_CLOEXEC | MFD_ALLOW_SEALING),
    };

    assert_int_equal(ftruncate(fds[3], sizeof(struct policy_rates)), 0);
    assert_int_equal(fcntl(fds[3], F_ADD_SEALS, SEALED), 0);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_null(lookup_rates_map(fds[i]));
        fd_close(&fds[i]);
    }
    assert_null(lookup_rates_map(-1));
}

/* ---- guesses ---- */

static void ask_guess(size_t auth, uint64_t ticket)
{
    assert_true(ipc_send_guess_ask(hall.auth[auth], &(struct ipc_guess_ask){
                                                        .ticket = ticket,
                                                        .client = str_of(client, 16),
                                                        .account = STR("anna@example.org"),
                                                    }));
}

static void assert_guess(uint64_t ticket, enum ipc_guess result)
{
    assert_int_equal(hall.last.type, IPC_GUESS_ANSWER);
    assert_int_equal(hall.last.guess_answer.ticket, ticket);
    assert_int_equal(hall.last.guess_answer.result, result);
}

/* The limit is 2: two are under way at one auth process, one of the other waits until that dies, or says what it was. */
static void the_death_of_auth_gives_its_guesses_back(void **state)
{
    (void)state;
    struct err err = { 0 };

    start();
    ask_guess(0, 1);
    ask_guess(0, 2);
    hear(2);
    ask_guess(1, 7);
    ask_guess(1, 8);
    ask_guess(1, 9);
    assert_int_equal(connect_row(0), 0);
    assert_true(ipc_send_guessed(hall.auth[0], &(struct ipc_guessed){ .ticket = 1, .end = IPC_GUESS_RIGHT,
                                                                      .client = str_of(client, 16) }));
    hear(1);
    assert_guess(7, IPC_GUESS_ALLOWED);
    ipc_channel_free(hall.auth[0]);
    hall.auth[0] = NULL;
    assert_true(io_loop_run(room.loop, &err));
    hear(1);
    assert_guess(8, IPC_GUESS_ALLOWED);
    /* A failure, of which there may be two; whoever waits still may. */
    assert_true(ipc_send_guessed(hall.auth[1], &(struct ipc_guessed){ .ticket = 7, .end = IPC_GUESS_WRONG,
                                                                      .client = str_of(client, 16) }));
    assert_true(ipc_send_guessed(hall.auth[1], &(struct ipc_guessed){ .ticket = 8, .end = IPC_GUESS_WRONG,
                                                                      .client = str_of(client, 16) }));
    hear(1);
    assert_guess(9, IPC_GUESS_LIMITED);
    room_forget_records();
}

static void status_has_a_row_for_each_table(void **state)
{
    (void)state;
    struct buf rows = BUF_INIT(65536);

    give_file("/aliases", "x: :include:/nowhere\n");
    hear(1);
    start();
    lookup_service.status(&hall.worker, &rows);
    assert_true(str_contains(buf_str(&rows), STR("/users")));
    assert_true(str_contains(buf_str(&rows), STR("awaited")));
    assert_true(str_contains(buf_str(&rows), STR("/nowhere")));
    assert_true(str_contains(buf_str(&rows), STR("answering")));
    buf_done(&rows);
}

static void many_sessions_are_remembered(void **state)
{
    (void)state;
    struct lookup_sessions s = { 0 };
    char c[16] = { 0 };
    bool exempt;

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            memcpy(c, &i, sizeof(i));
            assert_true(lookup_sessions_add(&s, str_of(c, 16), i % 3, i % 2));
            assert_true(lookup_sessions_add(&s, STR_NONE, 0, true));
        }
        for (uint32_t i = 0; i < 5000; i++) {
            memcpy(c, &i, sizeof(i));
            assert_true(lookup_sessions_remove(&s, str_of(c, 16), i % 3, &exempt));
            assert_int_equal(exempt, i % 2);
            assert_false(lookup_sessions_remove(&s, str_of(c, 16), i % 3, &exempt));
            assert_false(lookup_sessions_remove(&s, str_of(c, 16), 3, &exempt));
            assert_true(lookup_sessions_remove(&s, STR_NONE, 0, &exempt));
        }
    }
    assert_true(s.room <= 32768);
    lookup_sessions_done(&s);
}

#define IN_HALL(test) cmocka_unit_test_setup_teardown(test, open_hall, close_hall)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HALL(files_before_the_start_answer_the_first_question),
        IN_HALL(questions_of_a_turn_are_answered_in_order),
        IN_HALL(a_file_given_later_is_read_beside_the_loop),
        IN_HALL(the_death_of_receive_gives_its_connections_back),
        IN_HALL(rates_outlive_the_process),
        cmocka_unit_test(memory_that_is_not_mains_is_left),
        IN_HALL(the_death_of_auth_gives_its_guesses_back),
        IN_HALL(status_has_a_row_for_each_table),
        cmocka_unit_test(many_sessions_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
