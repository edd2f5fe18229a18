/* config/value_accounts.c -- who logs in, with what, as whom they send, and how we log in elsewhere (FACE 1.6, 1.9). */
#include <string.h>

#include "config/args.h"
#include "config/names.h"

enum { UNIX_PATH_MAX = 107, LOGIN_NAME_MAX = 255, MECHANISM_MAX = 32 };

static bool is_none_alone(const struct config_args *a)
{
    return a->n == 1 && str_eq(a->items[0].text, STR("none"));
}

/* ---- require ---- */

static const struct config_scheme demands[] = {
    { STR_INIT("tls"), true },
    { STR_INIT("auth"), true },
};

bool config_value_require(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->require.place = w->place;
    if (is_none_alone(a)) {
        config_args_next(a);
        return true;
    }
    for (; w; w = config_args_next(a)) {
        size_t i = config_scheme_find(w, demands, ARRAY_LEN(demands));
        if (i == ARRAY_LEN(demands))
            return config_scheme_refuse(a, w, demands, i, STR("require takes: tls, auth, or none alone"));
        bool *demand = i ? &out->require.auth : &out->require.tls;
        if (*demand)
            return config_complain(a->r, (struct config_mark){ .place = w->place }, "'%.*s' is said twice",
                                   STR_ARG(w->text));
        *demand = true;
    }
    return true;
}

/* ---- auth ---- */

/* In the order of enum config_auth_kind; what is not built comes last. */
static const struct config_scheme auth_schemes[] = {
    { STR_INIT("users"), true, "the users tables of the log-in's domain" },
    { STR_INIT("file:"), true, "file:PATH, a users file" },
    { STR_INIT("dovecot:"), true, "dovecot:SOCKET, Dovecot's auth client socket" },
    { STR_INIT("pam:"), true, "pam:SERVICE" },
    { STR_INIT("oauth:"), true, "oauth:NAME, the issuer of an 'oauth' block" },
    { STR_INIT("network:"), false, NULL, 'N' },
    { STR_INIT("regex:"), false, NULL, 'N' },
    { STR_INIT("lmdb:"), false, NULL, 'N' },
    { STR_INIT("redis:"), false, NULL, 'N' },
    { STR_INIT("sqlite:"), false, NULL, 'N' },
    { STR_INIT("postgresql:"), false, NULL, 'N' },
    { STR_INIT("mysql:"), false, NULL, 'N' },
    { STR_INIT("ldap:"), false, NULL, 'N' },
    { STR_INIT("socketmap:"), false, NULL, 'N' },
    { STR_INIT("table:"), false, NULL, 'N' },
};

const struct config_words config_auth_words = { "account", auth_schemes, ARRAY_LEN(auth_schemes) };

static bool read_socket(struct config_args *a, const struct config_word *w, struct str path, struct str *out)
{
    return config_args_path(a, w, path, out) &&
           (out->n <= UNIX_PATH_MAX ||
            config_complain(a->r, (struct config_mark){ .place = w->place },
                            "the path of a socket has at most %d octets", UNIX_PATH_MAX));
}

static bool read_auth_word(struct config_args *a, const struct config_word *w, struct config_auth *out)
{
    size_t i = config_scheme_find(w, auth_schemes, ARRAY_LEN(auth_schemes));

    if (i == ARRAY_LEN(auth_schemes))
        return config_word_is_path(w->text)
                   ? config_args_bare_path(a, w, "file:")
                   : config_scheme_refuse(a, w, auth_schemes, i,
                                          STR("auth takes: users file:PATH dovecot:SOCKET pam:SERVICE "
                                              "oauth:NAME, or none alone"));
    if (!auth_schemes[i].built)
        return config_args_not_built(a, w, config_word_scheme(w), auth_schemes[i].stage);
    *out = (struct config_auth){ .kind = (enum config_auth_kind)i, .place = w->place };
    out->where = str_skip(w->text, config_word_scheme(w));
    switch (out->kind) {
    case CONFIG_AUTH_USERS:
        return true;
    case CONFIG_AUTH_FILE:
        return config_args_file(a, w, &out->where);
    case CONFIG_AUTH_DOVECOT:
        return read_socket(a, w, out->where, &out->where);
    case CONFIG_AUTH_PAM:
        return config_name_is_word(out->where) || config_args_refuse(a, w, "the name of a service of PAM");
    case CONFIG_AUTH_OAUTH:
        break;
    }
    return config_name_is_word(out->where) || config_args_refuse(a, w, "the name of an 'oauth' block");
}

bool config_value_auth(struct config_args *a, union config_value *out)
{
    struct config_auth *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_auth);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items)
        return config_exhausted(a->r);
    if (!w || is_none_alone(a))
        return w;
    for (size_t n = 0; w; w = config_args_next(a))
        ok &= read_auth_word(a, w, &items[n++]);
    out->auths.items = items;
    out->auths.n = a->n;
    return ok;
}

/* ---- mechanisms ---- */

static const struct config_scheme mechanisms[] = {
    { STR_INIT("SCRAM-SHA-256-PLUS"), true, "the password is not sent, and bound to this TLS session (RFC 7677)" },
    { STR_INIT("SCRAM-SHA-256"), true, "the password is not sent (RFC 7677)" },
    { STR_INIT("PLAIN"), true, "inside TLS only (RFC 4616)" },
    { STR_INIT("LOGIN"), true, "the same, as old programs do it" },
    { STR_INIT("EXTERNAL"), true, "by the client's certificate (RFC 4422)" },
    { STR_INIT("OAUTHBEARER"), true, "a token (RFC 7628)" },
    { STR_INIT("XOAUTH2"), true, "a token, as Google has it" },
};

const struct config_words config_mechanism_words = { "mechanism", mechanisms, ARRAY_LEN(mechanisms) };

/* Lower case, for config_slip_nearest(). */
static struct str lowered(struct str name, char *room)
{
    for (size_t i = 0; i < name.n; i++)
        room[i] = ascii_lower(name.p[i]);
    return str_of(room, name.n);
}

static bool refuse_mechanism(struct config_args *a, const struct config_word *w)
{
    struct str shown = config_shown(a->r, w->text), list = STR("mechanisms are:");
    struct str lower[ARRAY_LEN(mechanisms)];
    char room[ARRAY_LEN(mechanisms)][MECHANISM_MAX];
    struct config_mark mark = { .place = w->place };

    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        lower[i] = lowered(mechanisms[i].name, room[i]);
        list = config_say(a->r, "%.*s %.*s", STR_ARG(list), STR_ARG(mechanisms[i].name));
    }
    size_t near = config_slip_nearest(w->text, lower, ARRAY_LEN(lower));
    if (near < ARRAY_LEN(lower))
        mark.hint = config_hint(a->r, mechanisms[near].name);
    mark.cure = list;
    return config_complain(a->r, mark, "there is no mechanism '%.*s' here", STR_ARG(shown));
}

static bool read_mechanism(struct config_args *a, const struct config_word *w, struct config_text *items, size_t n)
{
    struct config_mark mark = { .place = w->place };

    items[n] = (struct config_text){ .place = w->place };
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (str_eq_nocase(w->text, mechanisms[i].name))
            items[n].text = mechanisms[i].name;
    if (!items[n].text.n)
        return refuse_mechanism(a, w);
    for (size_t i = 0; i < n; i++)
        if (str_eq(items[i].text, items[n].text))
            return config_complain(a->r, mark, "'%.*s' is said twice", STR_ARG(items[n].text));
    return true;
}

bool config_value_mechanisms(struct config_args *a, union config_value *out)
{
    struct config_text *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    for (size_t n = 0; w; w = config_args_next(a))
        ok &= read_mechanism(a, w, items, n++);
    out->texts.items = items;
    out->texts.n = a->n;
    return ok;
}

/* ---- send-as ---- */

/* In the order of enum config_send_as_kind; what is not built comes last. */
static const struct config_scheme send_as_schemes[] = {
    { STR_INIT("own"), true, "their own address, and the aliases that lead to it" },
    { STR_INIT("any"), true, "whatever they like: nothing is looked at" },
    { STR_INIT("file:"), true, "file:PATH, lines 'account address…', beside their own" },
    { STR_INIT("network:"), false, NULL, 'N' },
    { STR_INIT("regex:"), false, NULL, 'N' },
    { STR_INIT("lmdb:"), false, NULL, 'N' },
    { STR_INIT("redis:"), false, NULL, 'N' },
    { STR_INIT("sqlite:"), false, NULL, 'N' },
    { STR_INIT("postgresql:"), false, NULL, 'N' },
    { STR_INIT("mysql:"), false, NULL, 'N' },
    { STR_INIT("ldap:"), false, NULL, 'N' },
    { STR_INIT("socketmap:"), false, NULL, 'N' },
    { STR_INIT("table:"), false, NULL, 'N' },
};

const struct config_words config_send_as_words = { "sender", send_as_schemes, ARRAY_LEN(send_as_schemes) };

static bool read_send_as_word(struct config_args *a, const struct config_word *w, struct config_send_as *out,
                              struct config_text *file)
{
    size_t i = config_scheme_find(w, send_as_schemes, ARRAY_LEN(send_as_schemes));

    if (i == ARRAY_LEN(send_as_schemes))
        return config_word_is_path(w->text)
                   ? config_args_bare_path(a, w, "file:")
                   : config_scheme_refuse(a, w, send_as_schemes, i, STR("send-as takes: own, any, file:PATH"));
    if (!send_as_schemes[i].built)
        return config_args_not_built(a, w, config_word_scheme(w), send_as_schemes[i].stage);
    out->kind = (enum config_send_as_kind)i;
    if (out->kind != CONFIG_SEND_AS_FILE)
        return a->n == 1 || config_complain(a->r, (struct config_mark){ .place = w->place },
                                            "'%.*s' stands alone: it is no table", STR_ARG(w->text));
    file->place = w->place;
    return config_args_file(a, w, &file->text);
}

bool config_value_send_as(struct config_args *a, union config_value *out)
{
    struct config_text *files = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_text);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!files)
        return config_exhausted(a->r);
    if (!w)
        return false;
    out->send_as = (struct config_send_as){ .files = files, .place = w->place };
    for (size_t n = 0; w; w = config_args_next(a))
        ok &= read_send_as_word(a, w, &out->send_as, &files[n++]);
    out->send_as.n_files = out->send_as.kind == CONFIG_SEND_AS_FILE ? a->n : 0;
    return ok;
}

/* ---- secrets ---- */

static const struct config_scheme secret_schemes[] = {
    { STR_INIT("file:"), true },
    { STR_INIT("env:"), true },
    { STR_INIT("credential:"), true },
};

/* Nothing of the word is said again: it may be the password itself. */
static bool refuse_secret(struct config_args *a, const struct config_word *w)
{
    struct config_mark mark = { .place = w->place, .hidden = true };

    mark.cure = STR("put it into a file that nobody else may read, and write file:PATH; or env:NAME, credential:NAME");
    return config_complain(a->r, mark, "a secret is not written here, only where it stands");
}

/* The name of a variable of the environment, or of a credential: a file's name (systemd.exec(5)). */
static bool is_secret_name(enum config_secret_kind kind, struct str name)
{
    if (kind == CONFIG_SECRET_CREDENTIAL)
        return config_name_is_word(name) && !str_eq(name, STR(".")) && !str_eq(name, STR(".."));
    for (size_t i = 0; i < name.n; i++)
        if (!(ascii_is_alnum(name.p[i]) || name.p[i] == '_') || (!i && ascii_is_digit(name.p[i])))
            return false;
    return name.n;
}

static bool read_secret(struct config_args *a, const struct config_word *w, struct config_secret *out)
{
    size_t i = config_scheme_find(w, secret_schemes, ARRAY_LEN(secret_schemes));

    if (i == ARRAY_LEN(secret_schemes))
        return refuse_secret(a, w);
    *out = (struct config_secret){ .kind = CONFIG_SECRET_FILE + i, .place = w->place, .written = w->text };
    out->where = str_skip(w->text, secret_schemes[i].name.n);
    if (out->kind == CONFIG_SECRET_FILE) {
        if (!config_args_file(a, w, &out->where))
            return false;
        out->written = config_say(a->r, "file:%.*s", STR_ARG(out->where));
        return out->written.n;
    }
    return is_secret_name(out->kind, out->where) ||
           config_args_refuse(a, w, "the name of a variable or of a credential");
}

/* ---- login ---- */

/* `NAME SECRET`; with an empty name there is no log-in, and the secret is no matter. */
bool config_value_login(struct config_args *a, union config_value *out)
{
    const struct config_word *name = config_args_need(a), *secret;

    if (!name)
        return false;
    out->login.name = (struct config_text){ .text = name->text, .place = name->place };
    if (a->n == 1 && str_eq(name->text, STR("none"))) {
        out->login.name.text = STR_NONE;
        return true;
    }
    if (!(secret = config_args_need(a)) || !read_secret(a, secret, &out->login.secret))
        return false;
    for (size_t i = 0; i < name->text.n; i++)
        if ((unsigned char)name->text.p[i] < ' ' || name->text.p[i] == 0x7f)
            return config_args_refuse(a, name, "a name to log in with");
    return name->text.n <= LOGIN_NAME_MAX || config_args_refuse(a, name, "a name to log in with: it is too long");
}

/* ---- oauth ---- */

/* Is S "https://HOST…", or "http://" and this machine, where nobody can listen in? */
static bool is_safe_url(struct str s)
{
    static const struct str local[] = { STR_INIT("http://127.0.0.1"), STR_INIT("http://[::1]"),
                                        STR_INIT("http://localhost") };

    if (str_starts(s, STR("https://")))
        return s.n > 8 && s.p[8] != '/';
    for (size_t i = 0; i < ARRAY_LEN(local); i++)
        if (str_starts(s, local[i]) && (s.n == local[i].n || str_has(STR(":/"), s.p[local[i].n])))
            return true;
    return false;
}

static bool read_url(struct config_args *a, const struct config_word *w, struct config_text *out)
{
    *out = (struct config_text){ .text = w->text, .place = w->place };
    for (size_t i = 0; i < w->text.n; i++)
        if (w->text.p[i] <= ' ' || w->text.p[i] > '~')
            return config_args_refuse(a, w, "an URL");
    return is_safe_url(w->text) ||
           config_args_refuse(a, w, "an URL that begins with https://, or with http:// and this machine");
}

/* A JWKS: a file, or where to fetch it. */
bool config_value_keys(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text.place = w->place;
    if (str_contains(w->text, STR("://")))
        return read_url(a, w, &out->text);
    return config_args_path(a, w, w->text, &out->text.text);
}

/* `URL [NAME SECRET]` */
bool config_value_introspection(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w || !read_url(a, w, &out->introspection.url))
        return false;
    if (!(w = config_args_next(a)))
        return true;
    out->introspection.client = (struct config_text){ .text = w->text, .place = w->place };
    w = config_args_need(a);
    return w && read_secret(a, w, &out->introspection.secret);
}

bool config_value_audience(struct config_args *a, union config_value *out)
{
    struct str *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct str);
    const struct config_word *w = config_args_need(a);

    if (!items)
        return config_exhausted(a->r);
    if (!w)
        return false;
    for (size_t n = 0; w; w = config_args_next(a))
        items[n++] = w->text;
    out->audiences.items = items;
    out->audiences.n = a->n;
    return true;
}
