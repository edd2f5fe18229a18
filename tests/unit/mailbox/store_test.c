/* Many deliveries at once: the group commit of a folder, and the pool of threads. */
#include "tests/unit/mailbox/box.h"

#include <errno.h>
#include <pthread.h>

#include "core/bug.h"
#include "mailbox/pool.h"

/* A disk that counts the syncs begun on each descriptor, and can fail them. */
struct counting {
    struct mailbox_disk disk;
    pthread_mutex_t lock;
    unsigned begun[1024];
    bool fail;
};

static int counted_sync(const struct mailbox_disk *d, int fd)
{
    struct counting *c = CONTAINER_OF((uintptr_t)d, struct counting, disk);

    pthread_mutex_lock(&c->lock);
    assert_true(fd < 1024);
    c->begun[fd]++;
    bool fail = c->fail;
    pthread_mutex_unlock(&c->lock);
    sched_yield();
    if (!fail)
        return mailbox_disk_kernel.sync(&mailbox_disk_kernel, fd);
    errno = EIO;
    return -1;
}

static void counting_init(struct counting *c)
{
    *c = (struct counting){ .disk = mailbox_disk_kernel };
    c->disk.sync = counted_sync;
    pthread_mutex_init(&c->lock, NULL);
}

static unsigned begun(struct counting *c, int fd)
{
    pthread_mutex_lock(&c->lock);
    unsigned n = c->begun[fd];
    pthread_mutex_unlock(&c->lock);
    return n;
}

struct syncer {
    struct counting *counting;
    struct mailbox_store *store;
    unsigned bad;
};

/* Each call must see a sync that began after it. */
static void *sync_often(void *arg)
{
    struct syncer *s = arg;
    struct mailbox_failure failure = { 0 };

    for (int i = 0; i < 50; i++) {
        bool kept;
        struct mailbox_open *open = mailbox_store_lend(s->store, STR("u"), &kept, &failure);
        int fd = mailbox_open_folder(open)->new;
        unsigned before = begun(s->counting, fd);
        int r = mailbox_store_sync_new(s->store, open);
        s->bad += r != (s->counting->fail ? EIO : 0) || begun(s->counting, fd) <= before;
        mailbox_store_release(s->store, open);
    }
    return NULL;
}

static void run_syncers(bool fail)
{
    struct box b = box_make();
    struct counting counting;
    struct mailbox_failure failure = { 0 };
    pthread_t threads[8];
    bool kept;

    counting_init(&counting);
    struct mailbox_store *store = box_store(&b, &counting.disk);
    mailbox_store_release(store, mailbox_store_lend(store, STR("u"), &kept, &failure));
    counting.fail = fail;
    struct syncer s[8];
    for (int i = 0; i < 8; i++) {
        s[i] = (struct syncer){ &counting, store, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, sync_often, &s[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(s[i].bad, 0);
    }
    /* Never more than one a call; one more made the folder durable. */
    assert_true(mailbox_store_figures(store).folder_syncs <= 8 * 50 + 1 + 5);
    mailbox_store_free(store);
    box_drop(&b);
}

static void a_folder_sync_counts_only_for_those_who_waited_before_it(void **state)
{
    (void)state;
    run_syncers(false);
}

static void a_failed_folder_sync_fails_all_who_waited_for_it(void **state)
{
    (void)state;
    run_syncers(true);
}

static void a_moved_mailbox_is_looked_up_anew(void **state)
{
    struct box b = box_make();
    struct mailbox_store_options options = { .disk = &mailbox_disk_kernel, .root = b.fd, .folders = 4 };
    struct mailbox_store *store = mailbox_store_new(&options);
    struct mailbox_failure failure = { 0 };
    bool kept;

    (void)state;
    mailbox_store_release(store, mailbox_store_lend(store, STR("u"), &kept, &failure));
    assert_false(kept);
    assert_int_equal(renameat(b.fd, "u", b.fd, "elsewhere"), 0);
    mailbox_store_release(store, mailbox_store_lend(store, STR("u"), &kept, &failure));
    assert_false(kept);
    assert_int_equal(faccessat(b.fd, "u/new", F_OK, 0), 0);
    mailbox_store_free(store);
    box_drop(&b);
}

/* ---- the pool ---- */

enum { JOBS = 300, BOXES = 7, THREADS = 8 };

struct delivery {
    struct mailbox_job job;
    struct mailbox_store *store;
    struct io_loop *loop;
    unsigned *left;
    unsigned number;
    enum maildir_result result;
};

static void run_delivery(struct mailbox_job *job, unsigned thread)
{
    struct delivery *d = CONTAINER_OF(job, struct delivery, job);
    struct mailbox_failure failure = { 0 };
    char path[16];
    struct str piece = STR("x\r\n");
    int n = snprintf(path, sizeof(path), "u%u", d->number % BOXES);
    struct maildir_message m = {
        .name = maildir_name(0, (struct queue_id){ d->number + 1 }, 1, STR("mail")),
        .content.pieces = &piece,
        .content.n_pieces = 1,
        .content.file = -1,
    };

    d->result = thread < THREADS ? maildir_deliver(d->store, str_of(path, (size_t)n), &m, &failure)
                                 : MAILDIR_FAILED;
}

static void delivery_done(struct mailbox_job *job)
{
    struct delivery *d = CONTAINER_OF(job, struct delivery, job);

    if (--*d->left == 0)
        io_loop_stop(d->loop);
}

static void a_pool_delivers_all_it_was_given(void **state)
{
    struct box b = box_make();
    struct err err = { 0 };
    struct mailbox_store *store = box_store(&b, &mailbox_disk_kernel);
    struct io_loop *loop = io_loop_new(&err);
    struct mailbox_pool *pool = mailbox_pool_new(loop, THREADS, &err);
    struct delivery *d = calloc(JOBS, sizeof(*d));
    unsigned left = JOBS;
    size_t found = 0;

    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        d[i] = (struct delivery){ { .run = run_delivery, .done = delivery_done }, store, loop, &left, i, 0 };
        assert_true(mailbox_pool_add(pool, &d[i].job));
    }
    assert_int_equal(left, JOBS);
    assert_true(io_loop_run(loop, &err));
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(d[i].result, MAILDIR_STORED);
    for (unsigned i = 0; i < BOXES; i++) {
        char path[16];
        snprintf(path, sizeof(path), "u%u/new", i);
        found += box_count(&b, path, NULL);
    }
    assert_int_equal(found, JOBS);
    assert_int_equal(mailbox_store_figures(store).file_syncs, JOBS);
    free(d);
    mailbox_pool_free(pool);
    io_loop_free(loop);
    mailbox_store_free(store);
    box_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_sync_counts_only_for_those_who_waited_before_it),
        cmocka_unit_test(a_failed_folder_sync_fails_all_who_waited_for_it),
        cmocka_unit_test(a_moved_mailbox_is_looked_up_anew),
        cmocka_unit_test(a_pool_delivers_all_it_was_given),
    };

    return cmocka_run_group_tests_name("mailbox/store", tests, NULL, NULL);
}
