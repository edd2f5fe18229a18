/*
 * control/explain.c -- explain ADDRESS: lookup says what it decides; explain ID: queue says what a message waits for.
 * In both resolve says where mail would go now (FACE 2.3).
 */
#include <string.h>

#include "control/commands.h"
#include "core/num.h"
#include "route/plan.h"
#include "smtp/address.h"

enum { ARENA_MAX = 1 << 20, HOPS_MAX = 64 * 1024, HOP_HEAD = 6, PEERS_MAX = 16, SMTP_PORT = 25 };
/* A message is explained also while the DNS does not answer. */
enum { PLAN_PATIENCE_MSEC = 5000 };

/* ---- the question to lookup ---- */

/* ADDRESS in A; the null reverse-path too, when SENDER. */
static bool take_path(struct arena *a, struct str address, bool sender, struct smtp_path *path)
{
    *path = (struct smtp_path){ .flags = SMTP_PATH_NULL };
    if (sender && (!address.n || str_eq(address, STR("<>"))))
        return true;
    return smtp_mailbox_parse(a, address, path) == SMTP_PATH_OK && path->domain.n;
}

static bool take_client(struct str text, char octets[16], struct str *client)
{
    static const char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff };
    struct ip ip;

    *client = STR_NONE;
    if (!text.n)
        return true;
    if (!ip_parse(text, &ip))
        return false;
    if (ip.family == IP_V4) {
        memcpy(octets, mapped, sizeof(mapped));
        memcpy(octets + sizeof(mapped), ip.octets, 4);
    } else {
        memcpy(octets, ip.octets, 16);
    }
    *client = str_of(octets, 16);
    return true;
}

static uint64_t size_of(const struct control_client *c)
{
    json_int_t size = json_integer_value(json_object_get(c->request, "size"));

    return size > 0 ? (uint64_t)size : 0;
}

/* The first one is where strangers come, or log in; without any only sendmail(1) takes mail. */
static uint32_t listener_of(const struct config *config, bool logs_in)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (!logs_in || config->listeners[i].session.auth.n)
            return (uint32_t)i;
    return IPC_NO_LISTENER;
}

/* A name without a domain is one of the origin, as at AUTH. */
static struct str account_of(const struct control_client *c, struct arena *a)
{
    struct str said = request_text(c, "account"), origin = worker_of(c)->config->origin.text;

    return !said.n || str_has(said, '@') ? said : arena_printf(a, "%.*s@%.*s", STR_ARG(said), STR_ARG(origin));
}

static void explain_ask(struct control_client *c, const struct smtp_path *to, const struct smtp_path *from,
                        struct str client, struct str account)
{
    struct ipc_channel *lookup = worker_peer(worker_of(c), PROCESS_LOOKUP);
    struct buf sender = BUF_INIT(SMTP_PATH_MAX * 2);
    struct ipc_explain_ask ask = {
        .ticket = c->ticket,
        .client = client,
        .listener = listener_of(worker_of(c)->config, account.n > 0),
        .account = account,
        .local = to->local,
        .domain = to->domain,
        .size = size_of(c),
    };

    if (smtp_path_write(&sender, from)) {
        ask.sender = buf_str(&sender);
        if (lookup && ipc_send_explain_ask(lookup, &ask))
            client_patience(c, QUEUE_PATIENCE_MSEC);
        else
            client_fail(c, COMMAND_NO_SERVER, "the lookup process is away; it is being started again",
                        "try again");
    } else {
        client_fail(c, COMMAND_USAGE, "the sender is too long", "");
    }
    buf_done(&sender);
}

static void explain_begin(struct control_client *c, json_t *request)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct smtp_path to, from;
    struct str client;
    char octets[16];

    (void)request;
    if (!a)
        client_fail(c, COMMAND_LATER, "out of memory", "");
    else if (!take_path(a, request_text(c, "address"), false, &to))
        client_fail(c, COMMAND_USAGE, "not an address", "veredus explain anna@example.org");
    else if (!take_path(a, request_text(c, "sender"), true, &from))
        client_fail(c, COMMAND_USAGE, "the sender is not an address",
                    "--sender carol@example.net, or --sender '<>'");
    else if (request_text(c, "account").n && listener_of(worker_of(c)->config, true) == IPC_NO_LISTENER)
        client_fail(c, COMMAND_USAGE, "nobody can log in: no listener has accounts", "listen 587 submission;");
    else if (!take_client(request_text(c, "client"), octets, &client))
        client_fail(c, COMMAND_USAGE, "the client is not an IP address", "--client 203.0.113.7");
    else
        explain_ask(c, &to, &from, client, account_of(c, a));
    arena_free(a);
}

/* ---- the questions to resolve, one after the other ---- */

/* The next hop in front, and its length in octets; 0: there is none. */
static size_t first_hop(const struct control_client *c, struct ipc_plan_ask *hop)
{
    struct str hops = buf_str(&c->hops);
    size_t n = HOP_HEAD;

    if (hops.n < n || le16_get(hops.p + 4) > hops.n - n)
        return 0;
    hop->route = le32_get(hops.p);
    hop->domain = str_slice(hops, n, n + (size_t)le16_get(hops.p + 4));
    n += hop->domain.n;
    if (hop->route != IPC_NO_ROUTE)
        return n;
    if (hops.n < n + 2 || le16_get(hops.p + n) > hops.n - n - 2)
        return 0;
    hop->target = str_slice(hops, n + 2, n + 2 + (size_t)le16_get(hops.p + n));
    return n + 2 + hop->target.n;
}

/* A row about the hop in front. */
static void begin_host(const struct control_client *c, struct log_record *r, struct str domain)
{
    struct ipc_plan_ask hop = { 0 };

    log_begin(r, LOG_EVENT_ROW_HOST, LOG_LEVEL_INFO, 0);
    if (first_hop(c, &hop) && hop.target.n)
        log_text(r, LOG_ROUTE, hop.target);
    log_text(r, LOG_SITE, domain);
}

static void say_no_plan(struct control_client *c, struct str domain, struct str status, struct str error)
{
    struct log_record r;

    begin_host(c, &r, domain);
    if (status.n)
        log_text(&r, LOG_STATUS, status);
    log_text(&r, LOG_ERROR, error);
    client_row(c, &r);
}

/* Ask about the one in front; false: resolve cannot be asked. */
static bool ask_plan(const struct control_client *c)
{
    struct ipc_channel *resolve = worker_peer(worker_of(c), PROCESS_RESOLVE);
    struct ipc_plan_ask ask = { .ticket = c->ticket };

    return first_hop(c, &ask) && resolve && ipc_send_plan_ask(resolve, &ask);
}

static void next_hop(struct control_client *c)
{
    if (!c->hops.n)
        client_end(c, COMMAND_OK);
    else if (!ask_plan(c))
        client_fail(c, COMMAND_NO_SERVER, "the resolve process is away; it is being started again",
                    "try again");
    else
        client_patience(c, QUEUE_PATIENCE_MSEC);
}

/* Where one connects: "192.0.2.1", with a port that is not the usual one, or the path of a socket. */
static struct str peer_text(struct arena *a, const struct route_plan_address *at)
{
    struct ip_text ip = ip_text(&at->address);

    if (at->path.n)
        return at->path;
    if (at->port == SMTP_PORT)
        return arena_str(a, str_from_c(ip.c));
    return arena_printf(a, at->address.family == IP_V6 ? "[%s]:%u" : "%s:%u", ip.c, (unsigned)at->port);
}

/* A row for each host; addresses of one host stand together. Returns how many of them there are. */
static size_t say_host(struct control_client *c, struct arena *a, struct str domain,
                       const struct route_plan *plan, size_t at)
{
    const struct route_plan_address *first = &plan->addresses[at];
    struct str peers[PEERS_MAX];
    struct log_record r;
    size_t n = 0;

    while (at + n < plan->n && n < PEERS_MAX && plan->addresses[at + n].group == first->group &&
           str_eq(plan->addresses[at + n].host, first->host)) {
        peers[n] = peer_text(a, &plan->addresses[at + n]);
        n++;
    }
    begin_host(c, &r, domain);
    log_text(&r, LOG_HOST, first->host);
    log_number(&r, LOG_PREFERENCE, first->preference);
    log_list(&r, LOG_PEER, peers, n);
    log_flag(&r, LOG_SECURE, plan->secure && first->secure);
    if (first->fallback)
        log_flag(&r, LOG_FALLBACK, true);
    client_row(c, &r);
    return n;
}

static void say_plan(struct control_client *c, struct str domain, struct str octets)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct route_plan plan;

    if (a && route_plan_decode(octets, a, &plan))
        for (size_t at = 0; at < plan.n;)
            at += say_host(c, a, domain, &plan, at);
    else
        say_no_plan(c, domain, STR_NONE, STR("the answer of the resolve process is no plan"));
    arena_free(a);
}

/* ---- the answers ---- */

static void take_explanation(struct control_client *c, const struct ipc_explain_answer *a)
{
    c->hops = BUF_INIT(HOPS_MAX);
    c->generation = a->generation;
    if (!client_rows(c, a->records) || !buf_add(&c->hops, a->hops))
        command_nonsense(c);
    else
        next_hop(c);
}

static void take_plan(struct control_client *c, const struct ipc_plan_answer *a)
{
    struct ipc_plan_ask hop = { 0 };
    size_t n = first_hop(c, &hop);
    struct str domain = hop.domain;

    BUG_ON(!n);
    /* Between two configurations the same number may mean another route. */
    if (a->generation != c->generation)
        say_no_plan(c, domain, STR_NONE, STR("the configuration is being changed just now; ask again"));
    else if (a->status == IPC_PLAN_OK)
        say_plan(c, domain, a->plan);
    else
        say_no_plan(c, domain, a->code, a->text);
    buf_eat(&c->hops, n);
}

static void explain_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type == IPC_EXPLAIN_ANSWER && !c->hops.n) {
        take_explanation(c, &m->explain_answer);
    } else if (m->type == IPC_PLAN_ANSWER && c->hops.n) {
        take_plan(c, &m->plan_answer);
        next_hop(c);
    }
}

static void explain_down(struct control_client *c, struct ipc_channel *peer)
{
    if (peer->peer == (c->hops.n ? PROCESS_RESOLVE : PROCESS_LOOKUP))
        client_fail(c, COMMAND_NO_SERVER, "a process that was asked ended; it is being started again",
                    "try again");
}

static void explain_too_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER,
                c->hops.n ? "the resolve process did not answer in 30 seconds"
                          : "the lookup process did not answer in 30 seconds",
                "try again");
}

/* ---- explain ID ---- */

static void message_begin(struct control_client *c, json_t *request)
{
    struct ipc_channel *queue = worker_peer(worker_of(c), PROCESS_QUEUE);
    json_int_t limit = json_integer_value(json_object_get(request, "limit"));
    struct ipc_queue_explain_ask ask = {
        .ticket = c->ticket,
        .limit = limit > 0 && limit < INT32_MAX ? (uint32_t)limit : 0,
    };
    struct queue_id id;

    if (!queue_id_parse(request_text(c, "id"), &id)) {
        client_fail(c, COMMAND_USAGE, "not a queue id", "veredus queue lists them");
        return;
    }
    ask.id = id.n;
    if (!queue || !ipc_send_queue_explain_ask(queue, &ask))
        command_no_queue(c);
    else
        client_patience(c, QUEUE_PATIENCE_MSEC);
}

/* What the queue said stands; where it would go now is not known. */
static void message_without_plans(struct control_client *c, const char *why)
{
    struct ipc_plan_ask hop = { 0 };

    for (size_t n; (n = first_hop(c, &hop)) > 0; buf_eat(&c->hops, n))
        say_no_plan(c, hop.domain, STR_NONE, str_from_c(why));
    client_end(c, COMMAND_OK);
}

static void message_next_hop(struct control_client *c)
{
    if (!c->hops.n)
        client_end(c, COMMAND_OK);
    else if (!ask_plan(c))
        message_without_plans(c, "the resolve process is away; it is being started again");
    else
        client_patience(c, PLAN_PATIENCE_MSEC);
}

static void take_message(struct control_client *c, const struct ipc_queue_explain_answer *a)
{
    c->hops = BUF_INIT(HOPS_MAX);
    c->generation = a->generation;
    if (!a->records.n)
        client_fail(c, COMMAND_FOUND, "no such message in the queue",
                    "it was delivered, returned or removed: veredus trace ID tells which");
    else if (!client_rows(c, a->records) || !buf_add(&c->hops, a->hops))
        command_nonsense(c);
    else
        message_next_hop(c);
}

static void message_answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type == IPC_QUEUE_EXPLAIN_ANSWER && !c->hops.n) {
        take_message(c, &m->queue_explain_answer);
    } else if (m->type == IPC_PLAN_ANSWER && c->hops.n) {
        take_plan(c, &m->plan_answer);
        message_next_hop(c);
    }
}

static void message_down(struct control_client *c, struct ipc_channel *peer)
{
    if (c->hops.n && peer->peer == PROCESS_RESOLVE)
        message_without_plans(c, "the resolve process ended; it is being started again");
    else if (!c->hops.n && peer->peer == PROCESS_QUEUE)
        client_fail(c, COMMAND_NO_SERVER, "the queue process ended; it is being started again", "try again");
}

static void message_too_late(struct control_client *c)
{
    if (c->hops.n)
        message_without_plans(c, "the resolve process did not answer in 5 seconds");
    else
        command_queue_late(c);
}

const struct command command_explain[] = {
    { .name = "explain message",
      .begin = message_begin,
      .answer = message_answer,
      .peer_down = message_down,
      .too_late = message_too_late },
    { .name = "explain",
      .begin = explain_begin,
      .answer = explain_answer,
      .peer_down = explain_down,
      .too_late = explain_too_late },
    { .name = NULL },
};
