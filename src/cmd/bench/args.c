/* cmd/bench/args.c -- reads long options by their table. */
#include "cmd/bench/args.h"

#include <stdio.h>
#include <string.h>

#include "core/num.h"
#include "core/str.h"

static uint64_t unit_of_size(char c)
{
    switch (c) {
    case 'k':
        return 1U << 10;
    case 'M':
        return 1U << 20;
    case 'G':
        return 1U << 30;
    default:
        return 1;
    }
}

static bool read_size(struct str s, uint64_t *out)
{
    uint64_t unit = s.n ? unit_of_size(s.p[s.n - 1]) : 1;
    uint64_t n;

    if (unit != 1)
        s.n--;
    if (!num_parse_u64(s, UINT64_MAX / unit, &n))
        return false;
    *out = n * unit;
    return true;
}

/* "90", "90s", "0.25": milliseconds; digits beyond the third behind the point are dropped. */
static bool read_seconds(struct str s, uint64_t *msec)
{
    enum { MAX_SECONDS = 1000000 };
    size_t point;
    uint64_t whole, part = 0;

    if (s.n && s.p[s.n - 1] == 's')
        s.n--;
    point = str_find(s, '.');
    if (!num_parse_u64(str_of(s.p, point), MAX_SECONDS, &whole))
        return false;
    for (size_t i = point + 1, weight = 100; i < s.n; i++, weight /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        part += (uint64_t)(s.p[i] - '0') * weight;
    }
    *msec = whole * 1000 + part;
    return true;
}

static bool set_value(const struct bench_arg *arg, const char *text, struct err *err)
{
    struct str s = str_from_c(text);
    bool ok = true;

    switch (arg->kind) {
    case BENCH_ARG_FLAG:
        BUG_ON(true);
        break;
    case BENCH_ARG_COUNT:
        ok = num_parse_u64(s, UINT64_MAX, arg->value);
        break;
    case BENCH_ARG_SIZE:
        ok = read_size(s, arg->value);
        break;
    case BENCH_ARG_SECONDS:
        ok = read_seconds(s, arg->value);
        break;
    case BENCH_ARG_TEXT:
        *(const char **)arg->value = text;
        break;
    }
    return ok || err_perm(err, "--%s: '%s' is no number that fits", arg->name, text);
}

/* Finds the row of NAME; *off says that it was written --no-NAME, which a flag may be. */
static const struct bench_arg *find(const struct bench_arg *table, size_t count, struct str name, bool *off)
{
    for (size_t i = 0; i < count; i++) {
        struct str row = str_from_c(table[i].name);
        *off = table[i].kind == BENCH_ARG_FLAG && str_starts(name, STR("no-")) &&
               str_eq(str_of(name.p + 3, name.n - 3), row);
        if (*off || str_eq(name, row))
            return &table[i];
    }
    return NULL;
}

enum bench_args bench_args_read(const struct bench_arg *table, size_t count, int argc, char **argv,
                                struct err *err)
{
    for (int i = 1; i < argc; i++) {
        struct str word = str_from_c(argv[i]);
        const struct bench_arg *arg;
        size_t equals;
        bool off;

        if (str_eq(word, STR("-h")) || str_eq(word, STR("--help")))
            return BENCH_ARGS_HELP;
        if (!str_starts(word, STR("--"))) {
            err_perm(err, "'%s': options begin with --", argv[i]);
            return BENCH_ARGS_BAD;
        }
        equals = str_find(word, '=');
        arg = find(table, count, str_of(word.p + 2, equals - 2), &off);
        if (!arg || (arg->kind == BENCH_ARG_FLAG && equals < word.n)) {
            err_perm(err, "'%s' is not known here (-h shows what is)", argv[i]);
            return BENCH_ARGS_BAD;
        }
        if (arg->kind == BENCH_ARG_FLAG) {
            *(bool *)arg->value = !off;
            continue;
        }
        if (equals == word.n && i + 1 == argc) {
            err_perm(err, "%s wants a value", argv[i]);
            return BENCH_ARGS_BAD;
        }
        if (!set_value(arg, equals < word.n ? word.p + equals + 1 : argv[++i], err))
            return BENCH_ARGS_BAD;
    }
    return BENCH_ARGS_OK;
}

void bench_args_help(const char *usage, const struct bench_arg *table, size_t count)
{
    printf("%s\n", usage);
    for (size_t i = 0; i < count; i++)
        printf("  --%-16s %s\n", table[i].name, table[i].help);
}
