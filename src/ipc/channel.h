/* ipc/channel.h -- a connection to another process: frames both ways, descriptors, credits. */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "io/loop.h"
#include "ipc/message.h"

/* Questions a side may have open; a peer that asks more is closed. */
enum { IPC_CREDITS = 4096 };

struct ipc_channel {
    struct io_loop *loop;
    struct io_watch watch;
    struct io_task flush;  /* one write at the end of a turn for all that was sent in it */
    struct io_task ending; /* tells the owner that the peer is gone, outside its own calls */
    enum process_kind self;
    enum process_kind peer;
    uint32_t instance;   /* of the peer */
    uint32_t generation; /* of the peer's configuration */
    uint32_t pid;        /* of the peer */
    int fd;
    bool closed;
    bool deaf; /* the peer is gone; what it had said is still read */
    unsigned asked; /* our questions without an answer */
    unsigned owed;  /* the peer's questions without ours */
    uint64_t lost;  /* log records dropped because the peer does not read */
    struct buf in;
    struct buf out;
    size_t in_usual; /* octets they lately had; room for far more than that is given back */
    size_t out_usual;
    size_t out_sent; /* of out, already written */
    struct ipc_fd_queue *fds;
    struct ipc_handler *handler;
    char why[160]; /* why it ended, for the log: "peer closed", "nonsense: …" */
};

/* The owner of channels; one for all of a process. */
struct ipc_handler {
    /* A message of a type that PEER may send to us; everything in it dies on return (but an fd that was taken). */
    void (*message)(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m);
    /* The peer is gone (death, close, nonsense). No further message comes; ipc_channel_free() it here or later. */
    void (*ended)(struct ipc_handler *h, struct ipc_channel *c);
    /* Credits or room are there again after ipc_may_ask() said no. May be NULL. */
    void (*credit)(struct ipc_handler *h, struct ipc_channel *c);
};

/* Takes FD over (closed on failure too). NULL with ERR. */
struct ipc_channel *ipc_channel_new(struct io_loop *loop, int fd, enum process_kind self, enum process_kind peer,
                                    struct ipc_handler *handler, struct err *err);
/* Flushes what can be written without waiting, closes, frees; ended() is not called. Takes NULL. */
void ipc_channel_free(struct ipc_channel *c);

/* True while a question costs no more than the peer can owe, and the octets waiting are few. */
bool ipc_may_ask(struct ipc_channel *c);
/*
 * Send BODY, the struct of TYPE; written at the end of the turn. FD is -1 or duplicated into the message (stays the
 * caller's). False: nothing was sent (channel ended, out of memory, a question without credit).
 */
bool ipc_put(struct ipc_channel *c, enum ipc_type type, const void *body, int fd);
/* What its messages say cannot be: as one that cannot be read, it ends the channel (WHY becomes "nonsense from …: WHAT"). */
void ipc_channel_nonsense(struct ipc_channel *c, const char *what);
/* Write now what waits, as far as the kernel takes it (before a process exits). */
void ipc_channel_flush(struct ipc_channel *c);

/* ipc_send_NAME(channel, &(struct ipc_NAME){ … }, fd) for each message of messages.def; fd only where WITH_FD. */
#define IPC_SENDER_NO_FD(TYPE, name)                                                                        \
    static inline bool ipc_send_##name(struct ipc_channel *c, const struct ipc_##name *body)                \
    {                                                                                                       \
        return ipc_put(c, IPC_##TYPE, body, -1);                                                            \
    }
#define IPC_SENDER_WITH_FD(TYPE, name)                                                                      \
    static inline bool ipc_send_##name(struct ipc_channel *c, const struct ipc_##name *body, int fd)        \
    {                                                                                                       \
        return ipc_put(c, IPC_##TYPE, body, fd);                                                            \
    }
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD) IPC_SENDER_##FD(TYPE, name)
#define IPC_FIELD(name, KIND, field)
#define IPC_END(name)
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END

#endif
