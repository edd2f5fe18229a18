/* tests/unit/tls/client_test.c -- who is taken for whom (RFC 9525), by CA and by fingerprint; channel
 * bindings. */
#include "tests/unit/tls/pair.h"

#include <errno.h>
#include <openssl/x509v3.h>

#include "tls/stream.h"

static EVP_PKEY *ca_key;
static X509 *ca;
static struct buf ca_pem;

static int begin(void **state)
{
    ca_key = pki_key("EC:P-256");
    ca = pki_certificate(&(struct pki_ask){ .key = ca_key, .common_name = "CA", .ca = true });
    ca_pem = BUF_INIT(1 << 16);
    pki_pem(&ca_pem, ca);
    return group_begin(state);
}

static int end(void **state)
{
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    buf_done(&ca_pem);
    return 0;
}

/* What the client says of a server with such a certificate; "" when it is content. */
static struct err meet(struct pki_ask ask, bool by_ca, const struct tls_demand *d, bool *verified)
{
    struct identity id;
    struct tls_server *s;
    struct tls_client *c = tls_client_new(buf_str(&ca_pem), NULL, NULL);
    struct tls_facts f;
    struct pair p;
    struct err err;

    if (by_ca) {
        ask.issuer = ca;
        ask.issuer_key = ca_key;
    }
    identity_make(&id, "EC:P-256", ask);
    s = server_with(&usual, &id.chain, 1);
    pair_start(&p, s, c, d, "mx.example");
    pair_shake(&p);
    assert_int_equal(p.client.state == TLS_DONE, p.client.err.kind == 0);
    /* In TLS 1.3 the server is done before it hears of it. */
    if (p.client.state == TLS_FAILED && p.server.state == TLS_DONE) {
        char octet;
        assert_int_equal(tls_read(p.server.stream, &octet, 1), -1);
        assert_int_equal(errno, EPROTO);
        assert_true(strlen(tls_stream_failure(p.server.stream)) > 0);
    }
    err = p.client.err;
    if (p.client.state == TLS_DONE) {
        tls_stream_facts(p.client.stream, &f);
        *verified = f.verified;
    }
    pair_done(&p);
    tls_server_free(s);
    tls_client_free(c);
    identity_done(&id);
    return err;
}

static const struct str mx = STR_INIT("mx.example");
static const struct str two[] = { STR_INIT("absent.example"), STR_INIT("mx.example") };
static const struct tls_demand mx_demand = { .trust = TLS_TRUST_NAMES, .names = &mx, .n_names = 1 };
static const struct tls_demand two_demand = { .trust = TLS_TRUST_NAMES, .names = two, .n_names = 2 };

static void check_taken(struct pki_ask ask, const struct tls_demand *d)
{
    bool verified = false;
    struct err err = meet(ask, true, d, &verified);

    assert_string_equal(err.text, "");
    assert_true(verified);
}

static void check_refused(struct pki_ask ask, bool by_ca, const struct tls_demand *d, const char *why)
{
    bool verified;
    struct err err = meet(ask, by_ca, d, &verified);

    assert_string_equal(err.text, why);
    assert_int_equal(err.kind, ERR_PERM);
}

/* C105 */
static void a_host_is_known_by_its_dns_names(void **state)
{
    check_taken((struct pki_ask){ .names = "mx.example" }, &mx_demand);
    check_taken((struct pki_ask){ .names = "other.example MX.Example" }, &mx_demand);
    check_taken((struct pki_ask){ .names = "*.example" }, &mx_demand);
    check_taken((struct pki_ask){ .names = "mx.example" }, &two_demand);
    check_refused((struct pki_ask){ .names = "other.example" }, true, &mx_demand,
                  "the certificate is for other.example, not for mx.example");
    check_refused((struct pki_ask){ .names = "m*.example" }, true, &mx_demand,
                  "the certificate is for m*.example, not for mx.example");
    /* The common name is nobody's name any more. */
    check_refused((struct pki_ask){ .common_name = "mx.example" }, true, &mx_demand,
                  "the certificate has no DNS name, mx.example was expected");
}

static void check_time(struct pki_ask ask, struct str why)
{
    bool verified;
    struct err err = meet(ask, true, &mx_demand, &verified);

    assert_true(str_starts(str_from_c(err.text), why));
    assert_int_equal(strlen(err.text), why.n + strlen("26-11-22"));
}

static void a_certificate_must_be_of_a_ca_and_of_this_time(void **state)
{
    check_refused((struct pki_ask){ .names = "mx.example" }, false, &mx_demand,
                  "the certificate is signed by itself");
    check_time((struct pki_ask){ .names = "mx.example", .from_seconds = -7200, .until_seconds = -3600 },
               STR("the certificate of mx.example expired on 20"));
    check_time((struct pki_ask){ .names = "mx.example", .from_seconds = 3600 },
               STR("the certificate of mx.example is not valid before 20"));
}

static void whatever_comes_is_taken_where_nobody_is_expected(void **state)
{
    bool verified = true;
    struct err err =
        meet((struct pki_ask){ .names = "other.example", .from_seconds = -7200, .until_seconds = -3600 },
             false, &any_demand, &verified);

    assert_string_equal(err.text, "");
    assert_false(verified);
}

/* A library that ends texts at NUL would take it for mx.example. */
static void a_nul_in_a_name_is_refused(void **state)
{
    struct identity id;
    struct tls_names names;
    struct arena *a = arena_new(1 << 16);
    struct err err = { 0 };
    EVP_PKEY *key = pki_key("EC:P-256");
    X509 *x = pki_certificate(&(struct pki_ask){
        .key = key, .raw_name = STR("mx.example\0.evil.example"), .issuer = ca, .issuer_key = ca_key });

    assert_false(tls_names_of(x, GEN_DNS, a, &names, &err));
    assert_string_equal(err.text, "a name in the certificate has a NUL in it");
    X509_free(x);
    EVP_PKEY_free(key);
    arena_free(a);

    /* Our side shows none like that. The other does: its chain is put together by hand. */
    struct tls_client *c = tls_client_new(buf_str(&ca_pem), NULL, NULL);
    struct tls_server *s;
    struct pair p;
    identity_make(&id, "EC:P-256",
                  (struct pki_ask){ .names = "mx.example", .issuer = ca, .issuer_key = ca_key });
    x = pki_certificate(&(struct pki_ask){
        .key = id.key, .raw_name = STR("mx.example\0.evil.example"), .issuer = ca, .issuer_key = ca_key });
    s = server_with(&usual, &id.chain, 1);
    pair_start(&p, s, c, &mx_demand, "mx.example");
    SSL_certs_clear(p.server.stream->ssl);
    assert_int_equal(SSL_use_cert_and_key(p.server.stream->ssl, x, id.chain->key, NULL, 1), 1);
    pair_shake(&p);
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_string_equal(p.client.err.text, "a name in the certificate has a NUL in it");
    pair_done(&p);
    X509_free(x);
    tls_server_free(s);
    tls_client_free(c);
    identity_done(&id);
}

static void fingerprints_are_of_the_certificate_or_of_its_key(void **state)
{
    struct tls_client *c = tls_client_new(STR_NONE, NULL, NULL);
    struct tls_server *s;
    struct identity id;

    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "other.example" });
    s = server_with(&usual, &id.chain, 1);
    const struct str hashes[] = { str_of((const char *)id.hash, 32), str_of((const char *)id.key_hash, 32),
                                  STR("01234567890123456789012345678901") };
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        struct tls_demand d = { .trust = TLS_TRUST_FINGERPRINT, .hashes = &hashes[i], .n_hashes = 1 };
        struct tls_facts f;
        struct pair p;

        pair_start(&p, s, c, &d, "mx.example");
        pair_shake(&p);
        if (i == 2) {
            assert_true(str_starts(str_from_c(p.client.err.text), STR("another certificate than expected: sha256:")));
            assert_true(str_contains(str_from_c(p.client.err.text), STR(", its key sha256:")));
        } else {
            check_done(&p);
            tls_stream_facts(p.client.stream, &f);
            assert_true(f.verified);
        }
        pair_done(&p);
    }
    tls_server_free(s);
    tls_client_free(c);
    identity_done(&id);
}

static void cas_are_read_when_they_are_needed(void **state)
{
    struct tls_client *c = tls_client_new(STR("no certificate"), NULL, NULL);
    struct tls_client *of_system = tls_client_new(STR_NONE, NULL, NULL);
    struct tls_owner owner = { 0 };
    struct tls_stream *t;
    struct err err = { 0 };

    assert_non_null(c);
    t = tls_connect(c, -1, &any_demand, mx, &owner, &err);
    assert_non_null(t);
    tls_stream_free(t);
    assert_null(tls_connect(c, -1, &mx_demand, mx, &owner, &err));
    assert_true(str_contains(str_from_c(err.text), STR("CAs")));
    assert_null(tls_connect(of_system, -1, &mx_demand, mx, &owner, &err));
    assert_true(str_contains(str_from_c(err.text), STR("tls-ca")));
    assert_true(tls_system_cas(buf_str(&ca_pem), &err));
    t = tls_connect(of_system, -1, &mx_demand, mx, &owner, &err);
    assert_non_null(t);
    tls_stream_free(t);
    /* Given again they are others. */
    assert_true(tls_system_cas(STR("nothing"), &err));
    assert_null(tls_connect(of_system, -1, &mx_demand, mx, &owner, &err));
    tls_client_free(c);
    tls_client_free(of_system);
}

/* RFC 9266, RFC 5929 */
static void both_ends_have_the_same_bindings(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_client *c = tls_client_new(STR_NONE, NULL, NULL);
    struct tls_server *s;
    struct identity id;

    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s = server_with(&usual, &id.chain, 1);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        unsigned char ours[64], theirs[64];
        size_t n = 0, m = 0;
        struct pair p;

        pair_start(&p, s, c, &any_demand, "mx.example");
        pair_limit(&p, versions[i]);
        pair_shake(&p);
        check_done(&p);
        assert_true(tls_stream_exporter(p.server.stream, ours));
        assert_true(tls_stream_exporter(p.client.stream, theirs));
        assert_memory_equal(ours, theirs, 32);
        if (versions[i] == TLS1_2_VERSION) {
            assert_true(tls_stream_unique(p.server.stream, ours, &n));
            assert_true(tls_stream_unique(p.client.stream, theirs, &m));
            assert_int_equal(n, 12);
            assert_int_equal(m, 12);
            assert_memory_equal(ours, theirs, 12);
        } else {
            assert_false(tls_stream_unique(p.server.stream, ours, &n));
        }
        pair_done(&p);
        /* Below 1.3 a secret that is not this session's alone binds nothing. */
        pair_start(&p, s, c, &any_demand, "mx.example");
        pair_limit(&p, TLS1_2_VERSION);
        SSL_set_options(p.client.stream->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
        pair_shake(&p);
        check_done(&p);
        assert_false(tls_stream_exporter(p.server.stream, ours));
        assert_false(tls_stream_unique(p.server.stream, ours, &n));
        pair_done(&p);
    }
    tls_server_free(s);
    tls_client_free(c);
    identity_done(&id);
}

static void names_match_as_rfc_9525_says(void **state)
{
    static const struct {
        struct str pattern;
        struct str name;
        bool same;
    } cases[] = {
        { STR_INIT("a.example"), STR_INIT("A.EXAMPLE"), true },
        { STR_INIT("*.example"), STR_INIT("a.example"), true },
        { STR_INIT("*.example"), STR_INIT(".example"), false },
        { STR_INIT("*.example"), STR_INIT("example"), false },
        { STR_INIT("*.example"), STR_INIT("a.b.example"), false },
        { STR_INIT("*"), STR_INIT("example"), false },
        { STR_INIT("*"), STR_INIT("*"), false },
        { STR_INIT("a*.example"), STR_INIT("ab.example"), false },
        { STR_INIT("a.*.example"), STR_INIT("a.b.example"), false },
        { STR_INIT("*.*.example"), STR_INIT("a.b.example"), false },
        { STR_INIT("a.example"), STR_INIT("a.example."), false },
        { STR_INIT(""), STR_INIT(""), false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *pattern = exact_copy(cases[i].pattern), *name = exact_copy(cases[i].name);
        assert_int_equal(tls_name_matches(str_of(pattern, cases[i].pattern.n), str_of(name, cases[i].name.n)),
                         cases[i].same);
        free(pattern);
        free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_known_by_its_dns_names),
        cmocka_unit_test(a_certificate_must_be_of_a_ca_and_of_this_time),
        cmocka_unit_test(whatever_comes_is_taken_where_nobody_is_expected),
        cmocka_unit_test(a_nul_in_a_name_is_refused),
        cmocka_unit_test(fingerprints_are_of_the_certificate_or_of_its_key),
        cmocka_unit_test(cas_are_read_when_they_are_needed),
        cmocka_unit_test(both_ends_have_the_same_bindings),
        cmocka_unit_test(names_match_as_rfc_9525_says),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
