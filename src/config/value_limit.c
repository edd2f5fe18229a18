/* config/value_limit.c -- limits on clients: who is counted, what, how much, and what happens above it. */
#include <inttypes.h>

#include "config/args.h"
#include "config/number.h"

/* In the order of the enums of config.h; what is not built comes last. */
static const struct config_scheme keys[] = {
    { STR_INIT("client"), true, "an address; IPv6 by /64" },
    { STR_INIT("network"), true, "/24; IPv6 by /48" },
    { STR_INIT("account"), true, "who logged in, or tries to" },
    { STR_INIT("sender"), true, "a reverse-path" },
    { STR_INIT("sender-domain"), true, "the domain of a reverse-path" },
    { STR_INIT("all"), true, "everybody together" },
    { STR_INIT("tenant"), false },
};
static const struct config_scheme measures[] = {
    { STR_INIT("connections"), true, "at once, a count: 50" },
    { STR_INIT("sessions"), true, "begun, a rate: 100/h" },
    { STR_INIT("messages"), true, "taken, a rate" },
    { STR_INIT("recipients"), true, "accepted, a rate; in 'domain' too" },
    { STR_INIT("octets"), true, "of content, a rate: 500M/d; in 'domain' too" },
    { STR_INIT("errors"), true, "5yz replies, a rate" },
    { STR_INIT("auth-failures"), true, "log-ins refused, a rate" },
    { STR_INIT("unknown-recipients"), true, "refused as no mailbox, a rate; in 'domain' too" },
};
static const struct config_scheme actions[] = {
    { STR_INIT("defer"), true, "421 or 450 4.7.1: later. The default" },
    { STR_INIT("reject"), true, "550 5.7.1, or 554 at connect: never" },
    { STR_INIT("hold"), true, "taken, and kept until released; of messages, recipients and octets" },
};

enum { WORDS_KEYS, WORDS_MEASURES, WORDS_ACTIONS };

const struct config_words config_limit_words[CONFIG_LIMIT_WORDS] = {
    [WORDS_KEYS] = { "key", keys, ARRAY_LEN(keys) },
    [WORDS_MEASURES] = { "measure", measures, ARRAY_LEN(measures) },
    [WORDS_ACTIONS] = { "action", actions, ARRAY_LEN(actions) },
};

struct str config_limit_key_name(enum config_limit_key key)
{
    BUG_ON((size_t)key >= ARRAY_LEN(keys));
    return keys[key].name;
}

struct str config_limit_measure_name(enum config_limit_measure measure)
{
    BUG_ON((size_t)measure >= ARRAY_LEN(measures));
    return measures[measure].name;
}

struct str config_limit_action_name(enum config_limit_action action)
{
    BUG_ON((size_t)action >= ARRAY_LEN(actions));
    return actions[action].name;
}

/* A session has an account and a sender only later; who guesses a password has named no sender yet. */
static bool can_count(enum config_limit_key key, enum config_limit_measure measure)
{
    bool of_sender = key == CONFIG_LIMIT_SENDER || key == CONFIG_LIMIT_SENDER_DOMAIN;

    if (measure == CONFIG_MEASURE_AUTH_FAILURES)
        return !of_sender;
    return (!of_sender && key != CONFIG_LIMIT_ACCOUNT) ||
           (measure != CONFIG_MEASURE_CONNECTIONS && measure != CONFIG_MEASURE_SESSIONS &&
            measure != CONFIG_MEASURE_ERRORS);
}

/* Only what is taken can be kept. */
static bool can_hold(enum config_limit_measure measure)
{
    return measure == CONFIG_MEASURE_MESSAGES || measure == CONFIG_MEASURE_RECIPIENTS ||
           measure == CONFIG_MEASURE_OCTETS;
}

bool config_limit_is_of_recipients(enum config_limit_measure measure)
{
    return measure == CONFIG_MEASURE_RECIPIENTS || measure == CONFIG_MEASURE_OCTETS ||
           measure == CONFIG_MEASURE_UNKNOWN_RECIPIENTS;
}

/* Somebody who writes a number alone is told how a rate is written. */
bool config_args_rate(struct config_args *a, const struct config_word *w, uint64_t *count, uint64_t *msec)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };
    uint64_t n;

    if (config_number_rate(w->text, count, msec))
        return true;
    if (!config_number_size(w->text, &n))
        return config_args_refuse(a, w, "a rate, such as 100/h or 3/10s");
    mark.hint = config_say(a->r, "did you mean '%.*s/h'?", STR_ARG(shown));
    return config_complain(a->r, mark, "'%.*s' is not a rate", STR_ARG(shown));
}

static bool take_count(struct config_args *a, const struct config_word *w, struct config_limit *limit)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };
    uint64_t n, msec;

    if (config_number_size(w->text, &limit->bound))
        return true;
    if (!config_number_rate(w->text, &n, &msec))
        return config_args_refuse(a, w, "a count");
    mark.cure = STR("connections are counted at once, not in a time; see 'sessions'");
    return config_complain(a->r, mark, "'%.*s' is not a count", STR_ARG(shown));
}

static bool take_bound(struct config_args *a, struct config_limit *limit)
{
    const struct config_word *w = config_args_need(a);
    bool at_once = limit->measure == CONFIG_MEASURE_CONNECTIONS;

    if (!w)
        return false;
    limit->written = w->text;
    if (str_eq(w->text, STR("none")))
        return true;
    if (at_once ? !take_count(a, w, limit) : !config_args_rate(a, w, &limit->bound, &limit->msec))
        return false;
    if (limit->bound < a->s->directive->least || limit->bound > a->s->directive->most)
        return config_args_refuse(a, w, "within reason: 1 at least");
    return true;
}

bool config_value_limit(struct config_args *a, union config_value *out)
{
    struct config_limit *limit = &out->limit;
    size_t key, measure, action;

    if (!config_args_one_of(a, &config_limit_words[WORDS_KEYS], &key) ||
        !config_args_one_of(a, &config_limit_words[WORDS_MEASURES], &measure))
        return false;
    *limit = (struct config_limit){ .key = (enum config_limit_key)key,
                                    .measure = (enum config_limit_measure)measure,
                                    .place = config_statement_place(a->s) };
    if (!can_count(limit->key, limit->measure))
        return config_complain(a->r, (struct config_mark){ .place = a->items[1].place },
                               "'%.*s' cannot be counted for each %.*s", STR_ARG(measures[measure].name),
                               STR_ARG(keys[key].name));
    if (!take_bound(a, limit))
        return false;
    if (!config_args_peek(a))
        return true;
    if (!config_args_one_of(a, &config_limit_words[WORDS_ACTIONS], &action))
        return false;
    limit->action = (enum config_limit_action)action;
    return limit->action != CONFIG_LIMIT_HOLD || can_hold(limit->measure) ||
           config_complain(a->r, (struct config_mark){ .place = a->items[3].place },
                           "'hold' keeps what is taken: messages, recipients or octets");
}
