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

int64_t utc_msec_of(const struct utc_date *d)
{
    int64_t year = d->year - (d->month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (d->month > 2 ? d->month - 3 : d->month + 9) + 2) / 5 + d->day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * 146097 + day_of_era - 719468;

    return days * MSEC_PER_DAY + (d->hour * 60 + d->minute) * 60000LL + d->second * 1000LL + d->msec;
}

/* Takes WIDTH digits, a number from LOW to HIGH, off *rest; then the octet AFTER, any case, unless it is NUL. */
static bool take_number(struct str *rest, size_t width, int low, int high, char after, int *out)
{
    int n = 0;

    if (rest->n < width + (after != 0))
        return false;
    for (size_t i = 0; i < width; i++) {
        if (!ascii_is_digit(rest->p[i]))
            return false;
        n = n * 10 + (rest->p[i] - '0');
    }
    if (n < low || n > high || (after && ascii_lower(rest->p[width]) != after))
        return false;
    *out = n;
    *rest = str_skip(*rest, width + (after != 0));
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* A fraction of a second, if there is one: at least one digit behind the dot. */
static bool take_fraction(struct str *rest, int *msec)
{
    int unit = 100;
    size_t i = 1;

    if (!rest->n || rest->p[0] != '.')
        return true;
    for (; i < rest->n && ascii_is_digit(rest->p[i]); i++, unit /= 10)
        *msec += (rest->p[i] - '0') * unit;
    *rest = str_skip(*rest, i);
    return i > 1;
}

/* Z, or hours and minutes that local time is ahead. */
static bool take_offset(struct str *rest, int *minutes)
{
    char sign = rest->n ? rest->p[0] : '\0';
    int hour = 0, minute = 0;

    *rest = str_skip(*rest, 1);
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !take_number(rest, 2, 0, 23, ':', &hour) ||
        !take_number(rest, 2, 0, 59, '\0', &minute))
        return false;
    *minutes = (hour * 60 + minute) * (sign == '-' ? -1 : 1);
    return true;
}

bool utc_parse(struct str text, int64_t *msec)
{
    struct utc_date d = { 0 };
    int offset = 0;

    if (!take_number(&text, 4, 1, 9999, '-', &d.year) || !take_number(&text, 2, 1, 12, '-', &d.month) ||
        !take_number(&text, 2, 1, days_in(d.year, d.month), 't', &d.day) ||
        !take_number(&text, 2, 0, 23, ':', &d.hour) || !take_number(&text, 2, 0, 59, ':', &d.minute) ||
        !take_number(&text, 2, 0, 60, '\0', &d.second) || !take_fraction(&text, &d.msec) ||
        !take_offset(&text, &offset) || text.n)
        return false;
    *msec = utc_msec_of(&d) - offset * 60000LL;
    return true;
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
