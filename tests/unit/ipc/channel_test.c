/* Channels over real sockets: order, batches, descriptors, credits, and peers that break the rules or die. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "ipc/channel.h"

enum { TURNS = 40, MANY = 300 };

static struct {
    struct io_loop *loop;
    struct io_timer turn;
    struct ipc_handler queue_handler, deliver_handler;
    struct ipc_channel *queue, *deliver; /* the queue's end, to deliver; and deliver's */
    uint64_t got[2 * IPC_CREDITS];
    size_t n_got;
    int fds[MANY];
    size_t n_fds;
    size_t text; /* octets of the last record or text */
    unsigned ended;
    unsigned credits;
    bool inside; /* a call of ours */
    bool answers;
} room;

static void got(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    assert_false(room.inside);
    assert_int_equal(room.ended, 0);
    if (room.n_got < ARRAY_LEN(room.got))
        room.got[room.n_got++] = m->type == IPC_LEASE     ? m->lease.lease
                                 : m->type == IPC_OUTCOME ? m->outcome.lease
                                 : m->type == IPC_SETTLED ? m->settled.lease
                                                          : m->type;
    if (m->type == IPC_LEASE)
        room.text = m->lease.body.n;
    if (m->fd >= 0) {
        assert_true(room.n_fds < MANY);
        room.fds[room.n_fds++] = m->fd;
        m->fd = -1;
    }
    if (room.answers && m->type == IPC_LEASE)
        assert_true(ipc_send_outcome(c, &(struct ipc_outcome){ .lease = m->lease.lease }));
}

static void ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    assert_false(room.inside);
    assert_true(c->closed);
    room.ended++;
}

static void credit(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    assert_true(ipc_may_ask(c));
    room.credits++;
}

static void on_turn(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

static void turn(void)
{
    struct err err = { 0 };

    io_timer_start(&room.turn, 0);
    assert_true(io_loop_run(room.loop, &err));
}

static void turns(void)
{
    for (int i = 0; i < TURNS; i++)
        turn();
}

static struct ipc_channel *channel(int fd, enum process_kind self, enum process_kind peer, struct ipc_handler *h)
{
    struct err err = { 0 };
    struct ipc_channel *c = ipc_channel_new(room.loop, fd, self, peer, h, &err);

    assert_non_null(c);
    return c;
}

static void open_loop(void)
{
    struct err err = { 0 };

    memset(&room, 0, sizeof(room));
    room.loop = io_loop_new(&err);
    room.queue_handler = (struct ipc_handler){ .message = got, .ended = ended, .credit = credit };
    room.deliver_handler = (struct ipc_handler){ .message = got, .ended = ended };
    assert_true(io_timer_init(&room.turn, room.loop, on_turn, &err));
}

/* The queue's end, and a bare socket at the other. */
static int open_half(void)
{
    struct err err = { 0 };
    int fds[2];

    open_loop();
    assert_true(fd_pair(fds, &err));
    room.queue = channel(fds[0], PROCESS_QUEUE, PROCESS_DELIVER, &room.queue_handler);
    return fds[1];
}

static void open_both(void)
{
    room.deliver = channel(open_half(), PROCESS_DELIVER, PROCESS_QUEUE, &room.deliver_handler);
}

static void close_room(void)
{
    ipc_channel_free(room.queue);
    ipc_channel_free(room.deliver);
    io_timer_done(&room.turn);
    io_loop_free(room.loop);
}

static bool lease(uint64_t number, struct str body, int fd)
{
    room.inside = true;
    bool sent = ipc_send_lease(room.queue, &(struct ipc_lease){ .lease = number, .body = body }, fd);
    room.inside = false;
    return sent;
}

static bool outcome(uint64_t number)
{
    return ipc_send_outcome(room.deliver, &(struct ipc_outcome){ .lease = number });
}

/* ---- */

static void all_of_a_turn_arrives_in_order_and_in_one_write(void **state)
{
    char room_for[65536];
    int fd = open_half();

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        assert_true(lease(i, STR_NONE, -1));
    assert_int_equal(recv(fd, room_for, sizeof(room_for), MSG_PEEK), -1);
    turn();
    ssize_t n = recv(fd, room_for, sizeof(room_for), MSG_PEEK);
    assert_true(n > 100 * 30 && n % 100 == 0);
    room.deliver = channel(fd, PROCESS_DELIVER, PROCESS_QUEUE, &room.deliver_handler);
    turns();
    assert_int_equal(room.n_got, 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(room.got[i], i);
    close_room();
}

/* More than one call of the kernel may carry, with frames without any between them. */
static void descriptors_stay_with_their_frames(void **state)
{
    (void)state;
    open_both();
    for (uint64_t i = 0; i < 2 * MANY; i++) {
        int fd = i % 2 ? memfd_create("x", MFD_CLOEXEC) : -1;
        if (fd >= 0)
            assert_int_equal(ftruncate(fd, (off_t)i), 0);
        assert_true(lease(i, STR_NONE, fd));
        if (fd >= 0)
            close(fd);
    }
    turns();
    assert_int_equal(room.n_got, 2 * MANY);
    assert_int_equal(room.n_fds, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(lseek(room.fds[i], 0, SEEK_END), 2 * i + 1);
        assert_true(fcntl(room.fds[i], F_GETFD) & FD_CLOEXEC);
        close(room.fds[i]);
    }
    assert_int_equal(room.ended, 0);
    close_room();
}

static void large_frames_pass_also_to_a_slow_reader(void **state)
{
    static char much[IPC_FRAME_MAX - 4096];

    (void)state;
    open_both();
    memset(much, 'x', sizeof(much));
    io_watch_arm(&room.deliver->watch, 0);
    assert_true(lease(1, str_of(much, sizeof(much)), -1));
    assert_true(lease(2, STR("small"), -1));
    assert_true(lease(3, str_of(much, sizeof(much)), -1));
    turns();
    assert_int_equal(room.n_got, 0);
    /* Too much waits: no further questions. */
    assert_true(lease(4, STR_NONE, -1) || !ipc_may_ask(room.queue));
    io_watch_arm(&room.deliver->watch, IO_READ);
    for (int i = 0; i < 8; i++)
        turns();
    assert_true(room.n_got >= 3);
    assert_int_equal(room.got[0], 1);
    assert_int_equal(room.got[2], 3);
    assert_int_equal(room.queue->out.n, 0);
    close_room();
}

static void questions_beyond_the_credits_wait_for_answers(void **state)
{
    (void)state;
    open_both();
    for (uint64_t i = 0; i < IPC_CREDITS; i++)
        assert_true(lease(i, STR_NONE, -1));
    assert_false(ipc_may_ask(room.queue));
    assert_false(lease(9999, STR_NONE, -1));
    /* What is no question is sent all the same. */
    assert_true(ipc_send_settled(room.queue, &(struct ipc_settled){ .lease = 1 }));
    turns();
    assert_int_equal(room.n_got, IPC_CREDITS + 1);
    assert_int_equal(room.credits, 0);
    assert_true(outcome(5));
    assert_true(outcome(6));
    turns();
    assert_int_equal(room.credits, 1);
    assert_int_equal(room.queue->asked, IPC_CREDITS - 2);
    assert_int_equal(room.deliver->owed, IPC_CREDITS - 2);
    assert_int_equal(room.ended, 0);
    close_room();
}

static void assert_nonsense(const char *what)
{
    turns();
    assert_int_equal(room.ended, 1);
    assert_non_null(strstr(room.queue->why, what));
    close_room();
}

static void put_raw(int fd, enum ipc_type type, const void *body)
{
    struct buf out = BUF_INIT(10000);

    assert_true(ipc_encode(&out, type, body, false));
    assert_int_equal(send(fd, out.p, out.n, 0), out.n);
    buf_done(&out);
}

static void nonsense_of_a_peer_closes_that_peer(void **state)
{
    int fd = open_half();

    (void)state;
    assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
    assert_nonsense("nonsense from deliver: frame");
    close(fd);

    /* A type that this peer may not send, though others may. */
    fd = open_half();
    put_raw(fd, IPC_COMMIT_ASK, &(struct ipc_commit_ask){ .ticket = 1 });
    put_raw(fd, IPC_SETTLED, &(struct ipc_settled){ .lease = 1 });
    assert_nonsense("COMMIT_ASK");
    assert_int_equal(room.n_got, 0);
    close(fd);

    /* An answer to no question. */
    fd = open_half();
    put_raw(fd, IPC_OUTCOME, &(struct ipc_outcome){ .lease = 1 });
    assert_nonsense("credits");
    assert_int_equal(room.n_got, 0);
    close(fd);
}

static void a_descriptor_that_did_not_come_closes(void **state)
{
    struct err err = { 0 };
    struct buf out = BUF_INIT(1000);
    int fds[2];

    (void)state;
    open_loop();
    assert_true(fd_pair(fds, &err));
    room.queue = channel(fds[0], PROCESS_DELIVER, PROCESS_QUEUE, &room.deliver_handler);
    assert_true(ipc_encode(&out, IPC_LEASE, &(struct ipc_lease){ .lease = 1 }, true));
    assert_int_equal(send(fds[1], out.p, out.n, 0), out.n);
    assert_nonsense("a descriptor is missing");
    assert_int_equal(room.n_got, 0);
    close(fds[1]);
    buf_done(&out);
}

/* Without a frame that has one: kept until the channel ends, they would fill the table of whoever is sent them. */
static void descriptors_of_who_has_none_to_give_close(void **state)
{
    struct ipc_settled body = { .lease = 1 };
    struct buf out = BUF_INIT(1000);
    int fd = open_half(), passed[FD_PASS_MAX], next = dup(fd);

    (void)state;
    for (size_t i = 0; i < FD_PASS_MAX; i++)
        passed[i] = fd;
    assert_true(ipc_encode(&out, IPC_SETTLED, &body, false));
    /* The first octets of a frame: the rest never comes. */
    assert_int_equal(fd_send(fd, str_head(buf_str(&out), 4), passed, FD_PASS_MAX), 4);
    turns();
    assert_int_equal(room.ended, 1);
    assert_non_null(strstr(room.queue->why, "descriptors"));
    close(next);
    assert_int_equal(dup(fd), next);
    close(next);
    close_room();
    close(fd);
    buf_done(&out);
}

static void questions_without_end_close_their_asker(void **state)
{
    struct err err = { 0 };
    struct buf out = BUF_INIT(1 << 20);
    int fds[2];

    (void)state;
    open_loop();
    assert_true(fd_pair(fds, &err));
    room.queue = channel(fds[0], PROCESS_QUEUE, PROCESS_RECEIVE, &room.queue_handler);
    for (int i = 0; i <= IPC_CREDITS; i++) {
        buf_clear(&out);
        assert_true(ipc_encode(&out, IPC_IDS_ASK, &(struct ipc_ids_ask){ .count = 1 }, false));
        assert_int_equal(send(fds[1], out.p, out.n, 0), out.n);
        if (i % 64 == 0)
            turn();
    }
    assert_nonsense("credits");
    assert_int_equal(room.n_got, IPC_CREDITS);
    close(fds[1]);
    buf_done(&out);
}

/* ---- death ---- */

static void a_peer_that_dies_is_reported_once_and_outside_our_calls(void **state)
{
    int fd = open_half();

    (void)state;
    close(fd);
    assert_true(lease(1, STR_NONE, -1));
    room.inside = true;
    ipc_channel_flush(room.queue);
    room.inside = false;
    assert_int_equal(room.ended, 0);
    turns();
    assert_int_equal(room.ended, 1);
    assert_string_equal(room.queue->why, "peer closed");
    assert_false(lease(2, STR_NONE, -1));
    assert_false(ipc_may_ask(room.queue));
    turns();
    assert_int_equal(room.ended, 1);
    close_room();
}

/* Answers and outcomes are always read (DESIGN 3), also those of a process that is gone. */
static void what_a_peer_said_before_it_died_is_heard(void **state)
{
    (void)state;
    open_both();
    assert_true(lease(1, STR_NONE, -1));
    turns();
    assert_true(outcome(1));
    ipc_channel_free(room.deliver);
    room.deliver = NULL;
    room.n_got = 0;
    assert_true(lease(2, STR_NONE, -1));
    room.inside = true;
    ipc_channel_flush(room.queue);
    room.inside = false;
    turns();
    assert_int_equal(room.n_got, 1);
    assert_int_equal(room.got[0], 1);
    assert_int_equal(room.ended, 1);
    close_room();
}

static void a_channel_may_be_freed_with_everything_under_way(void **state)
{
    int fd = memfd_create("x", MFD_CLOEXEC);

    (void)state;
    open_both();
    io_watch_arm(&room.deliver->watch, 0);
    for (uint64_t i = 0; i < 100; i++)
        assert_true(lease(i, STR("body"), fd));
    close(fd);
    turn();
    for (uint64_t i = 0; i < 100; i++)
        assert_true(lease(i, STR("body"), -1));
    close_room();
}

/* ---- the log waits for nobody, and nobody for it ---- */

static void log_records_are_dropped_not_kept_for_a_control_that_does_not_read(void **state)
{
    static char record[8192];
    struct err err = { 0 };
    int fds[2];

    (void)state;
    open_loop();
    assert_true(fd_pair(fds, &err));
    room.queue = channel(fds[0], PROCESS_QUEUE, PROCESS_CONTROL, &room.queue_handler);
    for (int i = 0; i < 1000; i++) {
        (void)ipc_send_log(room.queue, &(struct ipc_log){ .record = str_of(record, sizeof(record)) });
        if (i % 16 == 0)
            turn();
    }
    assert_true(room.queue->lost > 0);
    assert_true(room.queue->out.n - room.queue->out_sent < (2U << 20));
    assert_int_equal(room.ended, 0);
    close_room();
    close(fds[1]);
}

/* ---- secrets ---- */

static void heard_by_auth(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    (void)c;
    assert_int_equal(m->type, IPC_LOGIN_STEP);
    room.n_got++;
}

static void what_was_said_to_auth_is_not_kept(void **state)
{
    struct ipc_handler handler = { .message = heard_by_auth, .ended = ended };
    struct ipc_channel *submit, *auth;
    struct err err = { 0 };
    int fds[2];

    (void)state;
    open_loop();
    assert_true(fd_pair(fds, &err));
    submit = channel(fds[0], PROCESS_SUBMIT, PROCESS_AUTH, &handler);
    auth = channel(fds[1], PROCESS_AUTH, PROCESS_SUBMIT, &handler);
    assert_true(ipc_send_login_step(submit, &(struct ipc_login_step){ .ticket = 1, .response = STR("opensesame") }));
    assert_non_null(memmem(submit->out.p, submit->out.n, "opensesame", 10));
    turns();
    assert_int_equal(room.n_got, 1);
    assert_int_equal(submit->out.n, 0);
    assert_null(memmem(submit->out.p, submit->out.cap, "opensesame", 10));
    assert_null(memmem(auth->in.p, auth->in.cap, "opensesame", 10));
    ipc_channel_free(submit);
    ipc_channel_free(auth);
    io_timer_done(&room.turn);
    io_loop_free(room.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_turn_arrives_in_order_and_in_one_write),
        cmocka_unit_test(descriptors_stay_with_their_frames),
        cmocka_unit_test(large_frames_pass_also_to_a_slow_reader),
        cmocka_unit_test(questions_beyond_the_credits_wait_for_answers),
        cmocka_unit_test(nonsense_of_a_peer_closes_that_peer),
        cmocka_unit_test(a_descriptor_that_did_not_come_closes),
        cmocka_unit_test(descriptors_of_who_has_none_to_give_close),
        cmocka_unit_test(questions_without_end_close_their_asker),
        cmocka_unit_test(a_peer_that_dies_is_reported_once_and_outside_our_calls),
        cmocka_unit_test(what_a_peer_said_before_it_died_is_heard),
        cmocka_unit_test(a_channel_may_be_freed_with_everything_under_way),
        cmocka_unit_test(what_was_said_to_auth_is_not_kept),
        cmocka_unit_test(log_records_are_dropped_not_kept_for_a_control_that_does_not_read),
    };

    return cmocka_run_group_tests_name("ipc/channel", tests, NULL, NULL);
}
