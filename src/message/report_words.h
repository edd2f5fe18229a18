/* message/report_words.h -- the part of a report that is for people: what, to whom, why, when, and what can
 * be done. Pure. */
#ifndef MESSAGE_REPORT_WORDS_H
#define MESSAGE_REPORT_WORDS_H

#include "core/buf.h"
#include "core/str.h"
#include "message/report.h"

enum message_report_content { MESSAGE_REPORT_NOTHING, MESSAGE_REPORT_HEADER, MESSAGE_REPORT_WHOLE };

/* Add the text, CRLF line ends. CONTENT: what the report returns beside it. */
void message_report_words(struct buf *out, const struct message_report *r,
                          enum message_report_content content);

/* What stands behind the last @ of an address; all of it without one. */
struct str message_report_domain(struct str address);

#endif
