/* main/run.h -- the process that starts, watches and ends all others (DESIGN 3, main). */
#ifndef MAIN_RUN_H
#define MAIN_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/str.h"

struct main_options {
    const char *config_path; /* absolute */
    const struct str *overrides; /* texts of -o */
    size_t n_overrides;
    bool hold; /* what is in the spool now is held until it is released */
};

/* Runs the server in the foreground until it is told to stop. Returns the exit code: 0, 69, 75 or 78. */
int main_run(const struct main_options *options);

#endif
