/* tests/unit/smtp/player.h -- plays a client to the server machine, with an owner told what to say. */
#ifndef TESTS_SMTP_PLAYER_H
#define TESTS_SMTP_PLAYER_H

#include "smtp/server.h"

#include "core/buf.h"

/* In what is played: the handshake that follows STARTTLS. What comes in clear before it must never be heard. */
#define HANDSHAKE "\026"

/*
 * The owner. Anna logs in by PLAIN or LOGIN with "secret"; of the user "down" nothing can be known; XLONG believes whoever
 * says anything; XFIRST speaks first. Recipients whose local part begins with "no" do not exist, with "slow" cannot be looked
 * up, with "relay" are refused, all others are taken; to VRFY "two" is ambiguous. Unset replies are the good ones.
 */
struct player {
    struct smtp_server_config config;
    struct smtp_server *server;
    struct arena *session;
    enum smtp_reply_name mail_reply, data_reply, commit_reply;
    size_t piece; /* octets fed at a time; 0: all at once */
    bool shaking;          /* STARTTLS was heard, no handshake yet */
    struct str mechanism;  /* of the exchange in hand */
    bool logged_user;      /* LOGIN: the name was said, the password comes next */
    bool knows_user;

    struct buf replies;  /* all that was sent to the client */
    struct buf content;  /* of the message in hand */
    struct buf messages; /* all accepted: "sender>recipient,recipient,:content\n" */
    struct buf envelope; /* of the transaction in hand */
    struct buf sasl;     /* what the exchanges said: "MECHANISM=octets;", "MECHANISM;=octets;", with NUL as a dot */
    struct buf events;   /* one letter each: see player.c */
    size_t sends;        /* how often the owner would have called send */
    bool closed;
    enum smtp_reply_name close_reply;
    enum smtp_reply_name last_refused;
    char protocol[16];               /* of the last message */
    struct smtp_content_facts facts; /* of the last message */
};

void player_init(struct player *p);
void player_done(struct player *p);
/* What a listener for submission has: STARTTLS and these mechanisms, both required before MAIL. */
void player_secure(struct player *p);
/* Plays all of INPUT, in pieces of p->piece; each piece is an exact heap copy. Stops where the machine
 * closes. */
void player_play(struct player *p, struct str input);

/* REPLIES have CODES, one after the other, and the shape of RFC 5321 4.2.1 and 2034 4. WHERE is for people.
 */
void player_check(struct str replies, const char *codes, const char *where);
/* Plays INPUT and expects just these replies, or replies with these codes, for it. */
void player_expect(struct player *p, struct str input, struct str replies);
void player_expect_codes(struct player *p, struct str input, const char *codes);

#endif
