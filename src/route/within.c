/* route/within.c -- could a plan that somebody else brings have come of this route? Pure. */
#include "route/mx.h"
#include "route/tls.h"

static bool is_smtp(const struct route_plan_address *a)
{
    return a->protocol == ROUTE_PLAN_SMTP;
}

/* What DNS could have said of a target that it is asked for. */
static bool could_be_mx(const struct config_target *t, const struct route_plan_address *a, uint16_t port)
{
    return is_smtp(a) && !a->tls_at_once && a->port == (t->port ? t->port : port) && !route_mx_is_nowhere(a->address);
}

static bool could_be_host(const struct config_target *t, const struct route_plan_address *a, uint16_t port)
{
    struct ip literal;

    return is_smtp(a) == (t->kind == CONFIG_TARGET_SMTP) && a->tls_at_once == t->tls_at_once &&
           a->port == route_mx_port(t, port) && (!ip_parse(t->host, &literal) || ip_eq(&literal, &a->address));
}

static bool could_be(const struct config_target *t, const struct route_plan_address *a, struct str domain,
                     uint16_t port)
{
    if (!route_tls_target_leads_to(t, a, domain))
        return false;
    switch (t->kind) {
    case CONFIG_TARGET_MX:
        return could_be_mx(t, a, port);
    case CONFIG_TARGET_SMTP:
    case CONFIG_TARGET_LMTP:
        return could_be_host(t, a, port);
    default:
        return !is_smtp(a);
    }
}

bool route_is_within(const struct config_route *r, const struct route_plan_address *a, struct str domain)
{
    const struct config_target *targets = a->fallback ? r->fallback : r->targets;
    size_t n = a->fallback ? r->n_fallback : r->n_targets;

    for (size_t i = 0; i < n; i++)
        if (could_be(&targets[i], a, domain, (uint16_t)r->sending.port.n))
            return true;
    return false;
}
