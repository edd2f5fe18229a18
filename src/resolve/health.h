/* resolve/health.h -- does the DNS as a whole answer? A question that fails raises suspicion, a probe decides. */
#ifndef RESOLVE_HEALTH_H
#define RESOLVE_HEALTH_H

#include <stdbool.h>

enum resolve_state {
    RESOLVE_WELL,
    RESOLVE_SUSPECT, /* a question failed, and a probe is asked: it may just be of a broken domain */
    RESOLVE_FAILING,
};

/* Init: { 0 }. */
struct resolve_health {
    enum resolve_state state;
};

/* What is to be done after an answer was noted. */
enum resolve_step { RESOLVE_NOTHING, RESOLVE_PROBE, RESOLVE_SAY_FAILING, RESOLVE_SAY_WELL };

/* A question got an answer from a server, or did not. */
enum resolve_step resolve_health_note(struct resolve_health *h, bool answered);
/* The same of the probe that RESOLVE_PROBE asked for. */
enum resolve_step resolve_health_probed(struct resolve_health *h, bool answered);

#endif
