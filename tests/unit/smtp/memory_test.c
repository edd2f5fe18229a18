/*
 * Memory fails at each place in turn, once or from there on: the machine answers with 4yz or closes, loses no
 * transaction half, and every reply that was said is whole.
 */
#include "tests/unit/unit.h"

#include "smtp/server.h"

void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);

/* Counts only while the machine runs. */
static struct {
    bool armed;
    bool for_good; /* all that follow fail too */
    unsigned count;
    unsigned fail_at;
} memory;

static bool fails_now(void)
{
    if (!memory.armed)
        return false;
    memory.count++;
    return memory.count == memory.fail_at || (memory.for_good && memory.count > memory.fail_at);
}

void *__wrap_malloc(size_t n)
{
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails_now() ? NULL : __real_realloc(p, n);
}

static const struct smtp_server_config config = {
    .hostname = STR_INIT("mail.example.org"),
    .max_message_size = 1000,
    .max_line_length = 1000,
    .max_recipients = 100,
    .max_messages = 10,
    .max_errors = 1000,
    .path_syntax = SMTP_PATH_STRICT,
    .ehlo_check = SMTP_EHLO_SYNTAX,
    .vrfy = true,
};

static const struct str dialogue = STR_INIT("EHLO client.example.net\r\nHELP\r\nVRFY ben@example.org\r\n"
                                            "MAIL FROM:<\"a b\"@example.net> SMTPUTF8\r\n"
                                            "RCPT TO:<@a.example:ben@b\xc3\xbc"
                                            "cher.example>\r\nRCPT TO:<no@example.org>\r\nDATA\r\n"
                                            "hello\r\n.\r\nQUIT\r\n");

static enum smtp_reply_name answer_to(const struct smtp_event *ev)
{
    switch (ev->kind) {
    case SMTP_EVENT_ASK_MAIL:
        return SMTP_REPLY_MAIL_OK;
    case SMTP_EVENT_ASK_RCPT:
        return str_eq(ev->path->local, STR("no")) ? SMTP_REPLY_NO_SUCH_MAILBOX : SMTP_REPLY_RCPT_OK;
    case SMTP_EVENT_ASK_VRFY:
        return SMTP_REPLY_VRFY_OK;
    case SMTP_EVENT_ASK_DATA:
        return SMTP_REPLY_DATA_GO;
    case SMTP_EVENT_ASK_COMMIT:
        return SMTP_REPLY_QUEUED;
    default:
        return SMTP_REPLY_NONE;
    }
}

/* Until there is nothing more to do; false when the machine closed without QUIT. */
static bool run(struct smtp_server *s, struct buf *out)
{
    struct str in = dialogue;
    struct smtp_event ev;

    do {
        size_t used;
        memory.armed = true;
        smtp_server_next(s, in, &used, out, &ev);
        enum smtp_reply_name name = answer_to(&ev);
        if (name != SMTP_REPLY_NONE)
            smtp_server_answer(s, name, NULL, out);
        memory.armed = false;
        in = str_skip(in, used);
    } while (ev.kind != SMTP_EVENT_MORE && ev.kind != SMTP_EVENT_CLOSE);
    return ev.kind == SMTP_EVENT_MORE || ev.reply == SMTP_REPLY_QUIT;
}

static unsigned count_replies(struct str replies)
{
    unsigned n = 0;

    while (replies.n) {
        size_t lf = str_find(replies, '\n');
        n += lf > 3 && replies.p[3] == ' ';
        replies = str_skip(replies, lf + 1);
    }
    return n;
}

/* True when memory did not fail at all. */
static bool play(unsigned fail_at, bool for_good)
{
    struct buf out = BUF_INIT(1 << 16);
    struct arena *session = arena_new(1 << 16);

    memory.count = 0;
    memory.fail_at = fail_at;
    memory.for_good = for_good;
    struct smtp_server *s = smtp_server_new(session, &config);
    assert_non_null(s);
    bool whole = run(s, &out);
    bool failed = memory.count >= fail_at;
    if (whole && !out.failed && failed)
        assert_true(count_replies(buf_str(&out)) >= 9);
    if (!failed)
        assert_true(whole && str_contains(buf_str(&out), STR("\r\n221 ")));
    smtp_server_done(s);
    arena_free(session);
    buf_done(&out);
    return !failed;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (int for_good = 0; for_good < 2; for_good++) {
        unsigned n = 1;
        while (!play(n, for_good))
            n++;
        assert_true(n > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("smtp/memory", tests, NULL, NULL);
}
