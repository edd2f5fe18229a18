/* auth/ended.h -- whose log-ins end when a users file changes: who is gone, locked out, or has another password. */
#ifndef AUTH_ENDED_H
#define AUTH_ENDED_H

#include "auth/files.h"
#include "log/log.h"

/*
 * Does a log-in as LOCAL at DOMAIN (canonical) outlive CHANGE? NONE: it does. Else REMOVED, LOCKED, or PASSWORD: what is
 * stored is another hash, or other keys. An account that is new ends nothing, unless it is there to lock somebody out.
 */
enum log_reason auth_ended(const struct auth_files_change *change, struct str local, struct str domain);

/* Of struct auth_files: exchanges under way are put off, and receive and submit hear whose sessions are over. */
void auth_files_changed(struct auth_files *files, const struct auth_files_change *change);

#endif
