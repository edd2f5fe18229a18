/* resolve/job.h -- one next hop under resolution, and all who asked for it. */
#ifndef RESOLVE_JOB_H
#define RESOLVE_JOB_H

#include "resolve/resolve.h"

struct job {
    struct list node;  /* in its bucket */
    struct list queue; /* in resolve->waiting, in resolve->doubtful, or nowhere */
    struct resolve *resolve;
    const struct config_route *route;
    struct str domain; /* empty when no target depends on it */
    uint64_t hash;
    struct arena *arena;
    struct arena *own; /* of a route that a message has of its own; NULL: it is the configuration's */
    struct list askers;
    struct list questions; /* every one that was asked */
    size_t pending;        /* of these, without an answer */
    struct route_mx_view view;
    struct route_targets targets; /* the route's, then its fallback's */
    unsigned outages_over; /* of resolve, when it asked its first question */
    bool active;
};

/* NULL without memory. It waits in no queue and is in no bucket. */
struct job *job_new(struct resolve *r, const struct config_route *route, struct str domain, uint64_t hash);
void job_free(struct job *j);
/* False: nothing can be answered without memory for it. */
bool job_add_asker(struct job *j, struct ipc_channel *from, uint64_t ticket);
void job_remove_asker(struct job *j, const struct ipc_channel *from);

/* Is any of what it stands on, its fallback included, a matter of the DNS? */
bool job_needs_dns(const struct config_route *route, struct str domain);
/* Ask the first questions. Ends by resolve_job_done(), perhaps within this call. */
void job_start(struct job *j);
/* Tell all who asked. False: a probe is to say first whether the DNS as a whole fails. */
MUST_USE bool job_answer(struct job *j);
/* Tell them that the DNS does not answer, unless one of the targets, or of the fallback, needs none. */
void job_answer_outage(struct job *j);
/* Tell them why there is no resolver, unless the same. */
void job_answer_trouble(struct job *j);

/* Called by a job that has all its answers. */
void resolve_job_done(struct job *j);
/* One answer of the DNS, for what it says of servers. */
void resolve_note(struct resolve *r, const struct dns_query *q);

#endif
