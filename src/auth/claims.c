/* auth/claims.c */
#include "auth/claims.h"

#include "auth/token.h"

static struct str text_of(const json_t *value)
{
    return str_of(json_string_value(value), json_string_length(value));
}

static bool is_ours(struct str audience, const struct config_oauth *issuer)
{
    for (size_t i = 0; i < issuer->n_audiences; i++)
        if (str_eq(audience, issuer->audiences[i]))
            return true;
    return false;
}

/* One, or several (RFC 7519 4.1.3). */
static bool has_audience(const json_t *aud, const struct config_oauth *issuer)
{
    if (!issuer->n_audiences || (json_is_string(aud) && is_ours(text_of(aud), issuer)))
        return true;
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (is_ours(text_of(json_array_get(aud, i)), issuer))
            return true;
    return false;
}

bool claims_name_issuer(const json_t *claims, const struct config_oauth *issuer)
{
    return str_eq(text_of(json_object_get(claims, "iss")), issuer->issuer);
}

const char *claims_check(const json_t *claims, const struct config_oauth *issuer, enum claims_of of, int64_t now)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");

    if ((of == CLAIMS_SIGNED || json_object_get(claims, "iss")) && !claims_name_issuer(claims, issuer))
        return "the token is another issuer's";
    if (!has_audience(json_object_get(claims, "aud"), issuer))
        return "the token is for another audience";
    if ((of == CLAIMS_SIGNED || exp) &&
        (!json_is_number(exp) || json_number_value(exp) <= (double)(now - TOKEN_SKEW_SEC)))
        return "the token has expired";
    if (nbf && (!json_is_number(nbf) || json_number_value(nbf) > (double)(now + TOKEN_SKEW_SEC)))
        return "the token is not good yet";
    return NULL;
}

struct str claims_account(const json_t *claims, const struct config_oauth *issuer)
{
    struct str value = text_of(json_object_getn(claims, issuer->login_claim.p, issuer->login_claim.n));

    return str_has(value, '\0') ? STR_NONE : value;
}

int64_t claims_until(const json_t *claims, int64_t latest)
{
    const json_t *exp = json_object_get(claims, "exp");
    double end = json_number_value(exp) + TOKEN_SKEW_SEC;

    return json_is_number(exp) && end < (double)latest ? (int64_t)(end > 0 ? end : 0) : latest;
}
