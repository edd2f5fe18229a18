/* STARTTLS and AUTH as the client says them (RFC 3207, 4954), each dialogue whole, octet by octet and in
 * threes. */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/client_player.h"

#include "core/buf.h"

#define MAY    SMTP_CLIENT_TLS_MAY
#define MUST   SMTP_CLIENT_TLS_MUST
#define ON     SMTP_CLIENT_TLS_ON
#define LOG_IN (SMTP_CLIENT_TLS_ON | SMTP_CLIENT_AUTH)

#define HELLO   "S: 220 mx.example\nC: EHLO client.example\n"
#define OFFERED HELLO "S: 250-mx.example\nS: 250-SIZE 1\nS: 250 starttls\nC: STARTTLS\n? stage tls\n"
#define SHAKEN                                                                                               \
    OFFERED "S: 220 go\n! handshake\n? stage tls\n~ secured\nC: EHLO client.example\n? stage ehlo\n"
#define LOGIN                                                                                                \
    HELLO "S: 250-mx.example\nS: 250 AUTH PLAIN SCRAM-SHA-256\n! login PLAIN SCRAM-SHA-256\n? stage auth\n"
#define NO_OFFER "the host does not offer TLS (STARTTLS)"
#define NO_AUTH  "the host does not offer to log in (AUTH)"

static void play_all(const struct client_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        client_play(&cases[i]);
}

/* C100: never, if offered, always; C097: what was offered in clear counts for nothing afterwards. */
static void says_starttls_as_its_owner_wants(void **state)
{
    static const struct client_case cases[] = {
        { "never", HELLO "S: 250-mx\nS: 250 STARTTLS\n! ready\n" },
        { "never without an offer", HELLO "S: 250 mx\n! ready\n", MAY },
        { "the second EHLO decides",
          SHAKEN "S: 250-mx\nS: 250 SIZE 1000\n! ready\n+ a@b c@d size=9\n"
                 "C: MAIL FROM:<a@b> SIZE=9\n",
          MAY },
        { "SIZE of the first is gone", SHAKEN "S: 250 mx\n! ready\n+ a@b c@d size=9\nC: MAIL FROM:<a@b>\n",
          MUST },
        { "TLS once only", SHAKEN "S: 250-mx\nS: 250 STARTTLS\n! ready\n", MUST },
        { "HELO inside TLS", SHAKEN "S: 500 what\nC: HELO client.example\nS: 250 mx\n! ready\n", MUST },
        { "TLS from the first octet", HELLO "S: 250-mx\nS: 250 STARTTLS\n! ready\n", ON | MUST },
        { "LMTP too",
          "S: 220 mx\nC: LHLO client.example\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220\n! handshake\n"
          "~ secured\nC: LHLO client.example\nS: 250 mx\n! ready\n",
          MUST | SMTP_CLIENT_LMTP },
        { "who waits inside is not begun before",
          "+ a@b c@d size=9\n" SHAKEN "S: 250 mx\n! ready\nC: MAIL FROM:<a@b>\n", MUST },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* A peer that does not offer it, or takes its offer back: in clear at MAY alone. */
static void without_tls_goes_on_only_if_it_may(void **state)
{
#define REFUSAL(words) "! refused " words "! close " words
    static const struct client_case cases[] = {
        { "stripped",
          HELLO "S: 250 mx\nC: QUIT\n! refused temp tls 0 4.7.4 own: " NO_OFFER "\n"
                "S: 221\n! close temp tls 0 4.7.4 own: " NO_OFFER "\n",
          MUST },
        { "stripped, with mail inside",
          "+ a@b c@d\n" HELLO "S: 250 mx\nC: QUIT\n= c@d again - 0 4.7.4 own: " NO_OFFER "\n"
          "! refused temp tls 0 4.7.4 own: " NO_OFFER "\n",
          MUST },
        { "HELO has none",
          HELLO "S: 502 what\nC: HELO client.example\nS: 250-mx\nS: 250 STARTTLS\nC: QUIT\n"
                "! refused temp tls 0 4.7.4 own: " NO_OFFER "\n",
          MUST },
        { "454 at must", OFFERED "S: 454 4.7.0 later\nC: QUIT\n! refused temp tls 454 4.7.0 peer: later\n",
          MUST },
        { "502 at must", OFFERED "S: 502 no\nC: QUIT\n! refused perm tls 502 5.5.1 peer: no\n", MUST },
        { "454 at may",
          OFFERED "S: 454 4.7.0 later\n! in clear temp tls 454 4.7.0 peer: later\n! ready\n~ quit\nC: QUIT\n"
                  "S: 221\n! close\n",
          MAY },
        { "500 at may: what EHLO offered still counts",
          OFFERED "S: 500 what\n! in clear perm tls 500 5.5.2 peer: what\n! ready\n+ a@b c@d size=1\n"
                  "C: MAIL FROM:<a@b> SIZE=1\n",
          MAY },
        { "421 at may", OFFERED "S: 421 4.3.2 bye\n" REFUSAL("temp tls 421 4.3.2 peer: bye\n"), MAY },
        { "another 2yz is no 220",
          OFFERED "S: 250 ok\n" REFUSAL(
              "temp tls 0 4.5.0 own: STARTTLS was answered with neither 220 nor a refusal\n"),
          MAY },
        { "nor is a 3yz",
          OFFERED "S: 354 ok\n" REFUSAL("temp tls 0 4.5.0 own: a 3yz reply where there can be none\n"), MAY },
        { "nonsense",
          OFFERED "S: \x16\x03\x03\n" REFUSAL("temp tls 0 4.5.0 own: not a reply code and its text\n"), MAY },
        { "silence", OFFERED "~ lost timed out\n! close temp tls 0 4.4.2 own: timed out\n", MUST },
        { "the handshake fails",
          OFFERED "S: 220 go\n! handshake\n~ lost handshake failed\n"
                  "! close temp tls 0 4.4.2 own: handshake failed\n",
          MUST },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C098: what came before the handshake is no reply to anything that is said behind it. */
static void drops_what_was_said_before_the_handshake(void **state)
{
    static const struct client_case cases[] = {
        { "in one segment with the 220",
          OFFERED
          "S: 220 go\nS: 250-mx\nS: 250 8BITMIME\nS: 250 ok\n! handshake\n~ secured\nC: EHLO client.example\n"
          "S: 250 mx\n! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\n",
          MUST },
        { "half a line",
          OFFERED "S: 220 go\nS: 25\n! handshake\n~ secured\nC: EHLO client.example\nS: 250 mx\n! ready\n",
          MUST },
        { "a 421",
          OFFERED
          "S: 220 go\nS: 421 stop\n! handshake\n~ secured\nC: EHLO client.example\nS: 250 mx\n! ready\n",
          MUST },
        { "an offer to log in",
          OFFERED "S: 220 go\nS: 250-mx\nS: 250 AUTH PLAIN\n! handshake\n~ secured\nC: EHLO client.example\n"
                  "S: 250 mx\nC: QUIT\n! refused temp auth 0 4.7.4 own: " NO_AUTH "\n",
          SMTP_CLIENT_AUTH },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* RFC 4954 4: base64, "=" for an initial response that is empty; C118: AUTH=<> from then on. */
static void logs_in(void **state)
{
    static const struct client_case cases[] = {
        { "with an initial response",
          LOGIN
          "~ auth PLAIN abc\nC: AUTH PLAIN YWJj\n? stage auth\nS: 235 2.7.0 welcome\n! logged in\n! ready\n"
          "+ a@b c@d\nC: MAIL FROM:<a@b> AUTH=<>\n",
          LOG_IN },
        { "that is empty", LOGIN "~ auth PLAIN \nC: AUTH PLAIN =\nS: 235\n! logged in\n! ready\n", LOG_IN },
        { "without one",
          LOGIN "~ auth LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n! challenge Username:\n~ respond anna\n"
                "C: YW5uYQ==\nS: 334 UGFzc3dvcmQ6\n! challenge Password:\n~ respond tea\nC: dGVh\nS: 235\n"
                "! logged in\n! ready\n",
          LOG_IN },
        { "an empty challenge and an empty response",
          LOGIN "~ auth X\nC: AUTH X\nS: 334 \n! challenge \n~ respond \nC: \nS: 235\n! logged in\n! ready\n",
          LOG_IN },
        { "no blank behind 334",
          LOGIN "~ auth X\nC: AUTH X\nS: 334\n! challenge \n~ respond \nC: \nS: 235\n! logged in\n! ready\n",
          LOG_IN },
        { "behind STARTTLS",
          SHAKEN "S: 250-mx\nS: 250 AUTH PLAIN\n! login PLAIN\n~ auth PLAIN x\nC: AUTH PLAIN eA==\n"
                 "S: 235\n! logged in\n! ready\n",
          SMTP_CLIENT_AUTH },
        { "never in clear",
          HELLO "S: 250-mx\nS: 250 AUTH PLAIN\nC: QUIT\n! refused temp tls 0 4.7.4 own: " NO_OFFER "\n",
          SMTP_CLIENT_AUTH | MAY },
        { "mechanisms of several lines, in any case",
          HELLO "S: 250-mx\nS: 250-auth LOGIN  PLAIN \nS: 250-AUTH=LOGIN\nS: 250 AUTH CRAM-MD5\n! login "
                "LOGIN PLAIN CRAM-MD5\n",
          LOG_IN },
        { "AUTH without a mechanism is no offer",
          HELLO "S: 250-mx\nS: 250 AUTH\nC: QUIT\n! refused temp auth 0 4.7.4 own: " NO_AUTH "\n", LOG_IN },
        { "not wanted, and MAIL says nothing of it",
          HELLO "S: 250-mx\nS: 250 AUTH PLAIN\n! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\n", ON },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* RFC 4954 4: a command has 512 octets; what is longer goes behind a challenge, which is not told. */
static void a_long_initial_response_goes_behind_a_challenge(void **state)
{
    struct buf script = BUF_INIT(8192);

    (void)state;
    buf_printf(&script, LOGIN "~ auth PLAIN long\nC: AUTH PLAIN\nS: 334 \nC: ");
    for (int i = 0; i < 166; i++)
        buf_add(&script, STR("eHh4"));
    buf_add(&script, STR("eHg=\nS: 235\n! logged in\n! ready\n"));
    assert_true(buf_add_char(&script, '\0'));
    client_play(&(struct client_case){ "long", script.p, LOG_IN });
    buf_done(&script);
}

/* The owner's no, the peer's no, and a peer that does not keep to the exchange. */
static void does_not_log_in(void **state)
{
#define SAID LOGIN "~ auth PLAIN abc\nC: AUTH PLAIN YWJj\n"
#define OPEN LOGIN "~ auth X\nC: AUTH X\n"
    static const struct client_case cases[] = {
        { "C114: 535", SAID "S: 535 5.7.8 wrong\nC: QUIT\n! refused perm auth 535 5.7.8 peer: wrong\n",
          LOG_IN },
        { "454", SAID "S: 454 4.7.0 later\nC: QUIT\n! refused temp auth 454 4.7.0 peer: later\n", LOG_IN },
        { "421",
          SAID "S: 421 bye\n! refused temp auth 421 4.3.0 peer: bye\n! close temp auth 421 4.3.0 peer: bye\n",
          LOG_IN },
        { "who waits inside comes back",
          "+ a@b c@d\n" SAID
          "S: 535 wrong\nC: QUIT\n= c@d again - 535 4.0.0 peer: wrong\n! refused perm auth 535 5.0.0 "
          "peer: wrong\n",
          LOG_IN },
        { "nothing that is offered will do",
          LOGIN "~ give-up no\nC: QUIT\n! refused temp auth 0 4.7.9 own: no\n"
                "S: 221\n! close temp auth 0 4.7.9 own: no\n",
          LOG_IN },
        { "C111: an exchange that is given up is cancelled",
          OPEN "S: 334 eA==\n! challenge x\n~ give-up no\nC: *\nS: 501 5.7.0 cancelled\nC: QUIT\n! refused "
               "temp auth 0 4.7.9 own: no\n",
          LOG_IN },
        { "whatever is said to that",
          OPEN "S: 334\n! challenge \n~ give-up no\nC: *\nS: 235 welcome\nC: QUIT\n"
               "! refused temp auth 0 4.7.9 own: no\n",
          LOG_IN },
        { "LOGGED_IN is not believed",
          SAID "~ mind\nS: 235 ok\n! logged in\nC: QUIT\n"
               "! refused temp auth 0 4.7.0 own: it did not prove who it is\n",
          LOG_IN },
        { "and nothing was sent before",
          "+ a@b c@d\n" SAID
          "~ mind\nS: 235 ok\n! logged in\nC: QUIT\n= c@d again - 0 4.7.0 own: it did not prove who it is\n"
          "! refused temp auth 0 4.7.0 own: it did not prove who it is\n",
          LOG_IN },
        { "a challenge that is no base64",
          OPEN "S: 334 !\nC: *\nS: 501\nC: QUIT\n! refused temp auth 0 4.5.0 own: a challenge to AUTH that "
               "is not one line "
               "of base64\n",
          LOG_IN },
        { "a challenge of two lines",
          OPEN "S: 334-eA==\nS: 334 eA==\nC: *\nS: 501\nC: QUIT\n! refused temp auth 0 4.5.0 own: a "
               "challenge to AUTH that "
               "is not one line of base64\n",
          LOG_IN },
        { "250 is no 235",
          SAID "S: 250 ok\n! refused temp auth 0 4.5.0 own: AUTH was answered with neither 235, 334 nor a "
               "refusal\n"
               "! close temp auth 0 4.5.0 own: AUTH was answered with neither 235, 334 nor a refusal\n",
          LOG_IN },
        { "an answer before AUTH is said",
          HELLO "S: 250-mx\nS: 250 AUTH PLAIN\nS: 235 welcome\n! login PLAIN\n! refused temp auth 0 4.5.0 "
                "own: a reply to "
                "nothing\n! close temp auth 0 4.5.0 own: a reply to nothing\n",
          LOG_IN },
        { "lost", SAID "~ lost reset\n! close temp auth 0 4.4.2 own: reset\n", LOG_IN },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

static void challenges_are_bounded(void **state)
{
    struct buf script = BUF_INIT(16384);

    (void)state;
    buf_add(&script, STR(OPEN));
    for (int i = 0; i < 16; i++)
        buf_add(&script, STR("S: 334 eA==\n! challenge x\n~ respond y\nC: eQ==\n"));
    buf_add(&script, STR("S: 334 eA==\nC: *\nS: 501\nC: QUIT\n! refused temp auth 0 4.5.0 own: challenges to "
                         "AUTH without end\n"));
    assert_true(buf_add_char(&script, '\0'));
    client_play(&(struct client_case){ "endless", script.p, LOG_IN });
    buf_clear(&script);
    buf_add(&script, STR(OPEN "S: 334 "));
    for (int i = 0; i < 256; i++)
        buf_add(&script, STR("eHh4"));
    buf_add(&script, STR("\nC: *\nS: 501\nC: QUIT\n! refused temp auth 0 4.5.0 own: a challenge to AUTH that "
                         "is not one line "
                         "of base64\n"));
    assert_true(buf_add_char(&script, '\0'));
    client_play(&(struct client_case){ "a challenge longer than is kept is not cut", script.p, LOG_IN });
    buf_done(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_starttls_as_its_owner_wants),
        cmocka_unit_test(without_tls_goes_on_only_if_it_may),
        cmocka_unit_test(drops_what_was_said_before_the_handshake),
        cmocka_unit_test(logs_in),
        cmocka_unit_test(a_long_initial_response_goes_behind_a_challenge),
        cmocka_unit_test(does_not_log_in),
        cmocka_unit_test(challenges_are_bounded),
    };

    return cmocka_run_group_tests_name("smtp/client_tls", tests, NULL, NULL);
}
