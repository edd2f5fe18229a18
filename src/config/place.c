/* config/place.c -- "veredus.conf:17". */
#include "config/place.h"

#include <string.h>

enum { LINE_DIGITS_MAX = 10 };

static void put(struct config_place_text *t, size_t *at, struct str s)
{
    size_t room = sizeof(t->c) - 1 - *at, n = s.n < room ? s.n : room;

    if (n)
        memcpy(t->c + *at, s.p, n);
    *at += n;
}

static void put_number(struct config_place_text *t, size_t *at, uint32_t n)
{
    char digits[LINE_DIGITS_MAX];
    size_t from = LINE_DIGITS_MAX;

    do
        digits[--from] = (char)('0' + n % 10);
    while (n /= 10);
    put(t, at, str_of(digits + from, LINE_DIGITS_MAX - from));
}

struct config_place_text config_place_text(const struct config_files *files, struct config_place place)
{
    struct config_place_text t = { { 0 } };
    size_t at = 0;

    if (!place.line || place.file >= files->n) {
        put(&t, &at, STR("default"));
        return t;
    }
    struct str path = files->items[place.file].path;
    size_t slash = str_rfind(path, '/');
    struct str base = slash < path.n ? str_skip(path, slash + 1) : path;
    put(&t, &at, str_head(base, sizeof(t.c) - LINE_DIGITS_MAX - 2));
    put(&t, &at, STR(":"));
    put_number(&t, &at, place.line);
    return t;
}

int config_place_cmp(struct config_place a, struct config_place b)
{
    if (a.file != b.file)
        return a.file < b.file ? -1 : 1;
    if (a.line != b.line)
        return a.line < b.line ? -1 : 1;
    return (a.column > b.column) - (a.column < b.column);
}
