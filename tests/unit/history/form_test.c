/* Segments as octets: heads of other versions, blocks that were moved, cut or changed. */
#include "tests/unit/unit.h"

#include "core/num.h"
#include "history/form.h"
#include "tests/unit/history/fails.h"
#include "tests/unit/history/memory_disk.h"

static void a_head_is_read_again_and_no_other(void **state)
{
    struct buf out = BUF_INIT(HISTORY_HEAD_MAX);
    struct history_names names;
    char *copy;

    (void)state;
    assert_true(history_head_write(&out, 7, 1234));
    assert_int_equal(history_head_size(buf_str(&out)), out.n);
    copy = exact_copy(buf_str(&out));
    assert_true(history_head_read(str_of(copy, out.n), 7, &names));
    assert_true(names.same);
    assert_false(history_head_read(str_of(copy, out.n), 8, &names));
    for (size_t i = 0; i < out.n; i++) {
        copy[i] ^= 0x10;
        assert_false(history_head_read(str_of(copy, out.n), 7, &names));
        copy[i] ^= 0x10;
    }
    free(copy);
    for (size_t n = 0; n < out.n; n += 5) {
        copy = exact_copy(str_of(out.p, n));
        assert_false(history_head_read(str_of(copy, n), 7, &names));
        free(copy);
    }
    buf_done(&out);
}

static void a_block_counts_whole_in_its_place_or_not(void **state)
{
    static const char record[] = "\x05\0hello\x02\0yo";
    char octets[HISTORY_BLOCK_HEAD + sizeof(record) - 1];
    struct str records, one;
    size_t size = 0;

    (void)state;
    memcpy(octets + HISTORY_BLOCK_HEAD, record, sizeof(record) - 1);
    history_block_seal(octets, sizeof(octets), 3, 4096);
    assert_int_equal(history_block_read(str_of(octets, sizeof(octets)), 3, 4096, &records, &size), HISTORY_BLOCK_GOOD);
    assert_int_equal(size, sizeof(octets));
    assert_true(history_record_next(&records, &one));
    assert_str_is(one, STR("hello"));
    assert_true(history_record_next(&records, &one));
    assert_str_is(one, STR("yo"));
    assert_false(history_record_next(&records, &one));
    assert_int_equal(history_block_read(str_of(octets, sizeof(octets)), 3, 8192, &records, &size), HISTORY_BLOCK_BAD);
    assert_int_equal(history_block_read(str_of(octets, sizeof(octets)), 4, 4096, &records, &size), HISTORY_BLOCK_BAD);
    for (size_t n = 0; n < sizeof(octets); n++) {
        char *copy = exact_copy(str_of(octets, n));
        assert_int_equal(history_block_read(str_of(copy, n), 3, 4096, &records, &size), HISTORY_BLOCK_END);
        free(copy);
    }
    /* A length that lies does not lead beyond the block. */
    le16_put(octets + HISTORY_BLOCK_HEAD, 500);
    history_block_seal(octets, sizeof(octets), 3, 4096);
    assert_int_equal(history_block_read(str_of(octets, sizeof(octets)), 3, 4096, &records, &size), HISTORY_BLOCK_GOOD);
    assert_false(history_record_next(&records, &one));
}

/* Numbers of another version mean what their names mean; what is not known here is left out. */
static void records_of_another_version_are_understood(void **state)
{
    struct history_names names = { 0 };
    struct log_record then, here;
    struct log_view v;
    struct log_value value;

    (void)state;
    memset(names.events, LOG_EVENTS, sizeof(names.events));
    memset(names.fields, LOG_FIELDS, sizeof(names.fields));
    names.events[3] = LOG_EVENT_ACCEPT;
    names.fields[LOG_TO] = LOG_FROM;
    names.fields[LOG_SIZE] = LOG_SIZE;
    log_begin(&then, (enum log_event)3, LOG_LEVEL_INFO, 99);
    log_text_c(&then, LOG_ERROR, "a field that is no more");
    log_number(&then, LOG_SIZE, 17);
    log_text_c(&then, LOG_TO, "x@example.org");
    assert_true(history_record_here(log_octets(&then), &names, &here));
    assert_true(log_view_open(log_octets(&here), &v));
    assert_int_equal(v.event, LOG_EVENT_ACCEPT);
    assert_int_equal(v.wall_msec, 99);
    assert_true(log_view_next(&v, &value));
    assert_int_equal(value.field, LOG_SIZE);
    assert_int_equal(value.number, 17);
    assert_true(log_view_next(&v, &value));
    assert_int_equal(value.field, LOG_FROM);
    assert_str_is(value.octets, STR("x@example.org"));
    assert_false(log_view_next(&v, &value));
    log_begin(&then, (enum log_event)4, LOG_LEVEL_INFO, 99);
    assert_false(history_record_here(log_octets(&then), &names, &here));
    for (size_t n = 0; n < LOG_RECORD_HEAD; n++)
        assert_false(history_record_here(str_of(then.octets, n), &names, &here));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read_again_and_no_other),
        cmocka_unit_test(a_block_counts_whole_in_its_place_or_not),
        cmocka_unit_test(records_of_another_version_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
