/* queue/on_reply.c */
#include "queue/on_reply.h"

#include "core/num.h"

enum { PARTS = 3, PART_MAX = 999 };

/* "4.7.28", as RFC 3463 2 has it. */
static bool parse_status(struct str s, unsigned out[PARTS])
{
    for (size_t i = 0; i < PARTS; i++) {
        uint64_t n;
        if (!num_parse_u64(str_cut(&s, '.'), PART_MAX, &n))
            return false;
        out[i] = (unsigned)n;
    }
    return !s.p;
}

static bool has_status(const struct config_on_reply *rule, unsigned code, struct str status)
{
    unsigned parts[PARTS];

    if (!parse_status(status, parts))
        return rule->status[0] == code / 100 && rule->status[1] == CONFIG_STATUS_ANY &&
               rule->status[2] == CONFIG_STATUS_ANY;
    for (size_t i = 0; i < PARTS; i++)
        if (rule->status[i] != CONFIG_STATUS_ANY && rule->status[i] != parts[i])
            return false;
    return true;
}

static bool contains(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (str_starts_nocase(str_skip(text, i), part))
            return true;
    return false;
}

const struct config_on_reply *on_reply_find(const struct config_on_replies *rules, unsigned code,
                                            struct str status, struct str text)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct config_on_reply *rule = &rules->items[i];
        bool fits = rule->code ? rule->code == code : has_status(rule, code, status);
        if (fits && contains(text, rule->text))
            return rule;
    }
    return NULL;
}

const char *on_reply_action(const struct config_on_reply *rule)
{
    static const char *const words[] = {
        [CONFIG_REPLY_DEFER] = "defer", [CONFIG_REPLY_FAIL] = "fail",   [CONFIG_REPLY_SLOW] = "slow",
        [CONFIG_REPLY_HOLD] = "hold",   [CONFIG_REPLY_PAUSE] = "pause",
    };

    return words[rule->action];
}
