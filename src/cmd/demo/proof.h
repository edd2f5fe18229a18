/* cmd/demo/proof.h -- what stands in the mailboxes, octet by octet. */
#ifndef CMD_DEMO_PROOF_H
#define CMD_DEMO_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/demo/place.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"

/*
 * The file of message ID in any mailbox, by its path inside the folder. ACCEPTED_MSEC is about when it was taken, which
 * only makes the search shorter. False: there is none.
 */
MUST_USE bool demo_proof_find(const struct demo_place *place, const char *id, int64_t accepted_msec,
                              char path[DEMO_PATH_MAX]);

struct demo_compared {
    uint64_t sent;
    uint64_t found;
    uint64_t differs_at; /* the first octet that is not the same; of no meaning when all are */
    bool same;
};

/*
 * Every octet of SENT against what stands below the trace fields of the file at PATH. Maildir has LF where mail has
 * CRLF; that is counted back. False with ERR when the file cannot be read or is no delivered message.
 */
MUST_USE bool demo_proof_compare(const struct demo_place *place, const char *path, struct str sent,
                                 struct demo_compared *compared, struct err *err);

/* The value of field NAME in the header at the front of CONTENT, whose lines end in LF or CRLF, unfolded; false without one. */
bool demo_proof_header_field(struct str content, const char *name, struct buf *value);
/* The same in the header of the file at PATH. */
bool demo_proof_field(const struct demo_place *place, const char *path, const char *name, struct buf *value);

#endif
