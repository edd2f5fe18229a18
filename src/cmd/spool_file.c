/* cmd/spool_file.c */
#include "cmd/spool_file.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/text.h"
#include "core/base64.h"
#include "core/ip.h"
#include "core/utc.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/progress.h"
#include "smtp/address.h"

enum { ARENA_MAX = 64 << 20, PIECE = 64 * 1024 };

static const char format_name[] = "veredus message 1";
static const char *const states[] = { "waiting", "delivered", "failed", "expanded", "returned" };
static const char *const kinds[] = { "address", "command", "file" };

void spool_item_clear(struct spool_item *item)
{
    buf_clear(&item->envelope);
    buf_clear(&item->state);
    buf_clear(&item->hold);
    item->damaged = item->held = false;
    item->accepted_msec = 0;
    item->size = 0;
}

void spool_item_done(struct spool_item *item)
{
    buf_done(&item->envelope);
    buf_done(&item->state);
    buf_done(&item->hold);
}

/* ---- out ---- */

static json_t *text_json(struct str text)
{
    json_t *json = str_is_utf8(text) ? json_stringn(text.p ? text.p : "", text.n) : NULL;
    struct buf octets = BUF_INIT(text.n * 2 + 8);

    if (!json && base64_add(&octets, text))
        json = json_pack("{s:s#}", "base64", octets.p ? octets.p : "", (int)octets.n);
    buf_done(&octets);
    return json;
}

static void put(json_t *object, const char *name, struct str text)
{
    if (text.n)
        json_object_set_new(object, name, text_json(text));
}

static void put_number(json_t *object, const char *name, int64_t n)
{
    if (n)
        json_object_set_new(object, name, json_integer((json_int_t)n));
}

static void put_time(json_t *object, const char *name, int64_t msec)
{
    if (msec)
        json_object_set_new(object, name, json_string(utc_text_msec(msec).c));
}

static json_t *recipient_json(const struct envelope_recipient *er, const struct progress *p)
{
    json_t *o = json_object();
    struct buf address = BUF_INIT(SMTP_PATH_MAX * 2);
    struct smtp_path path = { .local = er->local, .domain = er->domain };

    json_object_set_new(o, "number", json_integer(er->number));
    if (er->kind == ENVELOPE_ADDRESS && smtp_path_write(&address, &path)) {
        put(o, "to", buf_str(&address));
    } else {
        put(o, "kind", str_from_c(kinds[er->kind]));
        put(o, "to", er->local);
        put(o, "domain", er->domain);
    }
    buf_done(&address);
    put(o, "original", er->original);
    if (er->has_sender)
        json_object_set_new(o, "from", text_json(er->sender));
    json_object_set_new(o, "state", json_string(states[p ? p->state : PROGRESS_WAITING]));
    if (!p)
        return o;
    put_number(o, "attempts", p->attempts);
    put_number(o, "deaths", p->deaths);
    put_number(o, "warned", p->warned);
    put_time(o, "first", p->first_msec);
    put_time(o, "last", p->last_msec);
    put_time(o, "next", p->next_msec);
    put_number(o, "code", p->code);
    put(o, "status", p->status);
    put(o, p->from_peer ? "reply" : "error", p->text);
    put(o, "host", p->host);
    put(o, "peer", p->peer);
    put(o, "site", p->site);
    put(o, "reason", p->reason);
    if (p->released)
        json_object_set_new(o, "released", json_true());
    if (p->early)
        json_object_set_new(o, "early", json_true());
    return o;
}

static const struct progress *progress_of(const struct progress *items, size_t n, uint32_t number)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].number == number)
            return &items[i];
    return NULL;
}

static void put_client(json_t *o, struct str octets)
{
    struct ip ip = { .family = IP_V6 };

    if (octets.n != sizeof(ip.octets))
        return;
    memcpy(ip.octets, octets.p, sizeof(ip.octets));
    ip = ip_unmap(ip);
    json_object_set_new(o, "client", json_string(ip_text(&ip).c));
}

static void put_envelope(json_t *o, const struct envelope *e, const struct progress *items, size_t n)
{
    json_t *recipients = json_array();
    size_t at = 0;

    json_object_set_new(o, "from", text_json(e->sender));
    if (e->smtputf8)
        json_object_set_new(o, "smtputf8", json_true());
    put_client(o, e->client);
    put(o, "ehlo", e->client_name);
    put(o, "listener", e->listener);
    put(o, "protocol", e->protocol);
    put(o, "session", e->session);
    if (e->uid_plus)
        json_object_set_new(o, "uid", json_integer((json_int_t)e->uid_plus - 1));
    put_number(o, "report", e->report);
    put(o, "account", e->account);
    put(o, "limit", e->held);
    put_time(o, "release", e->release_msec);
    put(o, "release_request", e->release_request);
    for (size_t i = 0; i < e->n_recipients; i++) {
        const struct envelope_recipient *er = &e->recipients[i];
        /* Both rise: mostly it is the next one. */
        const struct progress *p =
            at < n && items[at].number == er->number ? &items[at] : progress_of(items, n, er->number);
        at += p == &items[at] && at < n;
        json_array_append_new(recipients, recipient_json(er, p));
    }
    json_object_set_new(o, "recipients", recipients);
}

/* As sha256sum(1) prints it. */
static void sum_text(const unsigned char sum[SPOOL_FILE_SUM], char text[2 * SPOOL_FILE_SUM + 1])
{
    for (size_t i = 0; i < SPOOL_FILE_SUM; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

static void put_content(json_t *o, const struct spool_item *item)
{
    char text[2 * SPOOL_FILE_SUM + 1];

    sum_text(item->sum, text);
    json_object_set_new(o, "size", json_integer((json_int_t)item->size));
    json_object_set_new(o, "sha256", json_string(text));
}

json_t *spool_file_json(const struct spool_item *item, const unsigned char token[SPOOL_FILE_TOKEN])
{
    struct arena *a = arena_new(ARENA_MAX);
    json_t *o = json_object();
    struct progress *items = NULL;
    struct buf text = BUF_INIT(64);
    struct envelope e;
    struct err err = { 0 };
    size_t n = 0;

    json_object_set_new(o, "format", json_string(format_name));
    json_object_set_new(o, "id", json_string(queue_id_text(item->id).c));
    if (base64_add(&text, str_of((const char *)token, SPOOL_FILE_TOKEN)))
        put(o, "token", buf_str(&text));
    buf_done(&text);
    put_time(o, "accepted", item->accepted_msec);
    json_object_set_new(o, "held", json_boolean(item->held));
    put(o, "hold", buf_str(&item->hold));
    if (item->damaged)
        json_object_set_new(o, "damaged", json_true());
    else
        put_content(o, item);
    if (a && item->state.n && !progress_decode(buf_str(&item->state), a, &items, &n, &err))
        n = 0;
    if (a && item->envelope.n && envelope_decode(buf_str(&item->envelope), a, &e, &err))
        put_envelope(o, &e, items, n);
    arena_free(a);
    return o;
}

/* ---- in ---- */

/* Empty when there is none; *ok becomes false for what is no text. */
static struct str get(const json_t *o, const char *name, struct arena *a, bool *ok)
{
    const json_t *value = json_object_get(o, name), *octets = json_object_get(value, "base64");
    struct buf out = BUF_INIT(PIECE);
    struct str text = STR_NONE;

    if (json_is_string(value)) {
        text = str_of(json_string_value(value), json_string_length(value));
    } else if (octets && base64_read(&out, str_from_c(json_string_value(octets)))) {
        text = arena_str(a, buf_str(&out));
    } else if (value) {
        *ok = false;
    }
    buf_done(&out);
    return text;
}

static uint64_t get_number(const json_t *o, const char *name, uint64_t max, bool *ok)
{
    const json_t *value = json_object_get(o, name);
    json_int_t n = json_integer_value(value);

    if ((value && !json_is_integer(value)) || n < 0 || (uint64_t)n > max) {
        *ok = false;
        return 0;
    }
    return (uint64_t)n;
}

/* "2026-11-22T09:41:07.301Z"; 0 when there is none. */
static int64_t get_time(const json_t *o, const char *name, bool *ok)
{
    const char *text = json_string_value(json_object_get(o, name));

    if (!json_object_get(o, name))
        return 0;
    int64_t msec = text ? text_time_msec(text) : -1;
    *ok &= msec >= 0;
    return msec;
}

static unsigned get_word(const json_t *o, const char *name, const char *const *words, unsigned count,
                         bool *ok)
{
    const char *text = json_string_value(json_object_get(o, name));

    if (!json_object_get(o, name))
        return 0;
    for (unsigned i = 0; i < count; i++)
        if (text && !strcmp(text, words[i]))
            return i;
    *ok = false;
    return 0;
}

static bool get_address(const json_t *o, struct arena *a, struct envelope_recipient *er)
{
    struct smtp_path path;
    bool ok = true;
    struct str to = get(o, "to", a, &ok);

    er->kind = (enum envelope_kind)get_word(o, "kind", kinds, ARRAY_LEN(kinds), &ok);
    if (er->kind != ENVELOPE_ADDRESS) {
        er->local = to;
        er->domain = get(o, "domain", a, &ok);
        return ok && to.n;
    }
    if (!ok || smtp_mailbox_parse(a, to, &path) != SMTP_PATH_OK)
        return false;
    er->local = path.local;
    er->domain = path.domain;
    return true;
}

/* One recipient of the file, and whether it is still to be attended to. */
static bool get_recipient(const json_t *o, struct arena *a, struct envelope_recipient *er, struct progress *p)
{
    bool ok = true;

    *er = (struct envelope_recipient){
        .number = (uint32_t)get_number(o, "number", UINT32_MAX, &ok),
        .original = get(o, "original", a, &ok),
        .sender = get(o, "from", a, &ok),
        .has_sender = json_object_get(o, "from") != NULL,
    };
    *p = (struct progress){
        .number = er->number,
        .state = (enum progress_state)get_word(o, "state", states, ARRAY_LEN(states), &ok),
        .attempts = (uint32_t)get_number(o, "attempts", UINT32_MAX, &ok),
        .warned = (uint32_t)get_number(o, "warned", UINT32_MAX, &ok),
        .code = (uint32_t)get_number(o, "code", 999, &ok),
        .first_msec = get_time(o, "first", &ok),
        .last_msec = get_time(o, "last", &ok),
        .next_msec = get_time(o, "next", &ok),
        .status = get(o, "status", a, &ok),
        .from_peer = json_object_get(o, "reply") != NULL,
        .text = get(o, json_object_get(o, "reply") ? "reply" : "error", a, &ok),
        .host = get(o, "host", a, &ok),
        .peer = get(o, "peer", a, &ok),
        .site = get(o, "site", a, &ok),
        .reason = get(o, "reason", a, &ok),
        .released = json_is_true(json_object_get(o, "released")),
        .early = json_is_true(json_object_get(o, "early")),
    };
    return get_address(o, a, er) && ok && er->number;
}

static bool get_recipients(const json_t *file, struct arena *a, struct envelope *e, struct progress **items,
                           size_t *n, struct err *err)
{
    const json_t *list = json_object_get(file, "recipients"), *o;
    size_t i, count = json_array_size(list);
    struct envelope_recipient *er = ARENA_NEW_ARRAY(a, count + 1, struct envelope_recipient);

    *items = ARENA_NEW_ARRAY(a, count + 1, struct progress);
    *n = e->n_recipients = 0;
    if (!er || !*items || count > ENVELOPE_RECIPIENTS_MAX)
        return err_perm(err, "too many recipients");
    json_array_foreach(list, i, o)
    {
        struct progress *p = &(*items)[*n];
        if (!get_recipient(o, a, &er[e->n_recipients], p))
            return err_perm(err, "its recipient %zu is not understood", i + 1);
        if (p->state != PROGRESS_WAITING && p->state != PROGRESS_FAILED)
            continue; /* that one is done */
        e->n_recipients++;
        *n += p->state == PROGRESS_FAILED || p->attempts || p->next_msec || p->warned || p->released || p->early;
    }
    e->recipients = er;
    return e->n_recipients || err_perm(err, "all of its recipients are done");
}

static struct str get_client(const json_t *file, struct arena *a, bool *ok)
{
    static const char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff };
    struct str text = get(file, "client", a, ok);
    char octets[16];
    struct ip ip;

    if (!text.n)
        return STR_NONE;
    *ok &= ip_parse(text, &ip);
    if (!*ok)
        return STR_NONE;
    bool four = ip.family == IP_V4;
    memcpy(octets, mapped, sizeof(mapped));
    memcpy(four ? octets + 12 : octets, ip.octets, four ? 4 : 16);
    return arena_str(a, str_of(octets, sizeof(octets)));
}

static bool is_sender(struct str sender, struct arena *a)
{
    struct smtp_path path;

    return !sender.n || smtp_mailbox_parse(a, sender, &path) == SMTP_PATH_OK;
}

static struct envelope get_envelope(const json_t *file, const struct spool_content_facts *facts,
                                    struct arena *a, bool *ok)
{
    bool has_uid = json_object_get(file, "uid") != NULL;

    return (struct envelope){
        .sender = get(file, "from", a, ok),
        .smtputf8 = json_is_true(json_object_get(file, "smtputf8")),
        .body = facts->eight_bit ? ENVELOPE_BODY_8BIT : ENVELOPE_BODY_7BIT,
        .size = facts->size,
        .lines = facts->lines,
        .longest_line = facts->longest_line,
        .leading_dots = facts->leading_dots,
        .client = get_client(file, a, ok),
        .client_name = get(file, "ehlo", a, ok),
        .listener = get(file, "listener", a, ok),
        .protocol = get(file, "protocol", a, ok),
        .session = get(file, "session", a, ok),
        .message_id = facts->message_id,
        .subject = facts->subject,
        .references = facts->references,
        .header_octets = facts->header_octets,
        .header_eight_bit = facts->header_eight_bit,
        .uid_plus = has_uid ? (uint32_t)get_number(file, "uid", UINT32_MAX - 1, ok) + 1 : 0,
        .report = (uint32_t)get_number(file, "report", ENVELOPE_POSTMASTER_REPORT, ok),
        .account = get(file, "account", a, ok),
        .held = get(file, "limit", a, ok),
        .release_msec = get_time(file, "release", ok),
        .release_request = get(file, "release_request", a, ok),
    };
}

/* One octet less, and another message goes out under the name of this one. */
static bool is_content(const json_t *file, const struct spool_content_facts *facts, struct err *err)
{
    const json_t *size = json_object_get(file, "size"), *sum = json_object_get(file, "sha256");
    const char *wanted = json_string_value(sum);
    char text[2 * SPOOL_FILE_SUM + 1];

    if (size && (!json_is_integer(size) || (uint64_t)json_integer_value(size) != facts->size))
        return err_perm(err, "its content has %llu octets, not the %lld that were exported",
                        (unsigned long long)facts->size, (long long)json_integer_value(size));
    sum_text(facts->sum, text);
    if (sum && (!wanted || strcmp(wanted, text) != 0))
        return err_perm(err, "its content is not what was exported; without \"size\" and \"sha256\" in its "
                             ".json it is taken as it is");
    return true;
}

bool spool_file_read(const json_t *file, const struct spool_content_facts *facts, struct arena *a,
                     struct spool_item *item, struct buf *token, struct err *err)
{
    const char *format = json_string_value(json_object_get(file, "format"));
    struct progress *items;
    bool ok = true;
    size_t n;

    if (!format || strcmp(format, format_name) != 0)
        return err_perm(err, "it is no file of veredus spool export");
    if (json_is_true(json_object_get(file, "damaged")))
        return err_perm(
            err, "it is what was left of a damaged message; without \"damaged\" in it, it is taken as it is");
    if (!is_content(file, facts, err))
        return false;
    spool_item_clear(item);
    buf_clear(token);
    struct envelope e = get_envelope(file, facts, a, &ok);
    item->accepted_msec = get_time(file, "accepted", &ok);
    item->held = json_is_true(json_object_get(file, "held"));
    buf_add(&item->hold, get(file, "hold", a, &ok));
    ok &= base64_read(token, get(file, "token", a, &ok)) && token->n == SPOOL_FILE_TOKEN;
    if (!ok || !item->accepted_msec || !json_object_get(file, "from") || !is_sender(e.sender, a))
        return err_perm(err, "its sender, dates or token are not understood");
    if (!get_recipients(file, a, &e, &items, &n, err))
        return false;
    return (envelope_encode(&item->envelope, &e) && (!n || progress_encode(&item->state, items, n))) ||
           err_perm(err, "it is too long");
}

int spool_folder_fail(const struct err *err)
{
    if (err->sys == EWOULDBLOCK)
        return cmd_fail(CMD_LATER, "try again when it is over", "another export or import works in that folder");
    return cmd_fail(CMD_INPUT, NULL, "%s", err->text);
}

/* ---- content ---- */

/* What stood at the end of the last piece. */
struct line {
    uint64_t octets;
    bool cr;
};

/* Every line ends in CRLF, and nothing else is CR or LF (RFC 5321 2.3.8). */
static bool look_at(struct spool_content_facts *f, struct line *line, struct str piece, struct err *err)
{
    for (size_t i = 0; i < piece.n; i++) {
        unsigned char c = (unsigned char)piece.p[i];
        if ((c == '\n') != line->cr)
            return err_perm(err, "line %llu of its content does not end in CRLF",
                            (unsigned long long)f->lines + 1);
        f->eight_bit |= c > 127;
        if (c == '\n') {
            f->lines++;
            if (line->octets > f->longest_line)
                f->longest_line = line->octets;
            *line = (struct line){ 0 };
        } else if (c == '\r') {
            line->cr = true;
        } else {
            f->leading_dots += c == '.' && !line->octets;
            line->octets++;
        }
    }
    f->size += piece.n;
    return true;
}

/* All of FD, once. */
static bool read_all(int fd, struct message_header_scan *scan, EVP_MD_CTX *sum, struct spool_content_facts *facts,
                     struct err *err)
{
    struct line line = { 0 };
    char piece[PIECE];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read");
        if (!look_at(facts, &line, str_of(piece, (size_t)n), err))
            return false;
        (void)message_header_scan_feed(scan, str_of(piece, (size_t)n));
        if (!EVP_DigestUpdate(sum, piece, (size_t)n))
            return err_temp(err, "out of memory");
    }
    if (line.octets || line.cr || !facts->size)
        return err_perm(err, facts->size ? "its last line does not end in CRLF" : "its content is empty");
    return EVP_DigestFinal_ex(sum, facts->sum, NULL) || err_temp(err, "out of memory");
}

bool spool_content_look(int fd, struct arena *a, struct spool_content_facts *facts, struct err *err)
{
    struct message_header_scan *scan = message_header_scan_new(a);
    EVP_MD_CTX *sum = EVP_MD_CTX_new();

    *facts = (struct spool_content_facts){ 0 };
    bool begun = scan && sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL);
    bool ok = begun ? read_all(fd, scan, sum, facts, err) : err_temp(err, "out of memory");
    EVP_MD_CTX_free(sum);
    if (!ok)
        return false;
    (void)message_header_scan_end(scan);
    const struct message_header *header = message_header_scan_facts(scan);
    facts->header_octets = header->size;
    facts->header_eight_bit = header->eight_bit;
    facts->message_id = header->message_id;
    facts->subject = header->subject;
    facts->references = header->references;
    return lseek(fd, 0, SEEK_SET) == 0 || err_sys(err, errno, "read");
}
