/* How far recipients have come, as octets of the spool. */
#include "tests/unit/unit.h"

#include "message/field.h"
#include "message/progress.h"

static const struct progress items[] = {
    { 1, PROGRESS_WAITING, 3, 1, 1795000000000, STR_INIT("4.2.2"), STR_INIT("mailbox full"), 1794000000000,
      1796000000000, 452, 1, true, STR_INIT("mx1.example.net"), STR_INIT("203.0.113.10"),
      .released = true, .early = true, .warn_msec = 4 * 3600 * 1000 },
    { 2, PROGRESS_DELIVERED, 1, 0, -1, STR_INIT(""), STR_INIT("") },
    { UINT32_MAX, PROGRESS_EXPANDED, UINT32_MAX, UINT32_MAX, INT64_MIN, STR_INIT("5.1.1"), STR_INIT("a\0b\xff"),
      INT64_MAX, INT64_MIN, UINT32_MAX, UINT32_MAX, false, STR_INIT(""), STR_INIT(""), .warn_msec = -1 },
};

static void assert_same(const struct progress *got, const struct progress *want)
{
    assert_int_equal(got->number, want->number);
    assert_int_equal(got->state, want->state);
    assert_int_equal(got->attempts, want->attempts);
    assert_int_equal(got->deaths, want->deaths);
    assert_true(got->last_msec == want->last_msec);
    assert_str_is(got->status, want->status);
    assert_str_is(got->text, want->text);
    assert_true(got->first_msec == want->first_msec);
    assert_true(got->next_msec == want->next_msec);
    assert_int_equal(got->code, want->code);
    assert_int_equal(got->warned, want->warned);
    assert_int_equal(got->from_peer, want->from_peer);
    assert_str_is(got->host, want->host);
    assert_str_is(got->peer, want->peer);
    assert_int_equal(got->released, want->released);
    assert_int_equal(got->early, want->early);
    assert_true(got->warn_msec == want->warn_msec);
}

static bool decode(struct str in, struct arena *a, struct progress **got, size_t *n)
{
    struct err err = { 0 };
    bool ok = progress_decode(in, a, got, n, &err);

    assert_int_equal(err.kind == ERR_PERM, !ok);
    return ok;
}

static void states_come_back_as_they_were(void **state)
{
    struct buf out = BUF_INIT(10000);
    struct arena *a = arena_new(10000);
    struct progress *got;
    size_t n;

    (void)state;
    assert_true(progress_encode(&out, items, ARRAY_LEN(items)));
    char *copy = exact_copy(buf_str(&out));
    assert_true(decode(str_of(copy, out.n), a, &got, &n));
    assert_int_equal(n, ARRAY_LEN(items));
    for (size_t i = 0; i < n; i++)
        assert_same(&got[i], &items[i]);
    free(copy);
    arena_free(a);
    buf_done(&out);
}

static void nothing_is_no_states(void **state)
{
    struct arena *a = arena_new(1000);
    struct progress *got;
    size_t n = 9;

    (void)state;
    assert_true(decode(STR_NONE, a, &got, &n));
    assert_int_equal(n, 0);
    arena_free(a);
}

static void states_that_are_cut_are_refused(void **state)
{
    struct buf out = BUF_INIT(10000);
    size_t ends[ARRAY_LEN(items) + 1] = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        assert_true(progress_encode(&out, &items[i], 1));
        ends[i + 1] = out.n;
    }
    for (size_t n = 0; n <= out.n; n++) {
        struct arena *a = arena_new(10000);
        struct progress *got;
        size_t count, whole = 0;
        char *copy = exact_copy(str_of(out.p, n));
        while (whole < ARRAY_LEN(items) && ends[whole] < n)
            whole++;
        assert_int_equal(decode(str_of(copy, n), a, &got, &count), ends[whole] == n);
        if (ends[whole] == n)
            assert_int_equal(count, whole);
        free(copy);
        arena_free(a);
    }
    buf_done(&out);
}

static void long_words_are_cut(void **state)
{
    static char words[2 * PROGRESS_TEXT_MAX];
    struct buf out = BUF_INIT(10000);
    struct arena *a = arena_new(1 << 20);
    struct progress one = items[0], *got;
    size_t n;

    (void)state;
    memset(words, 'w', sizeof(words));
    one.text = one.host = one.peer = one.status = str_of(words, sizeof(words));
    assert_true(progress_encode(&out, &one, 1));
    assert_true(decode(buf_str(&out), a, &got, &n));
    assert_int_equal(got[0].text.n, PROGRESS_TEXT_MAX);
    assert_int_equal(got[0].host.n, PROGRESS_TEXT_MAX);
    arena_free(a);
    buf_done(&out);
}

/* FIELD in the state of recipient 1, or (OUTSIDE) beside it. */
static bool decodes_with(unsigned tag, struct str octets, bool outside)
{
    struct buf out = BUF_INIT(1000);
    struct arena *a = arena_new(1000);
    struct progress *got;
    size_t n, at = message_field_begin(&out, 1 | MESSAGE_FIELD_MUST_KNOW);

    message_field_put_u64(&out, 1 | MESSAGE_FIELD_MUST_KNOW, 1);
    if (!outside)
        message_field_put(&out, tag, octets);
    message_field_end(&out, at);
    if (outside)
        message_field_put(&out, tag, octets);
    char *copy = exact_copy(buf_str(&out));
    bool ok = decode(str_of(copy, out.n), a, &got, &n);
    if (ok)
        assert_int_equal(n, 1);
    free(copy);
    arena_free(a);
    buf_done(&out);
    return ok;
}

static void what_a_later_version_added_is_passed_over_or_refused(void **state)
{
    static const unsigned later[] = { 0, 50, 0x7fff };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        for (int outside = 0; outside < 2; outside++) {
            assert_true(decodes_with(later[i], STR("later"), outside));
            assert_false(decodes_with(later[i] | MESSAGE_FIELD_MUST_KNOW, STR("later"), outside));
        }
    }
}

static void values_that_cannot_be_are_refused(void **state)
{
    static const struct {
        unsigned tag;
        struct str octets;
    } bad[] = {
        { 1 | MESSAGE_FIELD_MUST_KNOW, STR_INIT("\0\0\0\0\0\0\0\0") }, /* no number */
        { 1 | MESSAGE_FIELD_MUST_KNOW, STR_INIT("\1\0\0\0\1\0\0\0") }, /* above 32 bits */
        { 2 | MESSAGE_FIELD_MUST_KNOW, STR_INIT("\5\0\0\0\0\0\0\0") }, /* no such state */
        { 3, STR_INIT("\3\0\0\0\0\0\0") },                           /* short */
        { 5, STR_INIT("") },
        { 12, STR_INIT("\2\0\0\0\0\0\0\0") }, /* neither yes nor no */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(decodes_with(bad[i].tag, bad[i].octets, false));
    for (char s = PROGRESS_WAITING; s <= PROGRESS_RETURNED; s++) {
        const char octets[8] = { s };
        assert_true(decodes_with(2 | MESSAGE_FIELD_MUST_KNOW, str_of(octets, 8), false));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_come_back_as_they_were),
        cmocka_unit_test(nothing_is_no_states),
        cmocka_unit_test(states_that_are_cut_are_refused),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(what_a_later_version_added_is_passed_over_or_refused),
        cmocka_unit_test(values_that_cannot_be_are_refused),
    };

    return cmocka_run_group_tests_name("message/progress", tests, NULL, NULL);
}
