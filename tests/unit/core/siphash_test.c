/* SipHash-2-4 gives what its authors say it does. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "core/siphash.h"

/* Appendix A of the paper: the key 00 01 … 0f, the text 00 01 … 0e; and the first ones of its authors' vectors. */
static void it_is_the_hash_of_the_paper(void **state)
{
    (void)state;
    static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
    static const struct {
        size_t n;
        uint64_t hash;
    } rows[] = { { 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 7, 0xab0200f58b01d137 },
                 { 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 } };
    char text[16];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *copy = exact_copy(str_of(text, rows[i].n));
        assert_true(siphash(str_of(copy, rows[i].n), key) == rows[i].hash);
        free(copy);
    }
}

static void each_octet_counts(void **state)
{
    (void)state;
    static const uint64_t key[2] = { 1, 2 }, other[2] = { 1, 3 };
    char text[24] = { 0 };
    uint64_t was = siphash(str_of(text, sizeof(text)), key);

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = 1;
        assert_true(siphash(str_of(text, sizeof(text)), key) != was);
        text[i] = 0;
    }
    assert_true(siphash(str_of(text, sizeof(text)), key) == was);
    assert_true(siphash(str_of(text, sizeof(text) - 1), key) != was);
    assert_true(siphash(str_of(text, sizeof(text)), other) != was);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_hash_of_the_paper),
        cmocka_unit_test(each_octet_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
