/* cmd/bench/session.h -- one SMTP session of the load generator, from connect to QUIT. */
#ifndef CMD_BENCH_SESSION_H
#define CMD_BENCH_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/bench/latency.h"
#include "cmd/bench/letter.h"
#include "cmd/bench/net.h"
#include "cmd/bench/secure.h"
#include "core/buf.h"

enum bench_tls { BENCH_TLS_NONE, BENCH_TLS_STARTTLS, BENCH_TLS_IMPLICIT };

enum { BENCH_CODES = 600, BENCH_READ_MAX = 1 << 16 };

/* What is asked for, what came of it, and what all sessions share. */
struct bench_run {
    struct bench_address to;
    const char *from;
    const char *rcpt; /* {n} in it is 1 to users */
    uint64_t users;
    uint64_t recipients;
    uint64_t messages;
    uint64_t per_connection;
    uint64_t deadline_usec; /* no message is begun after it; 0: none */
    bool pipelining;
    bool apart; /* the final dot goes in a write of its own, and Nagle's algorithm is left on, as simple clients do */
    enum bench_tls tls;
    struct secure_context *secure; /* without TLS: NULL */
    int ledger; /* each acknowledged Message-ID is a line there before anything more is sent; -1: none */
    int epoll;
    struct letter letter;

    uint64_t now_usec;
    uint64_t begun;
    uint64_t acknowledged;
    uint64_t refused;      /* messages with a 4yz or 5yz where they needed better */
    uint64_t lost;         /* messages whose session ended before their reply */
    uint64_t unconnected;  /* sessions that never got a 220 */
    uint64_t ledger_failed;
    uint64_t last_ack_usec;
    uint64_t live; /* sessions with a connection */
    uint32_t codes[BENCH_CODES];
    struct latency latency;
    char read[BENCH_READ_MAX];
};

enum bench_want {
    BENCH_WANT_GREETING,
    BENCH_WANT_EHLO,
    BENCH_WANT_STARTTLS,
    BENCH_WANT_MAIL,
    BENCH_WANT_RCPT,
    BENCH_WANT_DATA,
    BENCH_WANT_FINAL,
    BENCH_WANT_RSET,
    BENCH_WANT_QUIT,
};

enum { BENCH_WANTS = 9 };

struct bench_session {
    struct bench_run *run;
    int fd; /* -1: none */
    struct secure *secure; /* NULL: in clear */
    /* Replies owed to us, oldest first, in runs of one kind. */
    struct {
        enum bench_want kind;
        uint64_t count;
    } want[BENCH_WANTS];
    unsigned want_first;
    unsigned want_count;

    bool pipelining;
    bool open;          /* a transaction is open: MAIL was sent and nothing ended it */
    bool bad;           /* something in it was refused */
    bool content;       /* a final dot is on its way or waits for its reply */
    uint64_t accepted;  /* RCPT in it */
    uint64_t rcpt_sent; /* without pipelining: RCPT sent so far */
    uint64_t seq;       /* of the message in the open transaction */
    uint64_t sent_seq;  /* of the message whose final dot was sent */
    uint64_t on_connection;
    uint64_t dot_usec;

    struct buf head; /* commands or the header, then the shared body, then the dot and what follows it */
    struct buf tail;
    bool with_body;
    size_t written;
    bool blocked;
    struct buf line; /* a reply line of which only the front has come */
};

/* Connects; counts as live until the connection is over. S is zero or was started before. */
void bench_session_start(struct bench_session *s, struct bench_run *run);
/* EVENTS as from epoll. */
void bench_session_event(struct bench_session *s, uint32_t events);
void bench_session_done(struct bench_session *s);

#endif
