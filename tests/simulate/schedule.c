/*
 * tests/simulate/schedule.c -- the schedule on a simulated clock: who is tried when, and who waits for whom (DESIGN 6).
 *
 * The real queue and spool; receive, lookup, resolve and one send process are played, and answer at once as each test
 * tells them to.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"
#include "core/num.h"
#include "queue/queue.h"
#include "spool/engine.h"
#include "tests/simulate/disk.h"
#include "tests/simulate/loop.h"
#include "tests/simulate/wire.h"

enum { CONNECTIONS_MAX = 256, SEEN_MAX = 30000, HOUR = 3600 * 1000, MINUTE = 60 * 1000 };

/* What was sent, in order. */
struct seen {
    uint64_t id;
    uint32_t count; /* recipients of the transfer */
    int64_t at_msec;
    bool report;
    char sender[40];
    char to[40];
};

static struct {
    struct sim_disk *disk;
    struct spool_clock clock;
    struct io_loop *loop;
    struct arena *arena;
    struct config_bundle bundle;
    struct worker worker;
    struct ipc_channel *receive, *lookup, *resolve, *send;
    uint64_t connections[CONNECTIONS_MAX];
    unsigned used[CONNECTIONS_MAX], used_most; /* transfers of each; of any */
    size_t open_most;
    /* how they answer */
    bool host_is_dead;
    bool host_is_silent; /* nothing becomes of connections that are asked for */
    enum ipc_plan plan;
    enum ipc_result result;
    uint16_t code;   /* of their replies; 0: none came from the host */
    bool holds_back; /* transfers are not answered until asked for */
    bool disk_waits; /* nothing becomes durable */
    bool refuses; /* a commit may be */
    int64_t handed_ago_usec; /* that a commit was on its way to the queue */
    uint64_t memory_used, memory_bound; /* as main has them; 0: it is not asked */
    struct {
        uint64_t lease, id;
        uint32_t numbers[300];
        size_t n;
    } open[64];
    size_t n_open;
    /* what was seen */
    struct seen seen[SEEN_MAX];
    size_t n_seen;
    unsigned opens, plans;
    uint64_t committed, refused;
    unsigned status; /* of the last commit */
    unsigned site_records, site_jumps; /* whose `was` is not the window of the one before */
    unsigned site_smaller, site_for_4yz; /* that are smaller than what was, and those of them for 4yz */
    int64_t site_was, site_window;
    char site_state[20], site_cause[100];
    /* the spool */
    unsigned reads, reads_whole; /* those with the content */
    bool reads_fail;
    struct list failing; /* reads */
    char body[1 << 16]; /* of the last report */
} play;

static struct queue *queue(void)
{
    return play.worker.state;
}

/* ---- the spool by hand ---- */

static int64_t play_utc(const struct spool_clock *clock)
{
    (void)clock;
    return io_wall_msec();
}

static int64_t play_boot(const struct spool_clock *clock)
{
    (void)clock;
    return io_now_msec(play.loop) * 1000;
}

struct spool *__real_spool_open(const struct spool_options *options, struct err *err);
struct spool *__wrap_spool_open(const struct spool_options *options, struct err *err);
struct spool *__wrap_spool_open(const struct spool_options *options, struct err *err)
{
    struct spool_options small = *options;

    small.segment_octets = 1 << 22;
    small.min_free_percent = 0;
    small.ride_msec = 1;
    small.manual = true;
    small.disk = &play.disk->disk;
    small.clock = &play.clock;
    return __real_spool_open(&small, err);
}

struct spool_disk *__wrap_spool_disk_open(const char *path, struct err *err);
struct spool_disk *__wrap_spool_disk_open(const char *path, struct err *err)
{
    (void)path;
    (void)err;
    return &play.disk->disk;
}

void __real_spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read);
void __wrap_spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read);
void __wrap_spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read)
{
    play.reads++;
    play.reads_whole += (parts & SPOOL_READ_CONTENT) != 0;
    if (!play.reads_fail) {
        __real_spool_read(spool, id, parts, read);
        return;
    }
    *read = (struct spool_read){ .done = read->done, .file = -1, .id = id, .parts = parts };
    list_append(&play.failing, &read->node);
}

/* ---- what the log says of a site; of tests with one ---- */

static void take_text(struct str record, enum log_field f, char *out, size_t room)
{
    struct log_value v;

    out[0] = '\0';
    if (log_view_find(record, f, &v))
        snprintf(out, room, "%.*s", STR_ARG(v.octets));
}

static int64_t number_of(struct str record, enum log_field f)
{
    struct log_value v;

    return log_view_find(record, f, &v) ? v.number : 0;
}

void __real_log_send(const struct log_record *r);
void __wrap_log_send(const struct log_record *r);
void __wrap_log_send(const struct log_record *r)
{
    struct str record = str_of(r->octets, r->n);
    struct log_view view;

    if (log_view_open(record, &view) && view.event == LOG_EVENT_SITE) {
        play.site_records++;
        play.site_was = number_of(record, LOG_WAS);
        play.site_jumps += play.site_window && play.site_was != play.site_window;
        play.site_window = number_of(record, LOG_WINDOW);
        take_text(record, LOG_STATE, play.site_state, sizeof(play.site_state));
        take_text(record, LOG_CAUSE, play.site_cause, sizeof(play.site_cause));
        bool smaller = play.site_window < play.site_was;
        play.site_smaller += smaller;
        play.site_for_4yz += smaller && !strncmp(play.site_cause, "4yz ", 4);
    }
    __real_log_send(r);
}

static bool reads_fail(void)
{
    bool any = !list_empty(&play.failing);

    for (struct list *node; (node = list_take(&play.failing));) {
        struct spool_read *read = CONTAINER_OF(node, struct spool_read, node);
        read->status = SPOOL_READ_FAILED;
        read->done(read);
    }
    return any;
}

/* ---- the others ---- */

/* Of a domain that is served its `deliver`, else the route that names it; the last one is everybody else's. */
static size_t route_of(struct str domain, bool released)
{
    const struct config *c = play.worker.config;
    const struct config_domain *served = config_find_domain(c, domain);
    size_t i = 0;

    for (; i + 1 < c->n_routes; i++) {
        const struct config_route *r = &c->routes[i];
        bool holds = r->targets[0].kind == CONFIG_TARGET_HOLD;
        if (served ? r->domain == served
                   : r->patterns.n && str_eq(r->patterns.items[0].domain, domain) && !(holds && released))
            break;
    }
    return i;
}

static void lookup_hears(const struct ipc_message *m)
{
    if (m->type == IPC_EXPAND_ASK) {
        wire_say(&play.worker, play.lookup, IPC_EXPAND_ANSWER,
                 &(struct ipc_expand_answer){ .ticket = m->expand_ask.ticket, .refused = 1 });
        return;
    }
    const struct config_domain *served = config_find_domain(play.worker.config, m->route_ask.domain);
    wire_say(&play.worker, play.lookup, IPC_ROUTE_ANSWER,
             &(struct ipc_route_answer){
                 .ticket = m->route_ask.ticket,
                 .generation = play.worker.generation,
                 .route = (uint32_t)route_of(m->route_ask.domain, m->route_ask.released),
                 .domain_index = served ? (uint32_t)(served - play.worker.config->domains) : IPC_NO_DOMAIN,
                 .user = m->route_ask.local,
                 .domain = m->route_ask.domain,
                 .rule = STR("default"),
             });
}

static void resolve_hears(const struct ipc_message *m)
{
    struct buf octets = BUF_INIT(4096);
    char name[300];
    struct route_plan_address address = { .port = 25, .address = { .family = IP_V4 } };
    struct route_plan plan = { .addresses = &address, .n = 1 };

    play.plans++;
    snprintf(name, sizeof(name), "mx.%.*s", STR_ARG(m->plan_ask.domain));
    address.host = str_from_c(name);
    assert_true(route_plan_encode(&octets, &plan));
    wire_say(&play.worker, play.resolve, IPC_PLAN_ANSWER,
             &(struct ipc_plan_answer){
                 .ticket = m->plan_ask.ticket,
                 .status = (uint8_t)play.plan,
                 .generation = play.worker.generation,
                 .reason = LOG_REASON_DNS,
                 .keep_msec = HOUR,
                 .plan = buf_str(&octets),
                 .code = STR("4.4.3"),
                 .text = STR("no answer from DNS"),
             });
    buf_done(&octets);
}

static size_t connection_place(uint64_t id)
{
    size_t i = 0;

    while (i < CONNECTIONS_MAX && play.connections[i] != id)
        i++;
    return i;
}

static size_t connections_open(void)
{
    size_t n = 0;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        n += play.connections[i] != 0;
    return n;
}

static void opened(const struct ipc_open_ask *ask)
{
    struct ipc_open_answer a = { .connection = ask->connection };

    play.opens++;
    if (play.host_is_silent)
        return;
    if (play.host_is_dead) {
        a.status = IPC_TEMP;
        a.stage = SMTP_STAGE_CONNECT;
        a.reason = LOG_REASON_CONNECT;
        a.text = STR("192.0.2.1: connection timed out");
    } else {
        size_t place = connection_place(0);
        assert_true(place < CONNECTIONS_MAX);
        play.connections[place] = ask->connection;
        play.used[place] = 0;
        play.open_most = connections_open() > play.open_most ? connections_open() : play.open_most;
    }
    wire_say(&play.worker, play.send, IPC_OPEN_ANSWER, &a);
}

static void tell(uint64_t lease, uint64_t id, const uint32_t *numbers, size_t n, uint8_t result)
{
    struct buf results = BUF_INIT(1 << 16);

    for (size_t i = 0; i < n; i++) {
        char fixed[13] = { 0 };
        le32_put(fixed, numbers[i]);
        fixed[4] = (char)result;
        fixed[5] = SMTP_STAGE_FINAL;
        fixed[6] = play.code != 0;
        le16_put(fixed + 7, play.code);
        buf_add(&results, str_of(fixed, sizeof(fixed)));
    }
    wire_say(&play.worker, play.send, IPC_TRANSFERRED,
             &(struct ipc_transferred){ .lease = lease, .id = id, .count = (uint32_t)n, .results = buf_str(&results) });
    buf_done(&results);
}

static void see(const struct ipc_transfer *t)
{
    struct seen *s = &play.seen[play.n_seen++];
    struct str first = str_slice(t->recipients, 6, 6 + (size_t)le16_get(t->recipients.p + 4));

    assert_true(play.n_seen < SEEN_MAX);
    *s = (struct seen){ .id = t->id, .count = t->count, .at_msec = io_now_msec(play.loop), .report = !t->sender.n };
    snprintf(s->sender, sizeof(s->sender), "%.*s", STR_ARG(t->sender));
    snprintf(s->to, sizeof(s->to), "%.*s", STR_ARG(first));
    if (!t->sender.n)
        snprintf(play.body, sizeof(play.body), "%.*s", STR_ARG(t->body));
}

static void transferred(const struct ipc_transfer *t)
{
    uint32_t numbers[300];
    struct str rest = t->recipients;
    size_t n = 0, place = connection_place(t->connection);

    if (place == CONNECTIONS_MAX) {
        wire_say(&play.worker, play.send, IPC_TRANSFERRED, &(struct ipc_transferred){ .lease = t->lease, .id = t->id });
        return;
    }
    see(t);
    if (++play.used[place] > play.used_most)
        play.used_most = play.used[place];
    for (; n < t->count; n++) {
        numbers[n] = le32_get(rest.p);
        rest = str_skip(rest, 6 + (size_t)le16_get(rest.p + 4));
    }
    if (!play.holds_back) {
        tell(t->lease, t->id, numbers, n, (uint8_t)play.result);
        return;
    }
    assert_true(play.n_open < ARRAY_LEN(play.open));
    play.open[play.n_open].lease = t->lease;
    play.open[play.n_open].id = t->id;
    play.open[play.n_open].n = n;
    memcpy(play.open[play.n_open++].numbers, numbers, n * sizeof(*numbers));
}

static void send_hears(const struct ipc_message *m)
{
    if (m->type == IPC_OPEN_ASK) {
        opened(&m->open_ask);
    } else if (m->type == IPC_TRANSFER) {
        transferred(&m->transfer);
    } else if (m->type == IPC_CLOSE_CONNECTION) {
        play.connections[connection_place(m->close_connection.connection)] = 0;
        wire_say(&play.worker, play.send, IPC_CONNECTION_CLOSED,
                 &(struct ipc_connection_closed){ .connection = m->close_connection.connection, .orderly = 1 });
    }
}

static void receive_hears(const struct ipc_message *m)
{
    if (m->type != IPC_COMMIT_ANSWER)
        return;
    assert_true(m->commit_answer.status == IPC_STORED || play.refuses);
    play.status = m->commit_answer.status;
    if (m->commit_answer.status == IPC_STORED)
        play.committed++;
    else
        play.refused++;
}

static void main_hears(const struct ipc_message *m)
{
    if (m->type == IPC_MEMORY_ASK && play.memory_bound)
        wire_say(&play.worker, play.worker.main, IPC_MEMORY_ANSWER,
                 &(struct ipc_memory_answer){ .used = play.memory_used, .bound = play.memory_bound });
}

static bool hear(struct ipc_channel *c, void (*hears)(const struct ipc_message *m))
{
    struct ipc_message m;
    bool any = false;

    while (wire_next(c, &m)) {
        hears(&m);
        wire_took(c);
        any = true;
    }
    return any;
}

static bool spool_moves(void)
{
    int64_t until = 0;
    bool moved = reads_fail() || spool_step_content(queue()->spool) == SPOOL_STEP_DONE;
    enum spool_step step = play.disk_waits ? SPOOL_STEP_IDLE : spool_step_commit(queue()->spool, &until);
    int64_t commit_at = until;

    moved = spool_step_upkeep(queue()->spool, &until) == SPOOL_STEP_DONE || moved || step == SPOOL_STEP_DONE;
    /* A frame waits for others for a moment; for a disk that fails, which takes half a minute, the test waits. */
    if (step == SPOOL_STEP_WAIT && commit_at - io_now_msec(play.loop) * 1000 < 1000000) {
        sim_loop_pass(play.loop, 1);
        moved = true;
    }
    return moved;
}

/* Until nobody has anything to do at this time. */
static void settle(void)
{
    bool moved = true;

    for (unsigned i = 0; moved && i < 1000000; i++) {
        sim_loop_turn(play.loop);
        moved = hear(play.receive, receive_hears);
        moved = hear(play.lookup, lookup_hears) || moved;
        moved = hear(play.resolve, resolve_hears) || moved;
        moved = hear(play.send, send_hears) || moved;
        moved = hear(play.worker.main, main_hears) || moved;
        moved = spool_moves() || moved;
    }
    assert_false(moved);
}

static void pass(int64_t msec)
{
    int64_t end = io_now_msec(play.loop) + msec;

    for (int64_t next; (next = sim_loop_next(play.loop)) >= 0 && next <= end;) {
        sim_loop_pass(play.loop, next > io_now_msec(play.loop) ? next - io_now_msec(play.loop) : 0);
        settle();
    }
    if (end > io_now_msec(play.loop))
        sim_loop_pass(play.loop, end - io_now_msec(play.loop));
    settle();
}

/* ---- messages ---- */

static uint64_t give(const char *sender, const char *domain, size_t n)
{
    struct arena *a = arena_new(8 << 20);
    struct envelope_recipient *r = ARENA_NEW_ARRAY(a, n, struct envelope_recipient);
    struct buf envelope = BUF_INIT(4 << 20);
    struct queue_id id;
    char token[SPOOL_TOKEN_OCTETS] = { 0 };

    assert_true(spool_take_ids(queue()->spool, 1, &id));
    memcpy(token, &id, sizeof(id));
    for (size_t i = 0; i < n; i++) {
        r[i] = (struct envelope_recipient){ .number = (uint32_t)i + 1, .domain = str_from_c(domain) };
        r[i].local = arena_printf(a, "r%zu", i);
        r[i].original = arena_printf(a, "r%zu@%s", i, domain);
    }
    assert_true(envelope_encode(&envelope, &(struct envelope){ .sender = str_from_c(sender),
                                                               .header_octets = 14,
                                                               .recipients = r,
                                                               .n_recipients = n }));
    wire_say(&play.worker, play.receive, IPC_COMMIT_ASK,
             &(struct ipc_commit_ask){
                 .id = id.n,
                 .handed_usec = (uint64_t)(io_clock_usec() - play.handed_ago_usec),
                 .token = str_of(token, sizeof(token)),
                 .envelope = buf_str(&envelope),
                 .head = STR("Received: x\r\n"),
                 .body = STR("Subject: y\r\n\r\nz\r\n"),
             });
    buf_done(&envelope);
    arena_free(a);
    return id.n;
}

static bool is_there(uint64_t id)
{
    return message_find(queue(), (struct queue_id){ id }) || rest_find(queue(), (struct queue_id){ id });
}

/* Of its first recipient. */
static unsigned attempts_of(uint64_t id)
{
    const struct message *m = message_find(queue(), (struct queue_id){ id });
    const struct rest *r = rest_find(queue(), (struct queue_id){ id });

    return m ? m->recipients[0].attempts : r ? r->attempts : 0;
}

static bool is_held(uint64_t id)
{
    const struct message *m = message_find(queue(), (struct queue_id){ id });
    const struct rest *r = rest_find(queue(), (struct queue_id){ id });

    return m ? m->state == MESSAGE_HELD : r && r->flags & REST_HELD;
}

static struct site *any_site(void)
{
    struct map_node *node = map_any(&queue()->schedule.sites);

    assert_non_null(node);
    return CONTAINER_OF(node, struct site, node);
}

static size_t seen_of(uint64_t id)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].id == id;
    return n;
}

static size_t reports_seen(void)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].report;
    return n;
}

/* ---- begin and end ---- */

static void queue_begins(void)
{
    struct err err = { 0 };

    play.worker.n_peers = 0;
    play.worker.state = NULL;
    if (!queue_service.start(&play.worker, &err) || !queue_service.run(&play.worker, &err))
        fail_msg("%s", err.text);
    play.worker.main = wire_new(&play.worker, PROCESS_MAIN, 0);
    play.receive = wire_new(&play.worker, PROCESS_RECEIVE, 1);
    play.lookup = wire_new(&play.worker, PROCESS_LOOKUP, 2);
    play.resolve = wire_new(&play.worker, PROCESS_RESOLVE, 3);
    play.send = wire_new(&play.worker, PROCESS_SEND, 4);
    wire_say(&play.worker, play.worker.main, IPC_ALL_PEERS, &(struct ipc_all_peers){ 0 });
    wire_say(&play.worker, play.send, IPC_KEPT_END, &(struct ipc_kept_end){ 0 });
    settle();
}

static void begin(const char *more)
{
    static const struct config_reader reader = { .facts = { .fqdn = STR_INIT("mail.example.org") } };
    struct config_source source = { .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    struct err err = { 0 };
    struct str text;

    memset(&play, 0, sizeof(play));
    list_init(&play.failing);
    play.arena = arena_new(64 << 20);
    text = arena_printf(play.arena,
                        "hostname mail.example.org; spool /nowhere; min-free 0; postmaster post@ours.example;"
                        "domain ours.example { users any; deliver lmtp://10.0.0.2:24; } route held.example hold; %s",
                        more);
    source.overrides = &text;
    play.loop = io_loop_new(&err);
    sim_loop_set_utc(play.loop, 1795340000000);
    play.clock = (struct spool_clock){ .utc_msec = play_utc, .boot_usec = play_boot };
    play.disk = sim_disk_new(1);
    play.worker = (struct worker){ .service = &queue_service, .loop = play.loop, .generation = 1, .instance = 5 };
    if (!config_bundle_record(&play.bundle, &source, &reader, play.arena) ||
        !config_parse_bundle(&play.bundle, play.arena, &play.worker.config, &diag)) {
        struct buf words = BUF_INIT(4096);
        config_diagnostics_render(&diag, &words);
        fail_msg("%.*s", STR_ARG(buf_str(&words)));
    }
    queue_begins();
}

static void server_dies(void)
{
    sim_loop_forget(play.loop);
    spool_die(queue()->spool);
    sim_disk_end(play.disk, SIM_END_PROCESS);
}

static void end(void)
{
    server_dies();
}

/* ---- what is said of it ---- */

/* The first group of an explanation; or of a shape the sums. */
static struct {
    char cause[20], text[400], message_state[20];
    int64_t next, window, in_front, attempts, messages;
    uint64_t ages[16];
    size_t n_ages;
    uint32_t count;
} said;

static void take_record(struct str record)
{
    struct log_view view;
    struct log_value v;
    struct str item;

    assert_true(log_view_open(record, &view));
    if (view.event == LOG_EVENT_ROW_MESSAGE)
        take_text(record, LOG_STATE, said.message_state, sizeof(said.message_state));
    if (view.event == LOG_EVENT_ROW_GROUP && !said.cause[0]) {
        take_text(record, LOG_CAUSE, said.cause, sizeof(said.cause));
        take_text(record, LOG_TEXT, said.text, sizeof(said.text));
        said.next = number_of(record, LOG_NEXT);
        said.window = number_of(record, LOG_WINDOW);
        said.in_front = number_of(record, LOG_WAITING);
        said.attempts = number_of(record, LOG_ATTEMPTS);
    }
    if (view.event != LOG_EVENT_ROW_SHAPE || said.n_ages || !log_view_find(record, LOG_AGE, &v))
        return;
    said.messages = number_of(record, LOG_MESSAGES);
    for (struct str list = v.octets; log_list_next(&list, &item) && said.n_ages < ARRAY_LEN(said.ages);)
        assert_true(num_parse_u64(item, UINT64_MAX, &said.ages[said.n_ages++]));
}

static void take_records(struct str records)
{
    while (records.n >= 4) {
        size_t n = le32_get(records.p);
        take_record(str_slice(records, 4, 4 + n));
        records = str_skip(records, 4 + n);
    }
}

static void control_hears(const struct ipc_message *m)
{
    if (m->type == IPC_QUEUE_EXPLAIN_ANSWER)
        take_records(m->queue_explain_answer.records);
    else if (m->type == IPC_QUEUE_SHAPE_ANSWER)
        take_records(m->queue_shape_answer.records);
    else if (m->type == IPC_QUEUE_ACT_ANSWER)
        said.count = m->queue_act_answer.count;
}

static void ask_as_control(enum ipc_type type, const void *body)
{
    struct ipc_channel *control = wire_new(&play.worker, PROCESS_CONTROL, 9);

    memset(&said, 0, sizeof(said));
    wire_say(&play.worker, control, type, body);
    settle();
    pass(0);
    hear(control, control_hears);
    wire_cut(&play.worker, control);
}

/* Its cause: what it is said to wait for. */
static const char *why(uint64_t id)
{
    ask_as_control(IPC_QUEUE_EXPLAIN_ASK, &(struct ipc_queue_explain_ask){ .id = id });
    return said.cause;
}

/* The clock stands just before the time that was said; or just behind it. */
static void pass_until_said(int64_t behind_msec)
{
    pass(said.next - io_wall_msec() + behind_msec);
}

/* ---- promises ---- */

static void attempts_follow_the_schedule_and_the_last_is_at_the_deadline(void **state)
{
    static const int64_t waits[] = { MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR };

    begin("");
    play.result = IPC_TEMP;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(seen_of(id), 1);
    int64_t began = play.seen[0].at_msec;
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        if (seen_of(id) == i + 1)
            pass(waits[i] * 12 / 10);
        assert_true(seen_of(id) >= i + 2);
        /* C156: not before its time, nor long after it; a tenth to either side. */
        int64_t waited = play.seen[i + 1].at_msec - play.seen[i].at_msec;
        assert_true(waited >= waits[i] * 9 / 10 && waited <= waits[i] * 11 / 10 + 1000);
    }
    /* C157: given up after five days, by an attempt that failed then, and its sender is told (C160). */
    play.n_seen = 0;
    pass(5 * 24 * (int64_t)HOUR);
    assert_false(is_there(id));
    assert_true(reports_seen() > 0);
    int64_t last = 0;
    for (size_t i = 0; i < play.n_seen; i++)
        if (play.seen[i].id == id)
            last = play.seen[i].at_msec;
    assert_true(last >= began + 5 * 24 * (int64_t)HOUR - MINUTE && last <= began + 5 * 24 * (int64_t)HOUR + MINUTE);
    assert_non_null(strstr(play.body, "Status: 5.4.7"));
    end();
}

static void answer_one_with(enum ipc_result result)
{
    assert_true(play.n_open > 0);
    uint64_t lease = play.open[0].lease, id = play.open[0].id;
    uint32_t numbers[300];
    size_t n = play.open[0].n;
    memcpy(numbers, play.open[0].numbers, n * sizeof(*numbers));
    memmove(&play.open[0], &play.open[1], --play.n_open * sizeof(play.open[0]));
    tell(lease, id, numbers, n, (uint8_t)result);
    settle();
}

static void answer_one(void)
{
    answer_one_with(IPC_OK);
}

static void a_clock_that_leaps_bounces_nothing(void **state)
{
    begin("");
    play.result = IPC_TEMP;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    sim_loop_set_utc(play.loop, io_wall_msec() + 30 * 24 * (int64_t)HOUR);
    pass(2 * HOUR);
    assert_true(is_there(id));
    assert_int_equal(reports_seen(), 0);
    /* Nor over a restart. */
    server_dies();
    queue_begins();
    pass(10 * MINUTE);
    assert_true(is_there(id));
    assert_int_equal(reports_seen(), 0);
    end();
}

/* DESIGN 5, Time: it leapt while the server was away. To wait for the DNS is no failure; the second one of this run counts. */
static void a_first_failure_of_what_came_from_disk_ends_nothing(void **state)
{
    (void)state;
    for (int outage = 0; outage < 2; outage++) {
        begin("retry 10m;");
        play.result = IPC_TEMP;
        uint64_t id = give("s@sender.example", "d.example", 1);
        settle();
        server_dies();
        sim_loop_set_utc(play.loop, io_wall_msec() + 30 * 24 * (int64_t)HOUR);
        play.plan = outage ? IPC_PLAN_OUTAGE : IPC_PLAN_OK;
        queue_begins();
        pass(MINUTE);
        assert_int_equal(seen_of(id), outage ? 1 : 2);
        play.plan = IPC_PLAN_OK;
        pass(MINUTE);
        assert_int_equal(seen_of(id), 2);
        assert_true(is_there(id));
        assert_int_equal(reports_seen(), 0);
        pass(12 * MINUTE);
        assert_int_equal(seen_of(id), 3);
        assert_false(is_there(id));
        end();
    }
}

/* What was written says when it is tried next, by the clock as it was then. */
static void a_clock_that_is_put_back_delays_nothing(void **state)
{
    (void)state;
    begin("retry 10m;");
    play.result = IPC_TEMP;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    sim_loop_set_utc(play.loop, io_wall_msec() - 30 * 24 * (int64_t)HOUR);
    pass(12 * MINUTE);
    assert_int_equal(seen_of(id), 2);
    end();
}

/* INV-12: the lease that is called settled is the one whose outcome is on disk. */
static void nothing_is_tried_again_before_its_outcome_is_durable(void **state)
{
    (void)state;
    begin("retry 10m;");
    play.holds_back = true;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    play.disk_waits = true;
    answer_one_with(IPC_TEMP);
    pass(HOUR);
    assert_int_equal(seen_of(id), 1);
    play.disk_waits = false;
    settle();
    pass(MINUTE);
    assert_int_equal(seen_of(id), 2);
    end();
}

/* INV-12: another one may have in hand what is to be leased. */
static void nothing_is_sent_before_all_send_processes_have_told(void **state)
{
    (void)state;
    begin("");
    struct ipc_channel *other = wire_new(&play.worker, PROCESS_SEND, 3);
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    pass(MINUTE);
    assert_int_equal(play.opens, 0);
    wire_say(&play.worker, other, IPC_KEPT_END, &(struct ipc_kept_end){ 0 });
    queue()->schedule.next_send = 0;
    settle();
    pass(MINUTE);
    assert_int_equal(seen_of(id), 1);
    end();
}

/* ADR 0006: who handed it over says 451 by itself after that time, also to a queue that stands still and hears nothing. */
static void what_was_handed_over_long_ago_is_never_answered_250(void **state)
{
    (void)state;
    begin("");
    play.refuses = true;
    play.handed_ago_usec = (int64_t)IPC_COMMIT_MSEC * 1000;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.refused, 1);
    assert_int_equal(play.status, IPC_STORAGE_FAILED);
    assert_false(is_there(id));

    play.handed_ago_usec -= 1000000;
    id = give("s@sender.example", "d.example", 1);
    settle();
    play.handed_ago_usec = 0;
    assert_int_equal(play.committed, 1);
    assert_int_equal(seen_of(id), 1);
    end();
}

static void what_is_durable_too_late_is_taken_back(void **state)
{
    (void)state;
    begin("");
    play.refuses = true;
    play.disk_waits = true;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    io_timer_stop(&queue()->patience); /* it stands still, and hears of its disk before its timers */
    pass(IPC_COMMIT_MSEC);
    assert_int_equal(play.refused, 0);
    play.disk_waits = false;
    settle();
    assert_int_equal(play.committed, 0);
    assert_int_equal(play.refused, 1);
    assert_int_equal(play.status, IPC_STORAGE_FAILED);
    assert_false(is_there(id));
    assert_int_equal(seen_of(id), 0);
    end();
}

/* INV-1. */
static void what_the_spool_did_not_take_is_not_answered_250(void **state)
{
    (void)state;
    begin("");
    give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.committed, 1);
    play.refuses = true;
    uint64_t id = give("s@sender.example", "d.example", 1);
    play.disk->fail_at = play.disk->calls + 2; /* the sync */
    play.disk->fail_errno = EIO;
    settle();
    assert_int_equal(play.disk->failed, 1);
    assert_int_equal(play.committed, 1);
    assert_int_equal(play.refused, 1);
    assert_false(is_there(id));
    assert_int_equal(seen_of(id), 0);
    end();
}

/* DESIGN 5: an outcome that could not be kept would be an attempt that happens twice. */
static void nothing_is_leased_while_the_spool_refuses(void **state)
{
    (void)state;
    begin("connections 1 start 1;");
    play.holds_back = true;
    for (int i = 0; i < 6; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    size_t leased = play.n_seen;
    assert_true(leased < 6);
    play.refuses = true;
    play.disk->fail_rate = 1;
    give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.status, IPC_STORAGE_FAILED);
    while (play.n_open)
        answer_one();
    pass(10 * MINUTE);
    assert_int_equal(play.n_seen, leased);
    /* What is written first is what was owed. */
    play.disk->fail_rate = 0;
    play.holds_back = false;
    pass(MINUTE);
    assert_int_equal(play.n_seen, 6);
    assert_int_equal(queue_messages(queue()), 0);
    end();
}

/* DESIGN 6, back-pressure: above max-memory new mail is not taken, and what is there goes on. */
static void what_is_above_max_memory_is_not_taken(void **state)
{
    (void)state;
    begin("");
    play.refuses = true;
    play.memory_bound = 1 << 30;
    play.memory_used = 1 << 29;
    pass(1000);
    give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.status, IPC_STORED);
    play.memory_used = play.memory_bound - 1;
    pass(1000);
    play.holds_back = true;
    give("s@sender.example", "d.example", 1); /* this one asks */
    settle();
    give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.status, IPC_NO_MEMORY);
    assert_int_equal(play.committed, 2);
    answer_one();
    assert_int_equal(queue_messages(queue()), 0);
    /* A little room is none: each message would change it. */
    play.memory_used = play.memory_bound / 32 * 31 - 1;
    for (int looks = 0; looks < 2; looks++) {
        pass(1000);
        give("s@sender.example", "d.example", 1);
        settle();
        assert_int_equal(play.status, IPC_NO_MEMORY);
    }
    play.memory_used = play.memory_bound / 10 * 9;
    pass(1000);
    give("s@sender.example", "d.example", 1);
    settle();
    give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.status, IPC_STORED);
    end();
}

/* FACE 1.9: what came at one time is not tried again at one time. */
static void waits_differ_from_message_to_message(void **state)
{
    (void)state;
    begin("retry 10m;");
    play.result = IPC_TEMP;
    for (int i = 0; i < 40; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.n_seen, 40);
    pass(9 * MINUTE + 30 * 1000);
    assert_in_range(play.n_seen, 41, 70);
    pass(MINUTE);
    assert_in_range(play.n_seen, 50, 79);
    pass(MINUTE);
    assert_int_equal(play.n_seen, 80);
    end();
}

/* FACE 1.9: a reply may say that its message waits for a person, or fails; what others say is tried again. */
static void a_reply_may_hold_its_message_fail_it_or_put_it_off(void **state)
{
    (void)state;
    begin("retry 10m; on-reply 451 hold; on-reply 452 fail; on-reply 550 defer;");
    play.result = IPC_TEMP;
    play.code = 450;
    uint64_t waits = give("s@sender.example", "d.example", 1);
    settle();
    play.code = 451;
    uint64_t held = give("s@sender.example", "d.example", 1);
    settle();
    play.code = 452;
    uint64_t failed = give("", "d.example", 1);
    settle();
    play.code = 550;
    play.result = IPC_PERM;
    uint64_t put_off = give("", "d.example", 1);
    settle();
    assert_true(is_held(held));
    assert_false(is_held(waits));
    assert_false(is_there(failed));
    assert_true(is_there(put_off));
    play.code = 0;
    play.result = IPC_OK;
    pass(12 * MINUTE);
    assert_false(is_there(waits));
    assert_false(is_there(put_off));
    assert_int_equal(seen_of(put_off), 2);
    assert_true(is_held(held));
    assert_int_equal(seen_of(held), 1);
    end();
}

/* FACE 2.3: queue flush. */
static void what_is_flushed_is_tried_at_once(void **state)
{
    (void)state;
    begin("");
    play.result = IPC_TEMP;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    pass(2 * MINUTE);
    size_t tried = seen_of(id);
    ask_as_control(IPC_QUEUE_ACT_ASK, &(struct ipc_queue_act_ask){ .verb = IPC_ACT_FLUSH });
    assert_int_equal(seen_of(id), tried + 1);
    end();
}

/* What is held, and that, are on disk. */
static void what_is_held_is_held_by_the_next_server(void **state)
{
    (void)state;
    begin("");
    uint64_t id = give("s@sender.example", "held.example", 1);
    settle();
    assert_true(is_held(id));
    server_dies();
    queue_begins();
    pass(HOUR);
    assert_true(is_held(id));
    assert_int_equal(queue()->rests.n_held, 1);
    assert_int_equal(seen_of(id), 0);
    end();
}

/* C158: ten thousand messages for a dead host are a probe each dead-host time, and no record and no attempt each. */
static void a_dead_host_with_ten_thousand_messages_costs_a_probe(void **state)
{
    begin("");
    play.host_is_dead = true;
    for (int i = 0; i < 10000; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    unsigned first = play.opens;
    assert_true(first <= 5);
    pass(HOUR);
    assert_true(play.opens - first <= 13);
    size_t tried = 0;
    for (size_t i = 0; i < queue()->index_room; i++)
        tried += queue()->index[i] && queue()->index[i]->recipients[0].attempts > 0;
    REST_FOR(r, &queue()->rests) {
        tried += r->attempts > 0;
    }
    assert_true(tried <= play.opens);
    assert_int_equal(queue_messages(queue()), 10000);
    /* It comes back: the next probe finds it, and all go. */
    play.host_is_dead = false;
    pass(6 * MINUTE);
    assert_true(play.n_seen > 9900);
    pass(HOUR);
    assert_int_equal(queue_messages(queue()), 0);
    end();
}

/* While it is not known what became of it, nothing else goes there. */
static void a_probe_goes_alone(void **state)
{
    (void)state;
    begin("connections 10 start 10;");
    play.host_is_dead = true;
    give("s@sender.example", "d.example", 1);
    settle();
    pass(MINUTE);
    unsigned opens = play.opens;
    play.host_is_silent = true;
    pass(6 * MINUTE);
    assert_int_equal(play.opens, opens + 1);
    for (int i = 0; i < 10; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.opens, opens + 1);
    end();
}

/* The probe that fails is the attempt of all that waited too long; expiry without one there is not. */
static void what_waits_at_a_dead_host_is_given_up_by_a_probe(void **state)
{
    begin("expire 1h; delay-warning off;");
    play.host_is_dead = true;
    for (int i = 0; i < 50; i++)
        give("", "d.example", 1);
    settle();
    pass(HOUR - 10 * MINUTE);
    assert_int_equal(queue_messages(queue()), 50);
    pass(30 * MINUTE);
    size_t waiting = 0;
    for (size_t i = 0; i < queue()->index_room; i++)
        waiting += queue()->index[i] && message_count(queue()->index[i], PROGRESS_WAITING) && !queue()->index[i]->report;
    REST_FOR(r, &queue()->rests) {
        waiting += r->recipients && !(r->flags & REST_REPORT);
    }
    assert_true(waiting <= 1);
    end();
}

static void dns_that_is_away_charges_nobody(void **state)
{
    begin("");
    play.plan = IPC_PLAN_OUTAGE;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    pass(24 * (int64_t)HOUR);
    assert_int_equal(attempts_of(id), 0);
    assert_true(play.plans <= 24 * 3600 / 15 + 2);
    play.plan = IPC_PLAN_OK;
    pass(MINUTE);
    assert_false(is_there(id));
    assert_int_equal(seen_of(id), 1);
    end();
}

static size_t place_of(uint64_t id)
{
    size_t i = 0;

    while (i < play.n_seen && play.seen[i].id != id)
        i++;
    return i;
}

static void one_message_is_not_behind_a_hundred_thousand_of_another_sender(void **state)
{
    begin("connections 2 start 2;");
    play.holds_back = true;
    for (int i = 0; i < 100000; i++)
        give("bulk@many.example", "d.example", 1);
    settle();
    for (int i = 0; i < 20; i++)
        answer_one();
    uint64_t id = give("anna@few.example", "d.example", 1);
    settle();
    size_t before = play.n_seen;
    for (int i = 0; i < 20; i++)
        answer_one();
    assert_true(place_of(id) < before + 4);
    end();
}

static void one_recipient_is_not_behind_ten_thousand(void **state)
{
    begin("connections 2 start 2;");
    play.holds_back = true;
    give("list@same.example", "d.example", 10000);
    settle();
    uint64_t id = give("anna@same.example", "d.example", 1);
    settle();
    for (int i = 0; i < 4; i++)
        answer_one();
    assert_int_equal(seen_of(id), 1);
    assert_true(place_of(id) < 12);
    /* C151: a hundred recipients a transaction. */
    assert_int_equal(play.seen[0].count, 100);
    end();
}

static void no_more_connections_than_the_window_and_they_are_used_again(void **state)
{
    begin("connections 20 start 5; reuse 50 10s;");
    play.holds_back = true;
    for (int i = 0; i < 40; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(connections_open(), 5);
    play.holds_back = false;
    while (play.n_open)
        answer_one();
    for (int i = 0; i < 2000; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(queue_messages(queue()), 0);
    assert_true(play.open_most <= 20 && play.opens >= 2040 / 50 && play.opens <= 2040 / 50 + 25);
    pass(11000);
    assert_int_equal(connections_open(), 0);
    end();
}

/* What hosts say reaches the window: to one that takes all as many go as may, to one that puts all off hardly any. */
static void the_window_of_a_site_follows_its_host(void **state)
{
    (void)state;
    begin("connections 20 start 5; reuse 10000 10s; retry 1h;");
    for (int i = 0; i < 600; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.open_most, 20);
    const struct window *w = &any_site()->limits->window;
    assert_int_equal(window_connections(w), 20);
    assert_true(play.site_window == 20 && !strcmp(play.site_cause, "it bears more"));
    play.result = IPC_TEMP;
    play.code = 451;
    for (int i = 0; i < 1200; i++) {
        give("s@sender.example", "d.example", 1);
        if (i % 20 == 0)
            pass(1000);
    }
    pass(MINUTE);
    assert_in_range(window_connections(w), 1, 4);
    assert_in_range(connections_open(), 0, 4);
    assert_true(play.site_for_4yz > 0);
    assert_int_equal(play.site_smaller, play.site_for_4yz);
    assert_int_equal(play.site_window, window_connections(w));
    assert_int_equal(play.site_jumps, 0);
    end();
}

/* FACE 3.2: a site is told of when it is found dead, and when it answers again, and what its window was. */
static void a_dead_host_and_its_return_are_told_once(void **state)
{
    (void)state;
    begin("connections 20 start 5;");
    play.host_is_dead = true;
    for (int i = 0; i < 20; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    pass(HOUR);
    assert_int_equal(play.site_records, 1);
    assert_string_equal(play.site_state, "dead");
    int64_t window = play.site_window;
    play.host_is_dead = false;
    play.holds_back = true;
    pass(6 * MINUTE);
    assert_int_equal(play.site_records, 2);
    assert_string_equal(play.site_state, "open");
    assert_string_equal(play.site_cause, "it answers again");
    assert_true(play.site_was == window && play.site_window == 5);
    end();
}

/* As many as the number at once, then each at its time, and never more. */
static void a_rate_lets_only_so_many_go(void **state)
{
    (void)state;
    begin("rate 10/1m; retry 1h;");
    for (int i = 0; i < 100; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    assert_int_equal(play.n_seen, 10);
    for (size_t minutes = 1; minutes <= 8; minutes++) {
        pass(MINUTE);
        assert_in_range(play.n_seen, 10 + 10 * minutes - 1, 10 + 10 * minutes);
    }
    pass(2 * MINUTE);
    assert_int_equal(queue_messages(queue()), 0);
    end();
}

/* FACE 1.3: a rate that is less than one a second. */
static void a_rate_of_three_in_ten_seconds(void **state)
{
    (void)state;
    begin("rate 3/10s;");
    for (int i = 0; i < 9; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    int64_t began = io_now_msec(play.loop);
    assert_int_equal(play.n_seen, 3);
    for (int n = 1; n <= 6; n++) {
        pass(began + n * 10000 / 3 - 100 - io_now_msec(play.loop));
        assert_int_equal(play.n_seen, 3 + n - 1);
        pass(200);
        assert_int_equal(play.n_seen, 3 + n);
    }
    end();
}

/* Each way of saying it, and what it says, as levels() has it. */
struct level {
    const char *domain;
    int64_t retry, expire, dead;
    unsigned reuse;
};

static const struct level levels[] = {
    { "top.example", 10 * MINUTE, 5 * HOUR, 7 * MINUTE, 12 },  { "site.example", 20 * MINUTE, 2 * HOUR, 3 * MINUTE, 9 },
    { "route.example", 30 * MINUTE, 3 * HOUR, 4 * MINUTE, 6 }, { "both.example", 40 * MINUTE, 4 * HOUR, 5 * MINUTE, 4 },
    { "block.example", 15 * MINUTE, 1 * HOUR, 6 * MINUTE, 2 },
};

static const char said_at_levels[] =
    "retry 10m; expire 5h; dead-host 7m; reuse 12; delay-warning off; connections 1 start 1;"
    "site s { domains site.example both.example; retry 20m; expire 2h; dead-host 3m; reuse 9; }"
    "route route.example mx { retry 30m; expire 3h; dead-host 4m; reuse 6; }"
    "route both.example mx { retry 40m; expire 4h; dead-host 5m; reuse 4; }"
    "domain block.example { users any; deliver lmtp://10.0.0.3:24; retry 15m; expire 1h; dead-host 6m; reuse 2; }";

/* FACE 1.4: what the route or the domain says, else the site, else the top. */
static void waits_and_ages_are_those_of_route_site_and_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        const struct level *l = &levels[i];
        begin(said_at_levels);
        play.result = IPC_TEMP;
        uint64_t id = give("s@sender.example", l->domain, 1);
        settle();
        int64_t began = io_now_msec(play.loop);
        pass(l->retry * 9 / 10 - 1000);
        assert_int_equal(seen_of(id), 1);
        pass(l->retry / 5 + 6000);
        assert_int_equal(seen_of(id), 2);
        pass(began + l->expire - MINUTE - io_now_msec(play.loop));
        assert_true(is_there(id));
        pass(2 * MINUTE);
        assert_false(is_there(id));
        end();
    }
}

static void a_dead_host_rests_as_route_site_and_domain_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        begin(said_at_levels);
        play.host_is_dead = true;
        give("s@sender.example", levels[i].domain, 1);
        give("s@sender.example", levels[i].domain, 1);
        settle();
        unsigned opens = play.opens;
        pass(levels[i].dead - 2000);
        assert_int_equal(play.opens, opens);
        pass(4000);
        assert_int_equal(play.opens, opens + 1);
        end();
    }
}

/* No connection has more messages than that, however many are given to it ahead. */
static void connections_are_used_as_often_as_route_site_and_domain_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        begin(said_at_levels);
        for (int n = 0; n < 72; n++)
            give("s@sender.example", levels[i].domain, 1);
        settle();
        assert_int_equal(play.n_seen, 72);
        assert_int_equal(play.used_most, levels[i].reuse);
        assert_int_equal(play.opens, 72 / levels[i].reuse);
        end();
    }
}

static size_t seen_to(const char *domain)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += strstr(play.seen[i].to, domain) != NULL;
    return n;
}

/* Hosts of one site have one window between them, and none of them waits for ever behind the others. */
static void hosts_of_one_site_share_its_window(void **state)
{
    (void)state;
    begin("connections 50 start 50; reuse 5 10s; site all { hosts .example; connections 3 start 3; }");
    for (int i = 0; i < 60; i++) {
        give("s@sender.example", "a.example", 1);
        give("s@sender.example", "b.example", 1);
        give("s@sender.example", "c.example", 1);
        give("s@sender.example", "d.example", 1);
    }
    settle();
    pass(MINUTE);
    assert_int_equal(queue_messages(queue()), 0);
    assert_int_equal(play.open_most, 3);
    assert_int_equal(seen_to("a.example"), 60);
    assert_int_equal(seen_to("d.example"), 60);
    end();
}

/* Nothing goes to a site that is paused, nobody is charged, and all go when it is over; a reload does not end it. */
static void a_pause_costs_nobody_an_attempt(void **state)
{
    (void)state;
    begin("site all { hosts .example; }");
    assert_true(limits_note_pause(queue(), STR("all"), queue_now(queue()) + 2 * HOUR, STR("paused by root")));
    for (int i = 0; i < 20; i++)
        give("s@sender.example", i & 1 ? "a.example" : "b.example", 1);
    settle();
    pass(HOUR);
    schedule_reconfigured(queue());
    pass(HOUR - MINUTE);
    assert_int_equal(play.n_seen, 0);
    assert_int_equal(play.opens, 0);
    REST_FOR(r, &queue()->rests) {
        assert_int_equal(r->attempts, 0);
    }
    pass(2 * MINUTE);
    assert_int_equal(play.n_seen, 20);
    assert_int_equal(queue_messages(queue()), 0);
    end();
}

/* C170 and FACE: our own users are told after four hours, once; strangers are not. */
static void our_users_are_told_of_a_delay_once(void **state)
{
    begin("");
    play.host_is_dead = true;
    give("anna@ours.example", "d.example", 1);
    give("s@sender.example", "e.example", 1);
    settle();
    pass(4 * HOUR - MINUTE);
    assert_int_equal(play.n_seen, 0);
    play.host_is_dead = false;
    play.plan = IPC_PLAN_OK;
    queue()->schedule.next_send = 0;
    play.result = IPC_TEMP;
    pass(3 * MINUTE);
    assert_int_equal(reports_seen() > 0, 1);
    assert_non_null(strstr(play.body, "Action: delayed"));
    assert_non_null(strstr(play.body, "anna@ours.example"));
    size_t reports = 0;
    for (size_t i = 0; i < play.n_seen; i++)
        reports += play.seen[i].report && strstr(play.seen[i].to, "s@sender") != NULL;
    assert_int_equal(reports, 0);
    end();
}

/* Reports to the sender, each once however often it is tried. */
static size_t warnings_seen(void)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].report && strstr(play.seen[i].to, "anna@ours.example") && place_of(play.seen[i].id) == i;
    return n;
}

/* FACE 1.9: a message at rest does not know its route, and is told of when that says. */
static void a_delay_is_told_of_when_the_route_says(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        begin("delay-warning 2h; route soon.example mx { delay-warning 30m 1h; } route never.example mx { delay-warning off; }");
        play.result = IPC_TEMP;
        give("anna@ours.example", "soon.example", 1);
        settle();
        /* Between two attempts, one behind 21 minutes and one behind 51. */
        pass(25 * MINUTE);
        if (again) {
            server_dies();
            queue_begins();
        }
        pass(4 * MINUTE);
        assert_int_equal(warnings_seen(), 0);
        pass(2 * MINUTE);
        assert_int_equal(warnings_seen(), 1);
        end();
        begin("delay-warning 2h; route soon.example mx { delay-warning 30m 1h; } route never.example mx { delay-warning off; }");
        play.result = IPC_TEMP;
        give("anna@ours.example", "never.example", 1);
        settle();
        pass(HOUR);
        if (again) {
            server_dies();
            queue_begins();
        }
        pass(24 * (int64_t)HOUR);
        assert_int_equal(warnings_seen(), 0);
        end();
    }
}

static size_t with_word(const char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].report && strstr(play.seen[i].to, to);
    return n;
}

/* C161: what cannot be returned is told to the postmaster, twenty in an hour, and then in one digest. */
static void reports_that_cannot_be_returned_become_a_digest(void **state)
{
    begin("");
    play.result = IPC_PERM;
    for (int i = 0; i < 30; i++)
        give("", "d.example", 1);
    for (int i = 0; i < 60; i++) {
        settle();
        /* What goes to the postmaster arrives. */
        play.result = queue_messages(queue()) <= 40 ? IPC_OK : IPC_PERM;
    }
    assert_int_equal(with_word("post@ours.example"), QUEUE_POSTMASTER_HOUR);
    assert_int_equal(queue_messages(queue()), 30 - QUEUE_POSTMASTER_HOUR);
    play.result = IPC_OK;
    pass(HOUR + MINUTE);
    assert_int_equal(with_word("post@ours.example"), QUEUE_POSTMASTER_HOUR + 1);
    assert_int_equal(queue_messages(queue()), 0);
    end();
}

static void what_a_route_holds_waits_until_it_is_released(void **state)
{
    begin("");
    uint64_t id = give("s@sender.example", "held.example", 1);
    settle();
    pass(6 * 24 * (int64_t)HOUR);
    assert_true(is_held(id));
    assert_int_equal(play.n_seen, 0);
    struct ipc_channel *control = wire_new(&play.worker, PROCESS_CONTROL, 9);
    wire_say(&play.worker, control, IPC_QUEUE_ACT_ASK, &(struct ipc_queue_act_ask){ .verb = IPC_ACT_RELEASE });
    settle();
    assert_int_equal(seen_of(id), 1);
    assert_false(is_there(id));
    end();
}

/* What is said of a message is what becomes of it, attempt by attempt. */
static void what_waits_for_its_time_is_tried_when_it_is_said_to_be(void **state)
{
    begin("");
    play.result = IPC_TEMP;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    for (size_t i = 1; i < 7; i++) {
        assert_string_equal(why(id), "time");
        assert_int_equal(said.attempts, i);
        pass_until_said(-1500);
        assert_int_equal(seen_of(id), i);
        /* To look at it is not to try it. */
        assert_string_equal(why(id), "time");
        assert_int_equal(seen_of(id), i);
        /* Times far off are kept to four seconds. */
        pass_until_said(5000);
        assert_int_equal(seen_of(id), i + 1);
    }
    end();
}

static void what_waits_for_a_dead_host_is_said_to_and_when_it_is_tried_again(void **state)
{
    begin("");
    play.host_is_dead = true;
    for (int i = 0; i < 200; i++)
        give("s@sender.example", "d.example", 1);
    settle();
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    assert_string_equal(why(id), "site");
    assert_non_null(strstr(said.text, "connection timed out"));
    unsigned opens = play.opens;
    pass_until_said(-1000);
    assert_int_equal(play.opens, opens);
    pass(2000);
    assert_true(play.opens > opens);
    assert_string_equal(why(id), "site");
    play.host_is_dead = false;
    pass_until_said(2000);
    assert_int_equal(seen_of(id), 1);
    end();
}

static void what_waits_for_the_dns_is_said_to(void **state)
{
    begin("");
    play.plan = IPC_PLAN_OUTAGE;
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    assert_string_equal(why(id), "dns");
    assert_int_equal(said.attempts, 0);
    pass(HOUR);
    assert_string_equal(why(id), "dns");
    play.plan = IPC_PLAN_OK;
    pass(SCHEDULE_OUTAGE_MSEC + 1000);
    assert_int_equal(seen_of(id), 1);
    end();
}

static void what_is_held_is_said_to_be_and_by_whom(void **state)
{
    begin("");
    play.result = IPC_TEMP;
    uint64_t id = give("s@sender.example", "d.example", 1), kept = give("s@sender.example", "held.example", 1);
    settle();
    char ids[8];
    le64_put(ids, id);
    ask_as_control(IPC_QUEUE_ACT_ASK, &(struct ipc_queue_act_ask){ .verb = IPC_ACT_HOLD,
                                                                   .ids = str_of(ids, sizeof(ids)),
                                                                   .account = STR("root"),
                                                                   .note = STR("ticket 4411") });
    assert_string_equal(why(id), "held");
    assert_string_equal(said.text, "by root: ticket 4411");
    assert_string_equal(said.message_state, "held");
    assert_int_equal(said.next, 0);
    pass(24 * (int64_t)HOUR);
    assert_int_equal(seen_of(id), 1);
    assert_string_equal(why(kept), "held");
    end();
}

static void who_waits_for_a_full_window_is_told_how_many_are_in_front(void **state)
{
    begin("connections 1 start 1;");
    play.holds_back = true;
    uint64_t id = 0;
    for (int i = 0; i < 300; i++)
        id = give("s@sender.example", "d.example", 1);
    settle();
    assert_string_equal(why(play.seen[0].id), "sending");
    assert_string_equal(why(id), "window");
    assert_int_equal(said.window, 1);
    int64_t in_front = said.in_front, sent = (int64_t)play.n_seen;
    assert_int_equal(in_front, 300 - 1 - sent);
    for (int i = 0; i < 10; i++)
        answer_one();
    assert_string_equal(why(id), "window");
    assert_int_equal(said.in_front, in_front - ((int64_t)play.n_seen - sent));
    end();
}

static void what_waits_for_a_paused_site_is_said_to(void **state)
{
    begin("");
    give("s@sender.example", "d.example", 1);
    settle();
    limits_pause(any_site()->limits, io_now_msec(play.loop) + HOUR, "paused by root", STR_NONE);
    uint64_t id = give("s@sender.example", "d.example", 1);
    settle();
    assert_string_equal(why(id), "paused");
    assert_non_null(strstr(said.text, "paused by root"));
    pass_until_said(-1000);
    assert_int_equal(seen_of(id), 0);
    pass(3000);
    assert_int_equal(seen_of(id), 1);
    end();
}

/* ---- at rest ---- */

static void nobody_is_awake(void)
{
    assert_int_equal(queue()->n_messages, 0);
    assert_int_equal(any_site()->n_waking, 0);
}

/* All of them rest in the line of a site that is dead. */
static void fill_dead(const char *sender, int n)
{
    play.host_is_dead = true;
    for (int i = 0; i < n; i++)
        give(sender, "d.example", 1);
    settle();
}

/* What the disk does not give just now is asked for in a moment, not at once; the probe goes when it does. */
static void reads_that_fail_are_tried_again_in_a_moment(void **state)
{
    (void)state;
    begin("");
    fill_dead("s@sender.example", 50);
    pass(MINUTE);
    nobody_is_awake();
    play.host_is_dead = false;
    play.reads_fail = true;
    play.reads = 0;
    pass(10 * MINUTE);
    assert_in_range(play.reads, 50, 50 * (7 * 60 / 5));
    assert_int_equal(queue_messages(queue()), 50);
    assert_int_equal(any_site()->n_waking, 0);
    play.reads_fail = false;
    pass(MINUTE);
    assert_int_equal(queue_messages(queue()), 0);
    end();
}

/* A probe is one message: not all that rest are read for it. */
static void a_probe_wakes_one(void **state)
{
    (void)state;
    begin("");
    fill_dead("s@sender.example", 1000);
    pass(4 * MINUTE);
    nobody_is_awake();
    for (int probes = 1; probes <= 3; probes++) {
        unsigned opens = play.opens;
        play.reads = 0;
        pass(5 * MINUTE);
        assert_in_range(play.opens - opens, 1, 2);
        assert_in_range(play.reads, 1, 4);
    }
    end();
}

static size_t seen_from(const char *sender)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += !strcmp(play.seen[i].sender, sender);
    return n;
}

/* Who rests has his turn while thousands of another sender are awake. */
static void who_rests_is_not_behind_thousands_that_are_awake(void **state)
{
    (void)state;
    begin("connections 2 start 2;");
    fill_dead("anna@few.example", 300);
    pass(MINUTE);
    nobody_is_awake();
    play.host_is_dead = false;
    play.holds_back = true;
    pass(5 * MINUTE);
    for (int i = 0; i < 3000; i++)
        give("bulk@many.example", "d.example", 1);
    settle();
    for (int i = 0; i < 200; i++)
        answer_one();
    assert_in_range(seen_from("anna@few.example"), 60, 160);
    end();
}

/* DESIGN 6: one message is not behind those of another sender that rest at a slow site, whatever their number. */
static void one_message_at_rest_is_not_behind_a_hundred_thousand(void **state)
{
    (void)state;
    begin("connections 2 start 2;");
    fill_dead("bulk@many.example", 100000);
    fill_dead("anna@few.example", 1);
    pass(MINUTE);
    nobody_is_awake();
    play.host_is_dead = false;
    play.holds_back = true;
    pass(5 * MINUTE);
    for (int i = 0; i < 12; i++)
        answer_one();
    assert_int_equal(seen_from("anna@few.example"), 1);
    assert_in_range(queue()->n_messages, 1, 100);
    end();
}

/* Those in line can be held, and let go; over a reload, too, and what is counted of them is right. */
static void those_in_line_are_held_and_let_go(void **state)
{
    (void)state;
    begin("");
    fill_dead("s@sender.example", 300);
    pass(MINUTE);
    ask_as_control(IPC_QUEUE_ACT_ASK, &(struct ipc_queue_act_ask){ .verb = IPC_ACT_HOLD, .account = STR("root") });
    pass(MINUTE);
    assert_int_equal(queue()->rests.n_held, 300);
    schedule_reconfigured(queue());
    play.host_is_dead = false;
    pass(HOUR);
    assert_int_equal(play.n_seen, 0);
    assert_int_equal(queue()->rests.n_held, 300);
    ask_as_control(IPC_QUEUE_ACT_ASK, &(struct ipc_queue_act_ask){ .verb = IPC_ACT_RELEASE });
    pass(MINUTE);
    assert_int_equal(queue_messages(queue()), 0);
    assert_int_equal(queue()->rests.n_held, 0);
    assert_int_equal(play.n_seen, 300);
    end();
}

/* How many SELECT means, which is only asked; what was read for that is in play.reads. */
static uint32_t meant(struct ipc_queue_act_ask ask)
{
    ask.verb = IPC_ACT_FLUSH;
    ask.dry = 1;
    play.reads = play.reads_whole = 0;
    ask_as_control(IPC_QUEUE_ACT_ASK, &ask);
    return said.count;
}

/* FACE 2.2: no content is read to know which messages are meant, and of those that are not nothing at all. */
static void a_selection_reads_no_content_and_nothing_of_the_others(void **state)
{
    (void)state;
    begin("site s { domains d.example; }");
    fill_dead("s@sender.example", 500);
    fill_dead("anna@few.example", 3);
    pass(2 * MINUTE);
    give("s@sender.example", "held.example", 1);
    settle();
    pass(MINUTE);
    nobody_is_awake();
    assert_int_equal(meant((struct ipc_queue_act_ask){ .from = STR("anna@few.example") }), 3);
    assert_in_range(play.reads, 3, 4);
    assert_int_equal(meant((struct ipc_queue_act_ask){ .from = STR("nobody@few.example") }), 0);
    assert_int_equal(play.reads, 0);
    assert_int_equal(meant((struct ipc_queue_act_ask){ .to = STR("held.example") }), 1);
    assert_in_range(play.reads, 1, 2);
    assert_int_equal(meant((struct ipc_queue_act_ask){ .state = STR("held") }), 1);
    assert_int_equal(play.reads, 0);
    assert_int_equal(meant((struct ipc_queue_act_ask){ .older_msec = 2 * MINUTE }), 503);
    assert_int_equal(play.reads, 0);
    assert_int_equal(meant((struct ipc_queue_act_ask){ .site = STR("s") }), 503);
    assert_int_equal(play.reads_whole, 0);
    end();
}

/* ---- how many wait for what ---- */

static void shape(const struct ipc_queue_shape_ask *ask)
{
    ask_as_control(IPC_QUEUE_SHAPE_ASK, ask);
    assert_int_equal(said.n_ages, 12);
}

static void a_count_has_every_message_once_in_the_class_of_its_age(void **state)
{
    static const int64_t waits[] = { 4 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE };

    begin("");
    play.result = IPC_TEMP;
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        give("s@sender.example", "d.example", 1);
        give("s@sender.example", "e.example", 3);
        settle();
        pass(waits[i]);
    }
    shape(&(struct ipc_queue_shape_ask){ .limit = 10 });
    assert_int_equal(said.messages, 10);
    /* They are 79, 75, 70, 60 and 40 minutes old; 40 is no more below 40. */
    assert_int_equal(said.ages[4], 10);
    pass(MINUTE);
    shape(&(struct ipc_queue_shape_ask){ .limit = 10 });
    assert_int_equal(said.ages[4], 8);
    assert_int_equal(said.ages[5], 2);
    shape(&(struct ipc_queue_shape_ask){ .limit = 10, .to = STR("e.example"), .older_msec = 65 * MINUTE });
    assert_int_equal(said.messages, 3);
    give("s@sender.example", "d.example", 1);
    settle();
    shape(&(struct ipc_queue_shape_ask){ .limit = 10 });
    assert_int_equal(said.ages[0], 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < said.n_ages; i++)
        sum += said.ages[i];
    assert_int_equal(sum, 11);
    end();
}

/* --short: without those of a hundred thousand messages, for who runs it again and again. */
int main(int argc, char **argv)
{
    const struct CMUnitTest large[] = {
        cmocka_unit_test(one_message_is_not_behind_a_hundred_thousand_of_another_sender),
        cmocka_unit_test(one_message_at_rest_is_not_behind_a_hundred_thousand),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_follow_the_schedule_and_the_last_is_at_the_deadline),
        cmocka_unit_test(a_clock_that_leaps_bounces_nothing),
        cmocka_unit_test(a_first_failure_of_what_came_from_disk_ends_nothing),
        cmocka_unit_test(a_clock_that_is_put_back_delays_nothing),
        cmocka_unit_test(nothing_is_tried_again_before_its_outcome_is_durable),
        cmocka_unit_test(nothing_is_sent_before_all_send_processes_have_told),
        cmocka_unit_test(what_was_handed_over_long_ago_is_never_answered_250),
        cmocka_unit_test(what_is_durable_too_late_is_taken_back),
        cmocka_unit_test(what_the_spool_did_not_take_is_not_answered_250),
        cmocka_unit_test(nothing_is_leased_while_the_spool_refuses),
        cmocka_unit_test(what_is_above_max_memory_is_not_taken),
        cmocka_unit_test(waits_differ_from_message_to_message),
        cmocka_unit_test(a_reply_may_hold_its_message_fail_it_or_put_it_off),
        cmocka_unit_test(what_is_flushed_is_tried_at_once),
        cmocka_unit_test(what_is_held_is_held_by_the_next_server),
        cmocka_unit_test(a_dead_host_with_ten_thousand_messages_costs_a_probe),
        cmocka_unit_test(a_probe_goes_alone),
        cmocka_unit_test(what_waits_at_a_dead_host_is_given_up_by_a_probe),
        cmocka_unit_test(dns_that_is_away_charges_nobody),
        cmocka_unit_test(one_recipient_is_not_behind_ten_thousand),
        cmocka_unit_test(no_more_connections_than_the_window_and_they_are_used_again),
        cmocka_unit_test(the_window_of_a_site_follows_its_host),
        cmocka_unit_test(a_dead_host_and_its_return_are_told_once),
        cmocka_unit_test(a_rate_lets_only_so_many_go),
        cmocka_unit_test(a_rate_of_three_in_ten_seconds),
        cmocka_unit_test(waits_and_ages_are_those_of_route_site_and_domain),
        cmocka_unit_test(a_dead_host_rests_as_route_site_and_domain_say),
        cmocka_unit_test(connections_are_used_as_often_as_route_site_and_domain_say),
        cmocka_unit_test(hosts_of_one_site_share_its_window),
        cmocka_unit_test(a_pause_costs_nobody_an_attempt),
        cmocka_unit_test(our_users_are_told_of_a_delay_once),
        cmocka_unit_test(a_delay_is_told_of_when_the_route_says),
        cmocka_unit_test(reports_that_cannot_be_returned_become_a_digest),
        cmocka_unit_test(what_a_route_holds_waits_until_it_is_released),
        cmocka_unit_test(what_waits_for_its_time_is_tried_when_it_is_said_to_be),
        cmocka_unit_test(what_waits_for_a_dead_host_is_said_to_and_when_it_is_tried_again),
        cmocka_unit_test(what_waits_for_the_dns_is_said_to),
        cmocka_unit_test(what_is_held_is_said_to_be_and_by_whom),
        cmocka_unit_test(who_waits_for_a_full_window_is_told_how_many_are_in_front),
        cmocka_unit_test(what_waits_for_a_paused_site_is_said_to),
        cmocka_unit_test(reads_that_fail_are_tried_again_in_a_moment),
        cmocka_unit_test(a_probe_wakes_one),
        cmocka_unit_test(who_rests_is_not_behind_thousands_that_are_awake),
        cmocka_unit_test(those_in_line_are_held_and_let_go),
        cmocka_unit_test(a_selection_reads_no_content_and_nothing_of_the_others),
        cmocka_unit_test(a_count_has_every_message_once_in_the_class_of_its_age),
    };

    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (argc < 2 || strcmp(argv[1], "--short"))
        failed += cmocka_run_group_tests(large, NULL, NULL);
    return failed;
}
