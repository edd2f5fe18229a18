/* lookup/lookup.c -- what the answers stand on: configuration, tables, counters, our own addresses. */
#include "lookup/lookup.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lookup/rates.h"

enum { ARENA_MAX = 256 << 20 };

static bool ip_of(const struct sockaddr *sa, struct ip *out)
{
    *out = (struct ip){ 0 };
    if (sa && sa->sa_family == AF_INET) {
        out->family = IP_V4;
        memcpy(out->octets, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    } else if (sa && sa->sa_family == AF_INET6) {
        out->family = IP_V6;
        memcpy(out->octets, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    }
    return out->family != IP_NONE;
}

/* Where the configuration names none, those of the interfaces: asked once, before the sandbox. */
static void find_own(struct lookup *l)
{
    struct ifaddrs *all;

    l->view.own = l->config->public_address.items;
    l->view.n_own = l->config->public_address.n;
    if (l->view.n_own || getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *i = all; i && l->view.n_own < LOOKUP_OWN_MAX; i = i->ifa_next)
        l->view.n_own += ip_of(i->ifa_addr, &l->own[l->view.n_own]);
    l->view.own = l->own;
    freeifaddrs(all);
}

static bool make_state(struct lookup *l, struct err *err)
{
    uint64_t seeds[4];

    if (getrandom(seeds, sizeof(seeds), 0) != sizeof(seeds))
        return err_sys(err, errno, "getrandom");
    lookup_verified_init(&l->verified, seeds[2], LOOKUP_VERIFIED_MAX);
    lookup_guesses_init(&l->guesses, seeds[3]);
    l->counters.rates = lookup_rates_new(err);
    if (!l->counters.rates)
        return false;
    l->arena = arena_new(ARENA_MAX);
    if (l->arena)
        l->counters.open = policy_open_new(l->arena, seeds);
    if (l->counters.open)
        l->view.routes = route_index_new(l->arena, l->config);
    return l->view.routes || err_temp(err, "out of memory");
}

struct lookup *lookup_new(struct io_loop *loop, const struct config *config, uint32_t generation,
                          void (*want)(struct lookup_tables *t, struct str path), struct err *err)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (!l) {
        err_temp(err, "out of memory");
        return NULL;
    }
    l->config = config;
    l->generation = generation;
    l->octets = BUF_INIT(LOOKUP_ANSWER_MAX);
    l->logins = LOOKUP_LOGINS_INIT;
    l->view = (struct route_view){ .config = config, .table = lookup_tables_get, .ctx = &l->tables };
    list_init(&l->peers);
    if (make_state(l, err) && lookup_tables_init(&l->tables, loop, config, want, err)) {
        find_own(l);
        return l;
    }
    lookup_rates_free(l->counters.rates);
    arena_free(l->arena);
    free(l);
    return NULL;
}

void lookup_share_rates(struct lookup *l, int fd)
{
    struct policy_rates *shared = lookup_rates_map(fd);

    if (!shared)
        return;
    lookup_rates_free(l->counters.rates);
    l->counters.rates = shared;
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    lookup_tables_done(&l->tables);
    lookup_verified_done(&l->verified);
    lookup_logins_done(&l->logins);
    lookup_guesses_done(&l->guesses);
    lookup_rates_free(l->counters.rates);
    buf_done(&l->octets);
    arena_free(l->arena);
    free(l);
}
