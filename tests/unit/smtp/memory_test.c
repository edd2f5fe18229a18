/*
 * Memory fails at each place in turn, once or from there on: the machine answers with 4yz or closes, loses no
 * transaction half, and every reply that was said is whole. And of a password nothing is left in memory that it gives back.
 */
#include "tests/unit/unit.h"

#include <malloc.h>

#include "smtp/server.h"

void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_realloc(void *p, size_t n);
void __real_free(void *p);
void __wrap_free(void *p);

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

static const struct str password = STR_INIT("swordfish");

/* Looked for in whatever the machine gives back. */
static bool leaked;

static void look_at(const void *p)
{
    if (p && memory.armed && memmem(p, malloc_usable_size((void *)(uintptr_t)p), password.p, password.n))
        leaked = true;
}

void __wrap_free(void *p)
{
    look_at(p);
    __real_free(p);
}

void *__wrap_malloc(size_t n)
{
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails_now())
        return NULL;
    look_at(p);
    return __real_realloc(p, n);
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
    .future_release_sec = 60,
    .takes_auth_param = true,
};

/* In TLS already: wrong, then right, in three ways; 0anna0swordfish. */
static const struct str login = STR_INIT("EHLO client.example.net\r\nAUTH PLAIN AGFubmEAc3dvcmRmaXNocw==\r\n"
                                         "AUTH PLAIN\r\nAGFubmEAc3dvcmRmaXNo\r\n"
                                         "MAIL FROM:<a@b.example> AUTH=a+3Db@c.example HOLDFOR=5\r\n"
                                         "RCPT TO:<ben@example.org>\r\nDATA\r\nhello\r\n.\r\nHELP\r\nQUIT\r\n");

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

static void answer_auth(struct smtp_server *s, const struct smtp_event *ev, struct buf *out)
{
    if (ev->kind == SMTP_EVENT_ASK_AUTH && !ev->has_initial)
        smtp_server_challenge(s, STR_NONE, out);
    else if (str_ends(ev->response, password))
        smtp_server_authenticated(s, out);
    else
        smtp_server_answer(s, SMTP_REPLY_AUTH_FAILED, NULL, out);
}

/* Until there is nothing more to do; false when the machine closed without QUIT. */
static bool run(struct smtp_server *s, struct str in, struct buf *out)
{
    struct smtp_event ev;

    do {
        size_t used;
        memory.armed = true;
        smtp_server_next(s, in, &used, out, &ev);
        enum smtp_reply_name name = answer_to(&ev);
        if (name != SMTP_REPLY_NONE)
            smtp_server_answer(s, name, NULL, out);
        if (ev.kind == SMTP_EVENT_ASK_AUTH || ev.kind == SMTP_EVENT_ASK_AUTH_STEP)
            answer_auth(s, &ev, out);
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
static bool play(struct str in, unsigned replies, unsigned fail_at, bool for_good)
{
    static const struct smtp_server_tls tls = { .on = true };
    struct buf out = BUF_INIT(1 << 16);
    struct arena *session = arena_new(1 << 16);

    memory.count = 0;
    memory.fail_at = fail_at;
    memory.for_good = for_good;
    struct smtp_server *s = smtp_server_new(session, &config);
    assert_non_null(s);
    smtp_server_tls_started(s, &tls);
    smtp_server_offer_auth(s, STR("PLAIN"));
    smtp_server_tell_time(s, 1795340467301);
    bool whole = run(s, in, &out);
    bool failed = memory.count >= fail_at;
    if (whole && !out.failed && failed)
        assert_true(count_replies(buf_str(&out)) >= replies);
    if (!failed)
        assert_true(whole && str_contains(buf_str(&out), STR("\r\n221 ")));
    memory.armed = true;
    smtp_server_done(s);
    memory.armed = false;
    arena_free(session);
    buf_done(&out);
    return !failed;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (int for_good = 0; for_good < 2; for_good++) {
        unsigned n = 1;
        while (!play(dialogue, 9, n, for_good))
            n++;
        assert_true(n > 8);
        for (n = 1; !play(login, 9, n, for_good);)
            n++;
        assert_true(n > 8);
    }
}

static void no_password_is_left_behind(void **state)
{
    struct buf out = BUF_INIT(1 << 16);
    struct arena *session = arena_new(1 << 16);

    (void)state;
    leaked = false;
    each_allocation_may_fail(NULL);
    assert_false(leaked);
    /* In the middle of a question. */
    struct smtp_server *s = smtp_server_new(session, &config);
    struct smtp_event ev;
    size_t used;
    memory.for_good = false;
    memory.fail_at = 0;
    smtp_server_tls_started(s, &(struct smtp_server_tls){ .on = true });
    smtp_server_offer_auth(s, STR("PLAIN"));
    struct str in = login;
    do {
        memory.armed = true;
        smtp_server_next(s, in, &used, &out, &ev);
        memory.armed = false;
        in = str_skip(in, used);
    } while (ev.kind != SMTP_EVENT_ASK_AUTH && ev.kind != SMTP_EVENT_MORE);
    assert_true(str_contains(ev.response, password));
    memory.armed = true;
    smtp_server_done(s);
    memory.armed = false;
    assert_false(leaked);
    /* The eye of this test is open. */
    buf_clear(&out);
    buf_add(&out, password);
    memory.armed = true;
    buf_done(&out);
    memory.armed = false;
    assert_true(leaked);
    arena_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(no_password_is_left_behind),
    };

    return cmocka_run_group_tests_name("smtp/memory", tests, NULL, NULL);
}
