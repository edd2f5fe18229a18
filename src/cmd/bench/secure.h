/* cmd/bench/secure.h -- TLS under a measured connection, as read and write; both ends, as cheaply as the library can. */
#ifndef CMD_BENCH_SECURE_H
#define CMD_BENCH_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "core/bug.h"
#include "core/err.h"

/* What the connections of a run share. The key of a sink is in its own process: it is a measure, not a server. */
struct secure_context;

/* The generator's end: any certificate will do. RESUME: each handshake goes on from the last session, where it can. */
struct secure_context *secure_client(bool resume, struct err *err);
/* The sink's: chain and key in one PEM file. */
struct secure_context *secure_server(const char *certificate, struct err *err);
void secure_context_free(struct secure_context *c);
/* Handshakes finished, and those of them that were resumed. */
unsigned long long secure_handshakes(const struct secure_context *c);
unsigned long long secure_resumed(const struct secure_context *c);

/* One connection. */
struct secure;

/* NULL without memory. The handshake begins with the first read or write. */
struct secure *secure_new(struct secure_context *c, int fd);
/* Takes NULL. */
void secure_free(struct secure *s);
/* As read(2) and writev(2). EAGAIN: it goes on when the descriptor is readable, or writable if secure_wants_write(). */
ssize_t secure_read(struct secure *s, void *at, size_t room);
ssize_t secure_writev(struct secure *s, const struct iovec *v, int n);
bool secure_wants_write(const struct secure *s);
/* The handshake is done. */
bool secure_is_ready(const struct secure *s);
/* One step of it; false: it failed. */
MUST_USE bool secure_shake(struct secure *s);

#endif
