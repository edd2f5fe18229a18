/* Cleaning, over a disk in memory, step by step: the log stays short, nothing changes, a full disk gets room
 * again. */
#include "tests/unit/unit.h"

#include "spool/engine.h"
#include "spool/spool.h"
#include "tests/simulate/disk.h"

enum { SEGMENT = 64 << 10, OCTETS = 3000, ALL_MAX = 4000 };

struct message {
    struct queue_id id;
    bool live, held, edited;
    uint32_t version;
};

struct fixture {
    struct sim_disk *disk;
    struct spool_clock clock;
    int64_t boot_usec;
    struct spool_options options;
    struct spool *spool;
    struct message all[ALL_MAX];
    size_t count;
    char content[OCTETS + 1];
    unsigned refused;
};

static int64_t utc(const struct spool_clock *clock)
{
    (void)clock;
    return 1000;
}

static int64_t boot(const struct spool_clock *clock)
{
    return CONTAINER_OF(clock, const struct fixture, clock)->boot_usec;
}

static void open_it(struct fixture *f)
{
    struct err err = { 0 };

    f->spool = spool_open(&f->options, &err);
    if (!f->spool)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->disk = sim_disk_new(1);
    f->clock = (struct spool_clock){ .utc_msec = utc, .boot_usec = boot };
    f->boot_usec = 1;
    f->options = (struct spool_options){
        .disk = &f->disk->disk, .clock = &f->clock, .segment_octets = SEGMENT, .own_files = 1, .manual = true
    };
    for (size_t i = 0; i < OCTETS; i++)
        f->content[i] = (char)('a' + i % 23);
    open_it(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    spool_close(f->spool);
    sim_disk_free(f->disk);
    free(f);
    return 0;
}

/* All steps until there is nothing to do. */
static void run(struct fixture *f)
{
    int64_t until;

    for (bool more = true; more;) {
        enum spool_step content = spool_step_content(f->spool);
        enum spool_step commit = spool_step_commit(f->spool, &until);
        enum spool_step upkeep = spool_step_upkeep(f->spool, &until);
        more = content == SPOOL_STEP_DONE || commit != SPOOL_STEP_IDLE || upkeep == SPOOL_STEP_DONE;
        f->boot_usec += commit == SPOOL_STEP_WAIT ? 100000 : 1;
        spool_poll(f->spool);
    }
}

struct waiting {
    struct spool_commit commit;
    struct fixture *fixture;
    enum spool_status status;
};

static void on_done(struct spool_commit *commit, const struct spool_result *result)
{
    struct waiting *w = CONTAINER_OF(commit, struct waiting, commit);

    w->status = result->status;
    w->fixture->refused += result->status != SPOOL_OK;
}

static enum spool_status submit(struct fixture *f, struct spool_batch *batch, bool owed)
{
    struct waiting w = { .commit.done = on_done, .fixture = f, .status = SPOOL_FAILED };
    struct err err = { 0 };

    if (!spool_submit(f->spool, batch, (struct spool_submit){ SPOOL_URGENT, owed }, &w.commit, &err))
        fail_msg("%s", err.text);
    run(f);
    return w.status;
}

static enum spool_status accept_one(struct fixture *f)
{
    struct message *m = &f->all[f->count];
    struct spool_batch *batch = spool_batch_new();

    assert_true(f->count < ALL_MAX);
    assert_true(spool_take_ids(f->spool, 1, &m->id));
    struct spool_message message = { .id = m->id,
                                     .envelope = STR("first envelope"),
                                     .head = str_of(f->content, 100),
                                     .body = str_of(f->content + 100, OCTETS - 100) };
    memcpy(message.token.octet, &m->id, sizeof(m->id));
    assert_true(spool_batch_message(batch, &message));
    enum spool_status status = submit(f, batch, false);
    m->live = status == SPOOL_OK;
    f->count += m->live;
    return status;
}

static void end_one(struct fixture *f, struct message *m)
{
    struct spool_batch *batch = spool_batch_new();

    assert_true(spool_batch_gone(batch, m->id));
    assert_int_equal(submit(f, batch, true), SPOOL_OK);
    m->live = false;
}

/* A state, and for some a hold or another envelope. */
static void defer_one(struct fixture *f, struct message *m, size_t i)
{
    struct spool_batch *batch = spool_batch_new();

    m->version++;
    assert_true(spool_batch_outcome(batch, m->id, m->version, STR("deferred")));
    if (i % 3 == 0 && !m->held) {
        assert_true(spool_batch_hold(batch, m->id, STR("limit")));
        m->held = true;
    }
    if (i % 4 == 0) {
        assert_true(spool_batch_edit(batch, m->id, STR("another envelope")));
        m->edited = true;
    }
    assert_int_equal(submit(f, batch, true), SPOOL_OK);
}

struct reading {
    struct spool_read read;
    bool ended;
};

static void on_read(struct spool_read *read)
{
    CONTAINER_OF(read, struct reading, read)->ended = true;
}

static void check_one(struct fixture *f, const struct message *m)
{
    struct reading r = { .read.done = on_read };

    spool_read(f->spool, m->id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT | SPOOL_READ_HOLD,
               &r.read);
    run(f);
    assert_true(r.ended);
    assert_int_equal(r.read.status, m->live ? SPOOL_READ_OK : SPOOL_READ_GONE);
    if (m->live) {
        assert_str_is(r.read.envelope, m->edited ? STR("another envelope") : STR("first envelope"));
        assert_str_is(r.read.state, m->version ? STR("deferred") : STR_NONE);
        assert_int_equal(r.read.state_version, m->version);
        assert_int_equal(r.read.held, m->held);
        assert_str_is(r.read.hold_reason, m->held ? STR("limit") : STR_NONE);
        assert_str_is(r.read.head, str_of(f->content, 100));
        assert_str_is(r.read.body, str_of(f->content + 100, OCTETS - 100));
    }
    spool_read_done(f->spool, &r.read);
}

static void check_all(struct fixture *f)
{
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < f->count; i++)
            check_one(f, &f->all[i]);
        spool_die(f->spool);
        sim_disk_end(f->disk, SIM_END_POWER);
        open_it(f);
    }
}

static struct spool_figures figures(struct fixture *f)
{
    struct spool_figures out;

    spool_figures(f->spool, &out);
    return out;
}

/* One of twenty stays; each segment would hold one or two for ever. */
static void a_long_deferred_message_in_each_segment_does_not_keep_the_log_long(void **state)
{
    enum { COUNT = 2000, STAYS = 20 };
    struct fixture *f = *state;
    uint64_t live = 0;

    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(accept_one(f), SPOOL_OK);
        if (i % STAYS == 0) {
            defer_one(f, &f->all[i], i / STAYS);
            live += OCTETS + 300;
        } else {
            end_one(f, &f->all[i]);
        }
        assert_true(figures(f).log_octets <= 3 * live + 16ULL * SEGMENT);
    }
    assert_true(figures(f).cleaned > 0);
    assert_true(figures(f).cleaned <= figures(f).written / 2);
    check_all(f);
}

static void what_is_free_beyond_need_is_given_back(void **state)
{
    enum { COUNT = 600 };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(accept_one(f), SPOOL_OK);
    uint32_t most = figures(f).segments;
    assert_true(most > 30);
    for (size_t i = 0; i < COUNT; i++)
        end_one(f, &f->all[i]);
    for (int i = 0; i < 3; i++) {
        spool_want_checkpoint(f->spool);
        run(f);
    }
    assert_true(figures(f).segments <= 60);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(accept_one(f), SPOOL_OK);
        end_one(f, &f->all[f->count - 1]);
    }
    for (int i = 0; i < 3; i++) {
        spool_want_checkpoint(f->spool);
        run(f);
    }
    print_message("%u segments, then %u\n", most, figures(f).segments);
    assert_true(figures(f).segments <= 10);
    assert_true(sim_disk_octets(f->disk) <= 11ULL * SEGMENT + (2 << 20));
    check_all(f);
    assert_string_equal(spool_recovered(f->spool)->text, ""); /* none is missed */
}

static void idle_and_with_plenty_free_nothing_is_cleaned(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 12; i++)
        assert_int_equal(accept_one(f), SPOOL_OK);
    for (size_t i = 0; i < 12; i += 2)
        end_one(f, &f->all[i]);
    uint64_t written = figures(f).written;
    for (int i = 0; i < 1000; i++) {
        f->boot_usec += 60LL * 1000000;
        run(f);
    }
    assert_int_equal(figures(f).written, written);
    assert_int_equal(figures(f).cleaned, 0);
}

/* INV-15: a disk that is full of half-empty segments. */
static void on_a_full_disk_all_that_is_owed_is_written_and_cleaning_makes_room(void **state)
{
    enum { DISK = 24 };
    struct fixture *f = *state;

    f->disk->capacity = (uint64_t)DISK * SEGMENT + (1 << 20);
    while (accept_one(f) == SPOOL_OK)
        ;
    assert_int_equal(figures(f).health, SPOOL_HEALTH_FULL);
    size_t full = f->count;
    assert_true(full > 200);
    for (size_t i = 0; i < full; i++) { /* owed: asserts SPOOL_OK */
        if (i % 3)
            end_one(f, &f->all[i]);
        else
            defer_one(f, &f->all[i], i);
    }
    f->boot_usec += 60LL * 1000000;
    run(f);
    assert_true(figures(f).cleaned > 0);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(accept_one(f), SPOOL_OK);
    check_all(f);
}

/* So that several fit, and each can be given back. */
static void on_a_small_disk_segments_are_smaller(void **state)
{
    static const struct {
        unsigned disk_mib, segment_mib;
    } sizes[] = { { 4096, 64 }, { 1024, 64 }, { 1023, 32 }, { 512, 32 }, { 400, 16 }, { 64, 16 } };
    struct fixture *f = *state;

    f->options.segment_octets = 0;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        spool_die(f->spool);
        f->disk->capacity = (uint64_t)sizes[i].disk_mib << 20;
        open_it(f);
        size_t most = spool_batch_max(f->spool);
        assert_true(most < (size_t)sizes[i].segment_mib << 20);
        assert_true(most > (size_t)(sizes[i].segment_mib - 1) << 20);
    }
}

/* What the copy was read as is no longer so when it would be written: each kind of change in between. */
static void a_change_between_reading_and_writing_a_copy_is_not_undone(void **state)
{
    struct fixture *f = *state;
    int64_t until;

    for (size_t i = 0; i < 1200; i++) {
        assert_int_equal(accept_one(f), SPOOL_OK);
        if (i % 20)
            end_one(f, &f->all[i]);
        else if (i % 100 == 0)
            defer_one(f, &f->all[i], i);
        if (!figures(f).cleaning)
            continue;
        while (spool_step_upkeep(f->spool, &until) == SPOOL_STEP_DONE)
            ;
        for (size_t k = 0; k < i; k += 20) {
            struct message *m = &f->all[k];
            if (m->live && k % 60 == 0)
                end_one(f, m);
            else if (m->live && m->version < 3)
                defer_one(f, m, k / 20 + m->version);
        }
    }
    assert_true(figures(f).cleaned > 0);
    check_all(f);
}

#define WITH_SPOOL(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SPOOL(a_long_deferred_message_in_each_segment_does_not_keep_the_log_long),
        WITH_SPOOL(what_is_free_beyond_need_is_given_back),
        WITH_SPOOL(idle_and_with_plenty_free_nothing_is_cleaned),
        WITH_SPOOL(on_a_full_disk_all_that_is_owed_is_written_and_cleaning_makes_room),
        WITH_SPOOL(on_a_small_disk_segments_are_smaller),
        WITH_SPOOL(a_change_between_reading_and_writing_a_copy_is_not_undone),
    };

    return cmocka_run_group_tests_name("spool/clean", tests, NULL, NULL);
}
