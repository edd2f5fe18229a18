/* cmd/demo/elsewhere.h -- every other domain: a second program that takes all mail and keeps it (FACE 4.2). */
#ifndef CMD_DEMO_ELSEWHERE_H
#define CMD_DEMO_ELSEWHERE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/demo/place.h"
#include "core/bug.h"
#include "core/err.h"

/* Init: DEMO_ELSEWHERE_NONE. */
struct demo_elsewhere {
    int listener;
    uint16_t port;
    pid_t pid; /* 0: does not run; else the leader of a process group */
};

#define DEMO_ELSEWHERE_NONE ((struct demo_elsewhere){ .listener = -1 })

/* Opens a free port of 127.0.0.1. Connections wait in it until demo_elsewhere_start(). */
MUST_USE bool demo_elsewhere_open(struct demo_elsewhere *e, struct err *err);
/* Starts it, for the mail of PLACE, under the account that mailboxes belong to. It ends when we do. */
MUST_USE bool demo_elsewhere_start(struct demo_elsewhere *e, const struct demo_place *place, struct err *err);
/* True when it has ended by itself; ERR says so. */
bool demo_elsewhere_has_ended(struct demo_elsewhere *e, struct err *err);
void demo_elsewhere_stop(struct demo_elsewhere *e);

#endif
