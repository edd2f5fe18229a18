/* Civil dates agree with the C library's over four centuries. */
#include "tests/unit/unit.h"

#include <time.h>

#include "core/utc.h"

static void dates_agree_with_gmtime(void **state)
{
    (void)state;
    for (int64_t t = -2208988800; t < 10413792000; t += 86400 * 11 + 12345) {
        time_t c = (time_t)t;
        struct tm tm;
        assert_non_null(gmtime_r(&c, &tm));
        struct utc_date d = utc_date_of(t * 1000);
        assert_int_equal(d.year, tm.tm_year + 1900);
        assert_int_equal(d.month, tm.tm_mon + 1);
        assert_int_equal(d.day, tm.tm_mday);
        assert_int_equal(d.hour, tm.tm_hour);
        assert_int_equal(d.minute, tm.tm_min);
        assert_int_equal(d.second, tm.tm_sec);
        assert_int_equal(d.weekday, tm.tm_wday);
    }
    assert_string_equal(utc_text_msec(1795340467301).c, "2026-11-22T09:41:07.301Z");
    assert_string_equal(utc_text_seconds(1795340467301).c, "2026-11-22T09:41:07Z");
}

static void dates_come_back(void **state)
{
    (void)state;
    for (int64_t t = -62135596800; t < 253402300800; t += 86400LL * 397 + 12345) {
        struct utc_date d = utc_date_of(t * 1000 + 321);
        int64_t back;
        assert_int_equal(utc_msec_of(&d), t * 1000 + 321);
        assert_true(utc_parse(str_from_c(utc_text_msec(t * 1000 + 321).c), &back));
        assert_int_equal(back, t * 1000 + 321);
    }
}

/* RFC 3339 5.6 to 5.8 */
static void date_times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t msec;
    } rows[] = {
        { "2026-11-22T09:41:07Z", 1795340467000 },      { "2026-11-22t09:41:07.301z", 1795340467301 },
        { "2026-11-22T09:41:07.3019999Z", 1795340467301 }, { "2026-11-22T09:41:07.3Z", 1795340467300 },
        { "2026-11-22T10:41:07+01:00", 1795340467000 }, { "2026-11-22T01:11:07-08:30", 1795340467000 },
        { "1990-12-31T23:59:60Z", 662688000000 },       { "2024-02-29T00:00:00Z", 1709164800000 },
        { "1970-01-01T00:00:00-00:00", 0 },
    };
    static const char *const bad[] = {
        "", "2026", "2026-11-22", "2026-11-22T09:41:07", "2026-11-22 09:41:07Z", "2026-11-22T09:41Z",
        "2026-11-22T09:41:07.Z", "2026-11-22T09:41:07+0100", "2026-11-22T09:41:07Z ", "2026-11-22T24:00:00Z",
        "2026-13-22T09:41:07Z", "2026-00-22T09:41:07Z", "2026-11-31T09:41:07Z", "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "2026-11-22T09:60:07Z", "2026-11-22T09:41:61Z",
        "2026-11-22T09:41:07+24:00", "2026-11-22T09:41:07+", "+026-11-22T09:41:07Z", "2026-1-22T09:41:07Z",
    };
    int64_t msec = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *copy = exact_copy(str_from_c(rows[i].text));
        assert_true(utc_parse(str_of(copy, strlen(rows[i].text)), &msec));
        assert_int_equal(msec, rows[i].msec);
        free(copy);
    }
    msec = 77;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *copy = exact_copy(str_from_c(bad[i]));
        assert_false(utc_parse(str_of(copy, strlen(bad[i])), &msec));
        assert_int_equal(msec, 77);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(dates_agree_with_gmtime), cmocka_unit_test(dates_come_back),
                                        cmocka_unit_test(date_times_are_read) };

    return cmocka_run_group_tests_name("core/utc", tests, NULL, NULL);
}
