/* cmd/demo/guest.c -- commands, content, and the moment to be difficult. */
#include "cmd/demo/guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "cmd/demo/kept.h"
#include "cmd/demo/letter.h"
#include "cmd/demo/manner.h"
#include "core/arena.h"
#include "io/loop.h"
#include "message/date.h"

enum {
    CONTENT_MAX = 64 << 20,
    IN_MAX = CONTENT_MAX + (1 << 20),
    OUT_MAX = 64 * 1024,
    LINE_MAX_OCTETS = 4096,
    RECIPIENTS_MAX = 100,
    MAIL_ROOM = 1 << 20,
    SLOW_USEC = 5 * 1000000,
    /* A refusal is not instant: until then the server can be asked what the message is about. */
    REFUSE_USEC = 50 * 1000,
    REPORT_SECONDS = 1,
    HEADER_SHOWN = 4096,
};

struct demo_mail {
    struct arena *arena;
    char from[SMTP_PATH_MAX + 1];
    struct smtp_path to[RECIPIENTS_MAX];
    unsigned n;
    bool slow;
    struct demo_manner at_dot; /* what the first recipient asks for that waits for the final dot */
    unsigned asks_at_dot;      /* that recipient */
};

void demo_guest_init(struct demo_guest *g, struct demo_hosts *hosts)
{
    *g = (struct demo_guest){ .hosts = hosts, .in = BUF_INIT(IN_MAX), .out = BUF_INIT(OUT_MAX) };
    buf_add(&g->out, STR("220 elsewhere.test ESMTP, which plays every other domain\r\n"));
}

static void drop_mail(struct demo_guest *g)
{
    if (g->mail)
        arena_free(g->mail->arena);
    free(g->mail);
    g->mail = NULL;
}

void demo_guest_done(struct demo_guest *g)
{
    drop_mail(g);
    buf_done(&g->in);
    buf_done(&g->out);
}

/* The reply in OUT goes out so much later, and nothing more is read before it. */
static void wait_usec(struct demo_guest *g, int64_t usec)
{
    g->due_usec = io_clock_usec() + usec;
}

static bool reply(struct demo_guest *g, const char *text)
{
    buf_add_c(&g->out, text);
    buf_add(&g->out, STR("\r\n"));
    if (g->mail && g->mail->slow)
        wait_usec(g, SLOW_USEC);
    return true;
}

static bool refuse(struct demo_guest *g, const struct demo_manner *manner)
{
    demo_manner_reply(&g->out, manner);
    wait_usec(g, g->mail && g->mail->slow ? SLOW_USEC : REFUSE_USEC);
    g->leaving = manner->code == 421; /* RFC 5321 3.8 */
    return true;
}

/* ---- MAIL and RCPT ---- */

static bool on_mail(struct demo_guest *g, struct str path)
{
    struct arena *arena = arena_new(MAIL_ROOM);
    struct demo_mail *mail = calloc(1, sizeof(*mail));
    struct buf from = BUF_INIT(SMTP_PATH_MAX);
    struct smtp_path sender;
    size_t used;

    drop_mail(g);
    if (!arena || !mail ||
        smtp_path_parse(arena, path, SMTP_PATH_REVERSE, SMTP_PATH_STRICT, &sender, &used) != SMTP_PATH_OK ||
        !smtp_path_write(&from, &sender)) {
        arena_free(arena);
        free(mail);
        buf_done(&from);
        return reply(g, "501 5.1.7 no sender");
    }
    snprintf(mail->from, sizeof(mail->from), "%.*s", STR_ARG(buf_str(&from)));
    mail->arena = arena;
    g->mail = mail;
    buf_done(&from);
    return reply(g, "250 2.1.0 Ok");
}

/* True the first time that this sender writes to TO. */
static bool is_first(struct demo_hosts *h, const char *from, const struct smtp_path *to)
{
    uint64_t hash = str_hash(to->local, str_hash(to->domain, str_hash(str_from_c(from), 1)));

    for (unsigned i = 0; i < DEMO_GREYLIST_SEEN; i++)
        if (h->seen[i] == hash)
            return false;
    h->seen[h->next_seen++ % DEMO_GREYLIST_SEEN] = hash;
    return true;
}

static bool on_rcpt(struct demo_guest *g, struct str path)
{
    struct demo_mail *mail = g->mail;
    struct smtp_path to;
    size_t used;

    if (!mail)
        return reply(g, "503 5.5.1 MAIL first");
    if (mail->n == RECIPIENTS_MAX)
        return reply(g, "452 4.5.3 too many recipients");
    if (smtp_path_parse(mail->arena, path, SMTP_PATH_FORWARD, SMTP_PATH_STRICT, &to, &used) != SMTP_PATH_OK)
        return reply(g, "501 5.1.3 no recipient");

    struct demo_manner manner = demo_manner_of(to.local);
    mail->slow = mail->slow || manner.slow;
    if (manner.moment == DEMO_AT_RCPT || (manner.moment == DEMO_GREYLISTS && is_first(g->hosts, mail->from, &to)))
        return refuse(g, &manner);
    if (manner.moment != DEMO_GREYLISTS && mail->at_dot.moment == DEMO_TAKES) {
        mail->at_dot = manner;
        mail->asks_at_dot = mail->n;
    }
    mail->to[mail->n++] = to;
    return reply(g, "250 2.1.5 Ok");
}

/* ---- a report, later (RFC 3464) ---- */

static struct str header_of(struct str content)
{
    const char *end = memmem(content.p, content.n, "\r\n\r\n", 4);

    return str_head(content, end ? (size_t)(end - content.p) + 2 : 0);
}

static bool write_report(struct buf *out, const struct demo_mail *mail, const char *to, struct str content)
{
    const char *domain = strchr(to, '@') + 1;

    buf_printf(out, "From: Mail system of %s <postmaster@%s>\r\nTo: %s\r\n", domain, domain, mail->from);
    buf_printf(out, "Date: %s\r\n", message_date(io_wall_msec(), 0).c);
    buf_printf(out, "Message-ID: <%lld.%d@%s>\r\n", (long long)io_wall_msec(), (int)getpid(), domain);
    buf_add_c(out, "Subject: Returned by the other side\r\n"
                   "Auto-Submitted: auto-replied\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: multipart/report; report-type=delivery-status; boundary=\"=-later\"\r\n"
                   "\r\n"
                   "--=-later\r\n"
                   "Content-Type: text/plain; charset=us-ascii\r\n"
                   "\r\n");
    buf_printf(out, "%s was taken here, and could not be put into its mailbox after all.\r\n\r\n", to);
    buf_printf(out,
               "--=-later\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; %s\r\n\r\n"
               "Final-Recipient: rfc822; %s\r\nAction: failed\r\nStatus: 5.3.0\r\n\r\n",
               domain, to);
    buf_add_c(out, "--=-later\r\nContent-Type: text/rfc822-headers\r\n\r\n");
    buf_add(out, str_head(header_of(content), HEADER_SHOWN));
    return buf_add_c(out, "\r\n--=-later--\r\n") && !out->failed;
}

/* In a process of its own, so that nobody waits for it. */
_Noreturn static void send_report(const struct demo_mail *mail, const struct demo_hosts *hosts, struct str content)
{
    struct buf report = BUF_INIT(DEMO_LETTER_MAX), to = BUF_INIT(SMTP_PATH_MAX);
    struct demo_sent sent;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sleep(REPORT_SECONDS);
    bool ok = smtp_path_write(&to, &mail->to[mail->asks_at_dot]) && buf_add_char(&to, '\0') &&
              write_report(&report, mail, to.p, content) &&
              demo_letter_send(hosts->server, "", mail->from, buf_str(&report), &sent, NULL);
    _exit(!ok);
}

/* ---- content ---- */

/* Octets of content up to the dot that ends it, in *n; false when that has not come. */
static bool find_end(struct demo_guest *g, size_t *n, size_t *used)
{
    struct str in = buf_str(&g->in);
    size_t from = g->searched > 4 ? g->searched - 4 : 0;

    if (str_starts(in, STR(".\r\n"))) {
        *n = 0;
        *used = 3;
        return true;
    }
    const char *end = in.n > from ? memmem(in.p + from, in.n - from, "\r\n.\r\n", 5) : NULL;
    g->searched = in.n;
    if (!end)
        return false;
    *n = (size_t)(end - in.p) + 2;
    *used = *n + 3;
    return true;
}

/* Takes the dots away that the transport put in front of lines (RFC 5321 4.5.2), in place; what is left. */
static struct str unstuff(char *p, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++)
        if (!(p[i] == '.' && (i == 0 || p[i - 1] == '\n')))
            p[left++] = p[i];
    return str_of(p, left);
}

static bool keep(struct demo_guest *g, struct str content)
{
    struct demo_mail *mail = g->mail;
    char name[DEMO_KEPT_NAME_MAX], text[DEMO_KEPT_NAME_MAX + 32];

    snprintf(name, sizeof(name), "%lld-%lu.eml", (long long)io_wall_msec(), ++g->hosts->kept);
    for (unsigned i = 0; i < mail->n; i++)
        if (!demo_kept_write(g->hosts->folder, &mail->to[i], name, content, NULL))
            return reply(g, "452 4.3.1 could not be written");
    if (mail->at_dot.moment == DEMO_REPORTS_LATER && mail->from[0] && fork() == 0)
        send_report(mail, g->hosts, content);
    snprintf(text, sizeof(text), "250 2.0.0 kept as %s", name);
    return reply(g, text);
}

/* False: hang up. */
static bool on_content(struct demo_guest *g, struct str content)
{
    const struct demo_manner *manner = &g->mail->at_dot;

    if (manner->moment == DEMO_HANGS_UP)
        return false;
    return manner->moment == DEMO_AT_DOT ? refuse(g, manner) : keep(g, content);
}

static bool go_on_with_content(struct demo_guest *g, bool *more)
{
    size_t n, used;

    *more = find_end(g, &n, &used);
    if (!*more)
        return true;
    bool stays = on_content(g, unstuff(g->in.p, n));
    buf_eat(&g->in, used);
    g->content = false;
    drop_mail(g);
    return stays;
}

/* ---- commands ---- */

static bool on_data(struct demo_guest *g)
{
    if (!g->mail || !g->mail->n)
        return reply(g, "503 5.5.1 no recipient");
    g->content = true;
    g->searched = 0;
    return reply(g, "354 go on; a dot alone ends it");
}

static bool on_command(struct demo_guest *g, struct str line)
{
    static const struct str mail = STR_INIT("MAIL FROM:"), rcpt = STR_INIT("RCPT TO:");

    if (str_starts_nocase(line, mail))
        return on_mail(g, str_skip(line, mail.n));
    if (str_starts_nocase(line, rcpt))
        return on_rcpt(g, str_skip(line, rcpt.n));
    if (str_eq_nocase(line, STR("DATA")))
        return on_data(g);
    if (str_eq_nocase(line, STR("NOOP")))
        return reply(g, "250 2.0.0 Ok");
    if (str_eq_nocase(line, STR("QUIT"))) {
        g->leaving = true;
        return reply(g, "221 2.0.0 Bye");
    }
    bool hello = str_starts_nocase(line, STR("EHLO "));
    if (!hello && !str_starts_nocase(line, STR("HELO ")) && !str_eq_nocase(line, STR("RSET")))
        return reply(g, "500 5.5.2 not understood");
    drop_mail(g);
    return reply(g, hello ? "250-elsewhere.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                            "250-SIZE 67108864\r\n250 ENHANCEDSTATUSCODES" :
                            "250 Ok");
}

static bool go_on_with_commands(struct demo_guest *g, bool *more)
{
    struct str in = buf_str(&g->in);
    size_t end = str_find(in, '\n');

    *more = end < in.n;
    if (!*more)
        return in.n <= LINE_MAX_OCTETS;
    bool stays = on_command(g, str_trim(str_head(in, end)));
    buf_eat(&g->in, end + 1);
    return stays;
}

bool demo_guest_go_on(struct demo_guest *g)
{
    bool stays = true, more = true;

    while (stays && more && !g->due_usec && !g->leaving)
        stays = g->content ? go_on_with_content(g, &more) : go_on_with_commands(g, &more);
    return stays && !g->in.failed && !g->out.failed;
}
