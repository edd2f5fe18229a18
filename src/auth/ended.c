/* auth/ended.c */
#include "auth/ended.h"

#include "auth/exchange.h"

enum { ACCOUNT_MAX = 1024 };

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

static void tell(struct auth *auth, struct str local, struct str domain, enum log_reason reason)
{
    struct worker *w = auth->worker;
    struct buf account = BUF_INIT(ACCOUNT_MAX);

    if (reason != LOG_REASON_NONE && buf_printf(&account, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain)))
        for (size_t i = 0; i < w->n_peers; i++)
            if (SET_INTAKE & 1U << w->peers[i]->peer)
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
