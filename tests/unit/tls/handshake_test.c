/* tests/unit/tls/handshake_test.c -- handshakes whose signatures come from elsewhere, and later. */
#include "tests/unit/tls/pair.h"

#include <sys/socket.h>

#include "tls/stream.h"

static const char *const kinds[] = { "EC:P-256", "EC:P-384", "RSA:2048", "ED25519" };

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

/* One server with one key, a client that takes whatever comes; torn down by scene_done(). */
struct scene {
    struct identity id;
    struct tls_server *server;
    struct tls_client *client;
    struct pair p;
};

static void scene_start(struct scene *s, const char *kind)
{
    identity_make(&s->id, kind, (struct pki_ask){ .names = "mx.example" });
    s->server = server_with(&usual, &s->id.chain, 1);
    s->client = tls_client_new(STR_NONE, NULL, NULL);
    pair_start(&s->p, s->server, s->client, &any_demand, "mx.example");
}

static void scene_done(struct scene *s)
{
    pair_done(&s->p);
    tls_server_free(s->server);
    tls_client_free(s->client);
    identity_done(&s->id);
}

static void others_go_on_while_one_waits(void **state)
{
    struct scene s;
    struct pair other;

    scene_start(&s, "EC:P-256");
    pair_shake_unsigned(&s.p);
    struct asked kept = signer.asked[0];
    pair_start(&other, s.server, s.client, &any_demand, "mx.example");
    pair_shake(&other);
    check_done(&other);
    assert_int_equal(s.p.server.state, TLS_WAIT);
    signer.asked[0] = kept;
    signer.n_asked = 1;
    pair_shake(&s.p);
    check_done(&s.p);
    check_echo(&s.p);
    check_echo(&other);
    pair_done(&other);
    scene_done(&s);
}

static void what_cannot_be_signed_fails(void **state)
{
    for (int way = 0; way < 3; way++) {
        struct scene s;

        scene_start(&s, way == 1 ? "RSA:2048" : "EC:P-256");
        signer.refuses = way == 2;
        pair_shake_unsigned(&s.p);
        if (way == 0)
            tls_signed(signer.asked[0].ticket, STR_NONE);
        if (way == 1) /* more than any signature by that key has */
            tls_signed(signer.asked[0].ticket, str_of((char[4096]){ 0 }, 4096));
        assert_int_equal(s.p.server.state, TLS_FAILED);
        if (way != 1)
            assert_string_equal(s.p.server.err.text, "our side could not sign");
        pair_shake_unsigned(&s.p);
        assert_int_equal(s.p.client.state, TLS_FAILED);
        /* A ticket that is answered means nothing any more. */
        tls_signed(signer.asked[0].ticket, STR("late"));
        assert_int_equal(s.p.server.resumed, way == 2 ? 0 : 1);
        scene_done(&s);
    }
}

static void a_wrong_signature_is_no_session(void **state)
{
    struct scene s;

    scene_start(&s, "EC:P-256");
    pair_shake_unsigned(&s.p);
    tls_signed(signer.asked[0].ticket, STR("this is no signature"));
    signer.n_asked = 0;
    pair_shake(&s.p);
    assert_int_equal(s.p.client.state, TLS_FAILED);
    assert_int_equal(s.p.server.state, TLS_FAILED);
    scene_done(&s);
}

/* The sanitizer sees a job's stack that is not given back. */
static void a_stream_may_end_while_its_signature_is_under_way(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct scene s;
        char got[1];

        scene_start(&s, "RSA:2048");
        pair_limit(&s.p, versions[i]);
        pair_shake_unsigned(&s.p);
        assert_int_equal(signer.n_asked, 1);
        tls_stream_free(s.p.server.stream);
        s.p.server.stream = NULL;
        /* Nobody was told: not the socket, not the owner. */
        assert_int_equal(recv(s.p.server_fds[1], got, 1, 0), -1);
        tls_signed(signer.asked[0].ticket, STR("nobody waits for it"));
        assert_int_equal(s.p.server.resumed, 0);
        scene_done(&s);
    }
}

static void nothing_is_signed_outside_a_handshake(void **state)
{
    struct scene s;
    unsigned char out[512];
    size_t n = sizeof(out);
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    scene_start(&s, "EC:P-256");
    assert_int_equal(EVP_DigestSignInit_ex(c, NULL, "SHA256", tls_library(), NULL, s.id.chain->key, NULL), 1);
    assert_int_not_equal(EVP_DigestSign(c, out, &n, (const unsigned char *)"octets", 6), 1);
    EVP_MD_CTX_free(c);
    /* C103: and nothing with SHA-1, at any time. */
    c = EVP_MD_CTX_new();
    assert_int_not_equal(EVP_DigestSignInit_ex(c, NULL, "SHA1", tls_library(), NULL, s.id.chain->key, NULL),
                         1);
    EVP_MD_CTX_free(c);
    scene_done(&s);
}

static void a_handshake_octet_by_octet_is_the_same(void **state)
{
    static const size_t steps[] = { 1, 3, 1 << 20 };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < ARRAY_LEN(steps) * ARRAY_LEN(versions); i++) {
        struct scene s;
        struct tls_facts f;

        scene_start(&s, "EC:P-256");
        s.p.step = steps[i % 3];
        pair_limit(&s.p, versions[i / 3]);
        pair_shake(&s.p);
        check_done(&s.p);
        assert_int_equal(s.p.server.resumed, 1);
        tls_stream_facts(s.p.server.stream, &f);
        assert_string_equal(f.version, i / 3 ? "TLSv1.3" : "TLSv1.2");
        s.p.step = 1 << 20;
        check_echo(&s.p);
        scene_done(&s);
    }
}

/* C101: what is below 1.2 is no handshake, and its failure is said in words. */
static void old_versions_are_refused(void **state)
{
    struct scene s;

    scene_start(&s, "EC:P-256");
    SSL_set_security_level(s.p.client.stream->ssl, 0);
    SSL_set_min_proto_version(s.p.client.stream->ssl, TLS1_VERSION);
    pair_limit(&s.p, TLS1_1_VERSION);
    SSL_set_cipher_list(s.p.client.stream->ssl, "ALL:@SECLEVEL=0");
    pair_shake(&s.p);
    assert_int_equal(s.p.server.state, TLS_FAILED);
    assert_string_equal(s.p.server.err.text, "no TLS version in common");
    assert_int_equal(s.p.client.state, TLS_FAILED);
    scene_done(&s);
}

/* C102: neither static RSA nor DHE, nor what hides less. */
static void old_suites_are_refused(void **state)
{
    static const char *const lists[] = { "kRSA", "DHE", "ECDHE+AES+SHA1", "AES128-GCM-SHA256",
                                         "DHE-RSA-AES128-GCM-SHA256" };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct scene s;

        scene_start(&s, "RSA:2048");
        pair_limit(&s.p, TLS1_2_VERSION);
        assert_int_equal(SSL_set_cipher_list(s.p.client.stream->ssl, lists[i]), 1);
        pair_shake(&s.p);
        assert_int_equal(s.p.server.state, TLS_FAILED);
        assert_string_equal(s.p.server.err.text, "no shared cipher");
        scene_done(&s);
    }
}

/* C103 */
static void sha1_signatures_are_refused(void **state)
{
    struct scene s;

    scene_start(&s, "RSA:2048");
    pair_limit(&s.p, TLS1_2_VERSION);
    SSL_set_security_level(s.p.client.stream->ssl, 0);
    assert_int_equal(SSL_set1_sigalgs_list(s.p.client.stream->ssl, "RSA+SHA1"), 1);
    pair_shake(&s.p);
    assert_int_equal(s.p.server.state, TLS_FAILED);
    assert_int_equal(signer.n_asked, 0);
    scene_done(&s);
}

/* Whatever the administrator's list says, C102 holds. */
static void a_list_of_ciphers_cannot_bring_static_keys_back(void **state)
{
    struct tls_server_options o = usual;
    struct err err = { 0 };

    o.ciphers = STR("AES128-SHA:DHE-RSA-AES128-SHA");
    assert_null(tls_server_new(&o, &err));
    assert_true(str_contains(str_from_c(err.text), STR("AES128-SHA")));
    o.ciphers = STR("nonsense");
    assert_null(tls_server_new(&o, &err));
    o.ciphers = STR("ECDHE-RSA-AES128-GCM-SHA256");
    struct tls_server *s = tls_server_new(&o, &err);
    assert_non_null(s);
    tls_server_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_signs_in_1_3),
        cmocka_unit_test(every_kind_of_key_signs_in_1_2),
        cmocka_unit_test(others_go_on_while_one_waits),
        cmocka_unit_test(what_cannot_be_signed_fails),
        cmocka_unit_test(a_wrong_signature_is_no_session),
        cmocka_unit_test(a_stream_may_end_while_its_signature_is_under_way),
        cmocka_unit_test(nothing_is_signed_outside_a_handshake),
        cmocka_unit_test(a_handshake_octet_by_octet_is_the_same),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(old_suites_are_refused),
        cmocka_unit_test(sha1_signatures_are_refused),
        cmocka_unit_test(a_list_of_ciphers_cannot_bring_static_keys_back),
    };

    return cmocka_run_group_tests(tests, group_begin, NULL);
}
