/* What recipients become: aliases, lists, loops and bounds (C246, FACE 1.11). */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/buf.h"
#include "route/expand.h"
#include "tests/unit/route/world.h"

static const char config[] =
    "hostname mail.example.org; origin example.org; public-address 192.0.2.1;\n"
    "domain example.org {\n"
    "  users file:/users; aliases file:/aliases; deliver maildir:/var/mail/{user};\n"
    "  max-expansion 20;\n"
    "}\n"
    "domain example.net { users file:/users; catch-all anna@example.org; postmaster ben@example.org; deliver "
    "maildir:/m/{user}; }\n"
    "domain far.example { users file:/none; catch-all x@elsewhere.example; postmaster y@elsewhere.example; "
    "deliver maildir:/m/{user}; }\n"
    "domain loop.example { users file:/none; catch-all self@loop.example; deliver maildir:/m/{user}; }\n";

static const char aliases[] =
    "one: anna\n"                    /* 1 */
    "two: anna, ben\n"               /* 2 */
    "chain: two, carol\n"            /* 3 */
    "anna: anna, ben\n"              /* 4: itself is the mailbox */
    "final: \\ben\n"                 /* 5 */
    "ping: pong\n"                   /* 6 */
    "pong: ping\n"                   /* 7 */
    "ring: ring2, ben\n"             /* 8 */
    "ring2: ring\n"                  /* 9 */
    "list: :include:/list\n"         /* 10 */
    "owner-list: carol\n"            /* 11 */
    "nested: list, dora\n"           /* 12 */
    "lostlist: :include:/lost\n"     /* 13 */
    "away: anna@elsewhere.example\n" /* 14 */
    "deep: one, away\n"              /* 15 */
    "command: |/bin/true\n"          /* 16 */
    "file: ben, /dev/null\n"         /* 17 */
    "gone: nobody\n"                 /* 18 */
    "half: nobody, ben\n"            /* 19 */
    "d0: d1\nd1: d2\nd2: d3\nd3: d4\nd4: d5\nd5: d6\nd6: d7\nd7: d8\nd8: d9\nd9: ben\n" /* 20..29: ten deep */
    "e0: d0\n"                                                                          /* 30: eleven deep */
    "badly: ben, :nonsense:\n"                                                          /* 31 */
    "many: u1,u2,u3,u4,u5,u6,u7,u8,u9,u10,u11,u12,u13,u14,u15,u16,u17,u18,u19,u20,u21\n" /* 32 */
    "whole: @example.net\n"                                                              /* 33 */
    "selfinclude: :include:/self\n"                                                      /* 34 */
    "both: \\anna, anna\n"                                                               /* 35 */
    "cased: BEN, ben, Ben@example.org\n"                                                 /* 36 */
    "run: \"|/bin/run 'A b'\", |/bin/run, |/bin/Run, /var/box, ben\n"                     /* 37 */
    "owner-run: ben\n"                                                                   /* 38 */
    "rerun: run, |/bin/run\n"                                                            /* 39 */
    "included: :include:/commands\n"                                                     /* 40 */
    "ever: anna, |x, |y, |z, |1, |2, |3, |4, |5, |6, |7, |8, |9, |0, |a, |b, |c, |d, |e, |f, |g, |h\n"; /* 41 */

static int open_world(void **state)
{
    static struct world w;
    struct buf users = BUF_INIT(4096);

    world_open(&w, config);
    buf_add_c(&users, "anna\nben\ncarol\ndora\n");
    for (int i = 1; i <= 21; i++)
        buf_printf(&users, "u%d\n", i);
    world_octets(&w, ROUTE_FORM_USERS, "/users", buf_str(&users));
    buf_done(&users);
    world_file(&w, ROUTE_FORM_USERS, "/none", "");
    world_file(&w, ROUTE_FORM_ALIASES, "/aliases", aliases);
    world_file(&w, ROUTE_FORM_LIST, "/list", "anna\nben, dora@example.org\n");
    world_file(&w, ROUTE_FORM_LIST, "/self", ":include:/self\nben\n:include:/self\n");
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    return 0;
}

static const char *const statuses[ROUTE_STATUSES] = {
    "ok", "foreign", "unknown", "no-table", "broken", "off", "unguarded", "loop", "too-much", "no-memory",
};

/* "ok local@domain[sender] …", or the failure with its rule and address. */
static const char *expand(struct world *w, const char *local, const char *domain)
{
    static char out[2048];
    struct arena *a = arena_new(4 << 20);
    struct route_results r = { .arena = a };
    struct route_failure why = { 0 };
    enum route_status status = route_expand(&w->view, str_from_c(local), str_from_c(domain), 0, &r, &why);
    size_t n = (size_t)snprintf(out, sizeof(out), "%s", statuses[status]);

    if (status != ROUTE_OK) {
        assert_int_equal(r.n, 0);
        n +=
            (size_t)snprintf(out + n, sizeof(out) - n, " %.*s %.*s", STR_ARG(why.rule), STR_ARG(why.address));
    }
    for (size_t i = 0; i < r.n; i++) {
        static const char *const kinds[] = { "", "|", "file:" };
        n += (size_t)snprintf(out + n, sizeof(out) - n, " %s%.*s@%.*s", kinds[r.items[i].kind],
                              STR_ARG(r.items[i].local), STR_ARG(r.items[i].domain));
        if (r.items[i].sender.n)
            n += (size_t)snprintf(out + n, sizeof(out) - n, "[%.*s]", STR_ARG(r.items[i].sender));
    }
    arena_free(a);
    return out;
}

struct row {
    const char *local;
    const char *domain;
    const char *becomes;
};

static void recipients_become(void **state)
{
    static const struct row rows[] = {
        { "ben", "example.org", "ok ben@example.org" },
        /* C024: the case of the local part is kept. */
        { "BEN+Tag", "example.org", "ok BEN+Tag@example.org" },
        { "one", "example.org", "ok anna@example.org ben@example.org" },
        { "two", "example.org", "ok ben@example.org anna@example.org" },
        { "chain", "example.org", "ok carol@example.org ben@example.org anna@example.org" },
        { "anna", "example.org", "ok anna@example.org ben@example.org" },
        { "final", "example.org", "ok ben@example.org" },
        { "ring", "example.org", "ok ben@example.org" },
        /* A list has its owner as sender, also inside another alias; the others keep theirs (C246). */
        { "list", "example.org",
          "ok ben@example.org[owner-list@example.org] dora@example.org[owner-list@example.org]"
          " anna@example.org[owner-list@example.org]" },
        { "owner-list", "example.org", "ok carol@example.org" },
        { "half", "example.org", "ok nobody@example.org ben@example.org" },
        { "d0", "example.org", "ok ben@example.org" },
        { "cased", "example.org", "ok BEN@example.org" },
        { "both", "example.org", "ok anna@example.org ben@example.org" },
        { "selfinclude", "example.org", "ok ben@example.org" },
        /* Catch-all, postmaster, the same name elsewhere, <Postmaster>, a literal of ours. */
        { "whoever", "example.net", "ok anna@example.org ben@example.org" },
        { "postmaster", "example.net", "ok ben@example.org" },
        { "whole", "example.org", "ok anna@example.org ben@example.org" },
        /* Addresses elsewhere are what they are. */
        { "away", "example.org", "ok anna@elsewhere.example" },
        { "deep", "example.org", "ok anna@elsewhere.example anna@example.org ben@example.org" },
        { "whoever", "far.example", "ok x@elsewhere.example" },
        { "postmaster", "far.example", "ok y@elsewhere.example" },
        { "Postmaster", "", "ok Postmaster@example.org" },
        { "ben", "[192.0.2.1]", "ok ben@example.org" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = expand(*state, rows[i].local, rows[i].domain);
        if (strcmp(got, rows[i].becomes) != 0)
            fail_msg("%s@%s becomes \"%s\", want \"%s\"", rows[i].local, rows[i].domain, got,
                     rows[i].becomes);
    }
}

static void what_cannot_work_names_its_line(void **state)
{
    static const struct row rows[] = {
        { "nobody", "example.org", "unknown -o:3 nobody@example.org" },
        { "anna", "elsewhere.example", "foreign default anna@elsewhere.example" },
        { "gone", "example.org", "unknown /aliases:18 nobody@example.org" },
        { "ping", "example.org", "loop /aliases:6 ping@example.org" },
        { "x", "loop.example", "loop -o:8 x@loop.example" },
        { "e0", "example.org", "loop /aliases:29 ben@example.org" },
        { "command", "example.org", "off /aliases:16 command@example.org" },
        { "file", "example.org", "off /aliases:17 file@example.org" },
        { "badly", "example.org", "broken /aliases:31 badly@example.org" },
        { "lostlist", "example.org", "no-table /aliases:13 lostlist@example.org" },
        { "many", "example.org", "too-much /aliases:32 u21@example.org" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = expand(*state, rows[i].local, rows[i].domain);
        if (strcmp(got, rows[i].becomes) != 0)
            fail_msg("%s@%s: \"%s\", want \"%s\"", rows[i].local, rows[i].domain, got, rows[i].becomes);
    }
}

static void no_address_twice_over_all_recipients(void **state)
{
    struct world *w = *state;
    struct arena *a = arena_new(4 << 20);
    struct route_results r = { .arena = a };
    struct route_failure why;

    assert_int_equal(route_expand(&w->view, STR("two"), STR("example.org"), 0, &r, &why), ROUTE_OK);
    assert_int_equal(r.n, 2);
    assert_int_equal(route_expand(&w->view, STR("ANNA"), STR("example.org"), 1, &r, &why), ROUTE_OK);
    assert_int_equal(r.n, 2);
    /* A failure in between leaves nothing behind that would be missed later. */
    assert_int_equal(route_expand(&w->view, STR("file"), STR("example.org"), 2, &r, &why),
                     ROUTE_IS_OFF);
    assert_int_equal(route_expand(&w->view, STR("carol"), STR("example.org"), 3, &r, &why), ROUTE_OK);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.items[2].index, 3);
    assert_int_equal(r.items[2].by, ROUTE_BY_ITSELF);
    arena_free(a);
}

/* FACE 1.11: |command and /file with alias-commands only, and only where nobody but root can write them. */
static void commands_run_where_they_are_meant_and_root_wrote_them(void **state)
{
    (void)state;
    struct world w;
    static const char *const run = "ok |/bin/run 'A b'@example.org[owner-run@example.org] "
                                   "|/bin/run@example.org[owner-run@example.org] "
                                   "|/bin/Run@example.org[owner-run@example.org] "
                                   "file:/var/box@example.org[owner-run@example.org] "
                                   "ben@example.org[owner-run@example.org]";
    static const struct {
        uint32_t owner, list_owner;
        bool guarded, list_guarded;
        const char *run;
        const char *included;
    } rows[] = {
        { 0, 0, true, true, run, "ok |/bin/list@example.org" },
        { 0, 0, false, true, "unguarded", "unguarded" },
        { 0, 0, true, false, run, "unguarded" },
        { 33, 0, true, true, "unguarded", "unguarded" },
        { 0, 33, true, true, run, "unguarded" },
        { 1000, 1000, true, true, run, "ok |/bin/list@example.org" },
        { 1000, 1000, false, true, "unguarded", "unguarded" },
    };

    world_open(&w, "origin example.org; domain example.org { users file:/users; aliases file:/aliases; "
                   "alias-commands on; max-expansion 20; deliver maildir:/var/mail/{user}; }");
    world_file(&w, ROUTE_FORM_USERS, "/users", "anna\nben\n");
    world_file(&w, ROUTE_FORM_ALIASES, "/aliases", aliases);
    world_file(&w, ROUTE_FORM_LIST, "/commands", "|/bin/list\n");
    w.view.owner = 1000;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_own(&w, "/aliases", rows[i].owner, rows[i].guarded);
        world_own(&w, "/commands", rows[i].list_owner, rows[i].list_guarded);
        const char *got = expand(&w, "run", "example.org");
        if (!str_starts(str_from_c(got), str_from_c(rows[i].run)))
            fail_msg("%zu: %s", i, got);
        got = expand(&w, "included", "example.org");
        if (!str_starts(str_from_c(got), str_from_c(rows[i].included)))
            fail_msg("%zu: %s", i, got);
    }
    /* Once each, and bounded like addresses. */
    world_own(&w, "/aliases", 0, true);
    assert_string_equal(expand(&w, "rerun", "example.org"),
                        "ok |/bin/run@example.org |/bin/run 'A b'@example.org[owner-run@example.org] "
                        "|/bin/Run@example.org[owner-run@example.org] "
                        "file:/var/box@example.org[owner-run@example.org] "
                        "ben@example.org[owner-run@example.org]");
    assert_string_equal(expand(&w, "ever", "example.org"), "too-much /aliases:41 ever@example.org");
    world_close(&w);
}

static void what_changed_a_recipient_is_told(void **state)
{
    struct world *w = *state;
    struct arena *a = arena_new(4 << 20);
    struct route_results r = { .arena = a };
    struct route_failure why;

    assert_int_equal(route_expand(&w->view, STR("chain"), STR("example.org"), 0, &r, &why), ROUTE_OK);
    for (size_t i = 0; i < r.n; i++) {
        assert_int_equal(r.items[i].by, ROUTE_BY_ALIAS);
        assert_str_is(r.items[i].rule, STR("/aliases:3"));
    }
    r = (struct route_results){ .arena = a };
    assert_int_equal(route_expand(&w->view, STR("list"), STR("example.org"), 0, &r, &why), ROUTE_OK);
    assert_int_equal(r.items[0].by, ROUTE_BY_LIST);
    r = (struct route_results){ .arena = a };
    assert_int_equal(route_expand(&w->view, STR("x"), STR("example.net"), 0, &r, &why), ROUTE_OK);
    assert_int_equal(r.items[0].by, ROUTE_BY_CATCH_ALL);
    assert_str_is(r.items[0].rule, STR("-o:6"));
    r = (struct route_results){ .arena = a };
    assert_int_equal(route_expand(&w->view, STR("Postmaster"), STR_NONE, 0, &r, &why), ROUTE_OK);
    assert_int_equal(r.items[0].by, ROUTE_BY_ORIGIN);
    arena_free(a);
}

/* The nth failure: whatever room there is, the answer is right or NO_MEMORY. */
static void without_memory_it_says_so(void **state)
{
    struct world *w = *state;
    bool done = false;

    for (size_t max = 0; max < 1 << 16 && !done; max += 64) {
        struct arena *a = arena_new(max);
        struct route_results r = { .arena = a };
        struct route_failure why = { 0 };
        enum route_status status = route_expand(&w->view, STR("chain"), STR("example.org"), 0, &r, &why);
        done = status == ROUTE_OK;
        assert_true(done || status == ROUTE_HAS_NO_MEMORY);
        arena_free(a);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_become),
        cmocka_unit_test(what_cannot_work_names_its_line),
        cmocka_unit_test(commands_run_where_they_are_meant_and_root_wrote_them),
        cmocka_unit_test(no_address_twice_over_all_recipients),
        cmocka_unit_test(what_changed_a_recipient_is_told),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
