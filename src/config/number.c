/* config/number.c -- digits and units; what does not fit is no number. */
#include "config/number.h"

#include "core/num.h"

static const struct unit {
    struct str name;
    uint64_t msec;
} units[] = {
    { STR_INIT("w"), 7ULL * 24 * 3600 * 1000 },
    { STR_INIT("d"), 24ULL * 3600 * 1000 },
    { STR_INIT("h"), 3600 * 1000 },
    { STR_INIT("m"), 60 * 1000 },
    { STR_INIT("s"), 1000 },
    { STR_INIT("ms"), 1 },
};

static struct str take_digits(struct str *s)
{
    size_t n = 0;

    while (n < s->n && ascii_is_digit(s->p[n]))
        n++;
    struct str digits = str_head(*s, n);
    *s = str_skip(*s, n);
    return digits;
}

bool config_number_size(struct str s, uint64_t *out)
{
    struct str digits = take_digits(&s);
    unsigned shift = 0;
    uint64_t n;

    if (str_eq(s, STR("k")))
        shift = 10;
    else if (str_eq(s, STR("M")))
        shift = 20;
    else if (str_eq(s, STR("G")))
        shift = 30;
    else if (s.n)
        return false;
    if (!num_parse_u64(digits, UINT64_MAX >> shift, &n))
        return false;
    *out = n << shift;
    return true;
}

/* Letters up to the next digit, as an index of units from FROM on; ARRAY_LEN(units) when it is none of them. */
static size_t take_unit(struct str *s, size_t from)
{
    size_t n = 0;

    while (n < s->n && !ascii_is_digit(s->p[n]))
        n++;
    struct str name = str_head(*s, n);
    *s = str_skip(*s, n);
    while (from < ARRAY_LEN(units) && !str_eq(units[from].name, name))
        from++;
    return from;
}

bool config_number_time(struct str s, uint64_t *msec)
{
    uint64_t sum = 0, n;
    size_t next = 0;

    if (!s.n)
        return false;
    while (s.n) {
        struct str digits = take_digits(&s);
        size_t unit = take_unit(&s, next);
        if (unit == ARRAY_LEN(units) || !num_parse_u64(digits, UINT64_MAX / units[unit].msec, &n) ||
            __builtin_add_overflow(sum, n * units[unit].msec, &sum))
            return false;
        next = unit + 1;
    }
    *msec = sum;
    return true;
}

bool config_number_rate(struct str s, uint64_t *count, uint64_t *msec)
{
    struct str rest = s, number = str_cut(&rest, '/'), digits;
    uint64_t n, times = 1;

    if (!rest.p || !config_number_size(number, &n))
        return false;
    digits = take_digits(&rest);
    size_t unit = take_unit(&rest, 0);
    if (unit == ARRAY_LEN(units) || rest.n)
        return false;
    if (digits.n && !num_parse_u64(digits, UINT64_MAX / units[unit].msec, &times))
        return false;
    if (!times)
        return false;
    *count = n;
    *msec = times * units[unit].msec;
    return true;
}

bool config_number_percent(struct str s, uint64_t *out)
{
    return str_ends(s, STR("%")) && num_parse_u64(str_head(s, s.n - 1), 100, out);
}
