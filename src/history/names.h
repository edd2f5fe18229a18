/* history/names.h -- the names of the files of a segment. */
#ifndef HISTORY_NAMES_H
#define HISTORY_NAMES_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTORY_NAME_DIGITS = 16, HISTORY_NAME_MAX = 32 };

struct history_name {
    char c[HISTORY_NAME_MAX];
};

/* "000000000000001f.events", or its ".index". */
struct history_name history_name_of(uint64_t number, bool index);

#endif
