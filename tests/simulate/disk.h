/* tests/simulate/disk.h -- a disk that forgets what was not synced, tears, fails and fills up, by a seed. */
#ifndef TESTS_SIMULATE_DISK_H
#define TESTS_SIMULATE_DISK_H

#include "spool/disk.h"
#include "tests/simulate/random.h"

/* How a process ends. */
enum sim_end {
    SIM_END_PROCESS, /* what was written stays in the cache, synced or not */
    SIM_END_POWER,   /* of what was not synced anything or nothing is there, in pieces */
};

/* What of unsynced writes a loss of power leaves. */
enum sim_loss {
    SIM_LOSS_ALL,      /* nothing of it is there */
    SIM_LOSS_NOTHING,  /* all of it is */
    SIM_LOSS_SECTORS,  /* each sector of 512 octets or not */
    SIM_LOSS_ORDER,    /* the first ones, and the next one torn */
    SIM_LOSS_REVERSED, /* the last ones only */
    SIM_LOSS_FINE,     /* sectors, and some of them torn inside */
    SIM_LOSSES,
};

/* A disk that lies. The simulation has to find each of them. */
enum sim_mutant {
    SIM_HONEST,
    SIM_LIES_LOG,        /* a sync of a segment does nothing */
    SIM_LATE_LOG,        /* it is done when the next one is asked for: the same as a callback too early */
    SIM_LIES_OWN,        /* of an own file */
    SIM_LIES_CHECKPOINT, /* of a checkpoint */
    SIM_LIES_START,      /* of the start numbers */
    SIM_LIES_FOLDER,     /* of the folder */
    SIM_KEEPS_CACHE,     /* forget does nothing */
    SIM_FALSE_OCTET,     /* now and then one octet read is another */
    SIM_MUTANTS,
};

struct sim_disk {
    struct spool_disk disk;
    struct random random;
    enum sim_mutant mutant;
    enum sim_loss loss;

    /* the plan */
    unsigned long changes; /* calls that change something, so far */
    unsigned long cut_at;  /* dead within this one; 0: never */
    unsigned long calls;   /* of all kinds */
    unsigned long fail_at; /* this one fails with FAIL_ERRNO; 0: never */
    int fail_errno;
    unsigned fail_rate;  /* one in so many fails with EIO; 0: none */
    unsigned short_rate; /* one in so many writes is short; 0: none */
    uint64_t capacity;   /* octets of all files; 0: no bound */
    uint64_t other;      /* octets that somebody else has taken of them */

    bool dead;            /* everything fails until sim_disk_end() */
    unsigned long failed; /* calls that failed as planned */

    struct sim_inode *inodes;
    struct sim_names *now, *durable;
    struct sim_change *pending;
    struct sim_open *opens;
    size_t open_count;
};

struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *sim);
/* The process has ended: what it had open is closed, its lock is gone; the plan is cleared. */
void sim_disk_end(struct sim_disk *sim, enum sim_end end);
/* Write as who was lent FD does. */
int sim_disk_put(struct sim_disk *sim, int fd, const void *p, size_t n, uint64_t at);
/* Turn one octet of the medium over; false when there is no such file or octet. */
bool sim_disk_rot(struct sim_disk *sim, const char *name, uint64_t at);
uint64_t sim_disk_length(struct sim_disk *sim, const char *name); /* 0: none */
uint64_t sim_disk_octets(const struct sim_disk *sim); /* of all files */
bool sim_disk_remove(struct sim_disk *sim, const char *name);

#endif
