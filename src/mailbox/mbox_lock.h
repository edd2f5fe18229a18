/* mailbox/mbox_lock.h -- PATH.lock: a lock for other programs, and a note of ours for who comes after a death. */
#ifndef MAILBOX_MBOX_LOCK_H
#define MAILBOX_MBOX_LOCK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "core/bug.h"
#include "core/str.h"
#include "mailbox/disk.h"

enum { MBOX_LOCK_MAX = 2048, MBOX_BOOT_MAX = 40 };

/*
 * What a lock of ours says: "PID veredus BOOT DEVICE INODE LENGTH", and in the lines below it the octets that the
 * message begins with. PID is first, for other programs that look whether its process lives.
 */
struct mbox_note {
    char boot[MBOX_BOOT_MAX]; /* the kernel's name for it; empty: unknown */
    dev_t device;             /* of the mailbox */
    ino_t inode;
    off_t length; /* of the mailbox before */
    struct str head;
};

/* Into OUT; empty when it does not fit. */
struct str mbox_note_write(const struct mbox_note *note, char out[MBOX_LOCK_MAX]);
/* HEAD borrows from TEXT. False: it is no lock of ours. */
MUST_USE bool mbox_note_read(struct str text, struct mbox_note *note);

enum mbox_lock {
    MBOX_LOCK_TAKEN,
    MBOX_LOCK_NONE, /* the folder cannot be written: there are no such locks here */
    MBOX_LOCK_BUSY,
    MBOX_LOCK_FAILED, /* errno */
};

/* Make the file NAME in DIR with TEXT in it, if it is not there. */
enum mbox_lock mbox_lock_take(const struct mailbox_disk *disk, int dir, const char *name, struct str text);
/* The text of one that is there; empty when it cannot be read. *stale: nobody has touched it for a long time. */
struct str mbox_lock_read(const struct mailbox_disk *disk, int dir, const char *name, char out[MBOX_LOCK_MAX],
                          bool *stale);

#endif
