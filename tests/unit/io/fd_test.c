/* Descriptors: passed beside octets, sealed, and whole files. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

static void descriptors_without_room_are_closed_and_said(void **state)
{
    struct err err = { 0 };
    int pair[2], give[3], take[2] = { -1, -1 };
    char octets[8];
    size_t n = 9;
    bool overflow = false;

    (void)state;
    assert_true(fd_pair(pair, &err));
    for (int i = 0; i < 3; i++)
        give[i] = fd_sealed("x", STR("sealed"), &err);
    int free_before = dup(0);
    close(free_before);
    assert_int_equal(fd_send(pair[0], STR("abc"), give, 3), 3);
    assert_int_equal(fd_recv(pair[1], octets, sizeof(octets), take, 2, &n, &overflow), 3);
    assert_int_equal(n, 2);
    assert_true(overflow);
    assert_true(fcntl(take[0], F_GETFD) & FD_CLOEXEC);
    close(take[0]);
    close(take[1]);
    /* None of the three is left open. */
    int free_after = dup(0);
    assert_int_equal(free_after, free_before);
    close(free_after);
    assert_int_equal(fd_recv(pair[1], octets, sizeof(octets), take, 2, &n, &overflow), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(n, 0);
    for (int i = 0; i < 3; i++)
        fd_close(&give[i]);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    assert_int_equal(pair[0], -1);
}

static void sealed_octets_can_be_read_and_never_changed(void **state)
{
    struct err err = { 0 };
    struct arena *a = arena_new(1000);
    struct str got;
    int fd = fd_sealed("x", STR("as it is"), &err);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_true(fd_read_all(fd, 8, a, &got, &err));
    assert_str_is(got, STR("as it is"));
    assert_false(fd_read_all(fd, 7, a, &got, &err));
    assert_int_equal(err.kind, ERR_PERM);
    close(fd);
    arena_free(a);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
    struct err err = { 0 };
    struct arena *a = arena_new(1000);
    char folder[] = "/tmp/veredus-fd-XXXXXX", path[64];
    struct str got = STR_INIT("untouched");

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_false(file_read_all(path, 100, a, &got, &err));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(file_read_all(path, 100, a, &got, &err));
    assert_false(file_read_all(folder, 100, a, &got, &err));
    assert_false(fd_read_all(-1, 100, a, &got, &err));
    assert_str_is(got, STR("untouched"));
    unlink(path);
    rmdir(folder);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_without_room_are_closed_and_said),
        cmocka_unit_test(sealed_octets_can_be_read_and_never_changed),
        cmocka_unit_test(what_is_no_file_is_refused_without_waiting),
    };

    return cmocka_run_group_tests_name("io/fd", tests, NULL, NULL);
}
