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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(dates_agree_with_gmtime) };

    return cmocka_run_group_tests_name("core/utc", tests, NULL, NULL);
}
