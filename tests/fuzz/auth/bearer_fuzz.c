/* What clients say with tokens and with PLAIN: whatever is taken lies in the message and is what the mechanism allows. */
#include <stdint.h>

#include "auth/bearer.h"
#include "auth/plain.h"
#include "core/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct str part, struct str whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check(struct str message, const struct bearer *said)
{
    BUG_ON(!said->token.n || !lies_in(said->token, message) || !lies_in(said->user, message));
    BUG_ON(said->user.n > BEARER_USER_MAX || str_has(said->user, '\0') || !str_is_ascii(said->token));
    BUG_ON(message.p[message.n - 1] != '\x01' || message.p[message.n - 2] != '\x01');
}

static void check_plain(struct str message)
{
    struct str rest = message;
    struct str authzid = str_cut(&rest, '\0'), authcid = str_cut(&rest, '\0');

    BUG_ON(authzid.n > AUTH_PLAIN_PART_MAX || authcid.n > AUTH_PLAIN_PART_MAX || rest.n > AUTH_PLAIN_PART_MAX);
    BUG_ON(!authcid.n || !rest.n || str_has(rest, '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str message = str_of((const char *)data, size);
    struct bearer said;

    if (bearer_read(message, &said))
        check(message, &said);
    if (bearer_read_xoauth2(message, &said))
        check(message, &said);
    if (auth_plain_is_sane(message))
        check_plain(message);
    return 0;
}
