/* route/senders.c -- one row of octets for all pairs, and a table of 32-bit places into it. */
#include "route/senders.h"

#include <string.h>

#include "core/arena.h"
#include "core/num.h"
#include "route/local.h"
#include "route/users.h"
#include "smtp/address.h"

enum { HEAD = 2, SLOTS_FIRST = 64, ADDRESS_MAX = ROUTE_LOCAL_MAX + 1 + ROUTE_DOMAIN_MAX, LINE_ARENA_MAX = 256 * 1024 };

/* What neither an account nor an address holds. */
static const char between = '\0';

/* A pair under construction. */
struct pair {
    size_t n;
    char c[2 * ADDRESS_MAX + 1];
};

static bool pair_add(struct pair *p, struct str s)
{
    if (s.n > sizeof(p->c) - p->n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        p->c[p->n++] = ascii_lower(s.p[i]);
    return true;
}

/* Empty parts are left out: "anna", "@example.org". */
static bool pair_add_address(struct pair *p, struct str local, struct str domain)
{
    return pair_add(p, local) && (!domain.n || (pair_add(p, STR("@")) && pair_add(p, domain)));
}

static bool pair_begin(struct pair *p, struct str user, struct str home)
{
    p->n = 0;
    return pair_add_address(p, user, home) && pair_add(p, str_of(&between, 1));
}

/* ---- the set ---- */

static size_t slot_count(const struct buf *slots)
{
    return slots->n / sizeof(uint32_t);
}

static struct str pair_at(const struct route_senders *s, size_t at)
{
    const char *p = s->octets.p + at;

    return str_of(p + HEAD, le16_get(p));
}

/* The slot that holds the pair, or the free one where it would be. */
static uint32_t *slot_find(const struct route_senders *s, const struct buf *slots, struct str pair)
{
    size_t mask = slot_count(slots) - 1;

    for (size_t i = str_hash(pair, 0) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = (uint32_t *)(void *)slots->p + i;
        if (!*slot || str_eq(pair_at(s, *slot - 1), pair))
            return slot;
    }
}

/* At most two thirds of the slots are taken, so that a search always ends at a free one. */
static bool slots_grow(struct route_senders *s)
{
    size_t count = slot_count(&s->slots);

    if ((s->n + 1) * 3 <= count * 2)
        return true;
    size_t octets = (count ? count * 2 : SLOTS_FIRST) * sizeof(uint32_t);
    struct buf wider = { .max = s->slots.max };
    if (!buf_room(&wider, octets))
        return false;
    memset(wider.p, 0, octets);
    buf_grew(&wider, octets);
    for (size_t at = 0; at < s->octets.n; at += HEAD + pair_at(s, at).n)
        *slot_find(s, &wider, pair_at(s, at)) = (uint32_t)at + 1;
    buf_done(&s->slots);
    s->slots = wider;
    return true;
}

static bool set_add(struct route_senders *s, struct str pair)
{
    char head[HEAD];

    if (!slots_grow(s))
        return false;
    uint32_t *slot = slot_find(s, &s->slots, pair);
    if (*slot)
        return true;
    size_t at = s->octets.n;
    if (!buf_room(&s->octets, HEAD + pair.n))
        return false;
    le16_put(head, (uint16_t)pair.n);
    buf_add(&s->octets, str_of(head, HEAD));
    buf_add(&s->octets, pair);
    *slot = (uint32_t)at + 1;
    s->n++;
    return true;
}

void route_senders_done(struct route_senders *senders)
{
    buf_done(&senders->octets);
    buf_done(&senders->slots);
    senders->n = 0;
}

/* ---- reading ---- */

static struct str take_word(struct str *line)
{
    size_t n = 0;

    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    struct str word = str_head(*line, n);
    *line = str_trim(str_skip(*line, n));
    return word;
}

/* "@example.org", "*", or an address, behind the account that stands in PAIR already. */
static bool add_word(struct pair *pair, struct str word, struct arena *a)
{
    struct smtp_path path = { 0 };

    if (str_eq(word, STR("*")))
        return pair_add(pair, word);
    if (word.n && word.p[0] == '@')
        return route_domain_normal(a, str_skip(word, 1), &path.domain) && pair_add_address(pair, STR_NONE, path.domain);
    return smtp_mailbox_parse(a, word, &path) == SMTP_PATH_OK && pair_add_address(pair, path.local, path.domain);
}

static bool add_line(struct route_senders *s, struct str line, uint32_t number, struct arena *a,
                     struct route_faults *faults)
{
    struct route_users_name name = { 0 };
    struct pair account, pair;
    struct str word = take_word(&line);

    if (route_users_name(word, true, a, &name) != ROUTE_USERS_SOMEBODY ||
        !pair_begin(&account, name.local, name.domain)) {
        route_fault_add(faults, number, word, name.wrong ? name.wrong : "no account");
        return true;
    }
    if (!line.n)
        route_fault_add(faults, number, word, "no address that it may send as");
    while (line.n) {
        word = take_word(&line);
        pair = account;
        if (!add_word(&pair, word, a))
            route_fault_add(faults, number, word, "no address; write user@domain, @domain or *");
        else if (!set_add(s, str_of(pair.c, pair.n)))
            return false;
    }
    return true;
}

bool route_senders_parse(struct route_senders *senders, struct str text, struct route_faults *faults)
{
    bool ok = true;

    for (uint32_t number = 1; text.p && ok; number++) {
        struct str line = str_trim(str_cut(&text, '\n'));
        if (!line.n || line.p[0] == '#')
            continue;
        struct arena *a = arena_new(LINE_ARENA_MAX + 4 * line.n);
        ok = a && add_line(senders, line, number, a, faults);
        arena_free(a);
    }
    return ok;
}

/* ---- asking ---- */

static bool has(const struct route_senders *s, const struct pair *account, struct str local, struct str domain)
{
    struct pair pair = *account;

    return pair_add_address(&pair, local, domain) && *slot_find(s, &s->slots, str_of(pair.c, pair.n));
}

bool route_senders_have(const struct route_senders *senders, struct str user, struct str home, struct str local,
                        struct str domain)
{
    const struct str homes[] = { home, STR_NONE };
    struct pair account;

    for (size_t i = 0; senders->n && i < ARRAY_LEN(homes); i++)
        if (pair_begin(&account, user, homes[i]) &&
            (has(senders, &account, local, domain) || has(senders, &account, STR_NONE, domain) ||
             has(senders, &account, STR("*"), STR_NONE)))
            return true;
    return false;
}
