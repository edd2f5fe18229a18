/* Expansion over alias files of any content ends, within its bounds, and gives no address twice. */
#include <stdint.h>

#include "core/bug.h"
#include "route/expand.h"
#include "tests/unit/route/world.h"

enum { RESULTS_MAX = 50 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
    "hostname mail.example.org; origin a.b;\n"
    "domain a.b { users file:/users; aliases file:/aliases; deliver maildir:/m/{user}; max-expansion 50; }\n"
    "domain c.d { users any; aliases file:/aliases; catch-all a@a.b; deliver maildir:/m/{user}; "
    "max-expansion 50; }\n";

static void check(const struct route_results *r)
{
    BUG_ON(r->n > 3 * RESULTS_MAX);
    for (size_t i = 0; i < r->n; i++) {
        BUG_ON(!r->items[i].local.n || !r->items[i].domain.n);
        for (size_t k = 0; k < i; k++)
            BUG_ON(str_eq_nocase(r->items[i].local, r->items[k].local) &&
                   str_eq(r->items[i].domain, r->items[k].domain));
    }
}

/* The first octets of the input choose who is asked for, the rest is the file, also what it includes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "a", "b", "c", "a+x", "owner-a", "postmaster" };
    static struct world w;
    struct str text = str_skip(str_of((const char *)data, size), 1);
    struct route_failure why;

    if (!w.arena)
        world_open(&w, config);
    world_file(&w, ROUTE_FORM_USERS, "/users", "a\nb\nc\n");
    world_octets(&w, ROUTE_FORM_ALIASES, "/aliases", text);
    world_octets(&w, ROUTE_FORM_LIST, "/l", text);
    struct arena *a = arena_new(64 << 20);
    struct route_results r = { .arena = a };
    for (size_t i = 0; i < 3; i++) {
        const char *name = names[((size ? data[0] : 0) + i) % ARRAY_LEN(names)];
        enum route_status status =
            route_expand(&w.view, str_from_c(name), i % 2 ? STR("c.d") : STR("a.b"), i, &r, &why);
        BUG_ON(status == ROUTE_HAS_NO_MEMORY);
    }
    check(&r);
    arena_free(a);
    world_forget(&w);
    return 0;
}
