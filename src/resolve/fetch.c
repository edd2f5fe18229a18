/* resolve/fetch.c -- the addresses of a URL's host first, then the request. */
#include "resolve/fetch.h"

#include <stdlib.h>
#include <string.h>

enum { FETCH_ARENA_MAX = 1 << 20, ASKED_FAMILIES = 2 };

struct fetch {
    struct list node; /* of fetcher.fetches */
    struct fetcher *fetcher;
    struct ipc_channel *from;
    uint64_t ticket;
    struct arena *arena;
    struct http_ask ask; /* texts in ARENA */
    struct ip addresses[HTTP_ADDRESSES_MAX];
    struct dns_query queries[ASKED_FAMILIES]; /* AAAA, A */
    unsigned pending;                         /* of them */
    struct http_request request;
    struct io_task begins; /* nothing has to be asked of the DNS */
};

/* ---- what may be fetched ---- */

static bool is_url(struct str s)
{
    return str_starts(s, STR("https://")) || str_starts(s, STR("http://"));
}

bool fetcher_is_wanted(const struct config *config)
{
    for (size_t i = 0; i < config->n_oauths; i++)
        if (is_url(config->oauths[i].keys) || config->oauths[i].introspection.n)
            return true;
    return false;
}

/* auth chooses among what the administrator wrote, and asks for nothing else. */
static bool is_configured(const struct config *config, struct str url)
{
    for (size_t i = 0; i < config->n_oauths; i++)
        if (str_eq(config->oauths[i].introspection, url) || (is_url(url) && str_eq(config->oauths[i].keys, url)))
            return true;
    return false;
}

/* ---- the end of one ---- */

/* A token or a secret may be in it. */
static void wipe(struct str s)
{
    if (s.n)
        explicit_bzero((char *)(uintptr_t)s.p, s.n);
}

static void fetch_free(struct fetch *f)
{
    io_task_done(&f->begins);
    for (size_t i = 0; i < ASKED_FAMILIES; i++)
        if (f->queries[i].resolver)
            dns_query_done(&f->queries[i]);
    http_request_done(&f->request);
    list_remove(&f->node);
    wipe(f->ask.form);
    wipe(f->ask.authorization);
    arena_free(f->arena);
    free(f);
}

static void refuse(struct ipc_channel *from, uint64_t ticket, const char *text)
{
    ipc_send_fetch_answer(from, &(struct ipc_fetch_answer){ .ticket = ticket, .text = str_from_c(text) });
}

static void fail(struct fetch *f, const char *text)
{
    refuse(f->from, f->ticket, text);
    fetch_free(f);
}

static void on_answered(struct http_request *q)
{
    struct fetch *f = CONTAINER_OF(q, struct fetch, request);

    ipc_send_fetch_answer(f->from, &(struct ipc_fetch_answer){
                                       .ticket = f->ticket,
                                       .code = (uint16_t)q->code,
                                       .keep_msec = q->keep_msec > 0 ? (uint64_t)q->keep_msec : 0,
                                       .body = q->code ? buf_str(&q->body) : STR_NONE,
                                       .text = str_from_c(q->failure),
                                   });
    fetch_free(f);
}

/* ---- its way ---- */

static void begin(struct fetch *f)
{
    struct err err = { 0 };

    f->ask.addresses = f->addresses;
    if (!f->ask.n_addresses)
        fail(f, "the host of the URL has no address");
    else if (!http_request_start(&f->request, f->fetcher->http, &f->ask, on_answered, &err))
        fail(f, err.text);
}

static void on_begins(struct io_task *t)
{
    begin(CONTAINER_OF(t, struct fetch, begins));
}

static void take_addresses(struct fetch *f, const struct dns_answer *answer)
{
    for (size_t i = 0; answer->status == DNS_FOUND && i < answer->n; i++)
        if (f->ask.n_addresses < HTTP_ADDRESSES_MAX)
            f->addresses[f->ask.n_addresses++] = answer->records[i].address;
}

static void one_answered(struct fetch *f, const struct dns_answer *answer)
{
    take_addresses(f, answer);
    if (--f->pending == 0)
        begin(f);
}

static void on_aaaa(struct dns_query *q)
{
    one_answered(CONTAINER_OF(q, struct fetch, queries[0]), &q->answer);
}

static void on_a(struct dns_query *q)
{
    one_answered(CONTAINER_OF(q, struct fetch, queries[1]), &q->answer);
}

static void ask_dns(struct fetch *f, struct str host)
{
    f->pending = ASKED_FAMILIES;
    dns_query_ask(&f->queries[0], f->fetcher->dns, host, DNS_AAAA, f->arena, on_aaaa);
    dns_query_ask(&f->queries[1], f->fetcher->dns, host, DNS_A, f->arena, on_a);
}

static bool know_address(struct fetch *f, struct str host)
{
    static const struct ip loopback = { .family = IP_V4, .octets = { 127, 0, 0, 1 } };
    bool local = str_eq(host, STR("localhost"));

    if (!local && !ip_parse(host, &f->addresses[0]))
        return false;
    if (local)
        f->addresses[0] = loopback;
    f->ask.n_addresses = 1;
    return true;
}

static struct fetch *fetch_new(struct fetcher *fetcher, struct ipc_channel *from, const struct ipc_fetch_ask *ask)
{
    struct fetch *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->fetcher = fetcher;
    f->from = from;
    f->ticket = ask->ticket;
    f->arena = arena_new(FETCH_ARENA_MAX);
    list_init(&f->node);
    io_task_init(&f->begins, fetcher->loop, on_begins);
    list_append(&fetcher->fetches, &f->node);
    f->ask = (struct http_ask){ .posts = ask->posts, .body_max = FETCH_BODY_MAX, .timeout_msec = FETCH_TIMEOUT_MSEC };
    if (f->arena) {
        f->ask.url = arena_str(f->arena, ask->url);
        f->ask.authorization = arena_str(f->arena, ask->authorization);
        f->ask.form = arena_str(f->arena, ask->form);
    }
    if (f->arena && f->ask.url.p && f->ask.authorization.p && f->ask.form.p)
        return f;
    fetch_free(f);
    return NULL;
}

/* One issuer that is slow leaves room for the others. */
static bool is_busy(const struct fetcher *fetcher, struct str url)
{
    size_t n = 0;

    LIST_FOR (node, &fetcher->fetches)
        n += str_eq(CONTAINER_OF(node, struct fetch, node)->ask.url, url);
    return n >= FETCHES_OF_URL_MAX;
}

void fetcher_ask(struct fetcher *fetcher, struct ipc_channel *from, const struct ipc_fetch_ask *ask)
{
    struct http_place place;
    struct err err = { 0 };
    struct fetch *f;

    if (!fetcher->http || !is_configured(fetcher->config, ask->url)) {
        refuse(from, ask->ticket, "the configuration names no such URL");
        return;
    }
    if (!http_url_read(ask->url, &place, &err)) {
        refuse(from, ask->ticket, err.text);
        return;
    }
    if (place.tls && fetcher->no_cas.kind != ERR_NONE) {
        refuse(from, ask->ticket, fetcher->no_cas.text);
        return;
    }
    if (is_busy(fetcher, ask->url)) {
        refuse(from, ask->ticket, "too many requests wait for its answer");
        return;
    }
    f = fetch_new(fetcher, from, ask);
    if (!f)
        refuse(from, ask->ticket, "out of memory");
    else if (know_address(f, str_from_c(place.host)))
        io_task_post(&f->begins);
    else if (fetcher->dns)
        ask_dns(f, str_from_c(place.host));
    else
        fail(f, "the DNS cannot be asked");
}

void fetcher_forget(struct fetcher *fetcher, const struct ipc_channel *from)
{
    for (struct list *node = fetcher->fetches.next, *next; node != &fetcher->fetches; node = next) {
        struct fetch *f = CONTAINER_OF(node, struct fetch, node);
        next = node->next;
        if (f->from == from)
            fetch_free(f);
    }
}

bool fetcher_init(struct fetcher *f, struct io_loop *loop, const struct config *config, struct dns_resolver *dns,
                  struct str cas, const struct err *no_cas, struct err *err)
{
    *f = (struct fetcher){ .loop = loop, .config = config, .dns = dns, .no_cas = *no_cas };
    list_init(&f->fetches);
    if (!fetcher_is_wanted(config))
        return true;
    f->http = http_client_new(loop, cas, err);
    return f->http;
}

void fetcher_done(struct fetcher *f)
{
    while (!list_empty(&f->fetches))
        fetch_free(CONTAINER_OF(f->fetches.next, struct fetch, node));
    http_client_free(f->http);
    f->http = NULL;
}
