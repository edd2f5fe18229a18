/* What was left in the drop folder: said once, to a session like any other, under a token made of the file. */
#include "tests/unit/receive/play.h"

#define WHOLE                                                                                               \
    "MAIL FROM:<root>\r\nRCPT TO:<ada>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..x\r\n.\r\n"

/* main, as the test plays it. */
static struct {
    struct ipc_channel *end;
    struct ipc_handler handler;
    unsigned answers;
    uint8_t status;
    char name[64];
    char text[256];
} chief;

static void to_chief(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    (void)c;
    assert_int_equal(m->type, IPC_DROPPED);
    chief.answers++;
    chief.status = m->dropped.status;
    snprintf(chief.name, sizeof(chief.name), "%.*s", STR_ARG(m->dropped.name));
    snprintf(chief.text, sizeof(chief.text), "%.*s", STR_ARG(m->dropped.text));
}

static void open_room(void)
{
    struct err err = { 0 };
    int fds[2];

    play_open();
    assert_true(fd_pair(fds, &err));
    chief.handler = (struct ipc_handler){ .message = to_chief, .ended = peer_ended };
    chief.answers = 0;
    play.worker.main = ipc_channel_new(play.worker.loop, fds[0], PROCESS_SUBMIT, PROCESS_MAIN, &play.worker.handler, &err);
    chief.end = ipc_channel_new(play.worker.loop, fds[1], PROCESS_MAIN, PROCESS_SUBMIT, &chief.handler, &err);
    assert_true(play.worker.main && chief.end);
}

static void close_room(void)
{
    ipc_channel_free(chief.end);
    ipc_channel_free(play.worker.main);
    play.worker.main = NULL;
    play_close();
}

static void give(const char *name, uint32_t uid, uint64_t number, struct str octets)
{
    struct err err = { 0 };
    FILE *file = tmpfile();
    int fd;

    assert_non_null(file);
    assert_int_equal(fwrite(octets.p, 1, octets.n, file), octets.n);
    assert_int_equal(fflush(file), 0);
    fd = dup(fileno(file));
    fclose(file);
    assert_true(fd >= 0 && fd_set_nonblocking(fd, false, &err));
    assert_true(ipc_send_drop(chief.end, &(struct ipc_drop){ .name = str_from_c(name), .uid = uid, .number = number }, fd));
    close(fd);
    go_on();
}

static void token_answered(bool stands)
{
    assert_true(ipc_send_token_answer(play.queue, &(struct ipc_token_answer){
                                                      .ticket = asked(IPC_TOKEN_ASK)->ticket,
                                                      .stands = stands,
                                                      .id = 7,
                                                  }));
    go_on();
}

static void committed(enum ipc_storage status)
{
    assert_true(ipc_send_commit_answer(play.queue, &(struct ipc_commit_answer){
                                                       .ticket = asked(IPC_COMMIT_ASK)->ticket,
                                                       .status = (uint8_t)status,
                                                       .batch = 1,
                                                   }));
    go_on();
}

static void assert_answer(enum ipc_result status, const char *part)
{
    assert_int_equal(chief.answers, 1);
    assert_int_equal(chief.status, status);
    assert_non_null(strstr(chief.text, part));
}

static size_t times_asked(enum ipc_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < play.n_asked; i++)
        n += play.asked[i].type == type;
    return n;
}

static void it_is_committed_under_its_token_for_its_owner(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct envelope e;
    struct err err = { 0 };

    (void)state;
    open_room();
    give("msg-1", 1000, 42, STR(WHOLE));
    assert_int_equal(times_asked(IPC_CONNECT_ASK), 0);
    token_answered(false);
    struct asked *commit = asked(IPC_COMMIT_ASK);
    assert_memory_equal(commit->token, asked(IPC_TOKEN_ASK)->token, 16);
    assert_string_equal(commit->body, "Subject: x\r\n\r\n.x\r\n");
    assert_true(envelope_decode(str_of(commit->envelope, commit->envelope_n), a, &e, &err));
    assert_int_equal(e.uid_plus, 1001);
    assert_str_is(e.listener, STR("sendmail"));
    assert_str_is(e.sender, STR("root@example.org"));
    assert_int_equal(e.n_recipients, 2);
    assert_str_is(e.recipients[0].domain, STR("example.org"));
    assert_int_equal(chief.answers, 0);
    committed(IPC_STORED);
    assert_answer(IPC_OK, "");
    assert_string_equal(chief.name, "msg-1");
    arena_free(a);
    close_room();
}

static void one_that_the_queue_has_is_not_taken_again(void **state)
{
    (void)state;
    open_room();
    give("msg-1", 1000, 42, STR(WHOLE));
    token_answered(true);
    assert_answer(IPC_OK, "");
    assert_int_equal(times_asked(IPC_COMMIT_ASK), 0);
    assert_int_equal(times_asked(IPC_CONNECT_ASK), 0);
    close_room();
}

static void the_token_is_of_the_file_and_of_no_other(void **state)
{
    static const struct {
        const char *name;
        uint32_t uid;
        uint64_t number;
    } rows[] = { { "msg-1", 1000, 42 }, { "msg-2", 1000, 42 }, { "msg-1", 1001, 42 }, { "msg-1", 1000, 43 } };
    char first[16];

    (void)state;
    open_room();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        give(rows[i].name, rows[i].uid, rows[i].number, STR(WHOLE));
        if (i)
            assert_memory_not_equal(asked(IPC_TOKEN_ASK)->token, first, 16);
        else
            memcpy(first, asked(IPC_TOKEN_ASK)->token, 16);
        token_answered(true);
    }
    give(rows[0].name, rows[0].uid, rows[0].number, STR(WHOLE));
    assert_memory_equal(asked(IPC_TOKEN_ASK)->token, first, 16);
    token_answered(true);
    close_room();
}

static void a_dead_queue_is_not_the_end_of_the_question(void **state)
{
    (void)state;
    open_room();
    give("msg-1", 1000, 42, STR(WHOLE));
    peer_dies(&play.queue);
    assert_int_equal(chief.answers, 0);
    peer_comes(PROCESS_QUEUE, &play.queue);
    assert_int_equal(times_asked(IPC_TOKEN_ASK), 2);
    token_answered(true);
    assert_answer(IPC_OK, "");
    close_room();
}

static void one_recipient_that_is_refused_does_not_stop_the_others(void **state)
{
    (void)state;
    open_room();
    play.lookup_silent = true;
    give("msg-1", 1000, 42, STR(WHOLE));
    token_answered(false);
    assert_true(ipc_send_connect_answer(play.lookup, &(struct ipc_connect_answer){ .ticket = asked(IPC_CONNECT_ASK)->ticket }));
    go_on();
    assert_true(answer_rcpt(asked(IPC_RCPT_ASK)->ticket, true, SMTP_REPLY_NO_SUCH_MAILBOX));
    go_on();
    assert_true(answer_rcpt(asked(IPC_RCPT_ASK)->ticket, false, 0));
    go_on();
    committed(IPC_STORED);
    assert_answer(IPC_PERM, "550 5.1.1 ada@example.org");
    close_room();
}

static void without_any_recipient_it_is_set_aside(void **state)
{
    (void)state;
    open_room();
    play.lookup_silent = true;
    give("msg-1", 1000, 42, STR(WHOLE));
    token_answered(false);
    assert_true(ipc_send_connect_answer(play.lookup, &(struct ipc_connect_answer){ .ticket = asked(IPC_CONNECT_ASK)->ticket }));
    go_on();
    for (int i = 0; i < 2; i++) {
        assert_true(answer_rcpt(asked(IPC_RCPT_ASK)->ticket, true, SMTP_REPLY_NO_SUCH_MAILBOX));
        go_on();
    }
    assert_answer(IPC_PERM, "550 5.1.1");
    assert_int_equal(times_asked(IPC_COMMIT_ASK), 0);
    close_room();
}

static void what_cannot_be_now_is_tried_later(void **state)
{
    (void)state;
    open_room();
    play.lookup_silent = true;
    give("msg-1", 1000, 42, STR(WHOLE));
    token_answered(false);
    assert_true(ipc_send_connect_answer(play.lookup, &(struct ipc_connect_answer){ .ticket = asked(IPC_CONNECT_ASK)->ticket }));
    go_on();
    assert_true(answer_rcpt(asked(IPC_RCPT_ASK)->ticket, true, SMTP_REPLY_LOOKUP_FAILED));
    go_on();
    assert_answer(IPC_TEMP, "451 4.3.0");
    close_room();
}

static void a_full_disk_leaves_it_where_it_is(void **state)
{
    (void)state;
    open_room();
    give("msg-1", 1000, 42, STR(WHOLE));
    token_answered(false);
    committed(IPC_NO_SPACE);
    assert_answer(IPC_TEMP, "452 4.3.1");
    close_room();
}

static void what_sendmail_does_not_write_is_set_aside(void **state)
{
    static const struct str rows[] = {
        STR_INIT(""),
        STR_INIT("x\r\n.\r\n"),
        STR_INIT("MAIL FROM:<root>\r\nRCPT TO:<ada>\r\nDATA\r\nx\r\n"),
        STR_INIT("MAIL FROM:<root>\r\nRCPT TO:<ada>\r\nVRFY x\r\n.\r\n"),
        STR_INIT("MAIL FROM:<root>\nRCPT TO:<ada>\nDATA\nx\r\n.\r\n"),
        STR_INIT("RCPT TO:<ada>\r\nDATA\r\nx\r\n.\r\n"),
        STR_INIT("MAIL FROM:<root>\r\nDATA\r\nx\r\n.\r\n"),
        STR_INIT("MAIL FROM:<root>\r\nRCPT TO:<not an address\r\nDATA\r\nx\r\n.\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        open_room();
        give("msg-1", 1000, 42, rows[i]);
        if (!chief.answers)
            token_answered(false);
        assert_answer(IPC_PERM, " ");
        assert_int_equal(times_asked(IPC_COMMIT_ASK), 0);
        close_room();
    }
}

static void large_content_goes_as_the_session_takes_it(void **state)
{
    struct buf file = BUF_INIT(1 << 20);

    (void)state;
    open_room();
    buf_add(&file, STR("MAIL FROM:<root>\r\nRCPT TO:<ada>\r\nDATA\r\nSubject: x\r\n\r\n"));
    for (int i = 0; i < 3000; i++)
        buf_add(&file, STR("a line that is like all the others of this message\r\n"));
    buf_add(&file, STR(".\r\n"));
    give("msg-1", 1000, 42, buf_str(&file));
    token_answered(false);
    for (int i = 0; i < 20; i++)
        go_on();
    assert_int_equal(asked(IPC_COMMIT_ASK)->size, 14 + 3000 * 52);
    committed(IPC_STORED);
    assert_answer(IPC_OK, "");
    buf_done(&file);
    close_room();
}

static void a_process_that_retires_gives_back_what_it_has_not_begun(void **state)
{
    (void)state;
    open_room();
    give("msg-1", 1000, 42, STR(WHOLE));
    receive_service.retire(&play.worker);
    go_on();
    assert_answer(IPC_TEMP, "");
    give("msg-2", 1000, 42, STR(WHOLE));
    assert_int_equal(chief.answers, 2);
    assert_int_equal(chief.status, IPC_TEMP);
    close_room();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_committed_under_its_token_for_its_owner),
        cmocka_unit_test(one_that_the_queue_has_is_not_taken_again),
        cmocka_unit_test(the_token_is_of_the_file_and_of_no_other),
        cmocka_unit_test(a_dead_queue_is_not_the_end_of_the_question),
        cmocka_unit_test(one_recipient_that_is_refused_does_not_stop_the_others),
        cmocka_unit_test(without_any_recipient_it_is_set_aside),
        cmocka_unit_test(what_cannot_be_now_is_tried_later),
        cmocka_unit_test(a_full_disk_leaves_it_where_it_is),
        cmocka_unit_test(what_sendmail_does_not_write_is_set_aside),
        cmocka_unit_test(large_content_goes_as_the_session_takes_it),
        cmocka_unit_test(a_process_that_retires_gives_back_what_it_has_not_begun),
    };

    return cmocka_run_group_tests_name("receive/drop", tests, NULL, NULL);
}
