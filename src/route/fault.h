/* route/fault.h -- what is wrong in a users or aliases file, line by line. Pure. */
#ifndef ROUTE_FAULT_H
#define ROUTE_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

enum { ROUTE_FAULTS_MAX = 32, ROUTE_FAULT_TEXT_MAX = 160 };

struct route_fault {
    uint32_t line;
    char text[ROUTE_FAULT_TEXT_MAX]; /* one line for people, NUL-terminated, cut */
};

/* The first ROUTE_FAULTS_MAX of a file; TOTAL counts all. Init: { 0 }. */
struct route_faults {
    struct route_fault items[ROUTE_FAULTS_MAX];
    size_t n;
    size_t total;
};

/* "'ABOUT': WHAT", or WHAT alone without ABOUT; octets that are no text are shown as '?'. */
void route_fault_add(struct route_faults *faults, uint32_t line, struct str about, const char *what);

#endif
