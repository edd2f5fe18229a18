/* mailbox/argv.h -- the text of a command, as an alias has it, cut into arguments (aliases(5); no shell). */
#ifndef MAILBOX_ARGV_H
#define MAILBOX_ARGV_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

enum { MAILBOX_ARGV_MAX = 256 };

/*
 * *argv: *n texts and a NULL, in A. Blanks part them; in double quotes they do not. A backslash before a quote or a
 * backslash makes it an ordinary character; any other stays. An argument may be empty: "".
 * What only a shell could carry out (pipes, redirections, variables, wildcards, single quotes) is an error outside of
 * double quotes, for as plain text it would silently mean something else. So is a program that is no absolute path.
 */
MUST_USE bool mailbox_argv_cut(struct str text, struct arena *a, const char *const **argv, size_t *n,
                               struct err *err);

#endif
