/* send/trust.h -- whom we believe and what we show: CAs, certificates, passwords, as main and key give them to us. */
#ifndef SEND_TRUST_H
#define SEND_TRUST_H

#include "config/config.h"
#include "core/err.h"
#include "core/list.h"
#include "ipc/message.h"
#include "tls/tls.h"

struct trust {
    const struct config *config;
    struct list files;   /* CAs and secrets, by the names that the configuration has for them */
    struct list clients; /* struct tls_client for a pair of CAs and certificate, made when first needed */
    struct tls_chain **chains; /* by place in config->certificates; NULL: not told */
    bool keys_told;            /* what is not among them cannot be had */
    bool has_system_cas;
    struct err no_system_cas; /* why */
};

void trust_init(struct trust *t);
/* Before the sandbox: reads the CAs of the system if anything in CONFIG can need them. */
MUST_USE bool trust_begin(struct trust *t, const struct config *config, struct err *err);
/* Secrets are wiped. */
void trust_done(struct trust *t);

/* *fd is taken over (-1 then). What cannot be read leaves what was there before, and a record. */
void trust_opened(struct trust *t, const struct ipc_opened *m, int *fd);
void trust_certificate(struct trust *t, const struct ipc_certificate *m);
void trust_keys_told(struct trust *t);

/*
 * What ROUTE (NULL: none) has TLS made with, for as long as TRUST or a handshake has it. NULL with ERR: TEMP, as key
 * has not said yet what it has; PERM: it cannot be had, and nothing weaker is used in its place.
 */
struct tls_client *trust_client(struct trust *t, const struct config_route *route,
                                const struct config_sending *sending, struct err *err);
/* The first line of the secret, borrowed until the next turn of the loop. False with ERR: it cannot be had. */
MUST_USE bool trust_secret(struct trust *t, const struct config_secret *secret, struct str *out, struct err *err);

#endif
