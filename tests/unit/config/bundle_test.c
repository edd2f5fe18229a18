/* A recorded configuration is the same one for a process that has no file system. */
#include "tests/unit/config/memory.h"

#include "core/num.h"

static const struct memory_pair files[] = {
    { "/etc/v/v.conf",
      STR_INIT("hostname ${NAME};\ninclude conf.d/*.conf;\ninclude none.d/*;\norigin ${NONE:-a.example};\n") },
    { "/etc/v/conf.d/b.conf", STR_INIT("listen ${PORTS} { allow-from 192.0.2.0/24; }\n") },
    { "/etc/v/conf.d/a.conf", STR_INIT("domain a.example { users file:u; deliver maildir:/m/{user}; }\n") },
    { NULL, STR_INIT("") },
};
static const struct memory_pair environment[] = {
    { "NAME", STR_INIT("mail.example.org") },
    { "PORTS", STR_INIT("25,26") },
    { NULL, STR_INIT("") },
};
static const struct str options[] = { STR_INIT("vrfy off;"), STR_INIT("max-errors 3") };

static void record(struct memory *m, const struct config_source *source, struct parsed *p, struct buf *blob)
{
    struct config_reader disk = memory_reader(m);
    struct arena *a = arena_new(MEMORY_ARENA);
    struct config_bundle bundle;

    assert_true(config_bundle_record(&bundle, source, &disk, a));
    struct config_reader reader = config_bundle_reader(&bundle);
    parse_source(p, &reader, source);
    assert_true(config_bundle_encode(&bundle, blob, NULL));
    arena_free(a);
}

/* What a worker does with BLOB. */
static void replay(struct str blob, struct parsed *p)
{
    struct config_bundle bundle;

    *p = (struct parsed){ .arena = arena_new(MEMORY_ARENA), .out = BUF_INIT(1 << 20) };
    assert_true(config_bundle_decode(blob, p->arena, &bundle, NULL));
    bool ok = config_parse_bundle(&bundle, p->arena, &p->c, &p->diag);
    assert_int_equal(ok, p->c != NULL);
    assert_true(config_diagnostics_render(&p->diag, &p->out));
}

static void show(const struct config *c, struct buf *out)
{
    assert_true(config_show(c, STR_NONE, out));
}

static void a_replay_is_the_same_configuration(void **state)
{
    struct memory m = { .files = files, .env = environment };
    struct config_source source = { .root = STR("/etc/v/v.conf"), .overrides = options, .n_overrides = 2 };
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX), first = BUF_INIT(1 << 16), second = BUF_INIT(1 << 16);
    struct parsed p, q;

    (void)state;
    record(&m, &source, &p, &blob);
    assert_non_null(p.c);
    unsigned asked = m.questions;
    char *copy = exact_copy(buf_str(&blob));
    replay(str_of(copy, blob.n), &q);
    assert_int_equal(m.questions, asked);
    assert_non_null(q.c);
    show(p.c, &first);
    show(q.c, &second);
    assert_str_is(buf_str(&second), buf_str(&first));
    assert_int_equal(q.c->listeners[0].n_endpoints, 2);
    assert_string_equal(config_rule(q.c, q.c->domains[0].place).c, "a.conf:1");
    parsed_done(&q);
    free(copy);
    parsed_done(&p);
    buf_done(&second);
    buf_done(&first);
    buf_done(&blob);
}

static void what_failed_fails_again_in_the_same_words(void **state)
{
    const struct memory_pair bad[] = { { "/v", STR("include w; hostname ${X};\n") }, { NULL, STR_NONE } };
    struct memory m = { .files = bad };
    struct config_source source = { .root = STR("/v") };
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);
    struct parsed p, q;

    (void)state;
    record(&m, &source, &p, &blob);
    replay(buf_str(&blob), &q);
    assert_null(p.c);
    assert_null(q.c);
    assert_str_is(buf_str(&q.out), buf_str(&p.out));
    assert_true(str_contains(buf_str(&q.out), STR("cannot read '/w': No such file or directory")));
    parsed_done(&q);
    parsed_done(&p);
    buf_done(&blob);
}

static void facts_travel_too(void **state)
{
    struct memory m = { 0 };
    struct config_reader disk = memory_reader(&m);
    struct config_source source = { 0 };
    struct arena *a = arena_new(1 << 20);
    struct config_bundle bundle, again;
    struct buf blob = BUF_INIT(1000);

    (void)state;
    disk.facts.under_systemd = true;
    assert_true(config_bundle_record(&bundle, &source, &disk, a));
    assert_true(config_bundle_encode(&bundle, &blob, NULL));
    assert_true(config_bundle_decode(buf_str(&blob), a, &again, NULL));
    assert_true(again.facts.under_systemd);
    assert_str_is(again.facts.fqdn, STR("host.example.net"));
    assert_str_is(config_bundle_reader(&again).facts.fqdn, STR("host.example.net"));
    arena_free(a);
    buf_done(&blob);
}

static void a_question_that_was_not_recorded_has_no_answer(void **state)
{
    struct memory m = { 0 };
    struct config_reader disk = memory_reader(&m);
    struct config_source source = { 0 };
    struct arena *a = arena_new(1 << 20);
    struct config_bundle bundle, again;
    struct buf blob = BUF_INIT(1000);
    struct str text, *paths;
    struct err err = { 0 };
    size_t n;

    (void)state;
    assert_true(config_bundle_record(&bundle, &source, &disk, a));
    assert_true(config_bundle_encode(&bundle, &blob, NULL));
    assert_true(config_bundle_decode(buf_str(&blob), a, &again, NULL));
    struct config_reader reader = config_bundle_reader(&again);
    assert_false(reader.read_file(reader.ctx, STR("/etc/passwd"), a, &text, &err));
    assert_int_equal(err.kind, ERR_PERM);
    assert_false(reader.glob(reader.ctx, STR("/etc/*"), a, &paths, &n, &err));
    assert_false(reader.env(reader.ctx, STR("HOME"), a, &text));
    arena_free(a);
    buf_done(&blob);
}

/* Every prefix, and every octet changed: refused, or a bundle that can be parsed without harm. */
static void a_damaged_bundle_does_no_harm(void **state)
{
    struct memory m = { .files = files, .env = environment };
    struct config_source source = { .root = STR("/etc/v/v.conf"), .overrides = options, .n_overrides = 2 };
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);
    struct parsed p;

    (void)state;
    record(&m, &source, &p, &blob);
    parsed_done(&p);
    for (size_t n = 0; n < blob.n; n++) {
        struct arena *a = arena_new(1 << 20);
        struct config_bundle bundle;
        struct err err = { 0 };
        char *copy = exact_copy(str_of(blob.p, n));
        assert_false(config_bundle_decode(str_of(copy, n), a, &bundle, &err));
        assert_int_equal(err.kind, ERR_PERM);
        free(copy);
        arena_free(a);
    }
    for (size_t at = 0; at < blob.n; at++) {
        struct arena *a = arena_new(1 << 20);
        struct config_bundle bundle;
        char *copy = exact_copy(buf_str(&blob));
        copy[at] = (char)(copy[at] ^ 0x81);
        if (config_bundle_decode(str_of(copy, blob.n), a, &bundle, NULL)) {
            const struct config *c;
            struct config_diagnostics diag;
            if (config_parse_bundle(&bundle, a, &c, &diag))
                assert_int_equal(diag.errors, 0);
        }
        free(copy);
        arena_free(a);
    }
    buf_done(&blob);
}

static void counts_that_cannot_be_are_not_believed(void **state)
{
    struct memory m = { 0 };
    struct config_reader disk = memory_reader(&m);
    struct config_source source = { 0 };
    struct arena *a = arena_new(1 << 20);
    struct config_bundle bundle;
    struct buf blob = BUF_INIT(1000);
    struct err err = { 0 };

    (void)state;
    assert_true(config_bundle_record(&bundle, &source, &disk, a));
    assert_true(config_bundle_encode(&bundle, &blob, NULL));
    le32_put(blob.p + blob.n - 4, UINT32_MAX);
    assert_false(config_bundle_decode(buf_str(&blob), a, &bundle, &err));
    le32_put(blob.p + blob.n - 4, 1);
    assert_false(config_bundle_decode(buf_str(&blob), a, &bundle, &err));
    le32_put(blob.p + blob.n - 4, 0);
    assert_true(config_bundle_decode(buf_str(&blob), a, &bundle, &err));
    arena_free(a);
    buf_done(&blob);
}

static void what_could_not_be_recorded_is_not_handed_on(void **state)
{
    struct memory m = { .files = files, .env = environment };
    struct config_reader disk = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/v/v.conf") };
    bool whole = false;

    (void)state;
    for (size_t max = 1; !whole; max += 7) {
        struct arena *small = arena_new(max), *a = arena_new(MEMORY_ARENA);
        struct config_diagnostics diag;
        struct config_bundle bundle;
        const struct config *c;
        struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);

        if (config_bundle_record(&bundle, &source, &disk, small)) {
            struct config_reader reader = config_bundle_reader(&bundle);
            assert_true(config_parse(&reader, &source, a, &c, &diag));
            whole = config_bundle_encode(&bundle, &blob, NULL);
            assert_int_equal(whole, !bundle.exhausted);
        }
        buf_done(&blob);
        arena_free(a);
        arena_free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_is_the_same_configuration),
        cmocka_unit_test(what_failed_fails_again_in_the_same_words),
        cmocka_unit_test(facts_travel_too),
        cmocka_unit_test(a_question_that_was_not_recorded_has_no_answer),
        cmocka_unit_test(a_damaged_bundle_does_no_harm),
        cmocka_unit_test(counts_that_cannot_be_are_not_believed),
        cmocka_unit_test(what_could_not_be_recorded_is_not_handed_on),
    };

    return cmocka_run_group_tests_name("config/bundle", tests, NULL, NULL);
}
