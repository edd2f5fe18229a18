/* spool/folder.c -- a folder becomes a spool: its lock, its format and secret (docs/SPOOL.md 1 and 3). */
#include <errno.h>

#include "core/num.h"
#include "core/siphash.h"
#include "spool/internal.h"

static bool lock_is_held(struct err *err)
{
    err_temp(err, "another process has this spool open");
    if (err)
        err->sys = EWOULDBLOCK;
    return false;
}

bool folder_lock(struct spool *spool, struct err *err)
{
    struct spool_disk *disk = spool->disk;
    int e = disk->ops->open(disk, "lock", SPOOL_OPEN_WRITE, &spool->lock_fd);

    if (e == ENOENT)
        e = disk->ops->open(disk, "lock", SPOOL_OPEN_NEW, &spool->lock_fd);
    if (e == EEXIST) /* made by another one since */
        e = disk->ops->open(disk, "lock", SPOOL_OPEN_WRITE, &spool->lock_fd);
    if (e) {
        spool->lock_fd = -1;
        return err_sys(err, e, "open the lock of the spool");
    }
    e = disk->ops->lock(disk, spool->lock_fd);
    if (e == EWOULDBLOCK)
        return lock_is_held(err);
    return e ? err_sys(err, e, "lock the spool") : true;
}

static void on_log_name(void *ctx, const char *name)
{
    bool *used = ctx;
    uint64_t number;
    struct str s = str_from_c(name);
    enum spool_name_kind kind = spool_name_parse(s, &number);

    *used |= kind == SPOOL_NAME_SEGMENT || kind == SPOOL_NAME_OWN || str_starts(s, STR("checkpoint-")) ||
             str_eq(s, STR("start"));
}

static int format_write(struct spool *spool, const unsigned char *out)
{
    struct spool_disk *disk = spool->disk;
    int fd, e = disk->ops->unlink(disk, "format.new");

    if (e && e != ENOENT)
        return e;
    e = disk->ops->open(disk, "format.new", SPOOL_OPEN_NEW, &fd);
    if (e)
        return e;
    e = spool_disk_put(disk, fd, out, SPOOL_FORMAT_OCTETS, 0);
    if (!e)
        e = disk->ops->sync(disk, fd);
    disk->ops->close(disk, fd);
    if (!e)
        e = disk->ops->rename(disk, "format.new", "format");
    return e ? e : disk->ops->sync_folder(disk);
}

static bool format_make(struct spool *spool, struct err *err)
{
    struct spool_disk *disk = spool->disk;
    struct spool_format format = { .made_utc_msec = spool->clock->utc_msec(spool->clock) };
    unsigned char out[SPOOL_FORMAT_OCTETS];
    bool used = false;
    int e = disk->ops->list(disk, on_log_name, &used);

    if (used)
        return err_temp(err, "the folder has a log but no file \"format\": restore that from a backup");
    if (!e)
        e = disk->ops->random(disk, format.name, sizeof(format.name));
    if (!e)
        e = disk->ops->random(disk, format.secret.octet, sizeof(format.secret.octet));
    if (!e) {
        spool_format_put(&format, out);
        e = format_write(spool, out);
    }
    if (e)
        return err_sys(err, e, "make a spool");
    spool->secret = format.secret;
    spool->recovered.created = true;
    return true;
}

bool folder_read_format(struct spool *spool, struct err *err)
{
    struct spool_disk *disk = spool->disk;
    struct spool_format format;
    unsigned char in[SPOOL_FORMAT_OCTETS];
    uint64_t length = 0;
    int fd, e = disk->ops->open(disk, "format", SPOOL_OPEN_READ, &fd);

    if (e == ENOENT)
        return format_make(spool, err);
    if (e)
        return err_sys(err, e, "open format");
    e = disk->ops->length(disk, fd, &length);
    size_t n = length < sizeof(in) ? (size_t)length : sizeof(in);
    if (!e)
        e = spool_disk_read(disk, fd, in, n, 0);
    disk->ops->close(disk, fd);
    if (e)
        return err_sys(err, e, "read format");
    if (!spool_format_get(str_of((const char *)in, n), &format, err))
        return err_wrap(err, "format");
    spool->secret = format.secret;
    /* A process may have died between renaming it and syncing the folder: recovery does that first. */
    return true;
}

void spool_key(const struct spool *spool, struct str purpose, uint64_t key[2])
{
    const char *secret = (const char *)spool->secret.octet;

    /* A keyed hash of a public text tells nothing of its key, which is half of the secret's first words. */
    for (size_t i = 0; i < 2; i++) {
        const uint64_t half[2] = { le64_get(secret + 16 * i), le64_get(secret + 16 * i + 8) };
        key[i] = siphash(purpose, half);
    }
}
