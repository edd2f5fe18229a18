/* config/read.c -- statements from words, texts from the reader, and what -o replaces. */
#include "config/read.h"

#include <stdlib.h>
#include <string.h>

#include "config/lex.h"
#include "core/check.h"

/* Blocks within blocks, and files within files; the root or -o is one more. */
enum { FRAMES_MAX = CONFIG_BLOCK_DEPTH_MAX + CONFIG_INCLUDE_DEPTH_MAX + 1 };

/* A text or a block in the middle of being read. */
struct frame {
    struct config_lexer *lx; /* OWN, or that of the frame in which the block stands */
    struct config_lexer own;
    struct config_block *block; /* where statements go; an include adds to that of its includer */
    bool is_text;
    bool lenient;             /* of a text: the last ";" may be missing (-o) */
    struct config_place from; /* of a block: its "{"; of a text: the include */
    const struct str *paths;  /* of a text: what else to read in its place */
    size_t n_paths;
};

struct stack {
    struct config_reading *r;
    struct frame frames[FRAMES_MAX];
    size_t n;
    size_t texts;
};

struct words {
    struct config_word *items;
    size_t n;
    size_t room;
};

static struct config_block *new_block(struct config_reading *r)
{
    struct config_block *b = ARENA_NEW(r->arena, struct config_block);

    if (!b)
        config_exhausted(r);
    else
        b->last = &b->first;
    return b;
}

static bool add_file(struct config_reading *r, struct str path, struct str text, uint32_t *index)
{
    struct config_files *files = &r->diag->files;

    if (files->n == r->files_room) {
        size_t room = r->files_room ? r->files_room * 2 : 8;
        struct config_file *more = ARENA_NEW_ARRAY(r->arena, room, struct config_file);
        if (!more)
            return config_exhausted(r);
        if (files->n)
            memcpy(more, r->files, files->n * sizeof(*more));
        r->files = more;
        r->files_room = room;
    }
    *index = (uint32_t)files->n;
    r->files[files->n] = (struct config_file){ .path = path, .text = text };
    *files = (struct config_files){ .items = r->files, .n = files->n + 1 };
    return true;
}

/* Opens TEXT as the next file; false after a complaint, and then nothing of it is read. */
static bool open_text(struct config_reading *r, struct config_lexer *lx, struct str path, struct str text,
                      struct config_place from)
{
    struct config_mark mark = { .place = from };
    uint32_t index = 0;

    if (text.n > CONFIG_FILE_MAX) {
        struct str shown = config_shown(r, path);
        return config_complain(r, mark, "'%.*s' is larger than 1 MiB", STR_ARG(shown));
    }
    if (r->diag->files.n >= CONFIG_FILES_MAX || text.n > CONFIG_TEXT_MAX - r->octets) {
        config_complain(r, mark, "too many files, or too much in them");
        r->stopped = true;
        return false;
    }
    r->octets += text.n;
    return add_file(r, path, text, &index) && config_lexer_open(lx, r, text, index);
}

static bool count_word(struct config_reading *r, struct config_place place)
{
    if (r->words++ < CONFIG_WORDS_MAX)
        return true;
    config_complain(r, (struct config_mark){ .place = place }, "too many words in this configuration");
    r->stopped = true;
    return false;
}

static bool add_word(struct config_reading *r, struct words *ws, const struct config_word *word)
{
    if (ws->n == ws->room) {
        size_t room = ws->room ? ws->room * 2 : 4;
        struct config_word *items = ARENA_NEW_ARRAY(r->arena, room, struct config_word);
        if (!items)
            return config_exhausted(r);
        if (ws->n)
            memcpy(items, ws->items, ws->n * sizeof(*items));
        ws->items = items;
        ws->room = room;
    }
    ws->items[ws->n++] = *word;
    return count_word(r, word->place);
}

static struct config_statement *new_statement(struct config_reading *r, const struct words *ws)
{
    struct config_statement *s = NULL;

    if (r->statements++ < CONFIG_STATEMENTS_MAX)
        s = ARENA_NEW(r->arena, struct config_statement);
    else
        r->stopped = !config_complain(r, (struct config_mark){ .place = ws->items[0].place },
                                      "too many statements in this configuration");
    if (!s) {
        if (!r->stopped)
            config_exhausted(r);
        return NULL;
    }
    s->words = ws->items;
    s->n_words = ws->n;
    s->end = ws->items[ws->n - 1].place;
    for (size_t i = 0; i < ws->n; i++)
        s->wrong |= ws->items[i].wrong;
    return s;
}

/* The words up to a mark, which is returned. */
static enum config_token read_words(struct stack *st, struct words *ws, struct config_place *place)
{
    struct config_lexer *lx = st->frames[st->n - 1].lx;
    struct config_word word;
    enum config_token token;

    while ((token = config_lexer_next(lx, &word, place)) == CONFIG_TOKEN_WORD)
        if (!add_word(st->r, ws, &word))
            return CONFIG_TOKEN_END;
    return token;
}

static bool is_glob(struct str path)
{
    return str_has(path, '*') || str_has(path, '?') || str_has(path, '[');
}

/* Is PATH being read already, as this file or one of those that include it? */
static bool in_progress(const struct stack *st, struct str path)
{
    const struct config_file *files = st->r->diag->files.items;

    for (size_t i = 0; i < st->n; i++)
        if (st->frames[i].is_text && str_eq(files[st->frames[i].own.file].path, path))
            return true;
    return false;
}

static bool read_text(struct config_reading *r, struct str path, struct config_place from, struct str *text)
{
    struct err err = { 0 };

    if (r->reader->read_file(r->reader->ctx, path, r->arena, text, &err))
        return true;
    struct str shown = config_shown(r, path);
    return config_complain(r, (struct config_mark){ .place = from }, "cannot read '%.*s': %s", STR_ARG(shown),
                           err.text);
}

/* Opens the next of the frame's paths that can be read; false when there is none left. */
static bool next_text(struct stack *st, struct frame *f)
{
    struct config_reading *r = st->r;

    while (f->n_paths && !r->stopped) {
        struct str path = f->paths[0], text;
        f->paths++;
        f->n_paths--;
        if (in_progress(st, path))
            config_complain(r, (struct config_mark){ .place = f->from }, "this file includes itself");
        else if (read_text(r, path, f->from, &text) && open_text(r, &f->own, path, text, f->from))
            return true;
    }
    return false;
}

/* Reads each of PATHS, in turn, into BLOCK. */
static void push_paths(struct stack *st, struct config_block *block, const struct str *paths, size_t n,
                       struct config_place from)
{
    struct frame f = { .block = block, .is_text = true, .from = from, .paths = paths, .n_paths = n };

    if (!next_text(st, &f))
        return;
    struct frame *top = &st->frames[st->n++];
    *top = f;
    top->lx = &top->own;
    st->texts++;
}

static int by_octets(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The files an include names, in byte order. */
static bool find_files(struct config_reading *r, const struct config_word *w, struct str **paths, size_t *n)
{
    struct str path = config_path_from(r, w->place, w->text);
    struct err err = { 0 };

    if (is_glob(path)) {
        if (!r->reader->glob(r->reader->ctx, path, r->arena, paths, n, &err))
            return config_complain(r, (struct config_mark){ .place = w->place }, "cannot search: %s",
                                   err.text);
        if (*n)
            qsort(*paths, *n, sizeof(**paths), by_octets);
        return true;
    }
    *paths = ARENA_NEW(r->arena, struct str);
    if (!*paths)
        return config_exhausted(r);
    (*paths)[0] = path;
    *n = 1;
    return true;
}

static void include(struct stack *st, const struct config_statement *s)
{
    struct config_mark mark = { .place = config_statement_place(s),
                                .cure = STR("write: include conf.d/*.conf;") };
    struct str *paths = NULL;
    size_t n = 0;

    if (s->wrong)
        return;
    if (s->n_words != 2 || !s->words[1].text.n || s->words[1].placeholders) {
        config_complain(st->r, mark, "'include' takes one path");
        return;
    }
    mark = (struct config_mark){ .place = s->words[1].place };
    if (st->texts > CONFIG_INCLUDE_DEPTH_MAX)
        config_complain(st->r, mark, "includes are nested more than %d deep", CONFIG_INCLUDE_DEPTH_MAX);
    else if (find_files(st->r, &s->words[1], &paths, &n))
        push_paths(st, st->frames[st->n - 1].block, paths, n, s->words[1].place);
}

static bool is_include(const struct config_statement *s)
{
    return str_eq(config_statement_name(s), STR("include"));
}

/* With an end an include is followed; without one (a complaint of its own) it is only put aside. */
static void end_statement(struct stack *st, const struct words *ws, bool ended)
{
    struct config_statement *s = new_statement(st->r, ws);

    /* What a quote without an end took is not missed. */
    if (!ended && !st->frames[st->n - 1].lx->unclosed)
        config_complain(
            st->r,
            (struct config_mark){ .place = ws->items[ws->n - 1].place, .cure = STR("write ';' behind it") },
            "this statement has no end");
    if (s && !is_include(s))
        config_block_append(st->frames[st->n - 1].block, s);
    else if (s && ended)
        include(st, s);
}

static void open_block(struct stack *st, const struct words *ws, struct config_place place)
{
    struct config_reading *r = st->r;
    struct config_statement *s = ws->n ? new_statement(r, ws) : NULL;
    struct config_block *block = r->stopped ? NULL : new_block(r);

    if (!block)
        return;
    if (st->n - st->texts >= CONFIG_BLOCK_DEPTH_MAX) {
        config_complain(r, (struct config_mark){ .place = place }, "blocks are nested too deep");
        r->stopped = true;
        return;
    }
    if (!s)
        config_complain(r, (struct config_mark){ .place = place }, "'{' without a directive before it");
    else if (is_include(s))
        config_complain(r, (struct config_mark){ .place = place }, "'include' takes no block");
    else {
        s->block = block;
        config_block_append(st->frames[st->n - 1].block, s);
    }
    struct config_lexer *lx = st->frames[st->n - 1].lx;
    st->frames[st->n++] = (struct frame){ .lx = lx, .block = block, .from = place };
}

static void close_block(struct stack *st, struct config_place place)
{
    if (st->frames[st->n - 1].is_text)
        config_complain(st->r, (struct config_mark){ .place = place }, "'}' without a '{' before it");
    else
        st->n--;
}

/* Blocks that are still open are complained of; the text gives way to the next one, or to its includer. */
static void end_text(struct stack *st)
{
    struct frame *f;

    for (; !st->frames[st->n - 1].is_text; st->n--)
        if (!st->frames[st->n - 1].lx->unclosed)
            config_complain(st->r,
                            (struct config_mark){ .place = st->frames[st->n - 1].from,
                                                  .cure = STR("write '}' where the block ends") },
                            "this block is not closed");
    f = &st->frames[st->n - 1];
    if (next_text(st, f))
        return;
    st->n--;
    st->texts--;
}

static void read_statement(struct stack *st)
{
    struct words ws = { 0 };
    struct config_place place;
    bool lenient = st->frames[st->n - 1].is_text && st->frames[st->n - 1].lenient;
    enum config_token token = read_words(st, &ws, &place);

    if (st->r->stopped)
        return;
    if (token == CONFIG_TOKEN_OPEN) {
        open_block(st, &ws, place);
    } else if (ws.n) {
        end_statement(st, &ws, token == CONFIG_TOKEN_SEMICOLON || (token == CONFIG_TOKEN_END && lenient));
        if (token == CONFIG_TOKEN_CLOSE)
            close_block(st, place);
        /* After a last include without ";" its text comes next: the end of this one is met again. */
    } else if (token == CONFIG_TOKEN_CLOSE) {
        close_block(st, place);
    } else if (token == CONFIG_TOKEN_END) {
        end_text(st);
    } else {
        config_complain(st->r,
                        (struct config_mark){
                            .place = place, .cure = STR("leave it out: a block needs none behind its '}'") },
                        "';' without a statement before it");
    }
}

static void read_all(struct stack *st)
{
    while (st->n && !st->r->stopped)
        read_statement(st);
}

/* Reads TEXT, which is already open in LX, into BLOCK. */
static void read_open(struct config_reading *r, const struct config_lexer *lx, struct config_block *block,
                      bool lenient)
{
    struct stack st = { .r = r, .n = 1, .texts = 1 };

    st.frames[0] = (struct frame){ .own = *lx, .block = block, .is_text = true, .lenient = lenient };
    st.frames[0].lx = &st.frames[0].own;
    read_all(&st);
}

static void read_root(struct config_reading *r, struct config_block *block, struct str path)
{
    struct config_lexer lx;
    struct str text;

    if (read_text(r, path, CONFIG_PLACE_DEFAULT, &text) &&
        open_text(r, &lx, path, text, CONFIG_PLACE_DEFAULT))
        read_open(r, &lx, block, false);
}

static void read_overrides(struct config_reading *r, struct config_block *block,
                           const struct config_source *source)
{
    for (size_t i = 0; i < source->n_overrides && !r->stopped; i++) {
        struct config_lexer lx;
        if (open_text(r, &lx, STR("-o"), source->overrides[i], CONFIG_PLACE_DEFAULT))
            read_open(r, &lx, block, true);
    }
}

size_t config_key_words(const struct config_directive *d)
{
    return d->repetition == CONFIG_EACH_KEY ? 1 : d->repetition == CONFIG_EACH_KEYS ? 2 : 0;
}

/* The word behind `for` at the end of S; empty for none. */
static struct str zone_of(const struct config_statement *s)
{
    bool has = s->n_words > 2 && str_eq(s->words[s->n_words - 2].text, STR("for"));

    return has ? s->words[s->n_words - 1].text : STR_NONE;
}

bool config_same_key(const struct config_statement *a, const struct config_statement *b)
{
    if (!str_eq(config_statement_name(a), config_statement_name(b)))
        return false;
    const struct config_directive *d = config_directive_find(config_statement_name(a));
    if (d && d->repetition == CONFIG_EACH_ZONE)
        return str_eq_nocase(zone_of(a), zone_of(b));
    for (size_t i = 1; d && i <= config_key_words(d); i++)
        if (i >= a->n_words || i >= b->n_words || !str_eq(a->words[i].text, b->words[i].text))
            return false;
    return true;
}

static bool is_replaced(const struct config_statement *s, const struct config_block *overrides)
{
    for (const struct config_statement *o = overrides->first; o; o = o->next)
        if (config_same_key(s, o))
            return true;
    return false;
}

/* WRITTEN without what OVERRIDES say anew, then OVERRIDES. */
static void replace(struct config_block *written, struct config_block *overrides)
{
    struct config_statement *all = written->first;

    *written = (struct config_block){ .last = &written->first };
    for (struct config_statement *s = all, *next; s; s = next) {
        next = s->next;
        if (!is_replaced(s, overrides))
            config_block_append(written, s);
    }
    for (struct config_statement *s = overrides->first, *next; s; s = next) {
        next = s->next;
        config_block_append(written, s);
    }
}

struct config_block *config_read_source(struct config_reading *r, const struct config_source *source)
{
    struct config_block *written = new_block(r), *overrides = new_block(r);

    if (!written || !overrides)
        return NULL;
    if (source->root.n)
        read_root(r, written, source->root);
    read_overrides(r, overrides, source);
    replace(written, overrides);
    return r->diag->exhausted ? NULL : written;
}

struct config_block *config_read_defaults(struct config_reading *r)
{
    struct config_block *block = new_block(r);
    struct config_lexer lx;

    if (!block || !config_lexer_open(&lx, r, config_directive_defaults(), 0))
        return NULL;
    lx.built_in = true;
    read_open(r, &lx, block, false);
    return r->diag->exhausted ? NULL : block;
}
