/* auth/name.h -- the name somebody logs in with, as an account (FACE 1.9 origin). Pure. */
#ifndef AUTH_NAME_H
#define AUTH_NAME_H

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"

struct auth_name {
    struct str local;   /* as it was said */
    struct str domain;  /* canonical; the origin when none was said */
    struct str account; /* both, in small letters: what guesses are counted by, and who it is unless a table spells it */
};

enum auth_name_read { AUTH_NAME_OK, AUTH_NAME_NOBODY, AUTH_NAME_NO_MEMORY };

/* SAID is prepared. NOBODY: no account can be called so. What *out holds is in A. */
enum auth_name_read auth_name_read(struct arena *a, struct str said, struct str origin, struct auth_name *out);

#endif
