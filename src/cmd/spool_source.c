/* cmd/spool_source.c */
#include "cmd/spool_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/row.h"
#include "core/base64.h"
#include "spool/check.h"
#include "spool/engine.h"

enum {
    PIECE = 64 * 1024,
    PAGE = 65536,
    ALL_PARTS =
        SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | SPOOL_READ_CONTENT | SPOOL_READ_HOLD | SPOOL_READ_ANYWAY
};

/* ---- open ---- */

static int find_path(struct spool_source *s, const struct cmd_call *call)
{
    int status = settings_read(&s->settings, call);

    if (status != CMD_OK)
        return status;
    if (!s->settings.config)
        return cmd_fail(CMD_CONFIG, "veredus config check", "the configuration has errors");
    struct str spool = s->settings.config->spool.text, file = str_from_c(s->settings.path);
    struct str folder = str_head(file, str_rfind(file, '/'));
    int n = spool.n && spool.p[0] == '/'
                ? snprintf(s->path, sizeof(s->path), "%.*s", STR_ARG(spool))
                : snprintf(s->path, sizeof(s->path), "%.*s/%.*s", STR_ARG(folder), STR_ARG(spool));
    return n > 0 && n < (int)sizeof(s->path) ? CMD_OK : cmd_fail(CMD_CONFIG, NULL, "spool: too long a path");
}

static int fail(const struct spool_source *s, const struct err *err)
{
    bool held = err->sys == EWOULDBLOCK, denied = err->sys == EACCES || err->sys == EPERM;
    const char *cure = held
                           ? "a server has it open that does not answer at its control socket: veredus status"
                       : denied ? "as root, or as the account of the queue process"
                                : "";

    return cmd_fail(denied                  ? CMD_DENIED
                    : held                  ? CMD_LATER
                    : err->kind == ERR_PERM ? CMD_CONFIG
                                            : CMD_INPUT,
                    cure, "%s: %s", s->path, err->text);
}

static int open_folder(struct spool_source *s)
{
    struct err err = { 0 };

    s->disk = spool_disk_open(s->path, &err);
    if (s->disk)
        s->still = spool_still_disk(s->disk, &err);
    return s->still ? CMD_OK : fail(s, &err);
}

int spool_source_still(struct spool_source *s, const struct cmd_call *call)
{
    *s = (struct spool_source){ .server.fd = -1 };
    int status = find_path(s, call);

    return status == CMD_OK ? open_folder(s) : status;
}

int spool_source_open(struct spool_source *s, const struct cmd_call *call)
{
    struct err err = { 0 };

    *s = (struct spool_source){ .server.fd = -1 };
    int status = find_path(s, call);
    if (status != CMD_OK)
        return status;
    status = server_open(&s->server, call, true);
    s->live = status == CMD_OK;
    s->server.quiet = false;
    if (s->live)
        return CMD_OK;
    if (status != CMD_NO_SERVER)
        return cmd_fail(status, "ask as root or as a member of the control socket's group", "not allowed");
    status = open_folder(s);
    if (status != CMD_OK)
        return status;
    s->spool = spool_still_open(s->still, &err);
    return s->spool ? CMD_OK : fail(s, &err);
}

void spool_source_close(struct spool_source *s)
{
    server_close(&s->server);
    if (s->spool)
        spool_die(s->spool);
    spool_still_close(s->still);
    spool_disk_close(s->disk);
    settings_done(&s->settings);
}

/* One request on the connection that is open. */
static void ask(struct spool_source *s, json_t *request)
{
    s->server.ended = false;
    s->server.exit = CMD_OK;
    server_ask(&s->server, request);
}

/* ---- ids ---- */

static bool keep_ids(uint64_t **ids, size_t *n, const uint64_t *more, size_t count)
{
    uint64_t *all = count ? realloc(*ids, (*n + count) * sizeof(**ids)) : *ids;

    if (count && !all)
        return false;
    if (count)
        memcpy(all + *n, more, count * sizeof(*all));
    *ids = all;
    *n += count;
    return true;
}

static bool page_of(const json_t *list, uint64_t **ids, size_t *n)
{
    const json_t *item;
    size_t i;
    bool ok = true;

    json_array_foreach(list, i, item)
    {
        struct queue_id id;
        ok &= queue_id_parse(str_from_c(json_string_value(item)), &id) && keep_ids(ids, n, &id.n, 1);
    }
    return ok;
}

static int ids_of_server(struct spool_source *s, uint64_t **ids, size_t *n)
{
    json_t *object;
    bool ok = true;

    ask(s, json_pack("{s:s}", "command", "spool ids"));
    while ((object = server_next(&s->server, NULL))) {
        ok &= page_of(json_object_get(object, "ids"), ids, n);
        json_decref(object);
    }
    return s->server.exit != CMD_OK ? s->server.exit
           : ok                     ? CMD_OK
                                    : cmd_fail(CMD_LATER, NULL, "out of memory");
}

int spool_source_ids(struct spool_source *s, uint64_t **ids, size_t *n)
{
    uint64_t *page = NULL;
    size_t count = PAGE;
    bool ok;

    *ids = NULL;
    *n = 0;
    if (s->live)
        return ids_of_server(s, ids, n);
    page = malloc(PAGE * sizeof(*page));
    for (ok = page != NULL; ok && count == PAGE;) {
        count = spool_ids_after(s->spool, (struct queue_id){ *n ? (*ids)[*n - 1] : 0 }, page, PAGE);
        ok = keep_ids(ids, n, page, count);
    }
    free(page);
    return ok ? CMD_OK : cmd_fail(CMD_LATER, NULL, "out of memory");
}

/* ---- one message ---- */

static bool take_part(struct spool_item *item, const json_t *object,
                      bool (*sink)(void *ctx, struct str octets), void *ctx)
{
    struct str part = row_text(object, "part");
    struct buf octets = BUF_INIT(SERVER_LINE_MAX);
    bool ok = base64_read(&octets, row_text(object, "octets"));

    if (ok && str_eq(part, STR("content")))
        ok = sink(ctx, buf_str(&octets));
    else if (ok)
        ok = buf_add(str_eq(part, STR("envelope")) ? &item->envelope
                     : str_eq(part, STR("state"))  ? &item->state
                                                   : &item->hold,
                     buf_str(&octets));
    buf_done(&octets);
    return ok;
}

static int read_of_server(struct spool_source *s, struct spool_item *item,
                          bool (*sink)(void *ctx, struct str octets), void *ctx)
{
    json_t *object;
    bool ok = true;

    ask(s, json_pack("{s:s,s:s}", "command", "spool read", "id", queue_id_text(item->id).c));
    while ((object = server_next(&s->server, NULL))) {
        if (row_has(object, "part")) {
            ok = ok && take_part(item, object, sink, ctx);
        } else if (row_has(object, "status")) {
            item->damaged = !str_eq(row_text(object, "status"), STR("ok"));
            item->held = json_is_true(json_object_get(object, "held"));
            item->accepted_msec = (int64_t)row_number(object, "accepted_msec");
        }
        json_decref(object);
    }
    return s->server.exit != CMD_OK ? s->server.exit : ok ? CMD_OK : CMD_LATER;
}

static bool file_to(int fd, bool (*sink)(void *ctx, struct str octets), void *ctx)
{
    char piece[PIECE];
    ssize_t n;
    bool ok = lseek(fd, 0, SEEK_SET) == 0;

    while (ok && (n = read(fd, piece, sizeof(piece))) != 0)
        ok = n > 0 ? sink(ctx, str_of(piece, (size_t)n)) : errno == EINTR;
    return ok;
}

bool spool_source_take(const struct spool_read *read, struct spool_item *item,
                       bool (*sink)(void *ctx, struct str octets), void *ctx)
{
    item->damaged = read->status != SPOOL_READ_OK;
    item->held = read->held;
    item->accepted_msec = read->accepted_utc_msec;
    return buf_add(&item->envelope, read->envelope) && buf_add(&item->state, read->state) &&
           buf_add(&item->hold, read->hold_reason) && (!read->head.n || sink(ctx, read->head)) &&
           (!read->body.n || sink(ctx, read->body)) && (read->file < 0 || file_to(read->file, sink, ctx));
}

static int read_of_folder(struct spool_source *s, struct spool_item *item,
                          bool (*sink)(void *ctx, struct str octets), void *ctx)
{
    struct spool_read read;
    int status = CMD_OK;

    spool_read_now(s->spool, item->id, ALL_PARTS, &read);
    if (read.status == SPOOL_READ_GONE)
        status = cmd_fail(CMD_FOUND, NULL, "%s: no such message in the spool", queue_id_text(item->id).c);
    else if (read.status == SPOOL_READ_FAILED)
        status = cmd_fail(CMD_LATER, NULL, "%s: it cannot be read now", queue_id_text(item->id).c);
    else if (!spool_source_take(&read, item, sink, ctx))
        status = CMD_LATER;
    spool_read_done(s->spool, &read);
    return status;
}

int spool_source_read(struct spool_source *s, struct spool_item *item,
                      bool (*sink)(void *ctx, struct str octets), void *ctx)
{
    spool_item_clear(item);
    return s->live ? read_of_server(s, item, sink, ctx) : read_of_folder(s, item, sink, ctx);
}
