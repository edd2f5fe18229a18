/* cmd/server.c -- requests and answers: JSON lines over a unix socket. */
#include "cmd/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/settings.h"
#include "core/bug.h"
#include "io/fd.h"

enum { READ_AT_ONCE = 64 * 1024 };

static const char START[] = "start it with: veredus run, or: systemctl start veredus";
static const char START_DEMO[] = "start it with: veredus demo, or say which server is meant: -c FILE";

/* ---- opening ---- */

static int fail(struct server *s, int exit_code, const char *cure, const char *what, const char *why)
{
    s->exit = exit_code;
    s->ended = true;
    if (!s->quiet)
        cmd_fail(exit_code, cure, "%s%s%s", what, why[0] ? ": " : "", why);
    return exit_code;
}

static int connect_to(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = SERVER_PATIENCE_SECONDS };
    int fd;

    if (strlen(path) >= sizeof(sa.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* The socket for everyone is beside the first: there the server itself says what is not allowed. */
static int connect_public(const char *path)
{
    char beside[CMD_PATH_MAX];
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash + 1 - path) : 0;

    if (snprintf(beside, sizeof(beside), "%.*spublic", folder, path) >= (int)sizeof(beside))
        return -1;
    return connect_to(beside);
}

static int connect_or_say(struct server *s, const char *path, bool quiet, const char *start)
{
    *s = (struct server){ .fd = connect_to(path), .quiet = quiet, .in = BUF_INIT(SERVER_LINE_MAX) };
    if (s->fd < 0 && errno == EACCES) {
        s->fd = connect_public(path);
        if (s->fd < 0)
            return fail(s, CMD_DENIED, "ask as root or as a member of its group", path, "not allowed");
    }
    if (s->fd < 0 && (errno == ENOENT || errno == ECONNREFUSED))
        return fail(s, CMD_NO_SERVER, start, "no server answers at", path);
    if (s->fd < 0)
        return fail(s, CMD_NO_SERVER, "", path, strerror(errno));
    return CMD_OK;
}

int server_connect(struct server *s, const char *path, bool quiet)
{
    return connect_or_say(s, path, quiet, START);
}

int server_open(struct server *s, const struct cmd_call *call, bool quiet)
{
    struct settings settings;
    char path[CMD_PATH_MAX];

    *s = (struct server){ .fd = -1, .quiet = quiet, .in = BUF_INIT(SERVER_LINE_MAX) };
    int status = settings_read(&settings, call);
    if (status == CMD_OK && !settings_control(&settings, path))
        status = CMD_CONFIG;
    bool demo = status == CMD_OK && cmd_config_is_demo(call, settings.path);
    settings_done(&settings);
    if (status == CMD_OK)
        return connect_or_say(s, path, quiet, demo ? START_DEMO : START);
    s->exit = status;
    s->ended = true;
    return status;
}

void server_close(struct server *s)
{
    fd_close(&s->fd);
    buf_done(&s->in);
}

/* ---- asking ---- */

void server_ask(struct server *s, json_t *request)
{
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    size_t n = line ? strlen(line) : 0;

    if (!line) {
        fail(s, CMD_LATER, "", "out of memory", "");
    } else {
        line[n] = '\n'; /* in the place of its terminator */
        if (send(s->fd, line, n + 1, MSG_NOSIGNAL) != (ssize_t)(n + 1))
            fail(s, CMD_NO_SERVER, "veredus status", "the server does not listen", strerror(errno));
    }
    free(line);
    json_decref(request);
}

/* A whole line in *line, without its end; it stands until the next call. */
static bool next_line(struct server *s, struct str *line)
{
    buf_eat(&s->in, s->eaten);
    s->eaten = 0;
    for (size_t from = 0;;) {
        struct str rest = str_skip(buf_str(&s->in), from);
        size_t n = str_find(rest, '\n');
        if (n < rest.n) {
            *line = str_head(buf_str(&s->in), from + n);
            s->eaten = from + n + 1;
            return true;
        }
        from = s->in.n;
        char *room = buf_room(&s->in, READ_AT_ONCE);
        ssize_t r = room ? recv(s->fd, room, READ_AT_ONCE, 0) : -1;
        if (r < 0 && room && errno == EINTR)
            continue;
        if (r <= 0) {
            const char *why = r == 0 ? "it ended in the middle of the answer" : "no answer";
            s->broke_off = s->goes_on && (r == 0 || errno == ECONNRESET);
            s->quiet = s->quiet || s->broke_off;
            fail(s, r == 0 ? CMD_NO_SERVER : CMD_LATER, "veredus status", "the server", why);
            return false;
        }
        buf_grew(&s->in, (size_t)r);
    }
}

static void take_error(struct server *s, const json_t *object, const char *error)
{
    const char *cure = json_string_value(json_object_get(object, "cure"));

    if (!s->quiet)
        cmd_fail(CMD_FOUND, cure, "%s", error);
}

json_t *server_next(struct server *s, struct str *line)
{
    struct str got;

    while (!s->ended && next_line(s, &got)) {
        json_t *object = json_loadb(got.p, got.n, JSON_ALLOW_NUL, NULL);
        const char *error = json_string_value(json_object_get(object, "error"));
        bool row = json_object_get(object, "event") != NULL;
        if (json_is_true(json_object_get(object, "end"))) {
            s->ended = true;
            s->exit = (int)json_integer_value(json_object_get(object, "exit"));
        } else if (error && !row) {
            take_error(s, object, error);
        } else if (object) {
            if (line)
                *line = got;
            return object;
        } else {
            fail(s, CMD_LATER, "are program and server of one version?", "the answer is not understood", "");
        }
        json_decref(object);
    }
    return NULL;
}

int server_do(const struct cmd_call *call, const char *command, const char *done)
{
    struct server s;
    struct str line;
    json_t *object;

    if (call->argc > 1)
        return cmd_usage(call, call->argv[1]);
    if (server_open(&s, call, false) == CMD_OK)
        server_ask(&s, json_pack("{s:s}", "command", command));
    while ((object = server_next(&s, &line))) {
        const char *text = json_string_value(json_object_get(object, "text"));
        if (call->json)
            printf("%.*s\n", STR_ARG(line));
        else if (text)
            fprintf(stderr, "%s%s", text, text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n");
        json_decref(object);
    }
    if (s.exit == CMD_OK && !call->quiet && !call->json)
        printf("%s\n", done);
    int status = s.exit;
    server_close(&s);
    return status;
}
