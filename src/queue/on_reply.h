/* queue/on_reply.h -- which `on-reply` a reply of a host meets (FACE 1.9). Pure. */
#ifndef QUEUE_ON_REPLY_H
#define QUEUE_ON_REPLY_H

#include "config/config.h"

/*
 * The first of RULES that fits CODE, STATUS ("4.7.28", may be empty) and TEXT of a reply; NULL: none does.
 * Where a host gives no status, rules that look for one fit only by their class: 5.*.* is any 5yz.
 */
const struct config_on_reply *on_reply_find(const struct config_on_replies *rules, unsigned code,
                                            struct str status, struct str text);
/* What RULE does, as the configuration says it: "defer". */
const char *on_reply_action(const struct config_on_reply *rule);

#endif
