/*
 * receive/handshake.c -- TLS begins: behind STARTTLS, or before the greeting (RFC 3207, 8314). What it signs, key signs;
 * it may take long, and others go on meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "log/log.h"
#include "receive/session.h"

enum {
    HANDSHAKE_MSEC = 30000, /* all of it, however its octets come */
    SIGNED_MAX = 64 * 1024, /* TLS 1.2 has a client sign the handshake so far; a server signs less */
};

/* ---- signatures ---- */

bool handshake_sign(struct tls_signer *signer, uint64_t ticket, const struct tls_signature *what)
{
    struct receive *r = CONTAINER_OF(signer, struct receive, signer);
    struct session *s = r->shaking;

    if (!s || !s->handshake)
        return false;
    struct receive_handshake *h = s->handshake;
    buf_clear(&h->octets);
    if (!buf_add(&h->octets, what->octets))
        return false;
    h->ticket = ticket;
    h->what = *what;
    h->what.octets = buf_str(&h->octets);
    session_ask(s, QUESTION_SIGN);
    return true;
}

bool handshake_send(struct session *s, struct ipc_channel *key, uint64_t ticket)
{
    const struct tls_signature *what = &s->handshake->what;

    return ipc_send_sign_ask(key, &(struct ipc_sign_ask){
                                      .ticket = ticket,
                                      .key = str_of((const char *)what->key, sizeof(what->key)),
                                      .scheme = what->scheme,
                                      .form = what->form,
                                      .octets = what->octets,
                                  });
}

/* An empty signature ends the handshake: key does not sign that, or has that key no more. */
void handshake_signed(struct session *s, const struct ipc_sign_answer *a)
{
    uint64_t ticket = s->handshake->ticket;

    question_done(s);
    tls_signed(ticket, a->status == IPC_OK ? a->signature : STR_NONE);
}

/* ---- the end of it, well or badly ---- */

void handshake_drop(struct session *s)
{
    if (!s->handshake)
        return;
    buf_done(&s->handshake->octets);
    free(s->handshake);
    s->handshake = NULL;
}

static void fail(struct session *s, const char *error)
{
    record_tls_fail(s, error);
    question_done(s);
    handshake_drop(s);
    /* The alert shall reach the peer: our side ends, its own octets are not looked at. */
    s->closing = true;
    s->end_reason = "tls";
    session_send(s);
}

void handshake_overdue(struct session *s)
{
    bool unsigned_yet = s->question == QUESTION_SIGN;

    record_tls_fail(s, unsigned_yet ? "nobody signed it within 30 seconds" : "it did not end within 30 seconds");
    session_end(s, "timeout");
}

/* EXTERNAL is for those whose certificate has an address that its CA vouches for. */
static bool is_vouched_for(struct session *s)
{
    struct arena *a = arena_new(HANDSHAKE_NAMES_MAX);
    struct str names = STR_NONE;
    bool has = a && tls_stream_addresses(s->tls, a, &names) && names.n;

    arena_free(a);
    return has;
}

static void done(struct session *s)
{
    struct tls_facts f;

    tls_stream_facts(s->tls, &f);
    /* The last word of TLS 1.3 is the client's. */
    stream_acknowledge(s);
    handshake_drop(s);
    s->secure = (struct smtp_server_tls){ true, str_from_c(f.version), str_from_c(f.cipher) };
    s->has_certificate = f.has_certificate;
    memcpy(s->certificate, f.certificate, sizeof(f.certificate));
    memcpy(s->certificate + sizeof(f.certificate), f.public_key, sizeof(f.public_key));
    s->vouched = f.has_certificate && is_vouched_for(s);
    record_tls(s, &f);
    smtp_server_tls_started(s->smtp, &s->secure);
    offer_mechanisms(s);
    if (session_relays_here(s))
        smtp_server_waive_auth(s->smtp);
    if (s->listener->config->tls_at_once)
        smtp_server_greet(s->smtp, &s->receive->out);
    deadline_command(s);
    session_go_on(s);
}

/* ---- its way ---- */

void handshake_go_on(struct session *s)
{
    struct receive *r = s->receive;
    struct err err = { 0 };

    if (s->question == QUESTION_SIGN) {
        /* What the client says meanwhile stays where it is. */
        io_watch_arm(&s->watch, 0);
        return;
    }
    r->shaking = s;
    enum tls_handshake h = tls_handshake(s->tls, &err);
    r->shaking = NULL;
    if (h == TLS_FAILED)
        fail(s, err.text);
    else if (h == TLS_DONE)
        done(s);
    else
        io_watch_arm(&s->watch, tls_wants(s->tls));
}

static void on_resumed(struct tls_owner *owner)
{
    struct session *s = CONTAINER_OF(owner, struct session, tls_owner);

    if (!s->finished && s->handshake)
        handshake_go_on(s);
}

void handshake_begin(struct session *s)
{
    struct receive_offer *o = s->listener->offer;
    struct err err = { 0 };

    s->shakes = false;
    s->tls_owner = (struct tls_owner){ .resumed = on_resumed };
    s->handshake = calloc(1, sizeof(*s->handshake));
    s->tls = s->handshake && o->tls ? tls_accept(o->tls, s->fd, &s->tls_owner, &err) : NULL;
    if (!s->tls) {
        record_tls_fail(s, err.text[0] ? err.text : "there is neither memory nor certificate for it");
        session_end(s, "tls");
        return;
    }
    *s->handshake = (struct receive_handshake){ .octets = BUF_INIT(SIGNED_MAX) };
    session_deadline(s, HANDSHAKE_MSEC);
    handshake_go_on(s);
}
