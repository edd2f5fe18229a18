/* auth/dovecot.h -- a connection to Dovecot's auth client socket: made when it is needed, made anew when it is lost. */
#ifndef AUTH_DOVECOT_H
#define AUTH_DOVECOT_H

#include "auth/dovecot_line.h"
#include "io/loop.h"

enum { DOVECOT_OUT_MAX = 256 * 1024 };

/* Why it cannot be asked, when that is a matter of rights. */
#define DOVECOT_DENIED "Dovecot's socket may not be used"

/* Embedded in its owner. */
struct dovecot {
    struct str path; /* the configuration's */
    struct io_loop *loop;
    int fd;
    struct io_watch watch;
    bool greeted; /* it has told its version and mechanisms */
    bool has_plain;
    struct buf in;
    struct buf out; /* holds passwords: wiped when sent */
    size_t n_sent;
    /* OK or FAIL to a question. */
    void (*answered)(struct dovecot *d, const struct dovecot_line *line);
    /* The connection is gone: no question that was sent is answered. */
    void (*lost)(struct dovecot *d, const char *why);
};

/* The socket at PATH, which outlives it; nothing is connected yet. The callbacks are the owner's to set. */
void dovecot_init(struct dovecot *d, struct io_loop *loop, struct str path);
void dovecot_done(struct dovecot *d);
/* False: it cannot be asked now; *why says what is wrong. answered() or lost() are not called from here. */
MUST_USE bool dovecot_ask(struct dovecot *d, uint32_t number, struct str user, struct str password, struct str client,
                          const char **why);

#endif
