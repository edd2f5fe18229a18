/* spool/check_message.c -- a live message by its place: its record, its content and its own file against their sums. */
#include "spool/checking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where it is ---- */

bool check_lease_take(struct spool *spool, uint64_t id, struct check_lease *lease)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_entry_row row;
    bool there = spool_index_get(spool->index, (struct queue_id){ id }, &row);
    if (there)
        *lease = (struct check_lease){ .row = row, .at = { row.message, row.edit, row.outcome, row.hold } };
    for (int i = 0; there && i < PLACES; i++) {
        struct segment *s =
            lease->at[i] ? segments_find(&spool->segments, spool_position_of(lease->at[i]).segment) : NULL;
        lease->segment[i] = s;
        if (!s)
            continue;
        s->readers++;
        lease->life[i] = s->life;
        lease->in_use[i] = check_holds(s);
        if (i == AT_MESSAGE)
            lease->counts = s->state == SEGMENT_ACTIVE ? spool->durable_frame : s->counts;
    }
    pthread_mutex_unlock(&spool->lock);
    return there;
}

void check_lease_settle(struct spool *spool, struct check_lease *lease)
{
    pthread_mutex_lock(&spool->lock);
    for (int i = 0; i < PLACES; i++)
        if (lease->segment[i])
            lease->segment[i]->readers--;
    pthread_mutex_unlock(&spool->lock);
}

/* It has not ended, nor been copied to another place since. */
static bool stands(struct spool *spool, const struct check_lease *lease)
{
    pthread_mutex_lock(&spool->lock);
    struct spool_entry_row row;
    bool same = spool_index_get(spool->index, (struct queue_id){ lease->row.id }, &row) &&
                row.message == lease->row.message && row.edit == lease->row.edit && row.outcome == lease->row.outcome;
    pthread_mutex_unlock(&spool->lock);
    return same;
}

/* Envelope or state for the finding, if it can be read; the caller's to free(). */
static struct str text_at(struct spool_check *c, const struct check_lease *lease, enum place place)
{
    static const enum spool_kind kinds[] = { SPOOL_KIND_MESSAGE, SPOOL_KIND_EDIT, SPOOL_KIND_OUTCOME, SPOOL_KIND_HOLD };
    struct spool_message_meta meta;
    struct reader_found found;
    struct str text;
    uint32_t version;

    if (!lease->at[place] || !lease->segment[place] ||
        !reader_record(&c->reader, spool_position_of(lease->at[place]), lease->life[place], &found) ||
        (found.row.kind != kinds[place] && !(place == AT_MESSAGE && found.row.kind == SPOOL_KIND_COPY)) ||
        found.row.id.n != lease->row.id)
        return STR_NONE;
    text = found.meta;
    if (place == AT_MESSAGE && !spool_message_meta_get(found.meta, found.row.content_octets, &meta, &text))
        return STR_NONE;
    if (place == AT_OUTCOME && !spool_outcome_meta_get(found.meta, &version, &text))
        return STR_NONE;
    char *octets = malloc(text.n + 1);
    if (octets && text.n)
        memcpy(octets, text.p, text.n);
    return octets ? str_of(octets, text.n) : STR_NONE;
}

/* A message once, whatever else of it is damaged. */
static bool is_named(const struct spool_check *c, uint64_t id)
{
    for (size_t i = 0; i < c->named.count; i++)
        if (c->named.at[i] == id)
            return true;
    return false;
}

void check_say_message(struct spool_check *c, const struct check_lease *lease, struct spool_finding *f)
{
    if (is_named(c, lease->row.id))
        return;
    numbers_add(&c->named, lease->row.id);
    f->kind = SPOOL_FOUND_MESSAGE;
    f->id = (struct queue_id){ lease->row.id };
    f->envelope = text_at(c, lease, lease->at[AT_EDIT] ? AT_EDIT : AT_MESSAGE);
    f->state = text_at(c, lease, AT_OUTCOME);
    check_say(c, f);
    free((char *)(uintptr_t)f->envelope.p);
    free((char *)(uintptr_t)f->state.p);
}

/* ---- contents ---- */

/* The sum of OCTETS at OFFSET of the segment that the reader has open. 0 or an errno; ENODATA: the file ends before. */
static int log_sum(struct spool_check *c, uint64_t life, uint64_t offset, uint64_t octets, uint64_t *sum)
{
    struct spool_summer *summer = spool_summer_new(&c->spool->secret, life, offset);
    int e = summer ? 0 : ENOMEM;

    for (uint64_t at = 0; !e && at < octets;) {
        size_t n = octets - at < CHECK_PIECE_OCTETS ? (size_t)(octets - at) : CHECK_PIECE_OCTETS;
        e = spool_disk_read(c->spool->disk, c->reader.fd, c->piece, n, offset + at);
        if (!e)
            spool_summer_add(summer, c->piece, n);
        at += n;
    }
    if (summer)
        *sum = spool_summer_end(summer);
    c->figures.octets += octets;
    return e;
}

/* The record itself: true with *meta, or what is wrong with it in F. */
static bool record_is_good(struct spool_check *c, const struct check_lease *lease, struct reader_found *found,
                           struct spool_message_meta *meta, struct spool_finding *f)
{
    struct spool_position p = spool_position_of(lease->row.message);
    struct str envelope;

    check_in_segment(f, p.segment, (uint64_t)p.block * SPOOL_BLOCK);
    f->what = "record";
    f->row = p.row;
    if (!lease->segment[AT_MESSAGE]) {
        f->error = ENOENT;
        return false;
    }
    if (!reader_record(&c->reader, p, lease->life[AT_MESSAGE], found)) {
        f->error = c->reader.e;
        return false;
    }
    return spool_kind_is_message(found->row.kind) && found->row.id.n == lease->row.id &&
           spool_message_meta_get(found->meta, found->row.content_octets, meta, &envelope);
}

static bool content_is_good(struct spool_check *c, const struct check_lease *lease, const struct reader_found *found,
                            const struct spool_message_meta *meta, struct spool_finding *f)
{
    f->what = "content";
    f->offset = found->content;
    f->octets = found->row.content_octets;
    f->wanted = meta->content_sum;
    f->error = log_sum(c, lease->life[AT_MESSAGE], f->offset, f->octets, &f->sum);
    return !f->error && f->sum == f->wanted;
}

static bool file_is_good(struct spool_check *c, const struct spool_message_meta *meta, struct spool_finding *f)
{
    struct spool_disk *disk = c->spool->disk;
    int fd;

    if (!meta->file)
        return true;
    f->what = "own file";
    snprintf(f->file, sizeof(f->file), "%s", spool_own_name(meta->file).c);
    f->offset = 0;
    f->octets = meta->file_octets;
    f->wanted = meta->file_sum;
    f->error = disk->ops->open(disk, f->file, SPOOL_OPEN_READ, &fd);
    if (f->error)
        return false;
    f->error = own_file_sum(c->spool, fd, meta->file, meta->file_octets, &f->sum);
    disk->ops->close(disk, fd);
    c->figures.octets += meta->file_octets;
    c->figures.files++;
    return !f->error && f->sum == f->wanted;
}

static bool is_whole(struct spool_check *c, const struct check_lease *lease, struct spool_finding *f)
{
    struct spool_message_meta meta;
    struct reader_found found;

    if (!record_is_good(c, lease, &found, &meta, f))
        return false;
    if (!lease->in_use[AT_MESSAGE])
        check_say_broken(c, 10, (struct queue_id){ lease->row.id }, "it stands in a segment that is free");
    else if (c->reader.head.number > lease->counts)
        check_say_broken(c, 5, (struct queue_id){ lease->row.id }, "it stands in a frame that does not count");
    if (!content_is_good(c, lease, &found, &meta, f) || !file_is_good(c, &meta, f))
        return false;
    /* A record of it was damaged when the spool was opened: its state may be older than what was acknowledged. */
    f->what = "state";
    f->octets = 0;
    return !(lease->row.flags & SPOOL_ENTRY_DAMAGED);
}

void check_message(struct spool_check *c, uint64_t id)
{
    struct check_lease lease;

    for (int i = 0; i < CHECK_TRIES && check_lease_take(c->spool, id, &lease); i++) {
        struct spool_finding f = { 0 };
        bool good = is_whole(c, &lease, &f), same = good || stands(c->spool, &lease);
        if (same && !good)
            check_say_message(c, &lease, &f);
        check_lease_settle(c->spool, &lease);
        if (!same)
            continue;
        c->figures.contents++;
        c->figures.contents_good += good;
        return;
    }
}
