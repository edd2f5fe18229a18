/* tests/unit/tls/server_test.c -- which chain a client is shown, ALPN, tickets, clients' certificates. */
#include "tests/unit/tls/pair.h"

#include "tls/stream.h"

static struct tls_client *plain_client(struct tls_chain *chain)
{
    struct err err = { 0 };
    struct tls_client *c = tls_client_new(STR_NONE, chain, &err);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

/* ---- chains by name ---- */

enum { FIRST_RSA, FIRST_EC, SECOND, WILD, IDENTITIES };

struct house {
    struct identity ids[IDENTITIES];
    struct tls_server *server;
    struct tls_client *client;
};

static void house_begin(struct house *h)
{
    struct tls_chain *chains[IDENTITIES];

    identity_make(&h->ids[FIRST_RSA], "RSA:2048", (struct pki_ask){ .names = "mx.example mail.example" });
    identity_make(&h->ids[FIRST_EC], "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    identity_make(&h->ids[SECOND], "EC:P-256", (struct pki_ask){ .names = "other.example" });
    identity_make(&h->ids[WILD], "EC:P-384", (struct pki_ask){ .names = "*.wild.example" });
    for (size_t i = 0; i < IDENTITIES; i++)
        chains[i] = h->ids[i].chain;
    h->server = server_with(&usual, chains, IDENTITIES);
    h->client = plain_client(NULL);
}

static void house_end(struct house *h)
{
    tls_server_free(h->server);
    tls_client_free(h->client);
    for (size_t i = 0; i < IDENTITIES; i++)
        identity_done(&h->ids[i]);
}

/* Which of them is shown to who asks for SNI and can read SIGNATURES. */
static int shown(struct house *h, const char *sni, const char *signatures)
{
    struct tls_facts f;
    struct pair p;
    int found = -1;

    pair_start(&p, h->server, h->client, &any_demand, sni);
    assert_int_equal(SSL_set1_sigalgs_list(p.client.stream->ssl, signatures), 1);
    pair_shake(&p);
    check_done(&p);
    tls_stream_facts(p.client.stream, &f);
    for (int i = 0; i < IDENTITIES; i++)
        if (memcmp(f.certificate, h->ids[i].hash, 32) == 0)
            found = i;
    pair_done(&p);
    return found;
}

/* C104, C105 */
static void a_client_is_shown_the_chain_of_the_name_it_asks_for(void **state)
{
    static const char any[] = "ECDSA+SHA256:ECDSA+SHA384:rsa_pss_rsae_sha256:RSA+SHA256";
    static const char rsa[] = "rsa_pss_rsae_sha256:RSA+SHA256";
    struct house h;

    house_begin(&h);
    assert_int_equal(shown(&h, "other.example", any), SECOND);
    assert_int_equal(shown(&h, "OTHER.example", any), SECOND);
    assert_int_equal(shown(&h, "a.wild.example", any), WILD);
    assert_int_equal(shown(&h, "mail.example", any), FIRST_RSA);
    assert_int_equal(shown(&h, "mx.example", any), FIRST_EC);
    assert_int_equal(shown(&h, "mx.example", rsa), FIRST_RSA);
    /* Neither no name nor an unknown one is a failure. */
    assert_int_equal(shown(&h, NULL, rsa), FIRST_RSA);
    assert_int_equal(shown(&h, "unknown.example", rsa), FIRST_RSA);
    assert_int_equal(shown(&h, "wild.example", rsa), FIRST_RSA);
    assert_int_equal(shown(&h, "a.b.wild.example", rsa), FIRST_RSA);
    house_end(&h);
}

static void chains_are_replaced_under_a_handshake(void **state)
{
    struct identity former, fresh;
    struct tls_client *client = plain_client(NULL);
    struct tls_server *s;
    struct tls_facts f;
    struct pair p;

    identity_make(&former, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    identity_make(&fresh, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s = server_with(&usual, &former.chain, 1);
    pair_start(&p, s, client, &any_demand, "mx.example");
    pair_shake_unsigned(&p);
    assert_true(tls_server_chains(s, &fresh.chain, 1, NULL));
    pair_shake(&p);
    check_done(&p);
    check_echo(&p);
    pair_done(&p);
    pair_start(&p, s, client, &any_demand, "mx.example");
    pair_shake(&p);
    check_done(&p);
    tls_stream_facts(p.client.stream, &f);
    assert_memory_equal(f.certificate, fresh.hash, 32);
    pair_done(&p);
    /* None: no TLS, and nobody can begin. */
    assert_true(tls_server_chains(s, NULL, 0, NULL));
    assert_false(tls_server_can(s));
    assert_null(tls_accept(s, 0, NULL, NULL));
    tls_server_free(s);
    tls_client_free(client);
    identity_done(&former);
    identity_done(&fresh);
}

static void a_chain_that_is_none_is_refused(void **state)
{
    struct identity id;
    struct buf octets = BUF_INIT(1 << 20);
    struct err err = { 0 };
    struct str key;

    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    pki_chain(&octets, &id.certificate, 1);
    key = str_of((const char *)id.key_hash, 32);
    for (size_t n = 0; n < octets.n; n++) {
        char *copy = exact_copy(str_head(buf_str(&octets), n));
        assert_null(tls_chain_new(str_of(copy, n), key, &err));
        free(copy);
    }
    assert_null(tls_chain_new(buf_str(&octets), str_of((const char *)id.hash, 32), &err));
    assert_string_equal(err.text, "the chain is of another key");
    buf_done(&octets);
    identity_done(&id);
}

/* ---- ALPN ---- */

static enum tls_handshake with_protocols(struct tls_server *s, struct tls_client *c, const char *wire,
                                         unsigned n, struct pair *p)
{
    pair_start(p, s, c, &any_demand, "mx.example");
    assert_int_equal(SSL_set_alpn_protos(p->client.stream->ssl, (const unsigned char *)wire, n), 0);
    pair_shake(p);
    return p->server.state;
}

static void an_offer_without_smtp_is_refused(void **state)
{
    struct identity id;
    struct tls_client *client = plain_client(NULL);
    struct tls_server *s;
    struct pair p;

    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s = server_with(&usual, &id.chain, 1);
    assert_int_equal(with_protocols(s, client, "\x08http/1.1\x04smtp", 14, &p), TLS_DONE);
    pair_done(&p);
    assert_int_equal(with_protocols(s, client, "\x02h2\x08http/1.1", 12, &p), TLS_FAILED);
    assert_true(str_contains(str_from_c(p.server.err.text), STR("ALPN")));
    assert_int_equal(p.client.state, TLS_FAILED);
    assert_true(str_contains(str_from_c(p.client.err.text), STR("the peer says: no application protocol")));
    pair_done(&p);
    tls_server_free(s);
    tls_client_free(client);
    identity_done(&id);
}

/* ---- tickets ---- */

static SSL_SESSION *visit(struct tls_server *s, struct tls_client *c, int version, SSL_SESSION *with,
                          bool *resumed)
{
    struct tls_facts f;
    struct pair p;
    SSL_SESSION *session;

    pair_start(&p, s, c, &any_demand, "mx.example");
    pair_limit(&p, version);
    if (with)
        assert_int_equal(SSL_set_session(p.client.stream->ssl, with), 1);
    pair_shake(&p);
    check_done(&p);
    check_echo(&p);
    tls_stream_facts(p.server.stream, &f);
    *resumed = f.resumed;
    session = SSL_get1_session(p.client.stream->ssl);
    tls_shutdown(p.client.stream);
    pair_done(&p);
    return session;
}

static struct tls_server *ticket_server(const struct identity *id, const char *name, char first, unsigned n)
{
    struct tls_server_options o = usual;
    struct tls_server *s;
    char keys[160];

    o.tickets = true;
    o.name = str_from_c(name);
    s = server_with(&o, &id->chain, 1);
    for (unsigned i = 0; i < n; i++)
        memset(keys + i * 80, first - (char)i, 80);
    assert_true(tls_server_ticket_keys(s, str_of(keys, n * 80), NULL));
    return s;
}

static void check_visit(struct tls_server *s, struct tls_client *c, int version, SSL_SESSION *with,
                        bool wanted)
{
    bool resumed;

    SSL_SESSION_free(visit(s, c, version, with, &resumed));
    assert_int_equal(resumed, wanted);
}

/* RFC 8446 4.6.1, RFC 5077: of one listener, by its keys. */
static void a_session_is_resumed_where_it_began_and_nowhere_else(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct identity id;
    struct tls_client *client = plain_client(NULL);
    struct tls_server *here, *there, *later, *much_later, *off;

    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    here = ticket_server(&id, "submission", 'k', 1);
    there = ticket_server(&id, "other", 'k', 1);
    later = ticket_server(&id, "submission", 'l', 2);
    much_later = ticket_server(&id, "submission", 'm', 2);
    off = server_with(&usual, &id.chain, 1);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        bool resumed;
        SSL_SESSION *first = visit(here, client, versions[i], NULL, &resumed);
        assert_false(resumed);
        check_visit(here, client, versions[i], first, true);
        check_visit(there, client, versions[i], first, false);
        check_visit(later, client, versions[i], first, true);
        check_visit(much_later, client, versions[i], first, false);
        check_visit(off, client, versions[i], first, false);
        SSL_SESSION_free(first);
        SSL_SESSION *none = visit(off, client, versions[i], NULL, &resumed);
        assert_false(SSL_SESSION_has_ticket(none));
        check_visit(off, client, versions[i], none, false);
        SSL_SESSION_free(none);
    }
    assert_false(tls_server_ticket_keys(here, STR("too short"), NULL));
    tls_server_free(here);
    tls_server_free(there);
    tls_server_free(later);
    tls_server_free(much_later);
    tls_server_free(off);
    tls_client_free(client);
    identity_done(&id);
}

/* RFC 8446 C.4: a client that uses no ticket twice has the next one from the session that it resumed. */
static void a_resumed_session_can_be_resumed_again(void **state)
{
    struct identity id;
    struct tls_client *client = plain_client(NULL);
    struct tls_server *s;
    bool resumed;

    identity_make(&id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s = ticket_server(&id, "submission", 'k', 1);
    SSL_SESSION *last = visit(s, client, TLS1_3_VERSION, NULL, &resumed);
    for (int i = 0; i < 32; i++) {
        unsigned char before[32];
        size_t n = SSL_SESSION_get_master_key(last, before, sizeof(before));
        SSL_SESSION *next = visit(s, client, TLS1_3_VERSION, last, &resumed);
        unsigned char after[32];
        assert_true(resumed);
        assert_true(SSL_SESSION_has_ticket(next));
        assert_int_equal(SSL_SESSION_get_master_key(next, after, sizeof(after)), n);
        assert_memory_not_equal(before, after, n);
        SSL_SESSION_free(last);
        last = next;
    }
    /* Not for ever (RFC 8446 4.6.1). */
    check_visit(s, client, TLS1_3_VERSION, last, false);
    SSL_SESSION_free(last);
    tls_server_free(s);
    tls_client_free(client);
    identity_done(&id);
}

/* ---- clients' certificates ---- */

struct gate {
    EVP_PKEY *ca_key;
    X509 *ca;
    struct buf ca_pem;
    struct identity host;
    struct identity good;    /* signed by the CA */
    struct identity strange; /* by itself */
};

static void gate_begin(struct gate *g)
{
    *g = (struct gate){ .ca_key = pki_key("EC:P-256"), .ca_pem = BUF_INIT(1 << 16) };
    g->ca = pki_certificate(&(struct pki_ask){ .key = g->ca_key, .common_name = "CA", .ca = true });
    pki_pem(&g->ca_pem, g->ca);
    identity_make(&g->host, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    identity_make(
        &g->good, "RSA:2048",
        (struct pki_ask){
            .common_name = "ada", .mail = "ada@example.test", .issuer = g->ca, .issuer_key = g->ca_key });
    identity_make(&g->strange, "EC:P-256",
                  (struct pki_ask){ .common_name = "eve", .mail = "ada@example.test" });
}

static void gate_end(struct gate *g)
{
    identity_done(&g->host);
    identity_done(&g->good);
    identity_done(&g->strange);
    X509_free(g->ca);
    EVP_PKEY_free(g->ca_key);
    buf_done(&g->ca_pem);
}

static void gate_enter(const struct gate *g, const struct tls_server_options *o, struct tls_chain *chain,
                       int version, struct pair *p)
{
    struct tls_server *s = server_with(o, &g->host.chain, 1);
    struct tls_client *c = plain_client(chain);

    pair_start(p, s, c, &any_demand, "mx.example");
    pair_limit(p, version);
    pair_shake(p);
    tls_server_free(s);
    tls_client_free(c);
}

static void a_client_certificate_vouches_as_far_as_its_ca_is_known(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct arena *a = arena_new(1 << 16);
    struct gate g;

    gate_begin(&g);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tls_server_options o = usual;
        struct tls_facts f;
        struct str names;
        struct pair p;

        o.ask_certificate = true;
        gate_enter(&g, &o, g.strange.chain, versions[i], &p);
        check_done(&p);
        tls_stream_facts(p.server.stream, &f);
        assert_true(f.has_certificate);
        assert_false(f.verified);
        assert_memory_equal(f.certificate, g.strange.hash, 32);
        assert_memory_equal(f.public_key, g.strange.key_hash, 32);
        assert_str_is(f.subject, STR("CN=eve"));
        assert_true(tls_stream_addresses(p.server.stream, a, &names));
        assert_int_equal(names.n, 0);
        check_echo(&p);
        pair_done(&p);
        /* The client signs by the same way, as a client. */
        assert_int_equal(signer.n_in_all > 0, 1);

        o.client_ca = buf_str(&g.ca_pem);
        gate_enter(&g, &o, g.good.chain, versions[i], &p);
        check_done(&p);
        tls_stream_facts(p.server.stream, &f);
        assert_true(f.verified);
        assert_true(tls_stream_addresses(p.server.stream, a, &names));
        assert_str_is(names, STR("ada@example.test\0"));
        pair_done(&p);

        /* Asked only: a stranger comes in, and counts for nothing. */
        gate_enter(&g, &o, g.strange.chain, versions[i], &p);
        check_done(&p);
        tls_stream_facts(p.server.stream, &f);
        assert_true(f.has_certificate);
        assert_false(f.verified);
        pair_done(&p);
        gate_enter(&g, &o, NULL, versions[i], &p);
        check_done(&p);
        tls_stream_facts(p.server.stream, &f);
        assert_false(f.has_certificate);
        pair_done(&p);

        o.require_certificate = true;
        gate_enter(&g, &o, g.good.chain, versions[i], &p);
        check_done(&p);
        pair_done(&p);
        gate_enter(&g, &o, g.strange.chain, versions[i], &p);
        assert_int_equal(p.server.state, TLS_FAILED);
        assert_string_equal(p.server.err.text, "the certificate is signed by itself");
        pair_done(&p);
        gate_enter(&g, &o, NULL, versions[i], &p);
        assert_int_equal(p.server.state, TLS_FAILED);
        pair_done(&p);
    }
    gate_end(&g);
    arena_free(a);
}

static void forms_tell_who_signs(void **state)
{
    static const struct {
        int version;
        unsigned form;
    } cases[] = { { TLS1_2_VERSION, IPC_SIGN_CLIENT_12 }, { TLS1_3_VERSION, IPC_SIGN_CLIENT_13 } };
    struct gate g;

    gate_begin(&g);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_server_options o = usual;
        struct tls_server *s;
        struct tls_client *c = plain_client(g.good.chain);
        struct pair p;

        o.ask_certificate = true;
        s = server_with(&o, &g.host.chain, 1);
        pair_start(&p, s, c, &any_demand, "mx.example");
        pair_limit(&p, cases[i].version);
        pair_shake_unsigned(&p);
        sign_all();
        pair_shake_unsigned(&p);
        assert_int_equal(signer.n_asked, 1);
        assert_int_equal(signer.asked[0].what.form, cases[i].form);
        assert_memory_equal(signer.asked[0].what.key, g.good.key_hash, 32);
        pair_shake(&p);
        check_done(&p);
        pair_done(&p);
        tls_server_free(s);
        tls_client_free(c);
    }
    gate_end(&g);
}

static void sessions_with_certificates_are_not_resumed(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct gate g;
    struct tls_client *c;
    char keys[80] = "a key";

    gate_begin(&g);
    c = plain_client(g.good.chain);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tls_server_options o = usual;
        struct tls_server *s;
        bool resumed;

        o.ask_certificate = o.tickets = true;
        s = server_with(&o, &g.host.chain, 1);
        assert_true(tls_server_ticket_keys(s, str_of(keys, sizeof(keys)), NULL));
        SSL_SESSION *first = visit(s, c, versions[i], NULL, &resumed);
        check_visit(s, c, versions[i], first, false);
        SSL_SESSION_free(first);
        tls_server_free(s);
    }
    tls_client_free(c);
    gate_end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_shown_the_chain_of_the_name_it_asks_for),
        cmocka_unit_test(chains_are_replaced_under_a_handshake),
        cmocka_unit_test(a_chain_that_is_none_is_refused),
        cmocka_unit_test(an_offer_without_smtp_is_refused),
        cmocka_unit_test(a_session_is_resumed_where_it_began_and_nowhere_else),
        cmocka_unit_test(a_resumed_session_can_be_resumed_again),
        cmocka_unit_test(a_client_certificate_vouches_as_far_as_its_ca_is_known),
        cmocka_unit_test(forms_tell_who_signs),
        cmocka_unit_test(sessions_with_certificates_are_not_resumed),
    };

    return cmocka_run_group_tests(tests, group_begin, NULL);
}
