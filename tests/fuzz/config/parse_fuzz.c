/*
 * The parser. Oracles: a refusal says why and a configuration has no errors; a recorded parse can be repeated from its
 * bundle with the same result; what is shown of a configuration is a configuration.
 */
#include "tests/fuzz/config/fuzz.h"

struct result {
    const struct config *c;
    struct config_diagnostics diag;
    struct buf said;
    size_t shown_at; /* what was shown, behind the warnings */
};

/* What processes trust without looking: every route has patterns and targets, of a domain its own first. */
static void check_routes(const struct config *c)
{
    BUG_ON(c->n_routes <= c->n_domains); /* the last is for all the rest */
    for (size_t i = 0; i < c->n_routes; i++) {
        const struct config_route *r = &c->routes[i];
        BUG_ON(r->index != i || !r->patterns.n || !r->n_targets || !r->sending.retry.n || !r->sending.connections.start);
        BUG_ON(r->domain ? r->domain != &c->domains[i] || r->domain->route != r : i < c->n_domains);
        for (size_t k = 0; k < r->n_targets; k++) {
            const struct config_target *t = &r->targets[k];
            BUG_ON(config_target_is_local(t->kind) != (t->path.n > 0) || (r->n_targets > 1 && !config_target_is_remote(t->kind)));
            BUG_ON((t->kind == CONFIG_TARGET_FAIL || t->kind == CONFIG_TARGET_DEFER) != (t->text.n > 0));
        }
    }
    for (size_t i = 0; i < c->session.relay_from.n; i++)
        BUG_ON(!c->session.relay_from.items[i].bits);
}

/* Nobody can be made to log in in clear, and nothing is promised that needs a certificate without one. */
static void check_listeners(const struct config *c)
{
    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];
        bool wants = l->tls_at_once || l->require.tls || l->session.auth.n;
        BUG_ON(wants && !l->tls.n_certificates);
        for (size_t k = 0; k < l->tls.n_certificates; k++)
            BUG_ON(l->tls.certificates[k] != &c->certificates[l->tls.certificates[k]->index]);
        for (size_t k = 0; k < l->session.auth.n; k++)
            BUG_ON((l->session.auth.items[k].kind == CONFIG_AUTH_OAUTH) != (l->session.auth.items[k].oauth != NULL));
    }
}

/* A password leaves for a host that is named, inside TLS that is verified. */
static void check_logins(const struct config *c)
{
    for (size_t i = 0; i < c->n_routes; i++) {
        const struct config_route *r = &c->routes[i];
        BUG_ON((r->login_name.text.n > 0) != r->sending.login || (r->login_name.text.n > 0) != (r->login_secret.kind > 0));
        if (!r->sending.login)
            continue;
        BUG_ON(r->sending.tls.level < CONFIG_TLS_VERIFY);
        for (size_t k = 0; k < r->n_targets; k++)
            BUG_ON(!r->targets[k].host.n);
        for (size_t k = 0; k < c->n_sites; k++) {
            struct config_sending merged;
            config_sending_merge(&r->sending, &c->sites[k].sending, &merged);
            BUG_ON(merged.tls.level < CONFIG_TLS_VERIFY);
        }
    }
}

static void judge(struct result *r, bool ok)
{
    r->said = BUF_INIT(1 << 26);
    BUG_ON(ok != (r->c != NULL));
    BUG_ON(ok != (!r->diag.errors && !r->diag.exhausted));
    BUG_ON(!config_diagnostics_render(&r->diag, &r->said));
    BUG_ON(!ok && !r->said.n);
    if (ok) {
        check_routes(r->c);
        check_listeners(r->c);
        check_logins(r->c);
        r->shown_at = r->said.n;
        BUG_ON(!config_show(r->c, STR_NONE, &r->said));
    }
}

static void repeat(const struct config_bundle *recorded, const struct result *first)
{
    struct arena *a = arena_new(FUZZ_ARENA);
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);
    struct config_bundle bundle;
    struct result again = { 0 };

    BUG_ON(!config_bundle_encode(recorded, &blob, NULL));
    BUG_ON(!config_bundle_decode(buf_str(&blob), a, &bundle, NULL));
    judge(&again, config_parse_bundle(&bundle, a, &again.c, &again.diag));
    BUG_ON(!str_eq(buf_str(&first->said), buf_str(&again.said)));
    buf_done(&again.said);
    buf_done(&blob);
    arena_free(a);
}

/* Several listeners may share the name of their port, which cannot be written; a variable may hold "{word}". */
static bool can_be_read_again(const struct result *r)
{
    return r->c && r->c->n_listeners <= 1 && !str_has(buf_str(&r->said), '$');
}

static void compare_routes(const struct config *a, const struct config *b)
{
    BUG_ON(a->n_routes != b->n_routes || a->n_resolvers != b->n_resolvers);
    for (size_t i = 0; i < a->n_routes; i++) {
        const struct config_route *x = &a->routes[i], *y = &b->routes[i];
        BUG_ON(x->patterns.n != y->patterns.n || x->n_targets != y->n_targets);
        BUG_ON(x->senders.n != y->senders.n || x->n_listeners != y->n_listeners);
        BUG_ON(x->sending.retry.n != y->sending.retry.n || x->sending.connections.max != y->sending.connections.max);
        for (size_t k = 0; k < x->n_targets; k++) {
            const struct config_target *t = &x->targets[k], *u = &y->targets[k];
            BUG_ON(t->kind != u->kind || t->port != u->port || t->n_args != u->n_args || !str_eq(t->text, u->text));
        }
    }
}

static void read_again(const struct result *first)
{
    struct str shown = str_skip(buf_str(&first->said), first->shown_at);
    struct fuzz_source f = { .texts = { shown } };
    struct config_reader reader = fuzz_reader(&f);
    struct config_source source = { .root = fuzz_paths[0] };
    struct arena *a = arena_new(FUZZ_ARENA);
    struct result again = { 0 };

    if (shown.n <= CONFIG_FILE_MAX) {
        judge(&again, config_parse(&reader, &source, a, &again.c, &again.diag));
        BUG_ON(!again.c);
        BUG_ON(again.c->n_domains != first->c->n_domains || again.c->n_logs != first->c->n_logs);
        compare_routes(first->c, again.c);
        BUG_ON(again.c->n_listeners != first->c->n_listeners ||
               !str_eq(again.c->spool.text, first->c->spool.text));
        buf_done(&again.said);
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of((const char *)data, size), option;
    struct fuzz_source f = { 0 };
    struct arena *a = arena_new(FUZZ_ARENA);
    struct config_bundle bundle;
    struct result first = { 0 };

    BUG_ON(!a);
    for (size_t i = 0; i < FUZZ_PATHS; i++)
        f.texts[i] = str_cut(&rest, '\0');
    option = str_cut(&rest, '\0');
    f.variable = rest;
    struct config_reader inner = fuzz_reader(&f);
    struct config_source source = { .root = fuzz_paths[0],
                                    .overrides = &option,
                                    .n_overrides = option.n > 0 };
    BUG_ON(!config_bundle_record(&bundle, &source, &inner, a));
    struct config_reader reader = config_bundle_reader(&bundle);
    judge(&first, config_parse(&reader, &source, a, &first.c, &first.diag));
    if (!bundle.exhausted && !first.diag.exhausted)
        repeat(&bundle, &first);
    if (can_be_read_again(&first) && !str_has(str_of((const char *)data, size), '$'))
        read_again(&first);
    buf_done(&first.said);
    arena_free(a);
    return 0;
}
