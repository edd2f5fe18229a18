/* tls/tls.h -- TLS as octets in and out of a socket; what is signed is signed by another process (RFC 9325, 3207). */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

/*
 * No private key is ever in this process. Where a handshake has to sign, it pauses (an asynchronous job of OpenSSL, left
 * by the provider in tls/provider.c), the owner has it signed elsewhere, and it goes on: others go on meanwhile.
 */

/* Where Debian keeps the CAs that the system believes, PEM. */
#define TLS_SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

/* ---- who signs ---- */

/* One thing to be signed. OCTETS live until tls_signed(), or until its stream is freed. */
struct tls_signature {
    unsigned char key[32]; /* SHA-256 of the public key (SubjectPublicKeyInfo) */
    uint16_t scheme;       /* SignatureScheme, RFC 8446 4.2.3 */
    uint8_t form;          /* enum ipc_sign_form */
    struct str octets;
};

/* How this process has something signed; one for all. */
struct tls_signer {
    /* Begin; tls_signed(ticket, …) tells, never from within this call. False: it cannot be had, the handshake fails. */
    bool (*sign)(struct tls_signer *s, uint64_t ticket, const struct tls_signature *what);
};

/* Once a process, before anything else here: loads the provider. SIGNER may be NULL: then nothing is signed. */
MUST_USE bool tls_begin(struct tls_signer *signer, struct err *err);
/* SIGNATURE, empty when it was refused. The stream that waits goes on by its owner's resumed(). Unknown tickets do nothing. */
void tls_signed(uint64_t ticket, struct str signature);

/* ---- chains ---- */

/* A chain with the public part of its key; counted, so that handshakes under way keep theirs when it is replaced. */
struct tls_chain;

/* CHAIN: certificates in DER, the host's first, each behind its length (u32); KEY as in tls_signature. NULL with ERR. */
struct tls_chain *tls_chain_new(struct str chain, struct str key, struct err *err);
void tls_chain_free(struct tls_chain *c); /* drops one count; takes NULL */

/* ---- our side is the server ---- */

struct tls_server_options {
    uint16_t min_version; /* 0x0303, 0x0304 */
    struct str ciphers;   /* OpenSSL list for TLS 1.2; empty: the recommended ones */
    bool tickets;         /* resumption, with the keys of tls_server_ticket_keys(); until there are some: none */
    struct str name;      /* of the listener: sessions of one are not resumed at another (RFC 8446 4.6.1) */
    bool ask_certificate;
    bool require_certificate;
    struct str client_ca; /* PEM; empty: any certificate is taken, and only its fingerprint counts */
};

/* What the handshakes of one listener share; counted. */
struct tls_server;

struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *err);
void tls_server_free(struct tls_server *s);
/*
 * The chains it shows from now on; the first serves who names none of them (C104). Of those with the name asked for
 * (SAN dNSName, "*" as the leftmost label) each kind of key once, the first of it. None: no TLS.
 */
MUST_USE bool tls_server_chains(struct tls_server *s, struct tls_chain *const *chains, size_t n, struct err *err);
bool tls_server_can(const struct tls_server *s);
/* KEYS: 80 octets each (name 16, AES 32, HMAC 32), the one for new tickets first. */
MUST_USE bool tls_server_ticket_keys(struct tls_server *s, struct str keys, struct err *err);

/* ---- our side is the client ---- */

enum tls_trust {
    TLS_TRUST_ANY,         /* whatever it shows (may, encrypt) */
    TLS_TRUST_NAMES,       /* a chain to a CA, and one of the names (RFC 9525) */
    TLS_TRUST_FINGERPRINT, /* one of the hashes, of the certificate or of its key */
};

struct tls_demand {
    enum tls_trust trust;
    const struct str *names; /* A-labels */
    size_t n_names;
    const struct str *hashes; /* 32 octets each */
    size_t n_hashes;
};

/* What our handshakes as a client share: CAs and the certificate we show; counted. */
struct tls_client;

/* The CAs of the system, PEM: copied, read when they are first needed. */
MUST_USE bool tls_system_cas(struct str pem, struct err *err);
/* CAS: PEM, copied, read when they are first needed; empty: the system's. CHAIN may be NULL. */
struct tls_client *tls_client_new(struct str cas, struct tls_chain *chain, struct err *err);
void tls_client_free(struct tls_client *c);

/* ---- one connection ---- */

enum tls_handshake { TLS_DONE, TLS_WAIT, TLS_FAILED };

struct tls_stream;

struct tls_owner {
    /* A signature came: call tls_handshake() again. From the loop's own turn of whoever calls tls_signed(). */
    void (*resumed)(struct tls_owner *o);
};

/* On FD, which stays the caller's and is not blocking. SERVER, CLIENT are counted. NULL with ERR. */
struct tls_stream *tls_accept(struct tls_server *server, int fd, struct tls_owner *owner, struct err *err);
/* SNI: the server's name, A-labels; empty (an address literal): none. */
struct tls_stream *tls_connect(struct tls_client *client, int fd, const struct tls_demand *demand, struct str sni,
                               struct tls_owner *owner, struct err *err);
/* No more is said (shutdown it before, if the peer shall know); a job under way is finished and forgotten. Takes NULL. */
void tls_stream_free(struct tls_stream *t);

/*
 * Go on. WAIT: tls_wants() says what for; if that is 0, a signature is waited for. FAILED: ERR is for the log ("no shared
 * cipher", "the certificate of mx.example.net expired on 2026-11-20", "the certificate is for mx.other.example, not for
 * mx.example.net"); an alert has been sent. A handshake without end fails, too.
 */
enum tls_handshake tls_handshake(struct tls_stream *t, struct err *err);
/* IO_READ | IO_WRITE of io/loop.h: what the last call that could not go on waits for. */
unsigned tls_wants(const struct tls_stream *t);

/*
 * As recv(2) and send(2): octets moved, 0 at the peer's orderly end (close_notify), -1 with errno: EAGAIN (tls_wants()
 * says for what), ECONNRESET for an end without close_notify, EPROTO with tls_stream_failure(). A read gives all that
 * can be had without waiting, up to ROOM; what is left then is in tls_pending(), of which no descriptor tells. A peer that
 * says much that is nothing for us, such as new keys again and again, is EPROTO. Writing may wait for IO_READ: within a
 * message of the peer's TLS nothing is written.
 * What was not written is to be given again, the same octets first.
 */
ssize_t tls_read(struct tls_stream *t, void *at, size_t room);
ssize_t tls_write(struct tls_stream *t, const void *at, size_t n);
bool tls_pending(const struct tls_stream *t);
/* Says close_notify, without waiting. */
void tls_shutdown(struct tls_stream *t);
const char *tls_stream_failure(const struct tls_stream *t);

/* After the handshake; texts live as long as T. */
struct tls_facts {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* as registered at IANA */
    bool resumed;
    struct str sni;      /* server: what was asked for; empty: nothing */
    /* The peer's certificate, if it showed one: */
    bool has_certificate;
    bool verified;                 /* to a CA (client: and for a name of the demand), or by a fingerprint of it */
    unsigned char certificate[32]; /* SHA-256 */
    unsigned char public_key[32];
    struct str subject;            /* for people: a DNS name of it, or its subject */
    int64_t until_msec;            /* UTC */
};
void tls_stream_facts(struct tls_stream *t, struct tls_facts *f);
/* tls-exporter (RFC 9266), 32 octets: for channel binding. False: it has none. */
MUST_USE bool tls_stream_exporter(struct tls_stream *t, unsigned char out[32]);
/* tls-unique (RFC 5929), below TLS 1.3 only, with extended master secret; *n octets. */
MUST_USE bool tls_stream_unique(struct tls_stream *t, unsigned char out[64], size_t *n);
/* rfc822Names in the client's certificate, if its CA vouches for it; each ends in NUL. */
MUST_USE bool tls_stream_addresses(struct tls_stream *t, struct arena *a, struct str *names);

#endif
