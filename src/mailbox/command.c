/* mailbox/command.c -- fork, exec, wait; exit statuses in the words of mail. */
#include "mailbox/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/loop.h"
#include "mailbox/disk.h"

enum { DESCRIPTORS = 1024, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* One under way. */
struct run {
    const struct mailbox_command *command;
    struct command_result *result;
    pid_t pid;
    int input;  /* the message */
    int output; /* our end of what it prints */
    int process; /* a pidfd: readable when it has ended */
    int64_t until_usec;
    bool ended; /* by us */
    char printed[COMMAND_OUTPUT_MAX];
    size_t n_printed;
};

/* ---- the message ---- */

/* The whole of it, as a file in memory, at its start; -1 with errno. */
static int make_input(const struct mailbox_content *content)
{
    const struct mailbox_disk *disk = &mailbox_disk_kernel;
    struct mailbox_reader reader;
    char block[MAILBOX_BLOCK];
    ssize_t n = -1;
    int fd = memfd_create("message", MFD_CLOEXEC);

    mailbox_reader_init(&reader, disk, content);
    while (fd >= 0 && (n = mailbox_reader_next(&reader, block, sizeof(block))) > 0)
        if (!mailbox_write_all(disk, fd, str_of(block, (size_t)n)))
            break;
    if (n == 0 && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    int sys = errno;
    fd_close(&fd);
    errno = sys;
    return -1;
}

/* ---- in the child, between fork and exec: only what is safe there ---- */

static void limit_child(int64_t msec)
{
    const struct rlimit none = { 0, 0 };
    rlim_t seconds = (rlim_t)(msec / 1000 + 1);
    struct rlimit processor = { seconds, seconds };
    struct rlimit files;

    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_CPU, &processor);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > DESCRIPTORS) {
        files.rlim_cur = DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void default_signals(void)
{
    static const int ignored_by_workers[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
    sigset_t none;

    for (size_t i = 0; i < ARRAY_LEN(ignored_by_workers); i++)
        signal(ignored_by_workers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* REPORT: where the errno of a failure is written; closed by exec. */
_Noreturn static void become_command(const struct mailbox_command *c, pid_t parent, int input, int output, int report)
{
    int sys;

    setpgid(0, 0);
    default_signals();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EX_TEMPFAIL);
    /* First out of the way of 0 to 2, then there; dup2 clears close-on-exec. */
    input = fcntl(input, F_DUPFD_CLOEXEC, 10);
    output = fcntl(output, F_DUPFD_CLOEXEC, 10);
    report = fcntl(report, F_DUPFD_CLOEXEC, 10);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        goto fail;
    /* All have it from birth; a library's may not. */
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    limit_child(c->limit_msec);
    umask(077);
    if (chdir(c->folder) < 0 && chdir("/") < 0)
        goto fail;
    execve(c->argv[0], (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)c->env);
fail:
    sys = errno;
    while (write(report, &sys, sizeof(sys)) < 0 && errno == EINTR)
        continue;
    _exit(EXIT_NOT_FOUND);
}

/* ---- starting ---- */

/* 0, or the errno of what kept the child from becoming the command. */
static int hear_report(int fd)
{
    int sys = 0;
    ssize_t n;

    do
        n = read(fd, &sys, sizeof(sys));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(sys) ? sys : 0;
}

static void reap(struct run *r, int *status)
{
    while (waitpid(r->pid, status, 0) < 0 && errno == EINTR)
        continue;
}

/* False with errno; nothing runs then. */
static bool start(struct run *r)
{
    int output[2] = { -1, -1 }, report[2] = { -1, -1 };
    int sys = 0, status;
    pid_t parent = getpid();

    r->input = make_input(&r->command->content);
    if (r->input < 0 || pipe2(output, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0) {
        sys = errno;
        goto out;
    }
    r->output = output[0];
    fcntl(r->output, F_SETFL, O_NONBLOCK);
    r->pid = fork();
    if (r->pid == 0)
        become_command(r->command, parent, r->input, output[1], report[1]);
    if (r->pid < 0) {
        sys = errno;
        goto out;
    }
    fd_close(&report[1]);
    sys = hear_report(report[0]);
    if (!sys) {
        r->process = (int)syscall(SYS_pidfd_open, r->pid, 0);
        sys = r->process < 0 ? errno : 0;
    }
    if (sys) {
        kill(-r->pid, SIGKILL);
        reap(r, &status);
    }
out:
    fd_close(&output[1]);
    fd_close(&report[0]);
    fd_close(&report[1]);
    errno = sys;
    return !sys;
}

/* ---- what it prints ---- */

/* What is there now, but never for ever. The last octets are kept. */
static void drain(struct run *r)
{
    enum { HALF = COMMAND_OUTPUT_MAX / 2, READS = 16 };

    for (int i = 0; i < READS && r->output >= 0; i++) {
        if (r->n_printed == sizeof(r->printed)) {
            memmove(r->printed, r->printed + HALF, sizeof(r->printed) - HALF);
            r->n_printed -= HALF;
        }
        ssize_t n = read(r->output, r->printed + r->n_printed, sizeof(r->printed) - r->n_printed);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        if (n == 0)
            fd_close(&r->output);
        r->n_printed += (size_t)n;
    }
}

static void keep_words(struct run *r)
{
    struct str text = str_trim(str_of(r->printed, r->n_printed));
    struct str line = str_trim(str_skip(text, str_rfind(text, '\n') < text.n ? str_rfind(text, '\n') : 0));
    char *words = r->result->words;

    line = str_head(line, COMMAND_WORDS_MAX - 1);
    for (size_t i = 0; i < line.n; i++)
        words[i] = line.p[i] < ' ' || line.p[i] > '~' ? '?' : line.p[i];
    words[line.n] = '\0';
}

/* ---- waiting ---- */

/* It ended by itself. */
static void take_status(struct run *r, int status)
{
    bool exited = WIFEXITED(status);

    r->result->end = exited ? COMMAND_EXITED : COMMAND_KILLED;
    r->result->number = exited ? WEXITSTATUS(status) : WTERMSIG(status);
}

static int wait_msec(int64_t until_usec)
{
    int64_t msec = (until_usec - io_clock_usec()) / 1000 + 1;

    return msec < 0 ? 0 : msec > INT32_MAX ? INT32_MAX : (int)msec;
}

/* Its time is over, or ours: once kindly, then for good. */
static void end_it(struct run *r, enum command_end why)
{
    kill(-r->pid, r->ended ? SIGKILL : SIGTERM);
    if (!r->ended)
        r->result->end = why;
    r->ended = true;
    r->until_usec = io_clock_usec() + r->command->grace_msec * 1000;
}

/* One wait; true when it has ended. */
static bool wait_once(struct run *r)
{
    struct pollfd fds[] = {
        { .fd = r->process, .events = POLLIN },
        { .fd = r->output, .events = POLLIN },
        { .fd = r->ended ? -1 : r->command->stop, .events = POLLIN },
    };
    int n = poll(fds, ARRAY_LEN(fds), wait_msec(r->until_usec));

    if (n < 0)
        return false;
    if (fds[1].revents)
        drain(r);
    if (fds[0].revents)
        return true;
    if (fds[2].revents)
        end_it(r, COMMAND_STOPPED);
    else if (io_clock_usec() >= r->until_usec)
        end_it(r, COMMAND_LATE);
    return false;
}

static void wait_for_end(struct run *r)
{
    int status = 0;

    r->until_usec = io_clock_usec() + r->command->limit_msec * 1000;
    while (!wait_once(r))
        continue;
    /* Until it is waited for its number is its own, and that of its group. */
    if (r->ended)
        kill(-r->pid, SIGKILL);
    reap(r, &status);
    drain(r);
    if (!r->ended)
        take_status(r, status);
}

void mailbox_command_run(const struct mailbox_command *command, struct command_result *result)
{
    struct run r = { .command = command, .result = result, .input = -1, .output = -1, .process = -1 };

    *result = (struct command_result){ .end = COMMAND_NOT_STARTED };
    if (start(&r)) {
        wait_for_end(&r);
        keep_words(&r);
    } else {
        result->number = errno;
    }
    fd_close(&r.input);
    fd_close(&r.output);
    fd_close(&r.process);
}

/* ---- verdict ---- */

/*
 * sysexits.h in the codes of RFC 3463. What is not listed says nothing of the message: a script that broke (1), a
 * program that an interpreter did not find (127), or died in (128 and above). It is tried again.
 */
static const struct {
    int status;
    const char *code;
} known[] = {
    { EX_USAGE, "5.3.5" },       { EX_DATAERR, "5.6.0" },  { EX_NOINPUT, "5.3.0" },     { EX_NOUSER, "5.1.1" },
    { EX_NOHOST, "5.1.2" },      { EX_UNAVAILABLE, "5.3.0" }, { EX_SOFTWARE, "5.3.0" }, { EX_OSERR, "4.3.0" },
    { EX_OSFILE, "5.3.0" },      { EX_CANTCREAT, "5.2.0" }, { EX_IOERR, "4.3.0" },      { EX_TEMPFAIL, "4.3.0" },
    { EX_PROTOCOL, "5.5.0" },    { EX_NOPERM, "5.7.1" },   { EX_CONFIG, "5.3.5" },
    { EXIT_NOT_EXECUTABLE, "4.3.5" }, { EXIT_NOT_FOUND, "4.3.5" },
};

static const char *code_of(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].status == status)
            return known[i].code;
    return "4.3.0";
}

bool mailbox_command_verdict(const struct command_result *result, struct mailbox_failure *failure)
{
    const char *words = result->words;
    const char *colon = words[0] ? ": " : "";

    switch (result->end) {
    case COMMAND_EXITED:
        return result->number == EX_OK || mailbox_fail(failure, code_of(result->number),
                                                       "the command ended with %d%s%s", result->number, colon, words);
    case COMMAND_KILLED:
        return mailbox_fail(failure, "4.3.0", "the command was ended by signal %d%s%s", result->number, colon, words);
    case COMMAND_LATE:
        return mailbox_fail(failure, "4.3.0", "the command took too long and was ended%s%s", colon, words);
    case COMMAND_STOPPED:
        return mailbox_fail(failure, "4.3.2", "the command was ended: this server stops");
    case COMMAND_NOT_STARTED:
        break;
    }
    /* No words of ours about mailboxes: an errno of exec is about a program. Whatever it was, it can be mended. */
    char number[64];
    return mailbox_fail(failure, "4.3.5", "the command cannot be started: %s",
                        strerror_r(result->number, number, sizeof(number)));
}
