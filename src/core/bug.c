/* core/bug.c -- the end of a process that broke a promise of its own. */
#include "core/bug.h"

#include <stdio.h>
#include <stdlib.h>

void bug_stop(const char *what, const char *file, int line)
{
    fprintf(stderr, "veredus: bug: %s at %s:%d\n", what, file, line);
    abort();
}
