/* lookup/logins.c -- a head { 24 octets of magic, two seeds }, then buckets of places { two hashes, time }. */
#include "lookup/logins.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"

enum {
    MAGIC = 24,
    HEAD = 40,
    PLACE = 24,
    BUCKET = LOOKUP_LOGINS_WAYS * PLACE,
    NAME_MAX_OCTETS = 600,
    CLIENT_V6_BITS = 64,
};

static const int64_t week_msec = 7 * 24 * 3600 * INT64_C(1000);
static const char magic[MAGIC] = "veredus logins 1\n";

/* What an account and an address are called in the file. */
struct mark {
    uint64_t hash[2];
    off_t bucket;
};

/* ---- the file ---- */

static bool read_head(struct lookup_logins *l)
{
    char head[HEAD];

    if (pread(l->fd, head, HEAD, 0) != HEAD || memcmp(head, magic, MAGIC) != 0)
        return false;
    l->seeds[0] = le64_get(head + MAGIC);
    l->seeds[1] = le64_get(head + MAGIC + 8);
    return true;
}

static bool write_head(struct lookup_logins *l)
{
    char head[HEAD];

    memcpy(head, magic, MAGIC);
    return getrandom(head + MAGIC, HEAD - MAGIC, 0) == HEAD - MAGIC && ftruncate(l->fd, 0) == 0 &&
           pwrite(l->fd, head, HEAD, 0) == HEAD;
}

static bool prepare(struct lookup_logins *l)
{
    return l->fd >= 0 && (read_head(l) || (write_head(l) && read_head(l)));
}

/* Nobody gave us one: in memory, until we end. */
static bool have_file(struct lookup_logins *l)
{
    if (l->fd < 0)
        lookup_logins_give(l, memfd_create("veredus-logins", MFD_CLOEXEC));
    return l->fd >= 0;
}

void lookup_logins_done(struct lookup_logins *l)
{
    fd_close(&l->fd);
}

void lookup_logins_give(struct lookup_logins *l, int fd)
{
    fd_close(&l->fd);
    l->fd = fd;
    if (!prepare(l))
        fd_close(&l->fd);
}

/* ---- places ---- */

/* False: nothing that could be noted. */
static bool mark_of(const struct lookup_logins *l, struct str account, struct ip client, struct mark *m)
{
    struct ip net = ip_mask(client, client.family == IP_V4 ? ip_bits(IP_V4) : CLIENT_V6_BITS);
    char text[NAME_MAX_OCTETS];
    size_t n = sizeof(net.octets);

    if (!account.n || account.n > sizeof(text) - n - 1 || client.family == IP_NONE)
        return false;
    memcpy(text, net.octets, n);
    text[n++] = (char)net.family;
    for (size_t i = 0; i < account.n; i++)
        text[n++] = ascii_lower(account.p[i]);
    for (size_t i = 0; i < 2; i++)
        m->hash[i] = str_hash(str_of(text, n), l->seeds[i]);
    m->bucket = HEAD + (off_t)(m->hash[0] % LOOKUP_LOGINS_BUCKETS) * BUCKET;
    return true;
}

/* What lies behind the end of the file is free: all zero. */
static bool read_bucket(const struct lookup_logins *l, const struct mark *m, char bucket[BUCKET])
{
    memset(bucket, 0, BUCKET);
    return pread(l->fd, bucket, BUCKET, m->bucket) >= 0;
}

static int64_t time_at(const char *place)
{
    return (int64_t)le64_get(place + 16);
}

static bool is_at(const char *place, const struct mark *m)
{
    return time_at(place) && le64_get(place) == m->hash[0] && le64_get(place + 8) == m->hash[1];
}

/* Its own, or that of whom nobody saw for longest; a time to come is a clock that was wrong. */
static size_t place_for(const char bucket[BUCKET], const struct mark *m, int64_t utc_msec)
{
    size_t oldest = 0;
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < LOOKUP_LOGINS_WAYS; i++) {
        const char *place = bucket + i * PLACE;
        int64_t when = time_at(place) > utc_msec ? 0 : time_at(place);
        if (is_at(place, m))
            return i;
        if (when < least) {
            least = when;
            oldest = i;
        }
    }
    return oldest;
}

void lookup_logins_note(struct lookup_logins *l, struct str account, struct ip client, int64_t utc_msec)
{
    char bucket[BUCKET], place[PLACE];
    struct mark m;

    if (!have_file(l) || !mark_of(l, account, client, &m) || !read_bucket(l, &m, bucket))
        return;
    le64_put(place, m.hash[0]);
    le64_put(place + 8, m.hash[1]);
    le64_put(place + 16, (uint64_t)utc_msec);
    off_t at = m.bucket + (off_t)(place_for(bucket, &m, utc_msec) * PLACE);
    /* A full disk forgets who was known: then the limit of the account holds for it, too. */
    if (pwrite(l->fd, place, PLACE, at) != PLACE)
        return;
}

bool lookup_logins_know(struct lookup_logins *l, struct str account, struct ip client, int64_t utc_msec)
{
    char bucket[BUCKET];
    struct mark m;

    if (!have_file(l) || !mark_of(l, account, client, &m) || !read_bucket(l, &m, bucket))
        return false;
    for (size_t i = 0; i < LOOKUP_LOGINS_WAYS; i++) {
        const char *place = bucket + i * PLACE;
        if (is_at(place, &m))
            return time_at(place) <= utc_msec && utc_msec - time_at(place) < week_msec;
    }
    return false;
}
