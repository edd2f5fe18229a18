/* spool/reader.h -- frames and records of the log by their position, with their sums looked at. */
#ifndef SPOOL_READER_H
#define SPOOL_READER_H

#include "spool/disk.h"
#include "spool/format.h"

/* One open segment and the front of one frame, kept for the next record of the same. Init: reader_init(). */
struct reader {
    struct spool_disk *disk;
    const struct spool_secret *secret;
    int e; /* of the last call that gave false: an errno of disk or memory, 0 when what was read is damaged */

    uint32_t segment;
    uint64_t opened_for; /* the life it was opened for, 0: any */
    int fd;

    uint32_t block;
    uint64_t life;
    unsigned char *octets; /* of the frame, from its start */
    size_t n, room;
    struct spool_frame_head head;
};

/* A record whose meta is good. META borrows from the reader until its next call. */
struct reader_found {
    struct spool_row row;
    struct str meta;
    uint64_t content; /* offset in the file */
};

void reader_init(struct reader *r, struct spool_disk *disk, const struct spool_secret *secret);
void reader_done(struct reader *r);
/* The file of that number, be it open or not. */
MUST_USE bool reader_open(struct reader *r, uint32_t segment);
/* The same in that life: in between the file may have been given back, and another made under its number. */
MUST_USE bool reader_open_life(struct reader *r, uint32_t segment, uint64_t life);
/* Head and table of the frame that begins at that block, into r->head and r->octets. */
MUST_USE bool reader_frame(struct reader *r, struct spool_position p, uint64_t life);
/* As much of that frame as WANT octets. */
MUST_USE bool reader_want(struct reader *r, uint64_t want);
/* Row ROW of that frame; on damage of the meta alone found->row is set all the same and *named true. */
MUST_USE bool reader_row(struct reader *r, uint32_t row, struct reader_found *found, bool *named);
MUST_USE bool reader_record(struct reader *r, struct spool_position p, uint64_t life,
                            struct reader_found *found);
/* Whether the octets at CONTENT have that sum. */
MUST_USE bool reader_sum(struct reader *r, uint64_t content, uint64_t octets, uint64_t sum);

#endif
