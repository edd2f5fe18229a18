/* cmd/site_act.c */
#include "cmd/site_act.h"

#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/text.h"

static void print(const char *command, const char *name, uint64_t msec, uint64_t done)
{
    if (!strcmp(command, "site pause"))
        printf("%s is paused%s%s\n", name, msec ? " for " : "",
               msec ? text_age((int64_t)msec).c : " until it is resumed");
    else
        printf("%s %s\n", name, done ? "goes on" : "was not paused");
}

int site_act(const struct cmd_call *call, const char *command, const char *name, uint64_t msec)
{
    struct server s = { .fd = -1 };
    struct str line;
    json_t *row;

    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s,
                   json_pack("{s:s,s:s,s:I}", "command", command, "name", name, "msec", (json_int_t)msec));
    while ((row = server_next(&s, &line))) {
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        else if (!call->quiet)
            print(command, name, msec, row_number(row, "done"));
        json_decref(row);
    }
    int status = s.exit;
    server_close(&s);
    return status;
}
