/* core/num.c -- digits to numbers, with the bound checked at each digit. */
#include "core/num.h"

static bool parse_base(struct str s, unsigned base, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)((unsigned char)s.p[i] - '0');
        if (digit >= base || v > max / base || v * base > max - digit)
            return false;
        v = v * base + digit;
    }
    *out = v;
    return true;
}

bool num_parse_u64(struct str s, uint64_t max, uint64_t *out)
{
    return parse_base(s, 10, max, out);
}

bool num_parse_octal(struct str s, uint64_t max, uint64_t *out)
{
    return parse_base(s, 8, max, out);
}
