/*
 * send/secure.c -- TLS on a connection: how sure of the peer we must be, the handshake, octets through it (FACE 1.7; RFC
 * 3207, 7435, 8314).
 *
 * What the level asks for and is not had keeps mail from that address: the next is tried, and when there is none the
 * message waits. At may alone a failed handshake is repeated in clear, on a new connection: after a handshake nobody
 * knows what the other side believes.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "core/check.h"
#include "log/log.h"
#include "route/tls.h"
#include "send/connection.h"

/* ---- the level ---- */

/* That a domain's MX are meant the queue has seen to. A message's own next hop (queue edit) has no log-in at least. */
static bool is_where_we_are_led(const struct connection *c)
{
    return !c->route || route_tls_leads_to(c->route, c->address, c->address->domain);
}

static enum config_tls_level level_of(const struct connection *c)
{
    enum config_tls_level level = c->sending->tls.level;

    /* A socket of this machine has nobody in between. */
    if (c->address->path.n && is_where_we_are_led(c))
        return CONFIG_TLS_NONE;
    if (level == CONFIG_TLS_AUTO)
        level = CONFIG_TLS_MAY;
    if (c->sending->login && level < CONFIG_TLS_VERIFY)
        return CONFIG_TLS_VERIFY;
    return c->address->tls_at_once && level < CONFIG_TLS_ENCRYPT ? CONFIG_TLS_ENCRYPT : level;
}

static bool may_be_in_clear(const struct connection *c)
{
    return level_of(c) <= CONFIG_TLS_MAY;
}

unsigned secure_flags(const struct connection *c)
{
    enum config_tls_level level = level_of(c);

    unsigned login = c->sending->login && !c->looks ? SMTP_CLIENT_AUTH : 0;

    if (c->tls)
        return SMTP_CLIENT_TLS_ON | login;
    if (level == CONFIG_TLS_NONE || (level == CONFIG_TLS_MAY && c->in_clear))
        return 0;
    return level == CONFIG_TLS_MAY ? SMTP_CLIENT_TLS_MAY : SMTP_CLIENT_TLS_MUST | login;
}

static bool is_literal(const struct connection *c)
{
    return str_starts(c->address->host, STR("["));
}

/* False with ERR: there is nothing that a certificate could be compared with. *names is borrowed by *out. */
static bool demand_of(const struct connection *c, struct route_tls_names *names, struct tls_demand *out,
                      struct err *err)
{
    const struct config_tls_demand *said = &c->sending->tls;

    *out = (struct tls_demand){ .trust = TLS_TRUST_ANY };
    switch (level_of(c)) {
    case CONFIG_TLS_FINGERPRINT:
        *out = (struct tls_demand){
            .trust = TLS_TRUST_FINGERPRINT, .hashes = said->hashes, .n_hashes = said->n_hashes
        };
        return true;
    case CONFIG_TLS_VERIFY:
    case CONFIG_TLS_SECURE:
        if (!c->sending->tls.n_names && !is_where_we_are_led(c))
            return err_perm(err, "the configuration does not lead to this host, so no certificate of it counts");
        route_tls_names(c->sending, c->address, names);
        *out = (struct tls_demand){ .trust = TLS_TRUST_NAMES, .names = names->items, .n_names = names->n };
        return names->n || err_perm(err, "an address has no name that a certificate could be for: "
                                         "tls-level verify NAME says which it must be");
    default:
        return true;
    }
}

/* ---- records ---- */

static void begin_record(struct log_record *r, const struct connection *c, enum log_event event)
{
    log_start(r, event);
    log_text(r, LOG_HOST, connection_host(c));
    log_text_c(r, LOG_PEER, connection_peer(c).c);
}

static void record_done(const struct connection *c, const struct tls_facts *f)
{
    struct log_record r;

    if (!log_wants(LOG_EVENT_TLS))
        return;
    begin_record(&r, c, LOG_EVENT_TLS);
    log_text_c(&r, LOG_VERSION, f->version);
    log_text_c(&r, LOG_CIPHER, f->cipher);
    log_flag(&r, LOG_RESUMED, f->resumed);
    log_send(&r);
}

static void note_failed(struct connection *c, unsigned code, struct str text, bool in_clear)
{
    struct log_record r;

    snprintf(c->tls_trouble, sizeof(c->tls_trouble), "%.*s", STR_ARG(text));
    c->tls_code = code;
    begin_record(&r, c, LOG_EVENT_TLS_FAIL);
    if (code)
        log_number(&r, LOG_CODE, code);
    if (in_clear)
        log_text_c(&r, LOG_ACTION, "clear");
    log_text(&r, LOG_ERROR, text);
    log_send(&r);
}

/* ---- the handshake ---- */

void secure_failed(struct connection *c, const struct reach_answer *why)
{
    bool in_clear = may_be_in_clear(c) && !c->in_clear;

    note_failed(c, why->code, why->text, in_clear);
    if (in_clear)
        reach_in_clear(c);
    else
        reach_refused(c, why);
}

static void failed(struct connection *c, const char *text)
{
    secure_failed(c, &(struct reach_answer){ .stage = SMTP_STAGE_TLS,
                                             .reason = LOG_REASON_TLS,
                                             .enhanced = STR("4.7.5"),
                                             .text = str_from_c(text) });
}

void secure_timed_out(struct connection *c)
{
    failed(c, "timed out in the TLS handshake");
}

void secure_refused(struct connection *c, const struct smtp_client_result *why)
{
    note_failed(c, why->code, why->text, true);
}

static void succeeded(struct connection *c)
{
    struct tls_facts facts;

    tls_stream_facts(c->tls, &facts);
    snprintf(c->tls_version, sizeof(c->tls_version), "%s", facts.version);
    record_done(c, &facts);
    if (!c->smtp) {
        connection_greet(c);
    } else {
        c->state = CONNECTION_GREETING;
        smtp_client_secured(c->smtp);
        dialogue_drive(c, STR_NONE);
    }
    /* Below TLS 1.3 a host may greet right behind its Finished: no descriptor tells of what came with that. */
    if (dialogue_speaks(c) && tls_pending(c->tls))
        dialogue_readable(c);
}

void secure_go_on(struct connection *c)
{
    struct err err = { 0 };

    switch (tls_handshake(c->tls, &err)) {
    case TLS_DONE:
        succeeded(c);
        break;
    case TLS_WAIT:
        io_watch_arm(&c->watch, tls_wants(c->tls));
        break;
    case TLS_FAILED:
        failed(c, err.text);
        break;
    }
}

static void on_resumed(struct tls_owner *o)
{
    struct connection *c = CONTAINER_OF(o, struct connection, tls_owner);

    connection_hand_note(c);
    if (c->state == CONNECTION_SHAKING)
        secure_go_on(c);
}

static bool connect_tls(struct connection *c, struct tls_client *client, struct err *err)
{
    struct str sni = is_literal(c) ? STR_NONE : c->address->host;
    struct route_tls_names names;
    struct tls_demand demand;

    if (!demand_of(c, &names, &demand, err))
        return false;
    c->tls_owner = (struct tls_owner){ .resumed = on_resumed };
    c->tls = tls_connect(client, c->fd, &demand, sni, &c->tls_owner, err);
    return c->tls;
}

void secure_begin(struct connection *c)
{
    struct err err = { 0 };
    struct tls_client *client = trust_client(&c->send->trust, c->route, c->sending, &err);

    /* Whether our certificate can be had is known in a moment; until then nobody is to blame. */
    if (!client && err.kind == ERR_TEMP) {
        reach_give_up(c, err.text);
        return;
    }
    c->state = CONNECTION_SHAKING;
    if (!client || !connect_tls(c, client, &err)) {
        failed(c, err.text);
        return;
    }
    /* It does not begin anew for single octets. */
    connection_deadline(c, (int64_t)c->sending->timeout_ehlo.msec);
    secure_go_on(c);
}

void secure_done(struct connection *c)
{
    if (!c->tls)
        return;
    tls_shutdown(c->tls);
    tls_stream_free(c->tls);
    c->tls = NULL;
    c->tls_version[0] = '\0';
}

/* ---- octets ---- */

ssize_t secure_read(struct connection *c, void *at, size_t room)
{
    ssize_t n = c->tls ? tls_read(c->tls, at, room) : recv(c->fd, at, room, 0);

    c->hears = n < 0 && errno == EAGAIN && c->tls ? tls_wants(c->tls) : IO_READ;
    return n;
}

/* Who gives way to others when all was taken waits for nothing that TLS knows of. */
ssize_t secure_write(struct connection *c, const void *at, size_t n)
{
    ssize_t sent = c->tls ? tls_write(c->tls, at, n) : send(c->fd, at, n, MSG_NOSIGNAL);

    c->speaks = c->tls && sent < (ssize_t)n && tls_wants(c->tls) ? tls_wants(c->tls) : IO_WRITE;
    return sent;
}

/* A peer that is in the middle of a message of TLS itself is not written to before its end: that waits for reading. */
unsigned secure_wants(const struct connection *c)
{
    return c->hears | (c->blocked ? c->speaks : 0);
}
