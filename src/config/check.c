/* config/check.c -- names, places, repetition; values are read by value.c. */
#include "config/check.h"

#include "config/read.h"
#include "config/value.h"

/* Of each directive with keys at most so many different ones are valid together. */
enum { KEYED_MAX = 64 };

/* What was met in one block so far. */
struct seen {
    const struct config_statement *first[CONFIG_DIRECTIVES_N];
    bool meant[CONFIG_DIRECTIVES_N]; /* a misspelt name was probably this one */
    const struct config_statement *keyed[KEYED_MAX];
    size_t n_keyed;
    struct config_statement *last[CONFIG_DIRECTIVES_N]; /* of any kind */
};

/* "in a 'domain' block", "at the top or in a 'listen' block" */
static struct str places_of(struct config_reading *r, const struct config_directive *d)
{
    struct str list = STR("it stands");
    const char *joint = " ";

    for (size_t i = 0; i < CONFIG_CONTEXTS_N; i++) {
        if (!config_directive_may_stand(d, 1U << i))
            continue;
        struct str name = config_context_name((enum config_context)i);
        if (i == CONFIG_CONTEXT_TOP)
            list = config_say(r, "%.*s at the top", STR_ARG(list));
        else
            list = config_say(r, "%.*s%sin '%.*s'", STR_ARG(list), joint, STR_ARG(name));
        joint = " or ";
    }
    return list;
}

/* Other languages part name and value by "="; alone between them it is no value of any directive here. */
static bool has_equals(const struct config_statement *s)
{
    return s->n_words > 2 && s->words[1].plain && str_eq(s->words[1].text, STR("="));
}

static bool complain_of_name(struct config_reading *r, struct config_statement *s, unsigned contexts,
                             struct seen *seen)
{
    struct str name = config_statement_name(s), shown = config_shown(r, name);
    const struct config_directive *near = config_directive_nearest(name, contexts), *elsewhere = near;
    struct config_mark mark = { .place = config_statement_place(s) };

    if (str_starts(name, STR("//")) || str_starts(name, STR("/*"))) {
        mark.cure = STR("a comment begins with '#'");
    } else if (near) {
        seen->meant[near->id] = true;
        mark.hint = config_hint(r, near->name);
        if (has_equals(s))
            mark.cure = config_say(r, "write it like this, without '=': %.*s", STR_ARG(near->example));
    } else if ((elsewhere = config_directive_nearest(name, CONFIG_ANYWHERE))) {
        mark.hint = config_hint(r, elsewhere->name);
        mark.cure = places_of(r, elsewhere);
    } else if (has_equals(s)) {
        mark.cure = STR("statements are written like this: hostname mail.example.org;");
    }
    return config_complain(r, mark, "unknown directive '%.*s'", STR_ARG(shown));
}

/* A directive that is not built is refused with all that is in its block. */
static bool complain_of_unbuilt(struct config_reading *r, struct config_statement *s)
{
    return config_complain(r, (struct config_mark){ .place = config_statement_place(s) },
                           "'%.*s' is not built yet", STR_ARG(s->directive->name));
}

static bool check_name(struct config_reading *r, struct config_statement *s, unsigned contexts,
                       struct seen *seen)
{
    const struct config_directive *d = config_directive_find(config_statement_name(s));

    if (!d || s->words[0].placeholders)
        return complain_of_name(r, s, contexts, seen);
    seen->meant[d->id] = true;
    if (!config_directive_may_stand(d, contexts))
        return config_complain(
            r, (struct config_mark){ .place = config_statement_place(s), .cure = places_of(r, d) },
            "'%.*s' cannot stand here", STR_ARG(d->name));
    s->directive = d;
    return d->built || complain_of_unbuilt(r, s);
}

static bool complain_of_second(struct config_reading *r, const struct config_statement *s,
                               const struct config_statement *first)
{
    struct config_mark mark = { .place = config_statement_place(s),
                                .cure = config_first_at(r, config_statement_place(first)) };

    return config_complain(r, mark, "'%.*s' is said twice", STR_ARG(s->directive->name));
}

static bool check_repetition(struct config_reading *r, const struct config_statement *s, struct seen *seen)
{
    const struct config_statement **first = &seen->first[s->directive->id];

    if (s->directive->repetition == CONFIG_ONCE) {
        if (*first)
            return complain_of_second(r, s, *first);
        *first = s;
    }
    if (!config_key_words(s->directive) || s->wrong)
        return true;
    for (size_t i = 0; i < seen->n_keyed; i++)
        if (config_same_key(seen->keyed[i], s))
            return complain_of_second(r, s, seen->keyed[i]);
    BUG_ON(seen->n_keyed == KEYED_MAX);
    seen->keyed[seen->n_keyed++] = s;
    return true;
}

static bool refuse_equals(struct config_reading *r, const struct config_statement *s)
{
    struct config_mark mark = { .place = s->words[1].place };

    if (!has_equals(s))
        return true;
    mark.cure = config_say(r, "write it like this: %.*s", STR_ARG(s->directive->example));
    return config_complain(r, mark, "'=' is no part of this language");
}

static bool check_block_mark(struct config_reading *r, const struct config_statement *s)
{
    struct config_mark mark = { .place = config_statement_place(s) };
    enum config_grammar grammar = s->directive->grammar;
    struct str name = s->directive->name;
    bool wants = grammar == CONFIG_GRAMMAR_DOMAINS || grammar == CONFIG_GRAMMAR_SITE ||
                 grammar == CONFIG_GRAMMAR_OAUTH || (grammar == CONFIG_GRAMMAR_TLS && s->n_words == 1);
    bool may = grammar == CONFIG_GRAMMAR_LISTEN || grammar == CONFIG_GRAMMAR_ROUTE ||
               grammar == CONFIG_GRAMMAR_TLS;

    if (s->block && !wants && !may)
        return config_complain(r, mark, "'%.*s' takes no block", STR_ARG(name));
    if (s->block || !wants)
        return true;
    mark.cure = config_say(r, "write it like this: %.*s", STR_ARG(s->directive->example));
    return config_complain(r, mark, "'%.*s' needs a block", STR_ARG(name));
}

static void check_required(struct config_reading *r, const struct config_statement *s,
                           const struct seen *seen, enum config_directive_id id)
{
    const struct config_directive *d = config_directive_get(id);
    struct config_mark mark = { .place = config_statement_place(s) };

    if (seen->meant[id])
        return;
    mark.cure = config_say(r, "such as: %.*s", STR_ARG(d->example));
    config_complain(r, mark, "this domain has no '%.*s'", STR_ARG(d->name));
}

/* Does the target of a statement that is right ask for the home of a user? */
static bool uses_home(const struct config_statement *s)
{
    const struct config_target *target = &s->value.route.targets[0];
    bool uses = config_template_uses(&target->path, CONFIG_PLACEHOLDER_HOME);

    for (size_t i = 0; i < target->n_args; i++)
        uses |= config_template_uses(&target->args[i], CONFIG_PLACEHOLDER_HOME);
    return uses;
}

static void complain_of_home(struct config_reading *r, const struct config_statement *s, struct str cure)
{
    config_complain(r, (struct config_mark){ .place = s->value.route.targets[0].place, .cure = cure },
                    "'{home}' is known of the accounts of this machine only");
}

/* Only a host knows more mailboxes than we do. */
static void check_ask(struct config_reading *r, const struct config_users *users,
                      const struct config_statement *deliver)
{
    struct config_mark mark = { .place = users->place,
                                .cure = STR("deliver to a host, such as: deliver lmtp://127.0.0.1:8024;") };

    if (users->kind == CONFIG_USERS_ASK && !config_target_is_remote(deliver->value.route.targets[0].kind))
        config_complain(r, mark, "'ask' asks the next hop, and this domain is delivered here");
}

/* What `users` and `deliver` of a domain, both right, are to one another (FACE 1.5, 1.9). */
static void check_deliver(struct config_reading *r, const struct seen *seen)
{
    const struct config_statement *users = seen->first[CONFIG_DIRECTIVE_USERS];
    const struct config_statement *deliver = seen->first[CONFIG_DIRECTIVE_DELIVER];

    if (!users || users->wrong || !deliver || deliver->wrong)
        return;
    if (uses_home(deliver) && users->value.users.items[0].kind != CONFIG_USERS_SYSTEM)
        complain_of_home(r, deliver, STR("write: users system;"));
    check_ask(r, &users->value.users.items[0], deliver);
}

/* Does W begin a line, and is it the name of a directive that cannot be a value where it stands? */
static bool begins_statement(const struct config_statement *s, const struct config_word *w)
{
    bool is_role = s->directive->grammar == CONFIG_GRAMMAR_LISTEN && str_eq(w->text, STR("tls"));

    return w->place.line > w[-1].place.line && w->plain && !is_role && config_directive_find(w->text);
}

/* A forgotten ";" makes one statement of two lines: of the first its own words are judged, the second is not. */
static bool cut_at_missing_end(struct config_reading *r, struct config_statement *s, struct seen *seen)
{
    for (size_t i = 1; i < s->n_words; i++) {
        const struct config_word *w = &s->words[i];
        if (!begins_statement(s, w))
            continue;
        struct config_mark mark = { .place = w->place };
        mark.cure = config_say(r, "is a ';' missing at the end of line %u?", w[-1].place.line);
        seen->meant[config_directive_find(w->text)->id] = true;
        s->n_words = i;
        s->block = NULL;
        return config_complain(r, mark, "'%.*s' begins in the middle of a statement", STR_ARG(w->text));
    }
    return true;
}

static void check_statement(struct config_reading *r, struct config_statement *s, unsigned contexts,
                            struct seen *seen)
{
    bool ok = check_name(r, s, contexts, seen) && refuse_equals(r, s);

    if (!ok) {
        s->wrong = true;
        return;
    }
    ok = cut_at_missing_end(r, s, seen);
    ok &= !ok || check_block_mark(r, s);
    /* What a wrong word should say is not known; all else about the statement is. */
    ok &= !s->wrong && config_value_read(r, s);
    s->wrong |= !ok;
    s->wrong |= !check_repetition(r, s, seen);
}

/* Chains S to the one before of its directive. */
static void link_same(struct config_block *b, struct config_statement *s, struct seen *seen)
{
    struct config_statement **last = &seen->last[s->directive->id];

    if (*last)
        (*last)->same = s;
    else if (b->by_id)
        b->by_id[s->directive->id] = s;
    *last = s;
}

static void check_statements(struct config_reading *r, struct config_block *b, unsigned contexts,
                             struct seen *seen)
{
    for (struct config_statement *s = b->first; s && !r->stopped; s = s->next) {
        check_statement(r, s, contexts, seen);
        if (s->directive)
            link_same(b, s, seen);
    }
}

/* What is met before a recipient is named belongs to no domain. */
static bool refuse_domain_measure(struct config_reading *r, const struct config_statement *s)
{
    struct str name = config_limit_measure_name(s->value.limit.measure);
    struct config_mark mark = { .place = s->words[2].place,
                                .cure = STR("write it in 'listen' or at the top") };

    return config_limit_is_of_recipients(s->value.limit.measure) ||
           config_complain(r, mark, "'%.*s' cannot be counted for a domain", STR_ARG(name));
}

/* Both the listener's limits and the domain's are in force: there is nothing that `none` could take away. */
static bool refuse_domain_none(struct config_reading *r, const struct config_statement *s)
{
    struct config_mark mark = { .place = s->words[3].place,
                                .cure = STR("limits of 'listen' and the top hold beside a domain's") };

    return s->value.limit.bound || config_complain(r, mark, "'none' takes nothing away in 'domain'");
}

static void check_domain_limits(struct config_reading *r, struct config_block *block)
{
    for (struct config_statement *s = block->first; s; s = s->next)
        if (s->directive && s->directive->id == CONFIG_DIRECTIVE_LIMIT && !s->wrong)
            s->wrong = !refuse_domain_measure(r, s) || !refuse_domain_none(r, s);
}

/* Waits for a client are no matter of a route, nor are those for a host of a listener. */
static void check_timeouts(struct config_reading *r, struct config_block *block, bool of_sending)
{
    struct config_mark mark = { .cure = of_sending ? STR("write it in 'listen' or at the top")
                                                   : STR("write it in 'route', 'domain', 'site' or at the top") };

    for (struct config_statement *s = block->first; s; s = s->next) {
        if (!s->directive || s->directive->id != CONFIG_DIRECTIVE_TIMEOUT || s->wrong ||
            config_timeout_is_of_sending(s->value.timeout.kind) == of_sending)
            continue;
        mark.place = s->words[1].place;
        s->wrong = !config_complain(r, mark, "'%.*s' waits for %s", STR_ARG(s->words[1].text),
                                    of_sending ? "a client or a table" : "a host that mail goes to");
    }
}

static void check_members(struct config_reading *r, const struct config_statement *s, const struct seen *seen)
{
    struct config_mark mark = { .place = config_statement_place(s) };

    if (seen->meant[CONFIG_DIRECTIVE_HOSTS] || seen->meant[CONFIG_DIRECTIVE_DOMAINS])
        return;
    mark.cure = STR("say who belongs to it, such as: hosts .google.com; or: domains example.net;");
    config_complain(r, mark, "this site has neither 'hosts' nor 'domains'");
}

/* A `tls` block, of a listener or at the top. */
static void check_tls(struct config_reading *r, struct config_statement *s)
{
    struct config_mark mark = { .place = config_statement_place(s),
                                .cure = STR("without one no TLS is offered here; write 'tls none;' if that is meant") };
    struct seen seen = { 0 };

    check_statements(r, s->block, 1U << CONFIG_CONTEXT_TLS, &seen);
    if (!s->wrong && !seen.meant[CONFIG_DIRECTIVE_CERTIFICATE])
        config_diagnostics_add(r->diag, CONFIG_WARNING, mark.place, STR("this 'tls' block has no 'certificate'"),
                               STR_NONE, mark.cure);
}

static void check_tls_inside(struct config_reading *r, struct config_block *listen)
{
    for (struct config_statement *s = listen->first; s && !r->stopped; s = s->next)
        if (s->directive && s->directive->grammar == CONFIG_GRAMMAR_TLS && s->block)
            check_tls(r, s);
}

/* Nothing is believed of a token but what somebody vouches for. */
static void check_oauth(struct config_reading *r, const struct config_statement *s, const struct seen *seen)
{
    struct config_mark mark = { .place = config_statement_place(s) };

    if (!seen->meant[CONFIG_DIRECTIVE_ISSUER]) {
        mark.cure = config_say(r, "such as: %.*s", STR_ARG(config_directive_get(CONFIG_DIRECTIVE_ISSUER)->example));
        config_complain(r, mark, "this 'oauth' block has no 'issuer'");
    }
    if (seen->meant[CONFIG_DIRECTIVE_KEYS] || seen->meant[CONFIG_DIRECTIVE_INTROSPECTION])
        return;
    mark.cure = config_say(r, "such as: %.*s", STR_ARG(config_directive_get(CONFIG_DIRECTIVE_KEYS)->example));
    config_complain(r, mark, "this 'oauth' block has neither 'keys' nor 'introspection'");
}

static void check_inner(struct config_reading *r, struct config_statement *s)
{
    struct seen seen = { 0 };

    if (s->directive->grammar == CONFIG_GRAMMAR_LISTEN) {
        check_statements(r, s->block, 1U << CONFIG_CONTEXT_LISTEN, &seen);
        check_timeouts(r, s->block, false);
        check_tls_inside(r, s->block);
    } else if (s->directive->grammar == CONFIG_GRAMMAR_TLS) {
        check_tls(r, s);
    } else if (s->directive->grammar == CONFIG_GRAMMAR_OAUTH) {
        check_statements(r, s->block, 1U << CONFIG_CONTEXT_OAUTH, &seen);
        check_oauth(r, s, &seen);
    } else if (s->directive->grammar == CONFIG_GRAMMAR_ROUTE) {
        check_statements(r, s->block, 1U << CONFIG_CONTEXT_ROUTE, &seen);
        check_timeouts(r, s->block, true);
    } else if (s->directive->grammar == CONFIG_GRAMMAR_SITE) {
        check_statements(r, s->block, 1U << CONFIG_CONTEXT_SITE, &seen);
        check_members(r, s, &seen);
        check_timeouts(r, s->block, true);
    } else if (s->directive->grammar == CONFIG_GRAMMAR_DOMAINS) {
        check_statements(r, s->block, 1U << CONFIG_CONTEXT_DOMAIN, &seen);
        check_required(r, s, &seen, CONFIG_DIRECTIVE_USERS);
        check_required(r, s, &seen, CONFIG_DIRECTIVE_DELIVER);
        check_deliver(r, &seen);
        check_domain_limits(r, s->block);
        check_timeouts(r, s->block, true);
    }
}

void config_check_block(struct config_reading *r, struct config_block *b, unsigned contexts)
{
    struct seen seen = { 0 };

    b->by_id = ARENA_NEW_ARRAY(r->arena, CONFIG_DIRECTIVES_N, const struct config_statement *);
    if (!b->by_id) {
        config_exhausted(r);
        return;
    }
    check_statements(r, b, contexts, &seen);
    for (struct config_statement *s = b->first; s && !r->stopped; s = s->next) {
        if (s->directive && s->directive->grammar == CONFIG_GRAMMAR_ROUTE && !s->wrong && uses_home(s))
            complain_of_home(r, s, STR("write it in a domain with: users system;"));
        if (s->directive && s->directive->built && s->block)
            check_inner(r, s);
    }
}
