/* cmd/demo/certificate.h -- a certificate of our own making, for the listeners that users log in to. */
#ifndef CMD_DEMO_CERTIFICATE_H
#define CMD_DEMO_CERTIFICATE_H

#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"

enum { DEMO_CERTIFICATE_DAYS = 365 };

/*
 * Adds to OUT, as PEM, a new key (P-256) and a certificate for it, signed by itself: for mail.example.test, localhost,
 * 127.0.0.1 and ::1, good from an hour ago for DEMO_CERTIFICATE_DAYS.
 */
MUST_USE bool demo_certificate_make(struct buf *out, struct err *err);
/* Is PEM such a certificate, good for a month more? */
bool demo_certificate_is_good(struct str pem);

#endif
