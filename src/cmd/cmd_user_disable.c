/* cmd/cmd_user_disable.c -- veredus user disable NAME [--hold]: no log-in any more, and what it sent waits (FACE 2.1). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "cmd/user.h"

static int lock(struct user *u, const struct cmd_call *call)
{
    struct str password = u->line.n_fields > USERS_PASSWORD ? u->line.fields[USERS_PASSWORD] : STR_NONE;
    struct buf out = BUF_INIT(USERS_EDIT_MAX);
    int status = CMD_OK;

    if (!password.n || password.p[0] != '!') {
        out.failed = !users_lock(&out, u->text, &u->line);
        status = user_save(u, call, &out, "cannot log in any more; veredus user passwd changes that");
    } else if (!call->quiet && !call->json) {
        printf("%.*s cannot log in as it is (%.*s)\n", STR_ARG(u->account), STR_ARG(u->path));
    }
    buf_done(&out);
    return status;
}

/* What waits of it is held by the server. */
static int hold(struct user *u, const struct cmd_call *call)
{
    struct server s;
    json_t *row;
    uint64_t done = 0;

    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:s%,s:s}", "command", "queue hold", "account", u->account.p, u->account.n,
                                 "note", "its account was disabled"));
    while ((row = server_next(&s, NULL))) {
        if (row_has(row, "done"))
            done = row_number(row, "done");
        json_decref(row);
    }
    int status = s.exit;
    server_close(&s);
    if (status == CMD_OK && !call->quiet && !call->json)
        printf("%s message%s of it %s held\n", text_count(done).c, done == 1 ? "" : "s", done == 1 ? "is" : "are");
    return status;
}

int cmd_user_disable(const struct cmd_call *call)
{
    bool holds = call->argc == 3 && strcmp(call->argv[2], "--hold") == 0;
    struct user u;

    if (call->argc < 2 || call->argv[1][0] == '-' || call->argc > (holds ? 3 : 2))
        return cmd_usage(call, call->argc < 2 ? NULL : call->argv[call->argc - 1]);
    int status = user_have(&u, call, call->argv[1]);
    if (status == CMD_OK)
        status = lock(&u, call);
    if (status == CMD_OK && holds)
        status = hold(&u, call);
    user_close(&u);
    return status;
}
