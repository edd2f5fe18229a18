/* dns/servers.h -- name servers of resolv.conf (resolv.conf(5)). A pure function of its octets. */
#ifndef DNS_SERVERS_H
#define DNS_SERVERS_H

#include <stddef.h>

#include "core/ip.h"
#include "core/str.h"

enum { DNS_SERVERS_MAX = 16, DNS_PORT = 53 };

/*
 * The addresses of `nameserver` lines, at most DNS_SERVERS_MAX. Addresses with a zone (fe80::1%eth0) are passed over.
 * None at all means the server of this machine, 127.0.0.1, as resolv.conf(5) has it.
 */
size_t dns_servers_read(struct str text, struct ip servers[DNS_SERVERS_MAX]);

#endif
