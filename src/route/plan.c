/*
 * route/plan.c -- a plan as octets: u8 flags, then for each address u8 flags, u8 family, 16 octets of address,
 * u16 port, u16 preference, u8 group, and host, path and domain each behind its length (u16). Integers little endian.
 */
#include "route/plan.h"

#include <string.h>

#include "core/num.h"

enum { FIXED = 23, TEXT_HEAD = 2, ADDRESS_AT = 2, PORT_AT = 18, PREFERENCE_AT = 20, GROUP_AT = 22 };
enum { FLAG_SECURE = 1, FLAG_LMTP = 2, FLAG_MX = 4, FLAG_FALLBACK = 8, FLAG_TLS = 16 };
enum { FLAGS = FLAG_SECURE | FLAG_LMTP | FLAG_MX | FLAG_FALLBACK | FLAG_TLS };

static void put_text(struct buf *out, struct str s)
{
    char head[TEXT_HEAD];

    BUG_ON(s.n > UINT16_MAX);
    le16_put(head, (uint16_t)s.n);
    buf_add(out, str_of(head, sizeof(head)));
    buf_add(out, s);
}

static void put_address(struct buf *out, const struct route_plan_address *a)
{
    char fixed[FIXED];

    fixed[0] = (char)((a->secure ? FLAG_SECURE : 0) | (a->protocol == ROUTE_PLAN_LMTP ? FLAG_LMTP : 0) |
                      (a->by_mx ? FLAG_MX : 0) | (a->fallback ? FLAG_FALLBACK : 0) |
                      (a->tls_at_once ? FLAG_TLS : 0));
    fixed[1] = (char)a->address.family;
    memcpy(fixed + ADDRESS_AT, a->address.octets, sizeof(a->address.octets));
    le16_put(fixed + PORT_AT, a->port);
    le16_put(fixed + PREFERENCE_AT, a->preference);
    fixed[GROUP_AT] = (char)a->group;
    buf_add(out, str_of(fixed, sizeof(fixed)));
    put_text(out, a->host);
    put_text(out, a->path);
    put_text(out, a->domain);
}

bool route_plan_encode(struct buf *out, const struct route_plan *plan)
{
    BUG_ON(plan->n > ROUTE_PLAN_ADDRESSES_MAX);
    buf_add_char(out, plan->secure ? FLAG_SECURE : 0);
    for (size_t i = 0; i < plan->n; i++)
        put_address(out, &plan->addresses[i]);
    return !out->failed;
}

static bool get_text(struct str *rest, struct str *out)
{
    if (rest->n < TEXT_HEAD || le16_get(rest->p) > rest->n - TEXT_HEAD)
        return false;
    *out = str_slice(*rest, TEXT_HEAD, TEXT_HEAD + (size_t)le16_get(rest->p));
    *rest = str_skip(*rest, TEXT_HEAD + out->n);
    return true;
}

static bool get_ip(struct str fixed, struct ip *out)
{
    unsigned char family = (unsigned char)fixed.p[1];

    if (family > IP_V6)
        return false;
    *out = (struct ip){ .family = (enum ip_family)family };
    memcpy(out->octets, fixed.p + ADDRESS_AT, sizeof(out->octets));
    /* What the family does not use is zero, or else two that are the same address would not compare so. */
    for (size_t i = ip_bits(out->family) / 8; i < sizeof(out->octets); i++)
        if (out->octets[i])
            return false;
    return true;
}

static bool has_controls(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

/* What resolve says goes into the log and names a site: no control octets; and it is a path or an address, not both. */
static bool is_sane(const struct route_plan_address *a)
{
    if (!a->host.n || has_controls(a->host) || has_controls(a->domain) || str_has(a->path, '\0'))
        return false;
    return a->path.n ? a->address.family == IP_NONE && !a->port : a->address.family != IP_NONE && a->port;
}

static bool get_address(struct str *rest, struct route_plan_address *a)
{
    unsigned char flags;

    if (rest->n < FIXED)
        return false;
    flags = (unsigned char)rest->p[0];
    *a = (struct route_plan_address){
        .port = le16_get(rest->p + PORT_AT),
        .preference = le16_get(rest->p + PREFERENCE_AT),
        .secure = flags & FLAG_SECURE,
        .by_mx = flags & FLAG_MX,
        .tls_at_once = flags & FLAG_TLS,
        .fallback = flags & FLAG_FALLBACK,
        .group = (uint8_t)rest->p[GROUP_AT],
        .protocol = flags & FLAG_LMTP ? ROUTE_PLAN_LMTP : ROUTE_PLAN_SMTP,
    };
    if (flags & ~(unsigned)FLAGS || !get_ip(*rest, &a->address))
        return false;
    *rest = str_skip(*rest, FIXED);
    return get_text(rest, &a->host) && get_text(rest, &a->path) && get_text(rest, &a->domain) && is_sane(a);
}

bool route_plan_decode(struct str in, struct arena *a, struct route_plan *plan)
{
    struct route_plan_address *addresses;
    struct str rest = str_skip(in, 1);
    size_t n = 0;

    if (!in.n || in.n > ROUTE_PLAN_OCTETS_MAX || (unsigned char)in.p[0] > FLAG_SECURE)
        return false;
    addresses = ARENA_NEW_ARRAY(a, ROUTE_PLAN_ADDRESSES_MAX, struct route_plan_address);
    if (!addresses)
        return false;
    while (rest.n)
        if (n == ROUTE_PLAN_ADDRESSES_MAX || !get_address(&rest, &addresses[n++]))
            return false;
    *plan = (struct route_plan){ .secure = in.p[0] == FLAG_SECURE, .addresses = addresses, .n = n };
    return true;
}

/* The addresses from AT on that are of one host. */
static size_t of_one_host(const struct route_plan *plan, size_t at)
{
    size_t n = 1;

    while (at + n < plan->n && plan->addresses[at + n].group == plan->addresses[at].group &&
           str_eq(plan->addresses[at + n].host, plan->addresses[at].host))
        n++;
    return n;
}

static size_t of_one_preference(const struct route_plan *plan, size_t at)
{
    const struct route_plan_address *first = &plan->addresses[at];
    size_t n = 1;

    while (at + n < plan->n && first->by_mx && plan->addresses[at + n].group == first->group &&
           plan->addresses[at + n].preference == first->preference)
        n++;
    return n;
}

/* The hosts of PLAN from AT to END into OUT, beginning with one by chance, and each next one by chance, too. */
static void shuffle_hosts(const struct route_plan *plan, size_t at, size_t end, uint64_t *seed,
                          struct route_plan_address *out)
{
    size_t starts[ROUTE_PLAN_ADDRESSES_MAX], n = 0;

    for (size_t i = at; i < end; i += of_one_host(plan, i))
        starts[n++] = i;
    for (; n; n--) {
        *seed = *seed * 6364136223846793005U + 1442695040888963407U;
        size_t pick = (size_t)((*seed >> 33) % n), m = of_one_host(plan, starts[pick]);
        memcpy(out, &plan->addresses[starts[pick]], m * sizeof(*out));
        out += m;
        starts[pick] = starts[n - 1];
    }
}

void route_plan_shuffle(struct route_plan *plan, uint64_t seed, struct arena *a)
{
    struct route_plan_address *out = ARENA_NEW_ARRAY(a, plan->n, struct route_plan_address);

    if (!out)
        return;
    for (size_t at = 0, n; at < plan->n; at += n) {
        n = of_one_preference(plan, at);
        shuffle_hosts(plan, at, at + n, &seed, out + at);
    }
    plan->addresses = out;
}

static int compare(const struct route_plan_address *a, const struct route_plan_address *b)
{
    int by_name = str_cmp(a->host, b->host);

    if (by_name)
        return by_name;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    return a->protocol != b->protocol ? (int)a->protocol - (int)b->protocol : (int)a->tls_at_once - (int)b->tls_at_once;
}

/* Into its place among the N of SORTED, unless it is there. Gives their new number. */
static size_t insert(const struct route_plan_address **sorted, size_t n, const struct route_plan_address *a)
{
    size_t at = 0;

    while (at < n && compare(sorted[at], a) < 0)
        at++;
    if (at < n && compare(sorted[at], a) == 0)
        return n;
    memmove(sorted + at + 1, sorted + at, (n - at) * sizeof(*sorted));
    sorted[at] = a;
    return n + 1;
}

bool route_plan_hosts(const struct route_plan *plan, struct buf *out)
{
    const struct route_plan_address *sorted[ROUTE_PLAN_ADDRESSES_MAX + 1];
    size_t n = 0;

    BUG_ON(plan->n > ROUTE_PLAN_ADDRESSES_MAX);
    for (size_t i = 0; i < plan->n; i++)
        n = insert(sorted, n, &plan->addresses[i]);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(out, ',');
        if (sorted[i]->protocol == ROUTE_PLAN_LMTP)
            buf_add(out, STR("lmtp:"));
        if (sorted[i]->tls_at_once)
            buf_add(out, STR("tls:"));
        buf_add(out, sorted[i]->host);
        if (!sorted[i]->path.n && sorted[i]->port != 25)
            buf_printf(out, ":%u", (unsigned)sorted[i]->port);
    }
    return !out->failed;
}

size_t route_plan_before_fallback(const struct route_plan *plan)
{
    size_t n = 0;

    while (n < plan->n && !plan->addresses[n].fallback)
        n++;
    return n;
}

static bool is_among(struct str name, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

bool route_plan_domains(const struct route_plan *plan, struct buf *out)
{
    struct str domains[ROUTE_PLAN_ADDRESSES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < plan->n; i++) {
        struct str domain = plan->addresses[i].domain;
        if (!domain.n || is_among(domain, domains, n))
            continue;
        domains[n++] = domain;
        buf_add_char(out, ' ');
        buf_add(out, domain);
    }
    return !out->failed;
}

size_t route_plan_names(const struct route_plan *plan, struct str *names, size_t room)
{
    size_t meant = route_plan_before_fallback(plan), n = 0;

    for (size_t i = 0; i < (meant ? meant : plan->n) && n < room; i++) {
        const struct route_plan_address *a = &plan->addresses[i];
        struct str name = str_starts(a->host, STR("[")) ? str_slice(a->host, 1, a->host.n - 1) : a->host;
        if (!a->path.n && !is_among(name, names, n))
            names[n++] = name;
    }
    return n;
}
