/* config/tls.h -- what a configuration says of TLS: certificates, secrets, demands (RFC 9325). Pure. */
#ifndef CONFIG_TLS_H
#define CONFIG_TLS_H

#include "config/values.h"

/* A password or token that stands elsewhere (FACE 1.3): main reads it for the one process that needs it. */
enum config_secret_kind {
    CONFIG_SECRET_NONE,
    CONFIG_SECRET_FILE,       /* WHERE: path; its first line counts */
    CONFIG_SECRET_ENV,        /* name of a variable in main's environment */
    CONFIG_SECRET_CREDENTIAL, /* name of a systemd credential */
};

struct config_secret {
    enum config_secret_kind kind;
    struct str where;
    /* "file:/etc/x", "env:NAME", "credential:NAME": how main and its reader name it (OPENED of ipc/messages.def). */
    struct str written;
    struct config_place place;
};

/* A chain and its private key; the same pair said twice is one. */
struct config_certificate {
    size_t index;     /* in config->certificates: how processes name it */
    struct str chain; /* path */
    struct str key;   /* path; that of CHAIN when both are in one file */
    struct config_place place;
};

enum config_client_certificates {
    CONFIG_CLIENT_CERTIFICATES_OFF,
    CONFIG_CLIENT_CERTIFICATES_ASK,
    CONFIG_CLIENT_CERTIFICATES_REQUIRE,
};

/* A `tls` block: of a listener, which has the top's where it says none. */
struct config_tls {
    const struct config_certificate *const *certificates; /* the first serves everyone whom no other fits */
    size_t n_certificates;                                /* 0: no TLS here */
    struct config_choice min_version;                     /* 0x0303, 0x0304 */
    struct config_text ciphers;                           /* OpenSSL list for TLS 1.2; empty: the recommended ones */
    struct config_flag session_tickets;
    struct config_choice client_certificates; /* enum config_client_certificates */
    struct config_text client_ca;             /* path; empty: only fingerprints count */
    struct config_place place;
};

/* How sure of the peer we must be (FACE 1.7). */
enum config_tls_level {
    CONFIG_TLS_AUTO, /* DANE, then an enforced MTA-STS policy, then may; neither is built yet, so: may */
    CONFIG_TLS_NONE,
    CONFIG_TLS_MAY,
    CONFIG_TLS_ENCRYPT,
    CONFIG_TLS_VERIFY,
    CONFIG_TLS_SECURE,
    CONFIG_TLS_FINGERPRINT,
};

struct config_tls_demand {
    enum config_tls_level level;
    const struct str *names; /* of VERIFY and SECURE, lower case, A-labels; none: that of the target or domain */
    size_t n_names;
    const struct str *hashes; /* of FINGERPRINT: 32 octets each, SHA-256 of the certificate or of its public key */
    size_t n_hashes;
    struct config_place place;
};

#endif
