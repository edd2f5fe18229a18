/*
 * tests/unit/tls/groups_test.c -- how both sides agree on a key: the hybrid with ML-KEM where both know it,
 * what is left where one does not, and never a failure (RFC 9846 4.3.7, 4.3.8, RFC 9325 4.2.1).
 */
#include "tests/unit/tls/pair.h"

#include <stdio.h>

#include "tls/stream.h"

#define HYBRID "X25519MLKEM768"

struct scene {
    struct identity id;
    struct tls_server *server;
    struct tls_client *client;
    struct pair p;
};

static void scene_start(struct scene *s)
{
    identity_make(&s->id, "EC:P-256", (struct pki_ask){ .names = "mx.example" });
    s->server = server_with(&usual, &s->id.chain, 1);
    s->client = tls_client_new(STR_NONE, NULL, NULL);
    pair_start(&s->p, s->server, s->client, &any_demand, "mx.example");
}

static void scene_done(struct scene *s)
{
    pair_done(&s->p);
    tls_server_free(s->server);
    tls_client_free(s->client);
    identity_done(&s->id);
}

static SSL *ours(const struct end *e)
{
    return e->stream->ssl;
}

/* E is a peer that knows LIST alone. */
static void knows(const struct end *e, const char *list)
{
    assert_int_equal(SSL_set1_groups_list(ours(e), list), 1);
}

/* What they agreed on; the session carries octets. */
static const char *agreed(struct pair *p)
{
    int group;

    pair_shake(p);
    check_done(p);
    p->step = 1 << 20;
    check_echo(p);
    group = (int)SSL_get_negotiated_group(ours(&p->server));
    assert_int_equal(SSL_get_negotiated_group(ours(&p->client)), group);
    return SSL_group_to_name(ours(&p->server), group);
}

static bool library_knows_the_hybrid(void)
{
    SSL_CTX *c = SSL_CTX_new_ex(tls_library(), NULL, TLS_method());
    bool knows_it = c && SSL_CTX_set1_groups_list(c, HYBRID) == 1;

    SSL_CTX_free(c);
    return knows_it;
}

static void skip_without_the_hybrid(void)
{
    if (library_knows_the_hybrid())
        return;
    puts("this OpenSSL knows no " HYBRID);
    skip();
}

static const char *usual_group(void)
{
    return library_knows_the_hybrid() ? HYBRID : "x25519";
}

static const size_t steps[] = { 1, 3, 1400, 1 << 20 };

/* Whatever the library is: the best that it has, with no round trip more, however the hello is cut on its
 * way. */
static void both_sides_of_ours_agree_on_the_best_there_is(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct scene s;

        scene_start(&s);
        s.p.step = steps[i];
        assert_string_equal(agreed(&s.p), usual_group());
        scene_done(&s);
    }
}

/* Without the hybrid on one side: a curve, asked for again where a server of ours or another's has no half of
 * it. */
static void who_knows_no_hybrid_is_no_failure(void **state)
{
    static const struct {
        const char *list, *group;
    } others[] = { { "X25519:P-256", "x25519" },
                   { "X25519", "x25519" },
                   { "P-256", "secp256r1" },
                   { "P-384", "secp384r1" } };

    for (size_t i = 0; i < ARRAY_LEN(others) * ARRAY_LEN(steps) * 2; i++) {
        struct scene s;
        size_t k = i / 2 % ARRAY_LEN(others);

        scene_start(&s);
        s.p.step = steps[i / 2 / ARRAY_LEN(others)];
        knows(i % 2 ? &s.p.server : &s.p.client, others[k].list);
        assert_string_equal(agreed(&s.p), others[k].group);
        scene_done(&s);
    }
}

/* Below 1.3 there is no hybrid: what offers it beside 1.2 is answered with a curve, on both sides. */
static void with_1_2_there_is_a_curve(void **state)
{
    for (int server = 0; server < 2; server++) {
        struct scene s;

        scene_start(&s);
        SSL_set_max_proto_version(ours(server ? &s.p.server : &s.p.client), TLS1_2_VERSION);
        assert_string_equal(agreed(&s.p), "x25519");
        assert_string_equal(SSL_get_version(ours(&s.p.client)), "TLSv1.2");
        scene_done(&s);
    }
}

static void the_hybrid_alone_will_do(void **state)
{
    skip_without_the_hybrid();
    for (size_t i = 0; i < ARRAY_LEN(steps) * 2; i++) {
        struct scene s;

        scene_start(&s);
        s.p.step = steps[i / 2];
        knows(i % 2 ? &s.p.server : &s.p.client, HYBRID);
        assert_string_equal(agreed(&s.p), HYBRID);
        scene_done(&s);
    }
}

/* Who knows the hybrid and shows half of another is asked again (HelloRetryRequest), by our server as of our
 * client. */
static void a_half_that_is_not_there_is_asked_for(void **state)
{
    skip_without_the_hybrid();
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct scene s;

        scene_start(&s);
        s.p.step = steps[i];
        knows(&s.p.client, "*X25519/" HYBRID);
        assert_string_equal(agreed(&s.p), HYBRID);
        /* One that was asked again is signed for once. */
        assert_int_equal(s.p.server.resumed, 1);
        scene_done(&s);
    }
}

/* Our client shows both halves: what a server without the hybrid gets is one hello, in more than one segment.
 */
static void our_hello_is_longer_than_a_segment_and_said_once(void **state)
{
    struct scene s;

    skip_without_the_hybrid();
    scene_start(&s);
    knows(&s.p.server, "X25519");
    pair_shake_unsigned(&s.p);
    assert_in_range(s.p.moved_to_server, 1281, 2048);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_ours_agree_on_the_best_there_is),
        cmocka_unit_test(who_knows_no_hybrid_is_no_failure),
        cmocka_unit_test(with_1_2_there_is_a_curve),
        cmocka_unit_test(the_hybrid_alone_will_do),
        cmocka_unit_test(a_half_that_is_not_there_is_asked_for),
        cmocka_unit_test(our_hello_is_longer_than_a_segment_and_said_once),
    };

    return cmocka_run_group_tests(tests, group_begin, NULL);
}
