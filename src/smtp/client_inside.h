/* smtp/client_inside.h -- the inside of the client's machine; for smtp/client*.c alone. Pure. */
#ifndef SMTP_CLIENT_INSIDE_H
#define SMTP_CLIENT_INSIDE_H

#include "smtp/client.h"
#include "smtp/stuff.h"

enum smtp_client_phase {
    SMTP_CLIENT_GREETING, /* the greeting is awaited */
    SMTP_CLIENT_EHLO,     /* EHLO or LHLO is, or will be, written */
    SMTP_CLIENT_HELO,     /* EHLO was unknown: HELO */
    SMTP_CLIENT_STARTTLS, /* the same, of STARTTLS */
    SMTP_CLIENT_SHAKING,  /* the owner is at it: what is in clear is dropped */
    SMTP_CLIENT_LOGIN_OWN,  /* the owner says AUTH, or responds */
    SMTP_CLIENT_LOGIN_PEER, /* what it said is, or will be, written; the reply is awaited */
    SMTP_CLIENT_MAILING,
    SMTP_CLIENT_QUITTING,
    SMTP_CLIENT_OVER,
};

/* Events that are owed. */
enum smtp_client_due {
    SMTP_CLIENT_DUE_READY = 1 << 0,
    SMTP_CLIENT_DUE_CONTENT = 1 << 1,
    SMTP_CLIENT_DUE_REFUSED = 1 << 2,
    SMTP_CLIENT_DUE_TLS_REFUSED = 1 << 3,
    SMTP_CLIENT_DUE_HANDSHAKE = 1 << 4,
    SMTP_CLIENT_DUE_LOGIN = 1 << 5,
    SMTP_CLIENT_DUE_CHALLENGE = 1 << 6,
    SMTP_CLIENT_DUE_LOGGED_IN = 1 << 7,
};

enum {
    SMTP_CLIENT_MECHANISMS_MAX = 512,
    SMTP_CLIENT_CHALLENGES_MAX = 16, /* more is an exchange without end */
};

/* AUTH under way (client_login.c). */
struct smtp_client_login {
    struct buf line;     /* to be written, CRLF included; wiped when it is */
    size_t at;           /* of it, what is in OUT already */
    struct buf withheld; /* base64 of an initial response that is too long for a command */
    struct buf challenge;
    unsigned challenges;
    bool open;      /* AUTH was said, and not answered to its end */
    bool cancelled; /* "*" was: whatever comes, FAILURE is why */
    bool done;      /* 235 */
};

struct smtp_client {
    struct str hostname;
    unsigned flags;
    enum smtp_client_phase phase;
    bool written;   /* the command of EHLO, HELO, QUITTING is out */
    bool quit;      /* when idle */
    bool secured;   /* by TLS */
    bool open;      /* the server may be within a transaction that we have left: RSET */
    unsigned due;   /* enum smtp_client_due */
    size_t made;    /* transactions that came to their end */
    size_t replies; /* whole ones read */

    struct smtp_client_tx *inside; /* in order; the first is in hand */
    struct smtp_client_tx *done;   /* DONE is owed */
    struct smtp_client_features features;
    char mechanisms[SMTP_CLIENT_MECHANISMS_MAX]; /* of features.auth */
    struct smtp_client_login login;
    struct smtp_peer_reply reply;
    struct smtp_stuffer stuffer;

    struct smtp_client_result failure; /* kind NONE: none; texts in: */
    char failure_status[SMTP_PEER_STATUS_MAX];
    char failure_text[SMTP_CLIENT_TEXT_MAX];
};

/* client_place.c: the commands of a transaction in their order. */

/* From PLACE to the next command for this peer. */
void smtp_client_step(const struct smtp_client_tx *tx, struct smtp_client_place *place);
/* A command of TX is written and not yet answered. */
bool smtp_client_owed(const struct smtp_client_tx *tx);
/* Nothing more will be written for TX, and every reply is in. */
bool smtp_client_ran_out(const struct smtp_client_tx *tx);
enum smtp_stage smtp_client_place_stage(const struct smtp_client_tx *tx);

/* client_result.c: from replies to results, and the end of transactions. Texts are copied where they are
 * kept. */

/* Of the reply in hand, said at STAGE; texts borrowed from the reply. */
struct smtp_client_result smtp_client_verdict(const struct smtp_client *c, enum smtp_stage stage,
                                              enum smtp_client_result_kind kind);
/* OK, TEMP or PERM by the first digit; NONE for 3yz. */
enum smtp_client_result_kind smtp_client_kind(unsigned code);
/* A result of ours: no reply decided. TEXT borrowed. */
struct smtp_client_result smtp_client_ours(enum smtp_client_result_kind kind, enum smtp_stage stage,
                                           struct str status, struct str text);
/* RESULT for those of TX that have none. */
void smtp_client_settle(struct smtp_client_tx *tx, const struct smtp_client_result *result);
/* RESULT for one. */
void smtp_client_settle_one(struct smtp_client_tx *tx, size_t recipient,
                            const struct smtp_client_result *result);
/* TX is the last of LIST. */
void smtp_client_append(struct smtp_client_tx **list, struct smtp_client_tx *tx);
/* TX has all its results: DONE. */
void smtp_client_finish(struct smtp_client *c, struct smtp_client_tx *tx);
/* Who is to be asked for, now that the features are known; the others have results. Finished if nobody is. */
void smtp_client_screen(struct smtp_client *c, struct smtp_client_tx *tx);
/* TX came when the session had ended: AGAIN for all. */
void smtp_client_refuse(struct smtp_client *c, struct smtp_client_tx *tx);
/* FAILURE is c->failure, its texts too. */
void smtp_client_keep_failure(struct smtp_client *c, const struct smtp_client_result *failure);
/* The session ends with FAILURE: all inside is settled. */
void smtp_client_end(struct smtp_client *c, const struct smtp_client_result *failure);
/* The same for our own reasons. */
void smtp_client_fail(struct smtp_client *c, struct str status, struct str text);

/* client_write.c: all that there is room for and that may be said now. */
void smtp_client_write(struct smtp_client *c, struct buf *out);

/* client_hello.c: a line (STEP: LINE or END) of the greeting, or of the reply to EHLO or HELO. */
void smtp_client_read_hello(struct smtp_client *c, enum smtp_peer_step step);
/* Not here, says the peer, or we say. It waits for QUIT (RFC 5321 3.1), but after 421 for nothing. */
void smtp_client_turn_away(struct smtp_client *c, const struct smtp_client_result *failure);
/* Transactions go from now on: READY. */
void smtp_client_begin_mailing(struct smtp_client *c);
/* client_login.c: a whole reply in the course of AUTH. */
void smtp_client_read_login(struct smtp_client *c);
/* LOGGED_IN was told, and nobody minded. */
void smtp_client_end_login(struct smtp_client *c);
/* As much of the line as OUT has room for. True when it is out. */
bool smtp_client_write_login(struct smtp_client *c, struct buf *out);
/* Forget, wiped, what was said and is to be said. */
void smtp_client_forget_login(struct smtp_client *c);
/* client_read.c: a whole reply while MAILING. */
void smtp_client_read_reply(struct smtp_client *c);

#endif
