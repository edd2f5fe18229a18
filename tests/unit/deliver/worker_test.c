/* The deliver and resolve processes whole: started, sandboxed, at work, retired, with the test as main and queue. */
#include "tests/unit/deliver/server.h"

#include <grp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "deliver/service.h"
#include "io/fd.h"
#include "resolve/service.h"

enum { LEASES = 200, USERS = 9, LARGE = 300000 };

struct play {
    struct box box;
    struct arena *arena;
    struct io_loop *loop;
    struct ipc_handler handler;
    struct ipc_channel *main;
    struct ipc_channel *queue;
    pid_t pid;
    unsigned ready;
    unsigned kept_end;
    unsigned good;
    unsigned bad;
    char lacks[SANDBOX_LACKS_MAX];
    bool gone;
};

static void heard(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct play *p = CONTAINER_OF(h, struct play, handler);

    switch (m->type) {
    case IPC_READY:
        p->ready++;
        snprintf(p->lacks, sizeof(p->lacks), "%.*s", STR_ARG(m->ready.lacks));
        break;
    case IPC_KEPT_END:
        p->kept_end++;
        break;
    case IPC_OUTCOME:
        if (m->outcome.status == IPC_OK)
            p->good++;
        else
            p->bad++;
        ipc_send_settled(c, &(struct ipc_settled){ .lease = m->outcome.lease });
        break;
    default:
        fail_msg("%s was not expected", ipc_type_name(m->type));
    }
    io_loop_stop(p->loop);
}

static void ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct play *p = CONTAINER_OF(h, struct play, handler);

    if (c == p->main)
        p->gone = true;
    io_loop_stop(p->loop);
}

static void turn(struct play *p)
{
    struct err err = { 0 };

    assert_true(io_loop_run(p->loop, &err));
}

/* In the child: descriptors where a worker expects them, an ordinary account, then the program itself. */
static _Noreturn void child(const struct worker_service *service, int fd)
{
    int hand = memfd_create("hand", 0);

    if (ftruncate(hand, sizeof(struct worker_hand)) < 0)
        _exit(90);
    fd = fcntl(fd, F_DUPFD, 20);
    hand = fcntl(hand, F_DUPFD, 20);
    if (dup2(fd, WORKER_FD_MAIN) < 0 || dup2(hand, WORKER_FD_HAND) < 0)
        _exit(91);
    if (getuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
                          setresuid(65534, 65534, 65534) < 0))
        _exit(92);
    _exit(worker_main(service));
}

static void begin(struct play *p, const struct worker_service *service)
{
    struct err err = { 0 };
    struct config_bundle bundle;
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);
    int fds[2];

    *p = (struct play){ .box = box_make(), .arena = arena_new(1 << 22), .handler = { .message = heard, .ended = ended } };
    if (getuid() == 0)
        assert_int_equal(chown(p->box.root, 65534, 65534), 0);
    server_config(&p->box, "{domain}/{user}", &bundle, p->arena);
    assert_true(config_bundle_encode(&bundle, &blob, &err));
    assert_true(fd_pair(fds, &err));
    fflush(NULL);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0)
        child(service, fds[1]);
    close(fds[1]);

    p->loop = io_loop_new(&err);
    p->main = ipc_channel_new(p->loop, fds[0], PROCESS_MAIN, service->kind, &p->handler, &err);
    int config = fd_sealed("config", buf_str(&blob), &err);
    assert_true(p->loop && p->main && config >= 0);
    assert_true(ipc_send_config(p->main, &(struct ipc_config){
                                             .generation = 1,
                                             .instance = 1,
                                             .param = str_from_c(p->box.root),
                                         },
                                config));
    assert_true(ipc_send_start(p->main, &(struct ipc_start){ .flags = 0 }));
    close(config);
    buf_done(&blob);
    while (!p->ready)
        turn(p);
}

static void be_queue(struct play *p)
{
    int fds[2];
    struct err err = { 0 };

    assert_true(fd_pair(fds, &err));
    assert_true(ipc_send_peer(p->main, &(struct ipc_peer){ .kind = PROCESS_QUEUE, .instance = 2, .generation = 1 },
                              fds[1]));
    close(fds[1]);
    p->queue = ipc_channel_new(p->loop, fds[0], PROCESS_QUEUE, PROCESS_DELIVER, &p->handler, &err);
    assert_non_null(p->queue);
    while (!p->kept_end)
        turn(p);
}

static void end(struct play *p)
{
    int status;

    assert_true(ipc_send_retire(p->main, &(struct ipc_retire){ .generation = 2 }));
    while (!p->gone)
        turn(p);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_int_equal(status, 0);
    ipc_channel_free(p->queue);
    ipc_channel_free(p->main);
    io_loop_free(p->loop);
    arena_free(p->arena);
    box_drop(&p->box);
}

static int large_file(struct play *p)
{
    char *octets = malloc(LARGE);

    assert_non_null(octets);
    memset(octets, 'x', LARGE);
    box_make_file(&p->box, "large", str_of(octets, LARGE));
    free(octets);
    int fd = openat(p->box.fd, "large", O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static void deliver_works_inside_its_sandbox(void **state)
{
    struct play p;
    size_t found = 0;

    (void)state;
    begin(&p, &deliver_service);
    be_queue(&p);
    int large = large_file(&p);
    for (unsigned i = 0; i < LEASES; i++) {
        char user[16];
        int n = snprintf(user, sizeof(user), "u%u", i % USERS);
        struct ipc_lease l = {
            .lease = i + 1,
            .id = i + 1,
            .number = 1,
            .user = str_of(user, (size_t)n),
            .domain = STR("example.org"),
            .address = STR("u@example.org"),
            .original = STR("u@example.org"),
            .file_size = i % 50 == 0 ? LARGE : 0,
            .head = STR("Received: from x\r\n"),
            .body = i % 50 == 0 ? STR_NONE : STR("\r\nx\r\n"),
        };
        assert_true(ipc_send_lease(p.queue, &l, i % 50 == 0 ? large : -1));
    }
    close(large);
    while (p.good + p.bad < LEASES)
        turn(&p);
    assert_int_equal(p.good, LEASES);
    for (unsigned i = 0; i < USERS; i++) {
        char path[64];
        snprintf(path, sizeof(path), "example.org/u%u/new", i);
        found += box_count(&p.box, path, NULL);
    }
    assert_int_equal(found, LEASES);
    end(&p);
}

static void resolve_enters_its_sandbox_and_retires(void **state)
{
    struct play p;

    (void)state;
    begin(&p, &resolve_service);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliver_works_inside_its_sandbox),
        cmocka_unit_test(resolve_enters_its_sandbox_and_retires),
    };

    return cmocka_run_group_tests_name("deliver/worker", tests, NULL, NULL);
}
