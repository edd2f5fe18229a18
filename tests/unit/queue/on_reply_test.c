/* Which `on-reply` a reply meets (FACE 1.9; RFC 5321 4.2.1, RFC 3463 2). */
#include "tests/unit/unit.h"

#include "queue/on_reply.h"

#define ANY CONFIG_STATUS_ANY

static const struct config_on_reply items[] = {
    { .status = { 4, 7, 28 }, .text = STR_INIT("unusual RATE") },
    { .code = 421, .text = STR_INIT("too many") },
    { .status = { 4, 7, 28 } },
    { .code = 451 },
    { .status = { 5, 7, ANY } },
    { .status = { 5, ANY, ANY } },
};

/* The place of the one that fits; -1: none. Text and status are exact heap copies. */
static int found(unsigned code, const char *status, const char *text)
{
    const struct config_on_replies rules = { items, ARRAY_LEN(items) };
    char *s = exact_copy(str_from_c(status)), *t = exact_copy(str_from_c(text));
    const struct config_on_reply *rule =
        on_reply_find(&rules, code, str_of(s, strlen(status)), str_of(t, strlen(text)));

    free(s);
    free(t);
    return rule ? (int)(rule - items) : -1;
}

static void the_first_that_fits_decides(void **state)
{
    (void)state;
    assert_int_equal(found(421, "4.7.28", "our system has detected an Unusual Rate of mail"), 0);
    assert_int_equal(found(421, "4.7.28", "TOO MANY connections"), 1);
    assert_int_equal(found(421, "4.7.28", "slow down"), 2);
    assert_int_equal(found(451, "4.7.1", "greylisted"), 3);
    assert_int_equal(found(550, "5.7.1", "unsolicited"), 4);
    assert_int_equal(found(550, "5.1.1", "no such user"), 5);
    assert_int_equal(found(452, "4.2.2", "full"), -1);
}

static void text_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(found(421, "", "too many"), 1);
    assert_int_equal(found(421, "", "x too many"), 1);
    assert_int_equal(found(421, "", "too manx"), -1);
    assert_int_equal(found(421, "", "too man"), -1);
    assert_int_equal(found(421, "", ""), -1);
}

static void a_reply_without_a_status_has_its_class(void **state)
{
    (void)state;
    assert_int_equal(found(550, "", "no"), 5);
    assert_int_equal(found(550, "5.x", "no"), 5);
    assert_int_equal(found(550, "5.7.1.2", "no"), 5);
    assert_int_equal(found(450, "", "no"), -1);
    assert_int_equal(found(0, "", "connection refused"), -1);
}

static void without_rules_none_fits(void **state)
{
    (void)state;
    const struct config_on_replies none = { 0 };

    assert_null(on_reply_find(&none, 421, STR("4.7.28"), STR("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_fits_decides),
        cmocka_unit_test(text_is_found_wherever_it_stands),
        cmocka_unit_test(a_reply_without_a_status_has_its_class),
        cmocka_unit_test(without_rules_none_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
