/* cmd/queue_act.c -- first count, then ask, then do. */
#include "cmd/queue_act.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/row.h"
#include "cmd/select.h"
#include "cmd/server.h"
#include "cmd/text.h"

struct outcome {
    uint64_t count, done;
    uint64_t early; /* left to their release times */
    bool told;
};

/* One question, answered by counts and lines for people; REQUEST stays the caller's. The exit code is the
 * server's. */
static int ask(const struct cmd_call *call, json_t *request, struct outcome *o, bool print)
{
    struct server s;
    struct str line;
    json_t *object;

    *o = (struct outcome){ 0 };
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_incref(request));
    while ((object = server_next(&s, &line))) {
        if (row_has(object, "count")) {
            o->count = row_number(object, "count");
            o->done = row_number(object, "done");
            o->early = row_number(object, "early");
            o->told = true;
        }
        if (print && call->json)
            printf("%.*s\n", STR_ARG(line));
        else if (print && row_has(object, "text"))
            fprintf(stderr, "%s\n", row_text_c(object, "text"));
        json_decref(object);
    }
    int status = s.exit;
    server_close(&s);
    return status;
}

static bool says_yes(void)
{
    char line[16];

    return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* May it go on? More than one message is a question to whoever sits there. */
static int confirm(const struct cmd_call *call, const struct queue_act *act, json_t *request)
{
    struct outcome o;

    json_object_set_new(request, "dry", json_true());
    int status = ask(call, request, &o, false);
    json_object_del(request, "dry");
    if (status != CMD_OK)
        return status;
    if (!o.count)
        return cmd_fail(CMD_FOUND, "veredus queue lists what waits", "no such message in the queue");
    if (o.count == 1)
        return CMD_OK;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return cmd_fail(CMD_USAGE, "-y does it without asking", "that would %s %s messages", act->verb,
                        text_count(o.count).c);
    fprintf(stderr, "%s %s messages? [y/N] ", act->verb, text_count(o.count).c);
    fflush(stderr);
    return says_yes() ? CMD_OK : cmd_fail(CMD_FOUND, NULL, "nothing was done");
}

static void print(const struct queue_act *act, const struct outcome *o)
{
    uint64_t done = o->done + o->early, rest = o->count > done ? o->count - done : 0;

    printf("%s message%s %s", text_count(o->done).c, o->done == 1 ? "" : "s",
           o->done == 1 ? act->one : act->many);
    if (rest)
        printf("; %s %s %s", text_count(rest).c, rest == 1 ? "was" : "were", act->rest);
    printf("\n");
    if (o->early)
        printf("%s wait%s for the time that was asked for in MAIL: veredus queue release lets %s go\n",
               text_count(o->early).c, o->early == 1 ? "s" : "", o->early == 1 ? "it" : "them");
}

static int do_it(const struct cmd_call *call, const struct queue_act *act, json_t *request)
{
    struct outcome o;
    int status = ask(call, request, &o, true);

    if (status != CMD_OK)
        return status;
    if (!o.count)
        return cmd_fail(CMD_FOUND, "veredus queue lists what waits", "no such message in the queue");
    if (!call->json && !call->quiet)
        print(act, &o);
    return CMD_OK;
}

int queue_act(const struct cmd_call *call, const struct queue_act *act)
{
    struct select s;
    int status = select_read(&s, call, act->command, act->options | SELECT_YES);

    if (status == CMD_OK && !s.chosen)
        status = cmd_fail(CMD_USAGE, "name their ids, or choose by --from, --site, ... or --all",
                          "%s: which messages?", call->words);
    if (status == CMD_OK && !s.yes)
        status = confirm(call, act, s.request);
    if (status == CMD_OK)
        status = do_it(call, act, s.request);
    json_decref(s.request);
    return status;
}
