/* message/date.c -- one form only: the one every reader knows. */
#include "message/date.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/utc.h"

struct message_date_text message_date(int64_t utc_msec, int zone_minutes)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct utc_date d = utc_date_of(utc_msec + (int64_t)zone_minutes * 60 * 1000);
    unsigned zone = (unsigned)abs(zone_minutes);
    struct message_date_text text;

    snprintf(text.c, sizeof(text.c), "%s, %02d %s %04d %02d:%02d:%02d %c%02u%02u", days[d.weekday], d.day,
             months[d.month - 1], d.year, d.hour, d.minute, d.second, zone_minutes < 0 ? '-' : '+',
             zone / 60 % 24, zone % 60);
    return text;
}
