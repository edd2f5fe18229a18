/* config/config.c -- questions to a finished configuration. */
#include "config/config.h"

bool config_networks_have(const struct config_networks *nets, const struct ip *address,
                          struct config_place *place)
{
    struct config_place found = nets->place;
    bool has = nets->everyone;

    for (size_t i = 0; i < nets->n && !has; i++)
        if (ip_in_network(address, &nets->items[i])) {
            has = true;
            found = nets->places[i];
        }
    if (place)
        *place = found;
    return has;
}

static bool is_mx_of_recipient(const struct config_target *t)
{
    return t->kind == CONFIG_TARGET_MX && !t->host.n;
}

bool config_route_needs_domain(const struct config_route *r)
{
    for (size_t i = 0; i < r->n_targets; i++)
        if (is_mx_of_recipient(&r->targets[i]))
            return true;
    for (size_t i = 0; i < r->n_fallback; i++)
        if (is_mx_of_recipient(&r->fallback[i]))
            return true;
    return false;
}

struct config_place_text config_rule(const struct config *c, struct config_place place)
{
    return config_place_text(&c->files, place);
}

void config_sending_merge(const struct config_sending *route, const struct config_sending *site,
                          struct config_sending *out)
{
    unsigned from_site = site ? site->said & ~route->said : 0;

    *out = *route;
    if (from_site & CONFIG_SAID_ADDRESS_FAMILY)
        out->address_family = site->address_family;
    if (from_site & CONFIG_SAID_CONNECTIONS)
        out->connections = site->connections;
    if (from_site & CONFIG_SAID_RATE)
        out->rate = site->rate;
    if (from_site & CONFIG_SAID_REUSE)
        out->reuse = site->reuse;
    if (from_site & CONFIG_SAID_RECIPIENTS_PER_TRANSACTION)
        out->recipients_per_transaction = site->recipients_per_transaction;
    if (from_site & CONFIG_SAID_DEAD_HOST)
        out->dead_host = site->dead_host;
    if (from_site & CONFIG_SAID_ON_REPLY)
        out->on_replies = site->on_replies;
    if (from_site & CONFIG_SAID_RETRY)
        out->retry = site->retry;
    if (from_site & CONFIG_SAID_EXPIRE)
        out->expire = site->expire;
    if (route->login && site && site->tls.level < CONFIG_TLS_VERIFY)
        from_site &= ~(unsigned)CONFIG_SAID_TLS_LEVEL;
    if (from_site & CONFIG_SAID_TLS_LEVEL)
        out->tls = site->tls;
    if (from_site & CONFIG_SAID_TIMEOUT_CONNECT)
        out->timeout_connect = site->timeout_connect;
    if (from_site & CONFIG_SAID_TIMEOUT_GREETING)
        out->timeout_greeting = site->timeout_greeting;
    if (from_site & CONFIG_SAID_TIMEOUT_EHLO)
        out->timeout_ehlo = site->timeout_ehlo;
    if (from_site & CONFIG_SAID_TIMEOUT_MAIL)
        out->timeout_mail = site->timeout_mail;
    if (from_site & CONFIG_SAID_TIMEOUT_RCPT)
        out->timeout_rcpt = site->timeout_rcpt;
    if (from_site & CONFIG_SAID_TIMEOUT_DATA)
        out->timeout_data = site->timeout_data;
    if (from_site & CONFIG_SAID_TIMEOUT_BLOCK)
        out->timeout_block = site->timeout_block;
    if (from_site & CONFIG_SAID_TIMEOUT_FINAL)
        out->timeout_final = site->timeout_final;
    if (from_site & CONFIG_SAID_TIMEOUT_QUIT)
        out->timeout_quit = site->timeout_quit;
    out->said = route->said | from_site;
}
