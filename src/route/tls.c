/* route/tls.c */
#include "route/tls.h"

bool route_tls_is_of_domain(const struct config_sending *s)
{
    return !s->tls.n_names && (s->tls.level == CONFIG_TLS_SECURE || (s->tls.level == CONFIG_TLS_VERIFY && s->login));
}

/* A literal stands in brackets in a plan, and without in a configuration. */
static bool is_host(struct str said, struct str host)
{
    bool literal = str_starts(said, STR("[")) && str_ends(said, STR("]"));

    return str_eq(literal ? str_slice(said, 1, said.n - 1) : said, host);
}

bool route_tls_target_leads_to(const struct config_target *t, const struct route_plan_address *a, struct str domain)
{
    switch (t->kind) {
    case CONFIG_TARGET_MX:
        return a->domain.n && !a->path.n && str_eq(a->domain, t->host.n ? t->host : domain);
    case CONFIG_TARGET_SMTP:
    case CONFIG_TARGET_LMTP:
        return !a->domain.n && !a->path.n && is_host(a->host, t->host);
    case CONFIG_TARGET_LMTP_UNIX:
        return str_eq(a->path, t->host);
    default:
        return false;
    }
}

bool route_tls_leads_to(const struct config_route *r, const struct route_plan_address *a, struct str domain)
{
    const struct config_target *targets = a->fallback ? r->fallback : r->targets;
    size_t n = a->fallback ? r->n_fallback : r->n_targets;

    for (size_t i = 0; i < n; i++)
        if (route_tls_target_leads_to(&targets[i], a, domain))
            return true;
    return false;
}

static bool is_below(struct str host, struct str domain)
{
    return host.n > domain.n + 1 && str_ends(host, domain) && host.p[host.n - domain.n - 1] == '.';
}

static void add(struct route_tls_names *out, struct str name)
{
    if (name.n && !str_starts(name, STR("[")))
        out->own[out->n++] = name;
}

void route_tls_names(const struct config_sending *s, const struct route_plan_address *a, struct route_tls_names *out)
{
    *out = (struct route_tls_names){ .items = s->tls.names, .n = s->tls.n_names };
    if (out->n)
        return;
    out->items = out->own;
    if (!a->domain.n || !route_tls_is_of_domain(s)) {
        add(out, a->host);
        return;
    }
    add(out, a->domain);
    if (is_below(a->host, a->domain))
        add(out, a->host);
}
