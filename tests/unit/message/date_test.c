/* Dates of header fields (C064). */
#include "tests/unit/unit.h"

#include "message/date.h"

/* C064 */
static void dates_have_four_digit_years_and_numeric_zones(void **state)
{
    static const struct {
        int64_t msec;
        int zone;
        const char *text;
    } rows[] = {
        { 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
        { 1795340467301, 0, "Sun, 22 Nov 2026 09:41:07 +0000" },
        { 1795340467301, 60, "Sun, 22 Nov 2026 10:41:07 +0100" },
        { 1795340467301, -600, "Sat, 21 Nov 2026 23:41:07 -1000" },
        { 1795340467301, 345, "Sun, 22 Nov 2026 15:26:07 +0545" },
        { 1795340467301, -30, "Sun, 22 Nov 2026 09:11:07 -0030" },
        { 951782400000, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
        { 4102444799999, 0, "Thu, 31 Dec 2099 23:59:59 +0000" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message_date_text text = message_date(rows[i].msec, rows[i].zone);
        assert_string_equal(text.c, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_have_four_digit_years_and_numeric_zones),
    };

    return cmocka_run_group_tests_name("message/date", tests, NULL, NULL);
}
