/* cmd/bench/letter.c -- header with a number in it, body of plain lines. */
#include "cmd/bench/letter.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char line_text[] = "The post-horse is fed, the road is dry, and the courier leaves at first light.";

enum { LINE_OCTETS = 76, SIZE_MAX_OCTETS = 1 << 30, NUMBER_DIGITS = 12 };

static bool add_header(struct letter *l, const char *from, const char *to)
{
    char date[64];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
    return buf_printf(&l->head, "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\nSubject: Bench\r\n", from, to, date);
}

/* Full lines, and a last one that makes the size exact; a rest of one octet makes the line before it longer. */
static bool add_body(struct letter *l, uint64_t octets)
{
    while (octets > 0 && !l->body.failed) {
        size_t n = octets > LINE_OCTETS + 3 ? LINE_OCTETS : octets > 2 ? (size_t)octets - 2 : 0;
        buf_add(&l->body, str_of(line_text, n));
        buf_add(&l->body, STR("\r\n"));
        octets -= n + 2 < octets ? n + 2 : octets;
    }
    return !l->body.failed;
}

bool letter_init(struct letter *l, uint64_t size, const char *from, const char *to)
{
    const size_t id_line = sizeof "Message-ID: <>\r\n\r\n" - 1;
    uint64_t head;

    *l = (struct letter){ .head = BUF_INIT(4096), .body = BUF_INIT(SIZE_MAX_OCTETS) };
    snprintf(l->run, sizeof l->run, "%08llx%06x", (unsigned long long)time(NULL) & 0xffffffff,
             (unsigned)getpid() & 0xffffff);
    if (!add_header(l, from, to))
        return false;
    head = l->head.n + id_line + str_from_c(letter_id(l, 0).c).n;
    return add_body(l, size > head + 2 ? size - head : 2);
}

void letter_done(struct letter *l)
{
    buf_done(&l->head);
    buf_done(&l->body);
}

struct letter_id letter_id(const struct letter *l, uint64_t seq)
{
    struct letter_id id;

    snprintf(id.c, sizeof id.c, "%0*llu.%s@bench.invalid", NUMBER_DIGITS, (unsigned long long)seq, l->run);
    return id;
}

bool letter_add_head(const struct letter *l, uint64_t seq, struct buf *out)
{
    buf_add(out, buf_str(&l->head));
    return buf_printf(out, "Message-ID: <%s>\r\n\r\n", letter_id(l, seq).c);
}
