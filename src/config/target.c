/* config/target.c -- the words of a target by the readers of `route`, and the other way round. */
#include "config/target.h"

#include "config/args.h"
#include "config/lex.h"

enum { WORDS_MAX = 8, WRITE_ARENA_MAX = 64 << 10 };

/* ---- as text ---- */

static struct str scheme_of(enum config_target_kind kind)
{
    static const struct str schemes[] = {
        [CONFIG_TARGET_MX] = STR_INIT("mx"),           [CONFIG_TARGET_SMTP] = STR_INIT("smtp://"),
        [CONFIG_TARGET_LMTP] = STR_INIT("lmtp://"),    [CONFIG_TARGET_LMTP_UNIX] = STR_INIT("lmtp:unix:"),
        [CONFIG_TARGET_MAILDIR] = STR_INIT("maildir:"), [CONFIG_TARGET_MBOX] = STR_INIT("mbox:"),
        [CONFIG_TARGET_PIPE] = STR_INIT("pipe:"),      [CONFIG_TARGET_HOLD] = STR_INIT("hold"),
        [CONFIG_TARGET_DISCARD] = STR_INIT("discard"), [CONFIG_TARGET_FAIL] = STR_INIT("fail"),
        [CONFIG_TARGET_DEFER] = STR_INIT("defer"),
    };

    return schemes[kind];
}

static void put_host(struct buf *out, const struct config_target *t)
{
    buf_printf(out, str_has(t->host, ':') ? "[%.*s]" : "%.*s", STR_ARG(t->host));
    if (t->port)
        buf_printf(out, ":%u", t->port);
}

static void put_target(struct buf *out, const struct config_target *t, struct arena *a)
{
    buf_add(out, t->tls_at_once ? STR("smtps://") : scheme_of(t->kind));
    switch (t->kind) {
    case CONFIG_TARGET_MX:
        buf_add_c(out, t->host.n ? ":" : "");
        buf_add(out, t->host);
        return;
    case CONFIG_TARGET_SMTP:
    case CONFIG_TARGET_LMTP:
        put_host(out, t);
        return;
    case CONFIG_TARGET_LMTP_UNIX:
        buf_add(out, t->host);
        return;
    case CONFIG_TARGET_MAILDIR:
    case CONFIG_TARGET_MBOX:
    case CONFIG_TARGET_PIPE:
        buf_add(out, config_template_text(&t->path, a));
        for (size_t i = 0; i < t->n_args; i++)
            buf_printf(out, " %.*s", STR_ARG(config_template_text(&t->args[i], a)));
        return;
    case CONFIG_TARGET_FAIL:
    case CONFIG_TARGET_DEFER:
        buf_printf(out, " \"%.*s %.*s\"", STR_ARG(t->status), STR_ARG(t->text));
        return;
    case CONFIG_TARGET_HOLD:
    case CONFIG_TARGET_DISCARD:
        return;
    }
}

bool config_targets_write(struct buf *out, const struct config_target *targets, size_t n)
{
    struct arena *a = arena_new(WRITE_ARENA_MAX);

    for (size_t i = 0; a && i < n; i++) {
        buf_add_c(out, i ? " " : "");
        put_target(out, &targets[i], a);
    }
    arena_free(a);
    return a && !out->failed;
}

/* ---- from text ---- */

/* No variable stands for anything here. */
static bool no_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    (void)ctx;
    (void)name;
    (void)a;
    (void)value;
    return false;
}

/* The first complaint, as one line. */
static bool complained(const struct config_diagnostics *diag, struct err *err)
{
    struct buf words = BUF_INIT(ERR_TEXT_MAX);

    if (diag->exhausted || !diag->n || !config_diagnostic_error(&diag->items[0], &words))
        err_temp(err, "out of memory");
    else if (!diag->items[0].hint.n && diag->items[0].cure.n)
        err_perm(err, "%.*s (%.*s)", STR_ARG(buf_str(&words)), STR_ARG(diag->items[0].cure));
    else
        err_perm(err, "%.*s", STR_ARG(buf_str(&words)));
    buf_done(&words);
    return false;
}

/* TEXT as words behind the first one, which is the directive's name. */
static bool cut_words(struct config_reading *r, struct str text, struct config_word *words, size_t *n, struct err *err)
{
    struct config_lexer lx;
    struct config_place place;
    struct config_word word;

    if (!config_lexer_open(&lx, r, text, 0))
        return complained(r->diag, err);
    for (*n = 1;; ++*n) {
        enum config_token token = config_lexer_next(&lx, &word, &place);
        if (token == CONFIG_TOKEN_END)
            break;
        if (token != CONFIG_TOKEN_WORD)
            return err_perm(err, "a target is words: smtp://HOST, smtps://HOST, lmtp://HOST:PORT, mx or mx:DOMAIN");
        if (*n == WORDS_MAX)
            return err_perm(err, "more than %d targets", WORDS_MAX - 1);
        words[*n] = word;
    }
    if (r->diag->n || r->diag->exhausted)
        return complained(r->diag, err);
    return *n > 1 || err_perm(err, "no target");
}

static bool no_host(struct err *err)
{
    return err_perm(err, "not a host: smtp://HOST, smtps://HOST, lmtp://HOST:PORT, mx or mx:DOMAIN");
}

/* What is none however it goes on: whether the rest of it is right is of no interest. */
static bool is_elsewhere(struct str word)
{
    static const char *const kinds[] = { "maildir:", "mbox:",   "pipe:", "lmtp:unix:",
                                         "hold",     "discard", "fail",  "defer" };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts_nocase(word, str_from_c(kinds[i])))
            return true;
    return false;
}

static bool all_on_the_network(const struct config_target *items, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!config_target_is_remote(items[i].kind) || items[i].kind == CONFIG_TARGET_LMTP_UNIX)
            return no_host(err);
    return true;
}

bool config_targets_parse(struct str text, struct arena *a, const struct config_target **targets, size_t *n,
                          struct err *err)
{
    const struct config_reader reader = { .env = no_env };
    struct config_diagnostics diag = { .arena = a };
    struct config_reading r = { .reader = &reader, .arena = a, .diag = &diag };
    struct config_word words[WORDS_MAX] = { { .text = STR("deliver") } };
    struct config_statement s = { .directive = config_directive_find(STR("deliver")), .words = words };
    union config_value value = { 0 };

    BUG_ON(!s.directive);
    if (text.n > CONFIG_TARGETS_TEXT_MAX)
        return err_perm(err, "the target is longer than %d octets", CONFIG_TARGETS_TEXT_MAX);
    if (!cut_words(&r, text, words, &s.n_words, err))
        return false;
    if (is_elsewhere(words[1].text))
        return no_host(err);
    struct config_args args = { .r = &r, .s = &s, .items = words + 1, .n = s.n_words - 1 };
    const struct config_word *first = config_args_need(&args);
    if (!first || !config_targets_read(&args, first, &value) || config_args_peek(&args))
        return complained(&diag, err);
    if (!all_on_the_network(value.route.targets, value.route.n, err))
        return false;
    *targets = value.route.targets;
    *n = value.route.n;
    return true;
}
