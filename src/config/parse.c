/* config/parse.c -- reading, checking, resolving, in this order; each goes on as far as the one before it let it. */
#include "config/parse.h"

#include "config/build.h"
#include "config/check.h"
#include "config/index.h"
#include "config/read.h"

/* The defaults are a text like any other; that they are right is shown by every parse. */
static struct config_block *read_defaults(struct config_reading *r)
{
    struct config_block *defaults = config_read_defaults(r);

    if (defaults)
        config_check_block(r, defaults, CONFIG_ANYWHERE);
    BUG_ON(defaults && r->diag->errors && !r->diag->exhausted);
    return r->diag->exhausted ? NULL : defaults;
}

bool config_parse(const struct config_reader *reader, const struct config_source *source, struct arena *arena,
                  const struct config **out, struct config_diagnostics *diag)
{
    struct config_reading r = { .reader = reader, .arena = arena, .diag = diag };
    struct config_tree *tree = ARENA_NEW(arena, struct config_tree);

    *diag = (struct config_diagnostics){ .arena = arena };
    if (!tree)
        return config_exhausted(&r);
    tree->defaults = read_defaults(&r);
    tree->written = tree->defaults ? config_read_source(&r, source) : NULL;
    if (!tree->written)
        return false;
    config_check_block(&r, tree->written, 1U << CONFIG_CONTEXT_TOP);
    if (!config_check_unique(&r, tree) || diag->errors || diag->exhausted)
        return false;
    const struct config *c = config_build(&r, tree);
    if (!c || diag->errors || diag->exhausted)
        return false;
    *out = c;
    return true;
}

bool config_parse_bundle(struct config_bundle *bundle, struct arena *arena, const struct config **out,
                         struct config_diagnostics *diag)
{
    struct config_reader reader = config_bundle_reader(bundle);

    return config_parse(&reader, &bundle->source, arena, out, diag);
}
