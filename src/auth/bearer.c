/* auth/bearer.c */
#include "auth/bearer.h"

#define KVSEP '\x01'

/* RFC 6750 2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=". */
static bool is_token(struct str s)
{
    size_t n = s.n;

    while (n && s.p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++)
        if (!ascii_is_alnum(s.p[i]) && !str_has(STR("-._~+/"), s.p[i]))
            return false;
    return n;
}

static bool read_auth(struct str value, struct bearer *out)
{
    const struct str scheme = STR("Bearer ");

    if (!str_starts_nocase(value, scheme))
        return false;
    out->token = str_skip(value, scheme.n);
    while (str_starts(out->token, STR(" ")))
        out->token = str_skip(out->token, 1);
    return is_token(out->token);
}

static bool is_key(struct str key)
{
    for (size_t i = 0; i < key.n; i++)
        if (!ascii_is_alpha(key.p[i]))
            return false;
    return key.n;
}

/* *kvpair kvsep, and nothing behind it. */
static bool read_pairs(struct str rest, struct bearer *out)
{
    bool has_auth = false;

    for (;;) {
        struct str value = str_cut(&rest, KVSEP), key;
        if (!rest.p)
            return false;
        if (!value.n)
            return has_auth && !rest.n;
        key = str_cut(&value, '=');
        if (!value.p || !is_key(key))
            return false;
        if (!str_eq_nocase(key, STR("auth")))
            continue;
        if (has_auth || !read_auth(value, out))
            return false;
        has_auth = true;
    }
}

static bool is_user(struct str user)
{
    return user.n <= BEARER_USER_MAX && str_is_utf8(user) && !str_has(user, '\0');
}

bool bearer_read(struct str message, struct bearer *out)
{
    struct str rest = message;
    struct str flag = str_cut(&rest, ',');
    struct str authzid = str_cut(&rest, ',');

    *out = (struct bearer){ 0 };
    if (message.n > BEARER_MESSAGE_MAX || (!str_eq(flag, STR("n")) && !str_eq(flag, STR("y"))) || !rest.n ||
        rest.p[0] != KVSEP)
        return false;
    if (authzid.n && !str_starts(authzid, STR("a=")))
        return false;
    out->user = str_skip(authzid, 2);
    return is_user(out->user) && read_pairs(str_skip(rest, 1), out);
}

bool bearer_read_xoauth2(struct str message, struct bearer *out)
{
    struct str rest = message;
    struct str user = str_cut(&rest, KVSEP);

    *out = (struct bearer){ 0 };
    if (message.n > BEARER_MESSAGE_MAX || !str_starts(user, STR("user=")) || !rest.p)
        return false;
    out->user = str_skip(user, 5);
    return is_user(out->user) && read_pairs(rest, out);
}

struct str bearer_refusal(bool xoauth2)
{
    return xoauth2 ? STR("{\"status\":\"401\",\"schemes\":\"bearer\"}") : STR("{\"status\":\"invalid_token\"}");
}
