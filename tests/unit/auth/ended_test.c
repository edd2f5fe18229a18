/* A users file that changes ends the log-ins of those accounts that it changes, and of nobody else. */
#include "tests/unit/auth/room.h"

static const char config[] = "hostname mail.example.org; origin host.example; listen 25; listen 26;\n"
                             "domain example.org example.net { users file:/users; deliver maildir:/m/{user}; }\n"
                             "domain other.example { users file:/other; deliver maildir:/m/{user}; }\n";

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    room_file("/users", "anna:{CRYPT}$6$x$1\nBen@example.org:{CRYPT}$6$x$2\nben:{CRYPT}$6$x$3\nbox\n");
    room_file("/other", "anna:{CRYPT}$6$x$1\n");
    room_start();
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

/* What was told of the file's new version TEXT, in the order of the alphabet, with commas. */
static const char *told(const char *path, const char *text)
{
    static char all[4096];

    room.n_ended = 0;
    room_file(path, text);
    /* Behind it comes the answer to a log-in. */
    room_plain("nobody", "x");
    qsort(room.ended, room.n_ended, sizeof(room.ended[0]), (int (*)(const void *, const void *))strcmp);
    all[0] = '\0';
    for (unsigned i = 0; i < room.n_ended; i++)
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", room.ended[i]);
    return all;
}

static void who_is_changed_is_told_in_each_domain_where_the_name_counts(void **state)
{
    (void)state;
    assert_string_equal(told("/users", "anna:{CRYPT}!$6$x$1\nBen@example.org:{CRYPT}$6$x$2\nben:{CRYPT}$6$x$3\n"),
                        "anna@example.net locked, anna@example.org locked");
    assert_string_equal(told("/users", "anna:{CRYPT}$6$x$1\nBen@example.org:{CRYPT}$6$x$2\nben:{CRYPT}$6$x$4\n"),
                        "anna@example.net password, anna@example.org password, ben@example.net password");
    assert_string_equal(told("/users", "Ben@example.org:{CRYPT}$6$x$5\nben:{CRYPT}$6$x$4\n"),
                        "Ben@example.org password, anna@example.net removed, anna@example.org removed");
    assert_string_equal(told("/other", "anna:{CRYPT}$6$x$1\nben:{CRYPT}$6$x$1\n"), "");
    assert_string_equal(told("/other", "ben:{CRYPT}$6$x$1\n"), "anna@other.example removed");
}

static void what_a_version_leaves_as_it_was_ends_nothing(void **state)
{
    (void)state;
    /* Other lines, another order, another spelling, mailboxes, and accounts that are new. */
    assert_string_equal(told("/users", "# x\nBEN@example.org:{CRYPT}$6$x$2\nben:{CRYPT}$6$x$3:1:1::/h\n"
                                       "zoe:{CRYPT}$6$x$3\nanna:{CRYPT}$6$x$1\nbox\nbag\n"),
                        "");
    /* A file that is gone for a while says nothing. */
    assert_string_equal(told("/users", NULL), "");
    assert_string_equal(told("/users", "an na:x\n"), "");
}

static void keys_are_a_password_too(void **state)
{
    (void)state;
    told("/other", arena_printf(room.arena, "anna:{SCRAM-SHA-256}%s\n", room_keys("a", 4096)).p);
    assert_string_equal(told("/other", arena_printf(room.arena, "anna:{SCRAM-SHA-256}%s\n", room_keys("a", 4096)).p), "");
    assert_string_equal(told("/other", arena_printf(room.arena, "anna:{SCRAM-SHA-256}%s\n", room_keys("b", 4096)).p),
                        "anna@other.example password");
    assert_string_equal(told("/other", arena_printf(room.arena, "anna:{SCRAM-SHA-256}%s\n", room_keys("b", 5000)).p),
                        "anna@other.example password");
}

/* Whom PAM, Dovecot or an issuer vouches for may be in no file, until somebody writes him in to keep him out. */
static void a_line_that_locks_somebody_out_ends_his_log_in(void **state)
{
    (void)state;
    assert_string_equal(told("/other", "anna:{CRYPT}$6$x$1\nzoe:!\n"), "zoe@other.example locked");
}

/* ---- a newer configuration: whom it has no source for ---- */

static const char newer[] = "hostname mail.example.org; origin host.example; listen 25; listen 26;\n"
                            "domain example.org { users file:/users; deliver maildir:/m/{user}; }\n"
                            "domain other.example { users file:/other; deliver maildir:/m/{user}; }\n";
static const struct config_auth pam = { .kind = CONFIG_AUTH_PAM, .where = STR_INIT("x") };
static const struct config_auth file = { .kind = CONFIG_AUTH_FILE, .where = STR_INIT("/other") };

/* What receive of the former configuration hears when ACCOUNT is logged in there. */
static const char *kept(const char *account)
{
    room.n_ended = 0;
    ipc_send_login_kept(room.receive, &(struct ipc_login_kept){ .account = str_from_c(account) });
    /* Behind it comes the answer to a log-in. */
    room_plain("nobody", "x");
    return room.n_ended ? room.ended[0] : "";
}

static int open_newer(void **state)
{
    (void)state;
    room_open(newer);
    room_file("/users", "anna:{CRYPT}$6$x$1\nben:!\nbox\n");
    room_file("/other", "carl:{CRYPT}$6$x$1\nzoe:!\nZoe@example.org:{CRYPT}$6$x$1\n");
    room_start();
    return 0;
}

static void who_has_no_source_in_the_new_configuration_is_out(void **state)
{
    (void)state;
    assert_string_equal(kept("anna@example.org"), "");
    assert_string_equal(kept("Anna@example.org"), "");
    assert_string_equal(kept("box@example.org"), "box@example.org removed");
    assert_string_equal(kept("Dora@example.org"), "Dora@example.org removed");
    assert_string_equal(kept("ben@example.org"), "ben@example.org locked");
    /* Another domain's file, and a domain that is ours no more. */
    assert_string_equal(kept("carl@example.org"), "carl@example.org removed");
    assert_string_equal(kept("anna@example.net"), "anna@example.net removed");
    assert_string_equal(kept("carl@other.example"), "");
    assert_string_equal(kept("no account"), "");
}

static void a_source_at_any_listener_will_do(void **state)
{
    (void)state;
    assert_string_equal(kept("zoe@example.org"), "zoe@example.org removed");
    room_auths(1, &file, 1);
    assert_string_equal(kept("zoe@example.org"), "");
    assert_string_equal(kept("carl@example.org"), "");
    assert_string_equal(kept("carl@example.net"), "carl@example.net removed");
    room_auths(0, NULL, 0);
    assert_string_equal(kept("anna@example.org"), "anna@example.org removed");
}

static void who_is_known_by_his_password_only_may_be_known(void **state)
{
    (void)state;
    room_auths(1, &pam, 1);
    assert_string_equal(kept("dora@example.org"), "");
    assert_string_equal(kept("dora@elsewhere.example"), "");
    /* A file locks, whoever vouches. */
    assert_string_equal(kept("ben@example.org"), "ben@example.org locked");
    room_auths(0, NULL, 0);
    assert_string_equal(kept("ben@example.org"), "ben@example.org locked");
}

static void a_file_that_cannot_be_had_may_know_him_until_it_comes(void **state)
{
    (void)state;
    room_open(newer);
    room_file("/users", NULL);
    room_file("/other", "carl:{CRYPT}$6$x$1\n");
    room_start();
    assert_string_equal(kept("anna@example.org"), "");
    assert_string_equal(kept("carl@example.net"), "carl@example.net removed");
    assert_int_equal(room.n_wanted, 0);
    room.worker.peers[1]->generation = room.worker.generation - 1;
    room_file("/users", "ben:{CRYPT}$6$x$1\n");
    assert_string_equal(kept("anna@example.org"), "anna@example.org removed");
    assert_int_equal(room.n_wanted, 1);
}

static void only_former_configurations_are_asked_who_is_logged_in(void **state)
{
    (void)state;
    for (uint32_t i = 6; i <= 8; i++) {
        room.n_wanted = 0;
        room.worker.peers[1]->generation = i;
        auth_service.peer_up(&room.worker, room.worker.peers[1]);
        room_plain("nobody", "x");
        assert_int_equal(room.n_wanted, i == 6);
    }
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)
#define IN_NEWER(f) cmocka_unit_test_setup_teardown(f, open_newer, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(who_is_changed_is_told_in_each_domain_where_the_name_counts),
        IN_ROOM(what_a_version_leaves_as_it_was_ends_nothing),
        IN_ROOM(keys_are_a_password_too),
        IN_ROOM(a_line_that_locks_somebody_out_ends_his_log_in),
        IN_NEWER(who_has_no_source_in_the_new_configuration_is_out),
        IN_NEWER(a_source_at_any_listener_will_do),
        IN_NEWER(who_is_known_by_his_password_only_may_be_known),
        cmocka_unit_test_teardown(a_file_that_cannot_be_had_may_know_him_until_it_comes, close_room),
        IN_NEWER(only_former_configurations_are_asked_who_is_logged_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
