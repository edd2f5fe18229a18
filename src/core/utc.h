/* core/utc.h -- points of time on the wall, as the log writes them (RFC 3339). Pure. */
#ifndef CORE_UTC_H
#define CORE_UTC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"

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
/* The way back; the weekday is not looked at. Every field must be in its bounds. */
int64_t utc_msec_of(const struct utc_date *date);
/*
 * A date-time of RFC 3339 5.6 with any offset, years 1 to 9999; a leap second is the second behind it. What is below a
 * millisecond is cut. False, and *msec untouched, for anything else.
 */
MUST_USE bool utc_parse(struct str text, int64_t *msec);
struct utc_text utc_text_msec(int64_t msec);    /* 2026-11-22T09:41:07.301Z */
struct utc_text utc_text_seconds(int64_t msec); /* 2026-11-22T09:41:07Z */

#endif
