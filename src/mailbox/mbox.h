/* mailbox/mbox.h -- one message behind the others in one file (RFC 4155; FACE: mbox). */
#ifndef MAILBOX_MBOX_H
#define MAILBOX_MBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"
#include "mailbox/content.h"
#include "mailbox/disk.h"
#include "mailbox/failure.h"

enum { MBOX_WAIT_MSEC = 10000, MBOX_LOCK_STALE_MSEC = 300000, MBOX_LOCK_EMPTY_MSEC = 5000 };

/* What all deliveries of a process share. */
struct mbox_store;

struct mbox_options {
    const struct mailbox_disk *disk;
    int64_t wait_msec; /* for a mailbox that somebody else has locked */
};

/* Reads the name of this boot below /proc: before a sandbox. NULL when memory is out. */
struct mbox_store *mbox_store_new(const struct mbox_options *options);
/* No delivery may be under way. Takes NULL. */
void mbox_store_free(struct mbox_store *store);
/* How often a file or folder was synced. */
uint64_t mbox_store_syncs(const struct mbox_store *store);

struct mbox_message {
    struct str sender; /* reverse-path without brackets, empty when null */
    int64_t accepted_msec;
    struct mailbox_content content;
};

/*
 * True: MESSAGE stands at the end of the file PATH below ROOT, on stable storage, as mailbox/quote.h says (C136). The
 * file is made when it is missing, mode 0600, and so are its folders, as mailbox_folder_open() says; a symbolic link,
 * a file with a second name, and what is no file are refused (4.3.5). False: it is not there.
 *
 * Locked against readers and others who deliver, as Debian's policy asks (11.6): by fcntl(2), then by PATH.lock where
 * its folder can be written, never waiting with one of them in hand. Still locked after the time to wait: 4.2.0.
 *
 * What a failure or the death of this process leaves is cut off again, by this call or by the next delivery, which
 * finds in PATH.lock where the message began. After a power cut, or where no lock can be made, a part of a message
 * may stay; then it stands alone: the next message begins behind an empty line all the same.
 * A message that an earlier attempt may have stored cannot be found here: it is stored again (DESIGN 3, twice).
 * May be called from many threads at once.
 */
MUST_USE bool mbox_append(struct mbox_store *store, int root, struct str path, const struct mbox_message *message,
                          struct mailbox_failure *failure);

#endif
