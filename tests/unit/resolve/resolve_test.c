/* Questions for plans, over the channels of two askers, with a scripted name server behind. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "core/bug.h"
#include "io/fd.h"
#include "log/log.h"
#include "resolve/resolve.h"
#include "tests/unit/config/memory.h"
#include "tests/unit/dns/world.h"

enum { GENERATION = 7, ASKERS = 2, MANY = 2000 };
enum { ROUTE_MX, ROUTE_RELAY, ROUTE_LITERAL, ROUTE_UNIX, ROUTE_MAILDIR, ROUTE_OTHER_MX,
       ROUTE_FALLBACK, ROUTE_FALLBACK_HERE, ROUTE_FALLBACK_MX, ROUTES };

static const struct dns_script script[] = {
    { "a.example", DNS_MX, SAY_RECORDS, "20 mx2.a.example\n10 mx1.a.example" },
    { "mx1.a.example", DNS_A, SAY_RECORDS, "192.0.2.1" },
    { "mx1.a.example", DNS_AAAA, SAY_RECORDS, "2001:db8::1" },
    { "mx2.a.example", DNS_A, SAY_RECORDS, "192.0.2.2" },
    { "null.example", DNS_MX, SAY_RECORDS, "0 ." },
    { "backup.example", DNS_MX, SAY_RECORDS, "10 mail.us.example" },
    { "listener.example", DNS_MX, SAY_RECORDS, "10 mx.us.example" },
    { "broken.example", DNS_MX, SAY_SERVFAIL, NULL },
    { "silent.example", DNS_MX, SAY_NOTHING, NULL },
    { "relay.example", DNS_A, SAY_RECORDS, "198.51.100.1" },
    { "b.example", DNS_A, SAY_RECORDS, "192.0.2.9" },
};

struct room {
    struct dns_world world;
    struct config config;
    struct config_listener listener;
    struct config_route routes[ROUTES];
    struct config_target targets[ROUTES][2];
    struct resolve *resolve;
    struct ipc_handler here;
    struct ipc_handler there;
    struct ipc_channel *ours[ASKERS];
    struct ipc_channel *theirs[ASKERS];
    /* What the askers heard: the last answer, and how many. */
    unsigned heard[ASKERS];
    unsigned want;
    struct ipc_plan_answer last;
    char text[1000];
    char plan[1000];
    uint64_t tickets; /* sum of those heard */
};

struct notes {
    struct log_sink sink;
    unsigned failing;
    unsigned well;
};

static struct notes notes;

static void note(struct log_sink *sink, struct str record)
{
    struct notes *n = CONTAINER_OF(sink, struct notes, sink);

    n->failing += str_contains(record, STR("failing"));
    n->well += str_contains(record, STR("ok"));
}

static void on_question(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct room *r = CONTAINER_OF(h, struct room, here);

    assert_int_equal(m->type, IPC_PLAN_ASK);
    resolve_ask(r->resolve, c, &m->plan_ask);
}

static void on_our_end(struct ipc_handler *h, struct ipc_channel *c)
{
    struct room *r = CONTAINER_OF(h, struct room, here);

    resolve_forget(r->resolve, c);
    for (size_t i = 0; i < ASKERS; i++)
        if (r->ours[i] == c)
            r->ours[i] = NULL;
    ipc_channel_free(c);
}

static void show(struct room *r, struct str octets)
{
    struct arena *a = arena_new(64 << 10);
    struct route_plan plan;
    size_t n = 0;

    r->plan[0] = '\0';
    if (octets.n) {
        assert_true(route_plan_decode(octets, a, &plan));
        for (size_t i = 0; i < plan.n; i++) {
            struct ip_text ip = ip_text(&plan.addresses[i].address);
            n += (size_t)snprintf(r->plan + n, sizeof(r->plan) - n, "%s%s%.*s=%s:%u", i ? " " : "",
                                  plan.addresses[i].fallback ? "else " : "", STR_ARG(plan.addresses[i].host), ip.c,
                                  (unsigned)plan.addresses[i].port);
        }
    }
    arena_free(a);
}

static void on_answer(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct room *r = CONTAINER_OF(h, struct room, there);
    unsigned sum = 0;

    assert_int_equal(m->type, IPC_PLAN_ANSWER);
    assert_int_equal(m->plan_answer.generation, GENERATION);
    r->last = m->plan_answer;
    r->tickets += m->plan_answer.ticket;
    snprintf(r->text, sizeof(r->text), "%.*s %.*s", STR_ARG(m->plan_answer.code), STR_ARG(m->plan_answer.text));
    show(r, m->plan_answer.plan);
    for (size_t i = 0; i < ASKERS; i++) {
        r->heard[i] += r->theirs[i] == c;
        sum += r->heard[i];
    }
    if (sum >= r->want)
        io_loop_stop(r->world.loop);
}

static void on_their_end(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
    fail_msg("resolve closed a channel");
}

static void make_config(struct room *r)
{
    static const struct config_target first[ROUTES] = {
        [ROUTE_MX] = { .kind = CONFIG_TARGET_MX },
        [ROUTE_RELAY] = { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("relay.example"), .port = 587 },
        [ROUTE_LITERAL] = { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("127.0.0.1") },
        [ROUTE_UNIX] = { .kind = CONFIG_TARGET_LMTP_UNIX, .host = STR_INIT("/run/lmtp") },
        [ROUTE_MAILDIR] = { .kind = CONFIG_TARGET_MAILDIR },
        [ROUTE_OTHER_MX] = { .kind = CONFIG_TARGET_MX, .host = STR_INIT("a.example") },
        [ROUTE_FALLBACK] = { .kind = CONFIG_TARGET_MX },
        [ROUTE_FALLBACK_HERE] = { .kind = CONFIG_TARGET_MX },
        [ROUTE_FALLBACK_MX] = { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("relay.example") },
    };
    static const struct config_target fallback[ROUTES] = {
        [ROUTE_FALLBACK] = { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("relay.example"), .port = 26 },
        [ROUTE_FALLBACK_HERE] = { .kind = CONFIG_TARGET_SMTP, .host = STR_INIT("127.0.0.1"), .port = 26 },
        [ROUTE_FALLBACK_MX] = { .kind = CONFIG_TARGET_MX },
    };

    /* Not those of the machine that the test runs on. */
    static const struct ip own = { IP_V4, { 203, 0, 113, 5 } };

    r->listener = (struct config_listener){ .session.hostname.text = STR("mx.us.example") };
    for (size_t i = 0; i < ROUTES; i++) {
        r->targets[i][0] = first[i];
        r->routes[i] = (struct config_route){
            .index = i, .targets = r->targets[i], .n_targets = 1, .sending.port.n = 25,
            .fallback = &fallback[i], .n_fallback = i >= ROUTE_FALLBACK,
        };
    }
    /* A second target, that only counts while the first has nothing. */
    r->targets[ROUTE_RELAY][1] = (struct config_target){ .kind = CONFIG_TARGET_MX, .host = STR("b.example") };
    r->routes[ROUTE_RELAY].n_targets = 2;
    r->config = (struct config){
        .session.hostname.text = STR("mail.us.example"), .listeners = &r->listener, .n_listeners = 1,
        .routes = r->routes, .n_routes = ROUTES, .public_address = { .items = &own, .n = 1 },
    };
}

static void connect_asker(struct room *r, size_t i)
{
    struct err err = { 0 };
    int fds[2];

    assert_true(fd_pair(fds, &err));
    r->ours[i] = ipc_channel_new(r->world.loop, fds[0], PROCESS_RESOLVE, PROCESS_QUEUE, &r->here, &err);
    r->theirs[i] = ipc_channel_new(r->world.loop, fds[1], PROCESS_QUEUE, PROCESS_RESOLVE, &r->there, &err);
    assert_true(r->ours[i] && r->theirs[i]);
}

static int set_up(void **state)
{
    struct room *r = calloc(1, sizeof(*r));
    struct err err = { 0 };

    assert_non_null(r);
    notes = (struct notes){ .sink = { .write = note, .level = LOG_LEVEL_DEBUG } };
    log_sink_set(&notes.sink);
    dns_world_open(&r->world, script, ARRAY_LEN(script));
    make_config(r);
    r->here = (struct ipc_handler){ .message = on_question, .ended = on_our_end };
    r->there = (struct ipc_handler){ .message = on_answer, .ended = on_their_end };
    r->resolve = resolve_new(r->world.loop, &r->config, GENERATION, &r->world.settings, &err);
    if (!r->resolve)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ASKERS; i++)
        connect_asker(r, i);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct room *r = *state;

    resolve_free(r->resolve);
    for (size_t i = 0; i < ASKERS; i++) {
        ipc_channel_free(r->ours[i]);
        ipc_channel_free(r->theirs[i]);
    }
    dns_world_close(&r->world);
    log_sink_set(NULL);
    free(r);
    return 0;
}

static void ask(struct room *r, size_t asker, uint32_t route, const char *domain)
{
    static uint64_t ticket;

    assert_true(ipc_send_plan_ask(r->theirs[asker],
                                  &(struct ipc_plan_ask){ .ticket = ++ticket, .route = route,
                                                          .domain = str_from_c(domain) }));
}

static void wait_for(struct room *r, unsigned answers)
{
    struct err err = { 0 };

    r->want = answers;
    assert_true(io_loop_run(r->world.loop, &err));
}

static void assert_answer(struct room *r, uint32_t route, const char *domain, enum ipc_plan status,
                          enum log_reason reason, const char *want)
{
    ask(r, 0, route, domain);
    wait_for(r, r->heard[0] + 1);
    assert_string_equal(status == IPC_PLAN_OK ? r->plan : r->text, want);
    assert_int_equal(r->last.status, status);
    assert_int_equal(r->last.reason, reason);
    assert_true(r->last.keep_msec > 0);
}

static void a_domain_becomes_the_addresses_of_its_hosts(void **state)
{
    struct room *r = *state;

    assert_answer(r, ROUTE_MX, "a.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "mx1.a.example=2001:db8::1:25 mx1.a.example=192.0.2.1:25 mx2.a.example=192.0.2.2:25");
    assert_true(r->last.keep_msec >= 60000 && r->last.keep_msec <= 300000);
    assert_answer(r, ROUTE_MX, "b.example", IPC_PLAN_OK, LOG_REASON_NONE, "b.example=192.0.2.9:25");
    assert_answer(r, ROUTE_OTHER_MX, "whatever.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "mx1.a.example=2001:db8::1:25 mx1.a.example=192.0.2.1:25 mx2.a.example=192.0.2.2:25");
    assert_answer(r, ROUTE_MX, "[192.0.2.50]", IPC_PLAN_OK, LOG_REASON_NONE, "[192.0.2.50]=192.0.2.50:25");
}

static void named_hosts_have_the_port_of_their_target(void **state)
{
    struct room *r = *state;

    assert_answer(r, ROUTE_RELAY, "a.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "relay.example=198.51.100.1:587 b.example=192.0.2.9:25");
    assert_answer(r, ROUTE_LITERAL, "a.example", IPC_PLAN_OK, LOG_REASON_NONE, "[127.0.0.1]=127.0.0.1:25");
    assert_answer(r, ROUTE_UNIX, "a.example", IPC_PLAN_OK, LOG_REASON_NONE, "unix:/run/lmtp=:0");
}

static void assert_own(struct room *r, const char *target, const char *domain, enum ipc_plan status, const char *want)
{
    assert_true(ipc_send_plan_ask(r->theirs[0], &(struct ipc_plan_ask){ .ticket = 1,
                                                                        .route = IPC_NO_ROUTE,
                                                                        .domain = str_from_c(domain),
                                                                        .target = str_from_c(target) }));
    wait_for(r, r->heard[0] + 1);
    assert_int_equal(r->last.status, status);
    assert_string_equal(status == IPC_PLAN_OK ? r->plan : r->text, want);
}

/* What `queue edit --route` gives one message is in no configuration. */
static void a_message_may_have_a_target_of_its_own(void **state)
{
    struct room *r = *state;

    assert_own(r, "smtp://relay.example:26", "a.example", IPC_PLAN_OK, "relay.example=198.51.100.1:26");
    assert_own(r, "smtp://relay.example:26 lmtp://127.0.0.1:24", "a.example", IPC_PLAN_OK,
               "relay.example=198.51.100.1:26 [127.0.0.1]=127.0.0.1:24");
    assert_own(r, "mx", "null.example", IPC_PLAN_PERM, "5.1.10 null.example takes no mail: its MX says so (RFC 7505)");
    assert_own(r, "mx:null.example", "a.example", IPC_PLAN_PERM,
               "5.1.10 null.example takes no mail: its MX says so (RFC 7505)");
    /* As a later version may know it, which wrote the envelope. */
    assert_own(r, "hold", "a.example", IPC_PLAN_TEMP,
               "4.3.0 not a host: smtp://HOST, smtps://HOST, lmtp://HOST:PORT, mx or mx:DOMAIN");
}

static void what_is_final_is_said_to_be(void **state) /* C139, C141, C144 */
{
    struct room *r = *state;

    assert_answer(r, ROUTE_MX, "gone.example", IPC_PLAN_PERM, LOG_REASON_NO_DOMAIN,
                  "5.1.2 the domain gone.example does not exist");
    assert_answer(r, ROUTE_MX, "null.example", IPC_PLAN_PERM, LOG_REASON_NULL_MX,
                  "5.1.10 null.example takes no mail: its MX says so (RFC 7505)");
    assert_answer(r, ROUTE_MX, "backup.example", IPC_PLAN_PERM, LOG_REASON_LOOP,
                  "5.4.6 mail for backup.example would come back: mail.us.example is this server, and no MX host is "
                  "better");
    assert_answer(r, ROUTE_MX, "listener.example", IPC_PLAN_PERM, LOG_REASON_LOOP,
                  "5.4.6 mail for listener.example would come back: mx.us.example is this server, and no MX host is "
                  "better");
    assert_answer(r, ROUTE_MX, "relay.example", IPC_PLAN_OK, LOG_REASON_NONE, "relay.example=198.51.100.1:25");
}

static void what_may_mend_is_for_later(void **state) /* C139 */
{
    struct room *r = *state;

    assert_answer(r, ROUTE_MX, "broken.example", IPC_PLAN_TEMP, LOG_REASON_DNS,
                  "4.4.3 DNS, MX of broken.example: no server gave an answer");
    assert_int_equal(r->last.keep_msec, ROUTE_KEEP_LEAST_MSEC);
    assert_answer(r, ROUTES, "a.example", IPC_PLAN_TEMP, LOG_REASON_DNS, "4.3.0 no such route");
    assert_answer(r, ROUTE_MAILDIR, "a.example", IPC_PLAN_TEMP, LOG_REASON_DNS, "4.3.0 no such route");
}

static void a_fallback_comes_behind_the_hosts_of_the_route_or_instead_of_none(void **state)
{
    struct room *r = *state;

    assert_answer(r, ROUTE_FALLBACK, "b.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "b.example=192.0.2.9:25 else relay.example=198.51.100.1:26");
    assert_answer(r, ROUTE_FALLBACK, "gone.example", IPC_PLAN_OK, LOG_REASON_NONE, "else relay.example=198.51.100.1:26");
    assert_answer(r, ROUTE_FALLBACK, "broken.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "else relay.example=198.51.100.1:26");
    assert_int_equal(r->last.keep_msec, ROUTE_KEEP_LEAST_MSEC);
    /* The recipient's domain matters where only the fallback asks for its MX, too. */
    assert_answer(r, ROUTE_FALLBACK_MX, "b.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "relay.example=198.51.100.1:25 else b.example=192.0.2.9:25");
    assert_answer(r, ROUTE_FALLBACK_MX, "backup.example", IPC_PLAN_OK, LOG_REASON_NONE, "relay.example=198.51.100.1:25");
}

static void neither_a_null_mx_nor_a_loop_falls_back(void **state) /* C138, C141 */
{
    struct room *r = *state;

    assert_answer(r, ROUTE_FALLBACK, "null.example", IPC_PLAN_PERM, LOG_REASON_NULL_MX,
                  "5.1.10 null.example takes no mail: its MX says so (RFC 7505)");
    assert_answer(r, ROUTE_FALLBACK, "backup.example", IPC_PLAN_PERM, LOG_REASON_LOOP,
                  "5.4.6 mail for backup.example would come back: mail.us.example is this server, and no MX host is "
                  "better");
}

/* A site says it, of its hosts or of the domain; the route is stronger. */
static void the_family_of_a_site_is_that_of_its_hosts(void **state)
{
    static const char text[] = "public-address 203.0.113.5;\n"
                               "site one { hosts mx1.a.example; address-family ipv4; }\n"
                               "site two { domains relay.example; address-family ipv6; }\n"
                               "route * mx;\nroute x.example mx { address-family prefer-ipv4; }\n";
    struct room *r = *state;
    struct parsed p;
    struct err err = { 0 };

    parse_text(&p, str_from_c(text));
    assert_non_null(p.c);
    resolve_free(r->resolve);
    r->resolve = resolve_new(r->world.loop, p.c, GENERATION, &r->world.settings, &err);
    assert_non_null(r->resolve);
    assert_answer(r, 0, "a.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "mx1.a.example=192.0.2.1:25 mx2.a.example=192.0.2.2:25");
    assert_answer(r, 0, "b.example", IPC_PLAN_OK, LOG_REASON_NONE, "b.example=192.0.2.9:25");
    assert_answer(r, 0, "relay.example", IPC_PLAN_PERM, LOG_REASON_NO_MX,
                  "5.1.2 relay.example takes no mail: it has neither MX nor IPv6 address");
    assert_answer(r, 1, "a.example", IPC_PLAN_OK, LOG_REASON_NONE,
                  "mx1.a.example=192.0.2.1:25 mx1.a.example=2001:db8::1:25 mx2.a.example=192.0.2.2:25");
    resolve_free(r->resolve);
    r->resolve = NULL;
    parsed_done(&p);
}

static void many_who_ask_the_same_cost_one_question(void **state)
{
    struct room *r = *state;

    for (size_t i = 0; i < 100; i++)
        ask(r, i % ASKERS, ROUTE_MX, "a.example");
    wait_for(r, 100);
    assert_int_equal(r->heard[0], 50);
    assert_int_equal(r->heard[1], 50);
    assert_int_equal(dns_server_heard(r->world.server, "a.example", DNS_MX), 1);
    assert_int_equal(dns_server_heard(r->world.server, "mx1.a.example", DNS_A), 1);
    assert_int_equal(r->resolve->n_active, 0);
}

static void more_than_may_be_at_once_wait_and_are_answered(void **state)
{
    struct room *r = *state;
    uint64_t before;

    ask(r, 0, ROUTE_LITERAL, "");
    wait_for(r, 1);
    before = r->last.ticket;
    r->tickets = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char domain[40];
        snprintf(domain, sizeof(domain), "n%u.example", i);
        ask(r, i % ASKERS, ROUTE_MX, domain);
    }
    wait_for(r, MANY + 1);
    assert_int_equal(r->last.status, IPC_PLAN_PERM);
    /* Each once. */
    assert_true(r->tickets == MANY * before + (uint64_t)MANY * (MANY + 1) / 2);
    assert_int_equal(r->resolve->n_active, 0);
    assert_int_equal(r->resolve->n_waiting, 0);
}

/* Its questions go with it; others who asked the same are answered. */
static void an_asker_that_dies_is_forgotten(void **state)
{
    struct room *r = *state;

    ask(r, 1, ROUTE_MX, "a.example");
    ask(r, 1, ROUTE_MX, "b.example");
    ask(r, 1, ROUTE_MX, "silent.example");
    ipc_channel_flush(r->theirs[1]);
    ask(r, 0, ROUTE_MX, "a.example");
    ipc_channel_free(r->theirs[1]);
    r->theirs[1] = NULL;
    wait_for(r, 1);
    assert_int_equal(r->last.status, IPC_PLAN_OK);
    assert_null(r->ours[1]);
    assert_answer(r, ROUTE_MX, "b.example", IPC_PLAN_OK, LOG_REASON_NONE, "b.example=192.0.2.9:25");
}

static void fail_names(struct room *r, unsigned from, unsigned n)
{
    static struct dns_script rows[64];
    static char names[64][40];

    for (unsigned i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "f%u.example", from + i);
        rows[i] = (struct dns_script){ names[i], 0, SAY_SERVFAIL, NULL };
    }
    dns_server_script(r->world.server, rows, n);
    for (unsigned i = 0; i < n; i++) {
        ask(r, 0, ROUTE_MX, names[i]);
        wait_for(r, r->heard[0] + 1);
    }
}

/* A trust anchor that cannot be had takes out the DNS, and nothing else. */
static void without_a_trust_anchor_the_rest_goes_on(void **state)
{
    struct room *r = *state;
    struct err err = { 0 };

    resolve_free(r->resolve);
    r->world.settings.trust_anchor = STR("/nowhere/key");
    r->resolve = resolve_new(r->world.loop, &r->config, GENERATION, &r->world.settings, &err);
    assert_non_null(r->resolve);
    assert_int_equal(notes.failing, 1);
    assert_answer(r, ROUTE_MX, "a.example", IPC_PLAN_TEMP, LOG_REASON_DNS,
                  "4.3.0 trust-anchor: /nowhere/key: No such file or directory");
    assert_answer(r, ROUTE_FALLBACK_HERE, "a.example", IPC_PLAN_OK, LOG_REASON_NONE, "else [127.0.0.1]=127.0.0.1:26");
    assert_answer(r, ROUTE_LITERAL, "", IPC_PLAN_OK, LOG_REASON_NONE, "[127.0.0.1]=127.0.0.1:25");
}

/* Broken domains are nobody's outage: the probe is answered. */
static void broken_domains_are_no_outage(void **state)
{
    struct room *r = *state;

    fail_names(r, 0, 12);
    assert_int_equal(r->last.status, IPC_PLAN_TEMP);
    assert_int_equal(notes.failing, 0);
    assert_int_not_equal(r->resolve->health.state, RESOLVE_FAILING);
}

static const struct dns_script all_fail[] = { { "*", 0, SAY_SERVFAIL, NULL } };

static void fall_silent(struct room *r)
{
    dns_server_script(r->world.server, all_fail, ARRAY_LEN(all_fail));
    for (unsigned i = 0; r->resolve->health.state != RESOLVE_FAILING; i++) {
        char domain[40];
        assert_true(i < 100);
        snprintf(domain, sizeof(domain), "g%u.example", i);
        ask(r, 0, ROUTE_MX, domain);
        wait_for(r, r->heard[0] + 1);
    }
}

static void an_outage_is_said_once_and_its_end(void **state)
{
    struct room *r = *state;

    fall_silent(r);
    assert_int_equal(notes.failing, 1);
    assert_answer(r, ROUTE_MX, "h1.example", IPC_PLAN_OUTAGE, LOG_REASON_DNS,
                  "4.4.3 the DNS as a whole fails: no server gave an answer");
    assert_int_equal(r->last.keep_msec, RESOLVE_OUTAGE_KEEP_MSEC);
    assert_int_equal(notes.failing, 1);
    /* What needs no DNS goes on, a fallback too. */
    assert_answer(r, ROUTE_LITERAL, "", IPC_PLAN_OK, LOG_REASON_NONE, "[127.0.0.1]=127.0.0.1:25");
    assert_answer(r, ROUTE_FALLBACK_HERE, "h2.example", IPC_PLAN_OK, LOG_REASON_NONE, "else [127.0.0.1]=127.0.0.1:26");
    assert_answer(r, ROUTE_FALLBACK, "h2.example", IPC_PLAN_OUTAGE, LOG_REASON_DNS,
                  "4.4.3 the DNS as a whole fails: no server gave an answer");
    dns_server_script(r->world.server, script, ARRAY_LEN(script));
    assert_answer(r, ROUTE_MX, "b.example", IPC_PLAN_OK, LOG_REASON_NONE, "b.example=192.0.2.9:25");
    assert_int_equal(notes.well, 1);
    assert_int_equal(notes.failing, 1);
    assert_int_equal(r->resolve->health.state, RESOLVE_WELL);
}

/* It costs no attempt that somebody else's answer ended the outage before one's own failure was heard. */
static void what_was_asked_in_an_outage_fails_by_it(void **state)
{
    struct room *r = *state;
    unsigned before;

    fall_silent(r);
    dns_server_script(r->world.server, script, ARRAY_LEN(script));
    before = r->heard[0];
    ask(r, 0, ROUTE_MX, "silent.example");
    ask(r, 0, ROUTE_MX, "b.example");
    wait_for(r, before + 1);
    assert_int_equal(r->last.status, IPC_PLAN_OK);
    assert_int_equal(notes.well, 1);
    wait_for(r, before + 2);
    assert_int_equal(r->last.status, IPC_PLAN_OUTAGE);
    /* And from then on by itself. */
    ask(r, 0, ROUTE_MX, "silent.example");
    wait_for(r, before + 3);
    assert_int_equal(r->last.status, IPC_PLAN_TEMP);
}

/* In an outage only a few questions go out; the others are told at once. */
static void an_outage_is_probed_by_few(void **state)
{
    static const struct dns_script silent[] = { { "*", 0, SAY_NOTHING, NULL } };
    struct room *r = *state;
    unsigned before;

    fall_silent(r);
    dns_server_script(r->world.server, silent, ARRAY_LEN(silent));
    before = r->heard[0];
    for (unsigned i = 0; i < 10; i++) {
        char domain[40];
        snprintf(domain, sizeof(domain), "i%u.example", i);
        ask(r, 0, ROUTE_MX, domain);
    }
    wait_for(r, before + 10 - RESOLVE_PROBES_MAX);
    assert_int_equal(r->last.status, IPC_PLAN_OUTAGE);
    assert_int_equal(r->resolve->n_active, RESOLVE_PROBES_MAX);
}

#define in_a_room(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_a_room(a_domain_becomes_the_addresses_of_its_hosts),
        in_a_room(named_hosts_have_the_port_of_their_target),
        in_a_room(a_message_may_have_a_target_of_its_own),
        in_a_room(what_is_final_is_said_to_be),
        in_a_room(a_fallback_comes_behind_the_hosts_of_the_route_or_instead_of_none),
        in_a_room(neither_a_null_mx_nor_a_loop_falls_back),
        in_a_room(the_family_of_a_site_is_that_of_its_hosts),
        in_a_room(what_may_mend_is_for_later),
        in_a_room(many_who_ask_the_same_cost_one_question),
        in_a_room(more_than_may_be_at_once_wait_and_are_answered),
        in_a_room(an_asker_that_dies_is_forgotten),
        in_a_room(without_a_trust_anchor_the_rest_goes_on),
        in_a_room(broken_domains_are_no_outage),
        in_a_room(an_outage_is_said_once_and_its_end),
        in_a_room(what_was_asked_in_an_outage_fails_by_it),
        in_a_room(an_outage_is_probed_by_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
