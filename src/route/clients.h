/* route/clients.h -- files of client addresses, as `relay-from file:PATH` names them (FACE 1.6). Pure. */
#ifndef ROUTE_CLIENTS_H
#define ROUTE_CLIENTS_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/ip.h"
#include "core/str.h"
#include "route/fault.h"
#include "route/names.h"

enum { ROUTE_CLIENTS_FILE_MAX = 16 << 20 };

/*
 * Reads lines `ADDRESS [anything]` into the empty *names; empty lines and those that begin with # are
 * skipped. A bad line is a fault and takes no other with it. False: no room for more.
 */
MUST_USE bool route_clients_parse(struct route_names *names, struct str text, struct route_faults *faults);
/* An IPv4 address that is mapped into IPv6 counts as the IPv4 address it is, in the file too. */
bool route_clients_have(const struct route_names *names, const struct ip *client);

#endif
