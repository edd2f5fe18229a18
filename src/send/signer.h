/* send/signer.h -- what our handshakes have to sign, signed by the key process; asked again of its successor. */
#ifndef SEND_SIGNER_H
#define SEND_SIGNER_H

#include "core/list.h"
#include "ipc/worker.h"
#include "tls/tls.h"

struct signer {
    struct tls_signer base;
    struct worker *worker;
    struct list waiting; /* for a signature; those not asked for yet among them */
    size_t n;
};

void signer_init(struct signer *s, struct worker *w);
void signer_done(struct signer *s);
void signer_answer(struct signer *s, const struct ipc_sign_answer *m);
/* A key process came, or may be asked again: those that wait are asked of it. */
void signer_ask(struct signer *s);
/* It is gone. */
void signer_peer_gone(struct signer *s, const struct ipc_channel *key);

#endif
