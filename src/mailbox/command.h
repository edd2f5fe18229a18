/* mailbox/command.h -- one message to one command, which takes it or says why not (sysexits.h; FACE: pipe). */
#ifndef MAILBOX_COMMAND_H
#define MAILBOX_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "mailbox/content.h"
#include "mailbox/failure.h"

enum {
    COMMAND_LIMIT_MSEC = 600000, /* how long a command may take */
    COMMAND_GRACE_MSEC = 5000,
    COMMAND_OUTPUT_MAX = 4096,   /* the last octets of what it prints */
    COMMAND_WORDS_MAX = 160,
};

struct mailbox_command {
    const char *const *argv; /* ends in NULL; the program is an absolute path, no shell reads it */
    const char *const *env;  /* all of its environment, ends in NULL */
    const char *folder;      /* where it starts; / when that cannot be entered */
    struct mailbox_content content;
    int64_t limit_msec; /* then SIGTERM, and SIGKILL after GRACE_MSEC more */
    int64_t grace_msec;
    int stop; /* it is ended when this descriptor is readable; -1: none */
};

enum command_end {
    COMMAND_EXITED,      /* NUMBER: its exit status */
    COMMAND_KILLED,      /* by signal NUMBER, not ours */
    COMMAND_LATE,        /* ended by us, with all that it started in its process group */
    COMMAND_STOPPED,     /* the same, because of STOP: nothing is known of the message */
    COMMAND_NOT_STARTED, /* NUMBER: errno */
};

struct command_result {
    enum command_end end;
    int number;
    char words[COMMAND_WORDS_MAX]; /* last line that it printed, printable ASCII; may be empty */
};

/*
 * Run it as this process's user and wait for its end; for a thread that may wait. Standard input is a file that holds
 * the whole message (line ends LF) before the command begins, so that it never takes a part for all of it, whatever
 * ends us; it need not read it. What it prints, on either output, is read and dropped but for the last line.
 * It has a process group of its own, descriptors 0 to 2 only, default signals, umask 077, no core file, the usual 1024
 * descriptors, and as much processor time as it has time; SIGTERM when this thread dies.
 */
void mailbox_command_run(const struct mailbox_command *command, struct command_result *result);

/* True: it took the message. False with FAILURE; for STOPPED and NOT_STARTED always to be tried again. */
MUST_USE bool mailbox_command_verdict(const struct command_result *result, struct mailbox_failure *failure);

#endif
