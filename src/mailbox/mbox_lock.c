/* mailbox/mbox_lock.c -- made, read, found old. */
#include "mailbox/mbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "io/loop.h"
#include "mailbox/content.h"
#include "mailbox/mbox.h"

struct str mbox_note_write(const struct mbox_note *note, char out[MBOX_LOCK_MAX])
{
    int n = snprintf(out, MBOX_LOCK_MAX, "%ld veredus %s %ju %ju %jd\n%.*s", (long)getpid(),
                     note->boot[0] ? note->boot : "-", (uintmax_t)note->device, (uintmax_t)note->inode,
                     (intmax_t)note->length, STR_ARG(note->head));

    return n > 0 && n < MBOX_LOCK_MAX ? str_of(out, (size_t)n) : STR_NONE;
}

static bool take_number(struct str *line, uint64_t max, uint64_t *number)
{
    return line->p && num_parse_u64(str_cut(line, ' '), max, number);
}

bool mbox_note_read(struct str text, struct mbox_note *note)
{
    struct str line = str_cut(&text, '\n');
    struct mbox_note got = { .head = text };
    uint64_t pid, device, inode, length;

    if (!text.p || !take_number(&line, INT32_MAX, &pid) || !str_eq(str_cut(&line, ' '), STR("veredus")))
        return false;
    struct str boot = str_cut(&line, ' ');
    if (!boot.n || boot.n >= sizeof(got.boot) || !take_number(&line, UINT64_MAX, &device) ||
        !take_number(&line, UINT64_MAX, &inode) || !take_number(&line, INT64_MAX, &length) || line.p)
        return false;
    if (!str_eq(boot, STR("-")))
        memcpy(got.boot, boot.p, boot.n);
    got.device = (dev_t)device;
    got.inode = (ino_t)inode;
    got.length = (off_t)length;
    *note = got;
    return true;
}

enum mbox_lock mbox_lock_take(const struct mailbox_disk *disk, int dir, const char *name, struct str text)
{
    int fd = disk->open_below(disk, dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

    if (fd < 0 && (errno == EEXIST || errno == EINTR))
        return MBOX_LOCK_BUSY;
    if (fd < 0)
        return errno == EACCES || errno == EPERM || errno == EROFS ? MBOX_LOCK_NONE : MBOX_LOCK_FAILED;

    bool ok = mailbox_write_all(disk, fd, text);
    int sys = errno;
    fd_close(&fd);
    if (!ok)
        disk->remove(disk, dir, name);
    errno = sys;
    return ok ? MBOX_LOCK_TAKEN : MBOX_LOCK_FAILED;
}

/*
 * A lock may be unreadable for us; how old it is anybody may see. An empty one of our own account is what a death
 * between making it and writing into it leaves: who works has the fcntl lock as well, which is ours now.
 */
static bool is_stale(const struct mailbox_disk *disk, int dir, const char *name)
{
    struct stat st = { 0 };
    int fd = disk->open_below(disk, dir, name, O_PATH, 0);
    bool known = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    int64_t age_msec = io_wall_msec() - (int64_t)st.st_mtim.tv_sec * 1000;
    bool unwritten = st.st_size == 0 && st.st_uid == geteuid();

    fd_close(&fd);
    return known && age_msec > (unwritten ? MBOX_LOCK_EMPTY_MSEC : MBOX_LOCK_STALE_MSEC);
}

struct str mbox_lock_read(const struct mailbox_disk *disk, int dir, const char *name, char out[MBOX_LOCK_MAX],
                          bool *stale)
{
    int fd = disk->open_below(disk, dir, name, O_RDONLY | O_NONBLOCK, 0);
    ssize_t n = fd < 0 ? -1 : disk->read_at(disk, fd, out, MBOX_LOCK_MAX, 0);

    fd_close(&fd);
    *stale = is_stale(disk, dir, name);
    return n > 0 ? str_of(out, (size_t)n) : STR_NONE;
}
