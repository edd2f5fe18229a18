/*
 * The configurations of the reference: at a glance (FACE 1.1) and the ten (FACE 1.10). Of each exactly what is not
 * built yet is refused, with its line; the rest of it is right.
 */
#include "tests/unit/config/memory.h"

#include <stdio.h>

static const struct memory_pair environment[] = {
    { "MAIL_HOSTNAME", STR_INIT("mail.example.org") },
    { "RELAY_HOST", STR_INIT("relay.example.org") },
    { NULL, STR_INIT("") },
};

/* The file, and "LINE WORD" of each refusal. */
static const struct {
    const char *name;
    const char *refused;
} examples[] = {
    { "at-a-glance",
      "" },
    { "null-client",
      "" },
    { "one-domain",
      "3 filter, 11 dovecot:" },
    { "two-domains",
      "17 dkim-sign" },
    { "backup-mx",
      "" },
    { "printers",
      "" },
    { "routes-and-sources",
      "4 table:, 5 table, 9 source, 10 source, 14 source, 15 source" },
    { "tenants",
      "2 table:, 4 table, 9 source, 10 source, 11 tenant, 12 "
      "tenant, 13 table, 23 webhook" },
    { "mailing-lists",
      "6 regex:" },
    { "behind-another",
      "2 lmtp, 3 lmtp, 5 table:, 10 table" },
    { "container",
      "12 metrics" },
};

static struct str read_example(const char *name, char *room, size_t size)
{
    char path[500];

    snprintf(path, sizeof(path), "%s/%s.conf", EXAMPLES, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(room, 1, size, f);
    fclose(f);
    assert_true(n && n < size);
    return str_of(room, n);
}

static void parse_example(const char *name, struct parsed *p)
{
    char text[8192];
    struct memory_pair files[] = { { "/etc/veredus/veredus.conf", STR_NONE }, { NULL, STR_NONE } };
    struct memory m = { .files = files, .env = environment };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/veredus/veredus.conf") };

    files[0].value = read_example(name, text, sizeof(text));
    parse_source(p, &reader, &source);
}

static void the_examples_of_the_reference_are_refused_only_where_not_built(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct buf said = BUF_INIT(10000);
        struct parsed p;

        parse_example(examples[i].name, &p);
        for (struct str rest = buf_str(&p.out); rest.p;) {
            struct str line = str_cut(&rest, '\n'), number, text;
            if (!str_starts(line, STR("/etc/veredus/veredus.conf:")))
                continue;
            str_cut(&line, ':');
            number = str_cut(&line, ':');
            str_cut(&line, ':');
            text = str_skip(line, sizeof(" error: '") - 1);
            if (!str_ends(text, STR("' is not built yet")))
                fail_msg("%s: %.*s", examples[i].name, STR_ARG(buf_str(&p.out)));
            text = str_head(text, str_find(text, '\''));
            buf_printf(&said, "%s%.*s %.*s", said.n ? ", " : "", STR_ARG(number), STR_ARG(text));
        }
        assert_str_is(buf_str(&said), str_from_c(examples[i].refused));
        parsed_done(&p);
        buf_done(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_reference_are_refused_only_where_not_built),
    };

    return cmocka_run_group_tests_name("config/examples", tests, NULL, NULL);
}
