/*
 * How many messages a second one deliver process puts into Maildirs, each file and folder synced.
 *     bench-maildir [folder [messages [octets [mailboxes [threads]]]]]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/num.h"
#include "io/loop.h"
#include "mailbox/maildir.h"
#include "mailbox/pool.h"

struct bench {
    struct io_loop *loop;
    struct mailbox_store *store;
    struct mailbox_pool *pool;
    struct str content;
    uint64_t mailboxes;
    uint64_t left;
    uint64_t failed;
};

struct job {
    struct mailbox_job job;
    struct bench *bench;
    uint64_t number;
    bool ok;
};

static void run(struct mailbox_job *j, unsigned thread)
{
    struct job *job = CONTAINER_OF(j, struct job, job);
    struct bench *b = job->bench;
    struct mailbox_failure failure = { 0 };
    char path[32];
    int n = snprintf(path, sizeof(path), "example.org/u%d", (int)(job->number % b->mailboxes));
    struct maildir_message m = {
        .name = maildir_name(1700000000000, (struct queue_id){ job->number + 1 }, 1, STR("mail.example.org")),
        .content.pieces = &b->content,
        .content.n_pieces = 1,
        .content.file = -1,
    };

    (void)thread;
    job->ok = maildir_deliver(b->store, str_of(path, (size_t)n), &m, &failure) == MAILDIR_STORED;
    if (!job->ok)
        fprintf(stderr, "%s %s\n", failure.code, failure.err.text);
}

static void done(struct mailbox_job *j)
{
    struct job *job = CONTAINER_OF(j, struct job, job);
    struct bench *b = job->bench;

    b->failed += !job->ok;
    if (--b->left == 0)
        io_loop_stop(b->loop);
}

static uint64_t argument(char **argv, int argc, int at, uint64_t otherwise)
{
    uint64_t n;

    if (at >= argc)
        return otherwise;
    if (!num_parse_u64(str_from_c(argv[at]), 1000000000, &n) || n == 0) {
        fprintf(stderr, "not a count: %s\n", argv[at]);
        exit(2);
    }
    return n;
}

static char *content_of(size_t octets)
{
    char *p = malloc(octets);

    for (size_t i = 0; p && i < octets; i++)
        p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
    return p;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/veredus-bench-XXXXXX";
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    uint64_t messages = argument(argv, argc, 2, 2000);
    uint64_t octets = argument(argv, argc, 3, 4096);
    uint64_t threads = argument(argv, argc, 5, 32);
    struct err err = { 0 };
    struct bench b = { .mailboxes = argument(argv, argc, 4, 10), .left = messages };
    struct mailbox_store_options options = {
        .disk = &mailbox_disk_kernel,
        .root = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1,
        .folders = STORE_FOLDERS,
        .keep_msec = STORE_KEEP_MSEC,
    };
    struct job *jobs = calloc(messages, sizeof(*jobs));

    if (options.root < 0 || !jobs || threads > MAILBOX_POOL_THREADS)
        return 2;
    b.content = str_of(content_of(octets), octets);
    b.loop = io_loop_new(&err);
    b.pool = mailbox_pool_new(b.loop, (unsigned)threads, &err);
    b.store = mailbox_store_new(&options);

    int64_t start = io_clock_usec();
    for (uint64_t i = 0; i < messages; i++) {
        jobs[i] = (struct job){ .job = { .run = run, .done = done }, .bench = &b, .number = i };
        if (!mailbox_pool_add(b.pool, &jobs[i].job))
            return 1;
    }
    if (!io_loop_run(b.loop, &err))
        return 1;
    double took = (double)(io_clock_usec() - start) / 1e6;

    struct mailbox_store_figures figures = mailbox_store_figures(b.store);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("messages=%llu octets=%llu mailboxes=%llu threads=%llu failed=%llu seconds=%.3f per_second=%.0f "
           "file_syncs=%.2f folder_syncs=%.2f cpu_usec=%.0f\n",
           (unsigned long long)messages, (unsigned long long)octets, (unsigned long long)b.mailboxes,
           (unsigned long long)threads, (unsigned long long)b.failed, took, (double)messages / took,
           (double)figures.file_syncs / (double)messages, (double)figures.folder_syncs / (double)messages,
           (seconds(used.ru_utime) + seconds(used.ru_stime)) * 1e6 / (double)messages);
    mailbox_pool_free(b.pool);
    mailbox_store_free(b.store);
    io_loop_free(b.loop);
    free((char *)(uintptr_t)b.content.p);
    free(jobs);
    close(options.root);
    return b.failed ? 1 : 0;
}
