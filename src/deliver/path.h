/* deliver/path.h -- from a domain's `deliver` and a recipient to the mailbox below the mail root (FACE 1.5). */
#ifndef DELIVER_PATH_H
#define DELIVER_PATH_H

#include "config/config.h"
#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"
#include "ipc/message.h"
#include "mailbox/failure.h"

/*
 * *path: relative to ROOT, in ARENA, without empty components; empty when it is ROOT itself. ROOT also stands for
 * {home}. A value that does not fit into a path fails for ever (5.1.3); a directive that leads out of ROOT may be
 * mended (4.3.5). Nothing here is what keeps a delivery below ROOT: mailbox_folder_open() and the sandbox do.
 */
MUST_USE bool deliver_path(const struct config *config, const struct ipc_lease *lease, struct str root,
                           struct arena *arena, struct str *path, struct mailbox_failure *failure);

#endif
