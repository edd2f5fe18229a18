/*
 * main/drop.c -- what sendmail(1) left in the drop folder while the server was down goes to the submit process, a few
 * files at a time, as descriptors (FACE 1.11; spool/drops.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "io/fd.h"
#include "main/server.h"
#include "spool/drops.h"

enum {
    DROPS_IN_HAND = 4,
    DROPS_RESTING = 256,
    DROP_REST_MSEC = 30000, /* what could not be taken is tried again after it */
};

struct in_hand {
    char name[SPOOL_DROP_NAME_MAX]; /* empty: free */
    uint32_t submit;                /* instance of the process that has it */
    uid_t uid;
};

struct main_drop {
    struct main_server *server;
    struct spool_drops folder;
    int inotify;
    struct io_watch watch;
    struct io_timer rest;
    struct in_hand hand[DROPS_IN_HAND];
    char resting[DROPS_RESTING][SPOOL_DROP_NAME_MAX];
    size_t n_resting;
};

/* ---- one file ---- */

static void log_drop(const char *name, uid_t uid, const char *error)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_DROP);
    log_number(&r, LOG_UID, uid);
    log_text_c(&r, LOG_FILE, name);
    log_text_c(&r, LOG_ERROR, error);
    log_send(&r);
}

/* It is looked at again after a while. */
static void rest(struct main_drop *d, const char *name)
{
    if (d->n_resting < DROPS_RESTING)
        snprintf(d->resting[d->n_resting++], SPOOL_DROP_NAME_MAX, "%s", name);
    if (!io_timer_pending(&d->rest))
        io_timer_start(&d->rest, DROP_REST_MSEC);
}

static void set_aside(struct main_drop *d, const char *name, uid_t uid, const char *why)
{
    char text[2 * ERR_TEXT_MAX];
    struct err err = { 0 };

    if (spool_drop_set_aside(&d->folder, name, &err)) {
        snprintf(text, sizeof(text), "%s; it is kept in the folder drop-failed of the spool", why);
    } else {
        snprintf(text, sizeof(text), "%s; it cannot be set aside: %s", why, err.text);
        rest(d, name);
    }
    log_drop(name, uid, text);
}

static void give(struct main_drop *d, struct in_hand *h, struct main_child *submit, const char *name)
{
    struct spool_drop drop;
    struct err err = { 0 };

    if (!spool_drop_open(&d->folder, name, &drop, &err)) {
        if (err.kind == ERR_PERM)
            set_aside(d, name, drop.uid, err.text);
        else
            rest(d, name);
        return;
    }
    *h = (struct in_hand){ .submit = submit->instance, .uid = drop.uid };
    snprintf(h->name, sizeof(h->name), "%s", name);
    ipc_send_drop(submit->channel,
                  &(struct ipc_drop){ .name = str_from_c(h->name), .uid = drop.uid, .number = drop.number }, drop.fd);
    fd_close(&drop.fd);
}

/* ---- the folder ---- */

static struct in_hand *hand_of(struct main_drop *d, const char *name)
{
    for (size_t i = 0; i < DROPS_IN_HAND; i++)
        if (strcmp(d->hand[i].name, name) == 0)
            return &d->hand[i];
    return NULL;
}

static bool is_resting(const struct main_drop *d, const char *name)
{
    for (size_t i = 0; i < d->n_resting; i++)
        if (strcmp(d->resting[i], name) == 0)
            return true;
    return false;
}

static bool on_name(void *ctx, const char *name)
{
    struct main_drop *d = ctx;
    struct in_hand *h = hand_of(d, "");

    /* With so many at rest no more are looked at: which ones rest could not be told. */
    if (!h || d->n_resting == DROPS_RESTING)
        return false;
    if (!hand_of(d, name) && !is_resting(d, name))
        give(d, h, child_ready(d->server, PROCESS_SUBMIT), name);
    return true;
}

void drop_look(struct main_server *s)
{
    if (s->phase == PHASE_RUNNING && s->drop && child_ready(s, PROCESS_SUBMIT))
        spool_drops_list(&s->drop->folder, on_name, s->drop);
}

void drop_answered(struct main_server *s, struct main_child *submit, const struct ipc_dropped *dropped)
{
    struct main_drop *d = s->drop;
    char name[SPOOL_DROP_NAME_MAX], why[ERR_TEXT_MAX];
    struct err err = { 0 };

    if (submit->kind != PROCESS_SUBMIT || !dropped->name.n || dropped->name.n >= sizeof(name))
        return;
    snprintf(name, sizeof(name), "%.*s", STR_ARG(dropped->name));
    struct in_hand *h = hand_of(d, name);
    if (!h || h->submit != submit->instance)
        return;
    snprintf(why, sizeof(why), "%.*s", STR_ARG(dropped->text));
    if (dropped->status == IPC_PERM) {
        set_aside(d, name, h->uid, why);
    } else if (dropped->status == IPC_TEMP) {
        rest(d, name);
    } else if (!spool_drop_remove(&d->folder, name, &err)) {
        log_drop(name, h->uid, err.text);
        rest(d, name);
    }
    *h = (struct in_hand){ 0 };
    drop_look(s);
}

void drop_submit_gone(struct main_server *s, const struct main_child *submit)
{
    struct main_drop *d = s->drop;

    for (size_t i = 0; d && i < DROPS_IN_HAND; i++)
        if (d->hand[i].submit == submit->instance)
            d->hand[i] = (struct in_hand){ 0 };
    drop_look(s);
}

static void on_change(struct io_watch *w, unsigned what)
{
    struct main_drop *d = CONTAINER_OF(w, struct main_drop, watch);
    char events[4096];

    (void)what;
    while (read(d->inotify, events, sizeof(events)) > 0)
        ;
    drop_look(d->server);
}

static void on_rested(struct io_timer *t)
{
    struct main_drop *d = CONTAINER_OF(t, struct main_drop, rest);

    d->n_resting = 0;
    drop_look(d->server);
}

/* ---- the beginning and the end ---- */

/* Without inotify, the folder is looked at when a submit process begins. */
static bool watch_begin(struct main_drop *d, const char *spool, struct err *err)
{
    char path[1100];

    snprintf(path, sizeof(path), "%s/drop", spool);
    d->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (d->inotify < 0 || inotify_add_watch(d->inotify, path, IN_MOVED_TO | IN_ONLYDIR) < 0)
        return true;
    if (!io_watch_init(&d->watch, d->server->loop, d->inotify, on_change, err))
        return false;
    io_watch_arm(&d->watch, IO_READ);
    return true;
}

bool drop_start(struct main_server *s, struct err *err)
{
    struct main_drop *d = calloc(1, sizeof(*d));
    char spool[1024];

    if (!d)
        return err_temp(err, "out of memory");
    *d = (struct main_drop){ .server = s, .folder = { -1, -1 }, .inotify = -1 };
    s->drop = d;
    snprintf(spool, sizeof(spool), "%.*s", STR_ARG(main_config(s)->spool.text));
    return spool_drops_open(&d->folder, spool, err) && io_timer_init(&d->rest, s->loop, on_rested, err) &&
           watch_begin(d, spool, err);
}

void drop_done(struct main_server *s)
{
    struct main_drop *d = s->drop;

    if (!d)
        return;
    if (d->watch.loop)
        io_watch_done(&d->watch);
    if (d->rest.loop)
        io_timer_done(&d->rest);
    fd_close(&d->inotify);
    spool_drops_close(&d->folder);
    free(d);
    s->drop = NULL;
}
