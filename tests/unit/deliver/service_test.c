/* The deliver service, beside a queue that the test plays over a real channel. */
#include "tests/unit/deliver/server.h"

#include "deliver/service.h"
#include "io/fd.h"

enum { SEEN_MAX = 16 };

struct seen {
    enum ipc_type type;
    uint64_t lease;
    bool finished;
    bool repeated;
    enum ipc_result status;
    char code[8];
    char text[256];
};

/* The process around the service, and the queue at the other end. */
struct play {
    struct box box;
    struct arena *arena;
    struct config_bundle bundle;
    struct worker worker;
    struct worker_hand hand;
    struct ipc_channel *queue; /* the queue's end */
    struct ipc_handler queue_handler;
    struct seen seen[SEEN_MAX];
    size_t n_seen;
    size_t want;
    uint32_t instances;
    bool exited;
};

/* A process has no end but its exit: what a play leaves stays here. */
enum { PLAYS = 32 };
static struct play plays[PLAYS];
static struct play *play; /* the one that runs */

/* ---- what ipc/worker.c does for a real process ---- */

struct ipc_channel *worker_peer(struct worker *w, enum process_kind kind)
{
    return w->n_peers && w->peers[0]->peer == kind ? w->peers[0] : NULL;
}

bool worker_row_add(struct buf *rows, const struct log_record *r)
{
    return buf_add(rows, log_octets(r));
}

void worker_exit(struct worker *w)
{
    for (size_t i = 0; i < w->n_peers; i++)
        ipc_channel_flush(w->peers[i]);
    play->exited = true;
}

static void to_service(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct worker *w = CONTAINER_OF(h, struct worker, handler);

    w->service->message(w, c, m);
}

static void ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
}

/* ---- the queue ---- */

static struct seen *see(struct play *p, enum ipc_type type)
{
    assert_true(p->n_seen < SEEN_MAX);
    struct seen *s = &p->seen[p->n_seen++];
    *s = (struct seen){ .type = type };
    if (p->n_seen == p->want)
        io_loop_stop(p->worker.loop);
    return s;
}

static void to_queue(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct play *p = CONTAINER_OF(h, struct play, queue_handler);
    struct seen *s = see(p, m->type);

    (void)c;
    if (m->type == IPC_OUTCOME) {
        s->lease = m->outcome.lease;
        s->repeated = m->outcome.repeated;
        s->status = (enum ipc_result)m->outcome.status;
        snprintf(s->code, sizeof(s->code), "%.*s", STR_ARG(m->outcome.code));
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(m->outcome.text));
    } else if (m->type == IPC_KEPT) {
        s->lease = m->kept.lease;
        s->finished = m->kept.finished;
        s->status = (enum ipc_result)m->kept.status;
        snprintf(s->code, sizeof(s->code), "%.*s", STR_ARG(m->kept.code));
        snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(m->kept.voucher));
    } else if (m->type == IPC_KEPT_END) {
        s->lease = m->kept_end.count;
    }
}

/* Until the queue has heard N messages more. */
static void hear(struct play *p, size_t n)
{
    struct err err = { 0 };

    p->n_seen = 0;
    p->want = n;
    assert_true(io_loop_run(p->worker.loop, &err));
}

static void on_turn(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

/* One turn of the loop, whatever is there. */
static void turn(struct play *p)
{
    struct io_timer timer;
    struct err err = { 0 };

    assert_true(io_timer_init(&timer, p->worker.loop, on_turn, &err));
    io_timer_start(&timer, 1);
    assert_true(io_loop_run(p->worker.loop, &err));
    io_timer_done(&timer);
}

static void queue_comes(struct play *p)
{
    int fds[2];
    struct err err = { 0 };

    assert_true(fd_pair(fds, &err));
    p->worker.peers[0] =
        ipc_channel_new(p->worker.loop, fds[0], PROCESS_DELIVER, PROCESS_QUEUE, &p->worker.handler, &err);
    p->queue = ipc_channel_new(p->worker.loop, fds[1], PROCESS_QUEUE, PROCESS_DELIVER, &p->queue_handler, &err);
    assert_true(p->worker.peers[0] && p->queue);
    p->worker.peers[0]->instance = ++p->instances;
    p->worker.n_peers = 1;
    p->worker.service->peer_up(&p->worker, p->worker.peers[0]);
}

static void queue_dies(struct play *p)
{
    struct ipc_channel *c = p->worker.peers[0];

    p->worker.n_peers = 0;
    ipc_channel_free(p->queue);
    ipc_channel_free(c);
    p->queue = NULL;
}

/* TEXT with ROOT for each "@". */
static void fill(char *out, size_t room, const char *text, const char *root)
{
    struct buf b = BUF_INIT(room - 1);

    for (; *text; text++)
        assert_true(*text == '@' ? buf_add_c(&b, root) : buf_add_char(&b, *text));
    snprintf(out, room, "%.*s", STR_ARG(buf_str(&b)));
    buf_done(&b);
}

/* DOMAIN: directives of the domain, in which @ is the mail root. Without ROOT it is a process for commands. */
static struct play *begin_as(const char *domain, bool root)
{
    struct err err = { 0 };
    struct play *p = play = play ? play + 1 : plays;
    char text[400];

    assert_true(p < plays + PLAYS);
    *p = (struct play){ .box = box_make(), .arena = arena_new(1 << 22) };
    p->queue_handler = (struct ipc_handler){ .message = to_queue, .ended = ended };
    fill(text, sizeof(text), domain, p->box.root);
    p->worker = (struct worker){
        .service = &deliver_service,
        .loop = io_loop_new(&err),
        .handler = { .message = to_service, .ended = ended },
        .config = server_config_of(text, &p->bundle, p->arena),
        .hand = &p->hand,
        .param = root ? arena_str(p->arena, str_from_c(p->box.root)) : STR(""),
    };
    assert_true(p->worker.service->start(&p->worker, &err));
    queue_comes(p);
    hear(p, 1);
    assert_int_equal(p->seen[0].type, IPC_KEPT_END);
    assert_int_equal(p->seen[0].lease, 0);
    return p;
}

static struct play *begin(const char *path)
{
    char domain[200];

    snprintf(domain, sizeof(domain), "deliver maildir:@/%s;", path);
    return begin_as(domain, true);
}

static void end(struct play *p)
{
    for (size_t i = 0; i < WORKER_HAND_SLOTS; i++)
        assert_int_equal(p->hand.ids[i], 0);
    if (p->queue)
        queue_dies(p);
    arena_free(p->arena);
    box_drop(&p->box);
}

static struct ipc_lease lease_of(uint64_t lease, struct str user)
{
    return (struct ipc_lease){
        .lease = lease,
        .id = 1000 + lease,
        .number = 1,
        .voucher = STR("0123456789abcdef0123456789abcdef"),
        .accepted_msec = 1795000000000,
        .user = user,
        .domain = STR("example.org"),
        .address = STR("anna+x@example.org"),
        .original = STR("a@example.org"),
        .sender = STR("carol@example.net"),
        .head = STR("Received: from x\r\n"),
        .body = STR("Subject: y\r\n\r\nb\377dy\r\n"),
    };
}

static void only_file(const struct play *p, const char *folder, struct str want)
{
    char name[256];

    assert_int_equal(box_count(&p->box, folder, name), 1);
    box_assert_file(&p->box, folder, name, want);
}

/* ---- */

static void a_lease_ends_in_the_mailbox_with_its_fields_on_top_C068_C072_C094(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(7, STR("anna"));

    (void)state;
    p = begin("{domain}/{user}");
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_int_equal(p->seen[0].type, IPC_OUTCOME);
    assert_int_equal(p->seen[0].lease, 7);
    assert_int_equal(p->seen[0].status, IPC_OK);
    assert_string_equal(p->seen[0].code, "2.0.0");
    only_file(p, "example.org/anna/new",
              STR("Return-Path: <carol@example.net>\nDelivered-To: anna+x@example.org\nReceived: from x\n"
                  "Subject: y\n\nb\377dy\n"));
    end(p);
}

static void the_null_reverse_path_is_written_as_such_C068(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(8, STR("anna"));

    (void)state;
    p = begin("{user}/");
    l.sender = STR_NONE;
    l.body = STR("\r\n");
    l.head = STR_NONE;
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    only_file(p, "anna/new", STR("Return-Path: <>\nDelivered-To: anna+x@example.org\n\n"));
    end(p);
}

static void content_of_its_own_file_is_delivered(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(9, STR("anna"));

    (void)state;
    p = begin("{user}");
    box_make_file(&p->box, "content", STR("Subject: file\r\n\r\nx\r\n--not any more--"));
    int fd = openat(p->box.fd, "content", O_RDONLY);
    l.body = STR_NONE;
    l.file_size = 20;
    assert_true(ipc_send_lease(p->queue, &l, fd));
    close(fd);
    hear(p, 1);
    assert_int_equal(p->seen[0].status, IPC_OK);
    only_file(p, "anna/new", STR("Return-Path: <carol@example.net>\nDelivered-To: anna+x@example.org\n"
                                  "Received: from x\nSubject: file\n\nx\n"));
    end(p);
}

static void a_second_lease_of_the_same_recipient_finds_its_file(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(1, STR("anna"));

    (void)state;
    p = begin("{user}");
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_false(p->seen[0].repeated);
    l.lease = 2;
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_int_equal(p->seen[0].status, IPC_OK);
    assert_true(p->seen[0].repeated);
    assert_int_equal(box_count(&p->box, "anna/new", NULL), 1);
    end(p);
}

static void our_own_delivered_to_is_a_loop_C072(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(3, STR("anna"));

    (void)state;
    p = begin("{user}");
    l.body = STR("Delivered-To: other@example.org\r\nDelivered-To: anna+x@EXAMPLE.org\r\n\r\n");
    assert_true(ipc_send_lease(p->queue, &l, -1));
    l.lease = 4;
    l.body = STR("Delivered-To: other@example.org\r\n\r\nDelivered-To: anna+x@example.org\r\n");
    hear(p, 1);
    assert_int_equal(p->seen[0].status, IPC_PERM);
    assert_string_equal(p->seen[0].code, "5.4.6");
    assert_int_equal(box_count(&p->box, "anna/new", NULL), 0);
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_int_equal(p->seen[0].status, IPC_OK);
    end(p);
}

static void hostile_users_never_leave_the_mail_root(void **state)
{
    const struct str users[] = {
        STR_INIT(".."), STR_INIT("."), STR_INIT(""), STR_INIT("a/b"), STR_INIT("/etc"), STR_INIT("a\0b"),
        STR_INIT("../../x"),
    };
    struct play *p;
    char long_name[300];

    (void)state;
    memset(long_name, 'n', sizeof(long_name));
    p = begin("{user}");
    for (size_t i = 0; i <= ARRAY_LEN(users); i++) {
        struct str user = i < ARRAY_LEN(users) ? users[i] : str_of(long_name, sizeof(long_name));
        struct ipc_lease l = lease_of(100 + i, user);
        assert_true(ipc_send_lease(p->queue, &l, -1));
        hear(p, 1);
        assert_int_equal(p->seen[0].status, IPC_PERM);
        assert_string_equal(p->seen[0].code, "5.1.3");
    }
    assert_int_equal(box_count(&p->box, ".", NULL), 0);
    end(p);
}

static void a_directive_of_another_configuration_is_tried_later(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(5, STR("anna"));

    (void)state;
    p = begin("{user}");
    l.route = 1;
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_int_equal(p->seen[0].status, IPC_TEMP);
    assert_string_equal(p->seen[0].code, "4.3.5");
    end(p);
}

/* DESIGN 3, death of queue: its successor hears of what is finished and of what is in progress. */
static void a_new_queue_is_told_of_every_attempt_that_is_not_settled(void **state)
{
    struct play *p;

    (void)state;
    p = begin("{user}");
    for (uint64_t i = 1; i <= 3; i++) {
        struct ipc_lease l = lease_of(i, STR("anna"));
        assert_true(ipc_send_lease(p->queue, &l, -1));
    }
    hear(p, 3);
    assert_true(ipc_send_settled(p->queue, &(struct ipc_settled){ .lease = 2 }));
    struct ipc_lease l = lease_of(4, STR("anna"));
    l.route = 9;
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    queue_dies(p);

    /* Given by hand, while no queue is there: its job ends only when the loop runs again. */
    struct ipc_message m = { .type = IPC_LEASE, .fd = -1, .lease = lease_of(5, STR("ben")) };
    p->worker.service->message(&p->worker, NULL, &m);
    queue_comes(p);
    hear(p, 6);
    bool told[6] = { 0 };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(p->seen[i].type, IPC_KEPT);
        assert_int_equal(p->seen[i].finished, p->seen[i].lease != 5);
        if (p->seen[i].finished)
            assert_int_equal(p->seen[i].status, p->seen[i].lease == 4 ? IPC_TEMP : IPC_OK);
        told[p->seen[i].lease] = true;
        assert_string_equal(p->seen[i].text, "0123456789abcdef0123456789abcdef");
    }
    assert_true(told[1] && told[3] && told[4] && told[5] && !told[2]);
    assert_int_equal(p->seen[4].type, IPC_KEPT_END);
    assert_int_equal(p->seen[4].lease, 4);
    /* Its outcome comes to the queue that never asked for it. */
    assert_int_equal(p->seen[5].type, IPC_OUTCOME);
    assert_int_equal(p->seen[5].lease, 5);
    assert_int_equal(p->seen[5].status, IPC_OK);
    end(p);
}

static void retiring_waits_until_every_outcome_is_settled(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(1, STR("anna"));
    struct ipc_message m = { .type = IPC_LEASE, .fd = -1, .lease = l };

    (void)state;
    p = begin("{user}");
    p->worker.service->message(&p->worker, p->worker.peers[0], &m);
    p->worker.service->retire(&p->worker);
    assert_false(p->exited);
    p->n_seen = 0;
    p->queue->asked = 1; /* put in by hand */
    hear(p, 1);
    assert_int_equal(p->seen[0].type, IPC_OUTCOME);
    assert_false(p->exited);
    m = (struct ipc_message){ .type = IPC_SETTLED, .fd = -1, .settled = { .lease = 1 } };
    p->worker.service->message(&p->worker, p->worker.peers[0], &m);
    assert_true(p->exited);
    end(p);
}

static void stopping_waits_for_nothing_but_what_was_begun(void **state)
{
    struct play *p;
    struct ipc_lease l = lease_of(1, STR("anna"));

    (void)state;
    p = begin("{user}");
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_int_equal(p->seen[0].type, IPC_OUTCOME);
    p->worker.service->stop(&p->worker, 1000);
    assert_true(p->exited);
    end(p);
}

static void status_says_what_it_does(void **state)
{
    struct play *p;
    struct buf rows = BUF_INIT(10000);
    struct log_value v;

    (void)state;
    p = begin("{user}");
    p->worker.service->status(&p->worker, &rows);
    assert_true(log_view_find(buf_str(&rows), LOG_PROCESS, &v));
    assert_str_is(v.octets, STR("deliver"));
    assert_true(log_view_find(buf_str(&rows), LOG_PATH, &v));
    assert_str_is(v.octets, str_from_c(p->box.root));
    buf_done(&rows);
    end(p);
}

/* ---- other ways than a Maildir ---- */

/* Sends L and hears its outcome. */
static const struct seen *outcome_of(struct play *p, struct ipc_lease l)
{
    assert_true(ipc_send_lease(p->queue, &l, -1));
    hear(p, 1);
    assert_int_equal(p->seen[0].type, IPC_OUTCOME);
    assert_int_equal(p->seen[0].lease, l.lease);
    return &p->seen[0];
}

static void fails_with(struct play *p, struct ipc_lease l, const char *code)
{
    const struct seen *seen = outcome_of(p, l);

    if (strcmp(seen->code, code) != 0)
        fail_msg("%s %s, not %s", seen->code, seen->text, code);
    assert_int_equal(seen->status, code[0] == '5' ? IPC_PERM : IPC_TEMP);
    assert_string_equal(seen->code, code);
}

static void an_mbox_has_each_message_behind_the_others_C068_C136(void **state)
{
    struct play *p = begin_as("deliver mbox:@/{domain}/{user};", true);
    const char *message = "From carol@example.net Wed Nov 18 11:06:40 2026\nReturn-Path: <carol@example.net>\n"
                          "Delivered-To: anna+x@example.org\nReceived: from x\nSubject: y\n\nb\377dy\n\n";
    char twice[1000];

    (void)state;
    for (uint64_t i = 1; i <= 2; i++)
        assert_int_equal(outcome_of(p, lease_of(i, STR("anna")))->status, IPC_OK);
    snprintf(twice, sizeof(twice), "%s%s", message, message);
    box_assert_file(&p->box, "example.org", "anna", str_from_c(twice));
    fails_with(p, lease_of(3, STR("..")), "5.1.3");
    end(p);
}

static void a_command_takes_the_message_or_says_why_not(void **state)
{
    struct play *p = begin_as("deliver pipe:/bin/sh -c \"cat >@/$0; echo $SENDER; exit $1\" {user} {detail};", false);
    struct ipc_lease l = lease_of(1, STR("anna"));

    (void)state;
    l.detail = STR("0");
    assert_int_equal(outcome_of(p, l)->status, IPC_OK);
    assert_string_equal(p->seen[0].code, "2.0.0");
    box_assert_file(&p->box, ".", "anna",
                    STR("Return-Path: <carol@example.net>\nDelivered-To: anna+x@example.org\n"
                        "Received: from x\nSubject: y\n\nb\377dy\n"));
    l.detail = STR("67");
    fails_with(p, l, "5.1.1");
    assert_string_equal(p->seen[0].text, "the command ended with 67: carol@example.net");
    l.detail = STR("75");
    fails_with(p, l, "4.3.0");
    /* Where it was before it is a loop for a command, too (C072). */
    l.body = STR("Delivered-To: anna+x@example.org\r\n\r\n");
    fails_with(p, l, "5.4.6");
    end(p);
}

static void what_an_alias_names_is_for_processes_without_a_mail_root(void **state)
{
    struct play *p = begin_as("deliver maildir:@/{user}; alias-commands on;", false);
    struct ipc_lease l = lease_of(1, STR("anna"));
    char text[100];

    (void)state;
    fails_with(p, l, "4.3.5");
    l.kind = IPC_DELIVERY_COMMAND;
    fill(text, sizeof(text), "/usr/bin/touch \"@/by a command\"", p->box.root);
    l.command = str_from_c(text);
    assert_int_equal(outcome_of(p, l)->status, IPC_OK);
    box_assert_file(&p->box, ".", "by a command", STR(""));
    l.command = STR("touch x");
    fails_with(p, l, "4.3.5");

    l.kind = IPC_DELIVERY_FILE;
    fill(text, sizeof(text), "@/by a file", p->box.root);
    l.command = str_from_c(text);
    assert_int_equal(outcome_of(p, l)->status, IPC_OK);
    struct str got = box_read(&p->box, ".", "by a file");
    assert_true(str_starts(got, STR("From carol@example.net ")));
    free((char *)(uintptr_t)got.p);
    assert_int_equal(symlinkat("by a file", p->box.fd, "link"), 0);
    fill(text, sizeof(text), "@/link", p->box.root);
    l.command = str_from_c(text);
    fails_with(p, l, "4.3.5");
    l.command = STR("relative");
    fails_with(p, l, "4.3.5");
    l.command = STR("");
    fails_with(p, l, "4.3.5");
    l.command = STR("/");
    fails_with(p, l, "5.1.3");
    l.command = STR("/dev/null");
    assert_int_equal(outcome_of(p, l)->status, IPC_OK);
    end(p);
}

static void commands_are_not_for_processes_with_a_mail_root(void **state)
{
    struct play *p = begin_as("deliver pipe:/usr/bin/touch @/x; alias-commands on;", true);
    struct ipc_lease l = lease_of(1, STR("anna"));

    (void)state;
    fails_with(p, l, "4.3.5");
    l.kind = IPC_DELIVERY_COMMAND;
    l.command = STR("/bin/true");
    fails_with(p, l, "4.3.5");
    l.kind = IPC_DELIVERY_FILE;
    fails_with(p, l, "4.3.5");
    assert_int_equal(box_count(&p->box, ".", NULL), 0);
    end(p);
}

static void aliases_name_nothing_where_that_is_off(void **state)
{
    struct play *p = begin_as("deliver maildir:@/{user};", false);
    struct ipc_lease l = lease_of(1, STR("anna"));

    (void)state;
    l.kind = IPC_DELIVERY_COMMAND;
    l.command = STR("/bin/true");
    fails_with(p, l, "5.7.1");
    l.kind = IPC_DELIVERY_FILE;
    l.command = STR("/dev/null");
    fails_with(p, l, "5.7.1");
    end(p);
}

/* Until the command of LEASE has begun: it makes a file. */
static void begin_command(struct play *p, struct ipc_lease l)
{
    assert_true(ipc_send_lease(p->queue, &l, -1));
    ipc_channel_flush(p->queue);
    while (faccessat(p->box.fd, "begun", F_OK, 0) < 0)
        turn(p);
}

static void a_command_that_runs_is_let_finish_when_the_server_stops(void **state)
{
    struct play *p = begin_as("deliver pipe:/bin/sh -c \"touch @/begun; until test -e @/go; do :; done\";", false);

    (void)state;
    begin_command(p, lease_of(1, STR("anna")));
    p->worker.service->stop(&p->worker, 60000);
    assert_false(p->exited);
    box_make_file(&p->box, "go", STR(""));
    hear(p, 1);
    assert_int_equal(p->seen[0].type, IPC_OUTCOME);
    assert_int_equal(p->seen[0].status, IPC_OK);
    assert_true(p->exited);
    end(p);
}

/* Nothing is known of its message then: the lease ends with the process. */
static void a_command_that_does_not_finish_in_that_time_is_ended_without_an_outcome(void **state)
{
    struct play *p = begin_as("deliver pipe:/bin/sh -c \"touch @/begun; exec sleep 1000\";", false);

    (void)state;
    begin_command(p, lease_of(1, STR("anna")));
    p->n_seen = 0;
    p->worker.service->stop(&p->worker, 0);
    while (!p->exited)
        turn(p);
    assert_int_equal(p->n_seen, 0);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_ends_in_the_mailbox_with_its_fields_on_top_C068_C072_C094),
        cmocka_unit_test(the_null_reverse_path_is_written_as_such_C068),
        cmocka_unit_test(content_of_its_own_file_is_delivered),
        cmocka_unit_test(a_second_lease_of_the_same_recipient_finds_its_file),
        cmocka_unit_test(our_own_delivered_to_is_a_loop_C072),
        cmocka_unit_test(hostile_users_never_leave_the_mail_root),
        cmocka_unit_test(a_directive_of_another_configuration_is_tried_later),
        cmocka_unit_test(a_new_queue_is_told_of_every_attempt_that_is_not_settled),
        cmocka_unit_test(retiring_waits_until_every_outcome_is_settled),
        cmocka_unit_test(stopping_waits_for_nothing_but_what_was_begun),
        cmocka_unit_test(status_says_what_it_does),
        cmocka_unit_test(an_mbox_has_each_message_behind_the_others_C068_C136),
        cmocka_unit_test(a_command_takes_the_message_or_says_why_not),
        cmocka_unit_test(what_an_alias_names_is_for_processes_without_a_mail_root),
        cmocka_unit_test(commands_are_not_for_processes_with_a_mail_root),
        cmocka_unit_test(aliases_name_nothing_where_that_is_off),
        cmocka_unit_test(a_command_that_runs_is_let_finish_when_the_server_stops),
        cmocka_unit_test(a_command_that_does_not_finish_in_that_time_is_ended_without_an_outcome),
    };

    return cmocka_run_group_tests_name("deliver/service", tests, NULL, NULL);
}
