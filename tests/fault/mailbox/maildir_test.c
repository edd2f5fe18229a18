/*
 * Every system call of a delivery made to fail, and every one made the last before the process dies: a reader never
 * sees what is not whole and synced, and trying again ends with exactly one copy.
 */
#include "tests/unit/mailbox/box.h"

#include <errno.h>

#include "core/bug.h"

enum how {
    FAIL_ONE,      /* call N fails, others work */
    FAIL_REPORTED, /* call N does its work and says that it failed */
    FAIL_SHORT,    /* call N writes or reads one octet only */
    FAIL_REST,     /* call N and all after it fail: the process is dead */
    DIE_AFTER,     /* call N works, all after it fail */
};

/* The kernel's calls but for one, and what must be true of each of them. */
struct faulty {
    struct mailbox_disk disk;
    enum how how;
    unsigned n; /* 0: none */
    unsigned calls;
    int error;
    bool no_rename; /* the file system cannot move without replacing */
    bool unsynced;  /* something was written since the last sync of a file */
    bool tripped;
};

static struct faulty *faulty_of(const struct mailbox_disk *d)
{
    return CONTAINER_OF((uintptr_t)d, struct faulty, disk);
}

/* Whether this call is to fail before it does anything. */
static bool fails(struct faulty *f)
{
    unsigned call = ++f->calls;
    bool fail = f->n && ((f->how == FAIL_ONE && call == f->n) || (f->how == FAIL_REST && call >= f->n) ||
                         (f->how == DIE_AFTER && call > f->n));

    f->tripped |= f->n && call >= f->n;
    if (fail)
        errno = f->error;
    return fail;
}

/* What a call that worked says. */
static int says(const struct faulty *f, int r)
{
    if (f->how != FAIL_REPORTED || f->calls != f->n)
        return r;
    errno = f->error;
    return -1;
}

static int f_open(const struct mailbox_disk *d, int dir, const char *path, int flags, mode_t mode)
{
    struct faulty *f = faulty_of(d);

    if (fails(f))
        return -1;
    int fd = mailbox_disk_kernel.open_below(d, dir, path, flags, mode);
    if (fd >= 0 && says(f, 0) < 0) {
        close(fd);
        errno = f->error;
        return -1;
    }
    f->unsynced |= fd >= 0 && (flags & O_CREAT);
    return fd;
}

static bool is_short(const struct faulty *f)
{
    return f->how == FAIL_SHORT && f->calls == f->n;
}

static ssize_t f_read(const struct mailbox_disk *d, int fd, void *at, size_t n, off_t offset)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : mailbox_disk_kernel.read_at(d, fd, at, is_short(f) ? 1 : n, offset);
}

static ssize_t f_write(const struct mailbox_disk *d, int fd, const void *at, size_t n)
{
    struct faulty *f = faulty_of(d);

    if (fails(f))
        return -1;
    f->unsynced = true;
    ssize_t r = mailbox_disk_kernel.write(d, fd, at, is_short(f) ? 1 : n);
    return says(f, 0) < 0 ? -1 : r;
}

static int f_sync(const struct mailbox_disk *d, int fd)
{
    struct faulty *f = faulty_of(d);
    struct stat st;

    if (fails(f))
        return -1;
    int r = says(f, mailbox_disk_kernel.sync(d, fd));
    if (r == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        f->unsynced = false;
    return r;
}

static int f_make_dir(const struct mailbox_disk *d, int dir, const char *name)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.make_dir(d, dir, name));
}

static int f_move(const struct mailbox_disk *d, int from, int to, const char *name)
{
    struct faulty *f = faulty_of(d);

    assert_false(f->unsynced);
    if (fails(f))
        return -1;
    if (f->no_rename) {
        errno = EINVAL;
        return -1;
    }
    return says(f, mailbox_disk_kernel.move(d, from, to, name));
}

static int f_link(const struct mailbox_disk *d, int from, int to, const char *name)
{
    struct faulty *f = faulty_of(d);

    assert_false(f->unsynced);
    return fails(f) ? -1 : says(f, mailbox_disk_kernel.link(d, from, to, name));
}

static int f_remove(const struct mailbox_disk *d, int dir, const char *name)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.remove(d, dir, name));
}

static int f_exists(const struct mailbox_disk *d, int dir, const char *name)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : says(f, mailbox_disk_kernel.exists(d, dir, name));
}

static ssize_t f_entries(const struct mailbox_disk *d, int fd, void *at, size_t n)
{
    struct faulty *f = faulty_of(d);

    return fails(f) ? -1 : mailbox_disk_kernel.entries(d, fd, at, n);
}

static const struct mailbox_disk faulty_disk = {
    .open_below = f_open, .read_at = f_read, .write = f_write,   .sync = f_sync,     .make_dir = f_make_dir,
    .move = f_move,       .link = f_link,    .remove = f_remove, .exists = f_exists, .entries = f_entries,
};

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
        .pieces = &piece,
        .n_pieces = 1,
        .file = openat(b->fd, "content", O_RDONLY),
        .file_size = FILE_SIZE,
        .look = look,
    };
    struct mailbox_store *store = box_store(b, disk);
    enum maildir_result r = maildir_deliver(store, STR("d/u"), &m, &failure);

    if (r == MAILDIR_FAILED || r == MAILDIR_IN_DOUBT)
        assert_true(failure.code[0] == '4' || failure.code[0] == '5');
    mailbox_store_free(store);
    close(m.file);
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
