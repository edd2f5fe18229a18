/* auth/waiting.c */
#include "auth/waiting.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/bearer.h"
#include "core/ip.h"
#include "log/log.h"
#include "policy/limits.h"

/* A token, each of its octets as three at worst. */
enum { FORM_MAX = 3 * BEARER_MESSAGE_MAX + 64 };

/* ---- numbers ---- */

static struct str number_octets(const uint64_t *number)
{
    return str_of((const char *)number, sizeof(*number));
}

static struct auth_exchange *find(struct auth *auth, uint64_t number)
{
    struct map_node *node = map_find(&auth->waiting, number_octets(&number));

    return node ? CONTAINER_OF(node, struct auth_exchange, by_number) : NULL;
}

/* One that nobody waits under; Dovecot's have 32 bits. */
static uint64_t next_number(struct auth *auth)
{
    do {
        auth->last_number = auth->last_number % UINT32_MAX + 1;
    } while (find(auth, auth->last_number));
    return auth->last_number;
}

static bool begin(struct auth_exchange *x)
{
    x->number = next_number(x->auth);
    if (!map_insert(&x->auth->waiting, &x->by_number, number_octets(&x->number))) {
        x->number = 0;
        x->detail = "out of memory";
        return false;
    }
    io_timer_start(&x->patience, AUTH_PATIENCE_MSEC);
    return true;
}

void auth_waiting_end(struct auth_exchange *x)
{
    if (x->number)
        map_remove(&x->auth->waiting, &x->by_number);
    x->number = 0;
    x->asked = NULL;
    x->dovecot = NULL;
    x->keys_of = NULL;
    io_timer_stop(&x->patience);
}

static struct auth_exchange *take(struct auth_exchange *x)
{
    auth_waiting_end(x);
    return x;
}

struct auth_exchange *auth_waiting_take(struct auth *auth, uint64_t number, enum process_kind from)
{
    struct auth_exchange *x = find(auth, number);

    return x && x->asked && x->asked->peer == from ? take(x) : NULL;
}

struct auth_exchange *auth_waiting_take_dovecot(struct auth *auth, uint64_t number, const struct auth_dovecot *from)
{
    struct auth_exchange *x = find(auth, number);

    return x && x->dovecot == from ? take(x) : NULL;
}

struct auth_exchange *auth_waiting_take_any(struct auth *auth, const struct auth_dovecot *from)
{
    MAP_FOR (node, &auth->waiting) {
        struct auth_exchange *x = CONTAINER_OF(node, struct auth_exchange, by_number);
        if (x->dovecot == from)
            return take(x);
    }
    return NULL;
}

struct auth_exchange *auth_waiting_take_keys(struct auth *auth, const struct auth_issuer *issuer)
{
    MAP_FOR (node, &auth->waiting) {
        struct auth_exchange *x = CONTAINER_OF(node, struct auth_exchange, by_number);
        if (x->keys_of == issuer)
            return take(x);
    }
    return NULL;
}

/* ---- other processes ---- */

static struct str client_of(const struct auth_exchange *x)
{
    return str_of(x->client, x->n_client);
}

static struct ip_text client_text(const struct auth_exchange *x)
{
    struct ip ip = policy_client_of(client_of(x));

    return ip_text(&ip);
}

/* The process of that kind that has our configuration, when it can be asked; the exchange waits for it. */
static struct ipc_channel *begin_with(struct auth_exchange *x, enum process_kind kind)
{
    struct ipc_channel *peer = worker_peer_of(x->auth->worker, kind, x->auth->generation);

    x->detail = "who would be asked is away";
    if (!peer || !ipc_may_ask(peer) || !begin(x))
        return NULL;
    x->asked = peer;
    return peer;
}

static bool sent(struct auth_exchange *x, bool ok)
{
    if (!ok)
        auth_waiting_end(x);
    return ok;
}

bool auth_ask_guess(struct auth_exchange *x)
{
    struct ipc_channel *lookup = begin_with(x, PROCESS_LOOKUP);

    if (!lookup || !sent(x, ipc_send_guess_ask(lookup, &(struct ipc_guess_ask){
                                                           .ticket = x->number,
                                                           .client = client_of(x),
                                                           .listener = x->listener,
                                                           .account = x->name.account,
                                                       })))
        return false;
    x->guess = x->number;
    return true;
}

void auth_tell_guessed(struct auth_exchange *x, enum ipc_guess_end end)
{
    struct ipc_channel *lookup = worker_peer_of(x->auth->worker, PROCESS_LOOKUP, x->auth->generation);

    if (lookup)
        ipc_send_guessed(lookup, &(struct ipc_guessed){
                                     .ticket = x->guess,
                                     .client = client_of(x),
                                     .listener = x->listener,
                                     .account = x->name.account,
                                     .end = end,
                                 });
    x->guess = 0;
}

bool auth_ask_pam(struct auth_exchange *x, struct str service)
{
    struct ipc_channel *pam = begin_with(x, PROCESS_PAM);
    struct ip_text client = client_text(x);
    /* Accounts of this machine belong to the origin, as names without domain do. */
    bool is_ours = str_eq(x->name.domain, x->auth->config->origin.text);
    struct str user = is_ours ? x->name.local : x->name.account;

    return pam && sent(x, ipc_send_pam_ask(pam, &(struct ipc_pam_ask){
                                                    .ticket = x->number,
                                                    .service = service,
                                                    .user = user,
                                                    .password = str_from_c(x->sasl.password.c),
                                                    .client = str_from_c(client.c),
                                                }));
}

/* ---- issuers, whom resolve asks ---- */

bool auth_ask_keys(struct auth_exchange *x, struct auth_issuer *issuer, bool unknown)
{
    struct ipc_channel *resolve = begin_with(x, PROCESS_RESOLVE);
    int64_t now = io_now_msec(x->auth->worker->loop);

    if (!resolve)
        return false;
    x->keys_of = issuer;
    if (issuer->ticket && now - issuer->asked_msec < AUTH_PATIENCE_MSEC)
        return true;
    if (!sent(x, ipc_send_fetch_ask(resolve, &(struct ipc_fetch_ask){
                                                 .ticket = x->number,
                                                 .url = issuer->oauth->keys,
                                             })))
        return false;
    auth_issuer_asked(issuer, unknown, x->number, now);
    return true;
}

bool auth_ask_introspection(struct auth_exchange *x, const struct auth_issuer *issuer)
{
    struct buf form = BUF_INIT(FORM_MAX), authorization = BUF_INIT(FORM_MAX);
    struct ipc_channel *resolve = NULL;
    bool ok = false;

    x->detail = "the secret for an issuer's introspection cannot be had";
    if (auth_issuer_authorize(issuer, &authorization) && introspection_form(&form, x->token))
        resolve = begin_with(x, PROCESS_RESOLVE);
    if (resolve)
        ok = sent(x, ipc_send_fetch_ask(resolve, &(struct ipc_fetch_ask){
                                                     .ticket = x->number,
                                                     .url = issuer->oauth->introspection,
                                                     .authorization = buf_str(&authorization),
                                                     .posts = true,
                                                     .form = buf_str(&form),
                                                 }));
    buf_wipe(&form);
    buf_wipe(&authorization);
    return ok;
}

/* ---- Dovecot ---- */

static struct auth_dovecot *dovecot_find(struct auth *auth, struct str path)
{
    LIST_FOR (node, &auth->dovecots) {
        struct auth_dovecot *d = CONTAINER_OF(node, struct auth_dovecot, node);
        if (str_eq(d->link.path, path))
            return d;
    }
    return NULL;
}

/* Whom the socket has to let in, and how Dovecot is told so. */
static void add_cure(struct log_record *r, const struct auth_dovecot *d, const char *why)
{
    struct str run_as = d->auth->config->run_as.text;
    struct str own = str_from_c(process_account(PROCESS_AUTH));
    struct buf text = BUF_INIT(1024);

    buf_printf(&text, "%s by the account of the process auth (uid %u, %.*s); in Dovecot's service auth say unix_listener "
                      "%.*s { mode = 0600 user = %.*s }, and let that account into the folders above it",
               why, (unsigned)geteuid(), STR_ARG(run_as.n ? run_as : own), STR_ARG(d->link.path),
               STR_ARG(run_as.n ? run_as : own));
    log_text(r, LOG_ERROR, buf_str(&text));
    buf_done(&text);
}

void auth_dovecot_state(struct auth_dovecot *d, const char *why)
{
    struct log_record r;

    if (d->failing == (why != NULL))
        return;
    d->failing = why;
    log_start_level(&r, LOG_EVENT_TABLE, why ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO);
    log_text(&r, LOG_TABLE, d->link.path);
    log_text_c(&r, LOG_STATE, why ? "failing" : "answering");
    if (why && strcmp(why, DOVECOT_DENIED) == 0)
        add_cure(&r, d, why);
    else if (why)
        log_text_c(&r, LOG_ERROR, why);
    log_send(&r);
}

bool auth_ask_dovecot(struct auth_exchange *x, struct str path)
{
    struct auth_dovecot *d = dovecot_find(x->auth, path);
    struct ip_text client = client_text(x);
    bool asked;

    if (!begin(x))
        return false;
    x->dovecot = d;
    /* The name as it was said: Dovecot has rules of its own for names without domain. */
    asked = dovecot_ask(&d->link, (uint32_t)x->number, str_from_c(x->sasl.name.c), str_from_c(x->sasl.password.c),
                        str_from_c(client.c), &x->detail);
    if (!asked)
        auth_dovecot_state(d, x->detail);
    return sent(x, asked);
}

static bool add_dovecots(struct auth *auth, const struct config_auths *auths)
{
    for (size_t i = 0; i < auths->n; i++) {
        struct auth_dovecot *d;
        if (auths->items[i].kind != CONFIG_AUTH_DOVECOT || dovecot_find(auth, auths->items[i].where))
            continue;
        d = malloc(sizeof(*d));
        if (!d)
            return false;
        *d = (struct auth_dovecot){ .auth = auth };
        dovecot_init(&d->link, auth->worker->loop, auths->items[i].where);
        d->link.answered = auth_dovecot_answered;
        d->link.lost = auth_dovecot_lost;
        list_append(&auth->dovecots, &d->node);
    }
    return true;
}

bool auth_dovecots_init(struct auth *auth, struct err *err)
{
    const struct config *c = auth->config;
    bool ok = true;

    for (size_t i = 0; i < c->n_listeners; i++)
        ok = ok && add_dovecots(auth, &c->listeners[i].session.auth);
    for (size_t i = 0; i < c->n_domains; i++)
        ok = ok && add_dovecots(auth, &c->domains[i].auth);
    return ok || err_temp(err, "out of memory");
}

void auth_dovecots_done(struct auth *auth)
{
    struct list *node;

    while ((node = list_take(&auth->dovecots)) != NULL) {
        struct auth_dovecot *d = CONTAINER_OF(node, struct auth_dovecot, node);
        dovecot_done(&d->link);
        free(d);
    }
}
