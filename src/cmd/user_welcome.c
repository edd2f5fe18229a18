/* cmd/user_welcome.c -- what a new account receives, may send, and how its owner's program is set up (FACE 2.3). */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/user.h"
#include "table/read.h"

enum { LINE_MAX_OCTETS = 64 << 10, SHOWN_MAX = 8 };

/* ---- its addresses ---- */

static bool leads_here(const struct user *u, const struct route_aliases *aliases, const struct route_alias *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        struct route_target t = route_alias_target(aliases, entry, i);
        bool ours = !t.domain.n || str_eq(t.domain, u->name.domain);
        if ((t.kind == ROUTE_TARGET_ADDRESS || t.kind == ROUTE_TARGET_MAILBOX) && ours &&
            str_eq_nocase(t.text, u->name.local))
            return true;
    }
    return false;
}

/* Names that lead to it at once; *n counts all of them. */
static void add_aliases(const struct user *u, const struct route_aliases *aliases, struct buf *out, size_t *n)
{
    for (size_t i = 0; i < route_aliases_count(aliases); i++) {
        const struct route_alias *entry = route_aliases_entry(aliases, i);
        struct str local, domain;
        route_alias_key(aliases, entry, &local, &domain);
        if (!local.n || (domain.n && !str_eq(domain, u->name.domain)) || !leads_here(u, aliases, entry))
            continue;
        if (++*n <= SHOWN_MAX)
            buf_printf(out, ", %.*s@%.*s", STR_ARG(local), STR_ARG(u->name.domain));
    }
}

static void put_addresses(const struct user *u, struct buf *out)
{
    size_t n = 0;

    buf_printf(out, "  receives    %.*s", STR_ARG(u->account));
    for (size_t i = 0; i < u->block->n_aliases; i++) {
        struct err err = { 0 };
        char *path = arena_cstr(u->settings.arena, u->block->aliases[i].text);
        struct route_table *table = path ? table_read_path(path, ROUTE_FORM_ALIASES, &err) : NULL;
        if (table)
            add_aliases(u, &table->aliases, out, &n);
        table_free(table);
    }
    if (n > SHOWN_MAX)
        buf_printf(out, " and %zu more", n - SHOWN_MAX);
    buf_add_char(out, '\n');
}

/* ---- its mailbox ---- */

static void put_mailbox(const struct user *u, struct buf *out)
{
    const struct config_target *target = u->block->route->targets;
    struct config_values values = { .v[CONFIG_PLACEHOLDER_USER] = u->name.local,
                                    .v[CONFIG_PLACEHOLDER_DOMAIN] = u->name.domain };
    struct buf path = BUF_INIT(CMD_PATH_MAX);
    struct err err = { 0 };

    if ((target->kind == CONFIG_TARGET_MAILDIR || target->kind == CONFIG_TARGET_MBOX) &&
        config_template_expand(&target->path, &values, CONFIG_EXPAND_PATH, &path, &err) && buf_add_char(&path, '\0'))
        buf_printf(out, "  mailbox     %s%s\n", path.p,
                   access(path.p, F_OK) == 0 ? ", which is there" : ", made with the first message");
    buf_done(&path);
}

/* ---- what it may send ---- */

static const struct config_limit *bound_of(const struct config *c)
{
    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_limits *limits = &c->listeners[i].session.limits;
        for (size_t k = 0; k < limits->n && c->listeners[i].role == CONFIG_ROLE_SUBMISSION; k++) {
            const struct config_limit *l = limits->items[k];
            if (l->key == CONFIG_LIMIT_ACCOUNT && l->measure == CONFIG_MEASURE_RECIPIENTS && l->bound)
                return l;
        }
    }
    return NULL;
}

static void put_bound(const struct config_limit *limit, struct buf *out)
{
    static const struct {
        uint64_t msec;
        const char *words;
    } spans[] = { { 1000, "a second" }, { 60000, "a minute" }, { 3600000, "an hour" }, { 86400000, "a day" } };

    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
        if (limit->msec == spans[i].msec) {
            buf_printf(out, ", to %" PRIu64 " recipients %s", limit->bound, spans[i].words);
            return;
        }
    buf_printf(out, ", to %.*s recipients", STR_ARG(limit->written));
}

static void put_sending(const struct user *u, struct buf *out)
{
    static const char *const grants[] = {
        [CONFIG_SEND_AS_OWN] = "from these",
        [CONFIG_SEND_AS_ANY] = "from any address",
        [CONFIG_SEND_AS_FILE] = "from these and what send-as grants",
    };
    const struct config_limit *limit = bound_of(u->settings.config);

    buf_printf(out, "  may send    %s", grants[u->block->send_as.kind]);
    if (limit)
        put_bound(limit, out);
    buf_add_char(out, '\n');
}

/* ---- its owner's program ---- */

static void put_ports(const struct user *u, struct buf *out)
{
    const struct config *c = u->settings.config;
    const char *before = NULL;

    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];
        for (size_t k = 0; k < l->n_endpoints && l->role == CONFIG_ROLE_SUBMISSION; k++) {
            if (l->endpoints[k].kind != CONFIG_ENDPOINT_PORT && l->endpoints[k].kind != CONFIG_ENDPOINT_ADDRESS)
                continue;
            if (!before)
                buf_printf(out, "  set up      %.*s, port ", STR_ARG(l->session.hostname.text));
            buf_printf(out, "%s%u %s", before ? before : "", l->endpoints[k].port,
                       l->tls_at_once ? "TLS" : "STARTTLS");
            before = " or ";
        }
    }
    if (before)
        buf_printf(out, ", name %.*s\n", STR_ARG(u->account));
}

void user_welcome(const struct user *u, bool yescrypt)
{
    struct buf out = BUF_INIT(LINE_MAX_OCTETS);

    buf_printf(&out, "%.*s is in %.*s (%s, SCRAM-SHA-256) and works at once\n", STR_ARG(u->account), STR_ARG(u->path),
               yescrypt ? "yescrypt" : "crypt");
    put_addresses(u, &out);
    put_mailbox(u, &out);
    put_sending(u, &out);
    put_ports(u, &out);
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}
