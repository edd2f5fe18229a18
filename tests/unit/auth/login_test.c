/* Log-ins by PLAIN and LOGIN: who gets in, what is refused, and what lookup hears of it (C110, C112, C119). */
#include "tests/unit/auth/room.h"

static const char config[] = "hostname mail.example.org; origin example.org; listen 25; listen 26;\n"
                             "domain example.org example.net { users file:/users; deliver maildir:/m/{user}; }\n"
                             "domain other.example { users file:/other; deliver maildir:/m/{user}; }\n";

static void write_users(void)
{
    struct str text = arena_printf(room.arena,
                                   "anna:{CRYPT}%s:1000:1000:Anna:/home/anna:/bin/sh\n"
                                   "Ben@example.org:{SHA512-CRYPT}%s\n"
                                   "box\n"
                                   "carl:%s\n"
                                   "dora:{SCRAM-SHA-256}%s\n"
                                   "emil:{ARGON2ID}$argon2id$v=19$m=16,t=2,p=1$x$y\n"
                                   "finn:{CRYPT}!%s\n"
                                   "gina::1:1::::scram_sha256=%s\n",
                                   room_hash("secret"), room_hash("ben's"), room_hash("c"), room_keys("doras", 4096),
                                   room_hash("finn"), room_keys("ginas", 5000));

    room_file("/users", text.p);
    room_file("/other", "anna:{CRYPT}!\nzoe:$6$x$\n");
}

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    write_users();
    room_start();
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

#define assert_done(result, who)                                \
    do {                                                        \
        assert_int_equal((result), IPC_LOGIN_DONE);             \
        assert_string_equal(room.answer.account, (who));        \
    } while (0)

#define assert_refused(result)                                       \
    do {                                                             \
        assert_int_equal((result), IPC_LOGIN_REFUSED);               \
        assert_int_equal(room.answer.reason, LOG_REASON_PASSWORD);   \
    } while (0)

static void the_right_password_is_an_account(void **state)
{
    (void)state;
    assert_done(room_plain("anna@example.org", "secret"), "anna@example.org");
    assert_string_equal(room.asked, "anna@example.org");
    assert_string_equal(room.guessed[0], "anna@example.org right");
    /* A bare name counts in every domain of the block, and in no other. */
    assert_done(room_plain("anna@EXAMPLE.net", "secret"), "anna@example.net");
    assert_refused(room_plain("anna@other.example", "secret"));
    assert_refused(room_plain("anna@far.example", "secret"));
}

static void a_name_without_domain_gets_the_origin(void **state)
{
    (void)state;
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    /* An account is called as its file spells it. */
    assert_done(room_plain("BEN", "ben's"), "Ben@example.org");
    assert_refused(room_plain("ben@example.net", "ben's"));
}

static void a_wrong_password_is_counted(void **state)
{
    (void)state;
    assert_refused(room_plain("Anna", "Secret"));
    assert_string_equal(room.answer.account, "anna@example.org");
    assert_string_equal(room.asked, "anna@example.org");
    assert_int_equal(room.n_guessed, 1);
    assert_string_equal(room.guessed[0], "anna@example.org wrong");
}

static void an_unknown_account_is_refused_in_the_same_way(void **state)
{
    (void)state;
    assert_refused(room_plain("nobody@example.org", "secret"));
    assert_string_equal(room.guessed[0], "nobody@example.org wrong");
    assert_refused(room_plain("nobody@far.example", "secret"));
    /* What no account can be called: not a name, not a domain. */
    assert_refused(room_plain("@", "secret"));
    assert_refused(room_plain("anna@exa mple", "secret"));
    assert_int_equal(room.n_asked, 4);
}

static void every_form_of_the_file_is_read(void **state)
{
    (void)state;
    assert_done(room_plain("carl", "c"), "carl@example.org");
    assert_done(room_plain("dora", "doras"), "dora@example.org");
    assert_done(room_plain("gina", "ginas"), "gina@example.org");
    assert_refused(room_plain("dora", "Doras"));
    assert_refused(room_plain("gina", "doras"));
}

static void a_mailbox_without_a_password_cannot_log_in(void **state)
{
    (void)state;
    assert_refused(room_plain("box", "box"));
    assert_refused(room_plain("emil", "emil"));
    assert_refused(room_plain("finn", "finn"));
    assert_string_equal(room.answer.detail, "the account is locked");
}

static void an_unknown_scheme_is_one_warning(void **state)
{
    unsigned warnings = 0;

    (void)state;
    for (unsigned i = 0; i < room.n_records; i++)
        if (strcmp(room_field(i, LOG_TABLE), "/users") == 0) {
            warnings++;
            assert_string_equal(room_field(i, LOG_LINE), "6");
            assert_string_equal(room_field(i, LOG_ERROR), "'emil': this password scheme is not known here");
        }
    assert_int_equal(warnings, 1);
}

/* RFC 4616 2: authzid, authcid and password of 255 octets each; C119. */
static void c119_parts_of_255_octets_are_heard(void **state)
{
    char password[256], text[2000], name[256];

    (void)state;
    memset(password, 'p', 255);
    memset(name, 'n', 243);
    password[255] = '\0';
    memcpy(name + 243, "@example.org", 13);
    snprintf(text, sizeof(text), "%.243s:%s\n", name, room_hash(password));
    room_file("/users", text);
    assert_int_equal(strlen(name), 255);
    struct str message = arena_printf(room.arena, "%s%c%s%c%s", name, 0, name, 0, password);
    assert_int_equal(message.n, 3 * 255 + 2);
    assert_done(room_ask("PLAIN", message), name);
}

static void c119_what_is_no_message_of_plain_is_wrong(void **state)
{
    static const struct str wrong[] = {
        STR_INIT("\0anna"),
        STR_INIT("anna"),
        STR_INIT("\0anna\0"),
        STR_INIT("\0\0secret"),
        STR_INIT("\0anna\0secret\0"),
        STR_INIT("\0anna\0sec\0ret"),
        STR_INIT("\0anna\0\xff\xfe"),
        STR_INIT(""),
    };
    char *p;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        p = exact_copy(wrong[i]);
        assert_int_equal(room_ask("PLAIN", str_of(p, wrong[i].n)), IPC_LOGIN_WRONG);
        assert_int_equal(room.answer.reason, LOG_REASON_SYNTAX);
        free(p);
    }
    assert_int_equal(room.n_asked, 0);
    assert_int_equal(room.n_guessed, 0);
}

static void c119_a_part_of_256_octets_is_wrong(void **state)
{
    char part[257];

    (void)state;
    memset(part, 'p', 256);
    part[256] = '\0';
    assert_int_equal(room_plain("anna", part), IPC_LOGIN_WRONG);
    assert_int_equal(room_plain(part, "secret"), IPC_LOGIN_WRONG);
}

static void c119_authzid_is_empty_or_the_same_account(void **state)
{
    (void)state;
    assert_done(room_ask("PLAIN", STR("anna@example.org\0anna\0secret")), "anna@example.org");
    assert_done(room_ask("PLAIN", STR("ANNA\0anna@example.org\0secret")), "anna@example.org");
    assert_refused(room_ask("PLAIN", STR("ben\0anna\0secret")));
    assert_string_equal(room.answer.detail, "another authzid");
}

/* Soft hyphens and wide letters are the letters they stand for; what is unassigned to everybody fails. */
static void c119_names_and_passwords_are_prepared(void **state)
{
    (void)state;
    assert_done(room_plain("an\xc2\xadna", "sec\xc2\xadret"), "anna@example.org");
    assert_done(room_plain("\xef\xbd\x81nna", "\xef\xbd\x93" "ecret"), "anna@example.org");
    assert_refused(room_plain("anna", "sec\x07ret"));
    assert_refused(room_plain("an\x07na", "secret"));
}

static void c110_plain_without_initial_response_gets_an_empty_challenge(void **state)
{
    (void)state;
    assert_int_equal(room_ask("PLAIN", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_int_equal(room.answer.n_challenge, 0);
    assert_done(room_step(STR("\0anna\0secret")), "anna@example.org");
    /* And only one. */
    assert_int_equal(room_ask("PLAIN", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_step(STR("")), IPC_LOGIN_WRONG);
}

static void login_asks_for_both(void **state)
{
    (void)state;
    assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_memory_equal(room.answer.challenge, "Username:", room.answer.n_challenge);
    assert_int_equal(room_step(STR("anna")), IPC_LOGIN_CONTINUE);
    assert_memory_equal(room.answer.challenge, "Password:", room.answer.n_challenge);
    assert_done(room_step(STR("secret")), "anna@example.org");
}

static void login_refuses_like_plain(void **state)
{
    (void)state;
    room_ask("LOGIN", STR_NONE);
    room_step(STR("anna"));
    assert_refused(room_step(STR("wrong")));
    assert_string_equal(room.guessed[0], "anna@example.org wrong");
    room_ask("LOGIN", STR_NONE);
    assert_int_equal(room_step(STR("an\0na")), IPC_LOGIN_WRONG);
    room_ask("LOGIN", STR_NONE);
    assert_int_equal(room_step(STR("")), IPC_LOGIN_WRONG);
}

static void login_takes_the_name_as_initial_response(void **state)
{
    (void)state;
    assert_int_equal(room_ask("LOGIN", STR("anna")), IPC_LOGIN_CONTINUE);
    assert_memory_equal(room.answer.challenge, "Password:", room.answer.n_challenge);
    assert_done(room_step(STR("secret")), "anna@example.org");
}

static void who_guesses_too_often_is_not_looked_at(void **state)
{
    (void)state;
    room.guess_refused = true;
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_LIMITED);
    assert_int_equal(room.answer.reason, LOG_REASON_LIMIT);
    assert_int_equal(room.answer.number, 600);
    assert_string_equal(room.answer.detail, "too many guesses");
    assert_string_equal(room.answer.rule, "default");
    assert_string_equal(room.answer.account, "anna@example.org");
    assert_int_equal(room.n_guessed, 0);
}

static void without_lookup_nobody_can_say(void **state)
{
    (void)state;
    room.lookup_is_silent = true;
    room_send_ask("PLAIN", true, STR("\0anna\0secret"));
    room_run(NULL);
    assert_int_equal(room.answer.n, 0);
    ipc_channel_free(room.lookup);
    room.lookup = NULL;
    room_await(0);
    assert_int_equal(room.answer.status, IPC_LOGIN_TEMP);
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    assert_int_equal(room.answer.reason, LOG_REASON_LOOKUP);
}

static void a_file_that_is_missing_is_not_a_wrong_password(void **state)
{
    (void)state;
    room_close();
    room_open(config);
    room_file("/users", NULL);
    room_start();
    assert_string_equal(room.offers[0], "PLAIN LOGIN");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    room_await_not_made(1);
    /* The one it waits for comes. */
    write_users();
    assert_done(room_plain("anna", "secret"), "anna@example.org");
}

static void a_file_that_changes_is_read_again(void **state)
{
    (void)state;
    room_file("/users", arena_printf(room.arena, "anna:%s\n", room_hash("new")).p);
    assert_refused(room_plain("anna", "secret"));
    assert_done(room_plain("anna", "new"), "anna@example.org");
    /* One that is gone, or has a line that names nobody, leaves the last good one. */
    room_file("/users", NULL);
    room_file("/users", "an na:x\n");
    assert_done(room_plain("anna", "new"), "anna@example.org");
}

static void an_exchange_belongs_to_who_asked_and_their_ticket(void **state)
{
    struct ipc_channel *first = room.receive, *second;
    unsigned before;

    (void)state;
    assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_CONTINUE);
    second = room_peer(PROCESS_RECEIVE);
    room.receive = second;
    assert_int_equal(room_step(STR("anna")), IPC_LOGIN_WRONG);
    room.receive = first;
    assert_int_equal(room_step(STR("anna")), IPC_LOGIN_CONTINUE);
    /* The same ticket twice is a mistake that changes nothing. */
    before = room.answer.n;
    room.ticket--;
    room_send_ask("LOGIN", false, STR_NONE);
    room_await(before);
    assert_int_equal(room.answer.status, IPC_LOGIN_WRONG);
    assert_done(room_step(STR("secret")), "anna@example.org");
    ipc_channel_free(second);
    room_run(NULL);
}

static void what_was_given_up_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_auth()->exchanges.n, 1);
    ipc_send_login_gone(room.receive, &(struct ipc_login_gone){ .ticket = room.ticket });
    assert_int_equal(room_step(STR("anna")), IPC_LOGIN_WRONG);
    assert_int_equal(room_auth()->exchanges.n, 0);
    /* Also with its asker. */
    room_ask("LOGIN", STR_NONE);
    ipc_channel_free(room.receive);
    room_run(NULL);
    assert_int_equal(room_auth()->exchanges.n, 0);
    room.receive = room_peer(PROCESS_SUBMIT);
    assert_done(room_plain("anna", "secret"), "anna@example.org");
}

static void a_guess_that_comes_back_too_late_finds_nobody(void **state)
{
    (void)state;
    room.lookup_is_silent = true;
    room_send_ask("PLAIN", true, STR("\0anna\0secret"));
    room_run(NULL);
    ipc_send_login_gone(room.receive, &(struct ipc_login_gone){ .ticket = room.ticket });
    assert_int_equal(room_step(STR("")), IPC_LOGIN_WRONG);
    while (!room.n_not_made)
        room_run("guessed");
    auth_guess(room_auth(), &(struct ipc_guess_answer){ .ticket = room.last_guess });
    assert_int_equal(room.n_guessed, 0);
    assert_int_equal(room.n_not_made, 1);
}

/* Lookup has no place for it: nothing was begun, and nothing ends. */
static void a_guess_that_cannot_be_counted_is_put_off(void **state)
{
    (void)state;
    room.lookup_is_silent = true;
    room_send_ask("PLAIN", true, STR("\0anna\0secret"));
    room_run(NULL);
    room.lookup_is_silent = false;
    ipc_send_guess_answer(room.lookup, &(struct ipc_guess_answer){ .ticket = room.last_guess, .result = IPC_GUESS_LATER });
    room_await(0);
    assert_int_equal(room.answer.status, IPC_LOGIN_TEMP);
    assert_string_equal(room.answer.detail, "too many try at once");
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    assert_int_equal(room.n_not_made, 0);
}

/* Client NUMBER: one IPv4 address each, or one IPv6 network of whose addresses it takes another each time. */
static void comes_from(unsigned number, bool v6)
{
    static char octets[16];

    memset(octets, 0, sizeof(octets));
    if (!v6)
        octets[10] = octets[11] = (char)0xff;
    octets[v6 ? 7 : 15] = (char)number;
    octets[14] = (char)(v6 ? room.ticket : number >> 8);
    room.client = str_of(octets, sizeof(octets));
}

static void exchanges_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AUTH_EXCHANGES_MAX; i++) {
        comes_from(i, false);
        assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_CONTINUE);
    }
    comes_from(AUTH_EXCHANGES_MAX, false);
    assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_TEMP);
    room.ticket--;
    assert_int_equal(room_step(STR("anna")), IPC_LOGIN_CONTINUE);
    assert_done(room_step(STR("secret")), "anna@example.org");
    assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_CONTINUE);
}

static void one_client_does_not_take_all_exchanges(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        for (unsigned i = 0; i < AUTH_EXCHANGES_OF_CLIENT_MAX; i++) {
            comes_from(1, v6);
            assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_CONTINUE);
        }
        comes_from(1, v6);
        assert_int_equal(room_ask("LOGIN", STR_NONE), IPC_LOGIN_TEMP);
        assert_string_equal(room.answer.detail, "too many log-ins of this client are under way");
        comes_from(2, v6);
        assert_done(room_plain("anna", "secret"), "anna@example.org");
    }
}

static void what_is_not_offered_is_not_begun(void **state)
{
    (void)state;
    assert_int_equal(room_ask("SCRAM-SHA-256", STR_NONE), IPC_LOGIN_TEMP);
    assert_int_equal(room_ask("ANONYMOUS", STR_NONE), IPC_LOGIN_TEMP);
    room.listener = 1;
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    room.listener = 2;
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    room.listener = IPC_NO_LISTENER;
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(the_right_password_is_an_account),
        IN_ROOM(a_name_without_domain_gets_the_origin),
        IN_ROOM(a_wrong_password_is_counted),
        IN_ROOM(an_unknown_account_is_refused_in_the_same_way),
        IN_ROOM(every_form_of_the_file_is_read),
        IN_ROOM(a_mailbox_without_a_password_cannot_log_in),
        IN_ROOM(an_unknown_scheme_is_one_warning),
        IN_ROOM(c119_parts_of_255_octets_are_heard),
        IN_ROOM(c119_what_is_no_message_of_plain_is_wrong),
        IN_ROOM(c119_a_part_of_256_octets_is_wrong),
        IN_ROOM(c119_authzid_is_empty_or_the_same_account),
        IN_ROOM(c119_names_and_passwords_are_prepared),
        IN_ROOM(c110_plain_without_initial_response_gets_an_empty_challenge),
        IN_ROOM(login_asks_for_both),
        IN_ROOM(login_refuses_like_plain),
        IN_ROOM(login_takes_the_name_as_initial_response),
        IN_ROOM(who_guesses_too_often_is_not_looked_at),
        IN_ROOM(without_lookup_nobody_can_say),
        IN_ROOM(a_file_that_is_missing_is_not_a_wrong_password),
        IN_ROOM(a_file_that_changes_is_read_again),
        IN_ROOM(an_exchange_belongs_to_who_asked_and_their_ticket),
        IN_ROOM(what_was_given_up_is_forgotten),
        IN_ROOM(a_guess_that_comes_back_too_late_finds_nobody),
        IN_ROOM(a_guess_that_cannot_be_counted_is_put_off),
        IN_ROOM(exchanges_are_bounded),
        IN_ROOM(one_client_does_not_take_all_exchanges),
        IN_ROOM(what_is_not_offered_is_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
