/* cmd/demo/manner.h -- how a host of elsewhere behaves: what a local part asks for (FACE 4.2). Pure. */
#ifndef CMD_DEMO_MANNER_H
#define CMD_DEMO_MANNER_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/str.h"

enum demo_moment {
    DEMO_TAKES,         /* keeps it */
    DEMO_AT_RCPT,       /* refuses the recipient */
    DEMO_AT_DOT,        /* refuses the message, once it has heard all of it */
    DEMO_GREYLISTS,     /* refuses the recipient the first time */
    DEMO_HANGS_UP,      /* after the final dot, without a reply */
    DEMO_REPORTS_LATER, /* keeps it, and sends a failure report to the sender */
};

struct demo_manner {
    enum demo_moment moment;
    bool slow;         /* waits before each reply from RCPT on */
    unsigned code;     /* of AT_RCPT, AT_DOT and GREYLISTS */
    const char *words; /* enhanced code and text that go with it */
};

/*
 * A code (4yz or 5yz) at the front of LOCAL, or `rcpt-` or `data-` and a code; or one of the words greylist, slow,
 * drop, bounce and full. What follows it, as in 451+later or slow-2, does not begin with a letter or digit.
 */
struct demo_manner demo_manner_of(struct str local);
/* "451 4.7.1 busy" and a line end. */
void demo_manner_reply(struct buf *out, const struct demo_manner *manner);

#endif
