/*
 * receive/offer.c -- what listeners offer: certificates and ticket keys that key tells of, CAs from main, mechanisms from
 * auth (ADR 0021). What changes is for those who come; sessions go on with what they have.
 */
#include <stdlib.h>
#include <string.h>

#include "io/fd.h"
#include "log/log.h"
#include "receive/session.h"

enum {
    CA_MAX = 1 << 20,
    TICKET_KEYS_MAX = 80 * 16,
};

static bool wants_tls(const struct config_listener *l)
{
    return l->tls.n_certificates > 0;
}

static bool needs_tls(const struct config_listener *l)
{
    return l->tls_at_once || l->require.tls;
}

static bool any_wants_tls(const struct config *config)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (wants_tls(&config->listeners[i]))
            return true;
    return false;
}

/* Of our configuration: another generation's index means another thing. */
static bool is_ours(const struct receive *r, const struct ipc_channel *from)
{
    return from->generation == r->worker->generation;
}

/* ---- trouble ---- */

/* KEPT: what was there still serves. */
static void tell(const struct config_listener *l, bool kept, struct str file, const char *error)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_CERTIFICATE, kept ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR);
    log_text_c(&r, LOG_STATE, kept ? "kept" : "missing");
    log_text(&r, LOG_LISTENER, l->name.text);
    if (file.n)
        log_text(&r, LOG_FILE, file);
    log_text_c(&r, LOG_ERROR, error);
    log_send(&r);
}

/* ---- TLS of one listener ---- */

static struct tls_server *server_new(const struct config_listener *l, struct str ca, struct err *err)
{
    const struct config_tls *tls = &l->tls;

    return tls_server_new(
        &(struct tls_server_options){
            .min_version = (uint16_t)tls->min_version.value,
            .ciphers = tls->ciphers.text,
            .tickets = tls->session_tickets.on,
            .name = l->name.text,
            .ask_certificate = tls->client_certificates.value != CONFIG_CLIENT_CERTIFICATES_OFF,
            .require_certificate = tls->client_certificates.value == CONFIG_CLIENT_CERTIFICATES_REQUIRE,
            .client_ca = ca,
        },
        err);
}

/* Those of its chains that can be had, in the order written: the first serves everyone else. */
static bool give_chains(struct receive *r, const struct config_listener *l, struct tls_server *to, struct err *err)
{
    struct tls_chain **chains = calloc(l->tls.n_certificates, sizeof(*chains));
    size_t n = 0;

    if (!chains)
        return err_temp(err, "out of memory");
    for (size_t i = 0; i < l->tls.n_certificates; i++)
        if (r->chains[l->tls.certificates[i]->index])
            chains[n++] = r->chains[l->tls.certificates[i]->index];
    bool ok = tls_server_chains(to, chains, n, err);
    free(chains);
    return ok;
}

static bool can(const struct receive_offer *o)
{
    return o->tls && tls_server_can(o->tls);
}

/* Sessions that are still in clear may say STARTTLS from now on, or not any more. */
static void tell_sessions(struct receive *r, const struct receive_offer *o)
{
    for (uint32_t i = 0; i < r->n_slots; i++) {
        struct session *s = r->sessions[i];
        if (s && !s->finished && !s->tls && s->listener->offer == o)
            smtp_server_offer_tls(s->smtp, can(o));
    }
}

/* With CA instead of what clients' certificates were looked at with so far. */
static void renew(struct receive *r, size_t i, struct str ca)
{
    const struct config_listener *l = &r->worker->config->listeners[i];
    struct receive_offer *o = &r->offers[i];
    struct err err = { 0 };
    struct tls_server *fresh = server_new(l, ca, &err);

    if (!fresh || !give_chains(r, l, fresh, &err) ||
        (o->ticket_keys.n && !tls_server_ticket_keys(fresh, buf_str(&o->ticket_keys), &err))) {
        tell(l, o->tls, l->tls.client_ca.text, err.text);
        tls_server_free(fresh);
        return;
    }
    tls_server_free(o->tls);
    o->tls = fresh;
    tell_sessions(r, o);
}

/* ---- what is told ---- */

static bool uses(const struct config_listener *l, size_t certificate)
{
    for (size_t i = 0; i < l->tls.n_certificates; i++)
        if (l->tls.certificates[i]->index == certificate)
            return true;
    return false;
}

static void on_certificate(struct receive *r, const struct ipc_certificate *m)
{
    const struct config *config = r->worker->config;
    struct err err = { 0 };

    if (m->certificate >= config->n_certificates)
        return;
    struct tls_chain *chain = m->chain.n ? tls_chain_new(m->chain, m->key, &err) : NULL;
    /* What cannot be read is no worse than what was there; what key has no more, nobody can sign for. */
    if (!chain && m->chain.n)
        return;
    tls_chain_free(r->chains[m->certificate]);
    r->chains[m->certificate] = chain;
    for (size_t i = 0; i < config->n_listeners; i++) {
        if (!r->offers[i].tls || !uses(&config->listeners[i], m->certificate))
            continue;
        if (!give_chains(r, &config->listeners[i], r->offers[i].tls, &err))
            tell(&config->listeners[i], true, STR_NONE, err.text);
        tell_sessions(r, &r->offers[i]);
    }
}

static void on_ticket_keys(struct receive *r, const struct ipc_ticket_keys *m)
{
    struct err err = { 0 };

    if (m->listener >= r->worker->config->n_listeners)
        return;
    struct receive_offer *o = &r->offers[m->listener];
    if (o->ticket_keys.n)
        explicit_bzero(o->ticket_keys.p, o->ticket_keys.n);
    buf_clear(&o->ticket_keys);
    if (buf_add(&o->ticket_keys, m->keys) && o->tls && !tls_server_ticket_keys(o->tls, m->keys, &err))
        tell(&r->worker->config->listeners[m->listener], true, STR_NONE, err.text);
}

static void keep_ca(struct receive *r, size_t i, struct str pem)
{
    if (r->began) {
        renew(r, i, pem);
        return;
    }
    buf_clear(&r->offers[i].ca);
    buf_add(&r->offers[i].ca, pem);
}

static bool reads(const struct config_listener *l, struct str path)
{
    return wants_tls(l) && l->tls.client_ca.text.n && str_eq(l->tls.client_ca.text, path);
}

static void on_opened(struct receive *r, const struct ipc_message *m)
{
    const struct config *config = r->worker->config;
    struct arena *a = arena_new(CA_MAX + 4096);
    struct err err = { 0 };
    struct str pem = STR_NONE;

    if (m->fd < 0)
        err_temp(&err, "%.*s", STR_ARG(m->opened.error));
    else if (!a || !fd_read_all(m->fd, CA_MAX, a, &pem, &err))
        err_wrap(&err, "it cannot be read");
    else if (!pem.n)
        /* Without CAs anybody's certificate would be taken: a file that is being written anew is none. */
        err_perm(&err, "there is no certificate in it");
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *l = &config->listeners[i];
        if (!reads(l, m->opened.path))
            continue;
        if (err.kind == ERR_NONE)
            keep_ca(r, i, pem);
        else
            tell(l, r->offers[i].tls, l->tls.client_ca.text, err.text);
    }
    arena_free(a);
}

/* Two auth processes say the same; one that begins says it again. */
static void on_mechanisms(struct receive *r, const struct ipc_mechanisms *m)
{
    struct str rest = m->names;

    if (m->listener >= r->worker->config->n_listeners)
        return;
    struct receive_offer *o = &r->offers[m->listener];
    o->mechanisms_told = true;
    buf_clear(&o->mechanisms);
    buf_clear(&o->mechanisms_here);
    buf_add(&o->mechanisms, m->names);
    while (rest.p) {
        struct str name = str_cut(&rest, ' ');
        if (!name.n || str_eq(name, STR("EXTERNAL")))
            continue;
        if (o->mechanisms_here.n)
            buf_add_char(&o->mechanisms_here, ' ');
        buf_add(&o->mechanisms_here, name);
    }
    for (uint32_t i = 0; i < r->n_slots; i++)
        if (r->sessions[i] && r->sessions[i]->listener->offer == o)
            offer_mechanisms(r->sessions[i]);
}

bool offers_message(struct receive *r, struct ipc_channel *from, struct ipc_message *m)
{
    switch (m->type) {
    case IPC_OPENED:
        on_opened(r, m);
        break;
    case IPC_CERTIFICATE:
        if (is_ours(r, from))
            on_certificate(r, &m->certificate);
        break;
    case IPC_TICKET_KEYS:
        if (is_ours(r, from))
            on_ticket_keys(r, &m->ticket_keys);
        break;
    case IPC_KEYS_TOLD:
        r->keys_told = r->keys_told || m->keys_told.generation == r->worker->generation;
        break;
    case IPC_MECHANISMS:
        if (is_ours(r, from))
            on_mechanisms(r, &m->mechanisms);
        break;
    default:
        return false;
    }
    if (r->began)
        receive_listeners_look(r);
    return true;
}

void offer_mechanisms(struct session *s)
{
    const struct receive_offer *o = s->listener->offer;

    if (o && s->listener->config->session.auth.n)
        smtp_server_offer_auth(s->smtp, buf_str(s->vouched ? &o->mechanisms : &o->mechanisms_here));
}

void offer_to(struct session *s)
{
    const struct config_listener *l = s->listener->config;

    if (s->listener->offer && wants_tls(l))
        smtp_server_offer_tls(s->smtp, can(s->listener->offer));
    offer_mechanisms(s);
}

bool offer_is_ready(const struct receive *r, const struct receive_listener *l, const char **why)
{
    const struct config_listener *config = l->config;

    if (!l->offer)
        return true;
    if (wants_tls(config) && !r->keys_told && !r->waited)
        return false;
    if (config->session.auth.n && !l->offer->mechanisms_told && !r->waited)
        return false;
    if (!needs_tls(config) || can(l->offer))
        return true;
    *why = l->offer->tls ? "no certificate can be had; its clients are taken when there is one"
                         : "its TLS cannot be set up; its clients are taken when it can";
    return false;
}

/* ---- the beginning ---- */

static void on_told_again(struct io_timer *t)
{
    struct receive *r = CONTAINER_OF(t, struct receive, told_again);

    r->waited = true;
    receive_listeners_look(r);
}

bool offers_make(struct receive *r, struct err *err)
{
    const struct config *config = r->worker->config;

    r->offers = calloc(config->n_listeners + 1, sizeof(*r->offers));
    r->chains = calloc(config->n_certificates + 1, sizeof(struct tls_chain *));
    if (!r->offers || !r->chains) {
        free(r->offers);
        free(r->chains);
        return err_temp(err, "out of memory");
    }
    for (size_t i = 0; i < config->n_listeners; i++)
        r->offers[i] = (struct receive_offer){
            .ca = BUF_INIT(CA_MAX),
            .ticket_keys = BUF_INIT(TICKET_KEYS_MAX),
            .mechanisms = BUF_INIT(RECEIVE_MECHANISMS_MAX),
            .mechanisms_here = BUF_INIT(RECEIVE_MECHANISMS_MAX),
        };
    return true;
}

bool offers_begin(struct receive *r, struct err *err)
{
    const struct config *config = r->worker->config;

    if (!io_timer_init(&r->told_again, r->worker->loop, on_told_again, err))
        return false;
    io_timer_start(&r->told_again, RECEIVE_TOLD_MSEC);
    r->signer = (struct tls_signer){ .sign = handshake_sign };
    if (any_wants_tls(config) && !tls_begin(&r->signer, err))
        return false;
    r->began = true;
    for (size_t i = 0; i < config->n_listeners; i++) {
        struct receive_offer *o = &r->offers[i];
        if (wants_tls(&config->listeners[i]) && (o->ca.n || !config->listeners[i].tls.client_ca.text.n))
            renew(r, i, buf_str(&o->ca));
        buf_done(&o->ca);
    }
    return true;
}

void offers_done(struct receive *r)
{
    io_timer_done(&r->told_again);
    for (size_t i = 0; r->offers && i < r->worker->config->n_listeners; i++) {
        tls_server_free(r->offers[i].tls);
        buf_done(&r->offers[i].ca);
        buf_done(&r->offers[i].ticket_keys);
        buf_done(&r->offers[i].mechanisms);
        buf_done(&r->offers[i].mechanisms_here);
    }
    for (size_t i = 0; r->chains && i < r->worker->config->n_certificates; i++)
        tls_chain_free(r->chains[i]);
    free(r->offers);
    free(r->chains);
}
