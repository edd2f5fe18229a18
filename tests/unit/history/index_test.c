/* The index of a segment: what was entered is found, in its order, from one entry to hundreds of thousands. */
#include "tests/unit/unit.h"

#include "history/index.h"
#include "tests/unit/history/fails.h"
#include "tests/unit/history/memory_disk.h"

static uint32_t mix(uint32_t n)
{
    n = (n ^ n >> 16) * 0x7feb352dU;
    n = (n ^ n >> 15) * 0x846ca68bU;
    return n ^ n >> 16;
}

static void check_file(const struct history_index *ix, uint32_t keys, uint32_t each)
{
    struct memory_disk *m = calloc(1, sizeof(*m));
    struct buf out = BUF_INIT(64 << 20);
    int fd;

    memory_disk_init(m);
    assert_true(history_index_write(ix, 5, &out));
    memory_file_put(m, "x", out.p, out.n);
    assert_int_equal(m->disk.ops->open(&m->disk, "x", &fd), 0);
    for (uint32_t k = 0; k < keys; k += 1 + keys / 300) {
        struct history_places a = { 0 }, b = { 0 };
        assert_true(history_index_read(&m->disk, fd, 5, mix(k), &a));
        assert_true(history_index_find(ix, mix(k), &b));
        assert_int_equal(a.n, b.n);
        assert_int_equal(a.n, each);
        for (size_t i = 0; i < a.n; i++)
            assert_int_equal(a.at[i], b.at[i]);
        history_places_done(&a);
        history_places_done(&b);
    }
    struct history_places none = { 0 };
    assert_true(history_index_read(&m->disk, fd, 5, mix(keys + 1000000), &none));
    assert_int_equal(none.n, 0);
    assert_false(history_index_read(&m->disk, fd, 6, mix(0), &none));
    m->disk.ops->close(&m->disk, fd);
    buf_done(&out);
    memory_disk_done(m);
    free(m);
}

static void keys_are_found_in_the_order_of_the_segment(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 2, 8, 9, 1000, 120000 };

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct history_index *ix = calloc(1, sizeof(*ix));
        for (uint32_t round = 0; round < 3; round++)
            for (uint32_t k = 0; k < sizes[s]; k++)
                history_index_add(ix, mix(k), 100 + round * 1000000 + k);
        check_file(ix, sizes[s], sizes[s] ? 3 : 0);
        history_index_done(ix);
        free(ix);
    }
}

static void a_key_is_entered_once_a_block(void **state)
{
    struct history_index *ix = calloc(1, sizeof(*ix));

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        history_index_add(ix, 77, 4096 + i / 100);
    assert_int_equal(ix->n, 10);
    history_index_done(ix);
    free(ix);
}

static void what_was_not_written_is_taken_back(void **state)
{
    struct history_index *ix = calloc(1, sizeof(*ix));
    struct history_places places = { 0 };

    (void)state;
    for (uint32_t i = 1; i <= 100; i++)
        history_index_add(ix, 77, i * 10);
    history_index_cut(ix, 500);
    assert_true(history_index_find(ix, 77, &places));
    assert_int_equal(places.n, 49);
    history_index_add(ix, 77, 500);
    places.n = 0;
    assert_true(history_index_find(ix, 77, &places));
    assert_int_equal(places.n, 50);
    history_places_done(&places);
    history_index_done(ix);
    free(ix);
}

/* More keys than a segment may have: it says that it does not know them all. */
static void an_index_that_is_full_says_so(void **state)
{
    struct history_index *ix = calloc(1, sizeof(*ix));
    struct history_places places = { 0 };
    struct buf out = BUF_INIT(64 << 20);

    (void)state;
    for (uint32_t i = 1; i <= HISTORY_INDEX_MAX + 1; i++)
        history_index_add(ix, mix(i), i);
    assert_true(ix->lacks);
    assert_int_equal(ix->n, HISTORY_INDEX_MAX);
    assert_false(history_index_find(ix, mix(1), &places));
    assert_false(history_index_write(ix, 1, &out));
    history_index_clear(ix);
    assert_false(ix->lacks);
    buf_done(&out);
    history_index_done(ix);
    free(ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_in_the_order_of_the_segment),
        cmocka_unit_test(a_key_is_entered_once_a_block),
        cmocka_unit_test(what_was_not_written_is_taken_back),
        cmocka_unit_test(an_index_that_is_full_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
