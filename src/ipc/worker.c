/* ipc/worker.c -- how a worker begins, hears of its peers, and ends. */
#include "ipc/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "config/parse.h"
#include "core/num.h"
#include "io/fd.h"
#include "log/log.h"

enum { CONFIG_ARENA_MAX = 256 << 20, PARAM_ARENA_MAX = 64 * 1024 };

/* Records of this process, on their way to control; kept for a moment while there is none. */
struct worker_log {
    struct log_sink sink;
    struct worker *worker;
    struct buf early;
};

enum {
    EARLY_MAX = 256 * 1024,
    MEMORY_LARGE = 1 << 20, /* what is larger is the kernel's again when it is freed */
    MEMORY_KEPT = 16 << 20,
    QUIET_MSEC = 10000,
    MUCH = 256, /* messages: a start has fewer */
};

static void log_write(struct log_sink *sink, struct str record)
{
    struct worker_log *l = CONTAINER_OF(sink, struct worker_log, sink);
    struct ipc_channel *control = worker_peer(l->worker, PROCESS_CONTROL);
    char length[4];

    if (control) {
        ipc_send_log(control, &(struct ipc_log){ .record = record });
        return;
    }
    /* Control is away: what does not fit is lost, nobody waits for a log. */
    if (l->early.n + record.n + sizeof(length) > EARLY_MAX)
        return;
    le32_put(length, (uint32_t)record.n);
    buf_add(&l->early, str_of(length, sizeof(length)));
    buf_add(&l->early, record);
}

static void log_send_early(struct worker_log *l, struct ipc_channel *control)
{
    struct str rest = buf_str(&l->early);

    while (rest.n >= 4) {
        size_t n = le32_get(rest.p);
        ipc_send_log(control, &(struct ipc_log){ .record = str_slice(rest, 4, 4 + n) });
        rest = str_skip(rest, 4 + n);
    }
    buf_done(&l->early);
}

/* ---- peers ---- */

struct ipc_channel *worker_peer(struct worker *w, enum process_kind kind)
{
    for (size_t i = w->n_peers; i > 0; i--)
        if (w->peers[i - 1]->peer == kind && !w->peers[i - 1]->closed)
            return w->peers[i - 1];
    return NULL;
}

struct ipc_channel *worker_peer_of(struct worker *w, enum process_kind kind, uint32_t generation)
{
    for (size_t i = w->n_peers; i > 0; i--)
        if (w->peers[i - 1]->peer == kind && w->peers[i - 1]->generation == generation && !w->peers[i - 1]->closed)
            return w->peers[i - 1];
    return NULL;
}

/* The least important records that any target or the history wants; others are not even built. */
static enum log_level wanted_level(const struct config *config)
{
    enum log_level level = config->history.off ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;

    for (size_t i = 0; i < config->n_logs; i++)
        if ((enum log_level)config->logs[i].level > level)
            level = (enum log_level)config->logs[i].level;
    return level;
}

static bool config_apply(struct worker *w, struct ipc_message *m, struct err *err)
{
    struct arena *a = arena_new(CONFIG_ARENA_MAX);
    struct config_bundle bundle;
    struct config_diagnostics diag = { 0 };
    struct str blob;
    const struct config *config;

    if (!a)
        return err_temp(err, "out of memory");
    if (!fd_read_all(m->fd, CONFIG_BUNDLE_MAX, a, &blob, err) || !config_bundle_decode(blob, a, &bundle, err))
        goto fail;
    if (!config_parse_bundle(&bundle, a, &config, &diag)) {
        err_perm(err, "the configuration that main sent does not parse");
        goto fail;
    }
    w->log->sink.level = wanted_level(config);
    w->config = config;
    w->generation = m->config.generation;
    w->instance = m->config.instance;
    w->config_root = arena_str(a, m->config.root);
    w->param = arena_str(a, m->config.param);
    /* The former one may still be borrowed in this turn, and by sessions of it: it stays, reloads are rare. */
    w->config_arena = a;
    return true;
fail:
    arena_free(a);
    return false;
}

static void peer_add(struct worker *w, struct ipc_message *m)
{
    struct err err = { 0 };
    struct ipc_channel *c;

    if (m->fd < 0 || m->peer.kind >= PROCESS_KINDS || w->n_peers == WORKER_PEERS_MAX)
        return;
    c = ipc_channel_new(w->loop, m->fd, w->service->kind, (enum process_kind)m->peer.kind, &w->handler, &err);
    m->fd = -1;
    if (!c)
        return;
    c->instance = m->peer.instance;
    c->generation = m->peer.generation;
    c->pid = m->peer.pid;
    w->peers[w->n_peers++] = c;
    if (c->peer == PROCESS_CONTROL) {
        struct worker_log *l = w->log;
        log_send_early(l, c);
    }
    if (w->started && w->service->peer_up)
        w->service->peer_up(w, c);
}

/* ---- life ---- */

void worker_exit(struct worker *w)
{
    for (size_t i = 0; i < w->n_peers; i++)
        ipc_channel_flush(w->peers[i]);
    ipc_channel_flush(w->main);
    io_loop_stop(w->loop);
}

static void worker_fail(struct worker *w, const struct err *err)
{
    ipc_send_failed(w->main, &(struct ipc_failed){
                                 .fatal = err->kind == ERR_PERM,
                                 .text = str_from_c(err->text),
                             });
    worker_exit(w);
}

static void worker_begin(struct worker *w)
{
    struct err err = { 0 };
    struct sandbox box = { .kind = w->service->kind };
    char lacks[SANDBOX_LACKS_MAX] = "";
    struct ipc_ready ready = { 0 };

    if (!w->config) {
        err_perm(&err, "no configuration before the start");
        worker_fail(w, &err);
        return;
    }
    if (w->service->start && !w->service->start(w, &err)) {
        worker_fail(w, &err);
        return;
    }
    if (w->service->sandbox)
        w->service->sandbox(w, &box);
    if (!sandbox_enter(&box, lacks, &err)) {
        worker_fail(w, &err);
        return;
    }
    if (w->service->run && !w->service->run(w, &err)) {
        worker_fail(w, &err);
        return;
    }
    w->started = true;
    ready.lacks = str_from_c(lacks);
    if (w->service->ready)
        w->service->ready(w, &ready);
    ipc_send_ready(w->main, &ready);
    for (size_t i = 0; i < w->n_peers && w->service->peer_up; i++)
        w->service->peer_up(w, w->peers[i]);
}

static void answer_status(struct worker *w, struct ipc_channel *from, uint64_t ticket)
{
    struct buf rows = BUF_INIT(IPC_FRAME_MAX / 2);

    if (w->service->status)
        w->service->status(w, &rows);
    ipc_send_status_answer(from, &(struct ipc_status_answer){ .ticket = ticket, .records = buf_str(&rows) });
    buf_done(&rows);
}

static void on_main_message(struct worker *w, struct ipc_message *m)
{
    struct err err = { 0 };

    switch (m->type) {
    case IPC_CONFIG:
        if (!config_apply(w, m, &err))
            worker_fail(w, &err);
        else if (w->started && w->service->reconfigured)
            w->service->reconfigured(w);
        return;
    case IPC_START:
        w->start = m->start;
        worker_begin(w);
        return;
    case IPC_PEER:
        peer_add(w, m);
        return;
    case IPC_RETIRE:
        if (w->started && w->service->retire)
            w->service->retire(w);
        else
            worker_exit(w);
        return;
    case IPC_STOP:
        if (w->started && w->service->stop)
            w->service->stop(w, m->stop.msec);
        else
            worker_exit(w);
        return;
    default:
        if (w->service->message)
            w->service->message(w, w->main, m);
    }
}

/* Little was said for a while after much was: what is kept for the next content is the kernel's again. */
static void on_quiet(struct io_timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, quiet);

    if (w->heard >= MUCH)
        io_timer_start(&w->quiet, QUIET_MSEC);
    else
        malloc_trim(0);
    w->heard = 0;
}

static void on_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    if (++w->heard == MUCH && !io_timer_pending(&w->quiet))
        io_timer_start(&w->quiet, QUIET_MSEC);
    if (c == w->main)
        on_main_message(w, m);
    else if (m->type == IPC_STATUS_ASK)
        answer_status(w, c, m->status_ask.ticket);
    else if (w->started && w->service->message)
        w->service->message(w, c, m);
}

static void on_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    /* Without main nobody would restart, reload or stop us: the server is over. */
    if (c == w->main) {
        io_loop_stop(w->loop);
        return;
    }
    for (size_t i = 0; i < w->n_peers; i++) {
        if (w->peers[i] != c)
            continue;
        memmove(&w->peers[i], &w->peers[i + 1], (w->n_peers - i - 1) * sizeof(w->peers[0]));
        w->n_peers--;
        break;
    }
    if (w->started && w->service->peer_down)
        w->service->peer_down(w, c);
    ipc_channel_free(c);
}

static void on_credit(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    if (w->started && c != w->main && w->service->credit)
        w->service->credit(w, c);
}

bool worker_row_add(struct buf *rows, const struct log_record *r)
{
    char length[4];

    le32_put(length, (uint32_t)r->n);
    return buf_add(rows, str_of(length, sizeof(length))) && buf_add(rows, log_octets(r));
}

/* Contents come and go: to give their memory back to the kernel each time and to take it anew costs more than they do. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, MEMORY_LARGE);
    mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT);
}

static void ignore_signals(void)
{
    /* main decides about the end; a terminal's Ctrl-C reaches the whole group. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static struct worker_hand *map_hand(void)
{
    struct worker_hand *hand;

    if (fcntl(WORKER_FD_HAND, F_GETFD) < 0)
        return NULL;
    hand = mmap(NULL, sizeof(*hand), PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_HAND, 0);
    close(WORKER_FD_HAND);
    return hand == MAP_FAILED ? NULL : hand;
}

int worker_main(const struct worker_service *service)
{
    struct worker w = {
        .service = service,
        .handler = { .message = on_message, .ended = on_ended, .credit = on_credit },
    };
    struct worker_log log = {
        .sink = { .write = log_write, .level = LOG_LEVEL_DEBUG },
        .worker = &w,
        .early = BUF_INIT(EARLY_MAX),
    };
    struct err err = { 0 };
    int status = EXIT_FAILURE;

    keep_memory();
    ignore_signals();
    prctl(PR_SET_NAME, process_name(service->kind));
    if (fcntl(WORKER_FD_MAIN, F_SETFD, FD_CLOEXEC) < 0 || !fd_set_nonblocking(WORKER_FD_MAIN, true, &err)) {
        fprintf(stderr, "veredus: %s is started by veredus run, not by hand\n", process_name(service->kind));
        return EXIT_FAILURE;
    }
    w.hand = map_hand();
    w.log = &log;
    w.loop = io_loop_new(&err);
    if (w.loop && io_timer_init(&w.quiet, w.loop, on_quiet, &err))
        w.main = ipc_channel_new(w.loop, WORKER_FD_MAIN, service->kind, PROCESS_MAIN, &w.handler, &err);
    if (!w.main) {
        fprintf(stderr, "veredus: %s: %s\n", process_name(service->kind), err.text);
        goto out;
    }
    log_sink_set(&log.sink);
    if (io_loop_run(w.loop, &err))
        status = EXIT_SUCCESS;
    log_sink_set(NULL);
out:
    buf_done(&log.early);
    /* The kernel takes back the rest; a worker has no state that must be put away in order. */
    return status;
}
