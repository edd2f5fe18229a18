/* config/value.c -- the values that are one word, and which grammar has which reader. */
#include "config/value.h"

#include <inttypes.h>
#include <string.h>

#include "config/args.h"
#include "config/names.h"
#include "config/number.h"
#include "config/parse.h"
#include "core/num.h"

enum { SEPARATORS_MAX = 8 };

static bool read_path(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text.place = w->place;
    return config_args_path(a, w, w->text, &out->text.text);
}

static bool read_host(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_mark mark = { .cure = STR("write the full name, such as: hostname mail.example.org;") };
    struct err err = { 0 };

    if (!w)
        return false;
    struct str shown = config_shown(a->r, w->text);
    mark.place = w->place;
    if (config_name_looks_like_ip(w->text))
        return config_complain(a->r, mark, "'%.*s' is an address, not a name", STR_ARG(shown));
    out->text.place = w->place;
    if (!config_domain_normal(w->text, a->r->arena, &out->text.text, &err))
        return err.kind == ERR_TEMP
                   ? config_exhausted(a->r)
                   : config_complain(a->r, mark, "'%.*s' is not a host name: %s", STR_ARG(shown), err.text);
    if (!str_has(out->text.text, '.'))
        return config_complain(a->r, mark, "'%.*s' has no dot: it is not a full host name", STR_ARG(shown));
    return true;
}

static bool read_domain(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text.place = w->place;
    return config_args_domain(a, w, w->text, &out->text.text);
}

/* `none` takes away what stands outside. */
static bool read_account(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text.place = w->place;
    if (str_eq(w->text, STR("none")))
        return true;
    if (str_eq(w->text, STR("root")))
        return config_complain(
            a->r,
            (struct config_mark){ .place = w->place,
                                  .cure = STR("name an account that owns nothing but the mail") },
            "nothing is done as root");
    out->text.text = w->text;
    return config_name_is_account(w->text) || config_args_refuse(a, w, "the name of an account");
}

static bool read_word(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text = (struct config_text){ .text = w->text, .place = w->place };
    return config_name_is_word(w->text) ||
           config_args_refuse(a, w, "a word of letters, digits, '.', '_' and '-'");
}

static bool is_mode(struct str s)
{
    return s.n >= 3 && s.n <= 4 && ascii_is_digit(s.p[0]);
}

/* The mode, and perhaps a group, behind the path of a socket. */
static bool read_mode_words(struct config_args *a, const struct config_word *w, struct config_socket *out)
{
    uint64_t mode;

    if (!is_mode(w->text) || !num_parse_octal(w->text, 0777, &mode))
        return config_args_refuse(a, w, "a mode in octal, such as 0660");
    out->mode = (unsigned)mode;
    w = config_args_next(a);
    if (w && !config_name_is_account(w->text))
        return config_args_refuse(a, w, "the name of a group");
    out->group = w ? w->text : STR_NONE;
    return true;
}

static bool read_mode(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->socket = (struct config_socket){ .place = w->place };
    return read_mode_words(a, w, &out->socket);
}

/* What is not said is the default: mode 0660 of group veredus (FACE 1.9). */
static bool read_socket(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->socket = (struct config_socket){ .place = w->place, .mode = 0660, .group = STR("veredus") };
    if (!config_args_path(a, w, w->text, &out->socket.path))
        return false;
    w = config_args_next(a);
    return !w || read_mode_words(a, w, &out->socket);
}

static bool in_bounds(struct config_args *a, const struct config_word *w, uint64_t n)
{
    const struct config_directive *d = a->s->directive;

    if (n >= d->least && n <= d->most)
        return true;
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };
    if (n < d->least)
        return config_complain(a->r, mark, "'%.*s' is too little: '%.*s' is %" PRIu64 " at least",
                               STR_ARG(shown), STR_ARG(d->name), d->least);
    return config_complain(a->r, mark, "'%.*s' is too much: '%.*s' is %" PRIu64 " at most", STR_ARG(shown),
                           STR_ARG(d->name), d->most);
}

/* k M G only: somebody who writes "10MB" or "50K" is told how it is spelt here. */
static struct str size_hint(struct config_args *a, struct str written)
{
    size_t digits = 0;

    while (digits < written.n && ascii_is_digit(written.p[digits]))
        digits++;
    struct str unit = str_skip(written, digits);
    if (!digits || !unit.n || unit.n > 3)
        return STR_NONE;
    char c = ascii_lower(unit.p[0]) == 'k' ? 'k' : ascii_upper(unit.p[0]);
    if ((c != 'k' && c != 'M' && c != 'G') || (unit.n == 1 && unit.p[0] == c))
        return STR_NONE;
    return config_say(a->r, "did you mean '%.*s%c'?", STR_ARG(str_head(written, digits)), c);
}

bool config_args_number(struct config_args *a, const struct config_word *w, uint64_t *n)
{
    if (config_number_size(w->text, n))
        return in_bounds(a, w, *n);
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = config_args_mark(a, w);
    mark.hint = size_hint(a, w->text);
    return config_complain(a->r, mark, "'%.*s' is not a number", STR_ARG(shown));
}

static bool read_number(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->number.place = w->place;
    return config_args_number(a, w, &out->number.n);
}

static bool read_count_or_auto(struct config_args *a, struct config_count *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    *out = (struct config_count){ .automatic = str_eq(w->text, STR("auto")), .place = w->place };
    return out->automatic || config_args_number(a, w, &out->n);
}

static bool read_count(struct config_args *a, union config_value *out)
{
    return read_count_or_auto(a, &out->count);
}

static bool read_share(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->share = (struct config_share){ .percent = str_ends(w->text, STR("%")), .place = w->place };
    if (out->share.percent ? config_number_percent(w->text, &out->share.n)
                           : config_number_size(w->text, &out->share.n))
        return true;
    return config_args_refuse(a, w, "a size or a percentage");
}

bool config_args_time(struct config_args *a, const struct config_word *w, uint64_t *msec)
{
    uint64_t bare;

    if (config_number_time(w->text, msec))
        return in_bounds(a, w, *msec);
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place,
                                .cure = STR("units are ms s m h d w, the larger first: 1h30m") };
    if (num_parse_u64(w->text, UINT32_MAX, &bare))
        mark.hint = config_say(a->r, "did you mean '%.*ss'?", STR_ARG(shown));
    return config_complain(a->r, mark, "'%.*s' is not a time", STR_ARG(shown));
}

static bool read_time_word(struct config_args *a, struct config_time *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->place = w->place;
    return config_args_time(a, w, &out->msec);
}

static bool read_time(struct config_args *a, union config_value *out)
{
    return read_time_word(a, &out->time);
}

/* `off` is no time at all. */
static bool read_time_or_off(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_peek(a);

    if (!w || !str_eq(w->text, STR("off")))
        return read_time_word(a, &out->time);
    out->time.place = w->place;
    return config_args_next(a);
}

static bool read_flag(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->flag = (struct config_flag){ .on = str_eq(w->text, STR("on")), .place = w->place };
    return out->flag.on || str_eq(w->text, STR("off")) || config_args_refuse(a, w, "'on' or 'off'");
}

/* The choices are the documented value: "off | syntax | fqdn". */
static bool read_choice(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct str choices[8];
    size_t n = 0;

    if (!w)
        return false;
    for (struct str rest = a->s->directive->value; rest.p && n < ARRAY_LEN(choices);)
        choices[n++] = str_trim(str_cut(&rest, '|'));
    for (size_t i = 0; i < n; i++)
        if (str_eq(choices[i], w->text)) {
            out->choice = (struct config_choice){ .value = (int)i, .place = w->place };
            return true;
        }
    size_t near = config_slip_nearest(w->text, choices, n);
    struct str shown = config_shown(a->r, w->text), name = a->s->directive->name;
    struct config_mark mark = { .place = w->place };
    if (near < n)
        mark.hint = config_hint(a->r, choices[near]);
    mark.cure = config_say(a->r, "%.*s takes: %.*s", STR_ARG(name), STR_ARG(a->s->directive->value));
    return config_complain(a->r, mark, "'%.*s' is no value of '%.*s'", STR_ARG(shown), STR_ARG(name));
}

/* Characters that part user and detail; none of those that a local part or a domain is made of. */
static bool read_separators(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text.place = w->place;
    if (str_eq(w->text, STR("off")) || str_eq(w->text, STR("none")))
        return true;
    for (size_t i = 0; i < w->text.n; i++)
        if (!str_has(STR("!#$%&'*+-/=?^_`{|}~."), w->text.p[i]))
            return config_args_refuse(a, w, "made of characters that can part a name, such as '+' and '-'");
    out->text.text = w->text;
    return (w->text.n && w->text.n <= SEPARATORS_MAX) || config_args_refuse(a, w, "one to eight characters");
}

static bool read_workers(struct config_args *a, union config_value *out)
{
    static const struct str kinds[] = { STR_INIT("receive"), STR_INIT("send") };
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i], w->text)) {
            out->workers.kind = (enum config_worker_kind)i;
            return read_count_or_auto(a, &out->workers.count);
        }
    return config_args_refuse(a, w, "a kind of process that can be counted: receive, send");
}

/* In the order of enum config_timeout_kind; what is not built comes last. */
static const struct config_scheme timeout_kinds[] = {
    { STR_INIT("command"), true, "last reply to end of the next command, or between reads of content" },
    { STR_INIT("transaction"), true, "MAIL to final dot" },
    { STR_INIT("lookup"), true, "an answer from the tables" },
    { STR_INIT("connect"), true, "a connection to a host; from here on in 'route', 'domain' and 'site' too" },
    { STR_INIT("greeting"), true, "the peer's 220" },
    { STR_INIT("ehlo"), true, "its reply to EHLO" },
    { STR_INIT("mail"), true, "its reply to MAIL" },
    { STR_INIT("rcpt"), true, "its reply to RCPT" },
    { STR_INIT("data"), true, "its reply to DATA" },
    { STR_INIT("block"), true, "a block of content written" },
    { STR_INIT("final"), true, "its reply to the final dot" },
    { STR_INIT("quit"), true, "its reply to QUIT" },
    { STR_INIT("filter"), false, NULL, 'N' },
};

const struct config_words config_timeout_words = { "kind", timeout_kinds, ARRAY_LEN(timeout_kinds) };

static bool read_timeout(struct config_args *a, union config_value *out)
{
    size_t kind;

    if (!config_args_one_of(a, &config_timeout_words, &kind))
        return false;
    out->timeout.kind = (enum config_timeout_kind)kind;
    return read_time_word(a, &out->timeout.time);
}

static config_value_reader *reader_of(enum config_grammar grammar)
{
    static config_value_reader *const readers[] = {
        [CONFIG_GRAMMAR_HOST] = read_host,
        [CONFIG_GRAMMAR_DOMAIN] = read_domain,
        [CONFIG_GRAMMAR_ADDRESS] = config_value_address,
        [CONFIG_GRAMMAR_IPS] = config_value_ips,
        [CONFIG_GRAMMAR_PATH] = read_path,
        [CONFIG_GRAMMAR_SOCKET] = read_socket,
        [CONFIG_GRAMMAR_ACCOUNT] = read_account,
        [CONFIG_GRAMMAR_WORKERS] = read_workers,
        [CONFIG_GRAMMAR_SHARE] = read_share,
        [CONFIG_GRAMMAR_LISTEN] = config_value_listen,
        [CONFIG_GRAMMAR_WORD] = read_word,
        [CONFIG_GRAMMAR_NETWORKS] = config_value_networks,
        [CONFIG_GRAMMAR_CHOICE] = read_choice,
        [CONFIG_GRAMMAR_FLAG] = read_flag,
        [CONFIG_GRAMMAR_MODE] = read_mode,
        [CONFIG_GRAMMAR_NUMBER] = read_number,
        [CONFIG_GRAMMAR_COUNT] = read_count,
        [CONFIG_GRAMMAR_TIME] = read_time,
        [CONFIG_GRAMMAR_TIMEOUT] = read_timeout,
        [CONFIG_GRAMMAR_LIMIT] = config_value_limit,
        [CONFIG_GRAMMAR_DOMAINS] = config_value_domains,
        [CONFIG_GRAMMAR_USERS] = config_value_users,
        [CONFIG_GRAMMAR_ALIASES] = config_value_aliases,
        [CONFIG_GRAMMAR_SEPARATORS] = read_separators,
        [CONFIG_GRAMMAR_TARGET] = config_value_target,
        [CONFIG_GRAMMAR_ROUTE] = config_value_route,
        [CONFIG_GRAMMAR_FALLBACK] = config_value_fallback,
        [CONFIG_GRAMMAR_SITE] = read_word,
        [CONFIG_GRAMMAR_MEMBERS] = config_value_members,
        [CONFIG_GRAMMAR_PATTERNS] = config_value_patterns,
        [CONFIG_GRAMMAR_LISTENERS] = config_value_listeners,
        [CONFIG_GRAMMAR_RELAY] = config_value_relay,
        [CONFIG_GRAMMAR_REQUIRE] = config_value_require,
        [CONFIG_GRAMMAR_AUTH] = config_value_auth,
        [CONFIG_GRAMMAR_MECHANISMS] = config_value_mechanisms,
        [CONFIG_GRAMMAR_SEND_AS] = config_value_send_as,
        [CONFIG_GRAMMAR_TIME_OR_OFF] = read_time_or_off,
        [CONFIG_GRAMMAR_TEXT] = config_value_text,
        [CONFIG_GRAMMAR_TLS] = config_value_tls,
        [CONFIG_GRAMMAR_CERTIFICATE] = config_value_certificate,
        [CONFIG_GRAMMAR_TLS_LEVEL] = config_value_tls_level,
        [CONFIG_GRAMMAR_ACCOUNTS] = config_value_accounts,
        [CONFIG_GRAMMAR_LOGIN] = config_value_login,
        [CONFIG_GRAMMAR_OAUTH] = read_word,
        [CONFIG_GRAMMAR_KEYS] = config_value_keys,
        [CONFIG_GRAMMAR_INTROSPECTION] = config_value_introspection,
        [CONFIG_GRAMMAR_AUDIENCE] = config_value_audience,
        [CONFIG_GRAMMAR_RESOLVER] = config_value_resolver,
        [CONFIG_GRAMMAR_WINDOW] = config_value_window,
        [CONFIG_GRAMMAR_RATE] = config_value_rate,
        [CONFIG_GRAMMAR_REUSE] = config_value_reuse,
        [CONFIG_GRAMMAR_ON_REPLY] = config_value_on_reply,
        [CONFIG_GRAMMAR_TIMES] = config_value_times,
        [CONFIG_GRAMMAR_BOUNCE] = config_value_bounce,
        [CONFIG_GRAMMAR_LOG] = config_value_log,
        [CONFIG_GRAMMAR_HISTORY] = config_value_history,
    };

    BUG_ON((size_t)grammar >= ARRAY_LEN(readers) || !readers[grammar]);
    return readers[grammar];
}

static bool is_list(enum config_grammar grammar)
{
    static const enum config_grammar lists[] = {
        CONFIG_GRAMMAR_IPS,   CONFIG_GRAMMAR_NETWORKS, CONFIG_GRAMMAR_RELAY,    CONFIG_GRAMMAR_LISTEN,
        CONFIG_GRAMMAR_USERS, CONFIG_GRAMMAR_ALIASES,  CONFIG_GRAMMAR_DOMAINS,  CONFIG_GRAMMAR_TARGET,
        CONFIG_GRAMMAR_ROUTE, CONFIG_GRAMMAR_PATTERNS, CONFIG_GRAMMAR_RESOLVER, CONFIG_GRAMMAR_LISTENERS,
        CONFIG_GRAMMAR_TIMES, CONFIG_GRAMMAR_MEMBERS,  CONFIG_GRAMMAR_FALLBACK, CONFIG_GRAMMAR_REQUIRE,
        CONFIG_GRAMMAR_AUTH,  CONFIG_GRAMMAR_MECHANISMS, CONFIG_GRAMMAR_SEND_AS, CONFIG_GRAMMAR_ACCOUNTS,
        CONFIG_GRAMMAR_AUDIENCE,
    };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (lists[i] == grammar)
            return true;
    return false;
}

static bool has_targets(enum config_grammar grammar)
{
    return grammar == CONFIG_GRAMMAR_TARGET || grammar == CONFIG_GRAMMAR_ROUTE ||
           grammar == CONFIG_GRAMMAR_FALLBACK;
}

static bool is_cut(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

/* The next piece of a variable's value between blanks and commas; empty at the end. */
static struct str cut_piece(struct str *rest)
{
    size_t n = 0;

    while (rest->n && is_cut(rest->p[0]))
        *rest = str_skip(*rest, 1);
    while (n < rest->n && !is_cut(rest->p[n]))
        n++;
    struct str piece = str_head(*rest, n);
    *rest = str_skip(*rest, n);
    return piece;
}

static size_t count_pieces(const struct config_word *w)
{
    size_t n = 0;

    for (struct str rest = w->text; cut_piece(&rest).n;)
        n++;
    return n;
}

/* How many words at the front are members of a list: what stands behind pipe: and fail is an argument each. */
static size_t count_members(const struct config_args *a)
{
    for (size_t i = 0; has_targets(a->s->directive->grammar) && i < a->n; i++)
        if (config_target_takes_words(&a->items[i]))
            return i;
    return a->n;
}

/* A variable that is alone in a list may hold several members, or none (FACE 1.2). */
static bool cut_variables(struct config_args *a)
{
    size_t n = 0, at = 0, members = count_members(a);
    bool any = false;

    for (size_t i = 0; i < a->n; i++) {
        bool alone = i < members && a->items[i].alone;
        n += alone ? count_pieces(&a->items[i]) : 1;
        any |= alone;
    }
    if (!any)
        return true;
    struct config_word *items = ARENA_NEW_ARRAY(a->r->arena, n, struct config_word);
    if (!items)
        return config_exhausted(a->r);
    for (size_t i = 0; i < a->n; i++) {
        struct str piece, rest = a->items[i].text;
        bool alone = i < members && a->items[i].alone;
        if (!alone)
            items[at++] = a->items[i];
        while (alone && (piece = cut_piece(&rest)).n) {
            items[at] = a->items[i];
            items[at++].text = piece;
        }
    }
    a->items = items;
    a->n = n;
    return true;
}

/* What other languages part by commas. */
static bool refuse_commas(struct config_args *a)
{
    size_t members = is_list(a->s->directive->grammar) ? count_members(a) : 0;
    struct config_mark mark = { .cure = STR("members of a list have blanks between them, and no commas") };

    for (size_t i = 0; i < members; i++) {
        if (!a->items[i].plain || !str_ends(a->items[i].text, STR(",")))
            continue;
        struct str written = a->items[i].text, shown = config_shown(a->r, written);
        mark.place = config_word_part(&a->items[i], written.n - 1, 1);
        return config_complain(a->r, mark, "'%.*s' ends with a comma", STR_ARG(shown));
    }
    return true;
}

static bool refuse_rest(struct config_args *a)
{
    const struct config_word *extra = config_args_peek(a);

    if (!extra)
        return true;
    struct str shown = config_shown(a->r, extra->text);
    return config_complain(a->r, config_args_mark(a, extra), "'%.*s' is too much for '%.*s'", STR_ARG(shown),
                           STR_ARG(a->s->directive->name));
}

static bool refuse_placeholders(struct config_args *a)
{
    for (size_t i = 0; i < a->n && !has_targets(a->s->directive->grammar); i++)
        if (a->items[i].placeholders) {
            struct str shown = config_shown(a->r, a->items[i].text);
            return config_complain(a->r, (struct config_mark){ .place = a->items[i].place },
                                   "'%.*s' cannot hold a placeholder", STR_ARG(shown));
        }
    return true;
}

bool config_value_read(struct config_reading *r, struct config_statement *s)
{
    struct config_args a = { .r = r, .s = s, .items = s->words + 1, .n = s->n_words - 1 };

    if (is_list(s->directive->grammar) && !cut_variables(&a))
        return false;
    s->value = (union config_value){ 0 };
    return refuse_commas(&a) && refuse_placeholders(&a) && reader_of(s->directive->grammar)(&a, &s->value) &&
           refuse_rest(&a);
}
