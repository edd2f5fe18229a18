/*
 * Memory fails at each place in turn, once or from there on, in the machine, in OUT and in the arenas of
 * results: every transaction comes back once with a result for each recipient, no command is half written,
 * and what was delivered is known.
 */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "smtp/client.h"

enum { PLENTY = 1 << 16 };

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

static const struct str replies =
    STR_INIT("220 mx\r\n250-mx\r\n250 PIPELINING\r\n"
             "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 who\r\n354 go\r\n250 2.0.0 queued\r\n"
             "250 ok\r\n250 ok\r\n452 4.2.2 full\r\n354 go\r\n554 5.7.1 no\r\n221 bye\r\n");

struct owner {
    struct arena *session;
    struct smtp_client *client;
    struct buf out;
    struct buf sent;
    struct smtp_client_tx txs[2];
    struct smtp_client_recipient recipients[2][2];
    unsigned done;
    bool failed; /* FAILURE at CLOSE */
};

static void init(struct owner *o)
{
    *o = (struct owner){ .session = arena_new(PLENTY), .out = BUF_INIT(PLENTY), .sent = BUF_INIT(PLENTY) };
    o->client = smtp_client_new(o->session, STR("client.example"), 0);
    assert_non_null(o->client);
    for (size_t i = 0; i < 2; i++) {
        o->recipients[i][0].address = STR("a@b.example");
        o->recipients[i][1].address = STR("c@d.example");
        o->txs[i] = (struct smtp_client_tx){ .arena = arena_new(PLENTY),
                                             .recipients = o->recipients[i],
                                             .n_recipients = 2 };
    }
}

static void done(struct owner *o)
{
    smtp_client_done(o->client);
    arena_free(o->session);
    arena_free(o->txs[0].arena);
    arena_free(o->txs[1].arena);
    buf_done(&o->out);
    buf_done(&o->sent);
}

static void give(struct owner *o)
{
    struct str content = STR("hello\r\n.\r\n");
    size_t taken;

    smtp_client_content(o->client, content, &taken, &o->out);
    assert_int_equal(taken, content.n);
    smtp_client_content_end(o->client, &o->out);
}

/* OUT goes out, and its memory back, so that each group asks for memory again. */
static void send(struct owner *o)
{
    memory.armed = false;
    assert_true(buf_add(&o->sent, buf_str(&o->out)));
    buf_done(&o->out);
    o->out.failed = false;
    memory.armed = true;
}

static void run(struct owner *o)
{
    struct str in = replies;
    struct smtp_client_event ev;

    smtp_client_add(o->client, &o->txs[0]);
    smtp_client_add(o->client, &o->txs[1]);
    smtp_client_quit(o->client, &o->out);
    do {
        size_t used;
        smtp_client_next(o->client, in, &used, &o->out, &ev);
        in = str_skip(in, used);
        if (ev.kind == SMTP_CLIENT_CONTENT)
            give(o);
        o->done += ev.kind == SMTP_CLIENT_DONE;
        send(o);
        assert_true(ev.kind != SMTP_CLIENT_MORE);
    } while (ev.kind != SMTP_CLIENT_CLOSE);
    o->failed = ev.failure.kind != SMTP_RESULT_NONE;
}

static void check_result(const struct smtp_client_result *r, bool whole, enum smtp_client_result_kind kind)
{
    assert_true(r->kind == kind || (!whole && (r->kind == SMTP_RESULT_TEMP || r->kind == SMTP_RESULT_AGAIN)));
    assert_true(r->status.n == 5);
}

/* True when memory did not fail at all. */
static bool play(unsigned fail_at, bool for_good)
{
    struct owner o;

    init(&o);
    memory.count = 0;
    memory.fail_at = fail_at;
    memory.for_good = for_good;
    memory.armed = true;
    run(&o);
    memory.armed = false;
    bool failed = memory.count >= fail_at;
    assert_int_equal(o.done, 2);
    assert_true(failed || !o.failed);
    check_result(&o.recipients[0][0].result, !o.failed, SMTP_RESULT_OK);
    check_result(&o.recipients[0][1].result, !o.failed, SMTP_RESULT_PERM);
    check_result(&o.recipients[1][0].result, !o.failed, SMTP_RESULT_PERM);
    check_result(&o.recipients[1][1].result, !o.failed, SMTP_RESULT_TEMP);
    assert_true(!o.sent.n || str_ends(buf_str(&o.sent), STR("\r\n")));
    if (!failed) {
        assert_str_is(o.recipients[0][1].result.text, STR("who"));
        assert_true(str_ends(buf_str(&o.sent), STR("\r\n..\r\n.\r\nQUIT\r\n")));
    }
    done(&o);
    return !failed;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (int for_good = 0; for_good < 2; for_good++) {
        unsigned n = 1;
        while (!play(n, for_good))
            n++;
        assert_true(n > 4);
    }
}

/* The owner's arena may be too small for the words of a peer: results are there, the words are not. */
static void results_without_room_for_words(void **state)
{
    struct owner o;

    (void)state;
    init(&o);
    memory.fail_at = 0;
    memory.for_good = false;
    arena_free(o.txs[0].arena);
    o.txs[0].arena = arena_new(0);
    run(&o);
    memory.armed = false;
    assert_false(o.failed);
    assert_int_equal(o.recipients[0][0].result.kind, SMTP_RESULT_OK);
    assert_str_is(o.recipients[0][0].result.status, STR("2.0.0"));
    assert_int_equal(o.recipients[0][1].result.kind, SMTP_RESULT_PERM);
    assert_int_equal(o.recipients[0][1].result.code, 550);
    assert_str_is(o.recipients[0][1].result.status, STR("5.0.0"));
    assert_int_equal(o.recipients[0][1].result.text.n, 0);
    done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(results_without_room_for_words),
    };

    return cmocka_run_group_tests_name("smtp/client-memory", tests, NULL, NULL);
}
