/* config/build_accounts.c -- where those who log in are looked for, and what clients must have (FACE 1.9). */
#include "config/builder.h"

/* What is right, and probably not meant. */
static void warn(struct config_builder *b, struct config_place place, const char *text, const char *cure)
{
    config_diagnostics_add(b->r->diag, CONFIG_WARNING, place, str_from_c(text), STR_NONE, str_from_c(cure));
}

/* ---- token issuers ---- */

static void oauth(const struct config_statement *s, const struct config_builder *b, struct config_oauth *out)
{
    const struct config_statement *keys = config_block_find(s->block, CONFIG_DIRECTIVE_KEYS);
    const struct config_statement *ask = config_block_find(s->block, CONFIG_DIRECTIVE_INTROSPECTION);
    const struct config_statement *audience = config_block_find(s->block, CONFIG_DIRECTIVE_AUDIENCE);
    const struct config_statement *claim = config_block_find(s->block, CONFIG_DIRECTIVE_LOGIN_CLAIM);

    if (!claim)
        claim = config_block_find(b->tree->defaults, CONFIG_DIRECTIVE_LOGIN_CLAIM);
    *out = (struct config_oauth){
        .index = b->c->n_oauths,
        .name = s->value.text.text,
        .issuer = config_block_find(s->block, CONFIG_DIRECTIVE_ISSUER)->value.text.text,
        .login_claim = claim->value.text.text,
        .place = config_statement_place(s),
    };
    if (keys)
        out->keys = keys->value.text.text;
    if (ask) {
        out->introspection = ask->value.introspection.url.text;
        out->client = ask->value.introspection.client.text;
        out->secret = ask->value.introspection.secret;
    }
    if (audience) {
        out->audiences = audience->value.audiences.items;
        out->n_audiences = audience->value.audiences.n;
    }
}

static const struct config_oauth *find_oauth(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->n_oauths; i++)
        if (str_eq(c->oauths[i].name, name))
            return &c->oauths[i];
    return NULL;
}

static void complain_of_oauth(struct config_builder *b, const struct config_auth *auth)
{
    struct str *names = ARENA_NEW_ARRAY(b->r->arena, b->c->n_oauths, struct str);
    struct str shown = config_shown(b->r, auth->where);
    struct config_mark mark = { .place = auth->place,
                                .cure = STR("such as: oauth company { issuer …; keys …; }") };

    if (!names) {
        config_exhausted(b->r);
        return;
    }
    for (size_t i = 0; i < b->c->n_oauths; i++)
        names[i] = b->c->oauths[i].name;
    size_t near = config_slip_nearest(auth->where, names, b->c->n_oauths);
    if (near < b->c->n_oauths)
        mark.hint = config_say(b->r, "did you mean 'oauth:%.*s'?", STR_ARG(names[near]));
    config_complain(b->r, mark, "there is no 'oauth' block '%.*s'", STR_ARG(shown));
}

/* Each `auth` in BLOCK and in the blocks in it, now that all names are known. USED: by index, which are named. */
static void find_oauths(struct config_builder *b, const struct config_block *block, bool *used)
{
    for (const struct config_statement *s = block->first; s; s = s->next) {
        if (s->block)
            find_oauths(b, s->block, used);
        if (!s->directive || s->directive->grammar != CONFIG_GRAMMAR_AUTH)
            continue;
        for (size_t i = 0; i < s->value.auths.n; i++) {
            struct config_auth *auth = &s->value.auths.items[i];
            if (auth->kind != CONFIG_AUTH_OAUTH)
                continue;
            auth->oauth = find_oauth(b->c, auth->where);
            if (auth->oauth)
                used[auth->oauth->index] = true;
            else
                complain_of_oauth(b, auth);
        }
    }
}

bool config_build_oauths(struct config_builder *b)
{
    const struct config_statement *first = config_block_find(b->tree->written, CONFIG_DIRECTIVE_OAUTH);
    size_t n = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    struct config_oauth *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_oauth);
    bool *used = ARENA_NEW_ARRAY(b->r->arena, n, bool);
    if (!items || !used)
        return config_exhausted(b->r);
    b->c->oauths = items;
    for (const struct config_statement *s = first; s; s = s->same, b->c->n_oauths++)
        oauth(s, b, &items[b->c->n_oauths]);
    find_oauths(b, b->tree->written, used);
    for (size_t i = 0; i < n && !b->r->diag->errors; i++)
        if (!used[i])
            warn(b, items[i].place, "nobody uses this issuer", "such as: auth oauth:NAME;");
        else if (!items[i].n_audiences)
            warn(b, items[i].place, "without 'audience' a token that was made for any other service logs in here",
                 "say what the issuer calls this one: audience NAME;");
    return true;
}

/* ---- auth ---- */

/* Where nothing is said: the users tables of the log-in's domain. */
static const struct config_auth by_default[] = { { .kind = CONFIG_AUTH_USERS } };

static struct config_auths auths_of(const struct config_statement *s, bool users)
{
    if (s)
        return (struct config_auths){ .items = s->value.auths.items,
                                      .n = s->value.auths.n,
                                      .place = config_statement_place(s) };
    return (struct config_auths){ .items = by_default, .n = users ? ARRAY_LEN(by_default) : 0 };
}

struct config_auths config_build_auth(const struct config_builder *b, const struct config_block *block,
                                      enum config_role role)
{
    return auths_of(config_said(b, block, CONFIG_DIRECTIVE_AUTH), role == CONFIG_ROLE_SUBMISSION);
}

struct config_auths config_build_domain_auth(const struct config_block *block)
{
    return auths_of(config_block_find(block, CONFIG_DIRECTIVE_AUTH), true);
}

/* ---- require ---- */

static bool says_relay_from(const struct config_statement *s)
{
    const struct config_statement *relay = config_block_find(s->block, CONFIG_DIRECTIVE_RELAY_FROM);

    return relay && (relay->value.relay.networks.n || relay->value.relay.n || relay->value.relay.n_certificates);
}

/* Without a certificate there is no TLS, and without TLS no AUTH (RFC 4954 4, RFC 8314 3). */
static void check_certificate(struct config_builder *b, const struct config_listener *l)
{
    struct config_mark mark = { .place = l->endpoints[0].place,
                                .cure = STR("such as: tls { certificate /etc/veredus/tls/mail.pem; }") };

    if (l->tls.n_certificates)
        return;
    if (l->tls_at_once)
        config_complain(b->r, mark, "a listener with 'tls' needs a certificate");
    else if (l->require.tls)
        config_complain(b->r, mark, "this listener requires TLS and has no certificate");
    else if (l->session.auth.n)
        config_complain(b->r, mark, "passwords come inside TLS only, and this listener has no certificate");
}

static void check_auth(struct config_builder *b, const struct config_listener *l)
{
    struct config_mark mark = { .place = l->require.place.line ? l->require.place : l->endpoints[0].place,
                                .cure = STR("say where passwords are checked, such as: auth users; or: require tls;") };

    if (l->require.auth && !l->require.relay_exempt && !l->session.auth.n)
        config_complain(b->r, mark, "this listener requires a log-in and 'auth' is none");
}

/* What only a client's certificate can fulfil, where none is asked for. */
static void warn_of_certificates(struct config_builder *b, const struct config_listener *l)
{
    const struct config_session *s = &l->session;
    static const char cure[] = "write in its 'tls' block: client-certificates ask;";

    if (l->tls.client_certificates.value != CONFIG_CLIENT_CERTIFICATES_OFF)
        return;
    if (s->n_relay_certificates)
        warn(b, s->relay_certificates[0].place, "a listener that this is for asks no client for a certificate", cure);
    for (size_t i = 0; i < s->n_mechanisms && s->auth.n; i++)
        if (str_eq(s->mechanisms[i].text, STR("EXTERNAL")))
            warn(b, s->mechanisms[i].place, "EXTERNAL goes by certificates, and no client is asked for one", cure);
}

void config_build_require(struct config_builder *b, const struct config_statement *s, struct config_listener *l)
{
    const struct config_statement *require = config_block_find(s->block, CONFIG_DIRECTIVE_REQUIRE);
    bool users = l->role == CONFIG_ROLE_SUBMISSION;

    l->require = require ? require->value.require : (struct config_require){ .tls = users, .auth = users };
    l->require.relay_exempt = says_relay_from(s);
    check_certificate(b, l);
    check_auth(b, l);
    warn_of_certificates(b, l);
}
