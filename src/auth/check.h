/* auth/check.h -- does the account have this password, or these keys: the sources asked one after the other. */
#ifndef AUTH_CHECK_H
#define AUTH_CHECK_H

#include "auth/exchange.h"

enum auth_verdict {
    AUTH_VERDICT_YES,   /* x->account is set */
    AUTH_VERDICT_NO,    /* x->detail says why, as LATER's */
    AUTH_VERDICT_LATER, /* who would know cannot be asked now */
    AUTH_VERDICT_WAIT,  /* somebody was asked; auth_check_next() again when they do not know it */
};

/* x->name from what was said. */
enum auth_name_read auth_take_name(struct auth_exchange *x);
/* Go on with x->sources. */
enum auth_verdict auth_check_next(struct auth_exchange *x);
/* What PAM or Dovecot said, and further sources when they do not know the password. */
enum auth_verdict auth_check_pam(struct auth_exchange *x, const struct ipc_pam_answer *answer);
enum auth_verdict auth_check_dovecot(struct auth_exchange *x, const struct dovecot_line *line);
/* Of struct auth_sasl: the keys of the account, or such that nobody can match and that look the same each time. */
bool auth_find_keys(struct auth_sasl *s, struct auth_scram_keys *keys);
/*
 * Nobody's password is looked at: may x->name log in, so far as the users files know? WANTED: the account it has to be,
 * empty for any. YES: x->account is set. LATER: a users file cannot be had, which might lock it. Never WAIT.
 */
enum auth_verdict auth_take_vouched(struct auth_exchange *x, struct str wanted);
/* EXTERNAL: which of the certificate's addresses it is. False: none, x->detail says why. */
bool auth_find_certified(struct auth_exchange *x);

/* The message of OAUTHBEARER or XOAUTH2: x->token, and as whom, if it is said, x->sasl.authzid. */
enum auth_token { AUTH_TOKEN_TAKEN, AUTH_TOKEN_WRONG, AUTH_TOKEN_NO_MEMORY };
enum auth_token auth_take_token(struct auth_exchange *x, struct str message);
/* Is it a token of an issuer that the account's sources name? x->name and x->account are the token's. */
enum auth_verdict auth_check_token(struct auth_exchange *x);
/* Goes on after WAIT: with what the issuer said of the token. When keys were waited for, auth_check_token() again does. */
enum auth_verdict auth_check_introspected(struct auth_exchange *x, const struct ipc_fetch_answer *answer);

#endif
