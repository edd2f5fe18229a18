/* spool/check_row.c */
#include "spool/check_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "message/envelope.h"
#include "message/progress.h"

enum { ARENA_MAX = 32 << 20 };

static void add_sum(struct log_record *row, enum log_field f, uint64_t sum)
{
    char text[17];

    snprintf(text, sizeof(text), "%016" PRIx64, sum);
    log_text_c(row, f, text);
}

/* How many of its recipients are done; those that were never tried are in no state. */
static size_t count_done(struct str state, struct arena *a)
{
    struct progress *items;
    struct err err = { 0 };
    size_t n = 0, done = 0;

    if (!progress_decode(state, a, &items, &n, &err))
        return 0;
    for (size_t i = 0; i < n; i++)
        done += items[i].state != PROGRESS_WAITING;
    return done;
}

static void add_envelope(struct log_record *row, const struct spool_finding *f)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct envelope e;
    struct err err = { 0 };

    if (a && f->envelope.n && envelope_decode(f->envelope, a, &e, &err)) {
        log_number(row, LOG_RECIPIENTS, (int64_t)e.n_recipients);
        log_number(row, LOG_DONE, (int64_t)count_done(f->state, a));
        log_text(row, LOG_FROM, e.sender);
    }
    arena_free(a);
}

void spool_finding_row(struct log_record *row, const struct spool_finding *f)
{
    static const char *const kinds[] = { "message", "record", "frame", "file", "invariant" };

    log_begin(row, LOG_EVENT_ROW_FINDING, LOG_LEVEL_INFO, 0);
    if (f->id.n)
        log_id(row, f->id);
    log_text_c(row, LOG_KIND, kinds[f->kind]);
    log_text_c(row, LOG_WHAT, f->what);
    if (f->kind == SPOOL_FOUND_INVARIANT)
        log_number(row, LOG_INVARIANT, f->invariant);
    if (f->file[0]) {
        log_text_c(row, LOG_FILE, f->file);
        log_number(row, LOG_OFFSET, (int64_t)f->offset);
    }
    if (f->octets)
        log_number(row, LOG_OCTETS, (int64_t)f->octets);
    if (f->sum != f->wanted && !f->error) {
        add_sum(row, LOG_SUM, f->sum);
        add_sum(row, LOG_WANTED, f->wanted);
    }
    if (f->error)
        log_text_c(row, LOG_ERROR, f->error == EBADMSG ? "it ends too soon" : strerrordesc_np(f->error));
    add_envelope(row, f);
}

static void add_invariants(struct log_record *row, const struct spool_check_figures *figures)
{
    struct str hold[SPOOL_CHECK_INVARIANTS];
    char texts[SPOOL_CHECK_INVARIANTS][8];
    size_t n = 0;

    for (size_t i = 0; i < spool_check_shows_count; i++) {
        unsigned number = spool_check_shows[i];
        if (figures->broken[number])
            continue;
        snprintf(texts[n], sizeof(texts[n]), "INV-%u", number % 100);
        hold[n] = str_from_c(texts[n]);
        n++;
    }
    log_list(row, LOG_INVARIANTS, hold, n);
}

void spool_figures_row(struct log_record *row, const struct spool_check_figures *figures, bool over)
{
    static const struct {
        enum log_field field;
        enum spool_kind kind;
    } kinds[] = {
        { LOG_RECORDS, SPOOL_KIND_MESSAGE }, { LOG_OUTCOMES, SPOOL_KIND_OUTCOME },
        { LOG_HOLDS, SPOOL_KIND_HOLD },      { LOG_RELEASES, SPOOL_KIND_RELEASE },
        { LOG_EDITS, SPOOL_KIND_EDIT },      { LOG_ENDS, SPOOL_KIND_GONE },
        { LOG_VOIDS, SPOOL_KIND_VOID },
    };
    uint64_t others = 0;

    log_begin(row, LOG_EVENT_ROW_CHECK, LOG_LEVEL_INFO, 0);
    log_text_c(row, LOG_STATE, over ? "over" : "going on");
    log_number(row, LOG_SEGMENTS, figures->segments);
    log_number(row, LOG_SEGMENTS_DONE, figures->segments_done);
    log_number(row, LOG_MESSAGES, (int64_t)figures->messages);
    log_number(row, LOG_MESSAGES_DONE, (int64_t)figures->messages_done);
    log_number(row, LOG_OCTETS, (int64_t)figures->octets);
    if (!over)
        return;
    log_number(row, LOG_FRAMES, (int64_t)figures->frames);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        log_number(row, kinds[i].field, (int64_t)figures->records[kinds[i].kind]);
    log_number(row, LOG_CONTENTS, (int64_t)figures->contents);
    log_number(row, LOG_CONTENTS_GOOD, (int64_t)figures->contents_good);
    log_number(row, LOG_DAMAGED, (int64_t)figures->found[SPOOL_FOUND_MESSAGE]);
    for (size_t i = SPOOL_FOUND_RECORD; i <= SPOOL_FOUND_INVARIANT; i++)
        others += figures->found[i];
    log_number(row, LOG_OTHERS, (int64_t)others);
    add_invariants(row, figures);
}
