/* mailbox/folder.h -- the folders of one Maildir: opened below the mail root, made where they are missing. */
#ifndef MAILBOX_FOLDER_H
#define MAILBOX_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"
#include "mailbox/disk.h"
#include "mailbox/failure.h"

struct mailbox_folder {
    int box; /* the Maildir itself */
    int tmp;
    int new;
};

/*
 * PATH is relative to ROOT; empty is ROOT itself. What is missing of PATH, tmp, new and cur is made, mode 0700, and
 * stands on disk (every parent synced, up to ROOT) before `new` is made: where there is a `new`, all above it lasts.
 * `new` itself and its siblings last once BOX was synced, which is the caller's to do before it relies on them.
 * A PATH with an empty, "." or ".." component, or a NUL, fails for ever (5.1.3). Symbolic links below ROOT are refused,
 * 4.3.5: one account delivers to many mailboxes, whose owners must not lead it elsewhere.
 * On failure nothing is open.
 */
MUST_USE bool mailbox_folder_open(const struct mailbox_disk *disk, int root, struct str path,
                                  struct mailbox_folder *folder, struct mailbox_failure *failure);
void mailbox_folder_close(struct mailbox_folder *folder);

#endif
