/* mailbox/maildir.h -- one message into one Maildir, whole and once (FACE: maildir). */
#ifndef MAILBOX_MAILDIR_H
#define MAILBOX_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/id.h"
#include "core/str.h"
#include "mailbox/content.h"
#include "mailbox/failure.h"
#include "mailbox/store.h"

enum { MAILDIR_NAME_MAX = 120 };

struct maildir_name {
    char c[MAILDIR_NAME_MAX];
};

/*
 * SECONDS.QUEUEID-NUMBER.HOST: the same for every attempt at this recipient (NUMBER) of this message, so that a second
 * attempt finds what the first one left. HOST is the first label of HOSTNAME.
 */
struct maildir_name maildir_name(int64_t accepted_msec, struct queue_id id, uint32_t number, struct str hostname);

struct maildir_message {
    struct maildir_name name;
    struct mailbox_content content;
    bool look; /* an earlier attempt may have got through: look for its file, also in cur */
};

enum maildir_result {
    MAILDIR_STORED,
    MAILDIR_FOUND,    /* it was there already, and is durable now */
    MAILDIR_FAILED,   /* not there */
    MAILDIR_IN_DOUBT, /* moving it into `new`, or syncing that, failed: it may be there, the next attempt must look */
};

/*
 * Written into tmp, synced, moved into `new`, `new` synced: STORED says that all of it is on stable storage. A reader
 * never sees a file in `new` that is not whole and synced. PATH is the Maildir as mailbox_folder_open() says.
 * The line ends of mail become those of files here (CRLF to LF), as Maildir readers expect; every other octet is kept.
 * With LOOK a file of that name counts also when its reader moved it to cur or put flags or sizes behind it (":2,S",
 * ",S=4401"); what its reader deleted is delivered again. Without LOOK only a file in `new` is found.
 * Content is streamed; nothing is held but one block. May be called from many threads at once.
 */
MUST_USE enum maildir_result maildir_deliver(struct mailbox_store *store, struct str path,
                                             const struct maildir_message *message,
                                             struct mailbox_failure *failure);

#endif
