/* cmd/cmd_queue_hold.c -- veredus queue hold SELECT: keep. */
#include "cmd/queue_act.h"
#include "cmd/select.h"
#include "cmd/subcommands.h"

int cmd_queue_hold(const struct cmd_call *call)
{
    static const struct queue_act act = {
        .command = "queue hold",
        .verb = "hold",
        .one = "is held",
        .many = "are held",
        .rest = "held already, or done",
        .options = SELECT_NOTE,
    };

    return queue_act(call, &act);
}
