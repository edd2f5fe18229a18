/* route/users.c */
#include "route/users.h"

enum { FIELD_NAME = 0, FIELD_UID = 2 };

static bool has_blank(struct str s)
{
    return str_has(s, ' ') || str_has(s, '\t');
}

static bool is_comment(struct str name)
{
    return name.n && name.p[0] == '#';
}

static bool is_person(const struct route_users_parser *p)
{
    return p->has_uid && p->uid >= ROUTE_UID_FIRST && p->uid <= ROUTE_UID_LAST;
}

static enum route_users_line wrong(struct route_users_name *out, const char *why)
{
    out->wrong = why;
    return ROUTE_USERS_WRONG;
}

enum route_users_line route_users_name(struct str name, bool alone, struct arena *a, struct route_users_name *out)
{
    struct str trimmed = str_trim(name);
    size_t at = str_rfind(trimmed, '@');

    *out = (struct route_users_name){ .local = str_head(trimmed, at) };
    if ((!trimmed.n && alone) || is_comment(trimmed))
        return ROUTE_USERS_NOBODY;
    if (!trimmed.n)
        return wrong(out, "no name before the colon");
    if (has_blank(trimmed))
        return wrong(out, "a blank in a name");
    /* "name@domain" counts in that domain only. */
    if (at < trimmed.n && !route_domain_normal(a, str_skip(trimmed, at + 1), &out->domain))
        return wrong(out, "what follows the @ is no domain");
    if (!route_local_is_sane(out->local))
        return wrong(out, "no name of a mailbox");
    return ROUTE_USERS_SOMEBODY;
}

static void add(struct route_users_parser *p, struct str local, struct str domain)
{
    if (route_names_add(p->names, local, domain) == ROUTE_NAMES_FULL)
        p->full = true;
}

/* /etc/passwd: names of people, as they stand. */
static void add_person(struct route_users_parser *p, struct str name)
{
    if (is_comment(name) || !is_person(p))
        return;
    if (has_blank(name) || !route_local_is_sane(name))
        route_fault_add(p->faults, p->line, name, "no name of a mailbox");
    else
        add(p, name, STR_NONE);
}

static void add_somebody(struct route_users_parser *p, struct str name)
{
    struct arena *a = arena_new(4096);
    struct route_users_name who;
    enum route_users_line line;

    if (!a) {
        p->full = true;
        return;
    }
    line = route_users_name(name, p->field == FIELD_NAME, a, &who);
    if (line == ROUTE_USERS_SOMEBODY)
        add(p, who.local, who.domain);
    else if (line == ROUTE_USERS_WRONG)
        route_fault_add(p->faults, p->line, name, who.wrong);
    arena_free(a);
}

static void add_line(struct route_users_parser *p)
{
    struct str name = str_trim(str_of(p->name, p->n));

    if (p->too_long && !is_comment(name))
        route_fault_add(p->faults, p->line, name, "the name is too long");
    else if (p->system)
        add_person(p, name);
    else if (!p->too_long)
        add_somebody(p, name);
}

static void begin_line(struct route_users_parser *p)
{
    p->line++;
    p->n = 0;
    p->field = FIELD_NAME;
    p->uid = 0;
    p->has_uid = p->too_long = false;
}

static void take_name(struct route_users_parser *p, char c)
{
    if (p->n < sizeof(p->name))
        p->name[p->n++] = c;
    else
        p->too_long = true;
}

static void take_uid(struct route_users_parser *p, char c)
{
    bool ok = ascii_is_digit(c) && p->uid <= UINT32_MAX;

    p->uid = ok ? p->uid * 10 + (uint64_t)(c - '0') : UINT64_MAX;
    p->has_uid = true;
}

static void take(struct route_users_parser *p, char c)
{
    if (c == '\n') {
        add_line(p);
        begin_line(p);
    } else if (c == ':') {
        p->field++;
    } else if (p->field == FIELD_NAME) {
        take_name(p, c);
    } else if (p->field == FIELD_UID && p->system) {
        take_uid(p, c);
    }
}

void route_users_begin(struct route_users_parser *p, struct route_names *names, struct route_faults *faults,
                       bool system)
{
    *p = (struct route_users_parser){ .names = names, .faults = faults, .system = system, .line = 1 };
}

bool route_users_feed(struct route_users_parser *p, struct str octets)
{
    while (octets.n && !p->full) {
        /* Behind the name a line holds nothing for us: over it in one step. */
        size_t skip = p->field == FIELD_NAME || p->system ? 0 : str_find(octets, '\n');
        octets = str_skip(octets, skip);
        if (octets.n) {
            take(p, octets.p[0]);
            octets = str_skip(octets, 1);
        }
    }
    return !p->full;
}

bool route_users_end(struct route_users_parser *p)
{
    if (!p->full && (p->n || p->field != FIELD_NAME))
        add_line(p);
    return !p->full;
}
