/* spool/spool.h -- the messages this server answers for, on stable storage (DESIGN 5, docs/SPOOL.md). */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/id.h"
#include "core/list.h"
#include "core/str.h"

struct spool_disk; /* spool/disk.h */

/*
 * One owner thread makes all calls. Work is done by threads of the spool; what ends is kept until the owner
 * calls spool_poll(), and only there do callbacks run: never on another thread, never before the call that
 * started the work has returned. A callback may make any call but spool_poll() and spool_close().
 */
struct spool;

struct spool_clock {
    int64_t (*utc_msec)(const struct spool_clock *clock);
    int64_t (*boot_usec)(const struct spool_clock *clock); /* CLOCK_BOOTTIME */
};

/* The clock of the system. */
extern const struct spool_clock spool_clock_system;

/* Zero stands for the default in brackets, except where it says otherwise. */
struct spool_options {
    struct spool_disk *disk;         /* borrowed until spool_close() */
    const struct spool_clock *clock; /* borrowed; NULL is the system's */
    void (*wake)(void *ctx); /* from any thread: spool_poll() has something to do, or health changed */
    void *wake_ctx;
    /* [64 MiB; less below 1 GiB of disk] of one file of the log; a multiple of 4096, at least 16 KiB */
    uint32_t segment_octets;
    uint64_t min_free_octets;  /* 0: none. Below, new messages get SPOOL_NO_SPACE */
    uint64_t min_free_inodes;  /* 0: none */
    unsigned min_free_percent; /* of space and of inodes; 0: none */
    unsigned gather_usec;      /* [1000] longest wait for other sessions' messages */
    unsigned ride_msec;        /* [50] longest wait of a batch that rides along */
    unsigned retry_msec;       /* [30000] between tries to write again after a failure */
    unsigned own_files;        /* [8] empty own files kept ready */
    bool manual;               /* no threads; the owner makes each step (spool/engine.h). For simulation. */
};

/*
 * Take the spool in that folder, or make one where there is none, and recover: on return all that was ever
 * acknowledged is known and durable. May block for as long as reading the log takes. NULL with ERR: held by
 * another process (err->sys is EWOULDBLOCK), a newer format, damage that leaves no table of messages, or a disk that fails.
 */
MUST_USE struct spool *spool_open(const struct spool_options *options, struct err *err);
/*
 * Write what is queued, end every call by its callback (SPOOL_FAILED where it could not be done), write a
 * checkpoint, let go of the lock. Takes NULL. Runs callbacks.
 */
void spool_close(struct spool *spool);
/* Run the callbacks of what has ended. */
void spool_poll(struct spool *spool);

/*
 * Two random numbers of this spool for what PURPOSE says, the same in every run of it; nobody else can know them, nor learn
 * from them those of another purpose or what is on disk.
 */
void spool_key(const struct spool *spool, struct str purpose, uint64_t key[2]);

/* ---- after recovery ---- */

enum { SPOOL_TEXT_MAX = 200 };

struct spool_recovered {
    bool created;      /* there was no spool here */
    bool orderly;      /* the former run ended by spool_close(), with all of it on disk */
    uint64_t messages; /* live */
    uint64_t held;
    uint64_t damaged;        /* live messages that cannot be read whole, and are set aside */
    uint64_t lost_frames;    /* durable once, unreadable now: unknown messages were in them */
    uint64_t dropped_frames; /* tail: begun, never acknowledged */
    uint64_t dropped_records;
    uint64_t frames;  /* read after the checkpoint */
    uint64_t orphans; /* own files of no message, removed */
    int64_t usec;
    char text[SPOOL_TEXT_MAX]; /* what was dropped or damaged, for people, on one line; mostly empty */
};

const struct spool_recovered *spool_recovered(const struct spool *spool);

/*
 * Visit every live message, from memory alone, in the order in which their message records stand in the log: to read
 * them back in that order is to read the log from its beginning to its end. What ends while it goes on may or may
 * not be visited. VISIT may call the spool, but spool_poll() and spool_close(). False when memory is out.
 */
MUST_USE bool spool_list(struct spool *spool,
                         void (*visit)(void *ctx, struct queue_id id, bool held, bool damaged), void *ctx);

/* Random octets by which a session knows its commit again after a death of the queue process (DESIGN 3). */
enum { SPOOL_TOKEN_OCTETS = 16 };
struct spool_token {
    unsigned char octet[SPOOL_TOKEN_OCTETS];
};

enum spool_token_state {
    SPOOL_TOKEN_UNKNOWN,  /* never became durable: 451 */
    SPOOL_TOKEN_ACCEPTED, /* durable, be it waiting or done by now: 250 */
    SPOOL_TOKEN_VOID,     /* taken back: 451 */
};

/* About the newest 16384 messages, of this run and those before. *id is set unless unknown. */
enum spool_token_state spool_token_find(struct spool *spool, const struct spool_token *token,
                                        struct queue_id *id);

/* ---- ids ---- */

enum { SPOOL_IDS_MAX = 65536 };

/*
 * COUNT fresh ids (at most SPOOL_IDS_MAX): *first and those that follow it by counting. Never given before,
 * in no run. False when the numbers set aside on disk are used up and no more could be set aside yet: answer
 * 451.
 */
MUST_USE bool spool_take_ids(struct spool *spool, unsigned count, struct queue_id *first);

/* ---- writing ---- */

struct spool_message {
    struct queue_id id; /* of spool_take_ids(); the caller sees to it that two batches never have the same */
    struct spool_token token;
    int64_t accepted_utc_msec;
    struct str envelope;  /* tagged fields of message/envelope.h; opaque here */
    struct str head;      /* content: the block of fields we put in front */
    struct str body;      /* content: as received; empty when FILE is set */
    uint64_t file;        /* an own file that holds the body, 0 without */
    uint64_t file_octets; /* what was written there */
};

enum spool_status {
    SPOOL_OK,       /* all of it is on stable storage */
    SPOOL_NO_SPACE, /* none of it counts: 452 */
    SPOOL_FAILED,   /* none of it counts: 451 */
};

struct spool_result {
    enum spool_status status;
    unsigned messages; /* that shared the sync */
    int64_t sync_usec; /* how long writing and syncing took */
};

/* Embed it; done() runs once, in spool_poll(), and may free what it stands in. */
struct spool_commit {
    void (*done)(struct spool_commit *commit, const struct spool_result *result);
};

/*
 * Records that become durable together or not at all (INV-11). A batch belongs to the caller until it is
 * submitted. The adders borrow their octets until the callback; they return false when memory is out, and the
 * batch is as before.
 */
struct spool_batch;

struct spool_batch *spool_batch_new(void);        /* NULL when memory is out */
void spool_batch_free(struct spool_batch *batch); /* one not submitted; takes NULL */

MUST_USE bool spool_batch_message(struct spool_batch *batch, const struct spool_message *message);
/* The state of all recipients of a message. The highest VERSION rules; the first is 1. */
MUST_USE bool spool_batch_outcome(struct spool_batch *batch, struct queue_id id, uint32_t version,
                                  struct str state);
MUST_USE bool spool_batch_hold(struct spool_batch *batch, struct queue_id id, struct str reason);
MUST_USE bool spool_batch_release(struct spool_batch *batch, struct queue_id id, struct str reason);
/* A new envelope in place of the former; the content stays. */
MUST_USE bool spool_batch_edit(struct spool_batch *batch, struct queue_id id, struct str envelope);
/* Nothing is left to do: the message ends, its own file is unlinked once that is durable. */
MUST_USE bool spool_batch_gone(struct spool_batch *batch, struct queue_id id);
/* As gone, and counts as never accepted: its token is void. */
MUST_USE bool spool_batch_void(struct spool_batch *batch, struct queue_id id);

enum spool_urgency {
    SPOOL_URGENT, /* somebody waits: a client, or whoever reads a directory of reports */
    SPOOL_RIDES,  /* goes with the next frame; a frame of these alone is synced within ride_msec */
};

/*
 * A batch may be OWED: it has to become durable whatever happens (outcomes, a report with the outcome that
 * caused it). When the disk fails or is full an owed batch stays queued, and is written before anything else
 * when writing works again; it may use the reserve of space. It ends otherwise than by SPOOL_OK only in
 * spool_close(), or when an own file in it cannot be synced. A batch that is not owed fails at once, and its
 * ids are spent.
 */
struct spool_submit {
    enum spool_urgency urgency;
    bool owed;
};

/*
 * On true BATCH belongs to the spool and COMMIT's callback will come. False with ERR, and nothing changed: a
 * record names a message that is neither live nor in the batch, an id that was never taken or was used, a
 * file not lent; the batch is larger than a frame may be (spool_batch_max()); or memory is out.
 */
MUST_USE bool spool_submit(struct spool *spool, struct spool_batch *batch, struct spool_submit how,
                           struct spool_commit *commit, struct err *err);
/* The most octets of envelope, content in memory and state a batch may carry. */
size_t spool_batch_max(const struct spool *spool);

/*
 * So many sessions are now between DATA and their commit. A frame waits for them while they are more than
 * what is queued, gather_usec at most; at 0, the start, nothing waits.
 */
void spool_expect(struct spool *spool, unsigned sessions);

/* ---- own files: the body of a message above SPOOL_OWN_FILE octets ---- */

enum { SPOOL_OWN_FILE = 256 << 10 }; /* what is longer belongs there; it is the caller's to decide */

struct spool_file {
    uint64_t number; /* for struct spool_message, and to give it back */
    int fd;          /* open for reading and writing; the caller's, to lend and to close */
};

/* An empty file whose name is durable. False when none is ready: keep the content in memory or answer 452. */
MUST_USE bool spool_file_take(struct spool *spool, struct spool_file *file);
/* It will not be in any message, and is unlinked. One named in a submitted batch is the spool's. */
void spool_file_return(struct spool *spool, uint64_t number);

/* ---- reading back ---- */

enum {
    SPOOL_READ_ENVELOPE = 1,
    SPOOL_READ_STATE = 2,
    SPOOL_READ_CONTENT = 4,
    SPOOL_READ_HOLD = 8,
    SPOOL_READ_ANYWAY = 16, /* of a damaged one, what is left, for people to look at; never to be delivered */
};

enum spool_read_status {
    SPOOL_READ_OK,
    SPOOL_READ_GONE,    /* no live message */
    SPOOL_READ_DAMAGED, /* what is there does not match its checksum; no octet of it is given (but ANYWAY) */
    SPOOL_READ_FAILED,  /* the disk, descriptors or memory: try later */
};

/*
 * Embed it, set DONE, keep it until DONE ran; then everything below is set, and lives until
 * spool_read_done(), which the callback may call. Parts not asked for are empty; content is touched by
 * SPOOL_READ_CONTENT alone.
 */
struct spool_read {
    void (*done)(struct spool_read *read);

    enum spool_read_status status;
    struct str envelope;
    struct str state;
    uint32_t state_version;
    struct str head;
    struct str body; /* empty with an own file */
    int file;        /* the own file opened for reading, or -1; take it by setting -1 */
    uint64_t file_octets;
    struct str hold_reason; /* empty when not held */

    /* whatever parts were asked for */
    int64_t accepted_utc_msec;
    bool held;
    bool own_file;        /* the body has one */
    uint64_t head_octets; /* of the content: our own fields, then as received */
    uint64_t body_octets;

    /* the spool's own */
    struct list node;
    struct queue_id id;
    unsigned parts;
    char *octets[3];
    char *content;
};

void spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read);
/* The same, at once: it blocks. DONE is not called. */
void spool_read_now(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read);
void spool_read_done(struct spool *spool, struct spool_read *read);

/* ---- how it does ---- */

enum spool_health {
    SPOOL_HEALTH_OK,
    SPOOL_HEALTH_FULL,     /* new messages get SPOOL_NO_SPACE; outcomes are written from the reserve */
    SPOOL_HEALTH_REFUSING, /* a write or sync failed, and the next too: SPOOL_FAILED to all, lease nothing */
};

struct spool_figures {
    enum spool_health health;
    char cause[SPOOL_TEXT_MAX]; /* of the last failure: "fdatasync: Input/output error" */
    uint32_t failed_segment;    /* the file of the log that it met, 0: none; and the records of that frame */
    uint32_t failed_records;
    uint64_t failures; /* writes and syncs of the log that failed, so that a change is seen */
    uint64_t messages; /* live */
    uint64_t held;
    uint64_t damaged;
    uint32_t segments;      /* files of the log */
    uint32_t segments_free; /* of them ready for reuse */
    uint64_t log_octets;
    uint64_t committed; /* messages made durable in this run */
    uint64_t frames;
    uint64_t syncs;   /* of the log; equal to frames while nothing fails */
    uint64_t written; /* octets written to the log in this run */
    uint64_t checkpoints;
    bool cleaning;    /* what lives in some old segment is being copied forward */
    uint64_t cleaned; /* octets copied in this run */
};

void spool_figures(struct spool *spool, struct spool_figures *out);

#endif
