/* key/key.c -- files become pairs, pairs are told and sign. */
#include "key/key.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "key/log.h"
#include "key/sign.h"

/*
 * DAY: how often expiry is looked at. FORMER: a handshake that began with the former key asks for its
 * signature within the time that handshakes have.
 */
enum { DAY_MSEC = 86400 * 1000, FORMER_MSEC = 120 * 1000 };

/* ---- what the configuration has ---- */

static struct key_file *file_of(struct key *k, struct str path)
{
    for (size_t i = 0; i < k->n_files; i++)
        if (str_eq(k->files[i].path, path))
            return &k->files[i];
    return NULL;
}

/* There is room for two for each certificate. */
static struct key_file *file_have(struct key *k, struct str path)
{
    struct key_file *f = file_of(k, path);

    if (f)
        return f;
    f = &k->files[k->n_files++];
    f->path = path;
    err_temp(&f->chain_error, "not read yet");
    f->key_error = f->chain_error;
    return f;
}

static bool take_certificates(struct key *k, const struct config *config)
{
    k->files = calloc(2 * config->n_certificates + 1, sizeof(*k->files));
    k->certificates = calloc(config->n_certificates + 1, sizeof(*k->certificates));
    if (!k->files || !k->certificates)
        return false;
    for (size_t i = 0; i < config->n_certificates; i++) {
        const struct config_certificate *place = &config->certificates[i];
        k->certificates[i] = (struct key_certificate){
            .place = place,
            .chain = file_have(k, place->chain),
            .key = file_have(k, place->key),
            .changed = true,
        };
    }
    k->n_certificates = config->n_certificates;
    return true;
}

static enum process_kind server_of(const struct config_listener *l)
{
    return l->role == CONFIG_ROLE_SUBMISSION ? PROCESS_SUBMIT : PROCESS_RECEIVE;
}

/* Who shows it, which decides what it may sign. */
static void take_uses(struct key *k, const struct config *config)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        for (size_t n = 0; n < config->listeners[i].tls.n_certificates; n++)
            k->certificates[config->listeners[i].tls.certificates[n]->index].showers |=
                1U << server_of(&config->listeners[i]);
    for (size_t i = 0; i < config->n_routes; i++)
        if (config->routes[i].client_certificate)
            k->certificates[config->routes[i].client_certificate->index].showers |= SET_SEND;
}

static bool take_tickets(struct key *k, const struct config *config, struct err *err)
{
    k->tickets = calloc(config->n_listeners + 1, sizeof(*k->tickets));
    if (!k->tickets)
        return err_temp(err, "no memory for keys of session tickets");
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_tls *tls = &config->listeners[i].tls;
        if (tls->n_certificates == 0 || !tls->session_tickets.on)
            continue;
        k->tickets[k->n_tickets].listener = (uint32_t)i;
        if (!key_tickets_turn(&k->tickets[k->n_tickets++], err))
            return false;
    }
    return true;
}

/* ---- telling ---- */

/* Each side knows the chains that it shows. */
static bool shows(const struct key_certificate *c, enum process_kind peer)
{
    return c->showers & 1U << peer;
}

static bool speaks_tls(const struct ipc_channel *peer)
{
    return (1U << peer->peer) & SET_TLS;
}

static void tell_certificate(const struct key *k, size_t i, struct ipc_channel *peer)
{
    const struct key_pair *p = k->certificates[i].pair;

    if (!shows(&k->certificates[i], peer->peer))
        return;
    ipc_send_certificate(peer, &(struct ipc_certificate){
                                   .certificate = (uint32_t)i,
                                   .chain = p ? buf_str(&p->octets) : STR_NONE,
                                   .key = p ? str_of((const char *)p->name, sizeof(p->name)) : STR_NONE,
                               });
}

/* Tickets of our users are not for those who speak with strangers: a hole there does not open what these have said. */
static bool serves(const struct ipc_channel *peer, const struct config_listener *l)
{
    return peer->peer == server_of(l);
}

static void tell_tickets(const struct key *k, struct ipc_channel *peer)
{
    for (size_t i = 0; i < k->n_tickets; i++) {
        if (!serves(peer, &k->worker->config->listeners[k->tickets[i].listener]))
            continue;
        ipc_send_ticket_keys(peer, &(struct ipc_ticket_keys){
                                       .listener = k->tickets[i].listener,
                                       .keys = key_tickets_octets(&k->tickets[i]),
                                   });
    }
}

void key_tell(struct key *k, struct ipc_channel *peer)
{
    if (!speaks_tls(peer))
        return;
    for (size_t i = 0; i < k->n_certificates; i++)
        tell_certificate(k, i, peer);
    tell_tickets(k, peer);
    ipc_send_keys_told(peer, &(struct ipc_keys_told){ .generation = k->worker->generation });
}

static void tell_all(struct key *k, size_t i)
{
    for (size_t p = 0; p < k->worker->n_peers; p++)
        if (k->worker->started && speaks_tls(k->worker->peers[p]))
            tell_certificate(k, i, k->worker->peers[p]);
}

/* ---- looking at what changed ---- */

static void replace(struct key *k, struct key_certificate *c, struct key_pair *p)
{
    key_pair_free(c->former);
    c->former = c->pair;
    c->pair = p;
    if (c->former)
        io_timer_start(&k->forgets, FORMER_MSEC);
}

static void look_at(struct key *k, size_t i)
{
    struct key_certificate *c = &k->certificates[i];
    struct err err = { 0 };
    struct key_pair *p = key_pair_new(c->chain, c->key, &err);

    c->changed = false;
    if (!p) {
        c->state = c->pair ? KEY_STATE_KEPT : KEY_STATE_MISSING;
        key_log(c, &err);
        return;
    }
    if (c->state == KEY_STATE_LOADED && key_pair_eq(c->pair, p)) {
        key_pair_free(p);
        return;
    }
    c->state = KEY_STATE_LOADED;
    replace(k, c, p);
    key_log(c, NULL);
    key_log_age(c, io_wall_msec());
    tell_all(k, i);
}

void key_look(struct key *k)
{
    for (size_t i = 0; i < k->n_certificates; i++)
        if (k->certificates[i].changed)
            look_at(k, i);
}

void key_give(struct key *k, struct str path, int fd, struct str error)
{
    struct key_file *f = file_of(k, path);

    if (!f)
        return;
    if (fd >= 0)
        key_file_read(f, fd);
    else
        key_file_fail(f, error);
    for (size_t i = 0; i < k->n_certificates; i++)
        if (k->certificates[i].chain == f || k->certificates[i].key == f)
            k->certificates[i].changed = true;
    /* The other half may be among what is still to be heard in this turn. */
    io_task_post(&k->look);
}

/* ---- signatures ---- */

static bool may_sign(const struct key_certificate *c, enum process_kind asker, unsigned form)
{
    bool as_client = form == IPC_SIGN_CLIENT_13 || form == IPC_SIGN_CLIENT_12;

    return as_client == (asker == PROCESS_SEND) && shows(c, asker);
}

static EVP_PKEY *key_called(const struct key_certificate *c, struct str name)
{
    const struct key_pair *pairs[] = { c->pair, c->former };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (pairs[i] && str_eq(str_of((const char *)pairs[i]->name, sizeof(pairs[i]->name)), name))
            return pairs[i]->key;
    return NULL;
}

static EVP_PKEY *key_for(const struct key *k, enum process_kind asker, const struct ipc_sign_ask *ask)
{
    for (size_t i = 0; i < k->n_certificates; i++) {
        EVP_PKEY *key = may_sign(&k->certificates[i], asker, ask->form)
                            ? key_called(&k->certificates[i], ask->key)
                            : NULL;
        if (key)
            return key;
    }
    return NULL;
}

void key_answer(struct key *k, struct ipc_channel *from, const struct ipc_sign_ask *ask)
{
    EVP_PKEY *key = key_for(k, from->peer, ask);
    unsigned char signature[KEY_SIGNATURE_MAX];
    struct ipc_sign_answer answer = { .ticket = ask->ticket, .status = IPC_PERM };
    struct err err = { 0 };
    size_t n = 0;

    if (key && key_sign(key, ask->form, ask->scheme, ask->octets, signature, &n, &err)) {
        answer.status = IPC_OK;
        answer.signature = str_of((const char *)signature, n);
    } else if (key && err.kind == ERR_TEMP) {
        answer.status = IPC_TEMP;
    }
    ipc_send_sign_answer(from, &answer);
}

/* ---- timers ---- */

static void on_look(struct io_task *t)
{
    struct key *k = CONTAINER_OF(t, struct key, look);

    key_look(k);
}

static void on_turn(struct io_timer *t)
{
    struct key *k = CONTAINER_OF(t, struct key, turn);

    io_timer_start(&k->turn, KEY_TICKETS_MSEC);
    for (size_t i = 0; i < k->n_tickets; i++)
        if (!key_tickets_turn(&k->tickets[i], NULL))
            return;
    for (size_t p = 0; p < k->worker->n_peers; p++)
        tell_tickets(k, k->worker->peers[p]);
}

static void on_daily(struct io_timer *t)
{
    struct key *k = CONTAINER_OF(t, struct key, daily);

    io_timer_start(&k->daily, DAY_MSEC);
    for (size_t i = 0; i < k->n_certificates; i++)
        key_log_age(&k->certificates[i], io_wall_msec());
}

static void on_forgets(struct io_timer *t)
{
    struct key *k = CONTAINER_OF(t, struct key, forgets);

    for (size_t i = 0; i < k->n_certificates; i++) {
        key_pair_free(k->certificates[i].former);
        k->certificates[i].former = NULL;
    }
}

/* ---- its life ---- */

struct key *key_new(struct worker *w, struct err *err)
{
    struct key *k = calloc(1, sizeof(*k));

    if (!k) {
        err_temp(err, "no memory for keys");
        return NULL;
    }
    k->worker = w;
    io_task_init(&k->look, w->loop, on_look);
    if (!take_certificates(k, w->config)) {
        err_temp(err, "no memory for keys");
        goto fail;
    }
    take_uses(k, w->config);
    if (!take_tickets(k, w->config, err) || !io_timer_init(&k->turn, w->loop, on_turn, err) ||
        !io_timer_init(&k->daily, w->loop, on_daily, err) ||
        !io_timer_init(&k->forgets, w->loop, on_forgets, err))
        goto fail;
    io_timer_start(&k->turn, KEY_TICKETS_MSEC);
    io_timer_start(&k->daily, DAY_MSEC);
    return k;
fail:
    key_free(k);
    return NULL;
}

static void done_if(struct io_timer *t)
{
    if (t->loop)
        io_timer_done(t);
}

void key_free(struct key *k)
{
    if (!k)
        return;
    io_task_done(&k->look);
    done_if(&k->turn);
    done_if(&k->daily);
    done_if(&k->forgets);
    for (size_t i = 0; i < k->n_certificates; i++) {
        key_pair_free(k->certificates[i].pair);
        key_pair_free(k->certificates[i].former);
    }
    for (size_t i = 0; i < k->n_files; i++)
        key_file_done(&k->files[i]);
    if (k->tickets)
        explicit_bzero(k->tickets, k->n_tickets * sizeof(*k->tickets));
    free(k->tickets);
    free(k->certificates);
    free(k->files);
    free(k);
}
