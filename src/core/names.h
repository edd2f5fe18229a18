/* core/names.h -- texts that many things share, kept once and counted: a name is a number. Pure. */
#ifndef CORE_NAMES_H
#define CORE_NAMES_H

#include "core/map.h"

/* Init: { .map.seed = a random number }. End with names_done(). Numbers begin at 1; 0 is no name. */
struct names {
    struct map map;
    struct name **items; /* by number - 1 */
    size_t room;
    uint32_t used;  /* highest number ever given */
    uint32_t empty; /* numbers free again, linked */
    size_t octets;  /* of all texts and their records */
};

void names_done(struct names *names);
/* One more that has TEXT; its number, 0 without memory. */
uint32_t names_have(struct names *names, struct str text);
/* One more of a name that somebody has. Takes 0. */
void names_share(struct names *names, uint32_t number);
/* One less; the last one ends it. Takes 0. */
void names_drop(struct names *names, uint32_t number);
/* Lives as long as the name. Empty for 0. */
struct str names_text(const struct names *names, uint32_t number);
/* How many have it; 0 for 0. */
uint32_t names_count(const struct names *names, uint32_t number);
/* Its number, 0: nobody has it. */
uint32_t names_find(const struct names *names, struct str text);

#endif
