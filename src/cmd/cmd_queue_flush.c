/* cmd/cmd_queue_flush.c -- veredus queue flush SELECT: try now. */
#include "cmd/queue_act.h"
#include "cmd/subcommands.h"

int cmd_queue_flush(const struct cmd_call *call)
{
    static const struct queue_act act = {
        .command = "queue flush",
        .verb = "try",
        .one = "is due now",
        .many = "are due now",
        .rest = "held, or on the way already",
    };

    return queue_act(call, &act);
}
