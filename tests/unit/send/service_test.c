/* The send service, beside a queue that the test plays over a real channel, and hosts on the loopback. */
#include "tests/unit/send/play.h"

#include "config/parse.h"

static void host_begins(size_t i)
{
    peer_begin(&play.peers[i], play.worker.loop);
}

/* Connection 1 to the first host. */
static void connected(void)
{
    host_begins(0);
    ask_open(1, 1);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
}

static void assert_heard(size_t peer, const char *commands)
{
    assert_str_is(buf_str(&play.peers[peer].heard), str_from_c(commands));
}

/* ---- a connection ---- */

static void a_message_goes_out_as_it_is_with_its_dots_stuffed_C149(void **state)
{
    (void)state;
    play_open();
    connected();
    assert_string_equal(seen(IPC_OPEN_ANSWER)->host, "mx.example.net");
    put_transfer(1, 7, 1, STR("Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"), -1, 0);
    go_on();
    assert_int_equal(seen(IPC_TRANSFERRED)->name, 7);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    assert_int_equal(seen(IPC_TRANSFERRED)->code, 250);
    assert_string_equal(seen(IPC_TRANSFERRED)->text, "taken");
    assert_string_equal(seen(IPC_TRANSFERRED)->host, "mx.example.net");
    assert_str_is(buf_str(&play.peers[0].content),
                  STR("Received: from x\r\nSubject: x\r\n\r\n..dot\r\n...\r\nend\r\n"));
    say_settled(7);
    assert_int_equal(play.send->kept, 0);
    play_close();
}

static void its_end_is_a_QUIT_whose_reply_is_awaited_C155(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_QUIT][0] = "";
    connected();
    ask_transfer(1, 7);
    ask_close(1);
    assert_int_equal(seen_count(IPC_CONNECTION_CLOSED), 0);
    peer_speaks_up(&play.peers[0], "221 bye\r\n");
    go_on();
    assert_int_equal(seen(IPC_CONNECTION_CLOSED)->name, 1);
    assert_true(seen(IPC_CONNECTION_CLOSED)->flag);
    /* C143: by the name of the configuration, which is a full one or an error (config/values_test). */
    assert_heard(0, "EHLO mail.example.org\r\n|MAIL FROM:<carol@example.org> SIZE=27\r\n"
                    "RCPT TO:<anna1@example.net>\r\nDATA\r\n||QUIT\r\n|");
    play_close();
}

static void a_QUIT_that_nobody_answers_ends_in_order_all_the_same(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_QUIT][0] = "";
    connected();
    ask_close(1);
    time_passes();
    assert_true(seen(IPC_CONNECTION_CLOSED)->flag);
    play_close();
}

/* ---- addresses ---- */

static void the_second_address_is_tried_when_the_first_is_dead_C140(void **state)
{
    (void)state;
    play_open();
    host_begins(1);
    ask_open(1, 2);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
    assert_int_equal(play.peers[1].n_sessions, 1);
    play_close();
}

static void nobody_listens(void **state)
{
    char want[64];

    (void)state;
    play_open();
    snprintf(want, sizeof(want), "127.0.0.1: connection refused");
    ask_open(1, 3);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_TEMP);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->stage, SMTP_STAGE_CONNECT);
    assert_string_equal(seen(IPC_OPEN_ANSWER)->text, want);
    assert_string_equal(seen(IPC_OPEN_ANSWER)->enhanced, "4.4.1");
    play_close();
}

static void a_plan_without_addresses_or_that_is_none_opens_nothing(void **state)
{
    (void)state;
    play_open();
    ask_open(1, 0);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_TEMP);
    assert_true(ipc_send_open_ask(play.queue, &(struct ipc_open_ask){ .connection = 2, .plan = STR("\1\7x") }));
    go_on();
    assert_int_equal(seen_of(IPC_OPEN_ANSWER, 2)->status, IPC_AGAIN);
    play_close();
}

/* What one host refuses for ever another may take; and the message waits unless all say "never". */
static void a_refused_greeting_is_the_next_hosts_matter(void **state)
{
    static const struct {
        const char *first, *second;
        unsigned status, code;
        const char *enhanced;
    } cases[] = {
        { "554 no SMTP here\r\n", "421 4.3.2 busy\r\n", IPC_TEMP, 421, "4.3.2" },
        { "554 5.7.1 not you\r\n", "554 5.7.1 not you\r\n", IPC_TEMP, 554, "4.7.1" },
        { "521 never\r\n", "554 not now\r\n", IPC_TEMP, 554, "4.0.0" },
        { "521 never\r\n", "521 5.3.2 never\r\n", IPC_PERM, 521, "5.3.2" },
        { "521 never\r\n", NULL, IPC_OK, 0, "" },
        { "HTTP/1.1 400 what\r\n", "!", IPC_TEMP, 0, "4.4.2" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        play_open();
        host_begins(0);
        host_begins(1);
        play.peers[0].says[AT_CONNECT][0] = cases[i].first;
        play.peers[1].says[AT_CONNECT][0] = cases[i].second;
        ask_open(1, 2);
        assert_int_equal(seen(IPC_OPEN_ANSWER)->status, cases[i].status);
        assert_int_equal(seen(IPC_OPEN_ANSWER)->code, cases[i].code);
        assert_string_equal(seen(IPC_OPEN_ANSWER)->enhanced, cases[i].enhanced);
        assert_int_equal(seen_count(IPC_OPEN_ANSWER), 1);
        play_close();
    }
}

static void the_words_of_a_peer_tell_more_than_a_dead_address(void **state)
{
    (void)state;
    play_open();
    host_begins(0);
    play.peers[0].says[AT_EHLO][0] = "450 4.3.2 come back\r\n";
    ask_open(1, 3);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->code, 450);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->stage, SMTP_STAGE_EHLO);
    assert_string_equal(seen(IPC_OPEN_ANSWER)->text, "come back");
    play_close();
}

static void a_silent_host_is_left_after_its_time_C153(void **state)
{
    (void)state;
    play_open();
    host_begins(0);
    host_begins(1);
    play.peers[0].says[AT_CONNECT][0] = "";
    ask_open(1, 2);
    assert_int_equal(seen_count(IPC_OPEN_ANSWER), 0);
    time_passes();
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
    assert_int_equal(play.peers[1].n_sessions, 1);
    play_close();
}

static void octets_that_drip_win_no_time(void **state)
{
    (void)state;
    play_open();
    host_begins(0);
    play.peers[0].says[AT_CONNECT][0] = "220-wait";
    ask_open(1, 1);
    struct connection *c = CONTAINER_OF(play.send->connections.next, struct connection, node);
    int64_t deadline = c->deadline_msec = c->deadline_msec - 1;
    peer_speaks_up(&play.peers[0], " for it\r\n220-and");
    go_on();
    assert_int_equal(c->deadline_msec, deadline);
    peer_speaks_up(&play.peers[0], " wait\r\n220 there\r\n");
    go_on();
    assert_true(c->deadline_msec != deadline);
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
    play_close();
}

/* ---- transfers ---- */

static void what_is_given_at_once_is_pipelined_behind_the_dot(void **state)
{
    (void)state;
    play_open();
    connected();
    for (uint64_t lease = 1; lease <= 6; lease++)
        put_transfer(1, lease, 1, STR("\r\nx\r\n"), -1, 0);
    go_on();
    assert_int_equal(seen_count(IPC_TRANSFERRED), 6);
    for (uint64_t lease = 1; lease <= 6; lease++)
        assert_int_equal(seen_of(IPC_TRANSFERRED, lease)->status, IPC_OK);
    /* The next group came in the read that brought the dot. */
    assert_true(str_contains(buf_str(&play.peers[0].heard), STR("DATA\r\n|MAIL FROM:<carol@example.org> SIZE=23\r\n")));
    assert_int_equal(play.peers[0].n_sessions, 1);
    play_close();
}

static void each_recipient_has_its_own_result_C159(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_RCPT][0] = "550 5.1.1 no such\r\n";
    play.peers[0].says[AT_RCPT][1] = "250 ok\r\n";
    connected();
    put_transfer(1, 1, 3, STR("\r\nx\r\n"), -1, 0);
    go_on();
    assert_int_equal(seen(IPC_TRANSFERRED)->count, 3);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_PERM);
    assert_int_equal(seen(IPC_TRANSFERRED)->stage, SMTP_STAGE_RCPT);
    assert_string_equal(seen(IPC_TRANSFERRED)->enhanced, "5.1.1");
    assert_int_equal(seen(IPC_TRANSFERRED)->last, IPC_OK);
    play_close();
}

static void silence_is_a_deferral_in_doubt_only_behind_the_dot_C153_C154(void **state)
{
    static const struct {
        enum moment at;
        enum smtp_stage stage;
    } cases[] = {
        { AT_MAIL, SMTP_STAGE_MAIL },
        { AT_RCPT, SMTP_STAGE_RCPT },
        { AT_DATA, SMTP_STAGE_DATA },
        { AT_DOT, SMTP_STAGE_FINAL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int closes = 0; closes < 2; closes++) {
            play_open();
            play.peers[0].says[cases[i].at][0] = closes ? "!" : "";
            connected();
            ask_transfer(1, 1);
            if (!closes) {
                assert_int_equal(seen_count(IPC_TRANSFERRED), 0);
                time_passes();
            }
            assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_TEMP);
            assert_int_equal(seen(IPC_TRANSFERRED)->stage, cases[i].stage);
            assert_int_equal(seen(IPC_TRANSFERRED)->flag, cases[i].at == AT_DOT);
            assert_false(seen(IPC_CONNECTION_CLOSED)->flag);
            play_close();
        }
    }
}

/* Confirmed ones are not sent again; those behind were never begun. */
static void a_connection_lost_in_mid_session_leaves_the_rest_untouched_C154(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_DOT][1] = "!";
    connected();
    for (uint64_t lease = 1; lease <= 6; lease++)
        put_transfer(1, lease, 1, STR("\r\nx\r\n"), -1, 0);
    go_on();
    assert_int_equal(seen_of(IPC_TRANSFERRED, 1)->status, IPC_OK);
    assert_int_equal(seen_of(IPC_TRANSFERRED, 2)->status, IPC_TEMP);
    assert_true(seen_of(IPC_TRANSFERRED, 2)->flag);
    for (uint64_t lease = 3; lease <= 6; lease++)
        assert_int_equal(seen_of(IPC_TRANSFERRED, lease)->status, IPC_AGAIN);
    /* All of them before the connection's end; untouched ones are nobody's. */
    assert_int_equal(play.seen[play.n_seen - 1].type, IPC_CONNECTION_CLOSED);
    assert_int_equal(play.send->kept, 2);
    play_close();
}

static void the_end_of_an_idle_connection_is_in_order(void **state)
{
    static const char *const ends[] = { "!421 4.3.2 closing\r\n", "!" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        play_open();
        connected();
        ask_transfer(1, 1);
        peer_speaks_up(&play.peers[0], ends[i]);
        go_on();
        assert_true(seen(IPC_CONNECTION_CLOSED)->flag);
        assert_int_equal(seen(IPC_CONNECTION_CLOSED)->code, i == 0 ? 421 : 0);
        /* What was on its way meanwhile is as before. */
        ask_transfer(1, 2);
        assert_int_equal(seen(IPC_TRANSFERRED)->name, 2);
        assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_AGAIN);
        assert_int_equal(play.send->kept, 1);
        play_close();
    }
}

static void transfers_of_a_connection_that_fails_are_untouched(void **state)
{
    struct buf room = BUF_INIT(4096);

    (void)state;
    play_open();
    assert_true(ipc_send_open_ask(play.queue, &(struct ipc_open_ask){ .connection = 1, .plan = plan_of(2, &room) }));
    put_transfer(1, 5, 2, STR("\r\nx\r\n"), -1, 0);
    go_on();
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_TEMP);
    assert_int_equal(seen(IPC_TRANSFERRED)->name, 5);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_AGAIN);
    assert_int_equal(seen(IPC_TRANSFERRED)->last, IPC_AGAIN);
    assert_int_equal(seen_count(IPC_CONNECTION_CLOSED), 0);
    buf_done(&room);
    play_close();
}

static void what_is_no_transfer_is_answered_with_nobody(void **state)
{
    (void)state;
    play_open();
    connected();
    assert_true(ipc_send_transfer(play.queue, &(struct ipc_transfer){ .lease = 3, .connection = 1, .count = 9,
                                                                      .recipients = STR("\1\0\0\0\377\377a") }, -1));
    go_on();
    assert_int_equal(seen(IPC_TRANSFERRED)->name, 3);
    assert_int_equal(seen(IPC_TRANSFERRED)->count, 0);
    play_close();
}

static void content_beyond_the_bound_waits_in_the_queue(void **state)
{
    (void)state;
    play_open();
    connected();
    play.send->octets = SEND_CONTENT_MAX;
    ask_transfer(1, 1);
    play.send->octets -= SEND_CONTENT_MAX;
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_TEMP);
    assert_string_equal(seen(IPC_TRANSFERRED)->enhanced, "4.3.1");
    play_close();
}

/* ---- content of a file ---- */

static int file_of(struct buf *octets)
{
    FILE *f = tmpfile();

    assert_non_null(f);
    assert_int_equal(fwrite(octets->p, 1, octets->n, f), octets->n);
    assert_int_equal(fflush(f), 0);
    int fd = dup(fileno(f));
    fclose(f);
    return fd;
}

static void put_file(uint8_t flags, const struct buf *octets, int fd)
{
    assert_true(ipc_send_transfer(play.queue,
                                  &(struct ipc_transfer){
                                      .lease = 1,
                                      .connection = 1,
                                      .id = 1001,
                                      .flags = flags,
                                      .count = 1,
                                      .recipients = STR("\1\0\0\0\3\0a@b"),
                                      .file_size = octets->n,
                                      .head = STR("H: x\r\n"),
                                  },
                                  fd));
}

/* By sendfile when no line begins with a dot, else read and stuffed: the peer gets the same octets either way. */
static void large_content_goes_out_of_its_file(void **state)
{
    (void)state;
    for (int dots = 0; dots < 2; dots++) {
        struct buf octets = BUF_INIT(1 << 24), want = BUF_INIT(1 << 24);
        play_open();
        connected();
        buf_add_c(&want, "H: x\r\n");
        for (int i = 0; i < 200000; i++) {
            buf_printf(&octets, "%sline %d of many\r\n", dots && i % 3 == 0 ? "." : "", i);
            buf_printf(&want, "%sline %d of many\r\n", dots && i % 3 == 0 ? ".." : "", i);
        }
        int fd = file_of(&octets);
        put_file(dots ? IPC_TRANSFER_DOTS : 0, &octets, fd);
        for (int i = 0; i < 20; i++)
            go_on();
        assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
        assert_int_equal(play.peers[0].content.n, want.n);
        assert_memory_equal(play.peers[0].content.p, want.p, want.n);
        close(fd);
        buf_done(&octets);
        buf_done(&want);
        play_close();
    }
}

static void a_file_that_is_too_short_is_never_ended_with_a_dot(void **state)
{
    (void)state;
    for (int dots = 0; dots < 2; dots++) {
        struct buf octets = BUF_INIT(1 << 20);
        play_open();
        connected();
        buf_add_c(&octets, "Subject: x\r\n\r\nbody\r\n");
        int fd = file_of(&octets);
        octets.n++;
        put_file(dots ? IPC_TRANSFER_DOTS : 0, &octets, fd);
        go_on();
        assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_TEMP);
        assert_false(seen(IPC_TRANSFERRED)->flag);
        assert_int_equal(play.peers[0].said[AT_DOT], 0);
        close(fd);
        buf_done(&octets);
        play_close();
    }
}

/* Its time is up; or it says why, and that counts, even when it closes with our octets unread. */
static void a_peer_that_stops_reading(void **state)
{
    static const char *const words[] = { NULL, "452 4.3.1 disk full\r\n", "!452 4.3.1 disk full\r\n" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct buf octets = BUF_INIT(1 << 25);
        play_open();
        play.peers[0].paused = 100000;
        connected();
        while (octets.n < 1 << 24)
            buf_add_c(&octets, "one line of many, of which there are too many for any buffer of the kernel\r\n");
        int fd = file_of(&octets);
        put_file(0, &octets, fd);
        for (int turns = 0; turns < 10; turns++)
            go_on();
        assert_int_equal(seen_count(IPC_TRANSFERRED), 0);
        if (words[i]) {
            peer_speaks_up(&play.peers[0], words[i]);
            go_on();
            assert_int_equal(seen(IPC_TRANSFERRED)->code, 452);
        } else {
            time_passes();
            assert_int_equal(seen(IPC_TRANSFERRED)->code, 0);
            assert_string_equal(seen(IPC_TRANSFERRED)->enhanced, "4.4.2");
        }
        assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_TEMP);
        assert_int_equal(seen(IPC_TRANSFERRED)->stage, SMTP_STAGE_CONTENT);
        assert_false(seen(IPC_TRANSFERRED)->flag);
        close(fd);
        buf_done(&octets);
        play_close();
    }
}

/* ---- LMTP ---- */

static void lmtp_over_a_unix_socket_has_a_reply_for_each_recipient_C134(void **state)
{
    char folder[] = "/tmp/veredus-send-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    play_open();
    peer_done(&play.peers[0]);
    peer_bind_unix(&play.peers[0], folder);
    play.peers[0].says[AT_DOT][0] = "250 2.0.0 saved\r\n552 5.2.2 full\r\n";
    connected();
    assert_string_equal(seen(IPC_OPEN_ANSWER)->host, "unix:lmtp");
    put_transfer(1, 1, 2, STR("\r\nx\r\n"), -1, 0);
    go_on();
    assert_true(str_starts(buf_str(&play.peers[0].heard), STR("LHLO mail.example.org\r\n")));
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    assert_int_equal(seen(IPC_TRANSFERRED)->last, IPC_PERM);
    play_close();
    assert_int_equal(rmdir(folder), 0);
}

static void a_socket_that_is_not_there(void **state)
{
    (void)state;
    play_open();
    snprintf(play.peers[0].path, sizeof(play.peers[0].path), "/nowhere/lmtp");
    ask_open(1, 1);
    assert_string_equal(seen(IPC_OPEN_ANSWER)->text, "unix:/nowhere/lmtp: No such file or directory");
    play.peers[0].path[0] = '\0';
    play_close();
}

/* ---- the life of the queue, and ours ---- */

/* DESIGN 3, death of queue: its successor hears of what is finished and of what is in progress. */
static void a_new_queue_is_told_of_every_transfer_that_is_not_settled(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_DOT][0] = "250 ok\r\n";
    play.peers[0].says[AT_DOT][1] = "250 ok\r\n";
    play.peers[0].says[AT_DOT][2] = "";
    connected();
    for (uint64_t lease = 1; lease <= 3; lease++)
        ask_transfer(1, lease);
    say_settled(2);
    queue_dies();
    play.n_seen = 0;
    play.queue = end_comes(PROCESS_QUEUE);
    assert_int_equal(play.n_seen, 3);
    assert_true(seen_of(IPC_TRANSFER_KEPT, 1)->flag);
    assert_int_equal(seen_of(IPC_TRANSFER_KEPT, 1)->status, IPC_OK);
    assert_false(seen_of(IPC_TRANSFER_KEPT, 3)->flag);
    for (uint64_t lease = 1; lease <= 3; lease += 2)
        assert_string_equal(seen_of(IPC_TRANSFER_KEPT, lease)->host, play_voucher(lease).c);
    assert_int_equal(play.seen[2].type, IPC_KEPT_END);
    assert_int_equal(play.seen[2].count, 2);

    /* Its result comes to the queue that never asked for it; the connection is nobody's, and ends. */
    peer_speaks_up(&play.peers[0], "250 2.0.0 late\r\n");
    go_on();
    assert_int_equal(seen(IPC_TRANSFERRED)->name, 3);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    assert_int_equal(seen_count(IPC_CONNECTION_CLOSED), 0);
    assert_true(str_ends(buf_str(&play.peers[0].heard), STR("QUIT\r\n|")));
    assert_int_equal(play.send->n_connections, 0);
    say_settled(1);
    say_settled(3);
    assert_int_equal(play.send->kept, 0);
    play_close();
}

static void a_result_that_no_queue_was_there_for_is_kept(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_DOT][0] = "";
    connected();
    ask_transfer(1, 1);
    queue_dies();
    peer_speaks_up(&play.peers[0], "250 2.0.0 ok\r\n");
    go_on();
    play.n_seen = 0;
    play.queue = end_comes(PROCESS_QUEUE);
    assert_true(seen(IPC_TRANSFER_KEPT)->flag);
    assert_int_equal(seen(IPC_TRANSFER_KEPT)->status, IPC_OK);
    say_settled(1);
    play_close();
}

/* A connection of the new queue may have the number of one of the old. */
static void numbers_of_connections_are_each_queues_own(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_QUIT][0] = "";
    connected();
    queue_dies();
    play.n_seen = 0;
    play.queue = end_comes(PROCESS_QUEUE);
    ask_open(1, 1);
    assert_int_equal(play.peers[0].n_sessions, 2);
    ask_transfer(1, 9);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    assert_int_equal(seen_count(IPC_CONNECTION_CLOSED), 0);
    play_close();
}

static void retiring_finishes_what_is_in_hand_and_waits_until_it_is_settled(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_DOT][0] = "";
    connected();
    put_transfer(1, 1, 1, STR("\r\nx\r\n"), -1, 0);
    put_transfer(1, 2, 1, STR("\r\nx\r\n"), -1, 0);
    go_on();
    send_service.retire(&play.worker);
    go_on();
    assert_false(play.exited);
    ask_open(2, 1);
    assert_int_equal(seen_of(IPC_OPEN_ANSWER, 2)->status, IPC_AGAIN);
    ask_transfer(1, 3);
    assert_int_equal(seen_of(IPC_TRANSFERRED, 3)->status, IPC_AGAIN);

    play.peers[0].says[AT_DOT][0] = NULL;
    peer_speaks_up(&play.peers[0], "250 2.0.0 ok\r\n");
    go_on();
    assert_int_equal(seen_of(IPC_TRANSFERRED, 1)->status, IPC_OK);
    assert_int_equal(seen_of(IPC_TRANSFERRED, 2)->status, IPC_OK);
    assert_true(seen(IPC_CONNECTION_CLOSED)->flag);
    assert_false(play.exited);
    say_settled(1);
    assert_false(play.exited);
    say_settled(2);
    assert_true(play.exited);
    play_close();
}

static void stopping_ends_what_has_not_begun_and_lets_the_rest_end(void **state)
{
    (void)state;
    play_open();
    host_begins(1);
    play.peers[0].says[AT_DOT][0] = "";
    play.peers[1].says[AT_RCPT][0] = "";
    connected();
    for (uint64_t lease = 1; lease <= 6; lease++)
        put_transfer(1, lease, 1, STR("\r\nx\r\n"), -1, 0);
    play.first_peer = 1;
    ask_open(2, 1);
    ask_transfer(2, 7);
    play.first_peer = 2;
    send_service.stop(&play.worker, 60000);
    go_on();
    /* At the first host a dot is out; what nobody has begun to send is as it was. */
    assert_int_equal(seen_of(IPC_TRANSFERRED, 7)->status, IPC_AGAIN);
    assert_int_equal(seen_of(IPC_TRANSFERRED, 6)->status, IPC_AGAIN);
    assert_false(play.exited);
    peer_speaks_up(&play.peers[0], "250 2.0.0 ok\r\n");
    go_on();
    assert_int_equal(seen_of(IPC_TRANSFERRED, 1)->status, IPC_OK);
    for (uint64_t lease = 2; lease <= 5; lease++)
        assert_int_equal(seen_of(IPC_TRANSFERRED, lease)->status, IPC_AGAIN);
    assert_int_equal(play.peers[0].said[AT_DOT], 1);
    assert_true(play.exited);
    play_close();
}

/* No fault of the host: the queue is to think nothing of it. */
static void stopping_before_a_connection_is_open_says_nothing_of_its_host(void **state)
{
    (void)state;
    play_open();
    host_begins(0);
    play.peers[0].says[AT_CONNECT][0] = "";
    ask_open(1, 1);
    ask_transfer(1, 1);
    send_service.stop(&play.worker, 60000);
    go_on();
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_AGAIN);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_AGAIN);
    assert_int_equal(play.send->kept, 0);
    assert_true(play.exited);
    play_close();
}

static void a_stop_waits_so_long_and_no_longer(void **state)
{
    (void)state;
    play_open();
    play.peers[0].says[AT_DOT][0] = "";
    connected();
    ask_transfer(1, 1);
    send_service.stop(&play.worker, 60000);
    go_on();
    assert_false(play.exited);
    play.send->patience.fired(&play.send->patience);
    go_on();
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_TEMP);
    assert_true(seen(IPC_TRANSFERRED)->flag);
    assert_true(play.exited);
    play_close();
}

static void status_says_what_it_does(void **state)
{
    struct buf rows = BUF_INIT(10000);
    struct log_value v;

    (void)state;
    play_open();
    connected();
    ask_transfer(1, 1);
    send_service.status(&play.worker, &rows);
    assert_true(log_view_find(buf_str(&rows), LOG_PROCESS, &v));
    assert_str_is(v.octets, STR("send"));
    assert_true(log_view_find(buf_str(&rows), LOG_DELIVERED, &v));
    assert_int_equal(v.number, 1);
    assert_true(log_view_find(buf_str(&rows), LOG_WAITING, &v));
    assert_int_equal(v.number, 1);
    buf_done(&rows);
    play_close();
}

/* ---- users ask ---- */

static const struct seen *ask_verify(uint64_t ticket, struct str address)
{
    struct buf room = BUF_INIT(4096);

    if (!play.receive)
        play.receive = end_comes(PROCESS_RECEIVE);
    host_is_named();
    assert_true(ipc_send_verify_ask(play.receive, &(struct ipc_verify_ask){ .ticket = ticket, .address = address,
                                                                            .plan = plan_of(1, &room) }));
    buf_done(&room);
    go_on();
    return seen_count(IPC_VERIFY_ANSWER) ? seen(IPC_VERIFY_ANSWER) : NULL;
}

static void an_address_is_asked_about_with_MAIL_and_RCPT_alone(void **state)
{
    static const struct {
        enum moment at;
        const char *reply;
        unsigned status, code;
        bool asked;
    } cases[] = {
        { AT_RCPT, "250 2.1.5 yes\r\n", IPC_OK, 250, true },
        { AT_RCPT, "550 5.1.1 no such\r\n", IPC_PERM, 550, true },
        { AT_RCPT, "450 4.2.1 perhaps\r\n", IPC_TEMP, 450, true },
        { AT_MAIL, "550 5.7.1 no reports here\r\n", IPC_TEMP, 550, false },
        { AT_CONNECT, "554 not you\r\n", IPC_TEMP, 554, false },
        { AT_RCPT, "!", IPC_TEMP, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        play_open();
        host_begins(0);
        play.peers[0].says[cases[i].at][0] = cases[i].reply;
        const struct seen *s = ask_verify(5, STR("anna@example.net"));
        assert_non_null(s);
        assert_int_equal(s->name, 5);
        assert_int_equal(s->status, cases[i].status);
        assert_int_equal(s->code, cases[i].code);
        assert_int_equal(s->flag, cases[i].asked);
        if (i == 0)
            assert_heard(0, "EHLO mail.example.org\r\n|MAIL FROM:<> SIZE=0\r\nRCPT TO:<anna@example.net>\r\n|QUIT\r\n|");
        assert_int_equal(play.send->n_verifies, 0);
        play_close();
    }
}

/* In clear nobody is named to a host that is to be spoken to inside TLS alone. */
static void what_a_site_demands_holds_for_questions_about_addresses(void **state)
{
    struct arena *a = arena_new(1 << 22);
    struct config_bundle bundle;
    struct str text = STR("site safe { hosts mx.example.net; tls-level encrypt; }");
    struct config_source source = { .overrides = &text, .n_overrides = 1 };
    struct config_diagnostics diag = { 0 };
    const struct config_reader reader = { .facts = { .fqdn = STR("mail.example.org") } };
    const struct config *config = NULL;

    (void)state;
    assert_true(config_bundle_record(&bundle, &source, &reader, a) && config_parse_bundle(&bundle, a, &config, &diag));
    play_open();
    play.config.sites = config->sites;
    play.config.n_sites = config->n_sites;
    play.config.site_names = config->site_names;
    host_begins(0);
    const struct seen *s = ask_verify(5, STR("anna@example.net"));
    assert_int_equal(s->status, IPC_TEMP);
    assert_false(s->flag);
    assert_heard(0, "EHLO mail.example.org\r\n|QUIT\r\n|");
    play_close();
    arena_free(a);
}

/* As asked of peer 0, which is mx.example.net, with what LIE changes about it; true: the asker's channel is closed. */
static bool ends_who_asks(const struct route_plan_address *address, struct str about)
{
    struct buf room = BUF_INIT(4096);
    bool ended;

    assert_true(route_plan_encode(&room, &(struct route_plan){ .addresses = address, .n = 1 }));
    play.receive = end_comes(PROCESS_RECEIVE);
    assert_true(ipc_send_verify_ask(play.receive, &(struct ipc_verify_ask){
                                                      .ticket = 1, .plan = buf_str(&room), .address = about }));
    buf_done(&room);
    go_on();
    ended = !worker_peer(&play.worker, PROCESS_RECEIVE);
    assert_int_equal(seen_count(IPC_VERIFY_ANSWER), !ended);
    return ended;
}

/* A receive process that was taken over says the plan, too: it could have us connect to whom it likes, or log in there. */
static void who_wants_to_ask_others_than_the_hosts_of_the_route_is_ended(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        play_open();
        host_begins(0);
        host_is_named();
        struct route_plan_address a = peer_address(&play.peers[0]);
        if (i == 1)
            a.host = STR("mx.evil.example");
        else if (i == 2)
            a.domain = STR("example.net");
        else if (i == 3)
            a.port ^= 1;
        else if (i == 4)
            a.tls_at_once = true;
        else if (i == 5)
            a.protocol = ROUTE_PLAN_LMTP;
        else if (i == 6)
            a.fallback = true;
        else if (i == 7)
            a = (struct route_plan_address){ .host = STR("unix:/run/other"), .path = STR("/run/other"),
                                             .protocol = ROUTE_PLAN_LMTP };
        play.liar = i > 0;
        assert_int_equal(ends_who_asks(&a, STR("anna@example.net")), play.liar);
        if (i)
            assert_heard(0, "");
        play_close();
    }
}

/* That may be a client's doing. */
static void of_domains_that_do_not_ask_nothing_is_asked(void **state)
{
    static const struct str about[] = { STR_INIT("anna@example.org"), STR_INIT("Postmaster"), STR_INIT("") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(about); i++) {
        play_open();
        host_begins(0);
        host_is_named();
        struct route_plan_address a = peer_address(&play.peers[0]);
        assert_false(ends_who_asks(&a, about[i]));
        assert_int_equal(seen(IPC_VERIFY_ANSWER)->status, IPC_TEMP);
        assert_heard(0, "");
        play_close();
    }
}

static void questions_about_addresses_are_few_at_once_and_bounded_in_time(void **state)
{
    (void)state;
    play_open();
    host_begins(0);
    play.peers[0].says[AT_RCPT][0] = "";
    assert_null(ask_verify(1, STR("anna@example.net")));
    play.send->n_verifies += SEND_VERIFIES_MAX;
    assert_int_equal(ask_verify(2, STR("ben@example.net"))->status, IPC_TEMP);
    play.send->n_verifies -= SEND_VERIFIES_MAX;
    play_close();
    assert_int_equal(seen_of(IPC_VERIFY_ANSWER, 1)->status, IPC_TEMP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_out_as_it_is_with_its_dots_stuffed_C149),
        cmocka_unit_test(its_end_is_a_QUIT_whose_reply_is_awaited_C155),
        cmocka_unit_test(a_QUIT_that_nobody_answers_ends_in_order_all_the_same),
        cmocka_unit_test(the_second_address_is_tried_when_the_first_is_dead_C140),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_plan_without_addresses_or_that_is_none_opens_nothing),
        cmocka_unit_test(a_refused_greeting_is_the_next_hosts_matter),
        cmocka_unit_test(the_words_of_a_peer_tell_more_than_a_dead_address),
        cmocka_unit_test(a_silent_host_is_left_after_its_time_C153),
        cmocka_unit_test(octets_that_drip_win_no_time),
        cmocka_unit_test(what_is_given_at_once_is_pipelined_behind_the_dot),
        cmocka_unit_test(each_recipient_has_its_own_result_C159),
        cmocka_unit_test(silence_is_a_deferral_in_doubt_only_behind_the_dot_C153_C154),
        cmocka_unit_test(a_connection_lost_in_mid_session_leaves_the_rest_untouched_C154),
        cmocka_unit_test(the_end_of_an_idle_connection_is_in_order),
        cmocka_unit_test(transfers_of_a_connection_that_fails_are_untouched),
        cmocka_unit_test(what_is_no_transfer_is_answered_with_nobody),
        cmocka_unit_test(content_beyond_the_bound_waits_in_the_queue),
        cmocka_unit_test(large_content_goes_out_of_its_file),
        cmocka_unit_test(a_file_that_is_too_short_is_never_ended_with_a_dot),
        cmocka_unit_test(a_peer_that_stops_reading),
        cmocka_unit_test(lmtp_over_a_unix_socket_has_a_reply_for_each_recipient_C134),
        cmocka_unit_test(a_socket_that_is_not_there),
        cmocka_unit_test(a_new_queue_is_told_of_every_transfer_that_is_not_settled),
        cmocka_unit_test(a_result_that_no_queue_was_there_for_is_kept),
        cmocka_unit_test(numbers_of_connections_are_each_queues_own),
        cmocka_unit_test(retiring_finishes_what_is_in_hand_and_waits_until_it_is_settled),
        cmocka_unit_test(stopping_ends_what_has_not_begun_and_lets_the_rest_end),
        cmocka_unit_test(stopping_before_a_connection_is_open_says_nothing_of_its_host),
        cmocka_unit_test(a_stop_waits_so_long_and_no_longer),
        cmocka_unit_test(status_says_what_it_does),
        cmocka_unit_test(an_address_is_asked_about_with_MAIL_and_RCPT_alone),
        cmocka_unit_test(what_a_site_demands_holds_for_questions_about_addresses),
        cmocka_unit_test(who_wants_to_ask_others_than_the_hosts_of_the_route_is_ended),
        cmocka_unit_test(of_domains_that_do_not_ask_nothing_is_asked),
        cmocka_unit_test(questions_about_addresses_are_few_at_once_and_bounded_in_time),
    };

    return cmocka_run_group_tests_name("send/service", tests, NULL, NULL);
}
