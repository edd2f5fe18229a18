/* receive/service.c -- listeners, ids, peers, and the life of the process. */
#include "receive/receive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "receive/session.h"

enum {
    ACCEPTS_A_TURN = 64,
    DESCRIPTORS_RESERVED = 64, /* of the limit: channels, listeners, own files come beside sessions */
    SCRATCH_MAX = IPC_FRAME_MAX,
};

/* ---- ids ---- */

bool receive_take_id(struct receive *r, struct queue_id *id)
{
    struct ipc_channel *queue = worker_peer(r->worker, PROCESS_QUEUE);

    if (!r->ids_left && !r->ids_asked && queue)
        r->ids_asked = ipc_send_ids_ask(queue, &(struct ipc_ids_ask){ .count = RECEIVE_IDS_BLOCK });
    if (!r->ids_left)
        return false;
    id->n = r->id_next++;
    r->ids_left--;
    return true;
}

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
        if (r->listeners[i].fd >= 0)
            io_watch_arm(&r->listeners[i].watch, what);
}

/* Clients that cannot be had wait in the kernel; asking for them again at once would only spin. */
static void listeners_rest(struct receive *r)
{
    listeners_arm(r, 0);
    io_timer_start(&r->accept_again, RECEIVE_ACCEPT_REST_MSEC);
}

static void on_accept_again(struct io_timer *t)
{
    listeners_arm(CONTAINER_OF(t, struct receive, accept_again), IO_READ);
}

static void on_client(struct io_watch *w, unsigned what)
{
    struct receive_listener *l = CONTAINER_OF(w, struct receive_listener, watch);

    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
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
            close(fd);
        else
            session_begin(l->receive, l, fd, &client);
    }
}

static void on_file_again(struct io_timer *t)
{
    questions_file_again(CONTAINER_OF(t, struct receive, file_again));
}

/* ---- listeners ---- */

static bool asks_mail(const struct config_session *session)
{
    for (size_t i = 0; i < session->limits.n; i++) {
        enum config_limit_measure m = session->limits.items[i]->measure;
        if (m == CONFIG_MEASURE_MESSAGES || m == CONFIG_MEASURE_OCTETS)
            return true;
    }
    return false;
}

static struct smtp_server_config smtp_config(const struct config_session *s)
{
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
    l->smtp = smtp_config(&config->session);
    l->asks_mail = asks_mail(&config->session);
    return l;
}

bool receive_listener_open(struct receive_listener *l, int fd, uint64_t inode)
{
    struct err err = { 0 };

    if (!io_watch_init(&l->watch, l->receive->worker->loop, fd, on_client, &err))
        return false;
    l->fd = fd;
    l->inode = inode;
    io_watch_arm(&l->watch, IO_READ);
    return true;
}

static void listener_add(struct receive *r, struct ipc_message *m)
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

static void listeners_close(struct receive *r)
{
    for (size_t i = 0; i < r->n_listeners; i++) {
        if (r->listeners[i].fd < 0)
            continue;
        io_watch_done(&r->listeners[i].watch);
        fd_close(&r->listeners[i].fd);
    }
}

/* ---- the process ---- */

static uint32_t sessions_possible(const struct config *config)
{
    struct rlimit limit = { .rlim_cur = 1024 };
    uint64_t wanted = config->session.max_sessions.automatic ? UINT32_MAX : config->session.max_sessions.n;
    uint64_t possible;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    possible = limit.rlim_cur > 2 * DESCRIPTORS_RESERVED ? limit.rlim_cur - DESCRIPTORS_RESERVED : DESCRIPTORS_RESERVED;
    return (uint32_t)(wanted < possible ? wanted : possible);
}

static bool start(struct worker *w, struct err *err)
{
    struct receive *r = calloc(1, sizeof(*r));

    if (!r)
        return err_temp(err, "out of memory");
    *r = (struct receive){
        .worker = w,
        .out = BUF_INIT(RECEIVE_OUT_MAX),
        .scratch = BUF_INIT(SCRATCH_MAX),
        .read_room = malloc(RECEIVE_READ_MAX),
        .max_sessions = sessions_possible(w->config),
        .id_next = 1,
    };
    list_init(&r->drops);
    w->state = r;
    if (!r->read_room)
        return err_temp(err, "out of memory");
    if (getrandom(&r->session_next, sizeof(r->session_next), 0) != (ssize_t)sizeof(r->session_next))
        return err_sys(err, errno, "getrandom");
    return io_timer_init(&r->accept_again, w->loop, on_accept_again, err) &&
           io_timer_init(&r->file_again, w->loop, on_file_again, err);
}

/* One beyond their number sees nothing of this process; control has no more (control/live.c). */
static void watch(struct receive *r, const struct ipc_watch *m)
{
    if (m->ends)
        live_remove(&r->live, m->ticket);
    else
        (void)live_add(&r->live, m->ticket, m->session, m->client, m->address);
}

static void message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct receive *r = receive_of(w);

    if (from == w->main && m->type == IPC_LISTENER)
        listener_add(r, m);
    else if (from == w->main && m->type == IPC_SUBMIT_SOCKET)
        local_socket(r, m);
    else if (from == w->main && m->type == IPC_DROP)
        drop_take(r, m);
    else if (m->type == IPC_WATCH)
        watch(r, &m->watch);
    else
        question_message(r, m);
}

static void peer_up(struct worker *w, struct ipc_channel *peer)
{
    questions_peer_up(receive_of(w), peer);
    if (peer->peer == PROCESS_QUEUE)
        drops_ask(receive_of(w));
}

static void peer_down(struct worker *w, struct ipc_channel *peer)
{
    questions_lost(receive_of(w), peer->peer);
    if (peer->peer == PROCESS_CONTROL)
        live_clear(&receive_of(w)->live);
    if (peer->peer == PROCESS_QUEUE)
        drops_lost(receive_of(w));
    questions_send(receive_of(w), peer->peer);
}

static void credit(struct worker *w, struct ipc_channel *peer)
{
    /* Also those that could not yet tell a new lookup of themselves. */
    peer_up(w, peer);
}

void receive_session_gone(struct receive *r)
{
    if (r->retiring && r->n_sessions == 0)
        worker_exit(r->worker);
}

static void retire(struct worker *w)
{
    struct receive *r = receive_of(w);

    r->retiring = true;
    listeners_close(r);
    drops_leave(r);
    receive_session_gone(r);
}

static void stop(struct worker *w, uint32_t msec)
{
    struct receive *r = receive_of(w);

    (void)msec;
    r->stopping = true;
    retire(w);
    for (uint32_t i = 0; i < r->n_slots; i++)
        if (r->sessions[i])
            session_shutdown(r->sessions[i]);
}

static void status(struct worker *w, struct buf *rows)
{
    struct receive *r = receive_of(w);
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(w->service->kind));
    log_number(&row, LOG_INSTANCE, w->instance);
    log_number(&row, LOG_SESSIONS, r->n_sessions);
    log_number(&row, LOG_MESSAGES, (int64_t)r->accepted);
    log_number(&row, LOG_REJECTED, (int64_t)r->rejected);
    log_number(&row, LOG_OCTETS_IN, (int64_t)r->octets_in);
    worker_row_add(rows, &row);
}

const struct worker_service receive_service = {
    .kind = PROCESS_RECEIVE,
    .start = start,
    .message = message,
    .peer_up = peer_up,
    .peer_down = peer_down,
    .credit = credit,
    .retire = retire,
    .stop = stop,
    .status = status,
};

const struct worker_service submit_service = {
    .kind = PROCESS_SUBMIT,
    .start = start,
    .message = message,
    .peer_up = peer_up,
    .peer_down = peer_down,
    .credit = credit,
    .retire = retire,
    .stop = stop,
    .status = status,
};
