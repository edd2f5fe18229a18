/* cmd/gateway.h -- does `relay-from` cover the gateway of a container? Then every stranger may relay (FACE 1.12). */
#ifndef CMD_GATEWAY_H
#define CMD_GATEWAY_H

#include "cmd/needs.h"
#include "core/ip.h"

enum { GATEWAYS_MAX = 16 };

/* Where packets for the rest of the world go first; those beyond GATEWAYS_MAX are left out. */
struct gateways {
    struct ip items[GATEWAYS_MAX];
    size_t n;
};

/* Add those of TEXT, as the kernel writes it in /proc/net/route and /proc/net/ipv6_route (proc(5)). */
void gateways_read_ipv4(struct gateways *g, struct str text);
void gateways_read_ipv6(struct gateways *g, struct str text);
/* A warning for each `relay-from` that has one of them, whatever this machine is. */
void gateways_compare(const struct gateways *g, const struct config *config, struct needs_report *report);
/* In a container, those of its kernel; nothing elsewhere: the gateway of a whole machine forwards, it hides nobody. */
void gateway_check(const struct config *config, struct needs_report *report);

#endif
