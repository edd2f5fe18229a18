/* control/history.h -- the event history in this process: what goes in, when it is written, what is done when it cannot be. */
#ifndef CONTROL_HISTORY_H
#define CONTROL_HISTORY_H

#include "config/config.h"
#include "history/history.h"
#include "io/loop.h"
#include "ipc/sandbox.h"

enum {
    HISTORY_WRITE_MSEC = 100, /* so long a record may wait for others, or until a write is full */
    HISTORY_RETRY_MSEC = 30000,
    HISTORY_TIDY_MSEC = 600000,
    HISTORY_PATH_MAX = 1024,
};

struct control_history {
    struct io_loop *loop;
    struct history_disk *disk; /* NULL: there is no folder */
    struct history history;
    bool open; /* the configuration wants it, and it could be opened */
    char path[HISTORY_PATH_MAX];
    struct io_timer write; /* one write for all records of a moment */
    struct io_timer timer; /* looks at what is too old; while it is stopped: tries again */
};

/*
 * Before the sandbox: `state`/history, which main made. Whatever goes wrong is said in the log, and the history is
 * off until the next start.
 */
void control_history_start(struct control_history *ch, struct io_loop *loop, const struct config *config);
/* That folder may be written in. */
void control_history_sandbox(const struct control_history *ch, struct sandbox *box);
/* `history` of CONFIG holds from now on. */
void control_history_config(struct control_history *ch, const struct config *config);
void control_history_record(struct control_history *ch, struct str record);
/* What waits is written now: somebody wants to read it. */
void control_history_flush(struct control_history *ch);
/* Written to the end, and closed. Of one all zeros, too. */
void control_history_done(struct control_history *ch);

#endif
