/* config/config.h -- the configuration as the processes use it: one immutable struct, all in one arena. Pure. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/accounts.h"
#include "config/template.h"
#include "config/tls.h"
#include "config/values.h"

/* ---- limits on clients ---- */

enum config_limit_key {
    CONFIG_LIMIT_CLIENT,  /* an address; IPv6 by /64 */
    CONFIG_LIMIT_NETWORK, /* /24, /48 */
    CONFIG_LIMIT_ACCOUNT, /* who logged in, or tries to */
    CONFIG_LIMIT_SENDER,
    CONFIG_LIMIT_SENDER_DOMAIN,
    CONFIG_LIMIT_ALL,
};

enum config_limit_measure {
    CONFIG_MEASURE_CONNECTIONS, /* at once: BOUND alone counts */
    CONFIG_MEASURE_SESSIONS,    /* from here on rates: BOUND in each MSEC */
    CONFIG_MEASURE_MESSAGES,
    CONFIG_MEASURE_RECIPIENTS,
    CONFIG_MEASURE_OCTETS,
    CONFIG_MEASURE_ERRORS,
    CONFIG_MEASURE_AUTH_FAILURES,
    CONFIG_MEASURE_UNKNOWN_RECIPIENTS,
};

enum config_limit_action {
    CONFIG_LIMIT_DEFER,
    CONFIG_LIMIT_REJECT,
    CONFIG_LIMIT_HOLD, /* taken, and kept until somebody releases it; of messages, recipients and octets */
};

struct config_limit {
    size_t index;     /* in config->limits */
    struct str block; /* where it stands: "listen 127.0.0.1:25"; empty at the top */
    enum config_limit_key key;
    enum config_limit_measure measure;
    enum config_limit_action action;
    uint64_t bound;
    uint64_t msec;      /* 0 for connections */
    struct str written; /* "50/h" */
    bool built_in;      /* binds neither relay-from clients nor loopback (FACE 1.8) */
    struct config_place place;
};

/* Those in force somewhere: outer ones that the block does not say anew, then its own. */
struct config_limits {
    const struct config_limit *const *items;
    size_t n;
};

/* ---- sessions ---- */

enum config_bare_newlines {
    CONFIG_BARE_REJECT,
    CONFIG_BARE_REPAIR,
};

enum config_ehlo_check {
    CONFIG_EHLO_OFF,
    CONFIG_EHLO_SYNTAX,
    CONFIG_EHLO_FQDN,
};

enum config_path_syntax {
    CONFIG_PATH_STRICT,
    CONFIG_PATH_LENIENT,
};

/* What holds for a session: of a listener, or what stands at the top (for mail that comes by none). */
struct config_session {
    struct config_text hostname;
    struct config_number max_message_size; /* octets */
    struct config_number max_recipients;
    struct config_number max_header_size; /* octets */
    struct config_number max_line_length; /* octets */
    struct config_count max_sessions;
    struct config_number max_messages;
    struct config_number max_errors;
    struct config_time error_delay;
    struct config_time timeout_command;
    struct config_time timeout_transaction;
    struct config_time timeout_lookup;
    struct config_choice bare_newlines; /* enum config_bare_newlines */
    struct config_choice ehlo_check;    /* enum config_ehlo_check */
    struct config_choice path_syntax;   /* enum config_path_syntax */
    struct config_flag vrfy;
    struct config_limits limits;
    struct config_networks relay_from;      /* clients that may send anywhere; never `everyone` */
    const struct config_text *relay_tables; /* files whose keys are addresses of such clients */
    size_t n_relay_tables;
    const struct config_text *relay_certificates; /* 32 octets each: SHA-256 of a client's certificate or its key */
    size_t n_relay_certificates;
    struct config_auths auth;
    const struct config_text *mechanisms; /* upper case, in order of preference; none: all that the accounts allow */
    size_t n_mechanisms;
    struct config_flag hide_client;
    struct config_flag complete_headers;
};

enum config_endpoint_kind {
    CONFIG_ENDPOINT_PORT,    /* every address of both families */
    CONFIG_ENDPOINT_ADDRESS, /* one address and port */
    CONFIG_ENDPOINT_UNIX,
    CONFIG_ENDPOINT_SYSTEMD, /* sockets passed under a name */
};

struct config_endpoint {
    enum config_endpoint_kind kind;
    struct ip address;
    uint16_t port;
    struct str path; /* of a unix socket, or the name of systemd's */
    struct config_place place;
};

enum config_role { CONFIG_ROLE_MX, CONFIG_ROLE_SUBMISSION };

/* What a client must have before MAIL (530 5.7.0). */
struct config_require {
    bool tls;
    bool auth;
    bool relay_exempt; /* clients of relay-from need no AUTH: it stands in the same block (FACE 1.9) */
    struct config_place place;
};

/* A `listen`. */
struct config_listener {
    struct config_place place;
    enum config_role role;
    bool tls_at_once; /* `tls`: the handshake comes before the greeting (RFC 8314) */
    struct config_tls tls;
    struct config_require require;
    struct config_time future_release; /* longest HOLDFOR; 0: not offered (RFC 4865) */
    struct config_text name;
    const struct config_endpoint *endpoints;
    size_t n_endpoints;
    struct config_networks allow_from;
    struct config_number mode; /* of unix sockets */
    struct str group;          /* of unix sockets, empty: that of the process */
    struct config_session session;
};

/* ---- domains ---- */

enum config_users_kind {
    CONFIG_USERS_FILE,
    CONFIG_USERS_SYSTEM,
    CONFIG_USERS_ANY,
    CONFIG_USERS_ASK, /* the next hop, at RCPT */
};

struct config_users {
    enum config_users_kind kind;
    struct str path; /* of a file */
    struct config_place place;
};

/* ---- where mail goes ---- */

enum config_target_kind {
    CONFIG_TARGET_MX,        /* HOST: the domain whose MX; empty: the recipient's */
    CONFIG_TARGET_SMTP,      /* HOST and PORT; TLS_AT_ONCE: smtps:// */
    CONFIG_TARGET_LMTP,      /* HOST and PORT */
    CONFIG_TARGET_LMTP_UNIX, /* HOST: the socket's path */
    CONFIG_TARGET_MAILDIR,   /* PATH */
    CONFIG_TARGET_MBOX,      /* PATH */
    CONFIG_TARGET_PIPE,      /* PATH without placeholders, ARGS */
    CONFIG_TARGET_HOLD,
    CONFIG_TARGET_DISCARD,
    CONFIG_TARGET_FAIL,  /* STATUS and TEXT */
    CONFIG_TARGET_DEFER, /* STATUS and TEXT */
};

struct config_target {
    enum config_target_kind kind;
    struct str host; /* lower case; of an address literal "192.0.2.1" or "2001:db8::1" without brackets */
    uint16_t port;   /* 0: the route's `port` */
    bool tls_at_once;
    struct config_template path;
    const struct config_template
        *args; /* of PIPE: each one argument, but {recipients} alone, which is one for each */
    size_t n_args;
    struct str status; /* "5.1.6" */
    struct str text;
    struct config_place place;
};

enum config_pattern_kind {
    CONFIG_PATTERN_ADDRESS, /* LOCAL (unquoted) and DOMAIN */
    CONFIG_PATTERN_DOMAIN,
    CONFIG_PATTERN_BELOW, /* `.DOMAIN`: everything below */
    CONFIG_PATTERN_ALL,
    CONFIG_PATTERN_NULL, /* the null reverse-path */
};

struct config_pattern {
    enum config_pattern_kind kind;
    struct str local;
    struct str domain;
    struct config_place place;
};

struct config_patterns {
    const struct config_pattern *items;
    size_t n;
    struct config_place place;
};

enum config_family {
    CONFIG_FAMILY_ANY,
    CONFIG_FAMILY_IPV4,
    CONFIG_FAMILY_IPV6,
    CONFIG_FAMILY_PREFER_IPV4,
    CONFIG_FAMILY_PREFER_IPV6,
};

/* Milliseconds; n == 0: off. */
struct config_times {
    const uint64_t *items;
    size_t n;
    struct config_place place;
};

/* `connections COUNT [start COUNT]`. */
struct config_window {
    uint64_t max;
    uint64_t start;
    struct config_place place;
};

/* `reuse COUNT [TIME]`. */
struct config_reuse {
    uint64_t count;
    uint64_t idle_msec;
    struct config_place place;
};

/* COUNT messages in each MSEC, a token bucket as deep as COUNT; COUNT 0: no bound. */
struct config_rate {
    uint64_t count;
    uint64_t msec;
    struct config_place place;
};

enum config_reply_action {
    CONFIG_REPLY_DEFER, /* as a 4yz, whatever it is */
    CONFIG_REPLY_FAIL,  /* as a 5yz */
    CONFIG_REPLY_SLOW,  /* the site's window shrinks */
    CONFIG_REPLY_HOLD,  /* until somebody releases it */
    CONFIG_REPLY_PAUSE, /* nothing goes there for MSEC */
};

/* In place of a number of a status: any. */
enum { CONFIG_STATUS_ANY = 1000 };

/* An `on-reply`. */
struct config_on_reply {
    unsigned code;      /* 421; 0: STATUS is what is looked for */
    unsigned status[3]; /* 4.7.28; the second and the third may be CONFIG_STATUS_ANY */
    struct str text;    /* that the reply contains, in upper or lower case; empty: any */
    enum config_reply_action action;
    uint64_t msec; /* of PAUSE */
    struct config_place place;
};

/* The more exact ones come first (longer text, then status, code, `5.7.*`, `5.*.*`): the first that fits decides. */
struct config_on_replies {
    const struct config_on_reply *items;
    size_t n;
};

/* What the block of a config_sending says itself; bits. What is no bit, a site cannot say. */
enum config_said {
    CONFIG_SAID_ADDRESS_FAMILY = 1 << 0,
    CONFIG_SAID_CONNECTIONS = 1 << 1,
    CONFIG_SAID_RATE = 1 << 2,
    CONFIG_SAID_REUSE = 1 << 3,
    CONFIG_SAID_RECIPIENTS_PER_TRANSACTION = 1 << 4,
    CONFIG_SAID_DEAD_HOST = 1 << 5,
    CONFIG_SAID_ON_REPLY = 1 << 6,
    CONFIG_SAID_RETRY = 1 << 7,
    CONFIG_SAID_EXPIRE = 1 << 8,
    CONFIG_SAID_TIMEOUT_CONNECT = 1 << 9, /* the waits follow in the order of enum config_timeout_kind */
    CONFIG_SAID_TIMEOUT_GREETING = 1 << 10,
    CONFIG_SAID_TIMEOUT_EHLO = 1 << 11,
    CONFIG_SAID_TIMEOUT_MAIL = 1 << 12,
    CONFIG_SAID_TIMEOUT_RCPT = 1 << 13,
    CONFIG_SAID_TIMEOUT_DATA = 1 << 14,
    CONFIG_SAID_TIMEOUT_BLOCK = 1 << 15,
    CONFIG_SAID_TIMEOUT_FINAL = 1 << 16,
    CONFIG_SAID_TIMEOUT_QUIT = 1 << 17,
    CONFIG_SAID_TLS_LEVEL = 1 << 18,
};

/*
 * How mail goes along a route or to a site: what its block says, else what the top says (for a domain's deliver: the
 * block is the domain's). Where a route leads to a site: config_sending_merge().
 */
struct config_sending {
    unsigned said;                       /* enum config_said; of the top: none */
    bool login;                          /* we log in there: never below CONFIG_TLS_VERIFY, whatever a site says */
    struct config_number port;           /* of hosts found by MX */
    struct config_choice address_family; /* enum config_family */
    struct config_tls_demand tls;
    struct config_text tls_ca; /* path; empty: those of the system */
    struct config_window connections;
    struct config_rate rate;
    struct config_reuse reuse;
    struct config_number recipients_per_transaction;
    struct config_time dead_host;
    struct config_on_replies on_replies;
    struct config_times retry; /* at least one */
    struct config_time expire;
    struct config_times delay_warning;
    struct config_time timeout_connect;
    struct config_time timeout_greeting;
    struct config_time timeout_ehlo;
    struct config_time timeout_mail;
    struct config_time timeout_rcpt;
    struct config_time timeout_data;
    struct config_time timeout_block;
    struct config_time timeout_final;
    struct config_time timeout_quit;
};

struct config_domain;

/* A `route`, or the `deliver` of a domain, which is a route for its names (FACE 1.6), or the last one, `* mx`. */
struct config_route {
    size_t index; /* in config->routes: how processes name it */
    struct config_place place;
    const struct config_domain *domain; /* whose `deliver` it is; NULL: of a `route` */
    struct config_patterns patterns;
    const struct config_target *targets; /* in the order tried; several only of hosts (MX, SMTP, LMTP*) */
    size_t n_targets;
    const struct config_target *fallback; /* hosts, for when none of TARGETS can be reached; none: n_fallback == 0 */
    size_t n_fallback;
    struct config_patterns senders;      /* conditions; n == 0: all */
    const struct config_text *listeners; /* names; n == 0: all */
    size_t n_listeners;
    struct config_patterns accounts; /* n == 0: all */
    /* AUTH at the next hop, inside verified TLS only; empty NAME: none. */
    struct config_text login_name;
    struct config_secret login_secret;
    const struct config_certificate *client_certificate; /* shown to the next hop; NULL: none */
    struct config_sending sending;
};

/* A `site`: destinations with values of their own. */
struct config_site {
    size_t index; /* in config->sites: how processes name it */
    struct config_place place;
    struct config_text name;
    struct config_patterns hosts;   /* by MX host: DOMAIN, BELOW, ALL */
    struct config_patterns domains; /* by recipient domain: the same */
    struct config_sending sending;  /* complete, as if no route said anything */
};

/* May mail for it be left to a `send` process (MX, SMTP, LMTP*)? Else to a deliver process, or nowhere. */
static inline bool config_target_is_remote(enum config_target_kind kind)
{
    return kind <= CONFIG_TARGET_LMTP_UNIX;
}

/* Does the plan for R depend on the recipient's domain? It does where that is asked for its MX. */
bool config_route_needs_domain(const struct config_route *r);

/* Is mail for it left to a deliver process? */
static inline bool config_target_is_local(enum config_target_kind kind)
{
    return kind == CONFIG_TARGET_MAILDIR || kind == CONFIG_TARGET_MBOX || kind == CONFIG_TARGET_PIPE;
}

/* A `domain` block, with what the top says where the block says nothing. */
struct config_domain {
    size_t index; /* in config->domains; a deliver directive is referred to by it */
    struct config_place place;
    const struct config_text *names;
    size_t n_names;
    const struct config_users *users; /* in the order asked */
    size_t n_users;
    const struct config_text *aliases; /* paths of alias files, in the order asked */
    size_t n_aliases;
    struct config_address catch_all;
    struct config_address postmaster; /* none: mailbox postmaster of the recipient's domain */
    struct config_text subaddress;    /* the separators; empty for none */
    const struct config_route *route; /* its `deliver` */
    struct config_text deliver_as;    /* empty: the user that is delivered to */
    struct config_flag alias_commands;
    struct config_number max_message_size;
    struct config_number max_expansion;
    struct config_limits limits; /* written in this block only; they hold beside the listener's */
    struct config_auths auth;    /* for log-ins with a name of this domain, where the listener says `users` */
    struct config_send_as send_as;
};

/* ---- DNS ---- */

enum config_resolver_kind {
    CONFIG_RESOLVER_SYSTEM,  /* the servers of resolv.conf */
    CONFIG_RESOLVER_FULL,    /* the authoritative ones */
    CONFIG_RESOLVER_SERVERS, /* those written */
};

struct config_resolver {
    enum config_resolver_kind kind;
    const struct config_endpoint *servers; /* address and port */
    size_t n_servers;
    struct str zone; /* empty: for everything */
    struct config_place place;
};

/* How much of a message a failure report returns. */
struct config_bounce_content {
    bool full;
    uint64_t octets_max; /* of FULL; above it the header alone */
    struct config_place place;
};

/* ---- log ---- */

enum config_log_kind {
    CONFIG_LOG_STDERR,
    CONFIG_LOG_JOURNAL,
    CONFIG_LOG_SYSLOG,
    CONFIG_LOG_FILE,
};

enum config_log_form {
    CONFIG_LOG_KV,
    CONFIG_LOG_JSON,
};

enum config_log_level {
    CONFIG_LOG_ERROR,
    CONFIG_LOG_WARNING,
    CONFIG_LOG_INFO,
    CONFIG_LOG_DEBUG,
};

struct config_log {
    enum config_log_kind kind;
    enum config_log_form form;
    enum config_log_level level;
    struct str path; /* of a file */
    struct config_place place;
};

/* ---- what is only named here and must be had elsewhere ---- */

enum config_need_kind {
    CONFIG_NEED_USERS_FILE,
    CONFIG_NEED_ALIASES_FILE,
    CONFIG_NEED_ACCOUNT,
    CONFIG_NEED_GROUP,
    CONFIG_NEED_MAIL_ROOT,     /* folder below which mailboxes are made */
    CONFIG_NEED_SOCKET_FOLDER, /* folder of a unix socket */
    CONFIG_NEED_LOG_FOLDER,
    CONFIG_NEED_SPOOL,
    CONFIG_NEED_STATE,
    CONFIG_NEED_RELAY_FILE,
    CONFIG_NEED_COMMAND,       /* of pipe: */
    CONFIG_NEED_TARGET_SOCKET, /* of lmtp:unix: */
    CONFIG_NEED_TRUST_ANCHOR,
    CONFIG_NEED_AUTH_FILE,     /* users file that is asked for passwords */
    CONFIG_NEED_CERTIFICATE,   /* chain, perhaps with its key; its partner, if any, is a need of its own */
    CONFIG_NEED_KEY,
    CONFIG_NEED_CLIENT_CA,
    CONFIG_NEED_TLS_CA,
    CONFIG_NEED_LOGIN_SECRET,  /* struct config_secret, as written */
    CONFIG_NEED_OAUTH_SECRET,
    CONFIG_NEED_OAUTH_KEYS,    /* file */
    CONFIG_NEED_SEND_AS_FILE,
    CONFIG_NEED_AUTH_SOCKET,
    CONFIG_NEED_PAM_SERVICE,
};

struct config_need {
    enum config_need_kind kind;
    struct str what;
    struct config_place place;
};

struct config_tree;       /* all statements, for config_show() */
struct config_name_index; /* domain name -> domain */
struct config_site_index; /* domain or host -> site */

struct config {
    struct config_files files;
    struct config_text origin;
    struct config_address postmaster; /* none only without any domain */
    struct config_ips public_address; /* n == 0: the addresses of the interfaces */
    struct config_text spool;
    struct config_text state; /* folder of what veredus makes itself */
    struct config_socket control;
    struct config_text run_as; /* empty: one account a process */
    struct config_count receive_workers;
    struct config_count send_workers;
    struct config_share min_free;
    struct config_count max_memory; /* octets */
    struct config_number max_received;
    struct config_session session; /* what stands at the top, as for users who send; its hostname is ours */
    const struct config_listener *listeners;
    size_t n_listeners;
    const struct config_certificate *certificates; /* of listeners and routes, each pair once */
    size_t n_certificates;
    const struct config_oauth *oauths;
    size_t n_oauths;
    struct config_send_as send_as; /* of accounts whose domain is not served */
    const struct config_domain *domains;
    size_t n_domains;
    const struct config_route *routes; /* each `deliver`, each `route`, and `* mx` unless one is written */
    size_t n_routes;
    const struct config_site *sites; /* in the order written */
    size_t n_sites;
    struct config_sending sending;           /* what stands at the top */
    const struct config_resolver *resolvers; /* the one for everything first */
    size_t n_resolvers;
    struct config_text trust_anchor; /* path; empty: the root anchor */
    struct config_time expire_bounces;
    struct config_bounce_content bounce_content;
    const struct config_limit
        *limits; /* the built-in ones, then as written; BOUND 0: `none`, in force nowhere */
    size_t n_limits;
    const struct config_log *logs;
    size_t n_logs;
    struct config_history history;
    const struct config_need *needs; /* of the top, the listeners, the domains, the routes, the logs */
    size_t n_needs;
    const struct config_name_index *names;
    const struct config_site_index *site_names;
    const struct config_tree *tree;
};

/* The domain block that names DOMAIN (lower case, A-labels), NULL when we do not serve it. */
const struct config_domain *config_find_domain(const struct config *c, struct str domain);
/*
 * The site that mail for DOMAIN belongs to which leaves for HOSTS (all lower case, A-labels; none: not known, or a
 * socket): one that has DOMAIN, else one that has any of HOSTS; of several the first in the file. NULL for none.
 */
const struct config_site *config_find_site(const struct config *c, struct str domain, const struct str *hosts,
                                           size_t n_hosts);
/* What holds on the way out: what the route says itself, else the site, else the top. SITE may be NULL. */
void config_sending_merge(const struct config_sending *route, const struct config_sending *site,
                          struct config_sending *out);
/*
 * As whom R delivers into mailboxes and to commands: as the `deliver-as` of its domain, or of that which its first
 * pattern names; else vmail. Empty: the user that is delivered to.
 */
struct config_text config_route_account(const struct config *c, const struct config_route *r);
/*
 * Is ADDRESS in one of NETS? *place (NULL is allowed) is that of the entry that has it, else that of the directive.
 * IPv4 addresses that are mapped into IPv6 are for the caller to ip_unmap().
 */
bool config_networks_have(const struct config_networks *nets, const struct ip *address,
                          struct config_place *place);
struct config_place_text config_rule(const struct config *c, struct config_place place);
/* "client", "unknown-recipients", "defer": as the log names them. */
struct str config_limit_key_name(enum config_limit_key key);
struct str config_limit_measure_name(enum config_limit_measure measure);
struct str config_limit_action_name(enum config_limit_action action);

#endif
