/* auth/introspection.c */
#include "auth/introspection.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#include "auth/claims.h"

bool form_add(struct buf *out, struct str s)
{
    bool ok = true;

    for (size_t i = 0; ok && i < s.n; i++) {
        char c = s.p[i];
        if (ascii_is_alnum(c) || str_has(STR("*-._"), c))
            ok = buf_add_char(out, c);
        else if (c == ' ')
            ok = buf_add_char(out, '+');
        else
            ok = buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
    return ok;
}

bool introspection_form(struct buf *out, struct str token)
{
    return buf_add_c(out, "token=") && form_add(out, token) && buf_add_c(out, "&token_type_hint=access_token");
}

/* ---- what is remembered ---- */

/* Of the issuer's place in the configuration, too: another one may think otherwise of it. */
static bool hash_of(const struct config_oauth *issuer, struct str token, unsigned char hash[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
              EVP_DigestUpdate(ctx, &issuer->index, sizeof(issuer->index)) &&
              EVP_DigestUpdate(ctx, token.p, token.n) && EVP_DigestFinal_ex(ctx, hash, NULL);

    EVP_MD_CTX_free(ctx);
    return ok;
}

const struct introspection *introspection_find(const struct introspections *said, const struct config_oauth *issuer,
                                               struct str token, int64_t now)
{
    unsigned char hash[32];
    const struct introspection *found;

    if (!hash_of(issuer, token, hash))
        return NULL;
    found = &said->items[hash[0]];
    /* A clock that was set back does not make it last longer. */
    if (found->until <= now || found->until > now + INTROSPECTION_KEEP_SEC)
        return NULL;
    return memcmp(found->hash, hash, sizeof(hash)) == 0 ? found : NULL;
}

/* ---- what is said ---- */

static void judge(const json_t *claims, const struct config_oauth *issuer, int64_t now, struct introspection *out)
{
    struct str account;

    out->why = json_is_true(json_object_get(claims, "active")) ? claims_check(claims, issuer, CLAIMS_SAID, now)
                                                               : "the issuer says that the token is not good";
    if (out->why)
        return;
    account = claims_account(claims, issuer);
    if (!account.n || account.n > sizeof(out->account)) {
        out->why = "the issuer does not say whose account it is";
        return;
    }
    out->good = true;
    memcpy(out->account, account.p, account.n);
    out->n_account = account.n;
}

bool introspection_take(struct introspections *said, const struct config_oauth *issuer, struct str token,
                        struct str body, int64_t now, struct introspection *out)
{
    json_t *claims = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_boolean(json_object_get(claims, "active"));

    *out = (struct introspection){ 0 };
    if (ok) {
        judge(claims, issuer, now, out);
        out->until = claims_until(claims, now + INTROSPECTION_KEEP_SEC);
        if (hash_of(issuer, token, out->hash))
            said->items[out->hash[0]] = *out;
    }
    json_decref(claims);
    return ok;
}
