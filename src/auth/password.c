/* auth/password.c */
#include "auth/password.h"

#include <crypt.h>
#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"

/* Whatever they hold, it takes as long. */
static bool same_octets(const char *a, const char *b, size_t n)
{
    unsigned char different = 0;

    for (size_t i = 0; i < n; i++)
        different |= (unsigned char)(a[i] ^ b[i]);
    return different == 0;
}

static void wipe_and_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    gsasl_free(text);
}

enum auth_prepared auth_prepare(const char *said, struct auth_text *out)
{
    enum auth_prepared result = AUTH_UNPREPARED;
    char *prepared = NULL;
    /* Characters that the tables of 2002 do not know pass: they are in no stored form that could be mistaken for it. */
    int rc = gsasl_saslprep(said, GSASL_ALLOW_UNASSIGNED, &prepared, NULL);
    size_t n = rc == GSASL_OK ? strlen(prepared) : 0;

    if (rc == GSASL_MALLOC_ERROR)
        result = AUTH_PREPARE_NO_MEMORY;
    if (n && n <= AUTH_TEXT_MAX) {
        memcpy(out->c, prepared, n + 1);
        result = AUTH_PREPARED;
    }
    wipe_and_free(prepared);
    return result;
}

static enum auth_check check_crypt(const struct auth_text *password, struct str hash)
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    enum auth_check result = AUTH_CHECK_WRONG;
    const char *made;

    if (!data)
        return AUTH_CHECK_FAILED;
    /* NULL: longer than crypt(3) takes, so it was never anybody's. */
    made = crypt_rn(password->c, hash.p, data, (int)sizeof(*data));
    if (made && strlen(made) == hash.n && same_octets(made, hash.p, hash.n))
        result = AUTH_CHECK_RIGHT;
    explicit_bzero(data, sizeof(*data));
    free(data);
    return result;
}

static enum auth_check compare_key(const char *made, struct str stored)
{
    struct buf key = BUF_INIT(AUTH_SCRAM_KEY_OCTETS);
    enum auth_check result = AUTH_CHECK_FAILED;

    if (base64_read(&key, stored) && key.n == AUTH_SCRAM_KEY_OCTETS)
        result = same_octets(made, key.p, key.n) ? AUTH_CHECK_RIGHT : AUTH_CHECK_WRONG;
    if (key.p)
        explicit_bzero(key.p, key.cap);
    buf_done(&key);
    return result;
}

/* The keys that this password would have (RFC 5802 3). */
static enum auth_check check_scram(const struct auth_text *password, const struct auth_scram *scram)
{
    struct {
        char salted[AUTH_SCRAM_KEY_OCTETS], client[AUTH_SCRAM_KEY_OCTETS];
        char server[AUTH_SCRAM_KEY_OCTETS], stored[AUTH_SCRAM_KEY_OCTETS];
    } keys;
    struct buf salt = BUF_INIT(AUTH_SCRAM_SALT_MAX);
    enum auth_check result = AUTH_CHECK_FAILED;

    if (base64_read(&salt, scram->salt) &&
        gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, password->c, scram->iterations, salt.p, salt.n,
                                          keys.salted, keys.client, keys.server, keys.stored) == GSASL_OK)
        result = compare_key(keys.stored, scram->stored);
    explicit_bzero(&keys, sizeof(keys));
    buf_done(&salt);
    return result;
}

enum auth_check auth_password_check(const struct auth_text *password, const struct auth_stored *stored)
{
    if (stored->kind == AUTH_STORED_CRYPT)
        return check_crypt(password, stored->hash);
    if (stored->kind == AUTH_STORED_SCRAM)
        return check_scram(password, &stored->scram);
    return AUTH_CHECK_WRONG;
}
