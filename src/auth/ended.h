/*
 * auth/ended.h -- whose log-ins end: when a users file changes, who is gone, locked out, or has another password; when the
 * configuration changes, who has no source any more.
 */
#ifndef AUTH_ENDED_H
#define AUTH_ENDED_H

#include "auth/auth.h"
#include "log/log.h"

/*
 * Does a log-in as LOCAL at DOMAIN (canonical) outlive CHANGE? NONE: it does. Else REMOVED, LOCKED, or PASSWORD: what is
 * stored is another hash, or other keys. An account that is new ends nothing, unless it is there to lock somebody out.
 */
enum log_reason auth_ended(const struct auth_files_change *change, struct str local, struct str domain);

/* Of struct auth_files: exchanges under way are put off, and receive and submit hear whose sessions are over. */
void auth_files_changed(struct auth_files *files, const struct auth_files_change *change);

/* Ask INTAKE, if its configuration is older than ours, who is logged in there; auth_login_kept() hears it. */
void auth_want_logins(struct auth *auth, struct ipc_channel *intake);
/*
 * Somebody is logged in as ACCOUNT under a former configuration of FROM's. FROM is told when ours has no source for him at
 * any listener, or locks him. Who can only be asked with a password (PAM, Dovecot, an issuer) may know him.
 */
void auth_login_kept(struct auth *auth, struct ipc_channel *from, struct str account);

#endif
