/* cmd/cmd_queue_remove.c -- veredus queue remove SELECT: delete; with --bounce the senders get a report. */
#include <string.h>

#include "cmd/queue_act.h"
#include "cmd/select.h"
#include "cmd/subcommands.h"

static bool says_bounce(const struct cmd_call *call)
{
    for (int i = 1; i < call->argc; i++)
        if (strcmp(call->argv[i], "--bounce") == 0)
            return true;
    return false;
}

int cmd_queue_remove(const struct cmd_call *call)
{
    static const struct queue_act remove = {
        .command = "queue remove",
        .verb = "remove",
        .one = "is removed",
        .many = "are removed",
        .rest = "done already",
        .options = SELECT_BOUNCE,
    };
    static const struct queue_act bounce = {
        .command = "queue remove",
        .verb = "return to the sender",
        .one = "is returned to its sender",
        .many = "are returned to their senders",
        .rest = "done already, or cannot be read: veredus queue show ID",
        .options = SELECT_BOUNCE,
    };

    return queue_act(call, says_bounce(call) ? &bounce : &remove);
}
