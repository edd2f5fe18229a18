/* ipc/worker.h -- the life of a worker process: its channel to main, configuration, peers, log, sandbox, end. */
#ifndef IPC_WORKER_H
#define IPC_WORKER_H

#include "config/config.h"
#include "core/arena.h"
#include "io/loop.h"
#include "ipc/channel.h"
#include "ipc/sandbox.h"
#include "log/record.h"

/* Descriptors a worker is born with. */
enum { WORKER_FD_MAIN = 3, WORKER_FD_HAND = 4 };

/*
 * The page shared with main where a worker notes the ids it works on, so that main knows what was in hand when it
 * died. Each slot is written by the worker alone, 0 when free. Aligned 64-bit stores are seen whole.
 */
enum { WORKER_HAND_SLOTS = 256 };
struct worker_hand {
    uint64_t ids[WORKER_HAND_SLOTS];
};

enum { WORKER_PEERS_MAX = 256 };

struct worker_log;

struct worker {
    const struct worker_service *service;
    struct io_loop *loop;
    struct ipc_handler handler;
    struct ipc_channel *main;
    struct ipc_channel *peers[WORKER_PEERS_MAX];
    size_t n_peers;
    const struct config *config; /* the newest */
    struct arena *config_arena;
    uint32_t generation;
    uint32_t instance;
    struct worker_hand *hand; /* NULL: this kind has none */
    struct str config_root;
    struct str param; /* deliver: its folder */
    struct worker_log *log;
    struct ipc_start start; /* what main said with it */
    bool started;
    unsigned heard;        /* messages since the timer was started */
    struct io_timer quiet; /* memory that is not needed is given back */
    void *state;           /* the service's own */
};

/* What a kind of process is made of. Functions that a kind does not need are NULL. */
struct worker_service {
    enum process_kind kind;
    /*
     * Configuration and initial descriptors are there, the sandbox is not: open what must be opened. On failure the
     * worker tells main and exits.
     */
    bool (*start)(struct worker *w, struct err *err);
    /* The sandbox this worker enters after start(): fill what differs from everybody's. */
    void (*sandbox)(struct worker *w, struct sandbox *box);
    /* Inside the sandbox: threads start here, so that its rules bind them too. Fails as start() does. */
    bool (*run)(struct worker *w, struct err *err);
    /* Just before READY: fill in its figures. */
    void (*ready)(struct worker *w, struct ipc_ready *ready);
    /* A message from main (those of the worker's life apart) or from a peer. */
    void (*message)(struct worker *w, struct ipc_channel *from, struct ipc_message *m);
    void (*peer_up)(struct worker *w, struct ipc_channel *peer);
    void (*peer_down)(struct worker *w, struct ipc_channel *peer); /* still valid here, freed after */
    void (*credit)(struct worker *w, struct ipc_channel *peer);
    /* w->config was replaced (queue, control); the former one stays valid till the next turn. */
    void (*reconfigured)(struct worker *w);
    /* Take nothing new; call worker_exit() when the last thing in hand is finished. */
    void (*retire)(struct worker *w);
    /* As retire, sooner: sessions are told. Default for both: exit at once. */
    void (*stop)(struct worker *w, uint32_t msec);
    /* Rows for `veredus status`, appended by worker_status_add(). */
    void (*status)(struct worker *w, struct buf *records);
};

/* main() of every worker program. */
int worker_main(const struct worker_service *service);

/* The newest peer of that kind, NULL when there is none. */
struct ipc_channel *worker_peer(struct worker *w, enum process_kind kind);
/* By generation: receive asks the lookup that has its own configuration. */
struct ipc_channel *worker_peer_of(struct worker *w, enum process_kind kind, uint32_t generation);
/* Append a record to rows of an answer, behind its length (u32). */
bool worker_row_add(struct buf *rows, const struct log_record *r);
/* End the loop after this turn, with everything flushed. */
void worker_exit(struct worker *w);

#endif
