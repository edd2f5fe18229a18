/* send/salting.c */
#include "send/salting.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"

struct salting_reckoning {
    struct list node;
    struct salting_name name;
    struct pbkdf2 pbkdf2;
    struct list asks;
};

/* ---- names ---- */

/* With its length in front, so that no octet can belong to what stands beside it. */
static bool add(EVP_MD_CTX *md, struct str octets)
{
    char size[8];

    le64_put(size, octets.n);
    return EVP_DigestUpdate(md, size, sizeof(size)) == 1 && EVP_DigestUpdate(md, octets.p, octets.n) == 1;
}

static bool name_of(const struct salting_what *what, struct salting_name *out)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char iterations[8];
    bool ok;

    le64_put(iterations, what->iterations);
    ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && add(md, STR("SCRAM-SHA-256")) &&
         add(md, what->secret) && add(md, what->salt) && add(md, str_of(iterations, sizeof(iterations))) &&
         EVP_DigestFinal_ex(md, out->octets, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static bool is_name(const struct salting_name *a, const struct salting_name *b)
{
    return CRYPTO_memcmp(a->octets, b->octets, SALTING_NAME) == 0;
}

/* ---- what is kept ---- */

static struct salting_kept *kept_find(struct salting *s, const struct salting_name *name)
{
    for (size_t i = 0; i < SALTING_KEPT; i++)
        if (s->kept[i].used && is_name(&s->kept[i].name, name))
            return &s->kept[i];
    return NULL;
}

static void keep(struct salting *s, const struct salting_name *name, const unsigned char key[PBKDF2_KEY])
{
    struct salting_kept *place = &s->kept[0];

    for (size_t i = 1; i < SALTING_KEPT; i++)
        if (s->kept[i].used < place->used)
            place = &s->kept[i];
    explicit_bzero(place, sizeof(*place));
    place->name = *name;
    memcpy(place->key, key, PBKDF2_KEY);
    place->used = ++s->uses;
}

/* ---- reckoning ---- */

static void reckoning_free(struct salting_reckoning *r)
{
    pbkdf2_done(&r->pbkdf2);
    explicit_bzero(r, sizeof(*r));
    free(r);
}

static struct salting_reckoning *reckoning_new(const struct salting_name *name, const struct salting_what *what)
{
    struct salting_reckoning *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->name = *name;
    list_init(&r->node);
    list_init(&r->asks);
    if (pbkdf2_begin(&r->pbkdf2, what->secret, what->salt, what->iterations))
        return r;
    reckoning_free(r);
    return NULL;
}

static struct salting_reckoning *reckoning_find(struct salting *s, const struct salting_name *name)
{
    LIST_FOR(node, &s->waiting)
    {
        struct salting_reckoning *r = CONTAINER_OF(node, struct salting_reckoning, node);
        if (is_name(&r->name, name))
            return r;
    }
    return NULL;
}

/* R, which waits for no step any more, is over; those who asked may do what they like meanwhile. */
static void tell(struct salting_reckoning *r, bool well)
{
    struct list *node;

    while ((node = list_take(&r->asks))) {
        struct salting_ask *a = CONTAINER_OF(node, struct salting_ask, node);
        a->reckoning = NULL;
        a->reckoned(a, well ? r->pbkdf2.key : NULL);
    }
    reckoning_free(r);
}

static void on_turn(struct io_timer *t)
{
    struct salting *s = CONTAINER_OF(t, struct salting, timer);
    struct salting_reckoning *r = CONTAINER_OF(list_take(&s->waiting), struct salting_reckoning, node);
    bool well = pbkdf2_go_on(&r->pbkdf2, SALTING_STEP), over = !well || !r->pbkdf2.left;

    s->steps++;
    if (over)
        s->n--;
    else
        list_append(&s->waiting, &r->node);
    if (s->n)
        io_timer_start(&s->timer, 0);
    if (over && well)
        keep(s, &r->name, r->pbkdf2.key);
    if (over)
        tell(r, well);
}

/* ---- asking ---- */

/* The reckoning of NAME, which may be under way. NULL with ERR. */
static struct salting_reckoning *have(struct salting *s, const struct salting_name *name,
                                      const struct salting_what *what, struct err *err)
{
    struct salting_reckoning *r = reckoning_find(s, name);

    if (r)
        return r;
    if (s->n >= SALTING_WAITING_MAX) {
        err_temp(err, "too many log-ins at other hosts at once");
        return NULL;
    }
    r = reckoning_new(name, what);
    if (!r) {
        err_temp(err, "out of memory");
        return NULL;
    }
    list_append(&s->waiting, &r->node);
    s->n++;
    if (!io_timer_pending(&s->timer))
        io_timer_start(&s->timer, 0);
    return r;
}

enum salting_answer salting_ask(struct salting *s, const struct salting_what *what, struct salting_ask *a,
                                unsigned char key[PBKDF2_KEY], struct err *err)
{
    struct salting_kept *kept;
    struct salting_name name;

    *a = (struct salting_ask){ .reckoned = a->reckoned };
    if (!name_of(what, &name)) {
        err_temp(err, "out of memory");
        return SALTING_NOT;
    }
    kept = kept_find(s, &name);
    if (kept) {
        kept->used = ++s->uses;
        memcpy(key, kept->key, PBKDF2_KEY);
        return SALTING_KNOWN;
    }
    a->reckoning = have(s, &name, what, err);
    if (!a->reckoning)
        return SALTING_NOT;
    list_append(&a->reckoning->asks, &a->node);
    return SALTING_WAITS;
}

void salting_cancel(struct salting *s, struct salting_ask *a)
{
    struct salting_reckoning *r = a->reckoning;

    if (!r)
        return;
    a->reckoning = NULL;
    list_remove(&a->node);
    /* That is told just now is not in turn any more, and goes by itself. */
    if (!list_empty(&r->asks) || list_empty(&r->node))
        return;
    list_remove(&r->node);
    reckoning_free(r);
    if (--s->n == 0)
        io_timer_stop(&s->timer);
}

/* ---- life ---- */

bool salting_init(struct salting *s, struct io_loop *loop, struct err *err)
{
    *s = (struct salting){ 0 };
    list_init(&s->waiting);
    return io_timer_init(&s->timer, loop, on_turn, err);
}

void salting_done(struct salting *s)
{
    struct list *node;

    while ((node = list_take(&s->waiting))) {
        struct salting_reckoning *r = CONTAINER_OF(node, struct salting_reckoning, node);
        while ((node = list_take(&r->asks)))
            CONTAINER_OF(node, struct salting_ask, node)->reckoning = NULL;
        reckoning_free(r);
    }
    io_timer_done(&s->timer);
    explicit_bzero(s, sizeof(*s));
}
