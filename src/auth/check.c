/* auth/check.c */
#include "auth/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "auth/waiting.h"
#include "core/base64.h"

enum { DECOY_OCTETS = 32 };

enum auth_name_read auth_take_name(struct auth_exchange *x)
{
    return auth_name_read(x->arena, str_from_c(x->sasl.name.c), x->auth->config->origin.text, &x->name);
}

/* ---- who has it ---- */

/* What the source's file has of NAME. False: it cannot be asked now. */
static bool find_in_file(struct auth_exchange *x, const struct auth_source *source, const struct auth_name *name,
                         const struct auth_account **account)
{
    const struct auth_accounts *accounts = auth_files_get(&x->auth->files, source->where);

    if (!accounts) {
        x->detail = "the users file cannot be had";
        return false;
    }
    *account = name->local.n ? auth_accounts_find(accounts, name->local, name->domain, source->bare) : NULL;
    return true;
}

/* The account that the sources' files have of NAME. False: one of them cannot be had. */
static bool find_account(struct auth_exchange *x, const struct auth_name *name, const struct auth_account **account)
{
    struct auth_sources sources;
    struct auth_source source;

    *account = NULL;
    auth_sources_begin(&sources, x->auth->config, x->listener, name->domain);
    while (!*account && auth_sources_next(&sources, &source))
        if (source.kind == CONFIG_AUTH_FILE && !find_in_file(x, &source, name, account))
            return false;
    return true;
}

/* Also in files that are not asked for passwords here. */
static bool find_mailbox(struct auth_exchange *x, const struct auth_name *name, const struct auth_account **account)
{
    const struct config_domain *domain = config_find_domain(x->auth->config, name->domain);

    if (!find_account(x, name, account))
        return false;
    for (size_t i = 0; !*account && domain && i < domain->n_users; i++) {
        struct auth_source file = { .kind = CONFIG_AUTH_FILE, .where = domain->users[i].path, .bare = true };
        if (domain->users[i].kind == CONFIG_USERS_FILE && !find_in_file(x, &file, name, account))
            return false;
    }
    return true;
}

/* As the file spells it. */
static bool set_account(struct auth_exchange *x, const struct auth_account *account)
{
    x->account = arena_printf(x->arena, "%.*s@%.*s", STR_ARG(account->local), STR_ARG(x->name.domain));
    if (!x->account.p)
        x->detail = "out of memory";
    return x->account.p;
}

static bool can_log_in(const struct auth_account *account)
{
    return account->stored.kind == AUTH_STORED_CRYPT || account->stored.kind == AUTH_STORED_SCRAM;
}

/* Some account of this listener's, with keys or at all; NULL: there is none. */
static const struct auth_account *find_sample(const struct auth_exchange *x, bool scram)
{
    struct auth_sources sources;
    struct auth_source source;

    auth_sources_begin(&sources, x->auth->config, x->listener, x->name.domain);
    while (auth_sources_next(&sources, &source)) {
        const struct auth_accounts *accounts =
            source.kind == CONFIG_AUTH_FILE ? auth_files_get(&x->auth->files, source.where) : NULL;
        const struct auth_account *sample = !accounts ? NULL : scram ? accounts->sample_scram : accounts->sample;
        if (sample)
            return sample;
    }
    return NULL;
}

/* ---- passwords ---- */

/* No answer comes sooner because there was nothing to compare with. */
static void take_as_long(struct auth_exchange *x)
{
    const struct auth_account *sample = x->hashed ? NULL : find_sample(x, false);

    if (sample)
        (void)auth_password_check(&x->sasl.password, &sample->stored);
    x->hashed = true;
}

static enum auth_verdict refuse(struct auth_exchange *x, const char *why)
{
    take_as_long(x);
    x->detail = why;
    return AUTH_VERDICT_NO;
}

static enum auth_verdict compare(struct auth_exchange *x, const struct auth_account *account)
{
    if (account->stored.kind == AUTH_STORED_LOCKED)
        return refuse(x, "the account is locked");
    if (!can_log_in(account))
        return refuse(x, "the users file has no password for it that is known here");
    x->hashed = true;
    switch (auth_password_check(&x->sasl.password, &account->stored)) {
    case AUTH_CHECK_RIGHT:
        return set_account(x, account) ? AUTH_VERDICT_YES : AUTH_VERDICT_LATER;
    case AUTH_CHECK_FAILED:
        x->detail = "out of memory";
        return AUTH_VERDICT_LATER;
    case AUTH_CHECK_WRONG:
        break;
    }
    return refuse(x, "wrong password");
}

static enum auth_verdict waits_if(bool asked)
{
    return asked ? AUTH_VERDICT_WAIT : AUTH_VERDICT_LATER;
}

static enum auth_verdict no_memory(struct auth_exchange *x)
{
    x->detail = "out of memory";
    return AUTH_VERDICT_LATER;
}

enum auth_verdict auth_check_next(struct auth_exchange *x)
{
    struct auth_source source;

    while (auth_sources_next(&x->sources, &source)) {
        const struct auth_account *account = NULL;
        /* What can be no account is under no account's limit of guesses: nobody else is asked for it. */
        if (!x->name.account.n && source.kind != CONFIG_AUTH_FILE)
            continue;
        switch (source.kind) {
        case CONFIG_AUTH_PAM:
            return waits_if(auth_ask_pam(x, source.where));
        case CONFIG_AUTH_DOVECOT:
            return waits_if(auth_ask_dovecot(x, source.where));
        case CONFIG_AUTH_OAUTH: /* takes no passwords */
        case CONFIG_AUTH_USERS: /* is the files of the domain */
            break;
        case CONFIG_AUTH_FILE:
            if (!find_in_file(x, &source, &x->name, &account))
                return AUTH_VERDICT_LATER;
            if (account)
                return compare(x, account);
        }
    }
    return refuse(x, x->asked_others ? "no such account, or a wrong password" : "no such account");
}

/* PAM or Dovecot know the password of NAME, whom the log calls ACCOUNT: unless our own file locks him. */
static enum auth_verdict let_in(struct auth_exchange *x, const struct auth_name *name, struct str account)
{
    const struct auth_account *mailbox;

    if (!find_mailbox(x, name, &mailbox))
        return AUTH_VERDICT_LATER;
    if (mailbox && mailbox->stored.kind == AUTH_STORED_LOCKED)
        return refuse(x, "the account is locked");
    x->account = account;
    return account.p ? AUTH_VERDICT_YES : no_memory(x);
}

enum auth_verdict auth_check_pam(struct auth_exchange *x, const struct ipc_pam_answer *answer)
{
    struct str text = arena_str(x->arena, answer->text);

    x->asked_others = true;
    if (!text.p)
        return no_memory(x);
    x->detail = text.p;
    if (answer->status == IPC_OK)
        return let_in(x, &x->name, x->name.account);
    if (answer->status != IPC_PERM)
        return AUTH_VERDICT_LATER;
    /* It does not say whether it knows the name; of an account that has expired it does. */
    return str_eq(text, STR("wrong password")) ? auth_check_next(x) : refuse(x, text.p);
}

/* Who it is is Dovecot's to say: it may have read the name as somebody else's. */
static enum auth_verdict take_dovecot_name(struct auth_exchange *x, struct str user)
{
    struct auth_name name;

    switch (auth_name_read(x->arena, user.n ? user : str_from_c(x->sasl.name.c), x->auth->config->origin.text, &name)) {
    case AUTH_NAME_OK:
        return let_in(x, &name, arena_printf(x->arena, "%.*s@%.*s", STR_ARG(name.local), STR_ARG(name.domain)));
    case AUTH_NAME_NO_MEMORY:
        return no_memory(x);
    case AUTH_NAME_NOBODY:
        break;
    }
    x->detail = "Dovecot names an account that can be nobody's";
    return AUTH_VERDICT_NO;
}

enum auth_verdict auth_check_dovecot(struct auth_exchange *x, const struct dovecot_line *line)
{
    x->asked_others = true;
    x->detail = "Dovecot cannot say now";
    if (line->kind == DOVECOT_OK)
        return take_dovecot_name(x, line->user);
    if (line->kind != DOVECOT_FAIL || line->later)
        return AUTH_VERDICT_LATER;
    return line->locked ? refuse(x, "the account is locked, or its password has expired") : auth_check_next(x);
}

/* ---- keys ---- */

static void copy_text(char *to, size_t room, struct str text)
{
    BUG_ON(text.n >= room);
    memcpy(to, text.p, text.n);
    to[text.n] = '\0';
}

static void copy_keys(const struct auth_scram *scram, struct auth_scram_keys *keys)
{
    keys->iterations = scram->iterations;
    copy_text(keys->salt, sizeof(keys->salt), scram->salt);
    copy_text(keys->stored, sizeof(keys->stored), scram->stored);
    copy_text(keys->server, sizeof(keys->server), scram->server);
}

static bool copy_base64(char *to, size_t room, const unsigned char *octets, size_t n)
{
    struct buf text = BUF_INIT(room - 1);
    bool ok = base64_add(&text, str_of((const char *)octets, n));

    if (ok)
        copy_text(to, room, buf_str(&text));
    buf_done(&text);
    return ok;
}

static bool is_padded(struct str text, size_t n)
{
    return text.n > n && text.p[text.n - 1 - n] == '=';
}

static size_t octets_of(struct str base64)
{
    return base64.n / 4 * 3 - is_padded(base64, 0) - is_padded(base64, 1);
}

/*
 * Keys that nobody has. Their salt is the same each time for the same name, here, in the other process and after a start:
 * it is made with what only the file knows, a key of the account that lends its iterations, too.
 */
static bool make_decoy(struct auth_exchange *x, struct auth_scram_keys *keys)
{
    const struct auth_account *sample = find_sample(x, true);
    struct str name = x->name.account.n ? x->name.account : str_from_c(x->sasl.name.c);
    unsigned char octets[EVP_MAX_MD_SIZE], random[2 * DECOY_OCTETS];
    struct auth_scram like = { .iterations = AUTH_SCRAM_ITERATIONS_MIN, .salt = STR("AAAAAAAAAAAAAAAA") };

    x->detail = "out of memory";
    if (sample)
        like = sample->stored.scram;
    keys->iterations = like.iterations;
    return HMAC(EVP_sha256(), like.server.n ? like.server.p : "", (int)like.server.n, (const unsigned char *)name.p,
                name.n, octets, NULL) &&
           copy_base64(keys->salt, sizeof(keys->salt), octets,
                       octets_of(like.salt) < DECOY_OCTETS ? octets_of(like.salt) : DECOY_OCTETS) &&
           getrandom(random, sizeof(random), 0) == sizeof(random) &&
           copy_base64(keys->stored, sizeof(keys->stored), random, DECOY_OCTETS) &&
           copy_base64(keys->server, sizeof(keys->server), random + DECOY_OCTETS, DECOY_OCTETS);
}

bool auth_find_keys(struct auth_sasl *s, struct auth_scram_keys *keys)
{
    struct auth_exchange *x = CONTAINER_OF(s, struct auth_exchange, sasl);
    const struct auth_account *account;

    x->detail = "out of memory";
    if (auth_take_name(x) == AUTH_NAME_NO_MEMORY || !find_account(x, &x->name, &account))
        return false;
    if (!account || !can_log_in(account) || !account->stored.has_scram)
        return make_decoy(x, keys);
    copy_keys(&account->stored.scram, keys);
    return set_account(x, account);
}

/* ---- certificates ---- */

enum auth_verdict auth_take_vouched(struct auth_exchange *x, struct str wanted)
{
    const struct auth_account *account;

    if (wanted.n && !str_eq(x->name.account, wanted))
        return AUTH_VERDICT_NO;
    if (!find_mailbox(x, &x->name, &account))
        return AUTH_VERDICT_LATER;
    if (account && account->stored.kind == AUTH_STORED_LOCKED) {
        x->detail = "the account is locked";
        return AUTH_VERDICT_NO;
    }
    if (account)
        return set_account(x, account) ? AUTH_VERDICT_YES : AUTH_VERDICT_LATER;
    x->account = x->name.account;
    return AUTH_VERDICT_YES;
}

/*
 * Whoever a CA vouches for is not yet an account of ours: one that signs for many makes no strangers users, and who was
 * removed from the file is gone. Of those that only PAM or Dovecot knows the domain must be ours.
 */
static bool may_be_account(struct auth_exchange *x)
{
    struct auth_sources sources;
    struct auth_source source;

    x->detail = "the certificate is for no account";
    auth_sources_begin(&sources, x->auth->config, x->listener, x->name.domain);
    while (auth_sources_next(&sources, &source)) {
        const struct auth_account *account = NULL;
        if (source.kind == CONFIG_AUTH_FILE ? find_in_file(x, &source, &x->name, &account) && account
                                            : source.bare)
            return true;
    }
    return false;
}

bool auth_find_certified(struct auth_exchange *x)
{
    struct str origin = x->auth->config->origin.text, rest = x->names;
    struct auth_name wanted = { 0 };

    x->detail = "the certificate is not for that address";
    if (x->sasl.authzid.c[0] &&
        auth_name_read(x->arena, str_from_c(x->sasl.authzid.c), origin, &wanted) != AUTH_NAME_OK)
        return false;
    while (rest.n) {
        struct str address = str_cut(&rest, '\0');
        if (!str_has(address, '@') || auth_name_read(x->arena, address, origin, &x->name) != AUTH_NAME_OK)
            continue;
        if (may_be_account(x) && auth_take_vouched(x, wanted.account) == AUTH_VERDICT_YES)
            return true;
    }
    return false;
}
