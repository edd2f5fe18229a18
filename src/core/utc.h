/* core/utc.h -- points of time on the wall, as the log writes them (RFC 3339). Pure. */
#ifndef CORE_UTC_H
#define CORE_UTC_H

#include <stdint.h>

/* "2026-11-22T09:41:07.301Z" and a NUL. */
struct utc_text {
    char c[32];
};

/* Days since 1970-01-01 of a civil date, and back; any proleptic Gregorian year of four digits. */
struct utc_date {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour, minute, second, msec;
    int weekday; /* 0 is Sunday */
};

/* MSEC since the epoch, UTC. */
struct utc_date utc_date_of(int64_t msec);
struct utc_text utc_text_msec(int64_t msec);    /* 2026-11-22T09:41:07.301Z */
struct utc_text utc_text_seconds(int64_t msec); /* 2026-11-22T09:41:07Z */

#endif
