/* config/number.h -- sizes, times and rates as they are written. Pure. */
#ifndef CONFIG_NUMBER_H
#define CONFIG_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

/* "1000", "50M": k M G are 1024-fold. False when it is none, or does not fit. */
MUST_USE bool config_number_size(struct str s, uint64_t *out);
/* "90s", "1h30m": ms s m h d w, the larger first, each once; milliseconds. */
MUST_USE bool config_number_time(struct str s, uint64_t *msec);
/* "100/h", "3/10s", "50M/d": so many in so many milliseconds. */
MUST_USE bool config_number_rate(struct str s, uint64_t *count, uint64_t *msec);
/* "5%", at most 100. */
MUST_USE bool config_number_percent(struct str s, uint64_t *out);

#endif
