/* send/login.c */
#include "send/login.h"

#include <gsasl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/check.h"
#include "send/salting.h"
#include "send/scram.h"
#include "smtp/client.h"

enum { TEXT_MAX = SMTP_CLIENT_AUTH_MAX, NONCE = 18 /* octets of it, before base64 */ };

struct login_context {
    Gsasl *sasl;
    struct salting salting;
};

enum family { SCRAM, PASSWORD, TOKEN };

struct mechanism {
    struct str name;
    enum family family;
    bool speaks_first;
    bool binds;
};

/* The strongest first. */
static const struct mechanism mechanisms[] = {
    { STR_INIT("SCRAM-SHA-256-PLUS"), SCRAM, true, true },
    { STR_INIT("SCRAM-SHA-256"), SCRAM, true, false },
    { STR_INIT("PLAIN"), PASSWORD, true, false },
    { STR_INIT("LOGIN"), PASSWORD, false, false },
    { STR_INIT("OAUTHBEARER"), TOKEN, true, false },
};

struct login {
    const struct mechanism *mechanism;
    struct scram *scram; /* one of both; neither: OAUTHBEARER */
    Gsasl_session *sasl;
    struct salting *salting;
    struct salting_ask ask; /* for the key of SCRAM */
    struct login_owner *owner;
    struct buf secret;
    struct buf said;
    struct str last; /* of what was said: there, or in SCRAM */
    bool spoken; /* at least once */
    bool whole;
};

/* ---- the context ---- */

struct login_context *login_context_new(struct io_loop *loop, struct err *err)
{
    struct login_context *c = calloc(1, sizeof(*c));
    int code = c ? gsasl_init(&c->sasl) : GSASL_MALLOC_ERROR;

    if (code != GSASL_OK) {
        free(c);
        err_temp(err, "GNU SASL: %s", gsasl_strerror(code));
        return NULL;
    }
    if (salting_init(&c->salting, loop, err))
        return c;
    gsasl_done(c->sasl);
    free(c);
    return NULL;
}

void login_context_free(struct login_context *c)
{
    if (!c)
        return;
    gsasl_done(c->sasl);
    salting_done(&c->salting);
    free(c);
}

/* ---- which ---- */

static bool is_offered(struct str offered, struct str name)
{
    while (offered.p)
        if (str_eq_nocase(str_cut(&offered, ' '), name))
            return true;
    return false;
}

static bool is_token(struct str secret)
{
    return str_starts_nocase(secret, STR("Bearer "));
}

static const struct mechanism *choose(struct str offered, const struct login_who *who)
{
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        const struct mechanism *m = &mechanisms[i];
        if (is_offered(offered, m->name) && (!m->binds || who->exporter.n || who->unique.n) &&
            (!is_token(who->secret) || m->family == TOKEN))
            return m;
    }
    return NULL;
}

/* ---- OAUTHBEARER (RFC 7628 3.1) ---- */

static bool is_token_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > '~')
            return false;
    return s.n > 0;
}

/* RFC 5801 4: a saslname has no bare "," or "=". */
static void add_saslname(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == ',')
            buf_add(out, STR("=2C"));
        else if (name.p[i] == '=')
            buf_add(out, STR("=3D"));
        else
            buf_add_char(out, name.p[i]);
    }
}

static bool write_bearer(struct login *l, const struct login_who *who, struct err *err)
{
    struct str token = str_trim(is_token(who->secret) ? str_skip(who->secret, 7) : who->secret);

    if (!is_token_text(token))
        return err_perm(err, "the secret is no token for OAUTHBEARER");
    if (!buf_hold(&l->said, 3 * who->name.n + who->host.n + token.n + 64))
        return err_temp(err, "out of memory");
    buf_add(&l->said, STR("n,a="));
    add_saslname(&l->said, who->name);
    buf_printf(&l->said, ",\1host=%.*s\1port=%u\1auth=Bearer ", STR_ARG(who->host), who->port);
    buf_add(&l->said, token);
    buf_add(&l->said, STR("\1\1"));
    if (l->said.failed || l->said.n > TEXT_MAX)
        return err_perm(err, "the token is too long");
    return true;
}

/* What it has to say stands there since the beginning; a challenge says why not (3.2.3): it is answered for the 535. */
static enum login_answer step_bearer(struct login *l, struct str *response)
{
    *response = l->spoken ? STR("\1") : buf_str(&l->said);
    l->last = buf_str(&l->said);
    l->spoken = true;
    l->whole = true;
    return LOGIN_SAYS;
}

/* ---- SCRAM ---- */

/* As SASLprep leaves it (RFC 5802 5.1); false: it cannot be used. */
static bool prepare(struct str text, struct buf *out)
{
    char *copy = str_has(text, '\0') ? NULL : strndup(text.p ? text.p : "", text.n), *prepared = NULL;
    bool ok = copy && gsasl_saslprep(copy, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
              buf_hold(out, strlen(prepared)) && buf_add_c(out, prepared);

    if (copy)
        explicit_bzero(copy, text.n);
    if (prepared)
        explicit_bzero(prepared, strlen(prepared));
    free(copy);
    gsasl_free(prepared);
    return ok;
}

static bool write_nonce(struct buf *out)
{
    unsigned char octets[NONCE];

    return RAND_bytes(octets, NONCE) == 1 && base64_add(out, str_of((const char *)octets, NONCE));
}

static bool begin_scram(struct login *l, const struct login_who *who, struct err *err)
{
    struct buf name = { 0 }, secret = { 0 }, nonce = BUF_INIT(SCRAM_NONCE_MAX);
    bool ok = prepare(who->name, &name) && prepare(who->secret, &secret);

    if (!ok)
        err_perm(err, "name or secret cannot be used to log in");
    else if (!(ok = write_nonce(&nonce)))
        err_temp(err, "out of memory");
    if (ok)
        l->scram = scram_new(&(struct scram_who){ .name = buf_str(&name),
                                                  .secret = buf_str(&secret),
                                                  .binding = who->exporter.n ? who->exporter : who->unique,
                                                  .kind = who->exporter.n ? "tls-exporter" : "tls-unique",
                                                  .plus = l->mechanism->binds },
                             buf_str(&nonce), err);
    buf_wipe(&name);
    buf_wipe(&secret);
    buf_done(&nonce);
    return l->scram;
}

static bool say_salted(struct login *l, const unsigned char key[SCRAM_KEY], struct str *response, struct err *err)
{
    bool ok = scram_salted(l->scram, key, response, err);

    l->last = ok ? *response : STR_NONE;
    return ok;
}

static void on_reckoned(struct salting_ask *a, const unsigned char *key)
{
    struct login *l = CONTAINER_OF(a, struct login, ask);
    struct err err = { 0 };
    struct str response;
    bool ok = key ? say_salted(l, key, &response, &err) : err_temp(&err, "out of memory");

    l->owner->answered(l->owner, ok ? &response : NULL, &err);
}

static enum login_answer ask_key(struct login *l, struct str *response, struct err *err)
{
    const struct scram_salt salt = scram_salt(l->scram);
    const struct salting_what what = { salt.secret, salt.salt, salt.iterations };
    unsigned char key[SCRAM_KEY];
    bool ok;

    l->ask.reckoned = on_reckoned;
    switch (salting_ask(l->salting, &what, &l->ask, key, err)) {
    case SALTING_WAITS:
        return LOGIN_WAITS;
    case SALTING_KNOWN:
        ok = say_salted(l, key, response, err);
        explicit_bzero(key, sizeof(key));
        return ok ? LOGIN_SAYS : LOGIN_FAILED;
    case SALTING_NOT:
        break;
    }
    return LOGIN_FAILED;
}

static enum login_answer step_scram(struct login *l, struct str challenge, struct str *response, struct err *err)
{
    enum scram_answer answer = scram_step(l->scram, challenge, response, err);

    l->last = answer == SCRAM_SAYS ? *response : STR_NONE;
    l->whole = answer == SCRAM_SAYS && scram_is_whole(l->scram);
    if (answer == SCRAM_ASKS)
        return ask_key(l, response, err);
    return answer == SCRAM_SAYS ? LOGIN_SAYS : LOGIN_FAILED;
}

/* ---- the others ---- */

static bool set(struct login *l, Gsasl_property property, struct str value, struct err *err)
{
    char *text = strndup(value.p ? value.p : "", value.n);
    bool ok = text && !str_has(value, '\0') && gsasl_property_set(l->sasl, property, text) == GSASL_OK;

    if (text)
        explicit_bzero(text, value.n);
    free(text);
    return ok || err_perm(err, "name or secret cannot be used to log in");
}

static bool begin_sasl(struct login *l, struct login_context *context, const struct login_who *who, struct err *err)
{
    char name[32];
    int code;

    snprintf(name, sizeof(name), "%.*s", STR_ARG(l->mechanism->name));
    code = gsasl_client_start(context->sasl, name, &l->sasl);
    if (code != GSASL_OK)
        return err_temp(err, "GNU SASL: %s", gsasl_strerror(code));
    return set(l, GSASL_AUTHID, who->name, err) && set(l, GSASL_PASSWORD, who->secret, err);
}

static bool take_said(struct login *l, char *octets, size_t n, struct str *response, struct err *err)
{
    bool ok = n <= TEXT_MAX && buf_hold(&l->said, n) && buf_add(&l->said, str_of(octets, n));

    if (octets)
        explicit_bzero(octets, n);
    gsasl_free(octets);
    *response = l->last = buf_str(&l->said);
    return ok || err_temp(err, "the response cannot be kept");
}

enum login_answer login_step(struct login *l, struct str challenge, struct str *response, struct err *err)
{
    char *octets = NULL;
    size_t n = 0;
    int code;

    if (l->scram)
        return step_scram(l, challenge, response, err);
    if (!l->sasl)
        return step_bearer(l, response);
    l->spoken = true;
    code = gsasl_step(l->sasl, challenge.p ? challenge.p : "", challenge.n, &octets, &n);
    if (code != GSASL_OK && code != GSASL_NEEDS_MORE) {
        err_temp(err, "%.*s: %s", STR_ARG(l->mechanism->name), gsasl_strerror(code));
        return LOGIN_FAILED;
    }
    /* PLAIN and LOGIN prove nothing of the host: that is TLS's. */
    l->whole = code == GSASL_OK || l->mechanism->family == PASSWORD;
    return take_said(l, octets, n, response, err) ? LOGIN_SAYS : LOGIN_FAILED;
}

/* ---- life ---- */

struct login *login_new(struct login_context *context, struct str offered, const struct login_who *who,
                        struct login_owner *owner, struct err *err)
{
    const struct mechanism *mechanism = choose(offered, who);
    struct login *l = mechanism ? calloc(1, sizeof(*l)) : NULL;
    bool ok;

    if (!mechanism) {
        err_perm(err, "none of the mechanisms that the host offers can be used: %.*s", STR_ARG(offered));
        return NULL;
    }
    if (!l) {
        err_temp(err, "out of memory");
        return NULL;
    }
    l->mechanism = mechanism;
    l->salting = &context->salting;
    l->owner = owner;
    ok = buf_hold(&l->secret, who->secret.n) && buf_add(&l->secret, who->secret);
    if (!ok)
        err_temp(err, "out of memory");
    else if (mechanism->family == TOKEN)
        ok = write_bearer(l, who, err);
    else if (mechanism->family == SCRAM)
        ok = begin_scram(l, who, err);
    else
        ok = begin_sasl(l, context, who, err);
    if (ok)
        return l;
    login_free(l);
    return NULL;
}

void login_free(struct login *l)
{
    if (!l)
        return;
    salting_cancel(l->salting, &l->ask);
    scram_free(l->scram);
    if (l->sasl)
        gsasl_finish(l->sasl);
    buf_wipe(&l->secret);
    buf_wipe(&l->said);
    free(l);
}

struct str login_mechanism(const struct login *l)
{
    return l->mechanism->name;
}

bool login_speaks_first(const struct login *l)
{
    return l->mechanism->speaks_first;
}

bool login_waits(const struct login *l)
{
    return l->ask.reckoning;
}

bool login_is_whole(const struct login *l)
{
    return l->whole;
}

static bool has_base64(struct str text, struct str octets)
{
    struct buf words = BUF_INIT(2 * TEXT_MAX);
    bool has = octets.n && base64_add(&words, octets) && str_contains(text, buf_str(&words));

    buf_wipe(&words);
    return has;
}

bool login_is_betrayed(const struct login *l, struct str text)
{
    struct str secret = buf_str(&l->secret);

    return str_contains(text, secret) || has_base64(text, secret) || has_base64(text, l->last);
}
