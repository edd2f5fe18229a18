/* ipc/identity.h -- the account a process runs as: found by name, checked, taken between fork and exec. */
#ifndef IPC_IDENTITY_H
#define IPC_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

enum { IDENTITY_GROUPS_MAX = 64, IDENTITY_UID_LEAST = 1000 };

struct identity {
    uid_t uid;
    gid_t gid;
    gid_t groups[IDENTITY_GROUPS_MAX];
    size_t n_groups;
    char name[64];
    char home[512];
};

/*
 * The account NAME with its groups. Uid 0 is refused, and a uid below IDENTITY_UID_LEAST unless NAMED: the
 * configuration itself names that account (DESIGN 3). Permanent error: no such account; temporary: it cannot be
 * looked up now.
 */
MUST_USE bool identity_find(struct str name, bool named, struct identity *id, struct err *err);

/*
 * open(2) for reading with the rights of ID, and with no others: for a name that a process of ID made up. We are root, and are
 * it again behind this. -1 with errno.
 */
MUST_USE int identity_open(const struct identity *id, const char *path);

/*
 * Become ID for good: groups, gid, uid, all three of each, and check that there is no way back. For a child between
 * fork and exec: calls nothing that allocates or locks.
 */
MUST_USE bool identity_take(const struct identity *id);

#endif
