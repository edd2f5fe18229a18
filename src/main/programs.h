/* main/programs.h -- the programs of workers, opened once. */
#ifndef MAIN_PROGRAMS_H
#define MAIN_PROGRAMS_H

#include "core/err.h"
#include "ipc/process.h"

enum { PROGRAM_PATH_MAX = 1024 };

/*
 * Those that stood beside ours when the server started. An upgrade puts others in their place while the server runs on: a
 * worker of another build would not understand us, so what is started until the restart are these.
 */
struct main_programs {
    struct main_program {
        int fd; /* 0: not open */
        char path[PROGRAM_PATH_MAX];
    } of[PROCESS_KINDS];
};

/* All, or none with ERR. */
MUST_USE bool programs_open(struct main_programs *p, struct err *err);
void programs_close(struct main_programs *p);

#endif
