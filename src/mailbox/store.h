/* mailbox/store.h -- all Maildirs below one mail root: folders kept open, and one sync for many deliveries. */
#ifndef MAILBOX_STORE_H
#define MAILBOX_STORE_H

#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"
#include "mailbox/disk.h"
#include "mailbox/failure.h"
#include "mailbox/folder.h"

enum { STORE_FOLDERS = 128, STORE_KEEP_MSEC = 1000 };

/* A Maildir in use; lent until released. */
struct mailbox_open;
struct mailbox_store;

struct mailbox_store_options {
    const struct mailbox_disk *disk;
    int root;          /* of the mail root; stays the caller's and must outlive the store */
    size_t folders;    /* Maildirs kept open: three descriptors each */
    int64_t keep_msec; /* after so long a Maildir is looked up anew, so that one that was moved is not written to */
};

struct mailbox_store_figures {
    uint64_t file_syncs;
    uint64_t folder_syncs;
};

/* NULL when memory is out. Functions below may be called from many threads at once. */
struct mailbox_store *mailbox_store_new(const struct mailbox_store_options *options);
/* Nothing may be lent any more. Takes NULL. */
void mailbox_store_free(struct mailbox_store *store);

/* The Maildir at PATH (as mailbox_folder_open says), its own entries durable; NULL with FAILURE. *kept: it was open. */
struct mailbox_open *mailbox_store_lend(struct mailbox_store *store, struct str path, bool *kept,
                                        struct mailbox_failure *failure);
void mailbox_store_release(struct mailbox_store *store, struct mailbox_open *open);
/* As release; and nobody gets this descriptor again, for the folder is no longer what it was. */
void mailbox_store_forget(struct mailbox_store *store, struct mailbox_open *open);
const struct mailbox_folder *mailbox_open_folder(const struct mailbox_open *open);

/*
 * What was moved into `new` before the call is durable after it: waits for a sync that began after the call, its own or
 * that of another thread. 0, or the errno of that sync, which all who waited for it get.
 */
int mailbox_store_sync_new(struct mailbox_store *store, struct mailbox_open *open);
/* One file's content; 0 or errno. */
int mailbox_store_sync_file(struct mailbox_store *store, int fd);

const struct mailbox_disk *mailbox_store_disk(const struct mailbox_store *store);
struct mailbox_store_figures mailbox_store_figures(struct mailbox_store *store);

#endif
