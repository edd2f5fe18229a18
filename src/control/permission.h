/* control/permission.h -- who asks, as the kernel says, and what that one may (FACE 2.2). */
#ifndef CONTROL_PERMISSION_H
#define CONTROL_PERMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/arena.h"
#include "core/str.h"

enum { ACCOUNT_TEXT_MAX = 40 };

/* Found out before the sandbox: names need files. */
struct permission {
    uid_t server;      /* who started the server; root when it is 0 */
    bool has_group;
    gid_t group;       /* of the control socket */
    struct str passwd; /* the names of accounts, as in passwd(5) */
};

/* Who is at the other end of a connection. */
struct permission_client {
    bool everything;   /* else only what everyone may, */
    uint32_t uid_plus; /* and of messages only those that this user gave to sendmail(1): uid + 1; 0: all */
    char account[ACCOUNT_TEXT_MAX + 1];
};

/* MAIN: the connection to main. GROUP: as configured, empty for none. What is not known permits nothing. */
void permission_init(struct permission *p, int main, struct str group, struct arena *a);
/* False: the kernel does not say who it is. */
bool permission_of(const struct permission *p, int client, struct permission_client *who);

#endif
