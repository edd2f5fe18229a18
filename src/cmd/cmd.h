/* cmd/cmd.h -- what the subcommands of veredus share (FACE 2.2). */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

#include "core/bug.h"

enum cmd_exit {
    CMD_OK = 0,         /* done, or all well */
    CMD_FOUND = 1,      /* a check found something */
    CMD_USAGE = 64,     /* not said as it must be */
    CMD_INPUT = 65,     /* unreadable input */
    CMD_NO_SERVER = 69, /* no server is running */
    CMD_LATER = 75,     /* try later */
    CMD_DENIED = 77,    /* not allowed */
    CMD_CONFIG = 78,    /* the configuration */
};

enum { CMD_PATH_MAX = 4096 };

/* A subcommand as it was called, without its own words and without what every subcommand understands. */
struct cmd_call {
    const char *words;  /* "queue show" */
    const char *config; /* -c, NULL without */
    bool json;
    bool quiet;
    int argc; /* argv[0] is the program's name, the rest is the subcommand's own */
    char **argv;
};

struct cmd_command {
    const char *words;
    int (*run)(const struct cmd_call *call); /* NULL: known, and not built yet */
    const char *values;  /* its options that take a value, each between blanks: " -o --dir " */
    const char *usage;   /* what may follow the words */
    const char *summary; /* one line */
    const char *details; /* lines of its own options; may be empty */
    bool raw;            /* reads all that follows its words itself, -h included */
};

/* In the order of the manual, NULL words at the end. */
extern const struct cmd_command cmd_commands[];

/* Prints "veredus: WHAT" and, when CURE is not NULL, a line with it; returns EXIT, for: return cmd_fail(...). */
int cmd_fail(int exit_code, const char *cure, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The first argument that the subcommand does not know: says so. */
int cmd_usage(const struct cmd_call *call, const char *argument);
/* The help of one subcommand, or of all. */
void cmd_help_one(const struct cmd_command *command);
void cmd_help_all(void);
/* The subcommand whose words are the first of ARGV; *n of them. NULL: none. */
const struct cmd_command *cmd_find(int argc, char **argv, int *n);

/*
 * The configuration file, as an absolute path in PATH: -c, VEREDUS_CONFIG, /etc/veredus/veredus.conf if it is there, else
 * that of a demonstration, and then it is said (not with -q). False: there is none, and the reason was printed.
 */
MUST_USE bool cmd_config_path(const struct cmd_call *call, char path[CMD_PATH_MAX]);
/* Was PATH taken because nothing else is there? */
bool cmd_config_is_demo(const struct cmd_call *call, const char *path);

#endif
