/* main/child.c -- workers: started, paired with each other, watched, started again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "main/server.h"

/* A child ends with these when it never became a worker. */
enum { EXIT_NO_DESCRIPTORS = 71, EXIT_NO_PROGRAM = 72, EXIT_NO_ACCOUNT = 77 };

/* ---- starting ---- */

static int make_hand(struct main_child *c, struct err *err)
{
    int fd = memfd_create("veredus-hand", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    /* A page that the worker took away would end whoever looks at it here. */
    if (fd < 0 || ftruncate(fd, sizeof(*c->hand)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        err_sys(err, errno, "memfd_create");
        fd_close(&fd);
        return -1;
    }
    c->hand = mmap(NULL, sizeof(*c->hand), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (c->hand == MAP_FAILED) {
        c->hand = NULL;
        err_sys(err, errno, "mmap");
        fd_close(&fd);
    }
    return fd;
}

/* In the child, between fork and exec: only what is safe there. Ends the process. */
_Noreturn static void become_worker(const struct main_program *program, int channel, int hand,
                                    const struct identity *identity)
{
    static char *const no_environment[] = { NULL };
    char *const argv[] = { (char *)(uintptr_t)program->path, NULL };
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGCHLD, SIG_DFL);
    /* First out of the way of 3 and 4, then there; dup2 clears close-on-exec. */
    int image = fcntl(program->fd, F_DUPFD_CLOEXEC, 10);
    channel = fcntl(channel, F_DUPFD_CLOEXEC, 10);
    if (hand >= 0)
        hand = fcntl(hand, F_DUPFD_CLOEXEC, 10);
    if (dup2(channel, WORKER_FD_MAIN) < 0 || (hand >= 0 && dup2(hand, WORKER_FD_HAND) < 0))
        _exit(EXIT_NO_DESCRIPTORS);
    if (hand < 0)
        close(WORKER_FD_HAND);
    if (identity && !identity_take(identity))
        _exit(EXIT_NO_ACCOUNT);
    if (chdir("/") < 0)
        _exit(EXIT_NO_PROGRAM);
    /* It is open: an account of its own cannot walk to a build below /root. */
    execveat(image, "", argv, no_environment, AT_EMPTY_PATH);
    _exit(EXIT_NO_PROGRAM);
}

static void child_free(struct main_child *c)
{
    list_remove(&c->node);
    ipc_channel_free(c->channel);
    if (c->hand)
        munmap(c->hand, sizeof(*c->hand));
    free(c);
}

static bool child_configure(struct main_child *c, struct err *err)
{
    struct main_server *s = c->server;
    struct main_generation *g = generation_find(s, c->generation);

    BUG_ON(!g);
    bool ok = ipc_send_config(c->channel,
                              &(struct ipc_config){
                                  .generation = c->generation,
                                  .instance = c->instance,
                                  .root = str_from_c(s->options->config_path),
                                  .param = str_from_c(c->param),
                              },
                              g->bundle);
    files_send(s, c);
    if (c->kind == PROCESS_CONTROL)
        log_targets_send(s, c);
    struct ipc_start start = {
        .flags = c->kind == PROCESS_QUEUE && s->options->hold ? IPC_START_HOLD : 0,
        .hold_below = s->hold_below,
    };
    return (ok && ipc_send_start(c->channel, &start)) || err_temp(err, "out of memory");
}

struct main_child *child_start(struct main_server *s, enum process_kind kind, uint32_t generation,
                               const struct identity *identity, const char *param, struct err *err)
{
    struct main_child *c = calloc(1, sizeof(*c));
    int fds[2] = { -1, -1 };
    int hand = -1;

    if (!c) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *c = (struct main_child){
        .server = s,
        .kind = kind,
        .instance = ++s->last_instance,
        .generation = generation,
        .started_msec = io_now_msec(s->loop),
        .since_msec = io_wall_msec(),
        .has_identity = identity != NULL,
    };
    list_init(&c->node);
    list_init(&c->asked);
    if (identity)
        c->identity = *identity;
    if (param && snprintf(c->param, sizeof(c->param), "%s", param) >= (int)sizeof(c->param)) {
        err_perm(err, "too long a path: %s", param);
        goto fail;
    }
    if (!fd_pair(fds, err))
        goto fail;
    if (SET_OUTWARD & 1U << kind) {
        hand = make_hand(c, err);
        if (hand < 0)
            goto fail;
    }
    c->pid = fork();
    if (c->pid == 0)
        become_worker(&s->programs.of[kind], fds[1], hand, s->root ? identity : NULL);
    if (c->pid < 0) {
        err_sys(err, errno, "fork");
        goto fail;
    }
    fd_close(&fds[1]);
    fd_close(&hand);
    fd_refuse_passed(fds[0]);
    list_append(&s->children, &c->node);
    c->channel = ipc_channel_new(s->loop, fds[0], PROCESS_MAIN, kind, &s->handler, err);
    fds[0] = -1;
    if (c->channel)
        c->channel->instance = c->instance;
    if (!c->channel || !child_configure(c, err)) {
        /* It is a child already: its end is seen, and its post filled again, in the ordinary way. */
        kill(c->pid, SIGKILL);
        return NULL;
    }
    return c;
fail:
    fd_close(&fds[0]);
    fd_close(&fds[1]);
    fd_close(&hand);
    child_free(c);
    return NULL;
}

/* ---- posts ---- */

static void post_retry_later(struct main_post *p)
{
    int64_t wait = MAIN_BACKOFF_FIRST_MSEC;

    for (unsigned i = 1; i < p->failures && wait < MAIN_BACKOFF_MAX_MSEC; i++)
        wait *= 2;
    if (wait > MAIN_BACKOFF_MAX_MSEC)
        wait = MAIN_BACKOFF_MAX_MSEC;
    io_timer_start(&p->restart, wait);
}

static void on_restart(struct io_timer *t)
{
    post_fill(CONTAINER_OF(t, struct main_post, restart));
}

struct main_post *post_add(struct main_server *s, enum process_kind kind, uint32_t generation)
{
    struct err err = { 0 };

    for (size_t i = 0; i < MAIN_POSTS_MAX; i++) {
        struct main_post *p = &s->posts[i];
        if (p->used)
            continue;
        *p = (struct main_post){ .server = s, .used = true, .kind = kind, .generation = generation };
        if (!io_timer_init(&p->restart, s->loop, on_restart, &err))
            return NULL;
        return p;
    }
    return NULL;
}

void post_drop(struct main_post *p)
{
    if (!p->used)
        return;
    io_timer_done(&p->restart);
    if (p->child)
        p->child->post = NULL;
    *p = (struct main_post){ 0 };
}

void log_process(enum process_kind kind, pid_t pid, const char *cause, unsigned restarts)
{
    struct log_record r;

    log_start(&r, LOG_EVENT_PROCESS);
    log_text_c(&r, LOG_PROCESS, process_name(kind));
    if (pid > 0)
        log_number(&r, LOG_PID, pid);
    log_text_c(&r, LOG_CAUSE, cause);
    log_number(&r, LOG_RESTARTS, restarts);
    log_send(&r);
}

static bool post_identity(struct main_server *s, enum process_kind kind, struct identity *id, struct err *err)
{
    const struct config *config = main_config(s);
    const char *account = process_account(kind);
    struct str own = str_from_c(s->accounts_missing ? "nobody" : account);
    struct str name = config->run_as.text.n ? config->run_as.text : own;

    return identity_find(name, true, id, err);
}

void post_fill(struct main_post *p)
{
    struct main_server *s = p->server;
    struct identity id;
    struct err err = { 0 };
    /* pam has none of its own, also with run-as: what it asks wants to be asked by root. */
    bool as_main = !s->root || !process_account(p->kind);
    bool known = as_main || post_identity(s, p->kind, &id, &err);

    p->child = known ? child_start(s, p->kind, p->generation, as_main ? NULL : &id, NULL, &err) : NULL;
    if (p->child) {
        p->child->post = p;
        return;
    }
    p->failures++;
    log_process(p->kind, 0, err.text, p->restarts);
    post_retry_later(p);
}

bool posts_add(struct main_server *s, enum process_kind kind, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct main_post *p = post_add(s, kind, s->generation);
        if (!p)
            return false;
        post_fill(p);
    }
    return true;
}

/* ---- finding ---- */

struct main_child *child_ready(struct main_server *s, enum process_kind kind)
{
    struct main_child *newest = NULL;

    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->kind == kind && c->state == CHILD_READY && c->channel)
            newest = c;
    }
    return newest;
}

struct main_child *child_by_channel(struct main_server *s, const struct ipc_channel *channel)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->channel == channel)
            return c;
    }
    return NULL;
}

size_t children_count(struct main_server *s, unsigned kinds)
{
    size_t n = 0;

    LIST_FOR(node, &s->children)
        n += (kinds >> CONTAINER_OF(node, struct main_child, node)->kind) & 1U;
    return n;
}

/* ---- their end ---- */

/* One that talks nonsense has been taken over, or is broken: it ends. */
static void kill_broken(const struct main_child *c, const char *why)
{
    log_process(c->kind, c->pid, why, 0);
    if (c->pid > 0)
        kill(c->pid, SIGKILL);
}

void child_channel_ended(struct ipc_handler *h, struct ipc_channel *channel)
{
    struct main_server *s = CONTAINER_OF(h, struct main_server, handler);
    struct main_child *c = child_by_channel(s, channel);

    if (!c) {
        ipc_channel_free(channel);
        return;
    }
    /* A closed end is a process on its way out. */
    if (strncmp(channel->why, "nonsense", 8) == 0)
        kill_broken(c, channel->why);
    c->channel = NULL;
    ipc_channel_free(channel);
    children_reap(s);
}

void child_mistrusted(struct main_server *s, const struct ipc_mistrusted *m)
{
    char why[sizeof(((struct ipc_channel *)0)->why)];

    snprintf(why, sizeof(why), "%.*s", STR_ARG(m->why));
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        /* Only those that the queue leases to: whoever owns it cannot end the others. */
        if (c->kind != m->kind || c->instance != m->instance || !(SET_OUTWARD & 1U << c->kind) || !c->channel)
            continue;
        kill_broken(c, why);
        ipc_channel_free(c->channel);
        c->channel = NULL;
        return;
    }
}

static void tell_queue_of_death(struct main_child *c)
{
    struct main_child *queue = child_ready(c->server, PROCESS_QUEUE);
    struct buf ids = BUF_INIT(WORKER_HAND_SLOTS * 8);
    char octets[8];

    for (size_t i = 0; c->hand && i < WORKER_HAND_SLOTS; i++) {
        if (!c->hand->ids[i])
            continue;
        le64_put(octets, c->hand->ids[i]);
        buf_add(&ids, str_of(octets, sizeof(octets)));
    }
    if (queue)
        ipc_send_died(queue->channel, &(struct ipc_died){
                                          .kind = (uint8_t)c->kind,
                                          .instance = c->instance,
                                          .ids = buf_str(&ids),
                                      });
    buf_done(&ids);
}

static void cause_of(int status, char *out, size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(out, room, "signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == EXIT_NO_DESCRIPTORS)
        snprintf(out, room, "exit %d: too few descriptors (ulimit -n)", WEXITSTATUS(status));
    else if (WEXITSTATUS(status) == EXIT_NO_PROGRAM)
        snprintf(out, room, "exit %d: its program could not be started", WEXITSTATUS(status));
    else if (WEXITSTATUS(status) == EXIT_NO_ACCOUNT)
        snprintf(out, room, "exit %d: its account could not be taken", WEXITSTATUS(status));
    else
        snprintf(out, room, "exit %d", WEXITSTATUS(status));
}

static void post_lost_child(struct main_post *p, const struct main_child *c)
{
    p->child = NULL;
    if (io_now_msec(p->server->loop) - c->started_msec >= MAIN_WELL_MSEC)
        p->failures = 0;
    p->failures++;
    p->restarts++;
    post_retry_later(p);
}

static void child_ended(struct main_child *c, int status)
{
    struct main_server *s = c->server;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool expected = clean && (c->state == CHILD_ENDING || s->phase == PHASE_STOPPING);
    pid_t pid = c->pid;
    char cause[64];

    c->pid = 0;
    /* Its end may be seen before the end of its channel: the record of it waits for the next control. */
    if (c->kind == PROCESS_CONTROL) {
        ipc_channel_free(c->channel);
        c->channel = NULL;
    }
    /* What it said of its failure is its cause, and in the log already. */
    if (!expected && !(clean && c->said_why) && !c->overdue) {
        bool again = c->post && s->phase != PHASE_STOPPING && c->state != CHILD_ENDING;
        cause_of(status, cause, sizeof(cause));
        log_process(c->kind, pid, cause, (c->post ? c->post->restarts : 0) + again);
        /* There may be no control yet that could write the record, and somebody is waiting for the start. */
        if (s->phase == PHASE_STARTING && c->state == CHILD_STARTING)
            fprintf(stderr, "veredus: %s: %s\n", process_name(c->kind), cause);
    }
    if (c->kind == PROCESS_SUBMIT)
        drop_submit_gone(s, c);
    if (SET_OUTWARD & 1U << c->kind)
        tell_queue_of_death(c);
    if (SET_OUTWARD & 1U << c->kind && !expected)
        s->carrier_ended_msec = io_now_msec(s->loop);
    if (c->kind == PROCESS_QUEUE)
        s->queue_ended_msec = io_now_msec(s->loop);
    if (c->kind == PROCESS_DELIVER)
        delivery_ended(c);
    if (c->post && s->phase != PHASE_STOPPING && c->state != CHILD_ENDING)
        post_lost_child(c->post, c);
    else if (c->post)
        c->post->child = NULL;
    child_free(c);
}

static struct main_child *child_by_pid(struct main_server *s, pid_t pid)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->pid == pid)
            return c;
    }
    return NULL;
}

void children_reap(struct main_server *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct main_child *c = child_by_pid(s, pid);
        if (c)
            child_ended(c, status);
    }
    if (s->phase == PHASE_STOPPING)
        stop_go_on(s);
    else if (s->phase == PHASE_RUNNING)
        reload_go_on(s);
}
