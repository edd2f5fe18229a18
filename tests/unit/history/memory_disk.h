/* tests/unit/history/memory_disk.h -- a disk in memory for the history: counted calls, of which one or all fail. */
#ifndef TESTS_MEMORY_DISK_H
#define TESTS_MEMORY_DISK_H

#include "history/disk.h"

enum { MEMORY_FILES = 512, MEMORY_NAME = 32 };

struct memory_file {
    char name[MEMORY_NAME]; /* empty: free */
    char *octets;
    size_t n;
    int64_t utc_msec;
};

struct memory_disk {
    struct history_disk disk;
    struct memory_file files[MEMORY_FILES];
    int64_t utc_msec;   /* the time of what is written now */
    uint64_t octets_free;
    unsigned calls;     /* that can fail */
    unsigned fails_at;  /* this call; 0: none */
    bool fails_on;      /* and all after it */
    int error;          /* with it; 0: ENOSPC */
    int open;           /* descriptors */
    size_t at_once;     /* octets that one read or write does; 0: all */
    uint64_t read;      /* octets, by all reads */
};

void memory_disk_init(struct memory_disk *m);
void memory_disk_done(struct memory_disk *m);
/* NULL: there is none. */
struct memory_file *memory_file_find(struct memory_disk *m, const char *name);
/* Made, or made to have N octets at FROM; NULL: out of memory. */
struct memory_file *memory_file_put(struct memory_disk *m, const char *name, const void *from, size_t n);

#endif
