/*
 * cmd/cmd_spool_import.c -- veredus spool import DIR: what was exported is taken in again, under new ids.
 *
 * A file is moved to DIR/done when its message is durable. If this ends in between, the next import asks
 * again with the same token, and the server says that it has it: so nothing is taken twice as long as it
 * knows the token (it keeps those of its newest 16384 messages). Between the moves of the two files only the
 * second is left to be moved.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/row.h"
#include "cmd/server.h"
#include "cmd/spool_file.h"
#include "cmd/subcommands.h"
#include "cmd/text.h"
#include "core/base64.h"
#include "io/fd.h"
#include "spool/exported.h"

enum { NAME_ROOM = 256, JSON_MAX = 64 << 20, ARENA_MAX = 256 << 20, PIECE = 36 * 1024 };

struct import {
    const struct cmd_call *call;
    const char *path;
    int folder;
    struct server server;
    char (*names)[NAME_ROOM]; /* without ".json" */
    size_t n;
    uint64_t taken, refused;
};

/* ---- the server's side ---- */

static void ask(struct import *im, json_t *request)
{
    im->server.ended = false;
    im->server.exit = CMD_OK;
    server_ask(&im->server, request);
}

/* The answer's one object, if it has one; NULL too when it failed, and then server.exit says so. */
static json_t *answer(struct import *im)
{
    json_t *object, *kept = NULL;

    while ((object = server_next(&im->server, NULL))) {
        json_decref(kept);
        kept = object;
    }
    return kept;
}

static bool ask_simply(struct import *im, json_t *request)
{
    ask(im, request);
    json_decref(answer(im));
    return im->server.exit == CMD_OK;
}

static bool send_piece(struct import *im, const char *part, struct str octets)
{
    struct buf text = BUF_INIT(2 * PIECE);
    bool ok = base64_add(&text, octets) &&
              ask_simply(im, json_pack("{s:s,s:s,s:s,s:s#}", "command", "spool import", "step", "add", "part",
                                       part, "octets", text.p ? text.p : "", (int)text.n));

    buf_done(&text);
    return ok;
}

static bool send_part(struct import *im, const char *part, struct str octets)
{
    bool ok = true;

    for (; ok && octets.n; octets = str_skip(octets, PIECE))
        ok = send_piece(im, part, str_head(octets, PIECE));
    return ok;
}

static bool send_content(struct import *im, int fd)
{
    char piece[PIECE];
    ssize_t n;
    bool ok = true;

    while (ok && (n = read(fd, piece, sizeof(piece))) != 0)
        ok = n > 0 ? send_piece(im, "content", str_of(piece, (size_t)n)) : errno == EINTR;
    return ok;
}

/* The end of the message: its new id, or why not. */
static json_t *send_end(struct import *im, const struct spool_item *item, struct str token)
{
    struct buf text = BUF_INIT(64);
    struct str hold = buf_str(&item->hold);

    base64_add(&text, token);
    ask(im, json_pack("{s:s,s:s,s:I,s:s#,s:b,s:s#}", "command", "spool import", "step", "end",
                      "accepted_msec", (json_int_t)item->accepted_msec, "token", text.p ? text.p : "",
                      (int)text.n, "held", item->held, "hold", hold.p ? hold.p : "", (int)hold.n));
    buf_done(&text);
    return answer(im);
}

/* ---- one message ---- */

static void report(struct import *im, const char *name, const json_t *told, const char *refused)
{
    const char *id = row_text_c(told, "id");
    bool already = json_is_true(json_object_get(told, "already"));

    im->taken += id[0] != '\0';
    im->refused += id[0] == '\0';
    if (im->call->json)
        printf("{\"file\":\"%s\",\"taken\":%s,\"id\":\"%s\",\"already\":%s}\n", name,
               id[0] ? "true" : "false", id, already ? "true" : "false");
    else if (id[0] && !im->call->quiet)
        printf("%s  %s%s\n", name, already ? "was taken in before, as " : "is ", id);
    if (!id[0])
        fprintf(stderr, "%s: not taken: %s\n", name, refused);
}

/* It is durable: both files go to done/, the one that says what it is last. */
static bool put_away(struct import *im, const char *name)
{
    char eml[NAME_ROOM + 8], json[NAME_ROOM + 8];
    struct err err = { 0 };

    snprintf(eml, sizeof(eml), "%s.eml", name);
    snprintf(json, sizeof(json), "%s.json", name);
    if (exported_done(im->folder, eml, &err) && exported_done(im->folder, json, &err))
        return true;
    cmd_fail(CMD_LATER, "it is in the queue: move its files away, or they are asked about again", "%s: %s",
             im->path, err.text);
    return false;
}

/* An import that was cut off had moved its content, and had nothing else to do. */
static bool was_moved(const struct import *im, const char *name)
{
    char file[NAME_ROOM + 16];

    snprintf(file, sizeof(file), "%s.eml", name);
    if (exported_has(im->folder, file))
        return false;
    snprintf(file, sizeof(file), "done/%s.json", name);
    if (exported_has(im->folder, file))
        return false;
    snprintf(file, sizeof(file), "done/%s.eml", name);
    return exported_has(im->folder, file);
}

static bool move_rest(struct import *im, const char *name)
{
    char json[NAME_ROOM + 8];
    struct err err = { 0 };

    snprintf(json, sizeof(json), "%s.json", name);
    if (!exported_done(im->folder, json, &err)) {
        cmd_fail(CMD_LATER, "it is in the queue: move its file away", "%s: %s", im->path, err.text);
        return false;
    }
    im->taken++;
    if (im->call->json)
        printf("{\"file\":\"%s\",\"taken\":true,\"id\":\"\",\"already\":true}\n", name);
    else if (!im->call->quiet)
        printf("%s  was taken in before\n", name);
    return true;
}

static json_t *read_json(struct import *im, const char *name, struct arena *a, struct err *err)
{
    char file[NAME_ROOM + 8];
    struct str text;
    uint64_t octets;
    json_error_t why;

    snprintf(file, sizeof(file), "%s.json", name);
    int fd = exported_read(im->folder, file, &octets, err);
    bool ok = fd >= 0 && fd_read_all(fd, JSON_MAX, a, &text, err);
    fd_close(&fd);
    json_t *json =
        ok ? json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why) : NULL;
    if (ok && !json)
        err_perm(err, "line %d of its file is no JSON: %s", why.line, why.text);
    return json;
}

/* False: nothing more can be asked. */
static bool send_message(struct import *im, const char *name, const struct spool_item *item, struct str token,
                         int fd, uint64_t size)
{
    bool ok = ask_simply(im, json_pack("{s:s,s:s,s:I}", "command", "spool import", "step", "begin", "size",
                                       (json_int_t)size)) &&
              send_part(im, "envelope", buf_str(&item->envelope)) &&
              send_part(im, "state", buf_str(&item->state)) && send_content(im, fd);
    json_t *told = ok ? send_end(im, item, token) : NULL;

    if (told && row_text(told, "id").n) {
        report(im, name, told, "");
        ok = put_away(im, name);
    } else if (told && row_text(told, "refused").n) {
        report(im, name, told, row_text_c(told, "refused"));
    } else {
        ok = false; /* it was printed */
    }
    json_decref(told);
    return ok;
}

static bool import_one(struct import *im, const char *name)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct spool_item item = SPOOL_ITEM_INIT;
    struct spool_content_facts facts;
    struct buf token = BUF_INIT(64);
    struct err err = { 0 };
    char eml[NAME_ROOM + 8];
    uint64_t size = 0;
    bool go_on = true;

    snprintf(eml, sizeof(eml), "%s.eml", name);
    json_t *file = a ? read_json(im, name, a, &err) : NULL;
    int fd = file ? exported_read(im->folder, eml, &size, &err) : -1;
    if (fd >= 0 && spool_content_look(fd, a, &facts, &err) &&
        spool_file_read(file, &facts, a, &item, &token, &err))
        go_on = send_message(im, name, &item, buf_str(&token), fd, facts.size);
    else
        report(im, name, NULL, a ? err.text : "out of memory");
    fd_close(&fd);
    json_decref(file);
    buf_done(&token);
    spool_item_done(&item);
    arena_free(a);
    return go_on;
}

/* ---- all of them ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool add_name(struct import *im, size_t *room, struct str name)
{
    if (im->n == *room) {
        size_t more = *room ? *room * 2 : 256;
        char(*names)[NAME_ROOM] = realloc(im->names, more * sizeof(*names));
        if (!names)
            return false;
        im->names = names;
        *room = more;
    }
    snprintf(im->names[im->n++], NAME_ROOM, "%.*s", STR_ARG(name));
    return true;
}

/* A content alone is one that export had not finished: it is named, lest somebody takes it for taken in. */
static void look_at_content(struct import *im, struct str name)
{
    char json[NAME_ROOM + 8], plain[NAME_ROOM];

    snprintf(plain, sizeof(plain), "%.*s", STR_ARG(name));
    snprintf(json, sizeof(json), "%s.json", plain);
    if (!exported_has(im->folder, json))
        report(im, plain, NULL, "it has no .json: its export was not finished");
}

/* Whatever has a .json is meant; ids rise with the time of acceptance, so the oldest come first. */
static int list(struct import *im)
{
    int again = dup(im->folder);
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    size_t room = 0;
    bool ok = dir != NULL;

    for (struct dirent *entry; ok && (entry = readdir(dir)) != NULL;) {
        struct str name = str_from_c(entry->d_name);
        if (str_ends(name, STR(".json")) && name.n > 5 && name.p[0] != '.')
            ok = add_name(im, &room, str_head(name, name.n - 5));
        else if (str_ends(name, STR(".eml")) && name.n > 4 && name.p[0] != '.')
            look_at_content(im, str_head(name, name.n - 4));
    }
    if (dir)
        closedir(dir);
    else
        fd_close(&again);
    if (im->n)
        qsort(im->names, im->n, sizeof(*im->names), by_name);
    return ok ? CMD_OK : cmd_fail(CMD_INPUT, NULL, "%s: it cannot be read", im->path);
}

static int import_all(struct import *im)
{
    bool go_on = true;

    for (size_t i = 0; go_on && i < im->n; i++)
        go_on = was_moved(im, im->names[i]) ? move_rest(im, im->names[i]) : import_one(im, im->names[i]);
    if (!im->call->quiet && !im->call->json) {
        printf("%s message%s taken in", text_count(im->taken).c, im->taken == 1 ? "" : "s");
        if (im->refused)
            printf(", %s not", text_count(im->refused).c);
        printf("\n");
    }
    if (!go_on)
        return im->server.exit != CMD_OK ? im->server.exit : CMD_LATER;
    return im->refused ? CMD_FOUND : CMD_OK;
}

int cmd_spool_import(const struct cmd_call *call)
{
    struct import im = { .call = call, .folder = -1, .server.fd = -1 };
    struct err err = { 0 };

    if (call->argc != 2)
        return cmd_usage(call, call->argc > 2 ? call->argv[2] : NULL);
    im.path = call->argv[1];
    int status = server_open(&im.server, call, true);
    if (status == CMD_NO_SERVER)
        status = cmd_fail(status, "start it with: veredus run, or with all held: veredus run --hold",
                          "messages are taken in by a server that runs");
    else if (status != CMD_OK)
        status = cmd_fail(status, "ask as root or as a member of the control socket's group", "not allowed");
    im.server.quiet = false;
    if (status == CMD_OK) {
        im.folder = exported_open(im.path, false, &err);
        status = im.folder < 0 ? spool_folder_fail(&err) : list(&im);
    }
    if (status == CMD_OK)
        status = import_all(&im);
    fd_close(&im.folder);
    server_close(&im.server);
    free(im.names);
    return status;
}
