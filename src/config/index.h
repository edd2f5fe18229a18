/* config/index.h -- names that may stand only once, finding a domain, and what must be had from elsewhere. Pure. */
#ifndef CONFIG_INDEX_H
#define CONFIG_INDEX_H

#include <stdbool.h>

#include "config/config.h"
#include "config/reading.h"
#include "config/tree.h"

/* Domains, names of listeners and endpoints that are said twice in TREE are complained of. */
bool config_check_unique(struct config_reading *r, const struct config_tree *tree);
/* Sets C->names. */
bool config_index_domains(struct config_reading *r, struct config *c);
/* Sets C->needs: of the top, of the listeners, of the domains, of the logs. */
bool config_list_needs(struct config_reading *r, struct config *c);

#endif
