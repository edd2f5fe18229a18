/* What the spool keeps in memory: the index of live messages, the newest tokens, the files of the log. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spool/index.h"
#include "spool/segments.h"
#include "spool/tokens.h"

static struct queue_id id_of(uint64_t n)
{
    return (struct queue_id){ n };
}

static void add(struct spool_index *index, uint64_t id, uint64_t message)
{
    assert_true(spool_index_reserve(index, 1, 0));
    spool_index_add(index, &(struct spool_entry_row){ .id = id, .message = message });
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
    enum { COUNT = 5000 };
    static const unsigned shifts[] = { 0, 4, 20, 33 };
    struct spool_entry_row row;

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(shifts); s++) {
        struct spool_index *index = spool_index_new();
        for (uint64_t i = 1; i <= COUNT; i++) {
            add(index, i << shifts[s], i);
            assert_true(spool_index_has(index, id_of(1ULL << shifts[s])));
        }
        assert_int_equal(spool_index_count(index), COUNT);
        for (uint64_t i = 1; i <= COUNT; i += 2)
            spool_index_remove(index, id_of(i << shifts[s]));
        for (uint64_t i = 1; i <= COUNT; i++) {
            assert_int_equal(spool_index_get(index, id_of(i << shifts[s]), &row), i % 2 == 0);
            assert_true(i % 2 || row.message == i);
        }
        size_t slots = spool_index_slots(index), met = 0;
        for (uint64_t i = 1; i <= COUNT / 2; i++)
            add(index, (i << shifts[s]) | 1ULL << 50, i);
        assert_int_equal(spool_index_slots(index), slots); /* places are used again */
        for (size_t i = 0; i < slots; i++)
            met += spool_index_at(index, i, &row);
        assert_int_equal(met, spool_index_count(index));
        spool_index_free(index);
    }
}

static void a_message_keeps_its_slot_while_others_come(void **state)
{
    struct spool_index *index = spool_index_new();
    struct spool_entry_row row;

    (void)state;
    for (uint64_t i = 7; i < 9000; i++)
        add(index, i, i);
    for (size_t i = 0; i < 9000 - 7; i++) {
        assert_true(spool_index_at(index, i, &row));
        assert_int_equal(row.id, i + 7);
        assert_int_equal(spool_index_place(index, i), i + 7);
    }
    spool_index_free(index);
}

static void what_is_rare_comes_and_goes_beside(void **state)
{
    struct spool_index *index = spool_index_new();
    struct spool_entry_row row, want = { 1, 2, 3, 4, 5, 6, 7, SPOOL_ENTRY_HELD };

    (void)state;
    add(index, 9, 9);
    assert_true(spool_index_reserve(index, 1, 1));
    spool_index_add(index, &want);
    assert_true(spool_index_get(index, id_of(1), &row));
    assert_memory_equal(&row, &want, sizeof(row));
    assert_int_equal(spool_index_rare_slots(index), 1);
    assert_true(spool_index_rare_at(index, 0, &row));
    assert_true(row.id == 1 && row.hold == 4 && row.edit == 5 && row.file == 6);
    want.hold = want.edit = want.file = want.flags = 0;
    spool_index_set(index, &want);
    assert_false(spool_index_rare_at(index, 0, &row));
    assert_true(spool_index_get(index, id_of(1), &row));
    assert_memory_equal(&row, &want, sizeof(row));
    for (int turn = 0; turn < 2000; turn++) {
        assert_true(spool_index_reserve(index, 0, 1));
        want.edit = turn % 2;
        spool_index_set(index, &want);
    }
    assert_int_equal(spool_index_rare_slots(index), 1);
    spool_index_remove(index, id_of(1));
    assert_true(spool_index_get(index, id_of(9), &row));
    assert_true(row.message == 9 && !row.edit);
    spool_index_free(index);
}

static size_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, pages = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The sanitizer's allocator takes more than what was asked for. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_SANITIZED = true };
#elif defined(__has_feature)
enum { IS_SANITIZED = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) };
#else
enum { IS_SANITIZED = false };
#endif

/* What the process really takes, the hash and the allocator's own included. */
static void a_million_messages_take_forty_octets_each(void **state)
{
    enum { COUNT = 1000000, SLACK = 64 << 10 };
    struct spool_index *index = spool_index_new();
    struct spool_entry_row row;
    uint64_t id = 0xfedcba98765ULL;

    (void)state;
    size_t before = resident();
    for (uint64_t i = 0; i < COUNT; i++, id += 1 + i % 3)
        add(index, id, i + 1);
    size_t octets = resident() - before;
    print_message("%.2f octets a message\n", (double)octets / COUNT);
    assert_true(IS_SANITIZED || octets <= 40 * (size_t)COUNT + SLACK);
    assert_true(spool_index_get(index, id_of(0xfedcba98765ULL), &row) && row.message == 1);
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

/* A queue begins to count anew at each start, from the time on: what is left of many starts must not be in the same place. */
static void ids_of_many_starts_do_not_crowd_and_near_ones_are_near(void **state)
{
    enum { STARTS = 1000, EACH = 100, HEADS = 1 << 17, MINUTE = 60000 };
    const uint64_t first_msec = 1795000000000;
    unsigned char *found = calloc(HEADS, 1), most = 0;

    (void)state;
    assert_non_null(found);
    for (uint64_t s = 0; s < STARTS; s++) {
        uint64_t first = (first_msec + s * MINUTE) << 16;
        for (uint64_t i = 0; i < EACH; i++) {
            unsigned char n = ++found[queue_id_hash(id_of(first + i)) & (HEADS - 1)];
            most = n > most ? n : most;
        }
        assert_true((queue_id_hash(id_of(first)) ^ queue_id_hash(id_of(first + 15))) < 16);
    }
    assert_in_range(most, 1, 4);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
        cmocka_unit_test(a_message_keeps_its_slot_while_others_come),
        cmocka_unit_test(what_is_rare_comes_and_goes_beside),
        cmocka_unit_test(a_million_messages_take_forty_octets_each),
        cmocka_unit_test(ids_of_many_starts_do_not_crowd_and_near_ones_are_near),
        cmocka_unit_test(the_newest_tokens_are_known),
        cmocka_unit_test(the_free_segment_of_the_lowest_life_is_next),
    };

    return cmocka_run_group_tests_name("spool/index", tests, NULL, NULL);
}
