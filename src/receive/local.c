/* receive/local.c -- the clients of this machine: sendmail(1), by a socket that everyone may open (FACE 1.11). */
#include "receive/session.h"

#include <sys/stat.h>

struct receive_listener *local_listener(struct receive *r)
{
    const struct config *config = r->worker->config;

    for (size_t i = 0; i < r->n_listeners; i++)
        if (r->listeners[i].index == IPC_NO_LISTENER)
            return &r->listeners[i];
    r->local = (struct config_listener){
        .name = { .text = STR("sendmail") },
        .allow_from = { .everyone = true },
        .session = config->session,
    };
    /* Programs that hand mail in this way were never held to the letter of RFC 5321. */
    r->local.session.path_syntax.value = CONFIG_PATH_LENIENT;
    r->local.session.vrfy.on = true;
    struct receive_listener *l = receive_listener_new(r, &r->local, IPC_NO_LISTENER);
    if (l)
        l->smtp.origin = config->origin.text;
    return l;
}

void local_socket(struct receive *r, struct ipc_message *m)
{
    struct receive_listener *l = r->retiring ? NULL : local_listener(r);
    struct stat st;

    if (l && l->fd < 0 && m->fd >= 0 && fstat(m->fd, &st) == 0 && receive_listener_open(l, m->fd, st.st_ino))
        m->fd = -1;
}
