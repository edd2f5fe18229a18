/* How far recipients have come, as octets of the spool. */
#include "tests/unit/unit.h"

#include "message/progress.h"

static const struct progress items[] = {
    { 1, PROGRESS_WAITING, 3, 1, 1795000000000, STR_INIT("4.2.2"), STR_INIT("mailbox full") },
    { 2, PROGRESS_DELIVERED, 1, 0, -1, STR_INIT(""), STR_INIT("") },
    { UINT32_MAX, PROGRESS_EXPANDED, UINT32_MAX, UINT32_MAX, INT64_MIN, STR_INIT("5.1.1"), STR_INIT("a\0b\xff") },
};

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
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].number, items[i].number);
        assert_int_equal(got[i].state, items[i].state);
        assert_int_equal(got[i].attempts, items[i].attempts);
        assert_int_equal(got[i].deaths, items[i].deaths);
        assert_true(got[i].last_msec == items[i].last_msec);
        assert_str_is(got[i].status, items[i].status);
        assert_str_is(got[i].text, items[i].text);
    }
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

static void a_state_that_is_none_is_refused_and_long_words_are_cut(void **state)
{
    static char words[2 * PROGRESS_TEXT_MAX];
    struct buf out = BUF_INIT(10000);
    struct arena *a = arena_new(1 << 20);
    struct progress one = items[0], *got;
    size_t n;

    (void)state;
    memset(words, 'w', sizeof(words));
    one.text = str_of(words, sizeof(words));
    assert_true(progress_encode(&out, &one, 1));
    assert_true(decode(buf_str(&out), a, &got, &n));
    assert_int_equal(got[0].text.n, PROGRESS_TEXT_MAX);
    for (unsigned s = 0; s < 256; s++) {
        out.p[4] = (char)s;
        assert_int_equal(decode(buf_str(&out), a, &got, &n), s <= PROGRESS_EXPANDED);
    }
    arena_free(a);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_come_back_as_they_were),
        cmocka_unit_test(nothing_is_no_states),
        cmocka_unit_test(states_that_are_cut_are_refused),
        cmocka_unit_test(a_state_that_is_none_is_refused_and_long_words_are_cut),
    };

    return cmocka_run_group_tests_name("message/progress", tests, NULL, NULL);
}
