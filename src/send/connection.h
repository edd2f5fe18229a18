/* send/connection.h -- a connection: found, greeted, given transfers, ended (RFC 5321 3, 4.5.3.2, 5.1). */
#ifndef SEND_CONNECTION_H
#define SEND_CONNECTION_H

#include "config/config.h"
#include "core/arena.h"
#include "log/record.h"
#include "send/address.h"
#include "send/login.h"
#include "send/send.h"
#include "send/transfer.h"
#include "smtp/client.h"

/*
 *     BEGINNING ──> CONNECTING ──> GREETING ──> OPEN ──> ENDED
 *         ^              │          │   ^ │
 *         │              │       SHAKING  │
 *         └── next host ─┴────────┴───────┘ no: failed()
 */
enum connection_state {
    CONNECTION_BEGINNING,  /* an address is tried at the end of this turn */
    CONNECTION_CONNECTING, /* the kernel is at it */
    CONNECTION_GREETING,   /* up to the end of EHLO, or of the log-in */
    CONNECTION_SHAKING,    /* hands: TLS, before the greeting or within */
    CONNECTION_OPEN,       /* transfers go */
    CONNECTION_ENDED,      /* gone at the end of this turn */
};

/* Why no address of a plan takes us: of all failures the most telling. */
struct connection_failure {
    unsigned weight;
    enum ipc_result status; /* or IPC_AGAIN: it says nothing about the hosts */
    enum smtp_stage stage;
    enum log_reason reason;
    unsigned code; /* the peer's, when it said something: then TEXT is its words */
    char enhanced[16];
    char text[SMTP_CLIENT_TEXT_MAX + ADDRESS_TEXT_MAX];
    const struct route_plan_address *address; /* NULL: none was tried */
};

struct connection;

/* Who wants a connection. Called by the loop, never from within a call of the functions below. */
struct connection_owner {
    void (*opened)(struct connection *c);
    /* No connection; what was given to it is made() after, untouched. */
    void (*failed)(struct connection *c, const struct connection_failure *why);
    /* Each recipient has a result. Before closed(), for everything that was given. */
    void (*made)(struct connection *c, struct transfer *t);
    /* It was open and is no more. FAREWELL: a 421 that ended it, or NULL. */
    void (*closed)(struct connection *c, bool orderly, const struct smtp_client_result *farewell);
    /* The last that is heard of it; may be NULL. */
    void (*gone)(struct connection *c);
};

struct connection {
    struct list node; /* of send.connections */
    struct send *send;
    const struct connection_owner *owner;
    void *whose;             /* the owner's */
    uint64_t id;             /* the queue's name for it */
    uint32_t queue_instance; /* the queue that asked for it; 0: none did */
    const struct config_route *route; /* NULL: none */
    const struct config_sending *sending;
    struct arena *arena; /* of the plan */
    struct route_plan plan;
    size_t next; /* address to be tried */
    const struct route_plan_address *address; /* in hand, or reached */
    struct connection_failure failure;
    bool only_521; /* no address has said anything but 521 yet */
    enum connection_state state;
    struct io_task work;
    struct io_watch watch;
    struct io_timer timer;
    int64_t deadline_msec; /* what is waited for must have come by then; 0: nothing is */
    int64_t timer_msec;    /* when the timer fires, if it is pending */
    int fd;
    struct tls_stream *tls; /* from the handshake on */
    struct tls_owner tls_owner;
    char tls_version[16];   /* empty: in clear */
    struct login *login;    /* while one is under way */
    struct login_owner login_owner;
    bool clear_next;        /* the same address again, without TLS */
    bool in_clear;          /* it is that one */
    bool looks;             /* it brings no mail: without a log-in */
    char tls_trouble[200];  /* why the last address had no TLS; empty: it had, or none was wanted */
    unsigned tls_code;      /* the reply that said so; 0: none */
    struct arena *session; /* of the dialogue */
    struct smtp_client *smtp;
    struct list waiting;     /* transfers that the dialogue has no room for yet */
    struct list inside;      /* transfers of the dialogue, in its order */
    struct transfer *giving; /* its content is being given out */
    uint64_t progress_octets; /* of content, since the deadline was moved */
    struct live_dialogue dialogue;
    struct buf in;           /* octets not used yet: a reply that is partial */
    struct buf out;          /* what the peer has not taken */
    bool blocked;            /* it takes no more now */
    unsigned hears, speaks;  /* what reading waits for, and writing while BLOCKED: TLS may do one to do the other */
    bool closing;            /* nothing more is given; QUIT behind the last */
    bool hurried;            /* what has not begun is given up */
    bool cut;                /* everything is */
    bool quit_said;
    enum smtp_stage stage;   /* that the deadline is for */
    size_t replies;          /* when it was set */
    const char *broken; /* it cannot be written to any more: why */
    int64_t began_usec;
    int64_t connect_usec; /* to the end of EHLO */
};

/*
 * Connect along PLAN (octets of route/plan.h), as ROUTE says, or the top where that is NULL. The connection goes by
 * itself after failed() or closed(). NULL with ERR when PLAN is none, or memory is out.
 */
struct connection *connection_open(struct send *s, struct str plan, const struct config_route *route,
                                   const struct connection_owner *owner, void *whose, struct err *err);
/* May transfers be given to it? */
bool connection_takes(const struct connection *c);
/* T is its own until made(). Also before it is open. */
void connection_give(struct connection *c, struct transfer *t);
/* Nothing more will be given: QUIT after the last. One not open yet that has nothing to do fails at once. */
void connection_close(struct connection *c);
/* As connection_close(), and what has not begun to send content is given up. */
void connection_hurry(struct connection *c);
/* End it, whatever is in hand. */
void connection_cut(struct connection *c);
/* Name and address of the host that is connected, or was tried last; empty before. */
struct str connection_host(const struct connection *c);
struct address_text connection_peer(const struct connection *c);
/* Where it goes to a site of the configuration: what that says counts where the route says nothing. */
void connection_use_site(struct connection *c, const struct config_site *site);

/* ---- between its files: reach.c finds a host, secure.c shakes hands, dialogue.c speaks, connection.c keeps the time ---- */

/* Try addresses from the next one on, until the kernel is at one of them; or say that there is none. */
void reach_next(struct connection *c);
/* The kernel is done with the address in hand. */
void reach_done(struct connection *c);
/* The address in hand does not take us: on to the next. CODE 0: TEXT is ours, put behind the address. */
struct reach_answer {
    enum smtp_stage stage;
    enum log_reason reason;
    unsigned code;
    struct str enhanced;
    struct str text;
};
void reach_refused(struct connection *c, const struct reach_answer *answer);
/* The same address once more, in clear. */
void reach_in_clear(struct connection *c);
/* No address is tried any more. */
void reach_give_up(struct connection *c, const char *text);

/* enum smtp_client_flag: what the level of this route and site asks of the address in hand (FACE 1.7). */
unsigned secure_flags(const struct connection *c);
/* Shake hands; then the greeting, or the dialogue goes on. */
void secure_begin(struct connection *c);
void secure_go_on(struct connection *c);
/* There will be no TLS with this address, as WHY says: once more in clear where that may be, else the next one. */
void secure_failed(struct connection *c, const struct reach_answer *why);
void secure_timed_out(struct connection *c);
/* The peer took its offer of STARTTLS back, at a level where it may. */
void secure_refused(struct connection *c, const struct smtp_client_result *why);
void secure_done(struct connection *c);
/* recv(2) and send(2), through TLS where it stands. */
ssize_t secure_read(struct connection *c, void *at, size_t room);
ssize_t secure_write(struct connection *c, const void *at, size_t n);
/* What to wait for when nothing more can be read, and perhaps nothing written. */
unsigned secure_wants(const struct connection *c);

/* Is there somebody to speak with? From the greeting on. */
bool dialogue_speaks(const struct connection *c);
/* Feed what the peer said, FRESH behind what was left before; say what is to be said. */
void dialogue_drive(struct connection *c, struct str fresh);
void dialogue_readable(struct connection *c);
/* What of secure_wants() is so. */
void dialogue_go_on(struct connection *c, unsigned what);
/* Nothing more is heard or said: the machine gives what it has inside a result. */
void dialogue_break_off(struct connection *c, enum log_reason reason, const char *text);

/* The socket is connected, TLS stands if it comes first: hear the greeting. */
void connection_greet(struct connection *c);
/* The callback of c->watch. */
void connection_ready(struct io_watch *w, unsigned what);
/* T, which was inside, has its results. */
void connection_made(struct connection *c, struct transfer *t);
/* An open connection is over: what was given and has no result is made(), untouched; then closed(). */
void connection_over(struct connection *c, bool orderly, const struct smtp_client_result *farewell);
/* The same without closed(); C goes at the end of this turn. */
void connection_gone(struct connection *c);
/* What is waited for must come within MSEC; 0: nothing is. */
void connection_deadline(struct connection *c, int64_t msec);
/* When a reply came, or enough was taken, or something else is waited for, time begins anew. */
void connection_deadline_follow(struct connection *c);
/* The ids of what is inside, into the page that main keeps. */
void connection_hand_note(const struct connection *c);

#endif
