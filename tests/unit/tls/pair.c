/* tests/unit/tls/pair.c -- sockets, pumps, signatures. */
#include "tests/unit/tls/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rsa.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/stream.h"

struct signer signer;
const struct tls_server_options usual = { .min_version = 0x0303, .name = STR_INIT("mx") };
const struct tls_demand any_demand = { .trust = TLS_TRUST_ANY };

static bool on_sign(struct tls_signer *base, uint64_t ticket, const struct tls_signature *what)
{
    if (signer.refuses)
        return false;
    assert_true(signer.n_asked < ARRAY_LEN(signer.asked));
    signer.asked[signer.n_asked++] = (struct asked){ ticket, *what };
    signer.n_in_all++;
    return true;
}

int group_begin(void **state)
{
    struct err err = { 0 };

    signer.base.sign = on_sign;
    assert_true(tls_begin(&signer.base, &err));
    return 0;
}

/* ---- signing ---- */

static EVP_PKEY *key_called(const unsigned char name[32])
{
    for (size_t i = 0; i < signer.n_keys; i++) {
        unsigned char *der = NULL, hash[32];
        int n = i2d_PUBKEY(signer.keys[i], &der);
        assert_int_equal(EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL), 1);
        OPENSSL_free(der);
        if (memcmp(hash, name, sizeof(hash)) == 0)
            return signer.keys[i];
    }
    fail_msg("no such key");
    return NULL;
}

static const EVP_MD *digest_of(uint16_t scheme)
{
    switch (scheme) {
    case 0x0401:
    case 0x0403:
    case 0x0804:
        return EVP_sha256();
    case 0x0501:
    case 0x0503:
    case 0x0805:
        return EVP_sha384();
    case 0x0807:
        return NULL;
    default:
        return EVP_sha512();
    }
}

static void sign_one(const struct asked *a)
{
    unsigned char signature[1024];
    size_t n = sizeof(signature);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;

    assert_int_equal(EVP_DigestSignInit(c, &p, digest_of(a->what.scheme), NULL, key_called(a->what.key)), 1);
    if (a->what.scheme >> 8 == 0x08 && a->what.scheme != 0x0807) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(
        EVP_DigestSign(c, signature, &n, (const unsigned char *)a->what.octets.p, a->what.octets.n), 1);
    EVP_MD_CTX_free(c);
    tls_signed(a->ticket, str_of((const char *)signature, n));
}

void sign_all(void)
{
    while (signer.n_asked > 0) {
        struct asked first = signer.asked[0];
        memmove(signer.asked, signer.asked + 1, --signer.n_asked * sizeof(signer.asked[0]));
        sign_one(&first);
    }
}

void identity_make(struct identity *id, const char *kind, struct pki_ask ask)
{
    struct buf chain = BUF_INIT(1 << 20);
    struct err err = { 0 };
    X509 *list[2];

    *id = (struct identity){ .key = pki_key(kind) };
    ask.key = id->key;
    id->certificate = pki_certificate(&ask);
    pki_hash_key(id->certificate, id->key_hash);
    pki_hash_certificate(id->certificate, id->hash);
    list[0] = id->certificate;
    list[1] = ask.issuer;
    pki_chain(&chain, list, ask.issuer ? 2 : 1);
    id->chain = tls_chain_new(buf_str(&chain), str_of((const char *)id->key_hash, 32), &err);
    if (!id->chain && err.kind)
        fail_msg("%s", err.text);
    buf_done(&chain);
    assert_true(signer.n_keys < ARRAY_LEN(signer.keys));
    signer.keys[signer.n_keys++] = id->key;
}

void identity_done(struct identity *id)
{
    for (size_t i = 0; i < signer.n_keys; i++)
        if (signer.keys[i] == id->key)
            signer.keys[i] = signer.keys[--signer.n_keys];
    tls_chain_free(id->chain);
    X509_free(id->certificate);
    EVP_PKEY_free(id->key);
}

/* ---- the wire ---- */

static void on_resumed(struct tls_owner *o)
{
    struct end *e = CONTAINER_OF(o, struct end, owner);

    e->resumed++;
    e->state = tls_handshake(e->stream, &e->err);
}

void pair_open(struct pair *p)
{
    *p = (struct pair){
        .client = { .owner.resumed = on_resumed, .state = TLS_WAIT },
        .server = { .owner.resumed = on_resumed, .state = TLS_WAIT },
        .step = 1 << 20,
    };
    signer.n_asked = 0;
    signer.refuses = false;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->client_fds), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->server_fds), 0);
}

static void close_once(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void pair_done(struct pair *p)
{
    tls_stream_free(p->client.stream);
    tls_stream_free(p->server.stream);
    for (size_t i = 0; i < 2; i++) {
        close_once(&p->client_fds[i]);
        close_once(&p->server_fds[i]);
    }
}

static size_t pump(int from, int to, size_t step)
{
    static char octets[1 << 20];
    ssize_t n = recv(from, octets, step < sizeof(octets) ? step : sizeof(octets), 0);

    if (n <= 0)
        return 0;
    for (ssize_t at = 0; at < n;) {
        ssize_t sent = send(to, octets + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return 0;
        at += sent;
    }
    return (size_t)n;
}

bool pair_move(struct pair *p)
{
    size_t up = pump(p->client_fds[1], p->server_fds[1], p->step);
    size_t down = pump(p->server_fds[1], p->client_fds[1], p->step);

    p->moved_to_server += up;
    p->moved_to_client += down;
    return up + down > 0;
}

static void end_shake(struct end *e)
{
    if (e->stream && e->state == TLS_WAIT)
        e->state = tls_handshake(e->stream, &e->err);
}

void pair_shake_unsigned(struct pair *p)
{
    do {
        end_shake(&p->client);
        end_shake(&p->server);
    } while (pair_move(p));
}

void pair_shake(struct pair *p)
{
    for (;;) {
        pair_shake_unsigned(p);
        if (signer.n_asked == 0)
            return;
        sign_all();
    }
}

struct tls_server *server_with(const struct tls_server_options *o, struct tls_chain *const *chains, size_t n)
{
    struct err err = { 0 };
    struct tls_server *s = tls_server_new(o, &err);

    if (!s || !tls_server_chains(s, chains, n, &err))
        fail_msg("%s", err.text);
    return s;
}

void pair_start(struct pair *p, struct tls_server *server, struct tls_client *client,
                const struct tls_demand *demand, const char *sni)
{
    struct err err = { 0 };

    pair_open(p);
    p->server.stream = tls_accept(server, p->server_fds[0], &p->server.owner, &err);
    p->client.stream = tls_connect(client, p->client_fds[0], demand, str_from_c(sni), &p->client.owner, &err);
    if (!p->server.stream || !p->client.stream)
        fail_msg("%s", err.text);
}

void check_echo(struct pair *p)
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

void check_done(struct pair *p)
{
    if (p->server.state != TLS_DONE || p->client.state != TLS_DONE)
        fail_msg("server %d: %s; client %d: %s", p->server.state, p->server.err.text, p->client.state,
                 p->client.err.text);
}

void pair_limit(struct pair *p, int version)
{
    SSL_set_max_proto_version(p->client.stream->ssl, version);
}
