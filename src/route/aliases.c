/* route/aliases.c -- logical lines, the pieces between commas, and what each piece means. */
#include "route/aliases.h"

#include <string.h>

#include "core/arena.h"
#include "route/local.h"

enum {
    SLOTS_FIRST = 64,
    LINE_MAX_OCTETS = ROUTE_ALIASES_FILE_MAX + 16,
    TARGET_MAX = 4096,
    SCRATCH_MAX = 4096
};

/* A target as kept: TEXT_N and then DOMAIN_N octets at AT. */
struct packed {
    uint32_t at;
    uint16_t text_n;
    uint8_t domain_n;
    uint8_t kind;
};

/* What stands between two marks, with quotes and comments taken away. */
struct piece {
    struct str text;
    size_t at;    /* the last "@" outside quotes, or text.n */
    size_t open;  /* the last "<" outside quotes, or text.n */
    size_t close; /* the last ">" outside quotes, or text.n */
    size_t blank; /* the first blank outside quotes, or text.n */
    bool final;   /* it began with a backslash */
    bool unended; /* a quote or comment does not end */
};

struct parser {
    struct route_aliases *aliases;
    struct route_faults *faults;
    struct str rest;  /* of the file */
    uint32_t line;    /* where REST begins */
    struct buf text;  /* the logical line */
    struct buf piece; /* octets of the piece in hand */
    bool full;
};

/* ---- the index ---- */

static size_t entry_count(const struct route_aliases *a)
{
    return a->entries.n / sizeof(struct route_alias);
}

static struct route_alias *entry_at(const struct route_aliases *a, size_t i)
{
    return (struct route_alias *)(void *)a->entries.p + i;
}

static struct str entry_local(const struct route_aliases *a, const struct route_alias *e)
{
    return str_of(a->octets.p + e->key, e->local_n);
}

static struct str entry_domain(const struct route_aliases *a, const struct route_alias *e)
{
    return str_of(a->octets.p + e->key + e->local_n, e->domain_n);
}

static uint32_t *slot_find(const struct route_aliases *a, const struct buf *slots, struct str local,
                           struct str domain)
{
    size_t mask = slots->n / sizeof(uint32_t) - 1;
    struct route_folded folded = { 0 };
    uint64_t hash = route_fold(local, &folded) ? str_hash(route_folded_str(&folded), str_hash(domain, 0)) : 0;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = (uint32_t *)(void *)slots->p + i;
        if (!*slot)
            return slot;
        const struct route_alias *e = entry_at(a, *slot - 1);
        if (str_eq_nocase(entry_local(a, e), local) && str_eq(entry_domain(a, e), domain))
            return slot;
    }
}

static bool slots_grow(struct route_aliases *a)
{
    size_t count = a->slots.n / sizeof(uint32_t), entries = entry_count(a);

    if ((entries + 1) * 3 <= count * 2)
        return true;
    size_t octets = (count ? count * 2 : SLOTS_FIRST) * sizeof(uint32_t);
    struct buf wider = { .max = a->slots.max };
    if (!buf_room(&wider, octets))
        return false;
    memset(wider.p, 0, octets);
    buf_grew(&wider, octets);
    for (size_t i = 0; i < entries; i++) {
        const struct route_alias *e = entry_at(a, i);
        *slot_find(a, &wider, entry_local(a, e), entry_domain(a, e)) = (uint32_t)i + 1;
    }
    buf_done(&a->slots);
    a->slots = wider;
    return true;
}

/* A new entry without targets; NULL without memory. */
static struct route_alias *entry_add(struct route_aliases *a, struct str local, struct str domain,
                                     uint32_t line)
{
    struct route_alias e = {
        .key = (uint32_t)a->octets.n,
        .line = line,
        .first = (uint32_t)(a->targets.n / sizeof(struct packed)),
        .local_n = (uint8_t)local.n,
        .domain_n = (uint8_t)domain.n,
    };

    if (!slots_grow(a) || !buf_add(&a->octets, local) || !buf_add(&a->octets, domain) ||
        !buf_add(&a->entries, str_of((const char *)&e, sizeof(e))))
        return NULL;
    size_t last = entry_count(a) - 1;
    *slot_find(a, &a->slots, local, domain) = (uint32_t)last + 1;
    return entry_at(a, last);
}

static bool target_add(struct route_aliases *a, enum route_target_kind kind, struct str text,
                       struct str domain)
{
    struct packed t = {
        .at = (uint32_t)a->octets.n,
        .text_n = (uint16_t)text.n,
        .domain_n = (uint8_t)domain.n,
        .kind = (uint8_t)kind,
    };

    if (!buf_add(&a->octets, text) || !buf_add(&a->octets, domain) ||
        !buf_add(&a->targets, str_of((const char *)&t, sizeof(t))))
        return false;
    entry_at(a, entry_count(a) - 1)->n++;
    return true;
}

/* ---- pieces ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Commands, files and :include: run to the comma as they are; brackets and comments mean nothing in them. */
static bool is_raw(const struct piece *piece, const struct buf *octets)
{
    return !piece->final && octets->n && (octets->p[0] == '|' || octets->p[0] == '/' || octets->p[0] == ':');
}

static size_t take_quoted(struct parser *p, struct piece *piece, struct str in, size_t i)
{
    for (i++; i < in.n && in.p[i] != '"'; i++) {
        if (in.p[i] == '\\' && i + 1 < in.n)
            i++;
        buf_add_char(&p->piece, in.p[i]);
    }
    if (i == in.n)
        piece->unended = true;
    return i + (i < in.n);
}

static size_t skip_comment(struct piece *piece, struct str in, size_t i)
{
    size_t depth = 0;

    for (; i < in.n; i++) {
        if (in.p[i] == '(')
            depth++;
        else if (in.p[i] == ')' && --depth == 0)
            return i + 1;
    }
    piece->unended = true;
    return i;
}

static void take_bare(struct parser *p, struct piece *piece, char c)
{
    size_t at = p->piece.n;

    if (c == '@')
        piece->at = at;
    else if (c == '<')
        piece->open = at;
    else if (c == '>')
        piece->close = at;
    else if (is_blank(c) && piece->blank == SIZE_MAX)
        piece->blank = at;
    buf_add_char(&p->piece, c);
}

/* Blanks at the end that no quote protects (what a quote gave stands before KEEP). */
static void trim_end(struct buf *b, size_t keep)
{
    while (b->n > keep && is_blank(b->p[b->n - 1]))
        b->n--;
}

/* From I to the next END outside quotes, or to the end of IN; returns where that is. */
static size_t take_piece(struct parser *p, struct str in, size_t i, char end, struct piece *piece)
{
    size_t keep = 0;

    *piece = (struct piece){ .at = SIZE_MAX, .open = SIZE_MAX, .close = SIZE_MAX, .blank = SIZE_MAX };
    buf_clear(&p->piece);
    while (i < in.n && is_blank(in.p[i]))
        i++;
    if (i < in.n && in.p[i] == '\\') {
        piece->final = true;
        i++;
    }
    while (i < in.n && in.p[i] != end) {
        if (in.p[i] == '"') {
            i = take_quoted(p, piece, in, i);
            keep = p->piece.n;
        } else if (in.p[i] == '(' && !is_raw(piece, &p->piece)) {
            i = skip_comment(piece, in, i);
        } else {
            take_bare(p, piece, in.p[i++]);
        }
    }
    trim_end(&p->piece, keep);
    piece->text = buf_str(&p->piece);
    return i;
}

/* ---- meaning ---- */

/* "Anna <anna@example.org>" is what stands in brackets. */
static struct piece unbracket(struct piece piece)
{
    if (piece.open == SIZE_MAX || piece.close != piece.text.n - 1 || piece.close < piece.open)
        return piece;
    size_t shift = piece.open + 1;
    piece.text = str_slice(piece.text, shift, piece.close);
    piece.at = piece.at != SIZE_MAX && piece.at > piece.open ? piece.at - shift : SIZE_MAX;
    piece.blank = SIZE_MAX;
    return piece;
}

/* LOCAL and DOMAIN of a piece; NULL, or what is wrong with it. *domain lives in SCRATCH. */
static const char *read_address(struct piece piece, struct arena *scratch, struct str *local,
                                struct str *domain)
{
    bool has_domain = piece.at < piece.text.n;

    if (piece.unended)
        return "a quote or comment without end";
    if (!piece.text.n)
        return "nothing where a name should be";
    if (piece.blank < piece.text.n)
        return "a blank in an address; addresses are parted by commas";
    *local = has_domain ? str_head(piece.text, piece.at) : piece.text;
    *domain = STR_NONE;
    if ((local->n || !has_domain) && !route_local_is_sane(*local))
        return "no local part of an address";
    if (has_domain && !route_domain_normal(scratch, str_skip(piece.text, piece.at + 1), domain))
        return "what follows the @ is no domain";
    return NULL;
}

static bool is_path(struct str s)
{
    if (!s.n || s.p[0] != '/' || s.n > TARGET_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Commands, files and includes: sets *kind and *text; NULL, or what is wrong. */
static const char *read_special(struct str piece, enum route_target_kind *kind, struct str *text)
{
    static const struct str include = STR_INIT(":include:");

    *text = piece;
    if (piece.p[0] == '|') {
        *kind = ROUTE_TARGET_COMMAND;
        *text = str_skip(piece, 1);
        return text->n && text->n <= TARGET_MAX ? NULL : "a command that is empty or too long";
    }
    if (piece.p[0] == '/') {
        *kind = ROUTE_TARGET_FILE;
        return is_path(piece) ? NULL : "no path of a file";
    }
    if (!str_starts_nocase(piece, include))
        return ":include:/path is the only word of that form";
    *kind = ROUTE_TARGET_INCLUDE;
    *text = str_trim(str_skip(piece, include.n));
    return is_path(*text) ? NULL : ":include: wants an absolute path";
}

static const char *read_target(struct piece piece, struct arena *scratch, struct route_target *out)
{
    const char *wrong;

    out->domain = STR_NONE;
    if (!piece.final && piece.text.n && str_has(STR("|/:"), piece.text.p[0]))
        return piece.unended ? "a quote without end" : read_special(piece.text, &out->kind, &out->text);
    out->kind = piece.final ? ROUTE_TARGET_MAILBOX : ROUTE_TARGET_ADDRESS;
    wrong = read_address(unbracket(piece), scratch, &out->text, &out->domain);
    if (!wrong && piece.final && !out->text.n)
        wrong = "a backslash stands before a name";
    return wrong;
}

static void add_target(struct parser *p, struct piece piece, uint32_t line)
{
    struct arena *scratch = arena_new(SCRATCH_MAX);
    struct route_target t = { 0 };
    const char *wrong = scratch ? read_target(piece, scratch, &t) : NULL;

    if (wrong) {
        route_fault_add(p->faults, line, piece.text, wrong);
        t = (struct route_target){ .kind = ROUTE_TARGET_BROKEN };
    }
    if (!scratch || p->piece.failed || !target_add(p->aliases, t.kind, t.text, t.domain))
        p->full = true;
    arena_free(scratch);
}

/* An empty piece is a comma too many, which aliases(5) has always let pass. */
static void add_targets(struct parser *p, struct str in, size_t i, uint32_t line)
{
    struct piece piece;

    while (i < in.n && !p->full) {
        i = take_piece(p, in, i, ',', &piece) + 1;
        if (piece.text.n || piece.unended || piece.final)
            add_target(p, piece, line);
    }
}

/* The entry a logical line begins; false for a line that is none (a fault is noted). */
static bool add_key(struct parser *p, struct piece piece, bool has_colon, uint32_t line)
{
    struct arena *scratch = arena_new(SCRATCH_MAX);
    struct str local, domain;
    const char *wrong = NULL;
    bool added = false;

    if (!scratch || p->piece.failed)
        p->full = true;
    else if (!has_colon)
        wrong = "no colon: an alias is written name: target";
    else if (piece.final)
        wrong = "a backslash stands before targets only";
    else
        wrong = read_address(piece, scratch, &local, &domain);
    if (!wrong && !p->full && p->aliases->slots.n &&
        *slot_find(p->aliases, &p->aliases->slots, local, domain))
        wrong = "a second entry for this name; the first one counts";
    if (wrong)
        route_fault_add(p->faults, line, piece.text, wrong);
    else if (!p->full && !(added = entry_add(p->aliases, local, domain, line) != NULL))
        p->full = true;
    arena_free(scratch);
    return added;
}

static void add_line(struct parser *p, uint32_t line)
{
    struct str in = buf_str(&p->text);
    struct piece key;
    size_t i = take_piece(p, in, 0, ':', &key);

    if (!add_key(p, key, i < in.n, line))
        return;
    add_targets(p, in, i + 1, line);
    if (!p->full && entry_at(p->aliases, entry_count(p->aliases) - 1)->n == 0) {
        route_fault_add(p->faults, line, STR_NONE, "an alias without a target");
        p->full = !target_add(p->aliases, ROUTE_TARGET_BROKEN, STR_NONE, STR_NONE);
    }
}

/* ---- lines ---- */

/* Cut the next physical line off, without its line end. */
static struct str take_line(struct parser *p)
{
    struct str line = str_cut(&p->rest, '\n');

    p->line++;
    return line.n && line.p[line.n - 1] == '\r' ? str_head(line, line.n - 1) : line;
}

static bool is_nothing(struct str line)
{
    struct str text = str_trim(line);

    return !text.n || text.p[0] == '#';
}

/*
 * The next logical line into p->text, and where it began. False at the end. Comments and empty lines count
 * for nothing, also between a line and its continuation.
 */
static bool next_logical(struct parser *p, uint32_t *began)
{
    bool has = false;

    buf_clear(&p->text);
    while (p->rest.p) {
        bool continues = p->rest.n && is_blank(p->rest.p[0]);
        struct parser before = *p;
        struct str line = take_line(p);
        if (is_nothing(line))
            continue;
        if (has && !continues) {
            p->rest = before.rest;
            p->line = before.line;
            return true;
        }
        if (!has && continues)
            route_fault_add(p->faults, before.line, str_trim(line), "a continuation of nothing");
        *began = has ? *began : before.line;
        has = true;
        buf_add_char(&p->text, ' ');
        buf_add(&p->text, line);
    }
    return has;
}

static struct parser parser_of(struct route_aliases *aliases, struct str text, struct route_faults *faults)
{
    BUG_ON(aliases->octets.n || text.n > ROUTE_ALIASES_FILE_MAX);
    return (struct parser){
        .aliases = aliases,
        .faults = faults,
        .rest = text,
        .line = 1,
        .text = BUF_INIT(LINE_MAX_OCTETS),
        .piece = BUF_INIT(LINE_MAX_OCTETS),
    };
}

static bool parser_end(struct parser *p)
{
    buf_done(&p->text);
    buf_done(&p->piece);
    if (p->full)
        route_aliases_done(p->aliases);
    return !p->full;
}

void route_aliases_done(struct route_aliases *aliases)
{
    buf_done(&aliases->octets);
    buf_done(&aliases->entries);
    buf_done(&aliases->targets);
    buf_done(&aliases->slots);
}

bool route_aliases_parse(struct route_aliases *aliases, struct str text, struct route_faults *faults)
{
    struct parser p = parser_of(aliases, text, faults);
    uint32_t line = 0;

    while (!p.full && next_logical(&p, &line)) {
        if (p.text.failed)
            p.full = true;
        else
            add_line(&p, line);
    }
    return parser_end(&p);
}

bool route_list_parse(struct route_aliases *aliases, struct str text, struct route_faults *faults)
{
    struct parser p = parser_of(aliases, text, faults);

    p.full = !entry_add(aliases, STR_NONE, STR_NONE, 1);
    while (p.rest.p && !p.full) {
        uint32_t number = p.line;
        struct str line = take_line(&p);
        if (!is_nothing(line))
            add_targets(&p, line, 0, number);
    }
    return parser_end(&p);
}

/* ---- questions ---- */

static const struct route_alias *find_exactly(const struct route_aliases *a, struct str local,
                                              struct str domain)
{
    uint32_t slot = a->slots.n ? *slot_find(a, &a->slots, local, domain) : 0;

    return slot ? entry_at(a, slot - 1) : NULL;
}

const struct route_alias *route_aliases_find(const struct route_aliases *aliases, struct str local,
                                             struct str domain)
{
    const struct route_alias *e;

    if (!local.n || local.n > ROUTE_LOCAL_MAX)
        return NULL;
    e = find_exactly(aliases, local, domain);
    return e ? e : find_exactly(aliases, local, STR_NONE);
}

const struct route_alias *route_aliases_find_domain(const struct route_aliases *aliases, struct str domain)
{
    return domain.n ? find_exactly(aliases, STR_NONE, domain) : NULL;
}

size_t route_aliases_count(const struct route_aliases *aliases)
{
    return entry_count(aliases);
}

const struct route_alias *route_aliases_entry(const struct route_aliases *aliases, size_t i)
{
    BUG_ON(i >= entry_count(aliases));
    return entry_at(aliases, i);
}

void route_alias_key(const struct route_aliases *aliases, const struct route_alias *entry, struct str *local,
                     struct str *domain)
{
    *local = entry_local(aliases, entry);
    *domain = entry_domain(aliases, entry);
}

struct route_target route_alias_target(const struct route_aliases *aliases, const struct route_alias *entry,
                                       size_t i)
{
    BUG_ON(i >= entry->n);
    const struct packed *t = (const struct packed *)(const void *)aliases->targets.p + entry->first + i;
    const char *p = aliases->octets.p + t->at;

    return (struct route_target){
        .kind = (enum route_target_kind)t->kind,
        .text = { p, t->text_n },
        .domain = { p + t->text_n, t->domain_n },
    };
}
