/* cmd/demo/server.c -- fork, exec, ready, stop, kill. */
#include "cmd/demo/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/row.h"
#include "io/fd.h"
#include "io/loop.h"

enum { START_PATIENCE_USEC = 30 * 1000000, STOP_PATIENCE_USEC = 30 * 1000000, RESTARTS_MAX = 3 };

/* ---- starting ---- */

/* In the child, between fork and exec. Ends the process. */
_Noreturn static void become(const char *const argv[], int output, pid_t parent)
{
    char *const *words = (char *const *)(uintptr_t)argv;
    char path[DEMO_PATH_MAX];
    sigset_t none;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (n > 0) {
        path[n] = '\0';
        execv(path, words);
    }
    /* Built anew under our feet: what runs is still there. */
    execv("/proc/self/exe", words);
    _exit(72);
}

pid_t demo_spawn(const char *const argv[], int output, struct err *err)
{
    pid_t parent = getpid();

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become(argv, output, parent);
    if (pid < 0)
        err_sys(err, errno, "fork");
    else
        setpgid(pid, pid); /* here too: who comes first does not matter */
    return pid;
}

static void describe(int status, struct err *err)
{
    if (WIFSIGNALED(status))
        err_temp(err, "the server was ended by signal %d", WTERMSIG(status));
    else
        err_temp(err, "the server ended with exit status %d", WEXITSTATUS(status));
}

bool demo_server_has_ended(struct demo_server *s, struct err *err)
{
    int status;

    if (waitpid(s->pid, &status, WNOHANG) != s->pid)
        return false;
    describe(status, err);
    demo_server_kill(s);
    return true;
}

/* What keeps it from being ready, as far as it said so; the first trouble explains most. */
static void note_trouble(const json_t *record, char trouble[DEMO_PATH_MAX])
{
    bool process = !strcmp(row_text_c(record, "event"), "process") && row_has(record, "pid");

    if (!trouble[0] && (process || !strcmp(row_text_c(record, "level"), "error")))
        snprintf(trouble, DEMO_PATH_MAX, "%s", row_text_c(record, process ? "cause" : "error"));
}

/* What a record says about the start. False: it will not come to anything. */
static bool start_record(struct demo_server *s, const json_t *record, char trouble[DEMO_PATH_MAX], bool *ready,
                         struct err *err)
{
    note_trouble(record, trouble);
    if (row_number(record, "restarts") >= RESTARTS_MAX)
        return err_temp(err, "the server does not get ready: %s", trouble);
    *ready = !strcmp(row_text_c(record, "event"), "ready");
    if (!*ready)
        return true;
    s->queued = row_number(record, "queued");
    if (json_array_size(json_object_get(record, "listeners")) == DEMO_LISTENERS)
        return true;
    /* It starts without a port that it cannot have (FACE 1.12); for us there is nothing to see then. */
    err_temp(err, "the server has not all of its ports: %s", trouble);
    err->sys = EADDRINUSE;
    return false;
}

static bool await_ready(struct demo_server *s, struct demo_records *r, struct err *err)
{
    int64_t began = io_clock_usec();
    char trouble[DEMO_PATH_MAX] = "";
    bool ready = false, ok = true;
    json_t *record;

    while (ok && !ready) {
        switch (demo_records_next(r, began + START_PATIENCE_USEC, &record)) {
        case DEMO_WAKE_RECORD:
            ok = start_record(s, record, trouble, &ready, err);
            json_decref(record);
            break;
        case DEMO_WAKE_CHILD:
            ok = !demo_server_has_ended(s, err);
            break;
        case DEMO_WAKE_STOP:
            return err_temp(err, "stopped");
        case DEMO_WAKE_TIME:
            return err_temp(err, "the server was not ready after %d s%s%s", START_PATIENCE_USEC / 1000000,
                            trouble[0] ? ": " : "", trouble);
        }
    }
    s->started_usec = io_clock_usec() - began;
    return ok;
}

bool demo_server_start(struct demo_server *s, const struct demo_place *place, struct demo_records *r,
                       struct err *err)
{
    char config[DEMO_PATH_MAX];
    const char *const argv[] = { "veredus", "run", "-c", config, NULL };

    demo_place_path(place, "veredus.conf", config);
    demo_records_skip(r);
    fd_close(&s->said);
    *s = (struct demo_server){ .said = memfd_create("said", MFD_CLOEXEC) };
    if (s->said < 0)
        return err_sys(err, errno, "memfd_create");
    s->pid = demo_spawn(argv, s->said, err);
    if (s->pid > 0 && await_ready(s, r, err))
        return true;
    demo_server_kill(s);
    return false;
}

/* ---- ending ---- */

void demo_server_kill(struct demo_server *s)
{
    if (s->pid <= 0)
        return;
    kill(-s->pid, SIGKILL);
    /* Workers whose main is gone have become children of ours (PR_SET_CHILD_SUBREAPER). */
    while (waitpid(-s->pid, NULL, 0) > 0 || errno == EINTR)
        continue;
    s->pid = 0;
}

void demo_server_stop(struct demo_server *s, struct demo_records *r)
{
    int64_t until = io_clock_usec() + STOP_PATIENCE_USEC;
    struct err err;

    if (s->pid <= 0)
        return;
    kill(s->pid, SIGTERM);
    for (;;) {
        enum demo_wake wake = demo_records_sleep(r, until);
        if (wake == DEMO_WAKE_CHILD && demo_server_has_ended(s, &err))
            return;
        if (wake == DEMO_WAKE_STOP || wake == DEMO_WAKE_TIME)
            break;
    }
    demo_server_kill(s);
}

void demo_server_print_said(struct demo_server *s)
{
    char octets[4096];
    ssize_t n;

    if (s->said < 0)
        return;
    for (off_t at = 0; (n = pread(s->said, octets, sizeof(octets), at)) > 0; at += n)
        fwrite(octets, 1, (size_t)n, stderr);
    fd_close(&s->said);
}
