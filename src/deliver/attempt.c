/* deliver/attempt.c -- the fields of final delivery on top (RFC 5321 4.4; RFC 9228), and into the Maildir. */
#include "deliver/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "deliver/path.h"
#include "io/fd.h"
#include "mailbox/maildir.h"
#include "message/header.h"
#include "message/trace.h"

enum {
    ARENA_OVERHEAD = 256 * 1024,  /* beyond what the lease brings: header facts and a path */
    FIELDS_MAX = 16 * 1024,       /* Return-Path and Delivered-To */
    SCAN_BLOCK = 32 * 1024,
};

/* ---- what outlives the lease's message ---- */

static struct str *const *texts_of(struct ipc_lease *l, struct str *texts[8])
{
    texts[0] = &l->user;
    texts[1] = &l->detail;
    texts[2] = &l->domain;
    texts[3] = &l->address;
    texts[4] = &l->original;
    texts[5] = &l->sender;
    texts[6] = &l->head;
    texts[7] = &l->body;
    return texts;
}

static bool copy_texts(struct attempt *a)
{
    struct str *texts[8];

    texts_of(&a->message, texts);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = arena_str(a->arena, *texts[i]);
        if (!texts[i]->p)
            return false;
    }
    return true;
}

static size_t octets_of(const struct ipc_lease *lease)
{
    struct ipc_lease copy = *lease;
    struct str *texts[8];
    size_t n = 0;

    texts_of(&copy, texts);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        n += texts[i]->n + 1;
    return n;
}

struct attempt *attempt_new(const struct ipc_lease *lease, int *file)
{
    struct attempt *a = malloc(sizeof(*a));

    if (!a)
        return NULL;
    *a = (struct attempt){
        .lease = lease->lease,
        .id = lease->id,
        .number = lease->number,
        .began_usec = io_clock_usec(),
        .message = *lease,
        .file = -1,
        .octets = octets_of(lease),
    };
    list_init(&a->node);
    list_init(&a->job.node);
    a->arena = arena_new(a->octets + ARENA_OVERHEAD);
    if (!a->arena || !copy_texts(a)) {
        attempt_free(a);
        return NULL;
    }
    a->file = *file;
    *file = -1;
    return a;
}

void attempt_drop_content(struct attempt *a)
{
    arena_free(a->arena);
    a->arena = NULL;
    a->message = (struct ipc_lease){ 0 };
    a->octets = 0;
    fd_close(&a->file);
}

void attempt_free(struct attempt *a)
{
    if (!a)
        return;
    attempt_drop_content(a);
    list_remove(&a->node);
    free(a);
}

/* ---- result ---- */

static void finish(struct attempt *a, enum ipc_result status, const char *code, const char *text)
{
    a->status = status;
    snprintf(a->code, sizeof(a->code), "%s", code);
    snprintf(a->text, sizeof(a->text), "%s", text);
    a->usec = io_clock_usec() - a->began_usec;
}

void attempt_fail(struct attempt *a, const char *code, const char *text)
{
    finish(a, code[0] == '5' ? IPC_PERM : IPC_TEMP, code, text);
}

static void fail_as(struct attempt *a, const struct mailbox_failure *failure)
{
    attempt_fail(a, failure->code, failure->err.text);
}

/* ---- loops ---- */

static bool scan_file(struct message_header_scan *scan, int file, uint64_t size)
{
    const struct message_header *header = message_header_scan_facts(scan);
    char block[SCAN_BLOCK];
    uint64_t at = 0;

    while (at < size && !header->ended) {
        ssize_t n = pread(file, block, size_min(sizeof(block), size - at), (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        message_header_scan_feed(scan, str_of(block, (size_t)n));
        at += (uint64_t)n;
    }
    return true;
}

/* False with FAILURE when we had this message for this address before (C072), or cannot find out. */
static bool no_loop(const struct attempt *a, struct mailbox_failure *failure)
{
    const struct ipc_lease *m = &a->message;
    struct message_header_scan *scan = message_header_scan_new(a->arena);

    if (!scan)
        return mailbox_fail(failure, "4.3.1", "out of memory");
    message_header_scan_feed(scan, m->head);
    message_header_scan_feed(scan, m->body);
    if (a->file >= 0 && !scan_file(scan, a->file, m->file_size))
        return mailbox_fail(failure, "4.3.0", "the content cannot be read");
    message_header_scan_end(scan);
    if (message_header_was_delivered_to(message_header_scan_facts(scan), m->address))
        return mailbox_fail(failure, "5.4.6", "mail loop: it was delivered to %.*s before", STR_ARG(m->address));
    return true;
}

/* ---- */

static void deliver(struct attempt *a, const struct attempt_place *place, struct str path, struct str fields,
                    bool look)
{
    const struct ipc_lease *m = &a->message;
    const struct str pieces[] = { fields, m->head, m->body };
    struct mailbox_failure failure = { 0 };
    struct maildir_message message = {
        .name = maildir_name(m->accepted_msec, (struct queue_id){ m->id }, m->number,
                             place->config->session.hostname.text),
        .content.pieces = pieces,
        .content.n_pieces = ARRAY_LEN(pieces),
        .content.file = a->file,
        .content.file_size = m->file_size,
        .look = look,
    };

    switch (maildir_deliver(place->store, path, &message, &failure)) {
    case MAILDIR_STORED:
        finish(a, IPC_OK, "2.0.0", "stored in the mailbox");
        return;
    case MAILDIR_FOUND:
        a->repeated = true;
        finish(a, IPC_OK, "2.0.0", "stored in the mailbox by an earlier attempt");
        return;
    case MAILDIR_IN_DOUBT:
        a->in_doubt = true;
        break;
    case MAILDIR_FAILED:
        break;
    }
    fail_as(a, &failure);
}

void attempt_run(struct attempt *a, const struct attempt_place *place, bool look)
{
    struct mailbox_failure failure = { 0 };
    struct buf fields = BUF_INIT(FIELDS_MAX);
    struct str path;

    if (!deliver_path(place->config, &a->message, place->root, a->arena, &path, &failure) ||
        !no_loop(a, &failure))
        fail_as(a, &failure);
    else if (!message_return_path_write(&fields, a->message.sender) ||
             !message_delivered_to_write(&fields, a->message.address))
        attempt_fail(a, "4.3.1", "out of memory");
    else
        deliver(a, place, path, buf_str(&fields), look);
    buf_done(&fields);
}
