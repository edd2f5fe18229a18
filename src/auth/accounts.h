/* auth/accounts.h -- one version of a users file, with what it keeps of passwords (FACE 1.11). */
#ifndef AUTH_ACCOUNTS_H
#define AUTH_ACCOUNTS_H

#include "auth/stored.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/map.h"
#include "route/fault.h"

enum { AUTH_ACCOUNTS_FILE_MAX = 256 << 20, AUTH_ACCOUNTS_MEMORY_MAX = 1 << 30 };

/* Somebody who may log in, or is locked out. Mailboxes without a log-in are not kept. */
struct auth_account {
    struct map_node node;
    struct str local;  /* as the file spells it */
    struct str domain; /* canonical; empty: every domain of the block */
    struct auth_stored stored; /* hash and keys are each followed by a NUL */
};

struct auth_accounts {
    struct arena *arena;
    struct map map; /* by local part in small letters, "@" and domain behind it where there is one */
    size_t n_scram; /* how many have keys of SCRAM */
    size_t n_login; /* how many can log in */
    const struct auth_account *sample;       /* the first that can log in */
    const struct auth_account *sample_scram; /* the first with keys */
    struct route_faults faults;   /* lines that name nobody */
    struct route_faults warnings; /* lines whose log-in is refused */
};

/* Reads TEXT. NULL with ERR when memory is out; bad lines are in faults and warnings. */
MUST_USE struct auth_accounts *auth_accounts_parse(struct str text, struct err *err);
/* The same from the regular file at FD, which stays the caller's. */
MUST_USE struct auth_accounts *auth_accounts_read(int fd, struct err *err);
/* Takes NULL. */
void auth_accounts_free(struct auth_accounts *accounts);

/* LOCAL in any case at DOMAIN (canonical), else in every domain when BARE. NULL: no such account. */
const struct auth_account *auth_accounts_find(const struct auth_accounts *accounts, struct str local,
                                              struct str domain, bool bare);

#endif
