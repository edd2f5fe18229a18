/* cmd/site_row.h -- a destination as a row of a table (FACE 2.3). */
#ifndef CMD_SITE_ROW_H
#define CMD_SITE_ROW_H

#include <jansson.h>

#include "cmd/text.h"

struct site_table {
    struct text_screen screen;
    struct buf line; /* buf_done() at the end */
    int64_t now_msec;
    size_t name_width, waiting_width;
};

struct site_table site_table(void);
/* ROW will be one of its rows. */
void site_measure(struct site_table *t, const json_t *row);
void site_heading(struct site_table *t);
void site_print(struct site_table *t, const json_t *row);

#endif
