/*
 * The header of a submitted message. Oracles: splitting changes nothing; what came out is not changed again; it has no Bcc,
 * one Date at least, and what stands behind the header section is what stood there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bug.h"
#include "core/str.h"
#include "message/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 1 << 22, HEADER_MAX = 1 << 16 };

static const struct message_submission_terms terms = {
    .hostname = STR_INIT("mail.example.org"),
    .unique = STR_INIT("7QK2M13C2A.1"),
    .utc_msec = 1795340467301,
};

static void pass(struct str in, size_t piece, struct buf *out)
{
    struct message_submission m;
    struct str header, rest;

    message_submission_init(&m, HEADER_MAX, &terms);
    while (in.n) {
        struct str part = str_head(in, piece);
        char *copy = malloc(part.n);
        BUG_ON(!copy);
        memcpy(copy, part.p, part.n);
        BUG_ON(message_submission_feed(&m, str_of(copy, part.n), &header, &rest) != MESSAGE_SUBMISSION_GOOD);
        buf_add(out, header);
        buf_add(out, rest);
        free(copy);
        in = str_skip(in, part.n);
    }
    BUG_ON(message_submission_end(&m, &header) != MESSAGE_SUBMISSION_GOOD);
    buf_add(out, header);
    message_submission_done(&m);
}

/* A line of the header section in TEXT begins with NAME and a colon. */
static bool has_field(struct str text, struct str name)
{
    while (text.n) {
        struct str line = str_cut(&text, '\n');
        if (!line.n || str_eq(line, STR("\r")))
            return false;
        struct str rest = str_skip(line, name.n);
        while (rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t'))
            rest = str_skip(rest, 1);
        if (str_starts_nocase(line, name) && rest.n && rest.p[0] == ':')
            return true;
    }
    return false;
}

/* What follows the first empty line. */
static struct str body_of(struct str text)
{
    while (text.n) {
        struct str rest = text, line = str_cut(&rest, '\n');
        if (rest.p && (!line.n || str_eq(line, STR("\r"))))
            return rest;
        text = rest;
    }
    return STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(PLENTY), split = BUF_INIT(PLENTY), again = BUF_INIT(PLENTY);
    struct str in = str_of((const char *)data, size);

    if (size > HEADER_MAX / 2)
        return 0;
    pass(in, size ? size : 1, &whole);
    pass(in, 1, &split);
    BUG_ON(!str_eq(buf_str(&whole), buf_str(&split)));
    buf_clear(&split);
    pass(in, 3, &split);
    BUG_ON(!str_eq(buf_str(&whole), buf_str(&split)));
    pass(buf_str(&whole), 1 << 20, &again);
    BUG_ON(!str_eq(buf_str(&whole), buf_str(&again)));
    BUG_ON(has_field(buf_str(&whole), STR("Bcc")) || !has_field(buf_str(&whole), STR("Date")));
    BUG_ON(!has_field(buf_str(&whole), STR("Message-ID")) || !str_ends(buf_str(&whole), body_of(in)));
    buf_done(&whole);
    buf_done(&split);
    buf_done(&again);
    return 0;
}
