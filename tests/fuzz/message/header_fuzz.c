/*
 * The header scan. Oracles: splitting changes nothing, and a model that first cuts all lines, then counts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"
#include "message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLENTY = 1 << 22 };

static const struct message_header *scan(struct arena *a, struct str in, size_t piece)
{
    struct message_header_scan *s = message_header_scan_new(a);

    BUG_ON(!s);
    while (in.n) {
        struct str part = str_head(in, piece);
        char *copy = malloc(part.n);
        BUG_ON(!copy);
        memcpy(copy, part.p, part.n);
        BUG_ON(!message_header_scan_feed(s, str_of(copy, part.n)));
        free(copy);
        in = str_skip(in, part.n);
    }
    BUG_ON(!message_header_scan_end(s));
    return message_header_scan_facts(s);
}

static void compare(const struct message_header *a, const struct message_header *b)
{
    BUG_ON(a->size != b->size || a->fields != b->fields || a->malformed != b->malformed);
    BUG_ON(a->received != b->received || a->eight_bit != b->eight_bit || a->ended != b->ended);
    BUG_ON(!str_eq(a->message_id, b->message_id) || !str_eq(a->subject, b->subject));
    BUG_ON(!str_eq(a->references, b->references) || a->references.n > MESSAGE_VALUE_MAX);
    BUG_ON(a->delivered_to_count != b->delivered_to_count);
    for (size_t i = 0; i < a->delivered_to_count; i++)
        BUG_ON(!str_eq(a->delivered_to[i], b->delivered_to[i]));
}

/* The name of the field that LINE begins, without blanks before the colon; n == 0: it begins none. */
static struct str model_name(struct str line)
{
    size_t colon = str_find(line, ':');
    struct str name = str_head(line, colon);

    if (colon == line.n)
        return STR_NONE;
    while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
        name.n--;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return STR_NONE;
    return name;
}

static void compare_with_model(struct str in, const struct message_header *h)
{
    uint32_t fields = 0, malformed = 0, received = 0;
    uint64_t size = 0;

    while (in.n) {
        struct str rest = in, line = str_cut(&rest, '\n');
        bool whole = rest.p;
        size += line.n + whole;
        in = rest;
        if (whole && (line.n == 0 || (line.n == 1 && line.p[0] == '\r')))
            break;
        if (line.n == 1 && line.p[0] == '\r')
            continue; /* content ended within CRLF */
        if (fields && (line.p[0] == ' ' || line.p[0] == '\t'))
            continue;
        struct str name = model_name(line);
        fields += name.n > 0;
        malformed += name.n == 0;
        received += str_eq_nocase(name, STR("received"));
    }
    BUG_ON(h->size != size || h->fields != fields || h->malformed != malformed || h->received != received);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(PLENTY);
    struct str in = str_of((const char *)data, size);

    BUG_ON(!a);
    const struct message_header *whole = scan(a, in, size ? size : 1);
    compare(whole, scan(a, in, 1));
    compare(whole, scan(a, in, 3));
    compare_with_model(in, whole);
    arena_free(a);
    return 0;
}
