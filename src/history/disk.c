/* history/disk.c -- reading and writing whole pieces. */
#include "history/disk.h"

#include <errno.h>

int history_disk_read(struct history_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    size_t got = 1;
    int sys = 0;

    for (*done = 0; !sys && got && *done < n; *done += got) {
        got = 0;
        sys = disk->ops->read(disk, fd, (char *)to + *done, n - *done, at + *done, &got);
    }
    return sys;
}

int history_disk_write(struct history_disk *disk, int fd, const void *from, size_t n, uint64_t at)
{
    size_t put = 0;
    int sys = 0;

    for (size_t done = 0; !sys && done < n; done += put) {
        put = 0;
        sys = disk->ops->write(disk, fd, (const char *)from + done, n - done, at + done, &put);
        if (!sys && !put)
            sys = ENOSPC;
    }
    return sys;
}
