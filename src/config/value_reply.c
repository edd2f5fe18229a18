/* config/value_reply.c -- replies of other hosts that something is to be done about (RFC 5321 4.2.1, RFC 3463
 * 2). */
#include "config/args.h"
#include "core/num.h"

/* In the order of enum config_reply_action. */
static const struct config_scheme actions[] = {
    { STR_INIT("defer"), true, "try again later, also what was refused for good" },
    { STR_INIT("fail"), true, "return it, also what was only put off" },
    { STR_INIT("slow"), true, "fewer connections at once; the reply itself counts as what it is" },
    { STR_INIT("hold"), true, "keep it until somebody releases it" },
    { STR_INIT("pause"), true, "nothing goes there for the time that follows" },
};

const struct config_words config_reply_words = { "action", actions, ARRAY_LEN(actions) };

enum { STATUS_PARTS = 3, CODE_DIGITS = 3 };

/* ---- codes ---- */

static bool is_failure(char c)
{
    return c == '4' || c == '5';
}

/* "421" */
static bool parse_code(struct str s, unsigned *out)
{
    uint64_t n;

    if (s.n != CODE_DIGITS || !is_failure(s.p[0]) || s.p[1] > '5' || !num_parse_u64(s, 599, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

/* "28", without a zero before it, or "*" where that may be. */
static bool parse_part(struct str s, bool class, unsigned *out)
{
    uint64_t n;

    if (!class && str_eq(s, STR("*"))) {
        *out = CONFIG_STATUS_ANY;
        return true;
    }
    if (!num_parse_u64(s, 999, &n) || (s.n > 1 && s.p[0] == '0') || (class && n != 4 && n != 5))
        return false;
    *out = (unsigned)n;
    return true;
}

/* "4.7.28", "5.7.*", "5.*.*" */
static bool parse_status(struct str s, unsigned out[STATUS_PARTS])
{
    for (int i = 0; i < STATUS_PARTS; i++) {
        struct str part = str_cut(&s, '.');
        if (!part.n || !parse_part(part, i == 0, &out[i]))
            return false;
    }
    return !s.p;
}

/* "5.7", "5.7.", "5yz", "5xx", "5*", as others write what is "5.7.*" and "5.*.*" here. */
static struct str code_hint(struct config_args *a, struct str s)
{
    struct str parts[STATUS_PARTS], rest = s;
    size_t n = 0;

    if (!s.n || !is_failure(s.p[0]))
        return STR_NONE;
    if (s.n == 1 || s.p[1] == '*' || str_eq_nocase(str_skip(s, 1), STR("yz")) ||
        str_eq_nocase(str_skip(s, 1), STR("xx")))
        return config_say(a->r, "did you mean '%c.*.*'?", s.p[0]);
    while (rest.p && n < STATUS_PARTS)
        parts[n++] = str_cut(&rest, '.');
    unsigned subject;
    if (parts[0].n == 1 && n > 1 && parts[1].n && parse_part(parts[1], false, &subject) &&
        (n == 2 || !parts[2].n) && !rest.p)
        return config_say(a->r, "did you mean '%c.%.*s.*'?", s.p[0], STR_ARG(parts[1]));
    return STR_NONE;
}

static bool read_code(struct config_args *a, const struct config_word *w, struct config_on_reply *out)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place, .cure = STR("codes are written: 421 4.7.28 5.7.* 5.*.*") };

    if (parse_code(w->text, &out->code) || parse_status(w->text, out->status))
        return true;
    mark.hint = code_hint(a, w->text);
    if (w->text.n >= 3 && (w->text.p[0] == '2' || w->text.p[0] == '3') && !mark.hint.n)
        mark.cure = STR("replies that begin with 4 or 5 are looked at");
    return config_complain(a->r, mark, "'%.*s' is not the code of a reply", STR_ARG(shown));
}

/* ---- what is done ---- */

static bool is_action(const struct config_word *w)
{
    return config_scheme_find(w, actions, ARRAY_LEN(actions)) < ARRAY_LEN(actions);
}

static bool is_near_action(const struct config_word *w)
{
    struct str names[ARRAY_LEN(actions)];

    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        names[i] = actions[i].name;
    return config_slip_nearest(w->text, names, ARRAY_LEN(actions)) < ARRAY_LEN(actions);
}

/* Is what comes next the text, and the action behind it? A text may be the word of an action too. */
static bool text_is_next(const struct config_args *a)
{
    const struct config_word *w = config_args_peek(a);

    if (!w || a->at + 1 >= a->n)
        return false;
    return is_action(w + 1) || (!is_action(w) && !is_near_action(w));
}

static bool take_text(struct config_args *a, struct config_on_reply *out)
{
    const struct config_word *w = config_args_next(a);

    out->text = w->text;
    return w->text.n ||
           config_complain(
               a->r, (struct config_mark){ .place = w->place, .cure = STR("leave it out: any text fits") },
               "the text of the reply is empty");
}

/* How long: of a pause, and of nothing else. */
static bool take_time(struct config_args *a, struct config_on_reply *out)
{
    const struct config_word *w = config_args_peek(a);
    struct config_mark mark = { .cure = STR("such as: on-reply 4.7.* pause 10m;") };

    if (out->action == CONFIG_REPLY_PAUSE && !w) {
        mark.place = a->items[a->n - 1].place;
        return config_complain(a->r, mark, "'pause' needs a time");
    }
    if (!w)
        return true;
    if (out->action == CONFIG_REPLY_PAUSE)
        return config_args_time(a, config_args_next(a), &out->msec);
    mark.place = w->place;
    return config_complain(a->r, mark, "only 'pause' takes a time");
}

/* `CODE [TEXT] ACTION [TIME]`, or `none`. */
bool config_value_on_reply(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_on_reply *reply = &out->on_reply;
    size_t action;

    if (!w)
        return false;
    reply->place = config_statement_place(a->s);
    if (str_eq(w->text, STR("none")))
        return true;
    if (!read_code(a, w, reply) || (text_is_next(a) && !take_text(a, reply)) ||
        !config_args_one_of(a, &config_reply_words, &action))
        return false;
    reply->action = (enum config_reply_action)action;
    return take_time(a, reply);
}
