/* cmd/bench/letter.h -- the generated message: valid, of an exact size, each with a Message-ID of its own. */
#ifndef CMD_BENCH_LETTER_H
#define CMD_BENCH_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum { LETTER_ID_MAX = 64 };

/* What all messages of a run share. Fields are read-only outside; end with letter_done(). */
struct letter {
    char run[17]; /* tells this run's messages from another's */
    struct buf head;
    struct buf body;
};

struct letter_id {
    char c[LETTER_ID_MAX];
};

/* SIZE octets of content in all, header included; no line is longer than 78 or begins with a dot. */
MUST_USE bool letter_init(struct letter *l, uint64_t size, const char *from, const char *to);
void letter_done(struct letter *l);

/* The Message-ID of message SEQ, without angle brackets. */
struct letter_id letter_id(const struct letter *l, uint64_t seq);
/* Adds the header of message SEQ and the empty line behind it. The body is the same for all. */
bool letter_add_head(const struct letter *l, uint64_t seq, struct buf *out);

#endif
