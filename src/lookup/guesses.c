/* lookup/guesses.c */
#include "lookup/guesses.h"

#include <stdlib.h>
#include <string.h>

static struct str octets_of(const struct lookup_guess_key *key)
{
    return str_of((const char *)key, sizeof(*key));
}

void lookup_guesses_init(struct lookup_guesses *g, uint64_t seed)
{
    *g = (struct lookup_guesses){ .map = { .seed = seed } };
    list_init(&g->woken);
}

void lookup_guesses_done(struct lookup_guesses *g)
{
    struct map_node *node;

    while ((node = map_any(&g->map)) != NULL)
        lookup_guesses_remove(g, CONTAINER_OF(node, struct lookup_guess, node));
    map_done(&g->map);
}

struct lookup_guess *lookup_guesses_find(const struct lookup_guesses *g, const struct ipc_channel *from,
                                         uint64_t ticket)
{
    struct lookup_guess_key key = { from, ticket };
    struct map_node *node = map_find(&g->map, octets_of(&key));

    return node ? CONTAINER_OF(node, struct lookup_guess, node) : NULL;
}

struct lookup_guess *lookup_guesses_add(struct lookup_guesses *g, struct ipc_channel *from, uint64_t ticket,
                                        const struct policy_party *party)
{
    struct lookup_guess *guess;

    if (g->map.n == LOOKUP_GUESSES_MAX || party->account.n > LOOKUP_GUESS_ACCOUNT_MAX ||
        lookup_guesses_find(g, from, ticket))
        return NULL;
    guess = calloc(1, sizeof(*guess));
    if (!guess)
        return NULL;
    guess->key = (struct lookup_guess_key){ from, ticket };
    guess->from = from;
    guess->party = *party;
    guess->party.account = str_of(guess->account, party->account.n);
    if (party->account.n)
        memcpy(guess->account, party->account.p, party->account.n);
    list_init(&guess->waits);
    if (map_insert(&g->map, &guess->node, octets_of(&guess->key)))
        return guess;
    free(guess);
    return NULL;
}

struct lookup_guess *lookup_guesses_of(const struct lookup_guesses *g, const struct ipc_channel *from)
{
    MAP_FOR (node, &g->map) {
        struct lookup_guess *guess = CONTAINER_OF(node, struct lookup_guess, node);
        if (guess->from == from)
            return guess;
    }
    return NULL;
}

void lookup_guesses_remove(struct lookup_guesses *g, struct lookup_guess *guess)
{
    list_remove(&guess->waits);
    map_remove(&g->map, &guess->node);
    free(guess);
}
