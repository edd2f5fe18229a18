/* The loop: descriptors, timers, tasks, signals, wakers; and what a callback may do to what called it. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/loop.h"

static struct {
    struct io_loop *loop;
    unsigned calls;
    char order[32];
    struct io_watch watch;
    struct io_timer timer, other;
    struct io_task task, second;
    struct io_waker waker;
    int fds[2];
} room;

static void open_loop(void)
{
    struct err err = { 0 };

    memset(&room, 0, sizeof(room));
    room.loop = io_loop_new(&err);
    assert_non_null(room.loop);
    assert_true(fd_pair(room.fds, &err));
}

static void close_loop(void)
{
    close(room.fds[0]);
    close(room.fds[1]);
    io_loop_free(room.loop);
}

static void run(void)
{
    struct err err = { 0 };

    assert_true(io_loop_run(room.loop, &err));
}

static void add(char c)
{
    room.order[room.calls++] = c;
}

static void on_first(struct io_timer *t)
{
    add('1');
    assert_false(io_timer_pending(t));
}

static void on_last(struct io_timer *t)
{
    add('2');
    io_loop_stop(t->loop);
}

static void timers_fire_once_in_order_and_move_when_started_again(void **state)
{
    struct err err = { 0 };

    (void)state;
    open_loop();
    assert_true(io_timer_init(&room.timer, room.loop, on_first, &err));
    assert_true(io_timer_init(&room.other, room.loop, on_last, &err));
    assert_false(io_timer_pending(&room.timer));
    io_timer_start(&room.timer, 3600000);
    io_timer_start(&room.other, 1);
    io_timer_start(&room.timer, -5); /* now, from here on */
    assert_true(io_timer_pending(&room.timer));
    assert_int_equal(room.calls, 0);
    run();
    assert_string_equal(room.order, "12");
    io_timer_start(&room.timer, 0);
    io_timer_stop(&room.timer);
    assert_false(io_timer_pending(&room.timer));
    io_timer_start(&room.other, 1);
    run();
    assert_string_equal(room.order, "122");
    io_timer_done(&room.timer);
    io_timer_done(&room.other);
    io_timer_done(&room.other);
    close_loop();
}

static void on_task(struct io_task *t)
{
    add('t');
    if (t == &room.task) {
        io_task_post(&room.second); /* in the same turn */
        io_task_done(&room.task);
        memset(&room.task, 0xff, sizeof(room.task));
    } else {
        io_loop_stop(t->loop);
    }
}

static void on_readable(struct io_watch *w, unsigned what)
{
    char c;

    assert_int_equal(what, IO_READ);
    assert_int_equal(read(w->fd, &c, 1), 1);
    add('r');
    io_task_post(&room.task);
    io_task_post(&room.task);
    assert_int_equal(room.calls, 1);
}

static void tasks_run_behind_what_is_ready_once_for_each_post(void **state)
{
    struct err err = { 0 };

    (void)state;
    open_loop();
    io_task_init(&room.task, room.loop, on_task);
    io_task_init(&room.second, room.loop, on_task);
    assert_true(io_watch_init(&room.watch, room.loop, room.fds[0], on_readable, &err));
    io_watch_arm(&room.watch, IO_READ);
    assert_int_equal(write(room.fds[1], "x", 1), 1);
    run();
    assert_string_equal(room.order, "rtt");
    io_task_post(&room.second);
    io_task_done(&room.second);
    io_watch_done(&room.watch);
    close_loop();
}

static void on_both(struct io_watch *w, unsigned what)
{
    add(what & IO_READ ? 'r' : 'w');
    io_watch_done(w);
    memset(w, 0xff, sizeof(*w));
    io_loop_stop(room.loop);
}

/* Ready for both: the second call does not come. */
static void a_watch_may_end_in_its_own_call(void **state)
{
    struct err err = { 0 };

    (void)state;
    open_loop();
    assert_true(io_watch_init(&room.watch, room.loop, room.fds[0], on_both, &err));
    io_watch_arm(&room.watch, IO_READ | IO_WRITE);
    assert_int_equal(write(room.fds[1], "x", 1), 1);
    run();
    assert_int_equal(room.calls, 1);
    close_loop();
}

static void on_no_more(struct io_watch *w, unsigned what)
{
    (void)what;
    add('r');
    io_watch_arm(w, 0);
    io_timer_start(&room.other, 0);
}

static void what_is_disarmed_is_silent_and_arming_is_by_level(void **state)
{
    struct err err = { 0 };

    (void)state;
    open_loop();
    assert_true(io_watch_init(&room.watch, room.loop, room.fds[0], on_no_more, &err));
    assert_true(io_timer_init(&room.other, room.loop, on_last, &err));
    assert_int_equal(write(room.fds[1], "x", 1), 1);
    for (int i = 0; i < 3; i++) {
        io_watch_arm(&room.watch, IO_READ);
        run();
    }
    assert_string_equal(room.order, "r2r2r2");
    io_watch_done(&room.watch);
    io_timer_done(&room.other);
    close_loop();
}

static void on_woken(struct io_waker *w)
{
    (void)w;
    add('k');
    io_loop_stop(room.loop);
}

static void *wakes(void *arg)
{
    for (int i = 0; i < 1000; i++)
        io_waker_wake(arg);
    return NULL;
}

static void a_thread_wakes_the_loop_and_many_wakes_are_one_call(void **state)
{
    struct err err = { 0 };
    pthread_t thread;

    (void)state;
    open_loop();
    assert_true(io_waker_init(&room.waker, room.loop, on_woken, &err));
    assert_int_equal(pthread_create(&thread, NULL, wakes, &room.waker), 0);
    run();
    assert_true(room.calls >= 1);
    pthread_join(thread, NULL);
    wakes(&room.waker);
    room.calls = 0;
    run();
    assert_int_equal(room.calls, 1);
    io_waker_done(&room.waker);
    io_waker_done(&room.waker);
    close_loop();
}

static void on_signal(struct io_signal *s)
{
    assert_int_equal(s->signo, SIGUSR1);
    add('s');
    io_loop_stop(s->loop);
}

static void signals_arrive_in_the_loop(void **state)
{
    struct err err = { 0 };
    struct io_signal s;

    (void)state;
    open_loop();
    assert_true(io_signal_init(&s, room.loop, SIGUSR1, on_signal, &err));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kill(getpid(), SIGUSR1), 0);
        run();
    }
    assert_string_equal(room.order, "ss");
    io_signal_done(&s);
    io_signal_done(&s);
    close_loop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_in_order_and_move_when_started_again),
        cmocka_unit_test(tasks_run_behind_what_is_ready_once_for_each_post),
        cmocka_unit_test(a_watch_may_end_in_its_own_call),
        cmocka_unit_test(what_is_disarmed_is_silent_and_arming_is_by_level),
        cmocka_unit_test(a_thread_wakes_the_loop_and_many_wakes_are_one_call),
        cmocka_unit_test(signals_arrive_in_the_loop),
    };

    return cmocka_run_group_tests_name("io/loop", tests, NULL, NULL);
}
