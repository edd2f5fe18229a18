/* cmd/demo/crash.h -- kill -9 in mid-load, and a count of what was promised. */
#ifndef CMD_DEMO_CRASH_H
#define CMD_DEMO_CRASH_H

#include "cmd/demo/watch.h"

/*
 * Ten rounds of load, each ended by kill -9 of every process of the server; then all that was acknowledged is looked for
 * in the mailboxes. False: something was lost or came twice, which was said; or ERR says what went wrong.
 */
MUST_USE bool demo_crash(struct demo *demo, struct err *err);

#endif
