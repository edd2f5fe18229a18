/* pam/jobs.c */
#include "pam/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fd.h"

enum { ANSWER_FD = 3 };

/* ---- in the child ---- */

/* Modules expect a usual process; and what is open here is none of their business. */
static bool become_usual(int answer)
{
    const struct rlimit none = { 0, 0 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int signo = 1; signo < NSIG; signo++)
        signal(signo, SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    return null >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && dup2(null, STDIN_FILENO) >= 0 &&
           dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0 &&
           (answer == ANSWER_FD || dup2(answer, ANSWER_FD) >= 0) &&
           fcntl(ANSWER_FD, F_SETFD, FD_CLOEXEC) == 0 && syscall(SYS_close_range, ANSWER_FD + 1, ~0U, 0) == 0;
}

static _Noreturn void child(const struct pam_job *job, int answer, pid_t parent)
{
    struct pam_outcome outcome = { .status = IPC_TEMP, .text = "no process for it" };

    /* A group of its own: whatever modules start ends with it. */
    if (setpgid(0, 0) < 0 || !become_usual(answer) || getppid() != parent)
        _exit(1);
    pam_check(&job->request, job->jobs->confdir, &outcome);
    _exit(write(ANSWER_FD, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
}

/* ---- here ---- */

/* The child has said what it had to say, or never will. */
static void end_child(struct pam_job *job)
{
    kill(-job->pid, SIGKILL);
    kill(job->pid, SIGKILL);
    while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    io_watch_done(&job->watch);
    io_timer_done(&job->deadline);
    fd_close(&job->fd);
    job->pid = 0;
    list_remove(&job->node);
    job->jobs->n_running--;
}

static void fail(struct pam_job *job, const char *why)
{
    job->outcome.status = IPC_TEMP;
    snprintf(job->outcome.text, sizeof(job->outcome.text), "%s", why);
}

static void finish(struct pam_job *job)
{
    end_child(job);
    io_task_post(&job->jobs->next);
    job->jobs->done(job);
}

static void on_answer(struct io_watch *w, unsigned what)
{
    struct pam_job *job = CONTAINER_OF(w, struct pam_job, watch);
    struct pam_outcome outcome;
    ssize_t n = read(job->fd, &outcome, sizeof(outcome));

    (void)what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == sizeof(outcome) && outcome.status <= IPC_PERM && memchr(outcome.text, '\0', sizeof(outcome.text)))
        job->outcome = outcome;
    else
        fail(job, "a module of PAM ended its process");
    finish(job);
}

static void on_deadline(struct io_timer *timer)
{
    struct pam_job *job = CONTAINER_OF(timer, struct pam_job, deadline);

    fail(job, "PAM did not answer in time");
    finish(job);
}

static bool watch(struct pam_job *job, struct err *err)
{
    struct io_loop *loop = job->jobs->loop;

    if (!io_watch_init(&job->watch, loop, job->fd, on_answer, err))
        return false;
    if (io_timer_init(&job->deadline, loop, on_deadline, err))
        return true;
    io_watch_done(&job->watch);
    return false;
}

/* Its process, or false. */
static bool run(struct pam_job *job)
{
    pid_t parent = getpid();
    struct err err;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return false;
    job->fd = fds[0];
    if (!fd_set_nonblocking(job->fd, true, &err) || !watch(job, &err))
        goto fail;
    job->pid = fork();
    if (job->pid == 0)
        child(job, fds[1], parent);
    if (job->pid < 0) {
        io_watch_done(&job->watch);
        io_timer_done(&job->deadline);
        goto fail;
    }
    fd_close(&fds[1]);
    explicit_bzero(job->request.password, sizeof(job->request.password));
    io_watch_arm(&job->watch, IO_READ);
    io_timer_start(&job->deadline, job->jobs->deadline_msec);
    return true;
fail:
    fd_close(&fds[0]);
    fd_close(&fds[1]);
    job->pid = 0;
    job->fd = -1;
    return false;
}

/* There is room for another. */
static void on_room(struct io_task *task)
{
    struct pam_jobs *jobs = CONTAINER_OF(task, struct pam_jobs, next);

    while (jobs->n_running < PAM_CHILDREN_MAX && !list_empty(&jobs->waiting)) {
        struct pam_job *job = CONTAINER_OF(list_take(&jobs->waiting), struct pam_job, node);
        jobs->n_waiting--;
        if (run(job)) {
            list_append(&jobs->running, &job->node);
            jobs->n_running++;
        } else {
            explicit_bzero(job->request.password, sizeof(job->request.password));
            fail(job, "no process for it");
            jobs->done(job);
        }
    }
}

void pam_jobs_init(struct pam_jobs *jobs, struct io_loop *loop, void (*done)(struct pam_job *job))
{
    *jobs = (struct pam_jobs){ .loop = loop, .deadline_msec = PAM_DEADLINE_MSEC, .done = done };
    list_init(&jobs->running);
    list_init(&jobs->waiting);
    io_task_init(&jobs->next, loop, on_room);
}

void pam_jobs_end(struct pam_jobs *jobs)
{
    while (!list_empty(&jobs->running))
        end_child(CONTAINER_OF(jobs->running.next, struct pam_job, node));
    io_task_done(&jobs->next);
}

bool pam_job_start(struct pam_jobs *jobs, struct pam_job *job)
{
    if (jobs->n_waiting == PAM_WAITING_MAX)
        return false;
    job->jobs = jobs;
    job->pid = 0;
    job->fd = -1;
    list_append(&jobs->waiting, &job->node);
    jobs->n_waiting++;
    io_task_post(&jobs->next);
    return true;
}

void pam_job_cancel(struct pam_job *job)
{
    if (job->pid) {
        end_child(job);
        io_task_post(&job->jobs->next);
    } else {
        list_remove(&job->node);
        job->jobs->n_waiting--;
    }
    explicit_bzero(&job->request, sizeof(job->request));
}
