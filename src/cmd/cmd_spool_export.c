/* cmd/cmd_spool_export.c -- veredus spool export [DIR]: each message as a pair of files. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cmd/row.h"
#include "cmd/select.h"
#include "cmd/spool_source.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "io/fd.h"
#include "io/loop.h"
#include "spool/exported.h"
#include "spool/salvage.h"

enum { NAME_ROOM = 48, TOLD_USEC = 200000, PATIENCE_USEC = 1000000 };

struct export
{
    const struct cmd_call *call;
    struct spool_source source;
    const char *path;
    int folder;
    bool salvage, progress;
    uint64_t *ids;
    size_t n, at;
    uint64_t written, damaged, skipped;
    int64_t began_usec, told_usec;
    struct spool_item item;
    EVP_MD_CTX *sum;
    int fd;      /* of what is being written */
    int failure; /* errno of writing */
    int status;
};

static void progress(struct export *x, bool last)
{
    int64_t now = io_clock_usec();

    if (!x->progress || now - x->began_usec < PATIENCE_USEC || (!last && now - x->told_usec < TOLD_USEC))
        return;
    fprintf(stderr, "\r%s of %s messages%s", text_count(x->at).c, text_count(x->n).c, last ? "\n" : "");
    x->told_usec = now;
}

static bool put(void *ctx, struct str octets)
{
    struct export *x = ctx;

    while (octets.n && !x->failure) {
        ssize_t n = write(x->fd, octets.p, octets.n);
        if (n < 0 && errno != EINTR)
            x->failure = errno;
        if (n > 0)
            octets = str_skip(octets, (size_t)n);
    }
    return !x->failure;
}

static bool put_content(void *ctx, struct str octets)
{
    struct export *x = ctx;

    x->item.size += octets.n;
    if (!EVP_DigestUpdate(x->sum, octets.p, octets.n))
        x->failure = ENOMEM;
    return put(x, octets);
}

static void write_name(char name[NAME_ROOM], struct queue_id id, bool damaged, const char *end)
{
    snprintf(name, NAME_ROOM, "%s%s.%s", queue_id_text(id).c, damaged ? ".damaged" : "", end);
}

/* A file for content. One without its .json was not finished, when this was killed or the power went: it is written anew. */
static bool open_content(struct export *x, struct queue_id id, bool damaged, const char *eml, struct err *err)
{
    char json[NAME_ROOM];

    write_name(json, id, damaged, "json");
    x->fd = exported_new(x->folder, eml, err);
    if (x->fd < 0 && err->sys == EEXIST && !exported_has(x->folder, json)) {
        exported_drop(x->folder, eml);
        x->fd = exported_new(x->folder, eml, err);
    }
    if (x->fd >= 0 && !EVP_DigestInit_ex(x->sum, EVP_sha256(), NULL))
        x->failure = ENOMEM;
    return x->fd >= 0;
}

static bool write_text(struct export *x, const char *name, struct err *err)
{
    unsigned char token[SPOOL_FILE_TOKEN];

    if (getrandom(token, sizeof(token), 0) != (ssize_t)sizeof(token))
        return err_sys(err, errno, "getrandom");
    x->fd = exported_new(x->folder, name, err);
    if (x->fd < 0)
        return false;
    json_t *file = spool_file_json(&x->item, token);
    char *text = file ? json_dumps(file, JSON_INDENT(2)) : NULL;
    bool ok = text && put(x, str_from_c(text)) && put(x, STR("\n"));
    free(text);
    json_decref(file);
    fd_close(&x->fd);
    return ok || err_sys(err, x->failure ? x->failure : ENOMEM, "%s", name);
}

/* Named last: files without it were not finished. */
static bool write_json(struct export *x, const char *name, struct err *err)
{
    char new[NAME_ROOM + 8];

    snprintf(new, sizeof(new), "%s.new", name);
    exported_drop(x->folder, new);
    bool ok = EVP_DigestFinal_ex(x->sum, x->item.sum, NULL) || err_temp(err, "%s: out of memory", name);
    ok = ok && write_text(x, new, err) && exported_name(x->folder, new, name, err);
    if (!ok)
        exported_drop(x->folder, new);
    return ok;
}

static void say_written(struct export *x)
{
    char eml[NAME_ROOM];
    struct queue_id id = x->item.id;

    write_name(eml, id, x->item.damaged, "eml");
    x->written++;
    x->damaged += x->item.damaged;
    if (x->call->json)
        printf("{\"id\":\"%s\",\"file\":\"%s\",\"damaged\":%s}\n", queue_id_text(id).c, eml,
               x->item.damaged ? "true" : "false");
    if (x->item.damaged && !x->call->quiet)
        fprintf(stderr, "%s: it is damaged; what can be read of it is in %s/%s\n", queue_id_text(id).c,
                x->path, eml);
}

static bool give_up(struct export *x, const char *name, const struct err *err)
{
    if (err->sys == EEXIST) {
        x->skipped++;
        fprintf(stderr, "%s is there already: not written again\n", name);
        return true;
    }
    x->status = cmd_fail(CMD_LATER, "is the disk full?", "%s: %s", x->path, err->text);
    return false;
}

/* The content went to a file of its sound name; one that turns out to be damaged is called so. */
static bool finish(struct export *x, const char *eml, struct err *err)
{
    char json[NAME_ROOM];

    write_name(json, x->item.id, x->item.damaged, "json");
    if (!write_json(x, json, err)) {
        exported_drop(x->folder, eml);
        return false;
    }
    say_written(x);
    return true;
}

/* What is found damaged while its content comes is written again under its other name. */
static bool export_read(struct export *x, struct queue_id id, bool damaged)
{
    struct err err = { 0 };
    char eml[NAME_ROOM];

    write_name(eml, id, damaged, "eml");
    x->item.id = id;
    if (!open_content(x, id, damaged, eml, &err))
        return give_up(x, eml, &err);
    int status = spool_source_read(&x->source, &x->item, put_content, x);
    fd_close(&x->fd);
    if (x->failure)
        err_sys(&err, x->failure, "%s", eml);
    if (status != CMD_OK || x->failure || x->item.damaged != damaged)
        exported_drop(x->folder, eml);
    if (x->failure)
        return give_up(x, eml, &err);
    if (status == CMD_FOUND) /* it ended meanwhile */
        return true;
    x->status = status;
    if (status != CMD_OK)
        return false;
    if (x->item.damaged != damaged)
        return damaged || export_read(x, id, true);
    return finish(x, eml, &err) || give_up(x, eml, &err);
}

static void export_all(struct export *x)
{
    bool ok = true;

    for (; ok && x->at < x->n; x->at++) {
        ok = export_read(x, (struct queue_id){ x->ids[x->at] }, false);
        progress(x, false);
    }
    progress(x, true);
}

/* ---- salvage ---- */

static void on_salvaged(void *ctx, struct spool_read *read)
{
    struct export *x = ctx;
    struct err err = { 0 };
    char eml[NAME_ROOM];

    if (x->status != CMD_OK)
        return;
    for (size_t i = 0; x->n; i++) { /* those that were named, if any were */
        if (i == x->n)
            return;
        if (x->ids[i] == read->id.n)
            break;
    }
    spool_item_clear(&x->item);
    x->item.id = read->id;
    write_name(eml, read->id, read->status != SPOOL_READ_OK, "eml");
    bool ok = open_content(x, read->id, read->status != SPOOL_READ_OK, eml, &err) &&
              (spool_source_take(read, &x->item, put_content, x) ||
               err_sys(&err, x->failure ? x->failure : EIO, "%s", eml));
    fd_close(&x->fd);
    ok = ok && finish(x, eml, &err);
    if (!ok)
        (void)give_up(x, eml, &err);
}

static void salvage(struct export *x)
{
    struct err err = { 0 };

    x->status = spool_source_still(&x->source, x->call);
    if (x->status == CMD_OK && !spool_salvage(x->source.still, on_salvaged, x, &err))
        x->status = cmd_fail(err.sys == EWOULDBLOCK ? CMD_LATER : CMD_INPUT,
                             err.sys == EWOULDBLOCK ? "stop the server first" : "", "%s: %s", x->source.path,
                             err.text);
    if (x->status == CMD_OK && x->written && !x->call->quiet)
        fprintf(stderr,
                "what was delivered long ago may be among them: look before they are taken in again\n");
}

/* ---- what is asked for ---- */

/* The ids that SELECT chooses, as the queue lists them. */
static int take_selected(struct export *x, json_t *request)
{
    struct server *s = &x->source.server;
    json_t *row;
    size_t room = 0;

    if (!x->source.live)
        return cmd_fail(CMD_USAGE, "name ids, or export all",
                        "choosing by state or address wants a running server");
    s->ended = false;
    server_ask(s, json_incref(request));
    while ((row = server_next(s, NULL))) {
        struct queue_id id;
        if (x->n == room) {
            uint64_t *ids = realloc(x->ids, (room = room ? room * 2 : 256) * sizeof(*ids));
            if (!ids)
                return cmd_fail(CMD_LATER, NULL, "out of memory");
            x->ids = ids;
        }
        if (queue_id_parse(row_text(row, "id"), &id))
            x->ids[x->n++] = id.n;
        json_decref(row);
    }
    return s->exit;
}

static int take_ids(struct export *x, const json_t *list)
{
    const json_t *item;
    size_t i;

    x->ids = calloc(json_array_size(list) + 1, sizeof(*x->ids));
    if (!x->ids)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    json_array_foreach(list, i, item)
    {
        struct queue_id id;
        if (queue_id_parse(str_from_c(json_string_value(item)), &id))
            x->ids[x->n++] = id.n;
    }
    return CMD_OK;
}

/* --id ID and --salvage are ours, the argument that is no option is the folder, the rest is SELECT's. */
static int sort_out(struct export *x, struct cmd_call *rest)
{
    const struct cmd_call *call = x->call;

    for (int i = 1; i < call->argc; i++) {
        const char *arg = call->argv[i];
        struct queue_id id;
        bool value = strstr(SELECT_VALUES, arg) && arg[0] == '-' && i + 1 < call->argc;
        if (!strcmp(arg, "--salvage")) {
            x->salvage = true;
        } else if (!strcmp(arg, "--id")) {
            if (i + 1 == call->argc || !queue_id_parse(str_from_c(call->argv[i + 1]), &id))
                return cmd_fail(CMD_USAGE, "veredus queue lists them", "--id: which message?");
            rest->argv[rest->argc++] = call->argv[++i];
        } else if (arg[0] != '-') {
            if (x->path)
                return cmd_usage(call, arg);
            x->path = arg;
        } else {
            rest->argv[rest->argc++] = call->argv[i];
            if (value)
                rest->argv[rest->argc++] = call->argv[++i];
        }
    }
    x->path = x->path ? x->path : ".";
    return CMD_OK;
}

static int take_what(struct export *x, const struct select *select)
{
    json_t *ids = json_object_get(select->request, "ids");
    bool more =
        json_object_size(select->request) > (ids ? 2U : 1U) && !json_object_get(select->request, "all");

    if (x->salvage)
        return more ? cmd_fail(CMD_USAGE, NULL, "a salvage takes ids or all") : take_ids(x, ids);
    int status = spool_source_open(&x->source, x->call);
    if (status != CMD_OK)
        return status;
    if (more)
        return take_selected(x, select->request);
    return ids ? take_ids(x, ids) : spool_source_ids(&x->source, &x->ids, &x->n);
}

static int closing(struct export *x)
{
    struct err err = { 0 };

    if (x->written && !exported_sync(x->folder, &err))
        return cmd_fail(CMD_LATER, "what was written may not last", "%s: %s", x->path, err.text);
    if (!x->call->quiet && !x->call->json && x->status == CMD_OK)
        printf("%s message%s in %s%s\n", text_count(x->written).c, x->written == 1 ? "" : "s", x->path,
               x->damaged ? ", damaged ones among them" : "");
    if (x->status != CMD_OK)
        return x->status;
    bool named = x->n && !x->written && !x->skipped;
    return x->damaged || x->skipped || named ? CMD_FOUND : CMD_OK;
}

int cmd_spool_export(const struct cmd_call *call)
{
    struct export x = {
        .call = call,
        .source.server.fd = -1,
        .folder = -1,
        .fd = -1,
        .sum = EVP_MD_CTX_new(),
        .item = SPOOL_ITEM_INIT,
        .progress = isatty(STDERR_FILENO) && !call->quiet,
        .began_usec = io_clock_usec(),
    };
    struct cmd_call rest = *call;
    struct select select = { 0 };
    struct err err = { 0 };

    rest.argc = 1;
    rest.argv = calloc((size_t)call->argc + 1, sizeof(*rest.argv));
    x.status = rest.argv && x.sum ? CMD_OK : cmd_fail(CMD_LATER, NULL, "out of memory");
    if (x.status == CMD_OK) {
        rest.argv[0] = call->argv[0];
        x.status = sort_out(&x, &rest);
    }
    if (x.status == CMD_OK)
        x.status = select_read(&select, &rest, "queue list", 0);
    if (x.status == CMD_OK)
        x.status = take_what(&x, &select);
    if (x.status == CMD_OK) {
        x.folder = exported_open(x.path, true, &err);
        if (x.folder < 0)
            x.status = spool_folder_fail(&err);
        else if (x.salvage)
            salvage(&x);
        else
            export_all(&x);
    }
    int status = x.folder >= 0 ? closing(&x) : x.status;
    fd_close(&x.folder);
    EVP_MD_CTX_free(x.sum);
    spool_item_done(&x.item);
    spool_source_close(&x.source);
    json_decref(select.request);
    free(x.ids);
    free(rest.argv);
    return status;
}
