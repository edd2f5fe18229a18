/* ipc/sandbox_calls.c -- the filter of system calls, by libseccomp. */
#include "ipc/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/message.h"

/* What becomes of a call that no rule names. */
#define OTHERS SCMP_ACT_ERRNO(EPERM)

/* A filter under construction; the first failure sticks. */
struct filter {
    scmp_filter_ctx ctx;
    int failure; /* negative errno of libseccomp */
};

/* Memory, time, threads that exist, and whatever is open already. */
static const int for_everybody[] = {
    /* memory and time */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    /* itself */
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups),
    SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(umask),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(futex), SCMP_SYS(set_robust_list),
    SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    /* descriptors */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(write),
    SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2), SCMP_SYS(lseek),
    SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(fstat),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range), SCMP_SYS(sendfile), SCMP_SYS(copy_file_range),
    SCMP_SYS(splice), SCMP_SYS(fstatfs), SCMP_SYS(memfd_create), SCMP_SYS(pipe2), SCMP_SYS(flock),
    /* waiting */
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(signalfd4),
    /* sockets that exist */
    SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(recvfrom), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
};

/* Which folders is landlock's matter. */
static const int for_files_read[] = {
    SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(open), SCMP_SYS(getdents64), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(access), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
    SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(readlinkat),
};

static const int for_files_write[] = {
    SCMP_SYS(mkdirat), SCMP_SYS(mkdir), SCMP_SYS(unlinkat), SCMP_SYS(unlink), SCMP_SYS(rmdir),
    SCMP_SYS(renameat2), SCMP_SYS(renameat), SCMP_SYS(rename), SCMP_SYS(linkat), SCMP_SYS(link),
    SCMP_SYS(fchmod), SCMP_SYS(utimensat),
};

static const int deadly[] = {
    /* another program, another process */
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(kill),
    SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    /* another user */
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
    SCMP_SYS(setresgid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(setgroups), SCMP_SYS(capset),
    SCMP_SYS(personality),
    /* another view of the system */
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(mount),
    SCMP_SYS(umount2), SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fspick),
    SCMP_SYS(open_by_handle_at),
    /* the kernel, and ways around this filter */
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(acct), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
};

static uint32_t kill_action(void)
{
    /* A sanitizer that reports an error looks for a symbolizer: refused, it reports without names and goes on. */
    return SANDBOX_SANITIZED ? OTHERS : SCMP_ACT_KILL_PROCESS;
}

/* libseccomp refuses rules that say what holds anyway. */
static void rule(struct filter *f, uint32_t action, int call)
{
    if (f->failure == 0 && action != OTHERS)
        f->failure = seccomp_rule_add(f->ctx, action, call, 0);
}

static void rule_if(struct filter *f, uint32_t action, int call, struct scmp_arg_cmp arg)
{
    if (f->failure == 0 && action != OTHERS)
        f->failure = seccomp_rule_add_array(f->ctx, action, call, 1, &arg);
}

static void rules(struct filter *f, uint32_t action, const int *calls, size_t n)
{
    for (size_t i = 0; i < n; i++)
        rule(f, action, calls[i]);
}

/* Calls of which only some arguments are harmless. */
static void add_narrow(struct filter *f)
{
    /* Memory that can be executed is what is there already. */
    rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    /* abort() */
    rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    /* fstat(), not the size and owner of any name. */
    rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    /* Reading limits, not setting them. */
    rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
}

static void add_threads(struct filter *f, bool allowed)
{
    /* Its flags lie in memory, where no filter sees them; the C library falls back to clone. */
    rule(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
    if (allowed) {
        rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
        rule_if(f, kill_action(), SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    } else {
        rule(f, kill_action(), SCMP_SYS(clone));
    }
}

static bool gives_fds(enum process_kind kind)
{
    for (unsigned to = 0; to < PROCESS_KINDS; to++)
        if (ipc_gives_fds(kind, (enum process_kind)to))
            return true;
    return false;
}

/*
 * Sending to whom one is connected with. A call with an address connects, too (MSG_FASTOPEN, even on a socket that listened
 * before), and what sendmsg(2) carries no filter sees: descriptors among it, which can hold up whoever gets them.
 */
static void add_sending(struct filter *f, const struct sandbox *box)
{
    if (box->network)
        rule(f, SCMP_ACT_ALLOW, SCMP_SYS(sendto));
    else
        rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(sendto), SCMP_A4(SCMP_CMP_EQ, 0));
    /* libunbound has it for TCP. */
    if (gives_fds(box->kind) || (box->network && box->kind == PROCESS_RESOLVE))
        rule(f, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg));
}

static void add_network(struct filter *f, const struct sandbox *box)
{
    bool allowed = box->network, connects = box->network || box->unix_sockets;

    rule(f, kill_action(), SCMP_SYS(listen));
    if (box->unix_sockets)
        rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    if (allowed) {
        rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET));
        rule_if(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6));
    }
    rule(f, connects ? SCMP_ACT_ALLOW : kill_action(), SCMP_SYS(connect));
    /* The resolver chooses its ports itself, so that nobody can guess them. */
    rule(f, allowed && box->kind == PROCESS_RESOLVE ? SCMP_ACT_ALLOW : kill_action(), SCMP_SYS(bind));
}

static void add_files(struct filter *f, const struct sandbox *box)
{
    unsigned access = 0;

    for (size_t i = 0; i < box->n_paths; i++)
        access |= box->paths[i].access;
    if (access)
        rules(f, SCMP_ACT_ALLOW, for_files_read, ARRAY_LEN(for_files_read));
    if (access & SANDBOX_WRITE)
        rules(f, SCMP_ACT_ALLOW, for_files_write, ARRAY_LEN(for_files_write));
}

bool sandbox_calls_limit(const struct sandbox *box, bool *enforced, struct err *err)
{
    struct filter f = { 0 };

    *enforced = prctl(PR_GET_SECCOMP) >= 0;
    if (!*enforced)
        return true;
    f.ctx = seccomp_init(OTHERS);
    if (!f.ctx)
        return err_temp(err, "system call filter: out of memory");
    f.failure = seccomp_attr_set(f.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (f.failure == 0)
        f.failure = seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    rules(&f, SCMP_ACT_ALLOW, for_everybody, ARRAY_LEN(for_everybody));
    rules(&f, kill_action(), deadly, ARRAY_LEN(deadly));
    add_narrow(&f);
    add_threads(&f, box->threads);
    add_sending(&f, box);
    add_network(&f, box);
    add_files(&f, box);
    if (box->kind == PROCESS_RECEIVE || box->kind == PROCESS_CONTROL || box->kind == PROCESS_SUBMIT)
        rule(&f, SCMP_ACT_ALLOW, SCMP_SYS(accept4));
    /* Two ends of its own: what was left in the drop folder is said to a session of the same process. */
    if (box->kind == PROCESS_SUBMIT)
        rule_if(&f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    /* It ends waits of the thread that closes what other users of this machine connected (io/local.h). */
    if (box->kind == PROCESS_SUBMIT || box->kind == PROCESS_CONTROL)
        rule(&f, SCMP_ACT_ALLOW, SCMP_SYS(setitimer));
    if (f.failure == 0)
        f.failure = seccomp_load(f.ctx);
    seccomp_release(f.ctx);
    return f.failure == 0 || err_sys(err, -f.failure, "system call filter of %s", process_name(box->kind));
}
