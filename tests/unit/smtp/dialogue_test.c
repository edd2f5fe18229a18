/*
 * The dialogue: what a client says, and the codes it hears (checklist groups 1 to 4, 6 to 8, 19). Each script
 * is played whole, octet by octet and in threes; the replies and the messages taken are the same.
 */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/player.h"

#define HELLO "EHLO client.example.net\r\n"
#define MAIL  "MAIL FROM:<carol@example.net>\r\n"
#define RCPT  "RCPT TO:<ben@example.org>\r\n"
#define OPEN  HELLO MAIL RCPT

struct script {
    const char *name;
    struct str input;
    const char *codes;    /* of all replies, in order, the greeting left out */
    const char *messages; /* taken; NULL: none */
};

#define SCRIPT(name, input, ...)                                                                             \
    {                                                                                                        \
        name, STR_INIT(input), __VA_ARGS__                                                                   \
    }

static const struct script scripts[] = {
    /* 1. Session */
    SCRIPT("C004: no command of the minimum is unknown",
           "HELO a.example\r\nEHLO a.example\r\n" MAIL RCPT
           "RSET\r\nNOOP\r\nVRFY ben@example.org\r\n" MAIL RCPT "DATA\r\n.\r\nQUIT\r\n",
           "250 250 250 250 250 250 250 250 250 354 250 221", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C007: MAIL before EHLO is refused, what needs no name is served",
           MAIL "NOOP\r\nHELP\r\nVRFY ben@example.org\r\nRSET\r\nEXPN list\r\n", "503 250 214 250 250 502"),
    SCRIPT("C008: EHLO in a transaction is RSET", OPEN HELLO RCPT "DATA\r\n", "250 250 250 250 503 503"),
    SCRIPT("C008: HELO too", OPEN "HELO a.example\r\n" RCPT, "250 250 250 250 503"),
    SCRIPT("C009: a refused EHLO changes nothing",
           OPEN "EHLO\r\nEHLO a_b.example\r\nEHLO [1.2.3]\r\nDATA\r\n.\r\n",
           "250 250 250 501 501 501 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C010: EHLO with any well-formed name is believed", "EHLO localhost\r\n" MAIL, "250 250"),
    SCRIPT("C011: RCPT and DATA out of order", HELLO RCPT "DATA\r\n" MAIL "DATA\r\n" RCPT "DATA\r\n.\r\n",
           "250 503 503 250 503 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C011: no recipient was accepted",
           HELLO MAIL "RCPT TO:<nobody@example.org>\r\nDATA\r\n" RCPT "DATA\r\n.\r\n",
           "250 250 550 554 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C012: a second MAIL is refused, the first stays",
           OPEN "MAIL FROM:<eve@example.com>\r\nDATA\r\n.\r\n", "250 250 250 503 354 250",
           "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C013: RSET drops the transaction, not EHLO", OPEN "RSET\r\nRSET\r\n" RCPT MAIL,
           "250 250 250 250 250 503 250"),
    SCRIPT("C014: no argument for DATA, RSET, QUIT",
           OPEN "DATA now\r\nRSET all\r\nQUIT please\r\nDATA\r\n.\r\n", "250 250 250 501 501 501 354 250",
           "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C015: NOOP with and without words", OPEN "NOOP\r\nNOOP here I am\r\nDATA\r\n.\r\n",
           "250 250 250 250 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C016: QUIT drops what is unfinished, keeps what is done",
           OPEN "DATA\r\none\r\n.\r\n" MAIL RCPT "QUIT\r\nNOOP\r\n", "250 250 250 354 250 250 250 221",
           "carol@example.net>ben@example.org,:one\r\n\n"),
    SCRIPT("C017: unknown commands get 500 and the session goes on",
           "\r\nFOO\r\n MAIL\r\nMAILFROM:<>\r\nXCLIENT ADDR=1.2.3.4\r\nNOOP\r\n", "500 500 500 500 500 250"),
    SCRIPT("what others offer is known, and not offered here",
           HELLO "STARTTLS\r\nAUTH PLAIN\r\nBDAT 5 LAST\r\nETRN example.org\r\nTURN\r\n",
           "250 502 502 502 502 502"),

    /* 2. Commands and addresses */
    SCRIPT("C023: any letter case",
           "eHlO client.example.net\r\nmail from:<carol@example.net> size=5 body=8bitmime\r\n"
           "rCpT tO:<ben@example.org>\r\nDaTa\r\n.\r\nquit\r\n",
           "250 250 250 354 250 221", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C024: the local part keeps its case, the domain is lower",
           HELLO "MAIL FROM:<CaRoL@Example.NET>\r\n"
                 "RCPT TO:<BeN@EXAMPLE.org>\r\nDATA\r\n.\r\n",
           "250 250 250 354 250", "CaRoL@example.net>BeN@example.org,:\n"),
    SCRIPT("C025: lenient paths",
           HELLO "MAIL FROM: <carol@example.net>\r\nRCPT TO: ben@example.org\r\nDATA\r\n.\r\n",
           "250 250 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C026: blanks at the end of a command",
           "EHLO client.example.net  \r\nMAIL FROM:<carol@example.net> \t\r\n"
           "RCPT TO:<ben@example.org> \r\nDATA \r\n.\r\n",
           "250 250 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C030: a source route is read and forgotten",
           HELLO "MAIL FROM:<@a.example,@b.example:carol@example.net>\r\n"
                 "RCPT TO:<@a.example:ben@example.org>\r\nDATA\r\n.\r\n",
           "250 250 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C032: quoted or not, it is the same mailbox",
           HELLO MAIL "RCPT TO:<\"ben\"@example.org>\r\n"
                      "RCPT TO:<\"a b\"@example.org>\r\nRCPT TO:<\"b\\en\"@example.org>\r\nDATA\r\n.\r\n",
           "250 250 250 250 250 354 250",
           "carol@example.net>ben@example.org,\"a b\"@example.org,ben@example.org,:\n"),
    SCRIPT("C033: a domain is letters, digits, hyphens",
           "EHLO a_b.example\r\n" HELLO "MAIL FROM:<a@b_c.example>\r\n" MAIL
           "RCPT TO:<a@b_c.example>\r\nRCPT TO:<a@-b.example>\r\n"
           "RCPT TO:<a@b-.example>\r\nRCPT TO:<a@b..example>\r\n",
           "501 250 501 250 501 501 501 501"),
    SCRIPT("C034: address literals",
           "EHLO [192.0.2.1]\r\nEHLO [IPv6:2001:db8::1]\r\nMAIL FROM:<a@[192.0.2.1]>\r\n"
           "RCPT TO:<b@[IPv6:2001:DB8:0::1]>\r\nRCPT TO:<b@[300.0.2.1]>\r\nRCPT TO:<b@[IPv6:xyz]>\r\n"
           "RCPT TO:<b@[2001:db8::1]>\r\nRCPT TO:<b@[x-tag:1]>\r\nDATA\r\n.\r\n",
           "250 250 250 250 501 501 501 501 354 250", "a@[192.0.2.1]>b@[IPv6:2001:db8::1],:\n"),
    SCRIPT("C035: unknown parameters",
           HELLO "MAIL FROM:<a@b.example> FOO=1\r\nMAIL FROM:<a@b.example> AUTH=<>\r\n"
                 "MAIL FROM:<a@b.example> RET=HDRS\r\n" MAIL "RCPT TO:<b@example.org> NOTIFY=NEVER\r\n"
                 "RCPT TO:<b@example.org> X\r\n",
           "250 555 555 555 250 555 555"),
    SCRIPT("parameters out of shape",
           HELLO "MAIL FROM:<a@b.example> =1\r\nMAIL FROM:<a@b.example> SIZE=\r\n"
                 "MAIL FROM:<a@b.example> SIZE=1=2\r\nMAIL FROM:<a@b.example>SIZE=1\r\n"
                 "MAIL FROM:<a@b.example> BODY\r\n"
                 "MAIL FROM:<a@b.example> BODY=9BIT\r\nMAIL FROM:<a@b.example> BODY=7BIT BODY=7BIT\r\n"
                 "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\nMAIL FROM:<a@b.example> BODY=7BIT  SIZE=9\r\n",
           "250 501 501 501 501 501 501 501 555 250"),
    SCRIPT("C036: octets above 127 need SMTPUTF8",
           HELLO
           "MAIL FROM:<\xc3\xa4@example.net>\r\n" MAIL
           "RCPT TO:<\xc3\xa4@example.org>\r\nRCPT TO:<b@\xc3\xa4.example>\r\nRCPT TO:<\xff@example.org>\r\n"
           "\xc3\xa4\r\nEHLO \xc3\xa4.example\r\n",
           "250 550 250 553 553 501 500 501"),
    SCRIPT("C037: Postmaster without a domain, in any case",
           HELLO MAIL "RCPT TO:<Postmaster>\r\n"
                      "RCPT TO:<pOSTMASTER>\r\nRCPT TO:<ben>\r\nMAIL FROM:<ben>\r\nDATA\r\n.\r\n",
           "250 250 250 250 501 503 354 250", "carol@example.net>Postmaster,pOSTMASTER,:\n"),
    SCRIPT("C038: the null reverse-path, with more than one recipient",
           HELLO "MAIL FROM:<>\r\n" RCPT "RCPT TO:<anna@example.org>\r\nRCPT TO:<>\r\nDATA\r\n.\r\n",
           "250 250 250 250 501 354 250", ">ben@example.org,anna@example.org,:\n"),
    SCRIPT("C039: an address without a domain is not completed",
           HELLO "MAIL FROM:<carol>\r\n" MAIL "RCPT TO:<ben>\r\n", "250 501 250 501"),
    SCRIPT(
        "C040, C043: what the owner says of a recipient is heard, and the others stay",
        HELLO MAIL
        "RCPT TO:<nobody@example.org>\r\nRCPT TO:<relay@example.com>\r\nRCPT TO:<slow@example.org>\r\n" RCPT
        "DATA\r\n.\r\n",
        "250 250 550 550 451 250 354 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("paths that are none",
           HELLO
           "MAIL FROM:<carol@example.net\r\nMAIL FROM:carol@example.net>\r\nMAIL FROM:\r\n"
           "MAIL <carol@example.net>\r\nMAIL FROM:<a..b@example.net>\r\nMAIL FROM:<.a@example.net>\r\n"
           "MAIL FROM:<a.@example.net>\r\nMAIL FROM:<a b@example.net>\r\nMAIL FROM:<\"a@example.net>\r\n"
           "MAIL FROM:<a@>\r\nMAIL FROM:<@example.net>\r\nMAIL FROM:<a@b@example.net>\r\nMAIL "
           "FROM:<<a@example.net>>\r\n"
           "MAIL\r\nMAIL FROM\r\nMAIL FROM:<a@b.example> <c@d.example>\r\n",
           "250 501 501 501 501 501 501 501 501 501 501 501 501 501 501 501 501"),

    /* 3. VRFY, EXPN, HELP */
    SCRIPT("C044, C045: VRFY says 250 of what it knows, 252 of what it cannot",
           "VRFY <ben@example.org>\r\nVRFY ben@example.org\r\nVRFY nobody@example.org\r\nVRFY ben\r\nVRFY "
           "Ben Miller\r\n"
           "VRFY\r\n",
           "250 250 550 252 252 501"),
    SCRIPT("C046: an ambiguous VRFY gets 553", "VRFY two@example.org\r\n", "553"),
    SCRIPT("C048: VRFY, EXPN and HELP leave a transaction alone",
           OPEN "VRFY nobody@example.org\r\nEXPN list\r\nHELP\r\nHELP MAIL\r\nHELP me\r\nDATA\r\n.\r\n",
           "250 250 250 550 502 214 214 214 354 250", "carol@example.net>ben@example.org,:\n"),

    /* 4. Data */
    SCRIPT("C049, C050: a bare LF or CR ends no data, and what follows is no command",
           OPEN "DATA\r\nx\n.\n" MAIL "x\n.\r\n" MAIL "x\r\n.\n" MAIL "x\r.\r" MAIL "x\r.\r\n" MAIL
                "x\r\n.\r" MAIL "x\n\n.\r\n\r\n.\r\nNOOP\r\n",
           "250 250 250 354 550 250"),
    SCRIPT("C051: dots are unstuffed, nothing else", OPEN "DATA\r\n..\r\n..x\r\n...\r\n.y\r\nz.\r\n.\r\n",
           "250 250 250 354 250", "carol@example.net>ben@example.org,:.\r\n.x\r\n..\r\ny\r\nz.\r\n\n"),
    SCRIPT("C052: content comes out as it went in",
           OPEN "DATA\r\n \r\n\t\r\nNo colon\r\n:\r\n\r\n\r\n\x01\x7f\xff\r\n\r\n.\r\n",
           "250 250 250 354 250",
           "carol@example.net>ben@example.org,: \r\n\t\r\nNo colon\r\n:\r\n\r\n\r\n\x01\x7f\xff\r\n\r\n\n"),
    SCRIPT("C055: mismatched Resent fields and other defects refuse nothing",
           OPEN "DATA\r\nResent-To: x\r\nFrom: a\r\nFrom: b\r\nbroken\r\n.\r\n", "250 250 250 354 250",
           "carol@example.net>ben@example.org,:Resent-To: x\r\nFrom: a\r\nFrom: b\r\nbroken\r\n\n"),
    SCRIPT("C059: without the final dot there is no message", OPEN "DATA\r\nhalf\r\n.\r", "250 250 250 354"),
    SCRIPT("a NUL is refused", OPEN "DATA\r\na\r\nb\0c\r\n.\r\n", "250 250 250 354 550"),

    /* 7. SIZE */
    SCRIPT("C077: SIZE above the maximum is refused at once",
           HELLO "MAIL FROM:<a@b.example> SIZE=100001\r\n"
                 "MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\nMAIL FROM:<a@b.example> "
                 "SIZE=999999999999999999999\r\n"
                 "MAIL FROM:<a@b.example> SIZE=100000\r\n",
           "250 552 552 501 250"),
    SCRIPT("C079: SIZE twice is an error, and SIZE does not end the data",
           HELLO "MAIL FROM:<a@b.example> SIZE=1 SIZE=1\r\n"
                 "MAIL FROM:<a@b.example> SIZE=1\r\n" RCPT "DATA\r\nlonger\r\n.\r\n",
           "250 501 250 250 354 250", "a@b.example>ben@example.org,:longer\r\n\n"),

    /* 8. PIPELINING */
    SCRIPT("C084: after a failing command the next ones are answered",
           HELLO "MAIL FROM:<bad\r\n" RCPT "DATA\r\n" MAIL RCPT "FOO\r\nDATA\r\n.\r\nNOOP\r\n",
           "250 501 503 503 250 250 500 354 250 250", "carol@example.net>ben@example.org,:\n"),
    SCRIPT("C085, C086: DATA needs one recipient; with one refused beside it all is well",
           HELLO MAIL "RCPT TO:<nobody@example.org>\r\nDATA\r\nRSET\r\n" MAIL
                      "RCPT TO:<nobody@example.org>\r\n" RCPT "DATA\r\n.\r\n",
           "250 250 550 554 250 250 550 250 354 250", "carol@example.net>ben@example.org,:\n"),

    /* Lines */
    SCRIPT("C049 of commands: bare CR, bare LF and NUL end no line and are refused",
           "NOOP\nNOOP\r\nNOOP\rNOOP\r\nNOOP\r\r\nNO\0OP\r\nNOOP \n\r\n\nNOOP\r\nNOOP\r\n",
           "500 500 500 500 500 500 250"),

    /* 19. SMTPUTF8 */
    SCRIPT("C182: SMTPUTF8 takes no value and comes once",
           HELLO "MAIL FROM:<a@b.example> SMTPUTF8=1\r\n"
                 "MAIL FROM:<a@b.example> SMTPUTF8=\r\nMAIL FROM:<a@b.example> SMTPUTF8 SMTPUTF8\r\n"
                 "MAIL FROM:<a@b.example> SMTPUTF8\r\n",
           "250 501 501 501 250"),
    SCRIPT("C184: U-labels become A-labels",
           HELLO "MAIL FROM:<\xc3\xa4@B\xc3\xbc"
                 "cher.example> SMTPUTF8\r\n"
                 "RCPT TO:<\xc3\xb6@b\xc3\xbc"
                 "cher.example>\r\nRCPT TO:<x@\xe2\x98\x83\xe2\x80\xae.example>\r\nDATA\r\n.\r\n",
           "250 250 250 501 354 250", "\xc3\xa4@xn--bcher-kva.example>\xc3\xb6@xn--bcher-kva.example,:\n"),
    SCRIPT("C185: VRFY of what is not ASCII says SMTPUTF8",
           "VRFY \xc3\xa4@example.org\r\nVRFY \xc3\xa4@example.org SMTPUTF8\r\n", "252 250"),
};

static void play_script(const struct script *script)
{
    static const size_t pieces[] = { 0, 1, 3 };
    struct buf whole = BUF_INIT(1 << 16);

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct player p = { .piece = pieces[i] };
        player_init(&p);
        player_play(&p, script->input);
        player_check(buf_str(&p.replies), script->codes, script->name);
        if (!str_eq(buf_str(&p.messages), str_from_c(script->messages)))
            fail_msg("%s: took \"%.*s\"", script->name, STR_ARG(buf_str(&p.messages)));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_is_answered_as_the_standard_says),
    };

    return cmocka_run_group_tests_name("smtp/dialogue", tests, NULL, NULL);
}
