/* auth/name.c */
#include "auth/name.h"

#include "route/local.h"

static bool fill(struct arena *a, struct str local, struct auth_name *out)
{
    struct route_folded folded;

    if (!route_fold(local, &folded))
        return false;
    out->local = arena_str(a, local);
    out->account = arena_printf(a, "%.*s@%.*s", STR_ARG(route_folded_str(&folded)), STR_ARG(out->domain));
    return out->local.p && out->account.p;
}

enum auth_name_read auth_name_read(struct arena *a, struct str said, struct str origin, struct auth_name *out)
{
    size_t at = str_rfind(said, '@');
    struct str local = str_head(said, at);

    *out = (struct auth_name){ .domain = origin };
    if (!route_local_is_sane(local) || str_has(local, ' '))
        return AUTH_NAME_NOBODY;
    if (at < said.n && !route_domain_normal(a, str_skip(said, at + 1), &out->domain))
        return AUTH_NAME_NOBODY;
    return fill(a, local, out) ? AUTH_NAME_OK : AUTH_NAME_NO_MEMORY;
}
