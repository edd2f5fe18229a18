/* send/check.h -- veredus tls check: what a delivery to each address of a plan would see (FACE 2.3). */
#ifndef SEND_CHECK_H
#define SEND_CHECK_H

#include "send/send.h"

/* EHLO and STARTTLS to all of them at once, no log-in, no mail; then one answer with a row for each, in their order. */
void check_ask(struct send *s, struct ipc_channel *asker, const struct ipc_tls_check_ask *ask);

#endif
