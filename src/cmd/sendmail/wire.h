/* cmd/sendmail/wire.h -- SMTP with the server of this machine, over its socket for everyone; one step at a time. */
#ifndef CMD_SENDMAIL_WIRE_H
#define CMD_SENDMAIL_WIRE_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum { WIRE_REPLY_MAX = 64 * 1024, WIRE_WORDS_MAX = 512, WIRE_PATIENCE_SECONDS = 600 };

struct wire {
    int fd; /* -1: none, or it is lost */
    bool verbose;
    struct buf in;
    size_t eaten;
    unsigned code;                /* of the last reply; 0: there was none, the server is gone */
    char words[WIRE_WORDS_MAX];   /* its last line, code and all */
    char origin[256];             /* what completes bare names, as EHLO says; empty before */
    char hostname[256];           /* the server's */
};

/* Connects to PATH, waits for the greeting and says EHLO. False: no server takes mail there now; w->words says why. */
MUST_USE bool wire_open(struct wire *w, const char *path, bool verbose);
void wire_close(struct wire *w);
/* Connects and nothing more; -1 and errno. */
int wire_connect(const char *path);

/* Says LINE (without CRLF) and waits; returns the code, 0 when the server is gone. */
unsigned wire_say(struct wire *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The octets behind a 354, whole with their final dot; returns the code. */
unsigned wire_content(struct wire *w, struct str octets);

#endif
