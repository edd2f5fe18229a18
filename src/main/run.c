/* main/run.c -- from the configuration to open ports, and back. */
#include "main/run.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "log/render.h"
#include "main/server.h"

enum { AUTH_WORKERS = 2 };

enum { EXIT_OK = 0, EXIT_TRY_LATER = 75, EXIT_CONFIG = 78, EARLY_LOG_MAX = 256 * 1024 };

static unsigned workers(const struct config_count *wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!wanted->automatic)
        return (unsigned)wanted->n;
    return cores >= 4 ? (unsigned)(cores / 2) : 1;
}

unsigned main_receive_workers(const struct config *config)
{
    return workers(&config->receive_workers);
}

unsigned main_send_workers(const struct config *config)
{
    return workers(&config->send_workers);
}

unsigned main_submit_workers(const struct config *config)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (config->listeners[i].role == CONFIG_ROLE_SUBMISSION)
            return workers(&config->receive_workers);
    return 1;
}

/* One that waits for a slow hash, or for somebody's server, does not keep the other from answering. */
unsigned main_auth_workers(const struct config *config)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (config->listeners[i].session.auth.n)
            return AUTH_WORKERS;
    return 0;
}

static bool auths_have(const struct config_auths *auths, enum config_auth_kind kind)
{
    for (size_t i = 0; i < auths->n; i++)
        if (auths->items[i].kind == kind)
            return true;
    return false;
}

bool main_wants_pam(const struct config *config)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (auths_have(&config->listeners[i].session.auth, CONFIG_AUTH_PAM))
            return true;
    for (size_t i = 0; i < config->n_domains; i++)
        if (auths_have(&config->domains[i].auth, CONFIG_AUTH_PAM))
            return true;
    return false;
}

bool main_wants_key(const struct config *config)
{
    return config->n_certificates > 0;
}

/* ---- our own records ---- */

static void print_early(struct str record)
{
    struct buf line = BUF_INIT(64 * 1024);

    if (log_render(record, LOG_KV, false, &line))
        fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&line)));
    buf_done(&line);
}

static void sink_write(struct log_sink *sink, struct str record)
{
    struct main_server *s = CONTAINER_OF(sink, struct main_server, sink);
    struct main_child *control = child_ready(s, PROCESS_CONTROL);
    char length[4];

    if (control) {
        ipc_send_log(control->channel, &(struct ipc_log){ .record = record });
        return;
    }
    if (s->phase == PHASE_STOPPING) {
        print_early(record);
        return;
    }
    if (s->early_log.n + record.n + sizeof(length) > EARLY_LOG_MAX)
        return;
    le32_put(length, (uint32_t)record.n);
    buf_add(&s->early_log, str_of(length, sizeof(length)));
    buf_add(&s->early_log, record);
}

/* ---- the ground ---- */

static void look_for_accounts(struct main_server *s)
{
    struct log_record r;

    s->root = geteuid() == 0;
    if (!s->root || main_config(s)->run_as.text.n)
        return;
    for (unsigned kind = 0; kind < PROCESS_KINDS; kind++)
        if (process_account(kind) && !getpwnam(process_account(kind)))
            s->accounts_missing = true;
    if (!s->accounts_missing)
        return;
    log_start_level(&r, LOG_EVENT_SANDBOX, LOG_LEVEL_WARNING);
    log_text_c(&r, LOG_ERROR,
               "the accounts _veredus_* are missing, so all processes run as nobody and are not kept apart by the "
               "kernel; make them: systemd-sysusers, or make install");
    log_send(&r);
}

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- signals ---- */

static void on_sigchld(struct io_signal *sig)
{
    children_reap(CONTAINER_OF(sig, struct main_server, sigchld));
}

static void on_sigterm(struct io_signal *sig)
{
    stop_begin(CONTAINER_OF(sig, struct main_server, sigterm), "SIGTERM", EXIT_OK);
}

static void on_sigint(struct io_signal *sig)
{
    stop_begin(CONTAINER_OF(sig, struct main_server, sigint), "SIGINT", EXIT_OK);
}

static void on_sighup(struct io_signal *sig)
{
    reload_begin(CONTAINER_OF(sig, struct main_server, sighup), NULL, 0, STR_NONE);
}

/* ---- timers ---- */

static void send_new_sockets(struct main_server *s)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->state != CHILD_READY || c->generation != s->generation)
            continue;
        if (SET_INTAKE & 1U << c->kind)
            sockets_send(s, c);
        /* It keeps the first it was given. */
        if (c->kind == PROCESS_SUBMIT)
            submit_socket_send(s, c);
    }
}

static void on_mend(struct io_timer *t)
{
    struct main_server *s = CONTAINER_OF(t, struct main_server, mend);

    sockets_open(s);
    /* A receive process keeps each socket once, so sending all again adds what is new. */
    send_new_sockets(s);
}

static void on_end(struct io_timer *t)
{
    stop_overdue(CONTAINER_OF(t, struct main_server, end));
}

static void on_reload_overdue(struct io_timer *t)
{
    reload_overdue(CONTAINER_OF(t, struct main_server, reload));
}

static void on_deliver_rested(struct io_timer *t)
{
    delivery_rested(CONTAINER_OF(t, struct main_server, deliver_rest));
}

/* ---- the start ---- */

static void log_started(struct main_server *s)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_START);
    log_text_c(&r, LOG_VERSION, VEREDUS_VERSION);
    log_text_c(&r, LOG_CONFIG, s->options->config_path);
    log_number(&r, LOG_PID, getpid());
    log_text(&r, LOG_SPOOL, main_config(s)->spool.text);
    log_send(&r);
}

static void log_ready(struct main_server *s)
{
    struct str names[64];
    struct log_record r;

    log_start(&r, LOG_EVENT_READY);
    log_list(&r, LOG_LISTENERS, names, sockets_listening(s, names, ARRAY_LEN(names)));
    log_number(&r, LOG_QUEUED, (int64_t)s->queued);
    log_number(&r, LOG_RECOVERED, (int64_t)s->recovered);
    log_number(&r, LOG_DROPPED, (int64_t)s->dropped);
    log_seconds(&r, LOG_SECONDS, (io_wall_msec() - s->started_wall_msec) * 1000);
    log_send(&r);
}

void start_go_on(struct main_server *s)
{
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++)
        if (s->posts[i].used && (!s->posts[i].child || s->posts[i].child->state != CHILD_READY))
            return;
    s->phase = PHASE_RUNNING;
    sockets_open(s);
    send_new_sockets(s);
    drop_look(s);
    log_ready(s);
    notify_systemd("READY=1");
}

static bool posts_fill(struct main_server *s, struct err *err)
{
    bool ok = posts_add(s, PROCESS_CONTROL, 1) && posts_add(s, PROCESS_QUEUE, 1) && posts_of_generation(s);

    return ok || err_perm(err, "workers: more than %d processes", MAIN_POSTS_MAX);
}

static bool server_begin(struct main_server *s, struct err *err)
{
    return io_timer_init(&s->mend, s->loop, on_mend, err) && io_timer_init(&s->end, s->loop, on_end, err) &&
           io_timer_init(&s->reload, s->loop, on_reload_overdue, err) &&
           io_timer_init(&s->deliver_rest, s->loop, on_deliver_rested, err) &&
           io_signal_init(&s->sigchld, s->loop, SIGCHLD, on_sigchld, err) &&
           io_signal_init(&s->sigterm, s->loop, SIGTERM, on_sigterm, err) &&
           io_signal_init(&s->sigint, s->loop, SIGINT, on_sigint, err) &&
           io_signal_init(&s->sighup, s->loop, SIGHUP, on_sighup, err) && programs_open(&s->programs, err) &&
           folders_make(s, err) && control_sockets_open(s, err) && files_start(s, err) && drop_start(s, err) &&
           posts_fill(s, err);
}

static void server_end(struct main_server *s)
{
    files_done(s);
    drop_done(s);
    sockets_close(s);
    control_sockets_remove(s);
    programs_close(&s->programs);
    buf_done(&s->early_log);
    buf_done(&s->reload_text);
}

/* All processes are gone, or there were none yet: nothing points into it any more. */
static void server_free(struct main_server *s)
{
    delivery_rested(s);
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++)
        post_drop(&s->posts[i]);
    io_timer_done(&s->mend);
    io_timer_done(&s->end);
    io_timer_done(&s->reload);
    io_timer_done(&s->deliver_rest);
    io_signal_done(&s->sigchld);
    io_signal_done(&s->sigterm);
    io_signal_done(&s->sigint);
    io_signal_done(&s->sighup);
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++)
        if (s->generations[i].number)
            generation_drop(&s->generations[i]);
    io_loop_free(s->loop);
    free(s);
}

static struct main_server *server_new(const struct main_options *options, struct err *err)
{
    struct main_server *s = calloc(1, sizeof(*s));

    if (!s) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *s = (struct main_server){
        .options = options,
        .handler = { .message = child_message, .ended = child_channel_ended },
        .sink = { .write = sink_write, .level = LOG_LEVEL_DEBUG },
        .early_log = BUF_INIT(EARLY_LOG_MAX),
        .reload_text = BUF_INIT(1 << 20),
        .control_fds = { -1, -1 },
        .submit_fd = -1,
        .started_wall_msec = io_wall_msec(),
    };
    list_init(&s->children);
    list_init(&s->resting);
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++)
        s->generations[i].bundle = -1;
    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++)
        s->sockets[i].fds[0] = s->sockets[i].fds[1] = -1;
    s->loop = io_loop_new(err);
    if (!s->loop) {
        free(s);
        return NULL;
    }
    s->started_msec = io_now_msec(s->loop);
    return s;
}

static bool first_configuration(struct main_server *s)
{
    struct buf text = BUF_INIT(1 << 20);
    struct main_generation *g = generation_load(s, &text);

    fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
    buf_done(&text);
    if (g)
        s->generation = g->number;
    return g != NULL;
}

int main_run(const struct main_options *options)
{
    struct err err = { 0 };
    struct main_server *s = server_new(options, &err);
    int code = EXIT_TRY_LATER;

    if (!s) {
        fprintf(stderr, "veredus: %s\n", err.text);
        return code;
    }
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (!first_configuration(s)) {
        code = EXIT_CONFIG;
        goto out;
    }
    log_sink_set(&s->sink);
    raise_descriptors();
    log_started(s);
    look_for_accounts(s);
    if (!server_begin(s, &err)) {
        fprintf(stderr, "veredus: %s\n", err.text);
        if (!s->root && err.sys == EACCES)
            fprintf(stderr, "         who is not root names folders of their own in %s: spool, state, control\n",
                    options->config_path);
        code = err.kind == ERR_PERM ? EXIT_CONFIG : EXIT_TRY_LATER;
        goto out;
    }
    if (io_loop_run(s->loop, &err))
        code = s->exit_code;
    else
        fprintf(stderr, "veredus: %s\n", err.text);
out:
    log_sink_set(NULL);
    server_end(s);
    /* With processes left (a loop that failed) the kernel takes back the rest. */
    if (list_empty(&s->children))
        server_free(s);
    return code;
}
