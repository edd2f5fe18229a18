/* lookup/relay.c -- who may send anywhere (RFC 5321 3.6.2, 7.9; 2505 2.1): from where one connects, or who one is. */
#include "lookup/verdict.h"

#include "route/clients.h"

/* A nonsense number is the configuration's own: mail that comes by no listener. */
const struct config_session *lookup_session_of(const struct lookup *l, uint32_t listener)
{
    return listener < l->config->n_listeners ? &l->config->listeners[listener].session : &l->config->session;
}

struct str lookup_listener_name(const struct lookup *l, uint32_t listener)
{
    return listener < l->config->n_listeners ? l->config->listeners[listener].name.text : STR_NONE;
}

static enum lookup_relay in_tables(const struct lookup *l, const struct config_session *session,
                                   const struct ip *client, struct config_place *place)
{
    for (size_t i = 0; i < session->n_relay_tables; i++) {
        const struct config_text *path = &session->relay_tables[i];
        const struct route_table *table = l->view.table(l->view.ctx, ROUTE_FORM_CLIENTS, path->text);
        *place = path->place;
        if (!table)
            return LOOKUP_RELAY_UNSURE;
        if (route_clients_have(&table->names, client))
            return LOOKUP_RELAY;
    }
    return LOOKUP_NO_RELAY;
}

/* CERTIFICATE: the hash of a client's certificate and that of its key; either may be written. */
static bool has_certificate(const struct config_session *session, struct str certificate, struct config_place *place)
{
    struct str whole = str_head(certificate, certificate.n / 2), key = str_skip(certificate, certificate.n / 2);

    for (size_t i = 0; certificate.n && i < session->n_relay_certificates; i++) {
        const struct config_text *hash = &session->relay_certificates[i];
        if (!str_eq(hash->text, whole) && !str_eq(hash->text, key))
            continue;
        *place = hash->place;
        return true;
    }
    return false;
}

static enum lookup_relay relays_by_client(const struct lookup *l, const struct lookup_who *who,
                                          struct config_place *place)
{
    const struct config_session *session = lookup_session_of(l, who->listener);
    struct ip ip = policy_client_of(who->client);

    /* The kernel says who runs sendmail(1): a user of this machine. */
    if (who->listener == IPC_NO_LISTENER)
        return LOOKUP_RELAY;
    if (has_certificate(session, who->certificate, place))
        return LOOKUP_RELAY;
    /* Whoever comes by a unix socket has no address that relay-from could name. */
    if (ip.family == IP_NONE)
        return LOOKUP_NO_RELAY;
    if (config_networks_have(&session->relay_from, &ip, place))
        return LOOKUP_RELAY;
    return in_tables(l, session, &ip, place);
}

enum lookup_relay lookup_relays(const struct lookup *l, const struct lookup_who *who, struct config_place *place)
{
    const struct config_session *session = lookup_session_of(l, who->listener);

    *place = CONFIG_PLACE_DEFAULT;
    enum lookup_relay found = relays_by_client(l, who, place);
    if (found == LOOKUP_RELAY)
        return found;
    if (who->account.n) {
        *place = session->auth.place;
        return LOOKUP_RELAY_ACCOUNT;
    }
    if (found == LOOKUP_NO_RELAY && policy_client_of(who->client).family != IP_NONE)
        *place = session->relay_from.place;
    return found;
}
