/*
 * tests/simulate/simulate.c -- the spool over a disk that ends, lies and fails at every point (docs/SPOOL.md
 * 7).
 *
 * test-simulate                 the fast part
 * test-simulate --every         small scripts, ended within every change of the disk, in every way
 * test-simulate --runs N [--seed S]   N long runs by chance; a seed gives the same run again
 * test-simulate --mutants       each disk that lies has to be found
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "tests/simulate/world.h"

/* How the first life of a script ends, and the recovery after it. */
struct way {
    const char *name;
    enum sim_end end;
    enum sim_loss loss;
    bool again; /* recovery is ended as well, by power, within each of its first changes in turn */
};

static const struct way ways[] = {
    { "process", SIM_END_PROCESS, SIM_LOSS_ALL, false },
    { "power, all lost", SIM_END_POWER, SIM_LOSS_ALL, false },
    { "power, nothing lost", SIM_END_POWER, SIM_LOSS_NOTHING, false },
    { "power, sectors", SIM_END_POWER, SIM_LOSS_SECTORS, false },
    { "power, in order", SIM_END_POWER, SIM_LOSS_ORDER, false },
    { "power, reversed", SIM_END_POWER, SIM_LOSS_REVERSED, false },
    { "power, torn", SIM_END_POWER, SIM_LOSS_FINE, false },
    { "process, then power in recovery", SIM_END_PROCESS, SIM_LOSS_SECTORS, true },
    { "power, then power in recovery", SIM_END_POWER, SIM_LOSS_FINE, true },
};

static struct world_counts total;

static void count(const struct world_counts *c)
{
    const unsigned long *from = (const unsigned long *)c;
    unsigned long *to = (unsigned long *)&total;

    for (size_t i = 0; i < sizeof(*c) / sizeof(*from); i++)
        to[i] += from[i];
}

static bool report(struct world *w, const char *what, uint64_t seed, unsigned long at)
{
    bool ok = !w->wrong;

    if (!ok)
        printf("WRONG %s seed %llu at %lu: %s: %s\n", what, (unsigned long long)seed, at, w->wrong,
               w->detail);
    count(&w->counts);
    return ok;
}

/* ---- scripts: ended within every change ---- */

/* Several frames, both kinds of content, all kinds of change, a checkpoint, the reuse of segments. */
static void script(struct world *w, unsigned length)
{
    for (unsigned i = 0; i < length && !w->disk->dead && !w->wrong; i++) {
        world_accept(w, 100 + i * 37, false, false);
        if (i % 3 == 0)
            world_accept(w, 2500, true, false);
        if (i % 2)
            world_change(w);
        if (i % 4 == 3)
            spool_want_checkpoint(w->spool);
        world_settle(w);
    }
}

/* Start again until it works; the second start may be ended too. */
static bool recover(struct world *w, const struct way *way, unsigned long again)
{
    if (way->again) {
        w->disk->loss = (enum sim_loss)(again % SIM_LOSSES);
        w->disk->cut_at = 1 + again % 4;
        bool open = world_open(w);
        w->counts.ends_in_recovery++;
        if (open && !w->disk->dead)
            world_check(w);
        world_end(w, SIM_END_POWER);
    }
    if (!world_open(w))
        return false;
    world_check(w);
    return true;
}

/* False when CUT_AT lies behind the end of the script. */
static bool one_end(uint64_t seed, unsigned length, const struct way *way, unsigned long cut_at, bool *ok)
{
    struct world w;

    world_init(&w, seed, SIM_HONEST);
    w.disk->cut_at = cut_at;
    if (world_open(&w))
        script(&w, length);
    bool within = w.disk->dead;
    w.disk->loss = way->loss;
    if (within) {
        world_end(&w, way->end);
        if (recover(&w, way, cut_at)) {
            script(&w, 2); /* it goes on */
            world_end(&w, SIM_END_PROCESS);
            if (world_open(&w))
                world_check(&w); /* and what was recovered is recovered again (INV-13) */
        } else if (!w.wrong) {
            w.wrong = "recovery failed on a good disk";
        }
    }
    *ok = report(&w, way->name, seed, cut_at);
    if (w.spool)
        world_end(&w, SIM_END_PROCESS);
    world_done(&w);
    return within;
}

static bool every_end(uint64_t seed, unsigned length)
{
    bool ok = true, good;

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        for (unsigned long at = 1; one_end(seed, length, &ways[i], at, &good); at++)
            ok &= good;
        ok &= good;
    }
    return ok;
}

/* ---- runs by chance ---- */

static void plan(struct world *w)
{
    struct random *r = &w->random;
    struct sim_disk *d = w->disk;

    d->loss = (enum sim_loss)random_below(r, SIM_LOSSES);
    d->cut_at = random_one_in(r, 2) ? 1 + random_below(r, 300) : 0;
    d->short_rate = random_one_in(r, 3) ? 4 : 0;
    w->faults = random_one_in(r, 3);
    w->space_short = random_one_in(r, 5);
    d->fail_rate = w->faults ? 10 + (unsigned)random_below(r, 200) : 0;
    uint64_t places = w->space_short ? 4 + random_below(r, 6) : 0;
    d->capacity = places * w->options.segment_octets;
    w->options.min_free_octets = places % 2 ? w->options.segment_octets : 0;
}

/* Now and then somebody else takes of a disk that is short, and gives it back. */
static void others(struct world *w, uint64_t left)
{
    bool take = w->disk->capacity && left % 90 >= 60;

    w->disk->other = take ? 2 * (uint64_t)w->options.segment_octets : 0;
}

static bool is_honest(const struct world *w)
{
    return w->disk->mutant == SIM_HONEST;
}

/* Checkpoints before anything is written: where the log goes on must not be taken for dead. */
static void rest(struct world *w)
{
    int64_t until;

    for (int i = 0; i < 3; i++) {
        spool_want_checkpoint(w->spool);
        for (int n = 0; n < 20 && spool_step_upkeep(w->spool, &until) == SPOOL_STEP_DONE; n++)
            ;
    }
}

/* After a good life both checkpoints are good; either is enough. */
static void rot_checkpoint(struct world *w)
{
    const char *name = random_one_in(&w->random, 2) ? "checkpoint-a" : "checkpoint-b";

    if (sim_disk_length(w->disk, "checkpoint-a") && sim_disk_length(w->disk, "checkpoint-b"))
        (void)sim_disk_rot(w->disk, name, 20);
}

/* One life of the process: it starts, works, ends somehow. */
static void life(struct world *w)
{
    plan(w);
    unsigned rate = w->disk->fail_rate;
    w->disk->fail_rate = random_one_in(&w->random, 3) ? rate : 0;
    bool open = world_open(w);
    w->disk->fail_rate = 0;
    if (open && !w->disk->dead) {
        unsigned long cut = w->disk->cut_at;
        w->disk->cut_at = 0;
        world_check(w);
        w->disk->cut_at = cut;
        w->disk->fail_rate = rate;
        if (random_one_in(&w->random, 4))
            rest(w);
        uint64_t most = random_one_in(&w->random, 8) ? 3000 : 300;
        for (uint64_t n = random_below(&w->random, most); n > 0 && !w->disk->dead && !w->wrong; n--) {
            others(w, n);
            world_step(w);
        }
    } else {
        w->counts.ends_in_recovery++;
    }
    bool good = is_honest(w) && open && !w->faults && !w->space_short && !w->disk->cut_at;
    unsigned long before = w->counts.checkpoints;
    if (open && !w->disk->dead && random_one_in(&w->random, 4))
        world_close(w);
    else
        world_end(w, random_one_in(&w->random, 2) ? SIM_END_POWER : SIM_END_PROCESS);
    if (good && w->counts.checkpoints > before && random_one_in(&w->random, 2))
        rot_checkpoint(w);
    if (random_one_in(&w->random, 6)) { /* the process, and before anybody starts it again the power */
        sim_disk_end(w->disk, SIM_END_POWER);
        w->counts.ends_power++;
    }
}

static bool one_run(uint64_t seed, enum sim_mutant mutant, bool quiet)
{
    struct world w;
    unsigned long lives = 0;

    world_init(&w, seed, mutant);
    for (uint64_t n = 2 + random_below(&w.random, 8); n > 0 && !w.wrong; n--, lives++)
        life(&w);
    w.faults = w.space_short = false;
    w.disk->capacity = w.disk->other = 0;
    if (!w.wrong && world_open(&w)) {
        world_check(&w);
        if (!w.wrong && is_honest(&w))
            world_settle(&w);
        world_close(&w);
    }
    bool ok = quiet ? !w.wrong : report(&w, "run", seed, lives);
    if (w.spool)
        world_end(&w, SIM_END_PROCESS);
    world_done(&w);
    return ok;
}

/* Seeds that found something. Their way changes with the code: each has a test or a mutant of its own, too. */
static const struct {
    uint64_t seed;
    const char *what;
} named[] = {
    { 20, "a segment used again after one checkpoint" },
    { 48, "a copy of what has changed since it was read" },
    { 83, "a checkpoint read on after a read of it had failed" },
    { 624, "an edit made while the copy of its message waited" },
    { 5018631, "a refusal of what a failed frame could yet make true" },
};

static bool named_runs(void)
{
    bool ok = true;

    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        if (one_run(named[i].seed, SIM_HONEST, false))
            continue;
        printf("found by it once: %s\n", named[i].what);
        ok = false;
    }
    return ok;
}

static bool runs(uint64_t seed, uint64_t n)
{
    bool ok = true;

    for (uint64_t i = 0; i < n; i++)
        ok &= one_run(seed + i, SIM_HONEST, false);
    return ok;
}

/* ---- disks that lie ---- */

static bool mutants(uint64_t seed)
{
    static const char *const names[SIM_MUTANTS] = {
        [SIM_LIES_LOG] = "a sync of the log left out",
        [SIM_LATE_LOG] = "a sync of the log too late",
        [SIM_LIES_OWN] = "a sync of own files left out",
        [SIM_LIES_CHECKPOINT] = "a sync of checkpoints left out",
        [SIM_LIES_START] = "a sync of the start numbers left out",
        [SIM_LIES_FOLDER] = "a sync of the folder left out",
        [SIM_KEEPS_CACHE] = "recovery reads from the cache",
        [SIM_FALSE_OCTET] = "octets change on the way",
    };
    enum { TRIES = 3000 };
    bool ok = true;

    for (int m = SIM_HONEST + 1; m < SIM_MUTANTS; m++) {
        unsigned tries = 0;
        while (tries < TRIES && one_run(seed + tries, (enum sim_mutant)m, true))
            tries++;
        printf("%s: %s after %u runs\n", names[m], tries < TRIES ? "found" : "NOT FOUND", tries + 1);
        ok &= tries < TRIES;
    }
    return ok;
}

/* ---- */

static void print_total(void)
{
    printf("ends: %lu of the process, %lu of power, %lu orderly, %lu in recovery, %lu starts refused\n",
           total.ends_process, total.ends_power, total.ends_orderly, total.ends_in_recovery,
           total.ends_failed_open);
    printf("%lu messages, %lu batches (%lu refused), %lu frames, %lu read back, %lu checkpoints, %lu turns "
           "latched, "
           "%lu tails dropped, %lu times round the log; %lu octets copied forward, %lu ends while cleaning\n",
           total.messages, total.batches, total.refused, total.frames, total.reads, total.checkpoints,
           total.latched, total.dropped, total.rounds, total.cleaned, total.in_cleaning);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, n = 40;
    bool every = false, liars = false, ok = true;

    for (int i = 1; i < argc; i++) {
        struct str a = str_from_c(argv[i]);
        bool value = i + 1 < argc;
        if (str_eq(a, STR("--every")))
            every = true;
        else if (str_eq(a, STR("--mutants")))
            liars = true;
        else if (str_eq(a, STR("--seed")) && value &&
                 num_parse_u64(str_from_c(argv[i + 1]), UINT64_MAX, &seed))
            i++;
        else if (str_eq(a, STR("--runs")) && value && num_parse_u64(str_from_c(argv[i + 1]), UINT64_MAX, &n))
            i++;
        else
            return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (liars)
        return mutants(seed) ? 0 : 1;
    if (every)
        for (uint64_t s = 0; s < 4; s++)
            ok &= every_end(seed + s, 12);
    else
        ok &= every_end(seed, 2) && named_runs();
    ok &= runs(seed, n);
    print_total();
    return ok ? 0 : 1;
}
