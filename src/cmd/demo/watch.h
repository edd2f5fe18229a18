/* cmd/demo/watch.h -- what comes in, a line for each; the first message is our own, and is proved. */
#ifndef CMD_DEMO_WATCH_H
#define CMD_DEMO_WATCH_H

#include <stdbool.h>

#include "cmd/demo/elsewhere.h"
#include "cmd/demo/records.h"
#include "cmd/demo/server.h"
#include "cmd/demo/show.h"

struct demo {
    struct demo_place place;
    struct demo_records records;
    struct demo_server server;
    struct demo_elsewhere elsewhere;
    struct demo_show show;
    char first_id[16]; /* queue id of the first message */
};

/* Sends the first message and compares what arrives with it. False, and it was said why, when that is not the same. */
MUST_USE bool demo_first(struct demo *demo, struct err *err);
/* Until Ctrl-C, then ends the server and sums up. False: it ended by itself, ERR says how. */
MUST_USE bool demo_watch(struct demo *demo, struct err *err);

#endif
