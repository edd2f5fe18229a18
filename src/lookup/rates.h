/* lookup/rates.h -- the memory of rates: main's, which outlives us and all lookup processes share, or our own. */
#ifndef LOOKUP_RATES_H
#define LOOKUP_RATES_H

#include "core/err.h"
#include "policy/rates.h"

/* Our own, for as long as main gives none; NULL with ERR. */
struct policy_rates *lookup_rates_new(struct err *err);
/* What is at FD (stays the caller's); NULL: it is no such memory, or it could become shorter while we read it. */
struct policy_rates *lookup_rates_map(int fd);
/* Takes NULL. */
void lookup_rates_free(struct policy_rates *r);

#endif
