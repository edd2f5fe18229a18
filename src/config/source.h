/* config/source.h -- where the configuration's octets come from: a reader, and a recording of all it gave. Pure. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"

enum {
    CONFIG_FILE_MAX = 1024 * 1024,        /* octets of one file (FACE 1.2) */
    CONFIG_FILES_MAX = 1000,              /* texts of one configuration, -o included */
    CONFIG_TEXT_MAX = 16 * 1024 * 1024,   /* octets of all texts */
    CONFIG_BUNDLE_MAX = 32 * 1024 * 1024, /* octets of an encoded bundle */
    CONFIG_BUNDLE_ITEMS_MAX = 4000,
};

/* What the system says of itself; taken once, so that every process sees the same. */
struct config_facts {
    struct str fqdn;    /* the system's full name, or what it has; empty when unknown */
    bool under_systemd; /* standard error goes to the journal */
};

/*
 * The parser asks for everything by these. Results live in ARENA.
 * read_file: the octets of PATH, at most CONFIG_FILE_MAX + 1 of them (one more shows that it is too long).
 * glob:      the existing paths that PATTERN matches, in any order; none is no failure.
 * env:       false when NAME is not set.
 */
struct config_reader {
    void *ctx;
    bool (*read_file)(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err);
    bool (*glob)(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n,
                 struct err *err);
    bool (*env)(void *ctx, struct str name, struct arena *a, struct str *value);
    struct config_facts facts;
};

/* What to parse: the root file (empty for none) and the texts of -o, which replace what the files say. */
struct config_source {
    struct str root;
    const struct str *overrides;
    size_t n_overrides;
};

enum config_item_kind {
    CONFIG_ITEM_FILE,
    CONFIG_ITEM_GLOB,
    CONFIG_ITEM_ENV,
};

/* One question and its answer; a failed read keeps the words of its failure as the value. */
struct config_item {
    enum config_item_kind kind;
    bool found;
    struct str key;
    struct str value; /* of a glob: each path followed by NUL */
};

/* A source with all the answers its parsing needs: parsing it again needs no file system. */
struct config_bundle {
    struct config_source source;
    struct config_facts facts;
    struct arena *arena;
    struct config_item *items;
    size_t n;
    size_t room;
    const struct config_reader *inner; /* asked for what is not there yet; NULL in a decoded bundle */
    bool exhausted;                    /* something could not be recorded: not to be encoded */
};

/* Empty, to be filled by parsing with config_bundle_reader(); all that is recorded lives in A. */
MUST_USE bool config_bundle_record(struct config_bundle *b, const struct config_source *source,
                                   const struct config_reader *inner, struct arena *a);
/* Answers from B, and where that does not know from what B records from. B must outlive it. */
struct config_reader config_bundle_reader(struct config_bundle *b);
/* B as one row of octets, for a memfd. False: too large, or something was not recorded. */
MUST_USE bool config_bundle_encode(const struct config_bundle *b, struct buf *out, struct err *err);
/* Bounds-checks BLOB and borrows from it: it must outlive B. False for anything but what encode wrote. */
MUST_USE bool config_bundle_decode(struct str blob, struct arena *a, struct config_bundle *b,
                                   struct err *err);

#endif
