/* route/tls.c */
#include "route/tls.h"

bool route_tls_is_of_domain(const struct config_sending *s)
{
    return !s->tls.n_names && (s->tls.level == CONFIG_TLS_SECURE || (s->tls.level == CONFIG_TLS_VERIFY && s->login));
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
