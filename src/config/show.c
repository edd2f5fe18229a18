/* config/show.c -- what holds, in the language itself, each with the place that says it. */
#include "config/parse.h"

#include "config/directive.h"
#include "config/read.h"
#include "config/tree.h"

enum { COMMENT_COLUMN = 56, SCOPES_MAX = 3 };

/* Where a value may be said, the innermost first. */
struct scopes {
    const struct config_block *of[SCOPES_MAX];
    size_t n;
};

/* A block in the file, and what became of it: one of these. */
struct shown_block {
    const struct config_statement *statement;
    enum config_context context;
    const struct config_listener *listener;
    const struct config_domain *domain;
    const struct config_route *route;
};

struct shower {
    const struct config *c;
    struct buf *out;
    const struct config_directive *only; /* NULL: all */
    size_t line;                         /* where the line in hand begins */
    int depth;                           /* of blocks around it */
};

/* ---- words ---- */

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || str_has(STR(";{}\""), s.p[i]))
            return true;
    return false;
}

static bool word_needs_quotes(const struct config_word *w)
{
    bool needs = !w->text.n || w->text.p[0] == '#';

    if (!w->placeholders)
        return needs || needs_quotes(w->text);
    for (size_t i = 0; i < w->n_parts; i++)
        needs |= !w->parts[i].placeholder && needs_quotes(w->parts[i].text);
    return needs;
}

/* A literal so that it is read as itself again. */
static void add_literal(struct buf *out, struct str s, bool quoted)
{
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && (s.p[i] == '"' || s.p[i] == '\\'))
            buf_add_char(out, '\\');
        if (str_starts(str_skip(s, i), STR("${")))
            buf_add_char(out, '$');
        buf_add_char(out, s.p[i]);
    }
}

static void add_word(struct buf *out, const struct config_word *w)
{
    bool quoted = word_needs_quotes(w);

    if (quoted)
        buf_add_char(out, '"');
    for (size_t i = 0; i < w->n_parts; i++)
        if (w->parts[i].placeholder)
            buf_printf(out, "{%.*s}", STR_ARG(w->parts[i].text));
        else
            add_literal(out, w->parts[i].text, quoted);
    if (!w->n_parts)
        add_literal(out, w->text, quoted);
    if (quoted)
        buf_add_char(out, '"');
}

/* ---- lines ---- */

static void add_indent(struct shower *s)
{
    for (int i = 0; i < s->depth; i++)
        buf_add_c(s->out, "    ");
}

static void begin_line(struct shower *s)
{
    s->line = s->out->n;
    add_indent(s);
}

static void end_line(struct shower *s, struct config_place place)
{
    struct config_place_text text = config_rule(s->c, place);
    size_t column = 0;

    for (size_t i = s->line; i < s->out->n; i++)
        column += ((unsigned char)s->out->p[i] & 0xc0) != 0x80;
    do
        buf_add_char(s->out, ' ');
    while (++column < COMMENT_COLUMN);
    buf_printf(s->out, "# %s\n", text.c);
}

static void show_statement(struct shower *s, const struct config_statement *st)
{
    begin_line(s);
    for (size_t i = 0; i < st->n_words; i++) {
        if (i)
            buf_add_char(s->out, ' ');
        add_word(s->out, &st->words[i]);
    }
    buf_add_char(s->out, ';');
    end_line(s, config_statement_place(st));
}

static void show_text(struct shower *s, const struct config_directive *d, struct str value,
                      struct config_place place)
{
    begin_line(s);
    buf_printf(s->out, "%.*s %.*s;", STR_ARG(d->name), STR_ARG(value));
    end_line(s, place);
}

/* A default that cannot be written as a value: a comment says what it is. */
static void show_fallback(struct shower *s, const struct config_directive *d)
{
    begin_line(s);
    buf_printf(s->out, "# %.*s: ", STR_ARG(d->name));
    for (size_t i = 0; i < d->fallback.n; i++)
        buf_add_char(s->out, d->fallback.p[i] == '`' ? '\'' : d->fallback.p[i]);
    end_line(s, CONFIG_PLACE_DEFAULT);
}

/* ---- what holds ---- */

/* Is ST, of scope AT, said anew further in? */
static bool is_replaced(const struct scopes *scopes, size_t at, const struct config_statement *st)
{
    for (size_t i = 0; i < at; i++)
        for (const struct config_statement *in = config_block_find(scopes->of[i], st->directive->id); in;
             in = in->same)
            if (config_same_key(st, in))
                return true;
    return false;
}

/* Waits for clients hold in listeners, those for hosts in routes, and all of them at the top. */
static bool is_of(const struct config_statement *st, enum config_context context)
{
    if (st->directive->id != CONFIG_DIRECTIVE_TIMEOUT || context == CONFIG_CONTEXT_TOP)
        return true;
    return config_timeout_is_of_sending(st->value.timeout.kind) == (context != CONFIG_CONTEXT_LISTEN);
}

/* False when no scope says anything of D. */
static bool show_said(struct shower *s, const struct scopes *scopes, const struct config_directive *d,
                      enum config_context context)
{
    bool any = false;

    for (size_t i = 0; i < scopes->n; i++)
        for (const struct config_statement *st = config_block_find(scopes->of[i], d->id); st; st = st->same)
            if (is_of(st, context) && !is_replaced(scopes, i, st)) {
                show_statement(s, st);
                any = true;
            }
    return any;
}

static bool is_wanted(const struct shower *s, const struct config_directive *d, enum config_context context)
{
    bool is_block = d->grammar == CONFIG_GRAMMAR_LISTEN || d->grammar == CONFIG_GRAMMAR_DOMAINS ||
                    d->grammar == CONFIG_GRAMMAR_ROUTE || d->grammar == CONFIG_GRAMMAR_SITE ||
                    d->grammar == CONFIG_GRAMMAR_TLS || d->grammar == CONFIG_GRAMMAR_OAUTH;

    return d->built && config_directive_may_stand(d, 1U << context) && d->grammar != CONFIG_GRAMMAR_INCLUDE &&
           !is_block && (!s->only || s->only == d);
}

static void show_top_computed(struct shower *s, const struct config_directive *d)
{
    const struct config *c = s->c;

    if (d->id == CONFIG_DIRECTIVE_HOSTNAME)
        show_text(s, d, c->session.hostname.text, CONFIG_PLACE_DEFAULT);
    else if (d->id == CONFIG_DIRECTIVE_ORIGIN)
        show_text(s, d, c->origin.text, CONFIG_PLACE_DEFAULT);
    else
        show_fallback(s, d);
}

static void show_top(struct shower *s)
{
    struct scopes scopes = { .of = { s->c->tree->written, s->c->tree->defaults }, .n = 2 };

    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++) {
        const struct config_directive *d = config_directive_get((enum config_directive_id)i);
        if (!is_wanted(s, d, CONFIG_CONTEXT_TOP))
            continue;
        if (d->id == CONFIG_DIRECTIVE_LOG && s->c->logs[0].kind == CONFIG_LOG_JOURNAL &&
            !s->c->logs[0].place.line)
            show_text(s, d, STR("journal kv info"), CONFIG_PLACE_DEFAULT);
        else if (!show_said(s, &scopes, d, CONFIG_CONTEXT_TOP))
            show_top_computed(s, d);
    }
}

static void show_flag(struct shower *s, const struct config_directive *d, bool on)
{
    show_text(s, d, on ? STR("on") : STR("off"), CONFIG_PLACE_DEFAULT);
}

/* What a listener has by its role. False: D does not go by that. */
static bool show_by_role(struct shower *s, const struct config_directive *d, const struct config_listener *l)
{
    bool users = l->role == CONFIG_ROLE_SUBMISSION;

    switch (d->id) {
    case CONFIG_DIRECTIVE_NAME:
        show_text(s, d, l->name.text, CONFIG_PLACE_DEFAULT);
        return true;
    case CONFIG_DIRECTIVE_REQUIRE:
        show_text(s, d, users ? STR("tls auth") : STR("none"), CONFIG_PLACE_DEFAULT);
        return true;
    case CONFIG_DIRECTIVE_AUTH:
        show_text(s, d, users ? STR("users") : STR("none"), CONFIG_PLACE_DEFAULT);
        return true;
    case CONFIG_DIRECTIVE_FUTURE_RELEASE:
        show_text(s, d, users ? STR("7d") : STR("off"), CONFIG_PLACE_DEFAULT);
        return true;
    case CONFIG_DIRECTIVE_HIDE_CLIENT:
    case CONFIG_DIRECTIVE_COMPLETE_HEADERS:
    case CONFIG_DIRECTIVE_SESSION_TICKETS:
        show_flag(s, d, users);
        return true;
    default:
        return false;
    }
}

static void show_inner_computed(struct shower *s, const struct config_directive *d,
                                const struct shown_block *b)
{
    if (b->listener && show_by_role(s, d, b->listener))
        return;
    if (d->id == CONFIG_DIRECTIVE_HOSTNAME)
        show_text(s, d, s->c->session.hostname.text, CONFIG_PLACE_DEFAULT);
    else if (d->id == CONFIG_DIRECTIVE_AUTH)
        show_text(s, d, STR("users"), CONFIG_PLACE_DEFAULT);
    else if (d->id == CONFIG_DIRECTIVE_DELIVER_AS && b->domain->deliver_as.text.n)
        show_text(s, d, b->domain->deliver_as.text, CONFIG_PLACE_DEFAULT);
    else
        show_fallback(s, d);
}

/* Does a site say D, so that what B does not say itself depends on where mail goes? Then it is shown there. */
static bool is_left_to_sites(const struct shower *s, const struct shown_block *b, const struct config_directive *d)
{
    return s->c->n_sites && (b->route || b->domain) && (d->contexts & 1U << CONFIG_CONTEXT_SITE);
}

/* Is D about hosts, and B not, or about accounts here, and B not? Then it holds there no more than it is written. */
static bool is_idle(const struct shower *s, const struct shown_block *b, const struct config_directive *d)
{
    const struct config_route *route = b->domain ? b->domain->route : b->route;
    bool is_condition = d->id == CONFIG_DIRECTIVE_SENDERS || d->id == CONFIG_DIRECTIVE_LISTENERS ||
                        d->id == CONFIG_DIRECTIVE_ACCOUNTS;

    if (!route || is_condition)
        return false;
    if (is_left_to_sites(s, b, d))
        return true;
    if (config_target_is_remote(route->targets[0].kind))
        return d->id == CONFIG_DIRECTIVE_DELIVER_AS && !b->domain->alias_commands.on;
    return (d->contexts & 1U << CONFIG_CONTEXT_ROUTE) && !(d->contexts & 1U << CONFIG_CONTEXT_DOMAIN);
}

/* Limits of a domain hold beside all others, and its accounts beside those of listeners: only its own are shown in it. */
static struct scopes scopes_of(const struct shower *s, const struct shown_block *b,
                               const struct config_directive *d)
{
    struct scopes scopes = { .of = { b->statement->block }, .n = 1 };

    if ((b->domain && (d->id == CONFIG_DIRECTIVE_LIMIT || d->id == CONFIG_DIRECTIVE_AUTH)) || is_idle(s, b, d))
        return scopes;
    if (d->contexts & 1U << CONFIG_CONTEXT_TOP)
        scopes.of[scopes.n++] = s->c->tree->written;
    scopes.of[scopes.n++] = s->c->tree->defaults;
    return scopes;
}

/* In a listener there may be a `tls` block too. */
static bool has_wanted(const struct shower *s, enum config_context context)
{
    bool tls = context == CONFIG_CONTEXT_LISTEN;

    if (tls && s->only && s->only->id == CONFIG_DIRECTIVE_TLS)
        return true;
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++)
        if (is_wanted(s, config_directive_get((enum config_directive_id)i), context) ||
            (tls && is_wanted(s, config_directive_get((enum config_directive_id)i), CONFIG_CONTEXT_TLS)))
            return true;
    return false;
}

/* A log-in makes of less than verify, which the block does not say itself, verify. */
static bool show_login_level(struct shower *s, const struct config_directive *d, const struct shown_block *b)
{
    const struct config_route *route = b->domain ? b->domain->route : b->route;

    if (d->id != CONFIG_DIRECTIVE_TLS_LEVEL || !route || !route->sending.login || route->sending.tls.place.line)
        return false;
    show_text(s, d, STR("verify"), CONFIG_PLACE_DEFAULT);
    return true;
}

static void show_in_block(struct shower *s, const struct config_directive *d, const struct shown_block *b)
{
    struct scopes scopes = scopes_of(s, b, d);

    if (show_login_level(s, d, b))
        return;
    if (!show_said(s, &scopes, d, b->context) && d->id != CONFIG_DIRECTIVE_LIMIT && !is_idle(s, b, d))
        show_inner_computed(s, d, b);
}

/* Where a block began in the text: in front of its head, and behind it. */
struct begun {
    size_t before;
    size_t head;
};

static struct begun begin_block(struct shower *s, const struct config_statement *st)
{
    struct begun begun = { .before = s->out->n };

    begin_line(s);
    for (size_t i = 0; i < st->n_words; i++) {
        add_word(s->out, &st->words[i]);
        buf_add_char(s->out, ' ');
    }
    buf_add_char(s->out, '{');
    end_line(s, config_statement_place(st));
    begun.head = s->out->n;
    s->depth++;
    return begun;
}

/* Of one directive only the blocks that have a value for it. */
static void end_block(struct shower *s, struct begun begun)
{
    s->depth--;
    if (s->only && s->out->n == begun.head) {
        s->out->n = begun.before;
        return;
    }
    add_indent(s);
    buf_add_c(s->out, "}\n");
}

static void show_lines(struct shower *s, const struct shown_block *b)
{
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++) {
        const struct config_directive *d = config_directive_get((enum config_directive_id)i);
        if (is_wanted(s, d, b->context))
            show_in_block(s, d, b);
    }
}

/* The `tls` ST, a block or `none`; of listener L, NULL at the top. */
static void show_tls(struct shower *s, const struct config_statement *st, const struct config_listener *l)
{
    const struct config_directive *only = s->only;
    struct shown_block b = { .statement = st, .context = CONFIG_CONTEXT_TLS, .listener = l };

    if (only && only->id == CONFIG_DIRECTIVE_TLS)
        s->only = NULL;
    if (st->block) {
        struct begun begun = begin_block(s, st);
        show_lines(s, &b);
        end_block(s, begun);
    } else if (!s->only) {
        show_statement(s, st);
    }
    s->only = only;
}

static void show_block(struct shower *s, const struct shown_block *b)
{
    const struct config_statement *tls = config_block_find(b->statement->block, CONFIG_DIRECTIVE_TLS);
    struct begun begun = begin_block(s, b->statement);

    show_lines(s, b);
    if (tls)
        show_tls(s, tls, b->listener);
    end_block(s, begun);
}

static struct shown_block block_of(const struct shower *s, const struct config_statement *st,
                                   enum config_context context, size_t at)
{
    struct shown_block b = { .statement = st, .context = context };

    if (context == CONFIG_CONTEXT_LISTEN)
        b.listener = &s->c->listeners[at];
    else if (context == CONFIG_CONTEXT_DOMAIN)
        b.domain = &s->c->domains[at];
    else if (context == CONFIG_CONTEXT_ROUTE)
        b.route = &s->c->routes[s->c->n_domains + at];
    return b;
}

/* `config show listen` shows each whole, `config show vrfy` that alone in each. */
static void show_blocks(struct shower *s, enum config_directive_id id, enum config_context context)
{
    const struct config_directive *only = s->only;
    size_t at = 0;

    if (only && only->id == id)
        s->only = NULL;
    if (has_wanted(s, context))
        for (const struct config_statement *st = config_block_find(s->c->tree->written, id); st;
             st = st->same) {
            if (id == CONFIG_DIRECTIVE_LISTEN && !st->value.endpoints.n)
                continue;
            struct shown_block b = block_of(s, st, context, at++);
            show_block(s, &b);
        }
    s->only = only;
}

/* `* mx`, when it is not written: all else about it is what stands at the top. */
static void show_last_route(struct shower *s)
{
    const struct config_route *last = &s->c->routes[s->c->n_routes - 1];

    if (!last->place.line && (!s->only || s->only->id == CONFIG_DIRECTIVE_ROUTE))
        show_text(s, config_directive_get(CONFIG_DIRECTIVE_ROUTE), STR("* mx"), CONFIG_PLACE_DEFAULT);
}

/* That of the top; listeners have their own in theirs. */
static void show_top_tls(struct shower *s)
{
    const struct config_statement *st = config_block_find(s->c->tree->written, CONFIG_DIRECTIVE_TLS);

    if (st)
        show_tls(s, st, NULL);
}

bool config_show(const struct config *c, struct str name, struct buf *out)
{
    struct shower s = { .c = c, .out = out, .only = name.n ? config_directive_find(name) : NULL };

    if (name.n && (!s.only || !s.only->built))
        return false;
    show_top(&s);
    show_top_tls(&s);
    show_blocks(&s, CONFIG_DIRECTIVE_OAUTH, CONFIG_CONTEXT_OAUTH);
    show_blocks(&s, CONFIG_DIRECTIVE_LISTEN, CONFIG_CONTEXT_LISTEN);
    show_blocks(&s, CONFIG_DIRECTIVE_DOMAIN, CONFIG_CONTEXT_DOMAIN);
    show_blocks(&s, CONFIG_DIRECTIVE_ROUTE, CONFIG_CONTEXT_ROUTE);
    show_last_route(&s);
    show_blocks(&s, CONFIG_DIRECTIVE_SITE, CONFIG_CONTEXT_SITE);
    return !out->failed;
}
