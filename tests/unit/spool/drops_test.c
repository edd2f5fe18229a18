/* The drop folder: what everyone may do there, and what is never taken. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/drops.h"

static char spool[64];
static struct spool_drops drops;

static char *path_of(const char *folder, const char *name)
{
    static char paths[4][256];
    static unsigned last;
    char *path = paths[++last % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s/%s", spool, folder, name);
    return path;
}

static int open_spool(void **state)
{
    struct err err = { 0 };

    (void)state;
    snprintf(spool, sizeof(spool), "/tmp/veredus-drops-XXXXXX");
    return mkdtemp(spool) && spool_drops_open(&drops, spool, &err) ? 0 : -1;
}

static bool remove_each(void *ctx, const char *name)
{
    (void)ctx;
    if (unlinkat(drops.folder, name, 0) < 0)
        unlinkat(drops.folder, name, AT_REMOVEDIR);
    unlinkat(drops.aside, name, 0);
    return true;
}

static int close_spool(void **state)
{
    struct spool_drops aside = { drops.aside, drops.aside };

    (void)state;
    spool_drops_list(&drops, remove_each, NULL);
    spool_drops_list(&aside, remove_each, NULL);
    spool_drops_close(&drops);
    rmdir(path_of("drop", ""));
    rmdir(path_of("drop-failed", ""));
    return rmdir(spool);
}

struct seen {
    unsigned n;
    unsigned stop;
    char name[SPOOL_DROP_NAME_MAX];
};

static bool see(void *ctx, const char *name)
{
    struct seen *seen = ctx;

    snprintf(seen->name, sizeof(seen->name), "%s", name);
    return ++seen->n != seen->stop;
}

static struct seen look(unsigned stop)
{
    struct seen seen = { .stop = stop };

    spool_drops_list(&drops, see, &seen);
    return seen;
}

static void make(const char *name, const char *octets)
{
    int fd = open(path_of("drop", name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, octets, strlen(octets)), strlen(octets));
    close(fd);
}

static void what_is_left_can_be_taken(void **state)
{
    struct spool_drop drop;
    struct stat st;
    struct err err = { 0 };
    char octets[16];

    (void)state;
    assert_true(spool_drop_leave(spool, STR("a message"), &err));
    struct seen seen = look(0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(stat(path_of("drop", seen.name), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(spool_drop_open(&drops, seen.name, &drop, &err));
    assert_int_equal(drop.uid, geteuid());
    assert_int_equal(read(drop.fd, octets, sizeof(octets)), 9);
    assert_memory_equal(octets, "a message", 9);
    close(drop.fd);
    assert_true(spool_drop_remove(&drops, seen.name, &err));
    assert_true(spool_drop_remove(&drops, seen.name, &err));
    assert_int_equal(look(0).n, 0);
}

static void the_folders_have_their_modes_also_when_they_were_there(void **state)
{
    struct spool_drops again;
    struct stat st;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(chmod(path_of("drop", ""), 0777), 0);
    assert_true(spool_drops_open(&again, spool, &err));
    spool_drops_close(&again);
    assert_int_equal(stat(path_of("drop", ""), &st), 0);
    assert_int_equal(st.st_mode & 07777, 01733);
    assert_int_equal(stat(path_of("drop-failed", ""), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void only_finished_files_are_told_of(void **state)
{
    char name[SPOOL_DROP_NAME_MAX + 1];

    (void)state;
    make("tmp-0123456789abcdef", "x");
    make("other", "x");
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(name, "msg-", 4);
    make(name, "x");
    assert_int_equal(look(0).n, 0);
    name[sizeof(name) - 2] = '\0';
    make(name, "x");
    make("msg-1", "x");
    assert_int_equal(look(0).n, 2);
    assert_int_equal(look(1).n, 1);
    unlink(path_of("drop", "tmp-0123456789abcdef"));
    unlink(path_of("drop", "other"));
    name[sizeof(name) - 2] = 'a';
    unlink(path_of("drop", name));
}

static void assert_never(const char *name)
{
    struct spool_drop drop;
    struct err err = { 0 };

    assert_false(spool_drop_open(&drops, name, &drop, &err));
    assert_int_equal(err.kind, ERR_PERM);
    assert_int_equal(drop.fd, -1);
    assert_int_equal(drop.uid, geteuid());
}

static void what_is_no_plain_file_with_one_name_is_never_opened(void **state)
{
    struct err err = { 0 };

    (void)state;
    make("msg-1", "x");
    assert_int_equal(symlink("/etc/passwd", path_of("drop", "msg-symlink")), 0);
    assert_int_equal(link(path_of("drop", "msg-1"), path_of("drop", "msg-hardlink")), 0);
    assert_int_equal(mkfifo(path_of("drop", "msg-fifo"), 0600), 0);
    assert_int_equal(mkdir(path_of("drop", "msg-folder"), 0700), 0);
    assert_never("msg-symlink");
    assert_never("msg-hardlink");
    assert_never("msg-1");
    assert_never("msg-fifo");
    assert_never("msg-folder");
    assert_true(spool_drop_set_aside(&drops, "msg-symlink", &err));
    assert_int_equal(access(path_of("drop-failed", "msg-symlink"), F_OK), 0);
    assert_int_equal(rmdir(path_of("drop", "msg-folder")), 0);
}

static void one_that_is_gone_is_no_longer_spoken_of(void **state)
{
    struct spool_drop drop;
    struct err err = { 0 };

    (void)state;
    assert_false(spool_drop_open(&drops, "msg-gone", &drop, &err));
    assert_int_equal(err.kind, ERR_TEMP);
    assert_false(spool_drop_set_aside(&drops, "msg-gone", &err));
}

static void a_file_that_changes_has_another_number(void **state)
{
    struct spool_drop first, second;
    struct err err = { 0 };

    (void)state;
    make("msg-1", "x");
    assert_true(spool_drop_open(&drops, "msg-1", &first, &err));
    assert_true(spool_drop_open(&drops, "msg-1", &second, &err));
    assert_int_equal(first.number, second.number);
    close(second.fd);
    make("msg-new", "y");
    assert_int_equal(rename(path_of("drop", "msg-new"), path_of("drop", "msg-1")), 0);
    assert_true(spool_drop_open(&drops, "msg-1", &second, &err));
    assert_int_not_equal(first.number, second.number);
    close(first.fd);
    close(second.fd);
}

static void without_a_folder_nothing_is_left(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_false(spool_drop_leave("/nonexistent", STR("x"), &err));
    assert_non_null(strstr(err.text, "/nonexistent/drop"));
}

/* The folder above belongs to the queue, which may have been taken over. */
static void a_link_in_the_place_of_the_folder_is_refused(void **state)
{
    struct spool_drops other;
    char fake[128];
    struct err err = { 0 };

    (void)state;
    snprintf(fake, sizeof(fake), "%s/fake", spool);
    assert_int_equal(mkdir(fake, 0700), 0);
    snprintf(fake, sizeof(fake), "%s/fake/drop", spool);
    assert_int_equal(symlink("/tmp", fake), 0);
    char above[128];
    snprintf(above, sizeof(above), "%s/fake", spool);
    assert_false(spool_drops_open(&other, above, &err));
    assert_int_equal(other.folder, -1);
    unlink(fake);
    assert_int_equal(rmdir(above), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_left_can_be_taken, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(the_folders_have_their_modes_also_when_they_were_there, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(only_finished_files_are_told_of, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(what_is_no_plain_file_with_one_name_is_never_opened, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(one_that_is_gone_is_no_longer_spoken_of, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(a_file_that_changes_has_another_number, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(without_a_folder_nothing_is_left, open_spool, close_spool),
        cmocka_unit_test_setup_teardown(a_link_in_the_place_of_the_folder_is_refused, open_spool, close_spool),
    };

    return cmocka_run_group_tests_name("spool/drops", tests, NULL, NULL);
}
