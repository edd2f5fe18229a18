/* message/trace.h -- the fields we put on top of content (RFC 5321 4.4; 9228). Pure. */
#ifndef MESSAGE_TRACE_H
#define MESSAGE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/str.h"

enum { MESSAGE_LINE_MAX = 998 }; /* octets without CRLF, RFC 5322 2.1.1; no line of ours is longer */

struct message_received {
    struct str client_helo; /* argument of EHLO or HELO, as sent; hostile octets become '?' */
    struct str client;      /* address as inet_ntop writes it; empty when no network was used, or nobody shall
                             * know it (hide-client): then no FROM */
    struct str client_name; /* its verified name, empty without one */
    uint32_t uid_plus;      /* handed in on this machine by that user, uid + 1; 0: not */
    struct str hostname;    /* ours */
    struct str protocol;    /* SMTP, ESMTPSA, UTF8SMTPS... (RFC 3848, 6531) */
    struct str tls_cipher;  /* registered name of the cipher suite (RFC 8314 4.3); empty: no TLS, or not to be told */
    struct str id;          /* queue id */
    struct str recipient;   /* without brackets, when there is only one (RFC 5321 7.2); else empty */
    int64_t utc_msec;
    int zone_minutes;
};

/*
 * Add one Received field, folded, with its CRLF:
 *
 *     Received: from mx3.example.net (mx3.example.net [203.0.113.7])
 *         by mail.example.org with ESMTP id 3591TJHR6EY3
 *         for <ben@example.org>; Sun, 22 Nov 2026 09:41:07 +0000
 *
 * With a cipher suite "tls TLS_AES_256_GCM_SHA384" stands in front of the ";". From a user of this machine it begins
 * "Received: by mail.example.org (userid 1000) with", from a hidden client "Received: by mail.example.org with".
 * False when OUT is full.
 */
bool message_received_write(struct buf *out, const struct message_received *received);

/* Return-Path of final delivery; PATH without brackets, quoted where it must be; empty: the null one. */
bool message_return_path_write(struct buf *out, struct str path);
/* Delivered-To of final delivery; ADDRESS without brackets, quoted where it must be. */
bool message_delivered_to_write(struct buf *out, struct str address);

#endif
