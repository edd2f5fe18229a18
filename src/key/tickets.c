/* key/tickets.c -- random keys, the newest first. */
#include "key/tickets.h"

#include <openssl/rand.h>
#include <string.h>

bool key_tickets_turn(struct key_tickets *t, struct err *err)
{
    unsigned char fresh[KEY_TICKET];

    if (RAND_priv_bytes(fresh, sizeof(fresh)) != 1)
        return err_temp(err, "no random numbers");
    memmove(t->keys + KEY_TICKET, t->keys, (KEY_TICKETS_KEPT - 1) * (size_t)KEY_TICKET);
    memcpy(t->keys, fresh, sizeof(fresh));
    explicit_bzero(fresh, sizeof(fresh));
    if (t->n < KEY_TICKETS_KEPT)
        t->n++;
    return true;
}

struct str key_tickets_octets(const struct key_tickets *t)
{
    return str_of((const char *)t->keys, t->n * KEY_TICKET);
}
