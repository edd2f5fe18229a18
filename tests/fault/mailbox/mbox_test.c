/*
 * Every system call of an append made to fail, and every one made the last before the process dies: what was called
 * stored is there whole, what was there before is whole, no two messages become one, and trying again ends well.
 */
#include "tests/fault/mailbox/faulty.h"

#include "mailbox/mbox.h"

enum { FILE_SIZE = 70002 };

#define FROM_LINE "From a@example.org Thu Jan  1 00:00:01 1970\n"

static char content[FILE_SIZE];

struct scene {
    enum how how;
    int error;
    bool before; /* mail stands there already */
};

static bool append(const struct box *b, const struct mailbox_disk *disk, const char *subject)
{
    char text[40];
    struct str piece = str_of(text, (size_t)snprintf(text, sizeof(text), "Subject: %s\r\n\r\n", subject));
    struct mailbox_failure failure = { 0 };
    struct mbox_store *store = mbox_store_new(&(struct mbox_options){ .disk = disk });
    struct mbox_message m = {
        .sender = STR("a@example.org"),
        .accepted_msec = 1000,
        .content = { .pieces = &piece, .n_pieces = 1, .file = openat(b->fd, "content", O_RDONLY),
                     .file_size = FILE_SIZE },
    };

    assert_non_null(store);
    assert_true(m.content.file >= 0);
    bool ok = mbox_append(store, b->fd, STR("d/ada"), &m, &failure);
    if (!ok)
        assert_true(failure.code[0] == '4' || failure.code[0] == '5');
    close(m.content.file);
    mbox_store_free(store);
    return ok;
}

/* What a reader sees: messages in order, each whole. Their subjects, one letter each. */
static void subjects(const struct box *b, char out[8])
{
    char want[100];
    struct str got = { 0 };
    size_t n = 0;

    if (faccessat(b->fd, "d/ada", F_OK, 0) == 0)
        got = box_read(b, "d", "ada");
    struct str text = got;
    while (text.n) {
        assert_true(n < 7 && text.n > sizeof(FROM_LINE) + 8);
        char subject = text.p[sizeof(FROM_LINE) - 1 + 9];
        struct str head = str_of(want, (size_t)snprintf(want, sizeof(want), FROM_LINE "Subject: %c\n\n", subject));
        assert_true(str_starts(text, head));
        text = str_skip(text, head.n);
        assert_true(text.n > FILE_SIZE);
        assert_memory_equal(text.p, content, FILE_SIZE);
        text = str_skip(text, FILE_SIZE);
        assert_true(str_starts(text, STR("\n")));
        text = str_skip(text, 1);
        out[n++] = subject;
    }
    out[n] = '\0';
    free((char *)(uintptr_t)got.p);
}

/*
 * A lock that was made and not even written to says nothing: it is respected for a while. That while is over here.
 * Then it is as for any other.
 */
static void wait_for_an_empty_lock(const struct box *b)
{
    struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
    struct stat st;

    if (fstatat(b->fd, "d/ada.lock", &st, 0) < 0 || st.st_size > 0)
        return;
    assert_false(append(b, &mailbox_disk_kernel, "c"));
    assert_int_equal(utimensat(b->fd, "d/ada.lock", old, 0), 0);
}

/* True while there was a call N to fail. */
static bool play(const struct scene *scene, unsigned n)
{
    struct box b = box_make();
    struct faulty f = { .disk = faulty_disk, .how = scene->how, .n = n, .error = scene->error };
    char seen[8], want[8];

    box_make_file(&b, "content", str_of(content, FILE_SIZE));
    if (scene->before)
        assert_true(append(&b, &mailbox_disk_kernel, "a"));
    bool first = append(&b, &f.disk, "b");
    if (first) {
        subjects(&b, seen);
        assert_string_equal(seen, scene->before ? "ab" : "b");
    }
    /* A new life over what is left there, or another's turn: all whole, and nothing of what failed. */
    wait_for_an_empty_lock(&b);
    assert_true(append(&b, &mailbox_disk_kernel, "c"));
    subjects(&b, seen);
    snprintf(want, sizeof(want), "%s%sc", scene->before ? "a" : "", first ? "b" : "");
    assert_string_equal(seen, want);
    assert_int_equal(box_count(&b, "d", NULL), 1);
    box_drop(&b);
    return f.tripped;
}

static void play_all(const struct scene *scene)
{
    unsigned n = 1;

    for (size_t i = 0; i < FILE_SIZE; i++)
        content[i] = "line\n."[i % 6];
    content[FILE_SIZE - 1] = '\n';
    while (play(scene, n))
        n++;
    assert_true(n > 8);
    assert_true(n < 100);
}

static void play_both(enum how how, int error)
{
    play_all(&(struct scene){ .how = how, .error = error });
    play_all(&(struct scene){ .how = how, .error = error, .before = true });
}

static void a_call_that_fails_leaves_the_mailbox_as_it_was(void **state)
{
    const int errors[] = { EIO, ENOSPC, EDQUOT, EMFILE };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        play_both(FAIL_ONE, errors[i]);
}

static void a_call_that_worked_and_reports_failure_leaves_no_part(void **state)
{
    (void)state;
    play_both(FAIL_REPORTED, EIO);
}

static void interrupted_and_short_calls_are_gone_on_with(void **state)
{
    (void)state;
    play_both(FAIL_ONE, EINTR);
    play_both(FAIL_SHORT, 0);
}

static void a_process_that_dies_between_any_two_calls_leaves_no_part_C136(void **state)
{
    (void)state;
    play_both(FAIL_REST, EIO);
    play_both(DIE_AFTER, EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_leaves_the_mailbox_as_it_was),
        cmocka_unit_test(a_call_that_worked_and_reports_failure_leaves_no_part),
        cmocka_unit_test(interrupted_and_short_calls_are_gone_on_with),
        cmocka_unit_test(a_process_that_dies_between_any_two_calls_leaves_no_part_C136),
    };

    return cmocka_run_group_tests_name("mailbox/mbox faults", tests, NULL, NULL);
}
