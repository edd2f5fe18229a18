/* tests/simulate/world.c -- the queue, the model, and the comparison. */
#include "tests/simulate/world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulate/each.h"

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static void wrong(struct world *w, const char *what, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void wrong(struct world *w, const char *what, const char *fmt, ...)
{
    va_list ap;

    if (w->wrong)
        return;
    w->wrong = what;
    va_start(ap, fmt);
    vsnprintf(w->detail, sizeof(w->detail), fmt, ap);
    va_end(ap);
}

/* ---- what a message says: given by its id ---- */

enum { TEXT_ENVELOPE = 1, TEXT_STATE, TEXT_REASON, TEXT_CONTENT, EDITS_MAX = 50 };
enum { LIVE_MAX = 1000, LONG_MESSAGES = 400 }; /* a long deferred one outlives so many others at most */

/* N octets that only this id, kind and number have. */
static char *text_of(uint64_t id, unsigned kind, uint32_t number, size_t n)
{
    struct random r = { id * 31 + kind * 7919 + number };
    char *p = must(malloc(n + 1));

    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = random_next(&r);
        memcpy(p + i, &v, n - i < 8 ? n - i : 8);
    }
    return p;
}

static size_t envelope_octets(uint64_t id, uint32_t edit)
{
    return 20 + (id * 13 + edit * 7) % 300;
}

static size_t state_octets(uint64_t id, uint32_t version)
{
    return (id + version * 11) % 90;
}

static size_t head_octets(uint32_t size)
{
    return size < 40 ? size : 40;
}

static bool is_text(struct str got, uint64_t id, unsigned kind, uint32_t number, size_t n)
{
    char *want = text_of(id, kind, number, n);
    bool same = got.n == n && (!n || !memcmp(got.p, want, n));

    free(want);
    return same;
}

static char *lend(struct world_batch *b, char *p)
{
    if (b->octet_count == ARRAY_LEN(b->octets))
        abort();
    return b->octets[b->octet_count++] = p;
}

/* ---- clock ---- */

static int64_t world_utc(const struct spool_clock *clock)
{
    return CONTAINER_OF(clock, const struct world, clock)->utc_msec;
}

static int64_t world_boot(const struct spool_clock *clock)
{
    return CONTAINER_OF(clock, const struct world, clock)->boot_usec;
}

/* ---- batches ---- */

static struct world_message *message_of(struct world *w, const struct world_batch *b, unsigned part)
{
    return &w->messages[b->part[part].message];
}

static void batch_unlink(struct world *w, struct world_batch *b)
{
    struct world_batch **at = &w->batches;

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
}

static void batch_free(struct world_batch *b)
{
    for (unsigned i = 0; i < b->octet_count; i++)
        free(b->octets[i]);
    free(b);
}

/* It happened, or it did not, for all its parts alike (INV-11). */
static void batch_settle(struct world *w, struct world_batch *b, bool happened)
{
    for (unsigned i = 0; i < b->parts; i++) {
        struct world_message *m = message_of(w, b, i);
        m->busy = NULL;
        if (happened)
            m->sure = b->part[i].then;
        if (m->end == MESSAGE_OPEN && !m->sure.live)
            m->end = happened ? MESSAGE_GONE : MESSAGE_REFUSED;
    }
    batch_unlink(w, b);
    batch_free(b);
}

static void on_done(struct spool_commit *commit, const struct spool_result *result)
{
    struct world_batch *b = CONTAINER_OF(commit, struct world_batch, commit);
    struct world *w = b->world;
    struct spool_figures figures;

    if (w->calling)
        wrong(w, "a callback ran before the call returned", "%u parts", b->parts);
    if (w->disk->dead)
        return; /* nobody heard it */
    bool own = message_of(w, b, 0)->own && !message_of(w, b, 0)->sure.live;
    if (b->owed && result->status != SPOOL_OK && !w->faults && !(w->space_short && (own || w->closing)))
        wrong(w, "an owed batch was refused", "status %d", result->status);
    if (result->status != SPOOL_OK) {
        w->counts.refused++;
        if (!w->faults && !w->space_short)
            wrong(w, "a commit was refused on a disk without faults", "status %d", result->status);
        spool_figures(w->spool, &figures);
        b->doubtful = figures.health == SPOOL_HEALTH_REFUSING;
        if (b->doubtful)
            return;
    }
    batch_settle(w, b, result->status == SPOOL_OK);
}

static struct world_batch *batch_new(struct world *w, bool owed)
{
    struct world_batch *b = must(calloc(1, sizeof(*b)));

    b->world = w;
    b->owed = owed;
    b->commit.done = on_done;
    b->next = w->batches;
    w->batches = b;
    w->counts.batches++;
    return b;
}

static void batch_part(struct world *w, struct world_batch *b, size_t message, struct fate then)
{
    b->part[b->parts].message = message;
    b->part[b->parts++].then = then;
    w->messages[message].busy = b;
}

static void batch_submit(struct world *w, struct world_batch *b, struct spool_batch *batch)
{
    struct err err = { 0 };
    enum spool_urgency urgency = random_one_in(&w->random, 2) ? SPOOL_URGENT : SPOOL_RIDES;
    struct spool_submit how = { .urgency = urgency, .owed = b->owed };

    w->calling = true;
    bool ok = spool_submit(w->spool, batch, how, &b->commit, &err);
    w->calling = false;
    if (!ok) {
        wrong(w, "a good batch was not taken", "%s", err.text);
        spool_batch_free(batch);
        batch_settle(w, b, false);
    }
}

/* ---- new messages ---- */

static size_t message_new(struct world *w, struct queue_id id, uint32_t size)
{
    if (w->message_count == w->message_room) {
        w->message_room = w->message_room ? w->message_room * 2 : 64;
        w->messages = must(realloc(w->messages, w->message_room * sizeof(*w->messages)));
    }
    struct world_message *m = &w->messages[w->message_count];
    *m = (struct world_message){ .id = id, .size = size, .long_deferred = random_one_in(&w->random, 5) };
    for (unsigned i = 0; i < SPOOL_TOKEN_OCTETS; i++)
        m->token.octet[i] = (unsigned char)random_next(&w->random);
    w->counts.messages++;
    return w->message_count++;
}

static bool take_id(struct world *w, struct queue_id *id)
{
    if (!spool_take_ids(w->spool, 1, id))
        return false;
    if (id->n <= w->highest_id)
        wrong(w, "an id came twice (INV-8)", "%llu after %llu", (unsigned long long)id->n,
              (unsigned long long)w->highest_id);
    w->highest_id = id->n;
    return true;
}

static bool add_message(struct world *w, struct world_batch *b, struct spool_batch *batch, uint32_t size,
                        bool own)
{
    struct queue_id id;
    struct spool_file file = { 0 };

    if (!take_id(w, &id))
        return false;
    if (own && !spool_file_take(w->spool, &file))
        own = false;
    size_t at = message_new(w, id, size);
    struct world_message *m = &w->messages[at];
    size_t head = head_octets(size), body = size - head;
    char *content = lend(b, text_of(id.n, TEXT_CONTENT, 0, size));
    if (own) {
        (void)sim_disk_put(w->disk, file.fd, content + head, body, 0);
        w->disk->disk.ops->close(&w->disk->disk, file.fd);
    }
    m->own = own;
    size_t envelope = envelope_octets(id.n, 0);
    struct spool_message message = {
        .id = id,
        .token = m->token,
        .accepted_utc_msec = (int64_t)id.n,
        .envelope = str_of(lend(b, text_of(id.n, TEXT_ENVELOPE, 0, envelope)), envelope),
        .head = str_of(content, head),
        .body = own ? STR_NONE : str_of(content + head, body),
        .file = own ? file.number : 0,
        .file_octets = own ? body : 0,
    };
    batch_part(w, b, at, (struct fate){ .live = true });
    return spool_batch_message(batch, &message);
}

/* The simulated folder has room for so many names. */
static bool is_enough(struct world *w)
{
    struct spool_figures figures;

    spool_figures(w->spool, &figures);
    return figures.messages >= LIVE_MAX;
}

void world_accept(struct world *w, uint32_t size, bool own, bool owed)
{
    if (is_enough(w))
        return;
    struct world_batch *b = batch_new(w, owed);
    struct spool_batch *batch = must(spool_batch_new());

    if (!add_message(w, b, batch, size, own)) {
        spool_batch_free(batch);
        batch_settle(w, b, false);
        return;
    }
    batch_submit(w, b, batch);
}

/* ---- changes ---- */

/* A live message that nothing is under way for; count when there is none. */
static size_t some_message(struct world *w)
{
    size_t at = w->message_count ? random_below(&w->random, w->message_count) : 0;

    for (size_t i = 0; i < w->message_count && i < 64; i++, at = (at + 1) % w->message_count)
        if (w->messages[at].sure.live && !w->messages[at].busy)
            return at;
    return w->message_count;
}

static bool add_outcome(struct world_batch *b, struct spool_batch *batch, struct queue_id id,
                        struct fate *then)
{
    uint32_t version = ++then->version;
    size_t n = state_octets(id.n, version);

    return spool_batch_outcome(batch, id, version, str_of(lend(b, text_of(id.n, TEXT_STATE, version, n)), n));
}

static bool add_hold(struct world_batch *b, struct spool_batch *batch, struct queue_id id, struct fate *then)
{
    struct str reason = str_of(lend(b, text_of(id.n, TEXT_REASON, 0, 12)), 12);

    then->held = !then->held;
    return then->held ? spool_batch_hold(batch, id, reason) : spool_batch_release(batch, id, reason);
}

static bool add_edit(struct world_batch *b, struct spool_batch *batch, struct queue_id id, struct fate *then)
{
    uint32_t edit = ++then->edit;
    size_t n = envelope_octets(id.n, edit);

    return spool_batch_edit(batch, id, str_of(lend(b, text_of(id.n, TEXT_ENVELOPE, edit, n)), n));
}

enum { OUTCOME = 0, CHANGES = 16, CHANGES_THAT_GO_ON = 9 };

/* An outcome, a hold or release, an edit, an end; often an end with an outcome and a report in the same
 * frame. */
static void change(struct world *w, size_t at, uint64_t what)
{
    struct queue_id id = w->messages[at].id;
    struct fate then = w->messages[at].sure;
    struct world_batch *b = batch_new(w, true);
    struct spool_batch *batch = must(spool_batch_new());
    bool ok = true;

    if (what < 6 || what > 12)
        ok = add_outcome(b, batch, id, &then);
    if (what == 6 || what == 7)
        ok = add_hold(b, batch, id, &then);
    if (what == 8)
        ok = add_edit(b, batch, id, &then);
    if (what > 8) {
        then = (struct fate){ .version = then.version };
        ok = ok && (what == 9 ? spool_batch_void(batch, id) : spool_batch_gone(batch, id));
    }
    batch_part(w, b, at, then);
    if (what > 13)
        ok = ok && add_message(w, b, batch, 300, false);
    if (!ok) {
        spool_batch_free(batch);
        batch_settle(w, b, false);
        return;
    }
    batch_submit(w, b, batch);
}

void world_change(struct world *w)
{
    size_t at = some_message(w);

    if (at == w->message_count)
        return;
    bool goes_on = w->messages[at].long_deferred && at + LONG_MESSAGES > w->message_count &&
                   !random_one_in(&w->random, 30);
    change(w, at, random_below(&w->random, goes_on ? CHANGES_THAT_GO_ON : CHANGES));
}

void world_defer(struct world *w)
{
    size_t at = some_message(w);

    if (at < w->message_count)
        change(w, at, OUTCOME);
}

/* ---- reading back ---- */

struct world_read {
    struct spool_read read;
    struct world *world;
    struct world_message was;
};

static void check_content(struct world *w, const struct world_message *m, const struct spool_read *r)
{
    char *want = text_of(m->id.n, TEXT_CONTENT, 0, m->size);
    size_t head = head_octets(m->size), body = m->size - head;
    bool same = r->head.n == head && !memcmp(r->head.p, want, head);

    if (m->own) {
        char *got = must(malloc(body + 1));
        same = same && r->file_octets == body && r->file >= 0 &&
               (!spool_disk_read(&w->disk->disk, r->file, got, body, 0) ? !memcmp(got, want + head, body)
                                                                        : true);
        free(got);
    } else {
        same = same && r->body.n == body && (!body || !memcmp(r->body.p, want + head, body));
    }
    if (!same)
        wrong(w, "the content read back is another", "id %llu", (unsigned long long)m->id.n);
    free(want);
}

static void on_read(struct spool_read *read)
{
    struct world_read *r = CONTAINER_OF(read, struct world_read, read);
    struct world *w = r->world;
    const struct world_message *m = &r->was;

    w->reading--;
    w->counts.reads++;
    if (read->status == SPOOL_READ_DAMAGED ||
        (read->status == SPOOL_READ_FAILED && !w->faults && !w->disk->dead))
        wrong(w, "a live message could not be read", "status %d id %llu", read->status,
              (unsigned long long)m->id.n);
    if (read->status == SPOOL_READ_OK) {
        check_content(w, m, read);
        uint32_t edit = 0;
        while (edit < EDITS_MAX &&
               !is_text(read->envelope, m->id.n, TEXT_ENVELOPE, edit, envelope_octets(m->id.n, edit)))
            edit++;
        if (edit == EDITS_MAX || edit < m->sure.edit)
            wrong(w, "the envelope read back is another", "id %llu", (unsigned long long)m->id.n);
        if (read->state_version && !is_text(read->state, m->id.n, TEXT_STATE, read->state_version,
                                            state_octets(m->id.n, read->state_version)))
            wrong(w, "the state read back is another", "id %llu", (unsigned long long)m->id.n);
    }
    spool_read_done(w->spool, read);
    free(r);
}

static void read_some(struct world *w)
{
    size_t at = some_message(w);

    if (at == w->message_count || w->reading > 4)
        return;
    struct world_read *r = must(calloc(1, sizeof(*r)));
    r->world = w;
    r->was = w->messages[at];
    r->read.done = on_read;
    w->reading++;
    w->calling = true;
    spool_read(w->spool, w->messages[at].id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT,
               &r->read);
    w->calling = false;
}

/* ---- time passes ---- */

static void steps(struct world *w)
{
    int64_t until;

    switch (random_below(&w->random, 4)) {
    case 0:
        (void)spool_step_upkeep(w->spool, &until);
        break;
    case 1:
        (void)spool_step_content(w->spool);
        break;
    default:
        (void)spool_step_commit(w->spool, &until);
    }
}

static void take_and_return(struct world *w)
{
    struct spool_file file;

    if (!spool_file_take(w->spool, &file))
        return;
    (void)sim_disk_put(w->disk, file.fd, "abandoned", 9, 0);
    w->disk->disk.ops->close(&w->disk->disk, file.fd);
    spool_file_return(w->spool, file.number);
}

/* After writing works again, what was doubtful is certain. */
static void note_health(struct world *w)
{
    struct spool_figures figures;

    spool_figures(w->spool, &figures);
    if (figures.health == SPOOL_HEALTH_REFUSING) {
        w->counts.latched++;
        return;
    }
    for (struct world_batch *b = w->batches, *next; !w->disk->dead && b; b = next) {
        next = b->next;
        if (b->doubtful)
            batch_settle(w, b, false);
    }
}

static uint32_t some_size(struct world *w, bool *own)
{
    *own = random_one_in(&w->random, 6);
    if (*own)
        return 2000 + (uint32_t)random_below(&w->random, 9000);
    return (uint32_t)random_below(&w->random, random_one_in(&w->random, 5) ? 6000 : 900);
}

/* Now and then the clock of the day is put hours or days forward or back. */
static int64_t clock_step(struct world *w)
{
    static const int64_t hour = 3600 * 1000;

    if (!random_one_in(&w->random, 100))
        return 0;
    int64_t hours = (int64_t)random_below(&w->random, random_one_in(&w->random, 2) ? 10 : 500);
    return (random_one_in(&w->random, 2) ? hours : -hours) * hour;
}

void world_step(struct world *w)
{
    bool own;
    uint32_t size = some_size(w, &own);
    uint64_t what = random_below(&w->random, 32);

    if (what < 4)
        world_accept(w, size, own, random_one_in(&w->random, 16));
    else if (what < 14)
        world_change(w);
    else if (what == 14)
        read_some(w);
    else if (what == 15)
        take_and_return(w);
    else if (what == 16)
        spool_expect(w->spool, (unsigned)random_below(&w->random, 4));
    else if (what == 17 && random_one_in(&w->random, 4))
        spool_want_checkpoint(w->spool);
    else
        steps(w);
    w->boot_usec += (int64_t)random_below(&w->random, random_one_in(&w->random, 40) ? 40000000 : 3000);
    w->utc_msec += 1 + clock_step(w);
    if (random_one_in(&w->random, 3)) {
        spool_poll(w->spool);
        note_health(w);
    }
}

void world_settle(struct world *w)
{
    int64_t until;
    bool more = true;

    for (int i = 0; more && i < 10000; i++) {
        enum spool_step a = spool_step_content(w->spool);
        enum spool_step b = spool_step_commit(w->spool, &until);
        enum spool_step c = spool_step_upkeep(w->spool, &until);
        more = a == SPOOL_STEP_DONE || b != SPOOL_STEP_IDLE || c == SPOOL_STEP_DONE;
        w->boot_usec += b == SPOOL_STEP_WAIT ? 1000000 : 1;
        spool_poll(w->spool);
        note_health(w);
        if (w->disk->dead)
            return;
    }
    if (more && !w->faults)
        wrong(w, "the spool never comes to rest", "%s", "");
}

/* ---- start and end ---- */

bool world_open(struct world *w)
{
    struct err err = { 0 };

    w->spool = spool_open(&w->options, &err);
    if (w->spool)
        return true;
    w->counts.ends_failed_open++;
    if (!w->disk->dead && !w->faults)
        wrong(w, "the spool could not be opened", "%s", err.text);
    return false;
}

static void count_figures(struct world *w)
{
    struct spool_figures figures;

    spool_figures(w->spool, &figures);
    w->counts.frames += figures.frames;
    w->counts.checkpoints += figures.checkpoints;
    w->counts.rounds += figures.written > figures.log_octets;
    w->counts.cleaned += figures.cleaned;
    w->counts.in_cleaning += figures.cleaning;
}

void world_end(struct world *w, enum sim_end end)
{
    if (w->spool) {
        count_figures(w);
        w->disk->dead = true;
        /* Reads under way are let end, so that their memory is. */
        while (w->reading && spool_step_content(w->spool) == SPOOL_STEP_DONE)
            ;
        spool_poll(w->spool);
        spool_die(w->spool);
        w->spool = NULL;
    }
    if (end == SIM_END_POWER)
        w->counts.ends_power++;
    else
        w->counts.ends_process++;
    sim_disk_end(w->disk, end);
}

void world_close(struct world *w)
{
    count_figures(w);
    w->closing = true;
    spool_close(w->spool);
    w->closing = false;
    w->spool = NULL;
    w->counts.ends_orderly++;
    sim_disk_end(w->disk, SIM_END_PROCESS);
}

/* ---- the comparison ---- */

struct seen {
    struct world *world;
    struct fate *fate; /* by message */
    uint64_t last;
};

static size_t message_by_id(const struct world *w, uint64_t id)
{
    size_t low = 0, high = w->message_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->messages[mid].id.n < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < w->message_count && w->messages[low].id.n == id ? low : w->message_count;
}

static void on_entry(void *ctx, const struct spool_read *entry, bool damaged)
{
    struct seen *seen = ctx;
    struct world *w = seen->world;
    uint64_t id = entry->id.n;
    size_t at = message_by_id(w, id);

    if (id <= seen->last)
        wrong(w, "messages are not visited in order", "id %llu", (unsigned long long)id);
    seen->last = id;
    if (at == w->message_count) {
        wrong(w, "a message that nobody sent", "id %llu", (unsigned long long)id);
        return;
    }
    const struct world_message *m = &w->messages[at];
    struct fate *fate = &seen->fate[at];
    *fate = (struct fate){ .live = true, .version = entry->state_version, .held = entry->held };
    if (damaged)
        wrong(w, "a message is damaged", "id %llu", (unsigned long long)id);
    while (fate->edit < EDITS_MAX &&
           !is_text(entry->envelope, id, TEXT_ENVELOPE, fate->edit, envelope_octets(id, fate->edit)))
        fate->edit++;
    if (fate->edit == EDITS_MAX)
        wrong(w, "an envelope is another", "id %llu", (unsigned long long)id);
    if (fate->version &&
        !is_text(entry->state, id, TEXT_STATE, fate->version, state_octets(id, fate->version)))
        wrong(w, "a state is another", "id %llu version %u", (unsigned long long)id, fate->version);
    if (entry->own_file != m->own || entry->head_octets != head_octets(m->size) ||
        entry->body_octets != m->size - head_octets(m->size) || entry->accepted_utc_msec != (int64_t)id)
        wrong(w, "what is known of a message is another", "id %llu", (unsigned long long)id);
}

static bool same_fate(struct fate a, struct fate b)
{
    return a.live == b.live && (!a.live || (a.version == b.version && a.held == b.held && a.edit == b.edit));
}

/* Was the batch in a frame that counts? All its parts must say the same (INV-11). */
static void settle_unknown(struct world *w, struct world_batch *b, const struct fate *fate)
{
    unsigned yes = 0, no = 0;

    for (unsigned i = 0; i < b->parts; i++) {
        size_t at = b->part[i].message;
        bool after = same_fate(fate[at], b->part[i].then), before = same_fate(fate[at], w->messages[at].sure);
        if (!after && !before)
            wrong(w, "a message is neither as before nor as after",
                  "id %llu live %d version %u held %d edit %u", (unsigned long long)w->messages[at].id.n,
                  fate[at].live, fate[at].version, fate[at].held, fate[at].edit);
        yes += after && !before;
        no += before && !after;
    }
    if (yes && no)
        wrong(w, "half of a batch (INV-11)", "%u of %u parts", yes, b->parts);
    batch_settle(w, b, yes != 0);
}

static void check_token(struct world *w, struct world_message *m)
{
    struct queue_id id = { 0 };
    enum spool_token_state state = spool_token_find(w->spool, &m->token, &id);

    if (m->sure.live && (state != SPOOL_TOKEN_ACCEPTED || id.n != m->id.n))
        wrong(w, "the token of a live message is not known", "id %llu", (unsigned long long)m->id.n);
    if (m->end == MESSAGE_REFUSED && state == SPOOL_TOKEN_ACCEPTED)
        wrong(w, "the token of a refused message stands", "id %llu", (unsigned long long)m->id.n);
}

static void read_all(struct world *w)
{
    for (size_t i = 0; i < w->message_count; i++) {
        struct world_message *m = &w->messages[i];
        if (!m->sure.live)
            continue;
        struct world_read *r = must(calloc(1, sizeof(*r)));
        r->world = w;
        r->was = *m;
        r->read.done = on_read;
        w->reading++;
        spool_read(w->spool, m->id, SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT, &r->read);
    }
    while (spool_step_content(w->spool) == SPOOL_STEP_DONE)
        ;
    spool_poll(w->spool);
}

void world_check(struct world *w)
{
    struct err err = { 0 };
    struct seen seen = { .world = w, .fate = must(calloc(w->message_count + 1, sizeof(struct fate))) };

    if (!each_message(w->spool, on_entry, &seen, &err) && !w->faults)
        wrong(w, "the messages could not be visited", "%s", err.text);
    else if (err.kind == ERR_NONE) {
        w->counts.dropped += spool_recovered(w->spool)->dropped_frames;
        if (spool_recovered(w->spool)->lost_frames)
            wrong(w, "durable frames were lost", "%s", spool_recovered(w->spool)->text);
        while (w->batches)
            settle_unknown(w, w->batches, seen.fate);
        for (size_t i = 0; i < w->message_count; i++) {
            struct world_message *m = &w->messages[i];
            if (!same_fate(seen.fate[i], m->sure))
                wrong(w,
                      m->sure.live ? seen.fate[i].live ? "a state went back or forth"
                                                       : "an acknowledged message is lost"
                                   : "a message came back",
                      "id %llu live %d version %u of %u held %d edit %u", (unsigned long long)m->id.n,
                      seen.fate[i].live, seen.fate[i].version, m->sure.version, seen.fate[i].held,
                      seen.fate[i].edit);
            check_token(w, m);
        }
        read_all(w);
    }
    free(seen.fate);
}

void world_init(struct world *w, uint64_t seed, enum sim_mutant mutant)
{
    *w = (struct world){ .random = { seed }, .utc_msec = 1000, .boot_usec = 1000000 };
    w->disk = sim_disk_new(seed ^ 0x5eed);
    w->disk->mutant = mutant;
    w->clock = (struct spool_clock){ .utc_msec = world_utc, .boot_usec = world_boot };
    w->options = (struct spool_options){
        .disk = &w->disk->disk,
        .clock = &w->clock,
        .segment_octets = 4096U * (5 + (uint32_t)random_below(&w->random, 12)),
        .own_files = 3,
        .manual = true,
    };
}

void world_done(struct world *w)
{
    while (w->batches)
        batch_settle(w, w->batches, false);
    free(w->messages);
    sim_disk_free(w->disk);
}
