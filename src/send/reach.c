/*
 * send/reach.c -- the addresses of a plan, one after the other, until one of them takes us (RFC 5321 5.1).
 *
 * What the addresses said decides together. A greeting or EHLO that is refused, for now or for ever, is that
 * host's matter: the next is tried, and when there is none the message waits (RFC 5321 4.2, 3.1). Only where
 * every address that can be reached says 521, "I never take mail" (RFC 7504 3), waiting is of no use.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/fd.h"
#include "send/authenticate.h"

/* How much a failure tells: of several the heaviest is reported, of equal ones the last. */
enum { WEIGHT_OUT_OF_REACH = 1, WEIGHT_SHORTAGE, WEIGHT_CONNECT, WEIGHT_SILENCE, WEIGHT_TRUST, WEIGHT_REPLY };

enum { CODE_NEVER_TAKES_MAIL = 521 };

/* ---- the most telling failure ---- */

static unsigned weight_of(const struct reach_answer *a, int sys)
{
    if (a->code)
        return WEIGHT_REPLY;
    if (a->reason == LOG_REASON_TLS || a->reason == LOG_REASON_AUTH)
        return WEIGHT_TRUST;
    if (a->stage != SMTP_STAGE_CONNECT)
        return WEIGHT_SILENCE;
    if (address_is_out_of_reach(sys))
        return WEIGHT_OUT_OF_REACH;
    return address_is_our_shortage(sys) ? WEIGHT_SHORTAGE : WEIGHT_CONNECT;
}

static void note(struct connection *c, const struct reach_answer *a, int sys)
{
    struct connection_failure *f = &c->failure;
    unsigned weight = weight_of(a, sys);

    /* A family that this machine has no way to counts neither for nor against a host. */
    if (weight > WEIGHT_SHORTAGE && !(a->code == CODE_NEVER_TAKES_MAIL && a->stage == SMTP_STAGE_GREETING))
        c->only_521 = false;
    if (weight < f->weight)
        return;
    *f = (struct connection_failure){
        .weight = weight,
        .status = IPC_TEMP,
        .stage = a->stage,
        .reason = a->reason,
        .code = a->code,
        .address = c->address,
    };
    snprintf(f->enhanced, sizeof(f->enhanced), "%.*s", STR_ARG(a->enhanced));
    /* The message is tried again, whatever the peer calls it. */
    if (f->enhanced[0] == '5')
        f->enhanced[0] = '4';
    if (a->code)
        snprintf(f->text, sizeof(f->text), "%.*s", STR_ARG(a->text));
    else
        snprintf(f->text, sizeof(f->text), "%s: %.*s", address_text(c->address).c, STR_ARG(a->text));
}

/* ---- the end of the list ---- */

static void fail(struct connection *c)
{
    struct connection_failure *f = &c->failure;

    if (!f->weight) {
        *f = (struct connection_failure){
            .status = IPC_TEMP,
            .stage = SMTP_STAGE_CONNECT,
            .reason = LOG_REASON_CONNECT,
        };
        snprintf(f->enhanced, sizeof(f->enhanced), "4.4.1");
        snprintf(f->text, sizeof(f->text), "there is no address to connect to");
    } else if (f->weight == WEIGHT_REPLY && c->only_521) {
        f->status = IPC_PERM;
        snprintf(f->enhanced, sizeof(f->enhanced), "5.3.2");
    }
    c->owner->failed(c, f);
    connection_gone(c);
}

void reach_give_up(struct connection *c, const char *text)
{
    c->failure = (struct connection_failure){
        .status = (enum ipc_result)IPC_AGAIN,
        .stage = SMTP_STAGE_CONNECT,
        .reason = LOG_REASON_CONNECT,
        .enhanced = "4.3.2",
        .address = c->address,
    };
    snprintf(c->failure.text, sizeof(c->failure.text), "%s", text);
    c->owner->failed(c, &c->failure);
    connection_gone(c);
}

/* ---- one address ---- */

static void address_failed(struct connection *c, int sys)
{
    struct reach_answer a = {
        .stage = SMTP_STAGE_CONNECT,
        .reason = sys == ETIMEDOUT ? LOG_REASON_TIMEOUT : LOG_REASON_CONNECT,
        .enhanced = address_is_our_shortage(sys) ? STR("4.3.1") : STR("4.4.1"),
        .text = str_from_c(address_failure_words(sys)),
    };

    note(c, &a, sys);
}

static void drop_host(struct connection *c)
{
    io_watch_done(&c->watch);
    authenticate_done(c);
    secure_done(c);
    fd_close(&c->fd);
    smtp_client_done(c->smtp);
    c->smtp = NULL;
    arena_free(c->session);
    c->session = NULL;
    buf_done(&c->in);
    buf_done(&c->out);
    c->blocked = false;
    c->hears = IO_READ;
    c->speaks = IO_WRITE;
    c->broken = NULL;
    connection_deadline(c, 0);
    c->state = CONNECTION_BEGINNING;
}

void reach_refused(struct connection *c, const struct reach_answer *answer)
{
    note(c, answer, 0);
    drop_host(c);
    io_task_post(&c->work);
}

void reach_in_clear(struct connection *c)
{
    c->next--;
    c->clear_next = true;
    drop_host(c);
    io_task_post(&c->work);
}

void reach_next(struct connection *c)
{
    struct err err = { 0 };

    while (c->next < c->plan.n) {
        c->in_clear = c->clear_next;
        c->clear_next = false;
        if (!c->in_clear) {
            c->tls_trouble[0] = '\0';
            c->tls_code = 0;
        }
        c->address = &c->plan.addresses[c->next++];
        int sys = address_connect(c->address, &c->fd);
        if (sys == 0 && !io_watch_init(&c->watch, c->send->worker->loop, c->fd, connection_ready, &err)) {
            fd_close(&c->fd);
            sys = ENOMEM;
        }
        if (sys == 0) {
            c->state = CONNECTION_CONNECTING;
            io_watch_arm(&c->watch, IO_WRITE);
            connection_deadline(c, (int64_t)c->sending->timeout_connect.msec);
            return;
        }
        address_failed(c, sys);
    }
    fail(c);
}

void reach_done(struct connection *c)
{
    int sys = address_connected(c->fd);

    if (sys == 0) {
        if (c->address->tls_at_once)
            secure_begin(c);
        else
            connection_greet(c);
        return;
    }
    address_failed(c, sys);
    drop_host(c);
    io_task_post(&c->work);
}
