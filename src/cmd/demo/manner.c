/* cmd/demo/manner.c -- codes and words in front of an @. */
#include "cmd/demo/manner.h"

#include "core/bug.h"
#include "core/num.h"

enum { CODE_DIGITS = 3 };

struct meaning {
    unsigned code;
    const char *words;
};

/* What hosts say with it, RFC 5321 4.2.3 and RFC 3463 3. */
static const char *words_of(unsigned code)
{
    static const struct meaning known[] = {
        { 421, "4.3.2 going down" },      { 450, "4.2.1 mailbox is busy" },   { 451, "4.7.1 busy" },
        { 452, "4.3.1 disk is full" },    { 500, "5.5.2 not understood" },    { 501, "5.5.4 bad argument" },
        { 550, "5.1.1 unknown" },         { 551, "5.1.6 has moved away" },    { 552, "5.2.2 mailbox is full" },
        { 553, "5.1.3 no such address" }, { 554, "5.7.1 not wanted here" },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].code == code)
            return known[i].words;
    return code < 500 ? "4.0.0 not now" : "5.0.0 never";
}

/* LOCAL ends behind its first N octets, or goes on with something of its own: 451+late, slow-2. */
static bool ends_at(struct str local, size_t n)
{
    return local.n == n || (local.n > n && !ascii_is_alnum(local.p[n]));
}

/* A code at the front. */
static bool take_code(struct str local, unsigned *code)
{
    uint64_t n;

    if (!ends_at(local, CODE_DIGITS) || !num_parse_u64(str_head(local, CODE_DIGITS), 599, &n) || n < 400)
        return false;
    *code = (unsigned)n;
    return true;
}

static bool is_word(struct str local, struct str word)
{
    return str_starts_nocase(local, word) && ends_at(local, word.n);
}

/* The words that are no code. */
static struct demo_manner manner_of_word(struct str local)
{
    static const struct {
        struct str word;
        struct demo_manner manner;
    } known[] = {
        { STR_INIT("greylist"), { DEMO_GREYLISTS, false, 451, "4.7.1 greylisted: please try again" } },
        { STR_INIT("slow"), { DEMO_TAKES, true, 0, NULL } },
        { STR_INIT("drop"), { DEMO_HANGS_UP, false, 0, NULL } },
        { STR_INIT("bounce"), { DEMO_REPORTS_LATER, false, 0, NULL } },
        { STR_INIT("full"), { DEMO_AT_RCPT, false, 452, "4.2.2 mailbox is full" } },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (is_word(local, known[i].word))
            return known[i].manner;
    return (struct demo_manner){ .moment = DEMO_TAKES };
}

struct demo_manner demo_manner_of(struct str local)
{
    static const struct str at_rcpt = STR_INIT("rcpt-"), at_dot = STR_INIT("data-");
    bool dot = str_starts_nocase(local, at_dot), named = dot || str_starts_nocase(local, at_rcpt);
    struct demo_manner m = { .moment = dot ? DEMO_AT_DOT : DEMO_AT_RCPT };

    if (!take_code(named ? str_skip(local, at_dot.n) : local, &m.code))
        return manner_of_word(local);
    m.words = words_of(m.code);
    return m;
}

void demo_manner_reply(struct buf *out, const struct demo_manner *manner)
{
    buf_printf(out, "%u %s\r\n", manner->code, manner->words);
}
