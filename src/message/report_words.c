/* message/report_words.c -- first the address and its reason, then what was tried, then what the reader can
 * do. */
#include "message/report_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/num.h"
#include "core/utc.h"
#include "message/fold.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

struct str message_report_domain(struct str address)
{
    size_t at = str_rfind(address, '@');

    return at < address.n ? str_skip(address, at + 1) : address;
}

/* ---- lines ---- */

static void begin(struct message_fold *f, struct buf *out, const char *indent)
{
    *f = (struct message_fold){ .out = out, .indent = indent };
    message_fold_begin(f, indent);
}

static void paragraph(struct buf *out, const char *text)
{
    struct message_fold f;

    begin(&f, out, "");
    message_fold_add(&f, str_from_c(text));
    message_fold_end(&f);
}

static void blank_line(struct buf *out)
{
    buf_add_c(out, "\r\n");
}

/* ---- points of time, in the zone of this server ---- */

static struct utc_date date_of(const struct message_report *r, int64_t msec)
{
    return utc_date_of(msec + (int64_t)r->zone_minutes * MINUTE);
}

static const char *month_name(int month)
{
    static const char *const names[12] = { "January",   "February", "March",    "April",
                                           "May",       "June",     "July",     "August",
                                           "September", "October",  "November", "December" };

    return names[month - 1];
}

struct name {
    char c[32];
};
struct words {
    char c[160];
};

static struct name day(struct utc_date d)
{
    struct name w;

    snprintf(w.c, sizeof(w.c), "%d %s", d.day, month_name(d.month));
    return w;
}

static struct name zone(int minutes)
{
    unsigned m = (unsigned)abs(minutes);
    struct name w;

    if (minutes)
        snprintf(w.c, sizeof(w.c), "UTC%c%u:%02u", minutes < 0 ? '-' : '+', m / 60, m % 60);
    else
        snprintf(w.c, sizeof(w.c), "UTC");
    return w;
}

/* "from 17 to 22 November", "from 30 October to 4 November", "on 22 November from 07:31 to 09:22 (UTC)". */
static struct words span(const struct message_report *r, int64_t first_msec, int64_t last_msec)
{
    struct utc_date a = date_of(r, first_msec), b = date_of(r, last_msec);
    struct words w;

    if (a.year != b.year)
        snprintf(w.c, sizeof(w.c), "from %s %d to %s %d", day(a).c, a.year, day(b).c, b.year);
    else if (a.month != b.month)
        snprintf(w.c, sizeof(w.c), "from %s to %s", day(a).c, day(b).c);
    else if (a.day != b.day)
        snprintf(w.c, sizeof(w.c), "from %d to %s", a.day, day(b).c);
    else if (first_msec / MINUTE == last_msec / MINUTE)
        snprintf(w.c, sizeof(w.c), "on %s at %02d:%02d (%s)", day(a).c, a.hour, a.minute,
                 zone(r->zone_minutes).c);
    else
        snprintf(w.c, sizeof(w.c), "on %s from %02d:%02d to %02d:%02d (%s)", day(a).c, a.hour, a.minute,
                 b.hour, b.minute, zone(r->zone_minutes).c);
    return w;
}

static struct words moment(const struct message_report *r, int64_t msec)
{
    struct utc_date d = date_of(r, msec);
    struct words w;

    snprintf(w.c, sizeof(w.c), "%s, %02d:%02d (%s)", day(d).c, d.hour, d.minute, zone(r->zone_minutes).c);
    return w;
}

/* "5 days", "18 hours": rounded, and never none. */
static struct words age(int64_t msec)
{
    int64_t hours = (msec + HOUR / 2) / HOUR, days = (hours + 12) / 24;
    struct words w;

    if (hours >= 48)
        snprintf(w.c, sizeof(w.c), "%" PRId64 " days", days);
    else if (hours > 1)
        snprintf(w.c, sizeof(w.c), "%" PRId64 " hours", hours);
    else
        snprintf(w.c, sizeof(w.c), "an hour");
    return w;
}

/* ---- why ---- */

struct status {
    unsigned class, subject, detail;
};

static unsigned status_number(struct str *rest)
{
    struct str digits = str_cut(rest, '.');
    uint64_t v = 0;

    return num_parse_u64(digits, 999, &v) ? (unsigned)v : 0;
}

static struct status status_of(struct str text)
{
    struct status s = { 0 };

    s.class = status_number(&text);
    s.subject = status_number(&text);
    s.detail = status_number(&text);
    return s;
}

/* The reply as the peer spoke it. */
static void add_reply(struct message_fold *f, const struct message_report_recipient *rcpt)
{
    if (rcpt->from_peer && rcpt->code) {
        message_fold_printf(f, "%03u", rcpt->code);
        message_fold_add(f, rcpt->status);
    }
    message_fold_add(f, rcpt->reply.n ? rcpt->reply : STR("no reason was given"));
}

static void add_speaker(struct message_fold *f, const struct message_report_recipient *rcpt)
{
    if (!rcpt->from_peer)
        return;
    if (rcpt->remote_mta.n)
        message_fold_printf(f, "%.*s said:", STR_ARG(rcpt->remote_mta));
    else
        message_fold_add(f, STR("the receiving side said:"));
}

/* What days of trying came to (RFC 3463 3.5: X.4.1 no answer, X.4.3 and X.4.4 no way known). */
static void add_expired(struct message_fold *f, const struct message_report *r,
                        const struct message_report_recipient *rcpt)
{
    struct status s = status_of(rcpt->status);
    struct str domain = message_report_domain(rcpt->address);
    struct words time = age(rcpt->last_msec - (rcpt->first_msec ? rcpt->first_msec : r->arrival_msec));

    if (!rcpt->from_peer && s.subject == 4 && s.detail == 1)
        message_fold_printf(f, "no host of %.*s answered for %s;", STR_ARG(domain), time.c);
    else if (!rcpt->from_peer && s.subject == 4 && (s.detail == 3 || s.detail == 4))
        message_fold_printf(f, "the mail servers of %.*s could not be found for %s;", STR_ARG(domain),
                            time.c);
    else
        message_fold_printf(f, "%.*s did not take it for %s;", STR_ARG(domain), time.c);
    message_fold_add(f, STR("at the last try"));
    if (!rcpt->from_peer && rcpt->remote_mta.n && rcpt->remote_address.n)
        message_fold_printf(f, "of %.*s [%.*s]:", STR_ARG(rcpt->remote_mta), STR_ARG(rcpt->remote_address));
    else if (!rcpt->from_peer && rcpt->remote_mta.n)
        message_fold_printf(f, "of %.*s:", STR_ARG(rcpt->remote_mta));
    else if (!rcpt->from_peer)
        message_fold_add(f, STR("there was:"));
}

static void add_reason(struct buf *out, const struct message_report *r,
                       const struct message_report_recipient *rcpt)
{
    struct message_fold f;

    begin(&f, out, "    ");
    if (rcpt->expired)
        add_expired(&f, r, rcpt);
    add_speaker(&f, rcpt);
    add_reply(&f, rcpt);
    message_fold_end(&f);
}

/* ---- what was tried ---- */

static void add_count(struct message_fold *f, uint32_t attempts)
{
    if (attempts == 1)
        message_fold_add(f, STR("tried once"));
    else
        message_fold_printf(f, "tried %" PRIu32 " times", attempts);
}

static void add_tries(struct message_fold *f, const struct message_report *r,
                      const struct message_report_recipient *rcpt)
{
    int64_t first = rcpt->attempts > 1 && rcpt->first_msec ? rcpt->first_msec : rcpt->last_msec;

    add_count(f, rcpt->attempts);
    if (rcpt->last_msec)
        message_fold_printf(f, "%s", span(r, first, rcpt->last_msec).c);
}

static bool same_tries(const struct message_report_recipient *a, const struct message_report_recipient *b)
{
    return a->attempts == b->attempts && a->first_msec / MINUTE == b->first_msec / MINUTE &&
           a->last_msec / MINUTE == b->last_msec / MINUTE;
}

static void add_outlook(struct message_fold *f, const struct message_report *r, bool tried)
{
    const struct message_report_recipient *rcpt = &r->recipients[0];

    if (r->kind != MESSAGE_REPORT_DELAYED)
        message_fold_add(f, tried ? STR("and will not be tried again.") : STR("It will not be tried again."));
    else if (rcpt->retry_until_msec)
        message_fold_printf(f, "%s be tried again until %s.", tried ? "and will" : "It will",
                            moment(r, rcpt->retry_until_msec).c);
    else
        message_fold_add(f, tried ? STR("and will be tried again.") : STR("It will be tried again."));
}

/* COMMON: the same is true of all recipients; else each has its own line. */
static void add_tried(struct buf *out, const struct message_report *r, bool common)
{
    bool tried = common && r->recipients[0].attempts;
    struct message_fold f;

    begin(&f, out, "");
    if (tried) {
        message_fold_add(&f, STR("It was"));
        add_tries(&f, r, &r->recipients[0]);
    }
    add_outlook(&f, r, tried);
    message_fold_end(&f);
}

/* ---- what can be done ---- */

enum advice {
    ADVICE_NONE,
    ADVICE_SPELLING,
    ADVICE_DOMAIN,
    ADVICE_NO_MAIL,
    ADVICE_SENDER,
    ADVICE_DISABLED,
    ADVICE_FULL,
    ADVICE_SIZE,
    ADVICE_LOOP,
    ADVICE_UTF8,
    ADVICE_POLICY,
    ADVICE_LATER,
    ADVICE_ASK_THEM,
};

/* RFC 3463 3.2 to 3.8, 7505 5.1, 6531 3.5. */
static enum advice advice_by_status(struct status s, bool from_peer)
{
    static const struct {
        unsigned subject, detail;
        enum advice advice;
    } rows[] = {
        { 1, 1, ADVICE_SPELLING }, { 1, 2, ADVICE_DOMAIN },   { 1, 3, ADVICE_SPELLING },
        { 1, 6, ADVICE_SPELLING }, { 1, 7, ADVICE_SENDER },   { 1, 8, ADVICE_SENDER },
        { 1, 10, ADVICE_NO_MAIL }, { 2, 1, ADVICE_DISABLED }, { 2, 2, ADVICE_FULL },
        { 2, 3, ADVICE_SIZE },     { 3, 4, ADVICE_SIZE },     { 4, 6, ADVICE_LOOP },
        { 6, 7, ADVICE_UTF8 },     { 6, 9, ADVICE_UTF8 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].subject == s.subject && rows[i].detail == s.detail)
            return rows[i].advice;
    return s.subject == 7 && from_peer ? ADVICE_POLICY : ADVICE_NONE;
}

static enum advice advice_of(const struct message_report_recipient *rcpt)
{
    enum advice advice = advice_by_status(status_of(rcpt->status), rcpt->from_peer);

    if (advice != ADVICE_NONE)
        return advice;
    if (rcpt->expired)
        return ADVICE_LATER;
    return rcpt->from_peer ? ADVICE_ASK_THEM : ADVICE_NONE;
}

static bool same_advice(const struct message_report_recipient *a, const struct message_report_recipient *b)
{
    return advice_of(a) == advice_of(b) &&
           str_eq_nocase(message_report_domain(a->address), message_report_domain(b->address));
}

static void add_advice(struct buf *out, const char *indent, const struct message_report_recipient *rcpt)
{
    static const struct {
        struct str before, after; /* around the domain of the address */
    } rows[] = {
        [ADVICE_SPELLING] = {
            STR_INIT("Look for a spelling mistake in the address. If there is none, that mailbox does not exist at"),
            STR_INIT("(any more): ask the person for another address."),
        },
        [ADVICE_DOMAIN] = {
            STR_INIT("Look for a spelling mistake behind the @: mail cannot be sent to"),
            STR_INIT("as it is written."),
        },
        [ADVICE_NO_MAIL] = {
            STR_INIT("No address behind the @ can be right:"),
            STR_INIT("does not take mail. Ask the person for another address."),
        },
        [ADVICE_SENDER] = {
            STR_INIT("It is your own address that was not accepted by"),
            STR_INIT("- look for a spelling mistake in the settings of your mail program."),
        },
        [ADVICE_DISABLED] = {
            STR_INIT("The mailbox exists at"),
            STR_INIT("but is closed at present: reach the person in another way."),
        },
        [ADVICE_FULL] = {
            STR_INIT("The mailbox at"),
            STR_INIT("is full: send again in some days, or tell the person in another way."),
        },
        [ADVICE_SIZE] = {
            STR_INIT("The message is too large for"),
            STR_INIT("- send it without its attachments, or in parts."),
        },
        [ADVICE_LOOP] = {
            STR_INIT("The message went in a circle. That is a mistake in the set-up of a mail server, not yours; the "
                     "postmaster of"),
            STR_INIT("may want to know."),
        },
        [ADVICE_UTF8] = {
            STR_INIT("The mail server of"),
            STR_INIT("cannot take addresses and subjects with letters beyond a to z: ask the person for an address "
                     "without them, and send it again."),
        },
        [ADVICE_POLICY] = {
            STR_INIT("The address may be right: the rules of"),
            STR_INIT("refuse this message, for the reason above. If that seems wrong to you, reach the person in "
                     "another way and show them this report: only their side can change it."),
        },
        [ADVICE_LATER] = {
            STR_INIT("If the address is right,"),
            STR_INIT("has had a problem for days: try another way, and send again later."),
        },
        [ADVICE_ASK_THEM] = {
            STR_INIT("The reason above was given by the mail server of"),
            STR_INIT("and only those who look after it can say more."),
        },
    };
    enum advice advice = advice_of(rcpt);
    struct message_fold f;

    if (advice == ADVICE_NONE)
        return;
    begin(&f, out, indent);
    message_fold_add(&f, rows[advice].before);
    message_fold_add(&f, message_report_domain(rcpt->address));
    message_fold_add(&f, rows[advice].after);
    message_fold_end(&f);
}

/* ---- the whole ---- */

static bool all_like_first(const struct message_report *r,
                           bool (*same)(const struct message_report_recipient *,
                                        const struct message_report_recipient *))
{
    for (size_t i = 1; i < r->n_recipients; i++)
        if (!same(&r->recipients[0], &r->recipients[i]))
            return false;
    return true;
}

static void add_opening(struct buf *out, const struct message_report *r)
{
    static const struct str what[] = {
        [MESSAGE_REPORT_FAILED] = STR_INIT("Your message could not be delivered to"),
        [MESSAGE_REPORT_DELAYED] = STR_INIT("Your message has not been delivered yet to"),
        [MESSAGE_REPORT_DOUBLE] =
            STR_INIT("A report that a message was not delivered could not be returned to"),
    };
    struct message_fold f;

    begin(&f, out, "");
    message_fold_add(&f, what[r->kind]);
    if (r->n_recipients > 1)
        message_fold_printf(&f, "these %zu addresses:", r->n_recipients);
    message_fold_end(&f);
}

static void add_address(struct buf *out, const struct message_report_recipient *rcpt)
{
    struct message_fold f;

    begin(&f, out, "    ");
    message_fold_add(&f, rcpt->address);
    if (rcpt->original.n && !str_eq(rcpt->original, rcpt->address))
        message_fold_printf(&f, "(where mail for %.*s goes)", STR_ARG(rcpt->original));
    message_fold_end(&f);
}

static void add_own_tries(struct buf *out, const struct message_report *r,
                          const struct message_report_recipient *rcpt)
{
    struct message_fold f;

    if (!rcpt->attempts)
        return;
    begin(&f, out, "    ");
    add_tries(&f, r, rcpt);
    message_fold_end(&f);
}

static void add_recipients(struct buf *out, const struct message_report *r, bool common_tries,
                           bool own_advice)
{
    for (size_t i = 0; i < r->n_recipients; i++) {
        blank_line(out);
        add_address(out, &r->recipients[i]);
        add_reason(out, r, &r->recipients[i]);
        if (!common_tries)
            add_own_tries(out, r, &r->recipients[i]);
        if (own_advice)
            add_advice(out, "    ", &r->recipients[i]);
    }
    blank_line(out);
}

static void add_help(struct buf *out, const struct message_report *r, enum message_report_content content)
{
    struct message_fold f;

    begin(&f, out, "");
    if (content == MESSAGE_REPORT_WHOLE)
        message_fold_add(&f, STR("Your message is attached."));
    else if (content == MESSAGE_REPORT_HEADER)
        message_fold_add(&f, STR("The header of your message is attached."));
    message_fold_printf(&f, "If you need help, write to %.*s and name %.*s.", STR_ARG(r->from),
                        STR_ARG(r->about));
    message_fold_end(&f);
}

static void add_failed(struct buf *out, const struct message_report *r, enum message_report_content content)
{
    bool common_tries = all_like_first(r, same_tries), common_advice = all_like_first(r, same_advice);

    add_recipients(out, r, common_tries, !common_advice);
    add_tried(out, r, common_tries);
    if (common_advice)
        add_advice(out, "", &r->recipients[0]);
    blank_line(out);
    add_help(out, r, content);
}

static void add_delayed(struct buf *out, const struct message_report *r, enum message_report_content content)
{
    bool common_tries = all_like_first(r, same_tries);

    add_recipients(out, r, common_tries, false);
    add_tried(out, r, common_tries);
    paragraph(
        out,
        "There is nothing that you need to do; please do not send it again. You will be told if it cannot be "
        "delivered.");
    blank_line(out);
    add_help(out, r, content);
}

static void add_double(struct buf *out, const struct message_report *r)
{
    bool common_tries = all_like_first(r, same_tries);

    add_recipients(out, r, common_tries, false);
    add_tried(out, r, common_tries);
    blank_line(out);
    paragraph(
        out,
        "So nobody but you knows that the message did not arrive. The report is attached, and says which "
        "message it was. If the sender's address is one of yours, tell them in another way; if it was "
        "forged, "
        "as that of unwanted mail often is, there is nothing to do.");
}

static void add_digest(struct buf *out, const struct message_report *r)
{
    struct message_fold f;

    paragraph(
        out,
        "These reports that a message was not delivered could not be returned in the last hour: the id of "
        "the report, whom it was for, and why it could not be returned.");
    for (size_t i = 0; i < r->n_recipients; i++) {
        blank_line(out);
        begin(&f, out, "    ");
        message_fold_add(&f, r->recipients[i].about);
        message_fold_add(&f, r->recipients[i].address);
        message_fold_end(&f);
        add_reason(out, r, &r->recipients[i]);
    }
    blank_line(out);
    begin(&f, out, "");
    if (r->left_out)
        message_fold_printf(&f, "And %" PRIu64 " more, which the log has.", r->left_out);
    message_fold_add(
        &f, STR("Many at once come of unwanted mail that was accepted and could not be delivered, or of a "
                "program that sends from an address that does not exist."));
    message_fold_end(&f);
}

void message_report_words(struct buf *out, const struct message_report *r,
                          enum message_report_content content)
{
    if (r->kind == MESSAGE_REPORT_DIGEST) {
        add_digest(out, r);
        return;
    }
    add_opening(out, r);
    switch (r->kind) {
    case MESSAGE_REPORT_FAILED:
        add_failed(out, r, content);
        break;
    case MESSAGE_REPORT_DELAYED:
        add_delayed(out, r, content);
        break;
    default:
        add_double(out, r);
    }
}
