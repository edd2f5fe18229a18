/* auth/ended.c */
#include "auth/ended.h"

#include "auth/exchange.h"

enum { ACCOUNT_MAX = 1024, NAME_ARENA_MAX = 16 * 1024 };

static bool same_scram(const struct auth_stored *a, const struct auth_stored *b)
{
    if (a->has_scram != b->has_scram)
        return false;
    return !a->has_scram ||
           (a->scram.iterations == b->scram.iterations && str_eq(a->scram.salt, b->scram.salt) &&
            str_eq(a->scram.stored, b->scram.stored) && str_eq(a->scram.server, b->scram.server));
}

static bool same_stored(const struct auth_stored *a, const struct auth_stored *b)
{
    return a->kind == b->kind && str_eq(a->hash, b->hash) && same_scram(a, b);
}

static enum log_reason judge(const struct auth_account *before, const struct auth_account *after)
{
    bool locked = after && after->stored.kind == AUTH_STORED_LOCKED;

    /* Somebody else may have vouched for a name that no file had, until now. */
    if (!before)
        return locked ? LOG_REASON_LOCKED : LOG_REASON_NONE;
    if (!after)
        return LOG_REASON_REMOVED;
    if (same_stored(&before->stored, &after->stored))
        return LOG_REASON_NONE;
    return locked ? LOG_REASON_LOCKED : LOG_REASON_PASSWORD;
}

enum log_reason auth_ended(const struct auth_files_change *change, struct str local, struct str domain)
{
    return judge(auth_accounts_find(change->before, local, domain, true),
                 auth_accounts_find(change->after, local, domain, true));
}

/* ---- telling ---- */

static bool is_intake(const struct ipc_channel *c)
{
    return SET_INTAKE & 1U << c->peer;
}

static void tell(struct auth *auth, struct str local, struct str domain, enum log_reason reason)
{
    struct worker *w = auth->worker;
    struct buf account = BUF_INIT(ACCOUNT_MAX);

    if (reason != LOG_REASON_NONE && buf_printf(&account, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain)))
        for (size_t i = 0; i < w->n_peers; i++)
            if (is_intake(w->peers[i]))
                ipc_send_login_ended(w->peers[i],
                                     &(struct ipc_login_ended){ .account = buf_str(&account), .reason = reason });
    buf_done(&account);
}

/* A name with domain counts there for the bare one, and is told for itself. */
static bool has_own(const struct auth_files_change *change, struct str local, struct str domain)
{
    return auth_accounts_find(change->before, local, domain, false) ||
           auth_accounts_find(change->after, local, domain, false);
}

/* ACCOUNT is in one of the versions: in every domain in which it counts. */
static void tell_account(struct auth *auth, const struct auth_files_change *change, const struct auth_account *account)
{
    if (account->domain.n) {
        tell(auth, account->local, account->domain, auth_ended(change, account->local, account->domain));
        return;
    }
    for (size_t i = 0; i < change->n_domains; i++)
        if (!has_own(change, account->local, change->domains[i]))
            tell(auth, account->local, change->domains[i], auth_ended(change, account->local, change->domains[i]));
}

static bool is_in(const struct auth_accounts *accounts, const struct auth_account *account)
{
    return map_find(&accounts->map, account->node.key);
}

void auth_files_changed(struct auth_files *files, const struct auth_files_change *change)
{
    struct auth *auth = CONTAINER_OF(files, struct auth, files);

    auth_exchanges_outdate(auth, change);
    MAP_FOR (node, &change->before->map)
        tell_account(auth, change, CONTAINER_OF(node, struct auth_account, node));
    MAP_FOR (node, &change->after->map) {
        const struct auth_account *account = CONTAINER_OF(node, struct auth_account, node);
        if (!is_in(change->before, account))
            tell_account(auth, change, account);
    }
}

/* ---- a newer configuration ---- */

static bool is_locked(const struct auth_account *account)
{
    return account->stored.kind == AUTH_STORED_LOCKED;
}

static const struct auth_account *find(const struct auth *auth, struct str path, const struct auth_name *name,
                                       bool bare)
{
    const struct auth_accounts *accounts = auth_files_get(&auth->files, path);

    return accounts ? auth_accounts_find(accounts, name->local, name->domain, bare) : NULL;
}

/* What a users file says counts; PAM, Dovecot and issuers, and a file that cannot be had now, may know him. */
static enum log_reason judge_at(const struct auth *auth, uint32_t listener, const struct auth_name *name)
{
    struct auth_sources sources;
    struct auth_source source;
    bool may_know = false;

    auth_sources_begin(&sources, auth->config, listener, name->domain);
    while (auth_sources_next(&sources, &source)) {
        bool is_file = source.kind == CONFIG_AUTH_FILE;
        const struct auth_account *account = is_file ? find(auth, source.where, name, source.bare) : NULL;
        if (account)
            return is_locked(account) ? LOG_REASON_LOCKED : LOG_REASON_NONE;
        may_know |= !is_file || !auth_files_get(&auth->files, source.where);
    }
    return may_know ? LOG_REASON_NONE : LOG_REASON_REMOVED;
}

/* Also by files of the domain that are not asked for passwords. */
static bool is_locked_out(const struct auth *auth, const struct auth_name *name)
{
    const struct config_domain *domain = config_find_domain(auth->config, name->domain);
    const struct auth_account *account = NULL;

    for (size_t i = 0; !account && domain && i < domain->n_users; i++)
        if (domain->users[i].kind == CONFIG_USERS_FILE)
            account = find(auth, domain->users[i].path, name, true);
    return account && is_locked(account);
}

/* A log-in stands while any listener has a source for it. */
static enum log_reason judge_kept(const struct auth *auth, const struct auth_name *name)
{
    enum log_reason reason = is_locked_out(auth, name) ? LOG_REASON_LOCKED : LOG_REASON_REMOVED;

    for (uint32_t i = 0; reason == LOG_REASON_REMOVED && i < auth->config->n_listeners; i++)
        reason = judge_at(auth, i, name);
    return reason;
}

void auth_login_kept(struct auth *auth, struct ipc_channel *from, struct str account)
{
    struct arena *a = arena_new(NAME_ARENA_MAX);
    enum log_reason reason = LOG_REASON_NONE;
    struct auth_name name;

    if (a && auth_name_read(a, account, auth->config->origin.text, &name) == AUTH_NAME_OK)
        reason = judge_kept(auth, &name);
    if (reason != LOG_REASON_NONE)
        ipc_send_login_ended(from, &(struct ipc_login_ended){ .account = account, .reason = reason });
    arena_free(a);
}

void auth_want_logins(struct auth *auth, struct ipc_channel *intake)
{
    if (is_intake(intake) && intake->generation < auth->generation)
        ipc_send_logins_wanted(intake, &(struct ipc_logins_wanted){ .generation = auth->generation });
}
