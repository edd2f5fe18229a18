/* Tables read from descriptors: by pieces, within bounds, and on a thread while the loop goes on. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/buf.h"
#include "io/fd.h"
#include "io/loop.h"
#include "table/loader.h"
#include "table/read.h"

static int file_of(struct str text)
{
    struct err err = { 0 };
    int fd = fd_sealed("table", text, &err);

    assert_true(fd >= 0);
    return fd;
}

static void a_users_file_larger_than_a_piece(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(16 << 20);
    struct err err = { 0 };
    struct str spelled;

    for (int i = 0; i < 20000; i++)
        assert_true(buf_printf(&text, "user%d:{CRYPT}$y$j9T$%040d:::::\n", i, i));
    int fd = file_of(buf_str(&text));
    struct route_table *t = table_read(fd, ROUTE_FORM_USERS, &err);
    assert_non_null(t);
    assert_int_equal(t->names.n, 20000);
    assert_int_equal(t->faults.total, 0);
    assert_true(route_names_find(&t->names, STR("USER19999"), STR("example.org"), &spelled));
    assert_false(str_contains(buf_str(&t->names.octets), STR("{CRYPT}")));
    /* The descriptor is the caller's, where it was. */
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    table_free(t);
    close(fd);
    buf_done(&text);
}

static void each_form_is_read_as_what_it_is(void **state)
{
    (void)state;
    struct err err = { 0 };
    int passwd = file_of(STR("root:x:0:0\nanna:x:1000:1000\n"));
    int aliases = file_of(STR("ben: anna\nbad\n"));
    int list = file_of(STR("anna, ben\n"));
    struct route_table *t = table_read(passwd, ROUTE_FORM_SYSTEM, &err);

    assert_int_equal(t->names.n, 1);
    table_free(t);
    t = table_read(aliases, ROUTE_FORM_ALIASES, &err);
    assert_int_equal(route_aliases_count(&t->aliases), 1);
    assert_int_equal(t->faults.total, 1);
    table_free(t);
    t = table_read(list, ROUTE_FORM_LIST, &err);
    assert_int_equal(route_aliases_entry(&t->aliases, 0)->n, 2);
    table_free(t);
    close(passwd);
    close(aliases);
    close(list);
}

static void what_is_no_file_or_too_large_is_refused(void **state)
{
    (void)state;
    struct err err = { 0 };
    int fds[2], folder = open("/", O_RDONLY | O_DIRECTORY);
    int large = memfd_create("large", MFD_CLOEXEC);

    assert_int_equal(pipe(fds), 0);
    assert_null(table_read(folder, ROUTE_FORM_USERS, &err));
    assert_string_equal(err.text, "not a regular file");
    assert_null(table_read(fds[0], ROUTE_FORM_ALIASES, &err));
    assert_string_equal(err.text, "not a regular file");
    assert_int_equal(ftruncate(large, (off_t)TABLE_USERS_FILE_MAX + 1), 0);
    assert_null(table_read(large, ROUTE_FORM_USERS, &err));
    assert_string_equal(err.text, "larger than 256 MiB");
    assert_null(table_read(large, ROUTE_FORM_ALIASES, &err));
    assert_null(table_read(-1, ROUTE_FORM_USERS, &err));
    assert_int_equal(err.kind, ERR_TEMP);
    assert_null(table_read_path("/nonexistent/users", ROUTE_FORM_USERS, &err));
    assert_string_equal(err.text, "/nonexistent/users: No such file or directory");
    close(fds[0]);
    close(fds[1]);
    close(folder);
    close(large);
}

/* ---- the loader ---- */

enum { JOBS = 20 };

struct loads {
    struct io_loop *loop;
    struct table_loader loader;
    struct table_job jobs[JOBS];
    size_t names[JOBS];
    size_t done;
};

static struct loads loads;

static void on_done(struct table_job *job)
{
    loads.names[job - loads.jobs] = job->table ? job->table->names.n : 0;
    table_free(job->table);
    if (++loads.done == JOBS)
        io_loop_stop(loads.loop);
}

static void files_are_read_beside_the_loop(void **state)
{
    (void)state;
    struct err err = { 0 };

    loads = (struct loads){ .loop = io_loop_new(&err) };
    assert_true(table_loader_init(&loads.loader, loads.loop, &err));
    for (int round = 0; round < 3; round++) {
        loads.done = 0;
        for (size_t i = 0; i < JOBS; i++)
            table_loader_read(&loads.loader, &loads.jobs[i], file_of(i % 2 ? STR("a\nb\n") : STR("a\n")),
                              ROUTE_FORM_USERS, on_done);
        /* No callback inside the call that began it. */
        assert_int_equal(loads.done, 0);
        assert_true(io_loop_run(loads.loop, &err));
        for (size_t i = 0; i < JOBS; i++)
            assert_int_equal(loads.names[i], i % 2 ? 2 : 1);
    }
    table_loader_done(&loads.loader);
    io_loop_free(loads.loop);
}

static void a_failed_reading_is_told(void **state)
{
    (void)state;
    struct err err = { 0 };

    loads = (struct loads){ .loop = io_loop_new(&err), .done = JOBS - 1 };
    assert_true(table_loader_init(&loads.loader, loads.loop, &err));
    table_loader_read(&loads.loader, &loads.jobs[3], open("/", O_RDONLY | O_DIRECTORY), ROUTE_FORM_USERS,
                      on_done);
    assert_true(io_loop_run(loads.loop, &err));
    assert_int_equal(loads.jobs[3].err.kind, ERR_PERM);
    assert_int_equal(loads.jobs[3].fd, -1);
    table_loader_done(&loads.loader);
    io_loop_free(loads.loop);
}

static void an_end_in_the_middle_loses_nothing(void **state)
{
    (void)state;
    struct err err = { 0 };

    for (int round = 0; round < 50; round++) {
        loads = (struct loads){ .loop = io_loop_new(&err) };
        assert_true(table_loader_init(&loads.loader, loads.loop, &err));
        for (size_t i = 0; i < JOBS; i++)
            table_loader_read(&loads.loader, &loads.jobs[i], file_of(STR("a\nb\n")), ROUTE_FORM_USERS,
                              on_done);
        table_loader_done(&loads.loader);
        assert_int_equal(loads.done, 0);
        io_loop_free(loads.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_users_file_larger_than_a_piece),
        cmocka_unit_test(each_form_is_read_as_what_it_is),
        cmocka_unit_test(what_is_no_file_or_too_large_is_refused),
        cmocka_unit_test(files_are_read_beside_the_loop),
        cmocka_unit_test(a_failed_reading_is_told),
        cmocka_unit_test(an_end_in_the_middle_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
