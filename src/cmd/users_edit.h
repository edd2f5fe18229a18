/* cmd/users_edit.h -- one line of a users file changed, every other octet kept (FACE 1.11). Pure. */
#ifndef CMD_USERS_EDIT_H
#define CMD_USERS_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

enum { USERS_EDIT_MAX = 64 << 20 };

/* Whose line: LOCAL in any case; DOMAIN canonical. A line without a domain is of every one. */
struct users_name {
    struct str local;
    struct str domain;
};

/* A line, cut up: FIELDS are what stands between its colons. */
enum { USERS_FIELDS = 8, USERS_PASSWORD = 1, USERS_EXTRA = 7 };

struct users_line {
    size_t at, n; /* where it stands in the text; without its line end */
    struct str fields[USERS_FIELDS];
    size_t n_fields;
};

/* The line of NAME in TEXT; false: there is none. */
bool users_find(struct str text, const struct users_name *name, struct users_line *line);
/* The next line from *at on that is about somebody; false at the end. What cannot be understood is passed over. */
bool users_next(struct str text, size_t *at, struct users_line *line);

/* OUT becomes TEXT with another line in place of LINE. False: no room. */
MUST_USE bool users_set_password(struct buf *out, struct str text, const struct users_line *line, struct str password,
                                 struct str scram);
/* Nobody logs in as it, whoever vouches for him: "!" stands where a password would, or before it. */
MUST_USE bool users_lock(struct buf *out, struct str text, const struct users_line *line);
MUST_USE bool users_remove(struct buf *out, struct str text, const struct users_line *line);
/* At the end. PASSWORD empty: a mailbox without a log-in. */
MUST_USE bool users_add(struct buf *out, struct str text, struct str name, struct str password, struct str scram);

#endif
