/* message/report.c -- multipart/report: the words, the fields for machines, and what is returned (RFC 6522
 * 3). */
#include "message/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "message/date.h"
#include "message/fold.h"
#include "message/quoted.h"
#include "message/report_words.h"
#include "message/subject.h"
#include "message/trace.h"

enum {
    ADDRESS_MAX = 320,
    ADDRESS_ENCODED_MAX = 900, /* in the 7-bit form of RFC 6533, which cannot be folded */
    NAME_MAX_OCTETS = 255,
    MESSAGE_ID_MAX = 250,
};

/* ---- what is returned ---- */

enum encoding { SEVEN_BIT, EIGHT_BIT, QUOTED_PRINTABLE };

struct returned {
    enum message_report_content content;
    const char *type;
    enum encoding encoding;
    struct str header, body;
};

/* As a part may hold it: CRLF and no other line ends, no NUL, no line above RFC 5322 2.1.1. */
static bool is_mail(struct str s)
{
    size_t start = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || (s.p[i] == '\n' && (!i || s.p[i - 1] != '\r')))
            return false;
        if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n'))
            return false;
        if (s.p[i] == '\n')
            start = i + 1;
        else if (s.p[i] != '\r' && i - start >= MESSAGE_LINE_MAX)
            return false;
    }
    return true;
}

/* RFC 6533 4.2, 4.5: a header beyond ASCII makes it message/global, in 7 bits where the way back is not for
 * UTF-8. */
static struct returned whole_message(const struct message_report *r, bool utf8)
{
    bool global = !str_is_ascii(r->header);
    bool eight = global || !str_is_ascii(r->body);

    return (struct returned){
        .content = MESSAGE_REPORT_WHOLE,
        .type = global ? "message/global" : "message/rfc822",
        .encoding = !eight            ? SEVEN_BIT
                    : global && !utf8 ? QUOTED_PRINTABLE
                                      : EIGHT_BIT,
        .header = r->header,
        .body = r->body,
    };
}

/* RFC 6522 4: broken headers may be encoded, and so can always be returned. */
static struct returned header_alone(const struct message_report *r, bool utf8)
{
    bool eight = !str_is_ascii(r->header), global = eight && str_is_utf8(r->header);
    struct str header = r->header;

    if (str_ends(header, STR("\r\n\r\n")))
        header.n -= 2;
    return (struct returned){
        .content = MESSAGE_REPORT_HEADER,
        .type = global ? "message/global-headers" : "text/rfc822-headers",
        .encoding = !is_mail(header) || (eight && !(utf8 && global)) ? QUOTED_PRINTABLE
                    : eight                                          ? EIGHT_BIT
                                                                     : SEVEN_BIT,
        .header = header,
    };
}

static struct returned choose_returned(const struct message_report *r, bool utf8)
{
    if (!r->header.n || r->kind == MESSAGE_REPORT_DIGEST)
        return (struct returned){ .content = MESSAGE_REPORT_NOTHING };
    /* RFC 3461 6.2: a report without failures returns the header only. */
    if (r->full && r->kind != MESSAGE_REPORT_DELAYED && str_is_utf8(r->header) && is_mail(r->header) &&
        is_mail(r->body))
        return whole_message(r, utf8);
    return header_alone(r, utf8);
}

static void add_content(struct buf *out, struct str s, enum encoding encoding)
{
    if (encoding == QUOTED_PRINTABLE)
        message_quoted_add(out, s);
    else
        buf_add(out, s);
}

static void add_encoding(struct buf *out, enum encoding encoding)
{
    static const char *const names[] = { "7bit", "8bit", "quoted-printable" };

    buf_printf(out, "Content-Transfer-Encoding: %s\r\n", names[encoding]);
}

static void add_returned(struct buf *out, const struct returned *ret)
{
    bool ended = str_ends(ret->header, STR("\r\n\r\n")) || str_eq(ret->header, STR("\r\n"));

    buf_printf(out, "Content-Type: %s\r\n", ret->type);
    add_encoding(out, ret->encoding);
    buf_add_c(out, "\r\n");
    add_content(out, ret->header, ret->encoding);
    if (ret->body.n && !ended)
        buf_add_c(out, str_ends(ret->header, STR("\r\n")) ? "\r\n" : "\r\n\r\n");
    add_content(out, ret->body, ret->encoding);
}

/* ---- for machines: message/delivery-status (RFC 3464 2) ---- */

/* RFC 6533 3, utf-8-addr-xtext. */
static void add_utf8_in_ascii(struct buf *out, struct str s)
{
    size_t start = out->n;

    while (s.n && out->n - start < ADDRESS_ENCODED_MAX) {
        size_t n = str_utf8_length(s);
        unsigned char c = (unsigned char)s.p[0];
        uint32_t point = n == 1 ? c : c & (0xffu >> (n + 1));
        for (size_t i = 1; i < n; i++)
            point = point << 6 | ((unsigned char)s.p[i] & 0x3f);
        if (n > 1 || c <= ' ' || c == '\\' || c == '+' || c == '=' || c > '~')
            buf_printf(out, "\\x{%02" PRIX32 "}", point);
        else
            buf_add_char(out, s.p[0]);
        s = str_skip(s, n);
    }
}

static void add_address(struct buf *out, struct str address, bool utf8)
{
    if (str_is_ascii(address) || !str_is_utf8(address)) {
        buf_add_c(out, "rfc822; ");
        message_plain_add(out, address, ADDRESS_MAX, true);
        return;
    }
    buf_add_c(out, "utf-8; ");
    if (utf8)
        message_plain_add(out, address, ADDRESS_MAX, false);
    else
        add_utf8_in_ascii(out, address);
}

/* digit "." 1*3digit "." 1*3digit */
static bool is_status(struct str s)
{
    struct str class = str_cut(&s, '.'), subject = str_cut(&s, '.');
    const struct str all[] = { class, subject, s };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!all[i].n || all[i].n > (i ? 3 : 1))
            return false;
        for (size_t k = 0; k < all[i].n; k++)
            if (!ascii_is_digit(all[i].p[k]))
                return false;
    }
    return true;
}

/*
 * In the class of its action (RFC 3464 2.3.4): where `on-reply` decided, the host's own code is of the other one, and
 * stands with its words. Who ran out of time did so whatever was said last (RFC 3463 3.5, X.4.7).
 */
static void add_status_code(struct buf *out, const struct message_report_recipient *rcpt, bool delayed)
{
    if (!delayed && rcpt->expired) {
        buf_add_c(out, "5.4.7");
        return;
    }
    buf_add_char(out, delayed ? '4' : '5');
    buf_add(out, is_status(rcpt->status) ? str_skip(rcpt->status, 1) : STR(".0.0"));
}

/* The words of a peer with the codes that stood before them. Ours are of no known type, and not those of a
 * remote MTA. */
static void add_diagnostic(struct buf *out, const struct message_report_recipient *rcpt)
{
    struct message_fold f = { .out = out, .indent = " ", .ascii = true };

    if (!rcpt->from_peer && (rcpt->remote_mta.n || !rcpt->reply.n))
        return;
    message_fold_begin(&f, rcpt->from_peer ? "Diagnostic-Code: smtp;" : "Diagnostic-Code: x-veredus;");
    if (rcpt->from_peer && rcpt->code) {
        message_fold_printf(&f, "%03u", rcpt->code);
        message_fold_add(&f, rcpt->status);
    }
    message_fold_add(&f, rcpt->reply);
    message_fold_end(&f);
}

static void add_date(struct buf *out, const struct message_report *r, const char *name, int64_t msec)
{
    if (msec)
        buf_printf(out, "%s: %s\r\n", name, message_date(msec, r->zone_minutes).c);
}

static void add_recipient(struct buf *out, const struct message_report *r,
                          const struct message_report_recipient *rcpt, bool utf8)
{
    bool delayed = r->kind == MESSAGE_REPORT_DELAYED;

    buf_add_c(out, "\r\nFinal-Recipient: ");
    add_address(out, rcpt->address, utf8);
    buf_printf(out, "\r\nAction: %s\r\nStatus: ", delayed ? "delayed" : "failed");
    add_status_code(out, rcpt, delayed);
    buf_add_c(out, "\r\n");
    if (rcpt->remote_mta.n) {
        buf_add_c(out, "Remote-MTA: dns; ");
        message_plain_add(out, rcpt->remote_mta, NAME_MAX_OCTETS, true);
        buf_add_c(out, "\r\n");
    }
    add_diagnostic(out, rcpt);
    add_date(out, r, "Last-Attempt-Date", rcpt->last_msec);
    if (delayed)
        add_date(out, r, "Will-Retry-Until", rcpt->retry_until_msec);
}

static bool has_utf8_address(const struct message_report *r)
{
    for (size_t i = 0; i < r->n_recipients; i++)
        if (!str_is_ascii(r->recipients[i].address) && str_is_utf8(r->recipients[i].address))
            return true;
    return false;
}

/* Original-Envelope-Id and Original-Recipient would say that ENVID and ORCPT were given (RFC 3461 6.3). */
static void add_status(struct buf *out, const struct message_report *r, bool utf8)
{
    buf_printf(out, "Content-Type: message/%s\r\n", utf8 ? "global-delivery-status" : "delivery-status");
    add_encoding(out, utf8 ? EIGHT_BIT : SEVEN_BIT);
    buf_add_c(out, "\r\nReporting-MTA: dns; ");
    message_plain_add(out, r->hostname, NAME_MAX_OCTETS, true);
    buf_add_c(out, "\r\n");
    add_date(out, r, "Arrival-Date", r->arrival_msec);
    if (r->release_request.n) {
        buf_add_c(out, "Future-Release-Request: ");
        message_plain_add(out, r->release_request, NAME_MAX_OCTETS, true);
        buf_add_c(out, "\r\n");
    }
    for (size_t i = 0; i < r->n_recipients; i++)
        add_recipient(out, r, &r->recipients[i], utf8);
}

/* ---- the header ---- */

/* A message id that can stand in a field of ours, without its brackets. */
static bool is_message_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= ' ' || id.p[i] > '~' || id.p[i] == '<' || id.p[i] == '>')
            return false;
    return id.n && id.n <= MESSAGE_ID_MAX;
}

static void add_id(struct message_fold *f, struct str id)
{
    if (is_message_id(id))
        message_fold_printf(f, "<%.*s>", STR_ARG(id));
}

/* RFC 5322 3.6.4: those of the message, then the message. */
static void add_thread(struct buf *out, const struct message_report *r)
{
    struct message_fold f = { .out = out, .indent = " ", .ascii = true };
    struct str rest = r->references;

    if (!is_message_id(r->message_id) || r->kind == MESSAGE_REPORT_DIGEST)
        return;
    message_fold_begin(&f, "In-Reply-To:");
    add_id(&f, r->message_id);
    message_fold_end(&f);
    message_fold_begin(&f, "References:");
    while (rest.n) {
        rest = str_skip(rest, str_find(rest, '<') + 1);
        add_id(&f, str_cut(&rest, '>'));
    }
    add_id(&f, r->message_id);
    message_fold_end(&f);
}

static void add_subject(struct buf *out, const struct message_report *r)
{
    static const struct str prefix[] = {
        [MESSAGE_REPORT_FAILED] = STR_INIT("Not delivered:"),
        [MESSAGE_REPORT_DELAYED] = STR_INIT("Delayed:"),
        [MESSAGE_REPORT_DOUBLE] = STR_INIT("Could not be returned:"),
    };

    if (r->kind == MESSAGE_REPORT_DIGEST)
        buf_printf(out, "Subject: Undeliverable reports: %" PRIu64 " in the last hour\r\n",
                   (uint64_t)r->n_recipients + r->left_out);
    else
        message_subject_write(out, prefix[r->kind], r->subject);
}

static void add_field(struct buf *out, const char *before, struct str value, size_t max, const char *after,
                      bool ascii)
{
    buf_add_c(out, before);
    message_plain_add(out, value, max, ascii);
    buf_add_c(out, after);
}

static void add_header(struct buf *out, const struct message_report *r, bool utf8_to)
{
    add_field(out, "From: \"Mail system of ", r->hostname, NAME_MAX_OCTETS, "\"", true);
    add_field(out, " <", r->from, ADDRESS_MAX, ">\r\n", true);
    add_field(out, "To: <", r->to, ADDRESS_MAX, ">\r\n", !utf8_to);
    add_subject(out, r);
    buf_printf(out, "Date: %s\r\n", message_date(r->utc_msec, r->zone_minutes).c);
    add_field(out, "Message-ID: <", r->id, NAME_MAX_OCTETS, "@", true);
    add_field(out, "", r->hostname, NAME_MAX_OCTETS, ">\r\n", true);
    add_thread(out, r);
    /* RFC 3834 5: an answer of a program to what somebody sent. */
    buf_add_c(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
}

/* ---- the parts ---- */

struct boundary {
    char c[64];
};

static bool occurs(const struct message_report *r, struct str needle)
{
    if (str_contains(r->header, needle) || str_contains(r->body, needle))
        return true;
    for (size_t i = 0; i < r->n_recipients; i++) {
        const struct message_report_recipient *rcpt = &r->recipients[i];
        if (str_contains(rcpt->address, needle) || str_contains(rcpt->reply, needle) ||
            str_contains(rcpt->remote_mta, needle))
            return true;
    }
    return false;
}

/* The id of the report, which no older message can know, and a count should it stand there all the same. */
static struct boundary choose_boundary(const struct message_report *r)
{
    struct boundary b = { "" };
    char id[21] = "";
    unsigned n = 0;

    for (size_t i = 0; i < r->id.n && i < sizeof(id) - 1; i++)
        id[i] = ascii_is_alnum(r->id.p[i]) ? r->id.p[i] : '-';
    do
        snprintf(b.c, sizeof(b.c), "report-%s-%u", id, n++);
    while (occurs(r, str_from_c(b.c)));
    return b;
}

static void add_text(struct buf *out, const struct message_report *r, enum message_report_content content,
                     enum encoding encoding)
{
    buf_printf(out, "Content-Type: text/plain; charset=%s\r\n", encoding == EIGHT_BIT ? "utf-8" : "us-ascii");
    add_encoding(out, encoding);
    buf_add_c(out, "\r\n");
    message_report_words(out, r, content);
}

/* The words hold what others said: only when they are written it is known whether they are ASCII. */
static bool words_are_ascii(const struct message_report *r, enum message_report_content content, size_t max)
{
    struct buf words = BUF_INIT(max);

    message_report_words(&words, r, content);
    bool ascii = !words.failed && str_is_ascii(buf_str(&words));
    buf_done(&words);
    return ascii;
}

static void add_parts(struct buf *out, const struct message_report *r, const struct returned *ret,
                      enum encoding words, bool utf8_status, bool eight)
{
    struct boundary b = choose_boundary(r);

    buf_printf(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%s\"\r\n",
               b.c);
    add_encoding(out, eight ? EIGHT_BIT : SEVEN_BIT);
    buf_printf(out, "\r\n--%s\r\n", b.c);
    add_text(out, r, ret->content, words);
    buf_printf(out, "\r\n--%s\r\n", b.c);
    add_status(out, r, utf8_status);
    if (ret->content != MESSAGE_REPORT_NOTHING) {
        buf_printf(out, "\r\n--%s\r\n", b.c);
        add_returned(out, ret);
    }
    buf_printf(out, "\r\n--%s--\r\n", b.c);
}

bool message_report_write(struct buf *out, const struct message_report *r, bool *eight_bit)
{
    /* Who has an address beyond ASCII can be reached by SMTPUTF8 only. */
    bool utf8_to = !str_is_ascii(r->to) && str_is_utf8(r->to), utf8 = r->utf8 || utf8_to;
    struct returned ret = choose_returned(r, utf8);
    bool utf8_status = utf8 && has_utf8_address(r) && r->kind != MESSAGE_REPORT_DIGEST;
    enum encoding words = words_are_ascii(r, ret.content, out->max) ? SEVEN_BIT : EIGHT_BIT;
    bool eight = words == EIGHT_BIT || utf8_status || ret.encoding == EIGHT_BIT;

    BUG_ON(!r->n_recipients);
    add_header(out, r, utf8_to);
    if (r->kind == MESSAGE_REPORT_DIGEST)
        add_text(out, r, MESSAGE_REPORT_NOTHING, words);
    else
        add_parts(out, r, &ret, words, utf8_status, eight);
    *eight_bit = eight || utf8_to;
    return !out->failed;
}
