/* tests/unit/dns/world.c -- the parts put together. */
#include "tests/unit/unit.h"

#include "tests/unit/dns/world.h"

#include <stdio.h>
#include <unistd.h>

enum { TIMEOUT_MSEC = 20000 };

static const char far_away[] = "elsewhere.example. IN DS 1 8 2 "
                               "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";

void dns_world_open(struct dns_world *w, const struct dns_script *script, size_t n)
{
    struct err err = { 0 };
    int fd;

    *w = (struct dns_world){ 0 };
    w->loop = io_loop_new(&err);
    assert_non_null(w->loop);
    w->server = dns_server_new(w->loop, script, n);
    snprintf(w->anchor, sizeof(w->anchor), "/tmp/veredus-anchor-XXXXXX");
    fd = mkstemp(w->anchor);
    assert_true(fd >= 0 && write(fd, far_away, sizeof(far_away) - 1) == (ssize_t)sizeof(far_away) - 1);
    close(fd);
    w->endpoint = (struct config_endpoint){ .kind = CONFIG_ENDPOINT_ADDRESS,
                                            .address = { IP_V4, { 127, 0, 0, 1 } },
                                            .port = dns_server_port(w->server) };
    w->resolver =
        (struct config_resolver){ .kind = CONFIG_RESOLVER_SERVERS, .servers = &w->endpoint, .n_servers = 1 };
    w->settings = (struct dns_settings){
        .resolvers = &w->resolver,
        .n_resolvers = 1,
        .trust_anchor = str_from_c(w->anchor),
        .timeout_msec = TIMEOUT_MSEC,
    };
}

void dns_world_close(struct dns_world *w)
{
    unlink(w->anchor);
    dns_server_free(w->server);
    io_loop_free(w->loop);
}
