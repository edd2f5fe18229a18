/* cmd/story.c -- one line for each moment that a record tells of. */
#include "cmd/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/row.h"
#include "core/utc.h"
#include "io/loop.h"
#include "smtp/reply.h"

enum {
    LINE_MAX_OCTETS = 4096,
    TEXT_COLUMNS_MAX = 56, /* behind it the reply stands where the text ends */
    TIME_OCTETS = 12,      /* "09:41:07.301" */
    DATE_OCTETS = 10,
};

struct text_short story_duration(int64_t msec)
{
    struct text_short t;

    if (msec >= 60000)
        return text_age(msec);
    if (msec >= 1000)
        snprintf(t.c, sizeof(t.c), "%" PRId64 ".%" PRId64 " s", msec / 1000, msec % 1000 / 100);
    else
        snprintf(t.c, sizeof(t.c), "%" PRId64 " ms", msec > 0 ? msec : 0);
    return t;
}

/* ---- values ---- */

int64_t story_time(const json_t *row)
{
    return text_time_msec(row_text_c(row, "time"));
}

bool story_is(const json_t *row, const char *event)
{
    return !strcmp(row_text_c(row, "event"), event);
}

/* "NAME VALUE", behind a comma unless it is the first. */
static void add_piece(struct buf *out, const char *before, struct str value)
{
    if (!value.n)
        return;
    buf_add_c(out, out->n ? ", " : "");
    buf_add_c(out, before);
    buf_add(out, value);
}

static void add_value(struct buf *out, const json_t *value)
{
    if (json_is_string(value))
        buf_add(out, str_of(json_string_value(value), json_string_length(value)));
    else if (json_is_boolean(value))
        buf_add_c(out, json_is_true(value) ? "yes" : "no");
    else if (json_is_integer(value))
        buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        buf_printf(out, "%g", json_real_value(value));
}

static void add_list(struct buf *out, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        buf_add_c(out, i ? ", " : "");
        add_value(out, item);
    }
}

static void add_address(struct buf *out, struct str address)
{
    buf_add(out, address.n ? address : STR("<>"));
}

/* ---- lines ---- */

static char *text_of(const struct buf *b)
{
    return b->failed ? NULL : strndup(b->n ? b->p : "", b->n);
}

/* Takes what is in TEXT and REPLY and clears them; REPLY may be empty. */
static void line_add(struct story *s, int64_t msec, const char *word, struct buf *text, struct buf *reply)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 32;
        struct story_line *grown = realloc(s->lines, room * sizeof(*grown));
        if (grown) {
            s->lines = grown;
            s->room = room;
        }
    }
    char *words = s->n < s->room ? text_of(text) : NULL;
    if (words)
        s->lines[s->n] = (struct story_line){ msec, s->n, word, words, reply->n ? text_of(reply) : NULL };
    s->n += words != NULL;
    s->failed = s->failed || !words;
    buf_clear(text);
    buf_clear(reply);
}

static void add_reply_row(struct buf *reply, enum smtp_reply_name name)
{
    struct smtp_reply row = smtp_reply_row(name);

    buf_printf(reply, "%u %.*s Ok", row.code, STR_ARG(row.status));
}

static void add_client(struct buf *out, const json_t *row)
{
    if (row_has(row, "uid"))
        buf_printf(out, "uid %" PRIu64, row_number(row, "uid"));
    else
        buf_printf(out, "[%s]", row_text_c(row, "client"));
    if (row_has(row, "listener"))
        buf_printf(out, " on %s", row_text_c(row, "listener"));
}

struct writer {
    struct story *story;
    struct buf text, reply;
    struct str session; /* whose connection was told of */
    struct buf lease;   /* what was told of a lease last, */
    int64_t lease_msec; /* and when it was */
};

static void put(struct writer *w, int64_t msec, const char *word)
{
    line_add(w->story, msec, word, &w->text, &w->reply);
}

static void put_connect(struct writer *w, const json_t *row, int64_t msec)
{
    if (str_eq(w->session, row_text(row, "session")) && w->session.n)
        return;
    w->session = row_text(row, "session");
    add_client(&w->text, row);
    add_piece(&w->text, "session ", w->session);
    put(w, msec, "connect");
}

static void put_accept(struct writer *w, const json_t *row)
{
    int64_t end = story_time(row), mail = end - row_msec(row, "t_receive");
    uint64_t batch = row_number(row, "batch");

    if (row_has(row, "t_session"))
        put_connect(w, row, end - row_msec(row, "t_session"));
    add_address(&w->text, row_text(row, "from"));
    add_piece(&w->text, "", row_text(row, "body"));
    add_reply_row(&w->reply, SMTP_REPLY_MAIL_OK);
    put(w, mail, "MAIL");
    if (row_has(row, "rcpt")) {
        add_list(&w->text, json_object_get(row, "rcpt"));
        add_reply_row(&w->reply, SMTP_REPLY_RCPT_OK);
        put(w, mail + row_msec(row, "t_rcpt"), "RCPT");
    }
    buf_add_c(&w->text, "on disk, ");
    if (batch > 1)
        buf_printf(&w->text, "with %" PRIu64 " other%s in one sync of ", batch - 1, batch > 2 ? "s" : "");
    else
        buf_add_c(&w->text, "a sync of ");
    buf_printf(&w->text, "%.1f ms", row_seconds(row, "t_sync") * 1000);
    buf_printf(&w->reply, "250 2.0.0 Ok: queued as %s", row_text_c(row, "id"));
    put(w, end, "accept");
}

/* One lease may settle many recipients; it is told of once. */
static void put_lease(struct writer *w, const json_t *row)
{
    int64_t msec = story_time(row) - row_msec(row, "t_send");

    if (!row_has(row, "host") && !row_has(row, "site"))
        return;
    add_piece(&w->text, "site ", row_text(row, "site"));
    /* A host that is an address is named by it already. */
    bool named = row_has(row, "host") && !str_starts(row_text(row, "host"), STR("["));
    if (named)
        add_piece(&w->text, "", row_text(row, "host"));
    if (row_has(row, "peer"))
        buf_printf(&w->text, "%s[%s]", named ? " " : ", ", row_text_c(row, "peer"));
    if (row_has(row, "t_connect"))
        add_piece(&w->text, "connected in ", str_from_c(story_duration(row_msec(row, "t_connect")).c));
    bool again = str_eq(buf_str(&w->text), buf_str(&w->lease)) && msec - w->lease_msec < 3 && w->lease_msec - msec < 3;
    if (again) {
        buf_clear(&w->text);
        return;
    }
    buf_clear(&w->lease);
    buf_add(&w->lease, buf_str(&w->text));
    w->lease_msec = msec;
    put(w, msec, "lease");
}

static void add_reply(struct buf *reply, const json_t *row)
{
    if (row_has(row, "reply") && row_has(row, "code"))
        buf_printf(reply, "%" PRIu64 " %s", row_number(row, "code"), row_text_c(row, "reply"));
    else if (row_has(row, "reply"))
        buf_add(reply, row_text(row, "reply"));
    else
        buf_add(reply, row_text(row, "error"));
}

static void put_outcome(struct writer *w, const json_t *row)
{
    put_lease(w, row);
    add_address(&w->text, row_text(row, "to"));
    if (!str_eq(row_text(row, "original"), row_text(row, "to")))
        add_piece(&w->text, "for ", row_text(row, "original"));
    add_piece(&w->text, "", row_text(row, "reason"));
    add_piece(&w->text, "at ", row_text(row, "stage"));
    if (row_has(row, "next"))
        add_piece(&w->text, "next ", str_from_c(text_time(row_text_c(row, "next")).c));
    add_piece(&w->text, "reported in ", row_text(row, "report"));
    if (row_has(row, "on_reply")) {
        add_piece(&w->text, "on-reply ", row_text(row, "on_reply"));
        buf_printf(&w->text, " of %s", row_text_c(row, "on_reply_rule"));
    }
    add_reply(&w->reply, row);
    put(w, story_time(row), story_is(row, "deliver") ? "deliver" : story_is(row, "defer") ? "defer" : "fail");
}

static void put_reject(struct writer *w, const json_t *row)
{
    add_piece(&w->text, "", row_text(row, "reason"));
    add_piece(&w->text, "at ", row_text(row, "stage"));
    if (row_has(row, "from"))
        add_piece(&w->text, "from ", row_text(row, "from").n ? row_text(row, "from") : STR("<>"));
    add_piece(&w->text, "to ", row_text(row, "to"));
    if (row_has(row, "code"))
        buf_printf(&w->reply, "%" PRIu64 " ", row_number(row, "code"));
    buf_add(&w->reply, row_text(row, "reply"));
    put(w, story_time(row), "reject");
}

static void put_disconnect(struct writer *w, const json_t *row)
{
    put_connect(w, row, story_time(row) - row_msec(row, "seconds"));
    add_piece(&w->text, "", row_text(row, "reason"));
    buf_printf(&w->text, ", %s octets in", text_count(row_number(row, "octets_in")).c);
    buf_printf(&w->text, ", %s out", text_count(row_number(row, "octets_out")).c);
    put(w, story_time(row), "disconnect");
}

static void put_expand(struct writer *w, const json_t *row)
{
    add_address(&w->text, row_text(row, "to"));
    add_piece(&w->text, "by ", row_text(row, "by"));
    buf_add_c(&w->text, ": ");
    add_list(&w->text, json_object_get(row, "into"));
    put(w, story_time(row), "expand");
}

/* What somebody did, and how: "release by root: veredus queue release --site example.net". */
static void put_admin(struct writer *w, const json_t *row)
{
    buf_add(&w->text, row_text(row, "action"));
    if (row_has(row, "account"))
        buf_printf(&w->text, " by %s", row_text_c(row, "account"));
    if (row_has(row, "command"))
        buf_printf(&w->text, ": veredus %s", row_text_c(row, "command"));
    add_piece(&w->text, "", row_text(row, "note"));
    put(w, story_time(row), "admin");
}

static void put_hold(struct writer *w, const json_t *row)
{
    struct str why = row_text(row, row_has(row, "rule") ? "rule" : "error");

    buf_add(&w->text, row_text(row, "reason"));
    add_piece(&w->text, "", why);
    put(w, story_time(row), "hold");
}

static void put_duplicate(struct writer *w, const json_t *row)
{
    add_address(&w->text, row_text(row, "to"));
    add_piece(&w->text, "may have it twice: ", row_text(row, "cause"));
    put(w, story_time(row), "twice?");
}

/* Its id is that of the report, which is a message of its own. */
static void put_report(struct writer *w, const json_t *row)
{
    add_address(&w->text, row_text(row, "to"));
    add_piece(&w->text, "", row_text(row, "action"));
    add_piece(&w->text, "message ", row_text(row, "id"));
    add_piece(&w->text, "about ", row_text(row, "about"));
    put(w, story_time(row), "report");
}

static void put_done(struct writer *w, const json_t *row)
{
    uint64_t failed = row_number(row, "failed");

    if (failed || row_number(row, "recipients") > 1)
        buf_printf(&w->text, "%s delivered, ", text_count(row_number(row, "delivered")).c);
    if (w->text.n)
        buf_printf(&w->text, "%s failed", text_count(failed).c);
    put(w, story_time(row), "done");
}

/* Every other event: its fields as the log names them. */
static void put_other(struct writer *w, const json_t *row)
{
    static const char *const known[] = { "time", "level", "event", "id", "session", "client" };
    const char *name;
    const json_t *value;

    json_object_foreach((json_t *)(uintptr_t)row, name, value) {
        bool skip = json_is_array(value);
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            skip = skip || !strcmp(name, known[i]);
        if (skip)
            continue;
        buf_add_c(&w->text, w->text.n ? ", " : "");
        buf_printf(&w->text, "%s ", name);
        add_value(&w->text, value);
    }
    put(w, story_time(row), row_text_c(row, "event"));
}

static void put_row(struct writer *w, const json_t *row)
{
    static const struct {
        const char *event;
        void (*put)(struct writer *w, const json_t *row);
    } ways[] = {
        { "accept", put_accept },         { "deliver", put_outcome }, { "defer", put_outcome }, { "fail", put_outcome },
        { "reject", put_reject },         { "expand", put_expand },   { "done", put_done },
        { "disconnect", put_disconnect }, { "admin", put_admin },    { "hold", put_hold },
        { "duplicate", put_duplicate },   { "report", put_report },
    };

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        if (story_is(row, ways[i].event)) {
            ways[i].put(w, row);
            return;
        }
    }
    put_other(w, row);
}

/* Within a millisecond a session begins before it says something, and says MAIL before it is told of RCPT. */
static unsigned rank_of(const struct story_line *l)
{
    static const char *const first[] = { "connect", "MAIL", "RCPT" };
    unsigned rank = 0;

    while (rank < ARRAY_LEN(first) && strcmp(first[rank], l->word))
        rank++;
    return rank;
}

static int by_time(const void *a, const void *b)
{
    const struct story_line *x = a, *y = b;
    unsigned p = rank_of(x), q = rank_of(y);

    if (x->msec != y->msec)
        return x->msec < y->msec ? -1 : 1;
    if (p != q)
        return p < q ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void story_make(struct story *s, const json_t *rows)
{
    struct writer w = {
        .story = s,
        .text = BUF_INIT(LINE_MAX_OCTETS),
        .reply = BUF_INIT(LINE_MAX_OCTETS),
        .lease = BUF_INIT(LINE_MAX_OCTETS),
    };
    const json_t *row;
    size_t i;

    *s = STORY_NONE;
    json_array_foreach(rows, i, row)
        put_row(&w, row);
    if (s->n)
        qsort(s->lines, s->n, sizeof(s->lines[0]), by_time);
    buf_done(&w.text);
    buf_done(&w.reply);
    buf_done(&w.lease);
}

void story_done(struct story *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->lines[i].text);
        free(s->lines[i].reply);
    }
    free(s->lines);
    *s = STORY_NONE;
}

/* ---- printing ---- */

/* "09:41:07.301", or ".306" below a line of the same second; a line with the date where the day is another. */
static void add_time(struct buf *out, const struct text_screen *screen, int64_t msec, int64_t before)
{
    struct utc_text t = utc_text_msec(msec), b = utc_text_msec(before);
    struct str time = str_slice(str_from_c(t.c), DATE_OCTETS + 1, DATE_OCTETS + 1 + TIME_OCTETS);
    struct str last = str_slice(str_from_c(b.c), DATE_OCTETS + 1, DATE_OCTETS + 1 + TIME_OCTETS);

    if (!str_eq(str_head(str_from_c(t.c), DATE_OCTETS), str_head(str_from_c(b.c), DATE_OCTETS))) {
        text_add(out, screen, str_head(str_from_c(t.c), DATE_OCTETS), 0);
        text_print(out, screen);
        last = STR_NONE;
    }
    bool same = str_eq(str_head(time, 8), str_head(last, 8));
    text_cell(out, screen, same ? str_skip(time, 8) : time, TIME_OCTETS, true);
}

static size_t text_column(const struct story *s)
{
    size_t width = 0;

    for (size_t i = 0; i < s->n; i++) {
        size_t n = text_width(str_from_c(s->lines[i].text));
        if (s->lines[i].reply && n > width)
            width = n;
    }
    return width < TEXT_COLUMNS_MAX ? width : TEXT_COLUMNS_MAX;
}

void story_print(const struct story *s, const struct text_screen *screen)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    size_t width = text_column(s);
    int64_t before = io_wall_msec();

    for (size_t i = 0; i < s->n; i++) {
        const struct story_line *l = &s->lines[i];
        char gap[TEXT_SHORT + 2] = "";
        struct str text = str_from_c(l->text);
        add_time(&out, screen, l->msec, before);
        if (i)
            snprintf(gap, sizeof(gap), "+%s", story_duration(l->msec - before).c);
        before = l->msec;
        buf_add_c(&out, "  ");
        text_cell(&out, screen, str_from_c(gap), 8, false);
        buf_add_c(&out, "  ");
        text_cell(&out, screen, str_from_c(l->word), text_width(str_from_c(l->word)) > 8 ? 10 : 8, false);
        buf_add_c(&out, " ");
        if (l->reply && text_width(text) < width)
            text_cell(&out, screen, text, width, false);
        else
            text_add(&out, screen, text, 0);
        if (l->reply) {
            buf_add_c(&out, "  ");
            text_add(&out, screen, str_from_c(l->reply), 0);
        }
        text_print(&out, screen);
    }
    buf_done(&out);
}
