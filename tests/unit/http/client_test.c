/* HTTPS requests of ours, against a server of this test that says what it is told to say. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bug.h"
#include "core/check.h"
#include "http/client.h"
#include "io/fd.h"

enum { BODY_MAX = 64, PATIENCE_MSEC = 20000 };

/* A server that takes one connection, reads up to the end of a request, and answers. */
static struct {
    struct io_loop *loop;
    struct http_client *client;
    struct http_request request;
    struct io_watch listening, talking;
    int fds[2]; /* listening, talking */
    uint16_t port;
    const char *says; /* NULL: nothing, ever */
    char heard[4096];
    size_t n_heard;
    unsigned answers;
} play;

static void on_request(struct io_watch *w, unsigned what)
{
    ssize_t n = read(w->fd, play.heard + play.n_heard, sizeof(play.heard) - 1 - play.n_heard);

    (void)what;
    if (n <= 0) {
        io_watch_arm(w, 0);
        return;
    }
    play.n_heard += (size_t)n;
    if (!play.says || !strstr(play.heard, "\r\n\r\n"))
        return;
    assert_int_equal(write(w->fd, play.says, strlen(play.says)), strlen(play.says));
    shutdown(w->fd, SHUT_WR);
}

static void on_client(struct io_watch *w, unsigned what)
{
    struct err err = { 0 };

    (void)what;
    play.fds[1] = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(play.fds[1] >= 0);
    io_watch_arm(w, 0);
    assert_true(io_watch_init(&play.talking, play.loop, play.fds[1], on_request, &err));
    io_watch_arm(&play.talking, IO_READ);
}

static int set_up(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);
    struct err err = { 0 };

    (void)state;
    memset(&play, 0, sizeof(play));
    play.fds[1] = -1;
    play.loop = io_loop_new(&err);
    play.client = http_client_new(play.loop, STR_NONE, &err);
    play.fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_non_null(play.client);
    assert_int_equal(bind(play.fds[0], (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(play.fds[0], 4), 0);
    assert_int_equal(getsockname(play.fds[0], (struct sockaddr *)&at, &n), 0);
    play.port = ntohs(at.sin_port);
    assert_true(io_watch_init(&play.listening, play.loop, play.fds[0], on_client, &err));
    io_watch_arm(&play.listening, IO_READ);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_request_done(&play.request);
    http_client_free(play.client);
    io_watch_done(&play.listening);
    if (play.talking.loop)
        io_watch_done(&play.talking);
    fd_close(&play.fds[0]);
    fd_close(&play.fds[1]);
    io_loop_free(play.loop);
    return 0;
}

static void on_answered(struct http_request *q)
{
    play.answers++;
    assert_ptr_equal(q, &play.request);
    io_loop_stop(play.loop);
}

/* Ask with what ASK says beside the URL, which has PATH. */
static void start(struct http_ask ask, const char *path)
{
    static const struct ip loopback = { .family = IP_V4, .octets = { 127, 0, 0, 1 } };
    char url[256];
    struct err err = { 0 };

    snprintf(url, sizeof(url), "http://localhost:%u%s", play.port, path);
    ask.url = str_from_c(url);
    ask.addresses = &loopback;
    ask.n_addresses = 1;
    ask.body_max = BODY_MAX;
    if (!ask.timeout_msec)
        ask.timeout_msec = PATIENCE_MSEC;
    assert_true(http_request_start(&play.request, play.client, &ask, on_answered, &err));
    assert_int_equal(play.answers, 0);
}

static void wait_for_it(void)
{
    struct err err = { 0 };

    assert_true(io_loop_run(play.loop, &err));
    assert_int_equal(play.answers, 1);
}

static void an_answer_comes_whole_and_says_how_long_it_holds(void **state)
{
    (void)state;
    play.says = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=600\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}";
    start((struct http_ask){ 0 }, "/jwks?x=1");
    wait_for_it();
    assert_int_equal(play.request.code, 200);
    assert_str_is(buf_str(&play.request.body), STR("{\"keys\":[]}"));
    assert_int_equal(play.request.keep_msec, 600000);
    assert_non_null(strstr(play.heard, "GET /jwks?x=1 HTTP/1.1\r\n"));
    assert_null(strstr(play.heard, "Authorization"));
}

static void a_form_is_posted_with_its_authorization(void **state)
{
    (void)state;
    play.says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    start((struct http_ask){ .posts = true, .form = STR("token=a%20b"), .authorization = STR("Basic eA==") }, "/i");
    wait_for_it();
    assert_int_equal(play.request.code, 200);
    assert_int_equal(play.request.keep_msec, -1);
    assert_non_null(strstr(play.heard, "POST /i HTTP/1.1\r\n"));
    assert_non_null(strstr(play.heard, "Authorization: Basic eA==\r\n"));
    assert_non_null(strstr(play.heard, "Content-Type: application/x-www-form-urlencoded\r\n"));
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    play.says = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    start((struct http_ask){ 0 }, "/");
    wait_for_it();
    assert_int_equal(play.request.code, 302);
    assert_int_equal(play.request.body.n, 0);
}

static void a_refusal_is_an_answer(void **state)
{
    (void)state;
    play.says = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno";
    start((struct http_ask){ 0 }, "/");
    wait_for_it();
    assert_int_equal(play.request.code, 403);
    assert_str_is(buf_str(&play.request.body), STR("no"));
}

static void an_answer_that_is_too_long_is_none(void **state)
{
    (void)state;
    play.says = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "41\r\n01234567890123456789012345678901234567890123456789012345678901234\r\n0\r\n\r\n";
    start((struct http_ask){ 0 }, "/");
    wait_for_it();
    assert_int_equal(play.request.code, 0);
    assert_string_equal(play.request.failure, "the answer is longer than 64 octets");
}

static void a_server_that_breaks_off_gave_no_answer(void **state)
{
    (void)state;
    play.says = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf";
    start((struct http_ask){ 0 }, "/");
    wait_for_it();
    assert_int_equal(play.request.code, 0);
    assert_true(play.request.failure[0]);
}

static void a_server_that_says_nothing_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    play.says = NULL;
    start((struct http_ask){ .timeout_msec = 50 }, "/");
    wait_for_it();
    assert_int_equal(play.request.code, 0);
    assert_true(play.request.failure[0]);
}

static void what_is_done_in_between_is_not_heard_of(void **state)
{
    struct err err = { 0 };

    (void)state;
    play.says = NULL;
    start((struct http_ask){ 0 }, "/");
    http_request_done(&play.request);
    start((struct http_ask){ .timeout_msec = 50 }, "/");
    assert_true(io_loop_run(play.loop, &err));
    assert_int_equal(play.answers, 1);
}

static void a_field_with_a_line_end_is_not_sent(void **state)
{
    static const struct ip loopback = { .family = IP_V4, .octets = { 127, 0, 0, 1 } };
    const struct http_ask ask = { .url = STR("http://localhost:1/"), .addresses = &loopback, .n_addresses = 1,
                                  .authorization = STR("Basic x\r\nHost: y"), .body_max = 1, .timeout_msec = 1 };
    struct err err = { 0 };

    (void)state;
    assert_false(http_request_start(&play.request, play.client, &ask, on_answered, &err));
}

static void urls_lead_where_they_say_and_only_safely(void **state)
{
    static const struct {
        const char *url;
        const char *host; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        { "https://Login.Example.ORG/jwks", "login.example.org", 443 },
        { "https://login.example.org:8443", "login.example.org", 8443 },
        { "https://[2001:db8::1]/x", "2001:db8::1", 443 },
        { "http://127.0.0.1:8080/x", "127.0.0.1", 8080 },
        { "http://[::1]:8080/x", "::1", 8080 },
        { "http://localhost/x", "localhost", 80 },
        { "http://login.example.org/jwks", NULL, 0 },
        { "http://127.0.0.1.example.org/", NULL, 0 },
        { "https://user:word@example.org/", NULL, 0 },
        { "https://example.org/#part", NULL, 0 },
        { "ftp://example.org/", NULL, 0 },
        { "file:///etc/passwd", NULL, 0 },
        { "https://", NULL, 0 },
        { "", NULL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_place place = { 0 };
        struct err err = { 0 };
        bool ok = http_url_read(str_from_c(cases[i].url), &place, &err);
        if (ok != (cases[i].host != NULL))
            fail_msg("%s", cases[i].url);
        if (!ok)
            continue;
        assert_string_equal(place.host, cases[i].host);
        assert_int_equal(place.port, cases[i].port);
        assert_int_equal(place.tls, strncmp(cases[i].url, "https", 5) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_comes_whole_and_says_how_long_it_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_form_is_posted_with_its_authorization, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_redirect_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_is_too_long_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_breaks_off_gave_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_says_nothing_is_not_waited_for_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_done_in_between_is_not_heard_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_field_with_a_line_end_is_not_sent, set_up, tear_down),
        cmocka_unit_test(urls_lead_where_they_say_and_only_safely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
