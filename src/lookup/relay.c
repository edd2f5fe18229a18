/* lookup/relay.c -- who may send anywhere (RFC 5321 3.6.2, 7.9; 2505 2.1): a matter of where one connects
 * from. */
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

enum lookup_relay lookup_relays(const struct lookup *l, struct str client, uint32_t listener,
                                struct config_place *place)
{
    const struct config_session *session = lookup_session_of(l, listener);
    struct ip ip = policy_client_of(client);
    enum lookup_relay found;

    *place = CONFIG_PLACE_DEFAULT;
    /* The kernel says who runs sendmail(1): a user of this machine. */
    if (listener == IPC_NO_LISTENER)
        return LOOKUP_RELAY;
    /* Whoever comes by a unix socket has no address that relay-from could name. */
    if (ip.family == IP_NONE)
        return LOOKUP_NO_RELAY;
    if (config_networks_have(&session->relay_from, &ip, place))
        return LOOKUP_RELAY;
    found = in_tables(l, session, &ip, place);
    if (found == LOOKUP_NO_RELAY)
        *place = session->relay_from.place;
    return found;
}
