/* Each kind of value: what is taken, and what is said of all else. */
#include "tests/unit/config/rows.h"

#include "config/names.h"
#include "config/number.h"

static void sizes_and_counts(void **state)
{
    /* C041: what is accepted cannot be set below 100 recipients, nor (C053) a line below 1000 octets. */
    static const struct row rows[] = {
        { "max-message-size 1;", NULL },
        { "max-message-size 50M;", NULL },
        { "max-message-size 1G;", NULL },
        { "max-message-size 0;", "'0' is too little: 'max-message-size' is 1 at least" },
        { "max-message-size 50m;", "'50m' is not a number (did you mean '50M'?)" },
        { "max-message-size 50MB;", "'50MB' is not a number (did you mean '50M'?)" },
        { "max-message-size 10KiB;", "'10KiB' is not a number (did you mean '10k'?)" },
        { "max-message-size lots;", "'lots' is not a number" },
        { "max-message-size -1;", "'-1' is not a number" },
        { "max-message-size 99999999999999999999;", "'99999999999999999999' is not a number" },
        { "max-message-size 17179869184G;", "'17179869184G' is not a number" },
        { "max-message-size 5000G;", "'5000G' is too much: 'max-message-size' is 1099511627776 at most" },
        { "max-message-size;", "'max-message-size' needs more: size" },
        { "max-message-size 1 2;", "'2' is too much for 'max-message-size'" },
        { "max-recipients 100;", NULL },
        { "max-recipients 99;", "'99' is too little: 'max-recipients' is 100 at least" },
        { "max-line-length 999;", "'999' is too little: 'max-line-length' is 1000 at least" },
        { "max-sessions auto;", NULL },
        { "max-sessions 2k;", NULL },
        { "max-sessions 0;", "'0' is too little: 'max-sessions' is 1 at least" },
        { "workers receive auto;", NULL },
        { "workers send 4;", NULL },
        { "workers queue 4;", "'queue' is not a kind of process that can be counted: receive, send" },
        { "workers receive;", "'workers' needs more: (receive | send) (count | auto)" },
        { "min-free 10%;", NULL },
        { "min-free 2G;", NULL },
        { "min-free 101%;", "'101%' is not a size or a percentage" },
        { "min-free %;", "'%' is not a size or a percentage" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void times(void **state)
{
    static const struct row rows[] = {
        { "error-delay 0s;", NULL },
        { "error-delay 1m30s;", NULL },
        { "error-delay 250ms;", NULL },
        { "error-delay 90;", "'90' is not a time (did you mean '90s'?)" },
        { "error-delay 30s1m;", "'30s1m' is not a time" },
        { "error-delay 1s1s;", "'1s1s' is not a time" },
        { "error-delay 1y;", "'1y' is not a time" },
        { "error-delay 2h;", "'2h' is too much: 'error-delay' is 3600000 at most" },
        { "error-delay \"\";", "'' is not a time" },
        { "timeout command 5m;", NULL },
        { "timeout transaction 1d;", NULL },
        { "timeout lookup 100ms;", NULL },
        { "timeout command 0s;", "'0s' is too little: 'timeout' is 1 at least" },
        { "timeout connect 30s;", NULL },
        { "timeout final 10m; timeout quit 10s;", NULL },
        { "timeout filter 30s;", "'filter' is not built yet" },
        { "timeout comand 30s;", "'comand' is not known here (did you mean 'command'?)" },
        { "timeout command;", "'timeout' needs more: kind time" },
    };
    uint64_t msec;

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
    assert_true(config_number_time(STR("1w2d3h4m5s6ms"), &msec));
    assert_int_equal(msec, ((((7 + 2) * 24ULL + 3) * 60 + 4) * 60 + 5) * 1000 + 6);
    assert_false(config_number_time(STR("30500568905w"), &msec));
    assert_false(config_number_time(STR(""), &msec));
}

static void rates_and_limits(void **state)
{
    static const struct row rows[] = {
        { "limit client connections 20;", NULL },
        { "limit network messages 100/h reject;", NULL },
        { "limit sender recipients 3/10s reject;", NULL },
        { "limit sender recipients 3/10s hold;", NULL },
        { "limit sender-domain octets 500M/d defer;", NULL },
        { "limit all sessions 5/s;", NULL },
        { "limit client unknown-recipients none;", NULL },
        { "limit client messages 5;", "'5' is not a rate (did you mean '5/h'?)" },
        { "limit client connections 5/h;", "'5/h' is not a count" },
        { "limit client messages 5/0s;", "'5/0s' is not a rate, such as 100/h or 3/10s" },
        { "limit client messages 5/;", "'5/' is not a rate, such as 100/h or 3/10s" },
        { "limit client messages 5/y;", "'5/y' is not a rate, such as 100/h or 3/10s" },
        { "limit client messages 5/h/h;", "'5/h/h' is not a rate, such as 100/h or 3/10s" },
        { "limit client messages 0/h;", "'0/h' is not within reason: 1 at least" },
        { "limit account messages 5/h;", NULL },
        { "limit account octets 1G/d hold;", NULL },
        { "limit account auth-failures 5/m;", NULL },
        { "limit account connections 5;", "'connections' cannot be counted for each account" },
        { "limit account sessions 5/h;", "'sessions' cannot be counted for each account" },
        { "limit sender auth-failures 5/h;", "'auth-failures' cannot be counted for each sender" },
        { "limit client auth-failures 5/h hold;", "'hold' keeps what is taken: messages, recipients or octets" },
        { "limit client connections 5 hold;", "'hold' keeps what is taken: messages, recipients or octets" },
        { "limit tenant messages 5/h;", "'tenant' is not built yet" },
        { "limit client auth-failures 5/h;", NULL },
        { "limit network auth-failures 5/h reject;", NULL },
        { "limit cleint messages 5/h;", "'cleint' is not known here (did you mean 'client'?)" },
        { "limit client mesages 5/h;", "'mesages' is not known here (did you mean 'messages'?)" },
        { "limit client messages 5/h refuse;", "'refuse' is not known here" },
        { "limit sender connections 5;", "'connections' cannot be counted for each sender" },
        { "limit client messages 5/h defer now;", "'now' is too much for 'limit'" },
        { "limit client;", "'limit' needs more: key measure value [defer | reject | hold]" },
        { "limit client messages 5/h; limit client messages 6/h;", "'limit' is said twice" },
        { "limit client messages 5/h; limit client recipients 6/h;", NULL },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void limits_of_a_domain_are_about_recipients(void **state)
{
    static const struct row rows[] = {
        { "domain a.example { users any; deliver maildir:/m/{user}; limit client recipients 5/h; limit all octets 1G/d; "
          "limit sender unknown-recipients 5/h reject; }", NULL },
        { "domain a.example { users any; deliver maildir:/m/{user}; limit client connections 5; }",
          "'connections' cannot be counted for a domain" },
        { "domain a.example { users any; deliver maildir:/m/{user}; limit client recipients none; }",
          "'none' takes nothing away in 'domain'" },
        { "domain a.example { users any; deliver maildir:/m/{user}; limit client sessions 5/h; "
          "limit all messages 5/h reject; limit client errors 5/h; }",
          "'sessions' cannot be counted for a domain | 'messages' cannot be counted for a domain | "
          "'errors' cannot be counted for a domain" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void names_of_hosts_and_domains(void **state)
{
    static const struct row rows[] = {
        { "hostname mail.example.org;", NULL },
        { "hostname MAIL.Example.ORG;", NULL },
        { "hostname b\xc3\xbc" "cher.example;", NULL },
        { "hostname mail;", "'mail' has no dot: it is not a full host name" },
        { "hostname 192.0.2.1;", "'192.0.2.1' is an address, not a name" },
        { "hostname mail..org;", "'mail..org' is not a host name: a label of it is empty" },
        { "hostname mail.example.org.;", "'mail.example.org.' is not a host name: a label of it is empty" },
        { "hostname -mail.example.org;", "'-mail.example.org' is not a host name: a label of it begins or ends with '-'" },
        { "hostname mail_1.example.org;", "'mail_1.example.org' is not a host name: '_' has no place in it" },
        { "hostname none;", "'none' has no dot: it is not a full host name" },
        { "hostname \"\";", "'' is not a host name: it is empty" },
        { "hostname a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;",
          "'a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…' is not a host name: "
          "a label of it is longer than 63 octets" },
        { "hostname \xe2\x98\x83\xef\xbf\xbd.example;",
          "'\xe2\x98\x83\xef\xbf\xbd.example' is not a host name: it is not an internationalised domain name (RFC 5891)" },
        { "origin localhost;", NULL },
        { "origin a@b;", "'a@b' is not a domain: '@' has no place in it" },
        { "domain a.example A.EXAMPLE { users any; deliver maildir:/m/{user}; }", "domain 'a.example' is said twice" },
        { "domain table:x { users any; deliver maildir:/m/{user}; }", "'table:' is not built yet" },
        { "domain file:/x b_.example { users any; deliver maildir:/m/{user}; }",
          "'file:' is not built yet | 'b_.example' is not a domain: '_' has no place in it" },
        { "domain .example { users any; deliver maildir:/m/{user}; }",
          "'.example' is not a domain: a label of it is empty" },
        { "domain a.example;", "'domain' needs a block" },
        { "domain { users any; deliver maildir:/m/{user}; }", "'domain' needs more: (domain | table)… block" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void addresses_of_both_kinds(void **state)
{
    static const struct row rows[] = {
        { "postmaster anna@example.org;", NULL },
        { "postmaster none;", NULL },
        { "postmaster \"\\\"a b\\\"@example.org\";", NULL },
        { "postmaster \"\\\"a\\\\\\\"b\\\"@example.org\";", NULL },
        { "postmaster j\xc3\xb6rg@b\xc3\xbc" "cher.example;", NULL },
        { "postmaster anna;", "'anna' is not an address, local-part@domain" },
        { "postmaster @example.org;", "'@example.org' is not an address, local-part@domain" },
        { "postmaster a..b@example.org;", "'a..b@example.org' is not an address, local-part@domain" },
        { "postmaster \"a b@example.org\";", "'a b@example.org' is not an address, local-part@domain" },
        { "postmaster \"\\\"a\\\"b\\\"@example.org\";", "'\"a\"b\"@example.org' is not an address, local-part@domain" },
        { "postmaster <anna@example.org>;", "'<anna@example.org>' is not an address, local-part@domain" },
        { "postmaster anna@-x;", "'-x' is not a domain: a label of it begins or ends with '-'" },
        { "public-address 192.0.2.25 2001:db8::25 [::2];", NULL },
        { "public-address 192.0.2.256;", "'192.0.2.256' is not an IP address" },
        { "public-address [192.0.2.2];", "'[192.0.2.2]' is not an IP address" },
        { "public-address;", "'public-address' needs more: address…" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void networks(void **state)
{
    static const struct row rows[] = {
        { "allow-from 192.0.2.0/24 [2001:db8::]/32 ::1 [::2];", NULL },
        { "allow-from none;", NULL },
        { "allow-from 0.0.0.0/0;", NULL },
        { "allow-from 192.0.2.1/24;", "'192.0.2.1/24' has bits beyond its prefix (did you mean '192.0.2.0/24'?)" },
        { "allow-from 2001:db8::1/32;", "'2001:db8::1/32' has bits beyond its prefix (did you mean '2001:db8::/32'?)" },
        { "allow-from 192.0.2.0/33;", "the prefix of '192.0.2.0/33' is longer than the address" },
        { "allow-from 192.0.2.0/;", "'192.0.2.0/' is not a network" },
        { "allow-from 192.0.2/24;", "'192.0.2/24' is not a network" },
        { "allow-from [::1;", "'[::1' is not a network" },
        { "allow-from everyone;", "'everyone' is not a network" },
        { "allow-from 10.0.0.0/8 none x;", "'none' is not a network | 'x' is not a network" },
        { "allow-from;", "'allow-from' needs more: network…" },
        { "relay-from 192.0.2.0/24 [2001:db8::]/32 ::1;", NULL },
        { "relay-from none;", NULL },
        { "relay-from file:/etc/veredus/clients 192.0.2.1 file:more;", NULL },
        { "relay-from 0.0.0.0/0;", "'0.0.0.0/0' would make this an open relay" },
        { "relay-from 192.0.2.0/99 192.0.2.1/8;",
          "the prefix of '192.0.2.0/99' is longer than the address | '192.0.2.1/8' has bits beyond its prefix (did you "
          "mean '192.0.0.0/8'?)" },
        { "relay-from 192.0.2.1/0;", "'192.0.2.1/0' would make this an open relay" },
        { "relay-from ::/0 192.0.2.0/24;", "'::/0' would make this an open relay" },
        { "relay-from certificate:sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF;",
          "a listener that this is for asks no client for a certificate" },
        { "relay-from certificate:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:"
          "EE:FF ::1; tls { certificate /c; client-certificates ask; }", NULL },
        { "relay-from certificate:sha256:00;", "'sha256:00' is not a SHA-256, 64 digits of hex" },
        { "relay-from certificate:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0;",
          "'00112233445566778899aabbccddeeff00112233445566778899aabbccdd…' is not a SHA-256, 64 digits of hex" },
        { "relay-from certificate:001:12233445566778899aabbccddeeff00112233445566778899aabbccddeeff;",
          "'001:12233445566778899aabbccddeeff00112233445566778899aabbccd…' is not a SHA-256, 64 digits of hex" },
        { "relay-from certificate:00::112233445566778899aabbccddeeff00112233445566778899aabbccddeeff;",
          "'00::112233445566778899aabbccddeeff00112233445566778899aabbcc…' is not a SHA-256, 64 digits of hex" },
        { "relay-from certificate:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff:;",
          "'00112233445566778899aabbccddeeff00112233445566778899aabbccdd…' is not a SHA-256, 64 digits of hex" },
        { "relay-from certificate:sha1:00;", "'sha1:00' is not a SHA-256, 64 digits of hex" },
        { "relay-from certificate:;", "'' is not a SHA-256, 64 digits of hex" },
        { "relay-from network:/x;", "'network:' is not built yet" },
        { "relay-from /etc/veredus/clients;",
          "'/etc/veredus/clients' has no scheme (did you mean 'file:/etc/veredus/clients'?)" },
        { "relay-from client.example.org;", "'client.example.org' is not a network" },
        { "relay-from none 192.0.2.1;", "'none' is not a network" },
        { "relay-from;", "'relay-from' needs more: (network | certificate:HASH | table)…" },
    };

    (void)state;
    in_listen(rows, ARRAY_LEN(rows));
}

static void endpoints(void **state)
{
    static const struct row rows[] = {
        { "listen 25;", NULL },
        { "listen 25 mx;", NULL },
        { "listen 192.0.2.1:25 [2001:db8::1]:25 unix:/run/x systemd:smtp mx { vrfy off; }", NULL },
        { "listen none;", NULL },
        { "listen 0;", "'0' is not known here" },
        { "listen 65536;", "'65536' is not known here" },
        { "listen 192.0.2.1;", "'192.0.2.1' is not an endpoint to listen on (did you mean '192.0.2.1:25'?)" },
        { "listen ::1;", "'::1' is not an endpoint to listen on (did you mean '[::1]:25'?)" },
        { "listen [::1];", "'[::1]' is not an endpoint to listen on (did you mean '[::1]:25'?)" },
        { "listen *:25;", "'*:25' is not an endpoint to listen on (did you mean '25'?)" },
        { "listen mail.example.org:25;", "'mail.example.org:25' is not an endpoint to listen on" },
        { "listen systemd:;", "'systemd:' is not the name of a socket of systemd" },
        { "listen unix:;", "the path is empty" },
        { "listen 587 submission; tls { certificate /c; }", NULL },
        { "tls { certificate /c; } listen 465 submission tls;", NULL },
        { "tls { certificate /c; } listen 465 tls submission; listen 26 tls mx;", NULL },
        { "listen 25 lmtp;", "'lmtp' is not built yet" },
        { "listen 25 mx submission;", "a listener has one role" },
        { "listen 25 tls tls;", "a listener has one role" },
        { "listen 587 submision;", "'submision' is not known here (did you mean 'submission'?)" },
        { "listen mx;", "'mx' is not an endpoint to listen on" },
        { "listen 25 mx 26;", "'26' is not what a listener can be: mx, submission, lmtp, tls" },
        { "listen;", "'listen' needs more: endpoint… [mx | submission | lmtp] [tls] [block]" },
        { "listen 25; listen 25;", "endpoint '25' is said twice" },
        { "listen 25; listen 127.0.0.1:25;", "endpoint '127.0.0.1:25' is a part of '25'" },
        { "listen [::1]:25 25;", "endpoint '[::1]:25' is a part of '25'" },
        { "listen 0.0.0.0:25 192.0.2.1:25;", "endpoint '192.0.2.1:25' is a part of '0.0.0.0:25'" },
        { "listen 0.0.0.0:25 [::]:25 26 127.0.0.1:27 [::1]:27;", NULL },
        { "listen 25 { name a; } listen 26 { name a; }", "name 'a' is said twice" },
        { "listen 25 { name \"a b\"; }", "'a b' is not a word of letters, digits, '.', '_' and '-'" },
        { "listen unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaa;",
          "the path of a socket has at most 107 octets" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void words_flags_and_modes(void **state)
{
    static const struct row rows[] = {
        { "vrfy on;", NULL },
        { "vrfy yes;", "'yes' is not 'on' or 'off'" },
        { "ehlo-check fqdn;", NULL },
        { "ehlo-check fdqn;", "'fdqn' is no value of 'ehlo-check' (did you mean 'fqdn'?)" },
        { "bare-newlines repair;", NULL },
        { "bare-newlines allow;", "'allow' is no value of 'bare-newlines'" },
        { "path-syntax strict;", NULL },
        { "mode 0660 postfix;", NULL },
        { "mode 0999;", "'0999' is not a mode in octal, such as 0660" },
        { "mode 01777;", "'01777' is not a mode in octal, such as 0660" },
        { "mode 0660 \"a b\";", "'a b' is not the name of a group" },
    };

    (void)state;
    in_listen(rows, ARRAY_LEN(rows));
}

static void paths_and_accounts(void **state)
{
    static const struct row rows[] = {
        { "spool /var/spool/veredus;", NULL },
        { "spool spool;", NULL },
        { "spool \"\";", "the path is empty" },
        { "spool /var/{domain};", "'/var/{domain}' cannot hold a placeholder" },
        { "control /run/c;", NULL },
        { "control /run/c 0600 root;", NULL },
        { "control /run/c rw;", "'rw' is not a mode in octal, such as 0660" },
        { "run-as veredus;", NULL },
        { "run-as none;", NULL },
        { "run-as 0;", "'0' is not the name of an account" },
        { "run-as root;", "nothing is done as root" },
        { "log stderr;", NULL },
        { "log journal debug;", NULL },
        { "log syslog kv;", NULL },
        { "log file:/var/log/v json error; log stderr kv warning;", NULL },
        { "log /var/log/v;", "'/var/log/v' has no scheme (did you mean 'file:/var/log/v'?)" },
        { "log stdout;", "'stdout' is not known here (did you mean 'stderr'?)" },
        { "log stderr jsn;", "'jsn' is not known here (did you mean 'json'?)" },
        { "log stderr info json;", "'json' is too much for 'log'" },
        { "log stderr kv kv;", "'kv' is too much for 'log'" },
        { "log stderr kv info now;", "'now' is too much for 'log'" },
    };

    (void)state;
    at_top(rows, ARRAY_LEN(rows));
}

static void tables_and_targets(void **state)
{
    static const struct row rows[] = {
        { "aliases file:/a file:b;", NULL },
        { "aliases none;", NULL },
        { "aliases /etc/aliases;", "'/etc/aliases' has no scheme (did you mean 'file:/etc/aliases'?)" },
        { "aliases file:///etc/aliases;", "'//' names a host, and a file is on this machine (did you mean "
                                          "'file:/etc/aliases'?)" },
        { "aliases regex:/x;", "'regex:' is not built yet" },
        { "aliases flie:/x;", "unknown scheme 'flie:' (did you mean 'file:'?)" },
        { "catch-all office@example.net;", NULL },
        { "catch-all none;", NULL },
        { "subaddress +-;", NULL },
        { "subaddress off;", NULL },
        { "subaddress a;", "'a' is not made of characters that can part a name, such as '+' and '-'" },
        { "subaddress @;", "'@' is not made of characters that can part a name, such as '+' and '-'" },
        { "subaddress \"\";", "'' is not one to eight characters" },
        { "deliver-as vmail;", NULL },
        { "deliver-as root;", "nothing is done as root" },
        { "alias-commands on;", NULL },
        { "max-expansion 0;", "'0' is too little: 'max-expansion' is 1 at least" },
        { "limit all recipients 5/s;", NULL },
    };
    static const struct row whole[] = {
        { "users file:/u file:v;", NULL },
        { "users system;", NULL },
        { "users any;", NULL },
        { "users ask;", "'ask' asks the next hop, and this domain is delivered here" },
        { "users file:/u ask;", "'ask' stands alone: it is no table" },
        { "users file:/u any;", "'any' stands alone: it is no table" },
        { "users dovecot:/run/x;", "'dovecot:' is not built yet" },
        { "users table:x;", "'table:' is not built yet" },
        { "users sytem;", "'sytem' is not known here (did you mean 'system'?)" },
        { "users users;", "'users' is not known here" },
        { "users file:;", "the path is empty" },
        { "users;", "'users' needs more: table… | system | any | ask" },
    };
    static const struct row targets[] = {
        { "deliver maildir:/var/mail/{domain}/{user};", NULL },
        { "deliver maildir:box/{user}-{detail};", NULL },
        { "deliver \"maildir:/var/my mail/{user}\";", NULL },
        { "deliver maildir:/var/mail/all;", NULL },
        { "deliver mailbox:/x;", "unknown scheme 'mailbox:' (did you mean 'maildir:'?)" },
        { "deliver /var/mail/{user};", "'/var/mail/{user}' has no scheme (did you mean 'maildir:/var/mail/{user}'?)" },
        { "deliver maildir:/x/{usr};", "unknown placeholder '{usr}' (did you mean '{user}'?)" },
        { "deliver maildir:/x/{sender};", "'{sender}' cannot be part of the path of a mailbox" },
        { "deliver maildir:/{user};", "mailboxes need a folder of their own" },
        { "deliver maildir:{user};", "mailboxes need a folder of their own" },
        { "deliver maildir:;", "the path is empty" },
        { "deliver maildir:{home}/Maildir;", "'{home}' is known of the accounts of this machine only" },
        { "deliver maildir:{home}x;", "'{home}' can only be the beginning of a path" },
        { "deliver maildir:/x/{home};", "'{home}' can only be the beginning of a path" },
        { "deliver maildir:/a/{user} maildir:/b/{user};", "this target stands alone: only hosts are tried in turn" },
        { "deliver;", "'deliver' needs more: target…" },
    };

    (void)state;
    in_domain(rows, ARRAY_LEN(rows));
    check_rows("domain example.org { deliver maildir:/m/{user}; ", " }", whole, ARRAY_LEN(whole));
    check_rows("domain example.org { users any; ", " }", targets, ARRAY_LEN(targets));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_counts),
        cmocka_unit_test(times),
        cmocka_unit_test(rates_and_limits),
        cmocka_unit_test(limits_of_a_domain_are_about_recipients),
        cmocka_unit_test(names_of_hosts_and_domains),
        cmocka_unit_test(addresses_of_both_kinds),
        cmocka_unit_test(networks),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(words_flags_and_modes),
        cmocka_unit_test(paths_and_accounts),
        cmocka_unit_test(tables_and_targets),
    };

    return cmocka_run_group_tests_name("config/values", tests, NULL, NULL);
}
