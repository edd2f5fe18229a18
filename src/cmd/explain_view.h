/* cmd/explain_view.h -- what `explain ID` shows, and the lines that it is shown in. Of explain_id.c and explain_tries.c. */
#ifndef CMD_EXPLAIN_VIEW_H
#define CMD_EXPLAIN_VIEW_H

#include <jansson.h>

#include "cmd/text.h"
#include "core/buf.h"

struct view {
    struct text_screen screen;
    const char *id;
    int64_t now_msec;
    json_t *message;
    json_t *groups;
    json_t *hosts;
    json_t *attempts; /* from the history, oldest first; empty where it has none */
    bool all;
    uint64_t left_out; /* recipients of groups that are not shown */
    size_t width;      /* of the second column */
    struct buf line, words;
};

/* "  NAME  VALUE  TEXT": in columns. */
void explain_line(struct view *v, const char *name, struct str value, struct str text);
/* Today's times without their date; in ROOM. */
struct str explain_short_time(const struct view *v, const char *written, struct text_short *room);
/* The last attempt at GROUP, who said what, and when the others were. */
void explain_tries(struct view *v, const json_t *group);

#endif
