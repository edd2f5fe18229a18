/* cmd/demo/subject.h -- what a message is about: no record of the log says it, so the server is asked. */
#ifndef CMD_DEMO_SUBJECT_H
#define CMD_DEMO_SUBJECT_H

#include <stdbool.h>

#include "cmd/demo/place.h"
#include "core/buf.h"
#include "core/bug.h"

/* Adds the Subject of message ID, which must still be in the queue; false when it is not, or has none. */
MUST_USE bool demo_subject_ask(const struct demo_place *place, const char *id, struct buf *subject);

#endif
