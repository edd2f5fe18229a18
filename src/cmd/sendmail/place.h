/* cmd/sendmail/place.h -- where the server and its drop folder are, for a program that anybody may run. */
#ifndef CMD_SENDMAIL_PLACE_H
#define CMD_SENDMAIL_PLACE_H

#include "cmd/cmd.h"
#include "cmd/sendmail/sendmail.h"
#include "core/str.h"

enum { PLACE_NAME_MAX = 256 };

struct sendmail_place {
    char control[CMD_PATH_MAX];
    char submit[CMD_PATH_MAX + 16]; /* the socket that takes mail */
    char spool[CMD_PATH_MAX];
    char hostname[PLACE_NAME_MAX];
    char origin[PLACE_NAME_MAX]; /* what completes bare names while no server says it */
};

/*
 * Reads the configuration (-C, VEREDUS_CONFIG, /etc/veredus/veredus.conf). One that may not be read, or is wrong, is no
 * failure: the usual places are taken then, and the name of this machine.
 */
void sendmail_place_find(const struct sendmail_options *o, struct sendmail_place *place);

#endif
