/* tls/stream.h -- a connection as the files of this folder share it. */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H

#include <openssl/ssl.h>

#include "core/map.h"
#include "tls/chain.h"
#include "tls/provider.h"
#include "tls/tls.h"

struct tls_stream {
    SSL *ssl;
    struct tls_owner *owner;
    struct tls_server *server; /* one of both */
    struct tls_client *client;
    int fd;
    int sys;        /* errno of the socket's last failure */
    unsigned wants; /* IO_READ | IO_WRITE */
    size_t turn;    /* octets that the call in hand may still take from the socket */
    unsigned idle;  /* messages of TLS itself since the peer last said something */
    size_t taken;   /* octets that came from the socket */
    bool at_end;    /* the peer says no more */
    bool muted;     /* nothing goes to the socket or comes from it */
    bool pending;   /* OpenSSL has more than was asked for */
    bool verified;
    bool established;    /* the handshake is done */
    struct tls_job *job; /* what waits to be signed; NULL: nothing */
    bool asked;          /* it is under way */
    uint64_t ticket;
    struct map_node waiting; /* in the process's map while ASKED */
    struct arena *memory;    /* client: of the demand, till the handshake is done; later texts of facts */
    struct tls_demand demand;
    char *failure; /* NULL: none */
};

/* What the peer is told not of: kept for tls_stream_failure(). The first one counts. */
void tls_stream_fail(struct tls_stream *t, const char *text);

/* tls/socket.c: the octets of T->fd for T->ssl. Once a process, before the first. */
MUST_USE bool tls_socket_begin(void);
MUST_USE bool tls_socket_attach(struct tls_stream *t);

/* tls/trust.c: who is the peer. Decides instead of OpenSSL, which asks it by the context's callback. */
void tls_trust_install(SSL_CTX *context);

/* tls/server.c, tls/client.c */
void tls_server_share(struct tls_server *s);
SSL *tls_server_ssl(struct tls_server *s, struct err *err);
/* A client certificate must be good, or there is no session. */
bool tls_server_demands(const struct tls_server *s);
bool tls_server_has_cas(const struct tls_server *s);
void tls_client_share(struct tls_client *c);
SSL *tls_client_ssl(struct tls_client *c, bool names, struct err *err);
bool tls_client_signs(const struct tls_client *c);

#endif
