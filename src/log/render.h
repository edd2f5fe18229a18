/* log/render.h -- a record as a line: key=value, JSON, or the journal's fields (FACE 3.1). Pure. */
#ifndef LOG_RENDER_H
#define LOG_RENDER_H

#include <stdbool.h>

#include "core/buf.h"
#include "log/record.h"

enum log_form { LOG_KV, LOG_JSON };

/* No line is longer: an octet of a record becomes six at most. */
enum { LOG_LINE_MAX = 64 * 1024 };

/*
 * Append RECORD as one line without its end. PLAIN: without time and level, beginning with the event: for journal and
 * syslog, which have those two themselves, and for answers to subcommands. A time of 0 is left out.
 * False, and OUT as it was: not a record, or OUT is full.
 */
MUST_USE bool log_render(struct str record, enum log_form form, bool plain, struct buf *out);

/*
 * Append RECORD as an entry of the journal's native protocol: MESSAGE is the plain line, PRIORITY its level, and each
 * field is there by itself (VEREDUS_ID=3591TJHR6EY3), a list's once for each text. False as above.
 */
MUST_USE bool log_render_journal(struct str record, enum log_form form, struct buf *out);

/* 3 for an error up to 7 for debug (RFC 5424 6.2.1). */
unsigned log_severity(enum log_level level);

#endif
