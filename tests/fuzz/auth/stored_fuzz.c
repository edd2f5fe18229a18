/* What users files keep of passwords: views lie in the line, keys have their lengths, locks hold. */
#include <stdint.h>

#include "auth/stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct str part, struct str whole)
{
    return part.n && part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = str_of((const char *)data, size);
    struct auth_stored stored;
    const char *wrong = auth_stored_parse(line, &stored);

    BUG_ON(stored.kind == AUTH_STORED_WRONG && !wrong);
    BUG_ON(stored.kind == AUTH_STORED_CRYPT && (!lies_in(stored.hash, line) || str_has(stored.hash, '\0')));
    BUG_ON(stored.kind == AUTH_STORED_SCRAM && !stored.has_scram);
    BUG_ON(stored.kind == AUTH_STORED_LOCKED && stored.has_scram);
    if (stored.has_scram) {
        BUG_ON(!lies_in(stored.scram.salt, line) || !lies_in(stored.scram.stored, line));
        BUG_ON(stored.scram.stored.n != 44 || stored.scram.server.n != 44);
        BUG_ON(stored.scram.iterations < AUTH_SCRAM_ITERATIONS_MIN);
    }
    return 0;
}
