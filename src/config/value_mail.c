/* config/value_mail.c -- where mail comes in, whose it is, where it goes, and what is written about it. */
#include <string.h>

#include "config/args.h"
#include "config/names.h"
#include "config/number.h"
#include "core/check.h"
#include "core/num.h"

enum { UNIX_PATH_MAX = 107, PORT_MAX = 65535, FILE_PATH_MAX = 4095 };

/* The default when a time alone is written (FACE 1.9: 7d 1G), and what a few messages need. */
static const uint64_t HISTORY_OCTETS = 1ULL << 30, HISTORY_OCTETS_MIN = 64 * 1024;

/* ---- listen ---- */

/* Not endpoints: what may stand behind them. */
static const struct config_scheme roles[] = {
    { STR_INIT("mx"), true },
    { STR_INIT("submission"), true },
    { STR_INIT("tls"), true },
    { STR_INIT("lmtp"), false },
};
enum { ROLE_MX, ROLE_SUBMISSION, ROLE_TLS };

static bool parse_port(struct str s, uint16_t *port)
{
    uint64_t n;

    if (!num_parse_u64(s, PORT_MAX, &n) || !n)
        return false;
    *port = (uint16_t)n;
    return true;
}

/* "192.0.2.1:25" or "[::1]:25". */
static bool parse_address_port(struct str s, struct config_endpoint *out)
{
    size_t colon = str_rfind(s, ':');
    struct str host = str_head(s, colon);

    return colon < s.n && (!str_has(host, ':') || str_starts(host, STR("["))) &&
           config_name_ip(host, &out->address) && parse_port(str_skip(s, colon + 1), &out->port);
}

static bool read_unix(struct config_args *a, const struct config_word *w, struct config_endpoint *out)
{
    out->kind = CONFIG_ENDPOINT_UNIX;
    if (!config_args_path(a, w, str_skip(w->text, 5), &out->path))
        return false;
    if (out->path.n <= UNIX_PATH_MAX)
        return true;
    return config_complain(a->r, (struct config_mark){ .place = w->place },
                           "the path of a socket has at most %d octets", UNIX_PATH_MAX);
}

/* What people write who mean an endpoint, in our spelling. */
static struct str endpoint_hint(struct config_args *a, struct str s)
{
    struct ip ip;

    if (ip_parse(s, &ip))
        return config_say(a->r, ip.family == IP_V6 ? "did you mean '[%s]:25'?" : "did you mean '%s:25'?",
                          ip_text(&ip).c);
    if (config_name_ip(s, &ip))
        return config_say(a->r, "did you mean '[%s]:25'?", ip_text(&ip).c);
    if (str_starts(s, STR("*:")) || str_starts(s, STR(":")))
        return config_hint(a->r, str_skip(s, str_find(s, ':') + 1));
    return STR_NONE;
}

static bool refuse_endpoint(struct config_args *a, const struct config_word *w)
{
    struct str shown = config_shown(a->r, w->text);
    struct config_mark mark = config_args_mark(a, w);

    mark.hint = endpoint_hint(a, w->text);
    if (!mark.hint.n && !str_has(w->text, ':') && !str_has(w->text, '.'))
        return config_scheme_refuse(
            a, w, roles, ARRAY_LEN(roles),
            STR("listen takes endpoints: 25, 192.0.2.1:25, [::1]:25, unix:PATH, systemd:NAME"));
    return config_complain(a->r, mark, "'%.*s' is not an endpoint to listen on", STR_ARG(shown));
}

static bool read_endpoint(struct config_args *a, const struct config_word *w, struct config_endpoint *out)
{
    *out = (struct config_endpoint){ .place = w->place };
    if (str_starts(w->text, STR("unix:")))
        return read_unix(a, w, out);
    if (str_starts(w->text, STR("systemd:"))) {
        out->kind = CONFIG_ENDPOINT_SYSTEMD;
        out->path = str_skip(w->text, 8);
        return config_name_is_word(out->path) || config_args_refuse(a, w, "the name of a socket of systemd");
    }
    if (parse_port(w->text, &out->port)) {
        out->kind = CONFIG_ENDPOINT_PORT;
        return true;
    }
    if (parse_address_port(w->text, out)) {
        out->kind = CONFIG_ENDPOINT_ADDRESS;
        return true;
    }
    return refuse_endpoint(a, w);
}

/* Endpoints, then what the listener is; `none` is no listener at all. */
bool config_value_listen(struct config_args *a, union config_value *out)
{
    struct config_endpoint *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_endpoint);
    const struct config_word *w = config_args_need(a);
    bool ok = true, seen[ARRAY_LEN(roles)] = { false };
    size_t n = 0, role;

    if (!items)
        return config_exhausted(a->r);
    if (!w || (a->n == 1 && str_eq(w->text, STR("none"))))
        return w;
    for (; w && config_scheme_find(w, roles, ARRAY_LEN(roles)) == ARRAY_LEN(roles); w = config_args_next(a))
        ok &= read_endpoint(a, w, &items[n++]);
    if (!n && w)
        ok = config_args_refuse(a, w, "an endpoint to listen on");
    for (; w; w = config_args_next(a)) {
        role = config_scheme_find(w, roles, ARRAY_LEN(roles));
        if (role == ARRAY_LEN(roles))
            ok = config_args_refuse(a, w, "what a listener can be: mx, submission, lmtp, tls");
        else if (!roles[role].built)
            ok = config_args_not_built(a, w, w->text.n, roles[role].stage);
        else if (seen[role] || (role != ROLE_TLS && (seen[ROLE_MX] || seen[ROLE_SUBMISSION])))
            ok = config_complain(a->r, (struct config_mark){ .place = w->place }, "a listener has one role");
        else
            seen[role] = true;
    }
    out->endpoints.role = seen[ROLE_SUBMISSION] ? CONFIG_ROLE_SUBMISSION : CONFIG_ROLE_MX;
    out->endpoints.tls_at_once = seen[ROLE_TLS];
    out->endpoints.items = items;
    out->endpoints.n = n;
    return ok;
}

/* ---- users and aliases ---- */

static const struct config_scheme users_schemes[] = {
    { STR_INIT("file:"), true },        { STR_INIT("system"), true },      { STR_INIT("any"), true },
    { STR_INIT("ask"), true },          { STR_INIT("network:"), false },   { STR_INIT("regex:"), false },
    { STR_INIT("lmdb:"), false },       { STR_INIT("redis:"), false },     { STR_INIT("sqlite:"), false },
    { STR_INIT("postgresql:"), false }, { STR_INIT("mysql:"), false },     { STR_INIT("ldap:"), false },
    { STR_INIT("dovecot:"), false },    { STR_INIT("socketmap:"), false }, { STR_INIT("table:"), false },
};

static const struct config_scheme alias_schemes[] = {
    { STR_INIT("file:"), true },        { STR_INIT("network:"), false },   { STR_INIT("regex:"), false },
    { STR_INIT("lmdb:"), false },       { STR_INIT("redis:"), false },     { STR_INIT("sqlite:"), false },
    { STR_INIT("postgresql:"), false }, { STR_INIT("mysql:"), false },     { STR_INIT("ldap:"), false },
    { STR_INIT("dovecot:"), false },    { STR_INIT("socketmap:"), false }, { STR_INIT("table:"), false },
};

static bool read_users_word(struct config_args *a, const struct config_word *w, struct config_users *out)
{
    static const enum config_users_kind kinds[] = { CONFIG_USERS_FILE, CONFIG_USERS_SYSTEM, CONFIG_USERS_ANY,
                                                    CONFIG_USERS_ASK };
    size_t i = config_scheme_find(w, users_schemes, ARRAY_LEN(users_schemes));

    if (i == ARRAY_LEN(users_schemes))
        return config_word_is_path(w->text)
                   ? config_args_bare_path(a, w, "file:")
                   : config_scheme_refuse(a, w, users_schemes, i,
                                          STR("users takes file:PATH, system, any, …"));
    if (!users_schemes[i].built)
        return config_args_not_built(a, w, config_word_scheme(w), users_schemes[i].stage);
    *out = (struct config_users){ .kind = kinds[i], .place = w->place };
    if (out->kind == CONFIG_USERS_FILE)
        return config_args_file(a, w, &out->path);
    return a->n == 1 || config_complain(a->r, (struct config_mark){ .place = w->place },
                                        "'%.*s' stands alone: it is no table", STR_ARG(w->text));
}

bool config_value_users(struct config_args *a, union config_value *out)
{
    struct config_users *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_users);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    for (size_t n = 0; w; w = config_args_next(a))
        ok &= read_users_word(a, w, &items[n++]);
    out->users.items = items;
    out->users.n = a->n;
    return ok;
}

static bool read_alias_word(struct config_args *a, const struct config_word *w, struct config_text *out)
{
    size_t i = config_scheme_find(w, alias_schemes, ARRAY_LEN(alias_schemes));

    if (i == ARRAY_LEN(alias_schemes))
        return config_word_is_path(w->text)
                   ? config_args_bare_path(a, w, "file:")
                   : config_scheme_refuse(a, w, alias_schemes, i, STR("aliases takes file:PATH, none, …"));
    if (!alias_schemes[i].built)
        return config_args_not_built(a, w, config_word_scheme(w), alias_schemes[i].stage);
    out->place = w->place;
    return config_args_file(a, w, &out->text);
}

bool config_value_aliases(struct config_args *a, union config_value *out)
{
    struct config_text *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items)
        return config_exhausted(a->r);
    if (!w || (a->n == 1 && str_eq(w->text, STR("none"))))
        return w;
    for (size_t n = 0; w; w = config_args_next(a))
        ok &= read_alias_word(a, w, &items[n++]);
    out->texts.items = items;
    out->texts.n = a->n;
    return ok;
}

/* ---- log ---- */

static const struct config_scheme log_kinds[] = {
    { STR_INIT("stderr"), true },
    { STR_INIT("journal"), true },
    { STR_INIT("syslog"), true },
    { STR_INIT("file:"), true },
};
/* The forms, then the levels: two words of which each may be left out. */
static const struct config_scheme log_words[] = {
    { STR_INIT("kv"), true },      { STR_INIT("json"), true }, { STR_INIT("error"), true },
    { STR_INIT("warning"), true }, { STR_INIT("info"), true }, { STR_INIT("debug"), true },
};
enum { LOG_FORMS = 2 };

bool config_value_log(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_log *log = &out->log;

    if (!w)
        return false;
    size_t i = config_scheme_find(w, log_kinds, ARRAY_LEN(log_kinds));
    if (i == ARRAY_LEN(log_kinds))
        return config_word_is_path(w->text)
                   ? config_args_bare_path(a, w, "file:")
                   : config_scheme_refuse(a, w, log_kinds, i,
                                          STR("log takes: stderr journal syslog file:PATH"));
    *log =
        (struct config_log){ .kind = (enum config_log_kind)i, .level = CONFIG_LOG_INFO, .place = w->place };
    if (log->kind == CONFIG_LOG_FILE && !config_args_file(a, w, &log->path))
        return false;
    for (size_t least = 0; (w = config_args_peek(a)) && least < ARRAY_LEN(log_words); config_args_next(a)) {
        i = config_scheme_find(w, log_words, ARRAY_LEN(log_words));
        if (i == ARRAY_LEN(log_words))
            return config_scheme_refuse(a, w, log_words, i,
                                        STR("then: kv or json, and a level: error warning info debug"));
        if (i < least)
            break;
        if (i < LOG_FORMS)
            log->form = (enum config_log_form)i;
        else
            log->level = (enum config_log_level)(i - LOG_FORMS);
        least = i < LOG_FORMS ? LOG_FORMS : ARRAY_LEN(log_words);
    }
    return true;
}

/* ---- history ---- */

/* `TIME [SIZE]`, or `off`. */
bool config_value_history(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);
    struct config_history *history = &out->history;

    if (!w)
        return false;
    *history = (struct config_history){ .octets = HISTORY_OCTETS, .place = w->place };
    history->off = str_eq(w->text, STR("off"));
    if (history->off)
        return true;
    if (!config_args_time(a, w, &history->msec))
        return false;
    if (!(w = config_args_next(a)))
        return true;
    if (!config_number_size(w->text, &history->octets))
        return config_args_refuse(a, w, "a size, such as 1G");
    return history->octets >= HISTORY_OCTETS_MIN || config_args_refuse(a, w, "a size of 64k at least");
}
