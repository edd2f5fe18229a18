/* smtp/reply.c -- rows become lines; the only place that writes CRLF to a client. */
#include "smtp/reply.h"

#include <stddef.h>
#include <string.h>

static const struct smtp_reply rows[SMTP_REPLY_COUNT] = {
#define X(name, code, status, words) [SMTP_REPLY_##name] = { code, STR_INIT(status), STR_INIT(words) },
#include "smtp/replies.def"
#undef X
};

/* Where a slot's value is in struct smtp_slots; {number} is apart. */
static const struct {
    struct str name;
    size_t offset;
} slot_places[] = {
    { STR_INIT("address"), offsetof(struct smtp_slots, address) },
    { STR_INIT("id"), offsetof(struct smtp_slots, id) },
    { STR_INIT("client"), offsetof(struct smtp_slots, client) },
    { STR_INIT("hostname"), offsetof(struct smtp_slots, hostname) },
    { STR_INIT("text"), offsetof(struct smtp_slots, text) },
};

enum { WORDS_MAX = 16 * 1024 }; /* of one reply that does not fit on a line */

struct smtp_reply smtp_reply_row(enum smtp_reply_name name)
{
    BUG_ON(name <= SMTP_REPLY_NONE || name >= SMTP_REPLY_COUNT);
    return rows[name];
}

/* A run of octets that may not be shown is one '?'. */
static void add_shown(struct buf *out, struct str s, bool utf8, bool lines)
{
    bool high = utf8 && str_is_utf8(s);
    bool hidden = false;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool show = (c >= 0x20 && c < 0x7f) || (c > 0x7f && high) || (c == '\n' && lines);
        if (show || !hidden)
            buf_add_char(out, show ? (char)c : '?');
        hidden = !show;
    }
}

static bool add_slot(struct buf *out, struct str name, const struct smtp_slots *slots, bool utf8)
{
    struct str value;

    if (str_eq(name, STR("number")))
        return buf_printf(out, "%llu", (unsigned long long)slots->number) || true;
    for (size_t i = 0; i < ARRAY_LEN(slot_places); i++) {
        if (!str_eq(name, slot_places[i].name))
            continue;
        memcpy(&value, (const char *)slots + slot_places[i].offset, sizeof(value));
        add_shown(out, value, utf8, false);
        return true;
    }
    return false;
}

/* Values are added as they are and never looked at for slots; what is no slot of ours stands as written. */
static void add_words(struct buf *out, struct str words, const struct smtp_slots *slots, bool utf8)
{
    while (words.n) {
        size_t open = slots ? str_find(words, '{') : words.n;
        add_shown(out, str_head(words, open), utf8, true);
        words = str_skip(words, open);
        if (!words.n)
            return;
        size_t close = str_find(words, '}');
        bool filled = close < words.n && add_slot(out, str_slice(words, 1, close), slots, utf8);
        size_t done = filled ? close + 1 : 1;
        if (!filled)
            buf_add_char(out, '{');
        words = str_skip(words, done);
    }
}

static void add_start(struct buf *out, const struct smtp_reply *reply, char separator)
{
    char code[4] = { (char)('0' + reply->code / 100), (char)('0' + reply->code / 10 % 10),
                     (char)('0' + reply->code % 10), separator };

    buf_add(out, str_of(code, sizeof(code)));
    if (reply->status.n) {
        buf_add(out, reply->status);
        buf_add_char(out, ' ');
    }
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* How much of TEXT goes on a line of ROOM octets: up to LF, else a blank, else wherever a character ends. */
static size_t line_length(struct str text, size_t room)
{
    size_t lf = str_find(text, '\n');

    if (lf <= room)
        return lf;
    size_t blank = str_rfind(str_head(text, room), ' ');
    if (blank > 0 && blank < room)
        return blank;
    while (room > 1 && is_continuation(text.p[room]))
        room--;
    return room;
}

/* As many lines as it takes (RFC 5321 4.2.1): "-" on all but the last. */
static void add_lines(struct buf *out, const struct smtp_reply *reply, struct str text)
{
    size_t start = 4 + (reply->status.n ? reply->status.n + 1 : 0);
    size_t room = SMTP_REPLY_LINE_MAX - 2 - start;

    do {
        size_t n = line_length(text, room);
        struct str rest = str_skip(text, n);
        if (rest.n && (rest.p[0] == '\n' || rest.p[0] == ' '))
            rest = str_skip(rest, 1);
        add_start(out, reply, rest.n ? '-' : ' ');
        buf_add(out, str_head(text, n));
        buf_add(out, STR("\r\n"));
        text = rest;
    } while (text.n);
}

bool smtp_reply_write(struct buf *out, const struct smtp_reply *reply, const struct smtp_slots *slots,
                      bool utf8)
{
    struct buf whole = BUF_INIT(WORDS_MAX);
    size_t from = out->n;

    BUG_ON(!smtp_reply_is_sane(reply));
    add_start(out, reply, ' ');
    size_t words_from = out->n;
    add_words(out, reply->words, slots, utf8);
    if (out->failed)
        return false;

    struct str words = str_skip(buf_str(out), words_from);
    if (out->n - from + 2 <= SMTP_REPLY_LINE_MAX && !str_has(words, '\n'))
        return buf_add(out, STR("\r\n"));

    /* Seldom: lay it out again, over what was written. */
    bool kept = buf_add(&whole, words);
    out->n = from;
    if (kept)
        add_lines(out, reply, buf_str(&whole));
    else
        out->failed = true;
    buf_done(&whole);
    return !out->failed;
}

/* One to three digits, no leading zero (RFC 3463 2). */
static bool is_subcode(struct str s)
{
    if (!s.n || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i]))
            return false;
    return true;
}

bool smtp_reply_is_sane(const struct smtp_reply *reply)
{
    struct str rest = reply->status;

    if (reply->code < 200 || reply->code > 599)
        return false;
    if (!rest.n)
        return true;
    struct str class = str_cut(&rest, '.');
    struct str subject = str_cut(&rest, '.');
    return class.n == 1 && class.p[0] == (char)('0' + reply->code / 100) && class.p[0] != '3' &&
           is_subcode(subject) && is_subcode(rest);
}
