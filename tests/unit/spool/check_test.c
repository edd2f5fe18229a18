/* A look at all that is kept: what is whole is called whole, what is not is found and named, and nothing changes. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/num.h"
#include "spool/check.h"
#include "spool/engine.h"
#include "spool/salvage.h"
#include "spool/still.h"

enum { FOUND_MAX = 64, SEGMENT = 64 << 10 };

struct fixture {
    char path[64];
    struct spool_disk *disk;
    struct spool *spool;
    struct spool_disk *still;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->path, sizeof(f->path), "/tmp/check-test-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->disk = spool_disk_open(f->path, &f->err);
    assert_non_null(f->disk);
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

static void open_it(struct fixture *f)
{
    struct spool_options options = { .disk = f->disk, .segment_octets = SEGMENT, .own_files = 2, .manual = true };
    int64_t until;

    f->spool = spool_open(&options, &f->err);
    if (!f->spool)
        fail_msg("%s", f->err.text);
    while (spool_step_upkeep(f->spool, &until) == SPOOL_STEP_DONE)
        ;
}

static void close_it(struct fixture *f)
{
    spool_close(f->spool);
    f->spool = NULL;
}

/* The same folder, as a subcommand opens it. */
static bool open_still(struct fixture *f)
{
    f->err = (struct err){ 0 };
    f->still = spool_still_disk(f->disk, &f->err);
    assert_non_null(f->still);
    f->spool = spool_still_open(f->still, &f->err);
    return f->spool != NULL;
}

static void close_still(struct fixture *f)
{
    if (f->spool)
        spool_die(f->spool);
    spool_still_close(f->still);
    f->spool = NULL;
    f->still = NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->still)
        close_still(f);
    spool_close(f->spool);
    spool_disk_close(f->disk);
    remove_all(f->path);
    free(f);
    return 0;
}

/* ---- writing ---- */

static void on_commit(struct spool_commit *commit, const struct spool_result *result)
{
    (void)commit;
    assert_int_equal(result->status, SPOOL_OK);
}

static void submit(struct fixture *f, struct spool_batch *batch)
{
    struct spool_commit commit = { .done = on_commit };
    int64_t until;

    if (!spool_submit(f->spool, batch, (struct spool_submit){ .urgency = SPOOL_URGENT }, &commit, &f->err))
        fail_msg("%s", f->err.text);
    while (spool_step_content(f->spool) == SPOOL_STEP_DONE || spool_step_commit(f->spool, &until) == SPOOL_STEP_DONE ||
           spool_step_upkeep(f->spool, &until) == SPOOL_STEP_DONE)
        ;
    spool_poll(f->spool);
}

static struct queue_id accept_one(struct fixture *f, struct str body, const struct spool_file *file, uint64_t octets)
{
    struct queue_id id;
    struct spool_batch *batch = spool_batch_new();

    assert_true(spool_take_ids(f->spool, 1, &id));
    struct spool_message m = {
        .id = id,
        .accepted_utc_msec = 42,
        .envelope = STR("envelope"),
        .head = STR("Received: x\r\n"),
        .body = body,
        .file = file ? file->number : 0,
        .file_octets = octets,
    };
    memcpy(m.token.octet, &id, sizeof(id));
    assert_true(spool_batch_message(batch, &m));
    submit(f, batch);
    return id;
}

static void outcome(struct fixture *f, struct queue_id id, const char *state)
{
    struct spool_batch *batch = spool_batch_new();

    assert_true(spool_batch_outcome(batch, id, 1, str_from_c(state)));
    submit(f, batch);
}

static void gone(struct fixture *f, struct queue_id id)
{
    struct spool_batch *batch = spool_batch_new();

    assert_true(spool_batch_gone(batch, id));
    submit(f, batch);
}

/* Change one octet of a file; the same again puts it back. */
static void flip(struct fixture *f, const char *name, uint64_t at)
{
    char path[128], c;

    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
    c ^= 0x55;
    assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
    close(fd);
}

/* ---- looking ---- */

struct found {
    unsigned count, by_kind[SPOOL_FOUND_INVARIANT + 1];
    struct spool_finding at[FOUND_MAX]; /* without texts */
    char envelope[32];
    struct spool_check_figures figures;
};

static void on_found(void *ctx, const struct spool_finding *finding)
{
    struct found *found = ctx;

    found->by_kind[finding->kind]++;
    if (finding->envelope.n)
        snprintf(found->envelope, sizeof(found->envelope), "%.*s", STR_ARG(finding->envelope));
    if (found->count < FOUND_MAX)
        found->at[found->count++] = *finding;
}

static void go_on(struct spool_check *check, struct found *found)
{
    struct err err = { 0 };

    while (spool_check_step(check, &err))
        ;
    assert_int_equal(err.kind, ERR_NONE);
    found->figures = *spool_check_figures(check);
    spool_check_free(check);
}

static void look(struct fixture *f, struct found *found)
{
    *found = (struct found){ 0 };
    struct spool_check *check = spool_check_new(f->spool, on_found, found);

    assert_non_null(check);
    go_on(check, found);
}

static uint64_t sum_of_folder(const char *path)
{
    DIR *dir = opendir(path);
    uint64_t sum = 0;

    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        struct stat st;
        assert_int_equal(fstatat(dirfd(dir), entry->d_name, &st, 0), 0);
        sum += st.st_ino * 31 + (uint64_t)st.st_size + (uint64_t)st.st_mtim.tv_nsec * 7 + (uint64_t)st.st_ctim.tv_nsec;
    }
    closedir(dir);
    return sum;
}

/* ---- promises ---- */

static void what_is_whole_is_called_whole(void **state)
{
    struct fixture *f = *state;
    struct found found;

    open_it(f);
    struct queue_id first = accept_one(f, STR("one\r\n"), NULL, 0);
    accept_one(f, STR("two\r\n"), NULL, 0);
    gone(f, accept_one(f, STR("three\r\n"), NULL, 0));
    outcome(f, first, "state");
    for (int turn = 0; turn < 2; turn++) {
        look(f, &found);
        assert_int_equal(found.count, 0);
        assert_int_equal(found.figures.records[SPOOL_KIND_MESSAGE], 3);
        assert_int_equal(found.figures.records[SPOOL_KIND_OUTCOME], 1);
        assert_int_equal(found.figures.records[SPOOL_KIND_GONE], 1);
        assert_int_equal(found.figures.contents, 2);
        assert_int_equal(found.figures.contents_good, 2);
        if (!turn) { /* the same of a spool that stands still */
            close_it(f);
            assert_true(open_still(f));
        }
    }
}

static void a_damaged_content_is_named_with_its_place_and_both_sums(void **state)
{
    struct fixture *f = *state;
    struct found found;

    open_it(f);
    accept_one(f, STR("one\r\n"), NULL, 0);
    struct queue_id id = accept_one(f, STR("two\r\n"), NULL, 0);
    look(f, &found);
    close_it(f);
    flip(f, "log-00000001", 2 * SPOOL_BLOCK + 64 + 32 + 64 + 8 + 3); /* frame head, row, meta, envelope */
    assert_true(open_still(f));
    look(f, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.at[0].kind, SPOOL_FOUND_MESSAGE);
    assert_true(queue_id_eq(found.at[0].id, id));
    assert_string_equal(found.at[0].what, "content");
    assert_string_equal(found.at[0].file, "log-00000001");
    assert_int_equal(found.at[0].offset, 2 * SPOOL_BLOCK + 168);
    assert_int_equal(found.at[0].octets, 18);
    assert_int_not_equal(found.at[0].sum, found.at[0].wanted);
    assert_string_equal(found.envelope, "envelope");
    assert_int_equal(found.figures.contents, 2);
    assert_int_equal(found.figures.contents_good, 1);
}

static void a_damaged_state_is_its_messages(void **state)
{
    struct fixture *f = *state;
    struct found found;

    open_it(f);
    struct queue_id id = accept_one(f, STR("one\r\n"), NULL, 0);
    outcome(f, id, "first state");
    flip(f, "log-00000001", 2 * SPOOL_BLOCK + 64 + 32 + 8 + 2);
    look(f, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.at[0].kind, SPOOL_FOUND_MESSAGE);
    assert_true(queue_id_eq(found.at[0].id, id));
    assert_string_equal(found.at[0].what, "state");
    assert_int_equal(found.figures.contents_good, 1);
}

static void an_own_file_is_read_to_its_end(void **state)
{
    enum { OCTETS = 700000 };
    struct fixture *f = *state;
    struct spool_file file;
    struct found found;
    char *body = calloc(1, OCTETS), name[40];

    open_it(f);
    assert_true(spool_file_take(f->spool, &file));
    assert_int_equal(write(file.fd, body, OCTETS), OCTETS);
    close(file.fd);
    free(body);
    struct queue_id id = accept_one(f, STR_NONE, &file, OCTETS);
    look(f, &found);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.figures.files, 1);
    snprintf(name, sizeof(name), "own-%016llx", (unsigned long long)file.number);
    flip(f, name, OCTETS - 1);
    look(f, &found);
    assert_int_equal(found.count, 1);
    assert_true(queue_id_eq(found.at[0].id, id));
    assert_string_equal(found.at[0].what, "own file");
    assert_string_equal(found.at[0].file, name);
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    assert_int_equal(unlink(path), 0);
    look(f, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.at[0].error, ENOENT);
}

static void what_ends_meanwhile_is_no_damage(void **state)
{
    struct fixture *f = *state;
    struct found found = { 0 };

    open_it(f);
    struct queue_id id = accept_one(f, STR("one\r\n"), NULL, 0);
    accept_one(f, STR("two\r\n"), NULL, 0);
    struct spool_check *check = spool_check_new(f->spool, on_found, &found);
    gone(f, id);
    go_on(check, &found);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.figures.contents, 1);
    assert_int_equal(found.figures.contents_good, 1);
}

/* Segments are cleaned and used again under the look: what has moved is found where it is now. */
static void what_moves_meanwhile_is_found_where_it_is(void **state)
{
    enum { COUNT = 150, OCTETS = 30000, TURNS = 60 };
    struct fixture *f = *state;
    struct found found = { 0 };
    struct err err = { 0 };
    struct queue_id id[COUNT];
    struct spool_figures figures;
    char *body = calloc(1, OCTETS);
    unsigned turn = 0;

    open_it(f);
    for (int i = 0; i < COUNT; i++)
        id[i] = accept_one(f, str_of(body, OCTETS), NULL, 0);
    struct spool_check *check = spool_check_new(f->spool, on_found, &found);
    while (spool_check_step(check, &err)) {
        for (int i = 0; i < 10 && turn < TURNS; i++, turn++) {
            gone(f, id[turn * 2]); /* every second of those in its segments: what is left there moves */
            accept_one(f, str_of(body, OCTETS), NULL, 0);
            spool_want_checkpoint(f->spool);
        }
    }
    found.figures = *spool_check_figures(check);
    spool_check_free(check);
    assert_int_equal(err.kind, ERR_NONE);
    assert_true(turn > 20);
    assert_int_equal(found.count, 0);
    assert_int_equal(found.figures.contents, found.figures.contents_good);
    assert_true(found.figures.contents >= COUNT - TURNS);
    spool_figures(f->spool, &figures);
    assert_true(figures.cleaned > 0);
    look(f, &found);
    assert_int_equal(found.count, 0);
    free(body);
}

/*
 * Each octet that says something. Not of a checkpoint: one that is no good may have been cut short in the writing, and
 * then the other one or the log itself says what it would have said.
 */
static void no_octet_can_change_unseen(void **state)
{
    static const char *const names[] = { "log-00000001", "format" };
    struct fixture *f = *state;
    struct found found;
    unsigned tried = 0;

    open_it(f);
    struct queue_id id = accept_one(f, STR("one\r\n"), NULL, 0);
    accept_one(f, STR("two\r\n"), NULL, 0);
    outcome(f, id, "state");
    close_it(f);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128], c;
        snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        for (uint64_t at = 0; pread(fd, &c, 1, (off_t)at) == 1 && at < 6 * SPOOL_BLOCK; at++) {
            if (!c)
                continue; /* mostly padding, which nobody reads */
            flip(f, names[i], at);
            if (open_still(f)) {
                look(f, &found);
                if (!found.count)
                    fail_msg("%s: octet %llu changed, and nothing was found", names[i], (unsigned long long)at);
            }
            close_still(f);
            flip(f, names[i], at);
            tried++;
        }
        close(fd);
    }
    assert_true(tried > 400);
    assert_true(open_still(f));
    look(f, &found);
    assert_int_equal(found.count, 0);
}

/* ---- what is left ---- */

static void a_damaged_message_is_read_as_far_as_it_goes_when_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct spool_read read;

    open_it(f);
    struct queue_id id = accept_one(f, STR("one\r\n"), NULL, 0);
    outcome(f, id, "state");
    flip(f, "log-00000001", SPOOL_BLOCK + 168);
    unsigned parts = SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT;
    spool_read_now(f->spool, id, parts, &read);
    assert_int_equal(read.status, SPOOL_READ_DAMAGED);
    assert_int_equal(read.envelope.n + read.head.n + read.body.n, 0);
    spool_read_done(f->spool, &read);
    spool_read_now(f->spool, id, parts | SPOOL_READ_ANYWAY, &read);
    assert_int_equal(read.status, SPOOL_READ_DAMAGED);
    assert_str_is(read.envelope, STR("envelope"));
    assert_str_is(read.state, STR("state"));
    assert_str_is(read.head, STR("\x07""eceived: x\r\n"));
    assert_str_is(read.body, STR("one\r\n"));
    spool_read_done(f->spool, &read);
    /* With its meta wrong, too, nobody knows whose it is: no envelope, but what stands there. */
    flip(f, "log-00000001", SPOOL_BLOCK + 64 + 32 + 64 + 2);
    spool_read_now(f->spool, id, parts | SPOOL_READ_ANYWAY, &read);
    assert_int_equal(read.status, SPOOL_READ_DAMAGED);
    assert_int_equal(read.envelope.n, 0);
    assert_str_is(read.body, STR("one\r\n"));
    spool_read_done(f->spool, &read);
}

struct salvaged {
    unsigned count, damaged;
    struct queue_id id[8];
    char state[8][16], hold[8][16];
};

static void on_salvaged(void *ctx, struct spool_read *read)
{
    struct salvaged *s = ctx;

    assert_true(s->count < 8);
    s->id[s->count] = read->id;
    s->damaged += read->status != SPOOL_READ_OK;
    assert_str_is(read->envelope, STR("envelope"));
    snprintf(s->state[s->count], 16, "%.*s", STR_ARG(read->state));
    snprintf(s->hold[s->count], 16, "%.*s", STR_ARG(read->hold_reason));
    s->count++;
}

static void remove_file(struct fixture *f, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    (void)unlink(path);
}

static void a_search_finds_what_lives_in_its_newest_state(void **state)
{
    struct fixture *f = *state;
    struct salvaged s = { 0 };
    struct queue_id id[3];

    open_it(f);
    for (int i = 0; i < 3; i++)
        id[i] = accept_one(f, STR("body\r\n"), NULL, 0);
    outcome(f, id[0], "first");
    struct spool_batch *batch = spool_batch_new();
    assert_true(spool_batch_outcome(batch, id[0], 2, STR("second")) && spool_batch_hold(batch, id[2], STR("why")));
    submit(f, batch);
    gone(f, id[1]);
    close_it(f);
    remove_file(f, "checkpoint-a");
    remove_file(f, "checkpoint-b");
    remove_file(f, "start");
    uint64_t before = sum_of_folder(f->path);
    f->still = spool_still_disk(f->disk, &f->err);
    if (!spool_salvage(f->still, on_salvaged, &s, &f->err))
        fail_msg("%s", f->err.text);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.damaged, 0);
    assert_true(queue_id_eq(s.id[0], id[0]) && queue_id_eq(s.id[1], id[2]));
    assert_string_equal(s.state[0], "second");
    assert_string_equal(s.hold[1], "why");
    assert_true(sum_of_folder(f->path) == before);
}

static void a_search_without_its_secret_finds_nothing_and_says_so(void **state)
{
    struct fixture *f = *state;
    struct salvaged s = { 0 };

    open_it(f);
    accept_one(f, STR("body\r\n"), NULL, 0);
    close_it(f);
    flip(f, "format", 70);
    f->still = spool_still_disk(f->disk, &f->err);
    assert_false(spool_salvage(f->still, on_salvaged, &s, &f->err));
    assert_non_null(strstr(f->err.text, "checksum"));
    assert_int_equal(s.count, 0);
}

/* ---- standing still ---- */

static void a_spool_that_is_looked_at_does_not_change(void **state)
{
    struct fixture *f = *state;
    struct found found;

    open_it(f);
    accept_one(f, STR("one\r\n"), NULL, 0);
    spool_die(f->spool); /* no checkpoint, no end: a recovery would write */
    f->spool = NULL;
    uint64_t before = sum_of_folder(f->path);
    for (int i = 0; i < 3; i++) {
        assert_true(open_still(f));
        look(f, &found);
        assert_int_equal(found.count, 0);
        assert_int_equal(found.figures.contents_good, 1);
        close_still(f);
    }
    assert_true(sum_of_folder(f->path) == before);
}

static void a_spool_in_use_is_not_opened_beside_its_owner(void **state)
{
    struct fixture *f = *state;
    struct err err = { 0 };

    open_it(f);
    struct spool_disk *still = spool_still_disk(f->disk, &err);
    assert_null(spool_still_open(still, &err));
    assert_int_equal(err.sys, EWOULDBLOCK);
    spool_still_close(still);
}

static void a_folder_without_a_spool_stays_one(void **state)
{
    struct fixture *f = *state;

    assert_false(open_still(f));
    assert_int_equal(f->err.sys, ENOENT);
    assert_int_equal(rmdir(f->path), 0); /* it is empty as before */
    assert_int_equal(mkdir(f->path, 0700), 0);
}

static void put_version(struct fixture *f, uint32_t version)
{
    char path[128];
    unsigned char octets[4];

    snprintf(path, sizeof(path), "%s/format", f->path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    le32_put(octets, version);
    assert_int_equal(pwrite(fd, octets, sizeof(octets), 16), sizeof(octets));
    close(fd);
}

static void a_spool_of_a_later_form_is_refused_in_clear_words(void **state)
{
    struct fixture *f = *state;

    open_it(f);
    close_it(f);
    put_version(f, SPOOL_VERSION + 1);
    assert_false(open_still(f));
    assert_int_equal(f->err.kind, ERR_PERM);
    assert_non_null(strstr(f->err.text, "has format 2, this veredus knows format 1 only"));
    close_still(f);
    struct spool_options options = { .disk = f->disk, .manual = true };
    assert_null(spool_open(&options, &f->err));
    assert_int_equal(f->err.kind, ERR_PERM);
}

static void ids_come_in_order_a_page_at_a_time(void **state)
{
    struct fixture *f = *state;
    uint64_t all[20], page[3], last = 0;
    size_t n, got = 0;

    open_it(f);
    for (size_t i = 0; i < 20; i++)
        all[i] = accept_one(f, STR("x\r\n"), NULL, 0).n;
    while ((n = spool_ids_after(f->spool, (struct queue_id){ last }, page, 3)) > 0) {
        for (size_t i = 0; i < n; i++)
            assert_true(page[i] == all[got++]);
        last = page[n - 1];
    }
    assert_int_equal(got, 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_whole_is_called_whole),
        TEST(a_damaged_content_is_named_with_its_place_and_both_sums),
        TEST(a_damaged_state_is_its_messages),
        TEST(an_own_file_is_read_to_its_end),
        TEST(what_ends_meanwhile_is_no_damage),
        TEST(what_moves_meanwhile_is_found_where_it_is),
        TEST(a_damaged_message_is_read_as_far_as_it_goes_when_that_is_asked_for),
        TEST(a_search_finds_what_lives_in_its_newest_state),
        TEST(a_search_without_its_secret_finds_nothing_and_says_so),
        TEST(no_octet_can_change_unseen),
        TEST(a_spool_that_is_looked_at_does_not_change),
        TEST(a_spool_in_use_is_not_opened_beside_its_owner),
        TEST(a_folder_without_a_spool_stays_one),
        TEST(a_spool_of_a_later_form_is_refused_in_clear_words),
        TEST(ids_come_in_order_a_page_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
