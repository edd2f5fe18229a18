/*
 * tests/simulate/threads.c -- the threads of the spool beside each other: while one is in a call to the disk, the others
 * and the owner take steps.
 *
 * Linked to simulate.c: the steps of the spool, the making of the world and the comparison are wrapped. What runs within
 * a step, and how often, is chosen by the seed; so a seed gives the same run again, and a run of it has no real thread.
 */
#include "tests/simulate/world.h"

enum kind { COMMIT, UPKEEP, CONTENT, KINDS };

enum { DEPTH_MAX = 6, CONTENT_THREADS_MAX = 2 };

static struct {
    struct world *world;
    struct random random;
    const struct spool_disk_ops *real;
    unsigned running[KINDS];
    unsigned depth;
    bool still;    /* what is compared does not move */
    bool owner_in; /* the owner is in a call of its own */
} side;

enum spool_step __real_spool_step_commit(struct spool *spool, int64_t *until_usec);
enum spool_step __real_spool_step_upkeep(struct spool *spool, int64_t *until_usec);
enum spool_step __real_spool_step_content(struct spool *spool);
void __real_world_init(struct world *w, uint64_t seed, enum sim_mutant mutant);
void __real_world_check(struct world *w);
void __real_world_end(struct world *w, enum sim_end end);
enum spool_step __wrap_spool_step_commit(struct spool *spool, int64_t *until_usec);
enum spool_step __wrap_spool_step_upkeep(struct spool *spool, int64_t *until_usec);
enum spool_step __wrap_spool_step_content(struct spool *spool);
void __wrap_world_init(struct world *w, uint64_t seed, enum sim_mutant mutant);
void __wrap_world_check(struct world *w);
void __wrap_world_end(struct world *w, enum sim_end end);

/* ---- one step of each kind, and no second one of it meanwhile ---- */

enum spool_step __wrap_spool_step_commit(struct spool *spool, int64_t *until_usec)
{
    side.running[COMMIT]++;
    enum spool_step done = __real_spool_step_commit(spool, until_usec);
    side.running[COMMIT]--;
    return done;
}

enum spool_step __wrap_spool_step_upkeep(struct spool *spool, int64_t *until_usec)
{
    side.running[UPKEEP]++;
    enum spool_step done = __real_spool_step_upkeep(spool, until_usec);
    side.running[UPKEEP]--;
    return done;
}

enum spool_step __wrap_spool_step_content(struct spool *spool)
{
    side.running[CONTENT]++;
    enum spool_step done = __real_spool_step_content(spool);
    side.running[CONTENT]--;
    return done;
}

/* ---- meanwhile ---- */

static void owner_acts(struct world *w)
{
    side.owner_in = true;
    switch (random_below(&side.random, 4)) {
    case 0:
        world_accept(w, (uint32_t)random_below(&side.random, 900), random_one_in(&side.random, 6), false);
        break;
    case 1:
        spool_want_checkpoint(w->spool);
        break;
    case 2:
        spool_poll(w->spool);
        break;
    default:
        world_change(w);
    }
    side.owner_in = false;
}

static void other_acts(struct world *w)
{
    int64_t until;

    switch (random_below(&side.random, KINDS)) {
    case COMMIT:
        if (!side.running[COMMIT])
            (void)__wrap_spool_step_commit(w->spool, &until);
        break;
    case UPKEEP:
        if (!side.running[UPKEEP])
            (void)__wrap_spool_step_upkeep(w->spool, &until);
        break;
    default:
        if (side.running[CONTENT] < CONTENT_THREADS_MAX)
            (void)__wrap_spool_step_content(w->spool);
    }
}

/* Some thread is in a call to the disk, and holds no lock. */
static void meanwhile(void)
{
    struct world *w = side.world;
    bool any = side.running[COMMIT] || side.running[UPKEEP] || side.running[CONTENT];

    if (!any || side.still || side.owner_in || side.depth == DEPTH_MAX || !w->spool || w->closing)
        return;
    side.depth++;
    for (uint64_t n = random_below(&side.random, 4); n > 0 && !w->disk->dead && !w->wrong; n--) {
        if (random_one_in(&side.random, 3))
            owner_acts(w);
        else
            other_acts(w);
        w->boot_usec += (int64_t)random_below(&side.random, 3000);
    }
    side.depth--;
}

/* ---- the disk ---- */

static int side_open(struct spool_disk *disk, const char *name, enum spool_open_how how, int *fd)
{
    meanwhile();
    return side.real->open(disk, name, how, fd);
}

static int side_pread(struct spool_disk *disk, int fd, void *to, size_t n, uint64_t at, size_t *done)
{
    meanwhile();
    return side.real->pread(disk, fd, to, n, at, done);
}

static int side_pwritev(struct spool_disk *disk, int fd, const struct iovec *iov, int count, uint64_t at, size_t *done)
{
    meanwhile();
    return side.real->pwritev(disk, fd, iov, count, at, done);
}

static int side_sync(struct spool_disk *disk, int fd)
{
    meanwhile();
    int e = side.real->sync(disk, fd);
    meanwhile();
    return e;
}

static int side_unlink(struct spool_disk *disk, const char *name)
{
    meanwhile();
    return side.real->unlink(disk, name);
}

static int side_sync_folder(struct spool_disk *disk)
{
    int e = side.real->sync_folder(disk);

    meanwhile();
    return e;
}

/* ---- where it is put in ---- */

void __wrap_world_init(struct world *w, uint64_t seed, enum sim_mutant mutant)
{
    static struct spool_disk_ops ops;

    __real_world_init(w, seed, mutant);
    side.world = w;
    side.random.state = seed ^ 0x51de;
    if (!side.real) {
        side.real = w->disk->disk.ops;
        ops = *side.real;
        ops.open = side_open;
        ops.pread = side_pread;
        ops.pwritev = side_pwritev;
        ops.sync = side_sync;
        ops.unlink = side_unlink;
        ops.sync_folder = side_sync_folder;
    }
    w->disk->disk.ops = &ops;
}

void __wrap_world_check(struct world *w)
{
    side.still = true;
    __real_world_check(w);
    side.still = false;
}

void __wrap_world_end(struct world *w, enum sim_end end)
{
    side.still = true;
    __real_world_end(w, end);
    side.still = false;
}
