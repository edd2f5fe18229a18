/* dns/events.h -- the event loop of io/ in the form in which libunbound wants one (unbound-event.h). */
#ifndef DNS_EVENTS_H
#define DNS_EVENTS_H

#include <unbound-event.h>

#include "io/loop.h"

/* Must stay as long as the ub_ctx that was made with &BASE; nothing of it runs but from LOOP. */
struct dns_events {
    struct ub_event_base base;
    struct io_loop *loop;
};

void dns_events_init(struct dns_events *e, struct io_loop *loop);

#endif
