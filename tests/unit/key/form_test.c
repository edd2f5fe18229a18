/* tests/unit/key/form_test.c -- what has the form of its place in a handshake, and what has not. */
#include "key/form.h"

#include "core/buf.h"
#include "tests/unit/unit.h"

enum { FORMS = 4 };

/* On an exact heap copy; tells which forms OCTETS have, as bits. */
static unsigned forms_of(struct str octets)
{
    char *copy = exact_copy(octets);
    unsigned found = 0;

    for (unsigned f = 0; f < FORMS; f++)
        if (key_form_check(f, str_of(copy, octets.n), NULL))
            found |= 1U << f;
    assert_false(key_form_check(FORMS, str_of(copy, octets.n), NULL));
    free(copy);
    return found;
}

static void add_verify_13(struct buf *b, const char *context, size_t hash)
{
    for (int i = 0; i < 64; i++)
        buf_add_char(b, ' ');
    buf_add_c(b, context);
    buf_add_char(b, '\0');
    for (size_t i = 0; i < hash; i++)
        buf_add_char(b, (char)i);
}

static void check_verify_13(const char *context, unsigned form)
{
    static const size_t hashes[] = { 32, 48 };

    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        struct buf b = BUF_INIT(4096);
        size_t head;

        add_verify_13(&b, context, hashes[i]);
        head = b.n - hashes[i];
        assert_int_equal(forms_of(buf_str(&b)), 1U << form);
        /* Every octet before the hash counts. */
        for (size_t k = 0; k < head; k++) {
            b.p[k] ^= 1;
            assert_int_equal(forms_of(buf_str(&b)), 0);
            b.p[k] ^= 1;
        }
        /* And so does the length. */
        for (size_t n = 0; n < b.n; n++)
            if (n != head + 32)
                assert_int_equal(forms_of(str_head(buf_str(&b), n)), 0);
        buf_add_char(&b, 'x');
        assert_int_equal(forms_of(buf_str(&b)), 0);
        buf_done(&b);
    }
}

/* RFC 8446 4.4.3 */
static void verify_of_1_3_is_blanks_context_and_hash(void **state)
{
    check_verify_13("TLS 1.3, server CertificateVerify", IPC_SIGN_SERVER_13);
    check_verify_13("TLS 1.3, client CertificateVerify", IPC_SIGN_CLIENT_13);
}

static void bare_digests_have_no_form(void **state)
{
    char octets[256] = { 0 };

    for (size_t n = 0; n <= sizeof(octets); n++)
        assert_int_equal(forms_of(str_of(octets, n)), 0);
}

/* RFC 5246 7.4.3, RFC 8422 5.4 */
static void exchange_of_1_2_is_randoms_and_a_point(void **state)
{
    static const struct {
        unsigned char curve;
        unsigned char n;
    } curves[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 } };

    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        struct buf b = BUF_INIT(4096);

        for (int k = 0; k < 64; k++)
            buf_add_char(&b, 'r');
        buf_add(&b, str_of((char[]){ 3, 0, (char)curves[i].curve, (char)curves[i].n }, 4));
        for (int k = 0; k < curves[i].n; k++)
            buf_add_char(&b, 4);
        assert_int_equal(forms_of(buf_str(&b)), 1U << IPC_SIGN_SERVER_12);
        for (size_t n = 0; n < b.n; n++)
            assert_int_equal(forms_of(str_head(buf_str(&b), n)), 0);
        /* Kind of curve, curve, length. */
        for (size_t k = 64; k < 68; k++) {
            b.p[k] ^= 1;
            assert_int_equal(forms_of(buf_str(&b)), 0);
            b.p[k] ^= 1;
        }
        /* A compressed point is none (RFC 8422 5.4.1). */
        b.p[68] = 2;
        assert_int_equal(forms_of(buf_str(&b)), curves[i].curve > 25 ? 1U << IPC_SIGN_SERVER_12 : 0);
        b.p[68] = 4;
        buf_add_char(&b, 'x');
        assert_int_equal(forms_of(buf_str(&b)), 0);
        buf_done(&b);
    }
}

static void add_messages(struct buf *b, const char *types)
{
    for (; *types; types++) {
        buf_add(b, str_of((char[]){ *types, 0, 0, 5 }, 4));
        buf_add_c(b, "tttty");
    }
}

static unsigned forms_of_messages(const char *types)
{
    struct buf b = BUF_INIT(4096);
    unsigned found;

    add_messages(&b, types);
    found = forms_of(buf_str(&b));
    for (size_t n = 0; n < b.n && found; n++)
        assert_int_equal(forms_of(str_head(buf_str(&b), n)), 0);
    buf_done(&b);
    return found;
}

/* RFC 5246 7.4.8 */
static void verify_of_1_2_is_a_handshake_so_far(void **state)
{
    const unsigned client = 1U << IPC_SIGN_CLIENT_12;

    assert_int_equal(forms_of_messages("\1\2\13\14\15\16\13\20"), client);
    assert_int_equal(forms_of_messages("\1\2\13\26\14\15\16\13\20"), client);
    assert_int_equal(forms_of_messages("\1\2\13\15\16\13\20"), 0);
    assert_int_equal(forms_of_messages("\1\2\13\14\16\13\20"), 0);
    assert_int_equal(forms_of_messages("\2\1\13\14\15\16\13\20"), 0);
    assert_int_equal(forms_of_messages("\1\2\13\14\15\16\13\20\20"), 0);
    assert_int_equal(forms_of_messages("\1\2\13\14\15\16\20"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_of_1_3_is_blanks_context_and_hash),
        cmocka_unit_test(bare_digests_have_no_form),
        cmocka_unit_test(exchange_of_1_2_is_randoms_and_a_point),
        cmocka_unit_test(verify_of_1_2_is_a_handshake_so_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
