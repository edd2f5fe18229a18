/*
 * More recipients than the envelope of one commit holds: the client hears it where it can send the rest later (RFC 5321
 * 4.5.3.1.8, 4.5.3.1.10), and not at the end of its data.
 */
#include "tests/unit/receive/play.h"

#include "core/num.h"
#include "message/envelope.h"

enum {
    COMMIT = 3 << 20,  /* all that one commit may have: envelope, content in memory, our Received */
    REST = 64 << 10,   /* of it, for what is no recipient and no content */
    MEMORY = RECEIVE_MEMORY_CONTENT,
    AT_ONCE = 10,      /* commands of one write */
};

#define LABEL "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
/* 64 octets of local part with four digits before, 189 of domain: with its brackets as long as a path may be. */
#define LOCAL "%04zu.abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvw"
#define DOMAIN LABEL "." LABEL "." "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstu.org"

static size_t longest(void)
{
    char local[65], original[300];

    snprintf(local, sizeof(local), LOCAL, (size_t)0);
    int n = snprintf(original, sizeof(original), "%s@%s", local, DOMAIN);
    assert_int_equal(n + 2, SMTP_PATH_MAX);
    return envelope_recipient_octets(&(struct envelope_recipient){
        .number = 1, .local = str_from_c(local), .domain = STR(DOMAIN), .original = str_of(original, (size_t)n) });
}

/* Commands of the first N; each is taken. */
static void adds(struct client *c, size_t n)
{
    struct buf words = BUF_INIT(AT_ONCE * 512 + 1);

    for (size_t i = 0; i < n;) {
        size_t first = i;
        buf_clear(&words);
        for (; i < n && i < first + AT_ONCE; i++)
            assert_true(buf_printf(&words, "RCPT TO:<" LOCAL "@" DOMAIN ">\r\n", i));
        assert_true(buf_add_char(&words, '\0'));
        say(c, words.p);
        while (c->session->question != QUESTION_NONE || c->session->in.n)
            go_on();
        client_reads(c);
        assert_int_equal(c->session->tx->n_recipients, i);
        play.n_asked = 0;
    }
    buf_done(&words);
}

static struct client *in_mail(void)
{
    play_open_with("hostname mail.example.org; listen 127.0.0.1:25; max-recipients 100000;"
                   "domain example.org { users any; deliver maildir:/nowhere/{user}; }");
    struct client *c = client_comes();

    hear(c, "220");
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    return c;
}

/* Content of N octets. */
static void says_content(struct client *c, size_t n)
{
    struct buf content = BUF_INIT(1 << 20);
    static const char head[] = "Subject: x\r\n\r\n";

    buf_add_c(&content, head);
    while (n - content.n > 80)
        buf_printf(&content, "%078d\r\n", 0);
    buf_printf(&content, "%0*d\r\n", (int)(n - content.n) - 2, 0);
    assert_int_equal(content.n, n);
    buf_add_c(&content, ".\r\n");
    buf_add_char(&content, '\0');
    say(c, "DATA\r\n");
    hear(c, "354");
    say(c, content.p);
    buf_done(&content);
}

static void one_that_would_not_fit_is_452_at_RCPT_C042_C152(void **state)
{
    size_t n = (COMMIT - REST - MEMORY) / longest();
    char line[512], words[64];

    (void)state;
    struct client *c = in_mail();
    adds(c, n);
    snprintf(line, sizeof(line), "RCPT TO:<" LOCAL "@" DOMAIN ">\r\n", n);
    snprintf(words, sizeof(words), "452 4.5.3 %zu recipients at once; send the rest", n);
    for (unsigned i = 0; i < 3; i++) {
        say(c, line);
        hear(c, words);
    }
    /* Nobody was asked about those, and a shorter one fits. */
    assert_int_equal(asked_of(IPC_RCPT_ASK), 0);
    say(c, "RCPT TO:<b@example.org>\r\n");
    hear(c, "250");
    /* All of them fit into the commit, with as much content as stays in memory. */
    says_content(c, MEMORY);
    struct asked *a = asked(IPC_COMMIT_ASK);
    assert_int_equal(a->file, 0);
    assert_int_equal(a->size, MEMORY);
    assert_true(a->envelope_n > n * longest());
    assert_true(a->envelope_n + MEMORY + strlen(a->text) <= COMMIT);
    assert_true(ipc_send_commit_answer(play.queue, &(struct ipc_commit_answer){ .ticket = a->ticket }));
    hear(c, "250 2.0.0");
    /* The rest, in another transaction. */
    say(c, "MAIL FROM:<a@example.net>\r\n");
    hear(c, "250");
    say(c, line);
    hear(c, "250");
    play_close();
}

static void a_hundred_of_the_longest_always_fit_C041(void **state)
{
    (void)state;
    assert_true(100 * longest() < COMMIT - REST - MEMORY);
}

/* ---- what aliases make of them ---- */

static void counted(struct buf *out, struct str s)
{
    char n[2];

    le16_put(n, (uint16_t)s.n);
    buf_add(out, str_of(n, 2));
    buf_add(out, s);
}

/* One recipient becomes N. */
static void expands(struct client *c, size_t n, size_t content)
{
    struct buf results = BUF_INIT(IPC_FRAME_MAX);

    play.expands = true;
    say(c, "RSET\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<all@example.org>\r\n");
    says_content(c, content);
    for (size_t i = 0; i < n; i++) {
        char local[65];
        snprintf(local, sizeof(local), LOCAL, i % 10000);
        buf_add(&results, str_of("\0\0\1\0", 4));
        counted(&results, str_from_c(local));
        counted(&results, STR(DOMAIN));
        counted(&results, STR_NONE);
        counted(&results, STR_NONE);
    }
    assert_true(ipc_send_expand_answer(play.lookup, &(struct ipc_expand_answer){
                                                        .ticket = asked(IPC_EXPAND_ASK)->ticket,
                                                        .count = (uint32_t)n,
                                                        .results = buf_str(&results),
                                                    }));
    buf_done(&results);
    c->n = 0;
    while (c->session->question == QUESTION_EXPAND)
        go_on();
}

static size_t expanded(void)
{
    char local[65];

    snprintf(local, sizeof(local), LOCAL, (size_t)0);
    return envelope_recipient_octets(&(struct envelope_recipient){
        .number = 1, .local = str_from_c(local), .domain = STR(DOMAIN), .original = STR("all@example.org") });
}

static void what_aliases_make_too_many_is_452_at_once(void **state)
{
    static const size_t contents[] = { 100, MEMORY };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        size_t n = (COMMIT - REST - contents[i]) / expanded();
        char words[80];
        struct client *c = in_mail();
        expands(c, n + 1, contents[i]);
        snprintf(words, sizeof(words), "452 4.5.3 its recipients became %zu, more than one message", n + 1);
        hear(c, words);
        assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
        assert_null(c->session->tx);
        play.n_asked = 0;
        expands(c, n, contents[i]);
        /* It went to the queue: a frame of this size is one that can be sent. */
        while (!asked_of(IPC_COMMIT_ASK))
            go_on();
        assert_true(asked(IPC_COMMIT_ASK)->envelope_n > n * expanded());
        play_close();
    }
}

static void more_than_any_envelope_has_is_452_at_once(void **state)
{
    struct buf results = BUF_INIT(IPC_FRAME_MAX);

    (void)state;
    struct client *c = in_mail();
    play.expands = true;
    say(c, "RCPT TO:<all@example.org>\r\n");
    says_content(c, 100);
    for (size_t i = 0; i <= ENVELOPE_RECIPIENTS_MAX; i++) {
        buf_add(&results, str_of("\0\0\1\0", 4));
        counted(&results, STR("a"));
        counted(&results, STR("b"));
        counted(&results, STR_NONE);
        counted(&results, STR_NONE);
    }
    assert_true(ipc_send_expand_answer(play.lookup, &(struct ipc_expand_answer){
                                                        .ticket = asked(IPC_EXPAND_ASK)->ticket,
                                                        .count = ENVELOPE_RECIPIENTS_MAX + 1,
                                                        .results = buf_str(&results),
                                                    }));
    buf_done(&results);
    c->n = 0;
    while (c->session->question == QUESTION_EXPAND)
        go_on();
    hear(c, "452 4.5.3 its recipients became 100001");
    play_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_would_not_fit_is_452_at_RCPT_C042_C152),
        cmocka_unit_test(a_hundred_of_the_longest_always_fit_C041),
        cmocka_unit_test(what_aliases_make_too_many_is_452_at_once),
        cmocka_unit_test(more_than_any_envelope_has_is_452_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
