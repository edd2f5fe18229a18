/* cmd/demo/show.c -- lines for people. */
#include "cmd/demo/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"

enum {
    INDENT_AND_TIME = 12, /* "  09:41:12  " */
    WAY_WIDTH = 39,
    SUBJECT_WIDTH = 19,
    OUTCOME_WIDTH = 14,
    MSEC_WIDTH = 9, /* of a slow host: two blanks, 15026.1 */
    GAPS = 4,
    HINTS = 10,
    HINT_MAX = 4 * DEMO_PATH_MAX,
    LINE_MAX_OCTETS = 8192,
};

void demo_show_init(struct demo_show *show, const char *program)
{
    *show = (struct demo_show){ .screen = text_screen(), .program = program };
    show->dot = show->screen.utf8 ? "\xc2\xb7" : "-";
    show->arrow = show->screen.utf8 ? " \xe2\x86\x92 " : " -> ";
}

static const char *paint(const struct demo_show *show, enum text_colour colour)
{
    static const char *const codes[] = {
        [TEXT_PLAIN] = "\033[0m", [TEXT_GOOD] = "\033[32m",  [TEXT_BAD] = "\033[31m",
        [TEXT_LOUD] = "\033[1m",  [TEXT_FAINT] = "\033[2m",
    };

    return show->screen.colour ? codes[colour] : "";
}

/* ---- the head, and the first message ---- */

void demo_show_head(const struct demo_show *show, const struct demo_place *place)
{
    printf("\n  %sveredus %s%s %s demo of example.test %s nothing leaves this machine\n\n",
           paint(show, TEXT_LOUD), VEREDUS_VERSION, paint(show, TEXT_PLAIN), show->dot, show->dot);
    printf("  send to     127.0.0.1:%u      as your application does: no password, no TLS\n", place->port);
    printf("  log in      127.0.0.1:%u      STARTTLS; ada@example.test, password tea; port %u: TLS at once\n",
           place->port_login, place->port_tls);
    printf("  mailbox     %s/mail/example.test/ada/new/\n", place->shown);
    printf("  elsewhere   %s/elsewhere/    every other domain ends up here, whatever you send\n\n", place->shown);
    printf("  First, one message from here to ada:\n");
}

static double msec_between(int64_t from_usec, int64_t to_usec)
{
    return (double)(to_usec - from_usec) / 1000;
}

void demo_show_sent(const struct demo_show *show, const struct demo_sent *sent, double sync_seconds)
{
    printf("  %8.1f ms   connected\n", msec_between(sent->began_usec, sent->greeted_usec));
    printf("  %8.1f ms   %s%s%s     on disk: one sync of %.1f ms\n", msec_between(sent->began_usec, sent->taken_usec),
           paint(show, TEXT_GOOD), sent->reply, paint(show, TEXT_PLAIN), sync_seconds * 1000);
}

void demo_show_found(const struct demo_show *show, const struct demo_place *place, const char *path, int64_t usec)
{
    printf("  %8.1f ms   %sin the mailbox%s: %s/%s\n", msec_between(0, usec), paint(show, TEXT_GOOD),
           paint(show, TEXT_PLAIN), place->shown, path);
}

void demo_show_proof(const struct demo_show *show, const struct demo_compared *c)
{
    printf("                %s%s octets%s, %s sent and %s found\n", paint(show, c->same ? TEXT_GOOD : TEXT_BAD),
           c->same ? "same" : "NOT THE SAME", paint(show, TEXT_PLAIN), text_count(c->sent).c,
           text_count(c->found).c);
    if (!c->same)
        printf("                the first that differs is octet %s\n", text_count(c->differs_at).c);
}

/* ---- what to do next ---- */

/* PATH as a word of a shell. */
static void add_word(struct buf *out, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%";

    if (path[strspn(path, plain)] == '\0') {
        buf_add_c(out, path);
        return;
    }
    buf_add_char(out, '\'');
    for (; *path; path++)
        buf_add_c(out, *path == '\'' ? "'\\''" : (char[]){ *path, '\0' });
    buf_add_char(out, '\'');
}

/* Subcommands look for a configuration elsewhere first (cmd/config_path.c), or cannot know of this folder. */
static bool must_be_named(const struct demo_place *place)
{
    const char *variable = getenv("VEREDUS_CONFIG");

    if (place->named || (variable && variable[0]) || access("/etc/veredus/veredus.conf", F_OK) == 0)
        return true;
    return strcmp(place->shown, "./veredus-demo") != 0 && access("veredus-demo/veredus.conf", F_OK) == 0;
}

struct hint {
    struct buf what;
    const char *to_see;
};

static void hint(struct hint *h, const char *what, const char *to_see)
{
    *h = (struct hint){ .what = BUF_INIT(HINT_MAX), .to_see = to_see };
    buf_add_c(&h->what, what);
}

/* WORDS of ours, for this demonstration, as a shell takes it. */
static void hint_command(struct hint *h, const struct demo_show *show, const struct demo_place *place,
                         const char *words, const char *to_see)
{
    bool demo = str_starts(str_from_c(words), STR("demo"));

    *h = (struct hint){ .what = BUF_INIT(HINT_MAX), .to_see = to_see };
    add_word(&h->what, show->program);
    buf_printf(&h->what, " %s", words);
    if (demo ? !place->named : !must_be_named(place))
        return;
    buf_add_c(&h->what, demo ? " --dir " : " -c ");
    add_word(&h->what, place->shown);
    buf_add_c(&h->what, demo ? "" : "/veredus.conf");
}

void demo_show_hints(const struct demo_show *show, const struct demo_place *place, uint64_t queued)
{
    struct hint hints[HINTS];
    size_t width = 0;

    hint(&hints[0], "kim@customer.example", "mail for another domain, passed on");
    hint(&hints[1], "451@elsewhere.test", "a delivery put off, and tried again");
    hint(&hints[2], "550@elsewhere.test", "one that fails, and the report in bob's mailbox");
    hint(&hints[3], "slow@elsewhere.test", "a slow host that slows nobody else");
    hint(&hints[4], "full@elsewhere.test", "what else hosts do; also greylist@, drop@, bounce@, data-550@, any code");
    hint(&hints[5], "nobody@example.test", "550 5.1.1: only ada and bob exist, with any +detail");
    hint(&hints[6], "the same without --crlf", "550 5.6.0: a bare LF is refused, so nothing can be smuggled in");
    hint_command(&hints[7], show, place, "queue", "what waits, and why");
    hint_command(&hints[8], show, place, "status", "is it well, and who does the work");
    hint_command(&hints[9], show, place, "demo crash", "kill -9 in mid-load, and nothing lost");
    for (size_t i = 0; i < HINTS; i++)
        width = size_max(width, hints[i].what.n);

    printf("\n  Now you, from another terminal:\n\n"
           "    printf 'Subject: hello\\n\\nIt works.\\n' |\n"
           "      curl -sS --crlf smtp://127.0.0.1:%u --mail-from bob@example.test --mail-rcpt ada@example.test -T -\n"
           "\n  %-*s  to see\n",
           place->port, (int)width + 2, "and then, as --mail-rcpt");
    for (size_t i = 0; i < HINTS; i++) {
        printf("    %.*s%*s  %s\n", STR_ARG(buf_str(&hints[i].what)), (int)(width - hints[i].what.n), "",
               hints[i].to_see);
        buf_done(&hints[i].what);
    }
    if (queued)
        printf("\n  %s message%s from an earlier demonstration.\n", text_count(queued).c,
               queued == 1 ? " waits" : "s wait");
    printf("\n  Waiting for your mail. Ctrl-C ends.\n\n");
}

/* ---- a line for each ---- */

/* Filled up to WIDTH; cut only where there is a screen to fit. */
static void add_cell(struct buf *out, const struct demo_show *show, struct str s, size_t width)
{
    size_t has = text_width(s);

    if (show->screen.width)
        text_cell(out, &show->screen, s, width, false);
    else
        text_add(out, &show->screen, s, 0);
    for (; !show->screen.width && has < width; has++)
        buf_add_char(out, ' ');
    buf_add_c(out, "  ");
}

static void add_time(struct buf *out, int64_t wall_msec)
{
    time_t seconds = (time_t)(wall_msec / 1000);
    struct tm tm = { 0 };

    localtime_r(&seconds, &tm);
    buf_printf(out, "  %02d:%02d:%02d  ", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* On a narrow screen addresses and subject give way, not what became of it. */
static void widths(const struct demo_show *show, size_t *way, size_t *subject)
{
    size_t fixed = INDENT_AND_TIME + GAPS + OUTCOME_WIDTH + MSEC_WIDTH;
    size_t room = show->screen.width > fixed ? show->screen.width - fixed : 0;

    *way = WAY_WIDTH;
    *subject = SUBJECT_WIDTH;
    if (!show->screen.width || room >= WAY_WIDTH + SUBJECT_WIDTH)
        return;
    *way = size_max(room * 2 / 3, 8);
    *subject = size_max(room - room * 2 / 3, 4);
}

void demo_show_line(const struct demo_show *show, const struct demo_line *line)
{
    struct buf out = BUF_INIT(LINE_MAX_OCTETS), way = BUF_INIT(LINE_MAX_OCTETS);
    struct str from = line->from.n ? line->from : STR("report");
    size_t way_width, subject_width;

    widths(show, &way_width, &subject_width);
    add_time(&out, line->wall_msec);
    if (line->to.n) {
        buf_add(&way, from);
        buf_add_c(&way, show->arrow);
        buf_add(&way, line->to);
        add_cell(&out, show, buf_str(&way), way_width);
        add_cell(&out, show, line->subject, subject_width);
    }
    text_paint(&out, &show->screen, line->colour);
    text_add(&out, &show->screen, line->outcome, 0);
    text_paint(&out, &show->screen, TEXT_PLAIN);
    for (size_t n = line->outcome.n; line->msec >= 0 && n < OUTCOME_WIDTH; n++)
        buf_add_char(&out, ' ');
    if (line->msec >= 0)
        buf_printf(&out, "%*.1f", MSEC_WIDTH, line->msec);
    text_print(&out, &show->screen);
    buf_done(&out);
    buf_done(&way);
}
