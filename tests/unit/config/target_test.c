/* A target outside of a configuration: what an administrator gives for one message, and how it is shown. */
#include "tests/unit/unit.h"

#include "config/target.h"

static bool parses(const char *text, struct buf *written, struct err *err)
{
    struct arena *a = arena_new(1 << 20);
    char *copy = exact_copy(str_from_c(text));
    const struct config_target *targets;
    size_t n = 0;
    bool ok = config_targets_parse(str_of(copy, str_from_c(text).n), a, &targets, &n, err);

    if (ok)
        assert_true(n > 0 && config_targets_write(written, targets, n));
    free(copy);
    arena_free(a);
    return ok;
}

static void hosts_are_read_and_written_alike(void **state)
{
    static const char *const rows[][2] = {
        { "mx", "mx" },
        { "mx:Example.ORG", "mx:example.org" },
        { "smtp://Relay.example.net", "smtp://relay.example.net" },
        { "smtp://relay.example.net:2525", "smtp://relay.example.net:2525" },
        { "smtp://192.0.2.1", "smtp://192.0.2.1" },
        { "smtps://Relay.example.net", "smtps://relay.example.net:465" },
        { "smtps://[2001:db8::1]:2465", "smtps://[2001:db8::1]:2465" },
        { "lmtp://[2001:db8::1]:24", "lmtp://[2001:db8::1]:24" },
        { "smtp://a.example  smtp://b.example:26", "smtp://a.example smtp://b.example:26" },
        { "\"mx\"", "mx" },
        { "mx # the rest is not meant", "mx" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(CONFIG_TARGETS_TEXT_MAX), again = BUF_INIT(CONFIG_TARGETS_TEXT_MAX);
        struct err err = { 0 };
        if (!parses(rows[i][0], &out, &err))
            fail_msg("%s: %s", rows[i][0], err.text);
        assert_str_is(buf_str(&out), str_from_c(rows[i][1]));
        /* What is kept is read as the same. */
        assert_true(parses(rows[i][1], &again, &err));
        assert_str_is(buf_str(&again), buf_str(&out));
        buf_done(&out);
        buf_done(&again);
    }
}

static void what_is_no_host_is_refused_in_the_words_of_a_configuration(void **state)
{
    static const char *const rows[][2] = {
        { "", "no target" },
        { " ", "no target" },
        { "maildir:/var/mail/x/", "not a host" },
        { "maildir:", "not a host" },
        { "pipe:", "not a host" },
        { "fail", "not a host" },
        { "lmtp:unix:/run/lmtp", "not a host" },
        { "hold", "not a host" },
        { "discard", "not a host" },
        { "fail \"5.1.1 no\"", "not a host" },
        { "smtp:relay.example", "did you mean 'smtp://relay.example'?" },
        { "frog", "'frog' is not known here" },
        { "smtp://user@host", "name and password are no part of a host" },
        { "smtp://{user}", "'{user}' cannot be part of a host" },
        { "${HOME}", "HOME" },
        { "mx;", "a target is words" },
        { "mx { port 26; }", "a target is words" },
        { "}", "a target is words" },
        { "\"mx", "quote" },
        { "mx mx mx mx mx mx mx mx", "more than" },
        { "mx\n;", "a target is words" },
        { "mx \x01", "" },
        { "mx \xff", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(CONFIG_TARGETS_TEXT_MAX);
        struct err err = { 0 };
        assert_false(parses(rows[i][0], &out, &err));
        assert_int_equal(err.kind, ERR_PERM);
        if (!str_contains(str_from_c(err.text), str_from_c(rows[i][1])))
            fail_msg("%s: %s", rows[i][0], err.text);
        buf_done(&out);
    }
}

static void without_memory_it_is_not_the_text_that_is_wrong(void **state)
{
    (void)state;
    for (size_t max = 0; max < 4000; max += 16) {
        struct arena *a = arena_new(max);
        const struct config_target *targets;
        struct err err = { 0 };
        size_t n;
        if (!config_targets_parse(STR("smtp://relay.example.net:26"), a, &targets, &n, &err))
            assert_int_equal(err.kind, ERR_TEMP);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_read_and_written_alike),
        cmocka_unit_test(what_is_no_host_is_refused_in_the_words_of_a_configuration),
        cmocka_unit_test(without_memory_it_is_not_the_text_that_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
