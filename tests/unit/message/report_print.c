/*
 * A report as it would be sent, for the test in Python: lines "name value" on standard input, value in C
 * escapes (\xNN); "recipient" begins the next one, and what follows belongs to it.
 */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/num.h"
#include "message/report.h"

enum { RECIPIENTS_MAX = 1000, PLENTY = 64 << 20, LINE_OCTETS = 1 << 20 };

static struct message_report report;
static struct message_report_recipient recipients[RECIPIENTS_MAX];
static struct message_report_recipient *rcpt;

static struct str unescape(struct arena *a, const char *c)
{
    char *p = arena_alloc(a, strlen(c) + 1);
    size_t n = 0;

    BUG_ON(!p);
    for (; *c; c++) {
        unsigned v = 0;
        if (*c == '\\' && sscanf(c, "\\x%2x", &v) == 1) {
            p[n++] = (char)v;
            c += 3;
        } else {
            p[n++] = *c;
        }
    }
    return str_of(p, n);
}

static uint64_t number(struct str s)
{
    uint64_t v = 0;

    BUG_ON(!num_parse_u64(s, UINT64_MAX, &v));
    return v;
}

static bool set_text(const char *name, struct str v)
{
    const struct {
        const char *name;
        struct str *at;
    } rows[] = {
        { "hostname", &report.hostname },
        { "from", &report.from },
        { "to", &report.to },
        { "id", &report.id },
        { "about", &report.about },
        { "sender", &report.sender },
        { "subject", &report.subject },
        { "message_id", &report.message_id },
        { "references", &report.references },
        { "header", &report.header },
        { "body", &report.body },
        { "address", rcpt ? &rcpt->address : NULL },
        { "original", rcpt ? &rcpt->original : NULL },
        { "status", rcpt ? &rcpt->status : NULL },
        { "reply", rcpt ? &rcpt->reply : NULL },
        { "remote_mta", rcpt ? &rcpt->remote_mta : NULL },
        { "remote_address", rcpt ? &rcpt->remote_address : NULL },
        { "report", rcpt ? &rcpt->about : NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(name, rows[i].name) == 0 && rows[i].at) {
            *rows[i].at = v;
            return true;
        }
    return false;
}

static bool set_number(const char *name, struct str v)
{
    if (strcmp(name, "kind") == 0)
        report.kind = (enum message_report_kind)number(v);
    else if (strcmp(name, "utc_msec") == 0)
        report.utc_msec = (int64_t)number(v);
    else if (strcmp(name, "zone_minutes") == 0)
        report.zone_minutes = (int)number(v);
    else if (strcmp(name, "arrival_msec") == 0)
        report.arrival_msec = (int64_t)number(v);
    else if (strcmp(name, "full") == 0)
        report.full = number(v);
    else if (strcmp(name, "utf8") == 0)
        report.utf8 = number(v);
    else if (strcmp(name, "left_out") == 0)
        report.left_out = number(v);
    else if (!rcpt)
        return false;
    else if (strcmp(name, "code") == 0)
        rcpt->code = (unsigned)number(v);
    else if (strcmp(name, "from_peer") == 0)
        rcpt->from_peer = number(v);
    else if (strcmp(name, "attempts") == 0)
        rcpt->attempts = (uint32_t)number(v);
    else if (strcmp(name, "first_msec") == 0)
        rcpt->first_msec = (int64_t)number(v);
    else if (strcmp(name, "last_msec") == 0)
        rcpt->last_msec = (int64_t)number(v);
    else if (strcmp(name, "retry_until_msec") == 0)
        rcpt->retry_until_msec = (int64_t)number(v);
    else if (strcmp(name, "expired") == 0)
        rcpt->expired = number(v);
    else
        return false;
    return true;
}

int main(void)
{
    static char line[LINE_OCTETS];
    struct buf out = BUF_INIT(PLENTY);
    struct arena *a = arena_new(PLENTY);
    bool eight_bit = false;

    BUG_ON(!a);
    report.recipients = recipients;
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *value = strchr(line, ' ');
        if (value)
            *value++ = 0;
        if (strcmp(line, "recipient") == 0) {
            BUG_ON(report.n_recipients == RECIPIENTS_MAX);
            rcpt = &recipients[report.n_recipients++];
            continue;
        }
        struct str v = unescape(a, value ? value : "");
        if (!set_text(line, v) && !set_number(line, v)) {
            fprintf(stderr, "%s is nothing of a report\n", line);
            return 64;
        }
    }
    if (!message_report_write(&out, &report, &eight_bit))
        return 1;
    printf("%d\n", eight_bit);
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    arena_free(a);
    return 0;
}
