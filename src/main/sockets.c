/* main/sockets.c -- listening sockets, opened once, shared by all receive processes, kept over reloads. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "main/server.h"

enum { LISTEN_BACKLOG = 4096, SYSTEMD_FIRST_FD = 3, MEND_MSEC = 5000, SOCKET_PATH_MAX = 512 };

static void endpoint_name(const struct config_endpoint *e, char *out, size_t room)
{
    switch (e->kind) {
    case CONFIG_ENDPOINT_PORT:
        snprintf(out, room, "%u", e->port);
        break;
    case CONFIG_ENDPOINT_ADDRESS:
        snprintf(out, room, e->address.family == IP_V6 ? "[%s]:%u" : "%s:%u", ip_text(&e->address).c, e->port);
        break;
    case CONFIG_ENDPOINT_UNIX:
        snprintf(out, room, "unix:%.*s", STR_ARG(e->path));
        break;
    case CONFIG_ENDPOINT_SYSTEMD:
        snprintf(out, room, "systemd:%.*s", STR_ARG(e->path));
        break;
    }
}

static int tcp_listen(const struct ip *address, enum ip_family family, uint16_t port, struct err *err)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    int on = 1;
    int fd = socket(family == IP_V6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        err_sys(err, errno, "socket");
        return -1;
    }
    if (address && family == IP_V6)
        memcpy(&v6.sin6_addr, address->octets, sizeof(v6.sin6_addr));
    else if (address)
        memcpy(&v4.sin_addr, address->octets, sizeof(v4.sin_addr));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family == IP_V6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    /* Inherited by accepted sockets: our replies are whole, none waits for another. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const struct sockaddr *sa = family == IP_V6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t n = family == IP_V6 ? sizeof(v6) : sizeof(v4);
    if (bind(fd, sa, n) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        err_sys(err, errno, "cannot listen");
        close(fd);
        return -1;
    }
    return fd;
}

/* True when PATH is a socket that nobody listens on any more. */
static bool stale_socket(const struct sockaddr_un *sa, socklen_t n)
{
    struct stat st;
    bool stale = false;

    if (lstat(sa->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        stale = connect(fd, (const struct sockaddr *)sa, n) < 0 && errno == ECONNREFUSED;
        close(fd);
    }
    return stale;
}

static bool set_mode(const char *path, unsigned mode, struct str group, struct err *err)
{
    char name[64], space[16384];
    struct group gr, *found = NULL;

    if (chmod(path, mode) < 0)
        return err_sys(err, errno, "%s", path);
    if (!group.n)
        return true;
    if (group.n >= sizeof(name))
        return err_perm(err, "group %.*s: too long a name", STR_ARG(group));
    memcpy(name, group.p, group.n);
    name[group.n] = '\0';
    int r = getgrnam_r(name, &gr, space, sizeof(space), &found);
    if (r || !found)
        return err_perm(err, "there is no group %s on this machine", name);
    if (chown(path, (uid_t)-1, gr.gr_gid) < 0)
        return err_sys(err, errno, "%s: cannot give it to group %s", path, name);
    return true;
}

static int unix_listen(struct str path, unsigned mode, struct str group, bool group_needed, struct err *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    socklen_t n = sizeof(sa);
    struct err why = { 0 };

    if (path.n >= sizeof(sa.sun_path)) {
        err_perm(err, "%.*s: the path of a socket has at most %zu octets", STR_ARG(path), sizeof(sa.sun_path) - 1);
        return -1;
    }
    memcpy(sa.sun_path, path.p, path.n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        err_sys(err, errno, "socket");
        return -1;
    }
    if (stale_socket(&sa, n))
        unlink(sa.sun_path);
    fd_refuse_passed(fd);
    if (bind(fd, (struct sockaddr *)&sa, n) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        err_sys(err, errno, "%s: cannot listen", sa.sun_path);
        close(fd);
        return -1;
    }
    if (!set_mode(sa.sun_path, mode, group, &why) && group_needed) {
        *err = why;
        unlink(sa.sun_path);
        close(fd);
        return -1;
    }
    return fd;
}

/* Sockets that systemd opened for us, by the name its socket unit gives them (sd_listen_fds_with_names(3)). */
static int systemd_socket(struct str name, struct err *err)
{
    uint64_t pid = 0, n = 0;
    struct str names = str_from_c(getenv("LISTEN_FDNAMES"));

    if (!num_parse_u64(str_from_c(getenv("LISTEN_PID")), INT32_MAX, &pid) || (pid_t)pid != getpid() ||
        !num_parse_u64(str_from_c(getenv("LISTEN_FDS")), 1000, &n)) {
        err_temp(err, "systemd passed no sockets");
        return -1;
    }
    for (int fd = SYSTEMD_FIRST_FD; fd < SYSTEMD_FIRST_FD + (int)n; fd++) {
        if (!str_eq(str_cut(&names, ':'), name))
            continue;
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || !fd_set_nonblocking(fd, true, err))
            return -1;
        return fd;
    }
    err_temp(err, "systemd passed no socket named %.*s", STR_ARG(name));
    return -1;
}

static bool socket_open(struct main_socket *sock, const struct config_listener *l, const struct config_endpoint *e,
                        struct err *err)
{
    switch (e->kind) {
    case CONFIG_ENDPOINT_PORT: {
        struct err v6 = { 0 };
        sock->fds[0] = tcp_listen(NULL, IP_V4, e->port, err);
        /* A machine without IPv6 has no such socket; one whose port is taken must say so. */
        sock->fds[1] = tcp_listen(NULL, IP_V6, e->port, &v6);
        if (sock->fds[0] >= 0 && sock->fds[1] < 0 && v6.sys == EADDRINUSE) {
            *err = v6;
            fd_close(&sock->fds[0]);
        }
        return sock->fds[0] >= 0;
    }
    case CONFIG_ENDPOINT_ADDRESS:
        sock->fds[0] = tcp_listen(&e->address, e->address.family, e->port, err);
        break;
    case CONFIG_ENDPOINT_UNIX:
        sock->fds[0] = unix_listen(e->path, (unsigned)l->mode.n, l->group, true, err);
        break;
    case CONFIG_ENDPOINT_SYSTEMD:
        sock->fds[0] = systemd_socket(e->path, err);
        sock->lasting = true;
        break;
    }
    return sock->fds[0] >= 0;
}

static struct main_socket *socket_named(struct main_server *s, const char *name)
{
    struct main_socket *unused = NULL;

    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++) {
        struct main_socket *sock = &s->sockets[i];
        if (sock->used && strcmp(sock->name, name) == 0)
            return sock;
        if (!sock->used && !unused)
            unused = sock;
    }
    if (unused) {
        *unused = (struct main_socket){ .used = true, .fds = { -1, -1 } };
        snprintf(unused->name, sizeof(unused->name), "%s", name);
    }
    return unused;
}

static void socket_close(struct main_socket *sock)
{
    if (sock->fds[0] >= 0 && strncmp(sock->name, "unix:", 5) == 0)
        unlink(sock->name + 5);
    if (!sock->lasting) {
        fd_close(&sock->fds[0]);
        fd_close(&sock->fds[1]);
    }
    *sock = (struct main_socket){ .fds = { -1, -1 } };
}

static void log_listen_failed(const struct config *config, const struct config_endpoint *e, const char *name,
                              const struct err *err)
{
    char text[ERR_TEXT_MAX + 300];
    struct log_record r;

    snprintf(text, sizeof(text), "%s: %s; tried again every %d s", name, err->text, MEND_MSEC / 1000);
    log_start(&r, LOG_EVENT_CONFIG);
    log_text(&r, LOG_FILE, config->files.items[e->place.file].path);
    log_number(&r, LOG_LINE, e->place.line);
    log_number(&r, LOG_COLUMN, e->place.column);
    log_text_c(&r, LOG_ERROR, text);
    log_send(&r);
}

static void open_endpoint(struct main_server *s, const struct config_listener *l, const struct config_endpoint *e)
{
    char name[sizeof(s->sockets[0].name)];
    struct err err = { 0 };

    endpoint_name(e, name, sizeof(name));
    struct main_socket *sock = socket_named(s, name);
    if (!sock)
        return;
    sock->kept = true;
    if (sock->fds[0] >= 0)
        return;
    if (socket_open(sock, l, e, &err)) {
        sock->failed = false;
        return;
    }
    /* One record when it begins to fail, not one for each try. */
    if (!sock->failed)
        log_listen_failed(main_config(s), e, name, &err);
    sock->failed = true;
}

void sockets_open(struct main_server *s)
{
    const struct config *config = main_config(s);

    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++)
        s->sockets[i].kept = false;
    for (size_t i = 0; i < config->n_listeners; i++)
        for (size_t k = 0; k < config->listeners[i].n_endpoints; k++)
            open_endpoint(s, &config->listeners[i], &config->listeners[i].endpoints[k]);
    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++)
        if (s->sockets[i].used && !s->sockets[i].kept)
            socket_close(&s->sockets[i]);
    if (!sockets_all_there(s))
        io_timer_start(&s->mend, MEND_MSEC);
}

bool sockets_all_there(const struct main_server *s)
{
    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++)
        if (s->sockets[i].used && s->sockets[i].fds[0] < 0)
            return false;
    return true;
}

void sockets_complain(const struct main_server *s, struct buf *words)
{
    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++)
        if (s->sockets[i].used && s->sockets[i].fds[0] < 0)
            buf_printf(words, "%s%s", words->n ? ", " : "cannot listen on ", s->sockets[i].name);
    if (words->n)
        buf_add_c(words, "; it is tried again every 5 s, and the log says why (event=config)");
}

static struct main_socket *socket_of(struct main_server *s, const struct config_endpoint *e)
{
    char name[sizeof(s->sockets[0].name)];

    endpoint_name(e, name, sizeof(name));
    return socket_named(s, name);
}

/* Strangers and our own users are two programs' business (DESIGN 3). */
static enum process_kind taker_of(const struct config_listener *l)
{
    return l->role == CONFIG_ROLE_SUBMISSION ? PROCESS_SUBMIT : PROCESS_RECEIVE;
}

void sockets_send(struct main_server *s, struct main_child *taker)
{
    const struct config *config = main_config(s);

    for (size_t i = 0; i < config->n_listeners; i++) {
        if (taker_of(&config->listeners[i]) != taker->kind)
            continue;
        for (size_t k = 0; k < config->listeners[i].n_endpoints; k++) {
            struct main_socket *sock = socket_of(s, &config->listeners[i].endpoints[k]);
            for (size_t f = 0; sock && f < 2; f++)
                if (sock->fds[f] >= 0)
                    ipc_send_listener(taker->channel, &(struct ipc_listener){ .index = (uint32_t)i }, sock->fds[f]);
        }
    }
}

size_t sockets_listening(struct main_server *s, struct str *names, size_t room)
{
    const struct config *config = main_config(s);
    size_t n = 0;

    for (size_t i = 0; i < config->n_listeners; i++) {
        for (size_t k = 0; k < config->listeners[i].n_endpoints; k++) {
            struct main_socket *sock = socket_of(s, &config->listeners[i].endpoints[k]);
            if (sock && sock->fds[0] >= 0 && n < room) {
                names[n++] = config->listeners[i].name.text;
                break;
            }
        }
    }
    return n;
}

void sockets_close(struct main_server *s)
{
    for (size_t i = 0; i < MAIN_SOCKETS_MAX; i++)
        if (s->sockets[i].used)
            socket_close(&s->sockets[i]);
}

/* ---- the control sockets ---- */

static bool make_folder_of(struct str path, struct err *err)
{
    char folder[512];
    size_t n = str_rfind(path, '/');

    if (n == 0 || n >= path.n || n >= sizeof(folder))
        return true;
    memcpy(folder, path.p, n);
    folder[n] = '\0';
    if (mkdir(folder, 0755) == 0)
        (void)chmod(folder, 0755); /* the mask of this process is narrower; the sockets inside have modes of their own */
    else if (errno != EEXIST)
        return err_sys(err, errno, "control: cannot make %s", folder);
    return true;
}

/* NAME beside the control socket: "public" for everyone's questions, "submit" for everyone's mail. */
static void path_beside(struct str control, const char *name, char *out, size_t room)
{
    size_t slash = str_rfind(control, '/');
    size_t folder = slash < control.n ? slash + 1 : 0;

    snprintf(out, room, "%.*s%s", STR_ARG(str_head(control, folder)), name);
}

bool control_sockets_open(struct main_server *s, struct err *err)
{
    const struct config_socket *control = &main_config(s)->control;
    char path[SOCKET_PATH_MAX];

    if (!make_folder_of(control->path, err))
        return false;
    /* The group of the default is made by the installation; without it the starter alone may use the socket. */
    s->control_fds[0] = unix_listen(control->path, control->mode, control->group,
                                    !str_eq(control->group, STR("veredus")), err);
    if (s->control_fds[0] < 0)
        return err_wrap(err, "control");
    path_beside(control->path, "public", path, sizeof(path));
    s->control_fds[1] = unix_listen(str_from_c(path), 0666, STR_NONE, false, err);
    if (s->control_fds[1] < 0)
        return err_wrap(err, "control");
    path_beside(control->path, "submit", path, sizeof(path));
    s->submit_fd = unix_listen(str_from_c(path), 0666, STR_NONE, false, err);
    return s->submit_fd >= 0 || err_wrap(err, "submit");
}

void submit_socket_send(struct main_server *s, struct main_child *submit)
{
    ipc_send_submit_socket(submit->channel, &(struct ipc_submit_socket){ 0 }, s->submit_fd);
}

/*
 * Only what we made: another server's socket may stand there when ours could not be opened. The end of this process closes
 * it, which waits for nothing: here it could, for what somebody passed to a connection that nobody accepted (io/local.h).
 */
static void remove_listening(int fd, const char *path)
{
    if (fd >= 0)
        unlink(path);
}

void control_sockets_remove(struct main_server *s)
{
    const struct config *config = main_config(s);
    char path[SOCKET_PATH_MAX];

    if (!config)
        return;
    snprintf(path, sizeof(path), "%.*s", STR_ARG(config->control.path));
    remove_listening(s->control_fds[0], path);
    path_beside(config->control.path, "public", path, sizeof(path));
    remove_listening(s->control_fds[1], path);
    path_beside(config->control.path, "submit", path, sizeof(path));
    remove_listening(s->submit_fd, path);
}
