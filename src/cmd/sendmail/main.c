/* cmd/sendmail/main.c -- which of its names, which of its modes. */
#include <signal.h>

#include "cmd/sendmail/place.h"

int sendmail_main(int argc, char **argv)
{
    struct sendmail_options o;
    struct sendmail_place place;

    /* Who stops listening is seen where we write. */
    signal(SIGPIPE, SIG_IGN);
    if (!sendmail_options_read(argc, argv, &o))
        return SENDMAIL_USAGE;
    if (o.mode == SENDMAIL_ALIASES)
        return sendmail_newaliases(&o);
    sendmail_place_find(&o, &place);
    switch (o.mode) {
    case SENDMAIL_SMTP:
        return sendmail_smtp(&place);
    case SENDMAIL_MAILQ:
        return sendmail_mailq(&place);
    case SENDMAIL_VERIFY:
        return sendmail_verify(&o, &place);
    case SENDMAIL_FLUSH:
        return sendmail_flush(&place);
    default:
        return sendmail_message(&o, &place);
    }
}
