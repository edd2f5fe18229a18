/* route/mx.c -- which hosts, in which order; which of their addresses; what it means when nothing is left. */
#include "route/mx.h"

#include "core/check.h"

enum { TEXT_WORDS_MAX = 200, SMTPS_PORT = 465 };

/* ---- why not ---- */

static bool no_plan(struct route_hosts *out, enum route_trouble trouble, const char *code, struct str text)
{
    out->n = 0;
    out->why = (struct route_no_plan){
        .trouble = trouble,
        .code = str_from_c(code),
        .text = text.p ? text : STR("out of memory"),
    };
    return false;
}

/* A server that does not answer, or answers what DNSSEC proves to be wrong, says nothing of the domain (C139). */
static bool dns_trouble(struct route_hosts *out, struct arena *a, const char *type, struct str name,
                        const struct dns_answer *answer)
{
    const char *words = answer->status == DNS_BOGUS ? "DNSSEC validation failed: " : "";

    out->gaps = true;
    return no_plan(out, ROUTE_TROUBLE_DNS, "4.4.3",
                   arena_printf(a, "DNS, %s of %.*s: %s%.*s", type, STR_ARG(name), words,
                                STR_ARG(str_head(answer->error, TEXT_WORDS_MAX))));
}

static bool loops(struct route_hosts *out, struct arena *a, struct str host)
{
    return no_plan(out, ROUTE_TROUBLE_LOOP, "5.4.6",
                   arena_printf(a, "mail for %.*s would come back: %.*s is this server, and no MX host is better",
                                STR_ARG(out->domain), STR_ARG(host)));
}

/* ---- who we are ---- */

static bool is_our_name(const struct route_mx_view *view, struct str name)
{
    for (size_t i = 0; i < view->n_names; i++)
        if (str_eq(view->names[i], name))
            return true;
    return false;
}

static bool is_our_address(const struct route_mx_view *view, struct ip address)
{
    address = ip_unmap(address);
    for (size_t i = 0; i < view->n_own; i++) {
        struct ip own = ip_unmap(view->own[i]);
        if (ip_eq(&own, &address))
            return true;
    }
    return false;
}

bool route_mx_is_nowhere(struct ip address)
{
    static const struct ip_network nets[] = {
        { { IP_V4, { 0 } }, 8 },          { { IP_V4, { 127 } }, 8 },        { { IP_V4, { 169, 254 } }, 16 },
        { { IP_V4, { 224 } }, 3 },        { { IP_V6, { 0 } }, 128 },        { { IP_V6, { [15] = 1 } }, 128 },
        { { IP_V6, { 0xfe, 0x80 } }, 10 }, { { IP_V6, { 0xff } }, 8 },
    };

    address = ip_unmap(address);
    for (size_t i = 0; i < ARRAY_LEN(nets); i++)
        if (ip_in_network(&address, &nets[i]))
            return true;
    return false;
}

/* ---- hosts ---- */

/* The next of a row of numbers that SEED begins; good enough to take turns by. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

struct candidate {
    const struct dns_record *record;
    uint64_t lot;
};

static bool comes_before(const struct candidate *a, const struct candidate *b)
{
    if (a->record->preference != b->record->preference)
        return a->record->preference < b->record->preference;
    return a->lot < b->lot;
}

/* Into its place among N; a host that is there already keeps its better preference. Gives their new number. */
static size_t insert(struct candidate *sorted, size_t n, struct candidate c)
{
    size_t at;

    for (size_t i = 0; i < n; i++) {
        if (!str_eq(sorted[i].record->name, c.record->name))
            continue;
        if (!comes_before(&c, &sorted[i]))
            return n;
        for (n--; i < n; i++)
            sorted[i] = sorted[i + 1];
    }
    for (at = n; at > 0 && comes_before(&c, &sorted[at - 1]); at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = c;
    return n + 1;
}

/* Names that are none, and "." beside others, are records all the same: the domain has MX (C138, RFC 7505 3). */
static size_t sort(const struct dns_answer *mx, uint64_t seed, struct candidate sorted[DNS_RECORDS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < mx->n && i < DNS_RECORDS_MAX; i++) {
        uint64_t lot = next_random(&seed);
        if (mx->records[i].name.n && !str_eq(mx->records[i].name, STR(".")))
            n = insert(sorted, n, (struct candidate){ &mx->records[i], lot });
    }
    return n;
}

static void add_host(struct route_hosts *out, struct str name, uint16_t preference)
{
    out->items[out->n++] = (struct route_host){
        .name = name,
        .preference = preference,
        .want_v4 = out->family != CONFIG_FAMILY_IPV6,
        .want_v6 = out->family != CONFIG_FAMILY_IPV4,
    };
}

void route_mx_family(struct route_hosts *hosts, enum config_family family)
{
    hosts->family = family;
    for (size_t i = 0; i < hosts->n; i++) {
        struct route_host *host = &hosts->items[i];
        bool asks = host->want_v4 || host->want_v6;
        host->want_v4 = asks && family != CONFIG_FAMILY_IPV6;
        host->want_v6 = asks && family != CONFIG_FAMILY_IPV4;
    }
}

/* Those better than the first that bears one of our names; their number is what is left. */
static size_t better_than_us(const struct route_mx_view *view, const struct candidate *sorted, size_t n,
                             struct str *us)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_our_name(view, sorted[i].record->name))
            continue;
        *us = sorted[i].record->name;
        for (n = 0; sorted[n].record->preference < sorted[i].record->preference;)
            n++;
        return n;
    }
    return n;
}

static bool hosts_of_mx(const struct route_mx_view *view, const struct dns_answer *mx, uint64_t seed,
                        struct arena *a, struct route_hosts *out)
{
    struct candidate sorted[DNS_RECORDS_MAX];
    struct str us = STR_NONE;
    size_t n;

    if (mx->n == 1 && str_eq(mx->records[0].name, STR(".")))
        return no_plan(out, ROUTE_TROUBLE_NULL_MX, "5.1.10",
                       arena_printf(a, "%.*s takes no mail: its MX says so (RFC 7505)", STR_ARG(out->domain)));
    n = sort(mx, seed, sorted);
    if (!n)
        return no_plan(out, ROUTE_TROUBLE_NO_MX, "5.4.4",
                       arena_printf(a, "no MX of %.*s names a host", STR_ARG(out->domain)));
    n = better_than_us(view, sorted, n, &us);
    if (!n)
        return loops(out, a, us);
    for (out->n = 0; out->n < n && out->n < ROUTE_MX_HOSTS_MAX;) {
        const struct dns_record *record = sorted[out->n].record;
        add_host(out, record->name, record->preference);
    }
    return true;
}

bool route_mx_hosts(const struct route_mx_view *view, struct str domain, const struct dns_answer *mx,
                    uint64_t seed, struct arena *a, struct route_hosts *out)
{
    *out = (struct route_hosts){
        .domain = domain, .secure = mx->secure, .ttl = mx->ttl, .port = view->port, .family = view->family
    };
    switch (mx->status) {
    case DNS_FOUND:
        return hosts_of_mx(view, mx, seed, a, out);
    case DNS_NO_DATA:
        /* C137: the domain itself, as if by an MX of preference 0. */
        out->implicit = true;
        if (is_our_name(view, domain))
            return loops(out, a, domain);
        add_host(out, domain, 0);
        return true;
    case DNS_NO_NAME:
        return no_plan(out, ROUTE_TROUBLE_NO_DOMAIN, "5.1.2",
                       arena_printf(a, "the domain %.*s does not exist", STR_ARG(domain)));
    default:
        return dns_trouble(out, a, "MX", domain, mx);
    }
}

static bool parse_literal(struct str domain, struct ip *out)
{
    struct str inner = str_slice(domain, 1, domain.n ? domain.n - 1 : 0);

    if (!str_starts(domain, STR("[")) || !str_ends(domain, STR("]")))
        return false;
    if (str_starts_nocase(inner, STR("IPv6:")))
        return ip_parse(str_skip(inner, 5), out) && out->family == IP_V6;
    return ip_parse(inner, out) && out->family == IP_V4;
}

bool route_mx_literal(const struct route_mx_view *view, struct str domain, struct arena *a,
                      struct route_hosts *out)
{
    struct ip address;

    *out = (struct route_hosts){
        .domain = domain, .secure = true, .ttl = UINT32_MAX, .port = view->port, .family = view->family
    };
    if (!parse_literal(domain, &address))
        return no_plan(out, ROUTE_TROUBLE_NO_DOMAIN, "5.1.2",
                       arena_printf(a, "%.*s is no address literal that can be sent to", STR_ARG(domain)));
    out->items[out->n++] = (struct route_host){ .name = domain, .literal = address };
    return true;
}

uint16_t route_mx_port(const struct config_target *target, uint16_t port)
{
    return target->port ? target->port : target->tls_at_once ? SMTPS_PORT : port;
}

bool route_mx_named(const struct route_mx_view *view, const struct config_target *target, struct arena *a,
                    struct route_hosts *out)
{
    struct route_host host = { .name = target->host };

    *out = (struct route_hosts){
        .secure = true,
        .ttl = UINT32_MAX,
        .port = route_mx_port(target, view->port),
        .tls_at_once = target->tls_at_once,
        .family = view->family,
        .protocol = target->kind == CONFIG_TARGET_SMTP ? ROUTE_PLAN_SMTP : ROUTE_PLAN_LMTP,
    };
    if (target->kind == CONFIG_TARGET_LMTP_UNIX) {
        host.path = target->host;
        host.name = arena_printf(a, "unix:%.*s", STR_ARG(target->host));
    } else if (ip_parse(target->host, &host.literal)) {
        host.name = arena_printf(a, "[%.*s]", STR_ARG(target->host));
    } else {
        add_host(out, target->host, 0);
        return true;
    }
    out->items[out->n++] = host;
    return host.name.p != NULL || no_plan(out, ROUTE_TROUBLE_DNS, "4.3.0", STR_NONE);
}

/* ---- addresses ---- */

/* The addresses of one host, those that mail is never sent to left out. */
struct found {
    struct ip items[2 * ROUTE_MX_ADDRESSES_MAX];
    size_t n;
    size_t refused; /* left out */
    bool ours;
};

/* Only addresses that somebody else wrote into the DNS are suspect; the administrator's may be anywhere. */
static void add_address(const struct route_mx_view *view, const struct route_hosts *hosts, struct ip address,
                        struct found *found)
{
    bool by_mx = hosts->domain.n > 0;

    if (by_mx && route_mx_is_nowhere(address))
        found->refused++;
    else if (by_mx && is_our_address(view, address))
        found->ours = true;
    else if (found->n < ROUTE_MX_ADDRESSES_MAX)
        found->items[found->n++] = address;
}

static size_t number_of(const struct dns_answer *answer, bool wanted)
{
    return wanted && answer->status == DNS_FOUND ? answer->n : 0;
}

/* Both families in turn, or one behind the other, as the route prefers. */
static void collect(const struct route_mx_view *view, const struct route_hosts *hosts,
                    const struct route_host *host, struct found *found)
{
    bool v4_first = hosts->family == CONFIG_FAMILY_PREFER_IPV4;
    const struct dns_answer *one = v4_first ? &host->v4 : &host->v6, *two = v4_first ? &host->v6 : &host->v4;
    size_t n_one = number_of(one, v4_first ? host->want_v4 : host->want_v6);
    size_t n_two = number_of(two, v4_first ? host->want_v6 : host->want_v4);

    *found = (struct found){ 0 };
    if (host->literal.family != IP_NONE)
        add_address(view, hosts, host->literal, found);
    for (size_t i = 0; i < size_max(n_one, n_two); i++) {
        if (i < n_one)
            add_address(view, hosts, one->records[i].address, found);
        if (i < n_two && hosts->family == CONFIG_FAMILY_ANY)
            add_address(view, hosts, two->records[i].address, found);
    }
    for (size_t i = 0; i < n_two && hosts->family != CONFIG_FAMILY_ANY; i++)
        add_address(view, hosts, two->records[i].address, found);
}

static bool is_trouble(const struct dns_answer *answer, bool wanted)
{
    return wanted && (answer->status == DNS_FAILED || answer->status == DNS_BOGUS);
}

/* RFC 7672 2.2.2 looks no further unless both answers are validated. */
static bool is_secure(const struct route_host *host)
{
    return (!host->want_v4 || host->v4.secure) && (!host->want_v6 || host->v6.secure);
}

static void note_ttl(struct route_hosts *hosts, const struct dns_answer *answer, bool wanted)
{
    if (!wanted)
        return;
    if (is_trouble(answer, wanted))
        hosts->gaps = true;
    else if (answer->ttl < hosts->ttl)
        hosts->ttl = answer->ttl;
}

/* The least preference of a host that has one of our addresses, and its name. */
static bool find_us(const struct route_mx_view *view, const struct route_hosts *hosts, uint16_t *level,
                    struct str *us)
{
    struct found found;

    for (size_t i = 0; i < hosts->n; i++) {
        collect(view, hosts, &hosts->items[i], &found);
        if (!found.ours)
            continue;
        *level = hosts->items[i].preference;
        *us = hosts->items[i].name;
        return true;
    }
    return false;
}

static void put_host(const struct route_hosts *hosts, const struct route_host *host,
                     const struct found *found, struct route_plan_address *addresses, size_t *n)
{
    for (size_t i = 0; i < found->n && *n < ROUTE_PLAN_ADDRESSES_MAX; i++)
        addresses[(*n)++] = (struct route_plan_address){
            .host = host->name,
            .address = found->items[i],
            .port = hosts->port,
            .domain = hosts->domain,
            .tls_at_once = hosts->tls_at_once,
            .preference = host->preference,
            .secure = is_secure(host),
            .by_mx = hosts->domain.n > 0 && !hosts->implicit,
            .protocol = hosts->protocol,
        };
    if (host->path.n && *n < ROUTE_PLAN_ADDRESSES_MAX)
        addresses[(*n)++] = (struct route_plan_address){
            .host = host->name, .path = host->path, .secure = true, .protocol = hosts->protocol
        };
}

static void no_address(struct route_hosts *hosts, struct arena *a, size_t refused)
{
    const struct route_host *host = &hosts->items[0];
    const char *family = host->want_v4 == host->want_v6 ? "" : host->want_v4 ? "IPv4 " : "IPv6 ";
    const char *code = refused || !hosts->implicit ? "5.4.4" : "5.1.2";
    struct str text;

    if (refused)
        text = arena_printf(a, "%.*s leads to addresses of no mail server (loopback, link-local or the like)",
                            STR_ARG(hosts->domain));
    else if (!hosts->domain.n)
        text = arena_printf(a, "the next hop %.*s has no %saddress", STR_ARG(host->name), family);
    else if (!hosts->implicit)
        /* C138: where there are MX, the domain's own addresses do not count. */
        text = arena_printf(a, "no MX host of %.*s has an %saddress", STR_ARG(hosts->domain), family);
    else
        text = arena_printf(a, "%.*s takes no mail: it has neither MX nor %saddress", STR_ARG(host->name), family);
    no_plan(hosts, ROUTE_TROUBLE_NO_MX, code, text);
}

/* Nothing was found: later, if any answer is still owed. */
static void explain(struct route_hosts *hosts, struct arena *a, size_t refused)
{
    for (size_t i = 0; i < hosts->n; i++) {
        struct route_host host = hosts->items[i];
        if (is_trouble(&host.v6, host.want_v6)) {
            dns_trouble(hosts, a, "AAAA", host.name, &host.v6);
            return;
        }
        if (is_trouble(&host.v4, host.want_v4)) {
            dns_trouble(hosts, a, "A", host.name, &host.v4);
            return;
        }
    }
    no_address(hosts, a, refused);
}

void route_mx_addresses(const struct route_mx_view *view, struct arena *a, struct route_hosts *hosts)
{
    struct route_plan_address *addresses =
        ARENA_NEW_ARRAY(a, ROUTE_PLAN_ADDRESSES_MAX, struct route_plan_address);
    size_t n = 0, refused = 0;
    uint16_t level;
    struct str us;

    if (!addresses) {
        no_plan(hosts, ROUTE_TROUBLE_DNS, "4.3.0", STR_NONE);
        return;
    }
    for (size_t i = 0; i < hosts->n; i++) {
        note_ttl(hosts, &hosts->items[i].v4, hosts->items[i].want_v4);
        note_ttl(hosts, &hosts->items[i].v6, hosts->items[i].want_v6);
    }
    if (find_us(view, hosts, &level, &us)) {
        while (hosts->n && hosts->items[hosts->n - 1].preference >= level)
            hosts->n--;
        if (!hosts->n) {
            loops(hosts, a, us);
            return;
        }
    }
    for (size_t i = 0; i < hosts->n; i++) {
        struct found found;
        collect(view, hosts, &hosts->items[i], &found);
        put_host(hosts, &hosts->items[i], &found, addresses, &n);
        refused += found.refused;
    }
    hosts->addresses = addresses;
    hosts->n_addresses = n;
    if (!n)
        explain(hosts, a, refused);
}

/* ---- the plan ---- */

static uint64_t keep_of(uint32_t ttl)
{
    uint64_t msec = (uint64_t)ttl * 1000;

    return msec < ROUTE_KEEP_LEAST_MSEC ? ROUTE_KEEP_LEAST_MSEC
           : msec > ROUTE_KEEP_MOST_MSEC ? ROUTE_KEEP_MOST_MSEC
                                         : msec;
}

static struct route_no_plan worst(const struct route_hosts *targets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (targets[i].why.trouble == ROUTE_TROUBLE_DNS)
            return targets[i].why;
    return targets[0].why;
}

/* A plan in the making. */
struct joined {
    struct route_plan_address *all;
    size_t n;
    uint8_t groups;
    bool secure;
    uint32_t ttl;
};

/* Until there are MOST of them. */
static void add_target(struct joined *j, const struct route_hosts *t, bool fallback, size_t most)
{
    j->ttl = t->gaps ? 0 : t->ttl < j->ttl ? t->ttl : j->ttl;
    if (!j->all || !t->n_addresses || j->n >= most)
        return;
    j->secure = j->secure && t->secure;
    for (size_t i = 0; i < t->n_addresses && j->n < most; i++) {
        j->all[j->n] = t->addresses[i];
        j->all[j->n].fallback = fallback;
        j->all[j->n++].group = j->groups;
    }
    j->groups++;
}

/* Who takes no mail does not want it by another way, and what would come back to us would come back by that, too. */
static bool may_fall_back(const struct route_targets *targets)
{
    enum route_trouble trouble = worst(targets->items, targets->n).trouble;

    return trouble != ROUTE_TROUBLE_NULL_MX && trouble != ROUTE_TROUBLE_LOOP;
}

bool route_mx_join(const struct route_targets *targets, struct arena *a, struct route_plan *plan,
                   uint64_t *keep_msec, struct route_no_plan *why)
{
    struct joined j = { .all = ARENA_NEW_ARRAY(a, ROUTE_PLAN_ADDRESSES_MAX, struct route_plan_address),
                        .secure = true, .ttl = UINT32_MAX };
    size_t n = targets->n, of_fallback = 0;

    BUG_ON(!n);
    for (size_t i = 0; i < targets->n_fallback; i++)
        of_fallback += targets->items[n + i].n_addresses;
    for (size_t i = 0; i < n; i++)
        add_target(&j, &targets->items[i], false,
                   ROUTE_PLAN_ADDRESSES_MAX - size_min(of_fallback, ROUTE_MX_ADDRESSES_MAX));
    if (j.n || may_fall_back(targets))
        for (; n < targets->n + targets->n_fallback; n++)
            add_target(&j, &targets->items[n], true, ROUTE_PLAN_ADDRESSES_MAX);
    *keep_msec = keep_of(j.ttl);
    if (j.n) {
        *plan = (struct route_plan){ .secure = j.secure, .addresses = j.all, .n = j.n };
        return true;
    }
    *why = j.all ? worst(targets->items, n)
                 : (struct route_no_plan){ ROUTE_TROUBLE_DNS, STR("4.3.0"), STR("out of memory") };
    return false;
}
