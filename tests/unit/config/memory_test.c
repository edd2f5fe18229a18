/* However little memory a configuration may take: it is refused as such, or whole; never anything between. */
#include "tests/unit/config/memory.h"

static const struct memory_pair files[] = {
    { "/etc/v/v.conf", STR_INIT("hostname ${NAME}; include conf.d/*.conf; limit client messages 5/h;\n"
                                "log file:x json; public-address 192.0.2.1; timeout command 1m;\n") },
    { "/etc/v/conf.d/a.conf",
      STR_INIT("domain b\xc3\xbc" "cher.example { users file:u; aliases file:a; catch-all a@b;\n"
               "  deliver \"maildir:/m/{domain}/$${x} {user}\"; }\n"
               "listen ${PORTS} { allow-from 192.0.2.0/24; limit all messages 5/s; }\n") },
    { "/etc/v/conf.d/b.conf",
      STR_INIT("relay-from file:c 192.0.2.1; resolver 192.0.2.1 for a.example; retry 1m; bounce-content full;\n"
               "domain c.example { users ask; deliver smtp://h:25 lmtp:unix:x; deliver-as list; }\n"
               "domain d.example { users any; deliver pipe:/bin/x {user}x \"\" {recipients}; }\n"
               "route a@b.example ${NAME} \"\\\"x\\\"@y.example\" mx:z.example { senders <> a; listeners mx-25; }\n"
               "route a@b.example fail \"5.1.6 gone\"; connections 5;\n") },
    { "/etc/w", STR_INIT("hostnam x; listen 25 submision; domain a { deliver mailbox:/x; users /y; }\n"
                         "relay-from 0.0.0.0/0; vrfy maybe; vrfy ${X}; limit x y z;\n"
                         "route a; route b smpt:x; route *.x mx { sender x; listeners l; } resolver x;\n") },
    { "/etc/x", STR_INIT("route a.example mx; route a.example mx { listeners l; } route A.example mx; retry 1h;\n"
                         "route b.example mx { senders c d; } route b.example mx { senders d; }\n") },
    { NULL, STR_INIT("") },
};
static const struct memory_pair environment[] = {
    { "NAME", STR_INIT("mail.example.org") },
    { "PORTS", STR_INIT("25,26") },
    { NULL, STR_INIT("") },
};

/* Parses ROOT in arenas of 1, 2, 3, ... octets until memory is enough. */
static void grow(struct str root, bool good)
{
    struct memory m = { .files = files, .env = environment };
    struct config_reader reader = memory_reader(&m);
    struct config_source source = { .root = root };
    bool enough = false;

    for (size_t max = 1; !enough; max += max < 4096 ? 1 : 61) {
        struct arena *a = arena_new(max);
        struct config_diagnostics diag;
        const struct config *c = NULL;
        struct buf out = BUF_INIT(1 << 16);

        bool ok = config_parse(&reader, &source, a, &c, &diag);
        enough = ok || !diag.exhausted;
        assert_int_equal(ok, c != NULL);
        assert_true(ok || diag.exhausted || diag.errors);
        assert_true(!enough || ok == good);
        assert_true(config_diagnostics_render(&diag, &out));
        assert_true(ok || out.n);
        if (ok)
            assert_true(config_show(c, STR_NONE, &out));
        buf_done(&out);
        arena_free(a);
    }
}

static void a_good_configuration_is_whole_or_refused(void **state)
{
    (void)state;
    grow(STR("/etc/v/v.conf"), true);
}

static void a_wrong_configuration_is_never_taken(void **state)
{
    (void)state;
    grow(STR("/etc/w"), false);
    grow(STR("/etc/x"), false);
}

static void a_bundle_is_decoded_whole_or_refused(void **state)
{
    struct memory m = { .files = files, .env = environment };
    struct config_reader disk = memory_reader(&m);
    struct config_source source = { .root = STR("/etc/v/v.conf") };
    struct arena *a = arena_new(MEMORY_ARENA);
    struct buf blob = BUF_INIT(1 << 16);
    struct config_diagnostics diag;
    struct config_bundle bundle;
    const struct config *c;
    bool enough = false;

    (void)state;
    assert_true(config_bundle_record(&bundle, &source, &disk, a));
    struct config_reader reader = config_bundle_reader(&bundle);
    assert_true(config_parse(&reader, &source, a, &c, &diag));
    assert_true(config_bundle_encode(&bundle, &blob, NULL));
    for (size_t max = 0; !enough; max++) {
        struct arena *small = arena_new(max);
        struct err err = { 0 };
        enough = config_bundle_decode(buf_str(&blob), small, &bundle, &err);
        assert_true(enough || err.kind == ERR_TEMP);
        arena_free(small);
    }
    buf_done(&blob);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_configuration_is_whole_or_refused),
        cmocka_unit_test(a_wrong_configuration_is_never_taken),
        cmocka_unit_test(a_bundle_is_decoded_whole_or_refused),
    };

    return cmocka_run_group_tests_name("config/memory", tests, NULL, NULL);
}
