/* Cutting commands: whole, octet by octet and in threes the result is the same. */
#include "tests/unit/unit.h"

#include "core/buf.h"
#include "smtp/command.h"

/* What a scanner makes of INPUT fed in pieces: "VERB(argument);", "LONG;", "BAD;", "FLOOD;". */
static void scan_all(struct str input, size_t piece, struct buf *seen)
{
    struct smtp_scanner sc = { 0 };
    struct buf held = BUF_INIT(1 << 20);
    struct smtp_command cmd;
    size_t used;

    do {
        struct str part = str_head(input, piece);
        input = str_skip(input, part.n);
        buf_add(&held, part);
        enum smtp_scan scan;
        do {
            char *copy = exact_copy(buf_str(&held));
            scan = smtp_scan_command(&sc, str_of(copy, held.n), &cmd, &used);
            assert_true(used <= held.n);
            if (scan == SMTP_SCAN_COMMAND) {
                buf_add(seen, smtp_verb_row(cmd.verb)->name);
                buf_printf(seen, "(%.*s);", STR_ARG(cmd.argument));
            } else if (scan != SMTP_SCAN_MORE) {
                buf_add_c(seen, scan == SMTP_SCAN_BAD     ? "BAD;"
                                : scan == SMTP_SCAN_FLOOD ? "FLOOD;"
                                : cmd.verb == SMTP_VERB_AUTH ? "LONG AUTH;"
                                                             : "LONG;");
            }
            free(copy);
            buf_eat(&held, used);
        } while (scan != SMTP_SCAN_MORE && scan != SMTP_SCAN_FLOOD);
        if (scan == SMTP_SCAN_FLOOD)
            break;
    } while (input.n);
    buf_done(&held);
}

static void check_three_ways(struct str input, const char *want)
{
    const size_t pieces[] = { input.n ? input.n : 1, 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct buf seen = BUF_INIT(1 << 20);
        scan_all(input, pieces[i], &seen);
        assert_str_is(buf_str(&seen), str_from_c(want));
        buf_done(&seen);
    }
}

/* C049 */
static void only_crlf_ends_a_command(void **state)
{
    (void)state;
    check_three_ways(STR(""), "");
    check_three_ways(STR("NOOP"), "");
    check_three_ways(STR("NOOP\r"), "");
    check_three_ways(STR("NOOP\n"), "");
    check_three_ways(STR("NOOP\r\n"), "NOOP();");
    check_three_ways(STR("NOOP\n\r\nNOOP\r\r\nNOOP\r\n"), "BAD;BAD;NOOP();");
    check_three_ways(STR("A\nB\rC\r\n\r\n\n\r\nNO\0OP\r\n"), "BAD;?();BAD;BAD;");
}

/* C023, C026 */
static void verbs_and_arguments_are_cut_at_blanks(void **state)
{
    (void)state;
    check_three_ways(STR("mAiL FROM:<a@b>  \t\r\nRCPT   TO:<c@d> X=1\r\n"),
                     "MAIL(FROM:<a@b>);RCPT(TO:<c@d> X=1);");
    check_three_ways(STR(" NOOP\r\nNOOPS\r\nNOO\r\n\tNOOP\r\nNOOP\tx\r\n   \r\n"),
                     "?(NOOP);?();?();?();?();?();");
    check_three_ways(STR("QUIT\r\nEXPN list\r\nstarttls\r\n"), "QUIT();EXPN(list);STARTTLS();");
}

/* VERB and a blank, filled with x to N octets with CRLF. */
static void add_line(struct buf *b, const char *verb, size_t n)
{
    size_t from = b->n;

    buf_add_c(b, verb);
    buf_add_char(b, ' ');
    while (b->n - from < n - 2)
        buf_add_char(b, 'x');
    buf_add_c(b, "\r\n");
}

static const char *verdict_on(const char *verb, size_t n, size_t piece)
{
    struct buf in = BUF_INIT(1 << 20), seen = BUF_INIT(1 << 20);

    add_line(&in, verb, n);
    scan_all(buf_str(&in), piece, &seen);
    bool is_long = str_eq(buf_str(&seen), STR("LONG;"));
    bool is_auth = str_eq(buf_str(&seen), STR("LONG AUTH;"));
    bool is_flood = str_eq(buf_str(&seen), STR("FLOOD;"));
    buf_done(&in);
    buf_done(&seen);
    return is_auth ? "long AUTH" : is_long ? "long" : is_flood ? "flood" : "good";
}

/* C027, C028 */
static void limits_are_exact_however_octets_come(void **state)
{
    static const size_t pieces[] = { 1 << 20, 1, 3, 511, SMTP_MAIL_LINE_MAX - 1, SMTP_MAIL_LINE_MAX,
                                     SMTP_MAIL_LINE_MAX + 1 };
    static const struct {
        const char *verb;
        size_t n;
        const char *verdict;
    } rows[] = {
        { "RCPT", 512, "good" },
        { "RCPT", 513, "long" },
        { "MAIL", SMTP_MAIL_LINE_MAX, "good" },
        { "MAIL", SMTP_MAIL_LINE_MAX + 1, "long" },
        { "MAIL", SMTP_MAIL_LINE_MAX + 2, "long" },
        { "MAIL", SMTP_MAIL_LINE_MAX + 3, "long" },
        { "AUTH", SMTP_AUTH_LINE_MAX, "good" },
        { "AUTH", SMTP_AUTH_LINE_MAX + 1, "long AUTH" },
        { "AUTH", SMTP_AUTH_LINE_MAX + 2, "long AUTH" },
        { "AUTHX", SMTP_MAIL_LINE_MAX, "long" },
        { "NOOP", 5000, "long" },
        { "NOOP", SMTP_LINE_FLOOD, "long" },
        { "NOOP", SMTP_LINE_FLOOD + 1, "flood" },
        { "NOOP", SMTP_LINE_FLOOD + 2, "flood" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
            if (rows[i].n > 10000 && pieces[k] < 500)
                continue; /* copies of each tail would take minutes */
            assert_string_equal(verdict_on(rows[i].verb, rows[i].n, pieces[k]), rows[i].verdict);
        }
    }
}

/* C027 */
static void the_session_survives_a_long_line(void **state)
{
    struct buf in = BUF_INIT(1 << 20);

    (void)state;
    add_line(&in, "NOOP", 3000);
    buf_add_c(&in, "QUIT\r\n");
    check_three_ways(buf_str(&in), "LONG;QUIT();");
    buf_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_crlf_ends_a_command),
        cmocka_unit_test(verbs_and_arguments_are_cut_at_blanks),
        cmocka_unit_test(limits_are_exact_however_octets_come),
        cmocka_unit_test(the_session_survives_a_long_line),
    };

    return cmocka_run_group_tests_name("smtp/command", tests, NULL, NULL);
}
