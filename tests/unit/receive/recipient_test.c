/* Recipients: what a route, a next hop and an alias make of them. */
#include "tests/unit/receive/play.h"

#define BEGIN "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n"

static struct client *in_mail(void)
{
    struct client *c = client_comes();

    hear(c, "220");
    say(c, BEGIN);
    return c;
}

/* ---- an administrator's words ---- */

static void refused_with(uint16_t code, const char *status, const char *words)
{
    assert_true(ipc_send_rcpt_answer(play.lookup, &(struct ipc_rcpt_answer){
                                                      .ticket = asked(IPC_RCPT_ASK)->ticket,
                                                      .refused = 1,
                                                      .reason = LOG_REASON_ROUTE,
                                                      .rule = STR("veredus.conf:9"),
                                                      .code = code,
                                                      .status = str_from_c(status),
                                                      .detail = str_from_c(words),
                                                  }));
}

static void a_route_refuses_in_the_administrators_words(void **state)
{
    (void)state;
    static const struct {
        uint16_t code;
        const char *status;
        const char *words;
        const char *reply;
    } rows[] = {
        { 550, "5.1.6", "moved to {address}", "550 5.1.6 moved to {address}\r\n" },
        { 450, "4.3.2", "later", "450 4.3.2 later\r\n" },
        /* Nonsense from a lesser process. */
        { 550, "4.1.6", "x", "451 4.3.0" },
        { 250, "2.0.0", "x", "451 4.3.0" },
        { 700, "7.0.0", "x", "451 4.3.0" },
        { 0, "", "", "451 4.3.0" },
    };

    play_open();
    struct client *c = in_mail();
    play.lookup_silent = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(c, "RCPT TO:<b@example.org>\r\n");
        refused_with(rows[i].code, rows[i].status, rows[i].words);
        hear(c, rows[i].reply);
    }
    play_close();
}

/* ---- users ask ---- */

static void open_asking(void)
{
    play_open();
    play.asks = true;
    peer_comes(PROCESS_RESOLVE, &play.resolve);
    peer_comes(PROCESS_SEND, &play.send);
}

static void planned(enum ipc_plan status, const char *plan)
{
    assert_true(ipc_send_plan_answer(play.resolve, &(struct ipc_plan_answer){
                                                       .ticket = asked(IPC_PLAN_ASK)->ticket,
                                                       .status = (uint8_t)status,
                                                       .plan = str_from_c(plan),
                                                   }));
    go_on();
}

static void verified(enum ipc_result status, bool by_peer, const char *enhanced)
{
    assert_true(ipc_send_verify_answer(play.send, &(struct ipc_verify_answer){
                                                      .ticket = asked(IPC_VERIFY_ASK)->ticket,
                                                      .status = (uint8_t)status,
                                                      .asked = by_peer,
                                                      .enhanced = str_from_c(enhanced),
                                                  }));
    go_on();
}

static void the_next_hop_is_asked_before_RCPT_is_answered(void **state)
{
    (void)state;
    open_asking();
    struct client *c = in_mail();
    say(c, "RCPT TO:<\"b c\"@example.org>\r\n");
    assert_int_equal(c->n, 0);
    assert_int_equal(asked(IPC_PLAN_ASK)->route, PLAY_ROUTE);
    assert_string_equal(asked(IPC_PLAN_ASK)->text, "example.org");
    planned(IPC_PLAN_OK, "that way");
    assert_int_equal(asked(IPC_VERIFY_ASK)->route, PLAY_ROUTE);
    assert_string_equal(asked(IPC_VERIFY_ASK)->text, "\"b c\"@example.org along that way");
    verified(IPC_OK, true, "2.1.5");
    hear(c, "250 2.1.5");
    assert_true(asked(IPC_VERIFIED)->exists);
    assert_string_equal(asked(IPC_VERIFIED)->text, "b c at example.org");
    say(c, "DATA\r\n");
    hear(c, "354");
    play_close();
}

static void what_the_next_hop_says_of_the_mailbox_is_what_we_say(void **state)
{
    (void)state;
    static const struct {
        enum ipc_result status;
        bool by_peer;
        const char *enhanced;
        const char *reply;
        size_t told; /* lookup remembers it */
    } rows[] = {
        { IPC_OK, true, "", "250 2.1.5", 1 },
        { IPC_PERM, true, "5.1.1", "550 5.1.1 b@example.org: no such mailbox", 1 },
        { IPC_PERM, true, "", "550 5.1.1", 1 },
        { IPC_PERM, true, "5.7.1", "550 5.7.1", 0 },
        /* Down, or unsure: all are taken. */
        { IPC_TEMP, true, "4.7.1", "250 2.1.5", 0 },
        { IPC_TEMP, false, "", "250 2.1.5", 0 },
        { IPC_PERM, false, "5.4.4", "250 2.1.5", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        open_asking();
        struct client *c = in_mail();
        say(c, "RCPT TO:<b@example.org>\r\n");
        planned(IPC_PLAN_OK, "p");
        verified(rows[i].status, rows[i].by_peer, rows[i].enhanced);
        hear(c, rows[i].reply);
        assert_int_equal(asked_of(IPC_VERIFIED), rows[i].told);
        if (rows[i].told)
            assert_int_equal(asked(IPC_VERIFIED)->exists, rows[i].status == IPC_OK);
        play_close();
    }
}

static void without_a_plan_everyone_is_taken(void **state)
{
    (void)state;
    static const enum ipc_plan rows[] = { IPC_PLAN_TEMP, IPC_PLAN_PERM, IPC_PLAN_OUTAGE };

    open_asking();
    struct client *c = in_mail();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(c, "RCPT TO:<b@example.org>\r\n");
        planned(rows[i], "");
        hear(c, "250");
    }
    assert_int_equal(asked_of(IPC_VERIFY_ASK), 0);
    assert_int_equal(asked_of(IPC_VERIFIED), 0);
    play_close();
}

static void while_nobody_can_ask_everyone_is_taken(void **state)
{
    (void)state;
    play_open();
    play.asks = true;
    struct client *c = in_mail();
    say(c, "RCPT TO:<b@example.org>\r\n");
    hear(c, "250");
    peer_comes(PROCESS_RESOLVE, &play.resolve);
    say(c, "RCPT TO:<d@example.org>\r\n");
    hear(c, "250");
    assert_int_equal(asked_of(IPC_PLAN_ASK), 0);
    play_close();
}

static void who_cannot_be_asked_in_time_is_taken(void **state)
{
    (void)state;
    open_asking();
    struct client *c = in_mail();
    say(c, "RCPT TO:<b@example.org>\r\n");
    time_passes(c);
    hear(c, "250");
    say(c, "RCPT TO:<d@example.org>\r\n");
    planned(IPC_PLAN_OK, "p");
    time_passes(c);
    hear(c, "250");
    /* Too late: it changes nothing. */
    verified(IPC_PERM, true, "5.1.1");
    assert_int_equal(asked_of(IPC_VERIFIED), 0);
    /* The plan alone took all the time there was. */
    say(c, "RCPT TO:<e@example.org>\r\n");
    c->session->verify.deadline_msec = 0;
    planned(IPC_PLAN_OK, "p");
    hear(c, "250");
    assert_int_equal(asked_of(IPC_VERIFY_ASK), 1);
    play_close();
}

static void a_question_of_a_dead_process_is_asked_again(void **state)
{
    (void)state;
    open_asking();
    struct client *c = in_mail();
    say(c, "RCPT TO:<b@example.org>\r\n");
    peer_dies(&play.resolve);
    peer_comes(PROCESS_RESOLVE, &play.resolve);
    assert_int_equal(asked_of(IPC_PLAN_ASK), 2);
    planned(IPC_PLAN_OK, "p");
    peer_dies(&play.send);
    peer_comes(PROCESS_SEND, &play.send);
    assert_int_equal(asked_of(IPC_VERIFY_ASK), 2);
    verified(IPC_PERM, true, "5.1.1");
    hear(c, "550 5.1.1");
    play_close();
}

static void a_client_that_leaves_meanwhile_leaves_nothing_behind(void **state)
{
    (void)state;
    open_asking();
    struct client *c = in_mail();
    say(c, "RCPT TO:<b@example.org>\r\n");
    planned(IPC_PLAN_OK, "p");
    session_end(c->session, "lost");
    go_on();
    verified(IPC_OK, true, "");
    assert_int_equal(asked_of(IPC_VERIFIED), 0);
    play_close();
}

/* ---- the envelope ---- */

static void read_envelope(struct arena *a, struct envelope *e)
{
    struct asked *commit = asked(IPC_COMMIT_ASK);
    struct err err = { 0 };

    assert_true(envelope_decode(str_of(commit->envelope, commit->envelope_n), a, e, &err));
}

static void the_envelope_has_what_reports_and_relaying_need(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct envelope e;

    play_open();
    struct client *c = in_mail();
    say(c, "RCPT TO:<b@example.org>\r\nDATA\r\n");
    say(c, "Subject: an\r\n invoice\r\nReferences: <1@x>\r\n\t<2@x>\r\nX-Odd: \xfc\r\n\r\nbody\r\n.\r\n");
    read_envelope(a, &e);
    assert_str_is(e.subject, STR("an invoice"));
    assert_str_is(e.references, STR("<1@x>\t<2@x>"));
    assert_int_equal(e.header_octets,
                     strlen("Subject: an\r\n invoice\r\nReferences: <1@x>\r\n\t<2@x>\r\nX-Odd: x\r\n\r\n"));
    assert_true(e.header_eight_bit);
    assert_int_equal(e.uid_plus, 0);
    play_close();
    arena_free(a);
}

static void commands_and_files_of_aliases_reach_the_envelope(void **state)
{
    (void)state;
    static const char results[] = "\0\0\1\1\x08\0/bin/run\13\0example.org\1\0r\0\0"
                                  "\0\0\1\2\x08\0/var/box\13\0example.org\1\0r\0\0"
                                  "\0\0\1\0\1\0z\13\0example.com\1\0r\0\0";
    struct arena *a = arena_new(1 << 20);
    struct envelope e;

    play_open();
    play.expands = true;
    struct client *c = in_mail();
    say(c, "RCPT TO:<b@example.org>\r\nDATA\r\n");
    say(c, "Subject: x\r\n\r\n.\r\n");
    assert_true(ipc_send_expand_answer(play.lookup, &(struct ipc_expand_answer){
                                                        .ticket = asked(IPC_EXPAND_ASK)->ticket,
                                                        .count = 3,
                                                        .results = str_of(results, sizeof(results) - 1),
                                                    }));
    go_on();
    read_envelope(a, &e);
    assert_int_equal(e.n_recipients, 3);
    assert_int_equal(e.recipients[0].kind, ENVELOPE_COMMAND);
    assert_str_is(e.recipients[0].local, STR("/bin/run"));
    assert_str_is(e.recipients[0].domain, STR("example.org"));
    assert_int_equal(e.recipients[1].kind, ENVELOPE_FILE);
    assert_int_equal(e.recipients[2].kind, ENVELOPE_ADDRESS);
    assert_str_is(e.recipients[2].domain, STR("example.com"));
    play_close();
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_refuses_in_the_administrators_words),
        cmocka_unit_test(the_next_hop_is_asked_before_RCPT_is_answered),
        cmocka_unit_test(what_the_next_hop_says_of_the_mailbox_is_what_we_say),
        cmocka_unit_test(without_a_plan_everyone_is_taken),
        cmocka_unit_test(while_nobody_can_ask_everyone_is_taken),
        cmocka_unit_test(who_cannot_be_asked_in_time_is_taken),
        cmocka_unit_test(a_question_of_a_dead_process_is_asked_again),
        cmocka_unit_test(a_client_that_leaves_meanwhile_leaves_nothing_behind),
        cmocka_unit_test(the_envelope_has_what_reports_and_relaying_need),
        cmocka_unit_test(commands_and_files_of_aliases_reach_the_envelope),
    };

    return cmocka_run_group_tests_name("receive/recipient", tests, NULL, NULL);
}
