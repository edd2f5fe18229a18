/* Dialogues of the client's machine, each whole, octet by octet and in threes. See client_player.h for how
 * they read. */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/client_player.h"

#include "core/buf.h"

#define HELLO      "S: 220 mx.example\nC: EHLO client.example\n"
#define PLAIN      HELLO "S: 250 mx.example\n"
#define PIPES      HELLO "S: 250-mx.example\nS: 250 PIPELINING\n"
#define LHLO_PIPES "S: 220 mx.example\nC: LHLO client.example\nS: 250-mx.example\nS: 250 PIPELINING\n"

static void play_all(const struct client_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        client_play(&cases[i]);
}

/* C146: waits for the greeting; HELO after 500 and 502 to EHLO alone; C155: QUIT, and 221 is waited for. */
static void greets(void **state)
{
    static const struct client_case cases[] = {
        { "nothing is said before the greeting", "? stage greeting\n? wants\n" },
        { "EHLO and QUIT",
          "S: 220-mx.example\nS: 220 welcome\nC: EHLO client.example\n? stage ehlo\nS: 250 mx.example\n! "
          "ready\n"
          "? stage \n? idle\n? wants\n~ quit\nC: QUIT\n? stage quit\n? full\nS: 221 bye\n! close\n" },
        { "QUIT may be answered with anything, or not",
          PLAIN "! ready\n~ quit\nC: QUIT\nS: 500 no\n! close\n" },
        { "QUIT may be answered with nonsense", PLAIN "! ready\n~ quit\nC: QUIT\nS: bye\n! close\n" },
        { "an end of the connection is as good as 221",
          PLAIN "! ready\n~ quit\nC: QUIT\n~ lost reset\n! close\n" },
        { "HELO after 500", HELLO "S: 500 what\nC: HELO client.example\n? stage ehlo\nS: 250 mx\n! ready\n" },
        { "HELO after 502", HELLO "S: 502\nC: HELO client.example\nS: 250-mx\nS: 250 PIPELINING\n! ready\n"
                                  "+ a@b c@d\nC: MAIL FROM:<a@b>\n" },
        { "not after 550",
          HELLO "S: 550 5.7.1 go away\nC: QUIT\n! refused perm ehlo 550 5.7.1 peer: go away\n"
                "S: 221 bye\n! close perm ehlo 550 5.7.1 peer: go away\n" },
        { "not after 501", HELLO "S: 501 bad name\nC: QUIT\n! refused perm ehlo 501 5.5.4 peer: bad name\n" },
        { "not twice", HELLO "S: 500 what\nC: HELO client.example\nS: 500 what\nC: QUIT\n"
                             "! refused perm ehlo 500 5.5.2 peer: what\n" },
        { "LMTP has LHLO alone",
          "S: 220 mx\nC: LHLO client.example\nS: 500 what\nC: QUIT\n"
          "! refused perm ehlo 500 5.5.2 peer: what\n",
          SMTP_CLIENT_LMTP },
        { "554 greets, and waits for QUIT",
          "S: 554 no SMTP here\nC: QUIT\n! refused perm greeting 554 5.0.0 peer: no SMTP here\n"
          "S: 221 bye\n! close perm greeting 554 5.0.0 peer: no SMTP here\n" },
        { "521 is a 5yz",
          "S: 521 5.3.2 no mail\nC: QUIT\n! refused perm greeting 521 5.3.2 peer: no mail\n" },
        { "450 greets",
          "S: 450 4.7.1 slow down\nC: QUIT\n! refused temp greeting 450 4.7.1 peer: slow down\n" },
        { "421 greets and waits for nothing", "S: 421 full\n! refused temp greeting 421 4.3.0 peer: full\n! "
                                              "close temp greeting 421 4.3.0 peer: full\n" },
        { "421 to EHLO", HELLO "S: 421 full\n! refused temp ehlo 421 4.3.0 peer: full\n"
                               "! close temp ehlo 421 4.3.0 peer: full\n" },
        { "a 3yz greets",
          "S: 354 go\n! refused temp greeting 0 4.5.0 own: a 3yz reply where there can be none\n"
          "! close temp greeting 0 4.5.0 own: a 3yz reply where there can be none\n" },
        { "another protocol greets",
          "S: SSH-2.0-x\n! refused temp greeting 0 4.5.0 own: not a reply code and its text\n"
          "! close temp greeting 0 4.5.0 own: not a reply code and its text\n" },
        { "silence", "~ lost timed out\n! close temp greeting 0 4.4.2 own: timed out\n? stage \n? full\n" },
        { "who waits inside comes back", "+ a@b c@d e@f\nS: 554 no\nC: QUIT\n= c@d again - 554 4.0.0 peer: "
                                         "no\n= e@f again - 554 4.0.0 peer: no\n"
                                         "! refused perm greeting 554 5.0.0 peer: no\n? idle\n? full\n" },
        { "who quits early is heard later",
          "~ quit\n" HELLO "S: 250 mx\nC: QUIT\n! ready\nS: 221\n! close\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C087: one command, one reply, unless PIPELINING was seen; C025: no blank behind the colon. */
static void keeps_step(void **state)
{
    static const struct client_case cases[] = {
        { "step by step", PLAIN
          "! ready\n+ a@b c@d e@f\nC: MAIL FROM:<a@b>\n? stage mail\n? busy\nS: 250 2.1.0 ok\n"
          "C: RCPT TO:<c@d>\n? stage rcpt\nS: 250 ok\nC: RCPT TO:<e@f>\nS: 251 ok\nC: DATA\n? stage data\n"
          "S: 354 go\nC: hi\nC: .\n! content\n? stage final\nS: 250 2.0.0 queued as 1\n"
          "= c@d ok final 250 2.0.0 peer: queued as 1\n= e@f ok final 250 2.0.0 peer: queued as 1\n? "
          "idle\n" },
        { "the next begins when this one is over", PLAIN
          "! ready\n+ a@b c@d\n+ <> e@f\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<c@d>\nS: 250\nC: DATA\n"
          "S: 354\nC: hi\nC: .\n! content\nS: 250\n= c@d ok final 250 2.0.0 peer: \nC: MAIL FROM:<>\n"
          "S: 250\nC: RCPT TO:<e@f>\nS: 250\nC: DATA\n" },
        { "a group is one write, and ends at DATA",
          PIPES "! ready\n+ a@b c@d e@f\n+ g@h i@j\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT "
                "TO:<e@f>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n! content\n"
                "C: hi\nC: .\nC: MAIL FROM:<g@h>\nC: RCPT TO:<i@j>\nC: DATA\n"
                "S: 250 2.6.0 one\n= c@d ok final 250 2.6.0 peer: one\n= e@f ok final 250 2.6.0 peer: one\n"
                "S: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\n~ quit\nS: 250 two\n"
                "= i@j ok final 250 2.0.0 peer: two\nC: QUIT\nS: 221\n! close\n" },
        { "who comes late goes behind the dot all the same", PIPES
          "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250\nS: 250\nS: 354\n! "
          "content\n"
          "C: hi\nC: .\n? stage final\n+ <> e@f\nC: MAIL FROM:<>\nC: RCPT TO:<e@f>\nC: DATA\n? stage final\n"
          "S: 250\n= c@d ok final 250 2.0.0 peer: \n? stage mail\n" },
        { "PIPELINING in any case, added before the greeting",
          "+ a@b c@d\n" HELLO "S: 250-mx\nS: 250-XFOO bar\nS: 250-pipelining\nS: 250 HELP\n! ready\n"
          "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\n" },
        { "the first line offers nothing",
          HELLO "S: 250 PIPELINING\n! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\n" },
        { "four inside", PLAIN
          "! ready\n+ a@b c@d\n+ a@b c@d\n+ a@b c@d\n? wants\n+ a@b c@d\n? full\nC: MAIL FROM:<a@b>\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C150: no parameter that was not offered, nor one that is not needed. */
static void says_what_was_offered(void **state)
{
    static const struct client_case cases[] = {
        { "all",
          HELLO "S: 250-mx\nS: 250-SIZE 1000\nS: 250-8bitmime\nS: 250-DSN\nS: 250 SMTPUTF8\n! ready\n"
                "+ a@b c@d size=1000 8bit utf8\nC: MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8\n" },
        { "SMTPUTF8 for an address", HELLO "S: 250-mx\nS: 250 SMTPUTF8\n! ready\n+ a@b \xc3\xbc@d\n"
                                           "C: MAIL FROM:<a@b> SMTPUTF8\n" },
        { "SMTPUTF8 for a sender", HELLO "S: 250-mx\nS: 250 SMTPUTF8\n! ready\n+ \xc3\xbc@b c@d\n"
                                         "C: MAIL FROM:<\xc3\xbc@b> SMTPUTF8\n" },
        { "not needed", HELLO "S: 250-mx\nS: 250-8BITMIME\nS: 250 SMTPUTF8\n! ready\n+ a@b c@d size=1000\n"
                              "C: MAIL FROM:<a@b>\n" },
        { "size without a number", HELLO "S: 250-mx\nS: 250 SIZE\n! ready\n+ a@b c@d size=99999\n"
                                         "C: MAIL FROM:<a@b> SIZE=99999\n" },
        { "size zero is no maximum (RFC 1870 4)",
          HELLO "S: 250-mx\nS: 250 SIZE 0\n! ready\n+ a@b c@d size=99999\n"
                "C: MAIL FROM:<a@b> SIZE=99999\n" },
        { "size in words",
          HELLO "S: 250-mx\nS: 250 SIZE much\n! ready\n+ a@b c@d size=9\nC: MAIL FROM:<a@b> SIZE=9\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C081, C095, C183, and addresses that are no part of a command: PERM before MAIL, by ourselves. */
static void keeps_from_a_peer_what_it_cannot_take(void **state)
{
    static const struct client_case cases[] = {
        { "C081: too large",
          HELLO "S: 250-mx\nS: 250 SIZE 1000\n! ready\n+ a@b c@d e@f size=1001\n? idle\n"
                "= c@d perm mail 0 5.3.4 own: the message is larger than the next host takes (SIZE)\n"
                "= e@f perm mail 0 5.3.4 own: the message is larger than the next host takes (SIZE)\n" },
        { "C095: 8-bit",
          PLAIN "! ready\n+ a@b c@d 8bit\n"
                "= c@d perm mail 0 5.6.3 own: the next host does not take 8-bit content (8BITMIME)\n" },
        { "C183: address", PLAIN
          "! ready\n+ a@b c@d utf8\n"
          "= c@d perm mail 0 5.6.7 own: the next host does not take internationalized mail (SMTPUTF8)\n" },
        { "C183: header", PLAIN
          "! ready\n+ a@b c@d utf8 header\n"
          "= c@d perm mail 0 5.6.9 own: the next host does not take internationalized mail (SMTPUTF8)\n" },
        { "C183: an address alone, though nobody said so", PIPES
          "! ready\n+ a@b c\xc3\xbc@d e@f\nC: MAIL FROM:<a@b>\nC: RCPT TO:<e@f>\nC: DATA\nS: 250\nS: 550 no\n"
          "S: 554 no\n= c\xc3\xbc@d perm rcpt 0 5.6.7 own: the next host does not take internationalized "
          "mail "
          "(SMTPUTF8)\n= e@f perm rcpt 550 5.0.0 peer: no\n" },
        { "C183: a sender, though nobody said so", PLAIN
          "! ready\n+ \xc3\xbc@b e@f\n"
          "= e@f perm mail 0 5.6.7 own: the next host does not take internationalized mail (SMTPUTF8)\n" },
        { "added before the features are known, and the next goes on",
          "+ a@b c@d 8bit\n+ a@b e@f\n" PLAIN "! ready\n"
          "= c@d perm mail 0 5.6.3 own: the next host does not take 8-bit content (8BITMIME)\nC: MAIL "
          "FROM:<a@b>\n" },
        { "behind one in hand", PLAIN
          "! ready\n+ a@b c@d\n+ a@b e@f 8bit\nC: MAIL FROM:<a@b>\n"
          "= e@f perm mail 0 5.6.3 own: the next host does not take 8-bit content (8BITMIME)\n? busy\n" },
        { "addresses with CR alone are left out", PIPES
          "! ready\n+ a@b c\r@d e@f\nC: MAIL FROM:<a@b>\nC: RCPT TO:<e@f>\nC: DATA\nS: 250\nS: 250\nS: 354\n"
          "! content\nC: hi\nC: .\nS: 250\n= c\r@d perm rcpt 0 5.1.3 own: the forward-path cannot be written "
          "in SMTP\n"
          "= e@f ok final 250 2.0.0 peer: \n" },
        { "an empty address is none",
          PIPES "! ready\n+ a@b \n"
                "= "
                " perm rcpt 0 5.1.3 own: the forward-path cannot be written in SMTP\n" },
        { "a sender with CR",
          PIPES "! ready\n+ a\r@b c@d\n"
                "= c@d perm mail 0 5.1.7 own: the reverse-path cannot be written in SMTP\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C159: 4yz later, 5yz never; refused MAIL, RCPT, DATA, content; RSET before the next where one may be open.
 */
static void hears_refusals(void **state)
{
    static const struct client_case cases[] = {
        { "MAIL: all recipients; the next needs no RSET",
          PLAIN "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nS: 550 5.7.1 not you\n"
                "= c@d perm mail 550 5.7.1 peer: not you\n= e@f perm mail 550 5.7.1 peer: not you\nC: MAIL "
                "FROM:<>\n" },
        { "MAIL, later", PLAIN
          "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nS: 451 busy\n= c@d temp mail 451 4.3.0 peer: busy\n" },
        { "MAIL within a transaction: RSET",
          PLAIN "! ready\n+ a@b c@d\n+ <> e@f\nC: MAIL FROM:<a@b>\nS: 503 nested\n"
                "= c@d perm mail 503 5.5.1 peer: nested\nC: RSET\nS: 250\nC: MAIL FROM:<>\n" },
        { "MAIL in a group: the rest says nothing new", PIPES
          "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\nC: "
          "DATA\n"
          "S: 552 5.3.4 too big\nS: 503 1\nS: 503 2\nS: 503 3\n= c@d perm mail 552 5.3.4 peer: too big\n"
          "= e@f perm mail 552 5.3.4 peer: too big\nC: MAIL FROM:<>\nC: RCPT TO:<g@h>\nC: DATA\n" },
        { "all RCPT: no DATA, and RSET before the next", PLAIN
          "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<c@d>\nS: 550 5.1.1 who\n"
          "C: RCPT TO:<e@f>\nS: 450 4.2.1 later\n= c@d perm rcpt 550 5.1.1 peer: who\n"
          "= e@f temp rcpt 450 4.2.1 peer: later\nC: RSET\n? stage mail\nS: 250\nC: MAIL FROM:<>\n" },
        { "all RCPT in a group, DATA too: RSET in the next group", PIPES
          "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\nC: "
          "DATA\n"
          "S: 250\nS: 550 one\nS: 550 two\nS: 554 no valid recipients\n= c@d perm rcpt 550 5.0.0 peer: one\n"
          "= e@f perm rcpt 550 5.0.0 peer: two\nC: RSET\nC: MAIL FROM:<>\nC: RCPT TO:<g@h>\nC: DATA\n"
          "S: 250\nS: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\nS: 250\n= g@h ok final 250 2.0.0 peer: "
          "\n" },
        { "one RSET is enough", PLAIN
          "! ready\n+ a@b c@d\n+ <> e@f\n+ g@h i@j\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<c@d>\nS: 550 no\n"
          "= c@d perm rcpt 550 5.0.0 peer: no\nC: RSET\nS: 250\nC: MAIL FROM:<>\nS: 550 no\n"
          "= e@f perm mail 550 5.0.0 peer: no\nC: MAIL FROM:<g@h>\n" },
        { "RSET is refused: the session is of no use",
          PLAIN "! ready\n+ a@b c@d\n+ <> e@f\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<c@d>\nS: 550 no\n"
                "= c@d perm rcpt 550 5.0.0 peer: no\nC: RSET\nS: 500 what\n= e@f again - 0 4.5.0 own: RSET "
                "was refused\n"
                "! close temp mail 0 4.5.0 own: RSET was refused\n" },
        { "DATA: those that were accepted", PIPES
          "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\nC: "
          "DATA\n"
          "S: 250\nS: 550 one\nS: 250\nS: 451 4.7.1 grey\n= c@d perm rcpt 550 5.0.0 peer: one\n"
          "= e@f temp data 451 4.7.1 peer: grey\nC: RSET\nC: MAIL FROM:<>\nC: RCPT TO:<g@h>\nC: DATA\n" },
        { "content, and the next goes on without RSET", PLAIN
          "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<c@d>\nS: 250\n"
          "C: RCPT TO:<e@f>\nS: 550 no\nC: DATA\nS: 354\n! content\nC: hi\nC: .\nS: 554 5.7.1 spam\n"
          "= c@d perm final 554 5.7.1 peer: spam\n= e@f perm rcpt 550 5.0.0 peer: no\nC: MAIL FROM:<>\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C148: nothing of the message without 354. C086: 354 though nobody is left, a lone dot, results stay. */
static void gives_content_to_354_alone(void **state)
{
    static const struct client_case cases[] = {
        { "C086: a lone dot", PIPES
          "! ready\n+ a@b c@d e@f\n+ <> g@h\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\nC: "
          "DATA\n"
          "S: 250\nS: 550 one\nS: 450 two\nS: 354 go\nC: .\nC: MAIL FROM:<>\nC: RCPT TO:<g@h>\nC: DATA\n"
          "? stage final\n? fresh\nS: 250 2.0.0 queued\n= c@d perm rcpt 550 5.0.0 peer: one\n"
          "= e@f temp rcpt 450 4.0.0 peer: two\n? stage mail\n" },
        { "a lone dot, MAIL was refused", PIPES "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT "
                                                "TO:<c@d>\nC: DATA\nS: 550 no\nS: 503\nS: 354 go\nC: .\n"
                                                "S: 554 empty\n= c@d perm mail 550 5.0.0 peer: no\n" },
        { "no dot would be safe: somebody was accepted though MAIL was not", PIPES
          "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 550 no\nS: 250\nS: 354 go\n"
          "= c@d perm mail 550 5.0.0 peer: no\n! close temp data 0 4.5.0 own: 354 to DATA though nobody may "
          "be sent to\n" },
        { "no dot would be safe: LMTP may answer it or not",
          LHLO_PIPES
          "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250\nS: 550 no\nS: 354 go\n"
          "= c@d perm rcpt 550 5.0.0 peer: no\n"
          "! close temp data 0 4.5.0 own: 354 to DATA though nobody may be sent to\n",
          SMTP_CLIENT_LMTP },
        { "250 to DATA", PIPES
          "! ready\n+ a@b c@d e@f\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\nC: DATA\n"
          "S: 250\nS: 250\nS: 550 no\nS: 250 ok\n"
          "= c@d temp data 0 4.5.0 own: DATA was answered with neither 354 nor a refusal\n"
          "= e@f perm rcpt 550 5.0.0 peer: no\n"
          "! close temp data 0 4.5.0 own: DATA was answered with neither 354 nor a refusal\n? fresh\n" },
        { "another 3yz to DATA", PIPES
          "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250\nS: 250\nS: 350 go\n"
          "= c@d temp data 0 4.5.0 own: DATA was answered with neither 354 nor a refusal\n"
          "! close temp data 0 4.5.0 own: DATA was answered with neither 354 nor a refusal\n" },
        { "354 to MAIL", PLAIN "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nS: 354 go\n"
                               "= c@d temp mail 0 4.5.0 own: a 3yz reply where there can be none\n"
                               "! close temp mail 0 4.5.0 own: a 3yz reply where there can be none\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C152, RFC 5321 4.5.3.1.10 */
static void comes_again_after_too_many_recipients(void **state)
{
#define THREE                                                                                                \
    PIPES "! ready\n+ a@b c@d e@f g@h\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\n"             \
          "C: RCPT TO:<g@h>\nC: DATA\nS: 250\nS: 250\n"
#define SENT "S: 354\n! content\nC: hi\nC: .\nS: 250\n= c@d ok final 250 2.0.0 peer: \n"
    static const struct client_case cases[] = {
        { "452, 552",
          THREE "S: 452 too many\nS: 552 too many\n" SENT "= e@f again rcpt 452 4.5.3 peer: too many\n"
                "= g@h again rcpt 552 4.5.3 peer: too many\n" },
        { "by status",
          THREE "S: 452 4.5.3 too many\nS: 552 5.5.3 too many\n" SENT
                "= e@f again rcpt 452 4.5.3 peer: too many\n= g@h again rcpt 552 4.5.3 peer: too many\n" },
        { "by a status of the wrong class",
          THREE "S: 250\nS: 552 4.5.3 too many\n" SENT
                "= e@f ok final 250 2.0.0 peer: \n= g@h again rcpt 552 4.5.3 peer: too many\n" },
        { "another status is believed",
          THREE "S: 452 4.2.2 full\nS: 552 5.2.2 full\n" SENT
                "= e@f temp rcpt 452 4.2.2 peer: full\n= g@h perm rcpt 552 5.2.2 peer: full\n" },
        { "450 and 550 are not of it",
          THREE "S: 450 later\nS: 550 4.5.3 never\n" SENT
                "= e@f temp rcpt 450 4.0.0 peer: later\n= g@h perm rcpt 550 5.5.3 peer: never\n" },
        { "the first is never one too many",
          PLAIN "! ready\n+ a@b c@d e@f\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<c@d>\nS: 452 too many\n"
                "C: RCPT TO:<e@f>\nS: 552 too many\n= c@d temp rcpt 452 4.3.1 peer: too many\n"
                "= e@f perm rcpt 552 5.2.2 peer: too many\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C134, RFC 2033 4.2, 5 */
static void lmtp_replies_for_each(void **state)
{
#define LMTP_THREE                                                                                           \
    LHLO_PIPES "! ready\n+ a@b c@d e@f g@h\n+ <> i@j\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\n"                \
               "C: RCPT TO:<e@f>\nC: RCPT TO:<g@h>\nC: DATA\nS: 250\n"
    static const struct client_case cases[] = {
        { "in order, for those accepted; the next group waits, lest replies be miscounted",
          LMTP_THREE
          "S: 250\nS: 550 no\nS: 250\nS: 354\n! content\nC: hi\nC: .\n? stage final\nS: 250 2.1.5 one\n"
          "S: 452 4.2.2 full\n= c@d ok final 250 2.1.5 peer: one\n= e@f perm rcpt 550 5.0.0 peer: no\n"
          "= g@h temp final 452 4.2.2 peer: full\nC: MAIL FROM:<>\nC: RCPT TO:<i@j>\nC: DATA\n",
          SMTP_CLIENT_LMTP },
        { "one accepted: the next group goes behind the dot",
          LMTP_THREE
          "S: 550 no\nS: 550 no\nS: 250\nS: 354\n! content\nC: hi\nC: .\nC: MAIL FROM:<>\nC: RCPT TO:<i@j>\n"
          "C: DATA\nS: 250 three\n= c@d perm rcpt 550 5.0.0 peer: no\n= e@f perm rcpt 550 5.0.0 peer: no\n"
          "= g@h ok final 250 2.0.0 peer: three\n",
          SMTP_CLIENT_LMTP },
        { "a missing one is temporary, for that recipient only",
          LMTP_THREE
          "S: 250\nS: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\nS: 250 one\nS: 550 5.2.2 full\n"
          "~ lost timed out\n= c@d ok final 250 2.0.0 peer: one\n= e@f perm final 550 5.2.2 peer: full\n"
          "= g@h temp final 0 4.4.2 own: timed out\n= i@j again - 0 4.4.2 own: timed out\n"
          "! close temp final 0 4.4.2 own: timed out\n? doubt\n",
          SMTP_CLIENT_LMTP },
        { "421 among them: of those behind it nothing is known",
          LMTP_THREE "S: 250\nS: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\nS: 250 one\nS: 421 4.3.2 stop\n"
                     "= c@d ok final 250 2.0.0 peer: one\n= e@f temp final 421 4.3.2 peer: stop\n"
                     "= g@h temp final 421 4.3.2 peer: stop\n= i@j again - 421 4.3.2 peer: stop\n"
                     "! close temp final 421 4.3.2 peer: stop\n? doubt\n",
          SMTP_CLIENT_LMTP },
        { "421 for the last of them",
          LMTP_THREE "S: 250\nS: 550 no\nS: 250\nS: 354\n! content\nC: hi\nC: .\nS: 250 one\n"
                     "S: 421 4.3.2 stop\n= c@d ok final 250 2.0.0 peer: one\n= e@f perm rcpt 550 5.0.0 peer: no\n"
                     "= g@h temp final 421 4.3.2 peer: stop\n= i@j again - 421 4.3.2 peer: stop\n"
                     "! close temp final 421 4.3.2 peer: stop\n? sure\n",
          SMTP_CLIENT_LMTP },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C154, RFC 5321 3.8: as 451 for what was in hand, nothing said of what was not begun. */
static void settles_all_when_the_session_ends(void **state)
{
#define GROUP "! ready\n+ a@b c@d\n+ <> e@f\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\n"
#define LATE(stage)                                                                                          \
    "= c@d temp " stage " 0 4.4.2 own: reset\n= e@f again - 0 4.4.2 own: reset\n"                            \
    "! close temp " stage " 0 4.4.2 own: reset\n"
#define STOP(stage)                                                                                          \
    "= c@d temp " stage " 421 4.3.2 peer: stop\n= e@f again - 421 4.3.2 peer: stop\n"                        \
    "! close temp " stage " 421 4.3.2 peer: stop\n"
    static const struct client_case cases[] = {
        { "lost at MAIL", PIPES GROUP "~ lost reset\n" LATE("mail") "? sure\n" },
        { "lost at RCPT", PIPES GROUP "S: 250\n~ lost reset\n" LATE("rcpt") },
        { "lost at DATA", PIPES GROUP "S: 250\nS: 250\n~ lost reset\n" LATE("data") },
        { "lost in content",
          PIPES "~ hold\n" GROUP "S: 250\nS: 250\nS: 354\n! content\n? stage content\n? fresh\n"
                "~ line half\n? begun\nC: half\n~ lost reset\n" LATE("content") "? sure\n? begun\n" },
        { "lost at the dot",
          PIPES GROUP "S: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\nC: MAIL FROM:<>\n"
                      "C: RCPT TO:<e@f>\nC: DATA\n~ lost reset\n" LATE("final") "? doubt\n" },
        { "lost behind the dot: the first is confirmed, the next has not begun", PIPES GROUP
          "S: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\nC: MAIL FROM:<>\nC: RCPT TO:<e@f>\nC: DATA\n"
          "S: 250 ok\n~ lost reset\n= c@d ok final 250 2.0.0 peer: ok\n= e@f again mail 0 4.4.2 own: reset\n"
          "! close temp mail 0 4.4.2 own: reset\n? sure\n" },
        { "421 to MAIL", PIPES GROUP "S: 421 4.3.2 stop\n" STOP("mail") },
        { "421 to RCPT", PIPES GROUP "S: 250\nS: 421 4.3.2 stop\n" STOP("rcpt") },
        { "421 to DATA", PIPES GROUP "S: 250\nS: 250\nS: 421 4.3.2 stop\n" STOP("data") },
        { "421 to the dot",
          PIPES GROUP "S: 250\nS: 250\nS: 354\n! content\nC: hi\nC: .\nC: MAIL FROM:<>\n"
                      "C: RCPT TO:<e@f>\nC: DATA\nS: 421 4.3.2 stop\n" STOP("final") "? sure\n" },
        { "421 to the MAIL of a later transaction: enough of this connection", PLAIN
          "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nS: 550 no\n= c@d perm mail 550 5.0.0 peer: no\n+ <> e@f\n"
          "C: MAIL FROM:<>\nS: 421 4.7.0 enough\n= e@f again mail 421 4.7.0 peer: enough\n"
          "! close temp mail 421 4.7.0 peer: enough\n" },
        { "421 when idle",
          PLAIN "! ready\nS: 421 4.4.2 idle\n! close temp - 421 4.4.2 peer: idle\n? full\n" },
        { "anything else when idle",
          PLAIN "! ready\nS: 250 what\n! close temp - 0 4.5.0 own: a reply to nothing\n" },
        { "a reply too many",
          PLAIN "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nS: 550 no\nS: 250\n"
                "= c@d perm mail 550 5.0.0 peer: no\n! close temp - 0 4.5.0 own: a reply to nothing\n" },
        { "refused recipients keep their results",
          PIPES "! ready\n+ a@b c@d e@f g@h\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\nC: RCPT "
                "TO:<g@h>\n"
                "C: DATA\nS: 250\nS: 250\nS: 550 5.1.1 who\n~ lost timed out\n= c@d temp rcpt 0 4.4.2 own: "
                "timed out\n"
                "= e@f perm rcpt 550 5.1.1 peer: who\n= g@h temp rcpt 0 4.4.2 own: timed out\n"
                "! close temp rcpt 0 4.4.2 own: timed out\n" },
        { "nonsense in place of a reply",
          PIPES GROUP "S: 250\nS: bad bad\n= c@d temp rcpt 0 4.5.0 own: not a reply code and its text\n"
                      "= e@f again - 0 4.5.0 own: not a reply code and its text\n"
                      "! close temp rcpt 0 4.5.0 own: not a reply code and its text\n" },
        { "nonsense to the dot: nobody knows",
          PIPES "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250\nS: 250\nS: "
                "354\n! content\n"
                "C: hi\nC: .\nS: 250-yes\nS: 550 no\n"
                "= c@d temp final 0 4.5.0 own: lines of one reply with codes that contradict each other\n"
                "! close temp final 0 4.5.0 own: lines of one reply with codes that contradict each other\n? "
                "doubt\n" },
        { "nobody is wanted any more",
          PLAIN "! ready\n~ lost reset\n! close temp - 0 4.4.2 own: reset\n? full\n? idle\n" },
        { "who is added afterwards comes back", PLAIN "! ready\n~ quit\nC: QUIT\n+ a@b c@d\n= c@d again - 0 "
                                                      "4.4.2 own: the session had ended\nS: 221\n! close\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* What the peer says in the middle of content, and content that cannot be given to its end. */
static void stops_in_the_middle_of_content(void **state)
{
#define IN_CONTENT                                                                                           \
    PIPES "~ hold\n! ready\n+ a@b c@d\n+ <> e@f\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\n"            \
          "S: 250\nS: 250\nS: 354\n! content\n~ line one\nC: one\n"
    static const struct client_case cases[] = {
        { "421", IN_CONTENT "S: 421 4.3.2 stop\n= c@d temp content 421 4.3.2 peer: stop\n"
                            "= e@f again - 421 4.3.2 peer: stop\n! close temp content 421 4.3.2 peer: "
                            "stop\n~ give more\n~ end\n? sure\n" },
        { "552", IN_CONTENT "S: 552 5.3.4 too big\n= c@d perm content 552 5.3.4 peer: too big\n"
                            "= e@f again - 552 4.3.4 peer: too big\n! close perm content 552 5.3.4 peer: too "
                            "big\n~ give more\n~ end\n" },
        { "250", IN_CONTENT "S: 250 ok\n= c@d temp content 0 4.5.0 own: a reply to nothing\n"
                            "= e@f again - 0 4.5.0 own: a reply to nothing\n! close temp content 0 4.5.0 "
                            "own: a reply to nothing\n" },
        { "no dot behind what cannot be read",
          IN_CONTENT "~ failed input/output error\n"
                     "= c@d temp content 0 4.3.0 own: input/output error\n= e@f again - 0 4.3.0 own: "
                     "input/output error\n"
                     "! close temp content 0 4.3.0 own: input/output error\n~ end\n" },
        { "octets sent by the owner, then the dot alone",
          IN_CONTENT "~ sent crlf\n~ end\nC: .\nC: MAIL FROM:<>\nC: RCPT TO:<e@f>\nC: DATA\n" },
        { "octets sent by the owner without CRLF, then CRLF and the dot",
          IN_CONTENT "~ sent\n~ end\nC: \nC: .\nC: MAIL FROM:<>\nC: RCPT TO:<e@f>\nC: DATA\n" },
        { "no content at all",
          PIPES "~ hold\n! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\n"
                "S: 250\nS: 250\nS: 354\n! content\n~ end\nC: .\n" },
        { "dots", PIPES "~ hold\n! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\n"
                        "S: 250\nS: 250\nS: 354\n! content\n~ give .a.\n~ line \n~ give ..\n~ end\nC: "
                        "..a.\nC: ...\nC: .\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* MAIL and RCPT alone; RSET before what follows. */
static void asks_without_sending(void **state)
{
    static const struct client_case cases[] = {
        { "in a group", PIPES
          "! ready\n+ <> c@d e@f probe\n+ a@b g@h\nC: MAIL FROM:<>\nC: RCPT TO:<c@d>\nC: RCPT TO:<e@f>\n"
          "S: 250\nS: 250 2.1.5 here\nS: 550 5.1.1 who\n= c@d ok rcpt 250 2.1.5 peer: here\n"
          "= e@f perm rcpt 550 5.1.1 peer: who\nC: RSET\nC: MAIL FROM:<a@b>\nC: RCPT TO:<g@h>\nC: DATA\n" },
        { "step by step", PLAIN
          "! ready\n+ <> c@d e@f probe\n+ a@b g@h\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<c@d>\nS: 450 4.2.1 "
          "no\n"
          "C: RCPT TO:<e@f>\nS: 250\n= c@d temp rcpt 450 4.2.1 peer: no\n= e@f ok rcpt 250 2.0.0 peer: \n"
          "C: RSET\nS: 250\nC: MAIL FROM:<a@b>\n" },
        { "MAIL is refused",
          PIPES "! ready\n+ <> c@d probe\nC: MAIL FROM:<>\nC: RCPT TO:<c@d>\nS: 550 no\nS: 503\n"
                "= c@d perm mail 550 5.0.0 peer: no\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* C147: the code decides, by its first digit if it is not known; text or not. */
static void decides_by_code(void **state)
{
#define TO_DOT                                                                                               \
    PIPES "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 299\nS: 277 \nS: 354\n"     \
          "! content\nC: hi\nC: .\n"
    static const struct client_case cases[] = {
        { "211", TO_DOT "S: 211 550 5.0.0 failed\n= c@d ok final 211 2.0.0 peer: 550 5.0.0 failed\n" },
        { "499", TO_DOT "S: 499\n= c@d temp final 499 4.0.0 peer: \n" },
        { "599", TO_DOT "S: 599 ok\n= c@d perm final 599 5.0.0 peer: ok\n" },
        { "the class of a status follows the code",
          TO_DOT "S: 250 5.7.1 no\n= c@d ok final 250 2.7.1 peer: no\n" },
        { "many lines", TO_DOT "S: 550-5.7.1 one\nS: 550-5.7.1 two\nS: 550 5.7.1 three\n"
                               "= c@d perm final 550 5.7.1 peer: one two three\n" },
        { "many lines of one class, the last decides", TO_DOT "S: 550-one\nS: 554 two\n"
                                                              "= c@d perm final 554 5.0.0 peer: one two\n" },
    };

    (void)state;
    play_all(cases, ARRAY_LEN(cases));
}

/* RFC 3463, 5248: what stands for a status that the peer did not give. */
static void a_missing_status_follows_code_and_stage(void **state)
{
    static const struct {
        unsigned code;
        const char *mail, *rcpt, *final;
    } rows[] = {
        { 450, "4.0.0", "4.0.0", "4.0.0" }, { 451, "4.3.0", "4.3.0", "4.3.0" },
        { 452, "4.3.1", "4.3.1", "4.3.1" }, { 455, "4.5.4", "4.5.4", "4.5.4" },
        { 499, "4.0.0", "4.0.0", "4.0.0" }, { 500, "5.5.2", "5.5.2", "5.5.2" },
        { 501, "5.5.4", "5.5.4", "5.5.4" }, { 502, "5.5.1", "5.5.1", "5.5.1" },
        { 503, "5.5.1", "5.5.1", "5.5.1" }, { 504, "5.5.4", "5.5.4", "5.5.4" },
        { 530, "5.7.0", "5.7.0", "5.7.0" }, { 550, "5.0.0", "5.0.0", "5.0.0" },
        { 551, "5.0.0", "5.0.0", "5.0.0" }, { 552, "5.3.4", "5.2.2", "5.3.4" },
        { 553, "5.1.0", "5.1.0", "5.0.0" }, { 554, "5.0.0", "5.0.0", "5.0.0" },
        { 555, "5.5.4", "5.5.4", "5.5.4" }, { 599, "5.0.0", "5.0.0", "5.0.0" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *kind = rows[i].code < 500 ? "temp" : "perm";
        struct buf script = BUF_INIT(4096);
        buf_printf(&script,
                   PLAIN "! ready\n+ a@b c@d\nC: MAIL FROM:<a@b>\nS: %u x\n= c@d %s mail %u %s peer: x\n",
                   rows[i].code, kind, rows[i].code, rows[i].mail);
        if (rows[i].code == 503)
            buf_printf(&script, "+ a@b e@f\nC: RSET\nS: 250\nC: MAIL FROM:<a@b>\n");
        else
            buf_printf(&script, "+ a@b e@f\nC: MAIL FROM:<a@b>\n");
        buf_printf(&script,
                   "S: 250\nC: RCPT TO:<e@f>\nS: %u x\n= e@f %s rcpt %u %s peer: x\n+ a@b g@h\nC: RSET\n",
                   rows[i].code, kind, rows[i].code, rows[i].rcpt);
        buf_printf(&script,
                   "S: 250\nC: MAIL FROM:<a@b>\nS: 250\nC: RCPT TO:<g@h>\nS: 250\nC: DATA\nS: 354\n"
                   "! content\nC: hi\nC: .\nS: %u x\n= g@h %s final %u %s peer: x\n",
                   rows[i].code, kind, rows[i].code, rows[i].final);
        assert_true(buf_add_char(&script, '\0'));
        const struct client_case c = { "a missing status", script.p, 0 };
        client_play(&c);
        buf_done(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greets),
        cmocka_unit_test(keeps_step),
        cmocka_unit_test(says_what_was_offered),
        cmocka_unit_test(keeps_from_a_peer_what_it_cannot_take),
        cmocka_unit_test(hears_refusals),
        cmocka_unit_test(gives_content_to_354_alone),
        cmocka_unit_test(comes_again_after_too_many_recipients),
        cmocka_unit_test(lmtp_replies_for_each),
        cmocka_unit_test(settles_all_when_the_session_ends),
        cmocka_unit_test(stops_in_the_middle_of_content),
        cmocka_unit_test(asks_without_sending),
        cmocka_unit_test(decides_by_code),
        cmocka_unit_test(a_missing_status_follows_code_and_stage),
    };

    return cmocka_run_group_tests_name("smtp/client", tests, NULL, NULL);
}
