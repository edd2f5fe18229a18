/* tests/unit/smtp/client_player.h -- plays dialogues, written as text, to the client's machine. */
#ifndef TESTS_SMTP_CLIENT_PLAYER_H
#define TESTS_SMTP_CLIENT_PLAYER_H

#include "smtp/client.h"

/*
 * A dialogue is lines that end in LF:
 *
 *     S: octets of the server, and CRLF; lines in a row arrive at once
 *     C: octets of the client, and no others, that are in OUT when the lines before it were played
 *     + sender rcpt... size=9 8bit utf8 header probe     a transaction is added; "<>" is the null sender
 *     ~ quit | lost TEXT | hold | give OCTETS | line OCTETS | end | sent crlf | sent | failed TEXT
 *         the owner does this; after "hold" content is given by hand, otherwise all at CONTENT
 *     ~ secured | auth MECHANISM [INITIAL] | respond OCTETS | give-up TEXT | mind (LOGGED_IN is given up)
 *     ? stage final | wants | full | idle | busy | doubt | sure | begun | fresh       is true now, of the
 * first transaction ! ready | content | refused RESULT | close [RESULT]          events, in the order of =
 * address RESULT                                             these lines
 *
 * A RESULT is kind, stage, code, status, whose words, words: "temp rcpt 450 4.2.1 peer: later". Content is
 * what was set, or "hi\r\n".
 */
struct client_case {
    const char *name;
    const char *script;
    unsigned flags;
};

/* Plays CASE whole, octet by octet and in threes; with much room in OUT, and with the least. */
void client_play(const struct client_case *c);

#endif
