/* key/sign.h -- signatures of handshakes (RFC 8446 4.2.3, RFC 5246 7.4.1.4.1). */
#ifndef KEY_SIGN_H
#define KEY_SIGN_H

#include <openssl/evp.h>

#include "core/err.h"
#include "core/str.h"

/* Of a key of 16,384 bits, the largest OpenSSL takes. */
enum { KEY_SIGNATURE_MAX = 2048 };

/*
 * Signs OCTETS, once they have FORM (enum ipc_sign_form), by SCHEME, when that belongs to such a key and
 * form. *n octets. False with ERR: refused (permanent), or not possible now.
 */
MUST_USE bool key_sign(EVP_PKEY *key, unsigned form, uint16_t scheme, struct str octets,
                       unsigned char out[KEY_SIGNATURE_MAX], size_t *n, struct err *err);

#endif
