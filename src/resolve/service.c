/* resolve/service.c -- the life of the process: what it reads before its sandbox, questions, how it is. */
#include "resolve/service.h"

#include <stdlib.h>

#include "io/fd.h"
#include "log/record.h"
#include "resolve/fetch.h"
#include "resolve/resolve.h"
#include "tls/tls.h"

enum { AGAIN_MSEC = 30 * 1000, CAS_MAX = 4 << 20 };

struct state {
    struct worker *worker;
    struct resolve *resolve;
    struct fetcher fetcher;
    struct io_timer again;
};

static struct resolve *resolve_of(const struct worker *w)
{
    struct state *s = w->state;

    return s->resolve;
}

/* What could not be read before the sandbox is read by the next process. */
static void on_again(struct io_timer *t)
{
    worker_exit(CONTAINER_OF(t, struct state, again)->worker);
}

/* PEM; empty with ERR when no issuer can be believed: then each request says so. */
static struct str read_cas(struct arena *a, struct err *err)
{
    struct str cas = STR_NONE;

    if (!a) {
        err_temp(err, "out of memory");
    } else if (!file_read_all(TLS_SYSTEM_CAS, CAS_MAX, a, &cas, err)) {
        err_wrap(err, "the CAs of the system");
        return STR_NONE;
    } else if (!cas.n) {
        err_perm(err, "there are no CAs of the system in %s", TLS_SYSTEM_CAS);
    }
    return cas;
}

static bool begin_fetcher(struct state *s, struct err *err)
{
    struct arena *a = arena_new(CAS_MAX + 64 * 1024);
    struct err no_cas = { 0 };
    struct str cas = fetcher_is_wanted(s->worker->config) ? read_cas(a, &no_cas) : STR_NONE;
    bool ok = fetcher_init(&s->fetcher, s->worker->loop, s->worker->config, s->resolve->dns, cas, &no_cas, err);

    arena_free(a);
    return ok;
}

static bool on_start(struct worker *w, struct err *err)
{
    const struct dns_settings settings = {
        .resolvers = w->config->resolvers,
        .n_resolvers = w->config->n_resolvers,
        .trust_anchor = w->config->trust_anchor.text,
        .resolv_conf = STR("/etc/resolv.conf"),
        .timeout_msec = RESOLVE_TIMEOUT_MSEC,
    };
    struct state *s = calloc(1, sizeof(*s));

    if (!s)
        return err_temp(err, "out of memory");
    w->state = s;
    s->worker = w;
    s->resolve = resolve_new(w->loop, w->config, w->generation, &settings, err);
    if (!s->resolve || !io_timer_init(&s->again, w->loop, on_again, err) || !begin_fetcher(s, err))
        return false;
    if (!s->resolve->dns)
        io_timer_start(&s->again, AGAIN_MSEC);
    return true;
}

static void on_sandbox(struct worker *w, struct sandbox *box)
{
    (void)w;
    box->network = true;
}

static void on_message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct state *s = w->state;

    if (m->type == IPC_PLAN_ASK)
        resolve_ask(s->resolve, from, &m->plan_ask);
    else if (m->type == IPC_FETCH_ASK)
        fetcher_ask(&s->fetcher, from, &m->fetch_ask);
}

static void on_peer_down(struct worker *w, struct ipc_channel *peer)
{
    struct state *s = w->state;

    resolve_forget(s->resolve, peer);
    fetcher_forget(&s->fetcher, peer);
}

static void on_status(struct worker *w, struct buf *rows)
{
    const struct resolve *r = resolve_of(w);
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(PROCESS_RESOLVE));
    log_number(&row, LOG_INSTANCE, w->instance);
    if (r->dns)
        log_text(&row, LOG_SERVER, dns_resolver_servers(r->dns));
    log_number(&row, LOG_WAITING, (int64_t)(r->n_active + r->n_waiting));
    if (!r->dns || r->health.state == RESOLVE_FAILING)
        log_text_c(&row, LOG_ERROR, r->trouble.text);
    worker_row_add(rows, &row);
}

/* What is in hand when it must end is asked again: of the next one. So RETIRE and STOP end it at once. */
const struct worker_service resolve_service = {
    .kind = PROCESS_RESOLVE,
    .start = on_start,
    .sandbox = on_sandbox,
    .message = on_message,
    .peer_down = on_peer_down,
    .status = on_status,
};
