/* smtp/address.c -- one reader for all addresses; the canonical form is made here and nowhere else. */
#include "smtp/address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

/* What one pass over a path collects. POS moves through IN. */
struct reader {
    struct arena *arena;
    struct str in;
    struct str origin; /* of bare names; empty: they are refused */
    size_t pos;
    struct smtp_path path;
};

static bool at(const struct reader *r, char c)
{
    return r->pos < r->in.n && r->in.p[r->pos] == c;
}

static bool eat(struct reader *r, char c)
{
    if (!at(r, c))
        return false;
    r->pos++;
    return true;
}

static bool is_high(char c)
{
    return (unsigned char)c > 0x7f;
}

/* RFC 5322 3.2.3, and UTF-8 by RFC 6531 3.3 (its well-formedness is judged of the whole path). */
static bool is_atext(char c)
{
    return ascii_is_alnum(c) || is_high(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* What may stand in quotes, behind a backslash or not (RFC 5321 4.1.2: no control octets). */
static bool is_quotable(char c)
{
    return is_high(c) || (c >= 0x20 && c <= 0x7e);
}

static bool is_dot_string(struct str s)
{
    if (!s.n || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '.' ? s.p[i - 1] == '.' : !is_atext(s.p[i]))
            return false;
    return true;
}

static bool is_label(struct str label)
{
    if (!label.n || label.n > SMTP_LABEL_MAX)
        return false;
    if (!ascii_is_alnum(label.p[0]) || !ascii_is_alnum(label.p[label.n - 1]))
        return false;
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
            return false;
    return true;
}

bool smtp_domain_is_ldh(struct str domain)
{
    struct str rest = domain;

    if (!domain.n || domain.n > SMTP_DOMAIN_MAX)
        return false;
    do {
        if (!is_label(str_cut(&rest, '.')))
            return false;
    } while (rest.p);
    return true;
}

/* inet_pton over a view; DST has room for an IPv6 address. */
static bool parse_ip(int family, struct str text, unsigned char dst[16])
{
    char c[INET6_ADDRSTRLEN];

    if (text.n >= sizeof(c) || str_has(text, '\0'))
        return false;
    memcpy(c, text.p, text.n);
    c[text.n] = '\0';
    return inet_pton(family, c, dst) == 1;
}

/* The text of "[...]" as family and address; false for a general literal too: none is registered. */
static bool parse_literal(struct str literal, int *family, unsigned char ip[16])
{
    static const struct str tag = STR_INIT("IPv6:");

    if (literal.n < 3 || literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
        return false;
    struct str text = str_slice(literal, 1, literal.n - 1);
    bool v6 = str_starts_nocase(text, tag);
    *family = v6 ? AF_INET6 : AF_INET;
    return parse_ip(*family, v6 ? str_skip(text, tag.n) : text, ip);
}

bool smtp_literal_is_address(struct str literal)
{
    unsigned char ip[16];
    int family;

    return parse_literal(literal, &family, ip);
}

static enum smtp_path_result canonical_literal(struct arena *arena, struct str in, struct str *out)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char ip[16];
    int family;

    if (!parse_literal(in, &family, ip))
        return SMTP_PATH_BAD_DOMAIN;
    inet_ntop(family, ip, text, sizeof(text));
    *out = arena_printf(arena, family == AF_INET6 ? "[IPv6:%s]" : "[%s]", text);
    return out->p ? SMTP_PATH_OK : SMTP_PATH_NO_MEMORY;
}

/* A-labels of what has U-labels in it (RFC 5891 4); the result is judged again like any other domain. */
static enum smtp_path_result canonical_idn(struct arena *arena, struct str in, struct str *out)
{
    const char *c = arena_cstr(arena, in);
    uint8_t *alabels = NULL;
    enum smtp_path_result result = SMTP_PATH_BAD_DOMAIN;

    if (!c)
        return str_has(in, '\0') ? SMTP_PATH_BAD_DOMAIN : SMTP_PATH_NO_MEMORY;
    int rc = idn2_lookup_u8((const uint8_t *)c, &alabels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_MALLOC) {
        result = SMTP_PATH_NO_MEMORY;
    } else if (rc == IDN2_OK && smtp_domain_is_ldh(str_from_c((const char *)alabels))) {
        *out = arena_str(arena, str_from_c((const char *)alabels));
        result = out->p ? SMTP_PATH_OK : SMTP_PATH_NO_MEMORY;
    }
    idn2_free(alabels);
    return result;
}

static enum smtp_path_result canonical_ldh(struct arena *arena, struct str in, struct str *out)
{
    if (in.n > SMTP_DOMAIN_MAX)
        return SMTP_PATH_TOO_LONG;
    if (!smtp_domain_is_ldh(in))
        return SMTP_PATH_BAD_DOMAIN;
    char *p = arena_alloc(arena, in.n);
    if (!p)
        return SMTP_PATH_NO_MEMORY;
    for (size_t i = 0; i < in.n; i++)
        p[i] = ascii_lower(in.p[i]);
    *out = str_of(p, in.n);
    return SMTP_PATH_OK;
}

enum smtp_path_result smtp_domain_parse(struct arena *arena, struct str in, struct str *out, unsigned *flags)
{
    struct str domain;
    unsigned kind = 0;
    enum smtp_path_result result;

    if (in.n && in.p[0] == '[') {
        kind = SMTP_PATH_LITERAL;
        result = canonical_literal(arena, in, &domain);
    } else if (!str_is_ascii(in)) {
        kind = SMTP_PATH_UTF8;
        result = str_is_utf8(in) ? canonical_idn(arena, in, &domain) : SMTP_PATH_BAD_DOMAIN;
    } else {
        result = canonical_ldh(arena, in, &domain);
    }
    if (result == SMTP_PATH_OK) {
        *out = domain;
        *flags |= kind;
    }
    return result;
}

/* Quoted-string of RFC 5321 4.1.2; the opening quote is where POS is. */
static enum smtp_path_result read_quoted(struct reader *r)
{
    char *local = arena_alloc(r->arena, r->in.n - r->pos);
    size_t n = 0;

    if (!local)
        return SMTP_PATH_NO_MEMORY;
    r->pos++;
    while (r->pos < r->in.n && r->in.p[r->pos] != '"') {
        bool paired = r->in.p[r->pos] == '\\';
        r->pos += paired;
        if (r->pos == r->in.n || !is_quotable(r->in.p[r->pos]))
            return SMTP_PATH_BAD_LOCAL;
        local[n++] = r->in.p[r->pos++];
    }
    if (!eat(r, '"'))
        return SMTP_PATH_BAD_LOCAL;
    r->path.local = str_of(local, n);
    return SMTP_PATH_OK;
}

static enum smtp_path_result read_dot_string(struct reader *r)
{
    size_t from = r->pos;

    while (r->pos < r->in.n && (is_atext(r->in.p[r->pos]) || r->in.p[r->pos] == '.'))
        r->pos++;
    struct str local = str_slice(r->in, from, r->pos);
    if (!is_dot_string(local))
        return SMTP_PATH_BAD_LOCAL;
    r->path.local = arena_str(r->arena, local);
    return r->path.local.p ? SMTP_PATH_OK : SMTP_PATH_NO_MEMORY;
}

/* The domain or literal ends at '>', a blank, or (in a source route) at a comma or colon. */
static struct str take_domain(struct reader *r)
{
    size_t from = r->pos;
    bool literal = at(r, '[');

    while (r->pos < r->in.n && !strchr(literal ? "]> " : ">,: ", r->in.p[r->pos] ? r->in.p[r->pos] : ' '))
        r->pos++;
    if (literal)
        (void)eat(r, ']');
    return str_slice(r->in, from, r->pos);
}

static enum smtp_path_result read_mailbox(struct reader *r)
{
    size_t from = r->pos;
    enum smtp_path_result result = at(r, '"') ? read_quoted(r) : read_dot_string(r);

    if (result != SMTP_PATH_OK)
        return result;
    if (!str_is_utf8(str_slice(r->in, from, r->pos)))
        return SMTP_PATH_BAD_LOCAL;
    if (!str_is_ascii(r->path.local))
        r->path.flags |= SMTP_PATH_UTF8;
    if (!eat(r, '@'))
        return SMTP_PATH_NO_DOMAIN;
    struct str domain = take_domain(r);
    /* Two for the brackets, there or not. */
    if (r->pos - from + 2 > SMTP_PATH_MAX)
        return SMTP_PATH_TOO_LONG;
    return smtp_domain_parse(r->arena, domain, &r->path.domain, &r->path.flags);
}

/* "@a,@b:" in front of the mailbox is read and forgotten (RFC 5321 3.3, 4.1.1.3, appendix C). */
static enum smtp_path_result skip_route(struct reader *r)
{
    struct str ignored;
    unsigned flags = 0;

    if (!at(r, '@'))
        return SMTP_PATH_OK;
    r->path.flags |= SMTP_PATH_ROUTED;
    do {
        if (!eat(r, '@'))
            return SMTP_PATH_BAD;
        enum smtp_path_result result = smtp_domain_parse(r->arena, take_domain(r), &ignored, &flags);
        if (result != SMTP_PATH_OK)
            return result;
    } while (eat(r, ','));
    r->path.flags |= flags & SMTP_PATH_UTF8;
    return eat(r, ':') ? SMTP_PATH_OK : SMTP_PATH_BAD;
}

static bool is_postmaster(struct str local)
{
    return str_eq_nocase(local, STR("postmaster"));
}

/* A bare name, where those are completed. */
static enum smtp_path_result complete(struct reader *r)
{
    if (r->path.local.n + r->origin.n + 3 > SMTP_PATH_MAX)
        return SMTP_PATH_TOO_LONG;
    return smtp_domain_parse(r->arena, r->origin, &r->path.domain, &r->path.flags);
}

static enum smtp_path_result read_path(struct reader *r, enum smtp_path_kind kind, bool brackets)
{
    enum smtp_path_result result = skip_route(r);

    if (result != SMTP_PATH_OK)
        return result;
    result = read_mailbox(r);
    /* RFC 5321 4.1.1.3: <Postmaster> is the only forward-path without a domain. */
    if (result == SMTP_PATH_NO_DOMAIN && kind == SMTP_PATH_FORWARD && is_postmaster(r->path.local) &&
        !(r->path.flags & SMTP_PATH_ROUTED)) {
        r->path.flags |= SMTP_PATH_POSTMASTER;
        result = SMTP_PATH_OK;
    }
    if (result == SMTP_PATH_NO_DOMAIN && r->origin.n)
        result = complete(r);
    /* What stands where '>' should is the more telling fault. */
    bool ended = brackets ? eat(r, '>') : r->pos == r->in.n || at(r, ' ');
    if (result == SMTP_PATH_OK || result == SMTP_PATH_NO_DOMAIN)
        return ended ? result : SMTP_PATH_BAD;
    return result;
}

enum smtp_path_result smtp_path_parse_local(struct arena *arena, struct str in, enum smtp_path_kind kind,
                                            enum smtp_path_syntax syntax, struct str origin,
                                            struct smtp_path *path, size_t *used)
{
    struct reader r = { .arena = arena, .in = in, .origin = origin };
    enum smtp_path_result result = SMTP_PATH_OK;
    bool brackets = eat(&r, '<');

    if (!brackets && syntax == SMTP_PATH_STRICT)
        return SMTP_PATH_BAD;
    if (brackets && kind == SMTP_PATH_REVERSE && eat(&r, '>'))
        r.path.flags = SMTP_PATH_NULL;
    else
        result = read_path(&r, kind, brackets);
    if (result != SMTP_PATH_OK)
        return result;
    *path = r.path;
    *used = r.pos;
    return SMTP_PATH_OK;
}

enum smtp_path_result smtp_path_parse(struct arena *arena, struct str in, enum smtp_path_kind kind,
                                      enum smtp_path_syntax syntax, struct smtp_path *path, size_t *used)
{
    return smtp_path_parse_local(arena, in, kind, syntax, STR_NONE, path, used);
}

enum smtp_path_result smtp_mailbox_parse(struct arena *arena, struct str in, struct smtp_path *path)
{
    struct reader r = { .arena = arena, .in = in };
    enum smtp_path_result result = read_mailbox(&r);

    if (result == SMTP_PATH_OK && r.pos < in.n)
        return SMTP_PATH_BAD;
    if (result == SMTP_PATH_OK)
        *path = r.path;
    return result;
}

bool smtp_local_write(struct buf *out, struct str local)
{
    if (is_dot_string(local))
        return buf_add(out, local);
    buf_add_char(out, '"');
    for (size_t i = 0; i < local.n; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, local.p[i]);
    }
    return buf_add_char(out, '"');
}

bool smtp_path_write(struct buf *out, const struct smtp_path *path)
{
    if (path->flags & SMTP_PATH_NULL)
        return !out->failed;
    smtp_local_write(out, path->local);
    if (path->flags & SMTP_PATH_POSTMASTER)
        return !out->failed;
    buf_add_char(out, '@');
    return buf_add(out, path->domain);
}
