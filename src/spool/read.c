/* spool/read.c -- messages read back by their position, never given unless their sums match. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/internal.h"
#include "spool/reader.h"

/* ---- what stands where, taken from the index while the lock is held ---- */

struct lease {
    struct spool_entry_row row;
    uint64_t at[PLACES]; /* packed; 0: nothing */
    uint64_t life[PLACES];
    struct segment *segment[PLACES];
};

static bool lease_take(struct spool *spool, struct queue_id id, struct lease *lease)
{
    struct spool_entry_row row;

    if (!spool_index_get(spool->index, id, &row))
        return false;
    *lease = (struct lease){ .row = row, .at = { row.message, row.edit, row.outcome, row.hold } };
    for (int i = 0; i < PLACES; i++) {
        if (!lease->at[i])
            continue;
        struct segment *s = segments_find(&spool->segments, spool_position_of(lease->at[i]).segment);
        if (!s)
            continue;
        lease->segment[i] = s;
        lease->life[i] = s->life;
        s->readers++; /* not reused while it is read (INV-10) */
    }
    return true;
}

static void lease_settle(struct lease *lease)
{
    for (int i = 0; i < PLACES; i++)
        if (lease->segment[i])
            lease->segment[i]->readers--;
}

/* ---- the parts of one message, each in memory of its own ---- */

struct parts {
    struct spool_message_meta meta;
    uint64_t content; /* offset in the file of the log */
    uint64_t content_octets;
    struct str text[PLACES]; /* of AT_MESSAGE: the first envelope */
};

static void parts_done(struct parts *parts)
{
    for (int i = 0; i < PLACES; i++)
        free((char *)(uintptr_t)parts->text[i].p);
}

static bool decode(const struct lease *lease, enum place place, const struct reader_found *found,
                   struct parts *parts, struct str *text)
{
    static const enum spool_kind kinds[] = { SPOOL_KIND_MESSAGE, SPOOL_KIND_EDIT, SPOOL_KIND_OUTCOME,
                                             SPOOL_KIND_HOLD };
    uint32_t version;

    bool copy = place == AT_MESSAGE && found->row.kind == SPOOL_KIND_COPY;
    if ((found->row.kind != kinds[place] && !copy) || found->row.id.n != lease->row.id)
        return false;
    *text = found->meta;
    if (place == AT_OUTCOME)
        return spool_outcome_meta_get(found->meta, &version, text) && version == lease->row.version;
    if (place != AT_MESSAGE)
        return true;
    parts->content = found->content;
    parts->content_octets = found->row.content_octets;
    return spool_message_meta_get(found->meta, found->row.content_octets, &parts->meta, text);
}

/* 0, an errno of the disk or memory, or EBADMSG for damage. */
static int part_read(struct readers *readers, const struct lease *lease, enum place place,
                     struct parts *parts)
{
    struct reader *r = &readers->at[place];
    struct reader_found found;
    struct str text = STR_NONE;

    if (!lease->at[place])
        return 0;
    if (!lease->segment[place] ||
        !reader_record(r, spool_position_of(lease->at[place]), lease->life[place], &found))
        return r->e ? r->e : EBADMSG;
    if (!decode(lease, place, &found, parts, &text))
        return EBADMSG;
    char *octets = malloc(text.n + 1);
    if (!octets)
        return ENOMEM;
    if (text.n)
        memcpy(octets, text.p, text.n);
    parts->text[place] = str_of(octets, text.n);
    return 0;
}

/* ---- spool_read ---- */

static int file_read(struct spool *spool, const struct spool_message_meta *meta, struct spool_read *read)
{
    struct spool_disk *disk = spool->disk;
    uint64_t sum = 0;
    int e = disk->ops->open(disk, spool_own_name(meta->file).c, SPOOL_OPEN_READ, &read->file);

    if (e) {
        read->file = -1;
        return e == ENOENT ? EBADMSG : e;
    }
    e = own_file_sum(spool, read->file, meta->file, meta->file_octets, &sum);
    read->file_octets = meta->file_octets;
    return e ? e : sum == meta->file_sum ? 0 : EBADMSG;
}

/* Octets of the content, which may have come along with the front of the frame. R has just read its message.
 */
static int octets_read(struct reader *r, uint64_t at, char *to, size_t n)
{
    uint64_t from = at - (uint64_t)r->block * SPOOL_BLOCK;

    if (from + n > r->n)
        return spool_disk_read(r->disk, r->fd, to, n, at);
    if (n)
        memcpy(to, r->octets + from, n);
    return 0;
}

static int content_read(struct spool *spool, struct reader *r, const struct lease *lease,
                        const struct parts *parts, struct spool_read *read)
{
    size_t n = parts->content_octets, head = parts->meta.head_octets;

    read->content = malloc(n + 1);
    if (!read->content)
        return ENOMEM;
    int e = octets_read(r, parts->content, read->content, n);
    if (e)
        return e;
    if (spool_sum(&spool->secret, lease->life[AT_MESSAGE], parts->content, read->content, n) !=
        parts->meta.content_sum)
        return EBADMSG;
    read->head = str_of(read->content, head);
    read->body = str_of(read->content + head, n - head);
    return parts->meta.file ? file_read(spool, &parts->meta, read) : 0;
}

/* Hand the text over: it is READ's from now on. */
static struct str give(struct parts *parts, enum place place, char **owned)
{
    struct str text = parts->text[place];

    *owned = (char *)(uintptr_t)text.p;
    parts->text[place] = STR_NONE;
    return text;
}

/* What is known of the message whatever was asked for. */
static void know(const struct lease *lease, const struct parts *parts, struct spool_read *read)
{
    const struct spool_message_meta *meta = &parts->meta;

    read->accepted_utc_msec = meta->accepted_utc_msec;
    read->held = lease->row.flags & SPOOL_ENTRY_HELD;
    read->own_file = meta->file != 0;
    read->head_octets = meta->head_octets;
    read->body_octets = meta->file ? meta->file_octets : parts->content_octets - meta->head_octets;
    read->state_version = lease->row.version;
}

static int parts_for(struct spool *spool, struct readers *r, const struct lease *lease,
                     struct spool_read *read)
{
    struct parts parts = { 0 };
    int e = part_read(r, lease, AT_MESSAGE, &parts);

    if (!e && read->parts & SPOOL_READ_CONTENT)
        e = content_read(spool, &r->at[AT_MESSAGE], lease, &parts, read);
    if (!e && read->parts & SPOOL_READ_ENVELOPE)
        e = part_read(r, lease, AT_EDIT, &parts);
    if (!e && read->parts & SPOOL_READ_STATE)
        e = part_read(r, lease, AT_OUTCOME, &parts);
    if (!e && read->parts & SPOOL_READ_HOLD)
        e = part_read(r, lease, AT_HOLD, &parts);
    if (!e)
        know(lease, &parts, read);
    if (!e && read->parts & SPOOL_READ_ENVELOPE)
        read->envelope = give(&parts, lease->at[AT_EDIT] ? AT_EDIT : AT_MESSAGE, &read->octets[0]);
    if (!e && read->parts & SPOOL_READ_STATE)
        read->state = give(&parts, AT_OUTCOME, &read->octets[1]);
    if (!e && read->parts & SPOOL_READ_HOLD)
        read->hold_reason = give(&parts, AT_HOLD, &read->octets[2]);
    parts_done(&parts);
    return e;
}

static void drop(struct spool *spool, struct spool_read *read)
{
    if (read->file >= 0)
        spool->disk->ops->close(spool->disk, read->file);
    for (size_t i = 0; i < ARRAY_LEN(read->octets); i++) {
        free(read->octets[i]);
        read->octets[i] = NULL;
    }
    free(read->content);
    read->content = NULL;
    read->envelope = read->state = read->head = read->body = read->hold_reason = STR_NONE;
    read->file = -1;
    read->file_octets = 0;
}

void readers_init(struct readers *readers, const struct spool *spool)
{
    for (int i = 0; i < PLACES; i++)
        reader_init(&readers->at[i], spool->disk, &spool->secret);
}

void readers_done(struct readers *readers, const struct spool *spool)
{
    for (int i = 0; i < PLACES; i++)
        reader_done(&readers->at[i]);
    readers_init(readers, spool);
}

/* One read and the places of its message, which stay as they are until the lease is settled. */
struct job {
    struct spool_read *read;
    struct lease lease;
    bool there;
};

/* Read, without the lock. */
static void job_do(struct spool *spool, struct readers *readers, struct job *job)
{
    struct spool_read *read = job->read;

    if (!job->there) {
        read->status = SPOOL_READ_GONE;
        return;
    }
    int e = parts_for(spool, readers, &job->lease, read);
    if (!e && read->parts & SPOOL_READ_STATE && job->lease.row.flags & SPOOL_ENTRY_DAMAGED)
        e = EBADMSG; /* a newer one may have been what could not be read */
    read->status = SPOOL_READ_OK;
    if (!e)
        return;
    /* Its own file goes when it ends, also from under who reads it. */
    pthread_mutex_lock(&spool->lock);
    bool gone = !spool_index_has(spool->index, read->id);
    pthread_mutex_unlock(&spool->lock);
    drop(spool, read);
    if (e == EBADMSG && !gone && read->parts & SPOOL_READ_ANYWAY)
        salvage_read(spool, read);
    read->status = gone ? SPOOL_READ_GONE : e == EBADMSG ? SPOOL_READ_DAMAGED : SPOOL_READ_FAILED;
}

void read_some(struct spool *spool, struct readers *readers)
{
    struct job jobs[READS_AT_ONCE];
    uint32_t n = 0, most = (spool->reading_count + CONTENT_THREADS - 1) / CONTENT_THREADS;
    struct list *node;

    if (most > READS_AT_ONCE)
        most = READS_AT_ONCE;
    if (spool->options.manual)
        most = 1;
    for (; n < most && (node = list_take(&spool->reading)) != NULL; n++) {
        jobs[n].read = CONTAINER_OF(node, struct spool_read, node);
        jobs[n].there = lease_take(spool, jobs[n].read->id, &jobs[n].lease);
    }
    spool->reading_count -= n;
    pthread_mutex_unlock(&spool->lock);
    for (uint32_t i = 0; i < n; i++)
        job_do(spool, readers, &jobs[i]);
    pthread_mutex_lock(&spool->lock);
    if (list_empty(&spool->reads_ended))
        spool->read_usec = spool_now_usec(spool);
    for (uint32_t i = 0; i < n; i++) {
        if (jobs[i].there)
            lease_settle(&jobs[i].lease);
        list_append(&spool->reads_ended, &jobs[i].read->node);
    }
}

void spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read)
{
    *read = (struct spool_read){ .done = read->done, .file = -1, .id = id, .parts = parts };
    pthread_mutex_lock(&spool->lock);
    list_append(&spool->reading, &read->node);
    spool->reading_count++;
    pthread_cond_signal(&spool->content_cond);
    pthread_mutex_unlock(&spool->lock);
}

void spool_read_now(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read)
{
    struct readers readers;
    struct job job = { .read = read };

    *read = (struct spool_read){ .file = -1, .id = id, .parts = parts };
    readers_init(&readers, spool);
    pthread_mutex_lock(&spool->lock);
    job.there = lease_take(spool, id, &job.lease);
    pthread_mutex_unlock(&spool->lock);
    job_do(spool, &readers, &job);
    pthread_mutex_lock(&spool->lock);
    if (job.there)
        lease_settle(&job.lease);
    pthread_mutex_unlock(&spool->lock);
    readers_done(&readers, spool);
}

void spool_read_done(struct spool *spool, struct spool_read *read)
{
    drop(spool, read);
}
