/* cmd/bench/args.h -- the options of the bench commands: a table of names, and where each value goes. */
#ifndef CMD_BENCH_ARGS_H
#define CMD_BENCH_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum bench_arg_kind {
    BENCH_ARG_FLAG,    /* bool: --name and --no-name */
    BENCH_ARG_COUNT,   /* uint64_t */
    BENCH_ARG_SIZE,    /* uint64_t, with k, M or G behind the number */
    BENCH_ARG_SECONDS, /* uint64_t of milliseconds, from 1.5 or 90 or 90s */
    BENCH_ARG_TEXT,    /* const char *, borrowed from argv */
};

struct bench_arg {
    const char *name; /* without the hyphens */
    enum bench_arg_kind kind;
    void *value;
    const char *help; /* one line, for -h */
};

enum bench_args {
    BENCH_ARGS_OK,
    BENCH_ARGS_HELP, /* -h or --help was among them */
    BENCH_ARGS_BAD,
};

/* Reads argv[1] and on; "--name value" and "--name=value" are the same. */
enum bench_args bench_args_read(const struct bench_arg *table, size_t count, int argc, char **argv,
                                struct err *err);
/* Prints the table, a line for each option. */
void bench_args_help(const char *usage, const struct bench_arg *table, size_t count);

#endif
