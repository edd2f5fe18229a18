/* core/utc.c -- civil dates from milliseconds, without the C library's time zone. */
#include "core/utc.h"

#include <string.h>

enum { MSEC_PER_DAY = 86400000 };

struct utc_date utc_date_of(int64_t msec)
{
    int64_t days = msec / MSEC_PER_DAY;
    int64_t rest = msec % MSEC_PER_DAY;

    if (rest < 0) {
        rest += MSEC_PER_DAY;
        days--;
    }

    /* Count from 0000-03-01, so that the leap day is the last of its year. */
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);

    return (struct utc_date){
        .year = (int)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1),
        .hour = (int)(rest / 3600000),
        .minute = (int)(rest / 60000 % 60),
        .second = (int)(rest / 1000 % 60),
        .msec = (int)(rest % 1000),
        .weekday = (int)(((days + 4) % 7 + 7) % 7),
    };
}

/* The last WIDTH digits of N, in front of END; returns where they begin. Written for each log line: no printf. */
static char *put_digits(char *end, int n, int width)
{
    unsigned rest = n < 0 ? 0 : (unsigned)n;

    for (; width > 0; width--, rest /= 10)
        *--end = (char)('0' + rest % 10);
    return end;
}

/* "2026-11-22T09:41:07" in T; what follows is the caller's. */
static void put_seconds(struct utc_text *t, const struct utc_date *d)
{
    static const char form[] = "YYYY-MM-DDThh:mm:ss";

    memcpy(t->c, form, sizeof(form));
    put_digits(t->c + 4, d->year, 4);
    put_digits(t->c + 7, d->month, 2);
    put_digits(t->c + 10, d->day, 2);
    put_digits(t->c + 13, d->hour, 2);
    put_digits(t->c + 16, d->minute, 2);
    put_digits(t->c + 19, d->second, 2);
}

struct utc_text utc_text_msec(int64_t msec)
{
    struct utc_date d = utc_date_of(msec);
    struct utc_text t;

    put_seconds(&t, &d);
    memcpy(t.c + 19, ".mmmZ", 6);
    put_digits(t.c + 23, d.msec, 3);
    return t;
}

struct utc_text utc_text_seconds(int64_t msec)
{
    struct utc_date d = utc_date_of(msec);
    struct utc_text t;

    put_seconds(&t, &d);
    memcpy(t.c + 19, "Z", 2);
    return t;
}
