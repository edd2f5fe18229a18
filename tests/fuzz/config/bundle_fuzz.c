/* Octets as a bundle. Oracles: what is taken is written again in the same octets, and parsing it does no harm. */
#include "tests/fuzz/config/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(FUZZ_ARENA);
    struct buf again = BUF_INIT(CONFIG_BUNDLE_MAX);
    struct config_diagnostics diag;
    struct config_bundle bundle;
    const struct config *c;
    char *copy = malloc(size ? size : 1);

    BUG_ON(!a || !copy);
    if (size)
        memcpy(copy, data, size);
    if (config_bundle_decode(str_of(copy, size), a, &bundle, NULL)) {
        BUG_ON(!config_bundle_encode(&bundle, &again, NULL));
        BUG_ON(!str_eq(buf_str(&again), str_of(copy, size)));
        if (config_parse_bundle(&bundle, a, &c, &diag))
            BUG_ON(diag.errors);
    }
    free(copy);
    buf_done(&again);
    arena_free(a);
    return 0;
}
