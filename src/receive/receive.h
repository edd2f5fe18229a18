/* receive/receive.h -- the process that speaks SMTP with clients: its listeners, sessions and what they share. */
#ifndef RECEIVE_RECEIVE_H
#define RECEIVE_RECEIVE_H

#include "core/buf.h"
#include "core/id.h"
#include "core/list.h"
#include "io/local.h"
#include "ipc/worker.h"
#include "log/live.h"
#include "smtp/server.h"
#include "tls/tls.h"

enum {
    RECEIVE_READ_MAX = 64 * 1024,          /* one read of a client */
    RECEIVE_OUT_MAX = 256 * 1024,          /* replies of one turn, or not yet taken by the client */
    RECEIVE_MEMORY_CONTENT = 256 * 1024,   /* content above it is written to an own file */
    RECEIVE_MEMORY_ALL = 64 * 1024 * 1024, /* content of all sessions in memory; when short, the bound shrinks */
    RECEIVE_IDS_BLOCK = 512,
    RECEIVE_LISTENERS_MAX = 256,
    RECEIVE_LOTS = 256, /* what one getrandom() gives without fail (getrandom(2)) */
    RECEIVE_ACCEPT_REST_MSEC = 100,
    RECEIVE_FILE_AGAIN_MSEC = 10,  /* none was ready: it is asked for again */
    RECEIVE_FILE_WAIT_MSEC = 5000, /* so long at most */
    RECEIVE_COMMIT_WAIT_MSEC = IPC_COMMIT_MSEC + 5000, /* for the queue's word: later it can be no 250 */
    RECEIVE_LAST_LOOK_MSEC = 500,  /* and for what it said while we stood still ourselves */
    RECEIVE_TOLD_MSEC = 5000,      /* key and auth tell what they have, or listeners open without */
    RECEIVE_MECHANISMS_MAX = 1024,
};

struct receive;
struct session;

/* What all sockets of one `listen` offer: TLS, and ways to log in (offer.c). */
struct receive_offer {
    struct tls_server *tls; /* NULL: none, or it cannot be had */
    struct buf ca;          /* client-ca, when it comes before our start */
    struct buf ticket_keys;
    bool mechanisms_told;
    struct buf mechanisms;
    struct buf mechanisms_here; /* without EXTERNAL: for clients whose certificate says nothing of who they are */
    bool closed;                /* it was said that its clients have to wait */
};

/* A listening socket of ours, with what holds for its sessions. */
struct receive_listener {
    struct receive *receive;
    struct io_watch watch;
    int fd; /* -1: none */
    uint64_t inode; /* tells one socket from another */
    bool open;               /* clients are taken from it */
    uint32_t index; /* in config->listeners; IPC_NO_LISTENER: the one of sendmail(1) */
    struct receive_offer *offer; /* NULL: neither TLS nor log-ins */
    const struct config_listener *config;
    struct smtp_server_config smtp;
    bool asks_mail; /* a limit counts transactions: lookup is asked at MAIL, too */
    uint32_t sessions;
};

struct receive {
    struct worker *worker;
    struct receive_listener listeners[RECEIVE_LISTENERS_MAX];
    size_t n_listeners;
    struct receive_offer *offers; /* one for each of config->listeners */
    struct tls_chain **chains;    /* one for each of config->certificates; NULL: not had */
    struct tls_signer signer;
    bool began;                 /* TLS can be had */
    struct session *shaking;    /* whose handshake goes on in this call: what is to be signed is for it */
    bool keys_told;             /* what key has of our configuration */
    bool waited;                /* long enough for what has not been told */
    struct io_timer told_again; /* RECEIVE_TOLD_MSEC from the start */
    struct session **sessions; /* by slot; NULL: free */
    uint32_t n_slots;
    uint32_t n_sessions;
    uint32_t max_sessions;
    uint32_t in_content; /* sessions between DATA and their commit */
    uint64_t session_next;
    uint32_t last_serial; /* of questions */
    uint32_t last_auth;   /* instance that the last log-in was given to: they take turns */
    struct list accounts; /* sessions that are logged in */
    bool no_logins;       /* the newest configuration has none */
    struct list unread;   /* sessions with octets that TLS has and no descriptor tells of */
    struct io_timer unread_next;
    char lots[RECEIVE_LOTS]; /* random octets for tokens, drawn many at a time */
    size_t lots_left;
    /* ids in hand */
    uint64_t id_next;
    uint32_t ids_left;
    bool ids_asked;
    size_t content_memory; /* of all sessions */
    struct live live;      /* who watches dialogues */
    size_t out_told;       /* of OUT, to them */
    struct buf out;        /* replies of the session in hand */
    struct buf scratch;    /* of one message: envelope and our fields */
    char *read_room;       /* RECEIVE_READ_MAX */
    struct config_listener local; /* submit: what holds for clients of this machine */
    struct local_closer closer;   /* submit: of clients of this machine */
    struct list drops;            /* submit: files of the drop folder in hand */
    uint32_t last_drop;           /* number of the last */
    struct io_timer accept_again; /* descriptors ran short: listeners rest a moment */
    struct io_timer file_again;   /* own files did: sessions wait for one */
    bool retiring; /* takes no new clients */
    bool stopping; /* and tells those it has */
    /* sums for status */
    uint64_t accepted;
    uint64_t rejected;
    uint64_t octets_in;
    uint64_t clients;
};

extern const struct worker_service receive_service;
/* The same program under another user (DESIGN 3): clients of this machine instead of the network's. */
extern const struct worker_service submit_service;

static inline struct receive *receive_of(struct worker *w)
{
    return w->state;
}

/* The next queue id; false: none is in hand, they have been asked for. */
bool receive_take_id(struct receive *r, struct queue_id *id);

/* ---- listeners (listener.c) ---- */

/* A listener without a socket, ready for sessions: for the one of sendmail(1). NULL: there is no room. */
struct receive_listener *receive_listener_new(struct receive *r, const struct config_listener *config, uint32_t index);
/* Take clients at FD, as soon as what they need is there; FD is taken over unless false is returned. */
MUST_USE bool receive_listener_open(struct receive_listener *l, int fd, uint64_t inode);
/* A socket of main's. */
void receive_listener_add(struct receive *r, struct ipc_message *m);
/* Something came or went that they wait for. */
void receive_listeners_look(struct receive *r);
void receive_listeners_close(struct receive *r);
/* Descriptors may be there again. */
void receive_listeners_again(struct io_timer *t);

/* ---- what they offer (offer.c) ---- */

MUST_USE bool offers_make(struct receive *r, struct err *err);
/* Before the sandbox. */
MUST_USE bool offers_begin(struct receive *r, struct err *err);
void offers_done(struct receive *r);
/* Of key and auth: CERTIFICATE, TICKET_KEYS, KEYS_TOLD, MECHANISMS; of main: OPENED. True when it was one of these. */
bool offers_message(struct receive *r, struct ipc_channel *from, struct ipc_message *m);
/* May clients come? WHY is for the log when they may not: NULL for a moment's wait. */
bool offer_is_ready(const struct receive *r, const struct receive_listener *l, const char **why);

/* The last client of a retiring process is gone. */
void receive_session_gone(struct receive *r);

#endif
