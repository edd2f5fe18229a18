/*
 * What DESIGN 3 denies each kind of process is refused to a child that entered its sandbox by the function the real
 * one enters it by; and what it lives by works.
 */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bug.h"
#include "ipc/sandbox.h"

/* What stands ready before the sandbox is entered. */
struct scene {
    char own[40];   /* the folder of its own */
    char other[40]; /* another's, with a file "secret" in it */
    int own_fd;
    int other_fd;
    int socket; /* made before */
    int listening;
    int wire[2];
    int lmtp;   /* listens as "lmtp" in the other's folder */
    int pipe[2];
};

/* Each tries one thing: true when it succeeded. */

static bool opens_passwd(const struct scene *s)
{
    (void)s;
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool stats_passwd(const struct scene *s)
{
    struct stat st;

    (void)s;
    return stat("/etc/passwd", &st) == 0;
}

static bool opens_below_another_folder(const struct scene *s)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/secret", s->other);
    return open(path, O_RDONLY) >= 0;
}

static bool opens_by_a_descriptor_of_another_folder(const struct scene *s)
{
    return openat(s->other_fd, "secret", O_RDONLY) >= 0;
}

static bool leaves_its_folder(const struct scene *s)
{
    return openat(s->own_fd, "../../etc/passwd", O_RDONLY) >= 0;
}

static bool makes_a_file_in_another_folder(const struct scene *s)
{
    return openat(s->other_fd, "new", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool removes_in_another_folder(const struct scene *s)
{
    return unlinkat(s->other_fd, "secret", 0) == 0;
}

static bool links_from_another_folder(const struct scene *s)
{
    return linkat(s->other_fd, "secret", s->own_fd, "mine", 0) == 0;
}

static bool makes_a_file_in_its_folder(const struct scene *s)
{
    int fd = openat(s->own_fd, "file", O_RDWR | O_CREAT, 0600);

    return fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && close(fd) == 0 && unlinkat(s->own_fd, "file", 0) == 0;
}

static bool makes_folders_and_renames(const struct scene *s)
{
    int fd;

    if (mkdirat(s->own_fd, "a", 0700) < 0 || mkdirat(s->own_fd, "b", 0700) < 0)
        return false;
    fd = openat(s->own_fd, "a/f", O_WRONLY | O_CREAT, 0600);
    return fd >= 0 && renameat2(s->own_fd, "a/f", s->own_fd, "b/f", RENAME_NOREPLACE) == 0 &&
           linkat(s->own_fd, "b/f", s->own_fd, "a/g", 0) == 0;
}

static bool makes_an_internet_socket(const struct scene *s)
{
    (void)s;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool makes_a_unix_socket(const struct scene *s)
{
    (void)s;
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

/* LMTP: the folder of the socket is one that it can open nothing in. */
static bool connects_to_a_unix_socket(const struct scene *s)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s/lmtp", s->other);
    return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

/* Refused by the peer is not refused by the sandbox. */
static bool connects(const struct scene *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(INADDR_LOOPBACK) } };

    return connect(s->socket, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == ECONNREFUSED;
}

/* No connect(2), and a connection all the same (RFC 7413); a kernel that has it not is no refusal of the sandbox. */
static bool connects_by_sending(const struct scene *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(INADDR_LOOPBACK) } };

    return sendto(s->socket, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)) == 1 || errno != EPERM;
}

/* What listens is given to receive; it must not become what calls out. */
static bool connects_what_listened(const struct scene *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(INADDR_LOOPBACK) } };

    return shutdown(s->listening, SHUT_RD) == 0 &&
           (sendto(s->listening, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)) == 1 ||
            errno != EPERM);
}

static bool says_something(const struct scene *s)
{
    char c = 0;

    return send(s->wire[0], "x", 1, MSG_NOSIGNAL) == 1 && recv(s->wire[1], &c, 1, 0) == 1 && c == 'x';
}

/* Whoever gets a socket that lingers waits for it at its close. */
static bool passes_a_descriptor(const struct scene *s)
{
    struct iovec octet = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr msg = {
        .msg_iov = &octet, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
    memcpy(CMSG_DATA(c), &s->socket, sizeof(int));
    return sendmsg(s->wire[0], &msg, MSG_NOSIGNAL) == 1;
}

static bool binds(const struct scene *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

    return bind(s->socket, (struct sockaddr *)&a, sizeof(a)) == 0;
}

static bool listens(const struct scene *s)
{
    return listen(s->socket, 1) == 0;
}

static bool runs_a_program(const struct scene *s)
{
    char *argv[] = { (char[]){ "true" }, NULL };

    (void)s;
    execve("/bin/true", argv, NULL);
    return false;
}

static bool forks(const struct scene *s)
{
    (void)s;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool traces_its_parent(const struct scene *s)
{
    (void)s;
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool signals_its_parent(const struct scene *s)
{
    (void)s;
    return kill(getppid(), 0) == 0;
}

static bool signals_a_thread_of_its_parent(const struct scene *s)
{
    (void)s;
    return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
}

static bool reads_its_parents_memory(const struct scene *s)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) >= 0 && s;
}

static bool becomes_root(const struct scene *s)
{
    (void)s;
    return setresuid(0, 0, 0) == 0;
}

static bool makes_memory_executable(const struct scene *s)
{
    (void)s;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool gets_a_new_namespace(const struct scene *s)
{
    (void)s;
    return syscall(SYS_unshare, 0x10000000) == 0;
}

static bool makes_itself_dumpable(const struct scene *s)
{
    (void)s;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool accepts(const struct scene *s)
{
    return accept4(s->socket, NULL, NULL, 0) >= 0 || errno == EINVAL;
}

static bool uses_descriptors_and_memory(const struct scene *s)
{
    struct stat st;
    char c = 0;
    void *p = malloc(1 << 22);
    bool ok = p && write(s->pipe[1], "x", 1) == 1 && read(s->pipe[0], &c, 1) == 1 && c == 'x' &&
              fstat(s->pipe[0], &st) == 0 && memfd_create("x", MFD_CLOEXEC) >= 0 && time(NULL) > 0;

    free(p);
    return ok;
}

static void *thread_main(void *arg)
{
    return arg;
}

static bool starts_a_thread(const struct scene *s)
{
    pthread_t t;
    void *got = NULL;

    return pthread_create(&t, NULL, thread_main, (void *)(uintptr_t)s) == 0 && pthread_join(t, &got) == 0 && got == s;
}

static bool sets_an_alarm(const struct scene *s)
{
    const struct itimerval none = { 0 };

    (void)s;
    return setitimer(ITIMER_REAL, &none, NULL) == 0;
}

static bool aborts(const struct scene *s)
{
    (void)s;
    return raise(0) == 0;
}

struct try {
    bool (*works)(const struct scene *s);
    unsigned kinds;      /* for which it must work; all others must be refused */
    bool needs_landlock; /* seccomp alone does not refuse it to those with folders */
    const char *name;
};

#define TRY(f, kinds, landlock)                                                                             \
    {                                                                                                       \
        f, kinds, landlock, #f                                                                              \
    }
#define WRITERS (SET_QUEUE | SET_DELIVER)
#define SET_SUBMIT_CONTROL (1U << PROCESS_SUBMIT | 1U << PROCESS_CONTROL)
#define WORKERS (SET_ANY & ~SET_MAIN)

static const struct try tries[] = {
    TRY(opens_passwd, 0, true),
    TRY(stats_passwd, WRITERS, false),
    TRY(opens_below_another_folder, 0, true),
    TRY(opens_by_a_descriptor_of_another_folder, 0, true),
    TRY(leaves_its_folder, 0, true),
    TRY(makes_a_file_in_another_folder, 0, true),
    TRY(removes_in_another_folder, 0, true),
    TRY(links_from_another_folder, 0, true),
    TRY(makes_a_file_in_its_folder, WRITERS, false),
    TRY(makes_folders_and_renames, WRITERS, false),
    TRY(makes_an_internet_socket, SET_RESOLVE | SET_SEND, false),
    TRY(makes_a_unix_socket, SET_SEND, false),
    TRY(connects_to_a_unix_socket, SET_SEND, false),
    TRY(connects, SET_RESOLVE | SET_SEND, false),
    TRY(connects_by_sending, SET_RESOLVE | SET_SEND, false),
    TRY(connects_what_listened, SET_RESOLVE | SET_SEND, false),
    TRY(says_something, WORKERS, false),
    TRY(passes_a_descriptor, SET_QUEUE | SET_RESOLVE, false),
    TRY(binds, SET_RESOLVE, false),
    TRY(listens, 0, false),
    TRY(runs_a_program, 0, false),
    TRY(forks, 0, false),
    TRY(traces_its_parent, 0, false),
    TRY(signals_its_parent, 0, false),
    TRY(signals_a_thread_of_its_parent, 0, false),
    TRY(reads_its_parents_memory, 0, false),
    TRY(becomes_root, 0, false),
    TRY(makes_memory_executable, 0, false),
    TRY(gets_a_new_namespace, 0, false),
    TRY(makes_itself_dumpable, 0, false),
    TRY(accepts, SET_INTAKE | SET_CONTROL, false),
    TRY(uses_descriptors_and_memory, WORKERS, false),
    TRY(starts_a_thread, WRITERS | SET_SUBMIT_CONTROL, false),
    TRY(sets_an_alarm, SET_SUBMIT_CONTROL, false),
    TRY(aborts, WORKERS, false),
};

enum verdict { WORKED, REFUSED, NOT_ENTERED, NO_LANDLOCK };

static struct sandbox box_of(enum process_kind kind, const struct scene *s)
{
    struct sandbox box = {
        .kind = kind,
        .network = kind == PROCESS_RESOLVE || kind == PROCESS_SEND,
        .unix_sockets = kind == PROCESS_SEND,
    };

    if (SET_ANY & WRITERS & 1U << kind) {
        box.paths[0] = (struct sandbox_path){ s->own, SANDBOX_READ | SANDBOX_WRITE };
        box.n_paths = 1;
        box.threads = true;
    }
    if (SET_SUBMIT_CONTROL & 1U << kind)
        box.threads = true;
    return box;
}

/* As the account `nobody`, when we are root. */
static bool become_ordinary(void)
{
    return getuid() != 0 || (setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 &&
                             setresuid(65534, 65534, 65534) == 0);
}

static _Noreturn void child(enum process_kind kind, const struct try *t, const struct scene *s, bool ordinary)
{
    struct sandbox box = box_of(kind, s);
    char lacks[SANDBOX_LACKS_MAX];
    struct err err = { 0 };

    if ((ordinary && !become_ordinary()) || !sandbox_enter(&box, lacks, &err))
        _exit(NOT_ENTERED);
    if (box.n_paths && t->needs_landlock && strstr(lacks, "landlock"))
        _exit(NO_LANDLOCK);
    _exit(t->works(s) ? WORKED : REFUSED);
}

static void scene_make(struct scene *s)
{
    *s = (struct scene){ .own = "/tmp/veredus-own-XXXXXX", .other = "/tmp/veredus-other-XXXXXX" };
    assert_non_null(mkdtemp(s->own));
    assert_non_null(mkdtemp(s->other));
    /* Only the sandbox stands between them. */
    assert_int_equal(chmod(s->own, 0777) | chmod(s->other, 0777), 0);
    s->own_fd = open(s->own, O_RDONLY | O_DIRECTORY);
    s->other_fd = open(s->other, O_RDONLY | O_DIRECTORY);
    int fd = openat(s->other_fd, "secret", O_WRONLY | O_CREAT, 0666);
    assert_true(s->own_fd >= 0 && s->other_fd >= 0 && fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    close(fd);
    s->socket = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->socket >= 0);
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/lmtp", s->other);
    s->lmtp = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s->lmtp, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(chmod(a.sun_path, 0666), 0);
    assert_int_equal(listen(s->lmtp, 1), 0);
    assert_int_equal(pipe(s->pipe), 0);
    s->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(listen(s->listening, 1), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s->wire), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void scene_drop(struct scene *s)
{
    close(s->own_fd);
    close(s->other_fd);
    close(s->socket);
    close(s->lmtp);
    close(s->listening);
    close(s->wire[0]);
    close(s->wire[1]);
    close(s->pipe[0]);
    close(s->pipe[1]);
    assert_int_equal(nftw(s->own, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(nftw(s->other, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static enum verdict try_one(enum process_kind kind, const struct try *t, bool ordinary)
{
    struct scene s;
    int status;

    scene_make(&s);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(kind, t, &s, ordinary);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    scene_drop(&s);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return REFUSED;
    }
    return (enum verdict)WEXITSTATUS(status);
}

static void check_kind(enum process_kind kind, bool ordinary)
{
    bool no_landlock = false;

    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        enum verdict want = tries[i].kinds & 1U << kind ? WORKED : REFUSED;
        enum verdict got = try_one(kind, &tries[i], ordinary);
        no_landlock |= got == NO_LANDLOCK;
        if (got == NOT_ENTERED)
            fail_msg("%s could not enter its sandbox", process_name(kind));
        if (got != want && got != NO_LANDLOCK)
            fail_msg("%s: %s: %s", process_name(kind), tries[i].name, got == WORKED ? "worked" : "was refused");
    }
    if (no_landlock) {
        print_message("this kernel has no landlock: folders are not limited\n");
        skip();
    }
}

static void check_both(enum process_kind kind)
{
    check_kind(kind, true);
    check_kind(kind, false);
}

static void receive_opens_nothing_by_name_and_makes_no_sockets(void **state)
{
    (void)state;
    check_both(PROCESS_RECEIVE);
}

static void submit_opens_nothing_by_name_and_makes_no_sockets(void **state)
{
    (void)state;
    check_both(PROCESS_SUBMIT);
}

static void auth_opens_nothing_by_name_and_has_no_network(void **state)
{
    (void)state;
    check_both(PROCESS_AUTH);
}

static void key_opens_nothing_by_name_and_has_no_network(void **state)
{
    (void)state;
    check_both(PROCESS_KEY);
}

static void queue_touches_the_spool_and_no_network(void **state)
{
    (void)state;
    check_both(PROCESS_QUEUE);
}

static void resolve_has_the_network_and_no_files(void **state)
{
    (void)state;
    check_both(PROCESS_RESOLVE);
}

static void send_has_the_network_and_unix_sockets_and_no_files(void **state)
{
    (void)state;
    check_both(PROCESS_SEND);
}

static void lookup_opens_nothing_by_name(void **state)
{
    (void)state;
    check_both(PROCESS_LOOKUP);
}

static void deliver_stays_below_its_mail_root(void **state)
{
    (void)state;
    check_both(PROCESS_DELIVER);
}

static void control_opens_nothing_by_name(void **state)
{
    (void)state;
    check_both(PROCESS_CONTROL);
}

static void a_missing_folder_is_an_error_that_names_it(void **state)
{
    struct sandbox box = { .kind = PROCESS_DELIVER, .paths = { { "/nonexistent/mail", SANDBOX_READ } }, .n_paths = 1 };
    char lacks[SANDBOX_LACKS_MAX];
    struct err err = { 0 };
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        bool entered = sandbox_enter(&box, lacks, &err);
        _exit(entered ? strstr(lacks, "landlock") ? 77 : 1 : !strstr(err.text, "/nonexistent/mail"));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77) {
        print_message("this kernel has no landlock: folders are not limited\n");
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receive_opens_nothing_by_name_and_makes_no_sockets),
        cmocka_unit_test(submit_opens_nothing_by_name_and_makes_no_sockets),
        cmocka_unit_test(auth_opens_nothing_by_name_and_has_no_network),
        cmocka_unit_test(key_opens_nothing_by_name_and_has_no_network),
        cmocka_unit_test(queue_touches_the_spool_and_no_network),
        cmocka_unit_test(resolve_has_the_network_and_no_files),
        cmocka_unit_test(send_has_the_network_and_unix_sockets_and_no_files),
        cmocka_unit_test(lookup_opens_nothing_by_name),
        cmocka_unit_test(deliver_stays_below_its_mail_root),
        cmocka_unit_test(control_opens_nothing_by_name),
        cmocka_unit_test(a_missing_folder_is_an_error_that_names_it),
    };

    return cmocka_run_group_tests_name("ipc/sandbox", tests, NULL, NULL);
}
