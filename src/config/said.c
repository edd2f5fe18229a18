/* config/said.c -- what a block says: itself, or what stands around it, or by default. */
#include "config/builder.h"
#include "config/index.h"

const struct config_statement *config_said(const struct config_builder *b, const struct config_block *block,
                                           enum config_directive_id id)
{
    const struct config_statement *s = config_block_find(block, id);

    if (!s)
        s = config_block_find(b->tree->written, id);
    return s ? s : config_block_find(b->tree->defaults, id);
}

const union config_value *config_said_value(const struct config_builder *b, const struct config_block *block,
                                            enum config_directive_id id)
{
    const struct config_statement *s = config_said(b, block, id);

    BUG_ON(!s);
    return &s->value;
}

static const struct config_statement *find_timeout(const struct config_block *block,
                                                   enum config_timeout_kind kind)
{
    const struct config_statement *s = config_block_find(block, CONFIG_DIRECTIVE_TIMEOUT);

    while (s && s->value.timeout.kind != kind)
        s = s->same;
    return s;
}

struct config_time config_said_timeout(const struct config_builder *b, const struct config_block *block,
                                       enum config_timeout_kind kind)
{
    const struct config_statement *s = find_timeout(block, kind);

    if (!s)
        s = find_timeout(b->tree->written, kind);
    if (!s)
        s = find_timeout(b->tree->defaults, kind);
    BUG_ON(!s);
    return s->value.timeout.time;
}
