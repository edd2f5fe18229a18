/* cmd/live.h -- trace --live: dialogues as they go on, until this program is ended. */
#ifndef CMD_LIVE_H
#define CMD_LIVE_H

#include "cmd/server.h"

/*
 * Shows the dialogues of sessions that are about WHAT: a session id, the address of a client or host, or of a sender or
 * recipient. Returns the exit code, when the server ends or refuses.
 */
int live_show(struct server *s, const struct cmd_call *call, const char *what);

#endif
