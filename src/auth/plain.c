/* auth/plain.c */
#include "auth/plain.h"

bool auth_scram_is_sane(struct str message)
{
    return str_is_utf8(message) && !str_has(message, '\0');
}

bool auth_part_is_sane(struct str part)
{
    return part.n <= AUTH_PLAIN_PART_MAX && auth_scram_is_sane(part);
}

bool auth_plain_is_sane(struct str message)
{
    struct str rest = message;
    struct str authzid = str_cut(&rest, '\0');
    struct str authcid = str_cut(&rest, '\0');

    return auth_part_is_sane(authzid) && authcid.n && auth_part_is_sane(authcid) && rest.n && auth_part_is_sane(rest);
}
