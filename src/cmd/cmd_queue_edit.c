/* cmd/cmd_queue_edit.c -- veredus queue edit ID: other addresses, another route for what still waits (FACE 2.1). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "core/id.h"

/* OLD=NEW; a local part may hold "=" itself, a domain cannot: it is parted at the first one behind OLD's "@". */
static int take_recipient(json_t *request, const char *value)
{
    const char *at = strchr(value, '@'), *mark = at ? strchr(at, '=') : NULL;
    json_t *list = json_object_get(request, "recipients");

    json_t *one = mark ? json_pack("{s:s%,s:s}", "old", value, (size_t)(mark - value), "new", mark + 1) : NULL;
    if (!one)
        return cmd_fail(CMD_USAGE, "--recipient bob@example.net=bob@example.org", "--recipient %s: not OLD=NEW", value);
    if (!list) {
        list = json_array();
        json_object_set_new(request, "recipients", list);
    }
    json_array_append_new(list, one);
    return CMD_OK;
}

static int take_text(json_t *request, const char *name, const char *value)
{
    json_t *text = json_string(value);

    if (!text)
        return cmd_fail(CMD_USAGE, NULL, "--%s: its value is not UTF-8", name);
    json_object_set_new(request, name, text);
    return CMD_OK;
}

static int take(const struct cmd_call *call, json_t *request, int *i)
{
    const char *word = call->argv[*i], *value = *i + 1 < call->argc ? call->argv[*i + 1] : NULL;
    struct queue_id id;

    if (word[0] != '-' && !json_object_get(request, "id")) {
        if (!queue_id_parse(str_from_c(word), &id))
            return cmd_fail(CMD_USAGE, "veredus queue lists them", "'%s' is not a queue id", word);
        return take_text(request, "id", word);
    }
    if (!value)
        return cmd_usage(call, word);
    ++*i;
    if (!strcmp(word, "--recipient"))
        return take_recipient(request, value);
    if (!strcmp(word, "--sender"))
        return take_text(request, "sender", value);
    if (!strcmp(word, "--route"))
        return take_text(request, "route", strcmp(value, "default") ? value : "");
    return cmd_usage(call, word);
}

static void print_done(const char *id, uint64_t recipients, bool held)
{
    if (held)
        printf("%s is changed and stays held: veredus queue release %s\n", id, id);
    else if (recipients)
        printf("%s is changed; %s recipient%s tried now\n", id, text_count(recipients).c,
               recipients == 1 ? " is" : "s are");
    else
        printf("%s is changed\n", id);
}

int cmd_queue_edit(const struct cmd_call *call)
{
    json_t *request = json_pack("{s:s}", "command", "queue edit"), *row;
    struct server s = { .fd = -1 };
    struct str line;
    int status = CMD_OK;

    for (int i = 1; i < call->argc && status == CMD_OK; i++)
        status = take(call, request, &i);
    if (status == CMD_OK && !json_object_get(request, "id"))
        status = cmd_usage(call, NULL);
    if (status == CMD_OK && json_object_size(request) < 3)
        status = cmd_fail(CMD_USAGE, "--sender A, --recipient OLD=NEW, --route TARGET", "%s: nothing to change",
                          call->words);
    if (status != CMD_OK)
        goto out;
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_incref(request));
    while ((row = server_next(&s, &line))) {
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        else if (!call->quiet && row_has(row, "recipients"))
            print_done(row_text_c(request, "id"), row_number(row, "recipients"),
                       json_is_true(json_object_get(row, "held")));
        json_decref(row);
    }
    status = s.exit;
out:
    server_close(&s);
    json_decref(request);
    return status;
}
