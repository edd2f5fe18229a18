/* cmd/story.h -- the records of a message or a session as lines: when, what, and what was replied (FACE 2.3). */
#ifndef CMD_STORY_H
#define CMD_STORY_H

#include <jansson.h>

#include "cmd/text.h"

/* Texts are owned by the story. */
struct story_line {
    int64_t msec;
    size_t order; /* of lines of one millisecond */
    const char *word;
    char *text;
    char *reply; /* NULL: none */
};

struct story {
    struct story_line *lines;
    size_t n, room;
    bool failed; /* out of memory: lines are missing */
};

#define STORY_NONE ((struct story){ 0 })

/*
 * The lines of ROWS, records in their order, sorted by time. A record may tell of more than one moment: accept has
 * the times of the connection, of MAIL and of RCPT in it; an outcome that of its lease.
 */
void story_make(struct story *s, const json_t *rows);
void story_print(const struct story *s, const struct text_screen *screen);
void story_done(struct story *s);

/* What became of a message, as far as ROWS tell. Texts live as long as ROWS. */
struct story_message {
    struct str id;
    struct str from;
    bool has_from;
    struct str to; /* the first recipient */
    size_t n_to;
    uint64_t size;
    bool has_size;
    const char *state; /* "delivered", "failed", "deferred", "held", "waiting", "discarded", "report" */
    struct str next;    /* deferred: when it is tried again */
    uint64_t delivered, failed;
    bool done;
    int64_t begin_msec; /* of the connection it came by, or the first that is known */
    int64_t end_msec;   /* of the last record */
};

void story_message_of(struct story_message *m, const json_t *rows);
/* "carol@example.net → ben@example.org, 4,220 octets, delivered in 48 ms". */
void story_message_add(struct buf *out, const struct text_screen *screen, const struct story_message *m);
/* UTC milliseconds of a record. */
int64_t story_time(const json_t *row);
bool story_is(const json_t *row, const char *event);
/* "48 ms", "1.2 s", and longer ones as ages are written. */
struct text_short story_duration(int64_t msec);

#endif
