/* deliver/command.h -- the command that a `pipe:` or an alias names, for one recipient (DESIGN 3; FACE 1.5, 1.6). */
#ifndef DELIVER_COMMAND_H
#define DELIVER_COMMAND_H

#include <stdbool.h>

#include "config/config.h"
#include "core/arena.h"
#include "core/bug.h"
#include "core/err.h"
#include "ipc/message.h"
#include "mailbox/command.h"
#include "mailbox/failure.h"

/* Whose rights the process has. */
struct deliver_account {
    char name[64];
    char home[512];
};

/* The account of this process; without one of that number its name is the number, its home "/". */
void deliver_account_find(struct deliver_account *account);

/*
 * Fills argv, env and folder of *command, all in ARENA. The environment is PATH, HOME, USER, LOGNAME, SHELL=/bin/sh and
 * SENDER, RECIPIENT, ORIGINAL_RECIPIENT, LOCAL, EXTENSION, DOMAIN, and no more.
 * False: an alias names it where alias-commands is off (5.7.1); a value cannot be an argument, because of a NUL or
 * because it would be read as an option, "-" being its first character and the argument's (5.1.3); a mistake of the
 * configuration or the alias (4.3.5).
 */
MUST_USE bool deliver_command(const struct config *config, const struct ipc_lease *lease,
                              const struct deliver_account *account, struct arena *arena,
                              struct mailbox_command *command, struct mailbox_failure *failure);

/* Whether LEASE may be what an alias names, a command or a file, in its domain; else FAILURE is 5.7.1. */
MUST_USE bool deliver_alias_allowed(const struct config *config, const struct ipc_lease *lease,
                                    struct mailbox_failure *failure);

#endif
