/* send/verify.c -- one question, one connection, one answer, within a bound of time. */
#include "send/verify.h"

#include <stdlib.h>

#include "route/tls.h"
#include "send/connection.h"

enum { VERIFY_MSEC = 10000 /* the client of receive waits meanwhile */ };

struct verify {
    struct list node; /* of send.verifies */
    struct send *send;
    struct connection *connection; /* NULL once it is no more */
    struct transfer *transfer;     /* NULL once it is made */
    struct io_timer timer;
    uint64_t ticket;
    uint32_t asker; /* instance */
    bool answered;
    bool lie; /* it leads where no route does */
};

static void answer(struct verify *v, const struct ipc_verify_answer *a)
{
    const struct worker *w = v->send->worker;
    struct ipc_verify_answer with_ticket = *a;

    if (v->answered)
        return;
    v->answered = true;
    with_ticket.ticket = v->ticket;
    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i]->instance == v->asker && !w->peers[i]->closed)
            ipc_send_verify_answer(w->peers[i], &with_ticket);
}

static void answer_cannot(struct verify *v, const char *text)
{
    answer(v, &(struct ipc_verify_answer){
                  .status = IPC_TEMP,
                  .enhanced = STR("4.4.3"),
                  .text = str_from_c(text),
              });
}

/* Both the connection and its transfer are over. */
static void verify_free(struct verify *v)
{
    struct send *s = v->send;

    io_timer_done(&v->timer);
    transfer_free(v->transfer);
    list_remove(&v->node);
    s->n_verifies--;
    free(v);
    send_exit_if_done(s);
}

static void opened(struct connection *c)
{
    (void)c;
}

static void made(struct connection *c, struct transfer *t)
{
    struct verify *v = c->whose;
    const struct smtp_client_result *r = &t->tx.recipients[0].result;
    bool asked = r->from_peer && r->stage == SMTP_STAGE_RCPT;

    if (r->kind == SMTP_RESULT_OK || (asked && r->kind == SMTP_RESULT_PERM))
        answer(v, &(struct ipc_verify_answer){
                      .status = r->kind == SMTP_RESULT_OK ? IPC_OK : IPC_PERM,
                      .asked = 1,
                      .code = (uint16_t)r->code,
                      .enhanced = r->status,
                      .text = r->text,
                  });
    else
        answer(v, &(struct ipc_verify_answer){
                      .status = IPC_TEMP,
                      .asked = asked,
                      .code = (uint16_t)r->code,
                      .enhanced = r->status,
                      .text = r->text,
                  });
    connection_close(c);
}

static void failed(struct connection *c, const struct connection_failure *why)
{
    struct verify *v = c->whose;

    answer(v, &(struct ipc_verify_answer){
                  .status = IPC_TEMP,
                  .code = (uint16_t)why->code,
                  .enhanced = str_from_c(why->enhanced),
                  .text = str_from_c(why->text),
              });
}

static void closed(struct connection *c, bool orderly, const struct smtp_client_result *farewell)
{
    (void)c;
    (void)orderly;
    (void)farewell;
}

static void gone(struct connection *c)
{
    verify_free(c->whose);
}

static const struct connection_owner verify_owner = {
    .opened = opened,
    .failed = failed,
    .made = made,
    .closed = closed,
    .gone = gone,
};

static void on_timer(struct io_timer *t)
{
    struct verify *v = CONTAINER_OF(t, struct verify, timer);

    answer_cannot(v, "the next hop did not answer in time");
    connection_cut(v->connection);
}

static struct str domain_of(struct str address)
{
    return str_skip(address, str_rfind(address, '@') + 1);
}

/* What the site demands of its hosts, TLS above all, holds for a question as for mail. */
static void use_site(struct connection *c, const struct config *config, struct str domain)
{
    struct str hosts[ROUTE_PLAN_ADDRESSES_MAX];
    size_t n = route_plan_names(&c->plan, hosts, ARRAY_LEN(hosts));
    const struct config_site *site = config_find_site(config, domain, hosts, n);

    if (site)
        connection_use_site(c, site);
}

/* A password is not for the MX of whatever domain a client says. */
static bool may_be_asked(const struct connection *c, struct str domain)
{
    for (size_t i = 0; i < c->plan.n; i++)
        if (!route_tls_leads_to(c->route, &c->plan.addresses[i], c->sending->login ? STR_NONE : domain))
            return false;
    return true;
}

/* Only of domains with `users ask` anything is asked. */
static bool is_asked_for(const struct config *config, struct str domain)
{
    const struct config_domain *d = config_find_domain(config, domain);

    for (size_t i = 0; d && i < d->n_users; i++)
        if (d->users[i].kind == CONFIG_USERS_ASK)
            return true;
    return false;
}

/*
 * Who asks speaks with strangers, and says where to: that the configuration has to have said before. Not every question that
 * cannot be asked is a lie: a client chooses the domain.
 */
static bool is_lie(const struct connection *c, struct str domain)
{
    if (!c->route)
        return true;
    for (size_t i = 0; i < c->plan.n; i++)
        if (!route_is_within(c->route, &c->plan.addresses[i], domain))
            return true;
    return false;
}

static const char *verify_begin(struct verify *v, const struct ipc_verify_ask *ask)
{
    const struct config *config = v->send->worker->config;
    const struct config_route *route = ask->route < config->n_routes ? &config->routes[ask->route] : NULL;
    struct str domain = domain_of(ask->address);
    struct err err = { 0 };

    if (v->send->retiring)
        return "this process is ending";
    if (v->send->n_verifies > SEND_VERIFIES_MAX)
        return "too many such questions are under way";
    if (!is_asked_for(config, domain))
        return "of this domain nobody is to be asked";
    v->transfer = transfer_new_probe(ask->address);
    if (!v->transfer || !io_timer_init(&v->timer, v->send->worker->loop, on_timer, &err))
        return "out of memory";
    v->connection = connection_open(v->send, ask->plan, route, &verify_owner, v, &err);
    if (!v->connection)
        return "out of memory";
    use_site(v->connection, config, domain);
    v->lie = is_lie(v->connection, domain);
    /* Then there is nobody to ask. */
    if (v->lie || !may_be_asked(v->connection, domain))
        v->connection->plan.n = 0;
    /* Only the hosts of the route know their mailboxes: while none of them is there, everyone is taken. */
    v->connection->plan.n = route_plan_before_fallback(&v->connection->plan);
    connection_give(v->connection, v->transfer);
    io_timer_start(&v->timer, VERIFY_MSEC);
    return NULL;
}

void verify_ask(struct send *s, struct ipc_channel *asker, const struct ipc_verify_ask *ask)
{
    struct verify *v = calloc(1, sizeof(*v));
    const char *why;

    if (!v) {
        ipc_send_verify_answer(asker,
                               &(struct ipc_verify_answer){ .ticket = ask->ticket, .status = IPC_TEMP });
        return;
    }
    *v = (struct verify){ .send = s, .ticket = ask->ticket, .asker = asker->instance };
    list_append(&s->verifies, &v->node);
    s->n_verifies++;
    why = verify_begin(v, ask);
    /* Its answer finds nobody then. */
    if (v->lie)
        ipc_channel_nonsense(asker, "a question to a host of no route");
    if (why) {
        answer_cannot(v, why);
        verify_free(v);
    }
}

void verify_stop(struct send *s)
{
    LIST_FOR(node, &s->verifies)
    {
        struct verify *v = CONTAINER_OF(node, struct verify, node);
        answer_cannot(v, "the server is stopping");
        connection_cut(v->connection);
    }
}
