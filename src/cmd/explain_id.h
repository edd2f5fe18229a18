/* cmd/explain_id.h -- veredus explain ID: why a message has not gone, what next, when (FACE 2.3). */
#ifndef CMD_EXPLAIN_ID_H
#define CMD_EXPLAIN_ID_H

#include "cmd/cmd.h"

/* ALL: every group of recipients, not those of a screen alone. Returns the exit code. */
int explain_id(const struct cmd_call *call, const char *id, bool all);

#endif
