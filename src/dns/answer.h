/* dns/answer.h -- a DNS message as facts (RFC 1035 4.1, RFC 2308). A pure function of its octets. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "core/arena.h"
#include "core/bug.h"
#include "core/dns.h"

/*
 * The records of TYPE in the answer section of PACKET, those behind aliases included: what is given to us has been
 * through the resolver, which leaves nothing there that does not belong to the question. Everything in *answer lives
 * in A; `secure` stays false. False: no DNS message, or no memory.
 */
MUST_USE bool dns_answer_read(struct str packet, enum dns_type type, struct arena *a, struct dns_answer *answer);

#endif
