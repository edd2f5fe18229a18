/* Base64 both ways (RFC 4648 4, 10). */
#include "tests/unit/unit.h"

#include "core/base64.h"

static const struct {
    const char *octets, *text;
} pairs[] = {
    { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};

static void the_examples_of_the_rfc_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct buf text = BUF_INIT(100), octets = BUF_INIT(100);
        assert_true(base64_add(&text, str_from_c(pairs[i].octets)));
        assert_str_is(buf_str(&text), str_from_c(pairs[i].text));
        assert_true(base64_read(&octets, buf_str(&text)));
        assert_str_is(buf_str(&octets), str_from_c(pairs[i].octets));
        buf_done(&text);
        buf_done(&octets);
    }
}

static void every_octet_survives_at_every_length(void **state)
{
    char all[256];

    (void)state;
    for (int i = 0; i < 256; i++)
        all[i] = (char)(i * 7);
    for (size_t n = 0; n <= sizeof(all); n++) {
        struct buf text = BUF_INIT(1000), octets = BUF_INIT(1000);
        char *copy = malloc(n ? n : 1);
        memcpy(copy, all, n);
        assert_true(base64_add(&text, str_of(copy, n)));
        assert_true(base64_read(&octets, buf_str(&text)));
        assert_str_is(buf_str(&octets), str_of(all, n));
        free(copy);
        buf_done(&text);
        buf_done(&octets);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Z===", "====", "Zm9v=", "Zg==Zg==", "Zm 9", "Zm9-", "Zh==", "Zm9=" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf out = BUF_INIT(100);
        if (base64_read(&out, str_from_c(bad[i])))
            fail_msg("'%s' was taken", bad[i]);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_go_both_ways),
        cmocka_unit_test(every_octet_survives_at_every_length),
        cmocka_unit_test(what_is_not_base64_is_refused),
    };

    return cmocka_run_group_tests_name("core/base64", tests, NULL, NULL);
}
