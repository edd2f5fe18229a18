/* auth/files.h -- the users files that are asked for passwords, each in its last good version. */
#ifndef AUTH_FILES_H
#define AUTH_FILES_H

#include "auth/accounts.h"
#include "config/config.h"
#include "core/buf.h"
#include "core/list.h"

enum { AUTH_FAULTS_LOGGED = 10 };

/* AFTER takes the place of BEFORE as the file PATH. */
struct auth_files_change {
    struct str path;
    const struct auth_accounts *before;
    const struct auth_accounts *after;
    const struct str *domains; /* those in which a bare name of this file counts */
    size_t n_domains;
};

struct auth_files {
    struct list all;
    /* After each change, while BEFORE is still there; the owner's to set, may be NULL. */
    void (*changed)(struct auth_files *files, const struct auth_files_change *change);
};

/* The files that CONFIG names, none of them there yet. */
MUST_USE bool auth_files_init(struct auth_files *files, const struct config *config, struct err *err);
void auth_files_done(struct auth_files *files);

/*
 * The file PATH: open at FD (stays the caller's), or not to be had because of ERROR. It replaces the one before, unless
 * it cannot be read, or has faults that the one before has not: then that one stays (FACE 1.12). True: PATH is one of
 * these files.
 */
bool auth_files_give(struct auth_files *files, struct str path, int fd, struct str error);
/* NULL: nothing of it was ever good; what needs it has to wait. */
const struct auth_accounts *auth_files_get(const struct auth_files *files, struct str path);
/* A row for each, for `veredus status`. */
void auth_files_status(const struct auth_files *files, struct buf *rows);

#endif
