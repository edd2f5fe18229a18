/*
 * STARTTLS, AUTH, and what submission asks of a client (checklist groups 10, 11, 12; C066, C240). Each script is played
 * whole, octet by octet and in threes: replies, messages and what the mechanisms heard are the same.
 */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/player.h"

#define HELLO "EHLO client.example.net\r\n"
#define MAIL  "MAIL FROM:<anna@example.org>\r\n"
#define RCPT  "RCPT TO:<ben@example.org>\r\n"
#define TLS   "STARTTLS\r\n" HANDSHAKE
#define PLAIN "AUTH PLAIN AGFubmEAc2VjcmV0\r\n" /* anna, secret */
#define WRONG "AUTH PLAIN AGFubmEAd3Jvbmc=\r\n"
#define SAFE  HELLO TLS HELLO

struct script {
    const char *name;
    struct str input;
    const char *codes;
    const char *sasl;     /* heard by the mechanisms; NULL: nothing */
    const char *messages; /* taken; NULL: none */
};

#define SCRIPT(name, input, ...)                                                                             \
    {                                                                                                        \
        name, STR_INIT(input), __VA_ARGS__                                                                   \
    }

static const struct script scripts[] = {
    /* 10. TLS */
    SCRIPT("C096: STARTTLS takes no argument, 220 and then the handshake only",
           HELLO "STARTTLS now\r\nSTARTTLS\r\nNOOP\r\n", "250 501 220"),
    SCRIPT("C097: behind the handshake the session is new", HELLO TLS PLAIN "RSET\r\n" HELLO PLAIN MAIL,
           "250 220 503 250 250 235 250", "PLAIN=.anna.secret;"),
    SCRIPT("C097: TLS once is enough", SAFE "STARTTLS\r\nSTARTTLS x\r\nNOOP\r\n", "250 220 250 503 501 250"),
    SCRIPT("C098: what was pipelined behind STARTTLS is never heard",
           HELLO "STARTTLS\r\nRSET\r\nQUIT\r\nEHLO evil.example\r\nMAIL FROM:<" HANDSHAKE "NOOP\r\n" MAIL,
           "250 220 250 530"),
    SCRIPT("C098: nor is half a line", HELLO "STARTTLS\r\nNO" HANDSHAKE "OP\r\nNOOP\r\n", "250 220 500 250"),
    SCRIPT("C099: where TLS is required, 530 to all but what leads to it",
           MAIL RCPT "DATA\r\nRSET\r\nVRFY ben@example.org\r\nHELP\r\nNOOP\r\nHELO a.example\r\n" HELLO
                     "FOO\r\nEXPN list\r\nQUIT\r\n",
           "530 530 530 530 530 530 250 250 250 500 502 221"),

    /* 11. AUTH */
    SCRIPT("C108: AUTH once, and not within a transaction",
           SAFE PLAIN PLAIN MAIL "RSET\r\n" HELLO PLAIN MAIL "AUTH PLAIN\r\n" RCPT "DATA\r\n.\r\n",
           "250 220 250 235 503 250 250 250 503 250 503 250 354 250", "PLAIN=.anna.secret;",
           "anna@example.org>ben@example.org,:\n"),
    SCRIPT("C109: unknown mechanisms get 504, known ones match in any case",
           SAFE "AUTH SCRAM-SHA-9\r\nAUTH PLAI\r\nAUTH PLAINS\r\nAUTH PLAIN,LOGIN =\r\nauth\r\nauth plain AGFubmEAc2VjcmV0\r\n",
           "250 220 250 504 504 504 504 501 235", "PLAIN=.anna.secret;"),
    SCRIPT("C110: without initial response an empty challenge, and = is an empty one",
           SAFE "AUTH PLAIN\r\nAGFubmEAc2VjcmV0\r\n", "250 220 250 334 235", "PLAIN;=.anna.secret;"),
    SCRIPT("C110: = is empty", SAFE "AUTH PLAIN =\r\nAUTH XLONG  = \r\nNOOP\r\n", "250 220 250 535 501 250",
           "PLAIN=;XLONG=;"),
    SCRIPT("C110: an empty answer is an answer", SAFE "AUTH XLONG\r\n\r\nNOOP\r\n", "250 220 250 334 501 250",
           "XLONG;=;"),
    SCRIPT("C111: * cancels", SAFE "AUTH LOGIN\r\n*\r\nAUTH LOGIN\r\nYW5uYQ==\r\n*\r\nNOOP\r\n" PLAIN,
           "250 220 250 334 501 334 334 501 250 235", "LOGIN;LOGIN;=anna;PLAIN=.anna.secret;"),
    SCRIPT("C111: what is no base64 is refused, not mended",
           SAFE "AUTH PLAIN =AAA\r\nAUTH PLAIN AAA=BBB\r\nAUTH PLAIN A\r\nAUTH PLAIN AG Fu\r\nAUTH PLAIN AGF%\r\n"
                "AUTH PLAIN\r\n=\r\nAUTH PLAIN\r\nAAA=BBB=\r\nAUTH PLAIN\r\n AGFu\r\nAUTH PLAIN\r\nAGFu\nAGFu\r\n"
                "AUTH PLAIN\r\n**\r\nNOOP\r\n",
           "250 220 250 501 501 501 501 501 334 501 334 501 334 501 334 501 334 501 250",
           "PLAIN;PLAIN;PLAIN;PLAIN;PLAIN;"),
    SCRIPT("C112: a mechanism that speaks first takes no initial response",
           SAFE "AUTH XFIRST =\r\nAUTH XFIRST YW5uYQ==\r\nAUTH XFIRST\r\nYW5uYQ==\r\n",
           "250 220 250 501 501 334 235", "XFIRST=;XFIRST=anna;XFIRST;=anna;"),
    SCRIPT("C114: 535 for a wrong password, 454 for what cannot be looked up",
           SAFE WRONG "AUTH PLAIN AGRvd24AeA==\r\nAUTH LOGIN\r\nYW5uYQ==\r\nd3Jvbmc=\r\n",
           "250 220 250 535 454 334 334 535", "PLAIN=.anna.wrong;PLAIN=.down.x;LOGIN;=anna;=wrong;"),
    SCRIPT("LOGIN: name and password, each to a challenge",
           SAFE "AUTH LOGIN\r\nYW5uYQ==\r\nc2VjcmV0\r\nAUTH LOGIN\r\n", "250 220 250 334 334 235 503",
           "LOGIN;=anna;=secret;"),
    SCRIPT("LOGIN with the name at once", SAFE "AUTH LOGIN YW5uYQ==\r\nc2VjcmV0\r\n", "250 220 250 334 235",
           "LOGIN=anna;=secret;"),
    SCRIPT("C115: in clear there is no AUTH, and the password is not looked at",
           HELLO PLAIN WRONG "AUTH PLAIN\r\nAUTH FOO x\r\nNOOP\r\n", "250 538 538 538 538 250"),
    SCRIPT("C116: before AUTH 530, and what needs none works",
           SAFE MAIL RCPT "DATA\r\nVRFY ben@example.org\r\nNOOP\r\nRSET\r\nHELP\r\nHELO a.example\r\n" WRONG MAIL PLAIN
                          "VRFY ben@example.org\r\n" MAIL,
           "250 220 250 530 530 530 530 250 250 214 250 535 530 235 250 250",
           "PLAIN=.anna.wrong;PLAIN=.anna.secret;"),
    SCRIPT("commands in an exchange are answers to its challenge",
           SAFE "AUTH LOGIN\r\nQUIT\r\n*\r\nQUIT\r\n", "250 220 250 334 334 501 221", "LOGIN;=AB\x13;"),
    SCRIPT("C117: AUTH= of MAIL is taken from anyone, if it is xtext and a mailbox",
           SAFE PLAIN "MAIL FROM:<a@b.example> AUTH=<>\r\nRSET\r\nMAIL FROM:<a@b.example> AUTH=e+3Dmc2@b.example\r\n"
                      "RSET\r\nMAIL FROM:<a@b.example> AUTH=\"a+20b\"@b.example SIZE=1\r\nRSET\r\n"
                      "MAIL FROM:<a@b.example> AUTH=\r\nMAIL FROM:<a@b.example> AUTH\r\n"
                      "MAIL FROM:<a@b.example> AUTH=anna\r\nMAIL FROM:<a@b.example> AUTH=a+3@b.example\r\n"
                      "MAIL FROM:<a@b.example> AUTH=a@b.example+4\r\nMAIL FROM:<a@b.example> AUTH=a+0A@b.example\r\n"
                      "MAIL FROM:<a@b.example> AUTH=<> AUTH=<>\r\nMAIL FROM:<a@b.example> AUTH=\xc3\xa4@b.example\r\n",
           "250 220 250 235 250 250 250 250 250 250 501 501 501 501 501 501 501 501", "PLAIN=.anna.secret;"),

    /* 12. Submission */
    SCRIPT("C125: <> may be a sender", SAFE PLAIN "MAIL FROM:<>\r\n" RCPT "DATA\r\n.\r\n",
           "250 220 250 235 250 250 354 250", "PLAIN=.anna.secret;", ">ben@example.org,:\n"),
};

static void play_script(const struct script *script)
{
    static const size_t pieces[] = { 0, 1, 3 };
    struct buf whole = BUF_INIT(1 << 16);

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct player p = { .piece = pieces[i] };
        player_init(&p);
        player_secure(&p);
        player_play(&p, script->input);
        player_check(buf_str(&p.replies), script->codes, script->name);
        if (!str_eq(buf_str(&p.messages), str_from_c(script->messages)))
            fail_msg("%s: took \"%.*s\"", script->name, STR_ARG(buf_str(&p.messages)));
        if (!str_eq(buf_str(&p.sasl), str_from_c(script->sasl)))
            fail_msg("%s: heard \"%.*s\"", script->name, STR_ARG(buf_str(&p.sasl)));
        if (i == 0)
            buf_add(&whole, buf_str(&p.replies));
        assert_str_is(buf_str(&p.replies), buf_str(&whole));
        player_done(&p);
    }
    buf_done(&whole);
}

static void every_script_is_answered_as_the_standard_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        play_script(&scripts[i]);
}

/* C006, C097, C106, C115, C128 */
static void ehlo_lists_what_may_be_used_now(void **state)
{
    struct player p = { 0 };
    struct str common = STR("250-mail.example.org\r\n250-SIZE 100000\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                            "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-VRFY\r\n250-HELP\r\n");

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(HELLO));
    assert_true(str_starts(buf_str(&p.replies), common));
    assert_str_is(str_skip(buf_str(&p.replies), common.n), STR("250 STARTTLS\r\n"));
    player_play(&p, STR(TLS));
    player_expect_codes(&p, STR("MAIL FROM:<>\r\n"), "530");
    buf_clear(&p.replies);
    player_play(&p, STR(HELLO));
    assert_str_is(str_skip(buf_str(&p.replies), common.n), STR("250 AUTH PLAIN LOGIN XLONG XFIRST\r\n"));
    player_done(&p);
}

/* C096 */
static void starttls_that_cannot_be_had_gets_454(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_expect_codes(&p, STR("STARTTLS\r\nSTARTTLS x\r\n"), "502 502");
    smtp_server_offer_tls(p.server, false);
    player_expect(&p, STR("STARTTLS\r\n"), STR("454 4.7.0 TLS is not to be had now; try again later\r\n"));
    player_expect_codes(&p, STR("STARTTLS x\r\n"), "501");
    buf_clear(&p.replies);
    player_play(&p, STR(HELLO));
    assert_false(str_contains(buf_str(&p.replies), STR("STARTTLS")));
    smtp_server_offer_tls(p.server, true);
    player_expect(&p, STR("STARTTLS\r\n"), STR("220 2.0.0 go ahead with the handshake\r\n"));
    player_done(&p);
}

/* C097 */
static void a_transaction_ends_with_starttls(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    smtp_server_offer_tls(p.server, true);
    player_expect_codes(&p, STR(HELLO MAIL RCPT "STARTTLS\r\n"), "250 250 250 220");
    assert_str_is(buf_str(&p.events), STR("FmrRT"));
    assert_int_equal(smtp_server_client_name(p.server).n, 18);
    player_expect_codes(&p, STR(HANDSHAKE RCPT "DATA\r\n" MAIL), "503 503 503");
    assert_int_equal(smtp_server_client_name(p.server).n, 0);
    player_done(&p);
}

/* RFC 2920 3.2 with 3207: what comes behind the 220 could be the handshake, so nothing is waited for in between. */
static void the_handshake_follows_220_at_once_even_after_errors(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.max_errors = 4;
    smtp_server_offer_tls(p.server, true);
    player_play(&p, STR("FOO\r\nFOO\r\n"));
    buf_clear(&p.events);
    player_expect_codes(&p, STR("STARTTLS\r\nNOOP\r\n"), "220");
    assert_str_is(buf_str(&p.events), STR("T"));
    player_done(&p);
}

/* C106 */
static void implicit_tls_begins_inside(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(HANDSHAKE HELLO PLAIN "STARTTLS\r\n" MAIL));
    player_check(buf_str(&p.replies), "250 235 503 250", "implicit TLS");
    assert_true(smtp_server_is_authenticated(p.server));
    player_done(&p);
}

/* C110 */
static void challenges_are_one_line_of_base64(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    player_expect(&p, STR("AUTH PLAIN\r\n"), STR("334 \r\n"));
    player_expect(&p, STR("*\r\n"), STR("501 5.7.0 cancelled\r\n"));
    player_expect(&p, STR("AUTH LOGIN\r\n"), STR("334 VXNlcm5hbWU6\r\n"));
    player_expect(&p, STR("YW5uYQ==\r\n"), STR("334 UGFzc3dvcmQ6\r\n"));
    player_expect(&p, STR("d3Jvbmc=\r\n"), STR("535 5.7.8 user name or password is wrong\r\n"));
    player_expect(&p, STR(PLAIN), STR("235 2.7.0 welcome\r\n"));
    player_done(&p);
}

/* AUTH XLONG with N octets of base64, at once or to the challenge; the codes it hears. */
static void play_long(size_t n, bool at_once, size_t piece, const char *codes)
{
    struct player p = { .piece = piece };
    struct buf in = BUF_INIT(1 << 20);

    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    buf_add_c(&in, at_once ? "AUTH XLONG " : "AUTH XLONG\r\n");
    for (size_t i = 0; i < n; i++)
        buf_add_char(&in, 'A');
    buf_add_c(&in, "\r\nNOOP\r\n");
    player_expect_codes(&p, buf_str(&in), codes);
    buf_done(&in);
    player_done(&p);
}

/* C027, C113 */
static void responses_may_be_long_and_longer_ones_are_survived(void **state)
{
    static const size_t pieces[] = { 0, 1000, 12287, 12290 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        play_long(12288, false, pieces[i], "334 235 250");
        play_long(12289, false, pieces[i], "334 500 250");
        play_long(50000, false, pieces[i], "334 500 250");
        play_long(70000, false, pieces[i], "334 421");
        play_long(12276, true, pieces[i], "235 250");
        play_long(12288, true, pieces[i], "500 250");
        play_long(30000, true, pieces[i], "500 250");
    }
    play_long(800, false, 1, "334 235 250");
    play_long(600, true, 3, "235 250");
}

/* C113 */
static void too_long_a_response_has_its_own_status(void **state)
{
    struct player p = { .piece = 100 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    buf_add_c(&in, "AUTH XLONG ");
    while (in.n < 13000)
        buf_add_char(&in, 'A');
    buf_add_c(&in, "\r\n");
    player_expect(&p, buf_str(&in), STR("500 5.5.6 the line is too long\r\n"));
    /* Other lines have the limit they had. */
    memcpy(in.p, "NOOP ", 5);
    player_expect(&p, buf_str(&in), STR("500 5.5.2 the command line is too long\r\n"));
    buf_done(&in);
    player_done(&p);
}

/* C114 */
static void three_failures_are_survived_whatever_the_bound_on_errors(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_secure(&p);
    p.config.max_errors = 1;
    player_expect_codes(&p, STR(SAFE WRONG WRONG "AUTH LOGIN\r\n*\r\n"), "250 220 250 535 535 334 501");
    assert_false(p.closed);
    assert_int_equal(smtp_server_errors(p.server), 0);
    player_expect_codes(&p, STR(WRONG), "535");
    player_expect_codes(&p, STR(WRONG "NOOP\r\n"), "421");
    assert_true(p.closed);
    player_done(&p);
}

static void the_owner_hears_how_exchanges_end(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    buf_clear(&p.events);
    player_play(&p, STR("AUTH PLAIN\r\n*\r\n"));
    assert_str_is(buf_str(&p.events), STR("aFe"));
    assert_int_equal(p.last_refused, SMTP_REPLY_AUTH_CANCELLED);
    buf_clear(&p.events);
    player_play(&p, STR("AUTH PLAIN =A\r\n"));
    assert_str_is(buf_str(&p.events), STR("!"));
    assert_int_equal(p.last_refused, SMTP_REPLY_AUTH_BASE64);
    buf_clear(&p.events);
    player_play(&p, STR(WRONG));
    assert_str_is(buf_str(&p.events), STR("a"));
    player_done(&p);
}

/* What shows a dialogue to somebody knows which octets to leave out (FACE 2.6: no password is ever shown). */
static void secrets_are_told_from_the_rest(void **state)
{
    static const struct {
        struct str line;
        bool secret;
    } rows[] = {
        { STR_INIT(HELLO), false },        { STR_INIT("NOOP\r\n"), false },
        { STR_INIT("auth PLAIN AA"), true }, { STR_INIT("AA\r\n"), true },
        { STR_INIT("NOOP\r\n"), false },   { STR_INIT("AUTH LOGIN\r\n"), true },
        { STR_INIT("YW5u"), true },        { STR_INIT("YQ==\r\n"), true },
        { STR_INIT("c2VjcmV0\r\n"), true }, { STR_INIT("NOOP\r\n"), false },
    };
    struct player p = { 0 };
    struct buf held = BUF_INIT(1 << 10), out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_add(&held, rows[i].line);
        do
            smtp_server_next(p.server, buf_str(&held), &used, &out, &ev);
        while (ev.kind == SMTP_EVENT_FLUSH);
        assert_int_equal(smtp_server_in_secret(p.server), rows[i].secret);
        if (ev.kind == SMTP_EVENT_ASK_AUTH && ev.has_initial)
            smtp_server_answer(p.server, SMTP_REPLY_AUTH_FAILED, NULL, &out);
        else if (ev.kind == SMTP_EVENT_ASK_AUTH || i == 7)
            smtp_server_challenge(p.server, STR("more"), &out);
        else if (ev.kind == SMTP_EVENT_ASK_AUTH_STEP)
            smtp_server_authenticated(p.server, &out);
        buf_eat(&held, used);
    }
    assert_true(smtp_server_is_authenticated(p.server));
    buf_done(&held);
    buf_done(&out);
    player_done(&p);
}

/* A lesser process can refuse a log-in, and not grant one by a reply of its own. */
static void no_row_lets_anybody_in(void **state)
{
    static const struct smtp_reply yes = { 235, STR_INIT("2.7.0"), STR_INIT("come in") };
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    smtp_server_next(p.server, STR(PLAIN), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_ASK_AUTH);
    smtp_server_answer_with(p.server, &yes, NULL, &out);
    assert_str_is(buf_str(&out), STR("454 4.7.0 log-ins cannot be checked now; try again later\r\n"));
    assert_false(smtp_server_is_authenticated(p.server));
    buf_done(&out);
    player_done(&p);
}

static void goodbye_ends_an_exchange(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_secure(&p);
    player_play(&p, STR(SAFE));
    smtp_server_next(p.server, STR(PLAIN), &used, &out, &ev);
    smtp_server_goodbye(p.server, SMTP_REPLY_TIMEOUT, NULL, &out);
    smtp_server_next(p.server, STR(PLAIN), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_CLOSE);
    assert_false(smtp_server_is_authenticated(p.server));
    buf_done(&out);
    player_done(&p);
}

/* C117 */
static void auth_of_mail_is_kept_for_the_trusted_alone(void **state)
{
    (void)state;
    for (int trusted = 0; trusted < 2; trusted++) {
        struct player p = { 0 };
        player_init(&p);
        player_secure(&p);
        p.config.takes_auth_param = trusted;
        player_play(&p, STR(SAFE PLAIN "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@b.example\r\n"));
        const struct smtp_mail_params *params = &smtp_server_transaction(p.server)->params;
        assert_true(params->has_auth);
        assert_str_is(params->auth, trusted ? STR("e=mc2@b.example") : STR(""));
        player_play(&p, STR("RSET\r\nMAIL FROM:<a@b.example>\r\n"));
        assert_false(smtp_server_transaction(p.server)->params.has_auth);
        player_done(&p);
    }
    /* Where AUTH is not offered, its parameter is not either (C035). */
    struct player p = { 0 };
    player_init(&p);
    player_expect_codes(&p, STR(HELLO "MAIL FROM:<a@b.example> AUTH=<>\r\n"), "250 555");
    player_done(&p);
}

/* C123 */
static void a_trusted_network_needs_no_auth_but_tls(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_secure(&p);
    smtp_server_waive_auth(p.server);
    player_expect_codes(&p, STR(HELLO MAIL TLS HELLO MAIL RCPT "DATA\r\n.\r\n"), "250 530 220 250 250 250 354 250");
    assert_string_equal(p.protocol, "ESMTPS");
    player_done(&p);
}

/* C066 */
static void protocol_says_what_the_session_really_was(void **state)
{
    static const struct {
        bool tls, auth, utf8;
        const char *hello, *name;
    } rows[] = {
        { false, false, false, "HELO a.example\r\n", "SMTP" },     { false, false, false, HELLO, "ESMTP" },
        { true, false, false, HELLO, "ESMTPS" },                   { true, true, false, HELLO, "ESMTPSA" },
        { false, false, true, HELLO, "UTF8SMTP" },                 { true, false, true, HELLO, "UTF8SMTPS" },
        { true, true, true, HELLO, "UTF8SMTPSA" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        player_secure(&p);
        p.config.require_tls = p.config.require_auth = false;
        if (rows[i].tls)
            player_play(&p, STR(TLS));
        player_play(&p, str_from_c(rows[i].hello));
        if (rows[i].auth)
            player_play(&p, STR(PLAIN));
        player_play(&p, rows[i].utf8 ? STR("MAIL FROM:<> SMTPUTF8\r\n") : STR("MAIL FROM:<>\r\n"));
        player_play(&p, STR(RCPT "DATA\r\n.\r\n"));
        assert_string_equal(p.protocol, rows[i].name);
        player_done(&p);
    }
}

/* C124 */
static void bare_names_are_completed_and_half_domains_refused(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.completes = STR("example.org");
    player_expect_codes(&p,
                        STR(HELLO "MAIL FROM:<anna>\r\nRCPT TO:<ben>\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<c@sales>\r\n"
                                  "RCPT TO:<c@[192.0.2.1]>\r\nDATA\r\n.\r\nMAIL FROM:<anna@sales>\r\n"),
                        "250 250 250 250 554 250 354 250 554");
    assert_str_is(buf_str(&p.messages), STR("anna@example.org>ben@example.org,Postmaster,c@[192.0.2.1],:\n"));
    /* It is not shown, unlike the origin of clients on this machine. */
    buf_clear(&p.replies);
    player_play(&p, STR(HELLO));
    assert_false(str_contains(buf_str(&p.replies), STR("XORIGIN")));
    player_done(&p);
}

/* 2026-11-22T09:41:07Z */
static const int64_t now = 1795340467000;

static void init_holding(struct player *p)
{
    player_init(p);
    p->config.future_release_sec = 86400;
    smtp_server_tell_time(p->server, now);
}

/* C240 */
static void future_release_is_offered_with_both_limits(void **state)
{
    struct player p = { 0 };

    (void)state;
    init_holding(&p);
    player_play(&p, STR(HELLO));
    assert_true(str_contains(buf_str(&p.replies), STR("250 FUTURERELEASE 86400 2026-11-23T09:41:07Z\r\n")));
    player_done(&p);
    /* Not where it is off, nor without a clock. */
    for (int i = 0; i < 2; i++) {
        init_holding(&p);
        if (i)
            p.config.future_release_sec = 0;
        else
            smtp_server_tell_time(p.server, 0);
        player_play(&p, STR(HELLO));
        assert_false(str_contains(buf_str(&p.replies), STR("FUTURE")));
        player_expect_codes(&p, STR("MAIL FROM:<> HOLDFOR=5\r\nMAIL FROM:<> HOLDUNTIL=2026-11-22T10:00:00Z\r\n"),
                            "555 555");
        player_done(&p);
    }
}

/* C240 */
static void holds_are_read_and_bounded(void **state)
{
    static const struct {
        struct str words;
        const char *codes;
        uint64_t for_sec;
        int64_t until_msec;
    } rows[] = {
        { STR_INIT("HOLDFOR=1"), "250", 1, 0 },
        { STR_INIT("holdfor=86400"), "250", 86400, 0 },
        { STR_INIT("HOLDUNTIL=2026-11-23T09:41:07Z"), "250", 0, now + 86400000 },
        { STR_INIT("HOLDUNTIL=2026-11-23t10:41:07.000+01:00"), "250", 0, now + 86400000 },
        { STR_INIT("HOLDUNTIL=2006-11-23T09:41:07Z"), "250", 0, 1164274867000 },
        { STR_INIT("HOLDFOR=86401"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=999999999"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=1000000000"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=18446744073709551617"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=0"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=01"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=-1"), "501", 0, 0 },
        { STR_INIT("HOLDFOR="), "501", 0, 0 },
        { STR_INIT("HOLDFOR"), "501", 0, 0 },
        { STR_INIT("HOLDUNTIL"), "501", 0, 0 },
        { STR_INIT("HOLDUNTIL=tomorrow"), "501", 0, 0 },
        { STR_INIT("HOLDUNTIL=2026-11-23T09:41:08Z"), "501", 0, 0 },
        { STR_INIT("HOLDUNTIL=9999-12-31T23:59:60Z"), "501", 0, 0 },
        { STR_INIT("HOLDUNTIL=2026-11-22T09:41:07"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=1 HOLDFOR=1"), "501", 0, 0 },
        { STR_INIT("HOLDFOR=1 HOLDUNTIL=2026-11-22T10:00:00Z"), "501", 0, 0 },
        { STR_INIT("HOLDUNTIL=2026-11-22T10:00:00Z HOLDFOR=1"), "501", 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        struct buf in = BUF_INIT(1 << 10);
        init_holding(&p);
        player_play(&p, STR(HELLO));
        buf_printf(&in, "MAIL FROM:<> %.*s\r\n", STR_ARG(rows[i].words));
        player_expect_codes(&p, buf_str(&in), rows[i].codes);
        const struct smtp_transaction *t = smtp_server_transaction(p.server);
        if (rows[i].codes[0] == '2') {
            assert_true(t->params.has_hold);
            assert_int_equal(t->params.hold_for_sec, rows[i].for_sec);
            assert_int_equal(t->params.hold_until_msec, rows[i].until_msec);
        } else {
            assert_null(t);
            assert_true(str_starts(buf_str(&p.replies), STR("501 5.5.4 ")));
        }
        buf_done(&in);
        player_done(&p);
    }
}

/* C048, C006 */
static void help_follows_what_is_offered(void **state)
{
    struct player p = { 0 };

    (void)state;
    init_holding(&p);
    player_secure(&p);
    p.config.require_tls = p.config.require_auth = false;
    player_expect(&p, STR("HELP\r\n"),
                  STR("214-2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP STARTTLS\r\n"
                      "214 2.0.0 HELP and one of these tells how it is written\r\n"));
    player_expect(&p, STR("HELP starttls\r\n"), STR("214 2.0.0 STARTTLS\r\n"));
    player_play(&p, STR(TLS HELLO));
    player_expect(&p, STR("HELP\r\n"),
                  STR("214-2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP AUTH\r\n"
                      "214 2.0.0 HELP and one of these tells how it is written\r\n"));
    player_expect(&p, STR("HELP AUTH\r\n"),
                  STR("214 2.0.0 AUTH mechanism [initial-response]; mechanisms: PLAIN LOGIN XLONG XFIRST\r\n"));
    player_expect(&p, STR("HELP MAIL\r\n"),
                  STR("214 2.0.0 MAIL FROM:<address> [SIZE=octets] [BODY=7BIT|8BITMIME] [SMTPUTF8] [AUTH=mailbox] "
                      "[HOLDFOR=seconds|HOLDUNTIL=yyyy-mm-ddThh:mm:ssZ]\r\n"));
    player_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_is_answered_as_the_standard_says),
        cmocka_unit_test(ehlo_lists_what_may_be_used_now),
        cmocka_unit_test(starttls_that_cannot_be_had_gets_454),
        cmocka_unit_test(a_transaction_ends_with_starttls),
        cmocka_unit_test(the_handshake_follows_220_at_once_even_after_errors),
        cmocka_unit_test(implicit_tls_begins_inside),
        cmocka_unit_test(challenges_are_one_line_of_base64),
        cmocka_unit_test(responses_may_be_long_and_longer_ones_are_survived),
        cmocka_unit_test(too_long_a_response_has_its_own_status),
        cmocka_unit_test(three_failures_are_survived_whatever_the_bound_on_errors),
        cmocka_unit_test(the_owner_hears_how_exchanges_end),
        cmocka_unit_test(secrets_are_told_from_the_rest),
        cmocka_unit_test(no_row_lets_anybody_in),
        cmocka_unit_test(goodbye_ends_an_exchange),
        cmocka_unit_test(auth_of_mail_is_kept_for_the_trusted_alone),
        cmocka_unit_test(a_trusted_network_needs_no_auth_but_tls),
        cmocka_unit_test(protocol_says_what_the_session_really_was),
        cmocka_unit_test(bare_names_are_completed_and_half_domains_refused),
        cmocka_unit_test(future_release_is_offered_with_both_limits),
        cmocka_unit_test(holds_are_read_and_bounded),
        cmocka_unit_test(help_follows_what_is_offered),
    };

    return cmocka_run_group_tests_name("smtp/secure", tests, NULL, NULL);
}
