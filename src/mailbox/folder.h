/* mailbox/folder.h -- the folders of one Maildir: opened below the mail root, made where they are missing. */
#ifndef MAILBOX_FOLDER_H
#define MAILBOX_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"
#include "mailbox/disk.h"
#include "mailbox/failure.h"

/* One name in one folder: not empty, ".", "..", nothing with "/" or NUL in it. */
bool mailbox_name_ok(struct str name);

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
/*
 * The folder at PATH below ROOT, as above but for what is in it: looked up, or with MAKE made where it is missing, and
 * in that case durable with all its parents also when it was there. -1 with FAILURE.
 */
MUST_USE int mailbox_folder_reach(const struct mailbox_disk *disk, int root, struct str path, bool make,
                                  struct mailbox_failure *failure);
void mailbox_folder_close(struct mailbox_folder *folder);

#endif
