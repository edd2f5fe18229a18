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

struct config_place_text config_rule(const struct config *c, struct config_place place)
{
    return config_place_text(&c->files, place);
}
