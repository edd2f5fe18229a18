/* route/check.h -- aliases, catch-alls and postmasters that lead nowhere, for `config check`. Pure. */
#ifndef ROUTE_CHECK_H
#define ROUTE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "config/place.h"
#include "core/str.h"
#include "route/find.h"

/* In an alias file at PATH and LINE, or (PATH is empty) at PLACE of the configuration. Dies with the call. */
struct route_finding {
    bool is_warning;
    struct str path;
    uint32_t line;
    struct config_place place;
    struct str text;
    struct str cure; /* may be empty */
};

/*
 * Follow every alias, catch-all and postmaster of all domains, and SAY what does not lead to mailboxes.
 * Tables and files of :include: that VIEW does not have are passed over: whoever made it knows why. False:
 * memory ran out, and not all was looked at.
 */
MUST_USE bool route_check(const struct route_view *view,
                          void (*say)(void *ctx, const struct route_finding *finding), void *ctx);

#endif
