/* A file changed in place: as a whole or not at all, by one at a time, its owner and mode kept. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "state/rewrite.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/veredus-rewrite-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink("users");
    unlink("link");
    unlink("users.veredus-new");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void put(const char *text)
{
    FILE *f = fopen("users", "w");

    assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void assert_holds(const char *text)
{
    struct arena *a = arena_new(1 << 16);
    struct err err = { 0 };
    struct str got;

    assert_true(file_read_all("users", 1 << 15, a, &got, &err));
    assert_str_is(got, str_from_c(text));
    arena_free(a);
}

static bool begin(struct state_rewrite *w, const char *path, size_t max, struct arena *a, struct str *text, struct err *err)
{
    *w = STATE_REWRITE_INIT;
    *err = (struct err){ 0 };
    return state_rewrite_begin(w, path, max, a, text, err);
}

static void it_is_replaced_with_its_mode_also_through_a_link(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct state_rewrite w;
    struct err err;
    struct stat st;
    struct str text;

    put("one\n");
    assert_int_equal(chmod("users", 0640), 0);
    assert_int_equal(symlink("users", "link"), 0);
    /* Somebody was stopped half-way before. */
    assert_int_equal(close(open("users.veredus-new", O_CREAT | O_WRONLY, 0644)), 0);
    assert_true(begin(&w, "link", 100, a, &text, &err));
    assert_str_is(text, STR("one\n"));
    assert_true(state_rewrite_finish(&w, STR("two\n"), &err));
    state_rewrite_done(&w);
    assert_holds("two\n");
    assert_int_equal(stat("users", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(access("users.veredus-new", F_OK), -1);
    arena_free(a);
}

static void two_do_not_change_it_at_once(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct state_rewrite first, second;
    struct err err;
    struct str text;

    put("one\n");
    assert_true(begin(&first, "users", 100, a, &text, &err));
    assert_false(begin(&second, "users", 100, a, &text, &err));
    assert_int_equal(err.kind, ERR_TEMP);
    state_rewrite_done(&second);
    assert_true(state_rewrite_finish(&first, STR("two\n"), &err));
    /* The lock of the first is on a file that has no name any more. */
    assert_true(begin(&second, "users", 100, a, &text, &err));
    assert_str_is(text, STR("two\n"));
    state_rewrite_done(&first);
    state_rewrite_done(&second);
    arena_free(a);
}

static void what_cannot_be_had_is_said(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct state_rewrite w;
    struct err err;
    struct str text;

    assert_false(begin(&w, "users", 100, a, &text, &err));
    assert_non_null(strstr(err.text, "users"));
    state_rewrite_done(&w);
    put("one two three\n");
    assert_false(begin(&w, "users", 5, a, &text, &err));
    state_rewrite_done(&w);
    assert_false(begin(&w, folder, 5, a, &text, &err));
    state_rewrite_done(&w);
    assert_holds("one two three\n");
    arena_free(a);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(it_is_replaced_with_its_mode_also_through_a_link),
        IN_FOLDER(two_do_not_change_it_at_once),
        IN_FOLDER(what_cannot_be_had_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
