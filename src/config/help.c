/* config/help.c -- the table of directives as people read it. */
#include "config/parse.h"

#include "config/args.h"
#include "config/directive.h"

enum { NAME_WIDTH = 26, WORD_WIDTH = 20 };

/* The table is written for a page, where `this` is a name. */
static void add_prose(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] == '`' ? '\'' : s.p[i]);
}

static void add_contexts(struct buf *out, const struct config_directive *d)
{
    unsigned in_domain = 1U << CONFIG_CONTEXT_DOMAIN;
    const char *joint = "";

    if (d->contexts == CONFIG_ANYWHERE) {
        buf_add_c(out, "anywhere");
        return;
    }
    for (size_t i = 0; i < CONFIG_CONTEXTS_N; i++)
        if (d->contexts & 1U << i) {
            buf_add_c(out, joint);
            buf_add(out, config_context_name((enum config_context)i));
            joint = ", ";
        }
    if (!(d->contexts & in_domain) && config_directive_may_stand(d, in_domain))
        buf_add_c(out, ", domain (of its 'deliver')");
}

/* The words of one place: what each is, or that it is not built. */
static void add_words(struct buf *out, const struct config_words *words)
{
    buf_printf(out, "\n  %s\n", words->title);
    for (size_t i = 0; i < words->n; i++) {
        const struct config_scheme *word = &words->items[i];
        buf_printf(out, "    %-*.*s ", WORD_WIDTH, STR_ARG(word->name));
        if (word->built)
            buf_printf(out, "%s\n", word->help);
        else if (word->stage)
            buf_printf(out, "not built yet: it comes with stage %c\n", word->stage);
        else
            buf_add_c(out, "not built yet\n");
    }
}

static void add_all_words(struct buf *out, enum config_grammar grammar)
{
    if (grammar == CONFIG_GRAMMAR_TIMEOUT)
        add_words(out, &config_timeout_words);
    if (grammar == CONFIG_GRAMMAR_AUTH)
        add_words(out, &config_auth_words);
    if (grammar == CONFIG_GRAMMAR_MECHANISMS)
        add_words(out, &config_mechanism_words);
    if (grammar == CONFIG_GRAMMAR_SEND_AS)
        add_words(out, &config_send_as_words);
    if (grammar == CONFIG_GRAMMAR_TLS_LEVEL)
        add_words(out, &config_level_words);
    if (grammar == CONFIG_GRAMMAR_ROUTE || grammar == CONFIG_GRAMMAR_PATTERNS || grammar == CONFIG_GRAMMAR_ACCOUNTS)
        add_words(out, &config_pattern_words);
    if (grammar == CONFIG_GRAMMAR_ROUTE || grammar == CONFIG_GRAMMAR_TARGET ||
        grammar == CONFIG_GRAMMAR_FALLBACK)
        add_words(out, &config_target_words);
    if (grammar == CONFIG_GRAMMAR_ON_REPLY)
        add_words(out, &config_reply_words);
    for (size_t i = 0; grammar == CONFIG_GRAMMAR_LIMIT && i < CONFIG_LIMIT_WORDS; i++)
        add_words(out, &config_limit_words[i]);
}

bool config_help(struct str name, struct buf *out, struct err *err)
{
    const struct config_directive *d = config_directive_find(name);

    if (!d) {
        const struct config_directive *near = config_directive_nearest(name, CONFIG_ANYWHERE);
        if (near)
            return err_perm(err, "there is no directive '%.*s': did you mean '%.*s'?",
                            STR_ARG(str_head(name, 60)), STR_ARG(near->name));
        return err_perm(err, "there is no directive '%.*s'", STR_ARG(str_head(name, 60)));
    }
    buf_printf(out, "%.*s %.*s\n  where    ", STR_ARG(d->name), STR_ARG(d->value));
    add_contexts(out, d);
    buf_add_c(out, "\n  default  ");
    add_prose(out, d->fallback);
    buf_printf(out, "\n  stage    %c%s\n\n  ", d->stage, d->built ? "" : ", not built yet");
    add_prose(out, d->help);
    buf_add_char(out, '\n');
    add_all_words(out, d->grammar);
    buf_printf(out, "\n  %.*s\n", STR_ARG(d->example));
    return !out->failed || err_temp(err, "the text is too long");
}

bool config_help_list(struct buf *out)
{
    for (size_t i = 0; i < CONFIG_DIRECTIVES_N; i++) {
        const struct config_directive *d = config_directive_get((enum config_directive_id)i);
        buf_printf(out, "%-*.*s ", NAME_WIDTH, STR_ARG(d->name));
        add_prose(out, d->help);
        buf_add_c(out, d->built ? "\n" : " (not built yet)\n");
    }
    return !out->failed;
}
