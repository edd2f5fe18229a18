/* core/id.c -- Crockford's base 32 of fixed width. */
#include "core/id.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void put(uint64_t v, char *out, unsigned chars)
{
    out[chars] = '\0';
    for (unsigned i = chars; i > 0; i--, v >>= 5)
        out[i - 1] = digits[v & 31];
}

static bool digit_value(char c, unsigned *v)
{
    c = ascii_upper(c);
    if (c == 'O')
        c = '0';
    else if (c == 'I' || c == 'L')
        c = '1';
    for (unsigned i = 0; i < 32; i++) {
        if (digits[i] == c) {
            *v = i;
            return true;
        }
    }
    return false;
}

static bool take(struct str s, unsigned chars, uint64_t *out)
{
    uint64_t n = 0;
    unsigned v;

    if (s.n != chars)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!digit_value(s.p[i], &v))
            return false;
        n = n << 5 | v;
    }
    if (!n)
        return false;
    *out = n;
    return true;
}

struct queue_id_text queue_id_text(struct queue_id id)
{
    struct queue_id_text t;

    put(id.n, t.c, QUEUE_ID_CHARS);
    return t;
}

struct session_id_text session_id_text(struct session_id id)
{
    struct session_id_text t;

    put(id.n, t.c, SESSION_ID_CHARS);
    return t;
}

bool queue_id_parse(struct str s, struct queue_id *id)
{
    return take(s, QUEUE_ID_CHARS, &id->n);
}

bool session_id_parse(struct str s, struct session_id *id)
{
    return take(s, SESSION_ID_CHARS, &id->n);
}
