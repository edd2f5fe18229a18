/* cmd/demo/place.h -- the folder of a demonstration: chosen, locked, prepared. */
#ifndef CMD_DEMO_PLACE_H
#define CMD_DEMO_PLACE_H

#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/err.h"

/* The control socket stands in the folder, and the kernel takes 107 octets of its path. */
enum { DEMO_DIR_MAX = 100, DEMO_PATH_MAX = 512 };
/* The first of each kind that is tried. */
enum { DEMO_PORT_FIRST = 2525, DEMO_PORT_LOGIN_FIRST = 2587, DEMO_PORT_TLS_FIRST = 2465 };
enum { DEMO_LISTENERS = 3 };

struct demo_place {
    char dir[DEMO_DIR_MAX];   /* absolute */
    char shown[DEMO_DIR_MAX]; /* as people write it from here: ./veredus-demo */
    bool named;               /* by --dir: subcommands do not look there by themselves */
    bool ipv6;                /* this machine has ::1 */
    uint16_t port;
    uint16_t port_login; /* STARTTLS and a log-in */
    uint16_t port_tls;   /* TLS from the first octet, and a log-in */
    uint16_t elsewhere; /* the port of every other domain: set before demo_place_open() */
    int fd; /* the folder, locked: two demonstrations never share one. -1: not open */
};

/*
 * NAMED; else, for root, /var/lib/veredus-demo, since workers under other accounts do not reach below /root; else
 * ./veredus-demo where that can be written; else below XDG_STATE_HOME or ~/.local/state. Makes nothing.
 */
MUST_USE bool demo_place_choose(struct demo_place *place, const char *named, struct err *err);
/* The folder NAME inside OUTER, which need not be open: for what must not mix with its mail. */
MUST_USE bool demo_place_inside(struct demo_place *place, const struct demo_place *outer, const char *name,
                                struct err *err);
/*
 * Makes the folder or takes what an earlier demonstration left, chooses free ports, makes a certificate, writes the
 * configuration. FRESH: what was left is removed first. A folder with something else in it is refused and not touched.
 */
MUST_USE bool demo_place_open(struct demo_place *place, bool fresh, struct err *err);
/* Other ports, after somebody else has taken one of ours since it was chosen. */
MUST_USE bool demo_place_change_ports(struct demo_place *place, struct err *err);
void demo_place_close(struct demo_place *place);

/* The account that mail belongs to when root started us; NULL: this machine does not have it. */
const struct passwd *demo_place_account(void);

/* NAME inside the folder, absolute. */
void demo_place_path(const struct demo_place *place, const char *name, char path[DEMO_PATH_MAX]);

#endif
