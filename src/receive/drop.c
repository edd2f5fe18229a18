/*
 * receive/drop.c -- a message that sendmail(1) left in the drop folder while the server was down (FACE 1.11).
 *
 * The file is what sendmail would have said: lines MAIL, RCPT, …, DATA, then the content as it goes over the wire,
 * its final dot last. It is said to a session of ours, over a pair of sockets, so that all that holds for a client holds
 * for it. Its commit has a token made of the file's name and number: if the server dies between the commit and the
 * removal of the file, the queue still knows the token, and the message is not taken twice.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/num.h"
#include "io/fd.h"
#include "receive/session.h"

enum {
    NAME_MAX_OCTETS = 128,
    CHUNK = 16 * 1024,
    REPLY_MAX = 16 * 1024,
    ENVELOPE_SLACK = 8 << 20, /* a file may be that much larger than the largest message: recipients, stuffed dots */
    TEXT_ROOM = 300,
};

enum stage {
    STAGE_TOKEN, /* the queue is asked whether it has this message already */
    STAGE_GREETING,
    STAGE_HELLO,
    STAGE_ENVELOPE, /* one line at a time */
    STAGE_CONTENT,  /* as it stands in the file */
    STAGE_END,      /* the reply to the final dot is awaited */
};

struct drop {
    struct list node; /* of receive.drops */
    struct receive *receive;
    struct str name;
    char name_room[NAME_MAX_OCTETS];
    uint32_t uid;
    uint32_t number; /* of its question */
    bool asked;
    unsigned char token[16];
    enum stage stage;
    int file;
    off_t at; /* how much of the file has been said */
    int wire; /* -1: no session yet */
    struct io_watch watch;
    struct buf in; /* of replies, not whole yet */
    enum smtp_verb said; /* MAIL, RCPT or DATA, in the envelope */
    unsigned accepted;   /* recipients */
    char refused[TEXT_ROOM]; /* the first recipient that was refused for good, and why */
};

/* ---- the end ---- */

/* True when all of OCTETS was taken: between two ends of this process, one line always is. */
static bool say(struct drop *d, struct str octets)
{
    return send(d->wire, octets.p, octets.n, MSG_NOSIGNAL) == (ssize_t)octets.n;
}

static void drop_free(struct drop *d)
{
    list_remove(&d->node);
    if (d->wire >= 0) {
        (void)say(d, STR("QUIT\r\n"));
        io_watch_done(&d->watch);
    }
    local_close(&d->receive->closer, &d->wire);
    fd_close(&d->file);
    buf_done(&d->in);
    free(d);
}

static void over(struct drop *d, enum ipc_result status, struct str text)
{
    ipc_send_dropped(d->receive->worker->main,
                     &(struct ipc_dropped){ .name = d->name, .status = (uint8_t)status, .text = text });
    drop_free(d);
}

/* ---- saying it ---- */

static enum smtp_verb verb_of(struct str line)
{
    if (str_starts(line, STR("MAIL FROM:")))
        return SMTP_VERB_MAIL;
    if (str_starts(line, STR("RCPT TO:")))
        return SMTP_VERB_RCPT;
    return str_eq(line, STR("DATA\r\n")) ? SMTP_VERB_DATA : SMTP_VERB_UNKNOWN;
}

/* The next line of the envelope. False: the drop is over. */
static bool say_line(struct drop *d)
{
    char room[SMTP_MAIL_LINE_MAX];
    bool ok = false;
    ssize_t n = pread(d->file, room, sizeof(room), d->at);
    struct str got = str_of(room, n > 0 ? (size_t)n : 0);
    struct str line = str_head(got, str_find(got, '\n') + 1);

    d->said = str_ends(line, STR("\r\n")) ? verb_of(line) : SMTP_VERB_UNKNOWN;
    if (n < 0)
        over(d, IPC_TEMP, str_from_c(strerror(errno)));
    else if (d->said == SMTP_VERB_UNKNOWN)
        over(d, IPC_PERM, STR("it is not what sendmail writes: MAIL FROM, RCPT TO, DATA and the message"));
    else if (!say(d, line))
        over(d, IPC_TEMP, STR("the session is lost"));
    else
        ok = true;
    if (ok)
        d->at += (off_t)line.n;
    return ok;
}

/* As much content as the session takes now. False: the drop is over. */
static bool say_content(struct drop *d)
{
    char room[CHUNK];
    ssize_t n;

    while ((n = pread(d->file, room, sizeof(room), d->at)) > 0) {
        ssize_t sent = send(d->wire, room, (size_t)n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            io_watch_arm(&d->watch, IO_READ | IO_WRITE);
            return true;
        }
        if (sent <= 0)
            break;
        d->at += sent;
    }
    if (n != 0) {
        over(d, IPC_TEMP, n < 0 ? str_from_c(strerror(errno)) : STR("the session is lost"));
        return false;
    }
    d->stage = STAGE_END;
    io_watch_arm(&d->watch, IO_READ);
    return true;
}

/* ---- what is replied ---- */

static enum ipc_result result_of(unsigned code)
{
    return code < 400 ? IPC_OK : code < 500 ? IPC_TEMP : IPC_PERM;
}

/* A reply to a line of the envelope. False: the drop is over. */
static bool on_envelope(struct drop *d, unsigned code, struct str reply)
{
    enum ipc_result result = result_of(code);

    if (d->said == SMTP_VERB_RCPT && result == IPC_PERM) {
        if (!d->refused[0])
            snprintf(d->refused, sizeof(d->refused), "%.*s", STR_ARG(reply));
        return say_line(d);
    }
    if (result != IPC_OK) {
        over(d, d->accepted || !d->refused[0] ? result : IPC_PERM, d->refused[0] ? str_from_c(d->refused) : reply);
        return false;
    }
    d->accepted += d->said == SMTP_VERB_RCPT;
    if (d->said != SMTP_VERB_DATA)
        return say_line(d);
    d->stage = STAGE_CONTENT;
    return say_content(d);
}

static bool on_reply(struct drop *d, unsigned code, struct str reply)
{
    enum ipc_result result = result_of(code);

    if (d->stage == STAGE_ENVELOPE)
        return on_envelope(d, code, reply);
    if (result != IPC_OK) {
        over(d, result, reply);
        return false;
    }
    switch (d->stage) {
    case STAGE_GREETING:
        d->stage = STAGE_HELLO;
        if (say(d, STR("EHLO localhost\r\n")))
            return true;
        over(d, IPC_TEMP, STR("the session is lost"));
        return false;
    case STAGE_HELLO:
        d->stage = STAGE_ENVELOPE;
        return say_line(d);
    case STAGE_END:
        /* It is in the queue. Whom it did not reach stays for somebody to look at. */
        over(d, d->refused[0] ? IPC_PERM : IPC_OK, str_from_c(d->refused));
        return false;
    default:
        over(d, IPC_TEMP, reply);
        return false;
    }
}

/* Whole replies in what has come; of several lines the last counts. */
static void take_replies(struct drop *d)
{
    for (;;) {
        struct str rest = buf_str(&d->in);
        size_t n = str_find(rest, '\n');
        char line[TEXT_ROOM];
        uint64_t code;
        if (n == rest.n)
            return;
        struct str text = str_trim(str_head(rest, n));
        bool last = text.n < 4 || text.p[3] != '-';
        snprintf(line, sizeof(line), "%.*s", STR_ARG(text));
        buf_eat(&d->in, n + 1);
        if (!last)
            continue;
        if (!num_parse_u64(str_head(str_from_c(line), 3), 599, &code)) {
            over(d, IPC_TEMP, STR("a reply that is none"));
            return;
        }
        if (!on_reply(d, (unsigned)code, str_from_c(line)))
            return;
    }
}

static void on_wire(struct io_watch *w, unsigned what)
{
    struct drop *d = CONTAINER_OF(w, struct drop, watch);
    char room[4096];

    if ((what & IO_WRITE) && d->stage == STAGE_CONTENT) {
        io_watch_arm(&d->watch, IO_READ);
        if (!say_content(d))
            return;
    }
    if (!(what & IO_READ))
        return;
    ssize_t n = recv(d->wire, room, sizeof(room), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !buf_add(&d->in, str_of(room, (size_t)n)))
        over(d, IPC_TEMP, STR("the session ended"));
    else
        take_replies(d);
}

/* ---- the beginning ---- */

static bool begin(struct drop *d)
{
    struct receive_listener *l = local_listener(d->receive);
    struct session_client client = {
        .address = { .family = IP_NONE },
        .uid_plus = d->uid + 1,
        .token = d->token,
    };
    struct err err = { 0 };
    int fds[2];

    if (!l || !fd_pair(fds, &err))
        return false;
    d->wire = fds[0];
    if (!io_watch_init(&d->watch, d->receive->worker->loop, d->wire, on_wire, &err)) {
        fd_close(&d->wire);
        fd_close(&fds[1]);
        return false;
    }
    d->stage = STAGE_GREETING;
    io_watch_arm(&d->watch, IO_READ);
    session_begin(d->receive, l, fds[1], &client);
    return true;
}

void drop_token(struct receive *r, const struct ipc_token_answer *a)
{
    LIST_FOR(node, &r->drops) {
        struct drop *d = CONTAINER_OF(node, struct drop, node);
        if (d->number != a->ticket >> 32 || d->stage != STAGE_TOKEN)
            continue;
        if (a->stands)
            over(d, IPC_OK, STR_NONE);
        else if (!begin(d))
            over(d, IPC_TEMP, STR("out of memory or descriptors"));
        return;
    }
}

void drops_ask(struct receive *r)
{
    struct ipc_channel *queue = worker_peer(r->worker, PROCESS_QUEUE);

    if (!queue)
        return;
    LIST_FOR(node, &r->drops) {
        struct drop *d = CONTAINER_OF(node, struct drop, node);
        if (d->stage != STAGE_TOKEN || d->asked || !ipc_may_ask(queue))
            continue;
        d->asked = ipc_send_token_ask(queue, &(struct ipc_token_ask){
                                                 .ticket = (uint64_t)d->number << 32 | DROP_TICKET_SLOT,
                                                 .token = str_of((char *)d->token, sizeof(d->token)),
                                             });
    }
}

void drops_lost(struct receive *r)
{
    LIST_FOR(node, &r->drops)
        CONTAINER_OF(node, struct drop, node)->asked = false;
}

void drops_leave(struct receive *r)
{
    struct list *next;

    for (struct list *node = r->drops.next; node != &r->drops; node = next) {
        struct drop *d = CONTAINER_OF(node, struct drop, node);
        next = node->next;
        if (d->stage == STAGE_TOKEN)
            over(d, IPC_TEMP, STR("the process ends"));
    }
}

/* Two hashes of what tells one file from all others, its owner too: nobody can name another's message. */
static void make_token(struct drop *d, uint64_t number)
{
    uint64_t first = str_hash(d->name, number), second = str_hash(d->name, first ^ d->uid);

    le64_put(d->token, first);
    le64_put(d->token + 8, second);
}

/* Why this file is none; NULL when it may be one. */
static const char *wrong_with(struct receive *r, const struct ipc_message *m)
{
    struct stat st;
    char end[5];

    if (m->fd < 0 || fstat(m->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return "it is no file";
    if (st.st_size < 0 || (uint64_t)st.st_size > r->worker->config->session.max_message_size.n + ENVELOPE_SLACK)
        return "it is larger than a message may be";
    if (st.st_size < (off_t)sizeof(end) || pread(m->fd, end, sizeof(end), st.st_size - (off_t)sizeof(end)) < 0 ||
        memcmp(end, "\r\n.\r\n", sizeof(end)))
        return "it has no end: the line with a dot alone is missing";
    return NULL;
}

void drop_take(struct receive *r, struct ipc_message *m)
{
    const char *wrong = wrong_with(r, m);
    struct drop *d = wrong || m->drop.name.n >= NAME_MAX_OCTETS ? NULL : calloc(1, sizeof(*d));

    if (!d || r->retiring) {
        ipc_send_dropped(r->worker->main, &(struct ipc_dropped){
                                              .name = m->drop.name,
                                              .status = (uint8_t)(wrong ? IPC_PERM : IPC_TEMP),
                                              .text = str_from_c(wrong ? wrong : "it cannot be taken now"),
                                          });
        free(d);
        return;
    }
    *d = (struct drop){
        .receive = r,
        .uid = m->drop.uid,
        .number = ++r->last_drop,
        .file = m->fd,
        .wire = -1,
        .in = BUF_INIT(REPLY_MAX),
    };
    m->fd = -1;
    memcpy(d->name_room, m->drop.name.p, m->drop.name.n);
    d->name = str_of(d->name_room, m->drop.name.n);
    make_token(d, m->drop.number);
    list_init(&d->node);
    list_append(&r->drops, &d->node);
    drops_ask(r);
}
