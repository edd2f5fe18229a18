/* resolve/resolve.h -- questions for plans, those about the same next hop as one (DESIGN 3, 6). */
#ifndef RESOLVE_RESOLVE_H
#define RESOLVE_RESOLVE_H

#include "core/buf.h"
#include "core/list.h"
#include "dns/resolver.h"
#include "ipc/channel.h"
#include "resolve/health.h"
#include "route/mx.h"

/*
 * At once, while the DNS answers and while it does not; names and addresses of ours; how long a question may take, and
 * when to ask again while nothing answers.
 */
enum { RESOLVE_ACTIVE_MAX = 500, RESOLVE_PROBES_MAX = 2, RESOLVE_OWN_MAX = 512, RESOLVE_BUCKETS = 1024 };
enum { RESOLVE_TIMEOUT_MSEC = 30 * 1000, RESOLVE_OUTAGE_KEEP_MSEC = 10 * 1000 };
/* For so long after an answer to a probe a failure is its own domain's. */
enum { RESOLVE_TRUST_MSEC = 1000 };

struct resolve {
    struct io_loop *loop;
    const struct config *config;
    uint32_t generation;
    struct dns_resolver *dns; /* NULL: TROUBLE says why, and only what needs no DNS has a plan */
    struct err trouble;       /* that, or the last outage */
    struct str *names; /* our host names */
    size_t n_names;
    struct ip own_found[RESOLVE_OWN_MAX];
    const struct ip *own;
    size_t n_own;
    uint64_t seed;                     /* of what is left to chance */
    uint64_t hash_seed;
    struct list jobs[RESOLVE_BUCKETS]; /* by next hop */
    struct list waiting;               /* for one of the active ones to end */
    struct list doubtful;              /* without an answer, until the probe says whose fault it is */
    struct io_task more;               /* one has ended */
    size_t n_active;
    size_t n_waiting;
    struct resolve_health health;
    unsigned outages_over;     /* how many */
    int64_t trusted_until_msec;
    struct dns_query probe;
    struct arena *probe_arena; /* while the probe is under way */
    struct buf octets;
};

/*
 * SETTINGS are those of the configuration, but in tests. Everything is read here; nothing is asked. What cannot be had
 * now (a trust anchor) is r->trouble, and in the log; NULL with ERR: settings that cannot be followed, no memory.
 */
struct resolve *resolve_new(struct io_loop *loop, const struct config *config, uint32_t generation,
                            const struct dns_settings *settings, struct err *err);
/* Questions without an answer get none. Takes NULL. */
void resolve_free(struct resolve *r);

/* Answers now or later, by PLAN_ANSWER to FROM. */
void resolve_ask(struct resolve *r, struct ipc_channel *from, const struct ipc_plan_ask *ask);
/* FROM is no more: its questions have no asker. */
void resolve_forget(struct resolve *r, const struct ipc_channel *from);

#endif
