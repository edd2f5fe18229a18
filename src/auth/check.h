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
/* EXTERNAL: which of the certificate's addresses it is. False: none, x->detail says why. */
bool auth_find_certified(struct auth_exchange *x);

#endif
