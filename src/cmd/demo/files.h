/* cmd/demo/files.h -- what stands in the folder of a demonstration before its server starts. */
#ifndef CMD_DEMO_FILES_H
#define CMD_DEMO_FILES_H

#include "cmd/demo/place.h"

/* How a configuration of ours begins: what tells our folders from others. */
#define DEMO_FILES_MARK "# Written by veredus demo"

/* All of it. What a newcomer may have changed stays, but the configuration, which is written anew each time. */
MUST_USE bool demo_files_write(struct demo_place *place, struct err *err);
/* The ports are others now. */
MUST_USE bool demo_files_write_config(struct demo_place *place, struct err *err);

#endif
