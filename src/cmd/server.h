/* cmd/server.h -- the running server, asked over its control socket. */
#ifndef CMD_SERVER_H
#define CMD_SERVER_H

#include <jansson.h>

#include "cmd/cmd.h"
#include "core/buf.h"

enum { SERVER_LINE_MAX = 1 << 20, SERVER_PATIENCE_SECONDS = 90 };

struct server {
    int fd;
    bool quiet; /* says nothing of what goes wrong */
    bool goes_on; /* the caller asks again where the answer breaks off: nothing is said of that */
    bool broke_off;
    bool ended;
    int exit; /* what the subcommand ends with, once server_next() gave NULL */
    struct buf in;
    size_t eaten;
};

/*
 * Connects to the socket that the configuration names. CMD_OK, or an exit code; the reason was printed, unless QUIET.
 * server_close() in any case.
 */
int server_open(struct server *s, const struct cmd_call *call, bool quiet);
/* The same for a known path. */
int server_connect(struct server *s, const char *path, bool quiet);
/* Sends REQUEST and drops it. */
void server_ask(struct server *s, json_t *request);
/*
 * The next line of the answer: an object that is the caller's, and its octets in *LINE until the next call (NULL is
 * allowed). NULL at the end: errors were printed, s->exit says how it ended.
 */
json_t *server_next(struct server *s, struct str *line);
void server_close(struct server *s);

/* Asks COMMAND, which has an answer for people at most, and prints that. Returns the exit code. */
int server_do(const struct cmd_call *call, const char *command, const char *done);

#endif
