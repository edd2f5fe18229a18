/* ipc/sandbox.h -- what a process may still do after its start: user, folders, system calls. */
#ifndef IPC_SANDBOX_H
#define IPC_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/err.h"
#include "ipc/process.h"

enum { SANDBOX_PATHS = 8, SANDBOX_LACKS_MAX = 160 };

enum sandbox_access {
    SANDBOX_READ = 1,       /* read files below */
    SANDBOX_WRITE = 2,      /* also write, create, link, rename, unlink, make folders */
};

struct sandbox_path {
    const char *path;
    unsigned access;
};

/* The identity was taken by main before exec (deliver) or is taken here by account name (NULL: stay). */
struct sandbox {
    enum process_kind kind; /* chooses the allowed system calls */
    struct sandbox_path paths[SANDBOX_PATHS];
    size_t n_paths;
    bool network; /* may make sockets of its own and connect */
    bool unix_sockets; /* also to unix sockets: no rule on folders keeps it from one whose permissions allow it */
    bool threads; /* may still create threads */
    /*
     * It runs commands, which would inherit all this (DESIGN 3): nothing is put in force but that commands of its own
     * user cannot look into it; the rest is not named in LACKS, for it is meant so.
     */
    bool commands;
};

/*
 * One way, for good: no new privileges, not dumpable, landlock to PATHS (none: no file can be opened by name), seccomp
 * by kind. What this kernel cannot enforce is named in LACKS, comma separated ("landlock"), and is no failure.
 * False: a rule could not be put in force though the kernel knows it; the process must not go on.
 */
MUST_USE bool sandbox_enter(const struct sandbox *box, char lacks[SANDBOX_LACKS_MAX], struct err *err);

#endif
