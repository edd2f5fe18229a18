/* What `config check` says of aliases: all that does not lead to mailboxes, by file and line. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/buf.h"
#include "route/check.h"
#include "tests/unit/route/world.h"

static const char config[] =
    "hostname mail.example.org; origin example.org;\n"
    "domain example.org { users file:/users; aliases file:/aliases; deliver maildir:/m/{user}; max-expansion "
    "3; }\n"
    "domain example.net { users file:/users; catch-all nobody@example.org; postmaster anna@example.org; "
    "deliver maildir:/m/{user}; }\n"
    "domain lost.example { users file:/lost; aliases file:/lost; postmaster x@elsewhere.example; deliver "
    "maildir:/m/{user}; }\n"
    "domain example.com { users file:/users; aliases file:/domain; deliver maildir:/m/{user}; }\n"
    "domain any.example { users any; deliver maildir:/m/{user}; }\n";

static void add_finding(void *ctx, const struct route_finding *f)
{
    buf_printf(ctx, "%.*s:%u: %s%.*s\n", STR_ARG(f->path), f->path.n ? f->line : f->place.line,
               f->is_warning ? "warning: " : "", STR_ARG(f->text));
}

static void all_that_leads_nowhere_is_named(void **state)
{
    (void)state;
    struct world w;
    struct buf out = BUF_INIT(1 << 16);

    world_open(&w, config);
    world_file(&w, ROUTE_FORM_USERS, "/users", "anna\nben\ncarol\ndora\n");
    world_file(&w, ROUTE_FORM_ALIASES, "/aliases",
               "good: anna, ben\n"
               "away: x@elsewhere.example\n"
               "gone: nobody\n"
               "half: anna, nobody\n"
               "ping: pong\n"
               "pong: ping\n"
               "cmd: |/bin/true\n"
               "much: anna, ben, carol, dora\n"
               "list: :include:/lost\n"
               "other@example.net: nobody\n"
               "anna: anna\n");
    world_file(&w, ROUTE_FORM_ALIASES, "/domain", "@example.com: @elsewhere.example\npostmaster: anna\n");
    assert_true(route_check(&w.view, add_finding, &out));
    buf_add_char(&out, '\0');
    assert_string_equal(
        out.p, "/aliases:3: leads to nobody@example.org, which does not exist\n"
               "/aliases:4: leads to nobody@example.org, which does not exist\n"
               "/aliases:5: leads in a circle, or over more than 10 aliases\n"
               "/aliases:6: leads in a circle, or over more than 10 aliases\n"
               "/aliases:7: names a command or file; until the domain says alias-commands on, its mail gets 451\n"
               "/aliases:8: leads to more addresses than max-expansion\n"
               ":2: warning: postmaster@example.org is no user and no alias: who reads it?\n"
               ":3: leads to nobody@example.org, which does not exist\n");
    buf_done(&out);
    world_close(&w);
}

/* Commands that are meant are said to be in a file that is not root's alone, until it is. */
static void commands_want_a_file_that_is_roots(void **state)
{
    (void)state;
    struct world w;
    struct buf out = BUF_INIT(1 << 16);

    world_open(&w, "domain example.org { users any; aliases file:/aliases; alias-commands on; "
                   "deliver maildir:/m/{user}; }");
    world_file(&w, ROUTE_FORM_ALIASES, "/aliases", "run: |/bin/true\n");
    assert_true(route_check(&w.view, add_finding, &out));
    assert_str_is(buf_str(&out), STR("/aliases:1: names a command or file; until root owns this file and nobody else "
                                     "may write to it, its mail gets 451\n"));
    buf_clear(&out);
    world_own(&w, "/aliases", 0, true);
    assert_true(route_check(&w.view, add_finding, &out));
    assert_int_equal(out.n, 0);
    buf_done(&out);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_leads_nowhere_is_named),
        cmocka_unit_test(commands_want_a_file_that_is_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
