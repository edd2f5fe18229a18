/* A lookup process in one room: configuration and files from texts, a clock, and the records it writes. */
#ifndef TESTS_UNIT_LOOKUP_ROOM_H
#define TESTS_UNIT_LOOKUP_ROOM_H

#include "tests/unit/unit.h"

#include "core/buf.h"
#include "io/fd.h"
#include "io/loop.h"
#include "log/log.h"
#include "lookup/lookup.h"
#include "smtp/reply.h"
#include "tests/unit/route/world.h"

enum { ROOM_RECORDS = 64 };

struct room {
    struct arena *arena;
    struct io_loop *loop;
    struct lookup *lookup;
    struct lookup_turn turn;
    struct log_sink sink;
    struct buf records[ROOM_RECORDS];
    size_t n_records;
    char wanted[256];
};

static struct room room;

static void room_record(struct log_sink *sink, struct str record)
{
    struct room *r = CONTAINER_OF(sink, struct room, sink);

    assert_true(r->n_records < ROOM_RECORDS);
    r->records[r->n_records] = BUF_INIT(LOG_RECORD_MAX);
    buf_add(&r->records[r->n_records++], record);
}

static void room_forget_records(void)
{
    for (size_t i = 0; i < room.n_records; i++)
        buf_done(&room.records[i]);
    room.n_records = 0;
}

/* The text or number of a field of record I, as text. */
static inline const char *room_field(size_t i, enum log_field field)
{
    static char text[LOG_VALUE_MAX + 32];
    struct log_value v;

    assert_true(i < room.n_records);
    if (!log_view_find(buf_str(&room.records[i]), field, &v))
        return "none";
    if (v.kind == LOG_KIND_NUMBER)
        snprintf(text, sizeof(text), "%lld", (long long)v.number);
    else
        snprintf(text, sizeof(text), "%.*s", STR_ARG(v.octets));
    return text;
}

static void room_want(struct lookup_tables *t, struct str path)
{
    (void)t;
    snprintf(room.wanted, sizeof(room.wanted), "%.*s", STR_ARG(path));
}

static inline void room_open(const char *config)
{
    struct err err = { 0 };

    room = (struct room){ .arena = arena_new(64 << 20), .loop = io_loop_new(&err) };
    room.sink = (struct log_sink){ .write = room_record, .level = LOG_LEVEL_DEBUG };
    log_sink_set(&room.sink);
    room.lookup = lookup_new(room.loop, world_config(room.arena, config), 7, room_want, &err);
    assert_non_null(room.lookup);
    room.turn = (struct lookup_turn){
        .lookup = room.lookup,
        .scratch = room.arena,
        .octets = &room.lookup->octets,
    };
}

static inline void room_close(void)
{
    lookup_free(room.lookup);
    io_loop_free(room.loop);
    log_sink_set(NULL);
    room_forget_records();
    arena_free(room.arena);
}

static inline int room_fd(const char *text)
{
    struct err err = { 0 };
    int fd = fd_sealed("table", str_from_c(text), &err);

    assert_true(fd >= 0);
    return fd;
}

/* The file PATH holds TEXT from now on. */
static inline void room_file(const char *path, const char *text)
{
    lookup_tables_give(&room.lookup->tables, str_from_c(path), room_fd(text), STR_NONE, true);
}

#endif
