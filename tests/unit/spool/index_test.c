/* What the spool keeps in memory: the index of live messages, the newest tokens, the files of the log. */
#include "tests/unit/unit.h"

#include "spool/index.h"
#include "spool/segments.h"
#include "spool/tokens.h"

static struct queue_id id_of(uint64_t n)
{
    return (struct queue_id){ n };
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
    enum { COUNT = 5000 };
    struct spool_index *index = spool_index_new();

    (void)state;
    for (uint64_t i = 1; i <= COUNT; i++) {
        assert_true(spool_index_reserve(index, 1));
        spool_index_add(index, id_of(i << 20))->message = i;
    }
    assert_int_equal(spool_index_count(index), COUNT);
    for (uint64_t i = 1; i <= COUNT; i += 2)
        spool_index_remove(index, id_of(i << 20));
    for (uint64_t i = 1; i <= COUNT; i++) {
        const struct spool_entry_row *row = spool_index_find(index, id_of(i << 20));
        assert_true(i % 2 ? !row : row && row->message == i);
    }
    size_t slots = spool_index_slots(index), met = 0;
    for (uint64_t i = 1; i <= COUNT / 2; i++) {
        assert_true(spool_index_reserve(index, 1));
        spool_index_add(index, id_of(i));
    }
    assert_int_equal(spool_index_slots(index), slots); /* places are used again */
    for (size_t i = 0; i < slots; i++)
        met += spool_index_at(index, i) != NULL;
    assert_int_equal(met, spool_index_count(index));
    spool_index_free(index);
}

static void a_row_stays_in_its_place_while_others_come(void **state)
{
    struct spool_index *index = spool_index_new();

    (void)state;
    assert_true(spool_index_reserve(index, 1));
    struct spool_entry_row *row = spool_index_add(index, id_of(7));
    for (uint64_t i = 8; i < 9000; i++) {
        assert_true(spool_index_reserve(index, 1));
        spool_index_add(index, id_of(i));
    }
    assert_ptr_equal(row, spool_index_find(index, id_of(7)));
    spool_index_free(index);
}

static struct spool_token token_of(uint64_t n)
{
    struct spool_token token = { { 0 } };

    memcpy(token.octet, &n, sizeof(n));
    return token;
}

static void the_newest_tokens_are_known(void **state)
{
    struct spool_tokens tokens = { 0 };

    (void)state;
    for (uint64_t i = 1; i <= SPOOL_TOKENS_MAX + 10; i++) {
        struct spool_token token = token_of(i);
        assert_true(spool_tokens_reserve(&tokens, 1));
        spool_tokens_add(&tokens, &token, id_of(i));
    }
    struct spool_token old = token_of(10), first = token_of(11), last = token_of(SPOOL_TOKENS_MAX + 10);
    assert_null(spool_tokens_find(&tokens, &old));
    assert_int_equal(spool_tokens_find(&tokens, &first)->id, 11);
    assert_int_equal(spool_tokens_find(&tokens, &last)->id, SPOOL_TOKENS_MAX + 10);
    assert_int_equal(spool_tokens_at(&tokens, 0)->id, 11);
    assert_int_equal(spool_tokens_at(&tokens, SPOOL_TOKENS_MAX - 1)->id, SPOOL_TOKENS_MAX + 10);
    spool_tokens_void(&tokens, id_of(11));
    assert_int_equal(spool_tokens_find(&tokens, &first)->flags, SPOOL_TOKEN_FLAG_VOID);
    spool_tokens_done(&tokens);
}

static void the_free_segment_of_the_lowest_life_is_next(void **state)
{
    struct segments segments = { 0 };
    static const uint32_t numbers[] = { 5, 1, 3 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct segment *s = segments_add(&segments, numbers[i]);
        s->blocks = 10;
        s->life = 100 - numbers[i];
        s->state = SEGMENT_FREE;
    }
    assert_int_equal(segments_free(&segments, 10)->number, 5);
    assert_null(segments_free(&segments, 11));
    assert_int_equal(segments_next_number(&segments), 2);
    assert_int_equal(segments_in(&segments, SEGMENT_FREE), 3);
    assert_null(segments_find(&segments, 2));
    segments_remove(&segments, segments_find(&segments, 3));
    assert_null(segments_find(&segments, 3));
    assert_int_equal(segments_find(&segments, 5)->life, 95);
    segments_done(&segments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
        cmocka_unit_test(a_row_stays_in_its_place_while_others_come),
        cmocka_unit_test(the_newest_tokens_are_known),
        cmocka_unit_test(the_free_segment_of_the_lowest_life_is_next),
    };

    return cmocka_run_group_tests_name("spool/index", tests, NULL, NULL);
}
