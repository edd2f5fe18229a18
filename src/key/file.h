/* key/file.h -- PEM files with certificates and private keys (RFC 7468). */
#ifndef KEY_FILE_H
#define KEY_FILE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/err.h"
#include "core/str.h"

enum { KEY_FILE_MAX = 1 << 20 };

/* What was read of a file last; a file of both kinds has both. Init: { 0 }. */
struct key_file {
    struct str path;               /* borrowed */
    STACK_OF(X509) * certificates; /* in the file's order; NULL: none */
    EVP_PKEY *key;                 /* the first; NULL: none */
    struct err chain_error;        /* why there are no certificates, or not all */
    struct err key_error;
};

/* FD is only read. What was read before is forgotten, and wiped. */
void key_file_read(struct key_file *f, int fd);
/* It cannot be had: ERROR says why. */
void key_file_fail(struct key_file *f, struct str error);
void key_file_done(struct key_file *f);

#endif
