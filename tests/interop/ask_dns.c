/*
 * ask-dns PORT ANCHOR NAME TYPE … -- asks the server at 127.0.0.1 as the resolve process would, trusting ANCHOR, and
 * prints a line for each question: status, security, number of records, error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "dns/resolver.h"

enum { ARENA_MAX = 1 << 20, TIMEOUT_MSEC = 20000 };

struct asking {
    struct io_loop *loop;
    struct dns_query query;
};

static void on_answered(struct dns_query *q)
{
    io_loop_stop(CONTAINER_OF(q, struct asking, query)->loop);
}

static enum dns_type type_of(const char *name)
{
    return strcmp(name, "MX") == 0 ? DNS_MX : strcmp(name, "AAAA") == 0 ? DNS_AAAA : DNS_A;
}

static void ask(struct asking *a, struct dns_resolver *resolver, const char *name, const char *type)
{
    static const char *const words[] = { "found", "no-data", "no-name", "failed", "bogus" };
    struct arena *arena = arena_new(ARENA_MAX);
    const struct dns_answer *got = &a->query.answer;
    struct err err = { 0 };

    BUG_ON(!arena);
    dns_query_ask(&a->query, resolver, str_from_c(name), type_of(type), arena, on_answered);
    BUG_ON(!io_loop_run(a->loop, &err));
    printf("%s %s %zu %.*s\n", words[got->status], got->secure ? "secure" : "insecure", got->n, STR_ARG(got->error));
    dns_query_done(&a->query);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    struct config_endpoint server = { .kind = CONFIG_ENDPOINT_ADDRESS, .address = { IP_V4, { 127, 0, 0, 1 } } };
    const struct config_resolver resolver = { .kind = CONFIG_RESOLVER_SERVERS, .servers = &server, .n_servers = 1 };
    struct err err = { 0 };
    struct asking a = { .loop = io_loop_new(&err) };
    struct dns_resolver *r = NULL;
    uint64_t port;

    if (argc > 2 && a.loop && num_parse_u64(str_from_c(argv[1]), UINT16_MAX, &port)) {
        server.port = (uint16_t)port;
        r = dns_resolver_new(a.loop, &(struct dns_settings){ .resolvers = &resolver, .n_resolvers = 1,
                                                             .trust_anchor = str_from_c(argv[2]),
                                                             .timeout_msec = TIMEOUT_MSEC },
                             &err);
    }
    if (!r) {
        fprintf(stderr, "ask-dns: %s\n", err.text[0] ? err.text : "ask-dns PORT ANCHOR NAME TYPE ...");
        return EXIT_FAILURE;
    }
    for (int i = 3; i + 1 < argc; i += 2)
        ask(&a, r, argv[i], argv[i + 1]);
    dns_resolver_free(r);
    io_loop_free(a.loop);
    return EXIT_SUCCESS;
}
