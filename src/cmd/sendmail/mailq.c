/* cmd/sendmail/mailq.c -- mailq, sendmail -bp: what waits, in the form that monitoring has read for decades; -q. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/row.h"
#include "cmd/sendmail/place.h"
#include "cmd/server.h"
#include "cmd/text.h"

enum { SHORT_ENOUGH = 1000 }; /* messages whose recipients are all asked for */

struct sums {
    uint64_t messages, octets;
};

/* Octets that a peer chose, as a terminal may show them. */
static void print_safe(struct str s)
{
    struct text_screen plain = { .utf8 = true };
    struct buf out = BUF_INIT(TEXT_MAX);

    text_add(&out, &plain, s, 0);
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}

/* "Sun Nov 22 09:41:07", as ctime(3) has it, here and now. */
static void print_time(const json_t *row)
{
    int64_t msec = text_time_msec(row_text_c(row, "accepted"));
    time_t at = (time_t)(msec < 0 ? 0 : msec / 1000);
    struct tm local;
    char text[40] = "";

    if (localtime_r(&at, &local))
        strftime(text, sizeof(text), "%a %b %e %H:%M:%S", &local);
    fputs(text, stdout);
}

/* "host mx1.example.net said: 451 4.7.1 greylisted, try again later"; of what no host said, the words alone. */
static void print_reason(const json_t *row)
{
    struct str reply = row_text(row, "reply"), error = row_text(row, "error"), note = row_text(row, "note");
    struct str words = reply.n ? reply : error.n ? error : note.n ? note : row_text(row, "reason");

    if (!words.n)
        return;
    printf("\n%8s(", "");
    if (reply.n && row_has(row, "host"))
        printf("host %s said: ", row_text_c(row, "host"));
    if (reply.n && row_has(row, "code"))
        printf("%" PRIu64 " %s ", row_number(row, "code"), row_text_c(row, "status"));
    print_safe(words);
    putchar(')');
}

static void print_recipient(struct str to)
{
    printf("\n%41s", "");
    print_safe(to);
}

/* Those that are not done, one by one. False: they could not be had. */
static bool print_recipients(struct server *s, const char *id)
{
    bool any = false;
    json_t *row;

    s->ended = false;
    server_ask(s, json_pack("{s:s,s:s}", "command", "queue show", "id", id));
    while ((row = server_next(s, NULL))) {
        const char *state = row_text_c(row, "state");
        bool done = !strcmp(state, "delivered") || !strcmp(state, "failed") || !strcmp(state, "expanded");
        if (str_eq(row_text(row, "event"), STR("recipient")) && !done) {
            print_recipient(row_text(row, "to"));
            any = true;
        }
        json_decref(row);
    }
    return any;
}

/* "3591S7XT00R9*    4220 Sun Nov 22 09:41:07  carol@example.net"; * is being sent, ! is held. */
static void print_message(struct server *s, const json_t *row, bool all)
{
    struct str state = row_text(row, "state"), from = row_text(row, "from");
    char mark = str_eq(state, STR("sending")) ? '*' : str_eq(state, STR("held")) ? '!' : ' ';

    printf("%s%c %8" PRIu64 " ", row_text_c(row, "id"), mark, row_number(row, "size"));
    print_time(row);
    printf("  ");
    print_safe(from.n ? from : STR("MAILER-DAEMON"));
    print_reason(row);
    if (row_number(row, "recipients") < 2 || !all || !print_recipients(s, row_text_c(row, "id")))
        print_recipient(row_text(row, "to"));
    printf("\n\n");
}

static void print_all(struct server *s, const json_t *rows)
{
    struct sums sums = { 0 };
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
        sums.octets += row_number(row, "size");
    sums.messages = json_array_size(rows);
    if (!sums.messages) {
        printf("Mail queue is empty\n");
        return;
    }
    printf("%-13s %8s %-19s  %s\n", "-Queue ID-", "--Size--", "--Arrival Time--", "-Sender/Recipient-");
    json_array_foreach(rows, i, row)
        print_message(s, row, sums.messages <= SHORT_ENOUGH);
    printf("-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n", (sums.octets + 1023) / 1024, sums.messages,
           sums.messages == 1 ? "" : "s");
}

int sendmail_mailq(const struct sendmail_place *place)
{
    json_t *rows = json_array(), *row;
    struct server s;

    if (server_connect(&s, place->control, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s}", "command", "queue list"));
    while ((row = server_next(&s, NULL)))
        json_array_append_new(rows, row);
    int status = s.exit;
    if (status == CMD_OK)
        print_all(&s, rows);
    json_decref(rows);
    server_close(&s);
    return status;
}

int sendmail_flush(const struct sendmail_place *place)
{
    struct server s;
    json_t *row;

    if (server_connect(&s, place->control, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:b}", "command", "queue flush", "all", 1));
    while ((row = server_next(&s, NULL)))
        json_decref(row);
    int status = s.exit;
    server_close(&s);
    return status;
}
