/* Sessions, while the processes they ask answer, are slow, talk nonsense or die (DESIGN 3, 4). */
#include "tests/unit/receive/play.h"

#define DIALOGUE "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
#define CONTENT "Subject: x\r\n\r\ny\r\n.\r\n"

enum { LARGE = RECEIVE_MEMORY_CONTENT + 100000 };

static struct client *in_data(void)
{
    struct client *c = client_comes();

    hear(c, "220");
    say(c, DIALOGUE);
    assert_non_null(strstr(c->got, "\r\n354 "));
    return c;
}

/* Content of lines, more than is kept in memory; without its end. */
static void say_much(struct client *c)
{
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    struct buf much = BUF_INIT(2 * LARGE);

    buf_add_c(&much, "Subject: large\r\n\r\n");
    while (much.n < LARGE)
        buf_add_c(&much, line);
    buf_add_char(&much, '\0');
    say(c, much.p);
    buf_done(&much);
}

static void stored(enum ipc_storage status)
{
    assert_true(ipc_send_commit_answer(play.queue, &(struct ipc_commit_answer){
                                                       .ticket = asked(IPC_COMMIT_ASK)->ticket,
                                                       .status = (uint8_t)status,
                                                       .batch = 1,
                                                   }));
    go_on();
}

static void lend(int fd, uint64_t number)
{
    assert_true(ipc_send_file_answer(play.queue,
                                     &(struct ipc_file_answer){
                                         .ticket = asked(IPC_FILE_ASK)->ticket,
                                         .status = IPC_STORED,
                                         .file = number,
                                     },
                                     fd));
    go_on();
}

/* ---- the ordinary way ---- */

static void a_message_is_answered_when_the_queue_has_it(void **state)
{
    struct client *c;

    (void)state;
    play_open();
    c = in_data();
    say(c, CONTENT);
    assert_int_equal(c->n, 0);
    assert_string_equal(asked(IPC_COMMIT_ASK)->body, "Subject: x\r\n\r\ny\r\n");
    assert_int_equal(asked(IPC_COMMIT_ASK)->id, PLAY_FIRST_ID);
    stored(IPC_STORED);
    hear(c, "250 2.0.0");
    say(c, "QUIT\r\n");
    hear(c, "221");
    assert_true(c->closed);
    assert_int_equal(asked_of(IPC_DISCONNECT), 1);
    play_close();
}

static void what_the_spool_says_reaches_the_client(void **state)
{
    (void)state;
    play_open();
    struct client *c = in_data();
    say(c, CONTENT);
    stored(IPC_NO_SPACE);
    hear(c, "452");
    say(c, DIALOGUE CONTENT);
    stored(IPC_STORAGE_FAILED);
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 2);
    client_reads(c);
    assert_non_null(strstr(c->got, "\r\n451 4.3."));
    play_close();
}

static void a_spool_without_ids_is_451_at_MAIL_and_asked_again_by_the_next(void **state)
{
    (void)state;
    play_open();
    play.no_ids = true;
    struct client *c = client_comes();
    say(c, "EHLO x.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    assert_non_null(strstr(c->got, "\r\n451 "));
    assert_int_equal(asked_of(IPC_IDS_ASK), 1);
    play.no_ids = false;
    say(c, "MAIL FROM:<a@example.net>\r\n");
    hear(c, "250");
    play_close();
}

static void more_sessions_than_ids_in_a_block_all_get_one(void **state)
{
    struct client *c[3];

    (void)state;
    play_open();
    play.queue_silent = true;
    for (int i = 0; i < 3; i++) {
        c[i] = client_comes();
        say(c[i], "EHLO x.example.net\r\nMAIL FROM:<a@example.net>\r\n");
        assert_null(strstr(c[i]->got, "250 2.1.0"));
    }
    assert_int_equal(asked_of(IPC_IDS_ASK), 1);
    assert_true(ipc_send_ids_answer(play.queue, &(struct ipc_ids_answer){ .first = 7, .count = 2 }));
    go_on();
    assert_int_equal(asked_of(IPC_IDS_ASK), 2);
    assert_true(ipc_send_ids_answer(play.queue, &(struct ipc_ids_answer){ .first = 20, .count = 2 }));
    for (int i = 0; i < 3; i++) {
        go_on();
        client_reads(c[i]);
        assert_non_null(strstr(c[i]->got, "250 2.1.0"));
    }
    play_close();
}

/* ---- own files ---- */

static void large_content_goes_to_the_lent_file(void **state)
{
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    assert_int_equal(asked_of(IPC_FILE_ASK), 1);
    lend(fd, 9);
    say(c, ".\r\n");
    assert_int_equal(asked(IPC_COMMIT_ASK)->file, 9);
    assert_int_equal(asked(IPC_COMMIT_ASK)->size, lseek(fd, 0, SEEK_END));
    assert_string_equal(asked(IPC_COMMIT_ASK)->body, "");
    stored(IPC_STORED);
    hear(c, "250 2.0.0");
    assert_int_equal(asked_of(IPC_FILE_RETURN), 0);
    close(fd);
    play_close();
}

static void a_client_that_leaves_gives_its_file_back(void **state)
{
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    lend(fd, 11);
    close(c->fd);
    c->fd = -1;
    go_on();
    assert_int_equal(asked(IPC_FILE_RETURN)->file, 11);
    close(fd);
    play_close();
}

static void a_file_for_a_session_that_is_gone_is_given_back(void **state)
{
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    session_end(c->session, "lost");
    lend(fd, 12);
    assert_int_equal(asked(IPC_FILE_RETURN)->file, 12);
    close(fd);
    play_close();
}

static void no_file(void)
{
    assert_true(ipc_send_file_answer(
        play.queue, &(struct ipc_file_answer){ .ticket = asked(IPC_FILE_ASK)->ticket, .status = IPC_STORAGE_FAILED },
        -1));
    go_on();
}

static void where_no_file_is_ready_it_is_asked_for_again(void **state)
{
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    no_file();
    assert_int_equal(c->n, 0);
    questions_file_again(play.receive);
    go_on();
    assert_int_equal(asked_of(IPC_FILE_ASK), 2);
    lend(fd, 13);
    say(c, ".\r\n");
    assert_int_equal(asked(IPC_COMMIT_ASK)->file, 13);
    stored(IPC_STORED);
    hear(c, "250 2.0.0");
    close(fd);
    play_close();
}

static void no_file_for_long_is_451_at_the_end_of_the_content(void **state)
{
    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    c->session->file_until_msec = 0;
    no_file();
    say(c, ".\r\n");
    hear(c, "451");
    play_close();
}

static void no_file_within_its_time_is_451_at_the_end_of_the_content(void **state)
{
    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    time_passes(c);
    say(c, ".\r\n");
    hear(c, "451");
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    play_close();
}

static void no_file_within_its_time_before_354_leaves_the_transaction(void **state)
{
    (void)state;
    play_open();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net> SIZE=5000000\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    assert_int_equal(asked_of(IPC_FILE_ASK), 1);
    time_passes(c);
    assert_non_null(strstr(c->got, "\r\n451 "));
    say(c, "RCPT TO:<c@example.org>\r\n");
    hear(c, "250");
    say(c, "DATA\r\n");
    assert_int_equal(asked_of(IPC_FILE_ASK), 2);
    play_close();
}

/* ---- death of the queue (DESIGN 3) ---- */

static void commit_lost(void)
{
    peer_dies(&play.queue);
    peer_comes(PROCESS_QUEUE, &play.queue);
    assert_memory_equal(asked(IPC_TOKEN_ASK)->token, asked(IPC_COMMIT_ASK)->token, 16);
}

static void a_commit_of_a_dead_queue_is_asked_by_its_token(void **state)
{
    (void)state;
    for (int stands = 0; stands < 2; stands++) {
        play_open();
        struct client *c = in_data();
        say(c, CONTENT);
        commit_lost();
        assert_int_equal(c->n, 0);
        assert_true(ipc_send_token_answer(play.queue, &(struct ipc_token_answer){
                                                          .ticket = asked(IPC_TOKEN_ASK)->ticket,
                                                          .stands = (uint8_t)stands,
                                                          .id = PLAY_FIRST_ID,
                                                      }));
        hear(c, stands ? "250 2.0.0" : "451");
        assert_int_equal(asked_of(IPC_COMMIT_ASK), 1);
        play_close();
    }
}

static void a_token_that_stands_for_another_message_is_no_250(void **state)
{
    (void)state;
    play_open();
    struct client *c = in_data();
    say(c, CONTENT);
    commit_lost();
    assert_true(ipc_send_token_answer(play.queue, &(struct ipc_token_answer){
                                                      .ticket = asked(IPC_TOKEN_ASK)->ticket,
                                                      .stands = 1,
                                                      .id = PLAY_FIRST_ID + 1,
                                                  }));
    hear(c, "451");
    play_close();
}

static void a_file_of_a_dead_queue_is_lost_and_its_message_451(void **state)
{
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    lend(fd, 9);
    peer_dies(&play.queue);
    peer_comes(PROCESS_QUEUE, &play.queue);
    say(c, ".\r\n");
    hear(c, "451");
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    assert_int_equal(asked_of(IPC_FILE_RETURN), 0);
    close(fd);
    play_close();
}

/* The content is judged by then: what was in the file must not become an empty message with a 250. */
static void a_file_lost_while_recipients_are_expanded_is_451(void **state)
{
    static const char result[] = "\0\0\0\0\1\0b\13\0example.org\0\0\0";
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    play.expands = true;
    struct client *c = in_data();
    say_much(c);
    lend(fd, 9);
    say(c, ".\r\n");
    assert_int_equal(asked_of(IPC_EXPAND_ASK), 1);
    peer_dies(&play.queue);
    peer_comes(PROCESS_QUEUE, &play.queue);
    assert_true(ipc_send_expand_answer(play.lookup, &(struct ipc_expand_answer){
                                                        .ticket = asked(IPC_EXPAND_ASK)->ticket,
                                                        .count = 1,
                                                        .results = str_of(result, sizeof(result)),
                                                    }));
    hear(c, "451");
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    close(fd);
    play_close();
}

/* The number may name another session's file in the next queue. */
static void a_file_lost_before_its_commit_was_sent_is_451(void **state)
{
    int fd = memfd_create("own", MFD_CLOEXEC);

    (void)state;
    play_open();
    struct client *c = in_data();
    say_much(c);
    lend(fd, 9);
    worker_peer(&play.worker, PROCESS_QUEUE)->asked = IPC_CREDITS; /* the commit cannot be sent yet */
    say(c, ".\r\n");
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    peer_dies(&play.queue);
    peer_comes(PROCESS_QUEUE, &play.queue);
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    hear(c, "451");
    close(fd);
    play_close();
}

static void a_commit_that_was_never_sent_is_451_when_its_time_is_up(void **state)
{
    (void)state;
    play_open();
    struct client *c = in_data();
    peer_dies(&play.queue);
    say(c, CONTENT);
    assert_int_equal(c->n, 0);
    time_passes(c);
    hear(c, "451");
    play_close();
}

static void a_commit_that_was_sent_is_waited_for(void **state)
{
    (void)state;
    play_open();
    struct client *c = in_data();
    say(c, CONTENT);
    time_passes(c);
    assert_int_equal(c->n, 0);
    stored(IPC_STORED);
    hear(c, "250 2.0.0");
    play_close();
}

/* ---- death and nonsense of lookup ---- */

static void a_question_of_a_dead_lookup_is_asked_again(void **state)
{
    (void)state;
    play_open();
    struct client *c = client_comes(), *idle = client_comes();
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    play.lookup_silent = true;
    say(c, "RCPT TO:<b@example.org>\r\n");
    assert_int_equal(asked_of(IPC_RCPT_ASK), 1);
    peer_dies(&play.lookup);
    play.lookup_silent = false;
    play.n_asked = 0;
    peer_comes(PROCESS_LOOKUP, &play.lookup);
    hear(c, "250 2.1.5");
    /* Both live sessions have told it of themselves, once. */
    assert_int_equal(asked_of(IPC_CONNECT_ASK), 2);
    assert_true(asked(IPC_CONNECT_ASK)->again);
    say(idle, "QUIT\r\n");
    assert_int_equal(asked_of(IPC_DISCONNECT), 1);
    play_close();
}

static void sessions_beyond_the_credits_tell_a_new_lookup_later(void **state)
{
    (void)state;
    play_open();
    (void)client_comes();
    (void)client_comes();
    peer_dies(&play.lookup);
    play.n_asked = 0;
    play.lookup_silent = true;
    peer_comes(PROCESS_LOOKUP, &play.lookup);
    assert_int_equal(asked_of(IPC_CONNECT_ASK), 2);
    struct ipc_channel *ours = worker_peer(&play.worker, PROCESS_LOOKUP);
    ours->instance = 999; /* another one, again, that takes no questions now */
    ours->asked = IPC_CREDITS;
    receive_service.peer_up(&play.worker, ours);
    go_on();
    assert_int_equal(asked_of(IPC_CONNECT_ASK), 2);
    assert_true(ipc_send_connect_answer(play.lookup, &(struct ipc_connect_answer){ .ticket = UINT64_MAX }));
    go_on();
    assert_int_equal(asked_of(IPC_CONNECT_ASK), 3);
    play_close();
}

static void rows_that_cannot_be_are_451(void **state)
{
    static const struct {
        bool refused;
        uint16_t row;
    } bad[] = {
        { true, SMTP_REPLY_DATA_GO }, { true, SMTP_REPLY_OK },      { true, SMTP_REPLY_NONE },
        { true, 65535 },              { true, SMTP_REPLY_GREETING },
    };

    (void)state;
    play_open();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    play.lookup_silent = true;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        say(c, "RCPT TO:<b@example.org>\r\n");
        assert_true(answer_rcpt(asked(IPC_RCPT_ASK)->ticket, bad[i].refused, bad[i].row));
        hear(c, "451");
    }
    say(c, "VRFY <b@example.org>\r\n");
    if (asked_of(IPC_VRFY_ASK)) {
        assert_true(ipc_send_vrfy_answer(play.lookup, &(struct ipc_vrfy_answer){
                                                          .ticket = asked(IPC_VRFY_ASK)->ticket,
                                                          .row = SMTP_REPLY_DATA_GO,
                                                      }));
        hear(c, "451");
    }
    play_close();
}

static void answers_to_nobody_are_passed_over(void **state)
{
    (void)state;
    play_open();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    play.lookup_silent = true;
    say(c, "RCPT TO:<b@example.org>\r\n");
    uint64_t ticket = asked(IPC_RCPT_ASK)->ticket;
    worker_peer(&play.worker, PROCESS_LOOKUP)->asked = 10;
    play.lookup->owed = 10;
    assert_true(answer_rcpt(ticket + 1, false, 0));           /* no such slot */
    assert_true(answer_rcpt(ticket + (1ULL << 32), false, 0)); /* not that question */
    assert_true(answer_rcpt(UINT64_MAX, false, 0));
    assert_true(ipc_send_connect_answer(play.lookup, &(struct ipc_connect_answer){ .ticket = ticket }));
    assert_true(ipc_send_expand_answer(play.lookup, &(struct ipc_expand_answer){ .ticket = ticket, .count = 1 }));
    hear(c, "");
    assert_int_equal(c->n, 0);
    assert_true(answer_rcpt(ticket, false, 0));
    hear(c, "250");
    play_close();
}

static void expansions_that_cannot_be_are_451(void **state)
{
    static const struct str results[] = {
        STR_INIT(""),
        STR_INIT("\0\0"),
        STR_INIT("\0\0\0"),
        STR_INIT("\0\0\0\0"),
        STR_INIT("\1\0\0\0\1\0b\13\0example.org\0\0\0\0"), /* a recipient that is not there */
        STR_INIT("\0\0\0\3\1\0b\13\0example.org\0\0\0\0"), /* of no kind that there is */
        STR_INIT("\0\0\0\0\377\377b"),
    };

    (void)state;
    play_open();
    play.expands = true;
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\n");
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        for (uint32_t count = 0; count < 3; count++) {
            say(c, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
            say(c, CONTENT);
            assert_true(ipc_send_expand_answer(play.lookup, &(struct ipc_expand_answer){
                                                                .ticket = asked(IPC_EXPAND_ASK)->ticket,
                                                                .count = count,
                                                                .results = results[i],
                                                            }));
            hear(c, "451");
            play.n_asked = 0;
        }
    }
    play_close();
}

/* ---- time ---- */

static void questions_to_lookup_end_in_4yz_when_their_time_is_up(void **state)
{
    (void)state;
    play_open();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    play.lookup_silent = true;
    say(c, "RCPT TO:<b@example.org>\r\n");
    time_passes(c);
    hear(c, "451");
    play.lookup_silent = false;
    say(c, "RCPT TO:<b@example.org>\r\n");
    hear(c, "250");
    play.expands = true;
    say(c, "RCPT TO:<d@example.org>\r\nDATA\r\n");
    say(c, CONTENT);
    assert_int_equal(asked_of(IPC_EXPAND_ASK), 1);
    time_passes(c);
    hear(c, "451");
    say(c, "MAIL FROM:<a@example.net>\r\n");
    hear(c, "250");
    play_close();
}

static void a_client_that_says_nothing_is_told_421(void **state)
{
    (void)state;
    play_open();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\n");
    c->n = 0;
    time_passes(c);
    hear(c, "421 4.4.2");
    assert_true(c->closed);
    play_close();
}

/* ---- the end (RFC 5321 3.8) ---- */

static void a_stop_tells_421_but_a_commit_is_answered_first_C018(void **state)
{
    (void)state;
    play_open();
    struct client *idle = client_comes(), *c = in_data();
    say(c, CONTENT);
    hear(idle, "220");
    idle->n = 0;
    receive_service.stop(&play.worker, 1000);
    hear(idle, "421 4.3.2");
    assert_true(idle->closed);
    assert_false(play.exited);
    assert_int_equal(c->n, 0);
    stored(IPC_STORED);
    hear(c, "250 2.0.0");
    assert_non_null(strstr(c->got, "\r\n421 4.3.2"));
    assert_true(c->closed);
    assert_true(play.exited);
    play_close();
}

static void a_retiring_process_serves_its_sessions_to_their_end(void **state)
{
    (void)state;
    play_open();
    struct client *c = client_comes();
    receive_service.retire(&play.worker);
    say(c, DIALOGUE);
    say(c, CONTENT);
    stored(IPC_STORED);
    hear(c, "250 2.0.0");
    assert_false(play.exited);
    say(c, "QUIT\r\n");
    assert_true(play.exited);
    play_close();
}

/* FACE 1.8, timeout command: only what is done counts, and a line that is let go is never done. */
static void a_line_that_is_too_long_wins_no_time(void **state)
{
    char words[4096];

    (void)state;
    play_open();
    struct client *c = client_comes();
    memset(words, 'x', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    say(c, words);
    c->session->deadline_msec = 4711;
    say(c, "x");
    say(c, "y");
    assert_int_equal(c->session->deadline_msec, 4711);
    say(c, "\r\n");
    hear(c, "500");
    assert_true(c->session->deadline_msec > 4711);
    play_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_is_too_long_wins_no_time),
        cmocka_unit_test(a_message_is_answered_when_the_queue_has_it),
        cmocka_unit_test(what_the_spool_says_reaches_the_client),
        cmocka_unit_test(a_spool_without_ids_is_451_at_MAIL_and_asked_again_by_the_next),
        cmocka_unit_test(more_sessions_than_ids_in_a_block_all_get_one),
        cmocka_unit_test(large_content_goes_to_the_lent_file),
        cmocka_unit_test(a_client_that_leaves_gives_its_file_back),
        cmocka_unit_test(a_file_for_a_session_that_is_gone_is_given_back),
        cmocka_unit_test(where_no_file_is_ready_it_is_asked_for_again),
        cmocka_unit_test(no_file_for_long_is_451_at_the_end_of_the_content),
        cmocka_unit_test(no_file_within_its_time_is_451_at_the_end_of_the_content),
        cmocka_unit_test(no_file_within_its_time_before_354_leaves_the_transaction),
        cmocka_unit_test(a_commit_of_a_dead_queue_is_asked_by_its_token),
        cmocka_unit_test(a_token_that_stands_for_another_message_is_no_250),
        cmocka_unit_test(a_file_of_a_dead_queue_is_lost_and_its_message_451),
        cmocka_unit_test(a_file_lost_while_recipients_are_expanded_is_451),
        cmocka_unit_test(a_file_lost_before_its_commit_was_sent_is_451),
        cmocka_unit_test(a_commit_that_was_never_sent_is_451_when_its_time_is_up),
        cmocka_unit_test(a_commit_that_was_sent_is_waited_for),
        cmocka_unit_test(a_question_of_a_dead_lookup_is_asked_again),
        cmocka_unit_test(sessions_beyond_the_credits_tell_a_new_lookup_later),
        cmocka_unit_test(rows_that_cannot_be_are_451),
        cmocka_unit_test(answers_to_nobody_are_passed_over),
        cmocka_unit_test(expansions_that_cannot_be_are_451),
        cmocka_unit_test(questions_to_lookup_end_in_4yz_when_their_time_is_up),
        cmocka_unit_test(a_client_that_says_nothing_is_told_421),
        cmocka_unit_test(a_stop_tells_421_but_a_commit_is_answered_first_C018),
        cmocka_unit_test(a_retiring_process_serves_its_sessions_to_their_end),
    };

    return cmocka_run_group_tests_name("receive/session", tests, NULL, NULL);
}
