/* history/key.c -- the fields that are keys, and a hash of 32 bits: what it confuses is told apart when it is read. */
#include "history/key.h"

static uint32_t hash_of(enum history_kind kind, struct str text)
{
    uint64_t h = 0xcbf29ce484222325ULL + kind;

    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (unsigned char)ascii_lower(text.p[i])) * 0x100000001b3ULL;
    h ^= h >> 29;
    return (uint32_t)(h * 0xbf58476d1ce4e5b9ULL >> 32);
}

static bool kind_of(enum log_field f, enum history_kind *kind)
{
    switch (f) {
    case LOG_ID:
    case LOG_ABOUT:
        *kind = HISTORY_ID;
        return true;
    case LOG_SESSION:
        *kind = HISTORY_SESSION;
        return true;
    case LOG_FROM:
    case LOG_TO:
    case LOG_RCPT:
    case LOG_ORIGINAL:
    case LOG_INTO:
        *kind = HISTORY_ADDRESS;
        return true;
    default:
        return false;
    }
}

struct history_key history_key_of(enum history_kind kind, struct str text)
{
    return (struct history_key){ .kind = kind, .hash = hash_of(kind, text), .text = text };
}

static bool value_matches(const struct history_key *key, const struct log_value *v)
{
    struct str list = v->octets, item;

    if (v->kind == LOG_KIND_TEXT)
        return str_eq_nocase(v->octets, key->text);
    while (v->kind == LOG_KIND_LIST && log_list_next(&list, &item))
        if (str_eq_nocase(item, key->text))
            return true;
    return false;
}

bool history_key_matches(const struct history_key *key, struct str record)
{
    struct log_view view;
    struct log_value v;
    enum history_kind kind;

    if (!log_view_open(record, &view))
        return false;
    while (log_view_next(&view, &v))
        if (kind_of(v.field, &kind) && kind == key->kind && value_matches(key, &v))
            return true;
    return false;
}

void history_keys_of(struct str record, void (*visit)(void *ctx, uint32_t hash), void *ctx)
{
    struct log_view view;
    struct log_value v;
    enum history_kind kind;
    struct str item;

    if (!log_view_open(record, &view))
        return;
    while (log_view_next(&view, &v)) {
        if (!kind_of(v.field, &kind) || !v.octets.n)
            continue;
        if (v.kind == LOG_KIND_TEXT)
            visit(ctx, hash_of(kind, v.octets));
        while (v.kind == LOG_KIND_LIST && log_list_next(&v.octets, &item))
            visit(ctx, hash_of(kind, item));
    }
}
