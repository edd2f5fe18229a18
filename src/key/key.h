/* key/key.h -- the process that has every private key, and signs what it has looked at (DESIGN 3). */
#ifndef KEY_KEY_H
#define KEY_KEY_H

#include "ipc/worker.h"
#include "key/pair.h"
#include "key/tickets.h"

enum key_state { KEY_STATE_MISSING, KEY_STATE_LOADED, KEY_STATE_KEPT };

/* A certificate of the configuration. */
struct key_certificate {
    const struct config_certificate *place;
    struct key_file *chain; /* of struct key's files; the same one where both are in one */
    struct key_file *key;
    bool changed;     /* one of them, since it was looked at */
    unsigned showers; /* kinds of process whose listeners or routes show it; enum process_set */
    enum key_state state;
    struct key_pair *pair;   /* the last that fitted; NULL: none yet */
    struct key_pair *former; /* signs for handshakes that began before; wiped a little later */
};

struct key {
    struct worker *worker;
    struct key_file *files;
    size_t n_files;
    struct key_certificate *certificates; /* by config_certificate.index */
    size_t n_certificates;
    struct key_tickets *tickets;
    size_t n_tickets;
    struct io_task look;     /* at what changed in this turn */
    struct io_timer turn;    /* of ticket keys */
    struct io_timer daily;   /* who expires */
    struct io_timer forgets; /* former pairs */
};

/* Of the configuration; nothing is read yet. NULL with ERR. */
struct key *key_new(struct worker *w, struct err *err);
void key_free(struct key *k);

/* A file of the configuration, or why it cannot be had (FD negative); key_look() finds out what that means.
 */
void key_give(struct key *k, struct str path, int fd, struct str error);
/* Looks at pairs of which a file changed, tells peers and the log. */
void key_look(struct key *k);
/* A peer that came up: what it may know. */
void key_tell(struct key *k, struct ipc_channel *peer);
void key_answer(struct key *k, struct ipc_channel *from, const struct ipc_sign_ask *ask);
void key_status(const struct key *k, struct buf *rows);

extern const struct worker_service key_service;

#endif
