/* auth/sources.c */
#include "auth/sources.h"

static const struct config_auths nobody;

void auth_sources_begin(struct auth_sources *s, const struct config *config, uint32_t listener, struct str domain)
{
    *s = (struct auth_sources){
        .config = config,
        .auths = listener < config->n_listeners ? &config->listeners[listener].session.auth : &nobody,
        .domain = config_find_domain(config, domain),
    };
    /* Nobody becomes somebody of a domain that is not ours by adding it to a name. */
    s->bare = s->domain || str_eq(domain, config->origin.text);
}

static bool take(const struct config_auth *auth, bool bare, struct auth_source *out)
{
    *out = (struct auth_source){ .kind = auth->kind, .where = auth->where, .oauth = auth->oauth, .bare = bare };
    return true;
}

static bool next_of_users(struct auth_sources *s, struct auth_source *out)
{
    while (s->in_users && s->at_users < s->domain->n_users) {
        const struct config_users *u = &s->domain->users[s->at_users++];
        if (u->kind != CONFIG_USERS_FILE)
            continue;
        *out = (struct auth_source){ .kind = CONFIG_AUTH_FILE, .where = u->path, .bare = true };
        return true;
    }
    s->in_users = false;
    return false;
}

static void begin_users(struct auth_sources *s)
{
    s->in_users = true;
    s->at_users = 0;
}

static void begin_domain(struct auth_sources *s)
{
    s->in_domain = true;
    s->at_domain = 0;
    /* A block that says nothing has its users asked; `none` stands somewhere. */
    if (!s->domain->auth.n && !s->domain->auth.place.line)
        begin_users(s);
}

static bool next_of_domain(struct auth_sources *s, struct auth_source *out)
{
    if (next_of_users(s, out))
        return true;
    while (s->in_domain && s->at_domain < s->domain->auth.n) {
        const struct config_auth *auth = &s->domain->auth.items[s->at_domain++];
        if (auth->kind != CONFIG_AUTH_USERS)
            return take(auth, true, out);
        begin_users(s);
        if (next_of_users(s, out))
            return true;
    }
    s->in_domain = false;
    return false;
}

bool auth_sources_next(struct auth_sources *s, struct auth_source *out)
{
    if (next_of_domain(s, out))
        return true;
    while (s->at < s->auths->n) {
        const struct config_auth *auth = &s->auths->items[s->at++];
        if (auth->kind != CONFIG_AUTH_USERS)
            return take(auth, s->bare, out);
        if (!s->domain)
            continue;
        begin_domain(s);
        if (next_of_domain(s, out))
            return true;
    }
    return false;
}
