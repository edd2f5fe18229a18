/* spool/disk.c -- whole reads and writes over the table of operations. */
#include "spool/disk.h"

#include <errno.h>
#include <limits.h>

enum { IOV_AT_ONCE = IOV_MAX };

int spool_disk_read(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at)
{
    char *p = to;

    while (n > 0) {
        size_t got = 0;
        int e = disk->ops->pread(disk, fd, p, n, at, &got);
        if (e)
            return e;
        if (!got)
            return ENODATA;
        p += got;
        n -= got;
        at += got;
    }
    return 0;
}

/* Drop N written octets off the front; gives how many whole pieces are done. */
static int skip(struct iovec *iov, int count, size_t n)
{
    int i = 0;

    while (i < count && n >= iov[i].iov_len)
        n -= iov[i++].iov_len;
    if (i < count && n > 0) {
        iov[i].iov_base = (char *)iov[i].iov_base + n;
        iov[i].iov_len -= n;
    }
    return i;
}

int spool_disk_write(struct spool_disk *disk, int fd, struct iovec *iov, int count, uint64_t at)
{
    int first = skip(iov, count, 0);

    while (first < count) {
        size_t put = 0;
        int left = count - first;
        int e = disk->ops->pwritev(disk, fd, iov + first, left < IOV_AT_ONCE ? left : IOV_AT_ONCE, at, &put);
        if (e)
            return e;
        if (!put)
            return EIO;
        at += put;
        first += skip(iov + first, left, put);
    }
    return 0;
}

int spool_disk_put(struct spool_disk *disk, int fd, const void *from, size_t n, uint64_t at)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)from, .iov_len = n };

    return spool_disk_write(disk, fd, &iov, 1, at);
}
