/*
 * deliver/run.c -- the work of an attempt: the fields of final delivery on top (RFC 5321 4.4; RFC 9228), then into a
 * Maildir, behind the others in an mbox, or to a command.
 */
#include "deliver/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "deliver/path.h"
#include "io/fd.h"
#include "mailbox/maildir.h"
#include "message/header.h"
#include "message/trace.h"

enum {
    FIELDS_MAX = 16 * 1024, /* Return-Path and Delivered-To */
    SCAN_BLOCK = 32 * 1024,
};

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

/* ---- the ways ---- */

static void to_maildir(struct attempt *a, const struct attempt_place *place, struct str path,
                       const struct mailbox_content *content, bool look)
{
    const struct ipc_lease *m = &a->message;
    struct mailbox_failure failure = { 0 };
    struct maildir_message message = {
        .name = maildir_name(m->accepted_msec, (struct queue_id){ m->id }, m->number,
                             place->config->session.hostname.text),
        .content = *content,
        .look = look,
    };

    switch (maildir_deliver(place->store, path, &message, &failure)) {
    case MAILDIR_STORED:
        attempt_finish(a, IPC_OK, "2.0.0", "stored in the mailbox");
        return;
    case MAILDIR_FOUND:
        a->repeated = true;
        attempt_finish(a, IPC_OK, "2.0.0", "stored in the mailbox by an earlier attempt");
        return;
    case MAILDIR_IN_DOUBT:
        a->in_doubt = true;
        break;
    case MAILDIR_FAILED:
        break;
    }
    fail_as(a, &failure);
}

static void to_mbox(struct attempt *a, const struct attempt_place *place, int root, struct str path,
                    const struct mailbox_content *content)
{
    struct mailbox_failure failure = { 0 };
    struct mbox_message message = {
        .sender = a->message.sender,
        .accepted_msec = a->message.accepted_msec,
        .content = *content,
    };

    if (mbox_append(place->mbox, root, path, &message, &failure))
        attempt_finish(a, IPC_OK, "2.0.0", "stored in the mailbox");
    else
        fail_as(a, &failure);
}

/* The folders of a file that an alias names are the administrator's: links may lead to it, but not be it. */
static void to_alias_file(struct attempt *a, const struct attempt_place *place, const struct mailbox_content *content)
{
    struct str path = a->message.command;
    size_t slash = str_rfind(path, '/');
    struct mailbox_failure failure = { 0 };
    const char *folder = arena_cstr(a->arena, str_head(path, slash ? slash : 1));

    if (!deliver_alias_allowed(place->config, &a->message, &failure)) {
        fail_as(a, &failure);
        return;
    }
    if (str_eq(path, STR("/dev/null"))) {
        attempt_finish(a, IPC_OK, "2.0.0", "discarded: the alias is /dev/null");
        return;
    }
    if (!folder || !str_starts(path, STR("/"))) {
        attempt_fail(a, "4.3.5", "the file of the alias is no absolute path");
        return;
    }
    int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0) {
        to_mbox(a, place, root, str_skip(path, slash + 1), content);
    } else {
        mailbox_fail_sys(&failure, errno, "the folder of the alias's file");
        fail_as(a, &failure);
    }
    fd_close(&root);
}

static void to_command(struct attempt *a, const struct attempt_place *place, const struct mailbox_content *content)
{
    struct mailbox_failure failure = { 0 };
    struct command_result result;
    struct mailbox_command command = {
        .content = *content,
        .limit_msec = COMMAND_LIMIT_MSEC,
        .grace_msec = COMMAND_GRACE_MSEC,
        .stop = place->stop,
    };

    if (!deliver_command(place->config, &a->message, place->account, a->arena, &command, &failure)) {
        fail_as(a, &failure);
        return;
    }
    mailbox_command_run(&command, &result);
    a->unknown = result.end == COMMAND_STOPPED;
    if (mailbox_command_verdict(&result, &failure))
        attempt_finish(a, IPC_OK, "2.0.0", "taken by the command");
    else
        fail_as(a, &failure);
}

/* ---- which one ---- */

static enum config_target_kind target_of(const struct attempt *a, const struct attempt_place *place)
{
    return place->config->routes[a->message.route].targets[0].kind;
}

/* Below a mail root only mailboxes, without one only commands and what aliases name: whoever started us decided. */
static bool is_ours(const struct attempt *a, const struct attempt_place *place, struct mailbox_failure *failure)
{
    bool commands = place->account != NULL;
    bool fits = commands;

    if (a->message.kind == IPC_DELIVERY_TARGET) {
        if (a->message.route >= place->config->n_routes)
            return mailbox_fail(failure, "4.3.5", "the configuration has changed");
        enum config_target_kind kind = target_of(a, place);
        fits = commands ? kind == CONFIG_TARGET_PIPE : kind == CONFIG_TARGET_MAILDIR || kind == CONFIG_TARGET_MBOX;
    }
    return fits || mailbox_fail(failure, "4.3.5", "this process does not deliver there");
}

static void to_mailbox(struct attempt *a, const struct attempt_place *place, const struct mailbox_content *content,
                       bool look)
{
    struct mailbox_failure failure = { 0 };
    struct str path;

    if (!deliver_path(place->config, &a->message, place->root, a->arena, &path, &failure))
        fail_as(a, &failure);
    else if (target_of(a, place) == CONFIG_TARGET_MBOX)
        to_mbox(a, place, place->root_fd, path, content);
    else
        to_maildir(a, place, path, content, look);
}

static void deliver(struct attempt *a, const struct attempt_place *place, struct str fields, bool look)
{
    const struct str pieces[] = { fields, a->message.head, a->message.body };
    const struct mailbox_content content = {
        .pieces = pieces,
        .n_pieces = ARRAY_LEN(pieces),
        .file = a->file,
        .file_size = a->message.file_size,
    };

    if (!place->account)
        to_mailbox(a, place, &content, look);
    else if (a->message.kind == IPC_DELIVERY_FILE)
        to_alias_file(a, place, &content);
    else
        to_command(a, place, &content); /* of a target, or of an alias */
}

void attempt_run(struct attempt *a, const struct attempt_place *place, bool look)
{
    struct mailbox_failure failure = { 0 };
    struct buf fields = BUF_INIT(FIELDS_MAX);

    if (!is_ours(a, place, &failure) || !no_loop(a, &failure))
        fail_as(a, &failure);
    else if (!message_return_path_write(&fields, a->message.sender) ||
             !message_delivered_to_write(&fields, a->message.address))
        attempt_fail(a, "4.3.1", "out of memory");
    else
        deliver(a, place, buf_str(&fields), look);
    buf_done(&fields);
}
