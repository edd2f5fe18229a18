/* core/siphash.h -- SipHash-2-4 (Aumasson and Bernstein, 2012): strangers may choose what is hashed. Pure. */
#ifndef CORE_SIPHASH_H
#define CORE_SIPHASH_H

#include <stdint.h>

#include "core/str.h"

/* Who does not know KEY, two random numbers, can neither tell a hash from a random number nor make two texts share one. */
uint64_t siphash(struct str s, const uint64_t key[2]);

#endif
