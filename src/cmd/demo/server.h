/* cmd/demo/server.h -- the server of a demonstration: our own program again, as `veredus run`. */
#ifndef CMD_DEMO_SERVER_H
#define CMD_DEMO_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cmd/demo/place.h"
#include "cmd/demo/records.h"
#include "core/bug.h"
#include "core/err.h"

/* Init: DEMO_SERVER_NONE. */
struct demo_server {
    pid_t pid;            /* 0: does not run; else the leader of a process group with all its workers */
    int said;             /* what it wrote to standard error; -1: none */
    int64_t started_usec; /* how long it took to be ready */
    uint64_t queued;      /* messages that waited when it was ready */
};

#define DEMO_SERVER_NONE ((struct demo_server){ .said = -1 })

/*
 * Starts our own program with ARGV (NULL at the end, argv[0] ours) in a process group of its own, so that Ctrl-C reaches
 * us alone; it ends when we do. Its output goes to OUTPUT. -1 with ERR.
 */
pid_t demo_spawn(const char *const argv[], int output, struct err *err);

/*
 * Starts it and waits until its ports are open. False: it does not run, and ERR says why as far as we know; err->sys is
 * EADDRINUSE when somebody else was faster to take the port.
 */
MUST_USE bool demo_server_start(struct demo_server *s, const struct demo_place *place, struct demo_records *r,
                                struct err *err);
/* True when it has ended by itself; ERR says how. */
bool demo_server_has_ended(struct demo_server *s, struct err *err);
/* The end in order. A second Ctrl-C, or 30 seconds, and it is killed. */
void demo_server_stop(struct demo_server *s, struct demo_records *r);
/* kill -9 of all its processes; returns when none is left. */
void demo_server_kill(struct demo_server *s);
/* Prints what it wrote to standard error, and forgets it. */
void demo_server_print_said(struct demo_server *s);

#endif
