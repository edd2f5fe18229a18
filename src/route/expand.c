/* route/expand.c -- aliases followed level by level: bounded in depth, in number and in steps. */
#include "route/expand.h"

#include <string.h>

#include "core/check.h"
#include "route/local.h"
#include "smtp/address.h"

enum { ADDRESS_MAX = 3 * SMTP_PATH_MAX, SEEN_FIRST = 16, RESULTS_FIRST = 8 };

/* An address to look at, and how we came to it. */
struct step {
    struct step *next;
    const struct step *from; /* NULL: the recipient */
    struct str local;
    struct str domain;
    struct str sender;
    struct str rule;    /* the place that names it */
    struct str include; /* a file of targets instead; LOCAL and DOMAIN are the address it stands for */
    bool guarded;       /* INCLUDE: the files that lead to it are root's alone */
    enum route_find_mode mode;
    unsigned depth;
};

/* The expansion of one recipient. */
struct walk {
    const struct route_view *view;
    struct arena *arena;
    struct route_failure *why;
    struct step **last;     /* where the next step is put: they are looked at in this order */
    struct route_seen seen; /* addresses looked at */
    struct route_result *found;
    size_t n;
    size_t room;
    enum route_by by;
    struct str rule; /* of the first change */
    uint64_t max;    /* results */
    uint64_t steps;
    size_t alive; /* of the results, those that are mailboxes */
};

/* ---- addresses seen ---- */

static struct str *seen_slot(const struct route_seen *seen, struct str key)
{
    size_t mask = seen->room - 1;

    for (size_t i = str_hash(key, 0) & mask;; i = (i + 1) & mask)
        if (!seen->slots[i].p || str_eq(seen->slots[i], key))
            return &seen->slots[i];
}

static bool seen_grow(struct route_seen *seen, struct arena *a)
{
    struct route_seen wider = { .n = seen->n, .room = seen->room ? seen->room * 2 : SEEN_FIRST };

    if ((seen->n + 1) * 2 <= seen->room)
        return true;
    wider.slots = ARENA_NEW_ARRAY(a, wider.room, struct str);
    if (!wider.slots)
        return false;
    for (size_t i = 0; i < seen->room; i++)
        if (seen->slots[i].p)
            *seen_slot(&wider, seen->slots[i]) = seen->slots[i];
    *seen = wider;
    return true;
}

/* One form for all spellings: folded local part, domain, and how it was looked for. */
static struct str seen_key(struct arena *a, struct str local, struct str domain, enum route_find_mode mode)
{
    struct route_folded folded;

    if (!route_fold(local, &folded))
        return STR_NONE;
    return arena_printf(a, "%d%.*s@%.*s", (int)mode, STR_ARG(route_folded_str(&folded)), STR_ARG(domain));
}

enum seen { SEEN_NEW, SEEN_BEFORE, SEEN_NO_MEMORY };

static enum seen seen_add(struct route_seen *seen, struct arena *a, struct str key)
{
    if (!key.p || !seen_grow(seen, a))
        return SEEN_NO_MEMORY;
    struct str *slot = seen_slot(seen, key);
    if (slot->p)
        return SEEN_BEFORE;
    *slot = key;
    seen->n++;
    return SEEN_NEW;
}

/* ---- results ---- */

static bool results_room(struct arena *a, struct route_result **items, size_t n, size_t *room)
{
    size_t wider = *room ? *room * 2 : RESULTS_FIRST;

    if (n < *room)
        return true;
    struct route_result *more = ARENA_NEW_ARRAY(a, wider, struct route_result);
    if (!more)
        return false;
    if (n)
        memcpy(more, *items, n * sizeof(*more));
    *items = more;
    *room = wider;
    return true;
}

/* Commands and files are told apart by every octet. */
static struct str result_key(struct arena *a, const struct route_result *r)
{
    if (r->kind == ENVELOPE_ADDRESS)
        return seen_key(a, r->local, r->domain, ROUTE_FIND_ALL);
    return arena_printf(a, "%c%.*s@%.*s", r->kind == ENVELOPE_COMMAND ? '|' : '/', STR_ARG(r->local),
                        STR_ARG(r->domain));
}

bool route_results_add(struct route_results *results, const struct route_result *result)
{
    struct arena *a = results->arena;
    enum seen seen;

    if (!results_room(a, &results->items, results->n, &results->room))
        return false;
    seen = seen_add(&results->seen, a, result_key(a, result));
    if (seen == SEEN_NEW)
        results->items[results->n++] = *result;
    return seen != SEEN_NO_MEMORY;
}

static struct str address_text(struct arena *a, struct str local, struct str domain)
{
    struct smtp_path path = { .local = local, .domain = domain };
    struct buf out = BUF_INIT(ADDRESS_MAX);
    struct str text = smtp_path_write(&out, &path) ? arena_str(a, buf_str(&out)) : STR_NONE;

    buf_done(&out);
    return text;
}

/* What named the address is to blame, or what decided about the recipient itself. */
static enum route_status fail(struct walk *w, const struct step *s, const struct route_hit *hit,
                              enum route_status status)
{
    *w->why = (struct route_failure){
        .rule = s->rule.n ? s->rule : route_hit_rule(w->view, hit, w->arena),
        .address = address_text(w->arena, s->local, s->domain),
    };
    return status;
}

static enum route_status add_found(struct walk *w, struct route_result found)
{
    if (!results_room(w->arena, &w->found, w->n, &w->room))
        return ROUTE_HAS_NO_MEMORY;
    found.rule = w->rule;
    found.by = w->by;
    w->found[w->n++] = found;
    return ROUTE_OK;
}

static enum route_status add_result(struct walk *w, const struct step *s, const struct route_hit *hit)
{
    if (w->n >= w->max)
        return fail(w, s, hit, ROUTE_IS_TOO_MUCH);
    return add_found(w,
                     (struct route_result){ .local = s->local, .domain = hit->domain, .sender = s->sender });
}

/* What is there for certain, or somebody else's to know. */
static enum route_status add_alive(struct walk *w, const struct step *s, const struct route_hit *hit)
{
    w->alive++;
    return add_result(w, s, hit);
}

/* ---- following ---- */

/* Was this address met on the way here? An alias may name itself, near or far: it means the mailbox then. */
static bool on_the_way(const struct step *s)
{
    for (const struct step *up = s->from; up; up = up->from)
        if (up->mode == ROUTE_FIND_ALL && str_eq_nocase(up->local, s->local) && str_eq(up->domain, s->domain))
            return true;
    return false;
}

/* The first change of a recipient is the one that its record names. */
static bool note_change(struct walk *w, struct str rule, enum route_by by)
{
    if (w->by == ROUTE_BY_ITSELF) {
        w->by = by;
        w->rule = rule;
    }
    return rule.p != NULL;
}

/* Another address, or another file, to look at; bounded, however the files are written. */
static enum route_status push(struct walk *w, const struct step *step)
{
    struct step *s = ARENA_NEW(w->arena, struct step);

    if (!s)
        return ROUTE_HAS_NO_MEMORY;
    if (++w->steps / ROUTE_DEPTH_MAX > w->max)
        return ROUTE_IS_TOO_MUCH;
    *s = *step;
    *w->last = s;
    w->last = &s->next;
    return ROUTE_OK;
}

static bool is_guarded(const struct walk *w, const struct route_aliases *file)
{
    return file->guarded && (file->owner == 0 || file->owner == w->view->owner);
}

/*
 * A command or file for LIKE's domain. Whoever may write to an alias file may then run what they like: so the
 * administrator must have said that this is meant, and nobody else may be able to.
 */
static enum route_status add_command(struct walk *w, const struct step *like,
                                     const struct route_target *target)
{
    const struct config_domain *block = config_find_domain(w->view->config, like->domain);

    if (!block || !block->alias_commands.on)
        return ROUTE_IS_OFF;
    if (!like->guarded)
        return ROUTE_IS_UNGUARDED;
    if (w->n >= w->max)
        return ROUTE_IS_TOO_MUCH;
    w->alive++;
    return add_found(w, (struct route_result){
                            .kind = target->kind == ROUTE_TARGET_FILE ? ENVELOPE_FILE : ENVELOPE_COMMAND,
                            .local = target->text,
                            .domain = like->domain,
                            .sender = like->sender,
                        });
}

/* What a target of the address S makes to look at; LIKE has what all of them have. */
static enum route_status push_target(struct walk *w, const struct step *s, const struct step *like,
                                     const struct route_target *t)
{
    struct step next = *like;

    next.from = s;
    next.depth = s->depth + 1;
    if (t->kind == ROUTE_TARGET_INCLUDE) {
        next.include = t->text;
    } else {
        next.guarded = false;
        next.local = t->text.n ? t->text : s->local;
        next.domain = t->domain.n ? t->domain : like->domain;
        next.mode = t->kind == ROUTE_TARGET_MAILBOX ? ROUTE_FIND_MAILBOX : ROUTE_FIND_ALL;
    }
    return push(w, &next);
}

static enum route_status push_targets(struct walk *w, const struct step *s, const struct step *like,
                                      const struct route_aliases *aliases, const struct route_alias *entry)
{
    enum route_status status = ROUTE_OK;

    for (size_t i = 0; i < entry->n && status == ROUTE_OK; i++) {
        struct route_target t = route_alias_target(aliases, entry, i);
        if (t.kind == ROUTE_TARGET_BROKEN)
            status = ROUTE_IS_BROKEN;
        else if (t.kind == ROUTE_TARGET_COMMAND || t.kind == ROUTE_TARGET_FILE)
            status = add_command(w, like, &t);
        else
            status = push_target(w, s, like, &t);
    }
    return status;
}

/* A list has an owner- alias beside its own: reports go there (RFC 5321 3.9.2). */
static enum route_kind find_owner(struct walk *w, const struct route_hit *list, struct str *owner)
{
    static const struct str prefix = STR_INIT("owner-");
    struct str local, domain, name;
    struct route_hit hit = { 0 };
    enum route_kind kind;

    route_alias_key(list->aliases, list->entry, &local, &domain);
    if (!local.n || str_starts_nocase(local, prefix))
        return ROUTE_UNKNOWN;
    name = arena_printf(w->arena, "owner-%.*s", STR_ARG(local));
    if (!name.p)
        return ROUTE_NO_MEMORY;
    kind = route_find_alias(w->view, list->block, name, list->domain, &hit);
    if (kind == ROUTE_ALIAS)
        *owner = address_text(w->arena, name, list->domain);
    return kind == ROUTE_ALIAS && !owner->p ? ROUTE_NO_MEMORY : kind;
}

static enum route_status visit_alias(struct walk *w, const struct step *s, const struct route_hit *hit)
{
    struct step like = { .local = s->local, .domain = hit->domain, .sender = s->sender };
    struct str owner = STR_NONE;
    enum route_kind kind = find_owner(w, hit, &owner);
    enum route_status status;

    like.rule = route_hit_rule(w->view, hit, w->arena);
    like.guarded = is_guarded(w, hit->aliases);
    if (kind == ROUTE_NO_TABLE)
        return fail(w, s, hit, ROUTE_HAS_NO_TABLE);
    if (kind == ROUTE_NO_MEMORY || !note_change(w, like.rule, owner.n ? ROUTE_BY_LIST : ROUTE_BY_ALIAS))
        return ROUTE_HAS_NO_MEMORY;
    if (owner.n)
        like.sender = owner;
    status = push_targets(w, s, &like, hit->aliases, hit->entry);
    if (status != ROUTE_OK) {
        fail(w, s, hit, status);
        w->why->rule = like.rule;
    }
    return status;
}

static enum route_status visit_include(struct walk *w, const struct step *s)
{
    const struct route_table *list = w->view->table(w->view->ctx, ROUTE_FORM_LIST, s->include);
    struct route_hit hit = { .path = s->include };
    struct step like = *s;
    enum route_status status;

    like.next = NULL;
    like.include = STR_NONE;
    like.guarded = s->guarded && list && is_guarded(w, &list->aliases);
    if (!list)
        status = ROUTE_HAS_NO_TABLE;
    else
        status = push_targets(w, s, &like, &list->aliases, route_aliases_entry(&list->aliases, 0));
    return status == ROUTE_OK ? status : fail(w, s, &hit, status);
}

static enum route_status visit_redirect(struct walk *w, const struct step *s, const struct route_hit *hit)
{
    struct str rule = route_hit_rule(w->view, hit, w->arena);
    struct step next = {
        .from = s,
        .local = hit->to_local,
        .domain = hit->to_domain,
        .sender = s->sender,
        .rule = rule,
        .depth = s->depth + 1,
    };

    return note_change(w, rule, hit->by) ? push(w, &next) : ROUTE_HAS_NO_MEMORY;
}

static enum route_status visit_mailbox(struct walk *w, const struct step *s, const struct route_hit *hit)
{
    /* <Postmaster>, or a literal of ours: the address gets the domain that is meant. */
    if (!str_eq(s->domain, hit->domain) &&
        !note_change(w, route_hit_rule(w->view, hit, w->arena), ROUTE_BY_ORIGIN))
        return ROUTE_HAS_NO_MEMORY;
    return add_alive(w, s, hit);
}

/* At the beginning it is the recipient's fault, later an alias's. */
static enum route_status visit_unknown(struct walk *w, const struct step *s, const struct route_hit *hit,
                                       bool loop)
{
    enum route_status status = loop ? ROUTE_OK : fail(w, s, hit, ROUTE_IS_UNKNOWN);

    return loop || !s->from ? status : add_result(w, s, hit);
}

static enum seen mark(struct walk *w, const struct step *s)
{
    struct str key = s->include.n
                         ? arena_printf(w->arena, ":%.*s:%.*s", STR_ARG(s->include), STR_ARG(s->domain))
                         : seen_key(w->arena, s->local, s->domain, s->mode);

    return seen_add(&w->seen, w->arena, key);
}

static enum route_status visit_address(struct walk *w, const struct step *s, bool loop)
{
    struct route_hit hit;

    route_find(w->view, s->local, s->domain, s->mode, w->arena, &hit);
    if (!s->from && hit.block)
        w->max = hit.block->max_expansion.n;
    switch (hit.kind) {
    case ROUTE_MAILBOX:
        return visit_mailbox(w, s, &hit);
    case ROUTE_ALIAS:
        return visit_alias(w, s, &hit);
    case ROUTE_REDIRECT:
        return visit_redirect(w, s, &hit);
    case ROUTE_UNKNOWN:
        return visit_unknown(w, s, &hit, loop);
    case ROUTE_FOREIGN:
        return s->from ? add_alive(w, s, &hit) : fail(w, s, &hit, ROUTE_IS_FOREIGN);
    case ROUTE_NO_TABLE:
        return fail(w, s, &hit, ROUTE_HAS_NO_TABLE);
    case ROUTE_NO_MEMORY:
        break;
    }
    return ROUTE_HAS_NO_MEMORY;
}

static enum route_status visit(struct walk *w, struct step *s)
{
    bool loop = !s->include.n && s->mode == ROUTE_FIND_ALL && on_the_way(s);
    enum seen seen;

    if (loop)
        s->mode = ROUTE_FIND_MAILBOX;
    if (s->depth > ROUTE_DEPTH_MAX)
        return fail(w, s, &(struct route_hit){ 0 }, ROUTE_IS_LOOP);
    seen = mark(w, s);
    if (seen != SEEN_NEW)
        return seen == SEEN_BEFORE ? ROUTE_OK : ROUTE_HAS_NO_MEMORY;
    return s->include.n ? visit_include(w, s) : visit_address(w, s, loop);
}

/* An alias all of whose targets are gone, or that leads to nobody, is refused like what it leads to. */
static enum route_status judge(struct walk *w, const struct step *recipient)
{
    if (w->alive)
        return ROUTE_OK;
    if (w->n)
        return ROUTE_IS_UNKNOWN;
    *w->why = (struct route_failure){ w->rule, address_text(w->arena, recipient->local, recipient->domain) };
    return ROUTE_IS_LOOP;
}

static enum route_status keep(struct walk *w, struct route_results *results, size_t index)
{
    for (size_t i = 0; i < w->n; i++) {
        w->found[i].index = index;
        if (!route_results_add(results, &w->found[i]))
            return ROUTE_HAS_NO_MEMORY;
    }
    return ROUTE_OK;
}

/* Whatever waits behind FIRST, and what that brings; then what all of it is worth. */
static enum route_status walk_on(struct walk *w, struct step *first, enum route_status status)
{
    for (struct step *s = first->next; s && status == ROUTE_OK; s = s->next)
        status = visit(w, s);
    return status == ROUTE_OK ? judge(w, first) : status;
}

enum route_status route_expand(const struct route_view *view, struct str local, struct str domain,
                               size_t index, struct route_results *results, struct route_failure *why)
{
    struct step recipient = { .local = local, .domain = domain };
    struct walk w = { .view = view, .arena = results->arena, .why = why };
    enum route_status status;

    w.last = &recipient.next;
    status = visit(&w, &recipient);
    status = walk_on(&w, &recipient, status);
    return status == ROUTE_OK ? keep(&w, results, index) : status;
}

enum route_status route_expand_entry(const struct route_view *view, struct str local,
                                     const struct route_hit *hit, struct route_results *results,
                                     struct route_failure *why)
{
    struct step name = { .local = local, .domain = hit->domain };
    struct walk w = { .view = view, .arena = results->arena, .why = why, .max = hit->block->max_expansion.n };
    enum route_status status;

    w.last = &name.next;
    status = visit_alias(&w, &name, hit);
    status = walk_on(&w, &name, status);
    return status == ROUTE_OK ? keep(&w, results, 0) : status;
}
