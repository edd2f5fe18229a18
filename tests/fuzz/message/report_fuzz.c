/*
 * Reports about anything: octet 0 chooses the kind and what is returned, octet 1 the recipients, octet 2 what
 * is said of each; all else is cut at 0x1f into texts. Oracles: what comes out is mail (CRLF only, no NUL, no
 * line above 998), its parts stand between its boundaries, and it is 8-bit only when it says so.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 64 << 20, RECIPIENTS_MAX = 4 };

static void read_recipient(struct message_report_recipient *rcpt, struct str *rest, unsigned how)
{
    *rcpt = (struct message_report_recipient){
        .address = str_cut(rest, 0x1f),
        .original = str_cut(rest, 0x1f),
        .status = str_cut(rest, 0x1f),
        .reply = str_cut(rest, 0x1f),
        .remote_mta = str_cut(rest, 0x1f),
        .remote_address = str_cut(rest, 0x1f),
        .about = str_cut(rest, 0x1f),
        .code = how & 1 ? 550 : 0,
        .from_peer = how & 2,
        .expired = how & 4,
        .attempts = how >> 3 & 3,
        .first_msec = how & 32 ? 1794900000000 : 0,
        .last_msec = how & 64 ? 1795340467000 : 0,
        .retry_until_msec = how & 128 ? 1795900000000 : 0,
    };
}

static void read_report(struct message_report *r, struct str *rest, unsigned how)
{
    *r = (struct message_report){
        .kind = (enum message_report_kind)(how & 3),
        .full = how & 4,
        .utf8 = how & 8,
        .arrival_msec = how & 16 ? 1794900000000 : 0,
        .zone_minutes = how & 32 ? -210 : 60,
        .left_out = how >> 6,
        .utc_msec = 1795340467000,
        .hostname = str_cut(rest, 0x1f),
        .from = str_cut(rest, 0x1f),
        .to = str_cut(rest, 0x1f),
        .id = str_cut(rest, 0x1f),
        .about = str_cut(rest, 0x1f),
        .sender = str_cut(rest, 0x1f),
        .subject = str_cut(rest, 0x1f),
        .message_id = str_cut(rest, 0x1f),
        .references = str_cut(rest, 0x1f),
        .header = str_cut(rest, 0x1f),
        .body = str_cut(rest, 0x1f),
    };
}

static void check_lines(struct str out)
{
    size_t start = 0;

    for (size_t i = 0; i < out.n; i++) {
        BUG_ON(!out.p[i]);
        BUG_ON((out.p[i] == '\n') != (i && out.p[i - 1] == '\r'));
        if (out.p[i] == '\n')
            start = i + 1;
        else
            BUG_ON(i - start >= 998 && out.p[i] != '\r');
    }
    BUG_ON(!str_ends(out, STR("\r\n")));
}

/* The lines of OUT that begin with two hyphens and the boundary: parts begin, and the last one ends them. */
static void check_parts(struct str out)
{
    const struct str mark =
        STR("\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"");
    size_t at = 0, parts = 0, ends = 0;

    while (!str_starts(str_skip(out, at), mark))
        BUG_ON(++at == out.n);
    struct str b = str_skip(out, at + mark.n);
    b = str_head(b, str_find(b, '"'));
    while (out.n) {
        struct str line = str_cut(&out, '\n');
        if (!str_starts(line, STR("--")) || !str_starts(str_skip(line, 2), b))
            continue;
        struct str tail = str_skip(line, 2 + b.n);
        BUG_ON(ends || (!str_eq(tail, STR("\r")) && !str_eq(tail, STR("--\r"))));
        parts += str_eq(tail, STR("\r"));
        ends += str_eq(tail, STR("--\r"));
    }
    BUG_ON(ends != 1 || parts < 2 || parts > 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_report_recipient recipients[RECIPIENTS_MAX];
    struct message_report r;
    struct buf out = BUF_INIT(PLENTY);
    bool eight;

    if (size < 3)
        return 0;
    char *copy = malloc(size);
    BUG_ON(!copy);
    memcpy(copy, data, size);
    struct str rest = str_of(copy + 3, size - 3);
    read_report(&r, &rest, data[0]);
    r.recipients = recipients;
    r.n_recipients = 1 + data[1] % RECIPIENTS_MAX;
    for (size_t i = 0; i < r.n_recipients; i++)
        read_recipient(&recipients[i], &rest, data[2] + (unsigned)i);
    BUG_ON(!message_report_write(&out, &r, &eight));
    check_lines(buf_str(&out));
    BUG_ON(!eight && !str_is_ascii(buf_str(&out)));
    if (r.kind != MESSAGE_REPORT_DIGEST)
        check_parts(buf_str(&out));
    buf_done(&out);
    free(copy);
    return 0;
}
