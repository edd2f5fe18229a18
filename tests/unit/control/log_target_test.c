/* Targets of the log: whole lines, in order, and never a wait, whatever the other end does. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/log_target.h"
#include "io/fd.h"
#include "log/record.h"

struct rig {
    struct io_loop *loop;
    struct log_target target;
    struct io_task stop;
    int far; /* what the target writes comes out here */
};

static void on_stop(struct io_task *t)
{
    io_loop_stop(t->loop);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig->loop = io_loop_new(NULL);
    rig->far = -1;
    io_task_init(&rig->stop, rig->loop, on_stop);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    log_target_done(&rig->target);
    fd_close(&rig->far);
    io_task_done(&rig->stop);
    io_loop_free(rig->loop);
    free(rig);
    return 0;
}

static void open_pipe(struct rig *rig, enum config_log_level level, int flags)
{
    struct config_log how = { .kind = CONFIG_LOG_STDERR, .form = CONFIG_LOG_KV, .level = level };
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | flags), 0);
    rig->far = fds[0];
    assert_int_equal(fcntl(rig->far, F_SETFL, O_NONBLOCK), 0);
    assert_true(log_target_open(&rig->target, rig->loop, &how, fds[1], NULL));
}

static void add(struct rig *rig, enum log_level level, int64_t number)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_DONE, level, 1795340467349);
    log_number(&r, LOG_RECIPIENTS, number);
    log_target_add(&rig->target, log_octets(&r));
}

static struct str read_far(struct rig *rig, struct buf *out)
{
    for (;;) {
        char *room = buf_room(out, 64 * 1024);
        ssize_t r = read(rig->far, room, 64 * 1024);
        if (r <= 0)
            return buf_str(out);
        buf_grew(out, (size_t)r);
    }
}

static void lines_come_out_in_order_as_far_as_wanted(void **state)
{
    struct rig *rig = *state;
    struct buf out = BUF_INIT(1 << 20);

    open_pipe(rig, CONFIG_LOG_INFO, O_NONBLOCK);
    add(rig, LOG_LEVEL_INFO, 1);
    add(rig, LOG_LEVEL_DEBUG, 2);
    add(rig, LOG_LEVEL_ERROR, 3);
    assert_str_is(read_far(rig, &out), STR(""));
    log_target_flush(&rig->target);
    assert_str_is(read_far(rig, &out),
                  STR("time=2026-11-22T09:41:07.349Z level=info event=done recipients=1\n"
                      "time=2026-11-22T09:41:07.349Z level=error event=done recipients=3\n"));
    buf_done(&out);
}

/* Every number that came out, and what was said to be dropped, is what went in; numbers rise. */
static void assert_complete(struct str lines, int64_t added)
{
    int64_t last = 0, seen = 0, dropped = 0;

    while (lines.n) {
        struct str line = str_cut(&lines, '\n');
        char text[256];
        long long n = 0;
        snprintf(text, sizeof(text), "%.*s", STR_ARG(line));
        const char *found = strstr(text, "recipients=");
        if (found) {
            assert_int_equal(sscanf(found, "recipients=%lld", &n), 1);
            assert_true(n > last);
            last = n;
            seen++;
        } else {
            found = strstr(text, "event=log dropped=");
            assert_non_null(found);
            assert_int_equal(sscanf(found, "event=log dropped=%lld", &n), 1);
            dropped += n;
        }
    }
    assert_int_equal(seen + dropped, added);
    assert_true(dropped > 0);
}

static void full_pipe_case(struct rig *rig, int flags)
{
    struct buf out = BUF_INIT(8 << 20);
    struct err err = { 0 };
    int64_t added = 0;

    open_pipe(rig, CONFIG_LOG_DEBUG, flags);
    while (!rig->target.dropped) {
        add(rig, LOG_LEVEL_INFO, ++added);
        if (added % 1000 == 0)
            log_target_flush(&rig->target);
    }
    for (int i = 0; i < 50; i++)
        add(rig, LOG_LEVEL_INFO, ++added);
    assert_true(rig->target.waiting.n <= LOG_TARGET_WAITING_MAX);
    for (int turn = 0; turn < 10000 && (rig->target.waiting.n || rig->target.dropped); turn++) {
        read_far(rig, &out);
        io_task_post(&rig->stop);
        assert_true(io_loop_run(rig->loop, &err));
        log_target_flush(&rig->target);
    }
    assert_complete(read_far(rig, &out), added);
    buf_done(&out);
}

static void a_full_pipe_loses_records_but_says_how_many(void **state)
{
    full_pipe_case(*state, O_NONBLOCK);
}

/* Standard error belongs to whoever started us, too: it must stay blocking, and yet never block us. */
static void a_pipe_that_blocks_does_not_block_us(void **state)
{
    struct rig *rig = *state;

    full_pipe_case(rig, 0);
    assert_false(fcntl(rig->target.fd, F_GETFL) & O_NONBLOCK);
}

static void a_reader_that_left_is_no_end(void **state)
{
    struct rig *rig = *state;

    signal(SIGPIPE, SIG_IGN);
    open_pipe(rig, CONFIG_LOG_DEBUG, O_NONBLOCK);
    fd_close(&rig->far);
    for (int i = 0; i < 10; i++) {
        add(rig, LOG_LEVEL_INFO, i);
        log_target_flush(&rig->target);
    }
    assert_true(rig->target.waiting.n > 0);
}

static void each_record_is_one_datagram(void **state)
{
    struct rig *rig = *state;
    struct config_log how = { .kind = CONFIG_LOG_JOURNAL, .form = CONFIG_LOG_KV, .level = CONFIG_LOG_DEBUG };
    char octets[4096];
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    rig->far = fds[0];
    assert_true(log_target_open(&rig->target, rig->loop, &how, fds[1], NULL));
    add(rig, LOG_LEVEL_INFO, 1);
    add(rig, LOG_LEVEL_WARNING, 2);
    log_target_flush(&rig->target);
    ssize_t n = recv(rig->far, octets, sizeof(octets), 0);
    assert_true(n > 0);
    assert_str_is(str_of(octets, (size_t)n),
                  STR("SYSLOG_IDENTIFIER=veredus\nPRIORITY=6\nMESSAGE=event=done recipients=1\n"
                      "VEREDUS_EVENT=done\nVEREDUS_RECIPIENTS=1\n"));
    n = recv(rig->far, octets, sizeof(octets), 0);
    assert_true(str_contains(str_of(octets, (size_t)n), STR("PRIORITY=4\n")));
    assert_int_equal(recv(rig->far, octets, sizeof(octets), 0), -1);
}

static void syslog_gets_its_priority_and_no_time_of_ours(void **state)
{
    struct rig *rig = *state;
    struct config_log how = { .kind = CONFIG_LOG_SYSLOG, .form = CONFIG_LOG_KV, .level = CONFIG_LOG_DEBUG };
    char octets[4096], end[64];
    int fds[2];

    setenv("TZ", "UTC0", 1);
    tzset();
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    rig->far = fds[0];
    assert_true(log_target_open(&rig->target, rig->loop, &how, fds[1], NULL));
    add(rig, LOG_LEVEL_ERROR, 1);
    log_target_flush(&rig->target);
    ssize_t n = recv(rig->far, octets, sizeof(octets), 0);
    assert_true(n > 0);
    snprintf(end, sizeof(end), " veredus[%d]: event=done recipients=1", (int)getpid());
    assert_true(str_starts(str_of(octets, (size_t)n), STR("<19>Nov 22 ")));
    assert_true(str_ends(str_of(octets, (size_t)n), str_from_c(end)));
}

static void after_a_change_of_place_what_waits_goes_to_the_new_one(void **state)
{
    struct rig *rig = *state;
    struct buf out = BUF_INIT(1 << 20);

    open_pipe(rig, CONFIG_LOG_DEBUG, O_NONBLOCK);
    while (rig->target.waiting.n < 200000)
        add(rig, LOG_LEVEL_INFO, 1);
    int old = rig->far;
    open_pipe(rig, CONFIG_LOG_DEBUG, O_NONBLOCK);
    close(old);
    assert_true(read_far(rig, &out).n > 0);
    buf_done(&out);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(lines_come_out_in_order_as_far_as_wanted),
        CASE(a_full_pipe_loses_records_but_says_how_many),
        CASE(a_pipe_that_blocks_does_not_block_us),
        CASE(a_reader_that_left_is_no_end),
        CASE(each_record_is_one_datagram),
        CASE(syslog_gets_its_priority_and_no_time_of_ours),
        CASE(after_a_change_of_place_what_waits_goes_to_the_new_one),
    };

    return cmocka_run_group_tests_name("control/log_target", tests, NULL, NULL);
}
