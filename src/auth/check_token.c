/* auth/check_token.c -- log-ins by tokens (RFC 7628): whose they are is what the issuer wrote and signed. */
#include <string.h>

#include "auth/bearer.h"
#include "auth/check.h"
#include "auth/waiting.h"

enum { HTTP_OK = 200 };

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

/* Does the listener take tokens of ISSUER for accounts of that domain, which is ours? */
static bool is_source(const struct auth_exchange *x, struct str domain, const struct config_oauth *issuer)
{
    struct auth_sources sources;
    struct auth_source source;

    auth_sources_begin(&sources, x->auth->config, x->listener, domain);
    while (auth_sources_next(&sources, &source))
        if (source.kind == CONFIG_AUTH_OAUTH && source.oauth == issuer && source.bare)
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
    return auth_take_vouched(x, wanted.account);
}

/* ---- one issuer ---- */

static enum auth_verdict later(struct auth_exchange *x, const char *why)
{
    x->detail = why;
    return AUTH_VERDICT_LATER;
}

static enum auth_verdict no(struct auth_exchange *x, const char *why)
{
    x->detail = why;
    return AUTH_VERDICT_NO;
}

static int64_t now_sec(void)
{
    return io_wall_msec() / 1000;
}

static enum auth_verdict take_said(struct auth_exchange *x, const struct config_oauth *issuer,
                                   const struct introspection *said)
{
    struct str account;

    if (!said->good)
        return no(x, said->why);
    account = arena_str(x->arena, str_of(said->account, said->n_account));
    return account.p ? take_claim(x, issuer, account) : later(x, "out of memory");
}

static enum auth_verdict introspect(struct auth_exchange *x, const struct auth_issuer *issuer)
{
    const struct introspection *said =
        introspection_find(&x->auth->issuers.said, issuer->oauth, x->token, now_sec());

    if (said)
        return take_said(x, issuer->oauth, said);
    return auth_ask_introspection(x, issuer) ? AUTH_VERDICT_WAIT : AUTH_VERDICT_LATER;
}

static enum auth_verdict check_signed(struct auth_exchange *x, const struct auth_issuer *issuer)
{
    struct str claim;

    switch (token_check(x->token, issuer->keys, issuer->oauth, now_sec(), x->arena, &claim, &x->detail)) {
    case TOKEN_GOOD:
        return take_claim(x, issuer->oauth, claim);
    case TOKEN_NO_MEMORY:
        return later(x, "out of memory");
    case TOKEN_BAD:
        break;
    }
    return AUTH_VERDICT_NO;
}

/* By its keys, which may have to be fetched first: once for each log-in. */
static enum auth_verdict check_with_keys(struct auth_exchange *x, struct auth_issuer *issuer, bool unknown)
{
    int64_t now = io_now_msec(x->auth->worker->loop);

    if (!x->fetched && auth_issuer_wants_keys(issuer, unknown, now)) {
        if (auth_ask_keys(x, issuer, unknown))
            return AUTH_VERDICT_WAIT;
        if (unknown)
            return AUTH_VERDICT_LATER;
    }
    if (!issuer->keys)
        return later(x, "the keys of an issuer cannot be had");
    if (unknown && issuer->failing)
        return later(x, "the key of the token is not known, and newer ones cannot be had");
    return check_signed(x, issuer);
}

static enum auth_verdict check_with(struct auth_exchange *x, struct auth_issuer *issuer)
{
    enum token_look look;

    if (!issuer->oauth->keys.n)
        return introspect(x, issuer);
    look = token_look(x->token, issuer->keys, issuer->oauth);
    if (look == TOKEN_OPAQUE)
        return issuer->oauth->introspection.n ? introspect(x, issuer) : no(x, "not a signed token");
    if (look == TOKEN_FOREIGN)
        return no(x, "the token is another issuer's");
    return check_with_keys(x, issuer, look == TOKEN_UNKNOWN);
}

/* ---- all of them ---- */

/* VERDICT is that of the issuer at hand: on with the next ones, unless it is enough. */
static enum auth_verdict go_on(struct auth_exchange *x, enum auth_verdict verdict)
{
    struct auth_issuers *issuers = &x->auth->issuers;

    while (verdict != AUTH_VERDICT_YES && verdict != AUTH_VERDICT_WAIT) {
        if (verdict == AUTH_VERDICT_LATER)
            x->later = x->detail;
        x->fetched = false;
        if (++x->at_issuer == issuers->config->n_oauths)
            /* It may be a token of one that cannot be asked. */
            return x->later ? later(x, x->later) : AUTH_VERDICT_NO;
        verdict = check_with(x, &issuers->items[x->at_issuer]);
    }
    return verdict;
}

enum auth_verdict auth_check_token(struct auth_exchange *x)
{
    struct auth_issuers *issuers = &x->auth->issuers;

    if (!issuers->config->n_oauths)
        return no(x, "no issuer of tokens is asked here");
    return go_on(x, check_with(x, &issuers->items[x->at_issuer]));
}

static enum auth_verdict take_introspection(struct auth_exchange *x, const struct ipc_fetch_answer *answer)
{
    struct auth_issuer *issuer = &x->auth->issuers.items[x->at_issuer];
    struct introspection said;
    struct err err = { 0 };

    if (answer->code != HTTP_OK)
        auth_issuer_fault(answer, &err);
    else if (!introspection_take(&x->auth->issuers.said, issuer->oauth, x->token, answer->body, now_sec(), &said))
        err_temp(&err, "its answer is no JSON that says whether the token is active (RFC 7662)");
    auth_issuer_heard(issuer, err.kind == ERR_NONE ? NULL : err.text);
    return err.kind == ERR_NONE ? take_said(x, issuer->oauth, &said) : later(x, "the issuer cannot say of the token");
}

enum auth_verdict auth_check_introspected(struct auth_exchange *x, const struct ipc_fetch_answer *answer)
{
    return go_on(x, take_introspection(x, answer));
}
