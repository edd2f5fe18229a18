/* core/buf.h -- owned octets that grow up to a ceiling. Pure. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

/*
 * N octets at P, room for CAP, never more than MAX. Init by BUF_INIT(max), end with buf_done().
 * What would pass MAX, or finds no memory, adds nothing, returns false and sets FAILED, which stays set until
 * buf_clear(): a writer may add many pieces and look once at the end.
 */
struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

#define BUF_INIT(ceiling) ((struct buf){ .max = (ceiling) })

void buf_done(struct buf *b);
/* The same for what was secret: its octets are overwritten first. */
void buf_wipe(struct buf *b);
/* Wiped, and with room for N octets that do not move while they are added: nothing is left behind elsewhere. */
MUST_USE bool buf_hold(struct buf *b, size_t n);
/* Empties, keeps the room. */
void buf_clear(struct buf *b);
/* Empties and gives the room back when it is above KEEP octets. */
void buf_shrink(struct buf *b, size_t keep);
/* Room for N more octets behind the end; NULL on failure. Write there, then buf_grew(). */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
/* Drops the first N octets. */
void buf_eat(struct buf *b, size_t n);

bool buf_add(struct buf *b, struct str s);
bool buf_add_char(struct buf *b, char c);
bool buf_add_c(struct buf *b, const char *c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}

#endif
