/* control/live.c -- trace --live: those who speak SMTP are told who watches; their lines go to the one command. */
#include "control/commands.h"
#include "log/live.h"
#include "log/render.h"

enum {
    LIVE_PATIENCE_MSEC = 60000, /* without a line a client is not too late */
    LIVE_OUT_MAX = 1 << 20,     /* what may wait for one that reads slowly; beyond, lines are counted */
};

#define LIVE_PEERS (SET_INTAKE | SET_SEND)

static void watch_send(const struct control_client *c, struct ipc_channel *peer, bool ends)
{
    if (LIVE_PEERS & 1U << peer->peer)
        ipc_send_watch(peer, &(struct ipc_watch){
                                 .ticket = c->ticket,
                                 .ends = ends,
                                 .session = ends ? STR_NONE : request_text(c, "session"),
                                 .client = ends ? STR_NONE : request_text(c, "client"),
                                 .address = ends ? STR_NONE : request_text(c, "address"),
                             });
}

static void watch_all(const struct control_client *c, bool ends)
{
    struct worker *w = worker_of(c);

    for (size_t i = 0; i < w->n_peers; i++)
        watch_send(c, w->peers[i], ends);
}

static bool is_live(const struct control_client *c)
{
    return c->command == command_live && c->asking && !c->gone;
}

static size_t count_live(const struct control *control)
{
    size_t n = 0;

    LIST_FOR(node, &control->clients)
        n += is_live(CONTAINER_OF(node, struct control_client, node));
    return n;
}

static void live_begin(struct control_client *c, json_t *request)
{
    unsigned n = (request_text(c, "session").n > 0) + (request_text(c, "client").n > 0) +
                 (request_text(c, "address").n > 0);

    (void)request;
    c->count = 0;
    c->asking = false;
    if (n != 1) {
        client_fail(c, COMMAND_USAGE, "watch what?",
                    "a session id, the address of a client or host, or a mail address");
    } else if (request_text(c, "address").n >= LIVE_ADDRESS_MAX) {
        client_fail(c, COMMAND_USAGE, "too long an address", "");
    } else if (count_live(c->control) == LIVE_WATCHES_MAX) {
        client_fail(c, COMMAND_LATER, "others watch already", "one of them has to end first");
    } else {
        watch_all(c, false);
        c->asking = true;
        client_patience(c, LIVE_PATIENCE_MSEC);
        /* From here on nothing is missed. */
        client_object(c, json_pack("{s:b}", "watching", 1));
    }
}

static void live_too_late(struct control_client *c)
{
    client_patience(c, LIVE_PATIENCE_MSEC);
}

static void say_lost(struct control_client *c)
{
    if (!c->count || c->out.n >= LIVE_OUT_MAX)
        return;
    client_object(c, json_pack("{s:I}", "lost", (json_int_t)c->count));
    c->count = 0;
}

static void live_go_on(struct control_client *c)
{
    say_lost(c);
}

static void live_line(struct control_client *c, struct str record)
{
    client_patience(c, LIVE_PATIENCE_MSEC);
    say_lost(c);
    if (c->out.n >= LIVE_OUT_MAX)
        c->count++;
    else if (log_render(record, LOG_JSON, false, &c->out))
        buf_add_char(&c->out, '\n');
    client_arm(c);
}

bool live_record(struct control *control, struct str record)
{
    struct log_view view;
    struct log_value ticket;

    if (!log_view_open(record, &view) || view.event != LOG_EVENT_DIALOGUE)
        return false;
    if (!log_view_find(record, LOG_NUMBER, &ticket))
        return true;
    LIST_FOR(node, &control->clients) {
        struct control_client *c = CONTAINER_OF(node, struct control_client, node);
        if (is_live(c) && c->ticket == (uint64_t)ticket.number)
            live_line(c, record);
    }
    return true;
}

void live_peer_up(struct control *control, struct ipc_channel *peer)
{
    LIST_FOR(node, &control->clients) {
        struct control_client *c = CONTAINER_OF(node, struct control_client, node);
        if (is_live(c))
            watch_send(c, peer, false);
    }
}

void live_forget(struct control_client *c)
{
    if (c->command == command_live && c->asking)
        watch_all(c, true);
}

const struct command command_live[] = {
    { .name = "trace live", .stays = true, .begin = live_begin, .go_on = live_go_on, .too_late = live_too_late },
    { .name = NULL },
};
