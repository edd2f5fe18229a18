/* cmd/user.h -- what the subcommands of veredus user share: whose line in which file, and its password. */
#ifndef CMD_USER_H
#define CMD_USER_H

#include "auth/password.h"
#include "cmd/settings.h"
#include "cmd/users_edit.h"
#include "state/rewrite.h"

struct user {
    struct settings settings;
    struct arena *arena;
    const struct config_domain *block;
    struct users_name name;
    struct str account; /* local@domain */
    struct str path;    /* of the users file that has it, or to which it is to be added */
    struct state_rewrite file;
    struct str text;
    bool found;
    struct users_line line; /* when FOUND */
};

/*
 * The account that the one argument of CALL names, with its file read and locked. CMD_OK, or an exit code and the reason
 * was printed. user_close() in any case.
 */
int user_open(struct user *u, const struct cmd_call *call, const char *name);
/* As user_open(), and it must be there. */
int user_have(struct user *u, const struct cmd_call *call, const char *name);
/* Says what became of a users file that cannot be had; returns the exit code for it. */
int user_fail(const struct err *err);
/* The file holds OUT from now on; says what was DONE ("can log in"; NULL: nothing is said). */
int user_save(struct user *u, const struct cmd_call *call, const struct buf *out, const char *done);
/* Says what its owner has to know. YESCRYPT: so its password is hashed. */
void user_welcome(const struct user *u, bool yescrypt);
void user_close(struct user *u);

/* ACCOUNT's: asked twice on a terminal, the first line of standard input otherwise; prepared (RFC 4013). */
int user_ask_password(struct str account, struct auth_text *password);
/* {CRYPT}yescrypt, and ITERATIONS,SALT,STORED,SERVER (RFC 5802). False: no randomness, or no memory. */
MUST_USE bool user_hash(const struct auth_text *password, struct buf *hash, struct buf *scram);

#endif
