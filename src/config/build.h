/* config/build.h -- from the checked tree to struct config. Pure. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include <stdbool.h>

#include "config/config.h"
#include "config/reading.h"
#include "config/tree.h"

/*
 * Resolves what holds where (listen before top before default) and what statements say of each other: domains, names
 * and endpoints said twice. NULL after a complaint, or without memory; TREE has none that is wrong.
 */
const struct config *config_build(struct config_reading *r, const struct config_tree *tree);

#endif
