/* mailbox/content.c -- pieces in memory, then a file; one block at a time. */
#include "mailbox/content.h"

#include <errno.h>

void mailbox_reader_init(struct mailbox_reader *r, const struct mailbox_disk *disk,
                         const struct mailbox_content *content)
{
    r->disk = disk;
    r->content = content;
    r->piece = 0;
    r->used = 0;
    r->file_used = 0;
    r->lines = (struct mailbox_lines){ 0 };
}

/* At most MOST octets of what is in memory; empty behind the last piece. */
static struct str next_in_memory(struct mailbox_reader *r, size_t most)
{
    while (r->piece < r->content->n_pieces) {
        struct str some = str_head(str_skip(r->content->pieces[r->piece], r->used), most);
        r->used += some.n;
        if (some.n)
            return some;
        r->piece++;
        r->used = 0;
    }
    return STR_NONE;
}

/* At most MOST octets of the file into RAW; 0 behind its end, -1 with errno. */
static ssize_t next_in_file(struct mailbox_reader *r, size_t most)
{
    const struct mailbox_content *c = r->content;
    uint64_t rest = c->file >= 0 ? c->file_size - r->file_used : 0;
    ssize_t n;

    if (!rest)
        return 0;
    if (most > sizeof(r->raw))
        most = sizeof(r->raw);
    if (most > rest)
        most = (size_t)rest;
    do
        n = r->disk->read_at(r->disk, c->file, r->raw, most, (off_t)r->file_used);
    while (n < 0 && errno == EINTR);
    if (n == 0) {
        errno = EIO;
        return -1;
    }
    if (n > 0)
        r->file_used += (uint64_t)n;
    return n;
}

ssize_t mailbox_reader_next(struct mailbox_reader *r, char *out, size_t room)
{
    size_t n = 0;

    BUG_ON(room < 2);
    /* As full as it gets: one write for most messages. */
    while (room - n >= 2) {
        struct str some = next_in_memory(r, room - n - 1);
        if (!some.n) {
            ssize_t in_file = next_in_file(r, room - n - 1);
            if (in_file < 0)
                return -1;
            some = str_of(r->raw, (size_t)in_file);
        }
        if (!some.n)
            return (ssize_t)(n + mailbox_lines_end(&r->lines, out + n));
        n += mailbox_lines_convert(&r->lines, some, out + n);
    }
    return (ssize_t)n;
}

bool mailbox_write_all(const struct mailbox_disk *disk, int fd, struct str octets)
{
    while (octets.n) {
        ssize_t n = disk->write(disk, fd, octets.p, octets.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            return false;
        }
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}
