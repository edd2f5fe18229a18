/* cmd/sendmail/sendmail.h -- the names sendmail, mailq and newaliases, which other programs call (FACE 2.2). */
#ifndef CMD_SENDMAIL_SENDMAIL_H
#define CMD_SENDMAIL_SENDMAIL_H

#include "cmd/cmd.h"
#include "core/bug.h"

/* What a program that hands over mail looks at: <sysexits.h>. */
enum {
    SENDMAIL_OK = 0,
    SENDMAIL_USAGE = 64,
    SENDMAIL_DATA = 65,    /* the message, or an address as it is written */
    SENDMAIL_NO_USER = 67, /* a recipient is unknown */
    SENDMAIL_LATER = 75,   /* neither server nor drop folder takes it */
    SENDMAIL_DENIED = 77,  /* refused for who we are, not for what it is */
};

enum sendmail_mode {
    SENDMAIL_MESSAGE, /* -bm */
    SENDMAIL_SMTP,    /* -bs */
    SENDMAIL_MAILQ,   /* -bp */
    SENDMAIL_VERIFY,  /* -bv */
    SENDMAIL_ALIASES, /* -bi */
    SENDMAIL_FLUSH,   /* -q */
};

struct sendmail_options {
    enum sendmail_mode mode;
    bool extract;       /* -t: recipients stand in the message */
    bool dots;          /* -i, -oi: a line with a dot alone is no end */
    bool verbose;       /* -v */
    bool gateway;       /* -G: relayed, not begun here: nothing is added to it */
    bool dsn;           /* -N, -R or -V */
    const char *sender; /* -f, -r; NULL: who calls */
    const char *name;   /* -F */
    const char *body;   /* -B */
    const char *config; /* -C */
    char **recipients;
    int n_recipients;
};

/* False: said what is wrong; the exit code is SENDMAIL_USAGE. PROGRAM is argv[0]: mailq and newaliases are modes. */
MUST_USE bool sendmail_options_read(int argc, char **argv, struct sendmail_options *o);
/* "sendmail: WHAT" on standard error; returns EXIT. */
int sendmail_fail(int exit_code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The program by one of its names, or the subcommand of that name. */
int sendmail_main(int argc, char **argv);
bool sendmail_is_name(const char *program);

/* The modes; each returns the exit code. */
struct sendmail_place;
int sendmail_message(const struct sendmail_options *o, const struct sendmail_place *place);
int sendmail_smtp(const struct sendmail_place *place);
int sendmail_verify(const struct sendmail_options *o, const struct sendmail_place *place);
int sendmail_mailq(const struct sendmail_place *place);
int sendmail_flush(const struct sendmail_place *place);
int sendmail_newaliases(const struct sendmail_options *o);

#endif
