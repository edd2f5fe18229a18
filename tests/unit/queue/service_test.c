/* The queue with a real spool, beside receive, lookup, main and deliver processes that the test plays (DESIGN 3, 5, 6). */
#include "tests/unit/mailbox/box.h"

#include "config/parse.h"
#include "core/num.h"
#include "io/fd.h"
#include "log/render.h"
#include "queue/voucher.h"
#include "spool/disk.h"

enum { SEEN_MAX = 64, READS_MAX = 64, ROWS_MAX = 1 << 16 };

/* What reached one of those whom the test plays. */
struct seen {
    enum ipc_type type;
    uint32_t instance; /* of the process it reached */
    uint64_t ticket;   /* or lease */
    uint64_t id;       /* or number of a file */
    uint32_t number;
    uint8_t status;
    bool stands;
    int fd;
    char text[128];
    char voucher[IPC_VOUCHER_OCTETS];
};

struct end {
    struct ipc_channel *channel; /* NULL: it died */
    enum process_kind kind;
    uint32_t instance;
};

static struct {
    struct box box;
    struct arena *arena;
    struct config_bundle bundle;
    struct worker worker;
    struct io_timer turn;
    struct ipc_handler far;
    struct end ends[16];
    size_t n_ends;
    uint32_t instances;
    struct seen seen[SEEN_MAX];
    size_t n_seen;
    uint64_t next_ticket;
    bool lookup_silent;
    bool main_silent;
    enum ipc_result route;
    bool exited;
    bool catches;                         /* reads for rows wait in CAUGHT until the test lets them go */
    struct spool_read *caught[READS_MAX];
    size_t n_caught;
    size_t reads; /* for rows: without content */
    size_t fails; /* the number of that which fails; 0: none */
    void (*done[READS_MAX])(struct spool_read *read); /* whose it is, by number */
    const struct spool_read *of[READS_MAX];
    char rows[ROWS_MAX]; /* of the newest page, as JSON lines */
} play;

static struct queue *queue(void)
{
    return queue_of(&play.worker);
}

/* A log of small segments: a fresh one for each test costs nothing. */
struct spool *__real_spool_open(const struct spool_options *options, struct err *err);
struct spool *__wrap_spool_open(const struct spool_options *options, struct err *err);
struct spool *__wrap_spool_open(const struct spool_options *options, struct err *err)
{
    struct spool_options small = *options;

    small.segment_octets = 1 << 20;
    small.min_free_percent = 0;
    return __real_spool_open(&small, err);
}

/* ---- reads for rows: counted, kept waiting, failed ---- */

void __real_spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read);
void __wrap_spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read);

/* What was there is taken away again. */
static void fail_read(struct spool_read *read)
{
    size_t i = 0;

    while (play.of[i] != read)
        i++;
    play.of[i] = NULL;
    spool_read_done(queue()->spool, read);
    read->status = SPOOL_READ_FAILED;
    read->done = play.done[i];
    read->done(read);
}

void __wrap_spool_read(struct spool *spool, struct queue_id id, unsigned parts, struct spool_read *read)
{
    if (parts & SPOOL_READ_CONTENT) {
        __real_spool_read(spool, id, parts, read);
        return;
    }
    assert_true(play.reads < READS_MAX && play.n_caught < READS_MAX);
    if (++play.reads == play.fails) {
        play.of[play.reads - 1] = read;
        play.done[play.reads - 1] = read->done;
        read->done = fail_read;
    }
    if (!play.catches) {
        __real_spool_read(spool, id, parts, read);
        return;
    }
    *read = (struct spool_read){ .done = read->done, .id = id, .parts = parts, .file = -1 };
    play.caught[play.n_caught++] = read;
}

/* ---- what ipc/worker.c does for a real process ---- */

struct ipc_channel *worker_peer(struct worker *w, enum process_kind kind)
{
    for (size_t i = w->n_peers; i > 0; i--)
        if (w->peers[i - 1]->peer == kind && !w->peers[i - 1]->closed)
            return w->peers[i - 1];
    return NULL;
}

struct ipc_channel *worker_peer_of(struct worker *w, enum process_kind kind, uint32_t generation)
{
    (void)generation;
    return worker_peer(w, kind);
}

bool worker_row_add(struct buf *rows, const struct log_record *r)
{
    char length[4];

    le32_put(length, (uint32_t)r->n);
    return buf_add(rows, str_of(length, sizeof(length))) && buf_add(rows, log_octets(r));
}

void worker_exit(struct worker *w)
{
    (void)w;
    play.exited = true;
}

static void to_service(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    w->service->message(w, c, m);
}

static void service_peer_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);
    size_t i = 0;

    while (i < w->n_peers && w->peers[i] != c)
        i++;
    if (i < w->n_peers)
        w->peers[i] = w->peers[--w->n_peers];
    w->service->peer_down(w, c);
    ipc_channel_free(c);
    io_loop_stop(w->loop);
}

static void service_credit(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    w->service->credit(w, c);
}

/* ---- the others ---- */

static struct end *end_of(const struct ipc_channel *c)
{
    for (size_t i = 0; i < play.n_ends; i++)
        if (play.ends[i].channel == c)
            return &play.ends[i];
    fail();
    return NULL;
}

static struct end *newest(enum process_kind kind)
{
    for (size_t i = play.n_ends; i > 0; i--)
        if (play.ends[i - 1].kind == kind && play.ends[i - 1].channel)
            return &play.ends[i - 1];
    fail_msg("no %s", process_name(kind));
    return NULL;
}

static struct end *comes_as(enum process_kind kind, uint32_t instance)
{
    int fds[2];
    struct err err = { 0 };
    struct end *e = &play.ends[play.n_ends++];

    assert_true(play.n_ends <= ARRAY_LEN(play.ends));
    assert_true(fd_pair(fds, &err));
    struct ipc_channel *c =
        ipc_channel_new(play.worker.loop, fds[0], PROCESS_QUEUE, kind, &play.worker.handler, &err);
    *e = (struct end){ ipc_channel_new(play.worker.loop, fds[1], kind, PROCESS_QUEUE, &play.far, &err), kind,
                       instance };
    assert_true(c && e->channel);
    c->instance = e->instance;
    c->generation = play.worker.generation;
    if (kind == PROCESS_MAIN) {
        play.worker.main = c;
        return e;
    }
    play.worker.peers[play.worker.n_peers++] = c;
    queue_service.peer_up(&play.worker, c);
    return e;
}

static struct end *comes(enum process_kind kind)
{
    return comes_as(kind, ++play.instances);
}

static struct seen *see(struct ipc_channel *c, enum ipc_type type)
{
    assert_true(play.n_seen < SEEN_MAX);
    struct seen *s = &play.seen[play.n_seen++];
    *s = (struct seen){ .type = type, .instance = end_of(c)->instance, .fd = -1 };
    io_loop_stop(play.worker.loop);
    return s;
}

static void answer_route(uint64_t ticket, struct str user)
{
    assert_true(ipc_send_route_answer(newest(PROCESS_LOOKUP)->channel, &(struct ipc_route_answer){
                                                                           .ticket = ticket,
                                                                           .status = (uint8_t)play.route,
                                                                           .generation = play.worker.generation,
                                                                           .user = user,
                                                                           .domain = STR("example.org"),
                                                                           .code = STR("4.4.0"),
                                                                           .text = STR("told by the test"),
                                                                       }));
}

/* Main starts a deliver process, whose channel comes first. */
static void deliver_begins(uint64_t ticket)
{
    struct end *e = comes(PROCESS_DELIVER);

    assert_true(ipc_send_kept_end(e->channel, &(struct ipc_kept_end){ 0 }));
    assert_true(ipc_send_deliver_answer(newest(PROCESS_MAIN)->channel, &(struct ipc_deliver_answer){
                                                                           .ticket = ticket,
                                                                           .instance = e->instance,
                                                                       }));
}

static uint64_t count_rows(struct str rows)
{
    uint64_t n = 0;

    for (; rows.n >= 4; rows = str_skip(rows, 4 + le32_get(rows.p)))
        n++;
    return n;
}

/* As control shows them. */
static void keep_rows(struct str rows)
{
    struct buf out = BUF_INIT(ROWS_MAX - 1);

    for (; rows.n >= 4; rows = str_skip(rows, 4 + le32_get(rows.p))) {
        assert_true(log_render(str_slice(rows, 4, 4 + le32_get(rows.p)), LOG_JSON, true, &out));
        assert_true(buf_add_char(&out, '\n'));
    }
    snprintf(play.rows, sizeof(play.rows), "%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}

static void far_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct seen *s = see(c, m->type);

    (void)h;
    switch (m->type) {
    case IPC_COMMIT_ANSWER:
        s->ticket = m->commit_answer.ticket;
        s->status = m->commit_answer.status;
        break;
    case IPC_TOKEN_ANSWER:
        s->stands = m->token_answer.stands;
        s->id = m->token_answer.id;
        break;
    case IPC_IDS_ANSWER:
        s->id = m->ids_answer.first;
        break;
    case IPC_FILE_ANSWER:
        s->status = m->file_answer.status;
        s->id = m->file_answer.file;
        s->fd = m->fd;
        m->fd = -1;
        break;
    case IPC_ROUTE_ASK:
        s->ticket = m->route_ask.ticket;
        s->status = m->route_ask.kind;
        snprintf(s->text, sizeof(s->text), "%.*s%s%.*s", STR_ARG(m->route_ask.local),
                 m->route_ask.account.n ? " by " : "", STR_ARG(m->route_ask.account));
        if (!play.lookup_silent)
            answer_route(m->route_ask.ticket, m->route_ask.local);
        break;
    case IPC_QUEUE_ACT_ANSWER:
        s->number = m->queue_act_answer.done;
        s->status = (uint8_t)m->queue_act_answer.early;
        break;
    case IPC_QUEUE_EDIT_ANSWER:
        s->status = m->queue_edit_answer.status;
        break;
    case IPC_QUEUE_LIST_ANSWER:
        s->id = count_rows(m->queue_list_answer.records);
        s->ticket = m->queue_list_answer.last;
        keep_rows(m->queue_list_answer.records);
        break;
    case IPC_EXPAND_ASK:
        assert_true(ipc_send_expand_answer(newest(PROCESS_LOOKUP)->channel, &(struct ipc_expand_answer){
                                                                                .ticket = m->expand_ask.ticket,
                                                                                .refused = 1,
                                                                            }));
        break;
    case IPC_DELIVER_ASK:
        s->ticket = m->deliver_ask.ticket;
        if (!play.main_silent)
            deliver_begins(m->deliver_ask.ticket);
        break;
    case IPC_LEASE:
        s->ticket = m->lease.lease;
        s->id = m->lease.id;
        s->number = m->lease.number;
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(m->lease.body));
        assert_int_equal(m->lease.voucher.n, sizeof(s->voucher));
        memcpy(s->voucher, m->lease.voucher.p, sizeof(s->voucher));
        break;
    case IPC_SETTLED:
        s->ticket = m->settled.lease;
        break;
    case IPC_MISTRUSTED:
        s->instance = m->mistrusted.instance;
        s->status = m->mistrusted.kind;
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(m->mistrusted.why));
        break;
    default:
        break;
    }
}

static void far_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
    io_loop_stop(play.worker.loop);
}

static void on_turn(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

/* ---- waiting ---- */

static void run(void)
{
    struct err err = { 0 };

    assert_true(io_loop_run(play.worker.loop, &err));
}

/* One turn, whether or not something happens. */
static void turn(void)
{
    io_timer_start(&play.turn, 0);
    run();
}

static void turns(void)
{
    for (int i = 0; i < 16; i++)
        turn();
}

static void forget_seen(void)
{
    play.n_seen = 0;
}

static size_t seen_of(enum ipc_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_seen; i++)
        n += play.seen[i].type == type;
    return n;
}

/* Until so many of TYPE have arrived since they were forgotten; the last of them. */
static struct seen wait_for(enum ipc_type type, size_t n)
{
    while (seen_of(type) < n)
        run();
    for (size_t i = play.n_seen; i > 0; i--)
        if (play.seen[i - 1].type == type)
            return play.seen[i - 1];
    fail();
    return (struct seen){ 0 };
}

/* Awake; one at rest is woken for a look, and goes to rest again. */
static struct message *message_of(uint64_t id)
{
    return message_have(queue(), (struct queue_id){ id });
}

static void wait_state(uint64_t id, enum message_state state)
{
    while (message_of(id) && message_of(id)->state != state)
        turn();
    assert_non_null(message_of(id));
}

/* Its attempt failed, that is on disk, and it waits for its time. */
static void wait_deferred(uint64_t id)
{
    while (message_of(id) && (strcmp(show_state(message_of(id)), "deferred") != 0 || message_of(id)->writing))
        turn();
    assert_non_null(message_of(id));
}

/* Recipients that are under way. */
static size_t under_way(void)
{
    size_t n = 0;

    for (size_t i = 0; i < queue()->index_room; i++)
        n += queue()->index[i] ? queue()->index[i]->active : 0;
    return n;
}

static void wait_gone(uint64_t id)
{
    while (message_of(id))
        turn();
}

/* Its next attempt is due, without a clock. */
static void time_passes(void)
{
    for (size_t i = 0; i < queue()->index_room; i++) {
        struct message *m = queue()->index[i];
        for (uint32_t k = 0; m && k < m->n_recipients; k++)
            m->recipients[k].due_msec = 0;
        if (m)
            message_ready(m);
    }
    for (uint32_t i = 1; i <= queue()->rests.used; i++) {
        struct rest *r = rest_at(&queue()->rests, i);
        if ((r->flags & (REST_IN_USE | REST_HEAD)) == REST_IN_USE)
            rest_hasten(queue(), r);
    }
}

/* ---- what receive says ---- */

static uint64_t fresh_id(void)
{
    size_t n = seen_of(IPC_IDS_ANSWER);

    assert_true(ipc_send_ids_ask(newest(PROCESS_RECEIVE)->channel, &(struct ipc_ids_ask){ .count = 1 }));
    return wait_for(IPC_IDS_ANSWER, n + 1).id;
}

static void add_envelope(struct buf *out, uint32_t recipients)
{
    struct envelope_recipient r[4] = { 0 };
    static const char *const names[] = { "anna", "ben", "carol", "dora" };

    for (uint32_t i = 0; i < recipients; i++)
        r[i] = (struct envelope_recipient){ i + 1, str_from_c(names[i]), STR("example.org"), STR("x@example.org"),
                                            STR_NONE, false };
    assert_true(envelope_encode(out, &(struct envelope){
                                         .sender = STR("a@example.net"), .recipients = r, .n_recipients = recipients }));
}

static struct ipc_commit_ask commit_of(uint64_t id, struct str envelope)
{
    static char token[SPOOL_TOKEN_OCTETS];

    snprintf(token, sizeof(token), "%llu", (unsigned long long)id);
    return (struct ipc_commit_ask){
        .ticket = ++play.next_ticket,
        .id = id,
        .token = str_of(token, sizeof(token)),
        .handed_usec = (uint64_t)io_clock_usec(),
        .expected = 1,
        .envelope = envelope,
        .head = STR("Received: x\r\n"),
        .body = STR("Subject: y\r\n\r\nz\r\n"),
    };
}

static enum ipc_storage commit(const struct ipc_commit_ask *ask)
{
    size_t n = seen_of(IPC_COMMIT_ANSWER);

    assert_true(ipc_send_commit_ask(newest(PROCESS_RECEIVE)->channel, ask));
    struct seen s = wait_for(IPC_COMMIT_ANSWER, n + 1);
    assert_int_equal(s.ticket, ask->ticket);
    return (enum ipc_storage)s.status;
}

static uint64_t take(uint32_t recipients)
{
    struct buf envelope = BUF_INIT(10000);
    uint64_t id = fresh_id();

    add_envelope(&envelope, recipients);
    struct ipc_commit_ask ask = commit_of(id, buf_str(&envelope));
    assert_int_equal(commit(&ask), IPC_STORED);
    buf_done(&envelope);
    return id;
}

/* One recipient, and what else E says. */
static uint64_t take_as(struct envelope e)
{
    const struct envelope_recipient r = { 1, STR_INIT("anna"), STR_INIT("example.org"), STR_INIT("x@example.org") };
    struct buf octets = BUF_INIT(10000);
    uint64_t id = fresh_id();

    e.sender = STR("a@example.net");
    e.recipients = &r;
    e.n_recipients = 1;
    assert_true(envelope_encode(&octets, &e));
    struct ipc_commit_ask ask = commit_of(id, buf_str(&octets));
    assert_int_equal(commit(&ask), IPC_STORED);
    buf_done(&octets);
    return id;
}

/* ---- what control says ---- */

static struct seen act(enum ipc_act verb, uint64_t id)
{
    size_t n = seen_of(IPC_QUEUE_ACT_ANSWER);
    char ids[8];

    le64_put(ids, id);
    assert_true(ipc_send_queue_act_ask(newest(PROCESS_CONTROL)->channel,
                                       &(struct ipc_queue_act_ask){
                                           .verb = (uint8_t)verb, .ids = str_of(ids, 8), .account = STR("root") }));
    return wait_for(IPC_QUEUE_ACT_ANSWER, n + 1);
}

static void ask_act(const struct ipc_queue_act_ask *ask)
{
    forget_seen();
    assert_true(ipc_send_queue_act_ask(newest(PROCESS_CONTROL)->channel, ask));
}

static uint64_t listed(const char *sent_by, const char *state)
{
    size_t n = seen_of(IPC_QUEUE_LIST_ANSWER);

    assert_true(ipc_send_queue_list_ask(
        newest(PROCESS_CONTROL)->channel,
        &(struct ipc_queue_list_ask){ .sent_by = str_from_c(sent_by), .state = str_from_c(state) }));
    return wait_for(IPC_QUEUE_LIST_ANSWER, n + 1).id;
}

/* The page behind AFTER, of one message; where it ended. */
static uint64_t page(uint64_t ticket, uint64_t after)
{
    size_t n = seen_of(IPC_QUEUE_LIST_ANSWER);
    struct ipc_queue_list_ask ask = { .ticket = ticket, .after = after, .limit = 1 };

    assert_true(ipc_send_queue_list_ask(newest(PROCESS_CONTROL)->channel, &ask));
    struct seen s = wait_for(IPC_QUEUE_LIST_ANSWER, n + 1);
    assert_int_equal(s.id, 1);
    return s.ticket;
}

/* ---- what deliver says ---- */

static void outcome(const struct seen *lease, enum ipc_result status)
{
    for (size_t i = 0; i < play.n_ends; i++)
        if (play.ends[i].instance == lease->instance)
            assert_true(ipc_send_outcome(play.ends[i].channel, &(struct ipc_outcome){
                                                                   .lease = lease->ticket,
                                                                   .id = lease->id,
                                                                   .number = lease->number,
                                                                   .status = (uint8_t)status,
                                                                   .code = STR("4.2.2"),
                                                                   .text = STR("said the test"),
                                                               }));
}

/* Main tells what its page shows before or after the channel ends: here before. */
static void deliver_dies(uint64_t id)
{
    struct end *e = newest(PROCESS_DELIVER);
    char ids[8];

    le64_put(ids, id);
    assert_true(ipc_send_died(newest(PROCESS_MAIN)->channel, &(struct ipc_died){
                                                                 .kind = PROCESS_DELIVER,
                                                                 .instance = e->instance,
                                                                 .ids = str_of(ids, sizeof(ids)),
                                                             }));
    turns();
    ipc_channel_free(e->channel);
    e->channel = NULL;
}

/* ---- the room ---- */

static bool no_file(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    (void)ctx;
    (void)a;
    (void)text;
    return err_perm(err, "%.*s: there is no such file", STR_ARG(path));
}

static const struct config *config_here(void)
{
    static const struct config_reader reader = { .read_file = no_file, .facts = { .fqdn = STR_INIT("mail.example.org") } };
    struct str text = arena_printf(play.arena,
                                   "hostname mail.example.org; spool %s/spool; min-free 0;"
                                   "domain example.org { users any; deliver maildir:/nowhere/{user}; }",
                                   play.box.root);
    struct config_source source = { .overrides = &text, .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    const struct config *config = NULL;

    assert_true(config_bundle_record(&play.bundle, &source, &reader, play.arena));
    if (!config_parse_bundle(&play.bundle, play.arena, &config, &diag)) {
        struct buf words = BUF_INIT(4096);
        config_diagnostics_render(&diag, &words);
        fail_msg("%.*s", STR_ARG(buf_str(&words)));
    }
    return config;
}

static void queue_begins(void)
{
    struct err err = { 0 };

    play.worker.state = NULL;
    play.worker.n_peers = 0;
    play.exited = false;
    if (!queue_service.start(&play.worker, &err) || !queue_service.run(&play.worker, &err))
        fail_msg("%s", err.text);
    (void)comes(PROCESS_MAIN);
}

static void others_begin(void)
{
    (void)comes(PROCESS_RECEIVE);
    (void)comes(PROCESS_LOOKUP);
}

static void open_play(void)
{
    struct err err = { 0 };

    memset(&play, 0, sizeof(play));
    play.box = box_make();
    play.arena = arena_new(1 << 24);
    assert_int_equal(mkdirat(play.box.fd, "spool", 0700), 0);
    play.far = (struct ipc_handler){ .message = far_message, .ended = far_ended };
    play.worker = (struct worker){
        .service = &queue_service,
        .loop = io_loop_new(&err),
        .handler = { .message = to_service, .ended = service_peer_ended, .credit = service_credit },
        .config = config_here(),
        .generation = 3,
        .instance = 1000, /* the others were there before it */
    };
    assert_true(io_timer_init(&play.turn, play.worker.loop, on_turn, &err));
    queue_begins();
    others_begin();
}

/* The process ends; what the kernel would take back is taken back here. */
static void queue_ends(void)
{
    struct queue *q = queue();

    if (!q->stopping)
        queue_service.stop(&play.worker, 1000);
    assert_true(play.exited);
    for (size_t i = 0; i < play.n_ends; i++) {
        ipc_channel_free(play.ends[i].channel);
        play.ends[i].channel = NULL;
    }
    for (size_t i = 0; i < play.worker.n_peers; i++)
        ipc_channel_free(play.worker.peers[i]);
    ipc_channel_free(play.worker.main);
    for (size_t i = 0; i < q->index_room; i++)
        if (q->index[i])
            message_free(q->index[i]);
    for (struct list *node; (node = list_take(&q->carriers));) {
        free(CONTAINER_OF(node, struct carrier, node)->user);
        free(CONTAINER_OF(node, struct carrier, node));
    }
    io_task_done(&q->pump);
    io_waker_done(&q->waker);
    io_timer_done(&q->timer);
    io_timer_done(&q->patience);
    spool_disk_close(q->disk);
    free(q->index);
    free(q);
}

static void close_play(void)
{
    queue_ends();
    io_timer_done(&play.turn);
    io_loop_free(play.worker.loop);
    arena_free(play.arena);
    box_drop(&play.box);
}

static void queue_begins_again(void)
{
    queue_ends();
    play.n_ends = 0;
    forget_seen();
    queue_begins();
}

/* ---- a message's way ---- */

static void a_message_goes_out_and_is_forgotten_when_that_is_durable(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    assert_int_equal(l.id, id);
    assert_string_equal(l.text, "Subject: y\r\n\r\nz\r\n");
    assert_int_equal(seen_of(IPC_SETTLED), 0);
    outcome(&l, IPC_OK);
    assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, l.ticket);
    wait_gone(id);
    assert_int_equal(under_way(), 0);
    assert_int_equal(queue()->content_memory, 0);
    assert_int_equal(queue()->commit_memory, 0);
    queue_begins_again();
    assert_int_equal(queue()->n_messages, 0);
    close_play();
}

static void a_temporary_failure_is_tried_again_with_its_count(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_TEMP);
    assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, l.ticket);
    wait_deferred(id);
    assert_int_equal(message_of(id)->recipients[0].attempts, 1);
    assert_null(message_of(id)->content);

    /* It is on the disk, too. */
    queue_begins_again();
    assert_int_equal(message_of(id)->recipients[0].attempts, 1);
    assert_string_equal(message_of(id)->recipients[0].text, "said the test");
    others_begin();
    time_passes();
    l = wait_for(IPC_LEASE, 1);
    assert_string_equal(l.text, "Subject: y\r\n\r\nz\r\n");
    outcome(&l, IPC_TEMP);
    wait_deferred(id);
    assert_int_equal(message_of(id)->recipients[0].attempts, 2);
    time_passes();
    l = wait_for(IPC_LEASE, 2);
    outcome(&l, IPC_OK);
    wait_gone(id);
    assert_int_equal(queue()->content_memory, 0);
    close_play();
}

/* C160, INV-11: the failure, its report and the end of the message are one. */
static void a_permanent_failure_is_told_to_its_sender(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_PERM);
    wait_gone(id);
    l = wait_for(IPC_LEASE, 2);
    struct message *report = message_of(l.id);
    assert_non_null(report);
    assert_int_equal(report->content->envelope.sender.n, 0);
    assert_int_equal(report->content->envelope.report, ENVELOPE_REPORT);
    assert_true(str_contains(report->content->body, STR("said the test")));
    assert_true(str_contains(report->content->body, STR("a@example.net")));
    /* C161: what a report meets is told to nobody but the postmaster; and what he meets to nobody. */
    outcome(&l, IPC_PERM);
    wait_gone(l.id);
    l = wait_for(IPC_LEASE, 3);
    assert_int_equal(message_of(l.id)->content->envelope.report, ENVELOPE_POSTMASTER_REPORT);
    assert_true(str_contains(message_of(l.id)->content->body, STR("postmaster@example.org")));
    outcome(&l, IPC_PERM);
    wait_gone(l.id);
    queue_begins_again();
    assert_int_equal(queue()->n_messages, 0);
    close_play();
}

static void only_the_recipients_that_wait_are_tried_again(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(3);
    wait_for(IPC_LEASE, 3);
    for (size_t i = 0, k = 0; i < play.n_seen; i++)
        if (play.seen[i].type == IPC_LEASE)
            outcome(&play.seen[i], k++ == 1 ? IPC_TEMP : IPC_OK);
    wait_deferred(id);
    assert_int_equal(wait_for(IPC_SETTLED, 3).type, IPC_SETTLED);
    forget_seen();
    time_passes();
    struct seen l = wait_for(IPC_LEASE, 1);
    assert_int_equal(l.number, 2);
    outcome(&l, IPC_OK);
    wait_gone(id);
    assert_int_equal(seen_of(IPC_LEASE), 1);
    close_play();
}

static void a_route_that_fails_for_now_defers(void **state)
{
    (void)state;
    open_play();
    play.route = IPC_TEMP;
    uint64_t id = take(1);
    wait_deferred(id);
    assert_string_equal(message_of(id)->recipients[0].status, "4.4.0");
    assert_int_equal(seen_of(IPC_DELIVER_ASK), 0);
    close_play();
}

/* ---- deaths (DESIGN 3) ---- */

static void a_deliver_that_dies_ends_its_leases_deferred(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(2);
    wait_for(IPC_LEASE, 2);
    struct end *e = newest(PROCESS_DELIVER);
    ipc_channel_free(e->channel);
    e->channel = NULL;
    wait_deferred(id);
    assert_int_equal(under_way(), 0);
    assert_true(list_empty(&queue()->carriers));
    close_play();
}

static void two_deaths_in_hand_hold_a_message_and_suspects_go_one_at_a_time(void **state)
{
    (void)state;
    open_play();
    uint64_t bad = take(1), other = take(1);
    wait_for(IPC_LEASE, 2);
    struct end *e = newest(PROCESS_DELIVER);
    char ids[16];
    le64_put(ids, bad);
    le64_put(ids + 8, other);
    assert_true(ipc_send_died(newest(PROCESS_MAIN)->channel,
                              &(struct ipc_died){ .kind = PROCESS_DELIVER, .ids = str_of(ids, sizeof(ids)) }));
    turns();
    ipc_channel_free(e->channel);
    e->channel = NULL;
    wait_deferred(bad);
    wait_deferred(other);
    assert_int_equal(message_of(other)->recipients[0].deaths, 1);

    forget_seen();
    time_passes();
    struct seen l = wait_for(IPC_LEASE, 1);
    turns();
    assert_int_equal(seen_of(IPC_LEASE), 1);
    uint64_t second = l.id == bad ? other : bad;
    deliver_dies(l.id);
    wait_deferred(l.id);
    /* The one that was not in hand goes to the next process. */
    struct seen l2 = wait_for(IPC_LEASE, 2);
    assert_int_equal(l2.id, second);
    outcome(&l2, IPC_OK);
    wait_gone(second);
    forget_seen();
    time_passes();
    wait_state(l.id, MESSAGE_HELD);
    assert_int_equal(seen_of(IPC_LEASE), 0);
    close_play();
}

static void a_lookup_that_dies_is_asked_again(void **state)
{
    (void)state;
    open_play();
    play.lookup_silent = true;
    uint64_t id = take(2);
    wait_for(IPC_ROUTE_ASK, 2);
    uint64_t former = play.seen[play.n_seen - 1].ticket;
    struct end *e = newest(PROCESS_LOOKUP);
    ipc_channel_free(e->channel);
    e->channel = NULL;
    turns();
    assert_int_equal(queue()->n_routing, 0);
    play.lookup_silent = false;
    forget_seen();
    (void)comes(PROCESS_LOOKUP);
    wait_for(IPC_LEASE, 2);
    assert_true(former != wait_for(IPC_ROUTE_ASK, 2).ticket);
    for (size_t i = 0; i < play.n_seen; i++)
        if (play.seen[i].type == IPC_LEASE)
            outcome(&play.seen[i], IPC_OK);
    wait_gone(id);
    close_play();
}

static void a_process_that_cannot_be_had_defers(void **state)
{
    (void)state;
    open_play();
    play.main_silent = true;
    uint64_t id = take(1);
    uint64_t ticket = wait_for(IPC_DELIVER_ASK, 1).ticket;
    assert_true(ipc_send_deliver_answer(newest(PROCESS_MAIN)->channel, &(struct ipc_deliver_answer){
                                                                           .ticket = ticket,
                                                                           .status = IPC_TEMP,
                                                                           .text = STR("no account"),
                                                                       }));
    wait_deferred(id);
    assert_string_equal(message_of(id)->recipients[0].text, "no account");
    close_play();
}

/* ---- a new queue ---- */

/* As a deliver process has it that was given L, and tells of it now. */
static struct ipc_kept kept_of(const struct seen *l)
{
    return (struct ipc_kept){
        .lease = l->ticket,
        .id = l->id,
        .voucher = str_of(l->voucher, sizeof(l->voucher)),
        .finished = 1,
        .status = IPC_OK,
        .code = STR("2.0.0"),
    };
}

/* The process of that number is there still, and tells the new queue what it kept. */
static struct end *tells(enum process_kind kind, uint32_t instance, enum ipc_type type, const void *kept)
{
    struct end *e = comes_as(kind, instance);

    assert_true(ipc_put(e->channel, type, kept, -1));
    assert_true(ipc_send_kept_end(e->channel, &(struct ipc_kept_end){ .count = 1 }));
    turns();
    return e;
}

static struct end *deliver_tells(const struct seen *l, const struct ipc_kept *kept)
{
    return tells(PROCESS_DELIVER, l->instance, IPC_KEPT, kept);
}

static struct end *send_tells(uint32_t instance, const struct ipc_transfer_kept *kept)
{
    return tells(PROCESS_SEND, instance, IPC_TRANSFER_KEPT, kept);
}

static void what_was_delivered_under_a_former_queue_is_not_leased_again(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    struct ipc_kept kept = kept_of(&l);
    queue_begins_again();
    (void)deliver_tells(&l, &kept);
    others_begin();
    wait_gone(id);
    assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, l.ticket);
    assert_int_equal(seen_of(IPC_LEASE), 0);
    assert_int_equal(seen_of(IPC_MISTRUSTED), 0);
    close_play();
}

static struct seen lease_of(uint32_t number)
{
    for (size_t i = 0; i < play.n_seen; i++)
        if (play.seen[i].type == IPC_LEASE && play.seen[i].number == number)
            return play.seen[i];
    fail();
    return (struct seen){ 0 };
}

static void what_is_in_progress_under_a_former_queue_is_waited_for(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(2);
    (void)wait_for(IPC_LEASE, 2);
    struct seen second = lease_of(2);
    struct ipc_kept kept = kept_of(&second);
    kept.finished = 0;
    queue_begins_again();
    (void)deliver_tells(&second, &kept);
    others_begin();
    struct seen l = wait_for(IPC_LEASE, 1);
    assert_int_equal(l.number, 1);
    outcome(&l, IPC_OK);
    turns();
    assert_int_equal(message_of(id)->state, MESSAGE_LIVE);
    outcome(&second, IPC_OK);
    wait_gone(id);
    assert_int_equal(seen_of(IPC_LEASE), 1);
    close_play();
}

/* The deliver process tells later than the new queue begins its attempts. */
static void what_is_being_routed_again_is_not_leased_again_either(void **state)
{
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        open_play();
        uint64_t id = take(1);
        struct seen l = wait_for(IPC_LEASE, 1);
        struct ipc_kept kept = kept_of(&l);
        queue_begins_again();
        play.lookup_silent = true;
        if (asked) {
            others_begin();
            (void)wait_for(IPC_ROUTE_ASK, 1);
        } else {
            wait_state(id, MESSAGE_LIVE);
        }
        (void)deliver_tells(&l, &kept);
        wait_gone(id);
        assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, l.ticket);
        if (asked)
            answer_route(wait_for(IPC_ROUTE_ASK, 1).ticket, STR("anna"));
        else
            others_begin();
        turns();
        assert_int_equal(queue()->n_routing, 0);
        assert_int_equal(under_way(), 0);
        assert_int_equal(seen_of(IPC_LEASE), 0);
        close_play();
    }
}

/* Its outcome was on disk, and the queue died before it could say so. */
static void kept_ones_of_messages_that_are_gone_may_be_forgotten(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    struct ipc_kept kept = kept_of(&l);
    outcome(&l, IPC_OK);
    wait_gone(id);
    queue_begins_again();
    (void)deliver_tells(&l, &kept);
    assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, l.ticket);
    assert_int_equal(seen_of(IPC_MISTRUSTED), 0);
    close_play();
}

/* ---- what is not believed (DESIGN 3, ADR 0027) ---- */

/* Main was told to end that process, its channel is no more, and the message goes where it was to go. */
static void is_mistrusted(const struct end *e, uint64_t id)
{
    struct seen told = wait_for(IPC_MISTRUSTED, 1);

    assert_int_equal(told.instance, e->instance);
    assert_int_equal(told.status, e->kind);
    assert_memory_equal(told.text, "nonsense from ", 14);
    assert_null(queue_peer(queue(), e->kind, e->instance));
    assert_int_equal(seen_of(IPC_SETTLED), 0);
    others_begin();
    struct seen l = wait_for(IPC_LEASE, 1);
    assert_int_equal(l.id, id);
    outcome(&l, IPC_OK);
    wait_gone(id);
}

/* What could be changed about a lease that was given to a deliver process. */
enum forgery { NO_VOUCHER, CUT, ONE_BIT, OTHER_LEASE, OTHER_MESSAGE, OTHER_PROCESS, OTHER_KIND, IN_PROGRESS, FORGERIES };

static void forge(enum forgery what, struct seen *l, struct ipc_kept *kept, uint64_t other)
{
    if (what == NO_VOUCHER || what == IN_PROGRESS)
        kept->voucher = STR_NONE;
    else if (what == CUT)
        kept->voucher.n--;
    else if (what == ONE_BIT)
        l->voucher[0] ^= 1;
    else if (what == OTHER_LEASE)
        kept->lease++;
    else if (what == OTHER_MESSAGE)
        kept->id = other;
    else if (what == OTHER_PROCESS)
        l->instance = ++play.instances;
    kept->finished = what != IN_PROGRESS;
}

static void a_forged_claim_is_not_believed_and_ends_its_process(void **state)
{
    (void)state;
    for (int what = 0; what < FORGERIES; what++) {
        open_play();
        uint64_t id = take(1);
        struct seen l = wait_for(IPC_LEASE, 1);
        struct ipc_kept kept = kept_of(&l);
        /* Of what comes later than the new queue nothing would be heard at all. */
        forge((enum forgery)what, &l, &kept, id + 1);
        queue_begins_again();
        struct ipc_transfer_kept as_sent = {
            .lease = l.ticket, .id = id, .voucher = kept.voucher, .finished = 1, .count = 1,
            .results = STR("\1\0\0\0\0\0\0\0\0\0\0\0\0"),
        };
        is_mistrusted(what == OTHER_KIND ? send_tells(l.instance, &as_sent) : deliver_tells(&l, &kept), id);
        close_play();
    }
}

/* Of a lease whose outcome is on disk: what was delivered then was not, and will not have been. */
static void an_old_claim_says_nothing_of_a_later_attempt(void **state)
{
    (void)state;
    for (int finished = 0; finished < 2; finished++) {
        open_play();
        uint64_t id = take(1);
        struct seen l = wait_for(IPC_LEASE, 1);
        struct ipc_kept kept = kept_of(&l);
        kept.finished = (uint8_t)finished;
        outcome(&l, IPC_TEMP);
        wait_deferred(id);
        queue_begins_again();
        (void)deliver_tells(&l, &kept);
        /* As an honest one may have it that was not told: it may forget it, and is not thought worse of. */
        assert_int_equal(seen_of(IPC_SETTLED), (size_t)finished);
        assert_int_equal(seen_of(IPC_MISTRUSTED), 0);
        assert_int_equal(under_way(), 0);
        others_begin();
        time_passes();
        l = wait_for(IPC_LEASE, 1);
        outcome(&l, IPC_OK);
        wait_gone(id);
        close_play();
    }
}

/* The number of attempts begins anew with an edit: what was leased to one address is nothing to the next. */
static void a_claim_of_what_was_edited_since_is_not_believed(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    struct ipc_kept kept = kept_of(&l);
    outcome(&l, IPC_TEMP);
    wait_deferred(id);
    (void)comes(PROCESS_CONTROL);
    assert_int_equal(act(IPC_ACT_HOLD, id).number, 1);
    wait_state(id, MESSAGE_HELD);
    assert_true(ipc_send_queue_edit_ask(newest(PROCESS_CONTROL)->channel,
                                        &(struct ipc_queue_edit_ask){
                                            .id = id,
                                            .count = 1,
                                            .recipients = STR("\4\0anna\13\0example.org\3\0ben\13\0example.org"),
                                        }));
    assert_int_equal(wait_for(IPC_QUEUE_EDIT_ANSWER, 1).status, IPC_EDIT_DONE);
    assert_int_equal(message_of(id)->recipients[0].attempts, 0);
    queue_begins_again();
    (void)deliver_tells(&l, &kept);
    assert_int_equal(seen_of(IPC_SETTLED), 1);
    assert_int_equal(message_of(id)->recipients[0].progress, PROGRESS_WAITING);
    close_play();
}

/* ---- the same of transfers ---- */

/* As it was given to the send process of that number. */
static void lend_to_send(struct buf *voucher, uint32_t instance, uint64_t lease, uint64_t id, uint32_t n)
{
    const struct ipc_channel send = { .peer = PROCESS_SEND, .instance = instance };
    struct message *m = message_of(id);

    assert_non_null(message_envelope(m));
    for (uint32_t i = 0; i < n; i++)
        assert_true(voucher_add(voucher, &m->recipients[i]));
    assert_true(voucher_end(voucher, queue(), (struct voucher_of){ &send, lease, id }));
}

static void add_result(struct buf *out, uint32_t number, enum ipc_result result)
{
    char octets[13] = { 0 };

    le32_put(octets, number);
    octets[4] = (char)result;
    assert_true(buf_add(out, str_of(octets, sizeof(octets))));
}

static void a_transfer_that_was_leased_is_believed(void **state)
{
    struct buf voucher = BUF_INIT(4096), results = BUF_INIT(4096);

    (void)state;
    open_play();
    play.main_silent = true;
    uint64_t id = take(3);
    (void)wait_for(IPC_DELIVER_ASK, 1);
    uint32_t instance = ++play.instances;
    lend_to_send(&voucher, instance, 9, id, 3);
    add_result(&results, 1, IPC_OK);
    add_result(&results, 2, (enum ipc_result)IPC_AGAIN);
    add_result(&results, 3, IPC_TEMP);
    queue_begins_again();
    struct ipc_transfer_kept kept = { .lease = 9, .id = id, .voucher = buf_str(&voucher), .finished = 1, .count = 3,
                                      .results = buf_str(&results) };
    (void)send_tells(instance, &kept);
    assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, 9);
    assert_int_equal(message_of(id)->recipients[0].progress, PROGRESS_DELIVERED);
    assert_int_equal(message_of(id)->recipients[1].attempts, 0);
    assert_int_equal(message_of(id)->recipients[2].attempts, 1);

    /* The same again, after the next death: all but the second is old news; he may have been taken then. */
    buf_clear(&results);
    for (uint32_t i = 1; i <= 3; i++)
        add_result(&results, i, IPC_OK);
    kept.results = buf_str(&results);
    queue_begins_again();
    (void)send_tells(instance, &kept);
    assert_int_equal(seen_of(IPC_MISTRUSTED), 0);
    assert_int_equal(wait_for(IPC_SETTLED, 1).ticket, 9);
    assert_int_equal(message_of(id)->recipients[1].progress, PROGRESS_DELIVERED);
    assert_int_equal(message_of(id)->recipients[2].progress, PROGRESS_WAITING);
    buf_done(&voucher);
    buf_done(&results);
    close_play();
}

/* Results of fewer, of more or of others than it was leased. */
static void results_of_others_than_were_leased_are_not_believed(void **state)
{
    static const uint32_t told[][4] = { { 1 }, { 1, 3 }, { 2, 1 }, { 1, 1 }, { 1, 2, 3 }, { 0 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        struct buf voucher = BUF_INIT(4096), results = BUF_INIT(4096);
        open_play();
        play.main_silent = true;
        uint64_t id = take(3);
        (void)wait_for(IPC_DELIVER_ASK, 1);
        uint32_t instance = ++play.instances, n = 0;
        lend_to_send(&voucher, instance, 9, id, 2);
        for (; n < 4 && told[i][n]; n++)
            add_result(&results, told[i][n], IPC_OK);
        queue_begins_again();
        struct end *e = send_tells(instance, &(struct ipc_transfer_kept){ .lease = 9,
                                                                          .id = id,
                                                                          .voucher = buf_str(&voucher),
                                                                          .finished = 1,
                                                                          .count = n,
                                                                          .results = buf_str(&results) });
        assert_int_equal(wait_for(IPC_MISTRUSTED, 1).instance, e->instance);
        for (uint32_t r = 0; r < 3; r++)
            assert_int_equal(message_of(id)->recipients[r].progress, PROGRESS_WAITING);
        buf_done(&voucher);
        buf_done(&results);
        close_play();
    }
}

static void a_token_says_whether_its_commit_stands(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct ipc_commit_ask ask = commit_of(id, STR_NONE);
    queue_begins_again();
    others_begin();
    assert_true(ipc_send_token_ask(newest(PROCESS_RECEIVE)->channel, &(struct ipc_token_ask){ .token = ask.token }));
    assert_true(wait_for(IPC_TOKEN_ANSWER, 1).stands);
    assert_int_equal(wait_for(IPC_TOKEN_ANSWER, 1).id, id);
    const struct str unknown[] = { STR_INIT("0123456789abcdef"), STR_INIT(""), STR_INIT("0123456789abcdefg") };
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        assert_true(
            ipc_send_token_ask(newest(PROCESS_RECEIVE)->channel, &(struct ipc_token_ask){ .token = unknown[i] }));
        assert_false(wait_for(IPC_TOKEN_ANSWER, i + 2).stands);
    }
    close_play();
}

/* ---- own files ---- */

/* The spool makes its files ready beside us: asked until there is one. */
static struct seen file_asked(void)
{
    struct seen s;

    do {
        size_t n = play.n_seen;
        assert_true(ipc_send_file_ask(newest(PROCESS_RECEIVE)->channel, &(struct ipc_file_ask){ .ticket = 1 }));
        s = wait_for(IPC_FILE_ANSWER, 1);
        play.n_seen = n;
    } while (s.status != IPC_STORED);
    assert_true(s.fd >= 0);
    return s;
}

static void own_files_are_lent_returned_and_taken(void **state)
{
    struct buf envelope = BUF_INIT(10000);

    (void)state;
    open_play();
    struct seen f = file_asked(), g = file_asked();
    assert_int_equal(queue()->n_lent, 2);
    assert_true(ipc_send_file_return(newest(PROCESS_RECEIVE)->channel, &(struct ipc_file_return){ .file = f.id }));
    turns();
    assert_int_equal(queue()->n_lent, 1);
    assert_int_equal(write(g.fd, "large\r\n", 7), 7);
    add_envelope(&envelope, 1);
    struct ipc_commit_ask ask = commit_of(fresh_id(), buf_str(&envelope));
    ask.body = STR_NONE;
    ask.file = g.id;
    ask.file_size = 7;
    assert_int_equal(commit(&ask), IPC_STORED);
    assert_int_equal(queue()->n_lent, 0);
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_OK);
    wait_gone(ask.id);
    close(f.fd);
    close(g.fd);
    buf_done(&envelope);
    close_play();
}

static void files_of_a_receive_that_dies_come_back(void **state)
{
    (void)state;
    open_play();
    struct seen f = file_asked();
    struct end *e = newest(PROCESS_RECEIVE);
    ipc_channel_free(e->channel);
    e->channel = NULL;
    turns();
    assert_int_equal(queue()->n_lent, 0);
    close(f.fd);
    close_play();
}

/* ---- a receive process that was taken over ---- */

static void commits_that_cannot_be_harm_nothing(void **state)
{
    struct buf envelope = BUF_INIT(10000), twice = BUF_INIT(10000), none = BUF_INIT(100);
    struct envelope_recipient same[2] = {
        { 1, STR_INIT("anna"), STR_INIT("example.org"), STR_INIT("x"), STR_INIT(""), false },
        { 1, STR_INIT("ben"), STR_INIT("example.org"), STR_INIT("x"), STR_INIT(""), false },
    };

    (void)state;
    open_play();
    add_envelope(&envelope, 1);
    add_envelope(&none, 0);
    assert_true(envelope_encode(&twice, &(struct envelope){ .recipients = same, .n_recipients = 2 }));
    struct seen lent = file_asked();
    uint64_t used = take(1);
    (void)comes(PROCESS_RECEIVE); /* another one, to which nothing was lent */
    const struct ipc_commit_ask good = commit_of(fresh_id(), buf_str(&envelope));
    struct ipc_commit_ask bad[] = { good, good, good, good, good, good, good, good, good };
    bad[0].token = STR("short");
    bad[1].token = STR("0123456789abcdefg");
    bad[2].id = 0;
    bad[3].id = used;
    bad[4].id = UINT64_MAX;
    bad[5].envelope = STR("garbage");
    bad[6].envelope = buf_str(&none);
    bad[7].envelope = buf_str(&twice);
    bad[8].file = lent.id;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bad[i].ticket = ++play.next_ticket;
        assert_int_equal(commit(&bad[i]), IPC_STORAGE_FAILED);
    }
    assert_int_equal(queue()->n_messages, 1);
    assert_int_equal(queue()->n_lent, 1);
    assert_int_equal(commit(&good), IPC_STORED);
    assert_int_equal(queue()->n_messages, 2);
    assert_true(ipc_send_file_return(newest(PROCESS_RECEIVE)->channel, &(struct ipc_file_return){ .file = lent.id }));
    turns();
    assert_int_equal(queue()->n_lent, 1);
    for (uint32_t n = 0; n < 2; n++)
        assert_true(ipc_send_ids_ask(newest(PROCESS_RECEIVE)->channel, &(struct ipc_ids_ask){ .count = n ? UINT32_MAX : 0 }));
    assert_int_equal(wait_for(IPC_IDS_ANSWER, 4).id, 0);
    close(lent.fd);
    buf_done(&envelope);
    buf_done(&twice);
    buf_done(&none);
    close_play();
}

/* Reports are written here, next hops of a message's own come from an administrator, users of sendmail from submit. */
static void envelopes_say_only_what_their_writer_may(void **state)
{
    const struct envelope_recipient own_route = { 1, STR_INIT("anna"), STR_INIT("example.org"), STR_INIT("x@example.org"),
                                                  .route = STR_INIT("smtp://127.0.0.1") };
    const struct envelope_recipient plain = { 1, STR_INIT("anna"), STR_INIT("example.org"), STR_INIT("x@example.org") };
    const struct {
        struct envelope e;
        enum ipc_storage by_receive, by_submit;
    } rows[] = {
        { { .recipients = &own_route, .n_recipients = 1 }, IPC_STORAGE_FAILED, IPC_STORAGE_FAILED },
        { { .recipients = &plain, .n_recipients = 1, .report = ENVELOPE_REPORT }, IPC_STORAGE_FAILED, IPC_STORAGE_FAILED },
        { { .recipients = &plain, .n_recipients = 1, .uid_plus = 1001 }, IPC_STORAGE_FAILED, IPC_STORED },
        { { .recipients = &plain, .n_recipients = 1 }, IPC_STORED, IPC_STORED },
    };

    (void)state;
    open_play();
    struct end *submit = comes(PROCESS_SUBMIT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf octets = BUF_INIT(10000);
        size_t n = seen_of(IPC_COMMIT_ANSWER);
        assert_true(envelope_encode(&octets, &rows[i].e));
        struct ipc_commit_ask ask = commit_of(fresh_id(), buf_str(&octets));
        assert_int_equal(commit(&ask), rows[i].by_receive);
        ask = commit_of(fresh_id(), buf_str(&octets));
        assert_true(ipc_send_commit_ask(submit->channel, &ask));
        assert_int_equal(wait_for(IPC_COMMIT_ANSWER, n + 2).status, rows[i].by_submit);
        buf_done(&octets);
    }
    close_play();
}

/* Commands come from aliases alone: whatever was committed, lookup is asked whether one leads there. */
static void a_command_that_no_alias_names_is_not_run(void **state)
{
    const struct envelope_recipient command = { 1, STR_INIT("/bin/evil"), STR_INIT("example.org"), STR_INIT("x@example.org"),
                                                .kind = ENVELOPE_COMMAND };
    struct buf octets = BUF_INIT(10000);

    (void)state;
    open_play();
    assert_true(envelope_encode(&octets, &(struct envelope){ .recipients = &command, .n_recipients = 1 }));
    play.route = IPC_PERM;
    struct ipc_commit_ask ask = commit_of(fresh_id(), buf_str(&octets));
    assert_int_equal(commit(&ask), IPC_STORED);
    struct seen asked = wait_for(IPC_ROUTE_ASK, 1);
    assert_int_equal(asked.status, ENVELOPE_COMMAND);
    assert_string_equal(asked.text, "/bin/evil");
    wait_gone(ask.id);
    assert_int_equal(seen_of(IPC_DELIVER_ASK), 0);

    play.route = IPC_OK;
    ask = commit_of(fresh_id(), buf_str(&octets));
    assert_int_equal(commit(&ask), IPC_STORED);
    /* Beside the report about the other one. */
    for (size_t n = 1; wait_for(IPC_LEASE, n).id != ask.id; n++)
        ;
    buf_done(&octets);
    close_play();
}

static void outcomes_that_cannot_be_change_nothing(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1), wrong;
    worker_peer(&play.worker, PROCESS_DELIVER)->asked = 100;
    newest(PROCESS_DELIVER)->channel->owed = 100;
    wrong = l, wrong.number = 9;
    outcome(&wrong, IPC_PERM);
    wrong = l, wrong.ticket++;
    outcome(&wrong, IPC_PERM);
    wrong = l, wrong.id = 99;
    outcome(&wrong, IPC_PERM);
    turns();
    assert_int_equal(message_of(id)->state, MESSAGE_LIVE);
    /* An end that is none of the three is tried again. */
    outcome(&l, (enum ipc_result)200);
    wait_deferred(id);
    close_play();
}

/* ---- bounds, and the end ---- */

static void contents_of_those_that_wait_for_their_time_are_let_go(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_TEMP);
    wait_deferred(id);
    assert_null(message_of(id)->content);
    assert_int_equal(queue()->content_memory, 0);
    forget_seen();
    time_passes();
    l = wait_for(IPC_LEASE, 1);
    assert_string_equal(l.text, "Subject: y\r\n\r\nz\r\n");
    outcome(&l, IPC_OK);
    wait_gone(id);
    close_play();
}

static void nothing_reaches_a_spool_that_was_closed(void **state)
{
    struct buf rows = BUF_INIT(10000);

    (void)state;
    open_play();
    (void)take(1);
    struct seen l = wait_for(IPC_LEASE, 1);
    struct ipc_channel *receive = newest(PROCESS_RECEIVE)->channel;
    (void)comes(PROCESS_CONTROL);
    struct ipc_channel *control = newest(PROCESS_CONTROL)->channel;
    queue_service.stop(&play.worker, 1000);
    assert_true(ipc_send_ids_ask(receive, &(struct ipc_ids_ask){ .count = 1 }));
    assert_true(ipc_send_file_ask(receive, &(struct ipc_file_ask){ .ticket = 1 }));
    assert_true(ipc_send_token_ask(receive, &(struct ipc_token_ask){ .token = STR("0123456789abcdef") }));
    struct ipc_commit_ask ask = commit_of(1, STR_NONE);
    assert_true(ipc_send_commit_ask(receive, &ask));
    assert_true(ipc_send_queue_list_ask(control, &(struct ipc_queue_list_ask){ .ticket = 1 }));
    outcome(&l, IPC_OK);
    queue_service.status(&play.worker, &rows);
    turns();
    struct end *e = newest(PROCESS_RECEIVE);
    ipc_channel_free(e->channel);
    e->channel = NULL;
    io_waker_wake(&queue()->waker);
    turns();
    buf_done(&rows);
    close_play();
}

/* ---- holds and release times ---- */

/* What a limit holds is not attempted, before and after a restart, until somebody releases it. */
static void what_is_above_a_limit_is_held_from_the_beginning(void **state)
{
    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    uint64_t id = take_as((struct envelope){ .held = STR("limit account messages 3/h") });
    wait_state(id, MESSAGE_HELD);
    assert_int_equal(message_of(id)->held, LOG_REASON_LIMIT);
    assert_string_equal(message_of(id)->hold_reason, "limit account messages 3/h");
    assert_int_equal(act(IPC_ACT_FLUSH, id).number, 0);
    time_passes();
    turns();
    assert_int_equal(seen_of(IPC_ROUTE_ASK), 0);

    queue_begins_again();
    others_begin();
    (void)comes(PROCESS_CONTROL);
    turns();
    assert_int_equal(message_of(id)->state, MESSAGE_HELD);
    assert_int_equal(message_of(id)->held, LOG_REASON_LIMIT);
    assert_string_equal(message_of(id)->hold_reason, "limit account messages 3/h");
    assert_int_equal(seen_of(IPC_ROUTE_ASK), 0);
    assert_int_equal(act(IPC_ACT_RELEASE, id).number, 1);
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_OK);
    wait_gone(id);
    assert_int_equal(queue()->content_memory, 0);
    close_play();
}

static void hold_is_read(struct str text, enum log_reason reason, const char *words)
{
    struct message m = { 0 };

    assert_true(message_take_hold(&m, text));
    assert_int_equal(m.held, reason);
    if (words)
        assert_string_equal(m.hold_reason, words);
    else
        assert_null(m.hold_reason);
    free(m.hold_reason);
}

/* A hold record begins with the reason; one that does not (of a former version) is an administrator's. */
static void why_a_message_is_held_is_read_from_its_hold_record(void **state)
{
    (void)state;
    hold_is_read(STR("limit: limit account messages 3/h"), LOG_REASON_LIMIT, "limit account messages 3/h");
    hold_is_read(STR("admin: by root: limit: see ticket 4411"), LOG_REASON_ADMIN, "by root: limit: see ticket 4411");
    hold_is_read(STR("deaths: "), LOG_REASON_DEATHS, "");
    hold_is_read(STR("by root: see ticket 4411"), LOG_REASON_ADMIN, "by root: see ticket 4411");
    hold_is_read(STR("veredus.conf:7"), LOG_REASON_ADMIN, "veredus.conf:7");
    hold_is_read(STR(""), LOG_REASON_NONE, NULL);
}

static const int64_t HOUR_MSEC = 3600 * 1000;

/* C240: it does not leave early, whoever is in a hurry; only to let it go is another matter, which is durable. */
static void a_message_does_not_leave_before_its_release_time(void **state)
{
    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    uint64_t id = take_as((struct envelope){ .release_msec = io_wall_msec() + HOUR_MSEC,
                                             .release_request = STR("for;3600") });
    wait_deferred(id);
    turns();
    assert_int_equal(act(IPC_ACT_FLUSH, id).number, 0);
    assert_int_equal(act(IPC_ACT_FLUSH, id).status, 1);
    time_passes();
    turns();
    assert_int_equal(seen_of(IPC_ROUTE_ASK), 0);

    queue_begins_again();
    others_begin();
    (void)comes(PROCESS_CONTROL);
    wait_deferred(id);
    time_passes();
    turns();
    assert_int_equal(seen_of(IPC_ROUTE_ASK), 0);
    assert_true(message_embargo(message_of(id)) > HOUR_MSEC - 60 * 1000);
    play.lookup_silent = true;
    assert_int_equal(act(IPC_ACT_RELEASE, id).number, 1);
    (void)wait_for(IPC_ROUTE_ASK, 1);

    queue_begins_again();
    play.lookup_silent = false;
    others_begin();
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_OK);
    wait_gone(id);
    close_play();
}

/* When its time has come it goes by itself; what it waited for is no delay: it is given up so much later. */
static void a_message_leaves_at_its_release_time_and_expires_from_there(void **state)
{
    (void)state;
    open_play();
    uint64_t id = take_as((struct envelope){ .release_msec = io_wall_msec() + HOUR_MSEC });
    wait_deferred(id);
    struct message *m = message_of(id);
    assert_true(message_waited(m) < 0);
    assert_true(message_left(m) > (int64_t)play.worker.config->sending.expire.msec + HOUR_MSEC - 60 * 1000);
    assert_true(message_due(m, NULL) > queue_now(queue()) + HOUR_MSEC - 60 * 1000);
    m->release_msec = io_wall_msec() - 1;
    assert_int_equal(message_embargo(m), 0);
    message_ready(m);
    struct seen l = wait_for(IPC_LEASE, 1);
    outcome(&l, IPC_OK);
    wait_gone(id);
    close_play();
}

/* One whose limit held it, too, is let go of that first: its sender's wish stands until somebody says so again. */
static void a_release_lifts_the_hold_and_then_the_release_time(void **state)
{
    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    uint64_t id = take_as((struct envelope){ .held = STR("limit account messages 3/h"),
                                             .release_msec = io_wall_msec() + HOUR_MSEC });
    wait_state(id, MESSAGE_HELD);
    assert_int_equal(act(IPC_ACT_RELEASE, id).number, 1);
    wait_deferred(id);
    time_passes();
    turns();
    assert_int_equal(seen_of(IPC_ROUTE_ASK), 0);
    assert_int_equal(act(IPC_ACT_RELEASE, id).number, 1);
    struct seen l = wait_for(IPC_LEASE, 1);
    assert_int_equal(act(IPC_ACT_RELEASE, id).number, 0);
    outcome(&l, IPC_OK);
    wait_gone(id);
    close_play();
}

/* Routes and turns know who sent it, and so does SELECT, whether it is awake or at rest. */
static void the_account_of_a_message_is_known_to_all(void **state)
{
    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    play.route = IPC_TEMP;
    uint64_t id = take_as((struct envelope){ .account = STR("Anna@example.org") });
    assert_string_equal(wait_for(IPC_ROUTE_ASK, 1).text, "anna by Anna@example.org");
    assert_int_equal(listed("anna@example.org", ""), 1);
    wait_deferred(id);
    assert_true(str_eq(names_text(&queue()->rests.names, message_of(id)->who), STR("Anna@example.org")));
    uint64_t other = take(1);
    wait_deferred(other);
    turns();
    for (int restarted = 0; restarted < 2; restarted++) {
        assert_int_equal(listed("", ""), 2);
        assert_int_equal(listed("ANNA@example.org", "deferred"), 1);
        assert_int_equal(listed("anna", ""), 1);
        assert_int_equal(listed("example.org", ""), 1);
        assert_int_equal(listed("*", ""), 1);
        assert_int_equal(listed("<>", ""), 1);
        assert_int_equal(listed("example.net", ""), 0);
        assert_int_equal(listed("ben@example.org", ""), 0);
        queue_begins_again();
        others_begin();
        (void)comes(PROCESS_CONTROL);
        turns();
    }
    close_play();
}

/* Its next page comes from what was found for the one before, unless somebody else has asked meanwhile. */
static void pages_go_on_where_they_ended_whoever_asks_between_them(void **state)
{
    uint64_t ids[4];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        ids[i] = take(1);
    turns();
    assert_int_equal(page(7, 0), ids[0]);
    assert_int_equal(page(7, ids[0]), ids[1]);
    assert_int_equal(page(8, 0), ids[0]);
    assert_int_equal(page(7, ids[1]), ids[2]);
    assert_int_equal(act(IPC_ACT_HOLD, ids[1]).number, 1);
    assert_int_equal(page(8, ids[0]), ids[1]);
    assert_int_equal(page(7, ids[2]), 0);
    assert_int_equal(page(7, 0), ids[0]);
    close_play();
}

/* ---- lists read ahead ---- */

enum { MANY = 20, AHEAD = 16 };

/* So many that wait for their time, the lowest id first. */
static void defer_some(uint64_t *ids, size_t n)
{
    play.route = IPC_TEMP;
    for (size_t i = 0; i < n; i++) {
        forget_seen();
        ids[i] = take(1);
        while (!rest_find(queue(), (struct queue_id){ ids[i] }))
            turn();
    }
    forget_seen();
    play.reads = 0;
}

static void ask_list(const struct ipc_queue_list_ask *ask)
{
    forget_seen();
    assert_true(ipc_send_queue_list_ask(newest(PROCESS_CONTROL)->channel, ask));
}

/* Until so many reads wait. */
static void wait_caught(size_t n)
{
    while (play.n_caught < n)
        turn();
}

/* It ends, and is told of to the queue. */
static void let_go(size_t i)
{
    __real_spool_read(queue()->spool, play.caught[i]->id, play.caught[i]->parts, play.caught[i]);
    turns();
}

/* Rows of exactly those, in that order, each whole. */
static void assert_rows(const uint64_t *ids, size_t n)
{
    const char *at = play.rows;

    for (size_t i = 0; i < n; i++) {
        struct queue_id_text id = queue_id_text((struct queue_id){ ids[i] });
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        struct str row = str_of(at, (size_t)(end - at));
        assert_true(str_contains(row, str_from_c(id.c)));
        assert_true(str_contains(row, STR("\"to\":\"anna@example.org\"")));
        at = end + 1;
    }
    assert_string_equal(at, "");
}

static void rows_stand_in_order_however_their_reads_end(void **state)
{
    uint64_t ids[MANY];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, MANY);
    play.catches = true;
    ask_list(&(struct ipc_queue_list_ask){ .ticket = 1 });
    wait_caught(AHEAD);
    turns();
    assert_int_equal(play.n_caught, AHEAD); /* so many, and no more */
    for (size_t i = AHEAD - 1; i > 0; i--)
        let_go(i);
    assert_int_equal(play.n_caught, AHEAD); /* the first is waited for */
    let_go(0);
    wait_caught(MANY);
    for (size_t i = AHEAD; i < MANY; i++)
        let_go(i);
    assert_int_equal(wait_for(IPC_QUEUE_LIST_ANSWER, 1).ticket, 0);
    assert_rows(ids, MANY);
    assert_int_equal(play.reads, MANY);
    close_play();
}

/* A page of so many rows reads so many messages. */
static void no_more_is_read_than_the_page_has_room_for(void **state)
{
    uint64_t ids[MANY];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, MANY);
    for (size_t i = 0; i < MANY; i += 5) {
        ask_list(&(struct ipc_queue_list_ask){ .ticket = 1, .limit = 5, .after = i ? ids[i - 1] : 0 });
        assert_int_equal(wait_for(IPC_QUEUE_LIST_ANSWER, 1).ticket, i + 5 < MANY ? ids[i + 4] : 0);
        assert_rows(ids + i, 5);
    }
    assert_int_equal(play.reads, MANY);
    close_play();
}

/* Before it was read, or after that and before it was its turn. */
static void one_that_ends_while_it_is_listed_is_left_out(void **state)
{
    uint64_t ids[3];

    (void)state;
    for (int read_first = 0; read_first < 2; read_first++) {
        open_play();
        (void)comes(PROCESS_CONTROL);
        defer_some(ids, 3);
        play.catches = true;
        ask_list(&(struct ipc_queue_list_ask){ .ticket = 1 });
        wait_caught(3);
        if (read_first)
            let_go(1);
        assert_int_equal(act(IPC_ACT_REMOVE, ids[1]).number, 1);
        assert_null(message_of(ids[1]));
        if (!read_first)
            let_go(1);
        let_go(2);
        let_go(0);
        (void)wait_for(IPC_QUEUE_LIST_ANSWER, 1);
        assert_rows((const uint64_t[]){ ids[0], ids[2] }, 2);
        close_play();
    }
}

/* Tried again after it was read: a row has one state of it, the newer one. */
static void one_that_is_tried_while_it_is_listed_is_read_again(void **state)
{
    uint64_t ids[2];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, 2);
    play.catches = true;
    ask_list(&(struct ipc_queue_list_ask){ .ticket = 1 });
    wait_caught(2);
    let_go(1);
    const struct rest *r = rest_find(queue(), (struct queue_id){ ids[1] });
    assert_int_equal(r->attempts, 1);
    rest_hasten(queue(), rest_find(queue(), (struct queue_id){ ids[1] }));
    while (!(r = rest_find(queue(), (struct queue_id){ ids[1] })) || r->attempts < 2)
        turn();
    let_go(0);
    while (play.n_caught < 3 && !seen_of(IPC_QUEUE_LIST_ANSWER))
        turn();
    assert_int_equal(play.n_caught, 3);
    let_go(2);
    (void)wait_for(IPC_QUEUE_LIST_ANSWER, 1);
    assert_rows(ids, 2);
    assert_non_null(strstr(strchr(play.rows, '\n'), "\"attempt\":2"));
    close_play();
}

/* It is said which one cannot be read; the others are there, in order. */
static void each_read_may_fail_and_costs_one_row(void **state)
{
    uint64_t ids[5];

    (void)state;
    for (size_t n = 1; n <= ARRAY_LEN(ids) + 1; n++) {
        open_play();
        (void)comes(PROCESS_CONTROL);
        defer_some(ids, ARRAY_LEN(ids));
        play.fails = n;
        ask_list(&(struct ipc_queue_list_ask){ .ticket = 1 });
        assert_int_equal(wait_for(IPC_QUEUE_LIST_ANSWER, 1).id, ARRAY_LEN(ids));
        const char *failed = strstr(play.rows, "its envelope cannot be read");
        size_t before = 0;
        for (const char *p = play.rows; failed && p < failed; p++)
            before += *p == '\n';
        assert_int_equal(failed ? before + 1 : ARRAY_LEN(ids) + 1, n);
        /* What SELECT asks for cannot be known of it: nothing is done to it. */
        play.fails = play.reads + n;
        ask_act(&(struct ipc_queue_act_ask){ .verb = IPC_ACT_HOLD, .to = STR("example.org"), .account = STR("root") });
        assert_int_equal(wait_for(IPC_QUEUE_ACT_ANSWER, 1).number, ARRAY_LEN(ids) - (failed ? 1 : 0));
        close_play();
    }
}

/* What is done to many: each of them once, more than are read ahead. */
static void what_is_done_to_many_is_done_to_each(void **state)
{
    uint64_t ids[MANY];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, MANY);
    ask_act(&(struct ipc_queue_act_ask){ .verb = IPC_ACT_HOLD, .account = STR("root") });
    assert_int_equal(wait_for(IPC_QUEUE_ACT_ANSWER, 1).number, MANY);
    assert_int_equal(play.reads, 0); /* which it is was known without */
    for (size_t i = 0; i < MANY; i++)
        wait_state(ids[i], MESSAGE_HELD);
    ask_act(&(struct ipc_queue_act_ask){ .verb = IPC_ACT_REMOVE, .state = STR("held"), .account = STR("root") });
    assert_int_equal(wait_for(IPC_QUEUE_ACT_ANSWER, 1).number, MANY);
    for (size_t i = 0; i < MANY; i++)
        wait_gone(ids[i]);
    assert_int_equal(queue()->content_memory, 0);
    close_play();
}

/* ---- filters ---- */

static uint64_t rows_of(struct ipc_queue_list_ask ask)
{
    play.reads = 0;
    ask_list(&ask);
    return wait_for(IPC_QUEUE_LIST_ANSWER, 1).id;
}

/* Who is not meant is not read: memory knows enough of it. */
static void filters_read_only_those_that_they_mean(void **state)
{
    static const struct ipc_queue_list_ask nobody[] = {
        { .from = STR_INIT("other@example.net") }, { .from = STR_INIT("<>") },         { .to = STR_INIT("ben@example.org") },
        { .to = STR_INIT("example.net") },         { .state = STR_INIT("held") },      { .state = STR_INIT("ready") },
        { .older_msec = HOUR_MSEC },               { .sent_by = STR_INIT("anna") },    { .reason = STR_INIT("greylist") },
        { .uid_plus = 4 },                         { .reason = STR_INIT("admin") },
    };
    static const struct ipc_queue_list_ask all[] = {
        { .from = STR_INIT("a@example.net") }, { .from = STR_INIT("*") },         { .to = STR_INIT("ANNA@example.org") },
        { .to = STR_INIT("example.org") },     { .state = STR_INIT("deferred") }, { .sent_by = STR_INIT("<>") },
        { .reason = STR_INIT("told by the test") },
    };
    uint64_t ids[3];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, ARRAY_LEN(ids));
    for (size_t i = 0; i < ARRAY_LEN(nobody); i++) {
        assert_int_equal(rows_of(nobody[i]), 0);
        assert_int_equal(play.reads, 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(rows_of(all[i]), ARRAY_LEN(ids));
        assert_int_equal(play.reads, ARRAY_LEN(ids));
    }
    const struct rest *r = rest_find(queue(), (struct queue_id){ ids[0] });
    struct str reason = str_from_c(log_reason_text((enum log_reason)r->reason));
    assert_true(reason.n);
    assert_int_equal(rows_of((struct ipc_queue_list_ask){ .reason = reason }), ARRAY_LEN(ids));
    close_play();
}

/* To count them, nothing is read at all; words that were said are on disk alone. */
static void counting_reads_nothing_that_memory_knows(void **state)
{
    uint64_t ids[3];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, ARRAY_LEN(ids));
    ask_act(&(struct ipc_queue_act_ask){ .verb = IPC_ACT_HOLD, .dry = true, .state = STR("deferred") });
    (void)wait_for(IPC_QUEUE_ACT_ANSWER, 1);
    assert_int_equal(play.reads, 0);
    ask_act(&(struct ipc_queue_act_ask){ .verb = IPC_ACT_HOLD, .dry = true, .reason = STR("the test") });
    (void)wait_for(IPC_QUEUE_ACT_ANSWER, 1);
    assert_int_equal(play.reads, ARRAY_LEN(ids));
    close_play();
}

/* A list that nobody reads on: its place is given to who asks later. */
static void lists_that_nobody_reads_on_make_room(void **state)
{
    uint64_t ids[2];

    (void)state;
    open_play();
    (void)comes(PROCESS_CONTROL);
    defer_some(ids, 2);
    for (uint64_t ticket = 1; ticket <= 3 * QUEUE_PAGINGS; ticket++)
        assert_int_equal(page(ticket, 0), ids[0]);
    for (uint64_t ticket = 1; ticket <= 3 * QUEUE_PAGINGS; ticket++)
        assert_int_equal(page(ticket, ids[0]), 0);
    close_play();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_out_and_is_forgotten_when_that_is_durable),
        cmocka_unit_test(a_temporary_failure_is_tried_again_with_its_count),
        cmocka_unit_test(a_permanent_failure_is_told_to_its_sender),
        cmocka_unit_test(only_the_recipients_that_wait_are_tried_again),
        cmocka_unit_test(a_route_that_fails_for_now_defers),
        cmocka_unit_test(a_deliver_that_dies_ends_its_leases_deferred),
        cmocka_unit_test(two_deaths_in_hand_hold_a_message_and_suspects_go_one_at_a_time),
        cmocka_unit_test(a_lookup_that_dies_is_asked_again),
        cmocka_unit_test(a_process_that_cannot_be_had_defers),
        cmocka_unit_test(what_was_delivered_under_a_former_queue_is_not_leased_again),
        cmocka_unit_test(what_is_in_progress_under_a_former_queue_is_waited_for),
        cmocka_unit_test(what_is_being_routed_again_is_not_leased_again_either),
        cmocka_unit_test(kept_ones_of_messages_that_are_gone_may_be_forgotten),
        cmocka_unit_test(a_forged_claim_is_not_believed_and_ends_its_process),
        cmocka_unit_test(an_old_claim_says_nothing_of_a_later_attempt),
        cmocka_unit_test(a_claim_of_what_was_edited_since_is_not_believed),
        cmocka_unit_test(a_transfer_that_was_leased_is_believed),
        cmocka_unit_test(results_of_others_than_were_leased_are_not_believed),
        cmocka_unit_test(a_token_says_whether_its_commit_stands),
        cmocka_unit_test(own_files_are_lent_returned_and_taken),
        cmocka_unit_test(files_of_a_receive_that_dies_come_back),
        cmocka_unit_test(commits_that_cannot_be_harm_nothing),
        cmocka_unit_test(envelopes_say_only_what_their_writer_may),
        cmocka_unit_test(a_command_that_no_alias_names_is_not_run),
        cmocka_unit_test(outcomes_that_cannot_be_change_nothing),
        cmocka_unit_test(contents_of_those_that_wait_for_their_time_are_let_go),
        cmocka_unit_test(nothing_reaches_a_spool_that_was_closed),
        cmocka_unit_test(what_is_above_a_limit_is_held_from_the_beginning),
        cmocka_unit_test(why_a_message_is_held_is_read_from_its_hold_record),
        cmocka_unit_test(a_message_does_not_leave_before_its_release_time),
        cmocka_unit_test(a_message_leaves_at_its_release_time_and_expires_from_there),
        cmocka_unit_test(a_release_lifts_the_hold_and_then_the_release_time),
        cmocka_unit_test(the_account_of_a_message_is_known_to_all),
        cmocka_unit_test(pages_go_on_where_they_ended_whoever_asks_between_them),
        cmocka_unit_test(rows_stand_in_order_however_their_reads_end),
        cmocka_unit_test(no_more_is_read_than_the_page_has_room_for),
        cmocka_unit_test(one_that_ends_while_it_is_listed_is_left_out),
        cmocka_unit_test(one_that_is_tried_while_it_is_listed_is_read_again),
        cmocka_unit_test(each_read_may_fail_and_costs_one_row),
        cmocka_unit_test(what_is_done_to_many_is_done_to_each),
        cmocka_unit_test(filters_read_only_those_that_they_mean),
        cmocka_unit_test(counting_reads_nothing_that_memory_knows),
        cmocka_unit_test(lists_that_nobody_reads_on_make_room),
    };

    return cmocka_run_group_tests_name("queue/service", tests, NULL, NULL);
}
