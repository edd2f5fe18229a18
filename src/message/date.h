/* message/date.h -- the date-time of header fields (RFC 5322 3.3; 5321 4.4). Pure. */
#ifndef MESSAGE_DATE_H
#define MESSAGE_DATE_H

#include <stdint.h>

/* "Sun, 22 Nov 2026 09:41:07 +0100" and a NUL. */
struct message_date_text {
    char c[40];
};

/* UTC_MSEC since the epoch in the zone ZONE_MINUTES east of UTC: four-digit year, numeric zone. */
struct message_date_text message_date(int64_t utc_msec, int zone_minutes);

#endif
