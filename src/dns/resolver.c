/* dns/resolver.c -- a libunbound context on our loop, and questions to it. */
#include "dns/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unbound.h>
#include <unistd.h>

#include "core/check.h"
#include "dns/answer.h"
#include "dns/events.h"
#include "dns/servers.h"
#include "io/fd.h"

enum { CLASS_IN = 1, NAME_MAX_TEXT = 255, SERVERS_TEXT_MAX = 1000, SETTINGS_ARENA_MAX = 1 << 20 };
enum { FILE_MAX = 256 << 10 };

struct dns_resolver {
    struct dns_events events;
    struct io_loop *loop;
    struct ub_ctx *ub;
    int64_t timeout_msec;
    struct buf servers;
};

/*
 * The keys of the root (https://data.iana.org/root-anchors/): 20326 of 2017, 38696 of 2024. They stand beside those of
 * the system's file, which may be older than the last change of keys.
 */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};
static const char *const root_anchor_files[] = { "/usr/share/dns/root.key", "/var/lib/unbound/root.key" };

static const struct {
    const char *name;
    const char *value;
} options[] = {
    /* One process asks for all: the library's own figures are meant for one program's questions. */
    { "outgoing-range:", "256" },
    { "outgoing-num-tcp:", "32" },
    { "msg-cache-size:", "8m" },
    { "rrset-cache-size:", "16m" },
    { "key-cache-size:", "4m" },
    { "neg-cache-size:", "1m" },
    /* RFC 9715 3.2: no fragments. */
    { "edns-buffer-size:", "1232" },
    /* A server that was away is asked again soon: the schedule waits for it. */
    { "infra-keep-probing:", "yes" },
    { "infra-host-ttl:", "60" },
    /* Whether servers answer is asked with names that do not exist: the answer must not be made up from memory. */
    { "aggressive-nsec:", "no" },
};

/* Zones that the library answers itself (RFC 6761, RFC 8375), which in a network of one's own may well exist. */
static const char *const not_ours[] = { "test.", "home.arpa." };

/* ---- settings ---- */

static bool check(int code, const char *what, struct err *err)
{
    return code == 0 || err_temp(err, "%s: %s", what, ub_strerror(code));
}

static bool set_options(struct dns_resolver *r, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (!check(ub_ctx_set_option(r->ub, options[i].name, options[i].value), options[i].name, err))
            return false;
    return true;
}

static bool add_anchor_file(struct dns_resolver *r, struct str path, struct arena *a, struct err *err)
{
    char *name = arena_cstr(a, path);
    struct str text;

    if (!name)
        return err_temp(err, "out of memory");
    /* The library reads it later, and then has no words for what is wrong. */
    if (!file_read_all(name, FILE_MAX, a, &text, err))
        return false;
    return check(ub_ctx_add_ta_file(r->ub, name), name, err);
}

static bool set_anchors(struct dns_resolver *r, const struct dns_settings *settings, struct arena *a, struct err *err)
{
    if (settings->trust_anchor.n)
        return add_anchor_file(r, settings->trust_anchor, a, err) || err_wrap(err, "trust-anchor");
    for (size_t i = 0; i < ARRAY_LEN(root_anchor_files); i++)
        if (access(root_anchor_files[i], R_OK) == 0 &&
            !add_anchor_file(r, str_from_c(root_anchor_files[i]), a, err))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(root_anchors); i++)
        if (!check(ub_ctx_add_ta(r->ub, root_anchors[i]), "root anchor", err))
            return false;
    return true;
}

struct server {
    struct ip address;
    uint16_t port;
};

/* Servers of one `resolver` directive; their number. */
static size_t servers_of(const struct config_resolver *resolver, struct str resolv_conf, struct arena *a,
                         struct server servers[DNS_SERVERS_MAX])
{
    struct ip addresses[DNS_SERVERS_MAX];
    struct str text;
    char *path;
    size_t n = 0;

    if (resolver->kind == CONFIG_RESOLVER_SERVERS) {
        for (; n < resolver->n_servers && n < DNS_SERVERS_MAX; n++)
            servers[n] = (struct server){ resolver->servers[n].address, resolver->servers[n].port };
        return n;
    }
    path = arena_cstr(a, resolv_conf);
    /* Without the file it is as if it were empty. */
    if (!path || !file_read_all(path, FILE_MAX, a, &text, NULL))
        text = STR_NONE;
    n = dns_servers_read(text, addresses);
    for (size_t i = 0; i < n; i++)
        servers[i] = (struct server){ addresses[i], DNS_PORT };
    return n;
}

/* "192.0.2.53@5353" */
static struct str server_text(const struct server *server, struct arena *a)
{
    struct ip_text text = ip_text(&server->address);

    return arena_printf(a, "%s@%u", text.c, (unsigned)server->port);
}

static void note_server(struct dns_resolver *r, const struct server *server)
{
    struct ip_text text = ip_text(&server->address);

    buf_printf(&r->servers, server->port == DNS_PORT ? "%s%s" : "%s%s@%u", r->servers.n ? "," : "", text.c,
               (unsigned)server->port);
}

static bool forward_all(struct dns_resolver *r, const struct server *servers, size_t n, struct arena *a,
                        struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct str text = server_text(&servers[i], a);
        if (!text.p || !check(ub_ctx_set_fwd(r->ub, text.p), text.p, err))
            return err->kind != ERR_NONE ? false : err_temp(err, "out of memory");
        note_server(r, &servers[i]);
    }
    return true;
}

/* Forwarding of one zone has no call of its own: it is said in the library's configuration language. */
static void forward_zone(struct str zone, const struct server *servers, size_t n, struct arena *a, struct buf *text)
{
    buf_printf(text, "forward-zone:\n name: \"%.*s.\"\n", STR_ARG(zone));
    for (size_t i = 0; i < n; i++) {
        buf_add(text, STR(" forward-addr: "));
        buf_add(text, server_text(&servers[i], a));
        buf_add_char(text, '\n');
    }
}

static bool read_settings(struct dns_resolver *r, struct str text, struct err *err)
{
    char path[40];
    int fd = fd_sealed("resolver", text, err);
    bool ok;

    if (fd < 0)
        return false;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ok = check(ub_ctx_config(r->ub, path), "forwarding of a zone", err);
    fd_close(&fd);
    return ok;
}

static bool set_servers(struct dns_resolver *r, const struct dns_settings *settings, struct arena *a, struct err *err)
{
    static const struct config_resolver system = { .kind = CONFIG_RESOLVER_SYSTEM };
    const struct config_resolver *all = settings->n_resolvers ? settings->resolvers : &system;
    struct server servers[DNS_SERVERS_MAX];
    struct buf zones = BUF_INIT(FILE_MAX);
    size_t n;
    bool ok = true;

    for (size_t i = 0; ok && i < size_max(settings->n_resolvers, 1); i++) {
        if (all[i].kind == CONFIG_RESOLVER_FULL && all[i].zone.n && all[0].kind != CONFIG_RESOLVER_FULL)
            ok = err_perm(err, "resolver full for %.*s: only beside `resolver full`", STR_ARG(all[i].zone));
        if (!ok || all[i].kind == CONFIG_RESOLVER_FULL)
            continue;
        n = servers_of(&all[i], settings->resolv_conf, a, servers);
        if (all[i].zone.n)
            forward_zone(all[i].zone, servers, n, a, &zones);
        else
            ok = forward_all(r, servers, n, a, err);
    }
    if (ok && zones.failed)
        ok = err_temp(err, "out of memory");
    if (ok && zones.n)
        ok = read_settings(r, buf_str(&zones), err);
    if (!r->servers.n)
        buf_add(&r->servers, STR("root servers"));
    buf_done(&zones);
    return ok;
}

/*
 * The first call that is no setting makes the library read its files and stand by them. What it has to say of
 * a trust anchor that it cannot read goes to its log only, so that is caught.
 */
static bool settle(struct dns_resolver *r, struct err *err)
{
    char *said = NULL;
    size_t n = 0;
    FILE *log = open_memstream(&said, &n);
    int code = log ? ub_ctx_debugout(r->ub, log) : 0;

    for (size_t i = 0; log && code == 0 && i < ARRAY_LEN(not_ours); i++)
        code = ub_ctx_zone_remove(r->ub, not_ours[i]);
    ub_ctx_debugout(r->ub, NULL);
    if (!log || fclose(log) != 0)
        code = code ? code : UB_NOMEM;
    if (code)
        err_temp(err, "%s: %.*s", ub_strerror(code), STR_ARG(str_trim(str_of(said, n))));
    free(said);
    return code == 0;
}

struct dns_resolver *dns_resolver_new(struct io_loop *loop, const struct dns_settings *settings, struct err *err)
{
    struct arena *a = arena_new(SETTINGS_ARENA_MAX);
    struct dns_resolver *r = calloc(1, sizeof(*r));
    bool ok = a && r;

    if (!ok)
        err_temp(err, "out of memory");
    if (ok) {
        r->loop = loop;
        r->timeout_msec = settings->timeout_msec;
        r->servers = BUF_INIT(SERVERS_TEXT_MAX);
        dns_events_init(&r->events, loop);
        r->ub = ub_ctx_create_ub_event(&r->events.base);
        ok = r->ub || err_temp(err, "libunbound does not start");
    }
    ok = ok && set_options(r, err) && set_anchors(r, settings, a, err) && set_servers(r, settings, a, err) &&
         settle(r, err);
    arena_free(a);
    if (ok)
        return r;
    dns_resolver_free(r);
    return NULL;
}

void dns_resolver_free(struct dns_resolver *r)
{
    if (!r)
        return;
    if (r->ub)
        ub_ctx_delete(r->ub);
    buf_done(&r->servers);
    free(r);
}

struct str dns_resolver_servers(const struct dns_resolver *r)
{
    return buf_str(&r->servers);
}

/* ---- questions ---- */

static void fail(struct dns_query *q, const char *words)
{
    q->answer = (struct dns_answer){ .status = DNS_FAILED, .error = str_from_c(words) };
}

/* "validation failure <mx.example. A IN>: signature expired from 192.0.2.53" without what the asker knows. */
static struct str without_head(struct str why)
{
    size_t at = str_find(why, '>');

    return str_starts(why, STR("validation failure <")) && at < why.n ? str_skip(why, at + 3) : why;
}

static void fill_bogus(struct dns_query *q, const char *why)
{
    struct str text = arena_str(q->arena, without_head(str_trim(str_from_c(why))));

    q->answer = (struct dns_answer){
        .status = DNS_BOGUS,
        .error = text.n ? text : STR("the answer is not signed as its zone says"),
    };
}

/* The library's answer; its buffers are its own. May come from within the asking. */
static void on_result(void *arg, int rcode, void *packet, int packet_n, int security, char *why_bogus, int limited)
{
    struct dns_query *q = arg;

    (void)limited;
    q->underway = false;
    q->cached = q->inside;
    io_timer_stop(&q->timer);
    if (security == 1)
        fill_bogus(q, why_bogus);
    else if (rcode != 0)
        fail(q, "no server gave an answer");
    else if (!dns_answer_read(str_of(packet, (size_t)packet_n), q->type, q->arena, &q->answer))
        fail(q, "an answer that is no DNS message");
    else
        q->answer.secure = security == 2;
    io_task_post(&q->ready);
}

static void on_timeout(struct io_timer *t)
{
    struct dns_query *q = CONTAINER_OF(t, struct dns_query, timer);

    ub_cancel(q->resolver->ub, q->async_id);
    q->underway = false;
    fail(q, "no server answered in time");
    io_task_post(&q->ready);
}

static void on_ready(struct io_task *task)
{
    struct dns_query *q = CONTAINER_OF(task, struct dns_query, ready);

    q->answered(q);
}

static void ask(struct dns_query *q, struct str name)
{
    char text[NAME_MAX_TEXT + 1];
    int code;

    if (!name.n || name.n > NAME_MAX_TEXT || str_has(name, '\0')) {
        q->answer = (struct dns_answer){ .status = DNS_NO_NAME };
        return;
    }
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    q->inside = q->underway = true;
    code = ub_resolve_event(q->resolver->ub, text, q->type, CLASS_IN, q, on_result, &q->async_id);
    q->inside = false;
    if (code == 0)
        return;
    q->underway = false;
    if (code == UB_SYNTAX)
        q->answer = (struct dns_answer){ .status = DNS_NO_NAME };
    else
        fail(q, ub_strerror(code));
}

void dns_query_ask(struct dns_query *q, struct dns_resolver *r, struct str name, enum dns_type type,
                   struct arena *arena, void (*answered)(struct dns_query *q))
{
    *q = (struct dns_query){ .resolver = r, .arena = arena, .type = type, .answered = answered };
    io_task_init(&q->ready, r->loop, on_ready);
    if (io_timer_init(&q->timer, r->loop, on_timeout, NULL))
        ask(q, name);
    else
        fail(q, "out of memory");
    if (q->underway)
        io_timer_start(&q->timer, r->timeout_msec);
    else
        io_task_post(&q->ready);
}

void dns_query_done(struct dns_query *q)
{
    if (q->underway)
        ub_cancel(q->resolver->ub, q->async_id);
    q->underway = false;
    io_timer_done(&q->timer);
    io_task_done(&q->ready);
}
