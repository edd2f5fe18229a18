/* cmd/live.c -- one line of a dialogue, one line of text. */
#include "cmd/live.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "cmd/row.h"
#include "cmd/text.h"
#include "core/id.h"
#include "core/ip.h"

enum { TIME_AT = 11, TIME_OCTETS = 12, WHO_WIDTH = 24 };

/* What WHAT is, as the server asks for it. */
static json_t *request_of(const char *what)
{
    struct session_id session;
    struct ip ip;
    const char *kind = "address";
    const char *value = what;
    struct session_id_text text;

    if (session_id_parse(str_from_c(what), &session)) {
        kind = "session";
        text = session_id_text(session);
        value = text.c;
    } else if (ip_parse(str_from_c(what), &ip)) {
        kind = "client";
    }
    return json_pack("{s:s,s:b,s:s}", "command", "trace live", "live", 1, kind, value);
}

/* "09:41:07.312  7QK2M0X4TB [203.0.113.7]  < MAIL FROM:<carol@example.net>"; what we say stands behind ">". */
static void print_line(const json_t *row, const struct text_screen *screen, struct buf *out)
{
    struct str time = str_slice(row_text(row, "time"), TIME_AT, TIME_AT + TIME_OCTETS);
    bool out_bound = row_has(row, "peer");
    bool ours = str_eq(row_text(row, "by"), out_bound ? STR("client") : STR("server"));
    struct buf who = BUF_INIT(1024);

    buf_printf(&who, "%s [%s]", row_text_c(row, out_bound ? "host" : "session"),
               row_text_c(row, out_bound ? "peer" : "client"));
    text_add(out, screen, time, 0);
    buf_add_c(out, "  ");
    text_cell(out, screen, buf_str(&who), text_width(buf_str(&who)) > WHO_WIDTH ? 0 : WHO_WIDTH, false);
    buf_add_c(out, ours ? "  > " : "  < ");
    text_add(out, screen, row_text(row, "text"), 0);
    text_print(out, screen);
    buf_done(&who);
}

int live_show(struct server *s, const struct cmd_call *call, const char *what)
{
    struct text_screen screen = text_screen();
    struct buf out = BUF_INIT(TEXT_MAX);
    struct timeval for_ever = { 0 };
    struct str line;
    json_t *row;

    /* Nothing may be said for hours. */
    (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof(for_ever));
    server_ask(s, request_of(what));
    while ((row = server_next(s, &line))) {
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        else if (row_has(row, "watching") && !call->quiet)
            fprintf(stderr, "watching %s; interrupt to end\n", what);
        else if (row_has(row, "lost"))
            printf("... %llu lines lost\n", (unsigned long long)row_number(row, "lost"));
        else if (row_has(row, "text"))
            print_line(row, &screen, &out);
        fflush(stdout);
        json_decref(row);
    }
    buf_done(&out);
    return s->exit;
}
