/* Dialogues as they go on: only those that were asked for, never a password, never content. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/buf.h"
#include "log/live.h"
#include "log/log.h"

struct taker {
    struct log_sink sink;
    struct buf lines; /* "TICKET by text" each */
};

static void take(struct log_sink *sink, struct str record)
{
    struct taker *t = CONTAINER_OF(sink, struct taker, sink);
    struct log_value ticket, by, text;

    assert_true(log_view_find(record, LOG_NUMBER, &ticket));
    assert_true(log_view_find(record, LOG_BY, &by));
    assert_true(log_view_find(record, LOG_TEXT, &text));
    buf_printf(&t->lines, "%d %.*s %.*s\n", (int)ticket.number, STR_ARG(by.octets), STR_ARG(text.octets));
}

static const struct live_who one = { .session = STR_INIT("7QK2M0X4TB"), .address = STR_INIT("203.0.113.7") };
static const struct live_who other = { .session = STR_INIT("7QK2M0X4TC"), .address = STR_INIT("203.0.113.8") };
static const struct live_who host = { .host = STR_INIT("mx.example.net"), .address = STR_INIT("203.0.113.7") };

static int setup(void **state)
{
    struct taker *t = calloc(1, sizeof(*t));

    /* No target wants debug records: these come all the same. */
    t->sink = (struct log_sink){ .write = take, .level = LOG_LEVEL_ERROR };
    t->lines = BUF_INIT(1 << 20);
    log_sink_set(&t->sink);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct taker *t = *state;

    log_sink_set(NULL);
    buf_done(&t->lines);
    free(t);
    return 0;
}

static void expect(struct taker *t, const char *lines)
{
    assert_str_is(buf_str(&t->lines), str_from_c(lines));
    buf_clear(&t->lines);
}

static void a_session_a_client_or_a_host(void **state)
{
    struct taker *t = *state;
    struct live l = { 0 };
    struct live_dialogue d = { 0 };

    assert_true(live_add(&l, 1, one.session, STR_NONE, STR_NONE));
    assert_true(live_add(&l, 2, STR_NONE, one.address, STR_NONE));
    assert_int_equal(l.n, 2);
    live_lines(&l, &d, &one, true, STR("EHLO a.test\r\n"));
    expect(t, "1 client EHLO a.test\n2 client EHLO a.test\n");
    live_lines(&l, &d, &other, true, STR("EHLO b.test\r\n"));
    expect(t, "");
    live_lines(&l, &d, &host, false, STR("250-x\r\n250 y\r\n"));
    expect(t, "2 server 250-x\n2 server 250 y\n");
    live_remove(&l, 1);
    live_lines(&l, &d, &one, true, STR("NOOP\r\n"));
    expect(t, "2 client NOOP\n");
    live_clear(&l);
    assert_int_equal(l.n, 0);
    live_lines(&l, &d, &one, true, STR("NOOP\r\n"));
    expect(t, "");
}

static void an_address_from_the_line_on_that_names_it(void **state)
{
    struct taker *t = *state;
    struct live l = { 0 };
    struct live_dialogue d = { 0 };

    assert_true(live_add(&l, 7, STR_NONE, STR_NONE, STR("ada@example.test")));
    live_lines(&l, &d, &one, true, STR("MAIL FROM:<x@y.test>\r\n"));
    live_lines(&l, &d, &one, true, STR("RCPT TO:<Ada@EXAMPLE.test>\r\n"));
    live_lines(&l, &d, &one, false, STR("250 2.1.5 Ok\r\n"));
    expect(t, "7 client RCPT TO:<Ada@EXAMPLE.test>\n7 server 250 2.1.5 Ok\n");
    /* Somebody else in the same place has another address. */
    live_remove(&l, 7);
    assert_true(live_add(&l, 8, STR_NONE, STR_NONE, STR("bob@example.test")));
    live_lines(&l, &d, &one, true, STR("NOOP\r\n"));
    expect(t, "");
}

static void no_password_and_no_content(void **state)
{
    struct taker *t = *state;
    struct live l = { 0 };
    struct live_dialogue d = { 0 };

    assert_true(live_add(&l, 1, one.session, STR_NONE, STR_NONE));
    live_lines(&l, &d, &one, true, STR("auth PLAIN AGFkYQBzZWNyZXQ=\r\nAUTH LOGIN\r\n"));
    live_lines(&l, &d, &one, false, STR("334 VXNlcm5hbWU6\r\n"));
    live_lines(&l, &d, &one, true, STR("QUIT of a password\r\n"));
    live_lines(&l, &d, &one, false, STR("334 UGFzc3dvcmQ6\r\n"));
    live_lines(&l, &d, &one, true, STR("c2VjcmV0\r\n"));
    live_lines(&l, &d, &one, false, STR("235 2.7.0 Ok\r\n"));
    live_lines(&l, &d, &one, true, STR("dear secret\r\nNOOP\r\n"));
    d.content = 4220;
    live_content(&l, &d, &one);
    assert_int_equal(d.content, 0);
    expect(t, "1 client auth PLAIN \xe2\x80\xa6\n1 client AUTH LOGIN\n1 server 334 VXNlcm5hbWU6\n1 client (hidden)\n"
              "1 server 334 UGFzc3dvcmQ6\n1 client (hidden)\n1 server 235 2.7.0 Ok\n"
              "1 client \xe2\x80\xa6 11 octets that are no command\n1 client NOOP\n"
              "1 client \xe2\x80\xa6 4220 octets of content\n");
}

static void there_are_four_places(void **state)
{
    struct live l = { 0 };

    (void)state;
    for (uint64_t i = 1; i <= LIVE_WATCHES_MAX; i++)
        assert_true(live_add(&l, i, one.session, STR_NONE, STR_NONE));
    assert_false(live_add(&l, 99, one.session, STR_NONE, STR_NONE));
    live_remove(&l, 99);
    assert_int_equal(l.n, LIVE_WATCHES_MAX);
    live_remove(&l, 2);
    assert_true(live_add(&l, 99, one.session, STR_NONE, STR_NONE));
}

/* Line ends, and what has none, on an exact heap copy. */
static void any_octets_are_lines(void **state)
{
    static const struct str says[] = { STR_INIT("\n"), STR_INIT("\r\n"), STR_INIT("\r"), STR_INIT("AUTH"), STR_INIT("AUTH "),
                                       STR_INIT("a\0b\r\n"), STR_INIT("334") };
    struct taker *t = *state;
    struct live l = { 0 };

    assert_true(live_add(&l, 1, STR_NONE, STR_NONE, STR("x@y")));
    assert_true(live_add(&l, 2, one.session, STR_NONE, STR_NONE));
    for (size_t i = 0; i < ARRAY_LEN(says); i++) {
        struct live_dialogue d = { 0 };
        char *copy = exact_copy(says[i]);
        live_lines(&l, &d, &one, i % 2, str_of(copy, says[i].n));
        live_lines(&l, &d, &one, !(i % 2), str_of(copy, says[i].n));
        free(copy);
    }
    buf_clear(&t->lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_a_client_or_a_host, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_from_the_line_on_that_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(no_password_and_no_content, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_four_places, setup, teardown),
        cmocka_unit_test_setup_teardown(any_octets_are_lines, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
