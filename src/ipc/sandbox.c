/* ipc/sandbox.c -- entering the sandbox: privileges, folders (landlock), system calls. */
#include "ipc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/fd.h"
#include "ipc/sandbox_calls.h"

/*
 * landlock(7) by its system calls. Numbers are the same on every architecture; rights come with later versions (ABI),
 * which the C library's headers of Debian 12 do not all know.
 */
enum { CALL_CREATE_RULESET = 444, CALL_ADD_RULE = 445, CALL_RESTRICT_SELF = 446 };
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NETWORK = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_DIR (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_REG (1ULL << 8)
#define FS_ALL_OF_ABI_1 ((1ULL << 13) - 1)
#define FS_REFER (1ULL << 13) /* link and rename between folders */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct rule_beneath {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

static struct ruleset ruleset_of(const struct sandbox *box, long abi)
{
    struct ruleset r = { .fs = FS_ALL_OF_ABI_1 };

    if (abi >= ABI_REFER)
        r.fs |= FS_REFER;
    if (abi >= ABI_TRUNCATE)
        r.fs |= FS_TRUNCATE;
    if (abi >= ABI_IOCTL)
        r.fs |= FS_IOCTL_DEV;
    if (abi >= ABI_NETWORK && !box->network)
        r.net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= ABI_SCOPE)
        r.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    return r;
}

static uint64_t rights_of(unsigned access, bool folder)
{
    uint64_t rights = FS_READ_FILE;

    if (folder)
        rights |= FS_READ_DIR;
    if (access & SANDBOX_WRITE)
        rights |= FS_WRITE_FILE | FS_TRUNCATE;
    if (folder && access & SANDBOX_WRITE)
        rights |= FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER;
    return rights;
}

static bool add_path(int ruleset, uint64_t handled, const struct sandbox_path *path, struct err *err)
{
    struct stat st;
    int fd = open(path->path, O_PATH | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        int sys = errno;
        fd_close(&fd);
        return err_sys(err, sys, "sandbox: %s", path->path);
    }
    struct rule_beneath rule = { .allowed = rights_of(path->access, S_ISDIR(st.st_mode)) & handled, .folder = fd };
    long r = syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
    int sys = errno;
    fd_close(&fd);
    return r == 0 || err_sys(err, sys, "sandbox: folder rule for %s", path->path);
}

static bool wants_write(const struct sandbox *box)
{
    for (size_t i = 0; i < box->n_paths; i++)
        if (box->paths[i].access & SANDBOX_WRITE)
            return true;
    return false;
}

static bool limit_folders(const struct sandbox *box, bool *enforced, struct err *err)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    bool ok = true;

    /* The first version refuses every rename between folders: what writes mail or spool could not work. */
    *enforced = abi >= (wants_write(box) ? ABI_REFER : 1);
    if (!*enforced)
        return true;

    struct ruleset r = ruleset_of(box, abi);
    int ruleset = (int)syscall(CALL_CREATE_RULESET, &r, sizeof(r), 0);
    if (ruleset < 0)
        return err_sys(err, errno, "sandbox: folder rules");
    for (size_t i = 0; ok && i < box->n_paths; i++)
        ok = add_path(ruleset, r.fs, &box->paths[i], err);
    if (ok && syscall(CALL_RESTRICT_SELF, ruleset, 0) < 0)
        ok = err_sys(err, errno, "sandbox: folder rules");
    fd_close(&ruleset);
    return ok;
}

static bool limit_privileges(const struct sandbox *box, struct err *err)
{
    const struct rlimit none = { 0, 0 };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "sandbox: no new privileges");
    /* No core with content or keys in it, no debugger of the same user, nothing to see in /proc. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return err_sys(err, errno, "sandbox: not dumpable");
    if (!box->threads && setrlimit(RLIMIT_NPROC, &none) < 0)
        return err_sys(err, errno, "sandbox: no processes");
    return true;
}

#if SANDBOX_SANITIZED
/* The leak check at exit traces its own process from a helper process: not here. Tests without a sandbox have it. */
static bool leak_check_is_off;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return leak_check_is_off;
}

/* A worker ends with its threads idle, not joined: the process goes, and they with it. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "report_thread_leaks=0";
}
#endif

static void add_lack(char lacks[SANDBOX_LACKS_MAX], const char *what)
{
    size_t n = strlen(lacks);

    snprintf(lacks + n, SANDBOX_LACKS_MAX - n, "%s%s", n ? "," : "", what);
}

bool sandbox_enter(const struct sandbox *box, char lacks[SANDBOX_LACKS_MAX], struct err *err)
{
    bool folders, calls;

    BUG_ON(box->n_paths > SANDBOX_PATHS);
    lacks[0] = '\0';
    /* Not dumpable ends with exec. */
    if (box->commands)
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 || err_sys(err, errno, "sandbox: not dumpable");
    if (!limit_privileges(box, err) || !limit_folders(box, &folders, err) ||
        !sandbox_calls_limit(box, &calls, err))
        return false;
    if (!folders)
        add_lack(lacks, "landlock");
    if (!calls)
        add_lack(lacks, "seccomp");
#if SANDBOX_SANITIZED
    leak_check_is_off = true;
#endif
    return true;
}
