/* cmd/select.h -- SELECT: which messages a queue subcommand is about (FACE 2.2). */
#ifndef CMD_SELECT_H
#define CMD_SELECT_H

#include <jansson.h>

#include "cmd/cmd.h"

/* What a subcommand takes beside SELECT. */
enum select_option {
    SELECT_YES = 1 << 0,    /* -y */
    SELECT_NOTE = 1 << 1,   /* --note TEXT */
    SELECT_BOUNCE = 1 << 2, /* --bounce */
};

/* Options of SELECT that have a value, for cmd_command.values. */
#define SELECT_VALUES " --from --to --account --site --tenant --state --older --reason --note "

#define SELECT_HELP                                                                                         \
    "  ID...          by their ids\n"                                                                       \
    "  --from PATTERN of that sender: anna@example.org, example.org, .example.org, <>\n"                    \
    "  --to PATTERN   with such a recipient\n"                                                              \
    "  --account NAME handed in by that account\n"                                                          \
    "  --site NAME    waiting for that destination\n"                                                       \
    "  --state STATE  ready, sending, deferred or held\n"                                                   \
    "  --older TIME   accepted longer ago: 2h, 5d\n"                                                        \
    "  --reason TEXT  that wait for this reason, or were answered with these words\n"                       \
    "  --all          all of them\n"

struct select {
    json_t *request; /* the caller's; what the server is asked, COMMAND in it */
    bool chosen;     /* something of SELECT was said */
    bool yes;
};

/* Reads all arguments of CALL. CMD_OK, or an exit code and the reason was printed. json_decref(s->request) in any case. */
int select_read(struct select *s, const struct cmd_call *call, const char *command, unsigned options);

#endif
