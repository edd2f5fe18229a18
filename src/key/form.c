/* key/form.c -- CertificateVerify and ServerKeyExchange (RFC 8446 4.4.3; RFC 5246 7.4.3, 7.4.8; RFC
 * 8422 5.4). */
#include "key/form.h"

#include <string.h>

enum { BLANKS_13 = 64, RANDOM = 32, HASH_256 = 32, HASH_384 = 48 };

static unsigned octet(struct str s, size_t at)
{
    return (unsigned char)s.p[at];
}

/* RFC 8446 4.4.3: blanks, a context, NUL, the hash of the transcript by the suite, which is SHA-256 or
 * SHA-384. */
static bool is_verify_13(struct str octets, struct str context)
{
    size_t hash = octets.n - BLANKS_13 - context.n - 1;

    if (octets.n < BLANKS_13 + context.n + 1 || (hash != HASH_256 && hash != HASH_384))
        return false;
    for (size_t i = 0; i < BLANKS_13; i++)
        if (octets.p[i] != ' ')
            return false;
    octets = str_skip(octets, BLANKS_13);
    return str_starts(octets, context) && octets.p[context.n] == '\0';
}

/* Of a public value on that curve: RFC 8422 5.4.1 (uncompressed points alone), 5.11. */
static size_t point_length(unsigned curve)
{
    switch (curve) {
    case 23: /* secp256r1 */
        return 1 + 2 * 32;
    case 24: /* secp384r1 */
        return 1 + 2 * 48;
    case 25: /* secp521r1 */
        return 1 + 2 * 66;
    case 29: /* x25519 */
        return 32;
    case 30: /* x448 */
        return 56;
    default:
        return 0;
    }
}

/* Both randoms, then ECParameters of a named curve and a point of it, and nothing behind. */
static bool is_exchange_12(struct str octets)
{
    enum { NAMED_CURVE = 3, HEAD = 2 * RANDOM + 4, UNCOMPRESSED = 4 };
    unsigned curve;
    size_t n;

    if (octets.n <= HEAD || octet(octets, (size_t)2 * RANDOM) != NAMED_CURVE)
        return false;
    curve = octet(octets, 2 * RANDOM + 1) << 8 | octet(octets, 2 * RANDOM + 2);
    n = point_length(curve);
    if (n == 0 || octet(octets, HEAD - 1) != n || octets.n != HEAD + n)
        return false;
    return curve > 25 || octet(octets, HEAD) == UNCOMPRESSED;
}

/* Messages that stand before a client's CertificateVerify, in their order (RFC 5246 7.3, RFC 6066 8). */
static const struct {
    unsigned type;
    bool always;
} before_verify[] = {
    { 1, true },   /* ClientHello */
    { 2, true },   /* ServerHello */
    { 11, true },  /* Certificate */
    { 22, false }, /* CertificateStatus */
    { 12, true },  /* ServerKeyExchange: without ECDHE there is no session with us */
    { 13, true },  /* CertificateRequest */
    { 14, true },  /* ServerHelloDone */
    { 11, true },  /* our Certificate */
    { 16, true },  /* ClientKeyExchange */
};

/* Type of the handshake message at the front, which is taken off; 256: there is none. */
static unsigned take_message(struct str *rest)
{
    enum { HEAD = 4, NONE = 256 };
    unsigned type;
    size_t n;

    if (rest->n < HEAD)
        return NONE;
    type = octet(*rest, 0);
    n = (size_t)octet(*rest, 1) << 16 | octet(*rest, 2) << 8 | octet(*rest, 3);
    if (n > rest->n - HEAD)
        return NONE;
    *rest = str_skip(*rest, HEAD + n);
    return type;
}

static bool is_verify_12(struct str octets)
{
    unsigned type = take_message(&octets);

    for (size_t i = 0; i < ARRAY_LEN(before_verify); i++) {
        bool last = i + 1 == ARRAY_LEN(before_verify);
        if (type != before_verify[i].type) {
            if (before_verify[i].always)
                return false;
            continue;
        }
        if (last)
            return octets.n == 0;
        type = take_message(&octets);
    }
    return false;
}

bool key_form_check(unsigned form, struct str octets, struct err *err)
{
    bool ok = false;

    switch (form) {
    case IPC_SIGN_SERVER_13:
        ok = is_verify_13(octets, STR("TLS 1.3, server CertificateVerify"));
        break;
    case IPC_SIGN_CLIENT_13:
        ok = is_verify_13(octets, STR("TLS 1.3, client CertificateVerify"));
        break;
    case IPC_SIGN_SERVER_12:
        ok = is_exchange_12(octets);
        break;
    case IPC_SIGN_CLIENT_12:
        ok = is_verify_12(octets);
        break;
    default:
        break;
    }
    return ok || err_perm(err, "what is to be signed does not have the form of its place in a handshake");
}
