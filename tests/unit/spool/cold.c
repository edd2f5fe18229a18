/*
 * How long a spool of many deferred messages takes to open from a cold cache, to be listed, and to be read
 * back.
 *
 * bench-spool-cold make FOLDER [MESSAGES [OCTETS]]   messages of so many octets, each deferred once; ended by
 * a kill bench-spool-cold open FOLDER                       cold and warm, then listed bench-spool-cold read
 * FOLDER [AT-ONCE [CONTENT]]   all envelopes and states, in the order of the log
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/num.h"
#include "spool/disk.h"
#include "spool/spool.h"

enum { STATE_OCTETS = 260, ENVELOPE_OCTETS = 300 };

static struct spool *spool;
static struct spool_disk *disk;
static int wake_fd;

static void on_wake(void *ctx)
{
    uint64_t one = 1;

    (void)ctx;
    if (write(wake_fd, &one, sizeof(one)) < 0)
        abort();
}

static void turn(void)
{
    uint64_t n;

    if (read(wake_fd, &n, sizeof(n)) < 0)
        abort();
    spool_poll(spool);
}

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long resident_kib(void)
{
    long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void open_it(const char *folder)
{
    struct err err = { 0 };

    if (!disk)
        disk = spool_disk_open(folder, &err);
    must(disk, &err);
    struct spool_options options = { .disk = disk, .wake = on_wake };
    spool = spool_open(&options, &err);
    must(spool, &err);
}

/* ---- make ---- */

static unsigned under_way;

static void on_done(struct spool_commit *commit, const struct spool_result *result)
{
    free(commit);
    under_way--;
    if (result->status != SPOOL_OK)
        exit(1);
}

static void submit(struct spool_batch *batch)
{
    struct err err = { 0 };
    struct spool_commit *commit = malloc(sizeof(*commit));

    commit->done = on_done;
    must(spool_submit(spool, batch, (struct spool_submit){ SPOOL_URGENT, true }, commit, &err), &err);
    under_way++;
    while (under_way > 8)
        turn();
}

static void accept_some(uint64_t count, const char *octets, size_t n)
{
    struct err err = { 0 };
    struct queue_id first;
    struct spool_batch *messages = spool_batch_new(), *states = spool_batch_new();

    while (!spool_take_ids(spool, (unsigned)count, &first))
        usleep(1000);
    for (uint64_t i = 0; i < count; i++) {
        struct queue_id id = { first.n + i };
        struct spool_message m = { .id = id,
                                   .accepted_utc_msec = 1,
                                   .envelope = str_of(octets, ENVELOPE_OCTETS),
                                   .head = str_of(octets, 200),
                                   .body = str_of(octets, n - 200) };
        memcpy(m.token.octet, &id, sizeof(id));
        must(spool_batch_message(messages, &m) &&
                 spool_batch_outcome(states, id, 1, str_of(octets, STATE_OCTETS)),
             &err);
    }
    submit(messages);
    while (under_way)
        turn();
    submit(states);
}

static void make(const char *folder, uint64_t count, size_t octets, uint64_t together)
{
    char *body = malloc(octets);

    memset(body, 'x', octets);
    open_it(folder);
    for (uint64_t i = 0; i < count; i += together)
        accept_some(count - i < together ? count - i : together, body, octets);
    while (under_way)
        turn();
    struct spool_figures f;
    spool_figures(spool, &f);
    printf("%lu messages in %u segments, %lu checkpoints\n", (unsigned long)f.messages, f.segments,
           (unsigned long)f.checkpoints);
    fflush(stdout);
    _exit(0); /* as kill -9: no checkpoint at the end */
}

/* ---- open ---- */

static void cool(void)
{
    sync();
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "3", 1) < 0)
        fprintf(stderr, "the caches could not be dropped: what follows is warm\n");
    if (fd >= 0)
        close(fd);
}

static void on_listed(void *ctx, struct queue_id id, bool held, bool damaged)
{
    (void)id;
    *(uint64_t *)ctx += !held && !damaged;
}

static void open_and_list(const char *folder)
{
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    long before = resident_kib();

    open_it(folder);
    const struct spool_recovered *r = spool_recovered(spool);
    printf("opened in %.3f s (%.3f s CPU), %lu messages, %lu frames replayed, %ld KiB more %s\n",
           now(CLOCK_MONOTONIC) - wall, now(CLOCK_PROCESS_CPUTIME_ID) - cpu, (unsigned long)r->messages,
           (unsigned long)r->frames, resident_kib() - before, r->text);
    uint64_t listed = 0;
    wall = now(CLOCK_MONOTONIC);
    if (!spool_list(spool, on_listed, &listed))
        abort();
    printf("listed %lu in %.3f s\n", (unsigned long)listed, now(CLOCK_MONOTONIC) - wall);
}

/* ---- read ---- */

static struct queue_id *ids;
static uint64_t id_count, next_id, reads;
static unsigned parts;

static void on_id(void *ctx, struct queue_id id, bool held, bool damaged)
{
    (void)ctx;
    (void)held;
    (void)damaged;
    ids[id_count++] = id;
}

static void on_read(struct spool_read *read)
{
    if (read->status != SPOOL_READ_OK)
        abort();
    spool_read_done(spool, read);
    reads++;
    if (next_id < id_count)
        spool_read(spool, ids[next_id++], parts, read);
}

static void read_all(const char *folder, unsigned at_once)
{
    struct spool_read *all = calloc(at_once, sizeof(*all));
    struct spool_figures f;

    open_it(folder);
    spool_figures(spool, &f);
    ids = malloc((f.messages + 1) * sizeof(*ids));
    if (!spool_list(spool, on_id, NULL))
        abort();
    for (int turns = 0; turns < 2; turns++) {
        double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        next_id = reads = 0;
        for (unsigned i = 0; i < at_once && next_id < id_count; i++) {
            all[i].done = on_read;
            spool_read(spool, ids[next_id++], parts, &all[i]);
        }
        while (reads < id_count)
            turn();
        wall = now(CLOCK_MONOTONIC) - wall;
        printf("%lu reads, %u at once: %.0f/s, %.2f us CPU each\n", (unsigned long)reads, at_once,
               (double)reads / wall, (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)reads * 1e6);
    }
    free(all);
    free(ids);
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000, octets = 6500, together = 50;
    struct str what = str_from_c(argc > 1 ? argv[1] : "");

    wake_fd = eventfd(0, EFD_CLOEXEC);
    if (argc < 3)
        return 2;
    if (argc > 3 && !num_parse_u64(str_from_c(argv[3]), UINT32_MAX, &count))
        return 2;
    if (argc > 4 && !num_parse_u64(str_from_c(argv[4]), UINT32_MAX, &octets))
        return 2;
    if (argc > 5 && !num_parse_u64(str_from_c(argv[5]), UINT32_MAX, &together))
        return 2;
    parts = SPOOL_READ_ENVELOPE | SPOOL_READ_STATE | (argc > 4 ? SPOOL_READ_CONTENT : 0U);
    if (str_eq(what, STR("make"))) {
        make(argv[2], count, octets, together);
    } else if (str_eq(what, STR("open"))) {
        cool();
        open_and_list(argv[2]);
        fflush(stdout);
        _exit(0);
    } else if (str_eq(what, STR("read"))) {
        read_all(argv[2], argc > 3 ? (unsigned)count : 256);
        fflush(stdout);
        _exit(0);
    }
    return 2;
}
