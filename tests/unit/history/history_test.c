/* The event history: what was written is found again; what is damaged, torn, full or old costs only itself. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "history/history.h"
#include "history/names.h"
#include "tests/unit/history/fails.h"
#include "tests/unit/history/memory_disk.h"

enum { DAY = 24 * 3600 * 1000, LIMIT = 1 << 20 /* segments of the least size */ };

static const int64_t noon = 1795348800000;

struct rig {
    struct memory_disk memory;
    struct history history;
    struct history_limits limits;
    int64_t now;
};

static void rig_open(struct rig *rig)
{
    rig->memory.utc_msec = rig->now;
    assert_true(history_open(&rig->history, &rig->memory.disk, &rig->limits, rig->now, NULL));
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    memory_disk_init(&rig->memory);
    rig->limits = (struct history_limits){ 7LL * DAY, LIMIT };
    rig->now = noon;
    rig_open(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    allocation_fails = 0;
    history_close(&rig->history);
    assert_int_equal(rig->memory.open, 0);
    memory_disk_done(&rig->memory);
    free(rig);
    return 0;
}

/* ---- writing ---- */

static void add_accept(struct rig *rig, uint64_t id, const char *from, const char *to)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_ACCEPT, LOG_LEVEL_INFO, rig->now);
    log_session(&r, (struct session_id){ 1000 + id });
    log_id(&r, (struct queue_id){ id });
    log_number(&r, LOG_SIZE, 4220);
    log_text_c(&r, LOG_FROM, from);
    log_text_c(&r, LOG_TO, to);
    history_add(&rig->history, log_octets(&r));
}

static void add_done(struct rig *rig, uint64_t id)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_DONE, LOG_LEVEL_INFO, rig->now);
    log_id(&r, (struct queue_id){ id });
    history_add(&rig->history, log_octets(&r));
}

static bool flush(struct rig *rig)
{
    rig->memory.utc_msec = rig->now;
    return history_flush(&rig->history, rig->now, NULL);
}

/* N messages from FIRST on, each in a turn of its own. */
static void add_messages(struct rig *rig, uint64_t first, unsigned n)
{
    for (uint64_t id = first; id < first + n; id++) {
        add_accept(rig, id, "carol@example.net", "ben@example.org");
        add_done(rig, id);
        assert_true(flush(rig));
    }
}

/* ---- reading ---- */

struct found {
    unsigned n;
    struct buf lines;
};

static void on_found(void *ctx, struct str record)
{
    struct found *f = ctx;
    struct log_view v;
    struct log_value id;

    assert_true(log_view_open(record, &v));
    f->n++;
    if (log_view_find(record, LOG_ID, &id))
        buf_printf(&f->lines, "%s %.*s\n", log_event_name(v.event), STR_ARG(id.octets));
}

static struct found find_in_steps(struct rig *rig, enum history_kind kind, struct str text, size_t octets)
{
    struct found f = { .lines = BUF_INIT(1 << 20) };
    struct history_query q;

    assert_true(history_query_begin(&q, &rig->history, kind, text));
    while (history_query_step(&q, octets, rig->now, on_found, &f))
        ;
    history_query_end(&q);
    return f;
}

static unsigned count(struct rig *rig, enum history_kind kind, struct str text)
{
    struct found f = find_in_steps(rig, kind, text, SIZE_MAX);

    buf_done(&f.lines);
    return f.n;
}

static unsigned count_id(struct rig *rig, uint64_t id)
{
    struct queue_id_text text = queue_id_text((struct queue_id){ id });

    return count(rig, HISTORY_ID, str_from_c(text.c));
}

/* ---- what is written is found ---- */

static void a_message_is_found_by_id_session_and_address(void **state)
{
    struct rig *rig = *state;
    struct session_id_text session = session_id_text((struct session_id){ 1007 });
    struct log_record r;
    static const struct str into[] = { STR_INIT("x@example.org"), STR_INIT("y@example.org") };

    add_messages(rig, 1, 20);
    log_begin(&r, LOG_EVENT_EXPAND, LOG_LEVEL_INFO, rig->now);
    log_id(&r, (struct queue_id){ 7 });
    log_text_c(&r, LOG_TO, "list@example.org");
    log_list(&r, LOG_INTO, into, 2);
    history_add(&rig->history, log_octets(&r));
    assert_true(flush(rig));

    assert_int_equal(count_id(rig, 7), 3);
    assert_int_equal(count(rig, HISTORY_SESSION, str_from_c(session.c)), 1);
    assert_int_equal(count(rig, HISTORY_ADDRESS, STR("Carol@EXAMPLE.net")), 20);
    assert_int_equal(count(rig, HISTORY_ADDRESS, STR("y@example.org")), 1);
    assert_int_equal(count(rig, HISTORY_ADDRESS, STR("list@example.org")), 1);
    assert_int_equal(count(rig, HISTORY_ADDRESS, STR("nobody@example.org")), 0);
    assert_int_equal(count_id(rig, 21), 0);
}

static void a_report_is_found_by_what_it_is_about(void **state)
{
    struct rig *rig = *state;
    struct queue_id_text about = queue_id_text((struct queue_id){ 5 });
    struct log_record r;

    log_begin(&r, LOG_EVENT_REPORT, LOG_LEVEL_INFO, rig->now);
    log_id(&r, (struct queue_id){ 6 });
    log_text_c(&r, LOG_ABOUT, about.c);
    history_add(&rig->history, log_octets(&r));
    assert_true(flush(rig));
    assert_int_equal(count_id(rig, 5), 1);
    assert_int_equal(count_id(rig, 6), 1);
}

/* Through open, closed and reopened segments, whatever a step may read, however little the disk does at once. */
static void steps_of_any_size_find_the_same_in_the_same_order(void **state)
{
    struct rig *rig = *state;
    struct found whole, steps;

    add_messages(rig, 1, 1500);
    assert_true(rig->history.n > 2);
    history_close(&rig->history);
    rig_open(rig);
    add_messages(rig, 1501, 50);
    whole = find_in_steps(rig, HISTORY_ADDRESS, STR("ben@example.org"), SIZE_MAX);
    assert_int_equal(whole.n, 1550);
    for (size_t octets = 1; octets < 100000; octets *= 7) {
        rig->memory.at_once = octets + 10;
        steps = find_in_steps(rig, HISTORY_ADDRESS, STR("ben@example.org"), octets);
        assert_str_is(buf_str(&steps.lines), buf_str(&whole.lines));
        buf_done(&steps.lines);
    }
    buf_done(&whole.lines);
}

/* One write a turn, cut into blocks. */
static void a_turn_is_one_write_and_may_be_many_blocks(void **state)
{
    struct rig *rig = *state;
    unsigned before;

    add_messages(rig, 1, 1);
    before = rig->memory.calls;
    for (uint64_t id = 2; id < 1500; id++)
        add_accept(rig, id, "carol@example.net", "ben@example.org");
    assert_int_equal(rig->memory.calls, before);
    assert_true(rig->history.pending.n > 2 * HISTORY_BLOCK_MAX);
    assert_true(flush(rig));
    /* The write, and the index of the segment that it filled. */
    assert_int_equal(rig->memory.calls, before + 3);
    for (uint64_t id = 1; id < 1500; id += 100)
        assert_int_equal(count_id(rig, id), id == 1 ? 2 : 1);
}

/* A question about one message reads a few blocks, not the history. */
static void an_index_saves_reading(void **state)
{
    struct rig *rig = *state;

    add_messages(rig, 1, 2000);
    assert_true(rig->history.figures.octets > 300000);
    rig->memory.read = 0;
    assert_int_equal(count_id(rig, 3), 2);
    assert_true(rig->memory.read < 100000 + rig->history.n * 200);
}

/* What nobody can wait for is not kept for ever: a turn that never ends is bounded. */
static void records_beyond_the_bound_of_a_turn_are_counted(void **state)
{
    struct rig *rig = *state;

    for (uint64_t id = 1; !rig->history.figures.dropped; id++) {
        assert_true(id < HISTORY_PENDING_MAX / 50);
        add_accept(rig, id, "carol@example.net", "ben@example.org");
    }
    assert_true(flush(rig));
    assert_int_equal(count_id(rig, 1), 1);
}

/* ---- restarts ---- */

static void a_restart_goes_on_with_a_new_segment(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 5; i++) {
        add_messages(rig, 1 + i * 10, 10);
        history_close(&rig->history);
        rig_open(rig);
    }
    assert_int_equal(rig->history.n, 5);
    for (uint64_t id = 1; id <= 50; id++)
        assert_int_equal(count_id(rig, id), 2);
    /* Nothing is made before there is something to write. */
    assert_int_equal(rig->memory.open, 0);
}

/* kill -9: no index was written, and the last block may be half there. */
static void a_torn_tail_costs_the_last_block(void **state)
{
    struct rig *rig = *state;
    struct history_name name = history_name_of(1, false);
    struct memory_file *f;
    size_t whole;

    add_messages(rig, 1, 10);
    f = memory_file_find(&rig->memory, name.c);
    whole = f->n;
    for (size_t cut = 1; cut < 200; cut += 13) {
        struct rig after = { .now = rig->now, .limits = rig->limits };
        memory_disk_init(&after.memory);
        after.memory.utc_msec = rig->now;
        memory_file_put(&after.memory, name.c, f->octets, whole - cut);
        assert_true(history_open(&after.history, &after.memory.disk, &after.limits, rig->now, NULL));
        for (uint64_t id = 1; id < 8; id++)
            assert_int_equal(count_id(&after, id), 2);
        history_close(&after.history);
        memory_disk_done(&after.memory);
    }
}

static void a_damaged_block_costs_itself(void **state)
{
    struct rig *rig = *state;
    struct history_name name = history_name_of(1, false), index = history_name_of(1, true);
    struct memory_file *f;
    unsigned there = 0;

    add_messages(rig, 1, 10);
    history_close(&rig->history);
    f = memory_file_find(&rig->memory, name.c);
    f->octets[f->n / 2 + 100] ^= 1;
    rig_open(rig);
    for (uint64_t id = 1; id <= 10; id++)
        there += count_id(rig, id);
    assert_int_equal(there, 18);
    /* The same without the index: by their lengths the blocks behind it are found. */
    assert_int_equal(rig->memory.disk.ops->remove(&rig->memory.disk, index.c), 0);
    there = 0;
    for (uint64_t id = 1; id <= 10; id++)
        there += count_id(rig, id);
    assert_int_equal(there, 18);
}

/* Whatever octet of it is another: all is found, by the index or without it. */
static void a_damaged_index_costs_nothing(void **state)
{
    struct rig *rig = *state;
    struct history_name name = history_name_of(1, true);
    struct memory_file *f;

    add_messages(rig, 1, 60);
    history_close(&rig->history);
    rig_open(rig);
    f = memory_file_find(&rig->memory, name.c);
    assert_non_null(f);
    for (size_t i = 0; i < f->n; i++) {
        f->octets[i] ^= 0x41;
        assert_int_equal(count_id(rig, 30), 2);
        assert_int_equal(count(rig, HISTORY_ADDRESS, STR("carol@example.net")), 60);
        f->octets[i] ^= 0x41;
    }
    for (f->n--; f->n > 0; f->n -= f->n > 97 ? 97 : f->n)
        assert_int_equal(count_id(rig, 30), 2);
}

static void a_damaged_segment_costs_only_itself(void **state)
{
    struct rig *rig = *state;
    struct memory_file *f;

    add_messages(rig, 1, 10);
    history_close(&rig->history);
    rig_open(rig);
    add_messages(rig, 11, 10);
    f = memory_file_find(&rig->memory, history_name_of(1, false).c);
    f->octets[20] ^= 1;
    assert_int_equal(count_id(rig, 3), 0);
    assert_int_equal(count_id(rig, 13), 2);
    f->n = 3;
    assert_int_equal(count_id(rig, 3), 0);
    assert_int_equal(count_id(rig, 13), 2);
}

static void foreign_files_are_left_alone(void **state)
{
    struct rig *rig = *state;
    static const char *const names[] = { "README", "0000000000000000.events", "00000000000000zz.events",
                                         "000000000000001.events", "0000000000000001.event" };

    history_close(&rig->history);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        memory_file_put(&rig->memory, names[i], "x", 1);
    rig->now += 30LL * DAY;
    rig_open(rig);
    assert_int_equal(rig->history.n, 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_non_null(memory_file_find(&rig->memory, names[i]));
}

/* ---- retention ---- */

static uint64_t octets_on_disk(const struct rig *rig)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < MEMORY_FILES; i++)
        sum += rig->memory.files[i].n;
    return sum;
}

static void the_oldest_goes_when_the_size_is_reached(void **state)
{
    struct rig *rig = *state;

    for (uint64_t id = 1; id < 12000; id += 100) {
        add_messages(rig, id, 100);
        assert_true(octets_on_disk(rig) <= LIMIT);
        assert_int_equal(octets_on_disk(rig), rig->history.figures.octets);
    }
    assert_int_equal(count_id(rig, 1), 0);
    assert_int_equal(count_id(rig, 11999), 2);
    /* A half of it, and more, is there. */
    assert_true(octets_on_disk(rig) > LIMIT / 2);
    history_limit(&rig->history, &(struct history_limits){ 7LL * DAY, LIMIT / 4 }, rig->now);
    assert_true(octets_on_disk(rig) <= LIMIT / 4 + HISTORY_SEGMENT_MIN * 2);
    assert_int_equal(count_id(rig, 11999), 2);
}

/* A rush, in which much comes between two turns, fills segments as slowly coming records do. */
static void a_write_does_not_outgrow_its_segment(void **state)
{
    struct rig *rig = *state;

    rig->limits.octets = LIMIT / 4;
    history_limit(&rig->history, &rig->limits, rig->now);
    for (uint64_t id = 1; id < 12000; id++) {
        add_accept(rig, id, "carol@example.net", "ben@example.org");
        if (!history_is_due(&rig->history))
            continue;
        assert_true(rig->history.pending.n < HISTORY_SEGMENT_MIN + LOG_RECORD_MAX);
        assert_true(flush(rig));
        assert_true(octets_on_disk(rig) <= LIMIT / 4);
        assert_int_equal(rig->history.fd, -1);
    }
    assert_true(rig->history.n > 1);
    assert_true(octets_on_disk(rig) > LIMIT / 8);
}

static void what_is_too_old_is_not_shown_and_goes(void **state)
{
    struct rig *rig = *state;

    add_messages(rig, 1, 3);
    rig->now += 6LL * DAY;
    add_messages(rig, 4, 3);
    add_messages(rig, 7, 3);
    assert_int_equal(count_id(rig, 1), 2);
    rig->now += 2LL * DAY;
    assert_int_equal(count_id(rig, 1), 0);
    assert_int_equal(count_id(rig, 5), 2);
    history_tidy(&rig->history, rig->now);
    assert_int_equal(count_id(rig, 5), 2);
    rig->now += 30LL * DAY;
    history_tidy(&rig->history, rig->now);
    assert_int_equal(octets_on_disk(rig), 0);
    assert_int_equal(rig->history.n, 0);
    add_messages(rig, 9, 1);
    assert_int_equal(count_id(rig, 9), 2);
}

static void restarts_without_end_do_not_fill_the_folder(void **state)
{
    struct rig *rig = *state;
    size_t most = 0;

    rig->limits.octets = 64 * 1024;
    for (uint64_t id = 1; id < 300; id++) {
        add_messages(rig, id, 1);
        history_close(&rig->history);
        rig_open(rig);
        if (rig->history.n > most)
            most = rig->history.n;
    }
    assert_true(most < 100);
    assert_int_equal(count_id(rig, 299), 2);
}

/* A search goes on over what was removed under it. */
static void a_search_outlives_what_it_reads(void **state)
{
    struct rig *rig = *state;
    struct found f = { .lines = BUF_INIT(1 << 20) };
    struct history_query q;
    unsigned steps = 0;

    add_messages(rig, 1, 2000);
    assert_true(history_query_begin(&q, &rig->history, HISTORY_ADDRESS, STR("ben@example.org")));
    while (history_query_step(&q, 1, rig->now, on_found, &f)) {
        if (steps++ == 100) {
            rig->now += 8LL * DAY;
            history_tidy(&rig->history, rig->now);
            add_messages(rig, 5000, 10);
        }
    }
    history_query_end(&q);
    assert_true(f.n > 10);
    assert_true(str_contains(buf_str(&f.lines), str_from_c(queue_id_text((struct queue_id){ 5009 }).c)));
    buf_done(&f.lines);
}

/* ---- trouble ---- */

static void a_full_disk_stops_it_once_and_it_goes_on(void **state)
{
    struct rig *rig = *state;
    struct err err = { 0 };

    add_messages(rig, 1, 5);
    rig->memory.fails_at = rig->memory.calls + 1;
    rig->memory.fails_on = true;
    add_accept(rig, 6, "carol@example.net", "ben@example.org");
    assert_false(history_flush(&rig->history, rig->now, &err));
    assert_int_equal(err.sys, ENOSPC);
    add_accept(rig, 7, "carol@example.net", "ben@example.org");
    assert_true(flush(rig));
    assert_int_equal(rig->history.figures.dropped, 2);
    assert_false(history_again(&rig->history, rig->now));
    rig->memory.fails_at = 0;
    assert_true(history_again(&rig->history, rig->now));
    add_messages(rig, 8, 3);
    for (uint64_t id = 1; id <= 10; id++)
        assert_int_equal(count_id(rig, id), id == 6 || id == 7 ? 0 : 2);
}

static void the_last_space_is_left_to_the_mail(void **state)
{
    struct rig *rig = *state;
    struct err err = { 0 };

    rig->memory.octets_free = 4 * HISTORY_SEGMENT_MIN - 1;
    add_accept(rig, 1, "carol@example.net", "ben@example.org");
    assert_false(history_flush(&rig->history, rig->now, &err));
    assert_int_equal(err.sys, ENOSPC);
    assert_int_equal(octets_on_disk(rig), 0);
    rig->memory.octets_free = 4 * HISTORY_SEGMENT_MIN;
    assert_true(history_again(&rig->history, rig->now));
}

/* What was found before a failure is found after it, and what came after it, too. */
static void scenario(struct rig *rig)
{
    bool failed = false;

    for (uint64_t id = 1; id <= 500; id++) {
        add_accept(rig, id, "carol@example.net", "ben@example.org");
        add_done(rig, id);
        failed = !history_flush(&rig->history, rig->now, NULL) || failed;
        if (rig->history.stopped)
            assert_true(history_again(&rig->history, rig->now));
    }
    for (uint64_t id = 1; id <= 500; id += 3)
        (void)count_id(rig, id);
}

static void check_after(struct rig *rig, uint64_t lost_most)
{
    unsigned there = 0;

    for (uint64_t id = 1; id <= 500; id++) {
        unsigned n = count_id(rig, id);
        assert_true(n <= 2);
        there += n;
    }
    assert_true(there + lost_most >= 1000);
}

/* One call of the disk fails: two records are lost at most, once the search is a whole one again. */
static void each_call_of_the_disk_fails_in_turn(void **state)
{
    struct rig *rig = *state;
    bool past = false;

    for (unsigned n = 1; !past; n += n < 60 ? 1 : 17) {
        history_close(&rig->history);
        memory_disk_done(&rig->memory);
        rig_open(rig);
        rig->memory.fails_at = rig->memory.calls + n;
        scenario(rig);
        past = rig->memory.calls < rig->memory.fails_at;
        rig->memory.fails_at = 0;
        check_after(rig, 2);
        history_close(&rig->history);
        rig_open(rig);
        check_after(rig, 2);
    }
}

static void each_allocation_fails_in_turn(void **state)
{
    struct rig *rig = *state;
    bool past = false;

    for (unsigned long n = 1; !past; n++) {
        struct history_query q;
        history_close(&rig->history);
        memory_disk_done(&rig->memory);
        rig->memory.utc_msec = rig->now;
        allocations = 0;
        allocation_fails = n;
        bool opened = history_open(&rig->history, &rig->memory.disk, &rig->limits, rig->now, NULL);
        for (uint64_t id = 1; opened && id <= 500; id++) {
            add_accept(rig, id, "carol@example.net", "ben@example.org");
            add_done(rig, id);
            (void)!history_flush(&rig->history, rig->now, NULL);
            if (rig->history.stopped)
                (void)!history_again(&rig->history, rig->now);
        }
        if (opened && history_query_begin(&q, &rig->history, HISTORY_ADDRESS, STR("ben@example.org"))) {
            struct found f = { .lines = BUF_INIT(0) };
            while (history_query_step(&q, 10000, rig->now, on_found, &f))
                ;
            /* What no memory was there for is read from end to end instead. */
            assert_true(f.n >= 498);
        }
        if (opened)
            history_query_end(&q);
        past = allocations < n;
        allocation_fails = 0;
        if (!opened)
            rig_open(rig);
        else
            check_after(rig, 4);
        history_close(&rig->history);
        rig_open(rig);
    }
}

/* ---- the real disk ---- */

static void a_folder_of_the_system(void **state)
{
    struct rig *rig = *state;
    char folder[] = "/tmp/veredus-history-XXXXXX";
    struct history_disk *disk;
    struct history h;
    struct err err = { 0 };

    assert_non_null(mkdtemp(folder));
    disk = history_disk_open(folder, &err);
    assert_non_null(disk);
    h = rig->history;
    assert_true(history_open(&rig->history, disk, &rig->limits, rig->now, &err));
    add_messages(rig, 1, 700);
    history_close(&rig->history);
    assert_true(history_open(&rig->history, disk, &rig->limits, rig->now, &err));
    assert_int_equal(count_id(rig, 3), 2);
    assert_int_equal(count(rig, HISTORY_ADDRESS, STR("ben@example.org")), 700);
    /* Written in the future of the file system's clock: all of it goes. */
    history_limit(&rig->history, &(struct history_limits){ 1, 0 }, INT64_MAX / 2);
    assert_int_equal(rig->history.n, 0);
    history_close(&rig->history);
    rig->history = h;
    history_disk_close(disk);
    assert_null(history_disk_open("/proc/nothing", &err));
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_found_by_id_session_and_address, setup, teardown),
        cmocka_unit_test_setup_teardown(a_report_is_found_by_what_it_is_about, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_of_any_size_find_the_same_in_the_same_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_is_one_write_and_may_be_many_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_saves_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(records_beyond_the_bound_of_a_turn_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_goes_on_with_a_new_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_costs_the_last_block, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_block_costs_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_index_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_segment_costs_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_files_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_goes_when_the_size_is_reached, setup, teardown),
        cmocka_unit_test_setup_teardown(a_write_does_not_outgrow_its_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_old_is_not_shown_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(restarts_without_end_do_not_fill_the_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(a_search_outlives_what_it_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_stops_it_once_and_it_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_space_is_left_to_the_mail, setup, teardown),
        cmocka_unit_test_setup_teardown(each_call_of_the_disk_fails_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(each_allocation_fails_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_of_the_system, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
