/*
 * What a message costs the spool itself: SESSIONS sessions that each commit, wait for the sync, and end their
 * message in a later batch. bench-spool [MESSAGES [SESSIONS [OCTETS [FOLDER]]]]
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "spool/disk.h"
#include "spool/spool.h"

struct session {
    struct spool_commit commit;
    struct spool_commit end;
    struct queue_id id;
};

static struct spool *spool;
static int wake_fd;
static unsigned long want, begun, done, ended, most;
static char *body;
static size_t body_octets;
static unsigned sessions, waiting;

static void on_wake(void *ctx)
{
    uint64_t one = 1;

    (void)ctx;
    if (write(wake_fd, &one, sizeof(one)) < 0)
        abort();
}

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void on_end(struct spool_commit *commit, const struct spool_result *result)
{
    (void)commit;
    ended += result->status == SPOOL_OK;
}

static void begin(struct session *s);

static void on_commit(struct spool_commit *commit, const struct spool_result *result)
{
    struct session *s = CONTAINER_OF(commit, struct session, commit);
    struct err err = { 0 };

    if (result->status != SPOOL_OK)
        exit(1);
    done++;
    waiting--;
    if (result->messages > most)
        most = result->messages;
    struct spool_batch *batch = spool_batch_new();
    must(batch && spool_batch_gone(batch, s->id), &err);
    struct spool_commit *end = &s->end;
    end->done = on_end;
    must(spool_submit(spool, batch, (struct spool_submit){ SPOOL_RIDES, true }, end, &err), &err);
    if (begun < want)
        begin(s);
}

static void begin(struct session *s)
{
    struct err err = { 0 };
    struct spool_batch *batch = spool_batch_new();
    struct spool_message m = {
        .envelope =
            STR("reverse-path=carol@example.net forward-path=ben@example.org client=203.0.113.7 and more"),
        .head =
            STR("Received: from mx3.example.net by mail.example.org; Sun, 22 Nov 2026 09:41:07 +0000\r\n"),
        .body = str_of(body, body_octets),
    };

    begun++;
    must(spool_take_ids(spool, 1, &s->id), &err);
    m.id = s->id;
    memcpy(m.token.octet, &m.id, sizeof(m.id));
    s->commit.done = on_commit;
    must(batch && spool_batch_message(batch, &m), &err);
    must(spool_submit(spool, batch, (struct spool_submit){ SPOOL_URGENT, false }, &s->commit, &err), &err);
    waiting++;
    spool_expect(spool, sessions - waiting < want - begun ? sessions - waiting : 0);
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/spool-bench-XXXXXX";
    const char *folder = argc > 4 ? argv[4] : mkdtemp(path);
    struct err err = { 0 };

    want = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    sessions = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 50;
    body_octets = argc > 3 ? strtoul(argv[3], NULL, 10) : 4096;
    body = malloc(body_octets);
    memset(body, 'x', body_octets);
    wake_fd = eventfd(0, EFD_CLOEXEC);
    struct spool_disk *disk = spool_disk_open(folder, &err);
    must(disk, &err);
    struct spool_options options = { .disk = disk, .wake = on_wake };
    spool = spool_open(&options, &err);
    must(spool, &err);
    struct session *all = calloc(sessions, sizeof(*all));
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < sessions && begun < want; i++)
        begin(&all[i]);
    while (ended < want) {
        uint64_t n;
        if (read(wake_fd, &n, sizeof(n)) < 0)
            return 1;
        spool_poll(spool);
    }
    wall = now(CLOCK_MONOTONIC) - wall;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    struct spool_figures f;
    spool_figures(spool, &f);
    printf(
        "%lu messages, %u sessions, %zu octets: %.0f/s, %.1f us CPU, %.3f syncs a message, most in one %lu, "
        "%u segments, %lu checkpoints\n",
        done, sessions, body_octets, (double)done / wall, cpu / (double)done * 1e6,
        (double)f.syncs / (double)done, most, f.segments, (unsigned long)f.checkpoints);
    spool_close(spool);
    spool = spool_open(&options, &err);
    must(spool, &err);
    const struct spool_recovered *r = spool_recovered(spool);
    printf("recovered %lu messages, %lu frames in %.1f ms %s\n", (unsigned long)r->messages,
           (unsigned long)r->frames, (double)r->usec / 1000, r->text);
    spool_close(spool);
    spool_disk_close(disk);
    free(all);
    free(body);
    return 0;
}
