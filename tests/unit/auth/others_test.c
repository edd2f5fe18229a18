/* Passwords that others know: PAM by its process, Dovecot by its auth client socket; one source after the other. */
#include "tests/unit/auth/room.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/dovecot_line.h"
#include "core/check.h"

static const char config[] = "hostname mail.example.org; origin example.org; listen 25; listen 26;\n"
                             "domain example.org { users file:/users; deliver maildir:/m/{user}; }\n"
                             "domain example.net { users file:/users; deliver maildir:/m/{user}; }\n";

static const char greeting[] = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\n"
                               "SPID\t12\nCUID\t3\nCOOKIE\tabcdef\nDONE\n";

/* ---- Dovecot, as it is told to be ---- */

static struct {
    char folder[64];
    char path[100];
    int listening;
    int fd;
    struct io_watch watch;      /* of listening */
    struct io_watch connection;
    const char *greeting;
    const char *reply; /* printf() with the number; NULL: none */
    bool hangs_up;     /* instead of replying */
    bool tells;        /* stops the loop when something is heard */
    size_t step;       /* octets in one write; 0: all */
    struct buf heard;
    unsigned connections;
} dovecot;

static void say(const char *text)
{
    size_t n = strlen(text), step = dovecot.step ? dovecot.step : n;

    for (size_t at = 0; at < n; at += step)
        assert_true(write(dovecot.fd, text + at, size_min(step, n - at)) > 0);
}

static void reply_to(struct str line)
{
    struct str rest = line;

    if (!str_eq(str_cut(&rest, '\t'), STR("AUTH")))
        return;
    if (dovecot.hangs_up) {
        io_watch_arm(&dovecot.connection, 0);
        shutdown(dovecot.fd, SHUT_RDWR);
        return;
    }
    if (!dovecot.reply)
        return;
    struct str number = str_cut(&rest, '\t');
    struct buf out = BUF_INIT(1024);
    struct str form = str_from_c(dovecot.reply);
    while (form.n) {
        struct str piece = str_cut(&form, '#');
        buf_add(&out, piece);
        if (form.p)
            buf_add(&out, number);
    }
    buf_add_char(&out, '\0');
    say(out.p);
    buf_done(&out);
}

static void on_words(struct io_watch *w, unsigned what)
{
    char *at = buf_room(&dovecot.heard, 4096);
    size_t before = dovecot.heard.n;
    ssize_t n = read(dovecot.fd, at, 4096);
    struct str rest;

    (void)what;
    if (n <= 0) {
        io_watch_arm(w, 0);
        return;
    }
    buf_grew(&dovecot.heard, (size_t)n);
    if (dovecot.tells)
        io_loop_stop(room.worker.loop);
    rest = str_skip(buf_str(&dovecot.heard), before);
    while (str_has(rest, '\n'))
        reply_to(str_cut(&rest, '\n'));
}

static void drop_connection(void)
{
    if (dovecot.fd >= 0)
        io_watch_done(&dovecot.connection);
    fd_close(&dovecot.fd);
}

static void on_connection(struct io_watch *w, unsigned what)
{
    struct err err = { 0 };

    (void)what;
    drop_connection();
    dovecot.fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(dovecot.fd >= 0);
    dovecot.connections++;
    assert_true(io_watch_init(&dovecot.connection, room.worker.loop, dovecot.fd, on_words, &err));
    io_watch_arm(&dovecot.connection, IO_READ);
    say(dovecot.greeting);
}

static void dovecot_listen(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct err err = { 0 };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", dovecot.path);
    dovecot.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dovecot.listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(dovecot.listening, 8), 0);
    assert_true(io_watch_init(&dovecot.watch, room.worker.loop, dovecot.listening, on_connection, &err));
    io_watch_arm(&dovecot.watch, IO_READ);
}

static void dovecot_end(void)
{
    drop_connection();
    if (dovecot.listening >= 0)
        io_watch_done(&dovecot.watch);
    fd_close(&dovecot.listening);
    unlink(dovecot.path);
}

/* ---- the room ---- */

static struct config_auth auths[3];

static int open_room(void **state)
{
    (void)state;
    memset(&dovecot, 0, sizeof(dovecot));
    dovecot.listening = dovecot.fd = -1;
    dovecot.greeting = greeting;
    dovecot.heard = BUF_INIT(1 << 20);
    snprintf(dovecot.folder, sizeof(dovecot.folder), "/tmp/veredus-auth-XXXXXX");
    assert_non_null(mkdtemp(dovecot.folder));
    snprintf(dovecot.path, sizeof(dovecot.path), "%s/auth", dovecot.folder);
    room_open(config);
    auths[0] = (struct config_auth){ .kind = CONFIG_AUTH_DOVECOT, .where = str_from_c(dovecot.path) };
    auths[1] = (struct config_auth){ .kind = CONFIG_AUTH_PAM, .where = STR("mail") };
    auths[2] = (struct config_auth){ .kind = CONFIG_AUTH_USERS };
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    dovecot_end();
    buf_done(&dovecot.heard);
    rmdir(dovecot.folder);
    room_close();
    return 0;
}

/* The first N of AUTHS from FIRST on are what the listener asks. */
static void start(size_t first, size_t n)
{
    room_auths(0, auths + first, n);
    room_file("/users", arena_printf(room.arena, "anna:%s\n", room_hash("secret")).p);
    dovecot_listen();
    room_start();
}

static void assert_done(enum ipc_login result, const char *who)
{
    assert_int_equal(result, IPC_LOGIN_DONE);
    assert_string_equal(room.answer.account, who);
}

/* ---- Dovecot ---- */

static void dovecot_says_who_it_is(void **state)
{
    struct str message = str_from_c(room_base64("\0anna\0secret", 12));

    (void)state;
    start(0, 1);
    assert_string_equal(room.offers[0], "PLAIN LOGIN");
    dovecot.reply = "OK\t#\tuser=anna\n";
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    assert_true(str_starts(buf_str(&dovecot.heard), STR("VERSION\t1\t1\nCPID\t")));
    assert_true(str_contains(buf_str(&dovecot.heard),
                             arena_printf(room.arena,
                                          "\tPLAIN\tservice=smtp\tnologin\tsecured\trip=198.51.100.20\tresp=%.*s\n",
                                          STR_ARG(message))));
    assert_string_equal(room.guessed[0], "anna@example.org right");
    /* Another name than the one that was said, over the same connection. */
    dovecot.reply = "OK\t#\tuser=Anna.Smith@EXAMPLE.net\tnologin\n";
    assert_done(room_plain("anna", "secret"), "Anna.Smith@example.net");
    assert_int_equal(dovecot.connections, 1);
}

static void dovecot_refuses(void **state)
{
    (void)state;
    start(0, 1);
    dovecot.reply = "FAIL\t#\tuser=anna\n";
    assert_int_equal(room_plain("anna", "wrong"), IPC_LOGIN_REFUSED);
    assert_int_equal(room.answer.reason, LOG_REASON_PASSWORD);
    assert_string_equal(room.guessed[0], "anna@example.org wrong");
    dovecot.reply = "FAIL\t#\tuser=anna\tcode=user_disabled\n";
    assert_int_equal(room_plain("anna", "wrong"), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "the account is locked, or its password has expired");
}

static void what_dovecot_cannot_say_is_put_off(void **state)
{
    static const char *const replies[] = {
        "FAIL\t#\tuser=anna\ttemp\n", "FAIL\t#\tcode=temp_fail\n", "CONT\t#\tabcd\n", "OK\tnumber\n", "FAIL\n",
    };

    (void)state;
    start(0, 1);
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        dovecot.reply = replies[i];
        assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    }
    room_await_not_made(ARRAY_LEN(replies));
}

static void dovecot_that_is_away_is_tried_again(void **state)
{
    (void)state;
    start(0, 1);
    dovecot_end();
    dovecot.reply = "OK\t#\tuser=anna\n";
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    assert_string_equal(room.answer.detail, "there is no socket of Dovecot's at that path");
    dovecot_listen();
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    /* It is gone with a question in hand. */
    dovecot.hangs_up = true;
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    assert_string_equal(room.answer.detail, "Dovecot closed the connection");
    dovecot.hangs_up = false;
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    assert_int_equal(dovecot.connections, 2);
}

static void what_is_not_our_dovecot_is_left(void **state)
{
    static const char *const greetings[] = {
        "VERSION\t2\t0\nMECH\tPLAIN\nDONE\n",
        "VERSION\tone\n",
        "VERSION\t1\t1\nMECH\tGSSAPI\nDONE\n",
    };

    (void)state;
    start(0, 1);
    for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
        dovecot.greeting = greetings[i];
        assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    }
    assert_int_equal(dovecot.connections, ARRAY_LEN(greetings));
    /* An endless line. */
    dovecot.greeting = arena_printf(room.arena, "%*s", DOVECOT_LINE_MAX + 1, "").p;
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    assert_string_equal(room.answer.detail, "Dovecot's line is too long");
}

static void lines_in_pieces_are_lines(void **state)
{
    (void)state;
    start(0, 1);
    dovecot.reply = "OK\t77777\tuser=eve\nOK\t#\tuser=anna\n";
    for (dovecot.step = 1; dovecot.step <= 3; dovecot.step += 2) {
        drop_connection();
        assert_int_not_equal(room_plain("anna", "secret"), IPC_LOGIN_REFUSED);
        if (room.answer.status == IPC_LOGIN_TEMP)
            assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_DONE);
        assert_string_equal(room.answer.account, "anna@example.org");
    }
}

static void what_is_given_up_is_not_answered_later(void **state)
{
    (void)state;
    start(0, 1);
    room_send_ask("PLAIN", true, STR("\0anna\0secret"));
    dovecot.tells = true;
    while (!str_contains(buf_str(&dovecot.heard), STR("AUTH\t")))
        room_run(NULL);
    dovecot.tells = false;
    ipc_send_login_gone(room.receive, &(struct ipc_login_gone){ .ticket = room.ticket });
    assert_int_equal(room_step(STR("")), IPC_LOGIN_WRONG);
    say("OK\t2\tuser=anna\nOK\t1\tuser=anna\n");
    dovecot.reply = "FAIL\t#\tuser=anna\n";
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_REFUSED);
}

/* Asks Dovecot, who has heard it and says nothing. */
static void leave_with_dovecot(void)
{
    dovecot.heard.n = 0;
    dovecot.tells = true;
    room_send_ask("PLAIN", true, STR("\0anna\0secret"));
    while (!str_contains(buf_str(&dovecot.heard), STR("AUTH\t")))
        room_run(NULL);
    dovecot.tells = false;
    assert_int_equal(room.n_under_way, 1);
}

/* Lookup counts it among those that are tried: each has one end, on whatever way it goes. */
static void a_guess_that_comes_to_nothing_is_given_back(void **state)
{
    struct auth_exchange *x;

    (void)state;
    start(0, 2);
    /* The client is gone, */
    leave_with_dovecot();
    ipc_send_login_gone(room.receive, &(struct ipc_login_gone){ .ticket = room.ticket });
    room_await_not_made(1);
    /* or all of them are; */
    leave_with_dovecot();
    ipc_channel_free(room.receive);
    room_await_not_made(2);
    room.receive = room_peer(PROCESS_SUBMIT);
    /* nobody answers in time, */
    leave_with_dovecot();
    x = CONTAINER_OF(map_any(&room_auth()->exchanges), struct auth_exchange, node);
    io_timer_start(&x->patience, 1);
    room_await_not_made(3);
    /* or never will: Dovecot, */
    leave_with_dovecot();
    dovecot_end();
    room_await_not_made(4);
    /* and PAM, which is asked behind it. */
    dovecot_listen();
    dovecot.reply = "FAIL\t#\tuser=anna\n";
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    assert_string_equal(room.answer.detail, "who would be asked is away");
    room_await_not_made(5);
}

/* ---- lines ---- */

static struct dovecot_line read_line(const char *text)
{
    struct dovecot_line line;
    char *p = exact_copy(str_from_c(text));

    dovecot_line_read(str_of(p, strlen(text)), &line);
    free(p);
    return line;
}

static void lines_are_read(void **state)
{
    char *p = exact_copy(STR("FAIL\t4294967295\tuser=anna@example.org\treason=no\ttemp"));
    struct dovecot_line line;

    (void)state;
    dovecot_line_read(str_of(p, 52), &line);
    assert_int_equal(line.kind, DOVECOT_FAIL);
    assert_int_equal(line.number, UINT32_MAX);
    assert_str_is(line.user, STR("anna@example.org"));
    assert_true(line.later);
    free(p);
    assert_int_equal(read_line("OK\t4294967296\tuser=x").kind, DOVECOT_NONSENSE);
    assert_int_equal(read_line("OK").kind, DOVECOT_NONSENSE);
    assert_int_equal(read_line("VERSION\t1\t2").number, 1);
    assert_int_equal(read_line("DONE").kind, DOVECOT_DONE);
    assert_int_equal(read_line("SPID\t1").kind, DOVECOT_OTHER);
    assert_int_equal(read_line("").kind, DOVECOT_OTHER);
    assert_int_equal(read_line("OK\t1\tuser=a\1tb").user.n, 0);
    assert_true(read_line("FAIL\t1\tuser=a\tpass_expired").locked);
}

/* ---- PAM ---- */

static void pam_answers(enum ipc_result status, const char *text)
{
    room.pam_status = status;
    room.pam_text = text;
}

static void pam_is_asked_for_accounts_of_this_machine(void **state)
{
    (void)state;
    start(1, 1);
    room.pam = room_peer(PROCESS_PAM);
    assert_string_equal(room.offers[0], "PLAIN LOGIN");
    pam_answers(IPC_OK, "");
    assert_done(room_plain("Anna@example.org", "secret"), "anna@example.org");
    assert_string_equal(room.pam_user, "mail Anna secret 198.51.100.20");
    /* Those of another domain have it in their names. */
    assert_done(room_plain("anna@example.net", "secret"), "anna@example.net");
    assert_string_equal(room.pam_user, "mail anna@example.net secret 198.51.100.20");
}

/* No limit of guesses would be that of an account: PAM, which may read the name otherwise, is not asked. */
static void what_can_be_no_account_is_nobody_elses_matter(void **state)
{
    (void)state;
    start(1, 1);
    room.pam = room_peer(PROCESS_PAM);
    pam_answers(IPC_OK, "");
    room.pam_user[0] = '\0';
    assert_int_equal(room_plain("an na", "secret"), IPC_LOGIN_REFUSED);
    assert_string_equal(room.pam_user, "");
}

static void what_pam_says_is_told_apart(void **state)
{
    (void)state;
    start(1, 1);
    room.pam = room_peer(PROCESS_PAM);
    pam_answers(IPC_PERM, "wrong password");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_REFUSED);
    assert_string_equal(room.guessed[0], "anna@example.org wrong");
    pam_answers(IPC_PERM, "the account has expired");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "the account has expired");
    pam_answers(IPC_TEMP, "there is no PAM service 'mail'");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    assert_string_equal(room.answer.detail, "there is no PAM service 'mail'");
    ipc_channel_free(room.pam);
    room.pam = NULL;
    room_run(NULL);
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
}

/* Who is locked in our own file is out, also where that is not asked for passwords. */
static void a_locked_account_is_out_whoever_vouches(void **state)
{
    (void)state;
    start(0, 1);
    dovecot.reply = "OK\t#\tuser=anna\n";
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    room_file("/users", "anna:!\n");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "the account is locked");
    /* By the name that Dovecot knows her by. */
    assert_int_equal(room_plain("nan", "secret"), IPC_LOGIN_REFUSED);
}

static void so_it_is_where_pam_knows_the_password(void **state)
{
    (void)state;
    start(1, 1);
    room_file("/users", "anna:!\n");
    room.pam = room_peer(PROCESS_PAM);
    pam_answers(IPC_OK, "");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "the account is locked");
    assert_string_equal(room.guessed[room.n_guessed - 1], "anna@example.org wrong");
    room_file("/users", "ben\n");
    assert_done(room_plain("anna", "secret"), "anna@example.org");
}

/* ---- one after the other ---- */

static void the_first_that_knows_it_answers(void **state)
{
    (void)state;
    start(0, 3);
    room.pam = room_peer(PROCESS_PAM);
    dovecot.reply = "FAIL\t#\tuser=anna\n";
    pam_answers(IPC_PERM, "wrong password");
    assert_done(room_plain("anna", "secret"), "anna@example.org");
    assert_int_equal(room_plain("anna", "wrong"), IPC_LOGIN_REFUSED);
    assert_int_equal(room_plain("nobody", "secret"), IPC_LOGIN_REFUSED);
    assert_int_equal(room.n_guessed, 3);
    /* One that cannot answer stops the search (FACE 1.6). */
    pam_answers(IPC_TEMP, "later");
    assert_int_equal(room_plain("anna", "secret"), IPC_LOGIN_TEMP);
    pam_answers(IPC_OK, "");
    assert_done(room_plain("anna", "anything"), "anna@example.org");
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(dovecot_says_who_it_is),
        IN_ROOM(dovecot_refuses),
        IN_ROOM(what_dovecot_cannot_say_is_put_off),
        IN_ROOM(dovecot_that_is_away_is_tried_again),
        IN_ROOM(what_is_not_our_dovecot_is_left),
        IN_ROOM(lines_in_pieces_are_lines),
        IN_ROOM(what_is_given_up_is_not_answered_later),
        IN_ROOM(a_guess_that_comes_to_nothing_is_given_back),
        cmocka_unit_test(lines_are_read),
        IN_ROOM(pam_is_asked_for_accounts_of_this_machine),
        IN_ROOM(what_can_be_no_account_is_nobody_elses_matter),
        IN_ROOM(what_pam_says_is_told_apart),
        IN_ROOM(a_locked_account_is_out_whoever_vouches),
        IN_ROOM(so_it_is_where_pam_knows_the_password),
        IN_ROOM(the_first_that_knows_it_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
