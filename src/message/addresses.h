/* message/addresses.h -- the mailboxes of an address field: To, Cc, From … (RFC 5322 3.4, 4.4). Pure. */
#ifndef MESSAGE_ADDRESSES_H
#define MESSAGE_ADDRESSES_H

#include <stddef.h>

#include "core/arena.h"
#include "core/bug.h"
#include "core/str.h"

/*
 * One mailbox. Display names, comments, groups and source routes are read and forgotten; LOCAL keeps its quotes, so
 * that local@domain is a path of RFC 5321. Without a domain (RFC 5322 has no such thing, people and cron write it)
 * DOMAIN is empty.
 */
struct message_mailbox {
    struct str local;
    struct str domain; /* "[…]" for a literal */
    size_t end;        /* place in the value behind the local part: where a missing domain belongs */
};

struct message_address_reader {
    struct str in; /* the value of the field, folded as it stands */
    size_t pos;
};

enum message_address {
    MESSAGE_ADDRESS_MAILBOX,
    MESSAGE_ADDRESS_END,
    MESSAGE_ADDRESS_BAD, /* at reader.pos; nothing behind it can be relied on */
    MESSAGE_ADDRESS_NO_MEMORY,
};

/*
 * The next mailbox of the value, its texts in ARENA. Empty elements of a list are skipped. Reads nothing outside IN;
 * each call that is not the last reads at least one octet.
 */
MUST_USE enum message_address message_address_next(struct message_address_reader *r, struct arena *arena,
                                                   struct message_mailbox *mailbox);

#endif
