/* send/check.c */
#include "send/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/check.h"
#include "send/connection.h"

enum { CHECK_MSEC = 25000, CHECKS_MAX = 8, ROW_MAX = 4096, ARENA_MAX = 256 << 10 };

struct check;

/* One address. */
struct probe {
    struct check *check;
    struct buf row; /* empty: nothing is known yet */
    enum smtp_stage late_at; /* where it was when time was up */
};

struct check {
    struct send *send;
    struct arena *arena;
    struct route_plan plan;
    const struct config_route *route;
    const struct config_site *site;
    struct io_timer timer;
    bool late;
    uint64_t ticket;
    uint32_t asker; /* instance */
    size_t left;    /* connections that are not gone */
    struct probe probes[ROUTE_PLAN_ADDRESSES_MAX];
};

/* ---- rows ---- */

static struct str level_name(enum config_tls_level level)
{
    static const struct str names[] = {
        [CONFIG_TLS_AUTO] = STR_INIT("auto"),       [CONFIG_TLS_NONE] = STR_INIT("none"),
        [CONFIG_TLS_MAY] = STR_INIT("may"),         [CONFIG_TLS_ENCRYPT] = STR_INIT("encrypt"),
        [CONFIG_TLS_VERIFY] = STR_INIT("verify"),   [CONFIG_TLS_SECURE] = STR_INIT("secure"),
        [CONFIG_TLS_FINGERPRINT] = STR_INIT("fingerprint"),
    };

    return names[level];
}

static void add_facts(struct log_record *r, const struct connection *c)
{
    struct tls_facts facts;

    tls_stream_facts(c->tls, &facts);
    log_text_c(r, LOG_VERSION, facts.version);
    log_text_c(r, LOG_CIPHER, facts.cipher);
    log_flag(r, LOG_VERIFIED, facts.verified);
    if (!facts.has_certificate)
        return;
    log_time(r, LOG_UNTIL, facts.until_msec);
    log_list(r, LOG_NAMES, &facts.subject, 1);
}

/* STATE: deliver, clear, refused. WHY may be NULL: nothing was wrong. */
struct why {
    enum smtp_stage stage;
    unsigned code;
    struct str text;
};

static void say(struct probe *p, const struct connection *c, const struct route_plan_address *a, const char *state,
                const struct why *why)
{
    struct address_text peer = address_text(a);
    struct log_record r;

    if (p->row.n)
        return;
    log_begin(&r, LOG_EVENT_ROW_TLS, LOG_LEVEL_INFO, 0);
    log_text(&r, LOG_HOST, a->host);
    log_text_c(&r, LOG_PEER, peer.c);
    log_number(&r, LOG_PREFERENCE, a->preference);
    log_flag(&r, LOG_SECURE, p->check->plan.secure && a->secure);
    log_text(&r, LOG_TLS_LEVEL, level_name(c->sending->tls.level));
    log_text_c(&r, LOG_STATE, state);
    if (c->tls_version[0])
        add_facts(&r, c);
    if (why)
        log_text(&r, LOG_STAGE, smtp_stage_name(why->stage));
    if (why && why->code)
        log_number(&r, LOG_CODE, why->code);
    if (why)
        log_text(&r, LOG_ERROR, why->text);
    p->row = BUF_INIT(ROW_MAX);
    /* Without memory there is none. */
    (void)worker_row_add(&p->row, &r);
}

static const struct route_plan_address *address_of(const struct probe *p)
{
    return &p->check->plan.addresses[p - p->check->probes];
}

/* ---- the end ---- */

static void check_free(struct check *k)
{
    struct send *s = k->send;

    for (size_t i = 0; i < ARRAY_LEN(k->probes); i++)
        buf_done(&k->probes[i].row);
    io_timer_done(&k->timer);
    arena_free(k->arena);
    free(k);
    s->n_checks--;
    send_exit_if_done(s);
}

static void answer(const struct check *k)
{
    const struct worker *w = k->send->worker;
    struct buf rows = BUF_INIT(ROW_MAX * ROUTE_PLAN_ADDRESSES_MAX);

    for (size_t i = 0; i < k->plan.n; i++)
        buf_add(&rows, buf_str(&k->probes[i].row));
    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i]->instance == k->asker && !w->peers[i]->closed)
            ipc_send_tls_check_answer(
                w->peers[i], &(struct ipc_tls_check_answer){ .ticket = k->ticket, .records = buf_str(&rows) });
    buf_done(&rows);
}

static void one_less(struct check *k)
{
    if (--k->left > 0)
        return;
    answer(k);
    check_free(k);
}

/* ---- one address ---- */

static void opened(struct connection *c)
{
    struct probe *p = c->whose;

    const struct why why = { .stage = SMTP_STAGE_TLS, .code = c->tls_code, .text = str_from_c(c->tls_trouble) };

    say(p, c, address_of(p), c->tls ? "deliver" : "clear", why.text.n ? &why : NULL);
    connection_close(c);
}

static void failed(struct connection *c, const struct connection_failure *why)
{
    struct probe *p = c->whose;

    const struct why late = { .stage = p->late_at, .text = STR("no answer in 25 seconds; a delivery waits longer") };
    const struct why own = { .stage = why->stage, .code = why->code, .text = str_from_c(why->text) };

    say(p, c, address_of(p), "refused", p->check->late ? &late : &own);
}

static void made(struct connection *c, struct transfer *t)
{
    (void)c;
    (void)t;
}

static void closed(struct connection *c, bool orderly, const struct smtp_client_result *farewell)
{
    (void)c;
    (void)orderly;
    (void)farewell;
}

static void gone(struct connection *c)
{
    struct probe *p = c->whose;

    one_less(p->check);
}

static const struct connection_owner check_owner = {
    .opened = opened,
    .failed = failed,
    .made = made,
    .closed = closed,
    .gone = gone,
};

static bool probe_begin(struct probe *p)
{
    struct check *k = p->check;
    const struct route_plan one = { .secure = k->plan.secure, .addresses = address_of(p), .n = 1 };
    struct buf octets = BUF_INIT(ROUTE_PLAN_OCTETS_MAX);
    struct connection *c = NULL;
    struct err err = { 0 };

    if (route_plan_encode(&octets, &one))
        c = connection_open(k->send, buf_str(&octets), k->route, &check_owner, p, &err);
    buf_done(&octets);
    if (!c)
        return false;
    c->looks = true;
    if (k->site)
        connection_use_site(c, k->site);
    return true;
}

/* ---- all of them ---- */

static enum smtp_stage stage_of(const struct connection *c)
{
    if (c->state == CONNECTION_SHAKING)
        return SMTP_STAGE_TLS;
    return c->smtp ? smtp_client_stage(c->smtp) : SMTP_STAGE_CONNECT;
}

static void on_timer(struct io_timer *t)
{
    struct check *k = CONTAINER_OF(t, struct check, timer);

    k->late = true;
    LIST_FOR(node, &k->send->connections) {
        struct connection *c = CONTAINER_OF(node, struct connection, node);
        struct probe *p = c->whose;
        if (c->owner != &check_owner || p->check != k)
            continue;
        p->late_at = stage_of(c);
        connection_cut(c);
    }
}

static bool check_begin(struct check *k, const struct ipc_tls_check_ask *ask)
{
    const struct config *config = k->send->worker->config;
    struct str plan = arena_str(k->arena, ask->plan), hosts[ROUTE_PLAN_ADDRESSES_MAX];
    struct err err = { 0 };

    if (!plan.p || !route_plan_decode(plan, k->arena, &k->plan) ||
        !io_timer_init(&k->timer, k->send->worker->loop, on_timer, &err))
        return false;
    k->route = ask->route < config->n_routes ? &config->routes[ask->route] : NULL;
    k->site = config_find_site(config, ask->domain, hosts, route_plan_names(&k->plan, hosts, ARRAY_LEN(hosts)));
    for (size_t i = 0; i < k->plan.n; i++) {
        k->probes[i].check = k;
        k->left += probe_begin(&k->probes[i]);
    }
    io_timer_start(&k->timer, CHECK_MSEC);
    return k->left > 0;
}

void check_ask(struct send *s, struct ipc_channel *asker, const struct ipc_tls_check_ask *ask)
{
    struct check *k = s->retiring || s->n_checks == CHECKS_MAX ? NULL : calloc(1, sizeof(*k));

    if (!k) {
        ipc_send_tls_check_answer(asker, &(struct ipc_tls_check_answer){ .ticket = ask->ticket });
        return;
    }
    *k = (struct check){ .send = s, .arena = arena_new(ARENA_MAX), .ticket = ask->ticket, .asker = asker->instance };
    s->n_checks++;
    if (k->arena && check_begin(k, ask))
        return;
    answer(k);
    check_free(k);
}
