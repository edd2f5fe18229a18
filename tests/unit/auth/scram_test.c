/* SCRAM-SHA-256 and -PLUS against GNU SASL's own client, and against clients that cheat; EXTERNAL; what is offered. */
#include "tests/unit/auth/room.h"

static const char config[] = "hostname mail.example.org; origin example.org; listen 25; listen 26;\n"
                             "domain example.org { users file:/users; deliver maildir:/m/{user}; }\n";

/* GNU SASL at the other end. */
static struct {
    Gsasl *library;
    Gsasl_session *session;
    char *out;
    size_t n_out;
} client;

static void write_users(void)
{
    room_file("/users", arena_printf(room.arena,
                                     "# all of them have keys\n"
                                     "Anna:{CRYPT}%s:1:1::::mail=x scram_sha256=%s y=z\n"
                                     "ben:{SCRAM-SHA-256}%s\n"
                                     "box\n"
                                     "carl:!{SCRAM-SHA-256}%s\n",
                                     room_hash("secret"), room_keys("secret", 4096), room_keys("ben's", 6000),
                                     room_keys("carls", 4096))
                            .p);
}

static int open_room(void **state)
{
    (void)state;
    memset(&client, 0, sizeof(client));
    assert_int_equal(gsasl_init(&client.library), GSASL_OK);
    room_open(config);
    write_users();
    room_start();
    return 0;
}

static void client_end(void)
{
    gsasl_free(client.out);
    if (client.session)
        gsasl_finish(client.session);
    client.out = NULL;
    client.session = NULL;
}

static int close_room(void **state)
{
    (void)state;
    client_end();
    gsasl_done(client.library);
    room_close();
    return 0;
}

/* ---- the client ---- */

static void client_begin(const char *mechanism, const char *name, const char *password)
{
    client_end();
    assert_int_equal(gsasl_client_start(client.library, mechanism, &client.session), GSASL_OK);
    assert_int_equal(gsasl_property_set(client.session, GSASL_AUTHID, name), GSASL_OK);
    assert_int_equal(gsasl_property_set(client.session, GSASL_PASSWORD, password), GSASL_OK);
}

static void client_binds(Gsasl_property to, const char *octets, size_t n)
{
    assert_int_equal(gsasl_property_set(client.session, to, room_base64(octets, n)), GSASL_OK);
}

static int client_says(struct str challenge)
{
    gsasl_free(client.out);
    client.out = NULL;
    return gsasl_step(client.session, challenge.p, challenge.n, &client.out, &client.n_out);
}

static struct str said(void)
{
    return str_of(client.out ? client.out : "", client.n_out);
}

static struct str challenge(void)
{
    return str_of(room.answer.challenge, room.answer.n_challenge);
}

/* All of it; the last status. */
static enum ipc_login client_runs(const char *mechanism)
{
    enum ipc_login status;

    assert_true(client_says(STR_NONE) <= GSASL_NEEDS_MORE);
    status = room_ask(mechanism, said());
    while (status == IPC_LOGIN_CONTINUE) {
        int rc = client_says(challenge());
        /* It would go away without a word when our signature is not that of who has its keys. */
        assert_true(rc == GSASL_OK || rc == GSASL_NEEDS_MORE);
        status = room_step(said());
    }
    return status;
}

static void replace(char *text, const char *old, const char *new)
{
    char *at = strstr(text, old);

    assert_non_null(at);
    assert_int_equal(strlen(old), strlen(new));
    memcpy(at, new, strlen(new));
}

/* Up to the client's last message, as it would be; TEXT is changed by the test. */
static char *final_of(const char *mechanism)
{
    assert_true(client_says(STR_NONE) <= GSASL_NEEDS_MORE);
    assert_int_equal(room_ask(mechanism, said()), IPC_LOGIN_CONTINUE);
    assert_true(client_says(challenge()) <= GSASL_NEEDS_MORE);
    return (char *)arena_printf(room.arena, "%.*s", STR_ARG(said())).p;
}

static void assert_done(enum ipc_login result, const char *who)
{
    assert_int_equal(result, IPC_LOGIN_DONE);
    assert_string_equal(room.answer.account, who);
}

/* ---- what goes well ---- */

static void scram_is_offered_where_every_account_has_keys(void **state)
{
    (void)state;
    assert_string_equal(room.offers[0], "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
    assert_string_equal(room.offers[1], "");
    room_file("/users", arena_printf(room.arena, "anna:%s\n", room_hash("secret")).p);
    room_run("offer");
    assert_string_equal(room.offers[0], "PLAIN LOGIN");
    write_users();
    room_run("offer");
    assert_string_equal(room.offers[0], "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
    /* Keys that are made with less than RFC 7677 4 wants are none. */
    room_file("/users", arena_printf(room.arena, "anna:%s:::::::\nben:{SCRAM-SHA-256}%s\n", room_hash("secret"),
                                     room_keys("ben's", 4095))
                            .p);
    room_run("offer");
    assert_string_equal(room.offers[0], "PLAIN LOGIN");
}

static void who_has_the_password_gets_in(void **state)
{
    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    assert_done(client_runs("SCRAM-SHA-256"), "Anna@example.org");
    assert_string_equal(room.guessed[0], "anna@example.org right");
    assert_int_equal(room.n_asked, 1);
    client_begin("SCRAM-SHA-256", "ben@EXAMPLE.org", "ben's");
    assert_done(client_runs("SCRAM-SHA-256"), "ben@example.org");
}

/* RFC 4954 4: the server's last message is a challenge that wants an empty response. */
static void the_last_message_wants_an_empty_response(void **state)
{
    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    assert_int_equal(room_step(STR("")), IPC_LOGIN_WRONG);
    assert_int_equal(room_step(str_from_c(final_of("SCRAM-SHA-256"))), IPC_LOGIN_CONTINUE);
    assert_true(str_starts(challenge(), STR("v=")));
    assert_int_equal(room_step(STR("more")), IPC_LOGIN_WRONG);
}

static void an_account_without_initial_response_too(void **state)
{
    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    assert_int_equal(room_ask("SCRAM-SHA-256", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_int_equal(room.answer.n_challenge, 0);
    client_says(STR_NONE);
    assert_int_equal(room_step(said()), IPC_LOGIN_CONTINUE);
    client_says(challenge());
    assert_int_equal(room_step(said()), IPC_LOGIN_CONTINUE);
    assert_done(room_step(STR("")), "Anna@example.org");
    assert_int_equal(room_ask("SCRAM-SHA-256", STR("")), IPC_LOGIN_WRONG);
}

static void c121_plus_binds_to_the_exporter_on_tls_1_3(void **state)
{
    const char key[] = "0123456789abcdef0123456789abcdef", other[] = "0123456789abcdef0123456789abcdeX";

    (void)state;
    room.exporter = str_of(key, 32);
    client_begin("SCRAM-SHA-256-PLUS", "anna", "secret");
    client_binds(GSASL_CB_TLS_EXPORTER, key, 32);
    assert_done(client_runs("SCRAM-SHA-256-PLUS"), "Anna@example.org");
    /* Another channel: somebody sits between. */
    client_begin("SCRAM-SHA-256-PLUS", "anna", "secret");
    client_binds(GSASL_CB_TLS_EXPORTER, other, 32);
    assert_int_equal(client_runs("SCRAM-SHA-256-PLUS"), IPC_LOGIN_REFUSED);
    /* There is no tls-unique here. */
    assert_int_equal(room_ask("SCRAM-SHA-256-PLUS", STR("p=tls-unique,,n=anna,r=abcdefgh")), IPC_LOGIN_REFUSED);
}

static void c121_plus_binds_to_tls_unique_below(void **state)
{
    (void)state;
    room.unique = STR("finished-msg");
    client_begin("SCRAM-SHA-256-PLUS", "ben", "ben's");
    client_binds(GSASL_CB_TLS_UNIQUE, "finished-msg", 12);
    assert_done(client_runs("SCRAM-SHA-256-PLUS"), "ben@example.org");
    assert_int_equal(room_ask("SCRAM-SHA-256-PLUS", STR("p=tls-exporter,,n=anna,r=abcdefgh")), IPC_LOGIN_REFUSED);
    assert_int_equal(room_ask("SCRAM-SHA-256-PLUS", STR("p=tls-server-end-point,,n=anna,r=abcdefgh")),
                     IPC_LOGIN_REFUSED);
}

static void an_authzid_is_the_same_account(void **state)
{
    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    gsasl_property_set(client.session, GSASL_AUTHZID, "anna@example.org");
    assert_done(client_runs("SCRAM-SHA-256"), "Anna@example.org");
    client_begin("SCRAM-SHA-256", "anna", "secret");
    gsasl_property_set(client.session, GSASL_AUTHZID, "ben");
    assert_int_equal(client_runs("SCRAM-SHA-256"), IPC_LOGIN_REFUSED);
}

/* ---- what does not ---- */

static void a_wrong_password_is_counted_once(void **state)
{
    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "Secret");
    assert_int_equal(client_runs("SCRAM-SHA-256"), IPC_LOGIN_REFUSED);
    assert_int_equal(room.answer.reason, LOG_REASON_PASSWORD);
    assert_string_equal(room.answer.account, "anna@example.org");
    assert_int_equal(room.n_asked, 1);
    assert_int_equal(room.n_guessed, 1);
    assert_string_equal(room.guessed[0], "anna@example.org wrong");
}

static void guesses_are_bounded_before_the_proof_is_looked_at(void **state)
{
    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    room.guess_refused = true;
    assert_int_equal(client_runs("SCRAM-SHA-256"), IPC_LOGIN_LIMITED);
    assert_int_equal(room.answer.number, 600);
    assert_int_equal(room.n_guessed, 0);
}

static void salt_of(const char *name, char *salt, size_t room_for)
{
    struct str message = arena_printf(room.arena, "n,,n=%s,r=abcdefgh", name), rest;

    assert_int_equal(room_ask("SCRAM-SHA-256", message), IPC_LOGIN_CONTINUE);
    rest = challenge();
    (void)str_cut(&rest, ',');
    room_copy(salt, room_for, rest);
    ipc_send_login_gone(room.receive, &(struct ipc_login_gone){ .ticket = room.ticket });
}

/* Nobody learns from salts who has an account: one that is unknown, or locked, has its own, and always the same. */
static void an_unknown_account_looks_like_any_other(void **state)
{
    char known[128], unknown[128], again[128], locked[128], other[128];

    (void)state;
    salt_of("anna", known, sizeof(known));
    salt_of("nobody", unknown, sizeof(unknown));
    salt_of("carl", locked, sizeof(locked));
    assert_int_equal(strlen(known), strlen(unknown));
    assert_true(str_ends(str_from_c(unknown), STR(",i=4096")));
    assert_string_not_equal(unknown, locked);
    room_close();
    room_open(config);
    write_users();
    room_start();
    salt_of("NOBODY@example.org", again, sizeof(again));
    assert_string_equal(unknown, again);
    salt_of("nobody2", other, sizeof(other));
    assert_string_not_equal(unknown, other);
    client_begin("SCRAM-SHA-256", "nobody", "secret");
    assert_int_equal(client_runs("SCRAM-SHA-256"), IPC_LOGIN_REFUSED);
    client_begin("SCRAM-SHA-256", "carl", "carls");
    assert_int_equal(client_runs("SCRAM-SHA-256"), IPC_LOGIN_REFUSED);
}

static void c120_a_changed_nonce_is_refused(void **state)
{
    char *final, *at;

    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    final = final_of("SCRAM-SHA-256");
    at = strstr(final, ",r=");
    assert_non_null(at);
    at[3] ^= 1;
    assert_int_equal(room_step(str_from_c(final)), IPC_LOGIN_REFUSED);
}

static void c120_a_wrong_c_is_refused(void **state)
{
    char *final;

    (void)state;
    client_begin("SCRAM-SHA-256", "anna", "secret");
    final = final_of("SCRAM-SHA-256");
    /* "n,," became "y,,". */
    replace(final, "c=biws", "c=eSws");
    assert_int_equal(room_step(str_from_c(final)), IPC_LOGIN_REFUSED);
    client_begin("SCRAM-SHA-256", "anna", "secret");
    final = final_of("SCRAM-SHA-256");
    replace(final, "c=biws", "c=????");
    assert_int_not_equal(room_step(str_from_c(final)), IPC_LOGIN_CONTINUE);
    assert_int_not_equal(room.answer.status, IPC_LOGIN_DONE);
}

static void c120_flag_y_is_a_downgrade_where_plus_is_offered(void **state)
{
    static const struct config_text scram_only = { .text = STR_INIT("SCRAM-SHA-256") };

    (void)state;
    room.exporter = STR("0123456789abcdef0123456789abcdef");
    assert_int_equal(room_ask("SCRAM-SHA-256", STR("y,,n=anna,r=abcdefgh")), IPC_LOGIN_REFUSED);
    assert_int_equal(room_ask("SCRAM-SHA-256", STR("n,,n=anna,r=abcdefgh")), IPC_LOGIN_CONTINUE);
    /* Who binds has asked for PLUS (RFC 5802 6). */
    assert_int_equal(room_ask("SCRAM-SHA-256", STR("p=tls-exporter,,n=anna,r=abcdefgh")), IPC_LOGIN_WRONG);
    room_close();
    room_open(config);
    room.listeners[0].session.mechanisms = &scram_only;
    room.listeners[0].session.n_mechanisms = 1;
    write_users();
    room_start();
    room.exporter = STR("0123456789abcdef0123456789abcdef");
    assert_string_equal(room.offers[0], "SCRAM-SHA-256");
    assert_int_equal(room_ask("SCRAM-SHA-256", STR("y,,n=anna,r=abcdefgh")), IPC_LOGIN_CONTINUE);
}

static void what_is_no_message_of_scram_is_wrong(void **state)
{
    static const struct str wrong[] = {
        STR_INIT("x"), STR_INIT("n,,"), STR_INIT("n,,n=anna"), STR_INIT("n,,r=abc,n=anna"), STR_INIT("n,,n=,r=abc"),
        STR_INIT("n,,n=an\0na,r=abc"), STR_INIT("n,,n=\xff,r=abc"), STR_INIT("n,,m=x,n=anna,r=abc"), STR_INIT(",,,,,,"),
    };
    char long_one[AUTH_RESPONSE_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char *p = exact_copy(wrong[i]);
        enum ipc_login status = room_ask("SCRAM-SHA-256", str_of(p, wrong[i].n));
        assert_true(status == IPC_LOGIN_WRONG || status == IPC_LOGIN_REFUSED);
        free(p);
    }
    assert_int_equal(room.n_asked, 0);
    memset(long_one, 'r', sizeof(long_one));
    memcpy(long_one, "n,,n=anna,r=", 12);
    assert_int_equal(room_ask("SCRAM-SHA-256", str_of(long_one, sizeof(long_one))), IPC_LOGIN_WRONG);
    assert_int_equal(room_ask("SCRAM-SHA-256", str_of(long_one, 200)), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_step(str_of(long_one, sizeof(long_one))), IPC_LOGIN_WRONG);
    assert_int_equal(room_ask("SCRAM-SHA-256", STR("n,,n=a\x07nna,r=abcdefgh")), IPC_LOGIN_REFUSED);
}

/* Her own line as it was, BEN's another. */
static const char *with_anna(const char *bens)
{
    return arena_printf(room.arena, "Anna@example.org:{SCRAM-SHA-256}%s\nben:{SCRAM-SHA-256}%s\n",
                        room_keys("secret", 4096), room_keys(bens, 4096))
        .p;
}

static void another_accounts_new_keys_leave_an_exchange_alone(void **state)
{
    char *final;

    (void)state;
    room_file("/users", with_anna("x"));
    client_begin("SCRAM-SHA-256", "anna", "secret");
    final = final_of("SCRAM-SHA-256");
    room_file("/users", with_anna("y"));
    assert_int_equal(room_step(str_from_c(final)), IPC_LOGIN_CONTINUE);
    assert_done(room_step(STR("")), "Anna@example.org");
}

/* Keys that were given out before are worth nothing when the file has others. */
static void an_exchange_does_not_outlive_its_keys(void **state)
{
    char *final;

    (void)state;
    for (int proven = 0; proven < 2; proven++) {
        room_file("/users", with_anna("x"));
        client_begin("SCRAM-SHA-256", "anna", "secret");
        final = final_of("SCRAM-SHA-256");
        if (proven)
            assert_int_equal(room_step(str_from_c(final)), IPC_LOGIN_CONTINUE);
        room_file("/users", arena_printf(room.arena, "ben:{SCRAM-SHA-256}%s\n", room_keys("x", 4096)).p);
        assert_int_equal(room_step(proven ? STR("") : str_from_c(final)), IPC_LOGIN_TEMP);
        assert_string_equal(room.answer.detail, "the account was changed meanwhile");
    }
}

/* ---- certificates ---- */

static void external_room(void)
{
    room_close();
    room_open(config);
    room.listeners[0].tls.client_certificates.value = CONFIG_CLIENT_CERTIFICATES_ASK;
    room.listeners[0].tls.client_ca.text = STR("/ca.pem");
    write_users();
    room_start();
}

static void external_is_offered_where_a_ca_vouches(void **state)
{
    (void)state;
    external_room();
    assert_string_equal(room.offers[0], "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN EXTERNAL");
    room_close();
    room_open(config);
    room.listeners[0].tls.client_certificates.value = CONFIG_CLIENT_CERTIFICATES_REQUIRE;
    room_start();
    assert_null(strstr(room.offers[0], "EXTERNAL"));
}

static void an_address_in_the_certificate_is_the_account(void **state)
{
    (void)state;
    external_room();
    room.names = STR("mail.example.org\0ANNA@example.org\0ben@example.org\0");
    assert_done(room_ask("EXTERNAL", STR("")), "Anna@example.org");
    assert_done(room_ask("EXTERNAL", STR("ben@example.org")), "ben@example.org");
    assert_int_equal(room_ask("EXTERNAL", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_done(room_step(STR("")), "Anna@example.org");
    assert_int_equal(room_ask("EXTERNAL", STR("dora@example.org")), IPC_LOGIN_REFUSED);
    assert_int_equal(room.answer.reason, LOG_REASON_AUTH);
    assert_int_equal(room_ask("EXTERNAL", STR("an\0na")), IPC_LOGIN_WRONG);
    room.names = STR_NONE;
    assert_int_equal(room_ask("EXTERNAL", STR("")), IPC_LOGIN_REFUSED);
    room.names = STR("carl@example.org\0");
    assert_int_equal(room_ask("EXTERNAL", STR("")), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "the account is locked");
    /* A CA that signs for many makes nobody a user: neither of no file of ours, nor elsewhere. */
    room.names = STR("nobody@example.org\0anna@elsewhere.example\0");
    assert_int_equal(room_ask("EXTERNAL", STR("")), IPC_LOGIN_REFUSED);
    assert_int_equal(room_ask("EXTERNAL", STR("nobody@example.org")), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "the certificate is for no account");
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(scram_is_offered_where_every_account_has_keys),
        IN_ROOM(who_has_the_password_gets_in),
        IN_ROOM(the_last_message_wants_an_empty_response),
        IN_ROOM(an_account_without_initial_response_too),
        IN_ROOM(c121_plus_binds_to_the_exporter_on_tls_1_3),
        IN_ROOM(c121_plus_binds_to_tls_unique_below),
        IN_ROOM(an_authzid_is_the_same_account),
        IN_ROOM(a_wrong_password_is_counted_once),
        IN_ROOM(guesses_are_bounded_before_the_proof_is_looked_at),
        IN_ROOM(an_unknown_account_looks_like_any_other),
        IN_ROOM(c120_a_changed_nonce_is_refused),
        IN_ROOM(c120_a_wrong_c_is_refused),
        IN_ROOM(c120_flag_y_is_a_downgrade_where_plus_is_offered),
        IN_ROOM(what_is_no_message_of_scram_is_wrong),
        IN_ROOM(another_accounts_new_keys_leave_an_exchange_alone),
        IN_ROOM(an_exchange_does_not_outlive_its_keys),
        IN_ROOM(external_is_offered_where_a_ca_vouches),
        IN_ROOM(an_address_in_the_certificate_is_the_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
