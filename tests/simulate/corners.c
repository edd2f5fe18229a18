/*
 * tests/simulate/corners.c -- what chance hardly meets: rare faults of the spool, each set up step by step (docs/SPOOL.md
 * 7, 8).
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "core/check.h"
#include "spool/format.h"
#include "tests/simulate/world.h"

enum { BLOCKS = 8, WHOLE_FRAME = 4096 * 3, CUTS = 12 };

/* A batch of ours and what became of it. */
struct try {
    struct spool_commit commit;
    bool ended;
    enum spool_status status;
};

static char octets[WHOLE_FRAME];

static void on_done(struct spool_commit *commit, const struct spool_result *result)
{
    struct try *t = CONTAINER_OF(commit, struct try, commit);

    assert_false(t->ended);
    t->ended = true;
    t->status = result->status;
}

static void begin(struct world *w)
{
    world_init(w, 3, SIM_HONEST);
    w->options.segment_octets = 4096 * BLOCKS;
    w->faults = true; /* what is refused is looked at here */
    assert_true(world_open(w));
    world_settle(w);
}

static void end(struct world *w)
{
    assert_null(w->wrong);
    world_end(w, SIM_END_PROCESS);
    world_done(w);
}

static void again(struct world *w)
{
    world_end(w, SIM_END_PROCESS);
    assert_true(world_open(w));
}

static void submit(struct world *w, struct spool_batch *batch, bool owed, struct try *t)
{
    struct err err = { 0 };

    *t = (struct try){ .commit.done = on_done };
    if (!spool_submit(w->spool, batch, (struct spool_submit){ .urgency = SPOOL_URGENT, .owed = owed }, &t->commit, &err))
        fail_msg("%s", err.text);
}

static struct spool_token token_of(struct queue_id id)
{
    struct spool_token token = { { 0 } };

    memcpy(token.octet, &id.n, sizeof(id.n));
    return token;
}

/* A message of N octets; its token is its id. */
static struct queue_id message(struct world *w, size_t n, struct try *t)
{
    struct spool_batch *batch = spool_batch_new();
    struct queue_id id;

    assert_true(spool_take_ids(w->spool, 1, &id));
    assert_true(spool_batch_message(batch, &(struct spool_message){
                                               .id = id,
                                               .token = token_of(id),
                                               .envelope = STR("envelope"),
                                               .body = str_of(octets, n),
                                           }));
    submit(w, batch, false, t);
    return id;
}

static struct queue_id message_with_file(struct world *w, struct try *t)
{
    struct spool_batch *batch = spool_batch_new();
    struct spool_file file;
    struct queue_id id;

    assert_true(spool_take_ids(w->spool, 1, &id));
    assert_true(spool_file_take(w->spool, &file));
    assert_int_equal(sim_disk_put(w->disk, file.fd, octets, sizeof(octets), 0), 0);
    w->disk->disk.ops->close(&w->disk->disk, file.fd);
    assert_true(spool_batch_message(batch, &(struct spool_message){
                                               .id = id,
                                               .token = token_of(id),
                                               .envelope = STR("envelope"),
                                               .file = file.number,
                                               .file_octets = sizeof(octets),
                                           }));
    submit(w, batch, false, t);
    world_settle(w);
    assert_true(t->ended && t->status == SPOOL_OK);
    return id;
}

static void outcome(struct world *w, struct queue_id id, uint32_t version, struct try *t)
{
    struct spool_batch *batch = spool_batch_new();

    assert_true(spool_batch_outcome(batch, id, version, str_of("state", 5)));
    submit(w, batch, true, t);
}

static struct queue_id stored(struct world *w, size_t n)
{
    struct try t;
    struct queue_id id = message(w, n, &t);

    world_settle(w);
    assert_true(t.ended && t.status == SPOOL_OK);
    return id;
}

static void gone(struct world *w, struct queue_id id, bool is_void)
{
    struct spool_batch *batch = spool_batch_new();
    struct try t;

    assert_true(is_void ? spool_batch_void(batch, id) : spool_batch_gone(batch, id));
    submit(w, batch, true, &t);
    world_settle(w);
    assert_true(t.ended && t.status == SPOOL_OK);
}

static void checkpoint(struct world *w)
{
    spool_want_checkpoint(w->spool);
    world_settle(w);
}

/* ---- reading ---- */

static enum spool_read_status seen;

static void on_read(struct spool_read *read)
{
    seen = read->status;
}

static enum spool_read_status read_it(struct world *w, struct queue_id id, unsigned parts)
{
    struct spool_read read = { .done = on_read };

    seen = SPOOL_READ_FAILED;
    spool_read(w->spool, id, parts, &read);
    while (spool_step_content(w->spool) == SPOOL_STEP_DONE)
        ;
    spool_poll(w->spool);
    spool_read_done(w->spool, &read);
    return seen;
}

/* ---- failures ---- */

/* DESIGN 5: outcomes are written there again, messages are voided and answered 451. */
static void what_is_owed_is_written_again_when_its_frame_failed(void **state)
{
    struct world w;
    struct try owed, not_owed;

    begin(&w);
    struct queue_id id = stored(&w, 100);
    outcome(&w, id, 1, &owed);
    struct queue_id refused = message(&w, 100, &not_owed);
    w.disk->fail_at = w.disk->calls + 2; /* the sync */
    w.disk->fail_errno = EIO;
    world_settle(&w);
    assert_int_equal(w.disk->failed, 1);
    assert_true(owed.ended && owed.status == SPOOL_OK);
    assert_true(not_owed.ended && not_owed.status == SPOOL_FAILED);
    assert_int_equal(read_it(&w, refused, SPOOL_READ_ENVELOPE), SPOOL_READ_GONE);
    again(&w);
    assert_int_equal(read_it(&w, id, SPOOL_READ_STATE), SPOOL_READ_OK);
    assert_int_equal(read_it(&w, refused, SPOOL_READ_ENVELOPE), SPOOL_READ_GONE);
    end(&w);
}

/* Owed while nothing could be written: it waits for the latch to open, and nobody hears 250 before. */
static void the_latch_opens_with_the_first_success(void **state)
{
    struct world w;
    struct try owed, t;
    struct spool_figures figures;

    begin(&w);
    struct queue_id id = stored(&w, 100);
    w.disk->fail_rate = 1;
    message(&w, 100, &t);
    outcome(&w, id, 1, &owed);
    for (int i = 0; i < 20; i++) {
        int64_t until;
        (void)spool_step_commit(w.spool, &until);
        spool_poll(w.spool);
    }
    assert_true(t.ended && t.status == SPOOL_FAILED);
    assert_false(owed.ended);
    spool_figures(w.spool, &figures);
    assert_int_equal(figures.health, SPOOL_HEALTH_REFUSING);
    message(&w, 100, &t);
    spool_poll(w.spool);
    assert_true(t.ended && t.status == SPOOL_FAILED);
    w.disk->fail_rate = 0;
    w.boot_usec += 31 * 1000000;
    world_settle(&w);
    assert_true(owed.ended && owed.status == SPOOL_OK);
    spool_figures(w.spool, &figures);
    assert_int_equal(figures.health, SPOOL_HEALTH_OK);
    (void)stored(&w, 100);
    end(&w);
}

/* DESIGN 3: receive asks the successor by token. */
static void the_token_of_what_was_taken_back_does_not_stand(void **state)
{
    struct world w;
    struct queue_id found;

    begin(&w);
    struct queue_id stands = stored(&w, 100), back = stored(&w, 100), done = stored(&w, 100);
    gone(&w, back, true);
    gone(&w, done, false);
    for (int i = 0; i < 3; i++) {
        struct spool_token a = token_of(stands), b = token_of(back), c = token_of(done);
        assert_int_equal(spool_token_find(w.spool, &a, &found), SPOOL_TOKEN_ACCEPTED);
        assert_int_equal(spool_token_find(w.spool, &b, &found), SPOOL_TOKEN_VOID);
        assert_int_equal(spool_token_find(w.spool, &c, &found), SPOOL_TOKEN_ACCEPTED);
        if (i == 1)
            checkpoint(&w);
        again(&w);
    }
    end(&w);
}

/* ---- own files ---- */

static uint64_t own_number(struct world *w)
{
    for (uint64_t n = 1; n < 1000; n++)
        if (sim_disk_length(w->disk, spool_own_name(n).c))
            return n;
    fail_msg("no own file has octets");
    return 0;
}

/* INV-3. */
static void a_large_message_that_was_changed_is_never_given(void **state)
{
    struct world w;
    struct try t;

    begin(&w);
    struct queue_id id = message_with_file(&w, &t), neighbour = stored(&w, 100);
    assert_int_equal(read_it(&w, id, SPOOL_READ_CONTENT), SPOOL_READ_OK);
    assert_true(sim_disk_rot(w.disk, spool_own_name(own_number(&w)).c, 5000));
    assert_int_equal(read_it(&w, id, SPOOL_READ_CONTENT), SPOOL_READ_DAMAGED);
    assert_int_equal(read_it(&w, neighbour, SPOOL_READ_CONTENT), SPOOL_READ_OK);
    end(&w);
}

/* INV-6: the frame that cannot be read may be that of the message whose file it is. */
static void after_an_unreadable_frame_no_own_file_is_an_orphan(void **state)
{
    struct world w;
    struct try t;

    begin(&w);
    (void)message_with_file(&w, &t);
    (void)stored(&w, 100);
    (void)stored(&w, 100);
    uint64_t number = own_number(&w);
    world_end(&w, SIM_END_PROCESS);
    assert_true(sim_disk_rot(w.disk, spool_segment_name(1).c, 4096 + 20));
    assert_true(world_open(&w));
    assert_int_equal(spool_recovered(w.spool)->lost_frames, 1);
    assert_true(sim_disk_length(w.disk, spool_own_name(number).c) > 0);
    checkpoint(&w);
    again(&w);
    assert_true(sim_disk_length(w.disk, spool_own_name(number).c) > 0);
    end(&w);
}

/* ---- segments used again too early ---- */

static struct {
    const struct spool_disk_ops *real;
    struct spool_disk_ops ops;
    struct world *world;
    struct queue_id id;
    bool read_armed, write_armed;
    bool no_checkpoint;
} meanwhile;

/* Frames that fill a segment each, and are dead at once. */
static void fill_segments(struct world *w, int n)
{
    for (int i = 0; i < n; i++)
        gone(w, stored(w, WHOLE_FRAME), false);
}

/* The state of the message gets a new place, the segment of the old one is dead, and all that is dead is used again. */
static void go_round(struct world *w)
{
    struct try t;

    fill_segments(w, 2);
    outcome(w, meanwhile.id, 4, &t);
    for (int i = 0; i < 12; i++) {
        fill_segments(w, 1);
        checkpoint(w);
    }
}

/* What the commit thread does alone. */
static void commit_alone(struct world *w, int frames)
{
    static struct try t, ended; /* what finds no room ends later */
    int64_t until;

    for (int i = 0; i < frames; i++) {
        struct queue_id id = message(w, WHOLE_FRAME, &t);
        while (!t.ended && spool_step_commit(w->spool, &until) == SPOOL_STEP_DONE)
            spool_poll(w->spool);
        if (!t.ended || t.status != SPOOL_OK)
            return;
        struct spool_batch *batch = spool_batch_new();
        assert_true(spool_batch_gone(batch, id));
        submit(w, batch, true, &ended);
        while (!ended.ended && spool_step_commit(w->spool, &until) == SPOOL_STEP_DONE)
            spool_poll(w->spool);
    }
}

/* What is owed goes on in the reserve, until that is used up, too. */
static void outcomes_alone(struct world *w, struct queue_id id)
{
    static struct try t; /* the last one finds no room, and ends with the process */
    int64_t until;

    for (uint32_t version = 10; version == 10 || t.ended; version++) {
        outcome(w, id, version, &t);
        while (!t.ended && spool_step_commit(w->spool, &until) == SPOOL_STEP_DONE)
            spool_poll(w->spool);
    }
}

static int pread_meanwhile(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    bool armed = meanwhile.read_armed;

    meanwhile.read_armed = false;
    if (armed)
        go_round(meanwhile.world);
    return meanwhile.real->pread(disk, fd, to, n, at, done);
}

static int pwritev_meanwhile(struct spool_disk *disk, int fd, const struct iovec *iov, int count, uint64_t at,
                             size_t *done)
{
    bool armed = meanwhile.write_armed;

    meanwhile.write_armed = false;
    if (armed)
        commit_alone(meanwhile.world, 2);
    return meanwhile.real->pwritev(disk, fd, iov, count, at, done);
}

static int open_meanwhile(struct spool_disk *disk, const char *name, enum spool_open_how how, int *fd)
{
    if (meanwhile.no_checkpoint && how != SPOOL_OPEN_READ && str_starts(str_from_c(name), STR("checkpoint-")))
        return EIO;
    return meanwhile.real->open(disk, name, how, fd);
}

static void begin_watched(struct world *w)
{
    begin(w);
    meanwhile.real = w->disk->disk.ops;
    meanwhile.world = w;
    meanwhile.no_checkpoint = false;
    meanwhile.ops = *meanwhile.real;
    meanwhile.ops.pread = pread_meanwhile;
    meanwhile.ops.pwritev = pwritev_meanwhile;
    meanwhile.ops.open = open_meanwhile;
    w->disk->disk.ops = &meanwhile.ops;
}

/* INV-10: a segment is reused only when dead by a durable checkpoint and unleased. */
static void a_segment_is_not_used_again_while_it_is_read(void **state)
{
    struct world w;
    struct try t;

    begin_watched(&w);
    meanwhile.id = stored(&w, 100);
    fill_segments(&w, 3);
    /* The third is the first of another segment: what is written there next is written over it. */
    for (uint32_t version = 1; version <= 3; version++) {
        outcome(&w, meanwhile.id, version, &t);
        world_settle(&w);
        assert_true(t.ended && t.status == SPOOL_OK);
    }
    meanwhile.read_armed = true;
    assert_int_equal(read_it(&w, meanwhile.id, SPOOL_READ_STATE), SPOOL_READ_OK);
    assert_false(meanwhile.read_armed);
    end(&w);
}

/* No other checkpoint can be written and no segment made: what is free is used up. Then one checkpoint is lost, or none. */
static void without_another(struct world *w, struct queue_id stays, const char *lost)
{
    meanwhile.no_checkpoint = true;
    w->disk->capacity = 1;
    commit_alone(w, 20);
    if (lost)
        outcomes_alone(w, stays);
    meanwhile.no_checkpoint = false;
    world_end(w, SIM_END_PROCESS);
    w->disk->capacity = 0;
    if (lost)
        assert_true(sim_disk_rot(w->disk, lost, 20));
    assert_true(world_open(w));
    assert_int_equal(spool_recovered(w->spool)->lost_frames, 0);
    assert_int_equal(read_it(w, stays, SPOOL_READ_CONTENT), SPOOL_READ_OK);
}

static void lose_a_checkpoint(const char *name, int fills, int frames)
{
    struct world w;

    begin_watched(&w);
    struct queue_id stays = stored(&w, 100);
    checkpoint(&w);
    fill_segments(&w, fills);
    checkpoint(&w);
    commit_alone(&w, frames);
    checkpoint(&w);
    without_another(&w, stays, name);
    end(&w);
}

/* INV-10: the newest checkpoint is lost; all that the older one needs is there, whatever was free when. */
static void segments_that_the_older_checkpoint_needs_are_not_used_again(void **state)
{
    for (int fills = 0; fills <= 6; fills++) {
        for (int frames = 0; frames <= 9; frames++) {
            lose_a_checkpoint("checkpoint-a", fills, frames);
            lose_a_checkpoint("checkpoint-b", fills, frames);
        }
    }
}

/* INV-10: the segment where replay begins died while the checkpoint was written. */
static void what_dies_while_a_checkpoint_is_written_is_not_used_again_by_it(void **state)
{
    struct world w;

    begin_watched(&w);
    struct queue_id stays = stored(&w, 100);
    fill_segments(&w, 2);
    checkpoint(&w);
    meanwhile.write_armed = true;
    spool_want_checkpoint(w.spool);
    int64_t until;
    (void)spool_step_upkeep(w.spool, &until);
    assert_false(meanwhile.write_armed);
    without_another(&w, stays, NULL);
    end(&w);
}

/* INV-4: the header of a segment rots; its first frame knows up to which frame the former one counts. */
static void a_frame_does_not_say_of_itself_that_it_is_durable(void **state)
{
    struct world w;
    struct try t;

    begin(&w);
    struct queue_id id = stored(&w, 100);
    (void)message(&w, 100, &t);
    w.disk->fail_at = w.disk->calls + 2; /* the sync */
    w.disk->fail_errno = EIO;
    world_settle(&w);
    assert_true(t.ended && t.status == SPOOL_FAILED);
    (void)stored(&w, 100);
    world_end(&w, SIM_END_PROCESS);
    assert_true(sim_disk_rot(w.disk, spool_segment_name(2).c, 20));
    assert_true(world_open(&w));
    assert_int_equal(spool_recovered(w.spool)->lost_frames, 0);
    assert_int_equal(spool_recovered(w.spool)->messages, 2);
    assert_int_equal(read_it(&w, id, SPOOL_READ_CONTENT), SPOOL_READ_OK);
    end(&w);
}

/* The place of the first N octets of our contents in a segment. */
static uint64_t place_in(struct world *w, const char *name, size_t n)
{
    static char medium[4096 * BLOCKS];
    struct spool_disk *disk = &w->disk->disk;
    size_t done = 0;
    int fd;

    assert_int_equal(disk->ops->open(disk, name, SPOOL_OPEN_READ, &fd), 0);
    assert_int_equal(disk->ops->pread(disk, fd, medium, sizeof(medium), 0, &done), 0);
    disk->ops->close(disk, fd);
    for (size_t at = 0; at + n <= done; at++)
        if (memcmp(medium + at, octets, n) == 0)
            return at;
    fail_msg("%s has not got them", name);
    return 0;
}

/*
 * INV-9: the process dies somewhere in writing a frame, and what it wrote is in the cache alone. What the recovery says of
 * it is so after a loss of power, too.
 */
static void what_a_recovery_says_stands_after_a_loss_of_power(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (unsigned cut = 1; cut <= CUTS; cut++) {
        struct world w;
        struct queue_id found;
        struct try t;
        begin(&w);
        w.disk->loss = SIM_LOSS_ALL;
        w.disk->cut_at = w.disk->changes + cut;
        struct spool_token token = token_of(message(&w, 100, &t));
        world_settle(&w);
        world_end(&w, SIM_END_PROCESS);
        assert_true(world_open(&w));
        bool stands = spool_token_find(w.spool, &token, &found) == SPOOL_TOKEN_ACCEPTED;
        accepted += stands && !t.ended;
        world_end(&w, SIM_END_POWER);
        assert_true(world_open(&w));
        if (stands)
            assert_int_equal(spool_token_find(w.spool, &token, &found), SPOOL_TOKEN_ACCEPTED);
        end(&w);
    }
    assert_true(accepted > 0); /* the case was met */
}

/* INV-3: what rotted is not copied, for the copy would have a sum of its own. */
static void what_is_cleaned_is_compared_with_its_sum(void **state)
{
    struct queue_id neighbours[20];
    struct spool_figures figures;
    struct world w;

    begin(&w);
    memset(octets, 'x', sizeof(octets));
    struct queue_id rotten = stored(&w, 100);
    struct spool_name name = spool_segment_name(1);
    assert_true(sim_disk_rot(w.disk, name.c, place_in(&w, name.c, 100) + 50));
    for (size_t i = 0; i < ARRAY_LEN(neighbours); i++) {
        fill_segments(&w, 1);
        neighbours[i] = stored(&w, 100);
    }
    spool_figures(w.spool, &figures);
    assert_true(figures.cleaned > 0);
    assert_int_equal(read_it(&w, rotten, SPOOL_READ_CONTENT), SPOOL_READ_DAMAGED);
    for (size_t i = 0; i < ARRAY_LEN(neighbours); i++)
        assert_int_equal(read_it(&w, neighbours[i], SPOOL_READ_CONTENT), SPOOL_READ_OK);
    memset(octets, 0, sizeof(octets));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_owed_is_written_again_when_its_frame_failed),
        cmocka_unit_test(the_latch_opens_with_the_first_success),
        cmocka_unit_test(the_token_of_what_was_taken_back_does_not_stand),
        cmocka_unit_test(a_large_message_that_was_changed_is_never_given),
        cmocka_unit_test(after_an_unreadable_frame_no_own_file_is_an_orphan),
        cmocka_unit_test(a_segment_is_not_used_again_while_it_is_read),
        cmocka_unit_test(segments_that_the_older_checkpoint_needs_are_not_used_again),
        cmocka_unit_test(what_dies_while_a_checkpoint_is_written_is_not_used_again_by_it),
        cmocka_unit_test(a_frame_does_not_say_of_itself_that_it_is_durable),
        cmocka_unit_test(what_is_cleaned_is_compared_with_its_sum),
        cmocka_unit_test(what_a_recovery_says_stands_after_a_loss_of_power),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
