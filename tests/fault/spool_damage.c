/* What a disk has changed afterwards is said, never believed; what is whole is kept (docs/SPOOL.md 9). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "spool/format.h"
#include "tests/simulate/each.h"
#include "tests/simulate/world.h"

enum { MESSAGES = 12 };

/* What an opening of a damaged spool found. */
struct found {
    struct world *world;
    unsigned whole, damaged;
    bool opened;
    struct err err;
    struct spool_recovered recovered;
};

static void on_entry(void *ctx, const struct spool_read *entry, bool damaged)
{
    struct found *f = ctx;

    if (damaged)
        f->damaged++;
    else
        f->whole++;
    assert_true(entry->id.n != 0);
}

static struct found look(struct world *w)
{
    struct found f = { .world = w };

    w->spool = spool_open(&w->options, &f.err);
    if (!w->spool) {
        assert_true(f.err.text[0] != '\0');
        sim_disk_end(w->disk, SIM_END_PROCESS);
        return f;
    }
    f.opened = true;
    f.recovered = *spool_recovered(w->spool);
    assert_true(each_message(w->spool, on_entry, &f, &f.err));
    world_end(w, SIM_END_PROCESS);
    return f;
}

/* Messages, each in a frame of its own. */
static void fill(struct world *w, unsigned count)
{
    world_init(w, 21, SIM_HONEST);
    w->options.segment_octets = 4096 * 8;
    assert_true(world_open(w));
    for (unsigned i = 0; i < count; i++) {
        world_accept(w, 200 + i * 20, false, false);
        world_settle(w);
    }
    assert_null(w->wrong);
    world_end(w, SIM_END_PROCESS);
}

static void one_changed_octet_costs_one_message_and_is_said(void **state)
{
    struct world w;
    unsigned tried = 0, said = 0;

    (void)state;
    fill(&w, MESSAGES);
    for (uint32_t segment = 1; segment < 4; segment++) {
        struct spool_name name = spool_segment_name(segment);
        uint64_t length = sim_disk_length(w.disk, name.c);
        for (uint64_t at = 0; at < length; at += at % 4096 < 700 ? 5 : 211) {
            assert_true(sim_disk_rot(w.disk, name.c, at));
            struct found f = look(&w);
            if (!f.opened)
                fail_msg("octet %llu of %s: %s", (unsigned long long)at, name.c, f.err.text);
            if (f.whole + 1 < MESSAGES)
                fail_msg("octet %llu of %s: %u whole, %u damaged: %s", (unsigned long long)at, name.c,
                         f.whole, f.damaged, f.recovered.text);
            if (f.whole < MESSAGES) {
                assert_true(f.damaged || f.recovered.lost_frames || f.recovered.dropped_frames ||
                            f.recovered.text[0] || at % 4096 < 4);
                said++;
            }
            assert_true(sim_disk_rot(w.disk, name.c, at));
            tried++;
        }
    }
    struct found f = look(&w);
    assert_int_equal(f.whole, MESSAGES); /* nothing was destroyed meanwhile (INV-6) */
    print_message("%u octets changed, %u damages said\n", tried, said);
    assert_true(said > 20);
    world_done(&w);
}

static void a_changed_content_is_never_given(void **state)
{
    struct world w;
    struct spool_name name = spool_segment_name(1);

    (void)state;
    world_init(&w, 4, SIM_HONEST);
    w.options.segment_octets = 4096 * 8;
    assert_true(world_open(&w));
    world_accept(&w, 2000, false, false);
    world_settle(&w);
    world_accept(&w, 100, false, false); /* so that the first is known to be durable */
    world_settle(&w);
    assert_true(sim_disk_rot(w.disk, name.c, 4096 + 2000));
    world_check(&w);
    assert_string_equal(w.wrong,
                        "a live message could not be read"); /* SPOOL_READ_DAMAGED, and no octet of it */
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
}

/* Goes round the log until segments were used again, so that the log has no beginning any more. */
static void fill_round(struct world *w)
{
    world_init(w, 8, SIM_HONEST);
    w->options.segment_octets = 4096 * 5;
    assert_true(world_open(w));
    for (unsigned i = 0; i < 60; i++) {
        world_accept(w, 300, false, false);
        world_settle(w);
        world_change(w);
        world_change(w);
        spool_want_checkpoint(w->spool);
        world_settle(w);
    }
    assert_null(w->wrong);
    world_end(w, SIM_END_PROCESS);
}

static void either_checkpoint_alone_is_enough(void **state)
{
    static const char *const names[] = { "checkpoint-a", "checkpoint-b" };
    struct world w;

    (void)state;
    fill_round(&w);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_true(sim_disk_rot(w.disk, names[i], 4200));
        assert_true(world_open(&w));
        world_check(&w);
        if (w.wrong)
            fail_msg("without %s: %s: %s", names[i], w.wrong, w.detail);
        world_end(&w, SIM_END_PROCESS);
        assert_true(sim_disk_rot(w.disk, names[i], 4200));
    }
    world_done(&w);
}

static void without_any_checkpoint_nothing_delivered_returns(void **state)
{
    struct world w;

    (void)state;
    fill_round(&w);
    assert_true(sim_disk_rot(w.disk, "checkpoint-a", 20) && sim_disk_rot(w.disk, "checkpoint-b", 20));
    struct found f = look(&w);
    assert_false(f.opened);
    assert_true(str_contains(str_from_c(f.err.text), STR("checkpoint")));
    assert_true(sim_disk_remove(w.disk, "checkpoint-a") && sim_disk_remove(w.disk, "checkpoint-b"));
    f = look(&w);
    assert_false(f.opened);
    world_done(&w);
}

static void ids_rise_without_start_numbers(void **state)
{
    struct world w;

    (void)state;
    fill(&w, 3);
    assert_true(sim_disk_rot(w.disk, "start", 9) && sim_disk_rot(w.disk, "start", 4096 + 9));
    assert_true(world_open(&w));
    world_check(&w);
    assert_true(str_contains(str_from_c(spool_recovered(w.spool)->text), STR("start")));
    world_accept(&w, 100, false, false); /* checks that the id is a new one */
    world_settle(&w);
    assert_null(w.wrong);
    world_end(&w, SIM_END_PROCESS);
    world_done(&w);
}

static void a_missing_own_file_damages_its_message_only(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 4, SIM_HONEST);
    assert_true(world_open(&w));
    world_settle(&w); /* the pool is made */
    world_accept(&w, 3000, true, false);
    world_accept(&w, 300, false, false);
    world_settle(&w);
    world_end(&w, SIM_END_PROCESS);
    for (uint64_t i = 1; i < 10; i++)
        if (sim_disk_length(w.disk, spool_own_name(i).c))
            assert_true(sim_disk_remove(w.disk, spool_own_name(i).c));
    struct found f = look(&w);
    assert_int_equal(f.damaged, 1);
    assert_int_equal(f.whole, 1);
    world_done(&w);
}

/* ---- garbage ---- */

static void spoil(struct world *w, struct random *r, const char *name)
{
    uint64_t length = sim_disk_length(w->disk, name), at;
    unsigned char octets[600];
    int fd;

    if (w->disk->disk.ops->open(&w->disk->disk, name, length ? SPOOL_OPEN_WRITE : SPOOL_OPEN_NEW, &fd))
        return;
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = random_one_in(r, 3) ? 0 : (unsigned char)random_next(r);
    at = length ? random_below(r, length) : 0;
    (void)sim_disk_put(w->disk, fd, octets, 1 + random_below(r, sizeof(octets)), at);
    w->disk->disk.ops->close(&w->disk->disk, fd);
}

static void garbage_is_refused_or_survived(void **state)
{
    static const char *const names[] = { "log-00000001",         "log-00000002", "log-00000003",
                                         "log-00000007",         "log-0ffffff0", "checkpoint-a",
                                         "checkpoint-b",         "start",        "own-0000000000000001",
                                         "own-ffffffffffffffff", "what is this", "format.new" };
    unsigned opened = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct world w;
        struct random r = { seed };
        fill(&w, 4);
        for (uint64_t n = 1 + random_below(&r, 5); n > 0; n--)
            spoil(&w, &r, names[random_below(&r, ARRAY_LEN(names))]);
        struct found f = look(&w);
        opened += f.opened;
        if (f.opened && world_open(&w)) {
            world_accept(&w, 100, false, false);
            world_settle(&w);
            world_end(&w, SIM_END_PROCESS);
        }
        world_done(&w);
    }
    print_message("%u of 400 opened\n", opened);
    assert_true(opened > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_changed_octet_costs_one_message_and_is_said),
        cmocka_unit_test(a_changed_content_is_never_given),
        cmocka_unit_test(either_checkpoint_alone_is_enough),
        cmocka_unit_test(without_any_checkpoint_nothing_delivered_returns),
        cmocka_unit_test(ids_rise_without_start_numbers),
        cmocka_unit_test(a_missing_own_file_damages_its_message_only),
        cmocka_unit_test(garbage_is_refused_or_survived),
    };

    return cmocka_run_group_tests_name("fault/spool-damage", tests, NULL, NULL);
}
