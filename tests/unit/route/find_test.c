/* What an address is: the order of FACE 1.11, one row for each promise. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "tests/unit/route/world.h"

static const char config[] =
    "hostname mail.example.org;\n"
    "origin example.org;\n"
    "public-address 192.0.2.1 2001:db8::1;\n"
    "domain example.org example.com {\n"
    "  users file:/users; aliases file:/aliases; deliver maildir:/var/mail/{domain}/{user}; catch-all "
    "office@example.org;\n"
    "}\n"
    "domain example.net {\n"
    "  users file:/users2; aliases file:/aliases; deliver maildir:/var/mail/{domain}/{user};\n"
    "  postmaster anna@example.org; subaddress \"+-\";\n"
    "}\n"
    "domain any.example { users any; deliver maildir:/var/mail/{domain}/{user}; }\n"
    "domain lost.example { users file:/lost; deliver maildir:/var/mail/{domain}/{user}; }\n"
    "domain halflost.example { users file:/users; aliases file:/lost; deliver "
    "maildir:/var/mail/{domain}/{user}; }\n"
    "domain sys.example { users system; deliver maildir:/var/mail/{domain}/{user}; subaddress off; }\n"
    "domain a.example { users file:/users2; postmaster postmaster@b.example; deliver "
    "maildir:/var/mail/{user}; }\n"
    "domain b.example { users file:/users2; postmaster postmaster@a.example; deliver "
    "maildir:/var/mail/{user}; }\n"
    "domain gone.example { users file:/users2; postmaster nobody@a.example; deliver "
    "maildir:/var/mail/{user}; }\n"
    "domain led.example { users file:/users2; postmaster nobody@example.net; deliver "
    "maildir:/var/mail/{user}; }\n";

static int open_world(void **state)
{
    static struct world w;

    world_open(&w, config);
    world_file(&w, ROUTE_FORM_USERS, "/users",
               "Anna\nBen.Miller\noffice\nonly@example.com\ntagged+tag\n\"odd\nshared\n");
    world_file(&w, ROUTE_FORM_USERS, "/users2", "nina\nmary-jane\n");
    world_file(&w, ROUTE_FORM_SYSTEM, "/etc/passwd", "root:x:0:0\nsam:x:1000:1000\n");
    world_file(&w, ROUTE_FORM_ALIASES, "/aliases",
               "ben: ben.miller\nshared: anna\n@example.net: nina\n@example.org: anna\ntagged: "
               "anna\nabuse@example.org: anna\n");
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    return 0;
}

/* "mailbox user detail domain", "alias LINE", "redirect to@domain by", … */
static const char *ask_mode(struct world *w, const char *local, const char *domain, enum route_find_mode mode)
{
    static const char *const names[] = { "mailbox", "alias",    "redirect", "unknown",
                                         "foreign", "no-table", "no-memory" };
    static char out[1024];
    struct arena *a = arena_new(1 << 20);
    struct str l = str_from_c(local), d = str_from_c(domain);
    char *lp = exact_copy(l), *dp = exact_copy(d);
    struct route_hit hit;

    route_find(&w->view, str_of(lp, l.n), str_of(dp, d.n), mode, a, &hit);
    switch (hit.kind) {
    case ROUTE_MAILBOX:
        snprintf(out, sizeof(out), "mailbox %.*s %.*s %.*s", STR_ARG(hit.user), STR_ARG(hit.detail),
                 STR_ARG(hit.domain));
        break;
    case ROUTE_ALIAS:
        snprintf(out, sizeof(out), "alias %u", hit.entry->line);
        break;
    case ROUTE_REDIRECT:
        snprintf(out, sizeof(out), "redirect %.*s@%.*s %.*s", STR_ARG(hit.to_local), STR_ARG(hit.to_domain),
                 STR_ARG(route_by_name(hit.by)));
        break;
    default:
        snprintf(out, sizeof(out), "%s", names[hit.kind]);
    }
    free(lp);
    free(dp);
    arena_free(a);
    return out;
}

struct row {
    const char *local;
    const char *domain;
    const char *is;
};

static void check_rows(struct world *w, const struct row *rows, size_t n, enum route_find_mode mode)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = ask_mode(w, rows[i].local, rows[i].domain, mode);
        if (strcmp(got, rows[i].is) != 0)
            fail_msg("%s@%s is \"%s\", want \"%s\"", rows[i].local, rows[i].domain, got, rows[i].is);
    }
}

static void addresses_are_asked_for_in_order(void **state)
{
    static const struct row rows[] = {
        /* Users, in any case; the table's spelling is the user. */
        { "anna", "example.org", "mailbox Anna  example.org" },
        { "ANNA", "example.com", "mailbox Anna  example.com" },
        { "only", "example.com", "mailbox only  example.com" },
        /* A name of one domain is none of the other: catch-all. */
        { "only", "example.org", "redirect office@example.org catch-all" },
        /* Aliases before users; a mailbox before catch-all and before "@domain". */
        { "ben", "example.org", "alias 1" },
        { "shared", "example.org", "alias 2" },
        { "office", "example.org", "mailbox office  example.org" },
        { "nina", "example.net", "mailbox nina  example.net" },
        /* Catch-all before "@domain"; that where there is no catch-all. */
        { "nobody", "example.org", "redirect office@example.org catch-all" },
        { "nobody", "example.net", "alias 3" },
        /* Subaddress: the full address first, then without detail. */
        { "anna+news", "example.org", "mailbox Anna news example.org" },
        { "anna+", "example.org", "mailbox Anna  example.org" },
        { "anna+a+b", "example.org", "mailbox Anna a+b example.org" },
        { "tagged+tag", "example.org", "mailbox tagged+tag  example.org" },
        { "tagged+other", "example.org", "alias 5" },
        { "ben+x", "example.org", "alias 1" },
        { "+x", "example.org", "redirect office@example.org catch-all" },
        { "anna-x", "example.org", "redirect office@example.org catch-all" },
        { "nina-x+y", "example.net", "mailbox nina x+y example.net" },
        { "mary-jane", "example.net", "mailbox mary-jane  example.net" },
        /* Every name: small letters, without detail. */
        { "Any+X", "any.example", "mailbox any X any.example" },
        { "Any", "any.example", "mailbox any  any.example" },
        /* Accounts of the system from uid 1000; no separator there. */
        { "sam", "sys.example", "mailbox sam  sys.example" },
        { "root", "sys.example", "unknown" },
        { "sam+x", "sys.example", "unknown" },
        /* Not ours. */
        { "anna", "elsewhere.example", "foreign" },
        { "anna", "mail.example.org", "foreign" },
        { "anna", "", "foreign" },
        /* A table that cannot be had stops the search. */
        { "anna", "lost.example", "no-table" },
        { "anna", "halflost.example", "no-table" },
        { "postmaster", "lost.example", "no-table" },
        { "", "any.example", "unknown" },
    };

    check_rows(*state, rows, ARRAY_LEN(rows), ROUTE_FIND_ALL);
}

/* C037: postmaster of each domain, and <Postmaster>; FACE 1.11: abuse as well. */
static void postmaster_and_abuse_are_always_taken(void **state)
{
    static const struct row rows[] = {
        { "postmaster", "example.org", "mailbox postmaster  example.org" },
        { "abuse", "example.org", "alias 6" },
        { "Abuse", "example.com", "mailbox abuse  example.com" },
        { "PostMaster", "example.net", "redirect anna@example.org postmaster" },
        { "abuse", "example.net", "redirect anna@example.org postmaster" },
        { "Postmaster", "", "mailbox postmaster  example.org" },
        { "postmaster", "sys.example", "mailbox postmaster  sys.example" },
        /* Two that name each other, and one that names nobody. */
        { "postmaster", "a.example", "redirect postmaster@b.example postmaster" },
        { "postmaster", "gone.example", "mailbox postmaster  gone.example" },
        { "postmaster", "led.example", "redirect nobody@example.net postmaster" },
    };

    check_rows(*state, rows, ARRAY_LEN(rows), ROUTE_FIND_ALL);
}

/* C034: a literal of our own addresses is the origin's; another one is not ours. */
static void own_literals_are_the_origins(void **state)
{
    static const struct row rows[] = {
        { "anna", "[192.0.2.1]", "mailbox Anna  example.org" },
        { "anna", "[IPv6:2001:db8::1]", "mailbox Anna  example.org" },
        { "anna", "[IPv6:::ffff:192.0.2.1]", "mailbox Anna  example.org" },
        { "anna", "[192.0.2.2]", "foreign" },
        { "anna", "[nonsense]", "foreign" },
        { "anna", "[", "foreign" },
        { "anna", "[]", "foreign" },
    };

    check_rows(*state, rows, ARRAY_LEN(rows), ROUTE_FIND_ALL);
}

/* What aliases led to is looked for among mailboxes alone: \name is the end of it. */
static void mailboxes_alone(void **state)
{
    static const struct row rows[] = {
        { "shared", "example.org", "mailbox shared  example.org" },
        { "ben", "example.org", "unknown" },
        { "nobody", "example.org", "unknown" },
        { "anna+news", "example.org", "mailbox Anna news example.org" },
        { "postmaster", "example.net", "mailbox postmaster  example.net" },
        { "anna", "elsewhere.example", "foreign" },
    };

    check_rows(*state, rows, ARRAY_LEN(rows), ROUTE_FIND_MAILBOX);
}

static void rules_name_file_and_line(void **state)
{
    struct world *w = *state;
    struct arena *a = arena_new(1 << 20);
    struct route_hit hit;

    route_find(&w->view, STR("ben"), STR("example.org"), ROUTE_FIND_ALL, a, &hit);
    assert_str_is(route_hit_rule(&w->view, &hit, a), STR("/aliases:1"));
    route_find(&w->view, STR("x"), STR("example.org"), ROUTE_FIND_ALL, a, &hit);
    assert_str_is(route_hit_rule(&w->view, &hit, a), STR("-o:5"));
    route_find(&w->view, STR("x"), STR("sys.example"), ROUTE_FIND_ALL, a, &hit);
    assert_str_is(route_hit_rule(&w->view, &hit, a), STR("-o:14"));
    route_find(&w->view, STR("x"), STR("lost.example"), ROUTE_FIND_ALL, a, &hit);
    assert_str_is(route_hit_rule(&w->view, &hit, a), STR("/lost"));
    route_find(&w->view, STR("x"), STR("elsewhere.example"), ROUTE_FIND_ALL, a, &hit);
    assert_str_is(route_hit_rule(&w->view, &hit, a), STR("default"));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_asked_for_in_order),
        cmocka_unit_test(postmaster_and_abuse_are_always_taken),
        cmocka_unit_test(own_literals_are_the_origins),
        cmocka_unit_test(mailboxes_alone),
        cmocka_unit_test(rules_name_file_and_line),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
