/* Versions of tables: whole, or the last good one; and the log hears of it (FACE 1.12, 3.2). */
#include <stdio.h>

#include "tests/unit/lookup/room.h"

static const char config[] =
    "hostname mail.example.org; listen 25;\n"
    "domain example.org { users file:/users; aliases file:/aliases; deliver maildir:/m/{user}; }\n"
    "domain sys.example { users system; deliver maildir:/m/{user}; }\n";

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

static size_t names_in(const char *path)
{
    const struct route_table *t = lookup_tables_get(&room.lookup->tables, ROUTE_FORM_USERS, str_from_c(path));

    return t ? t->names.n : SIZE_MAX;
}

static void the_first_good_version_is_silent(void **state)
{
    (void)state;
    assert_int_equal(names_in("/users"), SIZE_MAX);
    room_file("/users", "anna\nben\n");
    assert_int_equal(names_in("/users"), 2);
    assert_int_equal(room.n_records, 0);
}

static void a_later_good_version_is_told(void **state)
{
    (void)state;
    room_file("/users", "anna\n");
    room_file("/users", "anna\nben\n");
    assert_int_equal(names_in("/users"), 2);
    assert_int_equal(room.n_records, 1);
    assert_string_equal(room_field(0, LOG_TABLE), "/users");
    assert_string_equal(room_field(0, LOG_STATE), "answering");
    assert_string_equal(room_field(0, LOG_COUNT), "2");
}

static void a_wrong_later_version_leaves_the_good_one(void **state)
{
    (void)state;
    room_file("/users", "anna\n");
    room_file("/users", "anna\nben\nca rol\n");
    assert_int_equal(names_in("/users"), 1);
    assert_int_equal(room.n_records, 1);
    assert_string_equal(room_field(0, LOG_STATE), "stale");
    assert_string_equal(room_field(0, LOG_LINE), "3");
    assert_string_equal(room_field(0, LOG_ERROR), "'ca rol': a blank in a name");
    /* Mended, it is taken. */
    room_file("/users", "anna\nben\n");
    assert_int_equal(names_in("/users"), 2);
    assert_string_equal(room_field(1, LOG_STATE), "answering");
}

static void a_wrong_first_version_answers_from_what_is_right(void **state)
{
    (void)state;
    room_file("/users", "anna\nca rol\n");
    assert_int_equal(names_in("/users"), 1);
    assert_string_equal(room_field(0, LOG_STATE), "faulty");
    assert_string_equal(room_field(0, LOG_LINE), "2");
    room_file("/users", "anna\nca rol\ndora\n");
    assert_int_equal(names_in("/users"), 2);
}

static void what_never_could_be_had_fails_loudly(void **state)
{
    (void)state;
    lookup_tables_give(&room.lookup->tables, STR("/users"), -1, STR("No such file or directory"), true);
    assert_int_equal(names_in("/users"), SIZE_MAX);
    assert_string_equal(room_field(0, LOG_STATE), "failing");
    assert_string_equal(room_field(0, LOG_ERROR), "No such file or directory");
    struct log_view v;
    assert_true(log_view_open(buf_str(&room.records[0]), &v));
    assert_int_equal(v.level, LOG_LEVEL_ERROR);
    room_file("/users", "anna\n");
    assert_string_equal(room_field(1, LOG_STATE), "answering");
}

static void what_is_gone_later_stays_as_it_was(void **state)
{
    (void)state;
    room_file("/users", "anna\n");
    lookup_tables_give(&room.lookup->tables, STR("/users"), -1, STR("Permission denied"), true);
    assert_int_equal(names_in("/users"), 1);
    assert_string_equal(room_field(0, LOG_STATE), "stale");
}

static void files_that_nobody_named_are_closed(void **state)
{
    (void)state;
    room_file("/other", "anna\n");
    assert_null(lookup_tables_get(&room.lookup->tables, ROUTE_FORM_USERS, STR("/other")));
    room_file("/etc/passwd", "root:x:0:0\nanna:x:1000:1\n");
    const struct route_table *t =
        lookup_tables_get(&room.lookup->tables, ROUTE_FORM_SYSTEM, STR("/etc/passwd"));
    assert_int_equal(t->names.n, 1);
}

static void included_files_are_asked_for_once(void **state)
{
    (void)state;
    room_file("/aliases", "list: :include:/etc/list\nagain: :include:/etc/list\n");
    assert_string_equal(room.wanted, "/etc/list");
    assert_null(lookup_tables_get(&room.lookup->tables, ROUTE_FORM_LIST, STR("/etc/list")));
    room.wanted[0] = '\0';
    room_file("/aliases", "list: :include:/etc/list\n");
    assert_string_equal(room.wanted, "");
    room_file("/etc/list", "anna\n:include:/etc/deeper\n");
    assert_non_null(lookup_tables_get(&room.lookup->tables, ROUTE_FORM_LIST, STR("/etc/list")));
    assert_string_equal(room.wanted, "/etc/deeper");
}

/* ---- beside the loop ---- */

static struct io_timer poll_timer;
static size_t poll_want;

static void on_poll(struct io_timer *t)
{
    if (names_in("/users") == poll_want)
        io_loop_stop(room.loop);
    else
        io_timer_start(t, 1);
}

/* Given twice while it is being read: the newer one counts in the end. */
static void a_file_that_changes_again_is_read_again(void **state)
{
    (void)state;
    struct err err = { 0 };

    assert_true(io_timer_init(&poll_timer, room.loop, on_poll, &err));
    for (int round = 0; round < 20; round++) {
        lookup_tables_give(&room.lookup->tables, STR("/users"), room_fd("a\n"), STR_NONE, false);
        lookup_tables_give(&room.lookup->tables, STR("/users"), room_fd("a\nb\n"), STR_NONE, false);
        lookup_tables_give(&room.lookup->tables, STR("/users"), room_fd("a\nb\nc\n"), STR_NONE, false);
        poll_want = 3;
        io_timer_start(&poll_timer, 0);
        assert_true(io_loop_run(room.loop, &err));
        room_file("/users", "a\n");
        room_forget_records();
    }
    io_timer_done(&poll_timer);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(the_first_good_version_is_silent),
        IN_ROOM(a_later_good_version_is_told),
        IN_ROOM(a_wrong_later_version_leaves_the_good_one),
        IN_ROOM(a_wrong_first_version_answers_from_what_is_right),
        IN_ROOM(what_never_could_be_had_fails_loudly),
        IN_ROOM(what_is_gone_later_stays_as_it_was),
        IN_ROOM(files_that_nobody_named_are_closed),
        IN_ROOM(included_files_are_asked_for_once),
        IN_ROOM(a_file_that_changes_again_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
