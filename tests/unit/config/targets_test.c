/* Where mail goes and for whom: every target and pattern of FACE 1.6, and what is said of those that are none. */
#include "tests/unit/config/rows.h"

static void hosts(void **state)
{
    static const struct row rows[] = {
        { "deliver mx;", NULL },
        { "deliver mx:example.net;", NULL },
        { "deliver mx:B\xc3\xbc" "cher.example;", NULL },
        { "deliver mx:;", "'' is not a domain: it is empty" },
        { "deliver mx:192.0.2.1x_;", "'192.0.2.1x_' is not a domain: '_' has no place in it" },
        { "deliver smtp://relay;", NULL },
        { "deliver smtp://Relay.example.net:2525;", NULL },
        { "deliver smtp://192.0.2.1:25 smtp://[2001:db8::1]:25 smtp://[2001:db8::2];", NULL },
        { "deliver mx smtp://a.example lmtp://b.example:24 lmtp:unix:/run/x;", NULL },
        { "deliver lmtp:unix:sockets/lmtp;", NULL },
        { "deliver smtp:relay.example;", "a host stands behind '//' (did you mean 'smtp://relay.example'?)" },
        { "deliver lmtp:/run/lmtp;", "a host stands behind '//' (did you mean 'lmtp:unix:/run/lmtp'?)" },
        { "deliver lmtp:unix:;", "the path is empty" },
        { "deliver lmtp://mail.example;",
          "LMTP has no port of its own (RFC 2033 5) (did you mean 'lmtp://mail.example:24'?)" },
        { "deliver lmtp://mail.example:25;", "LMTP is never spoken on port 25 (RFC 2033 5)" },
        { "deliver smtp://;", "'' is not a host with a port" },
        { "deliver smtp://:25;", "':25' is not a host with a port" },
        { "deliver smtp://a.example:0;", "'a.example:0' is not a host with a port" },
        { "deliver smtp://a.example:65536;", "'a.example:65536' is not a host with a port" },
        { "deliver smtp://a.example:smtp;", "'a.example:smtp' is not a host with a port" },
        { "deliver smtp://a.example/;", "'a.example/' is not a host with a port" },
        { "deliver smtp://anna@a.example;", "'anna@a.example' is not a host with a port" },
        { "deliver smtp://2001:db8::1;", "'2001:db8::1' is not a host with a port (did you mean '[2001:db8::1]'?)" },
        { "deliver smtp://192.0.2;", "'192.0.2' is not a host with a port" },
        { "deliver smtp://192.0.2.999:25;", "'192.0.2.999:25' is not a host with a port" },
        { "deliver smtp://[192.0.2.1;", "'[192.0.2.1' is not a host with a port" },
        { "deliver smtp://{domain};", "'{domain}' cannot be part of a host" },
        { "deliver lmtp:unix:/run/{user};", "'{user}' cannot be part of a host" },
        { "deliver smtps://a.example smtps://b.example:2465;", NULL },
        { "deliver smtps:a.example;", "a host stands behind '//' (did you mean 'smtps://a.example'?)" },
        { "deliver smpt://a.example;", "unknown scheme 'smpt:' (did you mean 'smtp:'?)" },
    };

    (void)state;
    check_rows("domain example.org { users any; ", " }", rows, ARRAY_LEN(rows));
}

static void mailboxes_and_commands(void **state)
{
    static const struct row rows[] = {
        { "deliver mbox:/var/mail/{user};", NULL },
        { "deliver mbox:boxes/{user}.mbox;", NULL },
        { "deliver mbox:/var/mail/all;", NULL },
        { "deliver mbox:/var/mail/{user}/;", "an mbox is a file, not a folder" },
        { "deliver mbox:{user};", "mailboxes need a folder of their own" },
        { "deliver mbox:/m/{sender};", "'{sender}' cannot be part of the path of a mailbox" },
        { "deliver mbox:/m/{recipients};", "'{recipients}' cannot be part of the path of a mailbox" },
        { "deliver pipe:/usr/bin/x;", NULL },
        { "deliver pipe:/usr/bin/x -d {user}@{domain} --from={sender} {client} {id} {hostname};", NULL },
        { "deliver pipe:/usr/bin/x {original} {address} {detail} -- {recipients};", NULL },
        { "deliver pipe:/usr/bin/x \"two words {user}\" \"\" mx maildir:/x;", NULL },
        { "deliver pipe:/usr/bin/x --to={recipients};", "'{recipients}' is one argument for each recipient" },
        { "deliver pipe:/usr/bin/x {usr};", "unknown placeholder '{usr}' (did you mean '{user}'?)" },
        { "deliver pipe:/usr/bin/x {account};", "'{account}' is not built yet" },
        { "deliver pipe:/usr/bin/x {home};", "'{home}' is known of the accounts of this machine only" },
        { "deliver pipe:/usr/bin/{user};", "'{user}' cannot be part of the path of a command" },
        { "deliver pipe:bin/x;", "a command is written with its whole path" },
        { "deliver pipe:;", "a command is written with its whole path" },
        { "deliver pipe://host/x;", "a command is written with its whole path" },
        { "deliver pipe:/usr/bin/;", "a command is written with its whole path" },
        { "deliver bsmtp:/x;", "'bsmtp:' is not built yet" },
        { "deliver mx pipe:/usr/bin/x;", "this target stands alone: only hosts are tried in turn" },
        { "deliver maildir:/m/{user} mx;", "this target stands alone: only hosts are tried in turn" },
    };

    (void)state;
    check_rows("domain example.org { users any; ", " }", rows, ARRAY_LEN(rows));
}

static void nowhere(void **state)
{
    static const struct row rows[] = {
        { "deliver hold;", NULL },
        { "deliver discard;", NULL },
        { "deliver fail \"5.1.6 gone\";", NULL },
        { "deliver fail gone;", NULL },
        { "deliver fail \"5.123.999 gone\";", NULL },
        { "deliver fail \"550 5.1.1 gone\";", NULL },
        { "deliver fail \"5.1 gone\";", NULL },
        { "deliver defer \"4.3.2 later\";", NULL },
        { "deliver fail \"4.1.6 gone\";", "the status of 'fail' begins with 5 (did you mean '5.1.6'?)" },
        { "deliver defer \"5.3.2 later\";", "the status of 'defer' begins with 4 (did you mean '4.3.2'?)" },
        { "deliver fail \"2.1.5 fine\";", "the status of 'fail' begins with 5 (did you mean '5.1.5'?)" },
        { "deliver fail \"5.1.6\";", "the text says nothing to who sent the message" },
        { "deliver fail \"\";", "the text says nothing to who sent the message" },
        { "deliver fail \"5.1.6 two\nlines\";", "the text of a reply is one line of ASCII" },
        { "deliver fail \"5.1.6 \xc3\xa4\";", "the text of a reply is one line of ASCII" },
        { "deliver fail \"5.1.6 {user}\";", "'{user}' cannot be part of a reply" },
        { "deliver fail;", "'deliver' needs more: target…" },
        { "deliver fail gone away;", "'away' is not known here" },
        { "deliver hold mx;", "this target stands alone: only hosts are tried in turn" },
        { "deliver holds;", "'holds' is not known here (did you mean 'hold'?)" },
    };

    (void)state;
    check_rows("domain example.org { users any; ", " }", rows, ARRAY_LEN(rows));
}

static void who_asks_the_next_hop_has_one(void **state)
{
    static const struct row rows[] = {
        { "deliver mx;", NULL },
        { "deliver lmtp://127.0.0.1:8024;", NULL },
        { "deliver hold;", "'ask' asks the next hop, and this domain is delivered here" },
        { "deliver pipe:/x;", "'ask' asks the next hop, and this domain is delivered here" },
        { "deliver mx; deliver-as list;", "'deliver-as' changes nothing: no mail of this domain is delivered here" },
        { "deliver mx; deliver-as list; } route a@example.org mbox:/m/{user}; domain b.example { users any; deliver hold;",
          NULL },
        { "deliver mx; deliver-as vmail; alias-commands on;", NULL },
    };

    (void)state;
    check_rows("domain example.org { users ask; ", " }", rows, ARRAY_LEN(rows));
}

static void patterns(void **state)
{
    static const struct row rows[] = {
        { "route * mx;", NULL },
        { "route example.net .example.net anna@example.net mx;", NULL },
        { "route \"\\\"john doe\\\"@example.net\" mx;", NULL },
        { "route B\xc3\xbc" "cher.example mx;", NULL },
        { "route localhost smtp://127.0.0.1:2525;", NULL },
        { "route a+b@example.net hold;", NULL },
        { "route example.net;", "this route has no target" },
        { "route example.net discrad;", "this route has no target (did you mean 'discard'?)" },
        { "route mx;", "patterns come before the first target" },
        { "route;", "'route' needs more: pattern… target… [block]" },
        { "route * smpt://a.example;", "unknown scheme 'smpt:' (did you mean 'smtp:'?)" },
        { "route * /var/mail/{user};", "'/var/mail/{user}' has no scheme (did you mean 'maildir:/var/mail/{user}'?)" },
        { "route * mx example.net;", "'example.net' is not known here" },
        { "route *.example.net mx;", "'*.example.net' is not a pattern (did you mean '.example.net'?)" },
        { "route *@example.net mx;", "'*@example.net' is not a pattern (did you mean 'example.net'?)" },
        { "route @example.net mx;", "a pattern for a whole domain is the domain (did you mean 'example.net'?)" },
        { "route a*b.example mx;", "'a*b.example' is not a pattern" },
        { "route . mx;", "'' is not a domain: it is empty" },
        { "route ..example mx;", "'.example' is not a domain: a label of it is empty" },
        { "route \"a b@example.net\" mx;", "'a b@example.net' is not an address, local-part@domain" },
        { "route anna@ mx;", "'' is not a domain: it is empty" },
        { "route <> mx;", "no mail goes to '<>'" },
        { "route {domain} mx;", "'{domain}' is not a pattern: it would have to be known when the configuration is read" },
        { "route table:x mx;", "'table:' is not built yet" },
        { "route \"regex:^a\" mx;", "'regex:' is not built yet" },
        { "route * maildir:{home}/Maildir;", "'{home}' is known of the accounts of this machine only" },
        { "route * mx { senders <> example.net .example.net a@example.org *; }", NULL },
        { "route * mx { senders *.example.net; }", "'*.example.net' is not a pattern (did you mean '.example.net'?)" },
        { "route * mx { senders regex:x; }", "'regex:' is not built yet" },
        { "route * mx { listeners; }", "'listeners' needs more: word…" },
        { "route * mx { listeners a/b; }", "'a/b' is not the name of a listener" },
        { "route * mx { port 25; }", NULL },
        { "route * mx { login a file:/b; }", "a log-in is for a host that is named" },
        { "route * mx { users any; }", "'users' cannot stand here" },
        { "route * mx { port 2525; reuse 1; expire 1d; }", NULL },
        { "senders example.net;", "'senders' cannot stand here" },
        { "domain a.example { users any; deliver mx; senders b.example; }", "'senders' cannot stand here" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(mailboxes_and_commands),
        cmocka_unit_test(nowhere),
        cmocka_unit_test(who_asks_the_next_hop_has_one),
        cmocka_unit_test(patterns),
    };

    return cmocka_run_group_tests_name("config/targets", tests, NULL, NULL);
}
