/* http/client.h -- HTTPS requests of ours: few, small, to addresses that DNS gave (RFC 9110). The only user of libcurl. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/ip.h"
#include "core/str.h"
#include "io/loop.h"

/*
 * Nothing is followed: no redirect, no proxy, no cookie; nothing is asked of the DNS here; TLS is verified. Octets come back as
 * they were sent, at most as many as asked for.
 */
struct http_client;

enum { HTTP_HOST_MAX = 255, HTTP_FAILURE_MAX = 256, HTTP_ADDRESSES_MAX = 16 };

/* Where a URL leads. */
struct http_place {
    char host[HTTP_HOST_MAX + 1]; /* A-labels in lower case, or an address without brackets */
    uint16_t port;
    bool tls;
};

/* An https:// URL with a host, or an http:// one to loopback; no user, no fragment. Else false, and ERR says what is wrong. */
MUST_USE bool http_url_read(struct str url, struct http_place *place, struct err *err);

/*
 * CAS: PEM of the authorities that are believed, copied. Opens nothing but what the library wants for itself: before the
 * sandbox. NULL with ERR.
 */
struct http_client *http_client_new(struct io_loop *loop, struct str cas, struct err *err);
/* Requests must be done before. Takes NULL. */
void http_client_free(struct http_client *c);

/* What is borrowed here is borrowed by http_request_start() only. */
struct http_ask {
    struct str url;
    const struct ip *addresses; /* of its host, in the order to try them; HTTP_ADDRESSES_MAX at most */
    size_t n_addresses;
    struct str authorization; /* value of that field; empty: none */
    bool posts;               /* FORM, application/x-www-form-urlencoded */
    struct str form;
    size_t body_max;      /* a longer answer is none */
    int64_t timeout_msec; /* all in all */
};

/* One request, embedded in its owner. */
struct http_request {
    struct http_client *client;
    void *easy;    /* the library's */
    void *headers;  /* the same */
    void *resolved; /* the same */
    struct buf body;
    unsigned code;      /* of the answer; 0: there is none, FAILURE says why */
    int64_t keep_msec;  /* as Cache-Control: max-age says; -1: it says nothing */
    char failure[HTTP_FAILURE_MAX];
    void (*answered)(struct http_request *q);
};

/*
 * ANSWERED is called once, from the loop, never from here, unless http_request_done() comes first. False with ERR: it
 * could not be begun, and nothing is to be done.
 */
MUST_USE bool http_request_start(struct http_request *q, struct http_client *c, const struct http_ask *ask,
                                 void (*answered)(struct http_request *q), struct err *err);
/* Needed after each start, also after the answer; what is under way is forgotten. */
void http_request_done(struct http_request *q);

#endif
