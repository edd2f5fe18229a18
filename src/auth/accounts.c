/* auth/accounts.c */
#include "auth/accounts.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "io/fd.h"
#include "route/local.h"
#include "route/users.h"

enum { LINE_ARENA_MAX = 4096 };

struct key {
    size_t n;
    char c[ROUTE_LOCAL_MAX + 1 + ROUTE_DOMAIN_MAX];
};

static bool make_key(struct str local, struct str domain, struct key *key)
{
    struct route_folded folded;

    if (!route_fold(local, &folded) || domain.n > ROUTE_DOMAIN_MAX)
        return false;
    memcpy(key->c, folded.c, folded.n);
    key->n = folded.n;
    if (domain.n) {
        key->c[key->n++] = '@';
        memcpy(key->c + key->n, domain.p, domain.n);
        key->n += domain.n;
    }
    return true;
}

static struct auth_account *find(const struct auth_accounts *accounts, struct str local, struct str domain)
{
    struct map_node *node;
    struct key key;

    if (!make_key(local, domain, &key))
        return NULL;
    node = map_find(&accounts->map, str_of(key.c, key.n));
    return node ? CONTAINER_OF(node, struct auth_account, node) : NULL;
}

/* What the stored forms borrow from the file's text has to outlive it. */
static bool keep_stored(struct arena *a, struct auth_stored *s)
{
    struct str *const texts[] = { &s->hash, &s->scram.salt, &s->scram.stored, &s->scram.server };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!texts[i]->n)
            continue;
        *texts[i] = arena_str(a, *texts[i]);
        if (!texts[i]->p)
            return false;
    }
    return true;
}

static bool insert(struct auth_accounts *accounts, struct auth_account *account)
{
    struct key key;
    struct str kept;

    if (!make_key(account->local, account->domain, &key))
        return false;
    kept = arena_str(accounts->arena, str_of(key.c, key.n));
    return kept.p && map_insert(&accounts->map, &account->node, kept);
}

static void count(struct auth_accounts *accounts, const struct auth_account *account)
{
    enum auth_stored_kind kind = account->stored.kind;

    if (kind != AUTH_STORED_CRYPT && kind != AUTH_STORED_SCRAM)
        return;
    accounts->n_login++;
    if (!accounts->sample)
        accounts->sample = account;
    if (!account->stored.has_scram)
        return;
    accounts->n_scram++;
    if (!accounts->sample_scram)
        accounts->sample_scram = account;
}

static bool add(struct auth_accounts *accounts, const struct route_users_name *who, const struct auth_stored *stored)
{
    struct arena *a = accounts->arena;
    struct auth_account *account = ARENA_NEW(a, struct auth_account);

    if (!account)
        return false;
    account->local = arena_str(a, who->local);
    account->domain = arena_str(a, who->domain);
    account->stored = *stored;
    if (!account->local.p || !account->domain.p || !keep_stored(a, &account->stored) || !insert(accounts, account))
        return false;
    count(accounts, account);
    return true;
}

/* A method that this crypt(3) lacks would look like a wrong password for ever. False: no memory. */
static bool check_method(struct arena *a, struct auth_stored *stored, const char **wrong)
{
    char *hash;
    int known;

    if (stored->kind != AUTH_STORED_CRYPT)
        return true;
    hash = arena_cstr(a, stored->hash);
    if (!hash)
        return false;
    known = crypt_checksalt(hash);
    if (known == CRYPT_SALT_INVALID || known == CRYPT_SALT_METHOD_DISABLED) {
        stored->kind = AUTH_STORED_WRONG;
        *wrong = "crypt(3) does not know this hash";
    }
    return true;
}

/* The name is in A. False: no memory. */
static bool add_line(struct auth_accounts *accounts, struct arena *a, struct str line, uint32_t number)
{
    struct str rest = line;
    struct str name = str_cut(&rest, ':');
    struct route_users_name who;
    struct auth_stored stored;
    const char *wrong;

    switch (route_users_name(name, !rest.p, a, &who)) {
    case ROUTE_USERS_NOBODY:
        return true;
    case ROUTE_USERS_WRONG:
        route_fault_add(&accounts->faults, number, str_trim(name), who.wrong);
        return true;
    case ROUTE_USERS_SOMEBODY:
        break;
    }
    wrong = auth_stored_parse(rest, &stored);
    /* A hash longer than all of them is none. */
    if (stored.hash.n > CRYPT_OUTPUT_SIZE) {
        stored.kind = AUTH_STORED_WRONG;
        wrong = "crypt(3) does not know this hash";
    } else if (!check_method(a, &stored, &wrong)) {
        return false;
    }
    if (wrong)
        route_fault_add(&accounts->warnings, number, str_trim(name), wrong);
    /* The first line of a name counts. */
    if (stored.kind == AUTH_STORED_NONE || find(accounts, who.local, who.domain))
        return true;
    return add(accounts, &who, &stored);
}

static bool add_lines(struct auth_accounts *accounts, struct str text)
{
    bool ok = true;

    for (uint32_t number = 1; ok && text.n; number++) {
        struct str line = str_cut(&text, '\n');
        struct arena *a = arena_new(LINE_ARENA_MAX);
        ok = a && add_line(accounts, a, line, number);
        arena_free(a);
    }
    return ok;
}

struct auth_accounts *auth_accounts_parse(struct str text, struct err *err)
{
    struct auth_accounts *accounts = calloc(1, sizeof(*accounts));
    struct arena *a = arena_new(AUTH_ACCOUNTS_MEMORY_MAX);
    uint64_t seed;

    if (!accounts || !a || getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        goto fail;
    accounts->arena = a;
    accounts->map.seed = seed;
    if (add_lines(accounts, text))
        return accounts;
fail:
    if (accounts)
        map_done(&accounts->map);
    arena_free(a);
    free(accounts);
    err_temp(err, "out of memory");
    return NULL;
}

struct auth_accounts *auth_accounts_read(int fd, struct err *err)
{
    struct arena *a = arena_new(AUTH_ACCOUNTS_FILE_MAX + 1);
    struct auth_accounts *accounts = NULL;
    struct str text;

    if (!a) {
        err_temp(err, "out of memory");
    } else if (fd_read_all(fd, AUTH_ACCOUNTS_FILE_MAX, a, &text, err)) {
        accounts = auth_accounts_parse(text, err);
        explicit_bzero((char *)(uintptr_t)text.p, text.n);
    }
    arena_free(a);
    return accounts;
}

void auth_accounts_free(struct auth_accounts *accounts)
{
    if (!accounts)
        return;
    map_done(&accounts->map);
    arena_free(accounts->arena);
    free(accounts);
}

const struct auth_account *auth_accounts_find(const struct auth_accounts *accounts, struct str local,
                                              struct str domain, bool bare)
{
    const struct auth_account *account = domain.n ? find(accounts, local, domain) : NULL;

    return account || !bare ? account : find(accounts, local, STR_NONE);
}
