/* control/client.c -- requests in, lines out; a client that stalls or sends nonsense costs one of a few places. */
#include "control/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/command.h"
#include "control/commands.h"
#include "control/control.h"
#include "core/check.h"
#include "core/num.h"
#include "io/local.h"
#include "log/render.h"

enum { LENGTH = 4, READ_AT_ONCE = 4096 };

static void client_drop(struct control_client *c)
{
    c->gone = true;
    io_watch_arm(&c->watch, 0);
    io_task_post(&c->next);
}

/* Reads only while there is no command: what comes too early waits in the kernel. */
void client_arm(struct control_client *c)
{
    unsigned what = c->out.n ? IO_WRITE : 0;

    if ((!c->command || command_stays(c)) && !c->at_end && c->in.n < CLIENT_REQUEST_MAX)
        what |= IO_READ;
    io_watch_arm(&c->watch, c->gone ? 0 : what);
}

/* ---- in ---- */

static bool take_request(struct control_client *c)
{
    size_t n = str_find(buf_str(&c->in), '\n');

    if (n == c->in.n)
        return false;
    command_begin(c, str_head(buf_str(&c->in), n));
    buf_eat(&c->in, n + 1);
    return true;
}

/* What to do between two answers. */
static void on_next(struct io_task *t)
{
    struct control_client *c = CONTAINER_OF(t, struct control_client, next);

    if (c->gone) {
        client_free(c);
        return;
    }
    if (!c->command && !c->out.n && !take_request(c) && (c->at_end || c->in.n >= CLIENT_REQUEST_MAX)) {
        if (c->at_end)
            client_drop(c);
        else
            client_fail(c, COMMAND_USAGE, "the request is too long", "");
        c->at_end = true;
    }
    client_arm(c);
}

static void client_read(struct control_client *c)
{
    size_t n = size_min(READ_AT_ONCE, CLIENT_REQUEST_MAX - c->in.n);
    char *room = buf_room(&c->in, n);
    ssize_t r = room ? local_recv(c->fd, room, n) : -1;

    if (room && r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (r < 0) {
        client_drop(c);
        return;
    }
    if (r == 0 && command_stays(c)) {
        client_drop(c);
        return;
    }
    if (r == 0)
        c->at_end = true;
    buf_grew(&c->in, (size_t)r);
    io_task_post(&c->next);
}

/* ---- out ---- */

static void client_write(struct control_client *c)
{
    ssize_t r = send(c->fd, c->out.p, c->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (r < 0) {
        client_drop(c);
        return;
    }
    buf_eat(&c->out, (size_t)r);
    if (!c->command)
        io_timer_start(&c->timer, CLIENT_IDLE_MSEC);
    if (c->command && c->out.n < CLIENT_OUT_LOW)
        command_go_on(c);
    if (!c->out.n)
        io_task_post(&c->next);
    client_arm(c);
}

static void on_ready(struct io_watch *w, unsigned what)
{
    struct control_client *c = CONTAINER_OF(w, struct control_client, watch);

    if (!c->gone && (what & IO_WRITE) && c->out.n)
        client_write(c);
    if (!c->gone && (what & IO_READ))
        client_read(c);
}

static void on_timer(struct io_timer *t)
{
    struct control_client *c = CONTAINER_OF(t, struct control_client, timer);

    if (c->command && c->out.n < CLIENT_OUT_LOW)
        command_too_late(c);
    else
        client_drop(c);
}

void client_line(struct control_client *c, struct str line)
{
    if (!buf_add(&c->out, line) || !buf_add_char(&c->out, '\n'))
        client_drop(c);
    else
        client_arm(c);
}

bool client_rows(struct control_client *c, struct str records)
{
    bool ok = true;

    while (ok && records.n) {
        size_t n = records.n >= LENGTH ? le32_get(records.p) : 0;
        ok = n && n <= records.n - LENGTH;
        if (!ok)
            break;
        ok = log_render(str_slice(records, LENGTH, LENGTH + n), LOG_JSON, true, &c->out) &&
             buf_add_char(&c->out, '\n');
        records = str_skip(records, LENGTH + n);
    }
    client_arm(c);
    return ok;
}

void client_row(struct control_client *c, const struct log_record *r)
{
    if (log_render(log_octets(r), LOG_JSON, true, &c->out))
        buf_add_char(&c->out, '\n');
    client_arm(c);
}

void client_object(struct control_client *c, json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;

    if (line)
        client_line(c, str_from_c(line));
    else
        client_drop(c);
    free(line);
    json_decref(object);
}

/* jansson refuses what is not UTF-8: such a text is shown up to there. */
static json_t *text_of(struct str value)
{
    size_t n = 0;

    for (size_t step; n < value.n && (step = str_utf8_length(str_skip(value, n))) > 0;)
        n += step;
    return json_stringn(value.p ? value.p : "", n);
}

void client_text(struct control_client *c, const char *name, struct str value)
{
    client_object(c, json_pack("{s:o}", name, text_of(value)));
}

void client_end(struct control_client *c, int exit_code)
{
    command_forget(c);
    client_object(c, json_pack("{s:b,s:i}", "end", 1, "exit", exit_code));
    io_timer_start(&c->timer, CLIENT_IDLE_MSEC);
}

void client_fail(struct control_client *c, int exit_code, const char *error, const char *cure)
{
    client_object(c, json_pack("{s:o,s:s}", "error", text_of(str_from_c(error)), "cure", cure));
    client_end(c, exit_code);
}

void client_patience(struct control_client *c, int64_t msec)
{
    io_timer_start(&c->timer, msec);
}

/* ---- life ---- */

struct control_client *client_new(struct control *control, int fd, bool everyone)
{
    struct control_client *c = malloc(sizeof(*c));
    struct io_loop *loop = control->worker->loop;

    if (!c)
        goto fail;
    *c = (struct control_client){
        .control = control,
        .everyone = everyone,
        .fd = fd,
        .in = BUF_INIT(CLIENT_REQUEST_MAX),
        .out = BUF_INIT(CLIENT_OUT_MAX),
    };
    list_init(&c->node);
    local_begin(fd);
    if (!permission_of(&control->permission, fd, &c->who))
        goto fail;
    if (!io_watch_init(&c->watch, loop, fd, on_ready, NULL))
        goto fail;
    if (!io_timer_init(&c->timer, loop, on_timer, NULL)) {
        io_watch_done(&c->watch);
        goto fail;
    }
    io_task_init(&c->next, loop, on_next);
    list_append(&control->clients, &c->node);
    io_timer_start(&c->timer, CLIENT_IDLE_MSEC);
    client_arm(c);
    return c;
fail:
    free(c);
    local_close(&control->closer, &fd);
    return NULL;
}

void client_free(struct control_client *c)
{
    command_forget(c);
    spool_transfer_forget(c);
    /* The last words of a server that ends: as far as they go. */
    if (c->out.n && !c->gone)
        (void)!send(c->fd, c->out.p, c->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    list_remove(&c->node);
    io_task_done(&c->next);
    io_timer_done(&c->timer);
    io_watch_done(&c->watch);
    local_close(&c->control->closer, &c->fd);
    buf_done(&c->in);
    buf_done(&c->out);
    control_client_gone(c->control, c->everyone);
    free(c);
}
