/* route/retry.h -- when to try again, and when to give up (RFC 5321 4.5.4.1; FACE: retry, expire). Pure. */
#ifndef ROUTE_RETRY_H
#define ROUTE_RETRY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The wait behind attempt number ATTEMPTS (from 1): waits[attempts - 1], the last repeats; varied by up to 10 % to
 * either side by SEED (any number that differs from message to message). At least 1.
 */
int64_t route_retry_wait(const uint64_t *waits, size_t n, uint32_t attempts, uint64_t seed);

#endif
