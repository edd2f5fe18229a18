/* cmd/site_act.h -- what pause and resume of a site share. */
#ifndef CMD_SITE_ACT_H
#define CMD_SITE_ACT_H

#include <stdint.h>

#include "cmd/cmd.h"

/* COMMAND for the site NAME, for MSEC (0: until resumed). The exit code. */
int site_act(const struct cmd_call *call, const char *command, const char *name, uint64_t msec);

#endif
