/* mailbox/content.h -- the octets of a message on their way out of the server: read once, from front to end. */
#ifndef MAILBOX_CONTENT_H
#define MAILBOX_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bug.h"
#include "core/str.h"
#include "mailbox/disk.h"
#include "mailbox/lines.h"

enum { MAILBOX_BLOCK = 64 * 1024 };

/* PIECES one after the other, then the first FILE_SIZE octets of FILE (-1: none). Lines end in CRLF. */
struct mailbox_content {
    const struct str *pieces;
    size_t n_pieces;
    int file; /* stays the caller's; its own position is not used */
    uint64_t file_size;
};

/* Init: mailbox_reader_init(). CONTENT and what it points to must stay. */
struct mailbox_reader {
    const struct mailbox_disk *disk;
    const struct mailbox_content *content;
    size_t piece; /* the one at hand, and how much of it is read */
    size_t used;
    uint64_t file_used;
    struct mailbox_lines lines;
    char raw[MAILBOX_BLOCK];
};

void mailbox_reader_init(struct mailbox_reader *r, const struct mailbox_disk *disk,
                         const struct mailbox_content *content);
/*
 * The next octets, with the line ends of files here (CRLF to LF, all else as it is), into OUT with ROOM for at least
 * two. How many; 0 at the end; -1 with errno, EIO also when the file is shorter than it was said to be.
 */
MUST_USE ssize_t mailbox_reader_next(struct mailbox_reader *r, char *out, size_t room);

/* All of OCTETS into FD, however many calls that takes. False with errno. */
MUST_USE bool mailbox_write_all(const struct mailbox_disk *disk, int fd, struct str octets);

#endif
