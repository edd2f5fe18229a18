/* config/routes.h -- is each route the first for some mail? Pure. */
#ifndef CONFIG_ROUTES_H
#define CONFIG_ROUTES_H

#include <stdbool.h>

#include "config/config.h"
#include "config/reading.h"

/* Complains of patterns that two routes have with the same conditions, and of those whose mail others take. */
MUST_USE bool config_check_routes(struct config_reading *r, const struct config *c);

#endif
