/*
 * Memory fails at each place in turn; sockets cannot be had; a family of addresses cannot be reached. Each question has
 * its one answer, no message is called delivered that was not, and none is given up for our own want.
 */
#include "tests/unit/send/play.h"

#include <errno.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *sa, socklen_t n);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t n);
ssize_t __real_recv(int fd, void *at, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *at, size_t n, int flags);

static struct {
    bool armed;
    unsigned count;
    unsigned fail_at;
    bool for_good;
    int socket_errno; /* of each socket() */
    int ipv6_errno;   /* of each connect() to IPv6 */
} faults;

static bool fails_now(void)
{
    if (!faults.armed || peer_at_work)
        return false;
    faults.count++;
    return faults.count == faults.fail_at || (faults.for_good && faults.count > faults.fail_at);
}

void *__wrap_malloc(size_t n)
{
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails_now() ? NULL : __real_realloc(p, n);
}

int __wrap_socket(int family, int type, int protocol)
{
    if (faults.socket_errno) {
        errno = faults.socket_errno;
        return -1;
    }
    return __real_socket(family, type, protocol);
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t n)
{
    if (faults.ipv6_errno && sa->sa_family == AF_INET6) {
        errno = faults.ipv6_errno;
        return -1;
    }
    return __real_connect(fd, sa, n);
}

/* What main would find in the hand page if the service died of what it reads now. */
static uint64_t in_hand[2];

ssize_t __wrap_recv(int fd, void *at, size_t n, int flags)
{
    if (!peer_at_work) {
        in_hand[0] = play.hand.ids[0];
        in_hand[1] = play.hand.ids[1];
    }
    return __real_recv(fd, at, n, flags);
}

/* DESIGN 3, death of a worker: the ids in hand are in the page shared with main, and leave it when it is over. */
static void what_is_in_hand_can_be_seen_by_main(void **state)
{
    (void)state;
    play_open();
    peer_begin(&play.peers[0], play.worker.loop);
    play.peers[0].says[AT_DOT][0] = "";
    ask_open(1, 1);
    assert_int_equal(in_hand[0], 0);
    put_transfer(1, 1, 1, STR("\r\nx\r\n"), -1, 0);
    put_transfer(1, 2, 1, STR("\r\nx\r\n"), -1, 0);
    go_on();
    assert_int_equal(in_hand[0], 1001);
    assert_int_equal(in_hand[1], 1002);
    for (size_t i = 0; i < WORKER_HAND_SLOTS; i++)
        assert_int_equal(play.hand.ids[i], 0);
    play_close();
}

/* ---- memory ---- */

static struct ipc_channel *service_end(void)
{
    return play.worker.peers[play.worker.n_peers - 1];
}

/* The channels and the shared buffer have what they need from the start: the rest is what fails. */
static void make_room(void)
{
    struct buf *bufs[] = { &play.queue->in, &play.queue->out, &service_end()->in, &service_end()->out };

    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        assert_non_null(buf_room(bufs[i], 512 * 1024));
}

static void put_open(void)
{
    struct buf room = BUF_INIT(4096);

    assert_true(ipc_send_open_ask(play.queue, &(struct ipc_open_ask){ .connection = 1, .plan = plan_of(1, &room) }));
    buf_done(&room);
}

static size_t answers(uint64_t lease)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].type == IPC_TRANSFERRED && play.seen[i].name == lease;
    return n;
}

/* One connection and three messages, N of memory failing (FOR_GOOD: from then on). True: nothing failed. */
static bool with_failure_at(unsigned n, bool for_good)
{
    size_t ok = 0;

    play_open();
    peer_begin(&play.peers[0], play.worker.loop);
    make_room();
    put_open();
    for (uint64_t lease = 1; lease <= 3; lease++)
        put_transfer(1, lease, 2, STR("\r\n.x\r\n"), -1, 0);
    faults.fail_at = n;
    faults.for_good = for_good;
    faults.count = 0;
    faults.armed = true;
    go_on();
    faults.armed = false;
    go_on();
    assert_int_equal(seen_count(IPC_OPEN_ANSWER), 1);
    for (uint64_t lease = 1; lease <= 3; lease++) {
        /* A result that could not be sent is kept for the next queue: never is it lost. */
        assert_true(answers(lease) <= 1);
        if (!answers(lease))
            continue;
        const struct seen *s = seen_of(IPC_TRANSFERRED, lease);
        assert_int_not_equal(s->status, IPC_PERM);
        ok += s->count && s->status == IPC_OK;
    }
    assert_true(ok <= play.peers[0].said[AT_DOT]);
    assert_int_equal(seen_count(IPC_TRANSFERRED), 3);
    play_close();
    return faults.count < n;
}

static void memory_that_fails_defers_and_loses_nothing(void **state)
{
    (void)state;
    for (int for_good = 0; for_good < 2; for_good++) {
        unsigned n = 1;
        while (!with_failure_at(n, for_good))
            n++;
        assert_true(n > 10);
    }
}

static void a_probe_without_memory_is_a_question_unanswered_by_its_host(void **state)
{
    bool failed = true;

    (void)state;
    for (unsigned n = 1; failed; n++) {
        struct buf room = BUF_INIT(4096);
        play_open();
        peer_begin(&play.peers[0], play.worker.loop);
        play.receive = end_comes(PROCESS_RECEIVE);
        assert_non_null(buf_room(&play.receive->in, 512 * 1024));
        assert_non_null(buf_room(&service_end()->in, 512 * 1024));
        assert_non_null(buf_room(&service_end()->out, 512 * 1024));
        host_is_named();
        assert_true(ipc_send_verify_ask(play.receive, &(struct ipc_verify_ask){ .ticket = n, .address = STR("a@b"),
                                                                                .plan = plan_of(1, &room) }));
        buf_done(&room);
        faults.fail_at = n;
        faults.count = 0;
        faults.armed = true;
        go_on();
        faults.armed = false;
        go_on();
        failed = faults.count >= n;
        assert_int_equal(seen_count(IPC_VERIFY_ANSWER), 1);
        if (!failed)
            assert_int_equal(seen(IPC_VERIFY_ANSWER)->status, IPC_OK);
        assert_int_not_equal(seen(IPC_VERIFY_ANSWER)->status, IPC_PERM);
        play_close();
    }
}

/* ---- addresses ---- */

static void put_two_families(bool ipv4)
{
    struct route_plan_address addresses[2] = {
        { .host = STR("mx.example.net"), .address = { IP_V6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, .port = 25 },
        peer_address(&play.peers[0]),
    };
    struct route_plan plan = { .addresses = addresses, .n = ipv4 ? 2 : 1 };
    struct buf room = BUF_INIT(4096);

    assert_true(route_plan_encode(&room, &plan));
    assert_true(ipc_send_open_ask(play.queue, &(struct ipc_open_ask){ .connection = 1, .plan = buf_str(&room) }));
    buf_done(&room);
    go_on();
}

/* FACE: a family without a route on this machine never counts as a failure. */
static void a_family_that_cannot_be_reached_counts_for_nothing(void **state)
{
    static const int why[] = { ENETUNREACH, EAFNOSUPPORT, EADDRNOTAVAIL };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(why); i++) {
        faults.ipv6_errno = why[i];
        play_open();
        peer_begin(&play.peers[0], play.worker.loop);
        put_two_families(true);
        assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
        play_close();

        /* The host that answers says all there is to say: never. */
        play_open();
        peer_begin(&play.peers[0], play.worker.loop);
        play.peers[0].says[AT_CONNECT][0] = "521 never\r\n";
        put_two_families(true);
        assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_PERM);
        play_close();

        /* A refusal tells more than it. */
        play_open();
        put_two_families(true);
        assert_string_equal(seen(IPC_OPEN_ANSWER)->text, "127.0.0.1: connection refused");
        play_close();

        /* With nothing else left, it is said. */
        play_open();
        put_two_families(false);
        assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_TEMP);
        assert_non_null(strstr(seen(IPC_OPEN_ANSWER)->text, "2001:db8::1: "));
        play_close();
    }
    faults.ipv6_errno = 0;
}

static void without_sockets_it_is_not_the_hosts_fault(void **state)
{
    (void)state;
    play_open();
    peer_begin(&play.peers[0], play.worker.loop);
    put_open();
    faults.socket_errno = EMFILE;
    go_on();
    faults.socket_errno = 0;
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_TEMP);
    assert_string_equal(seen(IPC_OPEN_ANSWER)->enhanced, "4.3.1");
    play_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_hand_can_be_seen_by_main),
        cmocka_unit_test(memory_that_fails_defers_and_loses_nothing),
        cmocka_unit_test(a_probe_without_memory_is_a_question_unanswered_by_its_host),
        cmocka_unit_test(a_family_that_cannot_be_reached_counts_for_nothing),
        cmocka_unit_test(without_sockets_it_is_not_the_hosts_fault),
    };

    return cmocka_run_group_tests_name("send/faults", tests, NULL, NULL);
}
