/*
 * Each call of the disk fails in turn, once, with each errno: what was acknowledged is there, what was
 * refused is not, and the spool takes mail again by itself (docs/SPOOL.md 8).
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

#include "tests/simulate/world.h"

static void must_be_right(struct world *w, const char *when, unsigned long n)
{
    if (w->wrong)
        fail_msg("call %lu, %s: %s: %s", n, when, w->wrong, w->detail);
}

static void work(struct world *w)
{
    for (unsigned i = 0; i < 10; i++) {
        world_accept(w, 200 + i * 400, false, i == 4);
        if (i % 4 == 1)
            world_accept(w, 3000, true, false);
        if (i > 1)
            world_change(w);
        if (i % 3 == 2)
            spool_want_checkpoint(w->spool);
        world_settle(w);
    }
}

/* False when there was no Nth call. */
static bool one_failure(unsigned long n, int e, enum sim_end end, enum sim_loss loss)
{
    struct world w;
    struct spool_figures figures;

    world_init(&w, 11, SIM_HONEST);
    w.faults = true;
    w.disk->fail_at = n;
    w.disk->fail_errno = e;
    w.disk->loss = loss;
    if (!world_open(&w)) {
        must_be_right(&w, "opening", n);
        world_end(&w, SIM_END_PROCESS);
        assert_true(world_open(&w));
    }
    world_check(&w);
    work(&w);
    must_be_right(&w, "working", n);
    bool there_was = w.disk->failed > 0;

    w.boot_usec += 31000000;
    world_settle(&w);
    spool_figures(w.spool, &figures);
    assert_int_equal(figures.health, SPOOL_HEALTH_OK);
    w.faults = false;
    world_accept(&w, 500, false, false);
    world_settle(&w);
    must_be_right(&w, "afterwards", n);

    world_end(&w, end);
    assert_true(world_open(&w));
    world_check(&w);
    must_be_right(&w, "recovered", n);
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
    return there_was;
}

static void every(int e, enum sim_end end, enum sim_loss loss)
{
    unsigned long n = 1;

    while (one_failure(n, e, end, loss))
        n++;
    print_message("%lu calls\n", n - 1);
    assert_true(n > 100);
}

static void any_call_may_fail_and_the_process_die(void **state)
{
    (void)state;
    every(EIO, SIM_END_PROCESS, SIM_LOSS_ALL);
}

static void any_call_may_fail_and_the_power(void **state)
{
    (void)state;
    every(EIO, SIM_END_POWER, SIM_LOSS_ALL);
    every(EIO, SIM_END_POWER, SIM_LOSS_FINE);
}

static void any_call_may_find_no_space(void **state)
{
    (void)state;
    every(ENOSPC, SIM_END_POWER, SIM_LOSS_SECTORS);
}

static void any_call_may_find_no_descriptor(void **state)
{
    (void)state;
    every(EMFILE, SIM_END_POWER, SIM_LOSS_NOTHING);
}

/* False when there was no Nth call. */
static bool one_failed_start(unsigned long n, int e)
{
    struct world w;

    world_init(&w, 5, SIM_HONEST);
    assert_true(world_open(&w));
    work(&w);
    work(&w);
    spool_want_checkpoint(w.spool);
    world_settle(&w);
    world_end(&w, SIM_END_PROCESS);
    w.faults = true;
    w.disk->fail_errno = e;
    w.disk->failed = 0;
    w.disk->fail_at = w.disk->calls + n;
    bool open = world_open(&w);
    bool there_was = w.disk->failed > 0;
    if (open)
        world_check(&w);
    must_be_right(&w, "opening", n);
    world_end(&w, SIM_END_PROCESS);
    assert_true(world_open(&w));
    world_check(&w);
    must_be_right(&w, "opening again", n);
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
    return there_was;
}

static void at_a_start_from_a_checkpoint_any_call_may_fail(void **state)
{
    static const int errors[] = { EIO, EMFILE };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        unsigned long n = 1;
        while (one_failed_start(n, errors[i]))
            n++;
        print_message("%lu calls\n", n - 1);
        assert_true(n > 40);
    }
}

/* ---- the latch, the reserve ---- */

static enum spool_health health(struct world *w)
{
    struct spool_figures figures;

    spool_figures(w->spool, &figures);
    return figures.health;
}

static void settle_commits(struct world *w)
{
    int64_t until;

    while (spool_step_content(w->spool) == SPOOL_STEP_DONE ||
           spool_step_commit(w->spool, &until) == SPOOL_STEP_DONE)
        ;
}

static void when_nothing_can_be_written_all_is_refused_until_it_can(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, SIM_HONEST);
    assert_true(world_open(&w));
    world_accept(&w, 300, false, false);
    world_settle(&w);
    assert_int_equal(w.counts.refused, 0);

    w.faults = true;
    w.disk->fail_rate = 1;
    world_accept(&w, 300, false, false);
    world_accept(&w, 300, false, true); /* owed: stays */
    w.boot_usec += 1000000;
    settle_commits(&w);
    spool_poll(w.spool);
    assert_int_equal(w.counts.refused, 1);
    assert_int_equal(health(&w), SPOOL_HEALTH_REFUSING);
    world_accept(&w, 300, false, false);
    spool_poll(w.spool);
    assert_int_equal(w.counts.refused, 2); /* at once */

    w.disk->fail_rate = 0;
    w.boot_usec += 29000000; /* not yet */
    settle_commits(&w);
    assert_int_equal(health(&w), SPOOL_HEALTH_REFUSING);
    w.boot_usec += 2000000;
    world_settle(&w);
    assert_int_equal(health(&w), SPOOL_HEALTH_OK);
    w.faults = false;
    world_accept(&w, 300, false, false);
    world_settle(&w);
    assert_int_equal(w.counts.refused, 2);
    world_end(&w, SIM_END_POWER);
    assert_true(world_open(&w));
    world_check(&w); /* the owed one is there, the refused are not */
    must_be_right(&w, "recovered", 0);
    assert_int_equal(spool_recovered(w.spool)->messages, 3);
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
}

/* INV-15: when the disk is full, messages are refused and outcomes are written. */
static void on_a_full_disk_outcomes_go_on(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 5, SIM_HONEST);
    w.options.segment_octets = 4096 * 12;
    assert_true(world_open(&w));
    for (int i = 0; i < 8; i++)
        world_accept(&w, 300, false, false);
    world_settle(&w);
    assert_int_equal(w.counts.refused, 0);

    w.space_short = true;
    w.disk->capacity = 1;
    for (int i = 0; i < 200 && w.counts.refused < 3; i++) {
        world_accept(&w, 3000, false, false);
        world_settle(&w);
    }
    assert_true(w.counts.refused >= 3);
    assert_int_equal(health(&w), SPOOL_HEALTH_FULL);
    unsigned long refused = w.counts.refused;
    for (int i = 0; i < 8; i++) {
        world_change(&w);
        world_settle(&w);
        assert_null(w.batches); /* it is durable */
    }
    assert_int_equal(w.counts.refused, refused); /* none of these */

    w.disk->capacity = 0;
    w.boot_usec += 31000000;
    world_settle(&w);
    w.space_short = false;
    world_accept(&w, 300, false, false);
    world_settle(&w);
    assert_int_equal(health(&w), SPOOL_HEALTH_OK);
    must_be_right(&w, "afterwards", 0);
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
}

static void below_min_free_new_mail_is_refused_before_it_is_written(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 5, SIM_HONEST);
    w.options.min_free_octets = 1 << 20;
    w.disk->capacity = 4 << 20;
    assert_true(world_open(&w));
    world_accept(&w, 300, false, false);
    world_settle(&w);
    w.space_short = true;
    w.disk->other = (3 << 20) + 4096;
    w.boot_usec += 2000000;
    world_accept(&w, 300, false, false); /* this one makes it look */
    world_settle(&w);
    unsigned long refused = w.counts.refused;
    world_accept(&w, 300, false, false);
    spool_poll(w.spool);
    assert_int_equal(w.counts.refused, refused + 1);
    assert_int_equal(health(&w), SPOOL_HEALTH_FULL);
    w.disk->other = 0;
    w.boot_usec += 2000000;
    world_accept(&w, 300, false, false);
    world_settle(&w);
    w.space_short = false;
    world_accept(&w, 300, false, false);
    world_settle(&w);
    assert_int_equal(w.counts.refused, refused + 2);
    assert_int_equal(health(&w), SPOOL_HEALTH_OK);
    must_be_right(&w, "afterwards", 0);
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
}

/* ---- a small disk ---- */

enum { SEGMENT = 1 << 20, SMALL_DISK = 7 * SEGMENT + SEGMENT / 4, CONTENT = 15000 };

static void fill(struct world *w, unsigned long refused)
{
    for (int i = 0; i < 2000 && w->counts.refused < refused; i++) {
        w->boot_usec += 2000000;
        world_accept(w, CONTENT, false, false);
        world_settle(w);
    }
    assert_true(w->counts.refused >= refused);
    assert_int_equal(health(w), SPOOL_HEALTH_FULL);
}

static uint64_t messages(struct world *w)
{
    struct spool_figures figures;

    spool_figures(w->spool, &figures);
    return figures.messages;
}

static void leave(struct world *w, uint64_t count)
{
    for (int i = 0; i < 20000 && messages(w) > count; i++) {
        world_change(w);
        world_settle(w);
    }
    assert_true(messages(w) <= count);
}

static void time_goes_by(struct world *w)
{
    for (int i = 0; i < 3; i++) {
        w->boot_usec += 31000000;
        world_settle(w);
    }
}

static void mail_is_taken(struct world *w)
{
    unsigned long refused = w->counts.refused;

    for (int i = 0; i < 3; i++) {
        world_accept(w, CONTENT, false, false);
        world_settle(w);
    }
    assert_int_equal(w->counts.refused, refused);
    assert_int_equal(health(w), SPOOL_HEALTH_OK);
}

static void begin_small(struct world *w, uint64_t min_free)
{
    world_init(w, 5, SIM_HONEST);
    w->options.segment_octets = SEGMENT;
    w->options.min_free_octets = min_free;
    w->disk->capacity = SMALL_DISK;
    w->space_short = true;
    assert_true(world_open(w));
}

static void end_small(struct world *w)
{
    must_be_right(w, "afterwards", 0);
    world_end(w, SIM_END_POWER);
    assert_true(world_open(w));
    world_check(w);
    must_be_right(w, "recovered", 0);
    world_end(w, SIM_END_PROCESS);
    world_done(w);
}

/* INV-15: what is owed begins a segment of the reserve, and no message follows it there. */
static void between_messages_what_is_owed_keeps_its_reserve(void **state)
{
    struct world w;

    (void)state;
    begin_small(&w, 0);
    for (int i = 0; i < 2000 && w.counts.refused < 200; i++) {
        w.boot_usec += 2000000;
        world_accept(&w, CONTENT, false, false);
        world_defer(&w);
        world_settle(&w);
    }
    assert_int_equal(health(&w), SPOOL_HEALTH_FULL);
    for (int i = 0; i < 400; i++) {
        world_defer(&w);
        world_settle(&w);
        assert_null(w.batches); /* it is durable */
    }
    end_small(&w);
}

static uint32_t free_segments(struct world *w)
{
    struct spool_figures figures;

    spool_figures(w->spool, &figures);
    return figures.segments_free;
}

/* INV-5: a frame failed, and there is no place for what ends it: it may count yet, and nobody is told otherwise. */
static void what_cannot_be_taken_back_for_want_of_space_is_in_doubt(void **state)
{
    struct world w;

    (void)state;
    begin_small(&w, SEGMENT / 2);
    world_accept(&w, CONTENT, false, false);
    world_settle(&w);
    w.disk->other = SMALL_DISK;
    w.boot_usec += 2000000;
    world_accept(&w, CONTENT, false, false); /* this one makes it look */
    world_settle(&w);
    assert_int_equal(health(&w), SPOOL_HEALTH_FULL);
    for (int i = 0; i < 1000 && free_segments(&w); i++) {
        world_accept(&w, CONTENT, false, true);
        world_settle(&w);
    }
    assert_int_equal(free_segments(&w), 0);

    w.faults = true;
    w.disk->fail_rate = 1;
    world_defer(&w);
    w.boot_usec += 1000000;
    settle_commits(&w);
    w.disk->fail_rate = 0;
    settle_commits(&w);
    assert_int_equal(health(&w), SPOOL_HEALTH_REFUSING);
    assert_non_null(w.batches); /* it waits */

    w.disk->other = 0;
    time_goes_by(&w);
    w.faults = false;
    assert_null(w.batches);
    mail_is_taken(&w);
    end_small(&w);
}

static void a_disk_full_of_what_is_over_takes_mail_again(void **state)
{
    struct world w;

    (void)state;
    begin_small(&w, 0);
    fill(&w, 3);
    leave(&w, 0);
    time_goes_by(&w);
    mail_is_taken(&w);
    end_small(&w);
}

static void the_log_alone_never_brings_a_disk_below_min_free(void **state)
{
    struct world w;
    struct spool_space space;

    (void)state;
    begin_small(&w, SEGMENT / 2);
    fill(&w, 3);
    assert_int_equal(w.options.disk->ops->space(w.options.disk, &space), 0);
    assert_true(space.octets_free >= SEGMENT / 2);
    leave(&w, 0);
    time_goes_by(&w);
    mail_is_taken(&w);
    end_small(&w);
}

/* What others take of the disk the log gives up, as far as nothing lives in it. */
static void a_log_of_which_little_lives_makes_room_for_others(void **state)
{
    struct world w;

    (void)state;
    begin_small(&w, SEGMENT / 2);
    fill(&w, 3);
    leave(&w, 20);
    w.disk->other = 2 * SEGMENT;
    w.boot_usec += 2000000;
    world_accept(&w, CONTENT, false, false); /* this one makes it look */
    world_settle(&w);
    time_goes_by(&w);
    mail_is_taken(&w);
    assert_true(messages(&w) >= 20);
    end_small(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_may_fail_and_the_process_die),
        cmocka_unit_test(any_call_may_fail_and_the_power),
        cmocka_unit_test(any_call_may_find_no_space),
        cmocka_unit_test(any_call_may_find_no_descriptor),
        cmocka_unit_test(at_a_start_from_a_checkpoint_any_call_may_fail),
        cmocka_unit_test(when_nothing_can_be_written_all_is_refused_until_it_can),
        cmocka_unit_test(on_a_full_disk_outcomes_go_on),
        cmocka_unit_test(below_min_free_new_mail_is_refused_before_it_is_written),
        cmocka_unit_test(between_messages_what_is_owed_keeps_its_reserve),
        cmocka_unit_test(what_cannot_be_taken_back_for_want_of_space_is_in_doubt),
        cmocka_unit_test(a_disk_full_of_what_is_over_takes_mail_again),
        cmocka_unit_test(the_log_alone_never_brings_a_disk_below_min_free),
        cmocka_unit_test(a_log_of_which_little_lives_makes_room_for_others),
    };

    return cmocka_run_group_tests_name("fault/spool-nth", tests, NULL, NULL);
}
