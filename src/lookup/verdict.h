/* lookup/verdict.h -- between the files of lookup/: a decision with its reply, its reason and its place. */
#ifndef LOOKUP_VERDICT_H
#define LOOKUP_VERDICT_H

#include "log/record.h"
#include "lookup/lookup.h"
#include "policy/limits.h"
#include "route/expand.h"
#include "smtp/reply.h"

struct lookup_verdict {
    enum smtp_reply_name row; /* NONE: CODE, STATUS and TEXT instead, in the administrator's words */
    enum log_reason reason;
    uint64_t number; /* the row's {number} */
    enum config_limit_key key; /* of a limit: whom it counts */
    struct str rule;
    uint16_t code;
    struct str status;
    struct str text;
    struct str held; /* not refused: kept, for the sake of this limit; empty: it is not */
};

/* Whom a question is about: a client at a listener, and what is known of it by now. */
struct lookup_who {
    struct str client; /* 16 octets; empty: a unix socket */
    uint32_t listener;
    struct str account;     /* who logged in; empty: nobody */
    struct str certificate; /* 64 octets, as MAIL_ASK has them; empty: none */
    struct str sender;      /* reverse-path; empty: null, or not known */
};

/*
 * May it send anywhere? RELAY: as this client, which the built-in limits do not bind; RELAY_ACCOUNT: because somebody
 * logged in; UNSURE: a file of addresses cannot be had now.
 */
enum lookup_relay { LOOKUP_NO_RELAY, LOOKUP_RELAY, LOOKUP_RELAY_ACCOUNT, LOOKUP_RELAY_UNSURE };

/* *place: of what decided; where nothing lets it, of `relay-from`. */
enum lookup_relay lookup_relays(const struct lookup *l, const struct lookup_who *who, struct config_place *place);
/* What holds for the sessions of that listener; of IPC_NO_LISTENER what stands at the top. */
const struct config_session *lookup_session_of(const struct lookup *l, uint32_t listener);
/* Empty for none. */
struct str lookup_listener_name(const struct lookup *l, uint32_t listener);
/* "veredus.conf:17", in the arena of the turn. */
struct str lookup_rule(const struct lookup_turn *t, struct config_place place);

/* How RCPT and the end of data are refused when an address does not lead to a mailbox. */
struct lookup_verdict lookup_verdict_of(enum route_status status, const struct route_failure *why);

/* Who asks, with the limits of the listener. */
struct policy_party lookup_party(const struct lookup_turn *t, const struct lookup_who *who);
bool lookup_offers_vrfy(const struct lookup_turn *t, uint32_t listener);
/*
 * Would N more be within the limits? False: *v says how to refuse, and the log knows. True also of what is to be held:
 * then v->held says why.
 */
bool lookup_allow(struct lookup_turn *t, const struct policy_party *party, enum config_limit_measure measure,
                  uint64_t n, struct lookup_verdict *v);
/* OVER refuses: *v says how. For the log is whoever knows the session. */
void lookup_refuse(struct lookup_turn *t, const struct policy_excess *over, struct lookup_verdict *v);
void lookup_take(struct lookup_turn *t, const struct policy_party *party, enum config_limit_measure measure,
                 uint64_t n);

/* May WHO, who logged in, say this sender (`send-as`)? False: *v says how to refuse. */
bool lookup_may_send_as(struct lookup_turn *t, const struct lookup_who *who, struct lookup_verdict *v);
/* What `send-as` says for ACCOUNT. */
const struct config_send_as *lookup_send_as_of(const struct lookup *l, struct str account);

#endif
