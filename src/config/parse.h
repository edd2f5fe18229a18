/* config/parse.h -- from the written configuration to struct config (FACE 1), and back to text. Pure. */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

#include <stdbool.h>

#include "config/config.h"
#include "config/diagnostics.h"
#include "config/source.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"

/*
 * Read, check and resolve SOURCE. Everything lives in ARENA, *out and the texts of DIAG included.
 * True: *out is set, DIAG may hold warnings. False: DIAG says all that is wrong, in every file; *out is untouched.
 * Answers depend on READER and SOURCE only: over the same bundle every process gets the same struct,
 * with the same indexes of domains and limits.
 */
MUST_USE bool config_parse(const struct config_reader *reader, const struct config_source *source,
                           struct arena *arena, const struct config **out, struct config_diagnostics *diag);

/* config_parse() of a bundle, which must outlive the result when it was decoded. */
MUST_USE bool config_parse_bundle(struct config_bundle *bundle, struct arena *arena,
                                  const struct config **out, struct config_diagnostics *diag);

/* A domain name in any case, with U-labels or A-labels, as lower-case A-labels in ARENA (RFC 5891, RFC 1123 2.1). */
MUST_USE bool config_domain_normal(struct str written, struct arena *arena, struct str *out, struct err *err);

/*
 * Effective values in the language itself, each with its place or `default` as a comment.
 * NAME empty: all; else that directive alone, wherever it may stand. False: unknown name, or OUT is full.
 */
MUST_USE bool config_show(const struct config *c, struct str name, struct buf *out);
/* The row of FACE 1.9 and an example. False, with the nearest name in ERR, when there is no such directive. */
MUST_USE bool config_help(struct str name, struct buf *out, struct err *err);
/* All directives, one a line with its help, in the order of the table. */
MUST_USE bool config_help_list(struct buf *out);

#endif
