/*
 * tests/simulate/relay.c -- the real queue and spool, on a simulated disk and clock, between processes that the
 * simulation plays: receive, lookup, resolve and send processes, which die like the queue itself (DESIGN 3, 5, 6).
 *
 * test-relay --runs N [--seed S]     N runs by chance; a seed gives the same run again
 *
 * In each run messages come, are leased, fail, are reported; send processes die, the queue dies, the power goes; the
 * configuration changes, the administrator holds and removes, the clock leaps, memory is short. At the
 * end everything calms down, and then of every message that was acknowledged each recipient has it, or its sender has
 * one report about him. Nothing is leased twice at a time; nothing arrives twice but after an attempt of which nobody
 * could say how it ended (DESIGN 3, Twice).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/parse.h"
#include "core/num.h"
#include "queue/queue.h"
#include "spool/engine.h"
#include "spool/format.h"
#include "tests/simulate/disk.h"
#include "tests/simulate/loop.h"
#include "tests/simulate/wire.h"

enum {
    TARGETS_MAX = 9000,
    MESSAGES_MAX = 1500,
    CURRENT = 2, /* send processes of the configuration in force */
    EXPIRE_MSEC = 2 * 24 * 3600 * 1000,
    SENDERS = 4, /* and those of the former one, which end what they have */
    CONNECTIONS_MAX = 128,
    TRANSFERS_MAX = 1024,
    RECIPIENTS_MAX = 5,
    RECIPIENTS_MANY = 150,
    RECIPIENTS_MOST = 3000,
    OWN_OCTETS = 20000, /* of a body in a file of its own */
    RECIPIENTS_LEASED = 100, /* to a transfer */
    DOMAINS = 6,
};

#define EDITED_DOMAIN "@edited.example"
#define EDITED_SENDER "editor@ours.example"

/* A recipient of a message that was given to the queue. */
struct target {
    size_t message;
    uint32_t number;
    unsigned domain; /* of its address */
    bool listed;     /* it has a sender of its own */
    unsigned delivered;
    bool may_twice;  /* an attempt ended of which nobody could say how */
    unsigned long doubted; /* in which life of the queue that was; */
    bool said;             /* a record of it since then */
    bool refused;    /* a peer said 5yz for good */
    bool old_null;   /* its own reverse-path is the empty one: no report, at most the postmaster hears of it */
    uint64_t report; /* id of the message that tells of its failure */
};

enum taken { TAKEN_UNKNOWN, TAKEN_YES, TAKEN_NO };

/* Of one of its recipients, once; UNKNOWN: the queue died before it answered. */
enum edited { EDITED_NEVER, EDITED_ASKED, EDITED_UNKNOWN, EDITED_NOT, EDITED_DONE };

struct given {
    uint64_t id;
    struct spool_token token;
    enum taken taken; /* UNKNOWN: the answer is not there, or got lost */
    bool late;        /* refused, though it stands: the queue died before it could take it back (docs/adr/0006) */
    bool removed; /* or bounced: by the administrator */
    enum edited edited;
    uint32_t edited_number;
    int64_t since_msec;
    size_t first, n;
    uint64_t octets; /* of its own file; 0: it has none */
};

struct lent_out {
    bool used;
    uint64_t lease, id, connection;
    uint32_t numbers[RECIPIENTS_LEASED];
    char voucher[RECIPIENTS_LEASED * IPC_VOUCHER_OCTETS];
    size_t voucher_n;
    uint8_t results[RECIPIENTS_LEASED];
    size_t n;
    bool finished; /* told, and not called settled */
    bool in_doubt;
};

struct sender {
    struct ipc_channel *channel;
    uint32_t instance;
    struct {
        uint64_t id;
        bool open;
    } connections[CONNECTIONS_MAX];
    struct lent_out transfers[TRANSFERS_MAX];
};

static struct {
    struct random random;
    struct sim_disk *disk;
    struct spool_clock clock;
    struct io_loop *loop;
    struct arena *arena;
    struct config_bundle bundles[2];
    const struct config *configs[2]; /* a reload goes from one to the other */
    struct worker worker;
    struct ipc_channel *receive, *lookup, *resolve, *control;
    struct sender senders[SENDERS];
    uint32_t instances;
    struct given given[MESSAGES_MAX];
    size_t n_given;
    struct target targets[TARGETS_MAX];
    size_t n_targets;
    bool calm;
    bool leapt;      /* the clock on the wall */
    bool short_of_memory, postmaster_is_busy;
    bool duplicate_said;
    unsigned long deaths_send, deaths_queue, deaths_power, transfers, twice, reports, acts, edits, reloads, expired, owns, lies;
    unsigned long lives; /* of the queue */
    char wrong[400];
} sim;

static void wrong(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void wrong(const char *fmt, ...)
{
    va_list ap;

    if (sim.wrong[0])
        return;
    va_start(ap, fmt);
    vsnprintf(sim.wrong, sizeof(sim.wrong), fmt, ap);
    va_end(ap);
}

static uint64_t below(uint64_t n)
{
    return random_below(&sim.random, n);
}

static bool one_in(uint64_t n)
{
    return random_one_in(&sim.random, n);
}

static struct queue *queue(void)
{
    return sim.worker.state;
}

/* ---- the spool of the queue, by hand ---- */

static int64_t sim_utc(const struct spool_clock *clock)
{
    (void)clock;
    return io_wall_msec();
}

static int64_t sim_boot(const struct spool_clock *clock)
{
    (void)clock;
    return io_now_msec(sim.loop) * 1000;
}

struct spool *__real_spool_open(const struct spool_options *options, struct err *err);
struct spool *__wrap_spool_open(const struct spool_options *options, struct err *err);
struct spool *__wrap_spool_open(const struct spool_options *options, struct err *err)
{
    struct spool_options small = *options;

    small.segment_octets = 1 << 20;
    small.min_free_percent = 0;
    small.manual = true;
    small.disk = &sim.disk->disk;
    small.clock = &sim.clock;
    return __real_spool_open(&small, err);
}

/* Memory is out, now and then; not where a message is taken back: it would stay until the next queue. */
bool __real_spool_submit(struct spool *spool, struct spool_batch *batch, struct spool_submit how,
                         struct spool_commit *commit, struct err *err);
bool __wrap_spool_submit(struct spool *spool, struct spool_batch *batch, struct spool_submit how,
                         struct spool_commit *commit, struct err *err);
bool __wrap_spool_submit(struct spool *spool, struct spool_batch *batch, struct spool_submit how,
                         struct spool_commit *commit, struct err *err)
{
    bool takes_back = how.owed && how.urgency == SPOOL_URGENT;

    if (!sim.calm && !takes_back && one_in(60))
        return err_temp(err, "out of memory");
    return __real_spool_submit(spool, batch, how, commit, err);
}

struct spool_disk *__wrap_spool_disk_open(const char *path, struct err *err);
struct spool_disk *__wrap_spool_disk_open(const char *path, struct err *err)
{
    (void)path;
    (void)err;
    return &sim.disk->disk;
}

/* Descriptors are the simulated disk's; those in frames stay behind. */
void __wrap_fd_close(int *fd);
void __wrap_fd_close(int *fd)
{
    if (*fd >= 0)
        sim.disk->disk.ops->close(&sim.disk->disk, *fd);
    *fd = -1;
}

static void spool_step(void)
{
    int64_t until = 0;

    switch (below(4)) {
    case 0:
        (void)spool_step_upkeep(queue()->spool, &until);
        break;
    case 1:
        (void)spool_step_content(queue()->spool);
        break;
    default:
        (void)spool_step_commit(queue()->spool, &until);
    }
    sim_loop_turn(sim.loop);
}

/* ---- the model ---- */

static struct given *given_by_id(uint64_t id)
{
    for (size_t i = sim.n_given; i > 0; i--)
        if (sim.given[i - 1].id == id)
            return &sim.given[i - 1];
    return NULL;
}

static struct target *target_of(uint64_t id, uint32_t number)
{
    struct given *g = given_by_id(id);

    return g && number >= 1 && number <= g->n ? &sim.targets[g->first + number - 1] : NULL;
}

static bool holds(const struct lent_out *t, uint64_t id, uint32_t number)
{
    for (size_t i = 0; t->used && t->id == id && i < t->n; i++)
        if (t->numbers[i] == number)
            return true;
    return false;
}

static struct lent_out *held_somewhere(uint64_t id, uint32_t number)
{
    for (size_t s = 0; s < SENDERS; s++)
        for (size_t i = 0; i < TRANSFERS_MAX; i++)
            if (holds(&sim.senders[s].transfers[i], id, number))
                return &sim.senders[s].transfers[i];
    return NULL;
}

/* DESIGN 3, Twice: whoever has it a second time has his record. */
void __real_record_duplicate(const struct message *m, const struct recipient *r, const char *cause);
void __wrap_record_duplicate(const struct message *m, const struct recipient *r, const char *cause);
void __wrap_record_duplicate(const struct message *m, const struct recipient *r, const char *cause)
{
    struct target *t = target_of(m->id.n, r->number);

    if (t)
        t->said = true;
    __real_record_duplicate(m, r, cause);
}

/* ---- a message comes ---- */

/* Recipients that came by a list have its owner as their sender, or nobody. */
static void put_recipients(struct envelope_recipient *r, size_t n, bool null_sender, struct arena *a)
{
    bool listed = one_in(8);

    for (size_t i = 0; i < n; i++) {
        unsigned domain = (unsigned)below(DOMAINS);
        r[i] = (struct envelope_recipient){
            .number = (uint32_t)i + 1,
            .local = arena_printf(a, "r%zu", sim.n_targets),
            .domain = arena_printf(a, "d%u.example", domain),
        };
        r[i].original = arena_printf(a, "%.*s@%.*s", STR_ARG(r[i].local), STR_ARG(r[i].domain));
        r[i].has_sender = listed && one_in(2);
        if (r[i].has_sender && !one_in(4))
            r[i].sender = arena_printf(a, "owner%u@%s.example", (unsigned)below(80), one_in(2) ? "ours" : "lists");
        sim.targets[sim.n_targets++] = (struct target){
            .message = sim.n_given,
            .number = (uint32_t)i + 1,
            .domain = domain,
            .listed = r[i].has_sender,
            .old_null = r[i].has_sender ? !r[i].sender.n : null_sender,
        };
    }
}

static size_t some_recipients(void)
{
    /* Its envelope alone is more than what is left when memory is short. */
    if (one_in(2000))
        return RECIPIENTS_MOST;
    return one_in(200) ? RECIPIENTS_MANY : 1 + below(RECIPIENTS_MAX);
}

/* FILE: the number of an own file for the body, 0 without. */
static void give_message(uint64_t file)
{
    static struct envelope_recipient recipients[RECIPIENTS_MOST];
    size_t n = some_recipients();
    bool null_sender = one_in(12);
    struct queue_id id;

    if (sim.n_given == MESSAGES_MAX || sim.n_targets + n > TARGETS_MAX || !spool_take_ids(queue()->spool, 1, &id))
        return;
    struct arena *a = arena_new(4 << 20);
    memset(recipients, 0, sizeof(recipients));
    struct given *g = &sim.given[sim.n_given];
    *g = (struct given){ .id = id.n, .first = sim.n_targets, .n = n, .since_msec = io_now_msec(sim.loop) };
    for (size_t i = 0; i < sizeof(g->token.octet); i++)
        g->token.octet[i] = (unsigned char)random_next(&sim.random);
    put_recipients(recipients, n, null_sender, a);
    struct str sender = null_sender ? STR_NONE : one_in(2) ? STR("s@sender.example") : STR("anna@ours.example");
    struct envelope e = { .sender = sender, .recipients = recipients, .n_recipients = n, .header_octets = 14, .size = 19 };
    struct buf envelope = BUF_INIT(1 << 20);
    if (!envelope_encode(&envelope, &e))
        abort();
    sim.n_given++;
    g->octets = file ? OWN_OCTETS : 0;
    wire_say(&sim.worker, sim.receive, IPC_COMMIT_ASK,
             &(struct ipc_commit_ask){
                 .ticket = sim.n_given - 1,
                 .id = id.n,
                 .handed_usec = (uint64_t)io_clock_usec(),
                 .token = str_of((char *)g->token.octet, sizeof(g->token.octet)),
                 .envelope = buf_str(&envelope),
                 .head = STR("Received: x\r\n"),
                 .body = file ? STR_NONE : STR("Subject: y\r\n\r\nz\r\n"),
                 .file = file,
                 .file_size = g->octets,
             });
    buf_done(&envelope);
    arena_free(a);
}

static void ask_for_file(void)
{
    wire_say(&sim.worker, sim.receive, IPC_FILE_ASK, &(struct ipc_file_ask){ .ticket = 1 });
}

/* The body is written, and then its message committed. */
static void file_is_lent(const struct ipc_file_answer *answer)
{
    static const char body[OWN_OCTETS] = "Subject: y\r\n\r\nlarge";
    struct spool_disk *disk = &sim.disk->disk;
    int fd;

    if (answer->status != IPC_STORED)
        return;
    if (disk->ops->open(disk, spool_own_name(answer->file).c, SPOOL_OPEN_WRITE, &fd))
        abort();
    (void)sim_disk_put(sim.disk, fd, body, sizeof(body), 0);
    disk->ops->close(disk, fd);
    sim.owns++;
    give_message(answer->file);
}

/* ---- what the others answer ---- */

static void receive_hears(const struct ipc_message *m)
{
    if (m->type == IPC_COMMIT_ANSWER)
        sim.given[m->commit_answer.ticket].taken = m->commit_answer.status == IPC_STORED ? TAKEN_YES : TAKEN_NO;
    if (m->type == IPC_FILE_ANSWER)
        file_is_lent(&m->file_answer);
}

static void lookup_hears(const struct ipc_message *m)
{
    if (m->type == IPC_EXPAND_ASK) {
        wire_say(&sim.worker, sim.lookup, IPC_EXPAND_ANSWER,
                 &(struct ipc_expand_answer){ .ticket = m->expand_ask.ticket, .refused = 1 });
        return;
    }
    bool ours = str_eq(m->route_ask.domain, STR("ours.example"));
    struct ipc_route_answer a = {
        .ticket = m->route_ask.ticket,
        .generation = sim.worker.generation,
        .route = ours ? (uint32_t)sim.worker.config->n_routes - 2 : (uint32_t)sim.worker.config->n_routes - 1,
        .domain_index = ours ? (uint32_t)sim.worker.config->n_domains - 1 : IPC_NO_DOMAIN,
        .user = m->route_ask.local,
        .domain = m->route_ask.domain,
        .rule = STR("default"),
    };
    if (!sim.calm && one_in(40)) {
        a.status = IPC_TEMP;
        a.code = STR("4.3.0");
        a.text = STR("a table is away");
    }
    wire_say(&sim.worker, sim.lookup, IPC_ROUTE_ANSWER, &a);
}

static void resolve_hears(const struct ipc_message *m)
{
    struct route_plan_address addresses[2];
    struct route_plan plan = { .addresses = addresses, .n = 2 };
    struct buf octets = BUF_INIT(4096);
    struct ipc_plan_answer a = {
        .ticket = m->plan_ask.ticket,
        .generation = sim.worker.generation,
        .keep_msec = 60000 + below(600000),
    };

    /* Some domains share their hosts. */
    unsigned host = m->plan_ask.domain.n > 2 ? (unsigned char)m->plan_ask.domain.p[1] % 4 : 9;
    char names[2][20];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(names[i], sizeof(names[i]), "mx%u-%u.example", host, i);
        addresses[i] = (struct route_plan_address){ .host = str_from_c(names[i]), .port = 25, .preference = 10 };
        addresses[i].address.family = IP_V4;
    }
    if (!route_plan_encode(&octets, &plan))
        abort();
    a.plan = buf_str(&octets);
    if (!sim.calm && one_in(6)) {
        a.status = one_in(2) ? IPC_PLAN_OUTAGE : IPC_PLAN_TEMP;
        a.reason = LOG_REASON_DNS;
        a.code = STR("4.4.3");
        a.text = STR("no answer");
    }
    wire_say(&sim.worker, sim.resolve, IPC_PLAN_ANSWER, &a);
    buf_done(&octets);
}

/* ---- send ---- */

static void report_seen(uint64_t id, struct str body)
{
    static const struct str mark = STR_INIT("Final-Recipient: rfc822; r");

    if (!str_contains(body, STR("Action: failed")))
        return;
    for (size_t i = 0; i + mark.n < body.n; i++) {
        if (memcmp(body.p + i, mark.p, mark.n) != 0)
            continue;
        size_t n = strtoul(body.p + i + mark.n, NULL, 10);
        if (n >= sim.n_targets) {
            wrong("a report about somebody unknown");
            return;
        }
        struct target *t = &sim.targets[n];
        /* A report that could not be returned tells of itself, and its recipients are ours and s@: they have no number. */
        if (t->report && t->report != id)
            wrong("recipient %zu is told of twice", n);
        t->report = id;
        sim.reports++;
    }
}

static size_t connection_at(const struct sender *s, uint64_t id)
{
    size_t i = 0;

    while (i < CONNECTIONS_MAX && s->connections[i].id != id)
        i++;
    return i;
}

static void put_results(const struct lent_out *t, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++) {
        char fixed[13] = { 0 };
        le32_put(fixed, t->numbers[i]);
        fixed[4] = (char)t->results[i];
        buf_add(out, str_of(fixed, sizeof(fixed)));
    }
}

static void tell(struct sender *s, struct lent_out *t)
{
    struct buf results = BUF_INIT(4096);

    t->finished = true;
    put_results(t, &results);
    wire_say(&sim.worker, s->channel, IPC_TRANSFERRED,
             &(struct ipc_transferred){
                 .lease = t->lease,
                 .id = t->id,
                 .in_doubt = t->in_doubt,
                 .count = (uint32_t)t->n,
                 .results = buf_str(&results),
             });
    buf_done(&results);
}

/* Once an edit was answered its recipient has the new address and sender, over all that dies; before that it may. */
static void edited_arrives(const struct ipc_transfer *t, const struct given *g, uint32_t number, struct str address)
{
    const struct target *target = target_of(t->id, number);
    bool is_new = str_ends(address, STR(EDITED_DOMAIN));

    if (!g || g->edited_number != number || !target)
        return;
    if (g->edited == EDITED_DONE && !is_new)
        wrong("message %zu recipient %u was edited, and goes to its former address", (size_t)(g - sim.given), number);
    if (g->edited == EDITED_NOT && is_new)
        wrong("message %zu recipient %u was not edited, and goes to another address", (size_t)(g - sim.given), number);
    if (is_new && !target->listed && !str_eq(t->sender, STR(EDITED_SENDER)))
        wrong("message %zu recipient %u was edited by half", (size_t)(g - sim.given), number);
}

static void lease_arrives(struct sender *s, const struct ipc_transfer *t)
{
    struct lent_out *slot = NULL;
    struct str rest = t->recipients;

    for (size_t i = 0; i < TRANSFERS_MAX && !slot; i++)
        slot = s->transfers[i].used ? NULL : &s->transfers[i];
    if (!slot || t->count > RECIPIENTS_LEASED)
        abort();
    struct lent_out lent = { .lease = t->lease, .id = t->id, .connection = t->connection };
    if (t->voucher.n > sizeof(lent.voucher))
        abort();
    memcpy(lent.voucher, t->voucher.p, t->voucher.n);
    lent.voucher_n = t->voucher.n;
    bool comes_late = connection_at(s, t->connection) == CONNECTIONS_MAX; /* its connection was gone before it came */
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t number = le32_get(rest.p);
        struct target *target = target_of(t->id, number);
        struct given *g = given_by_id(t->id);
        size_t address_n = le16_get(rest.p + 4);
        if (!comes_late)
            edited_arrives(t, g, number, str_slice(rest, 6, 6 + address_n));
        rest = str_skip(rest, 6 + address_n);
        lent.numbers[lent.n++] = number;
        struct lent_out *other = held_somewhere(t->id, number);
        if (other && !other->finished && !comes_late)
            wrong("message %zu recipient %u is leased twice at a time", g ? (size_t)(g - sim.given) : 9999, number);
        if (!target || comes_late)
            continue;
        if (g->taken == TAKEN_NO && !g->late)
            wrong("message %zu was refused, and is delivered", (size_t)(g - sim.given));
        if (target->delivered && !target->may_twice)
            wrong("message %zu recipient %u is delivered already", (size_t)(g - sim.given), number);
        if (t->file_size != g->octets)
            wrong("message %zu has %zu octets in a file, and not %zu", (size_t)(g - sim.given), (size_t)t->file_size,
                  (size_t)g->octets);
    }
    lent.used = true;
    *slot = lent;
    sim.transfers++;
    if (!given_by_id(t->id))
        report_seen(t->id, t->body);
    if (comes_late) {
        memset(slot->results, IPC_AGAIN, sizeof(slot->results));
        tell(s, slot);
    }
}

static void settled(struct sender *s, uint64_t lease)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++)
        if (s->transfers[i].used && s->transfers[i].lease == lease && !s->transfers[i].finished)
            wrong("a lease in progress is called settled");
        else if (s->transfers[i].used && s->transfers[i].lease == lease)
            s->transfers[i].used = false;
}

static void close_connection(struct sender *s, size_t at, bool orderly)
{
    uint64_t id = s->connections[at].id;

    s->connections[at].id = 0;
    wire_say(&sim.worker, s->channel, IPC_CONNECTION_CLOSED,
             &(struct ipc_connection_closed){ .connection = id, .orderly = orderly });
}

static bool has_work(const struct sender *s, uint64_t connection)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++)
        if (s->transfers[i].used && !s->transfers[i].finished && s->transfers[i].connection == connection)
            return true;
    return false;
}

static void send_hears(struct sender *s, const struct ipc_message *m)
{
    size_t at;

    switch (m->type) {
    case IPC_OPEN_ASK:
        at = connection_at(s, 0);
        if (at == CONNECTIONS_MAX)
            abort();
        s->connections[at].id = m->open_ask.connection;
        s->connections[at].open = false;
        break;
    case IPC_TRANSFER:
        lease_arrives(s, &m->transfer);
        break;
    case IPC_SETTLED:
        settled(s, m->settled.lease);
        break;
    case IPC_CLOSE_CONNECTION:
        at = connection_at(s, m->close_connection.connection);
        if (at < CONNECTIONS_MAX && !has_work(s, m->close_connection.connection))
            close_connection(s, at, true);
        break;
    default:
        break;
    }
}

/* ---- how transfers end ---- */

static void arrived(struct lent_out *t, size_t i)
{
    struct target *target = target_of(t->id, t->numbers[i]);

    if (!target || !target->delivered++)
        return;
    sim.twice++;
    /* A queue that comes after the one which saw it, or dies with it, cannot know (docs/adr/0010). */
    if (target->doubted == sim.lives && !target->said && !sim.leapt)
        wrong("message %zu recipient %u arrived again, and no record tells of it", target->message, target->number);
}

static void may_come_twice(const struct lent_out *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct target *target = target_of(t->id, t->numbers[i]);
        /* Once for each attempt: a process that dies with a doubt which it told of adds none. */
        bool told = t->in_doubt && t->finished;
        if (!target || (told && (target->said || target->doubted == sim.lives)))
            continue;
        target->may_twice = true;
        target->said = false;
        target->doubted = sim.lives;
    }
}

static void by_chance(struct lent_out *t)
{
    /* Some of the model's recipients never work, all else in the end does. */
    for (size_t i = 0; i < t->n; i++) {
        struct target *target = target_of(t->id, t->numbers[i]);
        bool never = target && (size_t)(target - sim.targets) % 11 == 0;
        t->results[i] = IPC_OK;
        if (never && (sim.calm || one_in(2)))
            t->results[i] = IPC_PERM;
        else if (!sim.calm && one_in(4))
            t->results[i] = one_in(5) ? IPC_AGAIN : IPC_TEMP;
        if (t->results[i] == IPC_PERM)
            target->refused = true;
    }
}

static void transfer_ends(struct sender *s, struct lent_out *t)
{
    by_chance(t);
    for (size_t i = 0; i < t->n; i++)
        if (t->results[i] == IPC_OK)
            arrived(t, i);
    tell(s, t);
}

/* The final dot was out, and nobody says what became of it. */
static void transfer_doubtful(struct sender *s, struct lent_out *t)
{
    bool got_it = one_in(2);

    t->in_doubt = true;
    for (size_t i = 0; i < t->n; i++) {
        t->results[i] = IPC_TEMP;
        if (got_it)
            arrived(t, i);
    }
    may_come_twice(t);
    tell(s, t);
}

static void give_back_all(struct sender *s, uint64_t connection)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct lent_out *t = &s->transfers[i];
        if (!t->used || t->finished || t->connection != connection)
            continue;
        memset(t->results, IPC_AGAIN, sizeof(t->results));
        tell(s, t);
    }
}

static void connection_lost(struct sender *s, size_t at)
{
    uint64_t id = s->connections[at].id;

    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct lent_out *t = &s->transfers[i];
        if (t->used && !t->finished && t->connection == id) {
            transfer_doubtful(s, t);
            break;
        }
    }
    give_back_all(s, id);
    close_connection(s, at, false);
}

static void connection_opens(struct sender *s, size_t at)
{
    struct ipc_open_answer a = { .connection = s->connections[at].id };

    if (!sim.calm && one_in(3)) {
        a.status = IPC_TEMP;
        a.reason = LOG_REASON_CONNECT;
        a.text = STR("connection refused");
        if (one_in(2))
            give_back_all(s, a.connection);
        s->connections[at].id = 0;
        wire_say(&sim.worker, s->channel, IPC_OPEN_ANSWER, &a);
        give_back_all(s, a.connection);
        return;
    }
    s->connections[at].open = true;
    wire_say(&sim.worker, s->channel, IPC_OPEN_ANSWER, &a);
}

static void send_works(void)
{
    struct sender *s = &sim.senders[below(SENDERS)];
    size_t at = below(CONNECTIONS_MAX), first = at;

    if (!s->channel)
        return;
    while (!s->connections[at].id)
        if ((at = (at + 1) % CONNECTIONS_MAX) == first)
            return;
    if (!s->connections[at].open) {
        connection_opens(s, at);
        return;
    }
    if (!sim.calm && one_in(30)) {
        connection_lost(s, at);
        return;
    }
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct lent_out *t = &s->transfers[i];
        if (!t->used || t->finished || t->connection != s->connections[at].id)
            continue;
        transfer_ends(s, t);
        return;
    }
}

/* ---- deaths and births ---- */

static void sender_tells(struct sender *s)
{
    uint32_t count = 0;

    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct lent_out *t = &s->transfers[i];
        struct buf results = BUF_INIT(4096);
        if (!t->used)
            continue;
        count++;
        if (t->finished)
            put_results(t, &results);
        wire_say(&sim.worker, s->channel, IPC_TRANSFER_KEPT,
                 &(struct ipc_transfer_kept){
                     .lease = t->lease,
                     .id = t->id,
                     .voucher = str_of(t->voucher, t->voucher_n),
                     .finished = t->finished,
                     .in_doubt = t->in_doubt,
                     .count = t->finished ? (uint32_t)t->n : 0,
                     .results = buf_str(&results),
                 });
        buf_done(&results);
    }
    if (s->channel->closed)
        wrong("what was leased is not believed: %s", s->channel->why);
    wire_say(&sim.worker, s->channel, IPC_KEPT_END, &(struct ipc_kept_end){ .count = count });
}

static void sender_up(struct sender *s)
{
    s->channel = wire_new(&sim.worker, PROCESS_SEND, s->instance);
    queue_service.peer_up(&sim.worker, s->channel);
    sender_tells(s);
}

static void sender_is_born(struct sender *s)
{
    *s = (struct sender){ .instance = ++sim.instances };
    sender_up(s);
}

/* What it had in hand may have got through; what it kept is known to nobody else. */
static void sender_forgets(struct sender *s)
{
    for (size_t i = 0; i < TRANSFERS_MAX; i++) {
        struct lent_out *t = &s->transfers[i];
        if (!t->used)
            continue;
        if (!t->finished && one_in(2))
            for (size_t k = 0; k < t->n; k++)
                arrived(t, k);
        may_come_twice(t);
    }
}

static void channel_ends(struct ipc_channel *c)
{
    for (size_t i = 0; i < sim.worker.n_peers; i++)
        if (sim.worker.peers[i] == c)
            sim.worker.peers[i] = sim.worker.peers[--sim.worker.n_peers];
    c->closed = true;
    queue_service.peer_down(&sim.worker, c);
    wire_cut(&sim.worker, c);
    sim_loop_turn(sim.loop);
}

/* Those of a former configuration are not started again. */
static void sender_ends(struct sender *s)
{
    struct ipc_channel *c = s->channel;

    sender_forgets(s);
    *s = (struct sender){ 0 };
    channel_ends(c);
}

static void sender_dies(void)
{
    struct sender *s = &sim.senders[below(SENDERS)];

    if (!s->channel)
        return;
    sim.deaths_send++;
    sender_ends(s);
    if (s < &sim.senders[CURRENT])
        sender_is_born(s);
}

static struct ipc_channel *helper_is_born(enum process_kind kind)
{
    struct ipc_channel *c = wire_new(&sim.worker, kind, ++sim.instances);

    queue_service.peer_up(&sim.worker, c);
    return c;
}

static void helper_dies(void)
{
    bool lookup = one_in(2);

    channel_ends(lookup ? sim.lookup : sim.resolve);
    *(lookup ? &sim.lookup : &sim.resolve) = helper_is_born(lookup ? PROCESS_LOOKUP : PROCESS_RESOLVE);
}

/* ---- another configuration, and what the administrator does ---- */

static void reload(void)
{
    sim.reloads++;
    sim.worker.generation++;
    sim.worker.config = sim.configs[sim.worker.generation % 2];
    for (size_t i = 0; i < CURRENT; i++) {
        if (sim.senders[CURRENT + i].channel)
            sender_ends(&sim.senders[CURRENT + i]);
        sim.senders[CURRENT + i] = sim.senders[i];
    }
    queue_service.reconfigured(&sim.worker);
    sim_loop_turn(sim.loop);
    for (size_t i = 0; i < CURRENT; i++)
        sender_is_born(&sim.senders[i]);
}

static void act(enum ipc_act verb, const struct given *g)
{
    char id[8];

    sim.acts++;
    if (g)
        le64_put(id, g->id);
    wire_say(&sim.worker, sim.control, IPC_QUEUE_ACT_ASK,
             &(struct ipc_queue_act_ask){
                 .verb = (uint8_t)verb,
                 .ids = g ? str_of(id, sizeof(id)) : STR_NONE,
                 .account = STR("root"),
                 .from = !sim.calm && one_in(4) ? STR("*") : STR_NONE,
             });
}

static void add_counted(struct buf *out, struct str s)
{
    char n[2];

    le16_put(n, (uint16_t)s.n);
    buf_add(out, str_of(n, sizeof(n)));
    buf_add(out, s);
}

/* Another sender, and another address for one recipient. */
static void administrator_edits(struct given *g)
{
    const struct target *t = &sim.targets[g->first + below(g->n)];
    struct buf change = BUF_INIT(1000);
    char local[20], domain[20];

    if (g->edited != EDITED_NEVER)
        return;
    snprintf(local, sizeof(local), "r%zu", (size_t)(t - sim.targets));
    snprintf(domain, sizeof(domain), "d%u.example", t->domain);
    add_counted(&change, str_from_c(local));
    add_counted(&change, str_from_c(domain));
    add_counted(&change, str_from_c(local));
    add_counted(&change, str_skip(STR(EDITED_DOMAIN), 1));
    g->edited = EDITED_ASKED;
    g->edited_number = t->number;
    sim.acts++;
    wire_say(&sim.worker, sim.control, IPC_QUEUE_EDIT_ASK,
             &(struct ipc_queue_edit_ask){
                 .ticket = (uint64_t)(g - sim.given),
                 .id = g->id,
                 .has_sender = 1,
                 .sender = STR(EDITED_SENDER),
                 .count = 1,
                 .recipients = buf_str(&change),
             });
    buf_done(&change);
}

static void control_hears(const struct ipc_message *m)
{
    if (m->type != IPC_QUEUE_EDIT_ANSWER)
        return;
    bool done = m->queue_edit_answer.status == IPC_EDIT_DONE;
    sim.given[m->queue_edit_answer.ticket].edited = done ? EDITED_DONE : EDITED_NOT;
    sim.edits += done;
}

static void administrator_acts(void)
{
    static const enum ipc_act verbs[] = { IPC_ACT_FLUSH,   IPC_ACT_HOLD,   IPC_ACT_HOLD,  IPC_ACT_RELEASE,
                                          IPC_ACT_RELEASE, IPC_ACT_REMOVE, IPC_ACT_BOUNCE };
    enum ipc_act verb = verbs[below(ARRAY_LEN(verbs))];
    bool all = (verb == IPC_ACT_FLUSH || verb == IPC_ACT_RELEASE) && one_in(2);
    struct given *g = NULL;

    if (!all && sim.n_given) {
        g = &sim.given[sim.n_given - 1 - below(sim.n_given < 60 ? sim.n_given : 60)];
        if (one_in(3)) {
            administrator_edits(g);
            return;
        }
        g->removed = g->removed || verb == IPC_ACT_REMOVE || verb == IPC_ACT_BOUNCE;
    }
    act(verb, g);
}

static void clock_leaps(void)
{
    sim.leapt = true;
    sim_loop_set_utc(sim.loop, io_wall_msec() + ((int64_t)below(20) - 10) * 24 * 3600 * 1000);
}

static void queue_is_born(void)
{
    struct err err = { 0 };

    sim.worker.n_peers = 0;
    sim.worker.state = NULL;
    sim.worker.instance = ++sim.instances;
    if (!queue_service.start(&sim.worker, &err) || !queue_service.run(&sim.worker, &err)) {
        wrong("the queue does not start: %s", err.text);
        return;
    }
    sim.worker.main = wire_new(&sim.worker, PROCESS_MAIN, 0);
    sim.receive = wire_new(&sim.worker, PROCESS_RECEIVE, ++sim.instances);
    sim.control = wire_new(&sim.worker, PROCESS_CONTROL, ++sim.instances);
    sim.lookup = helper_is_born(PROCESS_LOOKUP);
    sim.resolve = helper_is_born(PROCESS_RESOLVE);
    /* He has heard of so many in this hour that the others wait for the digest. */
    for (size_t i = 0; sim.postmaster_is_busy && i < QUEUE_POSTMASTER_HOUR; i++)
        queue()->postmaster_told[i] = io_now_msec(sim.loop) + 1;
    if (sim.short_of_memory)
        queue()->content_memory += QUEUE_MEMORY_MAX - 30000;
}

/* Receive asks by token what became of the commits it has no answer to (DESIGN 3). */
static void ask_tokens(void)
{
    for (size_t i = 0; i < sim.n_given; i++) {
        struct queue_id id;
        bool stands = spool_token_find(queue()->spool, &sim.given[i].token, &id) == SPOOL_TOKEN_ACCEPTED;
        if (sim.given[i].taken == TAKEN_UNKNOWN)
            sim.given[i].taken = stands ? TAKEN_YES : TAKEN_NO;
        else if (sim.given[i].taken == TAKEN_NO && stands)
            sim.given[i].late = true;
    }
}

static void queue_ends(enum sim_end end)
{
    for (size_t i = 0; i < sim.n_given; i++)
        if (sim.given[i].edited == EDITED_ASKED)
            sim.given[i].edited = EDITED_UNKNOWN;
    if (queue() && queue()->spool)
        spool_die(queue()->spool);
    for (size_t i = 0; i < sim.worker.n_peers; i++)
        sim.worker.peers[i]->closed = true;
    sim_loop_forget(sim.loop);
    sim_disk_end(sim.disk, end);
}

/* Which processes there are; LOST: one ended, or all did, and did not tell what they had in hand. */
static void main_has_told(bool lost)
{
    wire_say(&sim.worker, sim.worker.main, IPC_ALL_PEERS, &(struct ipc_all_peers){ .lost = lost });
}

/* Somebody who has learnt what others were leased claims it as his: not one word of it is believed. */
static void somebody_lies(uint32_t instance)
{
    struct ipc_channel *c = wire_new(&sim.worker, PROCESS_SEND, instance);

    queue_service.peer_up(&sim.worker, c);
    for (size_t i = 0; i < SENDERS * TRANSFERS_MAX && !c->closed; i++) {
        const struct lent_out *t = &sim.senders[i / TRANSFERS_MAX].transfers[i % TRANSFERS_MAX];
        struct buf results = BUF_INIT(4096);
        struct lent_out told = *t;
        if (!t->used)
            continue;
        memset(told.results, IPC_OK, sizeof(told.results));
        put_results(&told, &results);
        wire_say(&sim.worker, c, IPC_TRANSFER_KEPT,
                 &(struct ipc_transfer_kept){
                     .lease = t->lease,
                     .id = t->id,
                     .voucher = str_of(t->voucher, t->voucher_n),
                     .finished = 1,
                     .count = (uint32_t)t->n,
                     .results = buf_str(&results),
                 });
        buf_done(&results);
        sim.lies++;
        if (!c->closed)
            wrong("what another was leased is believed");
    }
    queue_service.peer_down(&sim.worker, c);
    wire_cut(&sim.worker, c);
}

/* At times one send process dies with it, and tells nobody what it kept. */
static void queue_dies(void)
{
    struct sender *with = &sim.senders[below(CURRENT)];

    sim.deaths_queue++;
    queue_ends(SIM_END_PROCESS);
    if (one_in(4) && with->instance) {
        sim.deaths_send++;
        sender_forgets(with);
        *with = (struct sender){ .instance = ++sim.instances };
    }
    sim.lives++;
    uint32_t liar = ++sim.instances;
    queue_is_born();
    if (sim.wrong[0])
        return;
    ask_tokens();
    somebody_lies(liar);
    for (size_t i = 0; i < SENDERS; i++)
        if (sim.senders[i].instance)
            sender_up(&sim.senders[i]);
    main_has_told(sim.deaths_power || sim.deaths_send);
}

static void power_goes(void)
{
    sim.deaths_power++;
    sim.lives++;
    for (size_t i = 0; i < SENDERS; i++)
        sender_forgets(&sim.senders[i]);
    sim.disk->loss = (enum sim_loss)below(SIM_LOSSES);
    queue_ends(SIM_END_POWER);
    /* Clients that had no answer try again or not: what stands may stand. */
    queue_is_born();
    if (sim.wrong[0])
        return;
    ask_tokens();
    for (size_t i = 0; i < SENDERS; i++)
        sim.senders[i] = (struct sender){ 0 };
    main_has_told(true);
    for (size_t i = 0; i < CURRENT; i++)
        sender_is_born(&sim.senders[i]);
}

/* ---- the run ---- */

static bool hear(struct ipc_channel *c, void (*hears)(const struct ipc_message *m))
{
    struct ipc_message m;

    if (!wire_next(c, &m))
        return false;
    hears(&m);
    wire_took(c);
    return true;
}

static void nobody_hears(const struct ipc_message *m)
{
    (void)m;
}

static void somebody_hears(void)
{
    struct sender *s = &sim.senders[below(SENDERS)];
    struct ipc_message m;

    switch (below(5)) {
    case 0:
        (void)hear(sim.receive, receive_hears);
        break;
    case 1:
        (void)hear(sim.lookup, lookup_hears);
        break;
    case 2:
        (void)hear(sim.resolve, resolve_hears);
        break;
    default:
        if (s->channel && wire_next(s->channel, &m)) {
            send_hears(s, &m);
            wire_took(s->channel);
        }
    }
    (void)hear(sim.worker.main, nobody_hears);
    (void)hear(sim.control, control_hears);
    sim_loop_turn(sim.loop);
}

static void time_passes(void)
{
    int64_t next = sim_loop_next(sim.loop), now = io_now_msec(sim.loop);

    if (!sim.calm && one_in(30))
        sim_loop_pass(sim.loop, (int64_t)below(8 * 3600) * 1000);
    else if (one_in(3) && next > now)
        sim_loop_pass(sim.loop, next - now);
    else
        sim_loop_pass(sim.loop, 1 + (int64_t)below(50));
}

/* What is held or removed is with nobody but those who had it before. */
static void look_at_lines(void)
{
    const struct queue *q = queue();

    for (size_t i = 0; i < q->index_room && !sim.wrong[0]; i++) {
        const struct message *m = q->index[i];
        bool stays = m && (m->held != LOG_REASON_NONE || m->removing) && m->state == MESSAGE_LIVE;
        size_t active = 0;
        for (uint32_t k = 0; m && k < m->n_recipients; k++) {
            const struct recipient *r = &m->recipients[k];
            active += r->state != RECIPIENT_IDLE && !(r->entry && r->entry->parked);
            if (stays && r->state != RECIPIENT_IDLE && r->state != RECIPIENT_LEASED)
                wrong("a message that is held or removed is on its way");
        }
        if (m && active != m->active)
            wrong("%zu recipients are under way, and %u are counted", active, m->active);
    }
}

/* A message is awake or at rest, never both; and what rests is held, or something wakes it (INV-14). */
static void look_at_rests(void)
{
    const struct queue *q = queue();
    size_t n = 0, knowing = 0;

    REST_FOR(r, &q->rests) {
        n++;
        if (message_find(queue(), (struct queue_id){ r->id }))
            wrong("a message is awake and at rest");
        knowing += !(r->flags & (REST_KNOWN | REST_HELD | REST_WAKING)) && !r->line;
        if (r->flags & REST_KNOWN && !(r->flags & (REST_HELD | REST_WAKING)) && !r->line)
            wrong("a message rests, and nothing wakes it: flags %x", r->flags);
    }
    if (n != q->rests.n)
        wrong("%zu messages rest, and %zu are counted", n, q->rests.n);
    if (knowing > q->rests.n_knowing)
        wrong("%zu messages are not known, and %zu are being read for that", knowing, q->rests.n_knowing);
}

static void step(void)
{
    uint64_t what = below(1000);

    if (what < 8 && !sim.calm)
        ask_for_file();
    else if (what < 120 && !sim.calm)
        give_message(0);
    else if (what == 0 && sim.calm)
        act(IPC_ACT_RELEASE, NULL);
    else if (what < 420)
        spool_step();
    else if (what < 700)
        somebody_hears();
    else if (what < 950)
        send_works();
    else if (what < 990 || sim.calm)
        time_passes();
    else if (what < 993)
        sender_dies();
    else if (what < 994)
        helper_dies();
    else if (what < 995)
        reload();
    else if (what < 998)
        administrator_acts();
    else if (what < 999)
        queue_dies();
    else if (one_in(4))
        clock_leaps();
    else
        power_goes();
    sim_loop_turn(sim.loop);
    if (!one_in(50) || sim.wrong[0])
        return;
    look_at_lines();
    look_at_rests();
}

static void compare(void)
{
    for (size_t i = 0; i < sim.n_targets && !sim.wrong[0]; i++) {
        const struct target *t = &sim.targets[i];
        const struct given *g = &sim.given[t->message];
        /* Of an empty reverse-path the log alone tells what expired. */
        bool untold = t->old_null && (t->refused || sim.leapt || io_now_msec(sim.loop) - g->since_msec > EXPIRE_MSEC);
        if (g->taken == TAKEN_YES && !t->delivered && !t->report && !g->removed && !untold)
            wrong("message %zu recipient %u was acknowledged, and neither arrived nor is reported", t->message, t->number);
        if (t->report && t->delivered && !t->may_twice && t->refused)
            wrong("message %zu recipient %u arrived, and is reported as failed", t->message, t->number);
        if (t->delivered > 1 && !t->may_twice)
            wrong("message %zu recipient %u arrived twice", t->message, t->number);
    }
}

static bool is_quiet(void)
{
    return queue_messages(queue()) == 0;
}

static void describe_rest(void)
{
    const struct queue *q = queue();

    REST_FOR(r, &q->rests) {
        wrong("%zu messages never leave, such as %zu at rest: flags %x, in line %d, due in %lld", queue_messages(q),
              given_by_id(r->id) ? (size_t)(given_by_id(r->id) - sim.given) : 9999, r->flags, r->line != 0,
              (long long)(rest_due(q, r) - queue_now(q)));
    }
    for (size_t i = 0; i < q->index_room; i++) {
        const struct message *m = q->index[i];
        if (!m)
            continue;
        const struct recipient *r = show_speaker(m);
        wrong("%zu messages never leave, such as %zu: state %d, active %u, pins %u, writing %d, dirty %d, reporting %d, "
              "digest %d, held %d, content %d, due %d; recipient %u: state %d, progress %d, kept %d, in line %d, "
              "parked %d, due in %lld, lease %llx, held %d, writing %d; "
              "short of memory %d by %lld, %zu asked of lookup, health %d",
              q->n_messages, given_by_id(m->id.n) ? (size_t)(given_by_id(m->id.n) - sim.given) : 9999, m->state,
              m->active, m->pins, m->writing, m->dirty, m->reporting != NULL, m->digest, m->held, m->content != NULL,
              wheel_is_set(&m->due), r->number, r->state, r->progress, r->kept, r->entry != NULL,
              r->entry && r->entry->parked, (long long)(r->due_msec - queue_now(q)),
              (unsigned long long)r->lease, r->held, r->writing, sim.short_of_memory,
              (long long)q->content_memory - QUEUE_MEMORY_MAX, q->n_routing, q->health);
    }
}

#define COMMON                                                                                                       \
    "hostname mail.example.org; spool /nowhere; min-free 0; relay-from 10.0.0.0/8; expire 2d;"                         \
    "postmaster post@ours.example;"

/* The same routes have other places in the other one. */
static bool configure(void)
{
    static const struct config_reader reader = { .facts = { .fqdn = STR_INIT("mail.example.org") } };
    struct str texts[2] = {
        STR_INIT(COMMON "retry 1m 5m; domain ours.example { users any; deliver lmtp://10.0.0.2:24; }"),
        STR_INIT(COMMON "retry 2m 1h; domain new.example { users any; deliver lmtp://10.0.0.3:24; }"
                        "domain ours.example { users any; deliver lmtp://10.0.0.2:24; }"),
    };

    for (size_t i = 0; i < 2; i++) {
        struct config_source source = { .overrides = &texts[i], .n_overrides = 1 };
        struct config_diagnostics diag = { 0 };
        const struct config *config = NULL;
        if (!config_bundle_record(&sim.bundles[i], &source, &reader, sim.arena) ||
            !config_parse_bundle(&sim.bundles[i], sim.arena, &config, &diag)) {
            struct buf words = BUF_INIT(4096);
            config_diagnostics_render(&diag, &words);
            wrong("configuration: %.*s", STR_ARG(buf_str(&words)));
            return false;
        }
        sim.configs[i] = config;
    }
    return true;
}

static void run(uint64_t seed)
{
    struct err err = { 0 };
    unsigned long steps = 4000;

    sim.random.state = seed;
    sim.arena = arena_new(64 << 20);
    sim.loop = io_loop_new(&err);
    sim_loop_set_utc(sim.loop, 1795340000000);
    sim.clock = (struct spool_clock){ .utc_msec = sim_utc, .boot_usec = sim_boot };
    sim.disk = sim_disk_new(seed);
    sim.worker = (struct worker){ .service = &queue_service, .loop = sim.loop, .generation = 2 };
    sim.short_of_memory = one_in(3);
    sim.postmaster_is_busy = one_in(3);
    if (!configure())
        return;
    sim.worker.config = sim.configs[0];
    queue_is_born();
    for (size_t i = 0; i < CURRENT && !sim.wrong[0]; i++)
        sender_is_born(&sim.senders[i]);
    if (!sim.wrong[0])
        main_has_told(false);
    while (steps-- && !sim.wrong[0])
        step();
    sim.calm = true;
    for (steps = 0; steps < 400000 && !sim.wrong[0] && !is_quiet(); steps++)
        step();
    if (!sim.wrong[0] && !is_quiet())
        describe_rest();
    compare();
}

/* Each run in a process of its own: what dies in it leaves nothing behind. */
static bool run_apart(uint64_t seed, unsigned long *sums)
{
    int pipes[2], status = 0;
    pid_t pid;

    fflush(stdout);
    if (pipe(pipes) != 0 || (pid = fork()) < 0)
        abort();
    if (pid == 0) {
        run(seed);
        if (sim.wrong[0])
            printf("WRONG seed %llu: %s\n", (unsigned long long)seed, sim.wrong);
        fflush(stdout);
        unsigned long mine[] = { sim.deaths_send, sim.deaths_queue, sim.deaths_power, sim.n_given,
                                 sim.transfers,   sim.twice,        sim.reports,      sim.lies,         sim.edits };
        if (write(pipes[1], mine, sizeof(mine)) != (ssize_t)sizeof(mine))
            abort();
        _exit(sim.wrong[0] ? 1 : 0);
    }
    unsigned long got[9] = { 0 };
    close(pipes[1]);
    if (read(pipes[0], got, sizeof(got)) == (ssize_t)sizeof(got))
        for (size_t i = 0; i < ARRAY_LEN(got); i++)
            sums[i] += got[i];
    close(pipes[0]);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("WRONG seed %llu: ended by signal %d\n", (unsigned long long)seed, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    unsigned long runs = 20, bad = 0, sums[9] = { 0 };
    uint64_t seed = 1;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--runs"))
            runs = strtoul(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--seed"))
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    for (unsigned long i = 0; i < runs; i++)
        bad += !run_apart(seed + i, sums);
    printf("%lu runs, %lu wrong; deaths: %lu of send, %lu of the queue, %lu of power; %lu messages, %lu transfers, "
           "%lu arrived twice as they may, %lu reports, %lu lies, %lu edits\n",
           runs, bad, sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7], sums[8]);
    return bad ? 1 : 0;
}
