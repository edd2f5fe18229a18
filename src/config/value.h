/* config/value.h -- the words of a statement as values of its grammar. Pure. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/place.h"
#include "core/str.h"

struct config_reading;
struct config_statement;

enum config_worker_kind {
    CONFIG_WORKER_RECEIVE,
    CONFIG_WORKER_SEND,
};

enum config_timeout_kind {
    CONFIG_TIMEOUT_COMMAND, /* of sessions */
    CONFIG_TIMEOUT_TRANSACTION,
    CONFIG_TIMEOUT_LOOKUP,
    CONFIG_TIMEOUT_CONNECT, /* from here on of sending */
    CONFIG_TIMEOUT_GREETING,
    CONFIG_TIMEOUT_EHLO,
    CONFIG_TIMEOUT_MAIL,
    CONFIG_TIMEOUT_RCPT,
    CONFIG_TIMEOUT_DATA,
    CONFIG_TIMEOUT_BLOCK,
    CONFIG_TIMEOUT_FINAL,
    CONFIG_TIMEOUT_QUIT,
};

static inline bool config_timeout_is_of_sending(enum config_timeout_kind kind)
{
    return kind >= CONFIG_TIMEOUT_CONNECT;
}

/* What a statement says, by its directive's grammar. */
union config_value {
    struct config_text text;             /* HOST DOMAIN PATH ACCOUNT WORD TEXT KEYS OAUTH SITE SEPARATORS */
    struct config_address address;       /* ADDRESS */
    struct config_ips ips;               /* IPS */
    struct config_networks networks;     /* NETWORKS */
    struct config_socket socket;         /* SOCKET, and MODE without a path */
    struct config_share share;           /* SHARE */
    struct config_choice choice;         /* CHOICE */
    struct config_flag flag;             /* FLAG */
    struct config_number number;         /* NUMBER */
    struct config_count count;           /* COUNT */
    struct config_time time;             /* TIME TIME_OR_OFF */
    struct config_log log;               /* LOG */
    struct config_patterns patterns;     /* PATTERNS ACCOUNTS MEMBERS */
    struct config_window window;         /* WINDOW */
    struct config_rate rate;             /* RATE */
    struct config_reuse reuse;           /* REUSE */
    struct config_on_reply on_reply;     /* ON_REPLY; neither code nor status: none */
    struct config_history history;       /* HISTORY */
    struct config_times times;           /* TIMES */
    struct config_resolver resolver;     /* RESOLVER */
    struct config_bounce_content bounce; /* BOUNCE */
    struct config_require require;       /* REQUIRE */
    struct config_send_as send_as;       /* SEND_AS */
    struct config_certificate certificate; /* CERTIFICATE; its index is known when all are */
    struct config_tls_demand demand;     /* TLS_LEVEL */
    struct {
        struct config_auth *items; /* OAUTH is found when all are known: build_accounts.c */
        size_t n;
    } auths; /* AUTH */
    struct {
        struct config_text name;
        struct config_secret secret;
    } login; /* LOGIN; without NAME none */
    struct {
        struct config_text url;
        struct config_text client;
        struct config_secret secret;
    } introspection; /* INTROSPECTION */
    struct {
        struct config_patterns patterns; /* of ROUTE */
        const struct config_target *targets;
        size_t n;
    } route; /* ROUTE TARGET FALLBACK */
    struct {
        struct config_networks networks;
        const struct config_text *tables;
        size_t n;
        const struct config_text *certificates;
        size_t n_certificates;
    } relay; /* RELAY */

    struct config_limit limit; /* LIMIT; BOUND 0 for none */
    struct {
        enum config_worker_kind kind;
        struct config_count count;
    } workers; /* WORKERS */
    struct {
        enum config_timeout_kind kind;
        struct config_time time;
    } timeout; /* TIMEOUT */
    struct {
        const struct config_endpoint *items;
        size_t n;
        enum config_role role;
        bool tls_at_once;
    } endpoints; /* LISTEN */
    struct {
        const struct config_text *items;
        size_t n;
    } texts; /* DOMAINS ALIASES LISTENERS MECHANISMS */
    struct {
        const struct str *items;
        size_t n;
    } audiences; /* AUDIENCE */
    struct {
        const struct config_users *items;
        size_t n;
    } users; /* USERS */
};

/*
 * Reads the words after the name into S->value. False: complained, S->value is not to be used.
 * Memory that runs out is a complaint too (config_diagnostics.exhausted).
 */
bool config_value_read(struct config_reading *r, struct config_statement *s);
/* Can MEASURE be counted for a domain, which is known only once there is a recipient? */
bool config_limit_is_of_recipients(enum config_limit_measure measure);

#endif
