/* The form on disk (docs/SPOOL.md 2 to 6): what is put is got back, and nothing else is taken for it (INV-3).
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "core/num.h"
#include "spool/format.h"

static struct spool_secret secret(unsigned char first)
{
    struct spool_secret s;

    for (size_t i = 0; i < sizeof(s.octet); i++)
        s.octet[i] = (unsigned char)(first + i * 37);
    return s;
}

static struct str octets(const void *p, size_t n)
{
    return str_of(p, n);
}

static void a_sum_belongs_to_spool_life_and_offset(void **state)
{
    struct spool_secret mine = secret(1), other = secret(2);
    uint64_t sum = spool_sum(&mine, 7, 4096, "mail", 4);

    (void)state;
    assert_true(sum == spool_sum(&mine, 7, 4096, "mail", 4));
    assert_true(sum != spool_sum(&other, 7, 4096, "mail", 4));
    assert_true(sum != spool_sum(&mine, 8, 4096, "mail", 4));
    assert_true(sum != spool_sum(&mine, 7, 8192, "mail", 4));
    assert_true(sum != spool_sum(&mine, 7, 4096, "mais", 4));
}

static void a_sum_in_pieces_is_the_sum_of_the_whole(void **state)
{
    struct spool_secret mine = secret(1);
    char text[1000];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    for (size_t n = 0; n < sizeof(text); n += 13) {
        uint64_t whole = spool_sum(&mine, 3, 5, text, n);
        struct spool_summer *summer = spool_summer_new(&mine, 3, 5);
        for (size_t i = 0; i < n; i += 3)
            spool_summer_add(summer, text + i, n - i < 3 ? n - i : 3);
        assert_true(spool_summer_end(summer) == whole);
        assert_true(spool_sum2(&mine, 3, 5, octets(text, n / 2), octets(text + n / 2, n - n / 2)) == whole);
    }
}

static void a_later_format_is_refused_for_ever_and_says_why(void **state)
{
    struct spool_format format = { .made_utc_msec = 12, .secret = secret(9) }, back;
    unsigned char out[SPOOL_FORMAT_OCTETS];
    struct err err = { 0 };

    (void)state;
    spool_format_put(&format, out);
    assert_true(spool_format_get(octets(out, sizeof(out)), &back, &err));
    assert_memory_equal(&back.secret, &format.secret, sizeof(back.secret));

    le32_put(out + 16, 2); /* also where the rest of it has another form */
    assert_false(spool_format_get(octets(out, 100), &back, &err));
    assert_int_equal(err.kind, ERR_PERM);
    assert_true(str_contains(str_from_c(err.text), STR("format 2")));
}

/* DESIGN 5: one bit that must be known is enough; those that may be ignored are. */
static void features_that_must_be_known_are_refused_and_others_are_not(void **state)
{
    struct spool_format format = { .made_utc_msec = 12, .secret = secret(9) }, back;
    unsigned char out[SPOOL_FORMAT_OCTETS];

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        struct err err = { 0 };
        char words[40];
        spool_format_put(&format, out);
        le64_put(out + 32, UINT64_C(1) << bit);
        le64_put(out + 256, XXH3_64bits(out, 256));
        assert_true(spool_format_get(octets(out, sizeof(out)), &back, &err));
        assert_int_equal(back.made_utc_msec, 12);

        le64_put(out + 24, UINT64_C(1) << bit);
        le64_put(out + 256, XXH3_64bits(out, 256));
        assert_false(spool_format_get(octets(out, sizeof(out)), &back, &err));
        assert_int_equal(err.kind, ERR_PERM);
        snprintf(words, sizeof(words), "features 0x%" PRIx64 " ", UINT64_C(1) << bit);
        assert_true(str_contains(str_from_c(err.text), str_from_c(words)));
    }
}

static void a_format_that_is_cut_or_changed_is_not_read(void **state)
{
    struct spool_format format = { .secret = secret(9) }, back;
    unsigned char out[SPOOL_FORMAT_OCTETS];
    struct err err = { 0 };

    (void)state;
    spool_format_put(&format, out);
    for (size_t n = 0; n < sizeof(out); n++) {
        char *copy = exact_copy(octets(out, n));
        assert_false(spool_format_get(octets(copy, n), &back, &err));
        free(copy);
        out[n] ^= 0x20;
        assert_false(spool_format_get(octets(out, sizeof(out)), &back, &err));
        out[n] ^= 0x20;
    }
}

static void a_start_of_the_other_slot_is_none(void **state)
{
    struct spool_secret mine = secret(1);
    struct spool_start start = { 3, 4, 5 }, back;
    unsigned char out[SPOOL_START_OCTETS];

    (void)state;
    spool_start_put(&mine, 4096, &start, out);
    assert_true(spool_start_get(&mine, 4096, octets(out, sizeof(out)), &back));
    assert_true(back.sequence == 3 && back.run == 4 && back.id_ceiling == 5);
    assert_false(spool_start_get(&mine, 0, octets(out, sizeof(out)), &back));
    for (size_t n = 0; n < sizeof(out); n++)
        assert_false(spool_start_get(&mine, 4096, octets(out, n), &back));
}

static void a_segment_head_reads_back(void **state)
{
    struct spool_secret mine = secret(1);
    struct spool_segment_head head = { .number = 9,
                                       .blocks = 16384,
                                       .life = 1ULL << 32 | 5,
                                       .first_frame = 77,
                                       .former_life = 1ULL << 32 | 4,
                                       .former_number = 3,
                                       .former_counts = 76,
                                       .utc_msec = -5 },
                              back;
    unsigned char out[SPOOL_SEGMENT_HEAD], again[SPOOL_SEGMENT_HEAD];

    (void)state;
    spool_segment_head_put(&mine, &head, out);
    assert_true(spool_segment_head_get(&mine, octets(out, sizeof(out)), &back));
    spool_segment_head_put(&mine, &back, again);
    assert_memory_equal(out, again, sizeof(out));
    assert_true(back.number == 9 && back.former_counts == 76 && back.utc_msec == -5);
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] ^= 1;
        assert_false(spool_segment_head_get(&mine, octets(out, sizeof(out)), &back));
        out[i] ^= 1;
    }
}

/* A frame of three records: head, table and metas at TO; gives the length of the front. */
static size_t make_frame(const struct spool_secret *mine, uint64_t life, uint64_t offset, unsigned char *to)
{
    static const char *const metas[] = { "a state", "", "why it is held" };
    static const enum spool_kind kinds[] = { SPOOL_KIND_OUTCOME, SPOOL_KIND_GONE, SPOOL_KIND_HOLD };
    size_t at = SPOOL_FRAME_HEAD + 3 * SPOOL_ROW;

    for (unsigned i = 0; i < 3; i++) {
        size_t n = strlen(metas[i]);
        memcpy(to + at, metas[i], n);
        struct spool_row row = {
            kinds[i], (uint32_t)n, { 100 + i }, spool_sum(mine, life, offset + at, metas[i], n), 0
        };
        spool_row_put(&row, to + SPOOL_FRAME_HEAD + (size_t)i * SPOOL_ROW);
        at += n;
    }
    struct spool_frame_head head = {
        .records = 3, .life = life, .number = 6, .durable = 5, .blocks = 1, .front = (uint32_t)at
    };
    spool_frame_head_put(mine, offset, &head, to);
    return at;
}

static void a_frame_reads_back_in_its_place_only(void **state)
{
    struct spool_secret mine = secret(1), other = secret(5);
    unsigned char frame[SPOOL_BLOCK] = { 0 };
    struct spool_frame_head head;
    struct spool_row row;
    size_t need, n = make_frame(&mine, 7, 8192, frame);
    uint64_t meta, content;

    (void)state;
    assert_int_equal(spool_frame_head_get(&mine, 7, 8192, octets(frame, n), &head, &need), SPOOL_FRAME_OK);
    assert_true(head.number == 6 && head.durable == 5 && head.front == n);
    assert_true(spool_row_get(frame, 2, &row) && row.kind == SPOOL_KIND_HOLD && row.id.n == 102);
    assert_true(spool_row_place(frame, &head, 2, &meta, &content));
    assert_memory_equal(frame + meta, "why it is held", 14);
    assert_true(content == n);
    assert_false(spool_row_place(frame, &head, 3, &meta, &content));

    assert_int_equal(spool_frame_head_get(&mine, 7, 4096, octets(frame, n), &head, &need), SPOOL_FRAME_BAD);
    assert_int_equal(spool_frame_head_get(&mine, 8, 8192, octets(frame, n), &head, &need), SPOOL_FRAME_BAD);
    assert_int_equal(spool_frame_head_get(&other, 7, 8192, octets(frame, n), &head, &need), SPOOL_FRAME_BAD);
}

/* Of a later version: it says so by a feature, and here it is none of ours. */
static void a_record_of_another_kind_is_not_read(void **state)
{
    static const uint16_t others[] = { 0, SPOOL_KINDS, SPOOL_KINDS + 1, UINT16_MAX };
    struct spool_secret mine = secret(1);
    unsigned char frame[SPOOL_BLOCK] = { 0 };
    struct spool_row row;

    (void)state;
    make_frame(&mine, 7, 8192, frame);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        le16_put(frame + SPOOL_FRAME_HEAD, others[i]);
        assert_false(spool_row_get(frame, 0, &row));
        assert_true(spool_row_get(frame, 1, &row));
    }
}

static void a_frame_that_is_cut_asks_for_its_table(void **state)
{
    struct spool_secret mine = secret(1);
    unsigned char frame[SPOOL_BLOCK] = { 0 };
    struct spool_frame_head head;
    size_t need;

    (void)state;
    make_frame(&mine, 7, 8192, frame);
    for (size_t n = 0; n < SPOOL_FRAME_HEAD + 3 * SPOOL_ROW; n++) {
        char *copy = exact_copy(octets(frame, n));
        need = 0;
        enum spool_frame_scan scan = spool_frame_head_get(&mine, 7, 8192, octets(copy, n), &head, &need);
        assert_int_equal(scan, n < SPOOL_FRAME_HEAD ? SPOOL_FRAME_BAD : SPOOL_FRAME_MORE);
        assert_int_equal(need, n < SPOOL_FRAME_HEAD ? 0 : SPOOL_FRAME_HEAD + 3 * SPOOL_ROW);
        free(copy);
    }
}

static void every_changed_octet_of_a_table_is_seen(void **state)
{
    struct spool_secret mine = secret(1);
    unsigned char frame[SPOOL_BLOCK] = { 0 };
    struct spool_frame_head head;
    size_t need;

    (void)state;
    make_frame(&mine, 7, 8192, frame);
    for (size_t i = 0; i < SPOOL_FRAME_HEAD + 3 * SPOOL_ROW; i++) {
        frame[i] ^= 4;
        assert_int_not_equal(spool_frame_head_get(&mine, 7, 8192, octets(frame, sizeof(frame)), &head, &need),
                             SPOOL_FRAME_OK);
        frame[i] ^= 4;
    }
}

static void a_message_meta_keeps_its_lengths_together(void **state)
{
    struct spool_message_meta meta = { .accepted_utc_msec = 5, .head_octets = 10, .envelope_octets = 3 },
                              back;
    unsigned char out[SPOOL_MESSAGE_META + 3];
    struct str envelope;

    (void)state;
    spool_message_meta_put(&meta, out);
    memcpy(out + SPOOL_MESSAGE_META, "env", 3);
    assert_true(spool_message_meta_get(octets(out, sizeof(out)), 10, &back, &envelope));
    assert_str_is(envelope, STR("env"));
    assert_false(spool_message_meta_get(octets(out, sizeof(out)), 9, &back, &envelope));
    assert_false(spool_message_meta_get(octets(out, sizeof(out) - 1), 10, &back, &envelope));
    assert_false(spool_message_meta_get(octets(out, 10), 10, &back, &envelope));
}

static void checkpoint_rows_read_back(void **state)
{
    struct spool_secret mine = secret(1);
    struct spool_checkpoint_head head = { .number = 4,
                                          .replay_life = 3,
                                          .segments = 2,
                                          .tokens = 1,
                                          .entries = 9,
                                          .rare = 5 },
                                 head2;
    struct spool_entry_row entry = { 1, 2, 3, 4, 5, 6, 7, SPOOL_ENTRY_HELD }, entry2;
    unsigned char rare[SPOOL_RARE_ROW];
    struct spool_segment_row segment = { 1, SPOOL_SEGMENT_DAMAGED, 3, 4, 5 }, segment2;
    struct spool_token_row token = { { { 1, 2 } }, 3, SPOOL_TOKEN_FLAG_VOID }, token2;
    unsigned char out[SPOOL_CHECKPOINT_HEAD], again[SPOOL_CHECKPOINT_HEAD];
    uint64_t body;

    (void)state;
    spool_checkpoint_head_put(&mine, &head, out);
    assert_true(spool_checkpoint_head_get(&mine, octets(out, sizeof(out)), &head2));
    spool_checkpoint_head_put(&mine, &head2, again);
    assert_memory_equal(out, again, sizeof(out));
    assert_true(spool_checkpoint_body(&head, &body));
    assert_true(body == 2 * 32 + 9 * 32 + 5 * 32 + 32);
    head.entries = 1ULL << 40;
    assert_false(spool_checkpoint_body(&head, &body));
    spool_entry_row_put(&entry, out);
    spool_rare_row_put(&entry, rare);
    spool_entry_row_get(out, &entry2);
    assert_true(!entry2.hold && !entry2.edit && !entry2.file);
    spool_rare_row_get(rare, &entry2);
    assert_memory_equal(&entry, &entry2, sizeof(entry));
    spool_segment_row_put(&segment, out);
    spool_segment_row_get(out, &segment2);
    assert_true(segment.life == segment2.life && segment.flags == segment2.flags &&
                segment.blocks == segment2.blocks);
    spool_token_row_put(&token, out);
    spool_token_row_get(out, &token2);
    assert_memory_equal(&token, &token2, sizeof(token));
}

static void positions_pack_at_their_largest(void **state)
{
    struct spool_position p = { SPOOL_SEGMENT_NUMBER_MAX, SPOOL_BLOCKS_MAX - 1, SPOOL_RECORDS_MAX - 1, 15 };
    struct spool_position q = spool_position_of(spool_position_pack(p));

    (void)state;
    assert_true(p.segment == q.segment && p.block == q.block && p.row == q.row && p.size == q.size);
}

static void sizes_grow_with_what_they_stand_for(void **state)
{
    (void)state;
    assert_int_equal(spool_size_of(0), 0);
    assert_int_equal(spool_size_of(512), 0);
    assert_int_equal(spool_size_of(513), 1);
    assert_int_equal(spool_size_of(UINT64_MAX), 15);
    for (uint64_t n = 300; n < 16 << 20; n += n / 3) /* never off by more than a half */
        assert_true(spool_size_octets(spool_size_of(n)) <= n + n / 2 &&
                    spool_size_octets(spool_size_of(n)) >= n * 3 / 4);
}

static void names_are_ours_or_not(void **state)
{
    static const struct {
        struct str name;
        enum spool_name_kind kind;
        uint64_t number;
    } rows[] = {
        { STR_INIT("log-0000019c"), SPOOL_NAME_SEGMENT, 0x19c },
        { STR_INIT("own-00000000000001a2"), SPOOL_NAME_OWN, 0x1a2 },
        { STR_INIT("checkpoint-a"), SPOOL_NAME_FIXED, 0 },
        { STR_INIT("format"), SPOOL_NAME_FIXED, 0 },
        { STR_INIT("log-00000000"), SPOOL_NAME_OTHER, 0 },
        { STR_INIT("log-ffffffff"), SPOOL_NAME_OTHER, 0 },
        { STR_INIT("log-0000019C"), SPOOL_NAME_OTHER, 0 },
        { STR_INIT("log-0000019c~"), SPOOL_NAME_OTHER, 0 },
        { STR_INIT("own-1"), SPOOL_NAME_OTHER, 0 },
        { STR_INIT("drop"), SPOOL_NAME_OTHER, 0 },
        { STR_INIT(".."), SPOOL_NAME_OTHER, 0 },
    };
    uint64_t number;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(spool_name_parse(rows[i].name, &number), rows[i].kind);
        if (rows[i].number)
            assert_true(number == rows[i].number);
    }
    assert_string_equal(spool_segment_name(0x19c).c, "log-0000019c");
    assert_string_equal(spool_own_name(0x1a2).c, "own-00000000000001a2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_belongs_to_spool_life_and_offset),
        cmocka_unit_test(a_sum_in_pieces_is_the_sum_of_the_whole),
        cmocka_unit_test(a_later_format_is_refused_for_ever_and_says_why),
        cmocka_unit_test(features_that_must_be_known_are_refused_and_others_are_not),
        cmocka_unit_test(a_format_that_is_cut_or_changed_is_not_read),
        cmocka_unit_test(a_start_of_the_other_slot_is_none),
        cmocka_unit_test(a_segment_head_reads_back),
        cmocka_unit_test(a_frame_reads_back_in_its_place_only),
        cmocka_unit_test(a_record_of_another_kind_is_not_read),
        cmocka_unit_test(a_frame_that_is_cut_asks_for_its_table),
        cmocka_unit_test(every_changed_octet_of_a_table_is_seen),
        cmocka_unit_test(a_message_meta_keeps_its_lengths_together),
        cmocka_unit_test(checkpoint_rows_read_back),
        cmocka_unit_test(positions_pack_at_their_largest),
        cmocka_unit_test(sizes_grow_with_what_they_stand_for),
        cmocka_unit_test(names_are_ours_or_not),
    };

    return cmocka_run_group_tests_name("spool/format", tests, NULL, NULL);
}
