/* queue/explain_words.c -- what a recipient waits for, in words for people. */
#include "queue/explain.h"

#include <inttypes.h>

/* Its name for programs, and what people read behind "waits for". */
static const struct {
    const char *name, *value;
} causes[] = {
    [CAUSE_REPORT] = { "report", "its report" },   [CAUSE_HELD] = { "held", "release" },
    [CAUSE_DISK] = { "disk", "the disk" },         [CAUSE_OUTAGE] = { "dns", "the DNS" },
    [CAUSE_DEAD] = { "site", "its site" },         [CAUSE_PAUSED] = { "paused", "its site" },
    [CAUSE_TIME] = { "time", "its time" },         [CAUSE_RATE] = { "rate", "its turn" },
    [CAUSE_RELEASE] = { "release", "its time" },
    [CAUSE_PROCESS] = { "process", "a process" },  [CAUSE_PLAN] = { "plan", "its plan" },
    [CAUSE_LOOKUP] = { "route", "its route" },     [CAUSE_READING] = { "reading", "being read" },
    [CAUSE_WINDOW] = { "window", "its turn" },     [CAUSE_TURN] = { "turn", "its turn" },
    [CAUSE_SENDING] = { "sending", "an answer" },
};

const char *explain_cause_name(enum cause cause)
{
    return causes[cause].name;
}

const char *explain_cause_value(enum cause cause)
{
    return causes[cause].value;
}

const char *explain_tls_level(enum config_tls_level level)
{
    static const char *const names[] = {
        [CONFIG_TLS_AUTO] = "auto",     [CONFIG_TLS_NONE] = "none",     [CONFIG_TLS_MAY] = "may",
        [CONFIG_TLS_ENCRYPT] = "encrypt", [CONFIG_TLS_VERIFY] = "verify", [CONFIG_TLS_SECURE] = "secure",
        [CONFIG_TLS_FINGERPRINT] = "fingerprint",
    };

    return names[level];
}

void explain_put_time(struct buf *out, int64_t msec)
{
    static const struct {
        int64_t msec;
        char unit;
    } units[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' } };
    int64_t seconds = (msec + 999) / 1000 * 1000;
    size_t said = 0;

    for (size_t i = 0; i < ARRAY_LEN(units) && said < 2; i++) {
        if (seconds < units[i].msec)
            continue;
        buf_printf(out, "%" PRId64 "%c", seconds / units[i].msec, units[i].unit);
        seconds %= units[i].msec;
        said++;
    }
    if (!said)
        buf_add(out, STR("0s"));
}

static void put_window(const struct group *g, struct buf *out)
{
    if (!g->has_site)
        return;
    buf_printf(out, "%swindow %" PRIu64, out->n ? "; " : "", g->window);
    if (g->cause == CAUSE_WINDOW)
        buf_add(out, STR(", all in use"));
    if (!g->in_front)
        buf_add(out, STR(", nobody in front"));
    else
        buf_printf(out, ", %s%" PRIu64 " of its sender in front", g->in_front >= EXPLAIN_FRONT_MAX ? "more than " : "",
                   g->in_front);
    if (g->waiting > g->in_front)
        buf_printf(out, ", %" PRIu64 " wait there in all", g->waiting);
}

static void put_site(const struct queue *q, const struct site *site, struct buf *out)
{
    int64_t rest = site->dead_until_msec - queue_now(q);

    buf_add(out, STR("it does not answer"));
    if (site->trouble && site->trouble[0])
        buf_printf(out, ": %s", site->trouble);
    if (rest > 0) {
        buf_add(out, STR("; one message tries it again in "));
        explain_put_time(out, rest);
    } else {
        buf_add(out, STR("; one message tries it just now"));
    }
}

static void put_paused(const struct queue *q, const struct site *site, struct buf *out)
{
    const struct site_limits *l = site->limits;

    buf_add_c(out, l->pause_cause && l->pause_cause[0] ? l->pause_cause : "paused");
    if (l->paused_until_msec == SITE_UNTIL_RESUMED) {
        buf_add(out, STR("; until somebody resumes it"));
        return;
    }
    buf_add(out, STR("; it goes on in "));
    explain_put_time(out, l->paused_until_msec - queue_now(q));
}

static void put_rate(const struct group *g, struct buf *out)
{
    buf_add(out, STR("its rate allows the next message in "));
    explain_put_time(out, limits_wait(g->site->limits));
    put_window(g, out);
}

static void put_held(const struct message *m, struct buf *out)
{
    if (m->held == LOG_REASON_NONE)
        buf_add(out, STR("by its route, together with the message, as soon as its other recipients are done"));
    else if (m->hold_reason && m->hold_reason[0])
        buf_printf(out, "%s%s", m->held == LOG_REASON_ROUTE ? "by the route of " : "", m->hold_reason);
    else if (m->held == LOG_REASON_RUN_HOLD)
        buf_add(out, STR("the server was started with --hold"));
    else
        buf_add_c(out, log_reason_text(m->held));
}

/* Transfers are given ahead: those before it on its connection come first. */
static void put_sending(const struct transfer *t, struct buf *out)
{
    size_t before = 0;

    if (!t) {
        buf_add(out, STR("it is with another process just now"));
        return;
    }
    for (const struct list *at = t->node.prev; at != &t->connection->transfers; at = at->prev)
        before++;
    if (t->connection->with)
        buf_printf(out, "it has been with %s for ", t->connection->with);
    else
        buf_add(out, STR("a connection for it has been under way for "));
    explain_put_time(out, (io_clock_usec() - t->begun_usec) / 1000);
    if (before)
        buf_printf(out, ", behind %zu on the same connection", before);
}

void explain_words(struct buf *out, const struct queue *q, const struct group *g, const struct message *m)
{
    switch (g->cause) {
    case CAUSE_REPORT:
        buf_add(out, STR("it was refused for good; its sender is about to be told"));
        break;
    case CAUSE_HELD:
        put_held(m, out);
        break;
    case CAUSE_RELEASE:
        buf_add(out, STR("its sender asked that it leaves then, and not before; veredus queue release lets it go now"));
        break;
    case CAUSE_DISK:
        buf_add(out, STR("it refuses writes: nothing is sent before it takes them"));
        break;
    case CAUSE_OUTAGE:
        buf_add(out, STR("no server answers; asked again every 15s, and no attempt is counted"));
        break;
    case CAUSE_DEAD:
        put_site(q, g->site, out);
        break;
    case CAUSE_PAUSED:
        put_paused(q, g->site, out);
        break;
    case CAUSE_RATE:
        put_rate(g, out);
        break;
    case CAUSE_PROCESS:
        buf_add(out, STR("a deliver process is being started, or has enough to do"));
        break;
    case CAUSE_PLAN:
        buf_add(out, STR("resolve is asked where its mail goes"));
        break;
    case CAUSE_LOOKUP:
        buf_add(out, STR("lookup is asked where it goes"));
        break;
    case CAUSE_READING:
        buf_add(out, STR("it is due, and read back from the disk"));
        break;
    case CAUSE_SENDING:
        put_sending(g->transfer, out);
        break;
    case CAUSE_TIME:
    case CAUSE_WINDOW:
    case CAUSE_TURN:
        put_window(g, out);
        break;
    }
}

