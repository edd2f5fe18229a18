/* queue/message.c -- a message in memory: its recipients, and its octets while they are needed. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "io/fd.h"
#include "queue/queue.h"
#include "smtp/address.h"

enum { ENVELOPE_ARENA_MAX = 32 << 20, PROGRESS_ARENA_MAX = 32 << 20, STATE_MAX = 64 << 20 };

char *text_copy(struct str s)
{
    char *p = malloc(s.n + 1);

    if (!p)
        return NULL;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str recipient_address(const struct envelope_recipient *er, struct buf *out)
{
    struct smtp_path path = { .local = er->local, .domain = er->domain };

    buf_clear(out);
    return smtp_path_write(out, &path) ? buf_str(out) : STR("");
}

struct message *message_new(struct queue *q, struct queue_id id, int64_t accepted_msec)
{
    struct message *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    *m = (struct message){
        .queue = q,
        .id = id,
        .accepted_msec = accepted_msec,
        .state_octets = BUF_INIT(STATE_MAX),
    };
    list_init(&m->node);
    return m;
}

static void recipient_done(struct recipient *r)
{
    list_remove(&r->node);
    free(r->status);
    free(r->text);
    free(r->user);
    free(r->detail);
    free(r->domain);
    free(r->rule);
}

void message_free(struct message *m)
{
    if (!m)
        return;
    list_remove(&m->node);
    for (uint32_t i = 0; i < m->n_recipients; i++)
        recipient_done(&m->recipients[i]);
    free(m->recipients);
    content_free(m->queue, m->content);
    free(m->hold_reason);
    buf_done(&m->state_octets);
    free(m);
}

static struct recipient *recipient_numbered(struct message *m, uint32_t number)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].number == number)
            return &m->recipients[i];
    return NULL;
}

static bool apply_progress(struct message *m, struct str state, struct err *err)
{
    struct arena *a = arena_new(PROGRESS_ARENA_MAX);
    struct progress *items = NULL;
    size_t n = 0;
    bool ok = a ? progress_decode(state, a, &items, &n, err) : err_temp(err, "out of memory");

    for (size_t i = 0; ok && i < n; i++) {
        struct recipient *r = recipient_numbered(m, items[i].number);
        if (!r)
            continue;
        recipient_result(r, items[i].state, items[i].status, items[i].text);
        r->attempts = items[i].attempts;
        r->deaths = items[i].deaths;
        r->last_msec = items[i].last_msec;
    }
    arena_free(a);
    return ok;
}

bool message_recipients(struct message *m, const struct envelope *e, struct str state, struct err *err)
{
    size_t n = size_max(e->n_recipients, 1);

    m->recipients = calloc(n, sizeof(*m->recipients));
    if (!m->recipients)
        return err_temp(err, "out of memory");
    for (uint32_t i = 0; i < e->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        *r = (struct recipient){ .message = m, .index = i, .number = e->recipients[i].number };
        list_init(&r->node);
    }
    m->n_recipients = (uint32_t)e->n_recipients;
    return apply_progress(m, state, err);
}

void recipient_result(struct recipient *r, enum progress_state progress, struct str status, struct str text)
{
    r->progress = progress;
    free(r->status);
    free(r->text);
    /* Without memory for the words the state still counts. */
    r->status = text_copy(status);
    r->text = text_copy(str_head(text, PROGRESS_TEXT_MAX));
}

struct content *content_new(void)
{
    struct content *c = calloc(1, sizeof(*c));

    if (c)
        c->file = -1;
    return c;
}

void content_free(struct queue *q, struct content *c)
{
    if (!c)
        return;
    if (c->was_read)
        spool_read_done(q->spool, &c->read);
    fd_close(&c->file);
    arena_free(c->arena);
    q->content_memory -= c->n;
    free(c->octets);
    free(c);
}

bool content_decode(struct content *c, struct err *err)
{
    if (c->arena)
        return true;
    c->arena = arena_new(ENVELOPE_ARENA_MAX);
    if (!c->arena)
        return err_temp(err, "out of memory");
    return envelope_decode(c->envelope_octets, c->arena, &c->envelope, err);
}
