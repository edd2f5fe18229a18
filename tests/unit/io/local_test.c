/* Connections of other users of this machine: what they pass holds up nobody. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/local.h"
#include "io/loop.h"

enum { MANY = 64, AN_HOUR = 3600 };

/* A socket whose close waits SECONDS: its peer *PEER never takes what was sent, nor the end of it. */
static int lingerer(int seconds, int *peer)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct linger linger = { .l_onoff = 1, .l_linger = seconds };
    char octets[4096] = { 0 };
    socklen_t n = sizeof(sa);
    int small = 4096;
    int listening = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    assert_int_equal(bind(listening, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&sa, &n), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
    *peer = accept(listening, NULL, NULL);
    assert_true(*peer >= 0);
    close(listening);
    while (send(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    return fd;
}

/* PASSES a lingerer beside OCTETS and keeps no copy; returns its peer. */
static int pass(int sock, struct str octets, int seconds)
{
    int peer, fd = lingerer(seconds, &peer);

    assert_int_equal(fd_send(sock, octets, &fd, 1), (ssize_t)octets.n);
    /* Not the last reference: this does not wait. */
    close(fd);
    return peer;
}

/* Before the cure: the test can fail. */
static void who_reads_or_closes_without_care_waits(void **state)
{
    struct err err = { 0 };
    int pair[2], peer;
    char c;

    (void)state;
    assert_true(fd_pair(pair, &err));
    peer = pass(pair[0], STR("a"), 1);
    int64_t began = io_clock_usec();
    assert_int_equal(recv(pair[1], &c, 1, 0), 1);
    assert_true(io_clock_usec() - began > 900 * 1000);
    close(peer);
    peer = pass(pair[0], STR("a"), 1);
    began = io_clock_usec();
    close(pair[1]);
    assert_true(io_clock_usec() - began > 900 * 1000);
    close(peer);
    close(pair[0]);
}

static void octets_alone_are_read_as_by_recv(void **state)
{
    struct err err = { 0 };
    int pair[2];
    char room[8];

    (void)state;
    assert_true(fd_pair(pair, &err));
    local_begin(pair[1]);
    assert_int_equal(local_recv(pair[1], room, sizeof(room)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(send(pair[0], "abc", 3, 0), 3);
    assert_int_equal(send(pair[0], "defghij", 7, 0), 7);
    assert_int_equal(local_recv(pair[1], room, 2), 2);
    assert_memory_equal(room, "ab", 2);
    size_t n = 2;
    for (ssize_t r; (r = local_recv(pair[1], room, sizeof(room))) > 0;) {
        assert_memory_equal(room, "abcdefghij" + n, (size_t)r);
        n += (size_t)r;
    }
    assert_int_equal(n, 10);
    close(pair[0]);
    assert_int_equal(local_recv(pair[1], room, sizeof(room)), 0);
    close(pair[1]);
}

/* An hour would be noticed: the test would not end. */
static void what_is_passed_is_never_taken_and_closed_without_waiting(void **state)
{
    struct local_closer closer = LOCAL_CLOSER_INIT;
    struct err err = { 0 };
    int peers[MANY], mine[MANY];
    char room[8];

    (void)state;
    assert_true(local_closer_start(&closer));
    for (int i = 0; i < MANY; i++) {
        int pair[2];
        assert_true(fd_pair(pair, &err));
        local_begin(pair[1]);
        if (i % 2)
            assert_int_equal(send(pair[0], "QUIT", 4, 0), 4);
        peers[i] = pass(pair[0], STR("abc"), AN_HOUR);
        ssize_t n = local_recv(pair[1], room, 4);
        if (n > 0) /* exactly what stood in front */
            n = local_recv(pair[1], room, sizeof(room));
        assert_int_equal(n, -1);
        assert_int_equal(errno, EPROTO);
        local_close(&closer, &pair[1]);
        assert_int_equal(pair[1], -1);
        /* The other side sees the end at once. */
        assert_int_equal(recv(pair[0], room, sizeof(room), 0), 0);
        mine[i] = pair[0];
        assert_false(local_closer_busy(&closer));
    }
    local_closer_done(&closer);
    assert_int_equal(atomic_load(&closer.waiting), 0);
    for (int i = 0; i < MANY; i++) {
        close(peers[i]);
        close(mine[i]);
    }
}

/* By a name of the kernel's choice. */
static int listener(void)
{
    struct { sa_family_t family; char name[sizeof(sa_family_t)]; } sa = { AF_UNIX, { 0 } };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&sa, sizeof(sa.family)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int connect_to(int listening)
{
    char bound[128];
    socklen_t n = sizeof(bound);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(getsockname(listening, (struct sockaddr *)(void *)bound, &n), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)bound, n), 0);
    return fd;
}

static void connections_that_nobody_accepted_are_closed_with_their_listener(void **state)
{
    struct local_closer closer = LOCAL_CLOSER_INIT;
    int listening = listener(), fd = connect_to(listening);
    int peer = pass(fd, STR("a"), AN_HOUR);

    (void)state;
    close(fd);
    assert_true(local_closer_start(&closer));
    local_close_listener(&closer, &listening);
    local_closer_done(&closer);
    close(peer);
}

/* The processes of the former configuration and of the new one have the same. */
static void a_listener_that_others_have_goes_on(void **state)
{
    struct local_closer closer = LOCAL_CLOSER_INIT;
    int listening = listener(), theirs = dup(listening);

    (void)state;
    assert_true(local_closer_start(&closer));
    local_close_listener(&closer, &listening);
    assert_int_equal(listening, -1);
    local_closer_done(&closer);
    int fd = connect_to(theirs), accepted = accept(theirs, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(fd);
    close(theirs);
}

static void an_octet_out_of_band_hides_nothing(void **state)
{
    struct local_closer closer = LOCAL_CLOSER_INIT;
    struct err err = { 0 };
    int pair[2], peer, fd = lingerer(AN_HOUR, &peer);
    char room[8], space[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { .iov_base = room, .iov_len = 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    (void)state;
    room[0] = 'x';
    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    assert_true(fd_pair(pair, &err));
    local_begin(pair[1]);
    ssize_t sent = sendmsg(pair[0], &msg, MSG_OOB);
    bool known = sent == 1; /* else this kernel has none */
    if (known)
        close(fd);
    assert_int_equal(local_recv(pair[1], room, sizeof(room)), -1);
    assert_int_equal(errno, known ? EPROTO : EAGAIN);
    assert_true(local_closer_start(&closer));
    local_close(&closer, &pair[1]);
    local_closer_done(&closer);
    close(pair[0]);
    close(peer);
    if (!known)
        close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_reads_or_closes_without_care_waits),
        cmocka_unit_test(octets_alone_are_read_as_by_recv),
        cmocka_unit_test(what_is_passed_is_never_taken_and_closed_without_waiting),
        cmocka_unit_test(connections_that_nobody_accepted_are_closed_with_their_listener),
        cmocka_unit_test(a_listener_that_others_have_goes_on),
        cmocka_unit_test(an_octet_out_of_band_hides_nothing),
    };

    return cmocka_run_group_tests_name("io/local", tests, NULL, NULL);
}
