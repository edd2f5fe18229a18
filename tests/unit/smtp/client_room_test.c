/* A large group and little room in OUT: written piece by piece, while replies are read whether there is room
 * or not. */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "smtp/client.h"

enum { PLENTY = 1 << 20, MANY = 200 };

struct session {
    struct arena *arena;
    struct smtp_client *client;
    struct buf out;
    struct buf sent;
    struct smtp_client_tx tx;
    struct smtp_client_event ev;
};

/* Feeds IN, all of which must be used; OUT stays as it is. */
static void feed(struct session *s, struct str in)
{
    do {
        char *copy = exact_copy(in);
        size_t used;
        smtp_client_next(s->client, str_of(copy, in.n), &used, &s->out, &s->ev);
        free(copy);
        in = str_skip(in, used);
    } while (in.n && s->ev.kind == SMTP_CLIENT_READY);
    assert_int_equal(in.n, 0);
}

static void feed_times(struct session *s, size_t n, struct str in)
{
    while (n--)
        feed(s, in);
}

static void send(struct session *s)
{
    assert_false(s->out.failed);
    assert_true(buf_add(&s->sent, buf_str(&s->out)));
    buf_clear(&s->out);
    feed(s, STR_NONE);
}

/* A session that is READY, with a transaction for MANY of whom only the first are written. */
static void init(struct session *s)
{
    *s = (struct session){ .arena = arena_new(PLENTY),
                           .out = BUF_INIT(SMTP_CLIENT_OUT_MIN),
                           .sent = BUF_INIT(PLENTY) };
    s->client = smtp_client_new(s->arena, STR("client.example"), 0);
    assert_non_null(s->client);
    feed(s, STR("220 mx\r\n"));
    send(s);
    feed(s, STR("250-mx\r\n250 PIPELINING\r\n"));
    send(s);
    buf_clear(&s->sent);
    s->tx =
        (struct smtp_client_tx){ .arena = s->arena,
                                 .recipients = ARENA_NEW_ARRAY(s->arena, MANY, struct smtp_client_recipient),
                                 .n_recipients = MANY };
    for (size_t i = 0; i < MANY; i++)
        s->tx.recipients[i].address = arena_printf(s->arena, "recipient-number-%03zu@example.org", i);
    smtp_client_add(s->client, &s->tx);
    feed(s, STR_NONE);
}

static void done(struct session *s)
{
    smtp_client_done(s->client);
    arena_free(s->arena);
    buf_done(&s->out);
    buf_done(&s->sent);
}

static size_t lines(const struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        n += b->p[i] == '\n';
    return n;
}

static void all_are_written_in_the_end(void **state)
{
    struct session s;

    (void)state;
    init(&s);
    assert_true(lines(&s.out) > 10 && lines(&s.out) < MANY);
    while (s.out.n) {
        assert_true(str_ends(buf_str(&s.out), STR("\r\n")));
        send(&s);
    }
    assert_int_equal(lines(&s.sent), MANY + 2);
    assert_true(str_ends(buf_str(&s.sent), STR("RCPT TO:<recipient-number-199@example.org>\r\nDATA\r\n")));
    feed_times(&s, MANY + 1, STR("250 ok\r\n"));
    feed(&s, STR("354 go\r\n"));
    assert_int_equal(s.ev.kind, SMTP_CLIENT_CONTENT);
    done(&s);
}

/* RFC 2920 3.1: who could not write on would wait for a peer that could not write on either. */
static void replies_are_read_without_room(void **state)
{
    struct session s;

    (void)state;
    init(&s);
    size_t written = lines(&s.out);
    feed_times(&s, written, STR("250 ok\r\n"));
    assert_int_equal(lines(&s.out), written);
    assert_int_equal(s.tx.accepted, written - 1);
    assert_int_equal(smtp_client_stage(s.client), SMTP_STAGE_RCPT);
    while (s.out.n)
        send(&s);
    assert_int_equal(lines(&s.sent), MANY + 2);
    done(&s);
}

static void a_refused_sender_stops_the_rest(void **state)
{
    struct session s;

    (void)state;
    init(&s);
    size_t written = lines(&s.out);
    feed(&s, STR("550 5.7.1 not you\r\n"));
    while (s.out.n)
        send(&s);
    assert_int_equal(lines(&s.sent), written);
    feed_times(&s, written - 1, STR("503 no sender\r\n"));
    assert_int_equal(s.ev.kind, SMTP_CLIENT_DONE);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(s.tx.recipients[i].result.stage, SMTP_STAGE_MAIL);
        assert_str_is(s.tx.recipients[i].result.text, STR("not you"));
    }
    done(&s);
}

/* All that were written are answered, nobody knows of the others yet: their DATA may still be wanted. */
static void refused_recipients_do_not_stop_the_rest(void **state)
{
    struct session s;

    (void)state;
    init(&s);
    size_t written = lines(&s.out);
    feed(&s, STR("250 ok\r\n"));
    feed_times(&s, written - 1, STR("550 no\r\n"));
    assert_int_equal(s.ev.kind, SMTP_CLIENT_MORE);
    while (s.out.n)
        send(&s);
    feed_times(&s, MANY - written, STR("550 no\r\n"));
    assert_int_equal(s.ev.kind, SMTP_CLIENT_MORE);
    feed(&s, STR("250 ok\r\n"));
    feed(&s, STR("354 go\r\n"));
    assert_int_equal(s.ev.kind, SMTP_CLIENT_CONTENT);
    done(&s);
}

/* Content and the dot behind it go out octet by octet if they must. */
static void content_waits_for_room(void **state)
{
    struct session s;
    struct str content = STR("..\r\nend");
    size_t taken;

    (void)state;
    init(&s);
    while (s.out.n)
        send(&s);
    feed_times(&s, MANY + 1, STR("250\r\n"));
    feed(&s, STR("354\r\n"));
    buf_clear(&s.sent);
    while (content.n) {
        s.out.max = 1;
        smtp_client_content(s.client, content, &taken, &s.out);
        content = str_skip(content, taken);
        assert_true(buf_add(&s.sent, buf_str(&s.out)));
        buf_clear(&s.out);
    }
    smtp_client_content_end(s.client, &s.out);
    assert_int_equal(s.out.n, 0);
    assert_int_equal(smtp_client_stage(s.client), SMTP_STAGE_CONTENT);
    s.out.max = SMTP_CLIENT_OUT_MIN;
    feed(&s, STR_NONE);
    send(&s);
    assert_str_is(buf_str(&s.sent), STR("...\r\nend\r\n.\r\n"));
    assert_int_equal(smtp_client_stage(s.client), SMTP_STAGE_FINAL);
    done(&s);
}

/* RFC 5321 4.5.3.1.3 has 256; what is longer than any line of ours is not written at all. */
static void paths_have_a_longest(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct session s;
        init(&s);
        struct buf path = BUF_INIT(PLENTY);
        struct smtp_client_recipient recipient = { 0 };
        struct smtp_client_tx tx = { .arena = s.arena, .recipients = &recipient, .n_recipients = 1 };
        while (path.n < SMTP_CLIENT_PATH_MAX + more)
            assert_true(buf_add_char(&path, 'x'));
        recipient.address = buf_str(&path);
        smtp_client_add(s.client, &tx);
        assert_int_equal(recipient.result.kind, more ? SMTP_RESULT_PERM : SMTP_RESULT_NONE);
        if (more)
            assert_str_is(recipient.result.status, STR("5.1.3"));
        buf_done(&path);
        done(&s);
    }
}

/* The longest command there can be fits into the least room there may be. */
static void the_longest_command_fits(void **state)
{
    struct session s = { .arena = arena_new(PLENTY),
                         .out = BUF_INIT(SMTP_CLIENT_OUT_MIN),
                         .sent = BUF_INIT(PLENTY) };
    struct buf path = BUF_INIT(PLENTY);
    struct smtp_client_recipient recipient = { 0 };
    struct smtp_client_tx tx = { .arena = s.arena,
                                 .recipients = &recipient,
                                 .n_recipients = 1,
                                 .size = UINT64_MAX,
                                 .eight_bit = true,
                                 .utf8 = true };

    (void)state;
    while (path.n < SMTP_CLIENT_PATH_MAX)
        assert_true(buf_add_char(&path, 'x'));
    tx.sender = recipient.address = buf_str(&path);
    s.client = smtp_client_new(s.arena, STR("client.example"), 0);
    assert_non_null(s.client);
    smtp_client_add(s.client, &tx);
    feed(&s, STR("220 mx\r\n"));
    send(&s);
    feed(&s, STR("250-mx\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"));
    assert_true(str_starts(buf_str(&s.out), STR("MAIL FROM:<xxx")));
    assert_true(str_ends(buf_str(&s.out), STR("x> SIZE=18446744073709551615 BODY=8BITMIME SMTPUTF8\r\n")));
    buf_done(&path);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_written_in_the_end),
        cmocka_unit_test(replies_are_read_without_room),
        cmocka_unit_test(a_refused_sender_stops_the_rest),
        cmocka_unit_test(refused_recipients_do_not_stop_the_rest),
        cmocka_unit_test(content_waits_for_room),
        cmocka_unit_test(paths_have_a_longest),
        cmocka_unit_test(the_longest_command_fits),
    };

    return cmocka_run_group_tests_name("smtp/client-room", tests, NULL, NULL);
}
