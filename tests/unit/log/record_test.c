/* Records between processes: what is put in is what is read, whatever arrives instead harms nobody. */
#include "tests/unit/unit.h"

#include "log/log.h"
#include "log/record.h"

static const struct str ellipsis = STR_INIT("\xe2\x80\xa6");

static struct log_value value_of(const struct log_record *r, enum log_field f)
{
    struct log_value v = { 0 };

    assert_true(log_view_find(log_octets(r), f, &v));
    return v;
}

static void what_is_put_in_is_read_in_order(void **state)
{
    static const struct str items[] = { STR_INIT("mx-25"), STR_INIT(""), STR_INIT("a,b") };
    struct log_record r;
    struct log_view view;
    struct log_value v;
    struct str item;

    (void)state;
    log_begin(&r, LOG_EVENT_ACCEPT, LOG_LEVEL_INFO, 1795340467341);
    log_text(&r, LOG_FROM, STR(""));
    log_number(&r, LOG_SIZE, -7);
    log_seconds(&r, LOG_T_SYNC, 1900);
    log_time(&r, LOG_NEXT, 1795340467000);
    log_flag(&r, LOG_HELD, true);
    log_list(&r, LOG_LISTENERS, items, ARRAY_LEN(items));

    assert_true(log_view_open(log_octets(&r), &view));
    assert_int_equal(view.event, LOG_EVENT_ACCEPT);
    assert_int_equal(view.level, LOG_LEVEL_INFO);
    assert_int_equal(view.wall_msec, 1795340467341);
    assert_true(log_view_next(&view, &v) && v.field == LOG_FROM && v.kind == LOG_KIND_TEXT && !v.octets.n);
    assert_true(log_view_next(&view, &v) && v.field == LOG_SIZE && v.kind == LOG_KIND_NUMBER && v.number == -7);
    assert_true(log_view_next(&view, &v) && v.field == LOG_T_SYNC && v.kind == LOG_KIND_SECONDS && v.number == 1900);
    assert_true(log_view_next(&view, &v) && v.field == LOG_NEXT && v.kind == LOG_KIND_TIME);
    assert_true(log_view_next(&view, &v) && v.field == LOG_HELD && v.kind == LOG_KIND_FLAG && v.number == 1);
    assert_true(log_view_next(&view, &v) && v.field == LOG_LISTENERS && v.kind == LOG_KIND_LIST);
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        assert_true(log_list_next(&v.octets, &item));
        assert_str_is(item, items[i]);
    }
    assert_false(log_list_next(&v.octets, &item));
    assert_false(log_view_next(&view, &v));
}

static void values_are_cut_at_512_octets_and_say_so(void **state)
{
    char text[LOG_VALUE_MAX + 9];
    struct log_record r;

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t n = LOG_VALUE_MAX - 4; n < sizeof(text); n++) {
        char *copy = exact_copy(str_of(text, n));
        log_begin(&r, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 0);
        log_text(&r, LOG_REPLY, str_of(copy, n));
        struct str got = value_of(&r, LOG_REPLY).octets;
        assert_int_equal(got.n, n < LOG_VALUE_MAX ? n : LOG_VALUE_MAX);
        assert_int_equal(str_ends(got, ellipsis), n > LOG_VALUE_MAX);
        free(copy);
    }
}

static void a_cut_never_halves_a_character(void **state)
{
    struct log_record r;

    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        char text[2 * LOG_VALUE_MAX];
        size_t n = lead;
        memset(text, 'a', lead);
        for (; n + 4 <= sizeof(text); n += 4)
            memcpy(text + n, "\xf0\x9f\x93\xa7", 4);
        log_begin(&r, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 0);
        log_text(&r, LOG_REPLY, str_of(text, n));
        struct str got = value_of(&r, LOG_REPLY).octets;
        assert_true(str_is_utf8(got));
        assert_true(str_ends(got, ellipsis));
        assert_in_range(got.n, LOG_VALUE_MAX - 3, LOG_VALUE_MAX);
    }
}

static void a_long_list_is_bounded_as_a_value_is(void **state)
{
    struct str items[400];
    struct log_record r;
    struct str item, last = STR_NONE;
    size_t joined = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        items[i] = i % 3 ? STR("ben@example.org") : STR("");
    log_begin(&r, LOG_EVENT_EXPAND, LOG_LEVEL_INFO, 0);
    log_list(&r, LOG_INTO, items, ARRAY_LEN(items));
    struct str list = value_of(&r, LOG_INTO).octets;
    for (; log_list_next(&list, &item); last = item)
        joined += item.n + 1;
    assert_in_range(joined - 1, LOG_VALUE_MAX / 2, LOG_VALUE_MAX);
    assert_true(str_ends(last, ellipsis));

    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        items[i] = STR("");
    log_begin(&r, LOG_EVENT_EXPAND, LOG_LEVEL_INFO, 0);
    log_list(&r, LOG_INTO, items, ARRAY_LEN(items));
    log_list(&r, LOG_INTO, items, 0);
}

static void a_full_record_drops_whole_fields(void **state)
{
    char text[LOG_VALUE_MAX];
    struct log_record r;
    struct log_view view;
    struct log_value v;
    size_t texts = 0;

    (void)state;
    memset(text, 'x', sizeof(text));
    log_begin(&r, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 0);
    for (int i = 0; i < 100; i++)
        log_text(&r, LOG_REPLY, str_of(text, sizeof(text)));
    assert_in_range(r.n, LOG_RECORD_MAX - LOG_VALUE_MAX - 4, LOG_RECORD_MAX);
    assert_true(log_view_open(log_octets(&r), &view));
    for (; log_view_next(&view, &v); texts++)
        assert_int_equal(v.octets.n, LOG_VALUE_MAX);
    assert_int_equal(view.rest.n, 0);
    assert_int_equal(texts, (LOG_RECORD_MAX - LOG_RECORD_HEAD) / (LOG_VALUE_MAX + 4));
}

static void addresses_are_shown_as_people_write_them(void **state)
{
    struct log_record r;

    (void)state;
    log_begin(&r, LOG_EVENT_CONNECT, LOG_LEVEL_DEBUG, 0);
    log_address(&r, LOG_CLIENT, STR("\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x07"));
    log_address(&r, LOG_HOST, STR("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"));
    log_address(&r, LOG_PEER, STR(""));
    assert_str_is(value_of(&r, LOG_CLIENT).octets, STR("203.0.113.7"));
    assert_str_is(value_of(&r, LOG_HOST).octets, STR("2001:db8::1"));
    assert_str_is(value_of(&r, LOG_PEER).octets, STR("unix"));
}

static void no_reason_is_no_field(void **state)
{
    struct log_record r;
    struct log_value v;

    (void)state;
    log_begin(&r, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 0);
    log_reason(&r, LOG_REASON_NONE);
    assert_false(log_view_find(log_octets(&r), LOG_REASON, &v));
    log_reason(&r, LOG_REASON_NO_USER);
    assert_str_is(value_of(&r, LOG_REASON).octets, STR("no-user"));
}

/* A process that was taken over may send anything as a record: every octet changed, every length, read to its end. */
static void whatever_a_process_sends_is_read_within_its_octets(void **state)
{
    static const struct str items[] = { STR_INIT("one"), STR_INIT("two") };
    struct log_record r;

    (void)state;
    log_begin(&r, LOG_EVENT_ACCEPT, LOG_LEVEL_INFO, 1795340467341);
    log_text(&r, LOG_FROM, STR("carol@example.net"));
    log_number(&r, LOG_SIZE, 4220);
    log_list(&r, LOG_INTO, items, ARRAY_LEN(items));
    log_flag(&r, LOG_HELD, false);
    for (size_t n = 0; n <= r.n; n++) {
        for (size_t at = 0; at < (n ? n : 1); at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                char *copy = exact_copy(str_of(r.octets, n));
                struct log_view view;
                struct log_value v;
                struct str item;
                if (n)
                    copy[at] = (char)(copy[at] ^ (1 << bit));
                if (log_view_open(str_of(copy, n), &view))
                    while (log_view_next(&view, &v))
                        while (v.kind == LOG_KIND_LIST && log_list_next(&v.octets, &item))
                            assert_true(item.p + item.n <= copy + n);
                free(copy);
            }
        }
    }
}

struct counting_sink {
    struct log_sink sink;
    int records;
};

static void count_record(struct log_sink *sink, struct str record)
{
    struct counting_sink *counting = CONTAINER_OF(sink, struct counting_sink, sink);
    struct log_view v;

    assert_true(log_view_open(record, &v));
    assert_true(v.wall_msec > 0);
    counting->records++;
}

static void a_sink_gets_what_it_wants_and_nothing_else(void **state)
{
    struct counting_sink counting = { .sink = { .write = count_record, .level = LOG_LEVEL_INFO } };
    struct log_record r;

    (void)state;
    log_start(&r, LOG_EVENT_READY);
    log_send(&r);
    assert_false(log_wants(LOG_EVENT_READY));
    log_sink_set(&counting.sink);
    assert_true(log_wants(LOG_EVENT_READY));
    assert_false(log_wants(LOG_EVENT_CONNECT));
    log_send(&r);
    log_start(&r, LOG_EVENT_CONNECT);
    log_send(&r);
    log_start_level(&r, LOG_EVENT_CONNECT, LOG_LEVEL_ERROR);
    log_send(&r);
    log_sink_set(NULL);
    assert_int_equal(counting.records, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_is_read_in_order),
        cmocka_unit_test(values_are_cut_at_512_octets_and_say_so),
        cmocka_unit_test(a_cut_never_halves_a_character),
        cmocka_unit_test(a_long_list_is_bounded_as_a_value_is),
        cmocka_unit_test(a_full_record_drops_whole_fields),
        cmocka_unit_test(addresses_are_shown_as_people_write_them),
        cmocka_unit_test(no_reason_is_no_field),
        cmocka_unit_test(whatever_a_process_sends_is_read_within_its_octets),
        cmocka_unit_test(a_sink_gets_what_it_wants_and_nothing_else),
    };

    return cmocka_run_group_tests_name("log/record", tests, NULL, NULL);
}
