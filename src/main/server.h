/* main/server.h -- what the files of main share: the children, the posts they fill, the configurations they have. */
#ifndef MAIN_SERVER_H
#define MAIN_SERVER_H

#include <sys/types.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/list.h"
#include "io/loop.h"
#include "ipc/channel.h"
#include "ipc/identity.h"
#include "ipc/worker.h"
#include "log/log.h"
#include "main/programs.h"
#include "main/run.h"

enum {
    MAIN_POSTS_MAX = 256,
    MAIN_SOCKETS_MAX = 256,
    MAIN_GENERATIONS_MAX = 8, /* configurations that still have sessions */
    MAIN_BACKOFF_FIRST_MSEC = 100,
    MAIN_BACKOFF_MAX_MSEC = 10000, /* DESIGN 3: restarted with back-off of at most 10 s */
    MAIN_WELL_MSEC = 60000,        /* a child that lived so long starts its back-off anew */
};

/* A configuration that processes run under. */
struct main_generation {
    uint32_t number; /* 0: free slot */
    const struct config *config;
    struct arena *arena;
    int bundle; /* sealed; what workers parse */
    int64_t since_msec; /* UTC */
};

enum child_state {
    CHILD_STARTING,
    CHILD_READY,
    CHILD_ENDING, /* told to, or ending by itself: no restart is due to its death alone */
};

struct main_child {
    struct list node;
    struct main_server *server;
    struct main_post *post; /* NULL: a deliver process, or one whose post has a successor */
    enum process_kind kind;
    enum child_state state;
    pid_t pid; /* 0 once reaped */
    uint32_t instance;
    uint32_t generation;
    struct ipc_channel *channel; /* NULL once it ended */
    struct worker_hand *hand;    /* deliver, send */
    int64_t started_msec;        /* io_now_msec */
    int64_t since_msec;          /* UTC */
    struct identity identity;
    bool has_identity;
    bool told_to_stop;
    bool said_why; /* it could not begin, and its words are in the log */
    bool overdue;  /* it did not end when told to: killed, and the log says so */
    char lacks[SANDBOX_LACKS_MAX];
    char param[1024];
    struct list asked; /* deliver: the queue's questions that wait until it is ready (delivery.c) */
};

/* A place that is always filled: one process of a kind for a configuration. */
struct main_post {
    struct main_server *server;
    bool used;
    enum process_kind kind;
    uint32_t generation;
    struct main_child *child; /* NULL while it is away */
    struct io_timer restart;
    unsigned failures; /* in a row */
    unsigned restarts; /* in all */
};

/* A socket to listen on: kept over reloads while any configuration names it. */
struct main_socket {
    bool used;
    bool kept; /* named by the newest configuration */
    char name[256]; /* of its endpoint: "127.0.0.1:25", "unix:/run/x" */
    int fds[2];     /* a bare port has one for each family */
    bool failed;    /* could not be had; tried again */
    bool lasting;   /* passed to us by systemd: never closed or removed */
};

enum server_phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING };

struct main_server {
    const struct main_options *options;
    struct io_loop *loop;
    struct ipc_handler handler;
    enum server_phase phase;
    struct main_generation generations[MAIN_GENERATIONS_MAX];
    uint32_t generation; /* the newest */
    uint32_t last_instance;
    struct main_programs programs;
    struct list children;
    struct main_post posts[MAIN_POSTS_MAX];
    struct main_socket sockets[MAIN_SOCKETS_MAX];
    struct io_signal sigchld, sigterm, sigint, sighup;
    struct io_timer mend;    /* tries again what could not be had */
    struct io_timer end;     /* the patience of a stop */
    bool stop_late;          /* it has run out once */
    struct io_timer reload;  /* the patience of a reload */
    uint32_t reload_asker;   /* instance of the control that waits for its answer; 0: none */
    uint64_t reload_ticket;
    bool reload_again;       /* asked for while one was under way */
    struct buf reload_text;  /* warnings, for the answer */
    struct log_sink sink;
    struct buf early_log;
    struct main_files *files;
    struct main_drop *drop;
    int submit_fd; /* the socket of sendmail(1) */
    int control_fds[2]; /* the socket of the subcommands, and the one for everyone */
    int64_t started_msec; /* io_now_msec */
    int64_t started_wall_msec;
    uint64_t queued, recovered, dropped;
    bool unclean;                /* the server before this one did not end in order */
    int64_t queue_ended_msec;    /* io_now_msec; 0: none has yet */
    int64_t carrier_ended_msec;  /* a deliver or send process, not in order */
    uint64_t hold_below; /* run --hold: what was found at the start has lower ids; 0: no queue was ready yet */
    char stop_cause[ERR_TEXT_MAX];
    int exit_code;
    struct io_timer deliver_rest; /* deliver processes died as soon as they were born: none is started before */
    struct list resting;          /* questions of the queue that wait for that */
    unsigned deliver_short_lives; /* in a row */
    bool root;            /* we may change users */
    bool accounts_missing;
};

/* ---- generations (generation.c) ---- */

/* Reads and checks the configuration; errors go to DIAG_TEXT as people read them. NULL: it cannot be used. */
struct main_generation *generation_load(struct main_server *s, struct buf *diag_text);
/* One that was loaded and is not to be used. */
void generation_drop(struct main_generation *g);
struct main_generation *generation_find(struct main_server *s, uint32_t number);
const struct config *main_config(struct main_server *s);
/* Frees those that nobody uses. */
void generations_prune(struct main_server *s);

/* ---- memory (memory.c) ---- */

/* What all processes take, and what they may. */
void memory_ask(struct main_server *s, struct main_child *from, const struct ipc_memory_ask *ask);

/* ---- children (child.c) ---- */

struct main_post *post_add(struct main_server *s, enum process_kind kind, uint32_t generation);
/* N posts of the newest configuration, filled; false when there are no more places. */
bool posts_add(struct main_server *s, enum process_kind kind, unsigned n);
/* Those that run under one configuration, the newest, for their whole life. */
bool posts_of_generation(struct main_server *s);
/* Starts the post's process now. */
void post_fill(struct main_post *p);
/* The post is no longer needed; its child, if any, lives on until it ends. */
void post_drop(struct main_post *p);
struct main_child *child_start(struct main_server *s, enum process_kind kind, uint32_t generation,
                               const struct identity *identity, const char *param, struct err *err);
/* Reaps what has ended. */
void children_reap(struct main_server *s);
struct main_child *child_by_channel(struct main_server *s, const struct ipc_channel *c);
struct main_child *child_ready(struct main_server *s, enum process_kind kind);
size_t children_count(struct main_server *s, unsigned kinds);
/* The end of a child's channel. */
void child_channel_ended(struct ipc_handler *h, struct ipc_channel *c);
/* The queue says that one claimed what it was never lent. */
void child_mistrusted(struct main_server *s, const struct ipc_mistrusted *m);
/* The record of a process that ended, could not start, or broke the rules; PID 0 when there is none. */
void log_process(enum process_kind kind, pid_t pid, const char *cause, unsigned restarts);

/* ---- what they say (talk.c) ---- */

void child_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m);
/* Rows of `veredus status`. */
void children_status(struct main_server *s, struct buf *rows);

/* ---- what children are given ---- */

/* folders.c: the spool, without which nothing starts, and the state, without which only what it keeps is not there. */
bool folders_make(struct main_server *s, struct err *err);

/* sockets.c: opens what the newest configuration names; what cannot be had is logged and tried again. */
void sockets_open(struct main_server *s);
/* TAKER, of SET_INTAKE: those of its role. */
void sockets_send(struct main_server *s, struct main_child *taker);
void submit_socket_send(struct main_server *s, struct main_child *submit);
bool sockets_all_there(const struct main_server *s);
void sockets_close(struct main_server *s);
bool control_sockets_open(struct main_server *s, struct err *err);
void control_sockets_remove(struct main_server *s);
/* For people, what could not be had; nothing is added to WORDS, which is empty, when all is there. */
void sockets_complain(const struct main_server *s, struct buf *words);
/* The listeners' names that really listen, for the ready record. */
size_t sockets_listening(struct main_server *s, struct str *names, size_t room);

/* files.c: files that the configuration names, opened for those that read them, again when they change. */
bool files_start(struct main_server *s, struct err *err);
/* READER has just begun: all that is its to read. */
void files_send(struct main_server *s, struct main_child *reader);
void files_watch(struct main_server *s);
/* LOOKUP read of PATH in an alias file (`:include:`): it is given, and given again when it changes. */
void files_want(struct main_server *s, struct main_child *lookup, struct str path);
void files_done(struct main_server *s);

/* drop.c: the folder where sendmail(1) leaves mail while the server is down. */
bool drop_start(struct main_server *s, struct err *err);
/* Look for what was left: SUBMIT is ready, or is gone and what it had in hand is to be given to another. */
void drop_look(struct main_server *s);
void drop_submit_gone(struct main_server *s, const struct main_child *submit);
void drop_answered(struct main_server *s, struct main_child *submit, const struct ipc_dropped *dropped);
void drop_done(struct main_server *s);

/* targets.c: where control writes the log. */
void log_targets_send(struct main_server *s, struct main_child *control);

/* delivery.c: deliver processes for the queue. */
void delivery_ask(struct main_server *s, struct main_child *queue, const struct ipc_deliver_ask *ask);
void delivery_ready(struct main_child *deliver);
void delivery_ended(struct main_child *deliver);
void delivery_rested(struct main_server *s);
/* Deliver processes of former configurations take nothing new. */
void delivery_retire_former(struct main_server *s);

/* reload.c */
void reload_begin(struct main_server *s, struct ipc_channel *asker, uint64_t ticket, struct str account);
/* The new processes have had their time. */
void reload_overdue(struct main_server *s);
/* A new receive or lookup is ready, or an old one is gone: the next step of a reload. */
void reload_go_on(struct main_server *s);

/* stop.c */
void stop_begin(struct main_server *s, const char *cause, int exit_code);
void stop_go_on(struct main_server *s);
/* Those whose turn it is have had their time. */
void stop_overdue(struct main_server *s);

/* How many of these processes the configuration wants (DESIGN 10: half the cores, at least one). */
unsigned main_receive_workers(const struct config *config);
unsigned main_send_workers(const struct config *config);
/* 1 without a listener for submission: sendmail(1) has it. */
unsigned main_submit_workers(const struct config *config);
/* 0: nobody can log in. */
unsigned main_auth_workers(const struct config *config);
/* Is any account checked by PAM? Is there a private key? */
bool main_wants_pam(const struct config *config);
bool main_wants_key(const struct config *config);
/* All that the start waits for is there: ports open. */
void start_go_on(struct main_server *s);

/* notify.c: systemd's readiness protocol; nothing without NOTIFY_SOCKET. */
void notify_systemd(const char *state);

#endif
