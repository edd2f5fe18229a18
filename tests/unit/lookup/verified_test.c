/* What next hops said is remembered: so many addresses, so long. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "lookup/verified.h"

static enum lookup_known known(struct lookup_verified *v, const char *local, int64_t now)
{
    return lookup_verified_get(v, str_from_c(local), STR("example.com"), now);
}

static void tell(struct lookup_verified *v, const char *local, bool exists, int64_t now)
{
    lookup_verified_put(v, str_from_c(local), STR("example.com"), exists, now);
}

static void those_that_exist_are_known_for_an_hour_others_for_ten_minutes(void **state)
{
    (void)state;
    struct lookup_verified v;

    lookup_verified_init(&v, 1, 10);
    assert_int_equal(known(&v, "anna", 0), LOOKUP_NOT_KNOWN);
    tell(&v, "anna", true, 0);
    tell(&v, "nobody", false, 0);
    assert_int_equal(known(&v, "anna", LOOKUP_UNKNOWN_MSEC), LOOKUP_EXISTS);
    assert_int_equal(known(&v, "Anna", 0), LOOKUP_NOT_KNOWN);
    assert_int_equal(lookup_verified_get(&v, STR("anna"), STR("example.org"), 0), LOOKUP_NOT_KNOWN);
    assert_int_equal(known(&v, "nobody", LOOKUP_UNKNOWN_MSEC - 1), LOOKUP_EXISTS_NOT);
    assert_int_equal(known(&v, "nobody", LOOKUP_UNKNOWN_MSEC), LOOKUP_NOT_KNOWN);
    assert_int_equal(known(&v, "anna", LOOKUP_EXISTS_MSEC - 1), LOOKUP_EXISTS);
    assert_int_equal(known(&v, "anna", LOOKUP_EXISTS_MSEC), LOOKUP_NOT_KNOWN);
    /* What is said later counts. */
    tell(&v, "anna", false, LOOKUP_EXISTS_MSEC);
    tell(&v, "anna", true, LOOKUP_EXISTS_MSEC + 1);
    assert_int_equal(known(&v, "anna", LOOKUP_EXISTS_MSEC + LOOKUP_UNKNOWN_MSEC), LOOKUP_EXISTS);
    assert_int_equal(v.map.n, 1);
    lookup_verified_done(&v);
}

static void the_one_asked_about_longest_ago_goes_first(void **state)
{
    (void)state;
    struct lookup_verified v;
    char name[16];

    lookup_verified_init(&v, 1, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        tell(&v, name, true, 0);
    }
    assert_int_equal(known(&v, "u0", 1), LOOKUP_EXISTS);
    for (int i = 100; i < 150; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        tell(&v, name, false, 1);
        assert_int_equal(v.map.n, 100);
    }
    assert_int_equal(known(&v, "u0", 1), LOOKUP_EXISTS);
    assert_int_equal(known(&v, "u1", 1), LOOKUP_NOT_KNOWN);
    assert_int_equal(known(&v, "u50", 1), LOOKUP_NOT_KNOWN);
    assert_int_equal(known(&v, "u51", 1), LOOKUP_EXISTS);
    assert_int_equal(known(&v, "u149", 1), LOOKUP_EXISTS_NOT);
    lookup_verified_done(&v);
}

/* A lesser process says what it likes. */
static void names_longer_than_any_are_not_kept(void **state)
{
    (void)state;
    struct lookup_verified v;
    char octets[300] = { 0 };

    lookup_verified_init(&v, 1, 10);
    lookup_verified_put(&v, str_of(octets, 255), STR("a"), true, 0);
    lookup_verified_put(&v, STR("a"), str_of(octets, 256), true, 0);
    assert_int_equal(v.map.n, 0);
    lookup_verified_put(&v, str_of(octets, 254), str_of(octets, 255), true, 0);
    lookup_verified_put(&v, STR_NONE, STR_NONE, true, 0);
    assert_int_equal(v.map.n, 2);
    assert_int_equal(lookup_verified_get(&v, str_of(octets, 254), str_of(octets, 255), 1), LOOKUP_EXISTS);
    assert_int_equal(lookup_verified_get(&v, str_of(octets, 255), str_of(octets, 255), 1), LOOKUP_NOT_KNOWN);
    lookup_verified_done(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_exist_are_known_for_an_hour_others_for_ten_minutes),
        cmocka_unit_test(the_one_asked_about_longest_ago_goes_first),
        cmocka_unit_test(names_longer_than_any_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
