/* cmd/demo/show.h -- the screen of a demonstration (FACE 4.1). */
#ifndef CMD_DEMO_SHOW_H
#define CMD_DEMO_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/demo/letter.h"
#include "cmd/demo/place.h"
#include "cmd/demo/proof.h"
#include "cmd/text.h"

struct demo_show {
    struct text_screen screen;
    const char *program; /* as it was called, for commands that work as printed */
    const char *dot;     /* marks that this locale can show */
    const char *arrow;
};

void demo_show_init(struct demo_show *show, const char *program);

void demo_show_head(const struct demo_show *show, const struct demo_place *place);
void demo_show_sent(const struct demo_show *show, const struct demo_sent *sent, double sync_seconds);
void demo_show_found(const struct demo_show *show, const struct demo_place *place, const char *path, int64_t usec);
void demo_show_proof(const struct demo_show *show, const struct demo_compared *compared);
/* What to do next; QUEUED messages wait since an earlier demonstration. */
void demo_show_hints(const struct demo_show *show, const struct demo_place *place, uint64_t queued);

/* One recipient of one message; or, without FROM, something that was refused. */
struct demo_line {
    int64_t wall_msec;
    struct str from;
    struct str to;
    struct str subject;
    struct str outcome;
    enum text_colour colour;
    double msec; /* the whole way; negative: not there yet */
};

void demo_show_line(const struct demo_show *show, const struct demo_line *line);

#endif
