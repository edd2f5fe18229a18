/* receive/content.c -- where content is kept until its commit: memory of one budget, or a file lent by the queue. */
#include <errno.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"
#include "receive/session.h"

enum { MEMORY_LEAST = 16 * 1024 };

/* The bound for one message shrinks as the budget of all runs short (DESIGN 4). */
static size_t memory_bound(const struct receive *r)
{
    size_t left = RECEIVE_MEMORY_ALL - size_min(r->content_memory, RECEIVE_MEMORY_ALL);

    return size_max(MEMORY_LEAST, size_min(RECEIVE_MEMORY_CONTENT, left / 16));
}

static void count(struct session *s)
{
    struct receive *r = s->receive;

    r->content_memory += s->content.cap - s->content_counted;
    s->content_counted = s->content.cap;
}

static void file_gone(struct session *s)
{
    fd_close(&s->file_fd);
    s->file = 0;
    s->file_octets = 0;
}

static void swallow(struct session *s, bool full)
{
    struct ipc_channel *queue = worker_peer(s->receive->worker, PROCESS_QUEUE);

    if (s->file && queue)
        ipc_send_file_return(queue, &(struct ipc_file_return){ .file = s->file });
    file_gone(s);
    s->content_failed = true;
    s->content_full = full;
    buf_clear(&s->content);
}

static void write_out(struct session *s, struct str octets)
{
    while (octets.n && !s->content_failed) {
        ssize_t n = write(s->file_fd, octets.p, octets.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            swallow(s, errno == ENOSPC || errno == EDQUOT);
            return;
        }
        s->file_octets += (uint64_t)n;
        octets = str_skip(octets, (size_t)n);
    }
}

bool content_begin(struct session *s)
{
    const struct smtp_transaction *t = smtp_server_transaction(s->smtp);

    s->content_failed = s->content_full = false;
    s->progress_octets = 0;
    if (!s->counts_in_content) {
        s->counts_in_content = true;
        s->receive->in_content++;
    }
    if (!t->params.has_size || t->params.size <= memory_bound(s->receive))
        return true;
    session_ask(s, QUESTION_FILE);
    return false;
}

bool content_add(struct session *s, struct str span)
{
    if (s->content_failed)
        return true;
    if (s->file) {
        write_out(s, span);
        return true;
    }
    if (!buf_add(&s->content, span)) {
        swallow(s, true);
        return true;
    }
    count(s);
    if (s->content.n <= memory_bound(s->receive))
        return true;
    if (s->question != QUESTION_FILE)
        session_ask(s, QUESTION_FILE);
    return false;
}

/* DATA itself is refused; the transaction stands, with its recipients. */
static void refuse_data(struct session *s, enum smtp_reply_name row)
{
    s->rejected++;
    s->receive->rejected++;
    record_refused(s, "data", row, LOG_REASON_STORAGE, STR("default"), STR_NONE, NULL);
    smtp_server_answer(s->smtp, row, NULL, &s->receive->out);
    content_drop(s);
}

void content_file(struct session *s, int fd, uint64_t number, enum ipc_storage status)
{
    bool before_data = !smtp_server_in_content(s->smtp);

    if (status != IPC_STORED || fd < 0 || !number) {
        fd_close(&fd);
        if (before_data)
            refuse_data(s, status == IPC_NO_SPACE ? SMTP_REPLY_STORAGE_SHORT : SMTP_REPLY_SYSTEM_FAILED);
        else
            swallow(s, status == IPC_NO_SPACE);
        return;
    }
    s->file = number;
    s->file_fd = fd;
    s->file_octets = 0;
    write_out(s, buf_str(&s->content));
    buf_clear(&s->content);
    if (before_data)
        smtp_server_answer(s->smtp, SMTP_REPLY_DATA_GO, NULL, &s->receive->out);
}

void content_file_lost(struct session *s)
{
    file_gone(s);
    s->content_failed = true;
}

void content_drop(struct session *s)
{
    struct ipc_channel *queue = worker_peer(s->receive->worker, PROCESS_QUEUE);

    if (s->file && queue)
        ipc_send_file_return(queue, &(struct ipc_file_return){ .file = s->file });
    file_gone(s);
    if (s->counts_in_content) {
        s->counts_in_content = false;
        s->receive->in_content--;
    }
    s->receive->content_memory -= s->content_counted;
    s->content_counted = 0;
    /* A session between messages holds no content memory: thousands of idle ones cost nothing. */
    buf_done(&s->content);
}

void content_given(struct session *s)
{
    file_gone(s);
    content_drop(s);
}
