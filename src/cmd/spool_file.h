/* cmd/spool_file.h -- a message as a pair of files: ID.json its envelope, ID.eml its content. */
#ifndef CMD_SPOOL_FILE_H
#define CMD_SPOOL_FILE_H

#include <jansson.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/id.h"

enum { SPOOL_FILE_TOKEN = 16, SPOOL_FILE_SUM = 32 };

/* What the spool has of a message beside its content. */
struct spool_item {
    struct queue_id id;
    bool damaged; /* what is here is what is left of it */
    bool held;
    int64_t accepted_msec;
    struct buf envelope; /* message/envelope.h */
    struct buf state;    /* message/progress.h */
    struct buf hold;     /* why it is held */
    uint64_t size;       /* of its content as it was written out, whose SHA-256 is */
    unsigned char sum[SPOOL_FILE_SUM];
};

enum { SPOOL_ITEM_MAX = 64 << 20 };
#define SPOOL_ITEM_INIT                                                                                      \
    (struct spool_item)                                                                                      \
    {                                                                                                        \
        .envelope = BUF_INIT(SPOOL_ITEM_MAX), .state = BUF_INIT(SPOOL_ITEM_MAX), .hold = BUF_INIT(64 << 10)  \
    }
void spool_item_clear(struct spool_item *item);
void spool_item_done(struct spool_item *item);

/*
 * All of ITEM as an object: names as in the log, each recipient with its state, and TOKEN, by which a second
 * import of the same file is known. Texts that are not UTF-8 are objects {"base64": ...}. What is damaged
 * has no size and no sum: it may be mended by hand. NULL without memory.
 */
json_t *spool_file_json(const struct spool_item *item, const unsigned char token[SPOOL_FILE_TOKEN]);

/* The folder cannot be had (exported_open): the exit code, and why was printed. */
int spool_folder_fail(const struct err *err);

/* What one pass over a content found. */
struct spool_content_facts {
    uint64_t size, lines, longest_line, leading_dots, header_octets;
    bool eight_bit, header_eight_bit;
    unsigned char sum[SPOOL_FILE_SUM];
    struct str message_id, subject, references; /* in the arena of the pass */
};

/*
 * The way back: ITEM gets envelope and state of the recipients that are not done, TOKEN the file's. False
 * with ERR, for people: it is no such file, the content is not the one it was written with, or none of its
 * recipients waits.
 */
MUST_USE bool spool_file_read(const json_t *file, const struct spool_content_facts *facts, struct arena *a,
                              struct spool_item *item, struct buf *token, struct err *err);
/* Look at all of the content at FD, in A. False with ERR: it cannot be read, or SMTP cannot carry it. */
MUST_USE bool spool_content_look(int fd, struct arena *a, struct spool_content_facts *facts, struct err *err);

#endif
