/* mbox: what stands in the file, who may hold it, what is no mailbox, and what a dead process leaves. */
#include "tests/unit/mailbox/box.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "core/bug.h"
#include "mailbox/mbox.h"
#include "mailbox/mbox_lock.h"

#define FROM "From carol@example.net Wed Nov 18 11:06:40 2026\n"

static struct mbox_store *store_new(int64_t wait_msec)
{
    struct mbox_store *store = mbox_store_new(&(struct mbox_options){
        .disk = &mailbox_disk_kernel,
        .wait_msec = wait_msec,
    });

    assert_non_null(store);
    return store;
}

static bool append_to(const struct box *b, struct mbox_store *store, const char *path, struct str content,
                      struct mailbox_failure *failure)
{
    struct mbox_message m = {
        .sender = STR("carol@example.net"),
        .accepted_msec = 1795000000999,
        .content = { .pieces = &content, .n_pieces = 1, .file = -1 },
    };

    return mbox_append(store, b->fd, str_from_c(path), &m, failure);
}

static bool append(const struct box *b, const char *path, struct str content, struct mailbox_failure *failure)
{
    struct mbox_store *store = store_new(0);
    bool ok = append_to(b, store, path, content, failure);

    mbox_store_free(store);
    return ok;
}

static void appends(const struct box *b, const char *path, struct str content)
{
    struct mailbox_failure failure = { 0 };

    if (!append(b, path, content, &failure))
        fail_msg("%s: %s", failure.code, failure.err.text);
}

static void refuses(const struct box *b, const char *path, const char *code)
{
    struct mailbox_failure failure = { 0 };

    assert_false(append(b, path, STR("x\r\n"), &failure));
    assert_string_equal(failure.code, code);
    assert_int_equal(failure.err.kind, code[0] == '5' ? ERR_PERM : ERR_TEMP);
}

static void each_message_stands_behind_the_others_C136(void **state)
{
    struct box b = box_make();
    struct stat st;

    (void)state;
    appends(&b, "ada", STR("Subject: 1\r\n\r\nFrom here\r\nx\ry\r\n"));
    appends(&b, "ada", STR("Subject: 2\r\n\r\nno end"));
    appends(&b, "ada", STR("Subject: 3\r\n\r\n"));
    box_assert_file(&b, ".", "ada", STR(FROM "Subject: 1\n\n>From here\nx\ry\n\n" FROM "Subject: 2\n\nno end\n\n" FROM
                                             "Subject: 3\n\n\n"));
    assert_int_equal(fstatat(b.fd, "ada", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(box_count(&b, ".", NULL), 1);
    box_drop(&b);
}

static void folders_are_made_for_the_owner_alone(void **state)
{
    struct box b = box_make();
    struct stat st;

    (void)state;
    appends(&b, "example.org/box/ada", STR("x\r\n"));
    assert_int_equal(fstatat(b.fd, "example.org", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    box_assert_file(&b, "example.org/box", "ada", STR(FROM "x\n\n"));
    box_drop(&b);
}

static void content_of_a_file_is_streamed(void **state)
{
    enum { SIZE = 300001 };
    struct box b = box_make();
    struct mbox_store *store = store_new(0);
    struct mailbox_failure failure = { 0 };
    char *octets = malloc(SIZE);
    struct str piece = STR("A: b\r\n\r\n");
    struct mbox_message m = { .content = { .pieces = &piece, .n_pieces = 1, .file_size = SIZE } };

    (void)state;
    assert_non_null(octets);
    /* As many lines to be quoted as can be. */
    for (size_t i = 0; i < SIZE; i++)
        octets[i] = "From \n"[i % 6];
    box_make_file(&b, "content", str_of(octets, SIZE));
    m.content.file = openat(b.fd, "content", O_RDONLY);
    if (!mbox_append(store, b.fd, STR("ada"), &m, &failure))
        fail_msg("%s", failure.err.text);
    struct str got = box_read(&b, ".", "ada");
    struct str text = got;
    assert_str_is(str_cut(&text, '\n'), STR("From MAILER-DAEMON Thu Jan  1 00:00:00 1970"));
    assert_str_is(str_cut(&text, '\n'), STR("A: b"));
    assert_str_is(str_cut(&text, '\n'), STR(""));
    for (size_t i = 0; i < SIZE / 6; i++)
        assert_str_is(str_cut(&text, '\n'), STR(">From "));
    assert_str_is(text, STR("F\n\n"));
    /* Shorter than it was said to be: nothing of it stays. */
    m.content.file_size = SIZE + 1;
    assert_false(mbox_append(store, b.fd, STR("ada"), &m, &failure));
    assert_string_equal(failure.code, "4.3.0");
    box_assert_file(&b, ".", "ada", got);
    close(m.content.file);
    free((char *)(uintptr_t)got.p);
    free(octets);
    mbox_store_free(store);
    box_drop(&b);
}

/* Whatever wrote there before us, or was torn off in doing so, never becomes one message with ours. */
static void a_message_never_merges_with_what_stands_there_C136(void **state)
{
    const struct {
        struct str there;
        struct str ends;
    } cases[] = {
        { STR_INIT("From x y\nA: b\n\nx"), STR_INIT("\n\n") }, { STR_INIT("From x y\nA: b\n\nx\n"), STR_INIT("\n") },
        { STR_INIT("From x y\nA: b\n\nx\n\n"), STR_INIT("") }, { STR_INIT("F"), STR_INIT("\n\n") },
        { STR_INIT("\n"), STR_INIT("\n") },                    { STR_INIT("\n\n"), STR_INIT("") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct box b = box_make();
        char want[200];
        box_make_file(&b, "ada", cases[i].there);
        appends(&b, "ada", STR("x\r\n"));
        int n = snprintf(want, sizeof(want), "%.*s%.*s" FROM "x\n\n", STR_ARG(cases[i].there), STR_ARG(cases[i].ends));
        box_assert_file(&b, ".", "ada", str_of(want, (size_t)n));
        box_drop(&b);
    }
}

static void what_is_no_mailbox_is_refused(void **state)
{
    struct box b = box_make();
    char name[256];

    (void)state;
    box_make_file(&b, "other", STR(""));
    assert_int_equal(symlinkat("other", b.fd, "link"), 0);
    assert_int_equal(symlinkat(".", b.fd, "here"), 0);
    assert_int_equal(mkdirat(b.fd, "folder", 0700), 0);
    assert_int_equal(mkfifoat(b.fd, "fifo", 0600), 0);
    assert_int_equal(linkat(b.fd, "other", b.fd, "second", 0), 0);
    refuses(&b, "link", "4.3.5");
    refuses(&b, "here/other", "4.3.5");
    refuses(&b, "folder", "4.3.0");
    refuses(&b, "fifo", "4.3.5");
    refuses(&b, "second", "4.3.5");
    refuses(&b, "other/x", "4.3.5");
    refuses(&b, "..", "5.1.3");
    refuses(&b, "../x", "5.1.3");
    refuses(&b, "", "5.1.3");
    refuses(&b, "/x", "5.1.3");
    refuses(&b, "a//x", "5.1.3");
    refuses(&b, "folder/", "5.1.3");
    refuses(&b, "ada.lock", "5.1.3");
    memset(name, 'n', sizeof(name) - 1);
    name[255] = '\0';
    refuses(&b, name, "5.1.3");
    box_assert_file(&b, ".", "other", STR(""));
    box_drop(&b);
}

/* ---- locks ---- */

static void a_mailbox_that_another_program_holds_is_tried_later(void **state)
{
    struct box b = box_make();
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    (void)state;
    appends(&b, "ada", STR("x\r\n"));
    int fd = openat(b.fd, "ada", O_RDWR);
    /* A lock of the other kind, of this same process: both kinds conflict. */
    assert_int_equal(fcntl(fd, F_SETLK, &all), 0);
    refuses(&b, "ada", "4.2.0");
    close(fd);
    box_make_file(&b, "ada.lock", STR("0"));
    refuses(&b, "ada", "4.2.0");
    box_assert_file(&b, ".", "ada.lock", STR("0"));
    assert_int_equal(unlinkat(b.fd, "ada.lock", 0), 0);
    box_assert_file(&b, ".", "ada", STR(FROM "x\n\n"));
    appends(&b, "ada", STR("x\r\n"));
    box_drop(&b);
}

static void a_lock_that_nobody_touched_for_long_is_removed(void **state)
{
    struct box b = box_make();
    struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

    (void)state;
    box_make_file(&b, "ada.lock", STR("123"));
    assert_int_equal(utimensat(b.fd, "ada.lock", old, 0), 0);
    appends(&b, "ada", STR("x\r\n"));
    assert_int_equal(box_count(&b, ".", NULL), 1);
    box_drop(&b);
}

/* Made by a process that died before it wrote into it; a lock with something in it is not ours to judge so soon. */
static void an_empty_lock_of_our_account_is_removed_sooner(void **state)
{
    const struct str texts[] = { STR_INIT(""), STR_INIT("0") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct box b = box_make();
        struct timespec now;
        struct mailbox_failure failure = { 0 };
        clock_gettime(CLOCK_REALTIME, &now);
        now.tv_sec -= 60;
        box_make_file(&b, "ada.lock", texts[i]);
        assert_int_equal(utimensat(b.fd, "ada.lock", (struct timespec[]){ now, now }, 0), 0);
        assert_int_equal(append(&b, "ada", STR("x\r\n"), &failure), texts[i].n == 0);
        box_drop(&b);
    }
}

/* The lock of one who died in mid-write, over a mailbox of which PART is left behind LENGTH octets. */
static void leave_lock(const struct box *b, const char *boot, off_t length, struct str head)
{
    struct stat st;
    char text[MBOX_LOCK_MAX];
    struct mbox_note note = { .length = length, .head = head };

    assert_int_equal(fstatat(b->fd, "ada", &st, 0), 0);
    note.device = st.st_dev;
    note.inode = st.st_ino;
    snprintf(note.boot, sizeof(note.boot), "%s", boot);
    box_make_file(b, "ada.lock", mbox_note_write(&note, text));
}

static const char *this_boot(void)
{
    static char boot[37];
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

    assert_non_null(f);
    assert_non_null(fgets(boot, sizeof(boot), f));
    fclose(f);
    return boot;
}

#define FIRST FROM "Subject: 1\n\none\n\n"
#define TORN FROM "Subject: 2\n\ntw"

static void what_a_death_in_mid_write_left_is_cut_off_C136(void **state)
{
    const struct str parts[] = { STR_INIT(""), STR_INIT("F"), STR_INIT(FROM), STR_INIT(TORN) };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct box b = box_make();
        char text[300];
        int n = snprintf(text, sizeof(text), FIRST "%.*s", STR_ARG(parts[i]));
        box_make_file(&b, "ada", str_of(text, (size_t)n));
        leave_lock(&b, this_boot(), (off_t)sizeof(FIRST) - 1, STR(FROM));
        appends(&b, "ada", STR("Subject: 3\r\n\r\nthree\r\n"));
        box_assert_file(&b, ".", "ada", STR(FIRST FROM "Subject: 3\n\nthree\n\n"));
        assert_int_equal(box_count(&b, ".", NULL), 1);
        box_drop(&b);
    }
}

/* A lock may come back by a power cut, though the message was stored; others may have written since. */
static void nothing_is_cut_off_that_may_have_been_acknowledged(void **state)
{
    const struct {
        const char *boot;
        off_t length;
        struct str there;
        struct str head;
    } cases[] = {
        { "another-boot", sizeof(FIRST) - 1, STR_INIT(FIRST TORN), STR_INIT(FROM) },
        { "", sizeof(FIRST) - 1, STR_INIT(FIRST TORN), STR_INIT(FROM) },
        { NULL, sizeof(FIRST) - 1, STR_INIT(FIRST FROM "a\n\nFrom b c\nd\n"), STR_INIT(FROM) },
        { NULL, sizeof(FIRST) - 1, STR_INIT(FIRST "From somebody else\n"), STR_INIT(FROM) },
        { NULL, 1000, STR_INIT(FIRST TORN), STR_INIT(FROM) },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct box b = box_make();
        box_make_file(&b, "ada", cases[i].there);
        leave_lock(&b, cases[i].boot ? cases[i].boot : this_boot(), cases[i].length, cases[i].head);
        appends(&b, "ada", STR("Subject: 3\r\n\r\nthree\r\n"));
        struct str got = box_read(&b, ".", "ada");
        assert_true(str_starts(got, cases[i].there));
        assert_true(str_ends(got, STR("\n\n" FROM "Subject: 3\n\nthree\n\n")));
        assert_int_equal(box_count(&b, ".", NULL), 1);
        free((char *)(uintptr_t)got.p);
        box_drop(&b);
    }
}

/* Of a file that stood there before: its maker may live. */
static void a_lock_of_ours_for_another_file_is_respected(void **state)
{
    struct box b = box_make();

    (void)state;
    appends(&b, "ada", STR("x\r\n"));
    leave_lock(&b, this_boot(), 0, STR(FROM));
    assert_int_equal(renameat(b.fd, "ada", b.fd, "old"), 0);
    refuses(&b, "ada", "4.2.0");
    box_drop(&b);
}

static void notes_are_read_as_written_and_nothing_else_is_one(void **state)
{
    const struct str others[] = {
        STR_INIT(""), STR_INIT("0"), STR_INIT("12\n"), STR_INIT("12 veredus\n"), STR_INIT("12 procmail a 1 2 3\n"),
        STR_INIT("12 veredus a 1 2 3"), STR_INIT("12 veredus a 1 2 -3\n"), STR_INIT("12 veredus a 1 2 3 4\n"),
        STR_INIT("x veredus a 1 2 3\n"), STR_INIT("12 veredus  1 2 3\n"),
        STR_INIT("12 veredus 0123456789012345678901234567890123456789 1 2 3\n"),
    };
    struct mbox_note note = { .boot = "b-o-o-t", .device = 1, .inode = 99, .length = 1LL << 40, .head = STR("\nFrom x\n") };
    struct mbox_note got;
    char text[MBOX_LOCK_MAX];

    (void)state;
    struct str written = mbox_note_write(&note, text);
    assert_true(mbox_note_read(written, &got));
    assert_string_equal(got.boot, note.boot);
    assert_true(got.device == 1 && got.inode == 99 && got.length == note.length);
    assert_str_is(got.head, note.head);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        char *copy = malloc(others[i].n + !others[i].n);
        assert_non_null(copy);
        memcpy(copy, others[i].p, others[i].n);
        if (mbox_note_read(str_of(copy, others[i].n), &got))
            fail_msg("%.*s", STR_ARG(others[i]));
        free(copy);
    }
}

/* ---- many at once ---- */

enum { THREADS = 8, EACH = 20 };

struct crowd {
    const struct box *box;
    struct mbox_store *store;
    unsigned number;
};

static void *deliver_some(void *arg)
{
    const struct crowd *c = arg;
    char text[64];

    for (unsigned i = 0; i < EACH; i++) {
        struct mailbox_failure failure = { 0 };
        int n = snprintf(text, sizeof(text), "Subject: %u-%u\r\n\r\nx\r\n", c->number, i);
        if (!append_to(c->box, c->store, "ada", str_of(text, (size_t)n), &failure))
            return arg;
    }
    return NULL;
}

/* Half of them through a store of their own, as another process would have it. */
static void many_deliver_into_one_mailbox_and_every_message_is_whole_C136(void **state)
{
    struct box b = box_make();
    struct mbox_store *stores[2] = { store_new(60000), store_new(60000) };
    struct crowd crowd[THREADS];
    pthread_t threads[THREADS];
    bool seen[THREADS][EACH] = { { false } };
    size_t n = 0;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){ &b, stores[i % 2], i };
        assert_int_equal(pthread_create(&threads[i], NULL, deliver_some, &crowd[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *late;
        assert_int_equal(pthread_join(threads[i], &late), 0);
        assert_null(late);
    }
    struct str got = box_read(&b, ".", "ada");
    struct str text = got;
    while (text.n) {
        unsigned who, which;
        char line[64];
        assert_str_is(str_cut(&text, '\n'), str_of(FROM, sizeof(FROM) - 2));
        struct str subject = str_cut(&text, '\n');
        snprintf(line, sizeof(line), "%.*s", STR_ARG(subject));
        assert_int_equal(sscanf(line, "Subject: %u-%u", &who, &which), 2);
        assert_true(who < THREADS && which < EACH && !seen[who][which]);
        seen[who][which] = true;
        assert_str_is(str_cut(&text, '\n'), STR(""));
        assert_str_is(str_cut(&text, '\n'), STR("x"));
        assert_str_is(str_cut(&text, '\n'), STR(""));
        n++;
    }
    assert_int_equal(n, THREADS * EACH);
    assert_int_equal(box_count(&b, ".", NULL), 1);
    assert_true(mbox_store_syncs(stores[0]) >= THREADS / 2 * EACH);
    free((char *)(uintptr_t)got.p);
    mbox_store_free(stores[0]);
    mbox_store_free(stores[1]);
    box_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_stands_behind_the_others_C136),
        cmocka_unit_test(folders_are_made_for_the_owner_alone),
        cmocka_unit_test(content_of_a_file_is_streamed),
        cmocka_unit_test(a_message_never_merges_with_what_stands_there_C136),
        cmocka_unit_test(what_is_no_mailbox_is_refused),
        cmocka_unit_test(a_mailbox_that_another_program_holds_is_tried_later),
        cmocka_unit_test(a_lock_that_nobody_touched_for_long_is_removed),
        cmocka_unit_test(an_empty_lock_of_our_account_is_removed_sooner),
        cmocka_unit_test(what_a_death_in_mid_write_left_is_cut_off_C136),
        cmocka_unit_test(nothing_is_cut_off_that_may_have_been_acknowledged),
        cmocka_unit_test(a_lock_of_ours_for_another_file_is_respected),
        cmocka_unit_test(notes_are_read_as_written_and_nothing_else_is_one),
        cmocka_unit_test(many_deliver_into_one_mailbox_and_every_message_is_whole_C136),
    };

    return cmocka_run_group_tests_name("mailbox/mbox", tests, NULL, NULL);
}
