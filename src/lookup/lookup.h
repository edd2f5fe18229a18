/* lookup/lookup.h -- the lookup process: verdicts about clients, senders, recipients; where addresses go. */
#ifndef LOOKUP_LOOKUP_H
#define LOOKUP_LOOKUP_H

#include "core/arena.h"
#include "core/list.h"
#include "ipc/message.h"
#include "ipc/worker.h"
#include "lookup/guesses.h"
#include "lookup/logins.h"
#include "lookup/sessions.h"
#include "lookup/tables.h"
#include "lookup/verified.h"
#include "policy/limits.h"
#include "route/find.h"

/* What worker_main() of its program runs. */
extern const struct worker_service lookup_service;

enum { LOOKUP_OWN_MAX = 256, LOOKUP_ANSWER_MAX = IPC_FRAME_MAX - 64 * 1024 };

struct lookup {
    const struct config *config;
    uint32_t generation;
    struct arena *arena; /* what is open, and the index of routes */
    struct policy_counters counters;
    struct lookup_guesses guesses;
    struct lookup_tables tables;
    struct lookup_verified verified;
    struct lookup_logins logins;
    struct route_view view;
    struct ip own[LOOKUP_OWN_MAX];
    struct list peers; /* struct lookup_peer: what each receive process has open */
    struct buf octets; /* for the answer in hand */
    struct worker *worker;
};

/* NULL with ERR. LOOP and CONFIG outlive it. WANT asks for a file of :include: (lookup/tables.h). */
struct lookup *lookup_new(struct io_loop *loop, const struct config *config, uint32_t generation,
                          void (*want)(struct lookup_tables *t, struct str path), struct err *err);
/* Takes NULL. */
void lookup_free(struct lookup *l);
/*
 * Rates are counted at FD from now on (stays the caller's), where those before us counted and those after us will. What is
 * no such memory is left alone: we count for ourselves.
 */
void lookup_share_rates(struct lookup *l, int fd);

/*
 * The answers. Texts of an answer borrow from the question, the tables and SCRATCH; they are good until the
 * next call. Nothing here waits. NOW runs like io_now_msec().
 */
struct lookup_turn {
    struct lookup *lookup;
    struct arena *scratch;
    struct buf *octets;
    int64_t now_msec;
    int64_t utc_msec;
    uint64_t session; /* that is asked about, for the log; 0: none */
    bool only_looks;  /* for explain: nothing is counted, remembered or logged */
};

/* Returns whether the client is exempt from the built-in limits, which by its end may have changed. */
bool lookup_connect(struct lookup_turn *t, const struct ipc_connect_ask *ask, struct ipc_connect_answer *answer);
/* EXEMPT: as lookup_connect() returned. */
void lookup_disconnect(struct lookup_turn *t, const struct ipc_disconnect *notice, bool exempt);
/* The connection is gone without a word: its process died. */
void lookup_release(struct lookup_turn *t, struct str client, uint32_t listener, bool exempt);
void lookup_mail(struct lookup_turn *t, const struct ipc_mail_ask *ask, struct ipc_mail_answer *answer);
void lookup_rcpt(struct lookup_turn *t, const struct ipc_rcpt_ask *ask, struct ipc_rcpt_answer *answer);
/* What a next hop said about an address of a domain with `users ask`. */
void lookup_hear_verified(struct lookup_turn *t, const struct ipc_verified *notice);

/*
 * A guess of auth process FROM. False: it waits; lookup_guess_next() has its answer one day. What was allowed is under
 * way until lookup_guessed() hears of its end, or its process is gone.
 */
bool lookup_guess(struct lookup_turn *t, struct ipc_channel *from, const struct ipc_guess_ask *ask,
                  struct ipc_guess_answer *answer);
void lookup_guessed(struct lookup_turn *t, struct ipc_channel *from, const struct ipc_guessed *notice);
void lookup_guesses_gone(struct lookup *l, const struct ipc_channel *from);
/* An answer that somebody waited for, and who; NULL: there is none now. */
struct ipc_channel *lookup_guess_next(struct lookup_turn *t, struct ipc_guess_answer *answer);

void lookup_vrfy(struct lookup_turn *t, const struct ipc_vrfy_ask *ask, struct ipc_vrfy_answer *answer);
void lookup_expand(struct lookup_turn *t, const struct ipc_expand_ask *ask, struct ipc_expand_answer *answer);
void lookup_route(struct lookup_turn *t, const struct ipc_route_ask *ask, struct ipc_route_answer *answer);
/* Only with a turn that ONLY_LOOKS. */
void lookup_explain(struct lookup_turn *t, const struct ipc_explain_ask *ask,
                    struct ipc_explain_answer *answer);

#endif
