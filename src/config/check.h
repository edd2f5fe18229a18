/* config/check.h -- does each statement exist, may it stand there, and does it say something? Pure. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/reading.h"
#include "config/tree.h"

/*
 * Looks at each statement of B and of the blocks in it: sets its directive and value, or complains and marks it wrong.
 * CONTEXTS: the bits of enum config_context that B is.
 */
void config_check_block(struct config_reading *r, struct config_block *b, unsigned contexts);

#endif
