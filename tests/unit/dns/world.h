/* tests/unit/dns/world.h -- a loop, a scripted server, and a resolver that asks no other. */
#ifndef TESTS_DNS_WORLD_H
#define TESTS_DNS_WORLD_H

#include "dns/resolver.h"
#include "tests/unit/dns/server.h"

struct dns_world {
    struct io_loop *loop;
    struct dns_server *server;
    struct config_endpoint endpoint; /* where the server is */
    struct config_resolver resolver;
    char anchor[64]; /* a file with an anchor far away from what tests ask: to all the rest it says nothing */
    struct dns_settings settings;
};

void dns_world_open(struct dns_world *w, const struct dns_script *script, size_t n);
void dns_world_close(struct dns_world *w);

#endif
