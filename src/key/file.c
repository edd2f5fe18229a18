/* key/file.c -- what a PEM file holds; private octets are wiped as soon as they were read. */
#include "key/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/arena.h"
#include "io/fd.h"

static void forget(struct key_file *f)
{
    sk_X509_pop_free(f->certificates, X509_free);
    EVP_PKEY_free(f->key);
    *f = (struct key_file){ .path = f->path };
}

static void read_certificates(struct key_file *f, BIO *in)
{
    int last;

    f->certificates = sk_X509_new_null();
    if (!f->certificates) {
        err_temp(&f->chain_error, "no memory");
        return;
    }
    for (;;) {
        X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
        if (!x)
            break;
        if (!sk_X509_push(f->certificates, x)) {
            X509_free(x);
            err_temp(&f->chain_error, "no memory");
            return;
        }
    }
    last = ERR_GET_REASON(ERR_peek_last_error());
    if (last != PEM_R_NO_START_LINE)
        err_perm(&f->chain_error, "certificate %d cannot be read", sk_X509_num(f->certificates) + 1);
    else if (sk_X509_num(f->certificates) == 0)
        err_perm(&f->chain_error, "there is no certificate in it (PEM)");
}

/* Nobody is there to be asked. */
static int on_password(char *at, int room, int writing, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static bool key_is_known(const EVP_PKEY *key)
{
    char group[32] = "";
    size_t n;

    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "ED25519"))
        return true;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
}

static void read_key(struct key_file *f, struct str octets, BIO *in)
{
    bool encrypted = false;

    f->key = PEM_read_bio_PrivateKey(in, NULL, on_password, &encrypted);
    if (f->key && key_is_known(f->key))
        return;
    if (f->key)
        err_perm(&f->key_error, "keys are RSA, EC P-256, EC P-384 or Ed25519, not this one");
    else if (encrypted)
        err_perm(&f->key_error,
                 "the key is encrypted, and nobody can be asked for its password: store it without");
    else if (!str_contains(octets, STR("PRIVATE KEY-----")))
        err_perm(&f->key_error, "there is no private key in it (PEM)");
    else
        err_perm(&f->key_error, "the private key cannot be read");
    EVP_PKEY_free(f->key);
    f->key = NULL;
}

static void read_octets(struct key_file *f, struct str octets)
{
    BIO *in = BIO_new_mem_buf(octets.p, (int)octets.n);

    if (!in) {
        err_temp(&f->chain_error, "no memory");
        err_temp(&f->key_error, "no memory");
        return;
    }
    ERR_clear_error();
    read_certificates(f, in);
    BIO_free(in);
    ERR_clear_error();
    in = BIO_new_mem_buf(octets.p, (int)octets.n);
    if (in)
        read_key(f, octets, in);
    else
        err_temp(&f->key_error, "no memory");
    BIO_free(in);
    ERR_clear_error();
}

void key_file_fail(struct key_file *f, struct str error)
{
    forget(f);
    err_temp(&f->chain_error, "%.*s", STR_ARG(error));
    f->key_error = f->chain_error;
}

void key_file_read(struct key_file *f, int fd)
{
    struct arena *a = arena_new(KEY_FILE_MAX + 64);
    struct err err = { 0 };
    struct str octets;

    if (!a) {
        key_file_fail(f, STR("no memory"));
        return;
    }
    if (!fd_read_all(fd, KEY_FILE_MAX, a, &octets, &err)) {
        key_file_fail(f, str_from_c(err.text));
    } else {
        forget(f);
        read_octets(f, octets);
        explicit_bzero((char *)octets.p, octets.n);
    }
    arena_free(a);
}

void key_file_done(struct key_file *f)
{
    forget(f);
}
