/* auth/sasl.c */
#include "auth/sasl.h"

#include <stdio.h>
#include <string.h>

#include "auth/plain.h"
#include "core/base64.h"

static const struct {
    struct str name;
    const char *library_name; /* NULL: not its matter */
} mechanisms[AUTH_MECHANISMS] = {
    [AUTH_SCRAM_PLUS] = { STR_INIT("SCRAM-SHA-256-PLUS"), "SCRAM-SHA-256-PLUS" },
    [AUTH_SCRAM] = { STR_INIT("SCRAM-SHA-256"), "SCRAM-SHA-256" },
    [AUTH_PLAIN] = { STR_INIT("PLAIN"), "PLAIN" },
    [AUTH_LOGIN] = { STR_INIT("LOGIN"), "LOGIN" },
    [AUTH_EXTERNAL] = { STR_INIT("EXTERNAL"), "EXTERNAL" },
    [AUTH_OAUTHBEARER] = { STR_INIT("OAUTHBEARER"), NULL },
    [AUTH_XOAUTH2] = { STR_INIT("XOAUTH2"), NULL },
};

struct str auth_mechanism_name(enum auth_mechanism m)
{
    return mechanisms[m].name;
}

enum auth_mechanism auth_mechanism_find(struct str name)
{
    enum auth_mechanism m = 0;

    while (m < AUTH_MECHANISMS && !str_eq(mechanisms[m].name, name))
        m++;
    return m;
}

static bool is_scram(const struct auth_sasl *s)
{
    return s->mechanism == AUTH_SCRAM || s->mechanism == AUTH_SCRAM_PLUS;
}

/* ---- what the library asks ---- */

/* Gsasl_rc; empty stays empty. */
static int prepare(struct auth_sasl *s, Gsasl_property property, struct auth_text *out)
{
    const char *said = gsasl_property_fast(s->session, property);

    if (!said || !said[0])
        return GSASL_OK;
    switch (strlen(said) <= AUTH_NAME_SAID_MAX ? auth_prepare(said, out) : AUTH_UNPREPARED) {
    case AUTH_PREPARED:
        return GSASL_OK;
    case AUTH_PREPARE_NO_MEMORY:
        return GSASL_MALLOC_ERROR;
    case AUTH_UNPREPARED:
        break;
    }
    return GSASL_SASLPREP_ERROR;
}

static int take_names(struct auth_sasl *s)
{
    int rc = prepare(s, GSASL_AUTHID, &s->name);

    return rc == GSASL_OK ? prepare(s, GSASL_AUTHZID, &s->authzid) : rc;
}

/* The password is looked at by those who have something to compare it with, when the library is done. */
static int take_password(struct auth_sasl *s)
{
    const char *said = gsasl_property_fast(s->session, GSASL_PASSWORD);
    int rc = take_names(s);

    if (rc != GSASL_OK)
        return rc;
    switch (said ? auth_prepare(said, &s->password) : AUTH_UNPREPARED) {
    case AUTH_PREPARED:
        break;
    case AUTH_PREPARE_NO_MEMORY:
        rc = GSASL_MALLOC_ERROR;
        break;
    case AUTH_UNPREPARED:
        rc = GSASL_SASLPREP_ERROR;
        break;
    }
    /* It stands in the library's memory, too. */
    if (said)
        explicit_bzero((char *)(uintptr_t)said, strlen(said));
    return rc;
}

static int set_keys(struct auth_sasl *s)
{
    struct auth_scram_keys keys;
    char iterations[16];
    int rc = GSASL_MALLOC_ERROR;

    if (!s->keys(s, &keys)) {
        s->failed = true;
        return GSASL_NO_CALLBACK;
    }
    snprintf(iterations, sizeof(iterations), "%lu", (unsigned long)keys.iterations);
    if (gsasl_property_set(s->session, GSASL_SCRAM_SALT, keys.salt) == GSASL_OK &&
        gsasl_property_set(s->session, GSASL_SCRAM_STOREDKEY, keys.stored) == GSASL_OK &&
        gsasl_property_set(s->session, GSASL_SCRAM_SERVERKEY, keys.server) == GSASL_OK &&
        gsasl_property_set(s->session, GSASL_SCRAM_ITER, iterations) == GSASL_OK)
        rc = GSASL_OK;
    explicit_bzero(&keys, sizeof(keys));
    s->has_keys = rc == GSASL_OK;
    s->failed = !s->has_keys;
    return rc;
}

static int find_keys(struct auth_sasl *s)
{
    int rc = take_names(s);

    if (rc == GSASL_OK)
        return set_keys(s);
    s->failed = rc == GSASL_MALLOC_ERROR;
    s->unusual = !s->failed;
    return rc;
}

static int on_property(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    struct auth_sasl *s = session ? gsasl_session_hook_get(session) : NULL;

    if (!s)
        return GSASL_NO_CALLBACK;
    switch (property) {
    case GSASL_VALIDATE_SIMPLE:
        return take_password(s);
    case GSASL_VALIDATE_EXTERNAL:
        return take_names(s);
    case GSASL_SCRAM_ITER: /* asked for first, when the name is known */
        return find_keys(s);
    default:
        return GSASL_NO_CALLBACK;
    }
}

Gsasl *auth_sasl_library(struct err *err)
{
    Gsasl *library = NULL;
    int rc = gsasl_init(&library);

    if (rc != GSASL_OK) {
        err_temp(err, "GNU SASL: %s", gsasl_strerror(rc));
        return NULL;
    }
    gsasl_callback_set(library, on_property);
    return library;
}

/* ---- the exchange ---- */

static bool set_binding(struct auth_sasl *s, Gsasl_property property, struct str octets)
{
    struct buf text = BUF_INIT(AUTH_BINDING_MAX * 2);
    bool ok = true;

    if (octets.n && octets.n <= AUTH_BINDING_MAX)
        ok = base64_add(&text, octets) && gsasl_property_set_raw(s->session, property, text.p, text.n) == GSASL_OK;
    buf_done(&text);
    return ok;
}

bool auth_sasl_begin(struct auth_sasl *s, Gsasl *library, enum auth_mechanism mechanism, struct str exporter,
                     struct str unique)
{
    s->mechanism = mechanism;
    if (gsasl_server_start(library, mechanisms[mechanism].library_name, &s->session) != GSASL_OK) {
        s->session = NULL;
        return false;
    }
    gsasl_session_hook_set(s->session, s);
    return set_binding(s, GSASL_CB_TLS_EXPORTER, exporter) && set_binding(s, GSASL_CB_TLS_UNIQUE, unique);
}

void auth_sasl_end(struct auth_sasl *s)
{
    if (s->session)
        gsasl_finish(s->session);
    s->session = NULL;
    explicit_bzero(&s->password, sizeof(s->password));
}

bool auth_sasl_expects_proof(const struct auth_sasl *s)
{
    return is_scram(s) && s->has_keys;
}

/* What the library would take, or never tire of, and the mechanism does not allow. */
static bool is_sane(const struct auth_sasl *s, struct str response)
{
    switch (s->mechanism) {
    case AUTH_PLAIN:
        return auth_plain_is_sane(response);
    case AUTH_LOGIN:
        return response.n && auth_part_is_sane(response);
    case AUTH_EXTERNAL:
        return auth_part_is_sane(response);
    case AUTH_SCRAM:
        /* "p": the client binds to the channel and did not ask for PLUS (RFC 5802 6). */
        if (!s->has_keys && str_starts(response, STR("p")))
            return false;
        break;
    default:
        break;
    }
    return response.n && response.n <= AUTH_RESPONSE_MAX && auth_scram_is_sane(response);
}

static enum auth_sasl_result done(const struct auth_sasl *s)
{
    if (is_scram(s))
        return AUTH_SASL_PROVEN;
    return s->mechanism == AUTH_EXTERNAL ? AUTH_SASL_IDENTITY : AUTH_SASL_PASSWORD;
}

static enum auth_sasl_result result_of(const struct auth_sasl *s, int rc)
{
    if (s->failed)
        return AUTH_SASL_TEMP;
    if (s->unusual)
        return AUTH_SASL_REFUSED;
    switch (rc) {
    case GSASL_OK:
        return done(s);
    case GSASL_NEEDS_MORE:
        return AUTH_SASL_CHALLENGE;
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return AUTH_SASL_TEMP;
    case GSASL_MECHANISM_PARSE_ERROR:
    case GSASL_BASE64_ERROR:
    case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
        return AUTH_SASL_WRONG;
    default:
        return AUTH_SASL_REFUSED;
    }
}

/* What clients expect since the days of Netscape, and some look for; the library's words are those of a draft. */
static bool login_words(const struct auth_sasl *s, char **out, size_t *n)
{
    const char *words = s->begun ? "Password:" : "Username:";

    gsasl_free(*out);
    *out = strdup(words);
    *n = *out ? strlen(words) : 0;
    return *out;
}

/*
 * The first word is the server's, so that an initial response would have no place (RFC 4954 4, C112). But LOGIN has no
 * specification, and clients, Python's among them, say the name with AUTH: what was to be asked is answered.
 */
static bool skip_user_name(struct auth_sasl *s)
{
    char *words = NULL;
    size_t n;
    int rc = gsasl_step(s->session, NULL, 0, &words, &n);

    gsasl_free(words);
    return rc == GSASL_NEEDS_MORE;
}

enum auth_sasl_result auth_sasl_step(struct auth_sasl *s, struct str response, char **out, size_t *n)
{
    enum auth_sasl_result result;
    bool silent = !response.p;

    *out = NULL;
    *n = 0;
    if (silent ? s->asked : !is_sane(s, response))
        return AUTH_SASL_WRONG;
    if (s->mechanism == AUTH_LOGIN && !silent && !s->asked && !skip_user_name(s))
        return AUTH_SASL_TEMP;
    s->asked = true;
    s->begun |= !silent;
    result = result_of(s, gsasl_step(s->session, response.p, response.n, out, n));
    if (result == AUTH_SASL_CHALLENGE && s->mechanism == AUTH_LOGIN && !login_words(s, out, n))
        result = AUTH_SASL_TEMP;
    if (result != AUTH_SASL_CHALLENGE && result != AUTH_SASL_PROVEN) {
        gsasl_free(*out);
        *out = NULL;
        *n = 0;
    }
    return result;
}
