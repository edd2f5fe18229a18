/* main/targets.c -- where the log goes: opened here, written by control. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/fd.h"
#include "main/server.h"

static int datagram_to(const char *path, struct err *err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        fd_close(&fd);
    if (fd < 0)
        err_sys(err, errno, "%s", path);
    return fd;
}

static int target_open(const struct config_log *log, struct err *err)
{
    char path[1024];
    int fd;

    switch (log->kind) {
    case CONFIG_LOG_STDERR:
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    case CONFIG_LOG_JOURNAL:
        return datagram_to("/run/systemd/journal/socket", err);
    case CONFIG_LOG_SYSLOG:
        return datagram_to("/dev/log", err);
    case CONFIG_LOG_FILE:
        break;
    }
    if (snprintf(path, sizeof(path), "%.*s", STR_ARG(log->path)) >= (int)sizeof(path)) {
        err_perm(err, "%.*s: too long a path", STR_ARG(log->path));
        return -1;
    }
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
    if (fd < 0)
        err_sys(err, errno, "%s", path);
    return fd;
}

void log_targets_send(struct main_server *s, struct main_child *control)
{
    const struct config *config = main_config(s);

    for (size_t i = 0; i < config->n_logs; i++) {
        struct err err = { 0 };
        int fd = target_open(&config->logs[i], &err);
        if (fd < 0) {
            /* It may be the only place a record could go: say it where the starter looks, too. */
            fprintf(stderr, "veredus: log: %s\n", err.text);
            continue;
        }
        ipc_send_log_target(control->channel, &(struct ipc_log_target){ .index = (uint32_t)i }, fd);
        fd_close(&fd);
    }
}
