/* auth/auth.h -- the auth process: exchanges of SASL, and who has which password (RFC 4954, 4422). */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/files.h"
#include "auth/issuers.h"
#include "auth/mechanisms.h"
#include "auth/sasl.h"
#include "core/map.h"
#include "ipc/worker.h"

/* What worker_main() of its program runs. */
extern const struct worker_service auth_service;

struct auth {
    struct worker *worker;
    const struct config *config;
    uint32_t generation;
    Gsasl *library;
    struct auth_files files;
    struct auth_issuers issuers;
    struct auth_offers offers;
    struct list dovecots; /* struct auth_dovecot */
    struct map exchanges;  /* by who asked, and their ticket */
    struct map waiting;    /* of them, by the number under which somebody else was asked */
    uint64_t last_number;
    bool pam_told; /* that PAM cannot say, and when */
    int64_t pam_told_msec;
};

/* NULL with ERR. */
struct auth *auth_new(struct worker *w, struct err *err);
/* Takes NULL. */
void auth_free(struct auth *auth);

#endif
