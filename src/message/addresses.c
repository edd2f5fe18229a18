/* message/addresses.c -- RFC 5322 3.4 with what 4.4 asks to be understood. */
#include "message/addresses.h"

#include <string.h>

enum { PART_MAX = 998 }; /* octets of a local part or domain; no line has more */

/* A local part or a domain as it is gathered: comments and folding between its words are left out. */
struct part {
    size_t n;
    char octets[PART_MAX];
    bool whole;    /* false: words without a dot between them, or too long: only a display name */
    bool word;     /* the last thing was a word */
    bool any;
    size_t end; /* place behind its last word */
};

static bool at(const struct message_address_reader *r, char c)
{
    return r->pos < r->in.n && r->in.p[r->pos] == c;
}

static bool eat(struct message_address_reader *r, char c)
{
    if (!at(r, c))
        return false;
    r->pos++;
    return true;
}

/* Comments nest (RFC 5322 3.2.2). False: one has no end. */
static bool skip_comment(struct message_address_reader *r)
{
    size_t depth = 0;

    do {
        char c = r->in.p[r->pos++];
        depth += c == '(';
        depth -= c == ')';
        if (c == '\\' && r->pos < r->in.n)
            r->pos++;
    } while (depth && r->pos < r->in.n);
    return depth == 0;
}

/* CFWS. False: a comment has no end. */
static bool skip_blanks(struct message_address_reader *r)
{
    while (r->pos < r->in.n) {
        char c = r->in.p[r->pos];
        if (c == '(') {
            if (!skip_comment(r))
                return false;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            r->pos++;
        } else {
            break;
        }
    }
    return true;
}

/* Whatever is neither blank, control nor special (RFC 5322 3.2.3, 6532 3.2). */
static bool is_atext(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("()<>[]:;@\\,.\"", c);
}

static void add(struct part *p, struct str octets)
{
    if (p->n + octets.n > PART_MAX) {
        p->whole = false;
        return;
    }
    memcpy(p->octets + p->n, octets.p, octets.n);
    p->n += octets.n;
}

static void add_word(const struct message_address_reader *r, struct part *p, struct str word)
{
    p->whole = p->whole && !p->word;
    p->word = p->any = true;
    p->end = r->pos;
    add(p, word);
}

static void take_atom(struct message_address_reader *r, struct part *p)
{
    size_t from = r->pos;

    while (r->pos < r->in.n && is_atext(r->in.p[r->pos]))
        r->pos++;
    add_word(r, p, str_slice(r->in, from, r->pos));
}

/* A quoted pair, or one octet of a quoted string; 0: there is neither (RFC 5322 3.2.1, 3.2.4). */
static size_t quoted_length(const struct message_address_reader *r)
{
    struct str rest = str_skip(r->in, r->pos);

    if (!rest.n || rest.p[0] == '\0')
        return 0;
    if (rest.p[0] != '\\')
        return 1;
    return rest.n > 1 && ((unsigned char)rest.p[1] >= ' ' || rest.p[1] == '\t') ? 2 : 0;
}

/* With its quotes; folding inside is undone. False: it has no end. */
static bool take_quoted(struct message_address_reader *r, struct part *p)
{
    size_t n;

    add_word(r, p, STR("\""));
    r->pos++;
    while (!at(r, '"') && (n = quoted_length(r))) {
        if (!at(r, '\r') && !at(r, '\n'))
            add(p, str_slice(r->in, r->pos, r->pos + n));
        r->pos += n;
    }
    add(p, STR("\""));
    p->end = r->pos + 1;
    return eat(r, '"');
}

/* Words with dots between them, or a phrase. False: something in it has no end. */
static bool take_words(struct message_address_reader *r, struct part *p)
{
    *p = (struct part){ .whole = true };
    while (skip_blanks(r)) {
        if (r->pos == r->in.n)
            return true;
        if (eat(r, '.')) {
            p->whole = p->whole && p->word;
            p->word = false;
            p->any = true;
            add(p, STR("."));
        } else if (at(r, '"')) {
            if (!take_quoted(r, p))
                return false;
        } else if (is_atext(r->in.p[r->pos])) {
            take_atom(r, p);
        } else {
            return true;
        }
    }
    return false;
}

static bool is_local_part(const struct part *p)
{
    return p->any && p->whole && p->word;
}

/* "[192.0.2.1]". False: it has no end. */
static bool take_literal(struct message_address_reader *r, struct part *p)
{
    size_t from = r->pos;

    *p = (struct part){ .whole = true, .any = true, .word = true };
    while (r->pos < r->in.n && !at(r, ']') && (unsigned char)r->in.p[r->pos] > ' ')
        r->pos++;
    if (!eat(r, ']'))
        return false;
    add(p, str_slice(r->in, from, r->pos));
    return skip_blanks(r);
}

/* Behind "@". */
static bool take_domain(struct message_address_reader *r, struct part *p)
{
    if (!skip_blanks(r))
        return false;
    bool taken = at(r, '[') ? take_literal(r, p) : take_words(r, p);
    return taken && is_local_part(p);
}

static enum message_address give(struct arena *arena, const struct part *local, const struct part *domain,
                                 struct message_mailbox *mailbox)
{
    struct message_mailbox m = { .end = local->end };

    m.local = arena_str(arena, str_of(local->octets, local->n));
    m.domain = arena_str(arena, str_of(domain->octets, domain->n));
    if (!m.local.p || !m.domain.p)
        return MESSAGE_ADDRESS_NO_MEMORY;
    *mailbox = m;
    return MESSAGE_ADDRESS_MAILBOX;
}

/* local [ "@" domain ], the local part read already. */
static enum message_address take_rest(struct message_address_reader *r, struct arena *arena, const struct part *local,
                                      struct message_mailbox *mailbox)
{
    struct part domain = { 0 };

    if (!is_local_part(local) || (eat(r, '@') && !take_domain(r, &domain)))
        return MESSAGE_ADDRESS_BAD;
    return give(arena, local, &domain, mailbox);
}

/* "@a,@b:" of old times (RFC 5322 4.4). */
static bool skip_route(struct message_address_reader *r)
{
    struct part ignored;

    while (eat(r, '@')) {
        if (!take_domain(r, &ignored))
            return false;
        while (eat(r, ',') && skip_blanks(r))
            ;
        if (eat(r, ':'))
            return true;
    }
    return true;
}

/* Behind "<". */
static enum message_address take_angle(struct message_address_reader *r, struct arena *arena,
                                       struct message_mailbox *mailbox)
{
    struct part local;

    if (!skip_blanks(r) || !skip_route(r) || !take_words(r, &local))
        return MESSAGE_ADDRESS_BAD;
    enum message_address got = take_rest(r, arena, &local, mailbox);
    if (got == MESSAGE_ADDRESS_MAILBOX && (!eat(r, '>') || !skip_blanks(r)))
        return MESSAGE_ADDRESS_BAD;
    return got;
}

/* What stands behind a mailbox must end it. */
static bool ends(const struct message_address_reader *r)
{
    return r->pos == r->in.n || at(r, ',') || at(r, ';');
}

enum message_address message_address_next(struct message_address_reader *r, struct arena *arena,
                                          struct message_mailbox *mailbox)
{
    struct part words;

    for (;;) {
        if (!take_words(r, &words))
            return MESSAGE_ADDRESS_BAD;
        if (words.any && ends(r))
            return take_rest(r, arena, &words, mailbox);
        if (r->pos == r->in.n)
            return MESSAGE_ADDRESS_END;
        if (at(r, '@') || at(r, '<')) {
            enum message_address got =
                eat(r, '<') ? take_angle(r, arena, mailbox) : take_rest(r, arena, &words, mailbox);
            return got == MESSAGE_ADDRESS_MAILBOX && !ends(r) ? MESSAGE_ADDRESS_BAD : got;
        }
        /* The name of a group, its end, an empty element: none of our matter (RFC 5322 3.4, 4.4). */
        if (!eat(r, ':') && !eat(r, ';') && !eat(r, ','))
            return MESSAGE_ADDRESS_BAD;
    }
}
