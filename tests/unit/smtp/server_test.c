/*
 * The dialogue: what a client says, and the codes it hears (checklist groups 1 to 4, 6 to 8, 19). Each script
 * is played whole, octet by octet and in threes; the replies and the messages taken are the same.
 */
#include "tests/unit/unit.h"

#include "smtp/server.h"
#include "tests/unit/smtp/player.h"

#define HELLO "EHLO client.example.net\r\n"
#define MAIL  "MAIL FROM:<carol@example.net>\r\n"
#define RCPT  "RCPT TO:<ben@example.org>\r\n"
#define OPEN  HELLO MAIL RCPT
#define A10   "aaaaaaaaaa"
#define A50   A10 A10 A10 A10 A10
#define A64   A50 "aaaaaaaaaaaaaa"

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

/* Calls SEE for each reply: all its lines, the code of the last. */
static void for_each_line(struct str replies, void (*see)(struct str line, void *arg), void *arg)
{
    while (replies.n) {
        size_t lf = str_find(replies, '\n');
        assert_true(lf < replies.n);
        assert_true(lf > 3 && replies.p[lf - 1] == '\r');
        see(str_head(replies, lf - 1), arg);
        replies = str_skip(replies, lf + 1);
    }
}

static void add_code(struct str line, void *arg)
{
    struct buf *codes = arg;

    if (line.p[3] != ' ')
        return;
    buf_add(codes, codes->n ? STR(" ") : STR_NONE);
    buf_add(codes, str_head(line, 3));
}

struct shape {
    struct str code, status;
    bool going_on;
};

static bool is_hello_line(struct str text)
{
    return str_starts(text, STR("mail.example.org")) || str_starts(text, STR("name yourself")) ||
           str_starts(text, STR("this host takes no mail")) ||
           (text.n && ascii_upper(text.p[0]) == text.p[0] && !str_has(text, '.') &&
            !str_starts(text, STR("Ok")));
}

/* C019, C020, C073, C074, C075 of every reply ever seen here. */
static void check_line(struct str line, void *arg)
{
    struct shape *shape = arg;
    struct str text = str_skip(line, 4), rest = text;

    assert_true(line.n + 2 <= SMTP_REPLY_LINE_MAX);
    assert_true(line.p[0] >= '2' && line.p[0] <= '5');
    assert_true(line.p[3] == ' ' || line.p[3] == '-');
    for (size_t i = 0; i < line.n; i++)
        assert_true((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
    if (shape->going_on)
        assert_str_is(str_head(line, 3), shape->code);
    struct str status = str_cut(&rest, ' ');
    struct smtp_reply reply = { .code = (unsigned)(line.p[0] - '0') * 100, .status = status };
    bool plain = line.p[0] == '3' || is_hello_line(text);
    if (plain) {
        assert_false(str_has(status, '.') && ascii_is_digit(status.p[0]) && smtp_reply_is_sane(&reply));
    } else {
        assert_true(status.n && smtp_reply_is_sane(&reply));
        if (shape->going_on)
            assert_str_is(status, shape->status);
    }
    *shape = (struct shape){ str_head(line, 3), status, line.p[3] == '-' };
}

static void check_replies(struct str replies)
{
    struct shape shape = { 0 };

    for_each_line(replies, check_line, &shape);
    assert_false(shape.going_on);
}

static void check_codes(const struct script *script, struct str replies)
{
    struct buf codes = BUF_INIT(1 << 16);

    for_each_line(replies, add_code, &codes);
    if (!str_eq(buf_str(&codes), str_from_c(script->codes)))
        fail_msg("%s:\n got %.*s\nwant %s", script->name, STR_ARG(buf_str(&codes)), script->codes);
    buf_done(&codes);
}

static void play_script(const struct script *script)
{
    static const size_t pieces[] = { 0, 1, 3 };
    struct buf whole = BUF_INIT(1 << 16);

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct player p = { .piece = pieces[i] };
        player_init(&p);
        player_play(&p, script->input);
        check_codes(script, buf_str(&p.replies));
        check_replies(buf_str(&p.replies));
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

static void expect(struct player *p, struct str input, struct str replies)
{
    buf_clear(&p->replies);
    player_play(p, input);
    assert_str_is(buf_str(&p->replies), replies);
}

static void expect_codes(struct player *p, struct str input, const char *codes)
{
    struct script script = { "in a session", input, codes, NULL };

    buf_clear(&p->replies);
    player_play(p, input);
    check_codes(&script, buf_str(&p->replies));
    check_replies(buf_str(&p->replies));
}

/* C001 */
static void greeting_begins_with_our_name(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);

    (void)state;
    player_init(&p);
    smtp_server_greet(p.server, &out);
    assert_str_is(buf_str(&out), STR("220 mail.example.org ESMTP veredus\r\n"));
    buf_done(&out);
    player_done(&p);
}

/* C002, C003 */
static void refused_client_hears_554_then_503_until_quit(void **state)
{
    static const enum smtp_reply_name names[] = { SMTP_REPLY_GREETING_REFUSED, SMTP_REPLY_GREETING_NEVER };
    static const char *const codes[] = { "554", "521" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct player p = { 0 };
        player_init(&p);
        struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
        smtp_server_refuse(p.server, names[i], &(struct smtp_slots){ .client = STR("192.0.2.9") }, &out);
        assert_str_is(str_head(buf_str(&out), 3), str_from_c(codes[i]));
        buf_done(&out);
        expect_codes(&p, STR(OPEN "DATA\r\nNOOP\r\nFOO\r\n"), "503 503 503 503 503 503");
        /* C073: no status in a reply to EHLO, whatever it says. */
        expect(&p, STR(HELLO), STR("503 this host takes no mail from you; QUIT is all there is\r\n"));
        expect(&p, STR("NOOP\r\n"),
               STR("503 5.5.1 this host takes no mail from you; QUIT is all there is\r\n"));
        expect_codes(&p, STR("QUIT\r\n"), "221");
        assert_true(p.closed);
        player_done(&p);
    }
}

/* C005, C006, C182, C184 */
static void ehlo_lists_what_works_and_helo_nothing(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    expect(&p, STR(HELLO),
           STR("250-mail.example.org\r\n"
               "250-SIZE 100000\r\n"
               "250-PIPELINING\r\n"
               "250-8BITMIME\r\n"
               "250-ENHANCEDSTATUSCODES\r\n"
               "250-SMTPUTF8\r\n"
               "250-VRFY\r\n"
               "250 HELP\r\n"));
    assert_str_is(smtp_server_client_name(p.server), STR("client.example.net"));
    assert_str_is(smtp_server_protocol(p.server), STR("ESMTP"));
    expect(&p, STR("HELO other.example.net\r\n"), STR("250 mail.example.org\r\n"));
    assert_str_is(smtp_server_client_name(p.server), STR("other.example.net"));
    assert_str_is(smtp_server_protocol(p.server), STR("SMTP"));
    /* C006: each keyword with a verb or a parameter works. */
    expect_codes(&p, STR("VRFY ben@example.org\r\nHELP\r\nMAIL FROM:<> SIZE=1 BODY=8BITMIME SMTPUTF8\r\n"),
                 "250 214 250");
    assert_str_is(smtp_server_protocol(p.server), STR("UTF8SMTP"));
    player_done(&p);
}

/* C006, C047 */
static void each_built_verb_beyond_the_minimum_is_listed(void **state)
{
    struct str ehlo = smtp_reply_row(SMTP_REPLY_EHLO_OK).words;

    (void)state;
    for (int v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++) {
        const struct smtp_verb_row *row = smtp_verb_row((enum smtp_verb)v);
        bool minimum = v <= SMTP_VERB_VRFY;
        if (row->built && !minimum)
            assert_true(str_contains(ehlo, row->name));
        if (!row->built)
            assert_false(str_contains(ehlo, row->name));
    }
}

/* C033 */
static void ehlo_check_is_a_choice(void **state)
{
    static const struct {
        enum smtp_ehlo_check check;
        const char *codes;
    } rows[] = {
        { SMTP_EHLO_OFF, "250 250 250 250 501" },
        { SMTP_EHLO_SYNTAX, "501 250 501 250 501" },
        { SMTP_EHLO_FQDN, "501 501 501 250 501" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        p.config.ehlo_check = rows[i].check;
        expect_codes(
            &p, STR("EHLO my_host.example\r\nEHLO localhost\r\nEHLO a b\r\nEHLO [192.0.2.1]\r\nEHLO\r\n"),
            rows[i].codes);
        player_done(&p);
    }
}

/* C025 */
static void strict_paths_have_brackets_and_no_blank(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.path_syntax = SMTP_PATH_STRICT;
    expect_codes(
        &p,
        STR(HELLO "MAIL FROM: <a@b.example>\r\nMAIL FROM:a@b.example\r\n" MAIL "RCPT TO: <a@b.example>\r\n"),
        "250 501 501 250 501");
    player_done(&p);
}

/* C044 */
static void vrfy_switched_off_says_252(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.vrfy = false;
    expect(&p, STR("VRFY ben@example.org\r\n"), STR("252 2.0.0 not verified; send the message and see\r\n"));
    player_done(&p);
}

/* C045, C185 */
static void vrfy_and_replies_name_the_address(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    expect(&p, STR("VRFY <@a.example:\"ben\"@Example.org>\r\n"), STR("250 2.1.5 <ben@example.org>\r\n"));
    expect(&p, STR("VRFY \xc3\xa4@example.org SMTPUTF8\r\n"), STR("250 2.1.5 <\xc3\xa4@example.org>\r\n"));
    expect_codes(&p, STR(HELLO MAIL), "250 250");
    expect(&p, STR("RCPT TO:<no@example.org>\r\n"), STR("550 5.1.1 no@example.org: no such mailbox\r\n"));
    expect(&p, STR("RCPT TO:<relay@example.com>\r\n"),
           STR("550 5.7.1 relay@example.com: this server relays for its own users only; log in on port 587 "
               "or 465\r\n"));
    /* In a transaction with SMTPUTF8 the address is shown; in one without it cannot even come. */
    expect_codes(&p, STR("RSET\r\nMAIL FROM:<> SMTPUTF8\r\n"), "250 250");
    expect(&p, STR("RCPT TO:<no\xc3\xa4@example.org>\r\n"),
           STR("550 5.1.1 no\xc3\xa4@example.org: no such mailbox\r\n"));
    player_done(&p);
}

/* C027, C028 */
static void long_lines_get_500_and_the_session_lives(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    /* NOOP of 512 octets with CRLF passes, of 513 does not. */
    for (int extra = 0; extra < 2; extra++) {
        buf_clear(&in);
        buf_add_c(&in, "NOOP ");
        while (in.n < 510 + (size_t)extra)
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\n");
        expect_codes(&p, buf_str(&in), extra ? "500" : "250");
    }
    /* MAIL may be longer by what SIZE, BODY and SMTPUTF8 add. */
    expect_codes(&p, STR(HELLO), "250");
    for (int extra = 0; extra < 2; extra++) {
        buf_clear(&in);
        buf_add_c(&in, "MAIL FROM:<a@b.example> SIZE=");
        while (in.n < 512 + 53 - 2 + (size_t)extra)
            buf_add_char(&in, ' ');
        buf_add_c(&in, "\r\n");
        expect_codes(&p, buf_str(&in), extra ? "500" : "501");
    }
    /* A line of 60,000 octets is one error. */
    buf_clear(&in);
    while (in.n < 60000)
        buf_add_char(&in, 'y');
    buf_add_c(&in, "\r\nNOOP\r\n");
    expect_codes(&p, buf_str(&in), "500 250");
    assert_false(p.closed);
    /* One without end is not read for ever. */
    buf_clear(&in);
    while (in.n < 70000)
        buf_add_char(&in, 'z');
    expect_codes(&p, buf_str(&in), "421");
    assert_true(p.closed);
    buf_done(&in);
    player_done(&p);
}

/* C029 */
static void the_sizes_of_the_standard_are_taken(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    expect_codes(&p, STR(HELLO "MAIL FROM:<" A64 "@example.net>\r\n"), "250 250");
    /* A domain of 252 octets is the longest that fits a path of 256: a@ and brackets. */
    expect_codes(&p, STR("RCPT TO:<a@" A50 "." A50 "." A50 "." A50 "." A10 A10 A10 A10 ".aaaaaaa>\r\n"),
                 "250");
    expect_codes(&p, STR("RCPT TO:<a@" A50 "." A50 "." A50 "." A50 "." A10 A10 A10 A10 ".aaaaaaaa>\r\n"),
                 "501");
    expect_codes(&p, STR("RCPT TO:<a@" A64 ".example>\r\n"), "501");
    expect_codes(&p, STR("EHLO " A50 "." A50 "." A50 "." A50 "." A50 ".\r\n"), "501");
    expect_codes(&p, STR("EHLO " A50 "." A50 "." A50 "." A50 "." A50 "a\r\n" MAIL), "250 250");
    expect_codes(&p, STR("RCPT TO:<" A64 A64 "@example.org>\r\n"), "250");
    expect_codes(&p, STR("RCPT TO:<" A64 A64 A64 A64 "@example.org>\r\n"), "501");
    player_done(&p);
}

/* C041, C042 */
static void recipients_above_the_limit_get_452_and_the_rest_stay(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20), codes = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    for (int i = 0; i < 101; i++) {
        buf_printf(&in, "RCPT TO:<r%d@example.org>\r\n", i);
        buf_add_c(&codes, i < 100 ? "250 " : "452");
    }
    buf_add_char(&codes, '\0');
    expect_codes(&p, STR(HELLO MAIL), "250 250");
    expect_codes(&p, buf_str(&in), codes.p);
    expect_codes(&p, STR("DATA\r\n.\r\n"), "354 250");
    assert_true(str_contains(buf_str(&p.messages), STR("r99@example.org,:")));
    assert_false(str_contains(buf_str(&p.messages), STR("r100@")));
    buf_done(&in);
    buf_done(&codes);
    player_done(&p);
}

/* C057, C070, C077 */
static void owner_may_refuse_at_each_question(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.mail_reply = SMTP_REPLY_STORAGE_SHORT;
    expect_codes(&p, STR(HELLO MAIL RCPT), "250 452 503");
    p.mail_reply = SMTP_REPLY_NONE;
    p.data_reply = SMTP_REPLY_SYSTEM_FAILED;
    expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 451");
    /* The transaction is still there (C011: state is unchanged). */
    p.data_reply = SMTP_REPLY_NONE;
    p.commit_reply = SMTP_REPLY_SYSTEM_FAILED;
    expect_codes(&p, STR("DATA\r\n.\r\n"), "354 451");
    expect_codes(&p, STR(RCPT), "503");
    p.commit_reply = SMTP_REPLY_LOOP;
    expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 354");
    expect(&p, STR(".\r\n"), STR("554 5.4.6 the message has passed 101 hosts: a mail loop\r\n"));
    assert_int_equal(smtp_server_messages(p.server), 0);
    assert_int_equal(p.messages.n, 0);
    player_done(&p);
}

/* C078, C080 */
static void content_above_the_maximum_gets_552_and_is_not_kept(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    p.config.max_message_size = 1000;
    for (size_t size = 1000; size < 1003; size++) {
        expect_codes(&p, STR("EHLO a.example\r\nMAIL FROM:<> SIZE=1000\r\n" RCPT "DATA\r\n"),
                     "250 250 250 354");
        buf_clear(&in);
        for (size_t i = 0; i < size - 2; i++)
            buf_add_char(&in, i % 70 == 68 ? '\r' : i % 70 == 69 ? '\n' : '.');
        buf_add_c(&in, "\r\n.\r\n");
        /* Lines begin with a dot: one octet of each counts nothing. */
        size_t lines = (size - 2 + 69) / 70;
        expect_codes(&p, buf_str(&in), size - lines <= 1000 ? "250" : "552");
        assert_true(p.content.n <= 1000);
    }
    /* Exactly at the maximum, and one above. */
    for (size_t extra = 0; extra < 2; extra++) {
        expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 354");
        buf_clear(&in);
        while (in.n < 998 + extra)
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\n.\r\n");
        expect_codes(&p, buf_str(&in), extra ? "552" : "250");
        assert_int_equal(p.last_refused, extra ? SMTP_REPLY_CONTENT_TOO_BIG : SMTP_REPLY_NONE);
    }
    buf_done(&in);
    player_done(&p);
}

/* C053, C054 */
static void lines_are_never_cut(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    p.config.max_line_length = 2000;
    for (size_t n = 998; n <= 2002; n += 1002 / 2) {
        expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
        buf_clear(&in);
        buf_clear(&p.messages);
        while (in.n < n)
            buf_add_char(&in, 'x');
        buf_add_c(&in, "\r\n");
        struct str line = buf_str(&in);
        size_t line_n = line.n;
        buf_add_c(&in, ".\r\n");
        expect_codes(&p, buf_str(&in), n <= 2000 ? "250" : "550");
        if (n <= 2000)
            assert_true(str_contains(buf_str(&p.messages), str_head(buf_str(&in), line_n)));
    }
    p.config.max_line_length = 65536;
    expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
    buf_clear(&in);
    while (in.n < 65536)
        buf_add_c(&in, "0123456789abcdef 0123456789abcdef 0123456789abcdef 0123456789ab\r\n");
    buf_add_c(&in, ".\r\n");
    expect_codes(&p, buf_str(&in), "250");
    buf_done(&in);
    player_done(&p);
}

/* C050 */
static void refusal_names_the_line_and_the_cure(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
    expect(
        &p, STR("hello\n.\r\n\r\n.\r\n"),
        STR("550 5.6.0 line 1 of the message ends in a bare LF; SMTP lines end in CRLF (curl: --crlf)\r\n"));
    expect_codes(&p, STR(MAIL RCPT "DATA\r\n"), "250 250 354");
    expect(&p, STR("one\r\ntwo\rthree\r\n.\r\n"),
           STR("550 5.6.0 line 2 of the message holds a bare CR; SMTP lines end in CRLF\r\n"));
    player_done(&p);
}

/* C049, C050 */
static void repaired_newlines_end_no_data_either(void **state)
{
    static const struct {
        struct str in, out;
    } rows[] = {
        { STR_INIT("a\n.\nb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\n.\r\nb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\r\n.\nb\r\n.\r\n"), STR_INIT("a\r\n\r\nb\r\n") },
        { STR_INIT("a\r.\rb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\r.\r\nb\r\n.\r\n"), STR_INIT("a\r\n.\r\nb\r\n") },
        { STR_INIT("a\r\n.\rb\r\n.\r\n"), STR_INIT("a\r\n\r\nb\r\n") },
        { STR_INIT("a\r\r\n.\r\n"), STR_INIT("a\r\n\r\n") },
        { STR_INIT("a\n\r\n.\r\n"), STR_INIT("a\r\n\r\n") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        p.config.bare_newlines = SMTP_NEWLINES_REPAIR;
        expect_codes(&p, STR(OPEN "DATA\r\n"), "250 250 250 354");
        expect_codes(&p, rows[i].in, "250");
        assert_str_is(buf_str(&p.content), rows[i].out);
        player_done(&p);
    }
}

/* C082, C083 */
static void one_segment_of_commands_is_one_send(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_play(&p, STR(HELLO));
    p.sends = 0;
    expect_codes(&p, STR(MAIL RCPT RCPT "DATA\r\n"), "250 250 250 354");
    assert_int_equal(p.sends, 1);
    expect_codes(&p, STR("x\r\n.\r\n" MAIL RCPT "DATA\r\n"), "250 250 250 354");
    assert_int_equal(p.sends, 2);
    /* Replies to NOOP, VRFY, EHLO and unknown commands do not wait for what follows. */
    expect_codes(&p, STR(".\r\nNOOP\r\nVRFY x\r\nFOO\r\nRSET\r\nRSET\r\n"), "250 250 252 500 250 250");
    assert_int_equal(p.sends, 6);
    player_done(&p);
}

static void replies_in_hand_are_bounded(void **state)
{
    struct player p = { 0 };
    struct buf in = BUF_INIT(1 << 20), codes = BUF_INIT(1 << 20);

    (void)state;
    player_init(&p);
    for (int i = 0; i < 10000; i++) {
        buf_add_c(&in, "RSET\r\n");
        buf_add_c(&codes, i ? " 250" : "250");
    }
    buf_add_char(&codes, '\0');
    expect_codes(&p, buf_str(&in), codes.p);
    buf_done(&in);
    buf_done(&codes);
    player_done(&p);
}

static void errors_are_counted_delayed_and_end_the_session(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.max_errors = 4;
    expect_codes(&p, STR("FOO\r\nFOO\r\nNOOP\r\nFOO\r\nFOO\r\n"), "500 500 250 500 500");
    /* After a quarter, that is one, each reply waits. */
    assert_str_is(buf_str(&p.events), STR("!F!DD!D!D"));
    assert_int_equal(smtp_server_errors(p.server), 4);
    expect_codes(&p, STR(HELLO MAIL), "250 250");
    expect(&p, STR("FOO\r\nNOOP\r\n"), STR("421 4.7.0 more than 4 errors in one session; closing\r\n"));
    assert_true(p.closed);
    assert_int_equal(p.close_reply, SMTP_REPLY_TOO_MANY_ERRORS);
    player_done(&p);
}

static void messages_above_the_limit_get_421(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.config.max_messages = 2;
    expect_codes(&p, STR(OPEN "DATA\r\n.\r\n" MAIL RCPT "DATA\r\n.\r\nNOOP\r\n"),
                 "250 250 250 354 250 250 250 354 250 250");
    expect(&p, STR(MAIL "NOOP\r\n"),
           STR("421 4.7.0 2 messages were taken in this session; open another\r\n"));
    assert_int_equal(p.close_reply, SMTP_REPLY_TOO_MANY_MESSAGES);
    assert_int_equal(smtp_server_messages(p.server), 2);
    player_done(&p);
}

static void an_owner_that_says_421_closes(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    p.mail_reply = SMTP_REPLY_LIMIT_CLOSE;
    expect_codes(&p, STR(HELLO MAIL "NOOP\r\n"), "250 421");
    assert_str_is(buf_str(&p.events), STR("FmX"));
    player_done(&p);
}

/* C018 */
static void goodbye_is_said_at_any_time(void **state)
{
    static const struct str before[] = { STR_INIT(""), STR_INIT(HELLO), STR_INIT(OPEN),
                                         STR_INIT(OPEN "DATA\r\nhalf"), STR_INIT("QUI") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct player p = { 0 };
        player_init(&p);
        struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
        player_play(&p, before[i]);
        smtp_server_goodbye(p.server, SMTP_REPLY_SHUTDOWN, NULL, &out);
        assert_str_is(buf_str(&out),
                      STR("421 4.3.2 mail.example.org is being restarted; try again later\r\n"));
        assert_null(smtp_server_transaction(p.server));
        expect(&p, STR("NOOP\r\n"), STR(""));
        assert_true(p.closed);
        assert_int_equal(p.close_reply, SMTP_REPLY_SHUTDOWN);
        buf_done(&out);
        player_done(&p);
    }
}

static void goodbye_while_a_question_is_open(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_play(&p, STR(HELLO));
    smtp_server_next(p.server, STR(MAIL), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_ASK_MAIL);
    smtp_server_goodbye(p.server, SMTP_REPLY_TIMEOUT, NULL, &out);
    smtp_server_next(p.server, STR_NONE, &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_CLOSE);
    buf_done(&out);
    player_done(&p);
}

static void a_verdict_of_somebody_else_is_said_if_it_is_sane(void **state)
{
    static const struct {
        struct smtp_reply reply;
        const char *said;
    } rows[] = {
        { { 550, STR_INIT("5.1.6"), STR_INIT("moved {id}\xff\r\n") }, "550 5.1.6 moved {id}?\r\n" },
        { { 450, STR_INIT("4.7.1"), STR_INIT("later") }, "450 4.7.1 later\r\n" },
        { { 250, STR_INIT("2.1.5"), STR_INIT("fine") }, "250 2.1.5 fine\r\n" },
        { { 550, STR_INIT("4.1.1"), STR_INIT("crossed") },
          "451 4.3.0 a failure of this system; try again later\r\n" },
        { { 354, STR_INIT(""), STR_INIT("no") }, "451 4.3.0 a failure of this system; try again later\r\n" },
        { { 100, STR_INIT(""), STR_INIT("no") }, "451 4.3.0 a failure of this system; try again later\r\n" },
        { { 600, STR_INIT(""), STR_INIT("no") }, "451 4.3.0 a failure of this system; try again later\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct player p = { 0 };
        player_init(&p);
        struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
        struct smtp_event ev;
        size_t used;
        player_play(&p, STR(HELLO MAIL));
        smtp_server_next(p.server, STR(RCPT), &used, &out, &ev);
        assert_int_equal(ev.kind, SMTP_EVENT_ASK_RCPT);
        smtp_server_answer_with(p.server, &rows[i].reply, NULL, &out);
        assert_str_is(buf_str(&out), str_from_c(rows[i].said));
        assert_int_equal(smtp_server_transaction(p.server)->recipients, rows[i].said[0] == '2');
        buf_done(&out);
        player_done(&p);
    }
}

static void refusals_of_the_machine_are_told_with_their_command(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    player_play(&p, STR(HELLO));
    smtp_server_next(p.server, STR("MAIL FROM:<a@b.example> FOO\r\nNOOP\r\n"), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_REFUSED);
    assert_int_equal(ev.verb, SMTP_VERB_MAIL);
    assert_int_equal(ev.reply, SMTP_REPLY_PARAMETER_UNKNOWN);
    assert_str_is(ev.argument, STR("FROM:<a@b.example> FOO"));
    assert_str_is(ev.slots.text, STR("FOO"));
    assert_null(ev.path);
    assert_false(ev.at_end_of_data);
    assert_str_is(buf_str(&out), STR("555 5.5.4 parameter FOO is not known here\r\n"));
    player_play(&p, STR(MAIL));
    smtp_server_next(p.server, STR("RCPT TO:<\xc3\xa4@example.org>\r\n"), &used, &out, &ev);
    assert_int_equal(ev.reply, SMTP_REPLY_RECIPIENT_UTF8);
    assert_str_is(ev.path->local, STR("\xc3\xa4"));
    buf_done(&out);
    player_done(&p);
}

static void lost_replies_close_the_session(void **state)
{
    struct player p = { 0 };
    struct buf out = BUF_INIT(8); /* too small for any reply */
    struct smtp_event ev;
    size_t used;

    (void)state;
    player_init(&p);
    smtp_server_next(p.server, STR("NOOP\r\nNOOP\r\n"), &used, &out, &ev);
    assert_int_equal(ev.kind, SMTP_EVENT_CLOSE);
    assert_int_equal(used, 6);
    buf_done(&out);
    player_done(&p);
}

/* C066 */
static void transactions_follow_the_session_as_it_was(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    player_play(&p, STR("HELO a.example\r\n" MAIL RCPT "DATA\r\n.\r\n"));
    assert_string_equal(p.protocol, "SMTP");
    player_play(&p, STR("EHLO a.example\r\n" MAIL RCPT "DATA\r\n.\r\n"));
    assert_string_equal(p.protocol, "ESMTP");
    player_play(&p, STR("MAIL FROM:<> SMTPUTF8\r\n" RCPT "DATA\r\n.\r\n"));
    assert_string_equal(p.protocol, "UTF8SMTP");
    player_done(&p);
}

/* C048 */
static void help_lists_all_verbs_served(void **state)
{
    struct player p = { 0 };

    (void)state;
    player_init(&p);
    expect(&p, STR("HELP\r\n"),
           STR("214-2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP\r\n"
               "214 2.0.0 HELP and one of these tells how it is written\r\n"));
    expect(&p, STR("HELP rcpt\r\n"), STR("214 2.0.0 RCPT TO:<address>\r\n"));
    player_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_is_answered_as_the_standard_says),
        cmocka_unit_test(greeting_begins_with_our_name),
        cmocka_unit_test(refused_client_hears_554_then_503_until_quit),
        cmocka_unit_test(ehlo_lists_what_works_and_helo_nothing),
        cmocka_unit_test(each_built_verb_beyond_the_minimum_is_listed),
        cmocka_unit_test(ehlo_check_is_a_choice),
        cmocka_unit_test(strict_paths_have_brackets_and_no_blank),
        cmocka_unit_test(vrfy_switched_off_says_252),
        cmocka_unit_test(vrfy_and_replies_name_the_address),
        cmocka_unit_test(long_lines_get_500_and_the_session_lives),
        cmocka_unit_test(the_sizes_of_the_standard_are_taken),
        cmocka_unit_test(recipients_above_the_limit_get_452_and_the_rest_stay),
        cmocka_unit_test(owner_may_refuse_at_each_question),
        cmocka_unit_test(content_above_the_maximum_gets_552_and_is_not_kept),
        cmocka_unit_test(lines_are_never_cut),
        cmocka_unit_test(refusal_names_the_line_and_the_cure),
        cmocka_unit_test(repaired_newlines_end_no_data_either),
        cmocka_unit_test(one_segment_of_commands_is_one_send),
        cmocka_unit_test(replies_in_hand_are_bounded),
        cmocka_unit_test(errors_are_counted_delayed_and_end_the_session),
        cmocka_unit_test(messages_above_the_limit_get_421),
        cmocka_unit_test(an_owner_that_says_421_closes),
        cmocka_unit_test(goodbye_is_said_at_any_time),
        cmocka_unit_test(goodbye_while_a_question_is_open),
        cmocka_unit_test(a_verdict_of_somebody_else_is_said_if_it_is_sane),
        cmocka_unit_test(refusals_of_the_machine_are_told_with_their_command),
        cmocka_unit_test(lost_replies_close_the_session),
        cmocka_unit_test(transactions_follow_the_session_as_it_was),
        cmocka_unit_test(help_lists_all_verbs_served),
    };

    return cmocka_run_group_tests_name("smtp/server", tests, NULL, NULL);
}
