/* auth/mechanisms.h -- which mechanisms a listener's accounts allow (FACE 1.9 mechanisms). */
#ifndef AUTH_MECHANISMS_H
#define AUTH_MECHANISMS_H

#include "auth/files.h"
#include "auth/sasl.h"

enum { AUTH_OFFER_MAX = 128 };

/* Names by blanks, as they are told to receive; empty: nothing. */
struct auth_offer {
    size_t n;
    char c[AUTH_OFFER_MAX];
};

/* Of each listener, as last told. */
struct auth_offers {
    struct auth_offer *items;
    size_t n;
};

/* What LISTENER can offer with what FILES hold now, in the order of its `mechanisms`. */
void auth_offer_make(const struct config *config, const struct auth_files *files, uint32_t listener,
                     struct auth_offer *out);
bool auth_offer_has(const struct auth_offer *offer, enum auth_mechanism m);

#endif
