/* Alias files: reading twice gives the same; what is kept lies in the input, canonical domains apart. */
#include <stdint.h>
#include <string.h>

#include "core/bug.h"
#include "route/aliases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In the order of the file, perhaps with quotes, backslashes and line ends between. */
static bool is_subsequence(struct str of, struct str s)
{
    size_t i = 0;

    for (size_t k = 0; k < of.n && i < s.n; k++)
        i += of.p[k] == s.p[i] || (of.p[k] == '\n' && s.p[i] == ' ');
    return i == s.n;
}

static void check_entry(const struct route_aliases *a, const struct route_alias *e, struct str text)
{
    struct str local, domain;

    route_alias_key(a, e, &local, &domain);
    BUG_ON(!is_subsequence(text, local) || e->line < 1 || e->n < 1);
    if (local.n)
        BUG_ON(route_aliases_find(a, local, domain) != e);
    else
        BUG_ON(route_aliases_find_domain(a, domain) != e);
    for (size_t i = 0; i < e->n; i++) {
        struct route_target t = route_alias_target(a, e, i);
        BUG_ON(!is_subsequence(text, t.text));
        BUG_ON(t.kind == ROUTE_TARGET_BROKEN && (t.text.n || t.domain.n));
        BUG_ON(t.kind == ROUTE_TARGET_INCLUDE && t.text.p[0] != '/');
        BUG_ON(t.kind == ROUTE_TARGET_MAILBOX && !t.text.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of((const char *)data, size);
    struct route_aliases once = ROUTE_ALIASES_INIT, twice = ROUTE_ALIASES_INIT, list = ROUTE_ALIASES_INIT;
    struct route_faults faults = { 0 }, again = { 0 }, of_list = { 0 };

    BUG_ON(!route_aliases_parse(&once, text, &faults) || !route_aliases_parse(&twice, text, &again));
    BUG_ON(!str_eq(buf_str(&once.octets), buf_str(&twice.octets)) || faults.total != again.total);
    BUG_ON(!str_eq(buf_str(&once.targets), buf_str(&twice.targets)));
    for (size_t i = 0; i < route_aliases_count(&once); i++)
        check_entry(&once, route_aliases_entry(&once, i), text);
    BUG_ON(!route_list_parse(&list, text, &of_list));
    BUG_ON(route_aliases_count(&list) != 1);
    route_aliases_done(&once);
    route_aliases_done(&twice);
    route_aliases_done(&list);
    return 0;
}
