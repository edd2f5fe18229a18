/* cmd/users_edit.c */
#include "cmd/users_edit.h"

#include "core/arena.h"
#include "route/users.h"

enum { NAME_ARENA_MAX = 4096 };

static const struct str scram_key = STR_INIT("scram_sha256=");

/* ---- finding ---- */

static void cut_up(struct str text, struct users_line *line)
{
    struct str rest = text;

    for (line->n_fields = 0; rest.p && line->n_fields < USERS_FIELDS; line->n_fields++)
        line->fields[line->n_fields] = line->n_fields + 1 < USERS_FIELDS ? str_cut(&rest, ':') : rest;
}

/* The line that begins at *at, without its line end; *at moves behind that. */
static bool next_line(struct str text, size_t *at, struct users_line *line)
{
    struct str rest = str_skip(text, *at);
    size_t n = str_find(rest, '\n');

    if (!rest.n)
        return false;
    line->at = *at;
    line->n = n && n < rest.n && rest.p[n - 1] == '\r' ? n - 1 : n;
    *at += n < rest.n ? n + 1 : n;
    cut_up(str_slice(text, line->at, line->at + line->n), line);
    return true;
}

/* Who it is about, as the server reads it; DOMAIN, which may be NULL, must be its domain. */
static bool is_about(const struct users_line *line, const struct users_name *wanted)
{
    struct arena *a = arena_new(NAME_ARENA_MAX);
    struct route_users_name who;
    bool is = a && line->n_fields &&
              route_users_name(line->fields[0], line->n_fields == 1, a, &who) == ROUTE_USERS_SOMEBODY;

    if (is && wanted)
        is = str_eq_nocase(who.local, wanted->local) && (!who.domain.n || str_eq(who.domain, wanted->domain));
    arena_free(a);
    return is;
}

bool users_next(struct str text, size_t *at, struct users_line *line)
{
    while (next_line(text, at, line))
        if (is_about(line, NULL))
            return true;
    return false;
}

bool users_find(struct str text, const struct users_name *name, struct users_line *line)
{
    for (size_t at = 0; next_line(text, &at, line);)
        if (is_about(line, name))
            return true;
    return false;
}

/* ---- changing ---- */

/* All words but those with our key stay as they are. */
static void add_extra(struct buf *out, struct str extra, struct str scram)
{
    bool first = true;

    while (extra.p) {
        struct str word = str_cut(&extra, ' ');
        if (str_starts(word, scram_key))
            continue;
        buf_add_c(out, first ? "" : " ");
        buf_add(out, word);
        first = false;
    }
    if (scram.n)
        buf_printf(out, "%s%.*s%.*s", first ? "" : " ", STR_ARG(scram_key), STR_ARG(scram));
}

static bool add_rest(struct buf *out, struct str text, const struct users_line *line)
{
    buf_add(out, str_skip(text, line->at + line->n));
    return !out->failed;
}

bool users_set_password(struct buf *out, struct str text, const struct users_line *line, struct str password,
                        struct str scram)
{
    buf_add(out, str_head(text, line->at));
    for (size_t i = 0; i < USERS_FIELDS; i++) {
        struct str field = i < line->n_fields ? line->fields[i] : STR_NONE;
        buf_add_c(out, i ? ":" : "");
        if (i == USERS_EXTRA)
            add_extra(out, field, scram);
        else
            buf_add(out, i == USERS_PASSWORD ? password : field);
    }
    return add_rest(out, text, line);
}

bool users_lock(struct buf *out, struct str text, const struct users_line *line)
{
    bool has_password = line->n_fields > USERS_PASSWORD;
    struct str name = line->fields[0];
    size_t at = has_password ? (size_t)(line->fields[USERS_PASSWORD].p - text.p) : (size_t)(name.p - text.p) + name.n;

    buf_add(out, str_head(text, at));
    buf_add_c(out, has_password ? "!" : ":!");
    return buf_add(out, str_skip(text, at)) && !out->failed;
}

bool users_remove(struct buf *out, struct str text, const struct users_line *line)
{
    struct str rest = str_skip(text, line->at + line->n);
    size_t end = str_find(rest, '\n');

    buf_add(out, str_head(text, line->at));
    buf_add(out, str_skip(rest, end + 1));
    return !out->failed;
}

bool users_add(struct buf *out, struct str text, struct str name, struct str password, struct str scram)
{
    buf_add(out, text);
    if (text.n && text.p[text.n - 1] != '\n')
        buf_add_char(out, '\n');
    buf_add(out, name);
    if (password.n)
        buf_printf(out, ":%.*s::::::%.*s%.*s", STR_ARG(password), STR_ARG(scram_key), STR_ARG(scram));
    buf_add_char(out, '\n');
    return !out->failed;
}
