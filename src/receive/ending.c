/* receive/ending.c -- the end of a session: 421 or not, who is told, what is given back. */
#include "receive/session.h"

#include <stdlib.h>

#include "core/check.h"
#include "io/fd.h"
#include "io/local.h"

enum { LAST_WORD_MSEC = 2000 };

void session_close(struct receive *r, bool local, int *fd)
{
    if (local)
        local_close(&r->closer, fd);
    else
        fd_close(fd);
}

void session_reap(struct io_task *t)
{
    struct session *s = CONTAINER_OF(t, struct session, reaper);
    struct receive *r = s->receive;

    io_task_done(&s->reaper);
    list_remove(&s->unread);
    list_remove(&s->account_node);
    tls_stream_free(s->tls);
    io_watch_done(&s->watch);
    io_timer_done(&s->timer);
    session_close(r, s->client_n == 0, &s->fd);
    buf_done(&s->in);
    buf_done(&s->out);
    buf_done(&s->verify.plan);
    smtp_server_done(s->smtp);
    arena_free(s->arena);
    r->sessions[s->slot] = NULL;
    r->n_sessions--;
    s->listener->sessions--;
    free(s);
    receive_session_gone(r);
}

void session_end(struct session *s, const char *reason)
{
    struct ipc_channel *lookup;

    if (s->finished)
        return;
    s->finished = true;
    if (!s->end_reason)
        s->end_reason = reason;
    question_done(s);
    login_drop(s);
    handshake_drop(s);
    transaction_drop(s);
    io_watch_arm(&s->watch, 0);
    io_timer_stop(&s->timer);
    record_disconnect(s);
    lookup = worker_peer_of(s->receive->worker, PROCESS_LOOKUP, s->receive->worker->generation);
    if (s->lookup_instance && lookup && lookup->instance == s->lookup_instance)
        ipc_send_disconnect(lookup, &(struct ipc_disconnect){
                                        .client = str_of((char *)s->client_octets, s->client_n),
                                        .listener = s->listener->index,
                                        .account = s->account,
                                        .errors = smtp_server_errors(s->smtp),
                                        .octets = s->undeclared_octets,
                                    });
    io_task_post(&s->reaper);
}

void session_goodbye(struct session *s, enum smtp_reply_name row, const struct smtp_slots *slots)
{
    struct receive *r = s->receive;

    /* Nothing can be said in the middle of a handshake, nor before that of a listener with `tls`. */
    if (s->shakes || s->handshake || !session_may_speak(s)) {
        session_end(s, session_close_reason(row));
        return;
    }
    buf_clear(&r->out);
    r->out_told = 0;
    login_drop(s);
    question_done(s);
    s->delayed = false;
    transaction_drop(s);
    smtp_server_goodbye(s->smtp, row, slots, &r->out);
    s->closing = true;
    s->end_reason = session_close_reason(row);
    session_send(s);
    /* A client that does not even take this is not waited for. */
    if (!s->finished && !s->lingering)
        session_deadline(s, LAST_WORD_MSEC);
}

void session_shutdown(struct session *s)
{
    if (s->finished || s->closing || s->question == QUESTION_COMMIT || s->question == QUESTION_TOKEN)
        return;
    session_goodbye(s, SMTP_REPLY_SHUTDOWN, NULL);
}
