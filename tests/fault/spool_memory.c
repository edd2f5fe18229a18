/* Each allocation of the spool fails in turn: the call says so, and nothing acknowledged is lost. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "spool/disk.h"
#include "spool/engine.h"
#include "spool/spool.h"
#include "tests/simulate/each.h"

/* The linker sends the calls of the spool here (--wrap). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

static unsigned long allocations, fail_at;

static bool fails(void)
{
    return fail_at && ++allocations == fail_at;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
    return fails() ? NULL : __real_calloc(count, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

enum { MESSAGES = 6 };

struct item {
    struct spool_commit commit;
    struct spool_commit end;
    struct spool_read read;
    struct queue_id id;
    bool accepted, gone, end_asked;
};

struct run {
    struct spool_options options;
    struct spool *spool;
    struct item item[MESSAGES];
    unsigned seen;
};

static void on_accept(struct spool_commit *commit, const struct spool_result *result)
{
    CONTAINER_OF(commit, struct item, commit)->accepted = result->status == SPOOL_OK;
}

static void on_end(struct spool_commit *commit, const struct spool_result *result)
{
    CONTAINER_OF(commit, struct item, end)->gone = result->status == SPOOL_OK;
}

static void on_read(struct spool_read *read)
{
    assert_int_not_equal(read->status, SPOOL_READ_DAMAGED);
    if (read->status == SPOOL_READ_OK)
        assert_str_is(read->body, STR("body"));
}

static int64_t fake_usec;

static int64_t fake_boot(const struct spool_clock *clock)
{
    (void)clock;
    return fake_usec;
}

static int64_t fake_utc(const struct spool_clock *clock)
{
    (void)clock;
    return fake_usec / 1000;
}

static const struct spool_clock clock_fake = { .utc_msec = fake_utc, .boot_usec = fake_boot };

static void turn(struct run *r)
{
    int64_t until;

    for (int i = 0; i < 300; i++) {
        (void)spool_step_content(r->spool);
        (void)spool_step_commit(r->spool, &until);
        (void)spool_step_upkeep(r->spool, &until);
        fake_usec += 1000000;
    }
    spool_poll(r->spool);
}

static void put(struct run *r, struct spool_batch *batch, bool filled, struct spool_commit *commit, bool owed)
{
    struct err err = { 0 };

    if (!filled || !spool_submit(r->spool, batch, (struct spool_submit){ SPOOL_URGENT, owed }, commit, &err))
        spool_batch_free(batch);
}

static void work(struct run *r)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct item *it = &r->item[i];
        struct spool_batch *batch = spool_batch_new();
        if (!batch || !spool_take_ids(r->spool, 1, &it->id)) {
            spool_batch_free(batch);
            continue;
        }
        struct spool_message m = { .id = it->id, .envelope = STR("envelope"), .body = STR("body") };
        it->commit.done = on_accept;
        it->end.done = on_end;
        it->read.done = on_read;
        put(r, batch, spool_batch_message(batch, &m), &it->commit, false);
        turn(r);
        if (!it->accepted)
            continue;
        spool_read(r->spool, it->id, SPOOL_READ_ENVELOPE | SPOOL_READ_CONTENT, &it->read);
        turn(r);
        spool_read_done(r->spool, &it->read);
        if (i % 2 && (batch = spool_batch_new()) != NULL) {
            it->end_asked = true;
            put(r, batch,
                spool_batch_outcome(batch, it->id, 1, STR("done")) && spool_batch_gone(batch, it->id),
                &it->end, true);
        }
        if (i == 3)
            spool_want_checkpoint(r->spool);
        turn(r);
    }
}

static void on_entry(void *ctx, const struct spool_read *entry, bool damaged)
{
    struct run *r = ctx;
    bool ours = false;

    for (unsigned i = 0; i < MESSAGES; i++)
        ours |= queue_id_eq(r->item[i].id, entry->id) && r->item[i].accepted && !r->item[i].gone;
    assert_true(ours);
    assert_false(damaged);
    assert_str_is(entry->envelope, STR("envelope"));
    r->seen++;
}

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(path);
}

/* False when there were fewer than N. */
static bool one_failure(unsigned long n)
{
    char path[] = "/tmp/spool-memory-XXXXXX";
    struct err err = { 0 };
    unsigned want = 0;

    assert_non_null(mkdtemp(path));
    struct spool_disk *disk = spool_disk_open(path, &err);
    struct run r = { .options = { .disk = disk,
                                  .clock = &clock_fake,
                                  .segment_octets = 32 << 10,
                                  .own_files = 1,
                                  .manual = true } };
    allocations = 0;
    fail_at = n;
    r.spool = spool_open(&r.options, &err);
    if (!r.spool)
        assert_int_equal(err.kind, ERR_TEMP);
    else
        work(&r);
    spool_close(r.spool);
    bool there_was = allocations >= n;
    fail_at = 0;

    r.spool = spool_open(&r.options, &err);
    if (!r.spool)
        fail_msg("allocation %lu: %s", n, err.text);
    assert_true(each_message(r.spool, on_entry, &r, &err));
    for (unsigned i = 0; i < MESSAGES; i++)
        want += r.item[i].accepted && !r.item[i].gone;
    assert_int_equal(r.seen, want);
    spool_close(r.spool);
    spool_disk_close(disk);
    remove_all(path);
    return there_was;
}

static void any_allocation_may_fail(void **state)
{
    unsigned long n = 1;

    (void)state;
    while (one_failure(n))
        n++;
    print_message("%lu allocations\n", n - 1);
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("fault/spool-memory", tests, NULL, NULL);
}
