/* control/control.h -- what the files of the control process share. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/client.h"
#include "control/history.h"
#include "control/log_writer.h"
#include "control/permission.h"
#include "io/local.h"
#include "ipc/worker.h"
#include "log/log.h"

/* Connections at once: of the control socket, and of the one for everyone. */
enum { CONTROL_CLIENTS_MAX = 32, CONTROL_SOCKETS = 2 };

struct control_socket {
    struct control *control;
    struct io_watch watch;
    int fd; /* -1: not there */
    size_t clients;
};

struct control {
    struct worker *worker;
    struct log_writer writer;
    struct control_history history;
    struct log_sink sink; /* our own records */
    struct permission permission;
    struct arena *arena;
    struct control_socket sockets[CONTROL_SOCKETS]; /* [1]: for everyone */
    struct list clients;
    struct local_closer closer; /* of their connections */
    struct io_timer accept_again;
    uint64_t last_ticket;
};

/* A client of that socket is gone: there is room for the next. */
void control_client_gone(struct control *control, bool everyone);

#endif
