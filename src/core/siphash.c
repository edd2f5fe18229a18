/* core/siphash.c */
#include "core/siphash.h"

#include "core/num.h"

enum { WORD = 8, ROUNDS_EACH = 2, ROUNDS_LAST = 4 };

struct state {
    uint64_t v[4];
};

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void half_round(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, unsigned left, unsigned right)
{
    *a += *b;
    *c += *d;
    *b = rotate(*b, left) ^ *a;
    *d = rotate(*d, right) ^ *c;
    *a = rotate(*a, 32);
}

static void stir(struct state *s, int rounds)
{
    uint64_t *v = s->v;

    for (int i = 0; i < rounds; i++) {
        half_round(&v[0], &v[1], &v[2], &v[3], 13, 16);
        half_round(&v[2], &v[1], &v[0], &v[3], 17, 21);
    }
}

static void take(struct state *s, uint64_t word)
{
    s->v[3] ^= word;
    stir(s, ROUNDS_EACH);
    s->v[0] ^= word;
}

uint64_t siphash(struct str s, const uint64_t key[2])
{
    struct state state = { { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                             key[1] ^ 0x7465646279746573 } };
    uint64_t last = (uint64_t)s.n << 56;

    for (; s.n >= WORD; s = str_skip(s, WORD))
        take(&state, le64_get(s.p));
    for (size_t i = 0; i < s.n; i++)
        last |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    take(&state, last);
    state.v[2] ^= 0xff;
    stir(&state, ROUNDS_LAST);
    return state.v[0] ^ state.v[1] ^ state.v[2] ^ state.v[3];
}
