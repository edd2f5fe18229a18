/* tests/unit/tls/octets_test.c -- what a connection carries, and how it ends. */
#include "tests/unit/tls/pair.h"

#include <errno.h>
#include <openssl/rand.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "tls/stream.h"

struct scene {
    struct identity id;
    struct tls_server *server;
    struct tls_client *client;
    struct pair p;
};

static void scene_start(struct scene *s)
{
    identity_make(&s->id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s->server = server_with(&usual, &s->id.chain, 1);
    s->client = tls_client_new(STR_NONE, NULL, NULL);
    pair_start(&s->p, s->server, s->client, &any_demand, "mx.example");
}

static void scene_shake(struct scene *s)
{
    scene_start(s);
    pair_shake(&s->p);
    check_done(&s->p);
}

static void scene_done(struct scene *s)
{
    pair_done(&s->p);
    tls_server_free(s->server);
    tls_client_free(s->client);
    identity_done(&s->id);
}

/* ---- much, little, in pieces ---- */

/* N octets from the client to the server through sockets that are full again and again. */
static void carry(struct scene *s, const char *octets, size_t n, size_t room)
{
    char *got = malloc(n + room);
    size_t sent = 0, read = 0;
    ssize_t r;

    while (read < n) {
        r = sent < n ? tls_write(s->p.client.stream, octets + sent, n - sent) : 0;
        if (r > 0)
            sent += (size_t)r;
        else if (r < 0)
            assert_int_equal(tls_wants(s->p.client.stream), IO_WRITE);
        pair_move(&s->p);
        do {
            r = tls_read(s->p.server.stream, got + read, room);
            if (r > 0)
                read += (size_t)r;
            else
                assert_int_equal(tls_wants(s->p.server.stream), IO_READ);
        } while (r > 0);
        assert_int_equal(errno, EAGAIN);
        assert_false(tls_pending(s->p.server.stream));
    }
    assert_int_equal(read, n);
    assert_memory_equal(got, octets, n);
    free(got);
}

static void octets_arrive_as_they_were_sent(void **state)
{
    static const size_t sizes[] = { 1, 16383, 16384, 16385, 1000000 };
    static const size_t rooms[] = { 7, 4096, 65536 };
    char *octets = malloc(1000000);

    assert_int_equal(RAND_bytes((unsigned char *)octets, 1000000), 1);
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
        struct scene s;

        scene_shake(&s);
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++)
            carry(&s, octets, sizes[k], rooms[i]);
        s.p.step = 1;
        carry(&s, octets, 300, rooms[i]);
        scene_done(&s);
    }
    free(octets);
}

/* No descriptor tells of what OpenSSL has already. */
static void what_is_left_is_pending(void **state)
{
    struct scene s;
    char got[64];

    scene_shake(&s);
    assert_int_equal(tls_write(s.p.client.stream, "MAIL FROM:<>\r\nRCPT", 18), 18);
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.server.stream, got, 14), 14);
    assert_true(tls_pending(s.p.server.stream));
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 4);
    assert_false(tls_pending(s.p.server.stream));
    scene_done(&s);
}

static int waiting_at(const struct pair *p)
{
    int n = 0;

    assert_int_equal(ioctl(p->server_fds[0], FIONREAD, &n), 0);
    return n;
}

/* A client may speak in the same segment in which its handshake ends: of what OpenSSL has read no descriptor tells. */
static void what_comes_with_the_last_flight_is_pending(void **state)
{
    struct scene s;
    char got[64];

    scene_start(&s);
    pair_shake_unsigned(&s.p);
    sign_all();
    pair_move(&s.p);
    assert_int_equal(tls_handshake(s.p.client.stream, &s.p.client.err), TLS_DONE);
    s.p.client.state = TLS_DONE;
    assert_int_equal(tls_write(s.p.client.stream, "EHLO a.example\r\n", 16), 16);
    pair_move(&s.p);
    assert_int_equal(tls_handshake(s.p.server.stream, &s.p.server.err), TLS_DONE);
    /* OpenSSL 3.5 leaves it where it is. */
    assert_true(tls_pending(s.p.server.stream) != (waiting_at(&s.p) > 0));
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 16);
    assert_false(tls_pending(s.p.server.stream));
    scene_done(&s);
}

static void change_keys(struct scene *s, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(SSL_key_update(s->p.client.stream->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(s->p.client.stream->ssl), 1);
    }
}

/* To hear that keys change costs more than to say it (RFC 8446 4.6.3): a read takes little that brings it nothing. */
static void records_that_carry_nothing_keep_nobody_else_waiting(void **state)
{
    enum { ROUNDS = 150, CHANGES = 30, A_TURN = 20000 };
    struct scene s;
    char got[64];
    size_t n = 0;

    scene_shake(&s);
    for (size_t i = 0; i < ROUNDS; i++) {
        change_keys(&s, CHANGES);
        assert_int_equal(tls_write(s.p.client.stream, "x", 1), 1);
        /* Some in one, for the sockets' sake. */
        if (i % 5 == 4)
            pair_move(&s.p);
    }
    assert_true(waiting_at(&s.p) > 4 * A_TURN);
    while (n < ROUNDS) {
        int before = waiting_at(&s.p);
        ssize_t r = tls_read(s.p.server.stream, got, sizeof(got));
        assert_true(r > 0);
        assert_true(before - waiting_at(&s.p) < A_TURN);
        /* Either the descriptor tells of the rest, or this does. */
        assert_true(waiting_at(&s.p) > 0 || tls_pending(s.p.server.stream) || n + (size_t)r == ROUNDS);
        n += (size_t)r;
    }
    assert_int_equal(n, ROUNDS);
    scene_done(&s);
}

static void who_says_nothing_but_that_keys_change_is_not_listened_to(void **state)
{
    struct scene s;
    char got[64];

    scene_shake(&s);
    for (size_t i = 0; i < 3; i++) {
        change_keys(&s, 32);
        assert_int_equal(tls_write(s.p.client.stream, "NOOP\r\n", 6), 6);
        pair_move(&s.p);
        assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 6);
    }
    change_keys(&s, 33);
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EPROTO);
    assert_non_null(strstr(tls_stream_failure(s.p.server.stream), "its keys change"));
    scene_done(&s);
}

/* ---- the end ---- */

static void an_orderly_end_is_told_from_a_cut(void **state)
{
    struct scene s;
    char got[64];

    scene_shake(&s);
    assert_int_equal(tls_write(s.p.client.stream, "QUIT\r\n", 6), 6);
    tls_shutdown(s.p.client.stream);
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 6);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 0);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 0);
    /* It may still be answered. */
    assert_int_equal(tls_write(s.p.server.stream, "221 bye\r\n", 9), 9);
    scene_done(&s);

    scene_shake(&s);
    assert_int_equal(tls_write(s.p.client.stream, "QUIT\r\n", 6), 6);
    pair_move(&s.p);
    close(s.p.server_fds[1]);
    s.p.server_fds[1] = -1;
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 6);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(tls_write(s.p.server.stream, "221 bye\r\n", 9), -1);
    scene_done(&s);
}

static void a_failure_behind_octets_is_told_by_the_next_read(void **state)
{
    struct scene s;
    char got[65536];

    scene_shake(&s);
    assert_int_equal(tls_write(s.p.client.stream, "DATA\r\n", 6), 6);
    pair_move(&s.p);
    assert_int_equal(send(s.p.server_fds[1], "\x17\x03\x03\x00\x13garbage-and-more...", 24, 0), 24);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 6);
    assert_true(tls_pending(s.p.server.stream));
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EPROTO);
    assert_true(strlen(tls_stream_failure(s.p.server.stream)) > 0);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EPROTO);
    tls_shutdown(s.p.server.stream);
    scene_done(&s);
}

static void renegotiation_is_refused(void **state)
{
    struct scene s;
    char got[64];

    scene_start(&s);
    pair_limit(&s.p, TLS1_2_VERSION);
    pair_shake(&s.p);
    check_done(&s.p);
    SSL_clear_options(s.p.client.stream->ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(s.p.client.stream->ssl), 1);
    SSL_do_handshake(s.p.client.stream->ssl);
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(signer.n_asked, 0);
    pair_move(&s.p);
    /* The client hears that there is none, and takes that as an end or goes on; the server's session lives.
     */
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    scene_done(&s);
}

/* ---- what is no handshake ---- */

static void garbage_is_said_to_be_no_tls(void **state)
{
    static const struct {
        struct str octets;
        const char *why;
    } cases[] = {
        { STR_INIT("EHLO a.example\r\nMAIL FROM:<a@a.example>\r\n"), "what came is not TLS" },
        { STR_INIT("GET / HTTP/1.1\r\n\r\n"), "what came is not TLS" },
        { STR_INIT("\x16\x03\x01\xff\xff\x01\x00\xff"), "what came is not TLS" },
        { STR_INIT("\x15\x03\x01\x00\x02\x02\x28"), NULL },
        { STR_INIT("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;

        scene_start(&s);
        assert_int_equal(send(s.p.server_fds[1], cases[i].octets.p, cases[i].octets.n, 0), cases[i].octets.n);
        shutdown(s.p.server_fds[1], SHUT_WR);
        assert_int_equal(tls_handshake(s.p.server.stream, &s.p.server.err), TLS_FAILED);
        if (cases[i].why)
            assert_string_equal(s.p.server.err.text, cases[i].why);
        assert_true(strlen(s.p.server.err.text) > 0);
        scene_done(&s);
    }
}

/* Every prefix of a good hello, then the end. */
static void a_handshake_that_breaks_off_fails_in_words(void **state)
{
    struct scene s;
    char hello[4096];
    ssize_t n;

    scene_start(&s);
    assert_int_equal(tls_handshake(s.p.client.stream, &s.p.client.err), TLS_WAIT);
    n = recv(s.p.client_fds[1], hello, sizeof(hello), 0);
    assert_true(n > 100);
    for (ssize_t i = 0; i < n; i += i < 16 ? 1 : 29) {
        struct pair p;
        struct err err = { 0 };
        int r;

        pair_open(&p);
        p.server.stream = tls_accept(s.server, p.server_fds[0], &p.server.owner, &err);
        assert_int_equal(send(p.server_fds[1], hello, (size_t)i, 0), i);
        r = tls_handshake(p.server.stream, &err);
        if (r == TLS_WAIT) {
            assert_int_equal(tls_wants(p.server.stream), IO_READ);
            shutdown(p.server_fds[1], SHUT_WR);
            assert_int_equal(tls_handshake(p.server.stream, &err), TLS_FAILED);
            assert_string_equal(err.text, "the peer closed the connection");
        }
        pair_done(&p);
    }
    scene_done(&s);
}

/* Each octet of a good hello wrong once: never more than a failure. */
static void a_hello_with_a_wrong_octet_is_survived(void **state)
{
    struct scene s;
    char hello[4096];
    ssize_t n;

    scene_start(&s);
    assert_int_equal(tls_handshake(s.p.client.stream, &s.p.client.err), TLS_WAIT);
    n = recv(s.p.client_fds[1], hello, sizeof(hello), 0);
    for (ssize_t i = 0; i < n; i++) {
        struct pair p;
        struct err err = { 0 };

        pair_open(&p);
        p.server.stream = tls_accept(s.server, p.server_fds[0], &p.server.owner, &err);
        hello[i] ^= 0x5a;
        assert_int_equal(send(p.server_fds[1], hello, (size_t)n, 0), n);
        hello[i] ^= 0x5a;
        if (tls_handshake(p.server.stream, &err) == TLS_FAILED)
            assert_true(strlen(err.text) > 0);
        pair_done(&p);
    }
    scene_done(&s);
}

static void a_dead_socket_is_a_matter_of_time(void **state)
{
    struct scene s;

    scene_start(&s);
    close(s.p.client_fds[1]);
    s.p.client_fds[1] = -1;
    assert_int_equal(tls_handshake(s.p.client.stream, &s.p.client.err), TLS_FAILED);
    assert_int_equal(s.p.client.err.kind, ERR_TEMP);
    assert_string_equal(s.p.client.err.text, "the peer closed the connection");
    scene_done(&s);
}

/* ---- memory ---- */

static size_t fail_at;

static void *count_malloc(size_t n, const char *file, int line)
{
    if (fail_at && --fail_at == 0)
        return NULL;

    return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
    if (fail_at && --fail_at == 0)
        return NULL;
    return realloc(p, n);
}

static void count_free(void *p, const char *file, int line)
{
    free(p);
}

/* Each of OpenSSL's allocations in a handshake fails once; the sanitizer sees what is lost or used when
 * freed. */
static void any_allocation_may_fail(void **state)
{
    /* SSL_new() of OpenSSL 3.5 itself does not survive it. */
    const bool new_may_fail = OpenSSL_version_num() < 0x30200000L;
    struct scene s;
    size_t n = 1, last;

    scene_shake(&s);
    do {
        struct pair p = { 0 };
        struct err err = { 0 };

        pair_open(&p);
        fail_at = new_may_fail ? n : 0;
        p.server.stream = tls_accept(s.server, p.server_fds[0], &p.server.owner, &err);
        p.client.stream =
            tls_connect(s.client, p.client_fds[0], &any_demand, STR("mx.example"), &p.client.owner, &err);
        if (!new_may_fail)
            fail_at = n;
        if (p.server.stream && p.client.stream)
            pair_shake_unsigned(&p);
        else
            assert_int_not_equal(err.kind, ERR_NONE);
        last = fail_at;
        fail_at = 0;
        if (p.server.state == TLS_FAILED)
            assert_true(strlen(p.server.err.text) > 0);
        pair_shake(&p);
        pair_done(&p);
        n += n < 60 ? 1 : 7;
    } while (last == 0);
    assert_true(n > 100);
    scene_done(&s);
}

static int begin(void **state)
{
    /* Before anything of OpenSSL is allocated. */
    assert_int_equal(CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free), 1);
    return group_begin(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_arrive_as_they_were_sent),
        cmocka_unit_test(what_is_left_is_pending),
        cmocka_unit_test(what_comes_with_the_last_flight_is_pending),
        cmocka_unit_test(records_that_carry_nothing_keep_nobody_else_waiting),
        cmocka_unit_test(who_says_nothing_but_that_keys_change_is_not_listened_to),
        cmocka_unit_test(an_orderly_end_is_told_from_a_cut),
        cmocka_unit_test(a_failure_behind_octets_is_told_by_the_next_read),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(garbage_is_said_to_be_no_tls),
        cmocka_unit_test(a_handshake_that_breaks_off_fails_in_words),
        cmocka_unit_test(a_hello_with_a_wrong_octet_is_survived),
        cmocka_unit_test(a_dead_socket_is_a_matter_of_time),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
