/* The spool on a real disk, with its threads: written, read back, opened again, refused. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "spool/disk.h"
#include "spool/spool.h"
#include "tests/simulate/each.h"

struct fixture {
    char path[64];
    struct spool_disk *disk;
    struct spool *spool;
    int wake;
    struct spool_options options;
};

static void on_wake(void *ctx)
{
    uint64_t one = 1;

    assert_int_equal(write(((struct fixture *)ctx)->wake, &one, sizeof(one)), sizeof(one));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = { 0 };

    snprintf(f->path, sizeof(f->path), "/tmp/spool-test-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->disk = spool_disk_open(f->path, &err);
    assert_non_null(f->disk);
    f->wake = eventfd(0, EFD_CLOEXEC);
    f->options = (struct spool_options){
        .disk = f->disk, .wake = on_wake, .wake_ctx = f, .segment_octets = 256 << 10, .own_files = 2
    };
    *state = f;
    return 0;
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

static int tear_down(void **state)
{
    struct fixture *f = *state;

    spool_close(f->spool);
    spool_disk_close(f->disk);
    close(f->wake);
    remove_all(f->path);
    free(f);
    return 0;
}

static void open_it(struct fixture *f)
{
    struct err err = { 0 };

    f->spool = spool_open(&f->options, &err);
    if (!f->spool)
        fail_msg("%s", err.text);
}

static void close_it(struct fixture *f)
{
    spool_close(f->spool);
    f->spool = NULL;
}

static void wait_for_it(struct fixture *f)
{
    uint64_t n;

    assert_int_equal(read(f->wake, &n, sizeof(n)), sizeof(n));
    spool_poll(f->spool);
}

struct commit {
    struct spool_commit commit;
    int calls;
    struct spool_result result;
};

static void on_commit(struct spool_commit *commit, const struct spool_result *result)
{
    struct commit *c = CONTAINER_OF(commit, struct commit, commit);

    c->calls++;
    c->result = *result;
}

static enum spool_status submit(struct fixture *f, struct spool_batch *batch)
{
    struct commit c = { .commit.done = on_commit };
    struct err err = { 0 };

    if (!spool_submit(f->spool, batch, (struct spool_submit){ SPOOL_URGENT, false }, &c.commit, &err))
        fail_msg("%s", err.text);
    assert_int_equal(c.calls, 0); /* never before the call has returned */
    while (!c.calls)
        wait_for_it(f);
    return c.result.status;
}

static struct queue_id accept_one(struct fixture *f, struct str body)
{
    struct queue_id id;
    struct spool_batch *batch = spool_batch_new();

    assert_true(spool_take_ids(f->spool, 1, &id));
    struct spool_message m = {
        .id = id,
        .token = { { 1, 2, 3 } },
        .accepted_utc_msec = 42,
        .envelope = STR("envelope"),
        .head = STR("Received: x\r\n"),
        .body = body,
    };
    memcpy(m.token.octet + 4, &id, sizeof(id));
    assert_true(spool_batch_message(batch, &m));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    return id;
}

struct read {
    struct spool_read read;
    int calls;
};

static void on_read(struct spool_read *read)
{
    CONTAINER_OF(read, struct read, read)->calls++;
}

static void read_parts(struct fixture *f, struct queue_id id, unsigned parts, struct read *r)
{
    *r = (struct read){ .read.done = on_read };
    spool_read(f->spool, id, parts, &r->read);
    assert_int_equal(r->calls, 0);
    while (!r->calls)
        wait_for_it(f);
}

static void read_it(struct fixture *f, struct queue_id id, struct read *r)
{
    read_parts(f, id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT, r);
}

/* ---- promises ---- */

static void a_message_is_read_back_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct read r;

    open_it(f);
    assert_true(spool_recovered(f->spool)->created);
    struct queue_id id = accept_one(f, STR("hello\r\n"));
    for (int turn = 0; turn < 2; turn++) {
        read_it(f, id, &r);
        assert_int_equal(r.read.status, SPOOL_READ_OK);
        assert_str_is(r.read.envelope, STR("envelope"));
        assert_str_is(r.read.head, STR("Received: x\r\n"));
        assert_str_is(r.read.body, STR("hello\r\n"));
        assert_int_equal(r.read.file, -1);
        spool_read_done(f->spool, &r.read);
        close_it(f);
        open_it(f);
        assert_int_equal(spool_recovered(f->spool)->messages, 1);
        assert_string_equal(spool_recovered(f->spool)->text, "");
    }
}

static void a_token_stands_after_a_restart_and_when_its_message_is_done(void **state)
{
    struct fixture *f = *state;
    struct spool_token token = { { 1, 2, 3 } }, other = { { 9 } };
    struct queue_id id, found;

    open_it(f);
    id = accept_one(f, STR("x"));
    memcpy(token.octet + 4, &id, sizeof(id));
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_gone(batch, id));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    close_it(f);
    open_it(f);
    assert_int_equal(spool_recovered(f->spool)->messages, 0);
    assert_int_equal(spool_token_find(f->spool, &token, &found), SPOOL_TOKEN_ACCEPTED);
    assert_true(queue_id_eq(found, id));
    assert_int_equal(spool_token_find(f->spool, &other, &found), SPOOL_TOKEN_UNKNOWN);
}

struct visits {
    int count;
    uint32_t version;
    bool held;
    char reason[20], envelope[20], state[20];
};

static void on_entry(void *ctx, const struct spool_read *entry, bool damaged)
{
    struct visits *v = ctx;

    assert_false(damaged);
    v->count++;
    v->version = entry->state_version;
    v->held = entry->held;
    snprintf(v->reason, sizeof(v->reason), "%.*s", STR_ARG(entry->hold_reason));
    snprintf(v->envelope, sizeof(v->envelope), "%.*s", STR_ARG(entry->envelope));
    snprintf(v->state, sizeof(v->state), "%.*s", STR_ARG(entry->state));
}

static void the_newest_state_hold_and_envelope_rule(void **state)
{
    struct fixture *f = *state;
    struct visits v = { 0 };
    struct err err = { 0 };

    open_it(f);
    struct queue_id id = accept_one(f, STR("x"));
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_outcome(batch, id, 2, STR("second")) &&
                spool_batch_hold(batch, id, STR("limit")) && spool_batch_edit(batch, id, STR("edited")));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    batch = spool_batch_new();
    assert_true(spool_batch_outcome(batch, id, 1, STR("first"))); /* late: INV-8 */
    assert_int_equal(submit(f, batch), SPOOL_OK);
    close_it(f);
    open_it(f);
    assert_true(each_message(f->spool, on_entry, &v, &err));
    assert_int_equal(v.count, 1);
    assert_int_equal(v.version, 2);
    assert_string_equal(v.state, "second");
    assert_true(v.held);
    assert_string_equal(v.reason, "limit");
    assert_string_equal(v.envelope, "edited");
}

static void what_is_known_of_a_message_comes_with_every_part_of_it(void **state)
{
    static const unsigned parts[] = { 0, SPOOL_READ_ENVELOPE, SPOOL_READ_STATE, SPOOL_READ_HOLD };
    struct fixture *f = *state;
    struct read r;

    open_it(f);
    struct queue_id id = accept_one(f, STR("hello\r\n"));
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_outcome(batch, id, 3, STR("third")) &&
                spool_batch_hold(batch, id, STR("limit")));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        read_parts(f, id, parts[i], &r);
        assert_int_equal(r.read.status, SPOOL_READ_OK);
        assert_int_equal(r.read.accepted_utc_msec, 42);
        assert_true(r.read.held);
        assert_false(r.read.own_file);
        assert_int_equal(r.read.head_octets, 13);
        assert_int_equal(r.read.body_octets, 7);
        assert_int_equal(r.read.state_version, 3);
        assert_str_is(r.read.envelope, parts[i] == SPOOL_READ_ENVELOPE ? STR("envelope") : STR_NONE);
        assert_str_is(r.read.state, parts[i] == SPOOL_READ_STATE ? STR("third") : STR_NONE);
        assert_str_is(r.read.hold_reason, parts[i] == SPOOL_READ_HOLD ? STR("limit") : STR_NONE);
        assert_int_equal(r.read.head.n + r.read.body.n, 0);
        spool_read_done(f->spool, &r.read);
    }
}

enum { LISTED_MAX = 64 };

struct listed {
    struct queue_id id[LISTED_MAX];
    unsigned count, held;
};

static void on_listed(void *ctx, struct queue_id id, bool held, bool damaged)
{
    struct listed *l = ctx;

    assert_false(damaged);
    assert_true(l->count < LISTED_MAX);
    l->id[l->count++] = id;
    l->held += held;
}

static void all_are_listed_in_the_order_of_the_log(void **state)
{
    enum { COUNT = 40, OCTETS = 30000 };
    struct fixture *f = *state;
    struct queue_id id[COUNT];
    char *body = calloc(1, OCTETS);

    f->options.segment_octets = 128 << 10; /* three a segment */
    open_it(f);
    for (int i = 0; i < COUNT; i++)
        id[i] = accept_one(f, str_of(body, OCTETS));
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_hold(batch, id[7], STR("limit")) && spool_batch_gone(batch, id[5]));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    for (int turn = 0; turn < 2; turn++) {
        struct listed l = { 0 };
        assert_true(spool_list(f->spool, on_listed, &l));
        assert_int_equal(l.count, COUNT - 1);
        assert_int_equal(l.held, 1);
        for (unsigned i = 0; i < l.count; i++)
            assert_true(queue_id_eq(l.id[i], id[i < 5 ? i : i + 1]));
        close_it(f);
        open_it(f);
    }
    free(body);
}

static void a_large_body_has_its_own_file_until_it_is_gone(void **state)
{
    struct fixture *f = *state;
    struct spool_file file;
    struct queue_id id;
    struct read r;
    char got[6] = "";

    open_it(f);
    while (!spool_file_take(f->spool, &file)) /* the pool is being filled by another thread */
        sched_yield();
    assert_int_equal(write(file.fd, "large", 5), 5);
    close(file.fd);
    assert_true(spool_take_ids(f->spool, 1, &id));
    struct spool_batch *batch = spool_batch_new();
    struct spool_message m = {
        .id = id, .envelope = STR("e"), .head = STR("h"), .file = file.number, .file_octets = 5
    };
    assert_true(spool_batch_message(batch, &m));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    read_it(f, id, &r);
    assert_int_equal(r.read.status, SPOOL_READ_OK);
    assert_int_equal(pread(r.read.file, got, 5, 0), 5);
    assert_string_equal(got, "large");
    assert_true(write(r.read.file, "x", 1) < 0); /* lent for reading only */
    spool_read_done(f->spool, &r.read);

    batch = spool_batch_new();
    assert_true(spool_batch_gone(batch, id));
    assert_int_equal(submit(f, batch), SPOOL_OK);
    read_it(f, id, &r);
    assert_int_equal(r.read.status, SPOOL_READ_GONE);
    spool_read_done(f->spool, &r.read);
    close_it(f);
    open_it(f);
    close_it(f);
    char name[128];
    snprintf(name, sizeof(name), "%s/own-%016llx", f->path, (unsigned long long)file.number);
    assert_true(access(name, F_OK) < 0);
}

static void an_own_file_that_is_not_what_was_said_is_refused(void **state)
{
    struct fixture *f = *state;
    struct spool_file file;
    struct queue_id id;

    open_it(f);
    while (!spool_file_take(f->spool, &file))
        sched_yield();
    assert_int_equal(write(file.fd, "large", 5), 5);
    close(file.fd);
    assert_true(spool_take_ids(f->spool, 1, &id));
    struct spool_batch *batch = spool_batch_new();
    struct spool_message m = { .id = id, .file = file.number, .file_octets = 6 };
    assert_true(spool_batch_message(batch, &m));
    assert_int_equal(submit(f, batch), SPOOL_FAILED);
}

static void a_bad_batch_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct commit c = { .commit.done = on_commit };
    struct spool_submit how = { SPOOL_URGENT, false };
    struct queue_id id;

    open_it(f);
    assert_true(spool_take_ids(f->spool, 1, &id));
    struct queue_id later = { id.n + 1 };
    size_t most = spool_batch_max(f->spool);
    char *huge = calloc(1, most + (64 << 10));
    const struct spool_message rows[] = {
        { .id = later },                                       /* never taken */
        { .id = { 0 } },                                       /* none */
        { .id = id, .file = 99 },                              /* not lent */
        { .id = id, .body = str_of(huge, most + (64 << 10)) }, /* longer than a frame */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = { 0 };
        struct spool_batch *batch = spool_batch_new();
        assert_true(spool_batch_message(batch, &rows[i]));
        assert_false(spool_submit(f->spool, batch, how, &c.commit, &err));
        assert_int_equal(err.kind, ERR_PERM);
        spool_batch_free(batch);
    }
    struct err err = { 0 };
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_gone(batch, id)); /* no such message */
    assert_false(spool_submit(f->spool, batch, how, &c.commit, &err));
    spool_batch_free(batch);
    batch = spool_batch_new();
    assert_false(spool_submit(f->spool, batch, how, &c.commit, &err)); /* nothing */
    spool_batch_free(batch);

    struct spool_message m = { .id = id, .body = str_of(huge, most - 200) };
    batch = spool_batch_new();
    assert_true(spool_batch_message(batch, &m));
    assert_int_equal(submit(f, batch), SPOOL_OK); /* the longest is taken */
    batch = spool_batch_new();
    assert_true(spool_batch_message(batch, &m));
    assert_false(spool_submit(f->spool, batch, how, &c.commit, &err)); /* and not a second time */
    spool_batch_free(batch);
    free(huge);
}

static void ids_rise_over_restarts(void **state)
{
    struct fixture *f = *state;
    struct queue_id id, last = { 0 };

    for (int i = 0; i < 3; i++) {
        open_it(f);
        assert_true(spool_take_ids(f->spool, SPOOL_IDS_MAX, &id));
        assert_true(id.n > last.n && id.n < 1ULL << QUEUE_ID_BITS);
        last.n = id.n + SPOOL_IDS_MAX - 1;
        close_it(f);
    }
}

static void what_is_queued_at_the_end_is_written(void **state)
{
    struct fixture *f = *state;
    struct commit c = { .commit.done = on_commit };
    struct err err = { 0 };

    f->options.ride_msec = 3600000;
    open_it(f);
    struct queue_id id = accept_one(f, STR("x"));
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_gone(batch, id));
    assert_true(spool_submit(f->spool, batch, (struct spool_submit){ SPOOL_RIDES, true }, &c.commit, &err));
    close_it(f);
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.result.status, SPOOL_OK);
    open_it(f);
    assert_int_equal(spool_recovered(f->spool)->messages, 0);
}

static void many_share_a_sync(void **state)
{
    enum { COUNT = 64 };
    struct fixture *f = *state;
    struct commit c[COUNT];
    struct spool_figures figures;
    struct queue_id id;
    int calls = 0;

    f->options.gather_usec = 3600000000U;
    open_it(f);
    spool_expect(f->spool, COUNT); /* nothing starts before as many have come */
    assert_true(spool_take_ids(f->spool, COUNT, &id));
    for (unsigned i = 0; i < COUNT; i++) {
        struct err err = { 0 };
        struct spool_batch *batch = spool_batch_new();
        struct spool_message m = { .id = { id.n + i }, .body = STR("x") };
        c[i] = (struct commit){ .commit.done = on_commit };
        assert_true(spool_batch_message(batch, &m));
        assert_true(
            spool_submit(f->spool, batch, (struct spool_submit){ SPOOL_URGENT, false }, &c[i].commit, &err));
    }
    while (!c[COUNT - 1].calls)
        wait_for_it(f);
    for (unsigned i = 0; i < COUNT; i++) {
        calls += c[i].calls;
        assert_int_equal(c[i].result.messages, COUNT);
    }
    assert_int_equal(calls, COUNT);
    spool_figures(f->spool, &figures);
    assert_int_equal(figures.syncs, 1);
    assert_int_equal(figures.frames, 1);
}

/* ---- refusals ---- */

static void refused(struct fixture *f, enum err_kind kind, const char *word)
{
    struct err err = { 0 };

    f->spool = spool_open(&f->options, &err);
    assert_null(f->spool);
    assert_int_equal(err.kind, kind);
    if (!str_contains(str_from_c(err.text), str_from_c(word)))
        fail_msg("\"%s\" does not say \"%s\"", err.text, word);
}

static void a_second_owner_is_refused(void **state)
{
    struct fixture *f = *state;

    open_it(f);
    struct spool *first = f->spool;
    refused(f, ERR_TEMP, "another process");
    f->spool = first;
    close_it(f);
    open_it(f);
}

static int format_of(struct fixture *f, int flags)
{
    char name[128];

    snprintf(name, sizeof(name), "%s/format", f->path);
    return open(name, flags | O_CLOEXEC, 0600);
}

static void a_newer_format_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;

    open_it(f);
    accept_one(f, STR("x"));
    close_it(f);
    int fd = format_of(f, O_RDWR);
    assert_int_equal(pwrite(fd, "\x02", 1, 16), 1);
    refused(f, ERR_PERM, "format 2");
    assert_int_equal(pwrite(fd, "\x01", 1, 16), 1);
    close(fd);
    open_it(f);
    assert_int_equal(spool_recovered(f->spool)->messages, 1);
}

static void a_log_without_its_format_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[128];

    open_it(f);
    close_it(f);
    int fd = format_of(f, O_RDWR);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    refused(f, ERR_TEMP, "format");
    snprintf(name, sizeof(name), "%s/format", f->path);
    assert_int_equal(unlink(name), 0);
    refused(f, ERR_TEMP, "restore");
}

static void other_files_are_left_alone(void **state)
{
    struct fixture *f = *state;
    char name[128];

    snprintf(name, sizeof(name), "%s/log-notes.txt", f->path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "mine", 4), 4);
    close(fd);
    open_it(f);
    accept_one(f, STR("x"));
    close_it(f);
    open_it(f);
    assert_int_equal(access(name, F_OK), 0);
}

#define WITH_FOLDER(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_message_is_read_back_also_after_a_restart),
        WITH_FOLDER(a_token_stands_after_a_restart_and_when_its_message_is_done),
        WITH_FOLDER(the_newest_state_hold_and_envelope_rule),
        WITH_FOLDER(what_is_known_of_a_message_comes_with_every_part_of_it),
        WITH_FOLDER(all_are_listed_in_the_order_of_the_log),
        WITH_FOLDER(a_large_body_has_its_own_file_until_it_is_gone),
        WITH_FOLDER(an_own_file_that_is_not_what_was_said_is_refused),
        WITH_FOLDER(a_bad_batch_is_not_taken),
        WITH_FOLDER(ids_rise_over_restarts),
        WITH_FOLDER(what_is_queued_at_the_end_is_written),
        WITH_FOLDER(many_share_a_sync),
        WITH_FOLDER(a_second_owner_is_refused),
        WITH_FOLDER(a_newer_format_is_refused_and_left_alone),
        WITH_FOLDER(a_log_without_its_format_is_refused),
        WITH_FOLDER(other_files_are_left_alone),
    };

    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
