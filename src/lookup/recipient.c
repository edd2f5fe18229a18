/* lookup/recipient.c -- RCPT and VRFY: is it ours, does it exist, may it be (RFC 5321 3.3, 3.5, 3.6.2). */
#include "lookup/verdict.h"

#include "route/local.h"

/* Bare names of VRFY are looked for in so many domains at most. */
enum { VRFY_DOMAINS_MAX = 64 };

static const struct {
    enum smtp_reply_name row;
    enum log_reason reason;
} rows[ROUTE_STATUSES] = {
    [ROUTE_OK] = { SMTP_REPLY_RCPT_OK, LOG_REASON_NONE },
    [ROUTE_IS_FOREIGN] = { SMTP_REPLY_RELAY_DENIED, LOG_REASON_RELAY },
    [ROUTE_IS_UNKNOWN] = { SMTP_REPLY_NO_SUCH_MAILBOX, LOG_REASON_NO_USER },
    [ROUTE_HAS_NO_TABLE] = { SMTP_REPLY_LOOKUP_FAILED, LOG_REASON_LOOKUP },
    [ROUTE_IS_BROKEN] = { SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LOOKUP },
    [ROUTE_IS_OFF] = { SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LOOKUP },
    [ROUTE_IS_UNGUARDED] = { SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LOOKUP },
    [ROUTE_IS_LOOP] = { SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LOOP },
    [ROUTE_IS_TOO_MUCH] = { SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LIMIT },
    [ROUTE_HAS_NO_MEMORY] = { SMTP_REPLY_MEMORY_SHORT, LOG_REASON_STORAGE },
};

struct lookup_verdict lookup_verdict_of(enum route_status status, const struct route_failure *why)
{
    return (struct lookup_verdict){
        .row = rows[status].row,
        .reason = rows[status].reason,
        .rule = why->rule,
    };
}

struct str lookup_rule(const struct lookup_turn *t, struct config_place place)
{
    return arena_str(t->scratch, str_from_c(config_rule(t->lookup->config, place).c));
}

/* A recipient under judgement. */
struct candidate {
    const struct ipc_rcpt_ask *asked;
    struct lookup_who who;
    struct policy_party party;         /* with the listener's limits */
    struct policy_party domain;        /* with those of its domain block */
    const struct config_domain *block; /* NULL: it is elsewhere */
    const struct config_route *route;  /* of a PLAIN one */
    bool plain;
    bool ask;        /* its next hop is to be asked */
    struct str rule; /* says so */
};

/* ---- routes ---- */

/* `fail` and `defer`: refused here, in the administrator's words. */
static bool target_takes(struct lookup_turn *t, const struct config_route *route, struct lookup_verdict *v)
{
    const struct config_target *target = &route->targets[0];

    if (target->kind != CONFIG_TARGET_FAIL && target->kind != CONFIG_TARGET_DEFER)
        return true;
    *v = (struct lookup_verdict){
        .reason = LOG_REASON_ROUTE,
        .rule = lookup_rule(t, route->place),
        .code = target->kind == CONFIG_TARGET_FAIL ? 550 : 450,
        .status = target->status,
        .text = target->text,
    };
    return false;
}

/* Does the route of HIT, which LOCAL was found as, take it? SENDER: its own reverse-path. */
static bool route_takes(struct lookup_turn *t, struct candidate *c, const struct route_hit *hit,
                        struct str local, struct str sender, struct lookup_verdict *v)
{
    const struct route_view *view = &t->lookup->view;
    struct route_question q = { .local = local,
                                .sender = sender,
                                .listener = lookup_listener_name(t->lookup, c->asked->listener),
                                .account = c->asked->account };
    const struct config_route *route = route_of(view, hit, q);

    c->route = route;
    if (route)
        return target_takes(t, route, v);
    *v = (struct lookup_verdict){
        .row = hit->block ? SMTP_REPLY_NO_SUCH_MAILBOX : SMTP_REPLY_LOOKUP_FAILED,
        .reason = hit->block ? LOG_REASON_NO_USER : LOG_REASON_ROUTE,
        .rule = route_hit_rule(view, hit, t->scratch),
    };
    return false;
}

/* Of what aliases lead to, one that is taken is enough; the others are reported. */
static bool routes_take_one(struct lookup_turn *t, struct candidate *c, const struct route_results *results,
                            struct lookup_verdict *v)
{
    struct route_hit hit;

    for (size_t i = 0; i < results->n; i++) {
        const struct route_result *r = &results->items[i];
        if (r->kind != ENVELOPE_ADDRESS)
            return true;
        route_find(&t->lookup->view, r->local, r->domain, ROUTE_FIND_MAILBOX, t->scratch, &hit);
        if (hit.kind != ROUTE_MAILBOX && hit.kind != ROUTE_FOREIGN)
            continue;
        /* A null reverse-path stays null, whoever owns the list. */
        struct str sender = r->sender.n && c->asked->sender.n ? r->sender : c->asked->sender;
        if (route_takes(t, c, &hit, r->local, sender, v))
            return true;
    }
    return false;
}

/* ---- RCPT ---- */

/* An address elsewhere: for those who may send anywhere (C040). */
static bool find_elsewhere(struct lookup_turn *t, struct candidate *c, const struct route_hit *hit,
                           struct lookup_verdict *v)
{
    struct config_place place;

    switch (lookup_relays(t->lookup, &c->who, &place)) {
    case LOOKUP_RELAY:
    case LOOKUP_RELAY_ACCOUNT:
        c->plain = true;
        return route_takes(t, c, hit, c->asked->local, c->asked->sender, v);
    case LOOKUP_RELAY_UNSURE:
        *v = (struct lookup_verdict){ .row = SMTP_REPLY_LOOKUP_FAILED,
                                      .reason = LOG_REASON_LOOKUP,
                                      .rule = lookup_rule(t, place) };
        return false;
    case LOOKUP_NO_RELAY:
        break;
    }
    *v = (struct lookup_verdict){ .row = SMTP_REPLY_RELAY_DENIED,
                                  .reason = LOG_REASON_RELAY,
                                  .rule = lookup_rule(t, place) };
    return false;
}

/* The whole alias is followed, so that what cannot work is refused here. */
static bool find_expanded(struct lookup_turn *t, struct candidate *c, struct lookup_verdict *v)
{
    struct route_results results = { .arena = t->scratch };
    struct route_failure why = { 0 };
    enum route_status status =
        route_expand(&t->lookup->view, c->asked->local, c->asked->domain, 0, &results, &why);

    if (status == ROUTE_OK)
        return routes_take_one(t, c, &results, v);
    *v = lookup_verdict_of(status, &why);
    return false;
}

/* What every postmaster is taken for, and what a route names, need not be asked about. */
static bool is_to_be_asked(struct lookup_turn *t, const struct candidate *c, const struct route_hit *hit)
{
    struct route_question q = { .local = c->asked->local,
                                .domain = hit->domain,
                                .separators = hit->block->subaddress.text,
                                .sender = c->asked->sender,
                                .listener = lookup_listener_name(t->lookup, c->asked->listener),
                                .account = c->asked->account };

    return hit->ask && !route_is_role(c->asked->local) &&
           config_target_is_remote(c->route->targets[0].kind) &&
           !route_is_for_address(t->lookup->view.routes, &q, c->route);
}

/* A mailbox of ours, as its address names it: perhaps one that only the next hop knows. */
static bool find_mailbox(struct lookup_turn *t, struct candidate *c, const struct route_hit *hit,
                         struct lookup_verdict *v)
{
    const struct ipc_rcpt_ask *ask = c->asked;
    enum lookup_known known;

    c->plain = true;
    if (!route_takes(t, c, hit, ask->local, ask->sender, v))
        return false;
    if (!is_to_be_asked(t, c, hit))
        return true;
    known = lookup_verified_get(&t->lookup->verified, ask->local, ask->domain, t->now_msec);
    c->ask = known == LOOKUP_NOT_KNOWN;
    c->rule = route_hit_rule(&t->lookup->view, hit, t->scratch);
    if (known != LOOKUP_EXISTS_NOT)
        return true;
    *v = (struct lookup_verdict){ .row = SMTP_REPLY_NO_SUCH_MAILBOX,
                                  .reason = LOG_REASON_NO_USER,
                                  .rule = c->rule };
    return false;
}

/* Does it lead somewhere? */
static bool find(struct lookup_turn *t, struct candidate *c, struct lookup_verdict *v)
{
    struct route_hit hit;

    route_find(&t->lookup->view, c->asked->local, c->asked->domain, ROUTE_FIND_ALL, t->scratch, &hit);
    c->block = hit.block;
    if (hit.kind == ROUTE_FOREIGN)
        return find_elsewhere(t, c, &hit, v);
    if (hit.kind == ROUTE_MAILBOX && str_eq(hit.domain, c->asked->domain))
        return find_mailbox(t, c, &hit, v);
    return find_expanded(t, c, v);
}

/* Who asks for many that do not exist is not told any more who does. */
static bool may_ask(struct lookup_turn *t, const struct policy_party *party, struct lookup_verdict *v)
{
    return lookup_allow(t, party, CONFIG_MEASURE_UNKNOWN_RECIPIENTS, 1, v) &&
           lookup_allow(t, party, CONFIG_MEASURE_RECIPIENTS, 1, v);
}

static void count_unknown(struct lookup_turn *t, const struct candidate *c)
{
    lookup_take(t, &c->party, CONFIG_MEASURE_UNKNOWN_RECIPIENTS, 1);
    if (c->block)
        lookup_take(t, &c->domain, CONFIG_MEASURE_UNKNOWN_RECIPIENTS, 1);
}

static bool is_small_enough(struct lookup_turn *t, const struct config_domain *block, uint64_t size,
                            struct lookup_verdict *v)
{
    const struct config_number *max = &block->max_message_size;

    if (size <= max->n)
        return true;
    *v = (struct lookup_verdict){
        .row = SMTP_REPLY_SIZE_TOO_BIG,
        .reason = LOG_REASON_SIZE,
        .number = max->n,
        .rule = lookup_rule(t, max->place),
    };
    return false;
}

static bool domain_allows(struct lookup_turn *t, struct candidate *c, struct lookup_verdict *v)
{
    uint64_t size = c->asked->size;

    c->domain = c->party;
    c->domain.limits = &c->block->limits;
    return may_ask(t, &c->domain, v) &&
           lookup_allow(t, &c->domain, CONFIG_MEASURE_OCTETS, size ? size : 1, v);
}

static bool judge(struct lookup_turn *t, struct candidate *c, struct lookup_verdict *v)
{
    if (!may_ask(t, &c->party, v))
        return false;
    bool found = find(t, c, v);
    if (c->block && !domain_allows(t, c, v))
        return false;
    if (!found && v->row == SMTP_REPLY_NO_SUCH_MAILBOX)
        count_unknown(t, c);
    return found && (!c->block || is_small_enough(t, c->block, c->asked->size, v));
}

static void take_recipient(struct lookup_turn *t, const struct candidate *c)
{
    lookup_take(t, &c->party, CONFIG_MEASURE_RECIPIENTS, 1);
    if (!c->block)
        return;
    lookup_take(t, &c->domain, CONFIG_MEASURE_RECIPIENTS, 1);
    lookup_take(t, &c->domain, CONFIG_MEASURE_OCTETS, c->asked->size);
}

void lookup_rcpt(struct lookup_turn *t, const struct ipc_rcpt_ask *ask, struct ipc_rcpt_answer *answer)
{
    struct candidate c = { .asked = ask,
                           .who = { .client = ask->client,
                                    .listener = ask->listener,
                                    .account = ask->account,
                                    .certificate = ask->certificate,
                                    .sender = ask->sender } };
    struct lookup_verdict v = { 0 };

    c.party = lookup_party(t, &c.who);
    bool ok = judge(t, &c, &v);
    if (ok)
        v = (struct lookup_verdict){
            .row = SMTP_REPLY_RCPT_OK, .rule = c.ask ? c.rule : STR_NONE, .text = v.held, .held = v.held
        };
    *answer = (struct ipc_rcpt_answer){
        .ticket = ask->ticket,
        .refused = !ok,
        .held = ok && v.held.n,
        .plain = ok && c.plain,
        .row = (uint16_t)v.row,
        .reason = (uint16_t)v.reason,
        .number = v.number,
        .detail = v.text,
        .rule = v.rule,
        .max_size = ok && c.block ? c.block->max_message_size.n : 0,
        .code = v.code,
        .status = v.status,
        .ask = ok && c.ask,
        .route = ok && c.ask ? (uint32_t)c.route->index : 0,
    };
    if (ok)
        take_recipient(t, &c);
}

static bool asks(const struct config_domain *block)
{
    for (size_t i = 0; i < block->n_users; i++)
        if (block->users[i].kind == CONFIG_USERS_ASK)
            return true;
    return false;
}

void lookup_hear_verified(struct lookup_turn *t, const struct ipc_verified *notice)
{
    struct lookup_who who = { .client = notice->client, .listener = notice->listener, .account = notice->account };
    struct candidate c = {
        .party = lookup_party(t, &who),
        .block = config_find_domain(t->lookup->config, notice->domain),
    };

    if (!c.block || !asks(c.block))
        return;
    lookup_verified_put(&t->lookup->verified, notice->local, notice->domain, notice->exists, t->now_msec);
    if (notice->exists)
        return;
    c.domain = c.party;
    c.domain.limits = &c.block->limits;
    count_unknown(t, &c);
}

/* ---- VRFY ---- */

/* What stands behind a name that every name stands behind was not verified (RFC 5321 3.5.3). */
static bool is_certain(const struct route_hit *hit)
{
    struct str local, domain;

    if (hit->kind != ROUTE_ALIAS)
        return hit->kind == ROUTE_MAILBOX && !hit->assumed;
    route_alias_key(hit->aliases, hit->entry, &local, &domain);
    return local.n > 0;
}

/* Would RCPT of the mailbox that LOCAL was found as be taken, as far as VRFY can know? */
static bool is_routed_on(struct lookup_turn *t, const struct route_hit *hit, struct str local)
{
    struct route_question q = { .local = local };
    const struct config_route *route = route_of(&t->lookup->view, hit, q);
    struct lookup_verdict v;

    return route && target_takes(t, route, &v);
}

/* What VRFY says of a full address: VRFY_OK only for what is really there (C044). */
static enum smtp_reply_name verify(struct lookup_turn *t, struct str local, struct str domain, struct str *in)
{
    struct route_results results = { .arena = t->scratch };
    struct route_failure why = { 0 };
    struct route_hit hit;
    enum route_status status;

    route_find(&t->lookup->view, local, domain, ROUTE_FIND_ALL, t->scratch, &hit);
    *in = hit.domain;
    if (hit.kind == ROUTE_UNKNOWN)
        return SMTP_REPLY_VRFY_NO_SUCH;
    if (!is_certain(&hit) || (hit.kind == ROUTE_MAILBOX && !is_routed_on(t, &hit, local)))
        return SMTP_REPLY_VRFY_UNSURE;
    status = route_expand(&t->lookup->view, local, domain, 0, &results, &why);
    if (status == ROUTE_IS_UNKNOWN)
        return SMTP_REPLY_VRFY_NO_SUCH;
    return status == ROUTE_OK ? SMTP_REPLY_VRFY_OK : SMTP_REPLY_VRFY_UNSURE;
}

/* A bare name: of the one domain that has it; of none, or of several, is an answer too (C046). */
static enum smtp_reply_name verify_name(struct lookup_turn *t, struct str local, struct str *in)
{
    const struct config *config = t->lookup->config;
    enum smtp_reply_name all = SMTP_REPLY_VRFY_NO_SUCH;
    size_t tried = 0;

    for (size_t i = 0; i < config->n_domains; i++) {
        for (size_t k = 0; k < config->domains[i].n_names; k++) {
            struct str domain, name = config->domains[i].names[k].text;
            if (++tried > VRFY_DOMAINS_MAX)
                return SMTP_REPLY_VRFY_UNSURE;
            enum smtp_reply_name one = verify(t, local, name, &domain);
            if (one == SMTP_REPLY_VRFY_NO_SUCH)
                continue;
            if (all != SMTP_REPLY_VRFY_NO_SUCH)
                return one == SMTP_REPLY_VRFY_UNSURE ? one : SMTP_REPLY_VRFY_AMBIGUOUS;
            all = one;
            *in = domain;
        }
    }
    return all;
}

void lookup_vrfy(struct lookup_turn *t, const struct ipc_vrfy_ask *ask, struct ipc_vrfy_answer *answer)
{
    struct lookup_who who = { .client = ask->client, .listener = ask->listener };
    struct policy_party party = lookup_party(t, &who);
    struct lookup_verdict v = { .row = SMTP_REPLY_VRFY_UNSURE };
    struct str domain = STR_NONE;

    if (lookup_offers_vrfy(t, ask->listener) &&
        lookup_allow(t, &party, CONFIG_MEASURE_UNKNOWN_RECIPIENTS, 1, &v)) {
        v.row =
            ask->domain.n ? verify(t, ask->local, ask->domain, &domain) : verify_name(t, ask->local, &domain);
        if (v.row == SMTP_REPLY_VRFY_NO_SUCH)
            lookup_take(t, &party, CONFIG_MEASURE_UNKNOWN_RECIPIENTS, 1);
    }
    *answer = (struct ipc_vrfy_answer){ .ticket = ask->ticket, .row = (uint16_t)v.row };
    if (v.row == SMTP_REPLY_VRFY_OK) {
        answer->local = ask->local;
        answer->domain = domain;
    }
}
