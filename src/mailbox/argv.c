/* mailbox/argv.c -- one octet after the other, in quotes or not. */
#include "mailbox/argv.h"

struct cutter {
    const char **argv;
    size_t n;
    char *at; /* where the next octet goes */
    bool in_argument;
    bool quoted;
};

static void begin(struct cutter *c)
{
    if (!c->in_argument)
        c->argv[c->n] = c->at;
    c->in_argument = true;
}

static void end(struct cutter *c)
{
    if (!c->in_argument)
        return;
    *c->at++ = '\0';
    c->in_argument = false;
    c->n++;
}

static void put(struct cutter *c, char octet)
{
    begin(c);
    *c->at++ = octet;
}

static bool is_for_a_shell(char c)
{
    return str_has(STR("|&;<>()$`'*?[~#"), c);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool take(struct cutter *c, char octet, struct err *err)
{
    if (octet == '"') {
        begin(c);
        c->quoted = !c->quoted;
        return true;
    }
    if (!c->quoted && is_blank(octet)) {
        end(c);
        return true;
    }
    if (!c->quoted && is_for_a_shell(octet))
        return err_temp(err, "the command of the alias has a '%c' for a shell, and none is used: quote it, or put the "
                             "command into a script", octet);
    if ((unsigned char)octet < ' ' && !is_blank(octet))
        return err_temp(err, "the command of the alias has a control character in it");
    put(c, octet);
    return true;
}

static bool cut(struct cutter *c, struct str text, struct err *err)
{
    for (size_t i = 0; i < text.n; i++) {
        bool escape = text.p[i] == '\\' && i + 1 < text.n && (text.p[i + 1] == '"' || text.p[i + 1] == '\\');
        if (c->n == MAILBOX_ARGV_MAX)
            return err_temp(err, "the command of the alias has more than %d arguments", MAILBOX_ARGV_MAX);
        if (escape)
            put(c, text.p[++i]);
        else if (!take(c, text.p[i], err))
            return false;
    }
    if (c->quoted)
        return err_temp(err, "the command of the alias has a quote that does not end");
    end(c);
    return true;
}

bool mailbox_argv_cut(struct str text, struct arena *a, const char *const **argv, size_t *n, struct err *err)
{
    struct cutter c = {
        .argv = ARENA_NEW_ARRAY(a, MAILBOX_ARGV_MAX + 1, const char *),
        .at = arena_alloc(a, text.n + 1), /* each NUL stands where a blank was, the last one behind all */
    };

    if (!c.argv || !c.at)
        return err_temp(err, "out of memory");
    if (!cut(&c, text, err))
        return false;
    if (!c.n || c.argv[0][0] != '/')
        return err_temp(err, "the command of the alias is no absolute path");
    *argv = (const char *const *)c.argv;
    *n = c.n;
    return true;
}
