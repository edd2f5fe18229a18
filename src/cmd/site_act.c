/* cmd/site_act.c */
#include "cmd/site_act.h"

#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/text.h"

/* "example.net is paused until it is resumed"; of several, which they are, and how one alone is meant. */
static void print(const char *command, const char *name, uint64_t msec, const json_t *row)
{
    uint64_t count = row_number(row, "count");
    struct str names = row_text(row, "names"), first = str_cut(&names, ',');
    const char *one = count > 1 ? "are" : "is", *it = count > 1 ? "they are" : "it is";

    if (count > 1)
        printf("%s sites are called %s: %s\n", text_count(count).c, name, row_text_c(row, "names"));
    const char *who = count > 1 ? "all of them" : name;
    if (strcmp(command, "site pause"))
        printf("%s %s\n", who, !row_number(row, "done") ? count > 1 ? "were not paused" : "was not paused"
                              : count > 1                ? "go on"
                                                         : "goes on");
    else if (msec)
        printf("%s %s paused for %s\n", who, one, text_age((int64_t)msec).c);
    else
        printf("%s %s paused until %s resumed\n", who, one, it);
    if (count > 1)
        printf("one alone: veredus %s %.*s\n", command, STR_ARG(first));
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
            print(command, name, msec, row);
        json_decref(row);
    }
    int status = s.exit;
    server_close(&s);
    return status;
}
