/*
 * lookup/logins.h -- where accounts were logged in from within a week: there nobody is shut out by what others guess of
 * the account (FACE 1.8).
 */
#ifndef LOOKUP_LOGINS_H
#define LOOKUP_LOGINS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ip.h"
#include "core/str.h"

enum {
    LOOKUP_LOGINS_BUCKETS = 4096,
    LOOKUP_LOGINS_WAYS = 16, /* in a bucket; the one longest ago goes first */
};

/*
 * A file of places of one size, at most 1.5 MiB of them, so that it outlives us and is shared with the lookup process of
 * another configuration; what it holds are hashes. Without a file of main's: one in memory. Init: LOOKUP_LOGINS_INIT.
 */
struct lookup_logins {
    int fd;
    uint64_t seeds[2];
};

#define LOOKUP_LOGINS_INIT ((struct lookup_logins){ .fd = -1 })

void lookup_logins_done(struct lookup_logins *l);
/* The file FD (taken over; -1: there is none) is used from now on. One that is no such file is made to be one. */
void lookup_logins_give(struct lookup_logins *l, int fd);
/* ACCOUNT logged in from CLIENT (IPv6: its /64) at that time (UTC). An account without a name, or no address: nothing. */
void lookup_logins_note(struct lookup_logins *l, struct str account, struct ip client, int64_t utc_msec);
/* Has it, within the week before that time? What cannot be read has not. */
bool lookup_logins_know(struct lookup_logins *l, struct str account, struct ip client, int64_t utc_msec);

#endif
