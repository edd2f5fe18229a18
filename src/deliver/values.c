/* deliver/values.c -- from a lease to the values of placeholders. */
#include "deliver/values.h"

#include <string.h>

static struct ip_text client_text(struct str octets)
{
    struct ip ip = { .family = IP_NONE };

    if (octets.n == sizeof(ip.octets)) {
        ip.family = IP_V6;
        memcpy(ip.octets, octets.p, octets.n);
        ip = ip_unmap(ip);
    }
    return ip_text(&ip);
}

struct config_values deliver_values(const struct config *config, const struct ipc_lease *lease, struct str home,
                                    struct deliver_texts *texts)
{
    struct config_values v = { 0 };

    texts->id = queue_id_text((struct queue_id){ lease->id });
    texts->client = client_text(lease->client);
    v.v[CONFIG_PLACEHOLDER_USER] = lease->user;
    v.v[CONFIG_PLACEHOLDER_DETAIL] = lease->detail;
    v.v[CONFIG_PLACEHOLDER_DOMAIN] = lease->domain;
    v.v[CONFIG_PLACEHOLDER_ADDRESS] = lease->address;
    v.v[CONFIG_PLACEHOLDER_ORIGINAL] = lease->original;
    v.v[CONFIG_PLACEHOLDER_RECIPIENTS] = lease->address; /* a lease is one recipient */
    v.v[CONFIG_PLACEHOLDER_SENDER] = lease->sender;
    v.v[CONFIG_PLACEHOLDER_CLIENT] = str_from_c(texts->client.c);
    v.v[CONFIG_PLACEHOLDER_ID] = str_from_c(texts->id.c);
    v.v[CONFIG_PLACEHOLDER_HOSTNAME] = config->session.hostname.text;
    v.v[CONFIG_PLACEHOLDER_HOME] = home;
    return v;
}
