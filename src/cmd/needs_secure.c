/* cmd/needs_secure.c -- certificates and keys, secrets, and where passwords are checked: are they there, and right? */
#include "cmd/needs_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "io/fd.h"
#include "key/pair.h"

enum { SOON_DAYS = 14, NAME_MAX_OCTETS = 256, DAY_SEC = 24 * 3600 };

static const struct needs_finding error = { CONFIG_ERROR, "" };

/* ---- names and times of a certificate ---- */

struct name_text {
    char c[NAME_MAX_OCTETS];
};

static void copy_name(struct name_text *out, const ASN1_STRING *s)
{
    int n = ASN1_STRING_length(s);

    snprintf(out->c, sizeof(out->c), "%.*s", n < NAME_MAX_OCTETS ? n : NAME_MAX_OCTETS - 1,
             (const char *)ASN1_STRING_get0_data(s));
    for (char *p = out->c; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

/* The first name it is for, else what it calls itself. */
static struct name_text name_of(const X509 *x)
{
    STACK_OF(GENERAL_NAME) *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    struct name_text out = { "nobody" };

    if (at >= 0)
        copy_name(&out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    for (int i = sk_GENERAL_NAME_num(names) - 1; i >= 0; i--) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            copy_name(&out, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    return out;
}

/* Whole days from now to T, negative when T is over; false when T is no time. */
static bool days_to(const ASN1_TIME *t, int *days, int *sec)
{
    return ASN1_TIME_diff(days, sec, NULL, t) == 1;
}

static void check_time(struct needs_report *r, struct config_place place, const X509 *x)
{
    struct name_text name = name_of(x);
    int days = 0, sec = 0;

    if (days_to(X509_get0_notBefore(x), &days, &sec) && (days > 0 || sec > 0))
        needs_say(r, place, (struct needs_finding){ CONFIG_WARNING, "is the clock of this machine right?" },
                  "certificate of %s is not valid yet", name.c);
    if (!days_to(X509_get0_notAfter(x), &days, &sec))
        return;
    if (days < 0 || sec < 0)
        needs_say(r, place, (struct needs_finding){ CONFIG_WARNING, "renew it: others refuse it" },
                  "certificate of %s ended %d day%s ago", name.c, -days, days == -1 ? "" : "s");
    else if (days < SOON_DAYS)
        needs_say(r, place, (struct needs_finding){ CONFIG_WARNING, "renew it: the file is read again by itself" },
                  "certificate of %s ends in %d day%s", name.c, days, days == 1 ? "" : "s");
}

/* ---- files of certificates and keys ---- */

/* Who asks for a pass phrase gets none: there would be nobody to type it. */
static int no_phrase(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static FILE *open_file(struct str path)
{
    char name[CMD_PATH_MAX];

    return needs_path(path, name) ? fopen(name, "re") : NULL;
}

static X509 *read_first(struct str path)
{
    FILE *f = open_file(path);
    bool asked = false;
    X509 *x = f ? PEM_read_X509(f, NULL, no_phrase, &asked) : NULL;

    if (f)
        fclose(f);
    ERR_clear_error();
    return x;
}

static EVP_PKEY *read_key(struct str path, bool *encrypted)
{
    FILE *f = open_file(path);
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, no_phrase, encrypted) : NULL;

    if (f)
        fclose(f);
    ERR_clear_error();
    return key;
}

static void check_mode(struct needs_report *r, const struct config_need *need, const struct stat *st, const char *kind)
{
    if (st->st_mode & S_IROTH)
        needs_say(r, need->place, (struct needs_finding){ CONFIG_WARNING, "chmod o-r it" },
                  "everyone may read %.*s, which holds a %s", STR_ARG(need->what), kind);
}

/* CHAIN's first certificate; NULL, and it was said, when there is none. */
static X509 *check_chain(struct needs_report *r, const struct config_certificate *pair)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "until it is there, TLS does without it" };
    struct config_need need = { .what = pair->chain, .place = pair->place };
    struct stat st;

    if (!needs_file(r, &need, missing, &st))
        return NULL;
    X509 *x = read_first(pair->chain);
    if (!x)
        needs_say(r, pair->place, (struct needs_finding){ CONFIG_ERROR, "it is to be PEM, the certificate first" },
                  "%.*s holds no certificate", STR_ARG(pair->chain));
    return x;
}

static EVP_PKEY *check_key(struct needs_report *r, const struct config_certificate *pair)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "until it is there, its certificate is not used" };
    struct config_need need = { .what = pair->key, .place = pair->place };
    bool encrypted = false;
    struct stat st;

    if (!needs_file(r, &need, missing, &st))
        return NULL;
    EVP_PKEY *key = read_key(pair->key, &encrypted);
    if (encrypted)
        needs_say(r, pair->place, (struct needs_finding){ CONFIG_ERROR, "openssl pkey -in OLD -out NEW takes it off" },
                  "the key in %.*s has a pass phrase, and nobody is there to say it", STR_ARG(pair->key));
    else if (!key)
        needs_say(r, pair->place,
                  (struct needs_finding){ CONFIG_ERROR, "name its file behind that of the certificate" },
                  "%.*s holds no private key", STR_ARG(pair->key));
    if (key)
        check_mode(r, &need, &st, "private key");
    return key;
}

static void read_as_server(struct key_file *f)
{
    char name[CMD_PATH_MAX];
    int fd = needs_path(f->path, name) ? open(name, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        key_file_fail(f, STR("it cannot be read"));
    else
        key_file_read(f, fd);
    fd_close(&fd);
}

/* What else the server wants of a pair, by its own eyes: an order, a kind of key, strength. */
static void check_use(struct needs_report *r, const struct config_certificate *pair)
{
    struct key_file chain = { .path = pair->chain }, key = { .path = pair->key };
    struct err err = { 0 };

    read_as_server(&chain);
    read_as_server(&key);
    struct key_pair *p = key_pair_new(&chain, &key, &err);
    if (!p)
        needs_say(r, pair->place, error, "%s", err.text);
    key_pair_free(p);
    key_file_done(&chain);
    key_file_done(&key);
}

static void check_pair(struct needs_report *r, const struct config_certificate *pair)
{
    X509 *x = check_chain(r, pair);
    EVP_PKEY *key = x || !str_eq(pair->key, pair->chain) ? check_key(r, pair) : NULL;

    if (x)
        check_time(r, pair->place, x);
    if (x && key && X509_check_private_key(x, key) != 1)
        needs_say(r, pair->place, error, "the key in %.*s is not that of the certificate in %.*s", STR_ARG(pair->key),
                  STR_ARG(pair->chain));
    else if (x && key)
        check_use(r, pair);
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(x);
}

void needs_certificates(struct needs_report *r, const struct config *config)
{
    for (size_t i = 0; i < config->n_certificates; i++)
        check_pair(r, &config->certificates[i]);
}

/* A file of certificates that others' are checked with. */
static void check_authorities(struct needs_report *r, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "until it is there, no certificate is believed" };
    struct stat st;

    if (!needs_file(r, need, missing, &st))
        return;
    X509 *x = read_first(need->what);
    if (!x)
        needs_say(r, need->place, error, "%.*s holds no certificate", STR_ARG(need->what));
    X509_free(x);
}

/* ---- secrets ---- */

static void check_secret_file(struct needs_report *r, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "until it is there, nobody can log in with it" };
    struct stat st;

    if (!needs_file(r, need, missing, &st))
        return;
    check_mode(r, need, &st, "secret");
    if (!st.st_size)
        needs_say(r, need->place, error, "%.*s is empty: its first line is the secret", STR_ARG(need->what));
}

/* The server's environment may be another than that of who asks. */
static void check_variable(struct needs_report *r, const struct config_need *need, struct str name)
{
    char c_name[CMD_PATH_MAX];

    if (needs_path(name, c_name) && !getenv(c_name))
        needs_say(r, need->place, (struct needs_finding){ CONFIG_WARNING, "the server needs it in its own" },
                  "the environment has no '%s'", c_name);
}

/* Credentials are there for the service alone, unless it is the service that asks. */
static void check_credential(struct needs_report *r, const struct config_need *need, struct str name)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[CMD_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%.*s", folder ? folder : "", STR_ARG(name));

    if (folder && n < (int)sizeof(path) && access(path, F_OK) < 0)
        needs_say(r, need->place, (struct needs_finding){ CONFIG_ERROR, "LoadCredential= of the unit gives it" },
                  "there is no credential '%.*s'", STR_ARG(name));
}

/* NEED->what as config_secret.written has it. */
static void check_secret(struct needs_report *r, const struct config_need *need)
{
    struct str name = str_skip(need->what, str_find(need->what, ':') + 1);
    struct config_need file = { .what = name, .place = need->place };

    if (str_starts(need->what, STR("file:")))
        check_secret_file(r, &file);
    else if (str_starts(need->what, STR("env:")))
        check_variable(r, need, name);
    else
        check_credential(r, need, name);
}

/* ---- where passwords are checked ---- */

static void check_auth_socket(struct needs_report *r, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_WARNING, "until somebody listens there, nobody can log in" };
    struct stat st;

    if (needs_there(r, need, missing, &st) && !S_ISSOCK(st.st_mode))
        needs_say(r, need->place, error, "%.*s is not a socket", STR_ARG(need->what));
}

static void check_pam_service(struct needs_report *r, const struct config_need *need)
{
    static const char *const folders[] = { "/etc/pam.d", "/usr/lib/pam.d" };
    char path[CMD_PATH_MAX];

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof(path), "%s/%.*s", folders[i], STR_ARG(need->what));
        if (access(path, F_OK) == 0)
            return;
    }
    needs_say(r, need->place, (struct needs_finding){ CONFIG_ERROR, "write its rules into a file of that name there" },
              "there is no PAM service '%.*s' in /etc/pam.d", STR_ARG(need->what));
}

bool needs_secure(struct needs_report *r, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "make it, or leave the directive out" };
    struct stat st;

    switch (need->kind) {
    case CONFIG_NEED_CERTIFICATE: /* by pair: needs_certificates() */
    case CONFIG_NEED_KEY:
        return true;
    case CONFIG_NEED_CLIENT_CA:
    case CONFIG_NEED_TLS_CA:
        check_authorities(r, need);
        return true;
    case CONFIG_NEED_LOGIN_SECRET:
    case CONFIG_NEED_OAUTH_SECRET:
        check_secret(r, need);
        return true;
    case CONFIG_NEED_OAUTH_KEYS:
    case CONFIG_NEED_SEND_AS_FILE:
        (void)needs_file(r, need, missing, &st);
        return true;
    case CONFIG_NEED_AUTH_SOCKET:
        check_auth_socket(r, need);
        return true;
    case CONFIG_NEED_PAM_SERVICE:
        check_pam_service(r, need);
        return true;
    default:
        return false;
    }
}
