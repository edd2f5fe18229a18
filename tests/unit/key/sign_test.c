/* tests/unit/key/sign_test.c -- what real handshakes want signed is signed, and only as what it is. */
#include "key/sign.h"

#include "key/form.h"
#include "tests/unit/tls/pair.h"
#include "tls/stream.h"

static const char *const kinds[] = { "EC:P-256", "EC:P-384", "RSA:2048", "RSA:3072", "ED25519" };
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static EVP_PKEY *key_of(const struct identity *ids, size_t n, const unsigned char name[32])
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(ids[i].key_hash, name, 32) == 0)
            return ids[i].key;
    return NULL;
}

/* Under every other form it is refused; under its own a signature comes of it that the peer takes. */
static void sign_by_key(const struct identity *ids, size_t n)
{
    unsigned char signature[KEY_SIGNATURE_MAX];
    struct asked a = signer.asked[0];
    struct err err = { 0 };
    size_t length;

    signer.n_asked = 0;
    for (unsigned form = 0; form <= IPC_SIGN_CLIENT_12 + 1; form++)
        assert_int_equal(key_form_check(form, a.what.octets, NULL), form == a.what.form);
    if (!key_sign(key_of(ids, n, a.what.key), a.what.form, a.what.scheme, a.what.octets, signature, &length,
                  &err))
        fail_msg("scheme %04x: %s", a.what.scheme, err.text);
    tls_signed(a.ticket, str_of((const char *)signature, length));
}

static void handshakes_get_their_signatures(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds) * ARRAY_LEN(versions); i++) {
        struct tls_server_options o = usual;
        struct identity ids[2];
        struct tls_server *s;
        struct tls_client *c;
        struct pair p;

        o.ask_certificate = true;
        for (size_t k = 0; k < 2; k++)
            identity_make(&ids[k], kinds[i / 2], (struct pki_ask){ .names = "mx.example" });
        s = server_with(&o, &ids[0].chain, 1);
        c = tls_client_new(STR_NONE, ids[1].chain, NULL);
        pair_start(&p, s, c, &any_demand, "mx.example");
        pair_limit(&p, versions[i % 2]);
        for (int k = 0; k < 2; k++) {
            pair_shake_unsigned(&p);
            assert_int_equal(signer.n_asked, 1);
            sign_by_key(ids, 2);
        }
        pair_shake_unsigned(&p);
        check_done(&p);
        check_echo(&p);
        pair_done(&p);
        tls_server_free(s);
        tls_client_free(c);
        identity_done(&ids[0]);
        identity_done(&ids[1]);
    }
}

/* RFC 8446 4.2.3, RFC 9155 */
static void a_scheme_must_fit_key_and_version(void **state)
{
    static const struct {
        const char *kind;
        unsigned form;
        uint16_t scheme;
        bool fits;
    } cases[] = {
        { "EC:P-256", IPC_SIGN_SERVER_13, 0x0403, true },  { "EC:P-256", IPC_SIGN_SERVER_13, 0x0503, false },
        { "EC:P-384", IPC_SIGN_SERVER_13, 0x0503, true },  { "EC:P-384", IPC_SIGN_SERVER_13, 0x0403, false },
        { "EC:P-256", IPC_SIGN_SERVER_12, 0x0503, true },  { "EC:P-256", IPC_SIGN_SERVER_12, 0x0203, false },
        { "EC:P-256", IPC_SIGN_SERVER_13, 0x0804, false }, { "RSA:2048", IPC_SIGN_SERVER_13, 0x0804, true },
        { "RSA:2048", IPC_SIGN_SERVER_13, 0x0401, false }, { "RSA:2048", IPC_SIGN_SERVER_12, 0x0401, true },
        { "RSA:2048", IPC_SIGN_SERVER_12, 0x0806, true },  { "RSA:2048", IPC_SIGN_SERVER_12, 0x0201, false },
        { "RSA:2048", IPC_SIGN_SERVER_12, 0x0101, false }, { "RSA:2048", IPC_SIGN_SERVER_12, 0x0809, false },
        { "ED25519", IPC_SIGN_SERVER_13, 0x0807, true },   { "ED25519", IPC_SIGN_SERVER_13, 0x0403, false },
        { "ED25519", IPC_SIGN_SERVER_13, 0, false },
    };
    static char verify[64 + 34 + 32];
    static char exchange[64 + 4 + 32] = { [64] = 3, [66] = 29, [67] = 32 };

    memset(verify, ' ', 64);
    memcpy(verify + 64, "TLS 1.3, server CertificateVerify", 34);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EVP_PKEY *key = pki_key(cases[i].kind);
        struct str octets = cases[i].form == IPC_SIGN_SERVER_13 ? str_of(verify, sizeof(verify))
                                                                : str_of(exchange, sizeof(exchange));
        unsigned char out[KEY_SIGNATURE_MAX];
        struct err err = { 0 };
        size_t n;

        assert_int_equal(key_sign(key, cases[i].form, cases[i].scheme, octets, out, &n, &err), cases[i].fits);
        assert_int_equal(err.kind, cases[i].fits ? ERR_NONE : ERR_PERM);
        /* Never what is not of that form. */
        assert_false(key_sign(key, cases[i].form, cases[i].scheme, str_head(octets, 32), out, &n, &err));
        assert_int_equal(err.kind, ERR_PERM);
        EVP_PKEY_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_get_their_signatures),
        cmocka_unit_test(a_scheme_must_fit_key_and_version),
    };

    return cmocka_run_group_tests(tests, group_begin, NULL);
}
