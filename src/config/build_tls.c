/* config/build_tls.c -- certificates, each once, and what every listener offers (FACE 1.9, RFC 9325). */
#include "config/builder.h"

static bool names_certificate(const struct config_statement *s)
{
    return s->directive && s->directive->grammar == CONFIG_GRAMMAR_CERTIFICATE;
}

static size_t count_certificates(const struct config_block *block)
{
    size_t n = 0;

    for (const struct config_statement *s = block->first; s; s = s->next)
        n += s->block ? count_certificates(s->block) : names_certificate(s);
    return n;
}

bool config_certificates_begin(struct config_builder *b)
{
    b->certificates =
        ARENA_NEW_ARRAY(b->r->arena, count_certificates(b->tree->written), struct config_certificate);
    b->c->certificates = b->certificates;
    return b->certificates || config_exhausted(b->r);
}

const struct config_certificate *config_certificate_of(struct config_builder *b, const struct config_statement *s)
{
    const struct config_certificate *said = &s->value.certificate;

    for (size_t i = 0; i < b->c->n_certificates; i++)
        if (str_eq(b->certificates[i].chain, said->chain) && str_eq(b->certificates[i].key, said->key))
            return &b->certificates[i];
    struct config_certificate *new = &b->certificates[b->c->n_certificates];
    *new = *said;
    new->index = b->c->n_certificates++;
    return new;
}

static bool certificates(struct config_builder *b, const struct config_block *block, struct config_tls *out)
{
    const struct config_statement *first = config_block_find(block, CONFIG_DIRECTIVE_CERTIFICATE);
    size_t n = 0;

    for (const struct config_statement *s = first; s; s = s->same)
        n++;
    const struct config_certificate **items = ARENA_NEW_ARRAY(b->r->arena, n, const struct config_certificate *);
    if (!items)
        return config_exhausted(b->r);
    out->certificates = items;
    for (const struct config_statement *s = first; s; s = s->same)
        items[out->n_certificates++] = config_certificate_of(b, s);
    return true;
}

/* What stands in the `tls` block BLOCK, else by default. */
static const union config_value *said_here(const struct config_builder *b, const struct config_block *block,
                                           enum config_directive_id id)
{
    const struct config_statement *s = config_block_find(block, id);

    return &(s ? s : config_block_find(b->tree->defaults, id))->value;
}

static struct config_choice min_version(struct config_choice said)
{
    static const int versions[] = { 0x0303, 0x0304 };

    return (struct config_choice){ .value = versions[said.value], .place = said.place };
}

bool config_build_tls(struct config_builder *b, const struct config_block *block, enum config_role role,
                      struct config_tls *out)
{
    const struct config_statement *tls = config_said(b, block, CONFIG_DIRECTIVE_TLS);
    const struct config_block *own = tls ? tls->block : NULL;
    const struct config_statement *ciphers = config_block_find(own, CONFIG_DIRECTIVE_CIPHERS);
    const struct config_statement *tickets = config_block_find(own, CONFIG_DIRECTIVE_SESSION_TICKETS);
    const struct config_statement *ca = config_block_find(own, CONFIG_DIRECTIVE_CLIENT_CA);

    *out = (struct config_tls){
        .min_version = min_version(said_here(b, own, CONFIG_DIRECTIVE_MIN_VERSION)->choice),
        .session_tickets = { .on = role != CONFIG_ROLE_MX },
        .client_certificates = said_here(b, own, CONFIG_DIRECTIVE_CLIENT_CERTIFICATES)->choice,
        .place = tls ? config_statement_place(tls) : CONFIG_PLACE_DEFAULT,
    };
    if (ciphers)
        out->ciphers = ciphers->value.text;
    if (tickets)
        out->session_tickets = tickets->value.flag;
    if (ca)
        out->client_ca = ca->value.text;
    return certificates(b, own, out);
}
