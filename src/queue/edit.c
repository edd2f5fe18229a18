/*
 * queue/edit.c -- another sender, other addresses, another route for what still waits of a message (queue edit).
 *
 * All of an edit is checked before any of it is done. The new envelope goes to disk in one batch with the state of the
 * recipients (INV-11), and only then is the edit answered; what was changed is tried at once.
 */
#include <stdlib.h>
#include <string.h>

#include "config/target.h"
#include "core/num.h"
#include "queue/queue.h"

enum { ENVELOPE_ROOM = ENVELOPE_OCTETS_MAX, TEXT_ROOM = 2048, ARENA_ROOM = 16 << 20, ADDRESS_PARTS = 4 };

/* One address in place of another. */
struct change {
    struct str old_local, old_domain, local, domain;
};

/* An edit from its question to its answer. */
struct editing {
    struct want want;
    struct queue *queue;
    struct arena *arena; /* this stands in it, too */
    uint32_t instance;   /* of the control that asked */
    uint64_t ticket;
    bool has_sender, has_route;
    struct str sender, route;
    struct change *changes;
    size_t n_changes;
    uint32_t n_done;     /* recipients changed */
    struct buf envelope; /* the new one: the spool borrows it until it is durable */
    bool in_batch;       /* of what is being written */
};

/* ---- the answer ---- */

static void answer(struct editing *e, enum ipc_edit status, bool held, struct str text, const char *cure)
{
    struct ipc_channel *to = queue_peer(e->queue, PROCESS_CONTROL, e->instance);

    if (to)
        ipc_send_queue_edit_answer(to, &(struct ipc_queue_edit_answer){
                                           .ticket = e->ticket,
                                           .status = (uint8_t)status,
                                           .count = e->n_done,
                                           .held = held,
                                           .text = text,
                                           .cure = str_from_c(cure),
                                       });
    buf_done(&e->envelope);
    arena_free(e->arena);
}

/* Nothing was changed, and false. */
static bool refuse(struct editing *e, enum ipc_edit status, const char *text, const char *cure)
{
    answer(e, status, false, str_from_c(text), cure);
    return false;
}

/* "bob@example.net TEXT" */
static bool refuse_address(struct editing *e, enum ipc_edit status, struct str local, struct str domain,
                           const char *text, const char *cure)
{
    struct buf address = BUF_INIT(TEXT_ROOM), out = BUF_INIT(TEXT_ROOM);
    struct envelope_recipient er = { .local = local, .domain = domain };

    buf_add(&out, recipient_address(&er, &address));
    buf_add_char(&out, ' ');
    buf_add_c(&out, text);
    answer(e, status, false, buf_str(&out), cure);
    buf_done(&address);
    buf_done(&out);
    return false;
}

/* ---- what is asked for ---- */

static bool cut_text(struct str *rest, struct arena *a, struct str *out)
{
    if (rest->n < 2 || (size_t)le16_get(rest->p) > rest->n - 2)
        return false;
    size_t n = le16_get(rest->p);
    *out = arena_str(a, str_slice(*rest, 2, 2 + n));
    *rest = str_skip(*rest, 2 + n);
    return out->p != NULL;
}

static bool take_changes(struct editing *e, const struct ipc_queue_edit_ask *ask)
{
    struct str rest = ask->recipients;

    if (ask->count > rest.n / (2 * ADDRESS_PARTS))
        return false;
    e->changes = ARENA_NEW_ARRAY(e->arena, ask->count + 1, struct change);
    for (; e->changes && e->n_changes < ask->count; e->n_changes++) {
        struct change *c = &e->changes[e->n_changes];
        if (!cut_text(&rest, e->arena, &c->old_local) || !cut_text(&rest, e->arena, &c->old_domain) ||
            !cut_text(&rest, e->arena, &c->local) || !cut_text(&rest, e->arena, &c->domain))
            return false;
    }
    return e->changes != NULL;
}

/* As a configuration would write it; empty: the routes of the configuration again. */
static bool take_route(struct editing *e, struct str route, struct err *err)
{
    const struct config_target *targets;
    struct buf text = BUF_INIT(CONFIG_TARGETS_TEXT_MAX);
    size_t n;

    e->route = STR("");
    if (!e->has_route || !route.n)
        return true;
    bool ok = config_targets_parse(route, e->arena, &targets, &n, err);
    if (ok && !config_targets_write(&text, targets, n))
        ok = err_perm(err, "the target is longer than %d octets", CONFIG_TARGETS_TEXT_MAX);
    if (ok)
        e->route = arena_str(e->arena, buf_str(&text));
    buf_done(&text);
    return ok && (e->route.p || err_temp(err, "the queue is short of memory"));
}

/* ---- whom it is about ---- */

static bool is_address(const struct envelope_recipient *er, struct str local, struct str domain)
{
    return er->kind == ENVELOPE_ADDRESS && str_eq_nocase(er->local, local) && str_eq_nocase(er->domain, domain);
}

static struct change *change_of(struct editing *e, const struct envelope_recipient *er)
{
    for (size_t i = 0; i < e->n_changes; i++)
        if (is_address(er, e->changes[i].old_local, e->changes[i].old_domain))
            return &e->changes[i];
    return NULL;
}

static bool is_waiting(const struct recipient *r)
{
    return r->progress == PROGRESS_WAITING;
}

/* What came of an attempt, and is on its way to the disk, goes there before the edit. */
static bool is_under_way(const struct recipient *r)
{
    return r->state == RECIPIENT_LEASED;
}

/* Is R changed? A route alone is for all that wait, and can be for addresses only. */
static bool is_meant(struct editing *e, const struct recipient *r, const struct envelope *env)
{
    const struct envelope_recipient *er = &env->recipients[r->index];

    if (!is_waiting(r) || er->kind != ENVELOPE_ADDRESS)
        return false;
    return e->n_changes ? change_of(e, er) != NULL : e->has_route;
}

/* ---- checks ---- */

static bool refuse_unknown(struct editing *e, const struct message *m, const struct envelope *env,
                           const struct change *c)
{
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (!is_address(&env->recipients[r->index], c->old_local, c->old_domain))
            continue;
        bool well = r->progress == PROGRESS_DELIVERED;
        return refuse_address(e, IPC_EDIT_WRONG, c->old_local, c->old_domain,
                              well ? "has been delivered already" : "does not wait any more: it was refused for good",
                              "");
    }
    return refuse_address(e, IPC_EDIT_WRONG, c->old_local, c->old_domain, "is no recipient of this message",
                          "veredus queue show ID lists them");
}

static bool is_same(struct str local, struct str domain, struct str other_local, struct str other_domain)
{
    return str_eq_nocase(local, other_local) && str_eq_nocase(domain, other_domain);
}

/* One change is not another's. */
static bool check_pair(struct editing *e, const struct change *c, const struct change *other)
{
    if (is_same(c->old_local, c->old_domain, other->old_local, other->old_domain))
        return refuse_address(e, IPC_EDIT_WRONG, c->old_local, c->old_domain, "is to become two others: which?", "");
    if (is_same(c->local, c->domain, other->local, other->domain))
        return refuse_address(e, IPC_EDIT_WRONG, c->local, c->domain, "would be a recipient twice", "");
    return true;
}

/* Each OLD is one that waits; no NEW is a recipient already. */
static bool check_change(struct editing *e, const struct message *m, const struct envelope *env, const struct change *c)
{
    bool same = is_same(c->old_local, c->old_domain, c->local, c->domain), found = false;

    for (const struct change *other = e->changes; other < c; other++)
        if (!check_pair(e, c, other))
            return false;
    if (!str_is_ascii(c->local) && !env->smtputf8)
        return refuse_address(e, IPC_EDIT_WRONG, c->local, c->domain,
                              "needs SMTPUTF8, which this message did not ask for", "");
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct envelope_recipient *er = &env->recipients[m->recipients[i].index];
        found = found || (is_waiting(&m->recipients[i]) && is_address(er, c->old_local, c->old_domain));
        if (!same && is_address(er, c->local, c->domain))
            return refuse_address(e, IPC_EDIT_WRONG, c->local, c->domain, "is a recipient already", "");
    }
    return found || refuse_unknown(e, m, env, c);
}

static bool check_under_way(struct editing *e, const struct message *m, const struct envelope *env)
{
    bool any = e->has_sender || e->n_changes;

    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (!is_meant(e, r, env))
            continue;
        any = true;
        if (is_under_way(r))
            return refuse_address(e, IPC_EDIT_LATER, env->recipients[r->index].local, env->recipients[r->index].domain,
                                  "is being tried just now",
                                  "veredus queue hold ID keeps it when that is over; then edit, and release");
    }
    return any || refuse(e, IPC_EDIT_WRONG, "no address of this message waits: there is nothing to route", "");
}

/* What somebody else is doing with it just now. */
static bool check_message(struct editing *e, const struct message *m)
{
    if (!message_has_content(m))
        return refuse(e, IPC_EDIT_LATER, "the message cannot be read from the disk", "the log says why");
    if (m->removing || m->bouncing || m->state == MESSAGE_ENDING)
        return refuse(e, IPC_EDIT_UNKNOWN, "the message is about to end", "");
    if (m->editing || m->reporting)
        return refuse(e, IPC_EDIT_LATER, "something else about it is being written just now", "try again");
    if (m->queue->health == SPOOL_HEALTH_REFUSING)
        return refuse(e, IPC_EDIT_LATER, "the disk refuses writes: nothing was changed", "veredus status");
    if (e->has_sender && !str_is_ascii(e->sender) && !m->content->envelope.smtputf8)
        return refuse(e, IPC_EDIT_WRONG, "the sender needs SMTPUTF8, which this message did not ask for", "");
    if (e->has_sender && m->report)
        return refuse(e, IPC_EDIT_WRONG, "it is a report of this server: those have no sender (RFC 5321 4.5.5)", "");
    return true;
}

static bool check(struct editing *e, const struct message *m)
{
    if (!check_message(e, m))
        return false;
    for (size_t i = 0; i < e->n_changes; i++)
        if (!check_change(e, m, &m->content->envelope, &e->changes[i]))
            return false;
    return check_under_way(e, m, &m->content->envelope);
}

/* ---- the new envelope ---- */

static struct envelope_recipient changed(struct editing *e, const struct recipient *r, const struct envelope *env)
{
    struct envelope_recipient er = env->recipients[r->index];
    const struct change *c = change_of(e, &er);

    if (!is_meant(e, r, env))
        return er;
    if (c) {
        er.local = c->local;
        er.domain = c->domain;
    }
    if (e->has_route)
        er.route = e->route;
    return er;
}

/* Its octets, in E; false without memory, and nothing is changed. */
static bool write_envelope(struct editing *e, const struct message *m)
{
    struct envelope env = m->content->envelope;
    struct envelope_recipient *recipients = ARENA_NEW_ARRAY(e->arena, env.n_recipients, struct envelope_recipient);

    if (!recipients)
        return false;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        recipients[m->recipients[i].index] = changed(e, &m->recipients[i], &m->content->envelope);
    env.recipients = recipients;
    if (e->has_sender)
        env.sender = e->sender;
    return envelope_encode(&e->envelope, &env);
}

/* In place of the one in memory, whose octets live on with it: somebody may still have texts of them. */
static bool take_envelope(struct editing *e, struct content *c)
{
    struct str octets = arena_str(c->arena, buf_str(&e->envelope));
    struct envelope env;
    struct err err = { 0 };

    if (!octets.p || !envelope_decode(octets, c->arena, &env, &err))
        return false;
    c->envelope = env;
    return true;
}

/* ---- done ---- */

static void forget(char **text)
{
    free(*text);
    *text = NULL;
}

/* What was said to another address, or by another host, says nothing about it: it is new, and due. */
static void begin_anew(struct recipient *r)
{
    char **const texts[] = { &r->status, &r->text, &r->on_reply, &r->host, &r->peer, &r->site, &r->rule };

    if (r->state != RECIPIENT_IDLE)
        queue_withdraw(r);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        forget(texts[i]);
    names_drop(&r->message->queue->rests.names, r->hop);
    r->hop = 0;
    r->attempts = r->deaths = r->code = 0;
    r->from_peer = false;
    r->held = false;
    r->first_msec = r->last_msec = r->next_msec = r->warn_msec = 0;
    r->reason = LOG_REASON_NONE;
    r->due_msec = queue_now(r->message->queue);
}

static void apply(struct editing *e, struct message *m)
{
    bool *meant = ARENA_NEW_ARRAY(e->arena, m->n_recipients + 1, bool);

    for (uint32_t i = 0; meant && i < m->n_recipients; i++)
        meant[i] = is_meant(e, &m->recipients[i], &m->content->envelope);
    if (!meant || !write_envelope(e, m) || !take_envelope(e, m->content)) {
        refuse(e, IPC_EDIT_LATER, "the queue is short of memory: nothing was changed", "try again");
        return;
    }
    message_pin(m);
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        if (!meant[i])
            continue;
        begin_anew(&m->recipients[i]);
        e->n_done++;
    }
    message_renamed(m, &m->content->envelope);
    m->editing = e;
    m->dirty = true;
    message_settle(m);
    if (e->n_done)
        message_ready(m);
    message_unpin(m);
}

static void have(struct want *want, struct message *m)
{
    struct editing *e = CONTAINER_OF(want, struct editing, want);

    if (!m && rest_find(e->queue, want->id))
        refuse(e, IPC_EDIT_LATER, "the message cannot be read from the disk", "veredus spool check says what is wrong");
    else if (!m)
        refuse(e, IPC_EDIT_UNKNOWN, "no such message in the queue",
               "it was delivered, returned or removed: veredus trace ID tells which");
    else if (check(e, m))
        apply(e, m);
}

bool edit_add(struct message *m, struct spool_batch *batch)
{
    if (!m->editing)
        return true;
    m->editing->in_batch = spool_batch_edit(batch, m->id, buf_str(&m->editing->envelope));
    return m->editing->in_batch;
}

void edit_stands(struct message *m)
{
    struct editing *e = m->editing;

    if (!e || !e->in_batch)
        return;
    m->editing = NULL;
    answer(e, IPC_EDIT_DONE, m->held != LOG_REASON_NONE, STR_NONE, "");
}

void edit_forget(struct message *m)
{
    struct editing *e = m->editing;

    m->editing = NULL;
    if (e)
        refuse(e, IPC_EDIT_UNKNOWN, "the message ended before it was changed", "");
}

/* ---- the question ---- */

void edit_ask(struct queue *q, struct ipc_channel *from, const struct ipc_queue_edit_ask *ask)
{
    struct arena *a = arena_new(ARENA_ROOM);
    struct editing *e = a ? ARENA_NEW(a, struct editing) : NULL;
    struct err err = { 0 };

    if (!e) {
        arena_free(a);
        ipc_send_queue_edit_answer(from, &(struct ipc_queue_edit_answer){
                                             .ticket = ask->ticket,
                                             .status = IPC_EDIT_LATER,
                                             .text = STR("the queue is short of memory"),
                                         });
        return;
    }
    *e = (struct editing){
        .queue = q,
        .arena = a,
        .instance = from->instance,
        .ticket = ask->ticket,
        .has_sender = ask->has_sender,
        .has_route = ask->has_route,
        .sender = arena_str(a, ask->sender),
        .envelope = BUF_INIT(ENVELOPE_ROOM),
        .want.have = have,
    };
    if (!take_changes(e, ask) || !e->sender.p)
        refuse(e, IPC_EDIT_LATER, "the queue is short of memory", "try again");
    else if (!take_route(e, ask->route, &err))
        refuse(e, err.kind == ERR_PERM ? IPC_EDIT_WRONG : IPC_EDIT_LATER, err.text, "");
    else
        message_want(q, (struct queue_id){ ask->id }, &e->want);
}
