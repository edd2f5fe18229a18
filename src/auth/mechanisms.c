/* auth/mechanisms.c */
#include "auth/mechanisms.h"

#include <string.h>

#include "auth/sources.h"

/* What is known of the accounts that may log in somewhere. */
struct accounts_view {
    bool passwords; /* some source takes one */
    bool opaque;    /* some source shows no keys, or cannot be had */
    bool tokens;
    size_t login;
    size_t scram;
};

static void view_file(struct accounts_view *v, const struct auth_files *files, struct str path)
{
    const struct auth_accounts *accounts = auth_files_get(files, path);

    v->passwords = true;
    if (!accounts) {
        v->opaque = true;
        return;
    }
    v->login += accounts->n_login;
    v->scram += accounts->n_scram;
}

static void view_source(struct accounts_view *v, const struct auth_files *files, const struct auth_source *source)
{
    switch (source->kind) {
    case CONFIG_AUTH_FILE:
        view_file(v, files, source->where);
        return;
    case CONFIG_AUTH_OAUTH:
        /* Also while its keys cannot be had: who logs in is told to come again. */
        v->tokens = true;
        return;
    default:
        v->passwords = v->opaque = true;
    }
}

static void view_domain(struct accounts_view *v, const struct auth_files *files, const struct config *config,
                        uint32_t listener, struct str domain)
{
    struct auth_sources sources;
    struct auth_source source;

    auth_sources_begin(&sources, config, listener, domain);
    while (auth_sources_next(&sources, &source))
        view_source(v, files, &source);
}

/* A file that several domains share is counted for each: only "all of them" and "any of them" matter. */
static struct accounts_view view(const struct config *config, const struct auth_files *files, uint32_t listener)
{
    struct accounts_view v = { 0 };

    view_domain(&v, files, config, listener, config->origin.text);
    for (size_t i = 0; i < config->n_domains; i++)
        if (config->domains[i].n_names)
            view_domain(&v, files, config, listener, config->domains[i].names[0].text);
    return v;
}

static bool allows(const struct accounts_view *v, const struct config_listener *l, enum auth_mechanism m)
{
    switch (m) {
    case AUTH_SCRAM_PLUS:
    case AUTH_SCRAM:
        return !v->opaque && v->scram && v->scram == v->login;
    case AUTH_PLAIN:
    case AUTH_LOGIN:
        return v->passwords;
    case AUTH_EXTERNAL:
        /* Names in a certificate are worth what the CA is that signed it. */
        return l->session.auth.n && l->tls.client_ca.text.n &&
               l->tls.client_certificates.value != CONFIG_CLIENT_CERTIFICATES_OFF;
    case AUTH_OAUTHBEARER:
    case AUTH_XOAUTH2:
        return v->tokens;
    case AUTH_MECHANISMS:
        break;
    }
    return false;
}

static void add(struct auth_offer *offer, enum auth_mechanism m)
{
    struct str name = auth_mechanism_name(m);

    BUG_ON(offer->n + 1 + name.n > sizeof(offer->c));
    if (offer->n)
        offer->c[offer->n++] = ' ';
    memcpy(offer->c + offer->n, name.p, name.n);
    offer->n += name.n;
}

void auth_offer_make(const struct config *config, const struct auth_files *files, uint32_t listener,
                     struct auth_offer *out)
{
    const struct config_listener *l = &config->listeners[listener];
    struct accounts_view v = view(config, files, listener);

    *out = (struct auth_offer){ 0 };
    for (size_t i = 0; i < l->session.n_mechanisms; i++) {
        enum auth_mechanism m = auth_mechanism_find(l->session.mechanisms[i].text);
        if (m < AUTH_MECHANISMS && !auth_offer_has(out, m) && allows(&v, l, m))
            add(out, m);
    }
    if (l->session.n_mechanisms)
        return;
    for (enum auth_mechanism m = 0; m < AUTH_MECHANISMS; m++)
        if (allows(&v, l, m))
            add(out, m);
}

bool auth_offer_has(const struct auth_offer *offer, enum auth_mechanism m)
{
    struct str rest = str_of(offer->c, offer->n);

    while (rest.n)
        if (str_eq(str_cut(&rest, ' '), auth_mechanism_name(m)))
            return true;
    return false;
}
