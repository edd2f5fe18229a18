/* deliver/attempt.c -- a lease that outlives its message, and its result. */
#include "deliver/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "io/fd.h"

/* Beyond what the lease brings: header facts, a path, arguments and environment. */
enum { ARENA_OVERHEAD = 256 * 1024, TEXTS = 10 };

/* ---- what outlives the lease's message ---- */

static struct str *const *texts_of(struct ipc_lease *l, struct str *texts[TEXTS])
{
    texts[0] = &l->user;
    texts[1] = &l->detail;
    texts[2] = &l->domain;
    texts[3] = &l->address;
    texts[4] = &l->original;
    texts[5] = &l->sender;
    texts[6] = &l->head;
    texts[7] = &l->body;
    texts[8] = &l->command;
    texts[9] = &l->client;
    return texts;
}

static bool copy_texts(struct attempt *a)
{
    struct str *texts[TEXTS];

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
    struct str *texts[TEXTS];
    size_t n = 0;

    texts_of(&copy, texts);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        n += texts[i]->n + 1;
    return n;
}

/* It is needed when the rest is not any more. */
static void keep_voucher(struct attempt *a, struct str voucher)
{
    a->voucher_n = size_min(voucher.n, sizeof(a->voucher));
    if (a->voucher_n)
        memcpy(a->voucher, voucher.p, a->voucher_n);
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
    keep_voucher(a, lease->voucher);
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

void attempt_finish(struct attempt *a, enum ipc_result status, const char *code, const char *text)
{
    a->status = status;
    snprintf(a->code, sizeof(a->code), "%s", code);
    snprintf(a->text, sizeof(a->text), "%s", text);
    a->usec = io_clock_usec() - a->began_usec;
}

void attempt_fail(struct attempt *a, const char *code, const char *text)
{
    attempt_finish(a, code[0] == '5' ? IPC_PERM : IPC_TEMP, code, text);
}
