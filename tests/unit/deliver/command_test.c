/* Commands of `pipe:` and of aliases: arguments and environment from an envelope that a stranger wrote. */
#include "tests/unit/deliver/server.h"

#include "deliver/command.h"

static const struct deliver_account list = { .name = "list", .home = "/var/list" };

/* The configuration of a domain whose deliver is the command /bin/take with ARGUMENTS, each between blanks. */
static const struct config *config_of(const char *arguments, struct arena *a)
{
    struct config_bundle bundle;
    const char *domain = arena_printf(a, "deliver pipe:/bin/take %s; alias-commands on;", arguments).p;

    return server_config_of(domain, &bundle, a);
}

static struct ipc_lease lease_of(void)
{
    return (struct ipc_lease){
        .id = 0x123456789abcdef,
        .user = STR("ada"),
        .detail = STR("x"),
        .domain = STR("example.org"),
        .address = STR("ada+x@example.org"),
        .original = STR("boss@example.org"),
        .sender = STR("carol@example.net"),
    };
}

static void are(const char *const *texts, const char *const *want)
{
    size_t i = 0;

    for (; want[i]; i++) {
        assert_non_null(texts[i]);
        assert_string_equal(texts[i], want[i]);
    }
    assert_null(texts[i]);
}

static void arguments_are(const char *arguments, struct ipc_lease lease, const char *const *want)
{
    struct arena *a = arena_new(1 << 20);
    struct mailbox_command command = { 0 };
    struct mailbox_failure failure = { 0 };

    if (!deliver_command(config_of(arguments, a), &lease, &list, a, &command, &failure))
        fail_msg("%s: %s", arguments, failure.err.text);
    are(command.argv, want);
    assert_string_equal(command.folder, "/var/list");
    arena_free(a);
}

static void fails(const char *arguments, struct ipc_lease lease, const char *code)
{
    struct arena *a = arena_new(1 << 20);
    struct mailbox_command command = { 0 };
    struct mailbox_failure failure = { 0 };

    assert_false(deliver_command(config_of(arguments, a), &lease, &list, a, &command, &failure));
    assert_string_equal(failure.code, code);
    arena_free(a);
}

static void placeholders_become_arguments(void **state)
{
    const char *const want[] = { "/bin/take", "ada", "x", "example.org", "--to=ada+x@example.org", "boss@example.org",
                                 "carol@example.net", "mail.example.org", "ada+x@example.org", NULL };

    (void)state;
    arguments_are("{user} {detail} {domain} --to={address} {original} {sender} {hostname} {recipients}",
                  lease_of(), want);
}

/* FACE 1.5: one argument whatever it contains. */
static void a_hostile_value_is_one_argument(void **state)
{
    const struct str hostile[] = {
        STR_INIT("a b"), STR_INIT("$(x);`x`|x&x>x"), STR_INIT("\"'\\"), STR_INIT("{user}"), STR_INIT("*"),
        STR_INIT("a\nb"), STR_INIT(""), STR_INIT("\377\1"), STR_INIT("() { :;}; x"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct ipc_lease lease = lease_of();
        const char *const want[] = { "/bin/take", hostile[i].p, "-f", hostile[i].p, NULL };
        lease.user = hostile[i];
        lease.sender = hostile[i];
        arguments_are("{user} -f {sender}", lease, want);
    }
}

static void a_value_is_never_an_option(void **state)
{
    struct ipc_lease lease = lease_of();
    const char *const behind[] = { "/bin/take", "--user=-rf", NULL };

    (void)state;
    lease.user = STR("-rf");
    fails("{user}", lease, "5.1.3");
    fails("{user}x", lease, "5.1.3");
    arguments_are("--user={user}", lease, behind);
    lease = lease_of();
    lease.sender = STR("-o@example.net");
    fails("-x {sender}", lease, "5.1.3");
    lease.sender = STR("a\0b");
    fails("{sender}", lease, "5.1.3");
    fails("x", lease, "5.1.3");
}

static void the_client_is_an_address_or_empty(void **state)
{
    struct ipc_lease lease = lease_of();
    const char *const four[] = { "/bin/take", "192.0.2.7", NULL }, *const none[] = { "/bin/take", "", NULL };

    (void)state;
    lease.client = STR("\0\0\0\0\0\0\0\0\0\0\377\377\300\0\2\7");
    arguments_are("{client}", lease, four);
    lease.client = STR_NONE;
    arguments_are("{client}", lease, none);
}

static void the_environment_is_made_anew(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct ipc_lease lease = lease_of();
    struct mailbox_command command = { 0 };
    struct mailbox_failure failure = { 0 };
    const char *const want[] = {
        "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/var/list", "USER=list", "LOGNAME=list", "SHELL=/bin/sh", "SENDER=",
        "RECIPIENT=ada+x@example.org", "ORIGINAL_RECIPIENT=boss@example.org", "LOCAL=ada", "EXTENSION=a=b\nPATH=/evil",
        "DOMAIN=example.org", NULL,
    };

    (void)state;
    lease.sender = STR("");
    lease.detail = STR("a=b\nPATH=/evil");
    assert_true(deliver_command(config_of("x", a), &lease, &list, a, &command, &failure));
    are(command.env, want);
    arena_free(a);
}

static bool alias(struct arena *a, const struct config *config, struct str text, struct mailbox_command *command,
                  struct mailbox_failure *failure)
{
    struct ipc_lease lease = lease_of();

    lease.kind = IPC_DELIVERY_COMMAND;
    lease.command = text;
    lease.route = 99; /* of no meaning for it */
    return deliver_command(config, &lease, &list, a, command, failure);
}

static void an_alias_says_its_own_arguments(void **state)
{
    struct arena *a = arena_new(1 << 20);
    const struct config *config = config_of("x", a);
    struct mailbox_command command = { 0 };
    struct mailbox_failure failure = { 0 };
    const char *const want[] = { "/usr/bin/x", "-a", "b c", "{user}", NULL };

    (void)state;
    assert_true(alias(a, config, STR("/usr/bin/x -a \"b c\" {user}"), &command, &failure));
    are(command.argv, want);
    assert_false(alias(a, config, STR("/usr/bin/x > /tmp/y"), &command, &failure));
    assert_string_equal(failure.code, "4.3.5");
    arena_free(a);
}

static void an_alias_has_commands_only_where_the_domain_allows_them(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct config_bundle bundle;
    const struct config *config = server_config_of("deliver maildir:/var/mail/{user};", &bundle, a);
    struct mailbox_command command = { 0 };
    struct mailbox_failure failure = { 0 };
    struct ipc_lease lease = lease_of();

    (void)state;
    assert_false(alias(a, config, STR("/usr/bin/x"), &command, &failure));
    assert_string_equal(failure.code, "5.7.1");
    lease.domain_index = IPC_NO_DOMAIN;
    assert_false(deliver_alias_allowed(config, &lease, &failure));
    arena_free(a);
}

static void the_account_is_that_of_the_process(void **state)
{
    struct deliver_account account;

    (void)state;
    deliver_account_find(&account);
    assert_true(account.name[0]);
    assert_int_equal(account.home[0], '/');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders_become_arguments),
        cmocka_unit_test(a_hostile_value_is_one_argument),
        cmocka_unit_test(a_value_is_never_an_option),
        cmocka_unit_test(the_client_is_an_address_or_empty),
        cmocka_unit_test(the_environment_is_made_anew),
        cmocka_unit_test(an_alias_says_its_own_arguments),
        cmocka_unit_test(an_alias_has_commands_only_where_the_domain_allows_them),
        cmocka_unit_test(the_account_is_that_of_the_process),
    };

    return cmocka_run_group_tests_name("deliver/command", tests, NULL, NULL);
}
