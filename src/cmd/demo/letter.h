/* cmd/demo/letter.h -- the first message: what it says, and how it is handed in by SMTP (RFC 5321). */
#ifndef CMD_DEMO_LETTER_H
#define CMD_DEMO_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"

enum { DEMO_LETTER_MAX = 16 * 1024, DEMO_REPLY_MAX = 512 };

/* Content with all that goes wrong where octets are not kept: dots, 8-bit, blanks at line ends, a long line. */
MUST_USE bool demo_letter_write(struct buf *out, const char *from, const char *to);

struct demo_sent {
    int64_t began_usec;
    int64_t greeted_usec;       /* the 220 was there */
    int64_t taken_usec;         /* the 250 to the final dot was there */
    char reply[DEMO_REPLY_MAX]; /* that reply */
    char id[16];                /* the queue id in it */
};

/* One session with 127.0.0.1:PORT, one transaction. False: something was refused or cut off, and ERR says what. */
MUST_USE bool demo_letter_send(uint16_t port, const char *from, const char *to, struct str content,
                               struct demo_sent *sent, struct err *err);

#endif
