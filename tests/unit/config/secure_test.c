/* Certificates, TLS on both sides, log-ins and where passwords are: each right, wrong, by default and inherited. */
#include "tests/unit/config/rows.h"

#define HASH    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HASH_IN "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"

static const struct config *parse_well(struct parsed *p, const char *text)
{
    char *copy = exact_copy(str_from_c(text));

    parse_text(p, str_of(copy, strlen(text)));
    free(copy);
    if (!p->c)
        fail_msg("%.*s", STR_ARG(buf_str(&p->out)));
    return p->c;
}

static void assert_shows(const char *text, const char *want)
{
    struct parsed p;

    parse_text(&p, str_from_c(text));
    assert_str_is(buf_str(&p.out), str_from_c(want));
    parsed_done(&p);
}

/* ---- listeners ---- */

static void a_listener_is_what_its_role_makes_of_it(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "tls { certificate /c /k; }\n"
                                            "listen 25; listen 587 submission; listen 465 submission tls;\n"
                                            "listen unix:/run/x submission; listen systemd:s submission;\n");
    const struct config_listener *mx = &c->listeners[0], *users = &c->listeners[1], *at_once = &c->listeners[2];
    assert_int_equal(mx->role, CONFIG_ROLE_MX);
    assert_false(mx->require.tls || mx->require.auth || mx->tls_at_once || mx->tls.session_tickets.on);
    assert_false(mx->session.hide_client.on || mx->session.complete_headers.on);
    assert_int_equal(mx->session.auth.n, 0);
    assert_int_equal(mx->future_release.msec, 0);
    assert_int_equal(mx->tls.n_certificates, 1);
    assert_int_equal(users->role, CONFIG_ROLE_SUBMISSION);
    assert_true(users->require.tls && users->require.auth && users->tls.session_tickets.on);
    assert_true(users->session.hide_client.on && users->session.complete_headers.on);
    assert_false(users->tls_at_once || users->require.relay_exempt);
    assert_int_equal(users->session.auth.n, 1);
    assert_int_equal(users->session.auth.items[0].kind, CONFIG_AUTH_USERS);
    assert_int_equal(users->session.n_mechanisms, 0);
    assert_int_equal(users->future_release.msec, 7 * 24 * 3600 * 1000);
    assert_str_is(users->name.text, STR("submission-587"));
    assert_true(at_once->tls_at_once && at_once->require.tls);
    assert_str_is(c->listeners[3].name.text, STR("submission-unix"));
    assert_str_is(c->listeners[4].name.text, STR("submission-s"));
    parsed_done(&p);
}

static void what_a_listener_says_holds_before_the_top(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "auth pam:x; mechanisms plain SCRAM-SHA-256; hide-client off; complete-headers on;\n"
                       "tls { certificate /c; }\n"
                       "listen 25 { auth none; complete-headers off; future-release 1h; }\n"
                       "listen 587 submission { require tls; auth users file:/f dovecot:/s pam:y; mechanisms LOGIN;\n"
                       "  hide-client on; future-release off; relay-from ::1; }\n"
                       "listen 588 submission { require none; }\n");
    const struct config_listener *mx = &c->listeners[0], *users = &c->listeners[1], *rest = &c->listeners[2];
    assert_int_equal(mx->session.auth.n, 0);
    assert_false(mx->session.complete_headers.on || mx->session.hide_client.on);
    assert_int_equal(mx->future_release.msec, 3600 * 1000);
    assert_true(users->require.tls && !users->require.auth && users->require.relay_exempt);
    assert_int_equal(users->session.auth.n, 4);
    assert_int_equal(users->session.auth.items[2].kind, CONFIG_AUTH_DOVECOT);
    assert_str_is(users->session.auth.items[2].where, STR("/s"));
    assert_str_is(users->session.auth.items[3].where, STR("y"));
    assert_int_equal(users->session.n_mechanisms, 1);
    assert_str_is(users->session.mechanisms[0].text, STR("LOGIN"));
    assert_true(users->session.hide_client.on && users->session.complete_headers.on);
    assert_int_equal(users->future_release.msec, 0);
    assert_false(rest->require.tls || rest->require.auth || rest->session.hide_client.on);
    assert_int_equal(rest->session.auth.items[0].kind, CONFIG_AUTH_PAM);
    assert_int_equal(rest->session.n_mechanisms, 2);
    assert_str_is(rest->session.mechanisms[0].text, STR("PLAIN"));
    parsed_done(&p);
}

static void what_listeners_must_have(void **state)
{
    static const struct row rows[] = {
        { "require tls auth;", NULL },
        { "require none;", NULL },
        { "require auth;", NULL },
        { "require tls none;", "'none' is not known here" },
        { "require tsl;", "'tsl' is not known here (did you mean 'tls'?)" },
        { "require tls tls;", "'tls' is said twice" },
        { "require;", "'require' needs more: (tls | auth | none)…" },
        { "auth none;", "this listener requires a log-in and 'auth' is none" },
        { "auth none; require tls;", NULL },
        { "auth none; relay-from ::1;", NULL },
        { "auth none; relay-from none;", "this listener requires a log-in and 'auth' is none" },
        { "future-release 2d;", NULL },
        { "future-release 400d;", "'400d' is too much: 'future-release' is 31622400000 at most" },
        { "future-release on;", "'on' is not a time" },
        { "future-release;", "'future-release' needs more: time | off" },
        { "hide-client yes;", "'yes' is not 'on' or 'off'" },
        { "tls none;", "this listener requires TLS and has no certificate" },
        { "tls none; require auth;", "passwords come inside TLS only, and this listener has no certificate" },
        { "tls none; require none; auth none;", NULL },
        { "tls { }", "this 'tls' block has no 'certificate' | this listener requires TLS and has no certificate" },
    };
    static const struct row top[] = {
        { "listen 465 submission tls { require none; auth none; }", "a listener with 'tls' needs a certificate" },
        { "listen 25 { auth users; }", "passwords come inside TLS only, and this listener has no certificate" },
        { "auth users; listen 25;", "passwords come inside TLS only, and this listener has no certificate" },
        { "listen 25 { require tls; }", "this listener requires TLS and has no certificate" },
        { "listen 25 { require auth; tls { certificate /c; } }",
          "this listener requires a log-in and 'auth' is none" },
        { "tls { certificate /c; } listen 587 submission { mechanisms EXTERNAL PLAIN; }",
          "EXTERNAL goes by certificates, and no client is asked for one" },
        { "tls { certificate /c; client-certificates ask; } mechanisms EXTERNAL; listen 587 submission; listen 25;", NULL },
        { "require tls;", "'require' cannot stand here" },
        { "certificate /c;", "'certificate' cannot stand here" },
    };

    (void)state;
    check_rows("tls { certificate /c; } listen 587 submission { ", " }", rows, ARRAY_LEN(rows));
    at_top(top, ARRAY_LEN(top));
    assert_shows("listen 587 submission;\n",
                 "/etc/veredus/veredus.conf:1:8: error: this listener requires TLS and has no certificate\n"
                 "    1 | listen 587 submission;\n"
                 "      |        ^^^ such as: tls { certificate /etc/veredus/tls/mail.pem; }\n");
    assert_shows("tls { min-version 1.3; }\n",
                 "/etc/veredus/veredus.conf:1:1: warning: this 'tls' block has no 'certificate'\n"
                 "    1 | tls { min-version 1.3; }\n"
                 "      | ^^^ without one no TLS is offered here; write 'tls none;' if that is meant\n");
}

/* ---- tls ---- */

static void tls_blocks(void **state)
{
    static const struct row rows[] = {
        { "certificate /c /k;", NULL },
        { "certificate /a; certificate /b;", NULL },
        { "certificate /a /b /c;", "'/c' is too much for 'certificate'" },
        { "certificate;", "'certificate' needs more: path [path]" },
        { "certificate \"\";", "the path is empty" },
        { "certificate /c; min-version 1.3; ciphers ECDHE+AESGCM; session-tickets on; client-certificates require;"
          "client-ca ca.pem;", NULL },
        { "certificate /c; min-version 1.1;", "'1.1' is no value of 'min-version' (did you mean '1.2'?)" },
        { "certificate /c; client-certificates maybe;", "'maybe' is no value of 'client-certificates'" },
        { "certificate /c; ciphers \"A B\";", "'A B' is not one row of ASCII characters" },
        { "certificate /c; ciphers \"\";", "'' is not of a length that can be meant" },
        { "certificate /c; min-version 1.2; min-version 1.3;", "'min-version' is said twice" },
        { "certificat /c;", "unknown directive 'certificat' (did you mean 'certificate'?)" },
        { "certificate /c; hostname a.example;", "'hostname' cannot stand here" },
    };
    static const struct row top[] = {
        { "tls;", "'tls' needs a block" },
        { "tls none;", NULL },
        { "tls off;", "'off' is not 'none', the only word that may stand here" },
        { "tls none { }", "'tls none' takes no block" },
        { "tls { certificate /c; } tls { certificate /d; }", "'tls' is said twice" },
        { "tls-reports on;", "'tls-reports' is not built yet" },
        { "report-from a@b.example;", "'report-from' is not built yet" },
    };

    (void)state;
    check_rows("tls { ", " }", rows, ARRAY_LEN(rows));
    at_top(top, ARRAY_LEN(top));
}

static void each_pair_is_one_certificate(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c =
        parse_well(&p, "tls { certificate /a.pem; certificate b.crt b.key; min-version 1.3; ciphers X; }\n"
                       "listen 25; listen 26 { tls { certificate /etc/veredus/b.crt /etc/veredus/b.key; certificate /c;\n"
                       "  session-tickets on; client-certificates ask; client-ca ca; } }\n"
                       "listen 27 { tls none; }\n"
                       "route a.example smtp://b.example { client-certificate /a.pem; }\n");
    const struct config_tls *first = &c->listeners[0].tls, *second = &c->listeners[1].tls;
    assert_int_equal(c->n_certificates, 3);
    for (size_t i = 0; i < c->n_certificates; i++)
        assert_int_equal(c->certificates[i].index, i);
    assert_str_is(c->certificates[0].key, STR("/a.pem"));
    assert_str_is(c->certificates[1].chain, STR("/etc/veredus/b.crt"));
    assert_string_equal(config_rule(c, c->certificates[1].place).c, "veredus.conf:1");
    assert_int_equal(first->n_certificates, 2);
    assert_ptr_equal(first->certificates[1], &c->certificates[1]);
    assert_int_equal(first->min_version.value, 0x0304);
    assert_str_is(first->ciphers.text, STR("X"));
    assert_false(first->session_tickets.on);
    assert_int_equal(first->client_certificates.value, CONFIG_CLIENT_CERTIFICATES_OFF);
    assert_int_equal(second->n_certificates, 2);
    assert_ptr_equal(second->certificates[0], first->certificates[1]);
    assert_int_equal(second->min_version.value, 0x0303);
    assert_int_equal(second->ciphers.text.n, 0);
    assert_true(second->session_tickets.on);
    assert_int_equal(second->client_certificates.value, CONFIG_CLIENT_CERTIFICATES_ASK);
    assert_str_is(second->client_ca.text, STR("/etc/veredus/ca"));
    assert_int_equal(c->listeners[2].tls.n_certificates, 0);
    assert_ptr_equal(c->routes[0].client_certificate, &c->certificates[0]);
    parsed_done(&p);
}

static void fingerprints_are_octets(void **state)
{
    struct str want = str_of(HASH_IN HASH_IN, 32);
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "relay-from certificate:sha256:" HASH " 192.0.2.1;\n"
                                            "route * mx { tls-level fingerprint " HASH " sha256:" HASH "; }\n");
    assert_int_equal(c->session.n_relay_certificates, 1);
    assert_str_is(c->session.relay_certificates[0].text, want);
    assert_int_equal(c->session.relay_from.n, 1);
    assert_int_equal(c->routes[0].sending.tls.level, CONFIG_TLS_FINGERPRINT);
    assert_int_equal(c->routes[0].sending.tls.n_hashes, 2);
    assert_str_is(c->routes[0].sending.tls.hashes[1], want);
    parsed_done(&p);
}

/* ---- accounts ---- */

static void where_passwords_are(void **state)
{
    static const struct row rows[] = {
        { "auth users;", NULL },
        { "auth none;", NULL },
        { "auth file:/u dovecot:/run/d pam:veredus;", NULL },
        { "auth users none;", "'none' is not known here" },
        { "auth user;", "'user' is not known here (did you mean 'users'?)" },
        { "auth /u;", "'/u' has no scheme (did you mean 'file:/u'?)" },
        { "auth dovcot:/x;", "unknown scheme 'dovcot:' (did you mean 'dovecot:'?)" },
        { "auth pam:a/b;", "'pam:a/b' is not the name of a service of PAM" },
        { "auth pam:;", "'pam:' is not the name of a service of PAM" },
        { "auth table:x;", "'table:' is not built yet" },
        { "auth sqlite:/x ldap:x;", "'sqlite:' is not built yet | 'ldap:' is not built yet" },
        { "auth oauth:company;", "there is no 'oauth' block 'company'" },
        { "auth;", "'auth' needs more: (users | table…) | none" },
        { "mechanisms PLAIN login Scram-Sha-256 SCRAM-SHA-256-PLUS EXTERNAL OAUTHBEARER XOAUTH2;", NULL },
        { "mechanisms CRAM-MD5;", "there is no mechanism 'CRAM-MD5' here" },
        { "mechanisms SCRAM-SHA256;", "there is no mechanism 'SCRAM-SHA256' here (did you mean 'SCRAM-SHA-256'?)" },
        { "mechanisms PLAIN plain;", "'PLAIN' is said twice" },
        { "send-as own;", NULL },
        { "send-as any;", NULL },
        { "send-as file:/a file:b;", NULL },
        { "send-as own any;", "'own' stands alone: it is no table | 'any' stands alone: it is no table" },
        { "send-as /a;", "'/a' has no scheme (did you mean 'file:/a'?)" },
        { "send-as regex:/a;", "'regex:' is not built yet" },
        { "send-as everyone;", "'everyone' is not known here" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void a_domain_has_accounts_of_its_own(void **state)
{
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "auth pam:x; send-as file:s; tls { certificate /c; }\n"
                                            "listen 587 submission { auth users; }\n"
                                            "domain a.example { users file:/u; deliver mx; auth dovecot:/d; send-as any; }\n"
                                            "domain b.example { users file:/v; deliver mx; }\n"
                                            "domain c.example { users file:/w; deliver mx; auth none; }\n");
    assert_int_equal(c->domains[0].auth.items[0].kind, CONFIG_AUTH_DOVECOT);
    assert_int_equal(c->domains[0].send_as.kind, CONFIG_SEND_AS_ANY);
    assert_int_equal(c->domains[1].auth.n, 1);
    assert_int_equal(c->domains[1].auth.items[0].kind, CONFIG_AUTH_USERS);
    assert_int_equal(c->domains[1].send_as.kind, CONFIG_SEND_AS_FILE);
    assert_str_is(c->domains[1].send_as.files[0].text, STR("/etc/veredus/s"));
    assert_int_equal(c->domains[2].auth.n, 0);
    assert_int_equal(c->send_as.n_files, 1);
    parsed_done(&p);
    c = parse_well(&p, "");
    assert_int_equal(c->send_as.kind, CONFIG_SEND_AS_OWN);
    parsed_done(&p);
}

static void token_issuers(void **state)
{
    static const struct row rows[] = {
        { "issuer https://i; keys /k; audience a;", NULL },
        { "issuer https://i; introspection https://i/x; audience a;", NULL },
        { "issuer https://i; keys /k;",
          "without 'audience' a token that was made for any other service logs in here" },
        { "issuer https://i; introspection http://127.0.0.1:8080/x me env:X; audience a b; login-claim sub;", NULL },
        { "issuer https://i; keys http://[::1]/k; audience a;", NULL },
        { "issuer https://i; keys http://i.example/k;",
          "'http://i.example/k' is not an URL that begins with https://, or with http:// and this machine" },
        { "issuer https://i; keys http://127.0.0.1.example/k;",
          "'http://127.0.0.1.example/k' is not an URL that begins with https://, or with http:// and this machine" },
        { "issuer https://i; keys https://;",
          "'https://' is not an URL that begins with https://, or with http:// and this machine" },
        { "issuer https://i;", "this 'oauth' block has neither 'keys' nor 'introspection'" },
        { "keys /k;", "this 'oauth' block has no 'issuer'" },
        { "issuer https://i; introspection https://i me;", "'introspection' needs more: url [name secret]" },
        { "issuer https://i; introspection https://i me secret;",
          "a secret is not written here, only where it stands" },
        { "issuer https://i; keys /k; audience;", "'audience' needs more: text…" },
        { "issuer https://i; keys /k; users any;", "'users' cannot stand here" },
    };
    static const struct row top[] = {
        { "oauth a { issuer https://a; keys /k; } oauth a { issuer https://b; keys /k; }", "oauth 'a' is said twice" },
        { "oauth a;", "'oauth' needs a block" },
        { "oauth { issuer https://a; keys /k; }", "'oauth' needs more: word block" },
        { "oauth company { issuer https://a; keys /k; } auth oauth:compny;",
          "there is no 'oauth' block 'compny' (did you mean 'oauth:company'?)" },
        { "issuer https://a;", "'issuer' cannot stand here" },
        { "oauth a { issuer https://a; keys /k; }", "nobody uses this issuer" },
    };
    struct parsed p;

    (void)state;
    check_rows("auth oauth:a; oauth a { ", " }", rows, ARRAY_LEN(rows));
    at_top(top, ARRAY_LEN(top));
    const struct config *c = parse_well(
        &p, "auth oauth:b oauth:a; tls { certificate /c; } listen 587 submission;\n"
            "oauth a { issuer https://a; keys k.json; audience x y; }\n"
            "oauth b { issuer https://b; introspection https://b/i me file:s; login-claim sub; }\n");
    const struct config_auths *auth = &c->listeners[0].session.auth;
    assert_int_equal(c->n_oauths, 2);
    assert_ptr_equal(auth->items[0].oauth, &c->oauths[1]);
    assert_ptr_equal(auth->items[1].oauth, &c->oauths[0]);
    assert_int_equal(c->oauths[1].index, 1);
    assert_str_is(c->oauths[0].keys, STR("/etc/veredus/k.json"));
    assert_str_is(c->oauths[0].login_claim, STR("email"));
    assert_int_equal(c->oauths[0].n_audiences, 2);
    assert_str_is(c->oauths[0].audiences[1], STR("y"));
    assert_str_is(c->oauths[1].client, STR("me"));
    assert_str_is(c->oauths[1].secret.written, STR("file:/etc/veredus/s"));
    assert_str_is(c->oauths[1].login_claim, STR("sub"));
    parsed_done(&p);
}

/* ---- routes ---- */

static void levels(void **state)
{
    static const struct row rows[] = {
        { "tls-level auto;", NULL },
        { "tls-level none;", NULL },
        { "tls-level may;", NULL },
        { "tls-level encrypt;", NULL },
        { "tls-level verify;", NULL },
        { "tls-level verify a.example B.example;", NULL },
        { "tls-level secure a.example;", NULL },
        { "tls-level fingerprint " HASH ";", NULL },
        { "tls-level dane;", "'dane' is not built yet" },
        { "tls-level dane-only;", "'dane-only' is not built yet" },
        { "tls-level verfy;", "'verfy' is not known here (did you mean 'verify'?)" },
        { "tls-level may a.example;", "'a.example' is too much for 'tls-level'" },
        { "tls-level fingerprint;", "'tls-level' needs more: level [argument…]" },
        { "tls-level fingerprint abc;", "'abc' is not a SHA-256, 64 digits of hex" },
        { "tls-level verify a_b;", "'a_b' is not a domain: '_' has no place in it" },
        { "tls-ca /ca;", NULL },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    check_rows("route * smtp://a.example { ", " }", rows, ARRAY_LEN(rows));
}

static void logins(void **state)
{
    static const struct row rows[] = {
        { "login me file:/s;", NULL },
        { "login me env:RELAY_PASSWORD;", NULL },
        { "login me credential:relay.password;", NULL },
        { "login none;", NULL },
        { "login \"\" file:/s;", NULL },
        { "login me hunter2;", "a secret is not written here, only where it stands" },
        { "login me /etc/secret;", "a secret is not written here, only where it stands" },
        { "login me;", "'login' needs more: name secret" },
        { "login me file:;", "the path is empty" },
        { "login me env:;", "'env:' is not the name of a variable or of a credential" },
        { "login me env:A-B;", "'env:A-B' is not the name of a variable or of a credential" },
        { "login me credential:../x;", "'credential:../x' is not the name of a variable or of a credential" },
        { "login me file:/s; tls-level may;", "a password is sent inside verified TLS only" },
        { "login me file:/s; tls-level auto;", "a password is sent inside verified TLS only" },
        { "login me file:/s; tls-level encrypt;", "a password is sent inside verified TLS only" },
        { "login me file:/s; tls-level secure;", NULL },
        { "login me file:/s; fallback mx;", "a log-in is for a host that is named" },
        { "login me file:/s; client-certificate /c /k;", NULL },
        { "accounts a.example b@c.example .d.example *;", NULL },
        { "accounts <>;", "'<>' is no account" },
        { "accounts table:x;", "'table:' is not built yet" },
    };
    static const struct row top[] = {
        { "route * mx { login me file:/s; }", "a log-in is for a host that is named" },
        { "route * mx:a.example { login me file:/s; }", NULL },
        { "route * lmtp:unix:/x { login me file:/s; }", "a log-in is for a host that is named" },
        { "route * hold { login me file:/s; }", "a log-in is for a host that is named" },
        { "route * smtps://a.example { tls-level none; }", "smtps:// without TLS cannot be" },
        { "domain a.example { users any; deliver smtp://b.example; login me file:/s; tls-ca /c; }", NULL },
        { "domain a.example { users any; deliver mx; accounts a.example; }", "'accounts' cannot stand here" },
        { "login me file:/s;", "'login' cannot stand here" },
    };

    (void)state;
    check_rows("route * smtp://a.example { ", " }", rows, ARRAY_LEN(rows));
    at_top(top, ARRAY_LEN(top));
}

static void a_log_in_is_never_below_verify(void **state)
{
    struct config_sending merged;
    struct parsed p;

    (void)state;
    const struct config *c = parse_well(&p, "tls-level may; tls-ca /top;\n"
                                            "route a.example smtps://h.example { login me env:X; }\n"
                                            "route b.example smtp://h.example:587 { tls-ca /own; tls-level secure x.example; }\n"
                                            "route c.example smtp://h.example;\n"
                                            "route d.example smtp://h.example { login \"\" file:/none; }\n"
                                            "site weak { domains a.example; tls-level none; }\n"
                                            "site strong { domains x.example; tls-level fingerprint " HASH "; }\n");
    const struct config_route *a = &c->routes[0], *b = &c->routes[1];
    assert_int_equal(a->targets[0].port, 465);
    assert_true(a->targets[0].tls_at_once && a->sending.login);
    assert_int_equal(a->sending.tls.level, CONFIG_TLS_VERIFY);
    assert_int_equal(a->sending.tls.n_names, 0);
    assert_str_is(a->login_name.text, STR("me"));
    assert_int_equal(a->login_secret.kind, CONFIG_SECRET_ENV);
    assert_str_is(a->login_secret.where, STR("X"));
    assert_str_is(a->login_secret.written, STR("env:X"));
    assert_str_is(a->sending.tls_ca.text, STR("/top"));
    assert_str_is(b->sending.tls_ca.text, STR("/own"));
    assert_int_equal(b->sending.tls.level, CONFIG_TLS_SECURE);
    assert_str_is(b->sending.tls.names[0], STR("x.example"));
    assert_true(b->sending.said & CONFIG_SAID_TLS_LEVEL);
    assert_int_equal(c->routes[2].sending.tls.level, CONFIG_TLS_MAY);
    assert_int_equal(c->routes[3].login_name.text.n, 0);
    assert_int_equal(c->routes[3].login_secret.kind, CONFIG_SECRET_NONE);
    assert_int_equal(c->routes[3].sending.tls.level, CONFIG_TLS_MAY);
    config_sending_merge(&a->sending, &c->sites[0].sending, &merged);
    assert_int_equal(merged.tls.level, CONFIG_TLS_VERIFY);
    config_sending_merge(&a->sending, &c->sites[1].sending, &merged);
    assert_int_equal(merged.tls.level, CONFIG_TLS_FINGERPRINT);
    config_sending_merge(&c->routes[2].sending, &c->sites[0].sending, &merged);
    assert_int_equal(merged.tls.level, CONFIG_TLS_NONE);
    config_sending_merge(&b->sending, &c->sites[0].sending, &merged);
    assert_int_equal(merged.tls.level, CONFIG_TLS_SECURE);
    parsed_done(&p);
}

static void routes_by_account(void **state)
{
    static const struct row rows[] = {
        { "route * mx { accounts a.example; } route * smtp://b;", NULL },
        { "route * mx { accounts a.example; } route * smtp://b { accounts c.example; }", NULL },
        { "route * mx { accounts a.example; } route * smtp://b { accounts A.example; }",
          "'*' has a route with these conditions already" },
        { "route * mx { accounts a.example c.example; } route * smtp://b { accounts a.example; senders d.example; }",
          "this route for '*' can never match" },
        { "route * mx { accounts a.example; } route * smtp://b { senders a.example; }", NULL },
    };
    struct parsed p;

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    const struct config *c = parse_well(&p, "route * smtp://b { accounts a.example x@y.example; }");
    assert_int_equal(c->n_routes, 2);
    assert_int_equal(c->routes[0].accounts.n, 2);
    assert_str_is(c->routes[0].accounts.items[1].local, STR("x"));
    parsed_done(&p);
}

/* ---- secrets and needs ---- */

/* Whatever the program is told of a wrong password, the password is not in it. */
static void a_secret_is_in_no_message(void **state)
{
    struct buf said = BUF_INIT(1000);
    struct parsed p;

    (void)state;
    parse_text(&p, STR("route * smtp://a.example { login me hunter2; }"));
    assert_int_equal(p.diag.n, 1);
    assert_true(config_diagnostic_error(&p.diag.items[0], &said));
    assert_false(str_contains(buf_str(&said), STR("hunter2")));
    assert_false(str_contains(p.diag.items[0].cure, STR("hunter2")));
    assert_false(str_contains(buf_str(&p.out), STR("hunter2")));
    assert_true(str_contains(buf_str(&p.out), STR("write file:PATH")));
    parsed_done(&p);
    buf_done(&said);
}

/* Workers are sent the texts: what an environment secret is, or a file's content, is no part of them. */
static void a_secret_is_not_in_the_bundle(void **state)
{
    const struct memory_pair files[] = {
        { "/v.conf", STR_INIT("route * smtp://a.example { login me env:SECRET; }\n"
                              "route b.example smtp://a.example { login me file:/secret; }\n") },
        { "/secret", STR_INIT("hunter3") },
        { NULL, STR_INIT("") },
    };
    const struct memory_pair env[] = { { "SECRET", STR_INIT("hunter2") }, { NULL, STR_INIT("") } };
    struct memory m = { .files = files, .env = env };
    struct config_reader inner = memory_reader(&m), reader;
    struct config_source source = { .root = STR("/v.conf") };
    struct arena *arena = arena_new(1 << 20);
    struct buf blob = BUF_INIT(CONFIG_BUNDLE_MAX);
    struct config_bundle bundle;
    struct parsed p;

    (void)state;
    assert_true(config_bundle_record(&bundle, &source, &inner, arena));
    reader = config_bundle_reader(&bundle);
    parse_source(&p, &reader, &source);
    assert_non_null(p.c);
    assert_true(config_bundle_encode(&bundle, &blob, NULL));
    assert_true(str_contains(buf_str(&blob), STR("env:SECRET")));
    assert_false(str_contains(buf_str(&blob), STR("hunter")));
    parsed_done(&p);
    buf_done(&blob);
    arena_free(arena);
}

static void what_must_be_had_is_listed_once(void **state)
{
    static const struct {
        enum config_need_kind kind;
        const char *what;
    } want[] = {
        { CONFIG_NEED_USERS_FILE, "/u" },          { CONFIG_NEED_CERTIFICATE, "/c" },
        { CONFIG_NEED_CERTIFICATE, "/d" },         { CONFIG_NEED_KEY, "/k" },
        { CONFIG_NEED_CERTIFICATE, "/e" },         { CONFIG_NEED_CLIENT_CA, "/ca" },
        { CONFIG_NEED_OAUTH_KEYS, "/j" },          { CONFIG_NEED_OAUTH_SECRET, "credential:i" },
        { CONFIG_NEED_PAM_SERVICE, "p" },          { CONFIG_NEED_AUTH_FILE, "/f" },
        { CONFIG_NEED_AUTH_SOCKET, "/s" },         { CONFIG_NEED_SEND_AS_FILE, "/a" },
        { CONFIG_NEED_AUTH_FILE, "/u" },           { CONFIG_NEED_TLS_CA, "/t" },
        { CONFIG_NEED_LOGIN_SECRET, "file:/etc/veredus/x" },
    };
    struct parsed p;
    size_t at = 0;

    (void)state;
    const struct config *c = parse_well(
        &p, "tls { certificate /c; certificate /d /k; client-ca /ca; } listen 25; listen 465 submission tls;\n"
            "listen 587 submission { auth users pam:p oauth:o file:/f dovecot:/s; } listen 588 submission { auth pam:p; }\n"
            "oauth o { issuer https://i; keys /j; introspection https://i/x me credential:i; }\n"
            "oauth r { issuer https://r; keys https://r/keys; }\n"
            "domain a.example { users file:/u; deliver mx; send-as file:/a; }\n"
            "tls-ca /t; route b.example smtp://h { login me file:x; client-certificate /e; }\n"
            "route c.example smtp://h { login me file:x; } route d.example smtp://h { login \"\" file:y; }\n");
    for (size_t i = 0; i < c->n_needs; i++) {
        const struct config_need *need = &c->needs[i];
        if (need->kind < CONFIG_NEED_AUTH_FILE && need->kind != CONFIG_NEED_USERS_FILE)
            continue;
        assert_true(at < ARRAY_LEN(want));
        assert_int_equal(need->kind, want[at].kind);
        assert_str_is(need->what, str_from_c(want[at].what));
        assert_true(need->place.line);
        at++;
    }
    assert_int_equal(at, ARRAY_LEN(want));
    parsed_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_is_what_its_role_makes_of_it),
        cmocka_unit_test(what_a_listener_says_holds_before_the_top),
        cmocka_unit_test(what_listeners_must_have),
        cmocka_unit_test(tls_blocks),
        cmocka_unit_test(each_pair_is_one_certificate),
        cmocka_unit_test(fingerprints_are_octets),
        cmocka_unit_test(where_passwords_are),
        cmocka_unit_test(a_domain_has_accounts_of_its_own),
        cmocka_unit_test(token_issuers),
        cmocka_unit_test(levels),
        cmocka_unit_test(logins),
        cmocka_unit_test(a_log_in_is_never_below_verify),
        cmocka_unit_test(routes_by_account),
        cmocka_unit_test(a_secret_is_in_no_message),
        cmocka_unit_test(a_secret_is_not_in_the_bundle),
        cmocka_unit_test(what_must_be_had_is_listed_once),
    };

    return cmocka_run_group_tests_name("config/secure", tests, NULL, NULL);
}
