/* lookup/send_as.c -- which sender addresses an account may use (RFC 6409 6.1; the directive `send-as`). */
#include "lookup/verdict.h"

#include "route/local.h"
#include "smtp/address.h"

/* An account that says it is somebody. */
struct claim {
    struct lookup_turn *turn;
    struct smtp_path account;
    struct smtp_path sender;
    bool unsure; /* a table that might have said so cannot be had */
};

const struct config_send_as *lookup_send_as_of(const struct lookup *l, struct str account)
{
    struct str domain = str_skip(account, str_rfind(account, '@') + 1);
    const struct config_domain *block = config_find_domain(l->config, domain);

    return block ? &block->send_as : &l->config->send_as;
}

/* ---- its own ---- */

static const struct route_table *users_table(const struct route_view *view, const struct config_users *users)
{
    if (users->kind == CONFIG_USERS_SYSTEM)
        return view->table(view->ctx, ROUTE_FORM_SYSTEM, ROUTE_SYSTEM_PATH);
    return users->kind == CONFIG_USERS_FILE ? view->table(view->ctx, ROUTE_FORM_USERS, users->path) : NULL;
}

/* A user without a domain is the same one in every domain of the block (FACE 1.11). */
static bool is_user_of_all(struct claim *c, const struct config_domain *block, struct str local)
{
    struct str spelled;

    for (size_t i = 0; i < block->n_users; i++) {
        const struct route_table *table = users_table(&c->turn->lookup->view, &block->users[i]);
        if (table && route_names_find(&table->names, local, STR_NONE, &spelled))
            return true;
    }
    return false;
}

static bool is_same_domain(struct claim *c, const struct config_domain *block, struct str domain)
{
    if (str_eq(domain, c->account.domain))
        return true;
    return block && config_find_domain(c->turn->lookup->config, domain) == block &&
           is_user_of_all(c, block, c->account.local);
}

/* A user or an alias has that very name: what looks like a detail is none (route/find.c has the order). */
static bool is_anothers(struct claim *c, const struct config_domain *block, struct str local, struct str domain)
{
    const struct route_view *view = &c->turn->lookup->view;
    struct route_hit hit = { 0 };
    struct str spelled;

    for (size_t i = 0; i < block->n_users; i++) {
        const struct config_users *users = &block->users[i];
        const struct route_table *table = users_table(view, users);
        bool lost = !table && (users->kind == CONFIG_USERS_SYSTEM || users->kind == CONFIG_USERS_FILE);
        c->unsure |= lost;
        if (lost || (table && route_names_find(&table->names, local, domain, &spelled)))
            return true;
    }
    enum route_kind kind = route_find_alias(view, block, local, domain, &hit);
    c->unsure |= kind == ROUTE_NO_TABLE;
    return kind != ROUTE_UNKNOWN;
}

/* LOCAL@DOMAIN is the account's own address, perhaps with a detail. */
static bool is_itself(struct claim *c, struct str local, struct str domain)
{
    const struct config_domain *block = config_find_domain(c->turn->lookup->config, c->account.domain);
    struct str separators = block ? block->subaddress.text : ROUTE_FOREIGN_SEPARATORS;
    struct str user = local, detail;

    if (!is_same_domain(c, block, domain))
        return false;
    if (str_eq_nocase(local, c->account.local))
        return true;
    return route_cut_detail(local, separators, &user, &detail) && str_eq_nocase(user, c->account.local) &&
           !(block && is_anothers(c, block, local, domain));
}

/* Its mail comes to the account. A list is written to by many and belongs to none of them. */
static bool leads_to_it(struct claim *c)
{
    struct route_results results = { .arena = c->turn->scratch };
    struct route_failure why = { 0 };
    enum route_status status =
        route_expand(&c->turn->lookup->view, c->sender.local, c->sender.domain, 0, &results, &why);

    c->unsure = c->unsure || status == ROUTE_HAS_NO_TABLE || status == ROUTE_HAS_NO_MEMORY;
    for (size_t i = 0; status == ROUTE_OK && i < results.n; i++) {
        const struct route_result *r = &results.items[i];
        if (r->kind == ENVELOPE_ADDRESS && r->by != ROUTE_BY_LIST && is_itself(c, r->local, r->domain))
            return true;
    }
    return false;
}

/* ---- what a file grants ---- */

static bool is_granted(struct claim *c, const struct config_send_as *send_as)
{
    const struct route_view *view = &c->turn->lookup->view;

    for (size_t i = 0; i < send_as->n_files; i++) {
        const struct route_table *table = view->table(view->ctx, ROUTE_FORM_SENDERS, send_as->files[i].text);
        c->unsure = c->unsure || !table;
        if (table && route_senders_have(&table->senders, c->account.local, c->account.domain, c->sender.local,
                                        c->sender.domain))
            return true;
    }
    return false;
}

static bool is_read(struct claim *c, const struct lookup_who *who)
{
    struct arena *a = c->turn->scratch;

    return smtp_mailbox_parse(a, who->account, &c->account) == SMTP_PATH_OK &&
           smtp_mailbox_parse(a, who->sender, &c->sender) == SMTP_PATH_OK;
}

bool lookup_may_send_as(struct lookup_turn *t, const struct lookup_who *who, struct lookup_verdict *v)
{
    const struct config_send_as *send_as = lookup_send_as_of(t->lookup, who->account);
    struct claim c = { .turn = t };

    /* The null reverse-path is nobody's address: notifications have it (C125). */
    if (!who->account.n || !who->sender.n || send_as->kind == CONFIG_SEND_AS_ANY)
        return true;
    if (is_read(&c, who) &&
        (is_itself(&c, c.sender.local, c.sender.domain) || leads_to_it(&c) || is_granted(&c, send_as)))
        return true;
    *v = (struct lookup_verdict){
        .row = c.unsure ? SMTP_REPLY_SYSTEM_FAILED : SMTP_REPLY_SENDER_NOT_YOURS,
        .reason = c.unsure ? LOG_REASON_LOOKUP : LOG_REASON_SENDER,
        .rule = lookup_rule(t, send_as->place),
        .text = who->sender,
    };
    return false;
}
