/* key/service.c -- the life of the process: files come from main, what is to be signed from those who speak
 * TLS. */
#include <openssl/crypto.h>

#include "key/key.h"

/* OpenSSL keeps private numbers there, locked into memory, left out of dumps, wiped when freed. */
enum { SECURE_LEAST = 256 * 1024, SECURE_EACH = 32 * 1024, SECURE_UNIT = 16 };

static void secure_memory(size_t certificates)
{
    size_t room = SECURE_LEAST;

    while (room < certificates * SECURE_EACH)
        room *= 2;
    /* Where it cannot be had, or not be locked, keys are in usual memory, which no other process can look
     * into. */
    CRYPTO_secure_malloc_init(room, SECURE_UNIT);
}

/* Files come before START: the first thing we hear of makes us. */
static struct key *key_of(struct worker *w, struct err *err)
{
    if (!w->state && w->config) {
        OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
        secure_memory(w->config->n_certificates);
        w->state = key_new(w, err);
    }
    return w->state;
}

/* Pairs are looked at before peers hear of us, and OpenSSL reads what it wants before no file can be opened.
 */
static bool on_start(struct worker *w, struct err *err)
{
    struct key *k = key_of(w, err);

    if (!k)
        return false;
    key_look(k);
    return true;
}

static void on_message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct err err = { 0 };
    struct key *k = key_of(w, &err);

    if (!k)
        return;
    if (m->type == IPC_OPENED)
        key_give(k, m->opened.path, m->fd, m->opened.error);
    else if (m->type == IPC_SIGN_ASK)
        key_answer(k, from, &m->sign_ask);
}

static void on_peer_up(struct worker *w, struct ipc_channel *peer)
{
    key_tell(w->state, peer);
}

static void on_status(struct worker *w, struct buf *rows)
{
    if (w->state)
        key_status(w->state, rows);
}

const struct worker_service key_service = {
    .kind = PROCESS_KEY,
    .start = on_start,
    .message = on_message,
    .peer_up = on_peer_up,
    .status = on_status,
};
