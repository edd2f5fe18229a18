/* cmd/demo/sweep.h -- takes away what an earlier demonstration left. */
#ifndef CMD_DEMO_SWEEP_H
#define CMD_DEMO_SWEEP_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/err.h"

/*
 * Removes NAME inside FOLDER with all that is in it; nothing there is no failure. No symbolic link is followed: the
 * mail belongs to another account than the one that sweeps.
 */
MUST_USE bool demo_sweep(int folder, const char *name, struct err *err);

#endif
