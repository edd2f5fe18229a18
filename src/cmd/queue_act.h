/* cmd/queue_act.h -- what queue flush, hold, release and remove share (FACE 2.2). */
#ifndef CMD_QUEUE_ACT_H
#define CMD_QUEUE_ACT_H

#include "cmd/cmd.h"

/* The words of one of them. */
struct queue_act {
    const char *command; /* "queue hold" */
    const char *verb;    /* "hold": of the question before */
    const char *one;     /* "is held" */
    const char *many;    /* "are held" */
    const char
        *rest; /* of those that were selected and not changed: "held already, or just being delivered" */
    unsigned options; /* enum select_option, beside SELECT_YES */
};

/*
 * Counts what is selected, asks on a terminal when it is more than one message (without a terminal it wants
 * -y), does it and says what was done. Returns the exit code.
 */
int queue_act(const struct cmd_call *call, const struct queue_act *act);

#endif
