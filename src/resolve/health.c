/* resolve/health.c -- well, suspect, failing, and back. */
#include "resolve/health.h"

static enum resolve_step get_well(struct resolve_health *h)
{
    enum resolve_step step = h->state == RESOLVE_FAILING ? RESOLVE_SAY_WELL : RESOLVE_NOTHING;

    h->state = RESOLVE_WELL;
    return step;
}

enum resolve_step resolve_health_note(struct resolve_health *h, bool answered)
{
    if (answered)
        return get_well(h);
    if (h->state != RESOLVE_WELL)
        return RESOLVE_NOTHING;
    h->state = RESOLVE_SUSPECT;
    return RESOLVE_PROBE;
}

enum resolve_step resolve_health_probed(struct resolve_health *h, bool answered)
{
    if (answered)
        return get_well(h);
    if (h->state != RESOLVE_SUSPECT)
        return RESOLVE_NOTHING;
    h->state = RESOLVE_FAILING;
    return RESOLVE_SAY_FAILING;
}
