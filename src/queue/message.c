/* queue/message.c -- a message in memory: its recipients, and its octets while they are needed. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "io/fd.h"
#include "queue/queue.h"
#include "smtp/address.h"

enum { WAIT_MAX_MSEC = 24 * 3600 * 1000, REASON_OVER = 64 };
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

static void on_due(struct wheel_node *node)
{
    message_ready(CONTAINER_OF(node, struct message, due));
}

void message_tire(struct message *m)
{
    list_remove(&m->tired);
    list_append(&m->queue->tired, &m->tired);
    io_task_post(&m->queue->pump);
}

struct message *message_new(struct queue *q, struct queue_id id, int64_t accepted_msec)
{
    struct message *m = calloc(1, sizeof(*m));
    int64_t age = io_wall_msec() - accepted_msec;

    if (!m)
        return NULL;
    *m = (struct message){
        .queue = q,
        .id = id,
        .accepted_msec = accepted_msec,
        .age_msec = age > 0 ? age : 0,
        .since_msec = queue_now(q),
        .state_octets = BUF_INIT(STATE_MAX),
    };
    list_init(&m->node);
    list_init(&m->unpinned);
    list_init(&m->tired);
    list_init(&m->entries);
    wheel_node_init(&m->due, on_due);
    return m;
}

static void recipient_done(struct recipient *r)
{
    struct names *names = &r->message->queue->rests.names;

    list_remove(&r->node);
    names_drop(names, r->to_domain);
    names_drop(names, r->hop);
    free(r->status);
    free(r->text);
    free(r->on_reply);
    free(r->host);
    free(r->peer);
    free(r->site);
    free(r->user);
    free(r->detail);
    free(r->domain);
    free(r->rule);
}

void message_free(struct message *m)
{
    if (!m)
        return;
    edit_forget(m);
    list_remove(&m->node);
    list_remove(&m->tired);
    wheel_unset(&m->queue->wheel, &m->due);
    names_drop(&m->queue->rests.names, m->who);
    for (uint32_t i = 0; i < m->n_recipients; i++)
        recipient_done(&m->recipients[i]);
    free(m->recipients);
    message_drop_content(m);
    message_drop_envelope(m);
    free(m->hold_reason);
    free(m->written_reason);
    buf_done(&m->state_octets);
    free(m);
}

int64_t message_age(const struct message *m)
{
    return m->age_msec + queue_now(m->queue) - m->since_msec;
}

int64_t message_embargo_whole(const struct message *m)
{
    return m->release_msec > m->accepted_msec ? m->release_msec - m->accepted_msec : 0;
}

int64_t message_waited(const struct message *m)
{
    return message_age(m) - message_embargo_whole(m);
}

/* By the clock that its sender meant, which may leap: what waits for longer looks at it again in between. */
int64_t message_embargo(const struct message *m)
{
    int64_t left = m->release_msec && !m->early ? m->release_msec - io_wall_msec() : 0;

    return left < 0 ? 0 : left > WAIT_MAX_MSEC ? WAIT_MAX_MSEC : left;
}

size_t message_count(const struct message *m, enum progress_state progress)
{
    size_t n = 0;

    for (uint32_t i = 0; i < m->n_recipients; i++)
        n += m->recipients[i].progress == progress;
    return n;
}

void message_drop_content(struct message *m)
{
    list_remove(&m->unpinned);
    content_free(m->queue, m->content);
    m->content = NULL;
}

bool message_has_content(const struct message *m)
{
    return m->content && m->content->arena;
}

void message_pin(struct message *m)
{
    m->pins++;
    list_remove(&m->unpinned);
}

void message_unpin(struct message *m)
{
    BUG_ON(!m->pins);
    if (--m->pins > 0 || !m->content)
        return;
    list_append(&m->queue->unpinned, &m->unpinned);
    /* Somebody may wait for the room that it takes. */
    if (!list_empty(&m->queue->unread))
        io_task_post(&m->queue->pump);
}

static struct recipient *recipient_numbered(struct message *m, uint32_t number)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (m->recipients[i].number == number)
            return &m->recipients[i];
    return NULL;
}

void recipient_pin(struct recipient *r)
{
    if (!r->pinned)
        message_pin(r->message);
    r->pinned = true;
}

void recipient_unpin(struct recipient *r)
{
    if (r->pinned)
        message_unpin(r->message);
    r->pinned = false;
}

/* ---- what holds it, as on disk: "limit: limit account messages 3/h" ---- */

char *message_hold_text(const struct message *m)
{
    const char *words = m->hold_reason ? m->hold_reason : "";
    struct buf out = BUF_INIT(strlen(words) + REASON_OVER);

    buf_printf(&out, "%s: %s", log_reason_text(m->held), words);
    char *text = out.failed ? NULL : text_copy(buf_str(&out));
    buf_done(&out);
    return text;
}

bool message_take_hold(struct message *m, struct str text)
{
    struct str words = text;
    enum log_reason reason = log_reason_named(str_cut(&words, ':'));

    if (!text.n)
        return true;
    /* What does not begin with a reason was written by somebody else. */
    m->held = reason ? reason : LOG_REASON_ADMIN;
    m->hold_reason = text_copy(reason ? str_trim(words) : text);
    return m->hold_reason;
}

/* Without memory for the words the state still counts. */
static void apply_one(struct recipient *r, const struct progress *p)
{
    int64_t wait = p->next_msec - io_wall_msec();

    r->progress = p->state;
    r->attempts = p->attempts;
    r->deaths = p->deaths;
    r->code = p->code;
    r->warned = p->warned;
    r->warn_msec = p->warn_msec;
    r->warn_of = p->warned;
    r->from_peer = p->from_peer;
    r->first_msec = p->first_msec;
    r->last_msec = p->last_msec;
    r->next_msec = p->next_msec;
    r->status = text_copy(p->status);
    r->text = text_copy(p->text);
    r->on_reply = p->on_reply.n ? text_copy(p->on_reply) : NULL;
    r->host = text_copy(p->host);
    r->peer = text_copy(p->peer);
    r->site = p->site.n ? text_copy(p->site) : NULL;
    r->reason = log_reason_named(p->reason);
    r->message->released = r->message->released || p->released;
    r->message->early = r->message->early || p->early;
    /* A clock that leapt back makes nobody wait for longer than any schedule has it. */
    r->due_msec = queue_now(r->message->queue) + (wait > WAIT_MAX_MSEC ? WAIT_MAX_MSEC : wait > 0 ? wait : 0);
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
        apply_one(r, &items[i]);
    }
    arena_free(a);
    return ok;
}

static bool is_ours(const struct queue *q, struct str address)
{
    const char *at = address.n ? memrchr(address.p, '@', address.n) : NULL;

    return at && config_find_domain(q->worker->config, str_skip(address, (size_t)(at - address.p) + 1));
}

/* Who sends: the account that logged in, else the domain of the reverse-path, else the client (DESIGN 6: fair). */
static struct str sender_of(const struct envelope *e)
{
    const char *at = e->sender.n ? memrchr(e->sender.p, '@', e->sender.n) : NULL;

    if (e->account.n)
        return e->account;
    return at ? str_skip(e->sender, (size_t)(at - e->sender.p) + 1) : e->client;
}

static uint32_t hash_of(struct str address)
{
    const char *at = address.n ? memrchr(address.p, '@', address.n) : NULL;
    size_t n = at ? (size_t)(at - address.p) : address.n;

    return rest_hash(str_head(address, n), str_skip(address, at ? n + 1 : n));
}

bool message_recipients(struct message *m, const struct envelope *e, struct str state, struct err *err)
{
    struct names *names = &m->queue->rests.names;
    size_t n = size_max(e->n_recipients, 1);

    m->recipients = calloc(n, sizeof(*m->recipients));
    if (!m->recipients)
        return err_temp(err, "out of memory");
    for (uint32_t i = 0; i < e->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        const struct envelope_recipient *er = &e->recipients[i];
        *r = (struct recipient){
            .message = m,
            .index = i,
            .number = er->number,
            .to = rest_hash(er->local, er->domain),
            .to_domain = names_have(names, er->domain),
        };
        list_init(&r->node);
    }
    m->who = names_have(names, sender_of(e));
    m->from = hash_of(e->sender);
    m->n_recipients = (uint32_t)e->n_recipients;
    m->uid_plus = e->uid_plus;
    m->release_msec = e->release_msec;
    m->report = e->report != ENVELOPE_NO_REPORT;
    m->warnable = is_ours(m->queue, e->sender) && !e->report;
    return apply_progress(m, state, err);
}

static void rename_one(struct names *names, uint32_t *name, struct str text)
{
    uint32_t former = *name;

    *name = names_have(names, text);
    names_drop(names, former);
}

void message_renamed(struct message *m, const struct envelope *e)
{
    struct names *names = &m->queue->rests.names;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        struct recipient *r = &m->recipients[i];
        const struct envelope_recipient *er = &e->recipients[r->index];
        r->to = rest_hash(er->local, er->domain);
        rename_one(names, &r->to_domain, er->domain);
    }
    rename_one(names, &m->who, sender_of(e));
    m->from = hash_of(e->sender);
    m->warnable = is_ours(m->queue, e->sender) && !e->report;
    message_drop_envelope(m);
}

struct content *content_new(struct queue *q)
{
    struct content *c = calloc(1, sizeof(*c));

    if (c)
        *c = (struct content){ .queue = q, .file = -1 };
    if (c)
        list_init(&c->waking);
    return c;
}

struct content *content_copy(struct queue *q, struct str envelope, struct str head, struct str body)
{
    struct str parts[] = { envelope, head, body };
    struct content *c = content_new(q);
    size_t n = 0;
    bool ok = c != NULL;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        ok = ok && size_add(n, parts[i].n, &n);
    if (ok)
        c->octets = malloc(n ? n : 1);
    if (!ok || !c->octets) {
        free(c);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].n)
            memcpy(c->octets + c->n, parts[i].p, parts[i].n);
        parts[i].p = c->octets + c->n;
        c->n += parts[i].n;
    }
    c->envelope_octets = parts[0];
    c->head = parts[1];
    c->body = parts[2];
    q->content_memory += n;
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
    if (!list_empty(&q->unread))
        io_task_post(&q->pump);
    free(c->octets);
    free(c);
}

void content_take_read(struct content *c)
{
    c->was_read = true;
    c->envelope_octets = c->read.envelope;
    c->head = c->read.head;
    c->body = c->read.body;
    c->file = c->read.file;
    c->file_octets = c->read.file_octets;
    c->read.file = -1;
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

/* Kept until it rests: one message may have many records. */
static struct content *read_envelope(struct message *m)
{
    struct content *c = content_new(m->queue);
    struct err err = { 0 };

    if (!c)
        return NULL;
    spool_read_now(m->queue->spool, m->id, SPOOL_READ_ENVELOPE, &c->read);
    content_take_read(c);
    if (c->read.status == SPOOL_READ_OK && content_decode(c, &err))
        return c;
    content_free(m->queue, c);
    return NULL;
}

const struct envelope *message_envelope(struct message *m)
{
    if (message_has_content(m))
        return &m->content->envelope;
    if (!m->alone)
        m->alone = read_envelope(m);
    return m->alone ? &m->alone->envelope : NULL;
}

void message_drop_envelope(struct message *m)
{
    content_free(m->queue, m->alone);
    m->alone = NULL;
}
