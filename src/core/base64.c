/* core/base64.c */
#include "core/base64.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_add(struct buf *out, struct str octets)
{
    const unsigned char *p = (const unsigned char *)octets.p;
    char *to = buf_room(out, (octets.n + 2) / 3 * 4);
    size_t n = 0;

    if (!to)
        return false;
    for (size_t left = octets.n; left; left -= left < 3 ? left : 3, p += 3) {
        unsigned three = (unsigned)p[0] << 16 | (left > 1 ? (unsigned)p[1] << 8 : 0) | (left > 2 ? p[2] : 0U);
        to[n++] = letters[three >> 18];
        to[n++] = letters[three >> 12 & 63];
        to[n++] = left > 1 ? letters[three >> 6 & 63] : '=';
        to[n++] = left > 2 ? letters[three & 63] : '=';
    }
    buf_grew(out, n);
    return true;
}

/* -1: none of them. */
static int value_of(char c)
{
    const char *at = c ? memchr(letters, c, 64) : NULL;

    return at ? (int)(at - letters) : -1;
}

/* Four characters that are not the last ones have no padding; bits that mean nothing are 0 (RFC 4648 3.5). */
static bool read_four(struct buf *out, const char *p, bool last)
{
    unsigned pad = last ? (p[3] == '=') + (p[3] == '=' && p[2] == '=') : 0, three = 0;
    char octets[3];

    for (unsigned i = 0; i < 4; i++) {
        int value = i < 4 - pad ? value_of(p[i]) : 0;
        if (value < 0)
            return false;
        three = three << 6 | (unsigned)value;
    }
    for (int i = 0; i < 3; i++)
        octets[i] = (char)(three >> (16 - 8 * i));
    return !(three & ((1U << 8 * pad) - 1)) && buf_add(out, str_of(octets, 3 - pad));
}

bool base64_read(struct buf *out, struct str text)
{
    bool ok = text.n % 4 == 0;

    for (size_t at = 0; ok && at < text.n; at += 4)
        ok = read_four(out, text.p + at, at + 4 == text.n);
    return ok;
}
