/* route/local.c */
#include "route/local.h"

#include "smtp/address.h"

bool route_fold(struct str local, struct route_folded *out)
{
    if (local.n > sizeof(out->c))
        return false;
    out->n = local.n;
    for (size_t i = 0; i < local.n; i++)
        out->c[i] = ascii_lower(local.p[i]);
    return true;
}

bool route_cut_detail(struct str local, struct str separators, struct str *user, struct str *detail)
{
    for (size_t i = 1; i < local.n; i++) {
        if (!str_has(separators, local.p[i]))
            continue;
        *user = str_head(local, i);
        *detail = str_skip(local, i + 1);
        return true;
    }
    return false;
}

bool route_is_role(struct str local)
{
    return str_eq_nocase(local, STR("postmaster")) || str_eq_nocase(local, STR("abuse"));
}

bool route_local_is_sane(struct str local)
{
    if (!local.n || local.n > ROUTE_LOCAL_MAX || !str_is_utf8(local))
        return false;
    for (size_t i = 0; i < local.n; i++)
        if ((unsigned char)local.p[i] < ' ' || local.p[i] == 0x7f)
            return false;
    return true;
}

bool route_domain_normal(struct arena *a, struct str written, struct str *out)
{
    unsigned flags = 0;

    return smtp_domain_parse(a, written, out, &flags) == SMTP_PATH_OK && !(flags & SMTP_PATH_LITERAL);
}
