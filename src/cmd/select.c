/* cmd/select.c */
#include "cmd/select.h"

#include <string.h>

#include "config/number.h"
#include "core/id.h"

/* Options whose value goes to the server as it is. */
static const char *const texts[] = { "--from", "--to", "--account", "--site", "--reason" };

static int take_state(struct select *s, const char *value)
{
    static const char *const states[] = { "ready", "sending", "deferred", "held" };

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (strcmp(value, states[i]) == 0) {
            json_object_set_new(s->request, "state", json_string(value));
            return CMD_OK;
        }
    }
    return cmd_fail(CMD_USAGE, "ready, sending, deferred or held", "--state %s: no such state", value);
}

static int take_older(struct select *s, const char *value)
{
    uint64_t msec;

    if (!config_number_time(str_from_c(value), &msec) || !msec || msec > INT64_MAX)
        return cmd_fail(CMD_USAGE, "--older 90s, 2h30m, 5d", "--older %s: not a time", value);
    json_object_set_new(s->request, "older_msec", json_integer((json_int_t)msec));
    return CMD_OK;
}

static int take_id(struct select *s, const char *value)
{
    json_t *ids = json_object_get(s->request, "ids");
    struct queue_id id;

    if (!queue_id_parse(str_from_c(value), &id))
        return cmd_fail(CMD_USAGE, "veredus queue lists them", "'%s' is not a queue id", value);
    if (!ids) {
        ids = json_array();
        json_object_set_new(s->request, "ids", ids);
    }
    json_array_append_new(ids, json_string(value));
    return CMD_OK;
}

/* OPTION with its VALUE; *understood false: it is none of SELECT. */
static int take_value(struct select *s, const char *option, const char *value, bool *understood)
{
    *understood = true;
    if (!value[0])
        return cmd_fail(CMD_USAGE, NULL, "%s: its value is empty", option);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(option, texts[i]) == 0) {
            json_t *text = json_string(value);
            if (!text)
                return cmd_fail(CMD_USAGE, NULL, "%s: its value is not UTF-8", option);
            json_object_set_new(s->request, option + 2, text);
            return CMD_OK;
        }
    }
    if (strcmp(option, "--state") == 0)
        return take_state(s, value);
    if (strcmp(option, "--older") == 0)
        return take_older(s, value);
    if (strcmp(option, "--tenant") == 0)
        return cmd_fail(CMD_USAGE, NULL, "--tenant: tenants are not built yet");
    *understood = false;
    return CMD_OK;
}

static int take_note(struct select *s, const char *value)
{
    json_t *note = json_string(value);

    if (!note)
        return cmd_fail(CMD_USAGE, NULL, "--note: its value is not UTF-8");
    json_object_set_new(s->request, "note", note);
    return CMD_OK;
}

/* A word without a value; false: it is none of those OPTIONS allows. */
static bool take_flag(struct select *s, const char *word, unsigned options)
{
    if (strcmp(word, "--all") == 0)
        json_object_set_new(s->request, "all", json_true());
    else if (strcmp(word, "-y") == 0 && (options & SELECT_YES))
        s->yes = true;
    else if (strcmp(word, "--bounce") == 0 && (options & SELECT_BOUNCE))
        json_object_set_new(s->request, "bounce", json_true());
    else
        return false;
    return true;
}

static int take(struct select *s, const struct cmd_call *call, int *i, unsigned options)
{
    char *const *argv = call->argv;
    const char *word = argv[*i], *value = *i + 1 < call->argc ? argv[*i + 1] : NULL;
    bool understood = false;
    int status = CMD_OK;

    if (word[0] != '-') {
        s->chosen = true;
        return take_id(s, word);
    }
    if (take_flag(s, word, options)) {
        s->chosen = s->chosen || strcmp(word, "--all") == 0;
        return CMD_OK;
    }
    if (value && strcmp(word, "--note") == 0 && (options & SELECT_NOTE)) {
        ++*i;
        return take_note(s, value);
    }
    if (value)
        status = take_value(s, word, value, &understood);
    if (!understood)
        return cmd_usage(call, word);
    ++*i;
    s->chosen = true;
    return status;
}

int select_read(struct select *s, const struct cmd_call *call, const char *command, unsigned options)
{
    int status = CMD_OK;

    *s = (struct select){ .request = json_pack("{s:s}", "command", command) };
    for (int i = 1; i < call->argc && status == CMD_OK; i++)
        status = take(s, call, &i, options);
    if (status == CMD_OK && json_object_get(s->request, "all")) {
        static const char *const others[] = { "ids", "from", "to", "account", "site", "reason", "state", "older_msec" };
        for (size_t i = 0; i < ARRAY_LEN(others); i++)
            if (json_object_get(s->request, others[i]))
                return cmd_fail(CMD_USAGE, NULL, "%s: --all, and a choice beside it: which is meant?",
                                call->words);
    }
    return status;
}
