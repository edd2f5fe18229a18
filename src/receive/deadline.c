/* receive/deadline.c -- how long a session waits for its client and for others, and what it says then (FACE 1.8). */
#include "receive/session.h"

void session_deadline(struct session *s, int64_t msec)
{
    int64_t deadline = io_now_msec(s->receive->worker->loop) + msec;
    bool sooner = deadline < s->deadline_msec;

    s->deadline_msec = deadline;
    /* The timer is not moved for each command: it is never late, and when it fires it looks at the deadline. */
    if (sooner || !io_timer_pending(&s->timer))
        io_timer_start(&s->timer, msec);
}

static int64_t command_timeout(const struct session *s)
{
    return (int64_t)s->listener->config->session.timeout_command.msec;
}

void deadline_command(struct session *s)
{
    int64_t wait = command_timeout(s);

    if (s->tx) {
        int64_t whole = (int64_t)s->listener->config->session.timeout_transaction.msec;
        int64_t left = s->tx->began_msec + whole - io_now_msec(s->receive->worker->loop);
        if (left < wait)
            wait = left > 0 ? left : 0;
    }
    session_deadline(s, wait);
}

static bool transaction_overdue(const struct session *s)
{
    int64_t whole = (int64_t)s->listener->config->session.timeout_transaction.msec;

    return s->tx && io_now_msec(s->receive->worker->loop) - s->tx->began_msec >= whole;
}

/* Who was asked said nothing in time: the command, or the content of the message, gets 451. */
static void refuse_unanswered(struct session *s, enum question q)
{
    bool asked_one = q == QUESTION_RCPT || q == QUESTION_VRFY;
    enum smtp_reply_name row = asked_one ? SMTP_REPLY_LOOKUP_FAILED : SMTP_REPLY_SYSTEM_FAILED;
    const char *stage = q == QUESTION_RCPT     ? "rcpt"
                        : q == QUESTION_VRFY   ? "vrfy"
                        : q == QUESTION_EXPAND ? "data"
                                               : "mail";
    struct buf to = BUF_INIT(2048);

    if (q == QUESTION_RCPT)
        smtp_path_write(&to, s->path);
    s->rejected++;
    s->receive->rejected++;
    record_refused(s, stage, row, q == QUESTION_IDS ? LOG_REASON_STORAGE : LOG_REASON_LOOKUP, STR("default"),
                   buf_str(&to), NULL);
    buf_done(&to);
    if (!asked_one)
        transaction_drop(s);
    smtp_server_answer(s->smtp, row, NULL, &s->receive->out);
}

static void question_overdue(struct session *s)
{
    enum question q = s->question;
    bool sent = s->question_sent;

    if (q == QUESTION_TOKEN) {
        /* Neither 250 nor 451 would be true before the queue has spoken; the client's own patience is 10 minutes. */
        session_deadline(s, command_timeout(s));
        return;
    }
    /* The queue says yes to nothing any more that it was handed so long ago (ADR 0006); it may have said so in time. */
    if (q == QUESTION_COMMIT && sent && !s->looked_again) {
        s->looked_again = true;
        session_deadline(s, RECEIVE_LAST_LOOK_MSEC);
        return;
    }
    if (q == QUESTION_CONNECT) {
        record_refused(s, "connect", SMTP_REPLY_TOO_MANY_SESSIONS, LOG_REASON_LOOKUP, STR("default"), STR_NONE, NULL);
        session_goodbye(s, SMTP_REPLY_TOO_MANY_SESSIONS, NULL);
        return;
    }
    question_done(s);
    if (q == QUESTION_PLAN || q == QUESTION_VERIFY)
        verify_overdue(s);
    else if (q == QUESTION_LOGIN)
        login_unanswered(s);
    else if (q == QUESTION_FILE)
        content_file(s, -1, 0, IPC_STORAGE_FAILED);
    else if (q == QUESTION_COMMIT)
        transaction_stored(s, IPC_STORAGE_FAILED, 0, 0);
    else
        refuse_unanswered(s, q);
    if (q == QUESTION_COMMIT)
        question_message_over(s);
    else
        session_go_on(s);
}

void session_time_is_up(struct io_timer *t)
{
    struct session *s = CONTAINER_OF(t, struct session, timer);
    int64_t left = s->deadline_msec - io_now_msec(s->receive->worker->loop);

    if (s->finished)
        return;
    if (left > 0) {
        io_timer_start(&s->timer, left);
        return;
    }
    if (s->handshake) {
        handshake_overdue(s);
    } else if (s->closing) {
        session_end(s, s->end_reason ? s->end_reason : "lost");
    } else if (s->delayed) {
        s->delayed = false;
        session_send(s);
        session_go_on(s);
    } else if (s->question != QUESTION_NONE) {
        question_overdue(s);
    } else if (transaction_overdue(s)) {
        struct smtp_slots slots = { .number = s->listener->config->session.timeout_transaction.msec / 1000 };
        session_goodbye(s, SMTP_REPLY_TRANSACTION_TIMEOUT, &slots);
    } else {
        session_goodbye(s, SMTP_REPLY_TIMEOUT, NULL);
    }
}
