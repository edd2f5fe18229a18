/* control/tls.c -- tls check: where mail for a domain would go, and what send sees of TLS there (FACE 2.3). */
#include "control/commands.h"
#include "core/ip.h"
#include "route/match.h"
#include "smtp/address.h"

enum { ARENA_MAX = 64 << 20, CHECK_PATIENCE_MSEC = 60000 };

/* ---- which next hop ---- */

/* The domain of NAME in A, lower case, A-labels; false: it is none. */
static bool take_domain(struct arena *a, struct str name, struct str *domain)
{
    struct str address = arena_printf(a, "postmaster@%.*s", STR_ARG(name));
    struct smtp_path path;

    if (!address.p || smtp_mailbox_parse(a, address, &path) != SMTP_PATH_OK || !path.domain.n)
        return false;
    *domain = path.domain;
    return true;
}

/* "mx1.example.net:2525", "[2001:db8::1]:25": a host, asked for by its port. */
static bool is_host(struct str name)
{
    return (str_starts(name, STR("[")) ? str_contains(name, STR("]:")) : str_has(name, ':')) &&
           !str_contains(name, STR("//"));
}

/* An address is a domain in brackets (RFC 5321 4.1.3). */
static struct str name_of(struct arena *a, struct str said)
{
    struct ip ip;

    if (!ip_parse(said, &ip))
        return said;
    return arena_printf(a, ip.family == IP_V6 ? "[IPv6:%.*s]" : "[%.*s]", STR_ARG(said));
}

static void ask_resolve(struct control_client *c, const struct ipc_plan_ask *ask)
{
    struct ipc_channel *resolve = worker_peer_of(worker_of(c), PROCESS_RESOLVE, worker_of(c)->generation);

    c->generation = worker_of(c)->generation;
    c->route = ask->route;
    if (resolve && ipc_send_plan_ask(resolve, ask))
        client_patience(c, CHECK_PATIENCE_MSEC);
    else
        client_fail(c, COMMAND_NO_SERVER, "the resolve process is away; it is being started again", "try again");
}

/* The route without conditions that mail for DOMAIN takes. */
static void ask_route(struct control_client *c, struct arena *a, struct str domain)
{
    const struct route_index *routes = route_index_new(a, worker_of(c)->config);
    const struct route_question q = {
        .local = STR("postmaster"), .domain = domain, .separators = ROUTE_FOREIGN_SEPARATORS
    };
    const struct config_route *route = routes ? route_match(routes, &q) : NULL;

    if (!routes)
        client_fail(c, COMMAND_LATER, "out of memory", "");
    else if (!route || !config_target_is_remote(route->targets[0].kind))
        client_fail(c, COMMAND_FOUND, "mail for this domain goes to no other host", "veredus explain shows its way");
    else
        ask_resolve(c, &(struct ipc_plan_ask){
                           .ticket = c->ticket, .route = (uint32_t)route->index, .domain = domain });
}

static void begin(struct control_client *c, json_t *request)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct str name = a ? name_of(a, request_text(c, "name")) : STR_NONE, domain, target;

    (void)request;
    if (!name.p) {
        client_fail(c, COMMAND_LATER, "out of memory", "");
    } else if (is_host(name)) {
        target = arena_printf(a, "smtp://%.*s", STR_ARG(name));
        ask_resolve(c, &(struct ipc_plan_ask){ .ticket = c->ticket, .route = IPC_NO_ROUTE, .target = target });
    } else if (take_domain(a, name, &domain)) {
        ask_route(c, a, domain);
    } else {
        client_fail(c, COMMAND_USAGE, "not a domain or a host", "veredus tls check example.net");
    }
    arena_free(a);
}

/* ---- the answers ---- */

static void take_plan(struct control_client *c, const struct ipc_plan_answer *plan)
{
    struct ipc_channel *send = worker_peer_of(worker_of(c), PROCESS_SEND, c->generation);
    struct err why = { 0 };

    if (plan->generation != c->generation) {
        client_fail(c, COMMAND_LATER, "the configuration is being changed just now", "ask again");
    } else if (plan->status != IPC_PLAN_OK) {
        err_temp(&why, "%.*s", STR_ARG(plan->text));
        client_fail(c, plan->status == IPC_PLAN_PERM ? COMMAND_FOUND : COMMAND_LATER, why.text, "");
    } else if (!send || !ipc_send_tls_check_ask(send, &(struct ipc_tls_check_ask){ .ticket = c->ticket,
                                                                                  .route = c->route,
                                                                                  .domain = request_text(c, "name"),
                                                                                  .plan = plan->plan })) {
        client_fail(c, COMMAND_NO_SERVER, "no send process can be asked", "try again");
    } else {
        client_patience(c, CHECK_PATIENCE_MSEC);
    }
}

static void answer(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m)
{
    (void)from;
    if (m->type == IPC_PLAN_ANSWER)
        take_plan(c, &m->plan_answer);
    else if (m->type != IPC_TLS_CHECK_ANSWER)
        return;
    else if (!m->tls_check_answer.records.n)
        client_fail(c, COMMAND_LATER, "the send process cannot look just now", "try again");
    else if (!client_rows(c, m->tls_check_answer.records))
        command_nonsense(c);
    else
        client_end(c, COMMAND_OK);
}

static void peer_down(struct control_client *c, struct ipc_channel *peer)
{
    if (peer->peer == PROCESS_RESOLVE || peer->peer == PROCESS_SEND)
        client_fail(c, COMMAND_NO_SERVER, "a process that was asked ended; it is being started again", "try again");
}

static void too_late(struct control_client *c)
{
    client_fail(c, COMMAND_LATER, "there was no answer in 60 seconds", "try again");
}

const struct command command_tls[] = {
    { .name = "tls check", .begin = begin, .answer = answer, .peer_down = peer_down, .too_late = too_late },
    { .name = NULL },
};
