/* cmd/bench/net.h -- the two ends of a measured connection: an address, a connect, a listener. */
#ifndef CMD_BENCH_NET_H
#define CMD_BENCH_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/bug.h"
#include "core/err.h"

struct bench_address {
    struct sockaddr_storage at;
    socklen_t length;
};

/* HOST:PORT, [IPV6]:PORT; names are looked up once, here. */
MUST_USE bool bench_address_parse(const char *text, struct bench_address *out, struct err *err);
/* A non-blocking socket on its way; -1 with errno. Without NAGLE, TCP_NODELAY is set. */
int bench_connect(const struct bench_address *to, bool nagle);
/* A non-blocking listener; -1 with words. *PORT is the one it got (useful with port 0). */
int bench_listen(const struct bench_address *at, uint16_t *port, struct err *err);
/* CLOCK_MONOTONIC. */
uint64_t bench_now_usec(void);

#endif
