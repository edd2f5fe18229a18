/* policy/open.h -- what is open now, by key: connections, guesses whose outcome is not known yet. Pure. */
#ifndef POLICY_OPEN_H
#define POLICY_OPEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/list.h"
#include "core/str.h"

/* Counts of at most so many keys at once; what is beyond is not counted, and so let pass. */
enum { POLICY_OPEN_MAX = 64 * 1024 };

struct policy_open;

struct policy_open_count {
    struct policy_open_count *next;
    struct list free;
    uint64_t key[2];
    uint64_t n;          /* never 0 in what is found */
    struct list waiting; /* the owner's, for one of these N to end */
};

/* SEEDS: two random numbers, so that nobody can choose keys that share a count. NULL without memory. */
struct policy_open *policy_open_new(struct arena *a, const uint64_t seeds[2]);
size_t policy_open_used(const struct policy_open *o);
/* NULL: nothing is open under KEY. */
struct policy_open_count *policy_open_find(struct policy_open *o, struct str key);
void policy_open_add(struct policy_open *o, struct str key);
/* One less; all that waited for that are moved behind the last of WOKEN. */
void policy_open_remove(struct policy_open *o, struct str key, struct list *woken);

#endif
