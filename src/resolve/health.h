/* resolve/health.h -- does the DNS as a whole answer? Distinct questions that fail, and nothing that does not. */
#ifndef RESOLVE_HEALTH_H
#define RESOLVE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESOLVE_FAILURES = 5 };

enum resolve_state {
    RESOLVE_WELL,
    RESOLVE_SUSPECT, /* so many names failed that a probe is asked: they may just all be of broken domains */
    RESOLVE_FAILING,
};

/* Init: { 0 }. */
struct resolve_health {
    enum resolve_state state;
    uint64_t failed[RESOLVE_FAILURES]; /* hashes of names */
    size_t n;
};

/* What is to be done after an answer was noted. */
enum resolve_step { RESOLVE_NOTHING, RESOLVE_PROBE, RESOLVE_SAY_FAILING, RESOLVE_SAY_WELL };

/* A question about the name of that hash got an answer from a server, or did not. */
enum resolve_step resolve_health_note(struct resolve_health *h, uint64_t name, bool answered);
/* The same of the probe that RESOLVE_PROBE asked for. */
enum resolve_step resolve_health_probed(struct resolve_health *h, bool answered);

#endif
