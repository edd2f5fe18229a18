/*
 * cmd/sendmail/message.c -- sendmail -bm: a message on standard input goes to the server, or, while that cannot take
 * it, into the drop folder. It ends 0 when the message is on stable storage in one or the other, for each recipient.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cmd/sendmail/submission.h"
#include "cmd/sendmail/place.h"
#include "cmd/sendmail/wire.h"
#include "spool/drops.h"

/* What a transaction may have everywhere (RFC 5321 4.5.3.1.8); more go in several. */
enum { RECIPIENTS_AT_ONCE = 100 };

enum fate { FATE_OPEN, FATE_TAKEN, FATE_LATER, FATE_REFUSED };

struct sending {
    const struct sendmail_options *options;
    const struct sendmail_place *place;
    struct submission submission;
    struct submission_addresses to;
    enum fate *fates; /* of each of TO */
    struct submission_address sender; /* both empty: the null reverse-path */
    struct str name;  /* of the sender; may be empty */
    struct wire wire;
    bool no_server;   /* nothing more can be done over WIRE */
    struct buf content; /* as it is handed over, dots stuffed and the final dot behind */
    int status;
};

/* ---- who ---- */

static bool take_sender(struct sending *s, struct err *err)
{
    const struct passwd *who = getpwuid(getuid());
    struct str given = str_from_c(s->options->sender), gecos;
    struct submission_addresses list = { 0 };
    struct arena *a = s->submission.arena;

    s->name = str_from_c(s->options->name ? s->options->name : getenv("NAME"));
    if (!s->options->sender) {
        if (!who)
            return err_perm(err, "uid %u has no name on this machine: say who sends with -f", (unsigned)getuid());
        gecos = str_from_c(who->pw_gecos);
        if (!s->name.n)
            s->name = arena_str(a, str_head(gecos, str_find(gecos, ',')));
        s->sender.local = arena_str(a, str_from_c(who->pw_name));
        return s->sender.local.p || err_temp(err, "out of memory");
    }
    if (!str_trim(given).n || str_eq(str_trim(given), STR("<>")))
        return true;
    if (!submission_addresses_add(&list, a, given, err))
        return false;
    if (list.n != 1)
        return err_perm(err, "-f: one address is wanted: %s", s->options->sender);
    s->sender = list.items[0];
    return true;
}

static bool take_recipients(struct sending *s, struct err *err)
{
    for (int i = 0; i < s->options->n_recipients; i++)
        if (!submission_addresses_add(&s->to, s->submission.arena, str_from_c(s->options->recipients[i]), err))
            return false;
    if (s->options->extract && !submission_recipients(&s->submission, &s->to, err))
        return false;
    s->fates = ARENA_NEW_ARRAY(s->submission.arena, s->to.n + 1, enum fate);
    return s->fates || err_temp(err, "out of memory");
}

/* ---- what ---- */

static struct str origin_of(const struct sending *s)
{
    return str_from_c(s->wire.origin[0] ? s->wire.origin : s->place->origin);
}

/* local@domain; while the server is not there to complete a bare name, it is completed here. */
static void write_path(const struct sending *s, const struct submission_address *a, bool complete, struct buf *out)
{
    struct str domain = !a->domain.n && complete ? origin_of(s) : a->domain;

    buf_add(out, a->local);
    if (a->local.n && domain.n) {
        buf_add_char(out, '@');
        buf_add(out, domain);
    }
}

/* Finished once: what the server is told and what is dropped are the same. */
static bool make_content(struct sending *s, struct err *err)
{
    struct buf plain = BUF_INIT(SUBMISSION_MAX), from = BUF_INIT(2048);
    struct submission_completion c = {
        .add = !s->options->gateway,
        .remove_bcc = s->options->extract,
        .origin = origin_of(s),
        .hostname = str_from_c(s->wire.hostname[0] ? s->wire.hostname : s->place->hostname),
        .name = s->name,
    };
    struct timespec now;
    struct tm local;

    clock_gettime(CLOCK_REALTIME, &now);
    c.utc_msec = (int64_t)now.tv_sec * 1000;
    c.zone_minutes = localtime_r(&now.tv_sec, &local) ? (int)(local.tm_gmtoff / 60) : 0;
    if (getrandom(c.unique, sizeof(c.unique), 0) != (ssize_t)sizeof(c.unique))
        return err_temp(err, "no random numbers");
    write_path(s, &s->sender, true, &from);
    c.sender = buf_str(&from);
    s->content = BUF_INIT(2 * (size_t)SUBMISSION_MAX);
    bool ok = submission_write(&s->submission, &c, &plain) && submission_stuff(buf_str(&plain), &s->content);
    buf_done(&plain);
    buf_done(&from);
    return ok || err_temp(err, "out of memory");
}

/* ---- to the server ---- */

static int worst(int a, int b)
{
    /* The first refusal says it all; that something has to wait is the lesser trouble. */
    return a && a != SENDMAIL_LATER ? a : b;
}

/* What a 5yz means to who called (RFC 3463). */
static int exit_of(const char *words, bool recipient)
{
    const char *status = strlen(words) > 4 ? words + 4 : "";

    if (strncmp(status, "5.7.", 4) == 0)
        return SENDMAIL_DENIED;
    if (!recipient || strncmp(status, "5.1.3", 5) == 0 || strncmp(status, "5.6.", 4) == 0)
        return SENDMAIL_DATA;
    return SENDMAIL_NO_USER;
}

static void refused(struct sending *s, enum fate *fate, const char *about)
{
    *fate = FATE_REFUSED;
    s->status = worst(s->status, exit_of(s->wire.words, about != NULL));
    sendmail_fail(0, "%s%s%s", about ? about : "", about ? ": " : "", s->wire.words);
}

static void put_off(struct sending *s, enum fate from)
{
    for (size_t i = 0; i < s->to.n; i++)
        if (s->fates[i] == from)
            s->fates[i] = FATE_LATER;
}

static bool needs_utf8(const struct sending *s)
{
    for (size_t i = 0; i < s->to.n; i++)
        if (!str_is_ascii(s->to.items[i].local) || !str_is_ascii(s->to.items[i].domain))
            return true;
    return !str_is_ascii(s->sender.local) || !str_is_ascii(s->sender.domain);
}

static void write_mail(const struct sending *s, bool complete, struct buf *out)
{
    buf_add(out, STR("MAIL FROM:<"));
    write_path(s, &s->sender, complete, out);
    buf_add_char(out, '>');
    if (s->options->body)
        buf_printf(out, " BODY=%s", s->options->body);
    if (needs_utf8(s))
        buf_add(out, STR(" SMTPUTF8"));
}

static void write_rcpt(const struct sending *s, size_t i, bool complete, struct buf *out)
{
    buf_add(out, STR("RCPT TO:<"));
    write_path(s, &s->to.items[i], complete, out);
    buf_add_char(out, '>');
}

static unsigned say(struct sending *s, struct buf *line)
{
    unsigned code = wire_say(&s->wire, "%.*s", STR_ARG(buf_str(line)));

    buf_clear(line);
    return code;
}

static void say_rcpt(struct sending *s, size_t i, size_t *taken)
{
    struct buf line = BUF_INIT(2048), address = BUF_INIT(2048);

    write_rcpt(s, i, false, &line);
    unsigned code = say(s, &line);
    if (code / 100 == 2) {
        s->fates[i] = FATE_TAKEN;
        (*taken)++;
    } else if (code / 100 == 5) {
        write_path(s, &s->to.items[i], true, &address);
        buf_add_char(&address, '\0');
        refused(s, &s->fates[i], address.failed ? "a recipient" : address.p);
    } else if (code != 452 || !*taken) {
        s->fates[i] = FATE_LATER;
    }
    buf_done(&address);
    buf_done(&line);
}

/* The transaction's recipients have all been told: the content, and what becomes of them. */
static void say_content(struct sending *s, const size_t *mine, size_t n)
{
    unsigned code = wire_say(&s->wire, "DATA");

    if (code == 354)
        code = wire_content(&s->wire, buf_str(&s->content));
    if (code / 100 == 2)
        return;
    if (code / 100 == 5)
        refused(s, &(enum fate){ FATE_OPEN }, NULL);
    for (size_t i = 0; i < n; i++)
        if (s->fates[mine[i]] == FATE_TAKEN)
            s->fates[mine[i]] = code / 100 == 5 ? FATE_REFUSED : FATE_LATER;
}

/* One transaction with what is open, as far as the server takes recipients in one. */
static void transact(struct sending *s)
{
    struct buf line = BUF_INIT(4096);
    size_t mine[RECIPIENTS_AT_ONCE], n = 0, taken = 0;

    write_mail(s, false, &line);
    unsigned code = say(s, &line);
    buf_done(&line);
    if (code / 100 == 5) {
        refused(s, &(enum fate){ FATE_OPEN }, NULL);
        for (size_t i = 0; i < s->to.n; i++)
            if (s->fates[i] == FATE_OPEN)
                s->fates[i] = FATE_REFUSED;
        return;
    }
    if (code / 100 != 2) {
        put_off(s, FATE_OPEN);
        return;
    }
    for (size_t i = 0; i < s->to.n && n < RECIPIENTS_AT_ONCE && s->wire.fd >= 0; i++) {
        if (s->fates[i] != FATE_OPEN)
            continue;
        say_rcpt(s, i, &taken);
        if (s->fates[i] == FATE_OPEN)
            break; /* 452: no more in this one */
        mine[n++] = i;
    }
    if (taken)
        say_content(s, mine, n);
    else
        (void)wire_say(&s->wire, "RSET");
}

static bool any(const struct sending *s, enum fate fate)
{
    for (size_t i = 0; i < s->to.n; i++)
        if (s->fates[i] == fate)
            return true;
    return false;
}

/* ---- into the drop folder ---- */

/* One file for at most so many recipients as one transaction takes. False: it could not be left. */
static bool leave_some(struct sending *s, struct err *err)
{
    struct buf file = BUF_INIT(2 * (size_t)SUBMISSION_MAX);
    size_t n = 0;

    write_mail(s, true, &file);
    buf_add(&file, STR("\r\n"));
    for (size_t i = 0; i < s->to.n && n < RECIPIENTS_AT_ONCE; i++) {
        if (s->fates[i] != FATE_LATER)
            continue;
        write_rcpt(s, i, true, &file);
        buf_add(&file, STR("\r\n"));
        s->fates[i] = FATE_TAKEN;
        n++;
    }
    buf_add(&file, STR("DATA\r\n"));
    bool made = buf_add(&file, buf_str(&s->content)) && !file.failed;
    bool ok = made ? spool_drop_leave(s->place->spool, buf_str(&file), err) : err_temp(err, "out of memory");
    buf_done(&file);
    return ok;
}

static void leave(struct sending *s)
{
    struct err err = { 0 };

    while (any(s, FATE_LATER)) {
        if (leave_some(s, &err))
            continue;
        s->status = worst(s->status, SENDMAIL_LATER);
        sendmail_fail(0, "no server takes it (%s), and it cannot be left for one: %s", s->wire.words, err.text);
        return;
    }
}

/* ---- all of it ---- */

static int give_up(const struct err *err)
{
    return sendmail_fail(err->kind == ERR_PERM ? SENDMAIL_DATA : SENDMAIL_LATER, "%s", err->text);
}

static bool prepare(struct sending *s, struct err *err)
{
    if (!submission_read(&s->submission, STDIN_FILENO, s->options->dots, err) || !take_sender(s, err) ||
        !take_recipients(s, err))
        return false;
    if (!s->to.n)
        return true;
    bool there = wire_open(&s->wire, s->place->submit, s->options->verbose);
    if (!make_content(s, err))
        return false;
    while (there && s->wire.fd >= 0 && any(s, FATE_OPEN))
        transact(s);
    put_off(s, FATE_OPEN);
    return true;
}

int sendmail_message(const struct sendmail_options *o, const struct sendmail_place *place)
{
    struct sending s = { .options = o, .place = place, .wire = { .fd = -1 } };
    struct err err = { 0 };

    if (o->dsn)
        sendmail_fail(0, "-N, -R, -V: this server does not offer delivery status notifications on request yet");
    if (!prepare(&s, &err))
        s.status = give_up(&err);
    else if (!s.to.n)
        s.status = sendmail_fail(SENDMAIL_USAGE, o->extract ? "there is no recipient in To, Cc or Bcc"
                                                            : "to whom? name recipients, or read them with -t");
    else
        leave(&s);
    wire_close(&s.wire);
    buf_done(&s.content);
    submission_done(&s.submission);
    return s.status;
}
