/* The resolve process whole: started, sandboxed, asked by a queue, retired, with the test as main, queue and server. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/parse.h"
#include "core/bug.h"
#include "io/fd.h"
#include "resolve/service.h"
#include "route/plan.h"
#include "tests/unit/dns/world.h"

enum { DOMAINS = 300, NOBODY = 65534, ARENA_MAX = 4 << 20 };

static const struct dns_script script[] = {
    { "big.example", DNS_MX, SAY_BY_TCP, "5 mx.big.example" },
    { "mx.big.example", DNS_A, SAY_RECORDS, "198.51.100.1" },
    { "*", DNS_A, SAY_RECORDS, "198.51.100.2" },
};

struct play {
    struct dns_world world;
    struct arena *arena;
    struct ipc_handler handler;
    struct ipc_channel *main;
    struct ipc_channel *queue;
    pid_t pid;
    unsigned ready;
    unsigned plans;
    unsigned wrong;
    bool gone;
};

static void take_plan(struct play *p, const struct ipc_plan_answer *answer)
{
    struct arena *a = arena_new(64 << 10);
    struct route_plan plan = { 0 };

    p->plans++;
    if (answer->status != IPC_PLAN_OK || answer->generation != 3 || !route_plan_decode(answer->plan, a, &plan) ||
        plan.n != 1)
        p->wrong++;
    arena_free(a);
}

static void heard(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct play *p = CONTAINER_OF(h, struct play, handler);

    (void)c;
    switch (m->type) {
    case IPC_READY:
        p->ready++;
        break;
    case IPC_PLAN_ANSWER:
        take_plan(p, &m->plan_answer);
        break;
    case IPC_FAILED:
        fail_msg("%.*s", STR_ARG(m->failed.text));
        break;
    default:
        fail_msg("%s was not expected", ipc_type_name(m->type));
    }
    io_loop_stop(p->world.loop);
}

static void ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct play *p = CONTAINER_OF(h, struct play, handler);

    if (c == p->main)
        p->gone = true;
    io_loop_stop(p->world.loop);
}

static void turn(struct play *p)
{
    struct err err = { 0 };

    assert_true(io_loop_run(p->world.loop, &err));
    /* A process that its sandbox killed would leave us waiting. */
    assert_true(!p->gone || p->plans >= DOMAINS);
}

static bool no_file(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    (void)ctx;
    (void)a;
    (void)text;
    return err_perm(err, "%.*s: there is no such file", STR_ARG(path));
}

static bool no_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n, struct err *err)
{
    (void)ctx;
    (void)pattern;
    (void)a;
    (void)err;
    *paths = NULL;
    *n = 0;
    return true;
}

static bool no_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    (void)ctx;
    (void)name;
    (void)a;
    (void)value;
    return false;
}

/* What main would send; the last route is `* mx`. */
static int config_fd(struct play *p)
{
    static const struct config_reader reader = {
        .read_file = no_file, .glob = no_glob, .env = no_env, .facts = { .fqdn = STR_INIT("mail.example.org") },
    };
    struct str text = arena_printf(p->arena, "hostname mail.example.org; public-address 203.0.113.5;"
                                             "resolver 127.0.0.1:%u; trust-anchor %s;",
                                   (unsigned)p->world.endpoint.port, p->world.anchor);
    struct config_source source = { .overrides = &text, .n_overrides = 1 };
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);
    struct config_bundle bundle;
    struct err err = { 0 };
    int fd;

    assert_true(config_bundle_record(&bundle, &source, &reader, p->arena));
    assert_true(config_bundle_encode(&bundle, &blob, &err));
    fd = fd_sealed("config", buf_str(&blob), &err);
    assert_true(fd >= 0);
    buf_done(&blob);
    return fd;
}

/* In the child: descriptors where a worker expects them, an ordinary account, then the program itself. */
static _Noreturn void child(int fd)
{
    int hand = memfd_create("hand", 0);

    if (ftruncate(hand, sizeof(struct worker_hand)) < 0)
        _exit(90);
    fd = fcntl(fd, F_DUPFD, 20);
    hand = fcntl(hand, F_DUPFD, 20);
    if (dup2(fd, WORKER_FD_MAIN) < 0 || dup2(hand, WORKER_FD_HAND) < 0)
        _exit(91);
    if (getuid() == 0 &&
        (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        _exit(92);
    _exit(worker_main(&resolve_service));
}

static void start(struct play *p)
{
    struct err err = { 0 };
    int fds[2], config;

    *p = (struct play){ .handler = { .message = heard, .ended = ended }, .arena = arena_new(ARENA_MAX) };
    dns_world_open(&p->world, script, ARRAY_LEN(script));
    assert_int_equal(chmod(p->world.anchor, 0644), 0);
    assert_true(fd_pair(fds, &err));
    fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0)
        child(fds[1]);
    close(fds[1]);
    p->main = ipc_channel_new(p->world.loop, fds[0], PROCESS_MAIN, PROCESS_RESOLVE, &p->handler, &err);
    assert_non_null(p->main);
    config = config_fd(p);
    assert_true(ipc_send_config(p->main, &(struct ipc_config){ .generation = 3, .instance = 1 }, config));
    assert_true(ipc_send_start(p->main, &(struct ipc_start){ .flags = 0 }));
    close(config);
    while (!p->ready)
        turn(p);
}

static void be_queue(struct play *p)
{
    struct err err = { 0 };
    int fds[2];

    assert_true(fd_pair(fds, &err));
    assert_true(ipc_send_peer(p->main, &(struct ipc_peer){ .kind = PROCESS_QUEUE, .instance = 2, .generation = 3 },
                              fds[1]));
    close(fds[1]);
    p->queue = ipc_channel_new(p->world.loop, fds[0], PROCESS_QUEUE, PROCESS_RESOLVE, &p->handler, &err);
    assert_non_null(p->queue);
}

static void end(struct play *p)
{
    int status;

    assert_true(ipc_send_retire(p->main, &(struct ipc_retire){ .generation = 4 }));
    while (!p->gone)
        turn(p);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_int_equal(status, 0);
    ipc_channel_free(p->queue);
    ipc_channel_free(p->main);
    dns_world_close(&p->world);
    arena_free(p->arena);
}

static void it_asks_from_inside_its_sandbox(void **state)
{
    struct play p;

    (void)state;
    start(&p);
    be_queue(&p);
    for (unsigned i = 0; i < DOMAINS; i++) {
        char domain[40];
        snprintf(domain, sizeof(domain), i ? "d%u.example" : "big.example", i);
        assert_true(ipc_send_plan_ask(p.queue, &(struct ipc_plan_ask){ .ticket = i, .route = 0,
                                                                      .domain = str_from_c(domain) }));
    }
    while (p.plans < DOMAINS)
        turn(&p);
    assert_int_equal(p.wrong, 0);
    /* The question of big.example came again by TCP. */
    assert_true(dns_server_heard(p.world.server, "big.example", DNS_MX) >= 2);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(it_asks_from_inside_its_sandbox) };

    return cmocka_run_group_tests_name("resolve/worker", tests, NULL, NULL);
}
