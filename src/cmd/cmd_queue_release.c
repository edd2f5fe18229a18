/* cmd/cmd_queue_release.c -- veredus queue release SELECT: let go. */
#include "cmd/queue_act.h"
#include "cmd/subcommands.h"

int cmd_queue_release(const struct cmd_call *call)
{
    static const struct queue_act act = {
        .command = "queue release",
        .verb = "release",
        .one = "is released",
        .many = "are released",
        .rest = "neither held nor waiting for a release time",
    };

    return queue_act(call, &act);
}
