/* pam/jobs.h -- checks under way: a child for each, bounded in number and in time. */
#ifndef PAM_JOBS_H
#define PAM_JOBS_H

#include <sys/types.h>

#include "core/list.h"
#include "io/loop.h"
#include "pam/check.h"

/* CHILDREN at once; WAITING for one of them; a child that takes longer than the deadline is killed. */
enum { PAM_CHILDREN_MAX = 16, PAM_WAITING_MAX = 256, PAM_DEADLINE_MSEC = 20000 };

/* Embedded in its owner, who fills REQUEST. */
struct pam_job {
    struct list node;
    struct pam_jobs *jobs;
    struct pam_request request; /* wiped when the child has it, or the job ends */
    struct pam_outcome outcome;
    pid_t pid; /* 0: it waits */
    int fd;    /* the child's answer */
    struct io_watch watch;
    struct io_timer deadline;
};

struct pam_jobs {
    struct io_loop *loop;
    const char *confdir; /* pam_check() */
    int64_t deadline_msec;
    struct list running;
    struct list waiting;
    struct io_task next; /* starts those that wait */
    size_t n_running;
    size_t n_waiting;
    /* With job->outcome; the job is the owner's again. */
    void (*done)(struct pam_job *job);
};

void pam_jobs_init(struct pam_jobs *jobs, struct io_loop *loop, void (*done)(struct pam_job *job));
/* Ends the children; what waits is the owner's. */
void pam_jobs_end(struct pam_jobs *jobs);
/* False: too many, the job is still the owner's. done() is not called from here. */
MUST_USE bool pam_job_start(struct pam_jobs *jobs, struct pam_job *job);
/* A started job that nobody wants any more: done() is not called. */
void pam_job_cancel(struct pam_job *job);

#endif
