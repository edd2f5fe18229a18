/* Arenas: bounded, aligned, zeroed, dropped as one. */
#include "tests/unit/unit.h"

#include "core/arena.h"

static void an_arena_keeps_to_its_maximum(void **state)
{
    struct arena *a = arena_new(100);

    (void)state;
    assert_non_null(a);
    assert_non_null(arena_alloc(a, 60));
    assert_null(arena_alloc(a, 41));
    assert_non_null(arena_alloc(a, 40));
    assert_null(arena_alloc(a, 1));
    assert_null(arena_array(a, SIZE_MAX / 2, 4));
    arena_free(a);
    arena_free(NULL);
}

static void memory_is_aligned_and_zero(void **state)
{
    struct arena *a = arena_new(1 << 20);

    (void)state;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xaa, n);
    }
    arena_free(a);
}

static void texts_are_copied_with_a_terminator(void **state)
{
    struct arena *a = arena_new(1000);

    (void)state;
    assert_str_is(arena_str(a, STR("abc")), STR("abc"));
    assert_string_equal(arena_cstr(a, STR("abc")), "abc");
    assert_null(arena_cstr(a, STR("a\0c")));
    assert_str_is(arena_printf(a, "%s-%d", "x", 5), STR("x-5"));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_keeps_to_its_maximum),
        cmocka_unit_test(memory_is_aligned_and_zero),
        cmocka_unit_test(texts_are_copied_with_a_terminator),
    };

    return cmocka_run_group_tests_name("core/arena", tests, NULL, NULL);
}
