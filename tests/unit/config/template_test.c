/* Templates: what is put in is data, and a value never leaves its folder. */
#include "tests/unit/config/memory.h"

/* The template of `deliver maildir:PATH;`, in the arena of P. */
static const struct config_template *template_of(struct parsed *p, const char *path)
{
    struct buf text = BUF_INIT(1000);

    buf_printf(&text, "domain a.example { users system; deliver \"maildir:%s\"; }", path);
    parse_text(p, buf_str(&text));
    buf_done(&text);
    if (!p->c)
        fail_msg("%.*s", STR_ARG(buf_str(&p->out)));
    return &p->c->domains[0].route->targets[0].path;
}

static void values_are_put_in_and_never_looked_at_again(void **state)
{
    struct config_values values = { 0 };
    struct buf out = BUF_INIT(200);
    struct err err = { 0 };
    struct parsed p;

    (void)state;
    const struct config_template *t = template_of(&p, "/var/mail/{domain}/{user}{detail}/x");
    values.v[CONFIG_PLACEHOLDER_DOMAIN] = STR("example.org");
    values.v[CONFIG_PLACEHOLDER_USER] = STR("{detail}");
    values.v[CONFIG_PLACEHOLDER_DETAIL] = STR("${HOME}");
    buf_add_c(&out, ">");
    assert_true(config_template_expand(t, &values, CONFIG_EXPAND_PATH, &out, &err));
    assert_str_is(buf_str(&out), STR(">/var/mail/example.org/{detail}${HOME}/x"));
    assert_str_is(config_template_root(t), STR("/var/mail"));
    assert_str_is(config_template_text(t, p.arena), STR("/var/mail/{domain}/{user}{detail}/x"));
    assert_true(config_template_uses(t, CONFIG_PLACEHOLDER_DETAIL));
    assert_false(config_template_uses(t, CONFIG_PLACEHOLDER_HOME));
    buf_done(&out);
    parsed_done(&p);
}

static void a_value_that_is_no_name_fails_for_ever(void **state)
{
    static const struct str bad[] = { STR_INIT(""),    STR_INIT("."),    STR_INIT(".."), STR_INIT("/"),
                                      STR_INIT("a/b"), STR_INIT("../x"), STR_INIT("a\0b") };
    static const struct str good[] = { STR_INIT("..."), STR_INIT(".a"), STR_INIT("a b"), STR_INIT("\xc3\xa4") };
    struct config_values values = { 0 };
    struct buf out = BUF_INIT(200);
    struct parsed p;

    (void)state;
    const struct config_template *t = template_of(&p, "/m/.{user}");
    buf_add_c(&out, "kept");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = { 0 };
        char *copy = exact_copy(bad[i]);
        values.v[CONFIG_PLACEHOLDER_USER] = str_of(copy, bad[i].n);
        assert_false(config_template_expand(t, &values, CONFIG_EXPAND_PATH, &out, &err));
        assert_int_equal(err.kind, ERR_PERM);
        assert_str_is(buf_str(&out), STR("kept"));
        free(copy);
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        values.v[CONFIG_PLACEHOLDER_USER] = good[i];
        assert_true(config_template_expand(t, &values, CONFIG_EXPAND_PATH, &out, NULL));
    }
    buf_done(&out);
    parsed_done(&p);
}

static void a_value_nobody_has_fails_and_text_may_be_anything(void **state)
{
    struct config_values values = { 0 };
    struct buf out = BUF_INIT(200);
    struct err err = { 0 };
    struct parsed p;

    (void)state;
    const struct config_template *t = template_of(&p, "/m/{user}");
    assert_false(config_template_expand(t, &values, CONFIG_EXPAND_TEXT, &out, &err));
    assert_int_equal(err.kind, ERR_PERM);
    assert_string_equal(err.text, "{user} has no value here");
    values.v[CONFIG_PLACEHOLDER_USER] = STR("../a");
    assert_true(config_template_expand(t, &values, CONFIG_EXPAND_TEXT, &out, &err));
    assert_str_is(buf_str(&out), STR("/m/../a"));
    buf_done(&out);
    parsed_done(&p);
}

static void home_is_a_path_and_only_an_absolute_one(void **state)
{
    struct config_values values = { 0 };
    struct buf out = BUF_INIT(200);
    struct err err = { 0 };
    struct parsed p;

    (void)state;
    const struct config_template *t = template_of(&p, "{home}/Maildir");
    assert_int_equal(config_template_root(t).n, 0);
    values.v[CONFIG_PLACEHOLDER_HOME] = STR("/home/anna");
    assert_true(config_template_expand(t, &values, CONFIG_EXPAND_PATH, &out, &err));
    assert_str_is(buf_str(&out), STR("/home/anna/Maildir"));
    values.v[CONFIG_PLACEHOLDER_HOME] = STR("home");
    assert_false(config_template_expand(t, &values, CONFIG_EXPAND_PATH, &out, &err));
    assert_int_equal(err.kind, ERR_PERM);
    buf_done(&out);
    parsed_done(&p);
}

static void what_does_not_fit_is_tried_later(void **state)
{
    struct config_values values = { 0 };
    struct parsed p;

    (void)state;
    const struct config_template *t = template_of(&p, "/mail/{user}/x");
    values.v[CONFIG_PLACEHOLDER_USER] = STR("anna");
    for (size_t room = 0; room < 12; room++) {
        struct buf out = BUF_INIT(room);
        struct err err = { 0 };
        assert_false(config_template_expand(t, &values, CONFIG_EXPAND_PATH, &out, &err));
        assert_int_equal(err.kind, ERR_TEMP);
        assert_int_equal(out.n, 0);
        assert_false(out.failed);
        buf_done(&out);
    }
    parsed_done(&p);
}

static void the_root_is_the_folder_before_the_first_placeholder(void **state)
{
    static const struct {
        const char *path;
        const char *root;
    } rows[] = {
        { "/var/mail/{user}", "/var/mail" },
        { "/var/mail/x-{user}", "/var/mail" },
        { "/var/mail/all", "/var/mail" },
        { "/m/{domain}/{user}", "/m" },
        { "box/{user}", "/etc/veredus/box" },
        { "./box/{user}", "/etc/veredus/box" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct parsed p;
        assert_str_is(config_template_root(template_of(&p, rows[i].path)), str_from_c(rows[i].root));
        parsed_done(&p);
    }
    for (int i = 0; i < CONFIG_PLACEHOLDERS_N; i++)
        assert_int_equal(config_placeholder_find(config_placeholder_name((enum config_placeholder)i)), i);
    assert_int_equal(config_placeholder_find(STR("nobody")), CONFIG_PLACEHOLDER_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_put_in_and_never_looked_at_again),
        cmocka_unit_test(a_value_that_is_no_name_fails_for_ever),
        cmocka_unit_test(a_value_nobody_has_fails_and_text_may_be_anything),
        cmocka_unit_test(home_is_a_path_and_only_an_absolute_one),
        cmocka_unit_test(what_does_not_fit_is_tried_later),
        cmocka_unit_test(the_root_is_the_folder_before_the_first_placeholder),
    };

    return cmocka_run_group_tests_name("config/template", tests, NULL, NULL);
}
