/*
 * Every system call of a delivery made to fail, and every one made the last before the process dies: a reader never
 * sees what is not whole and synced, and trying again ends with exactly one copy.
 */
#include "tests/fault/mailbox/faulty.h"

/* ---- one delivery with one fault, then trying again ---- */

struct scene {
    enum how how;
    int error;
    bool no_rename;
    bool earlier; /* an attempt before has delivered it, and its reader moved it to cur */
};

enum { FILE_SIZE = 70001 };

static char content[FILE_SIZE];

static enum maildir_result deliver(const struct box *b, const struct mailbox_disk *disk, bool look)
{
    struct str piece = STR("Return-Path: <>\r\n");
    struct mailbox_failure failure = { 0 };
    struct maildir_message m = {
        .name = maildir_name(1000, (struct queue_id){ 77 }, 1, STR("mail")),
        .content.pieces = &piece,
        .content.n_pieces = 1,
        .content.file = openat(b->fd, "content", O_RDONLY),
        .content.file_size = FILE_SIZE,
        .look = look,
    };
    struct mailbox_store *store = box_store(b, disk);
    enum maildir_result r = maildir_deliver(store, STR("d/u"), &m, &failure);

    if (r == MAILDIR_FAILED || r == MAILDIR_IN_DOUBT)
        assert_true(failure.code[0] == '4' || failure.code[0] == '5');
    mailbox_store_free(store);
    close(m.content.file);
    return r;
}

/* The copies a reader can see, each of them whole. */
static size_t copies(const struct box *b)
{
    const char *folders[] = { "d/u/new", "d/u/cur" };
    size_t n = 0;
    char name[256];

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        size_t here = box_count(b, folders[i], name);
        n += here;
        if (!here)
            continue;
        struct str got = box_read(b, folders[i], name);
        assert_int_equal(got.n, FILE_SIZE + 16);
        assert_memory_equal(got.p + 16, content, FILE_SIZE);
        free((char *)(uintptr_t)got.p);
    }
    return n;
}

static void read_by_its_owner(const struct box *b)
{
    char name[256], from[300], to[300];

    assert_int_equal(box_count(b, "d/u/new", name), 1);
    snprintf(from, sizeof(from), "d/u/new/%s", name);
    snprintf(to, sizeof(to), "d/u/cur/%s:2,S", name);
    assert_int_equal(renameat(b->fd, from, b->fd, to), 0);
}

/* True while there was a call N to fail. */
static bool play(const struct scene *scene, unsigned n)
{
    struct box b = box_make();
    struct faulty f = { .disk = faulty_disk, .how = scene->how, .n = n, .error = scene->error,
                        .no_rename = scene->no_rename };

    box_make_file(&b, "content", str_of(content, FILE_SIZE));
    if (scene->earlier) {
        assert_int_equal(deliver(&b, &mailbox_disk_kernel, false), MAILDIR_STORED);
        read_by_its_owner(&b);
    }
    enum maildir_result first = deliver(&b, &f.disk, scene->earlier);
    size_t seen = copies(&b);
    if (first == MAILDIR_STORED || first == MAILDIR_FOUND)
        assert_int_equal(seen, 1);
    if (first == MAILDIR_FAILED)
        assert_int_equal(seen, scene->earlier);
    assert_true(seen <= 1);

    /* A new life over what is left there, or a retry, ends well with one copy and no left-over. */
    enum maildir_result again = deliver(&b, &mailbox_disk_kernel, first != MAILDIR_FAILED || scene->earlier);
    assert_int_equal(again, seen ? MAILDIR_FOUND : MAILDIR_STORED);
    assert_int_equal(copies(&b), 1);
    box_drop(&b);
    return f.tripped;
}

static void play_all(const struct scene *scene)
{
    unsigned n = 1;

    memset(content, 'c', sizeof(content));
    while (play(scene, n))
        n++;
    assert_true(n > 8);
    assert_true(n < 100);
}

static void a_call_that_fails_leaves_nothing_half_done(void **state)
{
    const int errors[] = { EIO, ENOSPC, EDQUOT, EACCES, EMFILE, ENOENT, EINVAL };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        play_all(&(struct scene){ .how = FAIL_ONE, .error = errors[i] });
        play_all(&(struct scene){ .how = FAIL_ONE, .error = errors[i], .no_rename = true });
        play_all(&(struct scene){ .how = FAIL_ONE, .error = errors[i], .earlier = true });
    }
}

static void a_call_that_worked_and_reports_failure_ends_with_one_copy(void **state)
{
    (void)state;
    play_all(&(struct scene){ .how = FAIL_REPORTED, .error = EIO });
    play_all(&(struct scene){ .how = FAIL_REPORTED, .error = EIO, .no_rename = true });
    play_all(&(struct scene){ .how = FAIL_REPORTED, .error = EIO, .earlier = true });
}

static void interrupted_and_short_calls_are_gone_on_with(void **state)
{
    (void)state;
    play_all(&(struct scene){ .how = FAIL_ONE, .error = EINTR });
    play_all(&(struct scene){ .how = FAIL_SHORT });
}

/* The first message after the crash finds what the dead process left, between any two calls. */
static void a_process_that_dies_between_any_two_calls_delivers_once(void **state)
{
    (void)state;
    for (int no_rename = 0; no_rename < 2; no_rename++) {
        play_all(&(struct scene){ .how = FAIL_REST, .error = EIO, .no_rename = no_rename });
        play_all(&(struct scene){ .how = DIE_AFTER, .error = EIO, .no_rename = no_rename });
        play_all(&(struct scene){ .how = DIE_AFTER, .error = EIO, .no_rename = no_rename, .earlier = true });
    }
}

/* What the client of a failed attempt is told: later or never, in the codes of RFC 3463. */
static void failures_have_the_code_of_their_kind(void **state)
{
    const struct {
        int error;
        const char *code;
    } cases[] = {
        { EDQUOT, "4.2.2" }, { ENOSPC, "4.3.1" },      { EACCES, "4.3.5" },
        { EIO, "4.3.0" },    { ENAMETOOLONG, "5.1.3" }, { EROFS, "4.3.5" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mailbox_failure failure = { 0 };
        assert_false(mailbox_fail_sys(&failure, cases[i].error, "x"));
        assert_string_equal(failure.code, cases[i].code);
        assert_int_equal(failure.err.kind, cases[i].code[0] == '5' ? ERR_PERM : ERR_TEMP);
        assert_int_equal(failure.err.sys, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_leaves_nothing_half_done),
        cmocka_unit_test(a_call_that_worked_and_reports_failure_ends_with_one_copy),
        cmocka_unit_test(interrupted_and_short_calls_are_gone_on_with),
        cmocka_unit_test(a_process_that_dies_between_any_two_calls_delivers_once),
        cmocka_unit_test(failures_have_the_code_of_their_kind),
    };

    return cmocka_run_group_tests_name("mailbox/maildir faults", tests, NULL, NULL);
}
