/* lookup/sessions.h -- the connections a receive process has open, so that its death gives them back. */
#ifndef LOOKUP_SESSIONS_H
#define LOOKUP_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

enum { LOOKUP_CLIENT_OCTETS = 16, LOOKUP_SESSIONS_MAX = 1 << 20 };

/* Connections of one client at one listener. */
struct lookup_session {
    unsigned char client[LOOKUP_CLIENT_OCTETS];
    uint32_t listener;
    uint32_t count; /* 0: the place is free again */
    bool is_unix;   /* no address */
    bool exempt;    /* from the built-in limits, when they were opened: so they are given back */
    bool used;      /* the place is or was taken: searches go on behind it */
};

/* Init: { 0 }; end with lookup_sessions_done(). */
struct lookup_sessions {
    struct lookup_session *slots;
    size_t room; /* a power of two */
    size_t used;
};

void lookup_sessions_done(struct lookup_sessions *s);
/* CLIENT has 16 octets, or none for a unix socket. False without memory. */
MUST_USE bool lookup_sessions_add(struct lookup_sessions *s, struct str client, uint32_t listener, bool exempt);
/* False: it was not there. Of several that were not opened alike *exempt is that of one of them. */
bool lookup_sessions_remove(struct lookup_sessions *s, struct str client, uint32_t listener, bool *exempt);
struct str lookup_session_client(const struct lookup_session *session);

#endif
