/* cmd/demo/demo.h -- veredus demo: a real server on loopback ports, watched while it works (FACE 4). */
#ifndef CMD_DEMO_DEMO_H
#define CMD_DEMO_DEMO_H

#include "cmd/cmd.h"

/*
 * demo: one message as proof, then a line for each that comes, until Ctrl-C. demo once: the proof alone. demo crash:
 * kill -9 under load, ten times, and a count. Returns the exit status: CMD_OK, or CMD_FOUND when something was not as
 * promised or the server could not be had.
 */
int demo_main(const struct cmd_call *call);

#endif
