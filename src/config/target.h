/* config/target.h -- a target outside of a configuration: as text, and back from what an administrator gives. Pure. */
#ifndef CONFIG_TARGET_H
#define CONFIG_TARGET_H

#include "config/config.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"

enum { CONFIG_TARGETS_TEXT_MAX = 1000 };

/* As a configuration writes them, parted by blanks. False when OUT is full, or without memory. */
MUST_USE bool config_targets_write(struct buf *out, const struct config_target *targets, size_t n);
/*
 * The targets that TEXT says (a blank between two), in A: hosts on the network alone, by `mx`, `mx:`, `smtp://` and
 * `lmtp://`. Permanent error: it says none, in the words of a configuration's own complaints.
 */
MUST_USE bool config_targets_parse(struct str text, struct arena *a, const struct config_target **targets, size_t *n,
                                   struct err *err);

#endif
