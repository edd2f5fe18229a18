/* cmd/attempts.h -- the attempts at a message, from the history of events (FACE 2.3). */
#ifndef CMD_ATTEMPTS_H
#define CMD_ATTEMPTS_H

#include <jansson.h>

#include "cmd/server.h"
#include "cmd/text.h"

/* Records of outcomes of the message ID, oldest first; empty where the history has none, or is not for who asks. */
json_t *attempts_of(struct server *s, const char *id);
/*
 * A line each, LABEL columns from the left; recipients of one attempt that heard the same share one. Without ALL the first
 * three and the last three.
 */
void attempts_print(const json_t *attempts, const struct text_screen *screen, size_t label, bool all);

#endif
