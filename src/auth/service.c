/* auth/service.c -- the life of the process: files come from main, log-ins from receive and submit. */
#include "auth/auth.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "auth/ended.h"
#include "auth/exchange.h"
#include "auth/waiting.h"

/* What the allocator writes over memory that is given back: libraries do not wipe what they free. */
enum { WIPED = 0x5a };

/* ---- what is offered ---- */

static void tell_offer(struct auth *auth, struct ipc_channel *intake, uint32_t listener)
{
    const struct auth_offer *offer = &auth->offers.items[listener];

    ipc_send_mechanisms(intake, &(struct ipc_mechanisms){
                                    .listener = listener,
                                    .names = str_of(offer->c, offer->n),
                                });
}

static bool is_intake(const struct ipc_channel *c)
{
    return SET_INTAKE & 1U << c->peer;
}

static void tell_all(struct auth *auth, uint32_t listener)
{
    struct worker *w = auth->worker;

    for (size_t i = 0; i < w->n_peers; i++)
        if (is_intake(w->peers[i]))
            tell_offer(auth, w->peers[i], listener);
}

/* Accounts have changed: so may what they allow. */
static void renew_offers(struct auth *auth)
{
    struct auth_offer offer;

    for (uint32_t i = 0; i < auth->offers.n; i++) {
        auth_offer_make(auth->config, &auth->files, i, &offer);
        if (memcmp(&offer, &auth->offers.items[i], sizeof(offer)) == 0)
            continue;
        auth->offers.items[i] = offer;
        tell_all(auth, i);
    }
}

/* ---- life ---- */

static bool make_offers(struct auth *auth)
{
    auth->offers.items = calloc(auth->config->n_listeners + 1, sizeof(*auth->offers.items));
    if (!auth->offers.items)
        return false;
    auth->offers.n = auth->config->n_listeners;
    return true;
}

struct auth *auth_new(struct worker *w, struct err *err)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    if (!auth) {
        err_temp(err, "out of memory");
        return NULL;
    }
    auth->worker = w;
    auth->config = w->config;
    auth->generation = w->generation;
    list_init(&auth->files.all);
    list_init(&auth->dovecots);
    auth->library = auth_sasl_library(err);
    if (!auth->library || !auth_files_init(&auth->files, w->config, err) || !auth_dovecots_init(auth, err) ||
        !auth_issuers_init(&auth->issuers, w->config, err))
        goto fail;
    auth->files.changed = auth_files_changed;
    if (make_offers(auth))
        return auth;
    err_temp(err, "out of memory");
fail:
    auth_free(auth);
    return NULL;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    auth_exchanges_end(auth);
    auth_dovecots_done(auth);
    auth_issuers_done(&auth->issuers);
    auth_files_done(&auth->files);
    free(auth->offers.items);
    if (auth->library)
        gsasl_done(auth->library);
    free(auth);
}

/* Files come before START: the first thing we hear of makes us. */
static struct auth *auth_of(struct worker *w, struct err *err)
{
    if (!w->state && w->config)
        w->state = auth_new(w, err);
    return w->state;
}

static bool on_start(struct worker *w, struct err *err)
{
    struct auth *auth;

    mallopt(M_PERTURB, WIPED);
    auth = auth_of(w, err);
    if (auth)
        renew_offers(auth);
    return auth;
}

/* Dovecot's socket is connected to again and again. */
static void on_sandbox(struct worker *w, struct sandbox *box)
{
    const struct auth *auth = w->state;

    box->unix_sockets = !list_empty(&auth->dovecots);
}

/* What could not be had until now knew whom it did not name, perhaps. */
static void want_all_logins(struct auth *auth)
{
    struct worker *w = auth->worker;

    for (size_t i = 0; i < w->n_peers; i++)
        auth_want_logins(auth, w->peers[i]);
}

static void take_file(struct worker *w, struct auth *auth, const struct ipc_message *m)
{
    const struct ipc_opened *o = &m->opened;

    if (!auth_files_give(&auth->files, o->path, m->fd, o->error)) {
        (void)auth_issuers_give(&auth->issuers, o->path, m->fd, o->error);
    } else if (w->started) {
        renew_offers(auth);
        want_all_logins(auth);
    }
}

/* Passwords came in this frame, which is ours until we return. */
static void wipe(struct str secret)
{
    if (secret.n)
        explicit_bzero((char *)(uintptr_t)secret.p, secret.n);
}

static void on_message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct err err = { 0 };
    struct auth *auth = auth_of(w, &err);

    if (!auth)
        return;
    switch (m->type) {
    case IPC_OPENED:
        take_file(w, auth, m);
        return;
    case IPC_LOGIN_ASK:
        auth_login(auth, from, &m->login_ask);
        wipe(m->login_ask.initial);
        return;
    case IPC_LOGIN_STEP:
        auth_step(auth, from, &m->login_step);
        wipe(m->login_step.response);
        return;
    case IPC_LOGIN_GONE:
        auth_gone(auth, from, m->login_gone.ticket);
        return;
    case IPC_LOGIN_KEPT:
        auth_login_kept(auth, from, m->login_kept.account);
        return;
    case IPC_GUESS_ANSWER:
        auth_guess(auth, &m->guess_answer);
        return;
    case IPC_PAM_ANSWER:
        auth_pam_answered(auth, &m->pam_answer);
        return;
    case IPC_FETCH_ANSWER:
        auth_fetched(auth, &m->fetch_answer);
        return;
    default:
        return;
    }
}

static void on_peer_up(struct worker *w, struct ipc_channel *peer)
{
    struct auth *auth = w->state;

    if (is_intake(peer))
        for (uint32_t i = 0; i < auth->offers.n; i++)
            tell_offer(auth, peer, i);
    auth_want_logins(auth, peer);
}

static void on_peer_down(struct worker *w, struct ipc_channel *peer)
{
    struct auth *auth = w->state;

    if (auth)
        auth_peer_gone(auth, peer);
}

static void on_status(struct worker *w, struct buf *records)
{
    struct auth *auth = w->state;

    if (auth)
        auth_files_status(&auth->files, records);
}

const struct worker_service auth_service = {
    .kind = PROCESS_AUTH,
    .start = on_start,
    .sandbox = on_sandbox,
    .message = on_message,
    .peer_up = on_peer_up,
    .peer_down = on_peer_down,
    .status = on_status,
};
