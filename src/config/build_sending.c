/* config/build_sending.c -- how mail goes along a route or to a site: its block, else the top (FACE 1.4). */
#include "config/builder.h"

#include <stdlib.h>

/* ---- what a block says itself ---- */

static unsigned said_by(const struct config_block *block)
{
    static const struct {
        enum config_directive_id id;
        enum config_said said;
    } rows[] = {
        { CONFIG_DIRECTIVE_ADDRESS_FAMILY, CONFIG_SAID_ADDRESS_FAMILY },
        { CONFIG_DIRECTIVE_CONNECTIONS, CONFIG_SAID_CONNECTIONS },
        { CONFIG_DIRECTIVE_RATE, CONFIG_SAID_RATE },
        { CONFIG_DIRECTIVE_REUSE, CONFIG_SAID_REUSE },
        { CONFIG_DIRECTIVE_RECIPIENTS_PER_TRANSACTION, CONFIG_SAID_RECIPIENTS_PER_TRANSACTION },
        { CONFIG_DIRECTIVE_DEAD_HOST, CONFIG_SAID_DEAD_HOST },
        { CONFIG_DIRECTIVE_ON_REPLY, CONFIG_SAID_ON_REPLY },
        { CONFIG_DIRECTIVE_RETRY, CONFIG_SAID_RETRY },
        { CONFIG_DIRECTIVE_EXPIRE, CONFIG_SAID_EXPIRE },
        { CONFIG_DIRECTIVE_TLS_LEVEL, CONFIG_SAID_TLS_LEVEL },
    };
    unsigned said = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (config_block_find(block, rows[i].id))
            said |= rows[i].said;
    for (const struct config_statement *s = config_block_find(block, CONFIG_DIRECTIVE_TIMEOUT); s;
         s = s->same)
        if (config_timeout_is_of_sending(s->value.timeout.kind))
            said |= (unsigned)CONFIG_SAID_TIMEOUT_CONNECT << (s->value.timeout.kind - CONFIG_TIMEOUT_CONNECT);
    return said;
}

/* ---- on-reply ---- */

static bool is_none(const struct config_on_reply *reply)
{
    return !reply->code && !reply->status[0];
}

/* A whole status says more than a code, and that more than a part of a status. */
static int vagueness(const struct config_on_reply *reply)
{
    if (reply->code)
        return 1;
    int stars = (reply->status[1] == CONFIG_STATUS_ANY) + (reply->status[2] == CONFIG_STATUS_ANY);
    return stars ? 1 + stars : 0;
}

static int cmp(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* The more exact one first; 0: both are for the same replies. */
static int by_exactness(const struct config_on_reply *a, const struct config_on_reply *b)
{
    int d = cmp(b->text.n, a->text.n);

    d = d ? d : vagueness(a) - vagueness(b);
    d = d ? d : cmp(a->code, b->code);
    for (size_t i = 0; !d && i < ARRAY_LEN(a->status); i++)
        d = cmp(a->status[i], b->status[i]);
    return d ? d : str_cmp_nocase(a->text, b->text);
}

static int by_exactness_and_place(const void *a, const void *b)
{
    const struct config_on_reply *x = a, *y = b;
    int d = by_exactness(x, y);

    return d ? d : config_place_cmp(x->place, y->place);
}

static bool refuse_twins(struct config_builder *b, const struct config_on_reply *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct config_mark mark = { .place = items[i].place };
        if (by_exactness(&items[i - 1], &items[i]))
            continue;
        mark.cure = config_first_at(b->r, items[i - 1].place);
        return config_complain(b->r, mark, "'on-reply' is said twice of this reply");
    }
    return true;
}

static bool read_replies(struct config_builder *b, const struct config_statement *first,
                         struct config_on_replies *out)
{
    size_t n = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    struct config_on_reply *items = ARENA_NEW_ARRAY(b->r->arena, n, struct config_on_reply);
    if (!items)
        return config_exhausted(b->r);
    *out = (struct config_on_replies){ .items = items };
    for (const struct config_statement *s = first; s; s = s->same) {
        struct config_mark mark = { .place = config_statement_place(s) };
        if (!is_none(&s->value.on_reply))
            items[out->n++] = s->value.on_reply;
        else if (n > 1)
            return config_complain(b->r, mark, "'on-reply none' stands alone");
    }
    if (out->n)
        qsort(items, out->n, sizeof(*items), by_exactness_and_place);
    return refuse_twins(b, items, out->n);
}

/* A block that says nothing shares the list of the top. */
static bool on_replies(struct config_builder *b, const struct config_block *block,
                       struct config_on_replies *out)
{
    const struct config_statement *own = config_block_find(block, CONFIG_DIRECTIVE_ON_REPLY);

    if (block && !own) {
        *out = b->c->sending.on_replies;
        return true;
    }
    return read_replies(b, own ? own : config_said(b, NULL, CONFIG_DIRECTIVE_ON_REPLY), out);
}

/* Whom we log in to we must be sure of: what the top says counts if it is at least that (FACE 1.9). */
static struct config_tls_demand tls_demand(const struct config_builder *b, const struct config_block *block,
                                           bool login)
{
    struct config_tls_demand said = config_said_value(b, block, CONFIG_DIRECTIVE_TLS_LEVEL)->demand;

    if (login && said.level < CONFIG_TLS_VERIFY)
        return (struct config_tls_demand){ .level = CONFIG_TLS_VERIFY };
    return said;
}

bool config_build_sending(struct config_builder *b, const struct config_block *block,
                          struct config_sending *out)
{
    const struct config_statement *login = config_block_find(block, CONFIG_DIRECTIVE_LOGIN);
    const struct config_statement *ca = config_said(b, block, CONFIG_DIRECTIVE_TLS_CA);
    bool logs_in = login && login->value.login.name.text.n;

    *out = (struct config_sending){
        .said = said_by(block),
        .login = logs_in,
        .tls = tls_demand(b, block, logs_in),
        .tls_ca = ca ? ca->value.text : (struct config_text){ .text = STR_NONE },
        .port = config_said_value(b, block, CONFIG_DIRECTIVE_PORT)->number,
        .address_family = config_said_value(b, block, CONFIG_DIRECTIVE_ADDRESS_FAMILY)->choice,
        .connections = config_said_value(b, block, CONFIG_DIRECTIVE_CONNECTIONS)->window,
        .rate = config_said_value(b, block, CONFIG_DIRECTIVE_RATE)->rate,
        .reuse = config_said_value(b, block, CONFIG_DIRECTIVE_REUSE)->reuse,
        .recipients_per_transaction =
            config_said_value(b, block, CONFIG_DIRECTIVE_RECIPIENTS_PER_TRANSACTION)->number,
        .dead_host = config_said_value(b, block, CONFIG_DIRECTIVE_DEAD_HOST)->time,
        .retry = config_said_value(b, block, CONFIG_DIRECTIVE_RETRY)->times,
        .expire = config_said_value(b, block, CONFIG_DIRECTIVE_EXPIRE)->time,
        .delay_warning = config_said_value(b, block, CONFIG_DIRECTIVE_DELAY_WARNING)->times,
        .timeout_connect = config_said_timeout(b, block, CONFIG_TIMEOUT_CONNECT),
        .timeout_greeting = config_said_timeout(b, block, CONFIG_TIMEOUT_GREETING),
        .timeout_ehlo = config_said_timeout(b, block, CONFIG_TIMEOUT_EHLO),
        .timeout_mail = config_said_timeout(b, block, CONFIG_TIMEOUT_MAIL),
        .timeout_rcpt = config_said_timeout(b, block, CONFIG_TIMEOUT_RCPT),
        .timeout_data = config_said_timeout(b, block, CONFIG_TIMEOUT_DATA),
        .timeout_block = config_said_timeout(b, block, CONFIG_TIMEOUT_BLOCK),
        .timeout_final = config_said_timeout(b, block, CONFIG_TIMEOUT_FINAL),
        .timeout_quit = config_said_timeout(b, block, CONFIG_TIMEOUT_QUIT),
    };
    return on_replies(b, block, &out->on_replies);
}
