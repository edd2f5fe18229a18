/* auth/password.h -- is this the password: crypt(3), keys of SCRAM; and SASLprep (RFC 4013). May take its time. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "auth/stored.h"

enum { AUTH_TEXT_MAX = 1023 };

/* A name or a password as SASLprep leaves it, NUL-terminated. */
struct auth_text {
    char c[AUTH_TEXT_MAX + 1];
};

enum auth_prepared { AUTH_PREPARED, AUTH_UNPREPARED, AUTH_PREPARE_NO_MEMORY };
/* UNPREPARED: nobody can have that name or password (RFC 4616 2); nor can one be empty, or longer than a text. */
enum auth_prepared auth_prepare(const char *said, struct auth_text *out);

enum auth_check { AUTH_CHECK_RIGHT, AUTH_CHECK_WRONG, AUTH_CHECK_FAILED };
/* PASSWORD is prepared; what STORED borrows is NUL-terminated. FAILED: no memory. */
enum auth_check auth_password_check(const struct auth_text *password, const struct auth_stored *stored);

#endif
