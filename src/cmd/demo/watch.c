/* cmd/demo/watch.c -- the story of mail, told from the server's log. */
#include "cmd/demo/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/demo/kept.h"
#include "cmd/demo/subject.h"
#include "cmd/row.h"
#include "core/id.h"
#include "io/loop.h"

enum {
    FIRST_PATIENCE_USEC = 60 * 1000000,
    TAKEN_SLOTS = 1 << 14,
    SUBJECT_MAX = 1024,
    SUBJECT_KEPT = 128,
    OUTCOME_MAX = 2048,
    DEFERRALS_SHOWN = 3,
    LINGER_USEC = 250 * 1000,
};

static const char sender[] = "bob@example.test";
static const char receiver[] = "ada@example.test";

static bool is_event(const json_t *record, const char *name)
{
    return !strcmp(row_text_c(record, "event"), name);
}

static double seconds_of(const json_t *record, const char *name)
{
    return json_number_value(json_object_get(record, name));
}

/* "2026-11-22T09:41:07.301Z" with its milliseconds. */
static int64_t time_of(const json_t *record)
{
    const char *written = row_text_c(record, "time");
    int64_t msec = text_time_msec(written);
    const char *point = strchr(written, '.');

    return point ? msec + strtol(point + 1, NULL, 10) : msec;
}

/* ---- the first message ---- */

struct first {
    struct demo_sent sent;
    double sync_seconds;
    bool accepted, delivered;
    int64_t delivered_usec;
    int64_t accepted_msec;
};

/* False: it will not arrive. */
static bool first_record(struct demo *demo, struct first *f, const json_t *record, struct err *err)
{
    if (strcmp(row_text_c(record, "id"), f->sent.id) != 0) {
        /* One that waited since an earlier demonstration. */
        if (is_event(record, "done") && demo->server.queued)
            demo->server.queued--;
        return true;
    }
    if (is_event(record, "accept")) {
        f->accepted = true;
        f->sync_seconds = seconds_of(record, "t_sync");
        f->accepted_msec = time_of(record);
    } else if (is_event(record, "deliver")) {
        f->delivered = true;
        f->delivered_usec = io_clock_usec() - f->sent.began_usec;
    } else if (is_event(record, "defer") || is_event(record, "fail") || is_event(record, "hold")) {
        return err_temp(err, "the first message is not delivered: %s: %s", row_text_c(record, "event"),
                        row_text_c(record, "error"));
    }
    return true;
}

static bool first_arrives(struct demo *demo, struct first *f, struct err *err)
{
    int64_t until = io_clock_usec() + FIRST_PATIENCE_USEC;
    json_t *record;
    bool ok = true;

    while (ok && !(f->accepted && f->delivered)) {
        switch (demo_records_next(&demo->records, until, &record)) {
        case DEMO_WAKE_RECORD:
            ok = first_record(demo, f, record, err);
            json_decref(record);
            break;
        case DEMO_WAKE_CHILD:
            ok = !demo_server_has_ended(&demo->server, err) && !demo_elsewhere_has_ended(&demo->elsewhere, err);
            break;
        case DEMO_WAKE_STOP:
            return err_temp(err, "stopped");
        case DEMO_WAKE_TIME:
            return err_temp(err, "the first message, %s, has not arrived after %d s", f->sent.id,
                            FIRST_PATIENCE_USEC / 1000000);
        }
    }
    return ok;
}

static bool first_is_proved(struct demo *demo, const struct first *f, struct str content, struct err *err)
{
    char path[DEMO_PATH_MAX];
    struct demo_compared compared;

    if (!demo_proof_find(&demo->place, f->sent.id, f->accepted_msec, path))
        return err_perm(err, "the log says that %s was delivered, but no mailbox has it", f->sent.id);
    demo_show_found(&demo->show, &demo->place, path, f->delivered_usec);
    if (!demo_proof_compare(&demo->place, path, content, &compared, err))
        return err_wrap(err, "%s/%s", demo->place.shown, path);
    demo_show_proof(&demo->show, &compared);
    return compared.same || err_perm(err, "what arrived is not what was sent");
}

bool demo_first(struct demo *demo, struct err *err)
{
    struct buf content = BUF_INIT(DEMO_LETTER_MAX);
    struct first f = { .sync_seconds = 0 };
    bool ok = false;

    if (!demo_letter_write(&content, sender, receiver)) {
        err_temp(err, "out of memory");
        goto out;
    }
    if (!demo_letter_send(demo->place.port, sender, receiver, buf_str(&content), &f.sent, err)) {
        err_wrap(err, "the first message is not taken");
        goto out;
    }
    snprintf(demo->first_id, sizeof(demo->first_id), "%s", f.sent.id);
    if (!first_arrives(demo, &f, err))
        goto out;
    demo_show_sent(&demo->show, &f.sent, f.sync_seconds);
    ok = first_is_proved(demo, &f, buf_str(&content), err);
out:
    buf_done(&content);
    return ok;
}

/* ---- what others send ---- */

/* A message that was heard of, until a later one needs its place. */
struct known {
    char id[QUEUE_ID_CHARS + 1];
    int64_t wall_msec; /* when it was taken; 0: before we came */
    double receive_seconds;
    char subject[SUBJECT_KEPT];
    bool deferred; /* that was shown */
};

struct watch {
    struct demo *demo;
    struct known *known; /* TAKEN_SLOTS of them, each at the place its id says */
    uint64_t in, delivered, failed;
};

static struct known *known_of(struct watch *w, const json_t *record)
{
    const char *id = row_text_c(record, "id");
    struct known *m = &w->known[str_hash(str_from_c(id), 0) % TAKEN_SLOTS];

    if (strcmp(m->id, id) != 0) {
        *m = (struct known){ .deferred = false };
        snprintf(m->id, sizeof(m->id), "%s", id);
    }
    return m;
}

/* As long as it is in the queue the server can be asked what it is about. */
static void ask_subject(struct watch *w, struct known *m)
{
    struct buf subject = BUF_INIT(SUBJECT_MAX);

    if (!m->subject[0] && demo_subject_ask(&w->demo->place, m->id, &subject))
        snprintf(m->subject, sizeof(m->subject), "%.*s", STR_ARG(buf_str(&subject)));
    buf_done(&subject);
}

static void on_accept(struct watch *w, const json_t *record)
{
    struct known *m = known_of(w, record);

    w->in++;
    m->wall_msec = time_of(record);
    m->receive_seconds = seconds_of(record, "t_receive");
    /* What fails at once is soon gone. In a flood nobody reads subjects, and asking would make us late for all. */
    if (!demo_records_are_behind(&w->demo->records))
        ask_subject(w, m);
}

/* One of the server's own, about a message that failed; its subject is read where it arrives. */
static void on_report(struct watch *w, const json_t *record)
{
    w->in++;
    known_of(w, record)->wall_msec = time_of(record);
}

static struct demo_line line_of(const json_t *record)
{
    return (struct demo_line){
        .wall_msec = time_of(record),
        .from = row_text(record, "from"),
        .to = row_text(record, "to"),
        .msec = -1,
    };
}

/* In a mailbox of ours. */
static bool find_here(const struct watch *w, const json_t *record, char path[DEMO_PATH_MAX])
{
    int64_t delay_msec = (int64_t)(seconds_of(record, "delay") * 1000);

    return demo_proof_find(&w->demo->place, row_text_c(record, "id"), time_of(record) - delay_msec, path);
}

/* Where another host says that it kept it: "2.0.0 kept as NAME". */
static bool find_elsewhere(const struct watch *w, const json_t *record, char path[DEMO_PATH_MAX])
{
    struct str reply = row_text(record, "reply"), name = str_skip(reply, str_rfind(reply, ' ') + 1);

    return str_contains(reply, STR("kept as ")) &&
           demo_kept_find(&w->demo->place, row_text(record, "to"), name, path);
}

/* What the server says is looked at: the line stands for a file that is there. */
static void on_deliver(struct watch *w, const json_t *record)
{
    const struct known *m = known_of(w, record);
    bool elsewhere = row_has(record, "peer");
    struct buf subject = BUF_INIT(SUBJECT_MAX);
    struct demo_line line = line_of(record);
    char path[DEMO_PATH_MAX];

    if (elsewhere ? find_elsewhere(w, record, path) : find_here(w, record, path)) {
        demo_proof_field(&w->demo->place, path, "Subject", &subject);
        line.subject = buf_str(&subject);
        line.outcome = elsewhere ? STR("elsewhere") : STR("in the mailbox");
        line.colour = TEXT_GOOD;
    } else {
        line.subject = str_from_c(m->subject);
        line.outcome = elsewhere ? STR("said to be elsewhere, but no folder there has it") :
                                   STR("said to be delivered, but no mailbox has it");
        line.colour = TEXT_BAD;
    }
    /* From MAIL to the file; of a message from before we came, since it was taken. */
    line.msec = m->wall_msec ? m->receive_seconds * 1000 + (double)(line.wall_msec - m->wall_msec) :
                               seconds_of(record, "delay") * 1000;
    demo_show_line(&w->demo->show, &line);
    buf_done(&subject);
}

PRINTF_LIKE(4, 5)
static void say(struct watch *w, struct demo_line *line, enum text_colour colour, const char *fmt, ...)
{
    char text[OUTCOME_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    line->outcome = str_from_c(text);
    line->colour = colour;
    demo_show_line(&w->demo->show, line);
}

/* "451 4.7.1 busy", as the other side said it; without a reply what we make of it. */
static void add_reason(struct buf *out, const json_t *record)
{
    struct str reply = row_text(record, "reply"), words = reply.n ? reply : row_text(record, "error");
    struct str status = row_text(record, "status");

    if (row_number(record, "code"))
        buf_printf(out, "%d ", (int)row_number(record, "code"));
    if (!str_starts(words, status))
        buf_printf(out, "%.*s ", STR_ARG(status));
    buf_add(out, words);
}

/* The record says it without milliseconds: on average it is half a second more. */
static double seconds_to_next(const json_t *record, int64_t now_msec)
{
    int64_t msec = text_time_msec(row_text_c(record, "next")) + 500 - now_msec;

    return msec > 0 ? (double)msec / 1000 : 0;
}

static void on_defer(struct watch *w, const json_t *record)
{
    struct known *m = known_of(w, record);
    struct demo_line line = line_of(record);
    struct buf reason = BUF_INIT(OUTCOME_MAX);
    uint64_t attempt = row_number(record, "attempt");

    /* It goes on every ten seconds for an hour. */
    if (attempt > DEFERRALS_SHOWN && m->deferred)
        return;
    m->deferred = true;
    ask_subject(w, m);
    line.subject = str_from_c(m->subject);
    add_reason(&reason, record);
    if (attempt < DEFERRALS_SHOWN)
        say(w, &line, TEXT_LOUD, "deferred: %.*s; again in %.0f s", STR_ARG(buf_str(&reason)),
            seconds_to_next(record, line.wall_msec));
    else
        say(w, &line, TEXT_LOUD, "deferred: %.*s, and so on", STR_ARG(buf_str(&reason)));
    buf_done(&reason);
}

static void on_fail(struct watch *w, const json_t *record)
{
    struct known *m = known_of(w, record);
    struct demo_line line = line_of(record);
    struct buf reason = BUF_INIT(OUTCOME_MAX);

    ask_subject(w, m);
    line.subject = str_from_c(m->subject);
    add_reason(&reason, record);
    say(w, &line, TEXT_BAD, "failed: %.*s", STR_ARG(buf_str(&reason)));
    buf_done(&reason);
}

static void on_reject(struct watch *w, const json_t *record)
{
    struct demo_line line = line_of(record);

    line.to = STR_NONE;
    say(w, &line, TEXT_BAD, "refused %s: %d %s", row_text_c(record, "client"), (int)row_number(record, "code"),
        row_text_c(record, "reply"));
}

/* The first message is not among those that others sent. */
static void on_done(struct watch *w, const json_t *record)
{
    if (strcmp(row_text_c(record, "id"), w->demo->first_id) != 0)
        *(row_number(record, "failed") ? &w->failed : &w->delivered) += 1;
}

static void on_record(struct watch *w, const json_t *record)
{
    struct demo_line line = line_of(record);

    if (is_event(record, "accept"))
        on_accept(w, record);
    else if (is_event(record, "report"))
        on_report(w, record);
    else if (is_event(record, "deliver"))
        on_deliver(w, record);
    else if (is_event(record, "defer"))
        on_defer(w, record);
    else if (is_event(record, "fail"))
        on_fail(w, record);
    else if (is_event(record, "hold"))
        say(w, &line, TEXT_BAD, "%s is held: %s", row_text_c(record, "id"), row_text_c(record, "error"));
    else if (is_event(record, "done"))
        on_done(w, record);
    else if (is_event(record, "reject"))
        on_reject(w, record);
    else if (!strcmp(row_text_c(record, "level"), "error"))
        say(w, &line, TEXT_BAD, "%s: %s %s", row_text_c(record, "event"), row_text_c(record, "cause"),
            row_text_c(record, "error"));
}

/* What is written to the log up to UNTIL_USEC, or stands there already. */
static void read_the_rest(struct watch *w, int64_t until_usec)
{
    enum demo_wake wake;
    json_t *record;

    while ((wake = demo_records_next(&w->demo->records, until_usec, &record)) != DEMO_WAKE_TIME) {
        if (wake != DEMO_WAKE_RECORD)
            continue;
        on_record(w, record);
        json_decref(record);
    }
}

static uint64_t waiting(const struct watch *w)
{
    uint64_t ended = w->delivered + w->failed, all = w->demo->server.queued + w->in;

    return all > ended ? all - ended : 0;
}

/* What has arrived is off the queue a moment later only: outcomes are written down together. */
static void await_ends(struct watch *w)
{
    if (waiting(w))
        read_the_rest(w, io_clock_usec() + LINGER_USEC);
}

static void sum_up(const struct watch *w)
{
    uint64_t left = waiting(w);
    const char *folder = w->demo->place.shown;

    if (!w->in && !w->demo->server.queued) {
        printf("\n  No message came. Everything stays in %s.\n", folder);
        return;
    }
    printf("\n  %s message%s in, %s delivered", text_count(w->in).c, w->in == 1 ? "" : "s",
           text_count(w->delivered).c);
    if (w->failed)
        printf(", %s failed", text_count(w->failed).c);
    if (left)
        printf(", %s wait%s in %s/spool. %s there when you come back.\n", text_count(left).c, left == 1 ? "s" : "",
               folder, left == 1 ? "It is" : "They are");
    else
        printf(". Everything stays in %s.\n", folder);
}

static bool watch_records(struct watch *w, struct err *err)
{
    json_t *record;

    for (;;) {
        switch (demo_records_next(&w->demo->records, INT64_MAX, &record)) {
        case DEMO_WAKE_RECORD:
            on_record(w, record);
            json_decref(record);
            break;
        case DEMO_WAKE_CHILD:
            if (demo_server_has_ended(&w->demo->server, err) ||
                demo_elsewhere_has_ended(&w->demo->elsewhere, err))
                return false;
            break;
        case DEMO_WAKE_STOP:
            return true;
        case DEMO_WAKE_TIME:
            break;
        }
    }
}

bool demo_watch(struct demo *demo, struct err *err)
{
    struct watch w = { .demo = demo, .known = calloc(TAKEN_SLOTS, sizeof(*w.known)) };

    if (!w.known)
        return err_temp(err, "out of memory");
    bool ok = watch_records(&w, err);
    if (ok)
        await_ends(&w);
    demo_server_stop(&demo->server, &demo->records);
    read_the_rest(&w, 0);
    sum_up(&w);
    free(w.known);
    return ok;
}
