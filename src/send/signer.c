/* send/signer.c */
#include "send/signer.h"

#include <stdlib.h>
#include <string.h>

enum { WAITING_MAX = 4096 };

struct question {
    struct list node;
    uint64_t ticket;
    uint32_t asked; /* instance of the key process; 0: not asked */
    unsigned char key[32];
    uint16_t scheme;
    uint8_t form;
    size_t n;
    char octets[];
};

static struct ipc_channel *key_of(const struct signer *s)
{
    return worker_peer_of(s->worker, PROCESS_KEY, s->worker->generation);
}

static void ask(struct question *q, struct ipc_channel *key)
{
    if (q->asked || !ipc_may_ask(key))
        return;
    if (ipc_send_sign_ask(key, &(struct ipc_sign_ask){
                                   .ticket = q->ticket,
                                   .key = str_of((const char *)q->key, sizeof(q->key)),
                                   .scheme = q->scheme,
                                   .form = q->form,
                                   .octets = str_of(q->octets, q->n),
                               }))
        q->asked = key->instance;
}

static void question_free(struct signer *s, struct question *q)
{
    list_remove(&q->node);
    s->n--;
    free(q);
}

static bool sign(struct tls_signer *base, uint64_t ticket, const struct tls_signature *what)
{
    struct signer *s = CONTAINER_OF(base, struct signer, base);
    struct question *q = s->n < WAITING_MAX ? calloc(1, sizeof(*q) + what->octets.n) : NULL;
    struct ipc_channel *key = key_of(s);

    if (!q)
        return false;
    *q = (struct question){ .ticket = ticket, .scheme = what->scheme, .form = what->form, .n = what->octets.n };
    memcpy(q->key, what->key, sizeof(q->key));
    memcpy(q->octets, what->octets.p, what->octets.n);
    list_append(&s->waiting, &q->node);
    s->n++;
    /* Without one, its successor is asked; the handshake has a deadline. */
    if (key)
        ask(q, key);
    return true;
}

void signer_init(struct signer *s, struct worker *w)
{
    *s = (struct signer){ .base.sign = sign, .worker = w };
    list_init(&s->waiting);
}

void signer_done(struct signer *s)
{
    while (!list_empty(&s->waiting))
        question_free(s, CONTAINER_OF(s->waiting.next, struct question, node));
}

void signer_answer(struct signer *s, const struct ipc_sign_answer *m)
{
    LIST_FOR(node, &s->waiting) {
        struct question *q = CONTAINER_OF(node, struct question, node);
        if (q->ticket != m->ticket)
            continue;
        question_free(s, q);
        break;
    }
    /* Of a handshake that was given up nobody knows: then it does nothing. */
    tls_signed(m->ticket, m->status == IPC_OK ? m->signature : STR_NONE);
}

void signer_ask(struct signer *s)
{
    struct ipc_channel *key = key_of(s);

    if (!key)
        return;
    LIST_FOR(node, &s->waiting) {
        ask(CONTAINER_OF(node, struct question, node), key);
    }
}

void signer_peer_gone(struct signer *s, const struct ipc_channel *key)
{
    LIST_FOR(node, &s->waiting) {
        struct question *q = CONTAINER_OF(node, struct question, node);
        if (q->asked == key->instance)
            q->asked = 0;
    }
    signer_ask(s);
}
