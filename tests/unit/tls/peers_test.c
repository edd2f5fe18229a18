/*
 * tests/unit/tls/peers_test.c -- servers that break off, cut finely, never end, or say no: each is an end in words, soon
 * and within bounds (RFC 5246, 8446).
 */
#include "tests/unit/tls/pair.h"

#include <errno.h>
#include <openssl/err.h>
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

static void scene_begin(struct scene *s, bool tickets)
{
    struct tls_server_options o = usual;
    const char keys[80] = "a key";

    o.tickets = tickets;
    identity_make(&s->id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s->server = server_with(&o, &s->id.chain, 1);
    assert_true(tls_server_ticket_keys(s->server, str_of(keys, sizeof(keys)), NULL));
    s->client = tls_client_new(STR_NONE, NULL, NULL);
}

static void scene_start(struct scene *s, int version)
{
    scene_begin(s, false);
    pair_start(&s->p, s->server, s->client, &any_demand, "mx.example");
    pair_limit(&s->p, version);
}

static void scene_shake(struct scene *s, int version)
{
    scene_start(s, version);
    pair_shake(&s->p);
    check_done(&s->p);
}

static void scene_end(struct scene *s)
{
    tls_server_free(s->server);
    tls_client_free(s->client);
    identity_done(&s->id);
}

static void scene_done(struct scene *s)
{
    pair_done(&s->p);
    scene_end(s);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static SSL *peer_of(const struct scene *s)
{
    return s->p.server.stream->ssl;
}

/* ---- a server of octets ---- */

/* What a client says of a server that answers its hello with OCTETS, again and again if it is ENDLESS, else closes. */
static struct err answered(struct str octets, bool endless, size_t *sent)
{
    struct scene s;
    struct err err;

    scene_start(&s, TLS1_2_VERSION);
    *sent = 0;
    do {
        ssize_t n = send(s.p.client_fds[1], octets.p, octets.n, MSG_NOSIGNAL);
        *sent += n > 0 ? (size_t)n : 0;
        s.p.client.state = tls_handshake(s.p.client.stream, &s.p.client.err);
    } while (endless && s.p.client.state == TLS_WAIT && *sent < 64 << 20);
    shutdown(s.p.client_fds[1], SHUT_WR);
    if (s.p.client.state == TLS_WAIT)
        s.p.client.state = tls_handshake(s.p.client.stream, &s.p.client.err);
    assert_int_equal(s.p.client.state, TLS_FAILED);
    err = s.p.client.err;
    scene_done(&s);
    return err;
}

static void what_is_no_handshake_is_said_in_words(void **state)
{
    static const struct {
        struct str octets;
        const char *why;
    } cases[] = {
        { STR_INIT(""), "the peer closed the connection" },
        { STR_INIT("\x16\x03\x03\x00"), "the peer closed the connection" },
        { STR_INIT("220 mx.example ESMTP\r\n"), "what came is not TLS" },
        { STR_INIT("HTTP/1.1 400 Bad Request\r\n\r\n"), "what came is not TLS" },
        { STR_INIT("\x80\x2e\x04\x00\x01\x00\x02"), "what came is not TLS" }, /* a hello of SSLv2 */
        { STR_INIT("\x15\x03\x03\x00\x02\x02\x28"), "the peer says: handshake failure" },
        { STR_INIT("\x15\x03\x03\x00\x02\x02\x70"), "the peer says: unrecognized name" },
        { STR_INIT("\x15\x03\x01\x00\x02\x02\x46"), "no TLS version in common: the peer takes neither 1.2 nor 1.3" },
        { STR_INIT("\x15\x03\x03\x00\x02\x01\x00"), "the peer closed the connection" }, /* close_notify at once */
        { STR_INIT("\x15\x03\x03\x00\x02\x01\x70"), "the peer closed the connection" }, /* a warning, and the end */
        /* TLS 1.0, as a server says it that knows nothing newer. */
        { STR_INIT("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"
                   "0123456789abcdef0123456789abcdef\x00\xc0\x13\x00"),
          "no TLS version in common" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t sent;
        struct err err = answered(cases[i].octets, false, &sent);
        assert_string_equal(err.text, cases[i].why);
    }
}

static void a_handshake_without_end_has_one(void **state)
{
    /* HelloRequests, records with nothing inside, warnings, a record of a certificate and no next one. */
    static const struct str cases[] = {
        STR_INIT("\x16\x03\x03\x00\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        STR_INIT("\x16\x03\x03\x00\x00"),
        STR_INIT("\x15\x03\x03\x00\x02\x01\x70"),
        STR_INIT("\x14\x03\x03\x00\x01\x01"),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t sent;
        struct err err = answered(cases[i], true, &sent);
        assert_true(strlen(err.text) > 0);
        assert_true(sent <= 3 << 19);
        if (i == 0)
            assert_string_equal(err.text, "the peer's handshake has no end");
    }
}

/* ---- a server of OpenSSL, tampered with ---- */

/* The server's octets up to AT go through, then it is gone. True: the client's handshake was done before. */
static bool cut_at(int version, size_t at)
{
    struct scene s;
    bool done;

    scene_start(&s, version);
    s.p.step = 1;
    for (bool moved = true; moved && s.p.moved_to_client < at;) {
        if (s.p.client.state == TLS_WAIT)
            s.p.client.state = tls_handshake(s.p.client.stream, &s.p.client.err);
        if (s.p.server.state == TLS_WAIT)
            s.p.server.state = tls_handshake(s.p.server.stream, &s.p.server.err);
        sign_all();
        moved = pair_move(&s.p);
    }
    assert_int_equal(s.p.moved_to_client, at);
    shutdown(s.p.client_fds[1], SHUT_RDWR);
    if (s.p.client.state == TLS_WAIT)
        s.p.client.state = tls_handshake(s.p.client.stream, &s.p.client.err);
    done = s.p.client.state == TLS_DONE;
    if (!done) {
        assert_int_equal(s.p.client.state, TLS_FAILED);
        assert_string_equal(s.p.client.err.text, "the peer closed the connection");
    } else {
        char octet;
        assert_int_equal(tls_read(s.p.client.stream, &octet, 1), -1);
        assert_int_equal(errno, ECONNRESET);
    }
    scene_done(&s);
    return done;
}

/* In ServerHello, in the certificate, before and within Finished: wherever the server breaks off. */
static void a_server_that_breaks_off_is_never_taken_for_one_that_is_done(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct scene s;
        size_t whole;

        scene_start(&s, versions[i]);
        pair_shake(&s.p);
        check_done(&s.p);
        whole = s.p.moved_to_client;
        scene_done(&s);
        for (size_t at = 0; at + 8 < whole; at += at < 16 ? 1 : 89)
            assert_false(cut_at(versions[i], at));
        assert_false(cut_at(versions[i], whole - 12));
    }
}

/* Moves what the server says in records of one octet, as long as they are not encrypted; returns how many there were. */
static size_t reframe(struct pair *p)
{
    char octets[1 << 14];
    ssize_t n = recv(p->server_fds[1], octets, sizeof(octets), 0);
    struct buf out = BUF_INIT(1 << 17);
    size_t records = 0;

    for (ssize_t at = 0; at + 5 <= n;) {
        ssize_t size = (ssize_t)((unsigned char)octets[at + 3] << 8 | (unsigned char)octets[at + 4]);
        bool plain = octets[at] == 0x16;
        for (ssize_t k = 0; plain && k < size; k++, records++) {
            const char one[] = { octets[at], octets[at + 1], octets[at + 2], 0, 1, octets[at + 5 + k] };
            assert_true(buf_add(&out, str_of(one, sizeof(one))));
        }
        if (!plain)
            assert_true(buf_add(&out, str_of(octets + at, (size_t)size + 5)));
        at += 5 + size;
    }
    assert_int_equal(send(p->client_fds[1], out.p, out.n, 0), out.n);
    buf_done(&out);
    return records;
}

static void records_of_one_octet_are_records(void **state)
{
    struct scene s;
    size_t records;
    char got[64];

    scene_start(&s, TLS1_2_VERSION);
    assert_int_equal(tls_handshake(s.p.client.stream, &s.p.client.err), TLS_WAIT);
    pair_move(&s.p);
    assert_int_equal(tls_handshake(s.p.server.stream, &s.p.server.err), TLS_WAIT);
    sign_all();
    records = reframe(&s.p);
    assert_true(records > 300);
    pair_shake(&s.p);
    check_done(&s.p);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(tls_write(s.p.server.stream, &"250 2.1.0 fine\r\n"[i], 1), 1);
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), 16);
    assert_memory_equal(got, "250 2.1.0 fine\r\n", 16);
    scene_done(&s);
}

static void a_certificate_of_megabytes_is_not_read_to_its_end(void **state)
{
    struct tls_client *client = tls_client_new(STR_NONE, NULL, NULL);
    char *name = malloc(10 << 20);
    struct identity id;
    struct tls_server *server;
    struct pair p;
    X509 *x;

    memset(name, 'a', 10 << 20);
    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    x = pki_certificate(&(struct pki_ask){ .key = id.key, .raw_name = str_of(name, 10 << 20) });
    server = server_with(&usual, &id.chain, 1);
    pair_start(&p, server, client, &any_demand, "mx.example");
    pair_limit(&p, TLS1_2_VERSION);
    SSL_certs_clear(p.server.stream->ssl);
    assert_int_equal(SSL_use_cert_and_key(p.server.stream->ssl, x, id.chain->key, NULL, 1), 1);
    pair_shake(&p);
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_true(str_contains(str_from_c(p.client.err.text), STR("too long")));
    assert_true(p.moved_to_client < 2 << 20);
    pair_done(&p);
    X509_free(x);
    free(name);
    tls_server_free(server);
    tls_client_free(client);
    identity_done(&id);
}

/* ---- after the handshake ---- */

/* One change of keys that wants ours changed, too; false: the wire is full. */
static bool change_keys(struct scene *s)
{
    ERR_clear_error();
    assert_int_equal(SSL_key_update(peer_of(s), SSL_KEY_UPDATE_REQUESTED), 1);
    return SSL_do_handshake(peer_of(s)) == 1;
}

static void keys_that_change_between_replies_are_nothing(void **state)
{
    struct scene s;
    char got[64];

    scene_shake(&s, TLS1_3_VERSION);
    for (int i = 0; i < 500; i++) {
        assert_true(change_keys(&s));
        assert_int_equal(tls_write(s.p.server.stream, "250 ok\r\n", 8), 8);
        pair_move(&s.p);
        assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), 8);
        assert_int_equal(tls_write(s.p.client.stream, "NOOP\r\n", 6), 6);
        pair_move(&s.p);
        assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 6);
    }
    scene_done(&s);
}

static void a_server_that_says_nothing_without_end_is_left(void **state)
{
    struct scene s;
    ssize_t n = -1;
    char got[64];
    int sys = EAGAIN;

    scene_shake(&s, TLS1_3_VERSION);
    s.p.moved_to_client = 0;
    for (int i = 0; i < 100000 && sys == EAGAIN; i++) {
        assert_true(change_keys(&s));
        pair_move(&s.p);
        if (i % 5)
            continue;
        n = tls_read(s.p.client.stream, got, sizeof(got));
        sys = errno;
    }
    assert_int_equal(n, -1);
    assert_int_equal(sys, EPROTO);
    assert_string_equal(tls_stream_failure(s.p.client.stream), "it says again and again that its keys change, and nothing else");
    assert_true(s.p.moved_to_client < 1 << 20);
    /* It stays over. */
    assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EPROTO);
    scene_done(&s);
}

static int with_much_inside(SSL *ssl, void *unused)
{
    static const char much[4000];

    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much, sizeof(much));
}

/* OpenSSL writes nothing while a message of the peer's TLS has begun and not ended: that waits for reading. */
static void in_the_middle_of_a_ticket_writing_waits_for_the_rest_of_it(void **state)
{
    struct scene s;
    char got[64], ticket[1 << 16];
    ssize_t n;

    scene_begin(&s, true);
    pair_start(&s.p, s.server, s.client, &any_demand, "mx.example");
    pair_shake(&s.p);
    check_done(&s.p);
    assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
    SSL_CTX_set_session_ticket_cb(SSL_get_SSL_CTX(peer_of(&s)), with_much_inside, NULL, NULL);
    SSL_set_max_send_fragment(peer_of(&s), 512);
    assert_int_equal(SSL_new_session_ticket(peer_of(&s)), 1);
    SSL_do_handshake(peer_of(&s));
    n = recv(s.p.server_fds[1], ticket, sizeof(ticket), 0);
    assert_true(n > 2000);
    assert_int_equal(send(s.p.client_fds[1], ticket, 1000, 0), 1000);
    assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tls_wants(s.p.client.stream), IO_READ);
    assert_int_equal(tls_write(s.p.client.stream, "QUIT\r\n", 6), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tls_wants(s.p.client.stream), IO_READ);
    assert_int_equal(send(s.p.client_fds[1], ticket + 1000, (size_t)n - 1000, 0), n - 1000);
    assert_int_equal(tls_write(s.p.client.stream, "QUIT\r\n", 6), 6);
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.server.stream, got, sizeof(got)), 6);
    scene_done(&s);
}

/* No session is kept: each host shows its certificate anew, whatever another level took before (C105). */
static void no_session_is_resumed_by_us(void **state)
{
    struct scene s;
    char octet;

    scene_begin(&s, true);
    for (size_t i = 0; i < 2 * ARRAY_LEN(versions); i++) {
        struct tls_facts f;
        pair_start(&s.p, s.server, s.client, &any_demand, "mx.example");
        pair_limit(&s.p, versions[i / 2]);
        pair_shake(&s.p);
        check_done(&s.p);
        check_echo(&s.p);
        tls_stream_facts(s.p.client.stream, &f);
        assert_false(f.resumed);
        assert_int_equal(tls_read(s.p.client.stream, &octet, 1), -1);
        pair_done(&s.p);
    }
    scene_end(&s);
}

static void a_request_to_renegotiate_is_declined_and_the_session_goes_on(void **state)
{
    struct scene s;
    char got[64];

    scene_shake(&s, TLS1_2_VERSION);
    SSL_clear_options(peer_of(&s), SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(peer_of(&s)), 1);
    SSL_do_handshake(peer_of(&s));
    pair_move(&s.p);
    assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tls_write(s.p.client.stream, "NOOP\r\n", 6), 6);
    assert_int_equal(SSL_session_reused(s.p.client.stream->ssl), 0);
    scene_done(&s);
}

static void half_closed_is_heard_of_and_still_written_to(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct scene s;
        char got[64];

        scene_shake(&s, versions[i]);
        tls_shutdown(s.p.server.stream);
        pair_move(&s.p);
        assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), 0);
        assert_int_equal(tls_write(s.p.client.stream, "QUIT\r\n", 6), 6);
        scene_done(&s);

        /* Without close_notify it is no orderly end: anybody in between can say that. */
        scene_shake(&s, versions[i]);
        shutdown(s.p.client_fds[1], SHUT_WR);
        assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
        assert_int_equal(errno, ECONNRESET);
        scene_done(&s);
    }
}

/* The first half of a record holds nothing that could be believed. */
static void a_record_that_is_cut_is_no_reply(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        for (size_t left = 1; left < 20; left++) {
            struct scene s;
            char got[64], record[256];
            ssize_t n;

            scene_shake(&s, versions[i]);
            assert_int_equal(tls_write(s.p.server.stream, "250 2.0.0 taken\r\n", 17), 17);
            n = recv(s.p.server_fds[1], record, sizeof(record), 0);
            assert_true(n > 20);
            assert_int_equal(send(s.p.client_fds[1], record, (size_t)n - left, 0), n - (ssize_t)left);
            assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
            assert_int_equal(errno, EAGAIN);
            shutdown(s.p.client_fds[1], SHUT_WR);
            assert_int_equal(tls_read(s.p.client.stream, got, sizeof(got)), -1);
            assert_int_equal(errno, ECONNRESET);
            scene_done(&s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_handshake_is_said_in_words),
        cmocka_unit_test(a_handshake_without_end_has_one),
        cmocka_unit_test(a_server_that_breaks_off_is_never_taken_for_one_that_is_done),
        cmocka_unit_test(records_of_one_octet_are_records),
        cmocka_unit_test(a_certificate_of_megabytes_is_not_read_to_its_end),
        cmocka_unit_test(keys_that_change_between_replies_are_nothing),
        cmocka_unit_test(a_server_that_says_nothing_without_end_is_left),
        cmocka_unit_test(in_the_middle_of_a_ticket_writing_waits_for_the_rest_of_it),
        cmocka_unit_test(no_session_is_resumed_by_us),
        cmocka_unit_test(a_request_to_renegotiate_is_declined_and_the_session_goes_on),
        cmocka_unit_test(half_closed_is_heard_of_and_still_written_to),
        cmocka_unit_test(a_record_that_is_cut_is_no_reply),
    };

    return cmocka_run_group_tests(tests, group_begin, NULL);
}
