/* queue/replies.c -- what `on-reply` makes of what a host says: its result, and what its site gets from then on (FACE 1.9). */
#include "queue/on_reply.h"
#include "queue/queue.h"

enum { SLOW_AGAIN_MSEC = 5000 };

/* "on-reply of veredus.conf:12" */
static const char *rule_text(const struct site_limits *l, const struct config_on_reply *rule, struct buf *out)
{
    struct config_place_text place = config_rule(l->queue->worker->config, rule->place);

    buf_clear(out);
    buf_printf(out, "on-reply of %s", place.c);
    return buf_add_char(out, '\0') ? out->p : "on-reply";
}

/* Half of the window at once; those that were told the same at the same time do not take more. */
static void slow(struct site_limits *l, const char *cause, struct str reply)
{
    int64_t now = queue_now(l->queue);

    if (l->slowed_msec && now < l->slowed_msec + SLOW_AGAIN_MSEC)
        return;
    l->slowed_msec = now;
    window_slow(&l->window, now, cause);
    limits_tell(l, reply);
}

/* Another configuration does not end it. */
static void pause_by_rule(struct site_limits *l, const struct config_on_reply *rule, const char *cause,
                          struct str reply)
{
    int64_t until = queue_now(l->queue) + (int64_t)rule->msec;

    if (l->paused_until_msec >= until)
        return;
    /* Without memory for that it ends with this configuration. */
    (void)!limits_note_pause(l->queue, str_from_c(l->name), until, str_from_c(cause));
    limits_pause(l, until, cause, reply);
}

const struct config_on_reply *reply_take(struct site *site, struct outcome *o)
{
    struct site_limits *l = site->limits;
    const struct config_on_reply *rule;
    struct buf cause = BUF_INIT(4096);

    if (!o->from_peer || o->result == IPC_OK)
        return NULL;
    rule = on_reply_find(&site_sending(site)->on_replies, o->code, o->status, o->text);
    if (!rule)
        return NULL;
    switch (rule->action) {
    case CONFIG_REPLY_SLOW:
        slow(l, rule_text(l, rule, &cause), o->text);
        break;
    case CONFIG_REPLY_FAIL:
        o->result = IPC_PERM;
        break;
    case CONFIG_REPLY_PAUSE:
        pause_by_rule(l, rule, rule_text(l, rule, &cause), o->text);
        o->result = IPC_TEMP;
        break;
    case CONFIG_REPLY_HOLD:
    case CONFIG_REPLY_DEFER:
        o->result = IPC_TEMP;
        break;
    }
    buf_done(&cause);
    return rule;
}

void reply_hold(struct site *site, struct message *m, const struct config_on_reply *rule,
                 const struct outcome *o)
{
    struct buf words = BUF_INIT(4096);

    buf_printf(&words, "%.*s (on-reply of %s)", STR_ARG(o->text),
               config_rule(site->queue->worker->config, rule->place).c);
    message_hold(m, LOG_REASON_POLICY, buf_str(&words));
    buf_done(&words);
}
