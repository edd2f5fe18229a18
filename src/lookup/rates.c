/* lookup/rates.c */
#include "lookup/rates.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

static struct policy_rates *map(int fd, int flags)
{
    void *at = mmap(NULL, sizeof(struct policy_rates), PROT_READ | PROT_WRITE, flags, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

struct policy_rates *lookup_rates_new(struct err *err)
{
    struct policy_rates *r = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    uint64_t seeds[2];

    if (!r) {
        err_sys(err, errno, "mmap");
        return NULL;
    }
    if (getrandom(seeds, sizeof(seeds), 0) == sizeof(seeds)) {
        r->head = policy_rates_head(seeds);
        return r;
    }
    err_sys(err, errno, "getrandom");
    lookup_rates_free(r);
    return NULL;
}

struct policy_rates *lookup_rates_map(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct policy_rates *r;
    struct stat st;

    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 || st.st_size != (off_t)sizeof(*r))
        return NULL;
    r = map(fd, MAP_SHARED);
    if (!r || policy_rates_are(r))
        return r;
    lookup_rates_free(r);
    return NULL;
}

void lookup_rates_free(struct policy_rates *r)
{
    if (r)
        (void)munmap(r, sizeof(*r));
}
