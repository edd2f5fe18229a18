/* receive/listener.c -- listening sockets: who comes, what holds for them, and when they open. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/local.h"
#include "log/log.h"
#include "receive/session.h"

enum { ACCEPTS_A_TURN = 64 };

/* ---- clients ---- */

/* Of a unix socket: the user at the other end when it connected. */
static uint32_t uid_plus_of(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 && cred.uid < UINT32_MAX ? cred.uid + 1 : 0;
}

static void client_of(const struct receive_listener *l, const struct sockaddr_storage *sa, int fd,
                      struct session_client *client)
{
    *client = (struct session_client){ .address = { .family = IP_NONE } };
    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
        client->address.family = IP_V4;
        memcpy(client->address.octets, &v4->sin_addr, 4);
        client->port = ntohs(v4->sin_port);
    } else if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
        client->address.family = IP_V6;
        memcpy(client->address.octets, &v6->sin6_addr, 16);
        client->address = ip_unmap(client->address);
        client->port = ntohs(v6->sin6_port);
    } else if (l->index == IPC_NO_LISTENER) {
        client->uid_plus = uid_plus_of(fd);
    }
}

static void listeners_arm(struct receive *r, unsigned what)
{
    for (size_t i = 0; i < r->n_listeners; i++)
        if (r->listeners[i].open)
            io_watch_arm(&r->listeners[i].watch, what);
}

/* Clients that cannot be had wait in the kernel; asking for them again at once would only spin. */
static void listeners_rest(struct receive *r)
{
    listeners_arm(r, 0);
    io_timer_start(&r->accept_again, RECEIVE_ACCEPT_REST_MSEC);
}

void receive_listeners_again(struct io_timer *t)
{
    listeners_arm(CONTAINER_OF(t, struct receive, accept_again), IO_READ);
}

/* Whom we could not part with without waiting is not let in; he waits in the kernel, and nobody else does. */
static bool local_may_come(struct receive_listener *l)
{
    struct receive *r = l->receive;

    if (local_closer_start(&r->closer) && !local_closer_busy(&r->closer))
        return true;
    io_watch_arm(&l->watch, 0);
    io_timer_start(&r->accept_again, RECEIVE_ACCEPT_REST_MSEC);
    return false;
}

static void on_client(struct io_watch *w, unsigned what)
{
    struct receive_listener *l = CONTAINER_OF(w, struct receive_listener, watch);

    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        if (l->index == IPC_NO_LISTENER && !local_may_come(l))
            return;
        struct sockaddr_storage sa = { 0 };
        socklen_t n = sizeof(sa);
        struct session_client client;
        int fd = accept4(l->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                listeners_rest(l->receive);
            return;
        }
        client_of(l, &sa, fd, &client);
        /* sendmail(1) runs as somebody, and the kernel says who. */
        if (l->index == IPC_NO_LISTENER && !client.uid_plus)
            local_close(&l->receive->closer, &fd);
        else
            session_begin(l->receive, l, fd, &client);
    }
}

/* ---- what holds for them ---- */

static bool asks_mail(const struct config_session *session)
{
    for (size_t i = 0; i < session->limits.n; i++) {
        enum config_limit_measure m = session->limits.items[i]->measure;
        if (m == CONFIG_MEASURE_MESSAGES || m == CONFIG_MEASURE_OCTETS)
            return true;
    }
    return false;
}

static struct smtp_server_config smtp_config(const struct config *config, const struct config_listener *l)
{
    const struct config_session *s = &l->session;

    return (struct smtp_server_config){
        .hostname = s->hostname.text,
        .max_message_size = s->max_message_size.n,
        .max_line_length = s->max_line_length.n,
        .max_recipients = (uint32_t)s->max_recipients.n,
        .max_messages = (uint32_t)s->max_messages.n,
        .max_errors = (uint32_t)s->max_errors.n,
        .bare_newlines = s->bare_newlines.value == CONFIG_BARE_REPAIR ? SMTP_NEWLINES_REPAIR : SMTP_NEWLINES_REJECT,
        .ehlo_check = s->ehlo_check.value == CONFIG_EHLO_OFF    ? SMTP_EHLO_OFF
                      : s->ehlo_check.value == CONFIG_EHLO_FQDN ? SMTP_EHLO_FQDN
                                                                : SMTP_EHLO_SYNTAX,
        .path_syntax = s->path_syntax.value == CONFIG_PATH_STRICT ? SMTP_PATH_STRICT : SMTP_PATH_LENIENT,
        .vrfy = s->vrfy.on,
        .completes = l->role == CONFIG_ROLE_SUBMISSION ? config->origin.text : STR_NONE,
        .require_tls = l->require.tls,
        .require_auth = l->require.auth,
        .future_release_sec = l->future_release.msec / 1000,
    };
}

static bool have_socket(const struct receive *r, uint64_t inode)
{
    for (size_t i = 0; i < r->n_listeners; i++)
        if (r->listeners[i].inode == inode)
            return true;
    return false;
}

struct receive_listener *receive_listener_new(struct receive *r, const struct config_listener *config, uint32_t index)
{
    struct receive_listener *l = &r->listeners[r->n_listeners];

    if (r->n_listeners == RECEIVE_LISTENERS_MAX)
        return NULL;
    r->n_listeners++;
    *l = (struct receive_listener){ .receive = r, .fd = -1, .index = index, .config = config };
    l->offer = index < r->worker->config->n_listeners ? &r->offers[index] : NULL;
    l->smtp = smtp_config(r->worker->config, config);
    l->asks_mail = asks_mail(&config->session);
    return l;
}

/* Its clients find nobody there until what it needs can be had: no word in clear tells them why (FACE 1.12). */
static void tell_closed(struct receive_listener *l, const char *why)
{
    struct log_record r;

    if (!why || l->offer->closed)
        return;
    l->offer->closed = true;
    log_start_level(&r, LOG_EVENT_CERTIFICATE, LOG_LEVEL_ERROR);
    log_text_c(&r, LOG_STATE, "missing");
    log_text(&r, LOG_LISTENER, l->config->name.text);
    log_text_c(&r, LOG_ERROR, why);
    log_send(&r);
}

static void look(struct receive_listener *l)
{
    const char *why = NULL;
    bool open = offer_is_ready(l->receive, l, &why);

    if (!open)
        tell_closed(l, why);
    else if (l->offer)
        l->offer->closed = false;
    if (open == l->open)
        return;
    l->open = open;
    io_watch_arm(&l->watch, open ? IO_READ : 0);
}

bool receive_listener_open(struct receive_listener *l, int fd, uint64_t inode)
{
    struct err err = { 0 };

    if (!io_watch_init(&l->watch, l->receive->worker->loop, fd, on_client, &err))
        return false;
    l->fd = fd;
    l->inode = inode;
    look(l);
    return true;
}

void receive_listeners_look(struct receive *r)
{
    for (size_t i = 0; i < r->n_listeners; i++)
        if (r->listeners[i].fd >= 0)
            look(&r->listeners[i]);
}

void receive_listener_add(struct receive *r, struct ipc_message *m)
{
    const struct config *config = r->worker->config;
    uint32_t index = m->listener.index;
    struct stat st;

    if (m->fd < 0 || r->retiring || index >= config->n_listeners || fstat(m->fd, &st) < 0 ||
        have_socket(r, st.st_ino))
        return;
    struct receive_listener *l = receive_listener_new(r, &config->listeners[index], index);
    if (l && receive_listener_open(l, m->fd, st.st_ino))
        m->fd = -1;
}

void receive_listeners_close(struct receive *r)
{
    for (size_t i = 0; i < r->n_listeners; i++) {
        if (r->listeners[i].fd < 0)
            continue;
        io_watch_done(&r->listeners[i].watch);
        if (r->listeners[i].index == IPC_NO_LISTENER)
            local_close_listener(&r->closer, &r->listeners[i].fd);
        else
            fd_close(&r->listeners[i].fd);
        r->listeners[i].open = false;
    }
}

