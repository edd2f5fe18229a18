/* explain --message: what a file says about itself under a configuration. */
#include "tests/unit/config/memory.h"

#include "cmd/explain_message.h"

#define TOP                                                                                                 \
    "hostname mail.example.org; listen 25; spool /spool; max-message-size 5000; max-header-size 1024; max-line-length 1000;" \
    "max-received 2;"
#define MAIL "From: <a@example.net>\r\nSubject: x\r\n\r\n"

/* "name value: text; ..." of all decisions. */
static void assert_says(const char *config, struct str octets, bool good, uint64_t size, const char *want)
{
    struct parsed p;
    json_t *decisions = json_array(), *row;
    struct buf got = BUF_INIT(10000);
    char *copy = exact_copy(octets);
    uint64_t n;
    size_t i;

    parse_text(&p, str_from_c(config));
    if (!p.c)
        fail_msg("%.*s", STR_ARG(buf_str(&p.out)));
    assert_int_equal(explain_message(p.c, str_of(copy, octets.n), STR("ben@example.org"), decisions, &n), good);
    json_array_foreach(decisions, i, row)
        buf_printf(&got, "%s%s %s: %s", i ? "; " : "", json_string_value(json_object_get(row, "name")),
                   json_string_value(json_object_get(row, "value")), json_string_value(json_object_get(row, "text")));
    assert_str_is(buf_str(&got), str_from_c(want));
    assert_true(n == size);
    free(copy);
    buf_done(&got);
    json_decref(decisions);
    parsed_done(&p);
}

static void a_good_message_has_all_its_figures(void **state)
{
    static const char figures[] = "longest 21 octets: at most 1,000 are taken; header 37 octets: at most 1,024 are taken; "
                                  "received 0 fields: at most 2 are taken";
    char want[400];

    (void)state;
    snprintf(want, sizeof(want), "size 44 octets: at most 5,000 are taken; lines CRLF: as SMTP wants; %s", figures);
    assert_says(TOP, STR(MAIL "hallo\r\n"), true, 44, want);
}

/* Dots that begin lines are the message's own, not SMTP's (RFC 5321 4.5.2), and do not end it. */
static void dots_are_counted_as_they_stand(void **state)
{
    (void)state;
    assert_says(TOP, STR(MAIL ".\r\n..\r\n"), true, 44,
                "size 44 octets: at most 5,000 are taken; lines CRLF: as SMTP wants; longest 21 octets: at most 1,000 are taken; "
                "header 37 octets: at most 1,024 are taken; received 0 fields: at most 2 are taken");
}

static void a_file_with_line_feeds_alone_is_a_file(void **state)
{
    (void)state;
    assert_says(TOP, STR("From: <a@example.net>\nSubject: x\n\n.hallo"), true, 45,
                "size 45 octets: at most 5,000 are taken; lines LF: as in a file; a client has to send CRLF; "
                "longest 21 octets: at most 1,000 are taken; header 37 octets: at most 1,024 are taken; "
                "received 0 fields: at most 2 are taken");
}

static void what_a_session_would_refuse_is_named(void **state)
{
    (void)state;
    assert_says(TOP, STR(MAIL "bare\nline\r\n"), false, 0,
                "lines refused: line 4 ends in a bare LF; SMTP lines end in CRLF");
    assert_says(TOP, STR(MAIL "bare\rline\r\n"), false, 0,
                "lines refused: line 4 holds a bare CR; SMTP lines end in CRLF");
    assert_says(TOP, STR(MAIL "a\0b\r\n"), false, 0, "lines refused: line 4 holds a NUL octet");
    assert_says(TOP " bare-newlines repair;", STR(MAIL "bare\nline\r\n"), true, 49,
                "size 49 octets: at most 5,000 are taken; lines repaired: 1 bare CR or LF would be repaired; "
                "longest 21 octets: at most 1,000 are taken; header 37 octets: at most 1,024 are taken; "
                "received 0 fields: at most 2 are taken");
}

static struct str repeated(struct buf *out, const char *head, const char *line, size_t times)
{
    buf_clear(out);
    buf_add_c(out, head);
    for (size_t i = 0; i < times; i++)
        buf_add_c(out, line);
    return buf_str(out);
}

static void what_is_too_large_is_named(void **state)
{
    struct buf text = BUF_INIT(10000);

    (void)state;
    assert_says(TOP, repeated(&text, MAIL, "0123456789\r\n", 500), false, 0,
                "size refused: it has more than 5,000 octets");
    repeated(&text, MAIL, "x", 1001);
    assert_says(TOP, buf_str(&text), false, 0, "lines refused: line 4 is too long");
    repeated(&text, "", "X: 0123456789\r\n", 100);
    buf_add_c(&text, "\r\n");
    assert_says(TOP, buf_str(&text), false, 1502,
                "size 1,502 octets: at most 5,000 are taken; lines CRLF: as SMTP wants; longest 13 octets: "
                "at most 1,000 are taken; "
                "header 1,502 octets: refused: more than 1,024; received 0 fields: at most 2 are taken");
    buf_done(&text);
}

/* C071 */
static void loops_are_seen(void **state)
{
    (void)state;
    assert_says(TOP, STR("Received: a\r\nReceived: b\r\nReceived: c\r\nDelivered-To: ben@example.org\r\n\r\n"), false, 72,
                "size 72 octets: at most 5,000 are taken; lines CRLF: as SMTP wants; longest 29 octets: at most 1,000 are taken; "
                "header 72 octets: at most 1,024 are taken; received 3 fields: refused: more than 2; "
                "loop refused: a Delivered-To field has this address: it was delivered there before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_message_has_all_its_figures),
        cmocka_unit_test(dots_are_counted_as_they_stand),
        cmocka_unit_test(a_file_with_line_feeds_alone_is_a_file),
        cmocka_unit_test(what_a_session_would_refuse_is_named),
        cmocka_unit_test(what_is_too_large_is_named),
        cmocka_unit_test(loops_are_seen),
    };

    return cmocka_run_group_tests_name("cmd/explain-message", tests, NULL, NULL);
}
