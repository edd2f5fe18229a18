/* key/log.h -- what is said of certificates. */
#ifndef KEY_LOG_H
#define KEY_LOG_H

#include "key/key.h"

/* C was looked at: loaded, kept or missing, and why (ERR may be NULL). */
void key_log(const struct key_certificate *c, const struct err *err);
/* A warning when it is over, or soon. */
void key_log_age(const struct key_certificate *c, int64_t wall_msec);

#endif
