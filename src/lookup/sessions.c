/* lookup/sessions.c */
#include "lookup/sessions.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

static struct lookup_session key_of(struct str client, uint32_t listener, bool exempt)
{
    struct lookup_session key = { .listener = listener,
                                  .exempt = exempt,
                                  .is_unix = client.n != LOOKUP_CLIENT_OCTETS,
                                  .used = true };

    if (!key.is_unix)
        memcpy(key.client, client.p, client.n);
    return key;
}

static bool same(const struct lookup_session *a, const struct lookup_session *b)
{
    return a->listener == b->listener && a->is_unix == b->is_unix && a->exempt == b->exempt &&
           memcmp(a->client, b->client, sizeof(a->client)) == 0;
}

/* The place of KEY, or the one where it would be; there is always a place that was never used. */
static struct lookup_session *place_of(const struct lookup_sessions *s, const struct lookup_session *key)
{
    struct str octets = str_of((const char *)key->client, sizeof(key->client));

    for (size_t i = str_hash(octets, key->listener);; i++) {
        struct lookup_session *at = &s->slots[i & (s->room - 1)];
        if (!at->used || same(at, key))
            return at;
    }
}

/* Twice what is open, which leaves out the places that are free again. */
static bool grow(struct lookup_sessions *s)
{
    size_t open = 0, room = ROOM_FIRST;

    if ((s->used + 1) * 2 <= s->room)
        return true;
    for (size_t i = 0; i < s->room; i++)
        open += s->slots[i].count > 0;
    while (room < (open + 1) * 4)
        room *= 2;
    struct lookup_sessions wider = { .room = room };
    if (open >= LOOKUP_SESSIONS_MAX || !(wider.slots = calloc(room, sizeof(*wider.slots))))
        return false;
    for (size_t i = 0; i < s->room; i++) {
        if (!s->slots[i].count)
            continue;
        *place_of(&wider, &s->slots[i]) = s->slots[i];
        wider.used++;
    }
    free(s->slots);
    *s = wider;
    return true;
}

void lookup_sessions_done(struct lookup_sessions *s)
{
    free(s->slots);
    *s = (struct lookup_sessions){ 0 };
}

bool lookup_sessions_add(struct lookup_sessions *s, struct str client, uint32_t listener, bool exempt)
{
    struct lookup_session key = key_of(client, listener, exempt);

    if (!grow(s))
        return false;
    struct lookup_session *at = place_of(s, &key);
    if (!at->used) {
        *at = key;
        s->used++;
    }
    at->count++;
    return true;
}

static bool remove_like(struct lookup_sessions *s, struct str client, uint32_t listener, bool exempt)
{
    struct lookup_session key = key_of(client, listener, exempt);
    struct lookup_session *at = s->room ? place_of(s, &key) : NULL;

    if (!at || !at->count)
        return false;
    at->count--;
    return true;
}

bool lookup_sessions_remove(struct lookup_sessions *s, struct str client, uint32_t listener, bool *exempt)
{
    *exempt = remove_like(s, client, listener, true);
    return *exempt || remove_like(s, client, listener, false);
}

struct str lookup_session_client(const struct lookup_session *session)
{
    return session->is_unix ? STR_NONE : str_of((const char *)session->client, sizeof(session->client));
}
