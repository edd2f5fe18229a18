/* Tables of statements, and what is said of each. */
#ifndef TESTS_UNIT_CONFIG_ROWS_H
#define TESTS_UNIT_CONFIG_ROWS_H

#include "tests/unit/config/memory.h"

/* A statement at the top, in a listen block, or in a domain block; what is said of it, NULL when it is right. */
struct row {
    const char *statement;
    const char *error;
};

static inline void check_rows(const char *before, const char *behind, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct parsed p;
        struct buf text = BUF_INIT(1 << 16), said = BUF_INIT(1 << 16);

        buf_add_c(&text, before);
        buf_add_c(&text, rows[i].statement);
        buf_add_c(&text, behind);
        char *copy = exact_copy(buf_str(&text));
        parse_text(&p, str_of(copy, text.n));
        for (size_t j = 0; j < p.diag.n; j++) {
            buf_add_c(&said, j ? " | " : "");
            config_diagnostic_error(&p.diag.items[j], &said);
        }
        if (!str_eq(buf_str(&said), str_from_c(rows[i].error)))
            fail_msg("%s: \"%.*s\"", rows[i].statement, STR_ARG(buf_str(&said)));
        free(copy);
        buf_done(&said);
        buf_done(&text);
        parsed_done(&p);
    }
}

static inline void at_top(const struct row *rows, size_t n)
{
    check_rows("", "", rows, n);
}

static inline void in_listen(const struct row *rows, size_t n)
{
    check_rows("listen 25 { ", " }", rows, n);
}

static inline void in_domain(const struct row *rows, size_t n)
{
    check_rows("domain example.org { users any; deliver maildir:/m/{user}; ", " }", rows, n);
}

#endif
