/* resolve/fetch.h -- what auth asks of issuers over HTTPS, at URLs that the configuration names (ADR 0021). */
#ifndef RESOLVE_FETCH_H
#define RESOLVE_FETCH_H

#include "config/config.h"
#include "core/list.h"
#include "dns/resolver.h"
#include "http/client.h"
#include "ipc/channel.h"

enum { FETCHES_OF_URL_MAX = 32, FETCH_BODY_MAX = 256 * 1024, FETCH_TIMEOUT_MSEC = 10 * 1000 };

struct fetcher {
    struct io_loop *loop;
    const struct config *config;
    struct dns_resolver *dns; /* may be NULL: then hosts have to be addresses */
    struct http_client *http; /* NULL: no URL is configured */
    struct err no_cas;        /* why no CA is believed; ERR_NONE: those of the system are */
    struct list fetches;
};

/* Does any issuer name a URL? */
bool fetcher_is_wanted(const struct config *config);
/* CAS: PEM; empty: none is believed, and NO_CAS says why. Before the sandbox. False with ERR. */
MUST_USE bool fetcher_init(struct fetcher *f, struct io_loop *loop, const struct config *config,
                           struct dns_resolver *dns, struct str cas, const struct err *no_cas, struct err *err);
void fetcher_done(struct fetcher *f);
/* Answers now or later, by FETCH_ANSWER to FROM. */
void fetcher_ask(struct fetcher *f, struct ipc_channel *from, const struct ipc_fetch_ask *ask);
/* FROM is no more. */
void fetcher_forget(struct fetcher *f, const struct ipc_channel *from);

#endif
