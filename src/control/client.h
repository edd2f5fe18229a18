/* control/client.h -- a subcommand at the other end of the control socket: one JSON object a line, both ways. */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <jansson.h>

#include "control/permission.h"
#include "core/buf.h"
#include "core/list.h"
#include "io/loop.h"
#include "ipc/channel.h"
#include "log/record.h"

enum {
    CLIENT_REQUEST_MAX = 64 * 1024, /* some 4000 queue ids */
    CLIENT_OUT_MAX = 16 << 20,
    CLIENT_OUT_LOW = 256 * 1024, /* below it the next page is asked for */
    CLIENT_IDLE_MSEC = 30000,    /* without a request, or without taking the answer */
};

struct control;
struct command;
struct control_trace;

/* One process that was asked how it is. */
struct client_asked {
    enum process_kind kind;
    uint32_t instance;
    uint32_t pid;
};

/*
 * A connection: it reads a request, answers it in lines that end with {"end":true,"exit":N}, and reads the next one.
 * It is freed at the end of a turn, so that whoever works on it may end it.
 */
struct control_client {
    struct list node;
    struct control *control;
    struct permission_client who;
    bool everyone; /* came by the socket for everyone */
    int fd;
    struct io_watch watch;
    struct io_timer timer;
    struct io_task next;  /* the next request, or the end */
    struct buf in;
    struct buf out;
    bool at_end; /* the other side sends no more */
    bool gone;   /* free it */

    /* The command under way. */
    const struct command *command; /* NULL: none */
    uint64_t ticket;               /* of its questions */
    json_t *request;
    uint64_t after;                /* queue verbs: the last id so far */
    bool asking;                   /* queue list: a page is on its way; trace live: others were told */
    uint64_t early;                /* queue flush: messages left to their release times so far */
    uint64_t count, done;          /* queue verbs: messages selected and changed so far; trace live: lines lost */
    struct buf hops;               /* explain: next hops whose plans are still to be asked for */
    uint32_t generation;           /* explain, tls check: of the configuration that these are of */
    uint32_t route;                /* tls check: the one that is looked at */
    struct control_trace *trace;   /* trace: the search under way */
    struct client_transfer *transfer; /* spool read, spool import: over several requests (spool.c) */
    struct client_asked *asked;    /* status: who has not answered */
    size_t n_asked;
};

/* Takes FD. NULL: no memory, or nobody knows who it is; FD is closed. */
struct control_client *client_new(struct control *control, int fd, bool everyone);
/* Append a line; it is written at the end of the turn. A client that reads too little is dropped. */
void client_line(struct control_client *c, struct str line);
/* Each record of an ipc answer, as a line. False: what came was nonsense. */
MUST_USE bool client_rows(struct control_client *c, struct str records);
/* The same of one record of our own; without memory it is left out. */
void client_row(struct control_client *c, const struct log_record *r);
/* Something was put into c->out by hand: it goes out. */
void client_arm(struct control_client *c);
/* A line that is no row; takes OBJECT, and NULL of what found no memory ends the connection. */
void client_object(struct control_client *c, json_t *object);
/* {"NAME":"VALUE"}: a line of text for people. */
void client_text(struct control_client *c, const char *name, struct str value);
/* The answer is complete. */
void client_end(struct control_client *c, int exit_code);
/* {"error":...,"cure":...}, and the end. */
void client_fail(struct control_client *c, int exit_code, const char *error, const char *cure);
/* The command has so long to end, from now on. */
void client_patience(struct control_client *c, int64_t msec);
void client_free(struct control_client *c);

#endif
