/* tests/unit/tls/handshake_test.c -- handshakes whose signatures come from elsewhere, and later. */
#include "tests/unit/tls/pair.h"

#include <openssl/err.h>

#include "tls/stream.h"

static const struct tls_server_options usual = { .min_version = 0x0303, .name = STR_INIT("mx") };
static const char *const kinds[] = { "EC:P-256", "EC:P-384", "RSA:2048", "ED25519" };

static void check_echo(struct pair *p)
{
    char got[64];

    assert_int_equal(tls_write(p->client.stream, "EHLO a.example\r\n", 16), 16);
    pair_move(p);
    assert_int_equal(tls_read(p->server.stream, got, sizeof(got)), 16);
    assert_memory_equal(got, "EHLO a.example\r\n", 16);
    assert_int_equal(tls_read(p->server.stream, got, sizeof(got)), -1);
    assert_int_equal(tls_write(p->server.stream, "250 ok\r\n", 8), 8);
    pair_move(p);
    assert_int_equal(tls_read(p->client.stream, got, sizeof(got)), 8);
}

static void check_done(struct pair *p)
{
    if (p->server.state != TLS_DONE || p->client.state != TLS_DONE)
        fail_msg("server %d: %s; client %d: %s", p->server.state, p->server.err.text, p->client.state,
                 p->client.err.text);
}

static void pair_limit(struct pair *p, int version)
{
    SSL_set_max_proto_version(p->client.stream->ssl, version);
}

/* The server's handshake waits for nothing but its signature, of that form. */
static void check_waits(struct pair *p, const struct identity *id, enum ipc_sign_form form)
{
    struct err err = { 0 };

    pair_shake_unsigned(p);
    assert_int_equal(p->server.state, TLS_WAIT);
    assert_int_equal(tls_wants(p->server.stream), 0);
    assert_int_equal(signer.n_asked, 1);
    assert_int_equal(signer.asked[0].what.form, form);
    assert_memory_equal(signer.asked[0].what.key, id->key_hash, 32);
    /* Asked too early it still waits, and nothing is asked twice. */
    assert_int_equal(tls_handshake(p->server.stream, &err), TLS_WAIT);
    assert_int_equal(signer.n_asked, 1);
}

static void check_facts(struct pair *p, const struct identity *id, const char *version)
{
    struct tls_facts f;

    tls_stream_facts(p->client.stream, &f);
    assert_string_equal(f.version, version);
    assert_true(str_starts(str_from_c(f.cipher), STR("TLS_")));
    assert_memory_equal(f.certificate, id->hash, 32);
    assert_memory_equal(f.public_key, id->key_hash, 32);
    assert_str_is(f.subject, STR("mx.example"));
    assert_false(f.verified);
    assert_true(f.until_msec > 0);
    tls_stream_facts(p->server.stream, &f);
    assert_str_is(f.sni, STR("mx.example"));
    assert_false(f.has_certificate);
    assert_false(f.resumed);
}

/* C101: 1.3 where both have it, else 1.2. */
static void every_kind_of_key_signs(int version, enum ipc_sign_form form, const char *name)
{
    struct tls_client *client = tls_client_new(STR_NONE, NULL, NULL);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct identity id;
        struct tls_server *s;
        struct pair p;

        identity_make(&id, kinds[i], (struct pki_ask){ .names = "mx.example" });
        s = server_with(&usual, &id.chain, 1);
        assert_true(tls_server_can(s));
        pair_start(&p, s, client, &any_demand, "mx.example");
        pair_limit(&p, version);
        check_waits(&p, &id, form);
        pair_shake(&p);
        check_done(&p);
        assert_int_equal(p.server.resumed, 1);
        check_facts(&p, &id, name);
        check_echo(&p);
        pair_done(&p);
        tls_server_free(s);
        identity_done(&id);
    }
    tls_client_free(client);
}

static void every_kind_of_key_signs_in_1_3(void **state)
{
    every_kind_of_key_signs(TLS1_3_VERSION, IPC_SIGN_SERVER_13, "TLSv1.3");
}

static void every_kind_of_key_signs_in_1_2(void **state)
{
    every_kind_of_key_signs(TLS1_2_VERSION, IPC_SIGN_SERVER_12, "TLSv1.2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_signs_in_1_3),
        cmocka_unit_test(every_kind_of_key_signs_in_1_2),
    };

    return cmocka_run_group_tests(tests, group_begin, NULL);
}
