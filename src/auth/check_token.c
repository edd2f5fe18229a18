/* auth/check_token.c -- log-ins by tokens (RFC 7628): whose they are is what the issuer wrote and signed. */
#include <string.h>

#include "auth/bearer.h"
#include "auth/check.h"

/* "=2C" and "=3D" are a comma and an equals sign (RFC 5801 4). False: another "=". */
static bool undo_saslname(struct str said, char *out)
{
    while (said.n) {
        size_t n = 1;
        if (str_starts(said, STR("=2C")) || str_starts(said, STR("=3D")))
            n = 3;
        else if (said.p[0] == '=')
            return false;
        *out++ = n == 1 ? said.p[0] : said.p[2] == 'C' ? ',' : '=';
        said = str_skip(said, n);
    }
    *out = '\0';
    return true;
}

static enum auth_token take_user(struct auth_exchange *x, struct str user)
{
    char said[BEARER_USER_MAX + 1];

    if (!user.n)
        return AUTH_TOKEN_TAKEN;
    if (x->sasl.mechanism == AUTH_XOAUTH2) {
        memcpy(said, user.p, user.n);
        said[user.n] = '\0';
    } else if (!undo_saslname(user, said)) {
        return AUTH_TOKEN_WRONG;
    }
    switch (auth_prepare(said, &x->sasl.authzid)) {
    case AUTH_PREPARED:
        return AUTH_TOKEN_TAKEN;
    case AUTH_PREPARE_NO_MEMORY:
        return AUTH_TOKEN_NO_MEMORY;
    case AUTH_UNPREPARED:
        break;
    }
    return AUTH_TOKEN_WRONG;
}

enum auth_token auth_take_token(struct auth_exchange *x, struct str message)
{
    struct bearer said;
    bool ok = x->sasl.mechanism == AUTH_XOAUTH2 ? bearer_read_xoauth2(message, &said) : bearer_read(message, &said);
    enum auth_token result = ok ? take_user(x, said.user) : AUTH_TOKEN_WRONG;

    if (result != AUTH_TOKEN_TAKEN)
        return result;
    x->token = arena_str(x->arena, said.token);
    return x->token.p ? AUTH_TOKEN_TAKEN : AUTH_TOKEN_NO_MEMORY;
}

/* Does the listener take tokens of ISSUER for accounts of that domain? */
static bool is_source(const struct auth_exchange *x, struct str domain, const struct config_oauth *issuer)
{
    struct auth_sources sources;
    struct auth_source source;

    auth_sources_begin(&sources, x->auth->config, x->listener, domain);
    while (auth_sources_next(&sources, &source))
        if (source.kind == CONFIG_AUTH_OAUTH && source.oauth == issuer)
            return true;
    return false;
}

/* The token is good: for somebody of ours, who is who they said to be? */
static enum auth_verdict take_claim(struct auth_exchange *x, const struct config_oauth *issuer, struct str claim)
{
    struct str origin = x->auth->config->origin.text;
    struct auth_name wanted = { 0 };

    x->detail = "the token is for somebody else";
    if (auth_name_read(x->arena, claim, origin, &x->name) != AUTH_NAME_OK || !is_source(x, x->name.domain, issuer))
        return AUTH_VERDICT_NO;
    if (x->sasl.authzid.c[0] &&
        auth_name_read(x->arena, str_from_c(x->sasl.authzid.c), origin, &wanted) != AUTH_NAME_OK)
        return AUTH_VERDICT_NO;
    return auth_take_vouched(x, wanted.account) ? AUTH_VERDICT_YES : AUTH_VERDICT_NO;
}

static enum auth_verdict check_with(struct auth_exchange *x, const struct config_oauth *issuer)
{
    const struct token_keys *keys = x->auth->issuers.keys[issuer->index];
    struct str claim;

    x->detail = "the keys of an issuer cannot be had";
    if (!keys)
        return AUTH_VERDICT_LATER;
    switch (token_check(x->token, keys, issuer, io_wall_msec() / 1000, x->arena, &claim, &x->detail)) {
    case TOKEN_GOOD:
        return take_claim(x, issuer, claim);
    case TOKEN_NO_MEMORY:
        x->detail = "out of memory";
        return AUTH_VERDICT_LATER;
    case TOKEN_BAD:
        break;
    }
    return AUTH_VERDICT_NO;
}

enum auth_verdict auth_check_token(struct auth_exchange *x)
{
    const struct config *config = x->auth->config;
    const char *later = NULL;

    x->detail = "no issuer of tokens is asked here";
    for (size_t i = 0; i < config->n_oauths; i++) {
        enum auth_verdict verdict = AUTH_VERDICT_NO;
        if (auth_issuer_is_usable(&config->oauths[i]))
            verdict = check_with(x, &config->oauths[i]);
        if (verdict == AUTH_VERDICT_YES)
            return verdict;
        if (verdict == AUTH_VERDICT_LATER)
            later = x->detail;
    }
    /* It may be one of those whose keys are not there. */
    if (later)
        x->detail = later;
    return later ? AUTH_VERDICT_LATER : AUTH_VERDICT_NO;
}
