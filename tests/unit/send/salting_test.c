/*
 * The key of SCRAM a little at a time: known results, how many steps they take, several in turn, who goes away meanwhile,
 * what is kept and that it is wiped, memory that fails.
 */
#include "tests/unit/unit.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "send/salting.h"

void __real_free(void *p);
void __wrap_free(void *p);

static const unsigned char *secret_octets; /* PBKDF2_KEY that may be left nowhere; NULL: none */
static unsigned left_behind;

/* Whatever is freed is looked through. */
void __wrap_free(void *p)
{
    if (p && secret_octets && memmem(p, malloc_usable_size(p), secret_octets, PBKDF2_KEY))
        left_behind++;
    __real_free(p);
}

/* ---- memory of OpenSSL ---- */

static size_t fail_at; /* 0: nothing fails */

static bool fails_now(void)
{
    return fail_at && --fail_at == 0;
}

static void *for_openssl(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(n);
}

static void *again_for_openssl(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(p, n);
}

static void free_of_openssl(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* ---- one reckoning ---- */

/* In steps of N: what OpenSSL makes of it in one go. */
static void check_key(struct str secret, struct str salt, size_t iterations, size_t n)
{
    unsigned char whole[PBKDF2_KEY];
    char *a = exact_copy(secret), *b = exact_copy(salt);
    struct pbkdf2 p;
    size_t steps = 0;

    assert_int_equal(PKCS5_PBKDF2_HMAC(secret.n ? secret.p : "", (int)secret.n, (const unsigned char *)salt.p, (int)salt.n,
                                       (int)iterations, EVP_sha256(), PBKDF2_KEY, whole), 1);
    assert_true(pbkdf2_begin(&p, str_of(a, secret.n), str_of(b, salt.n), iterations));
    free(a);
    free(b);
    for (; p.left; steps++)
        assert_true(pbkdf2_go_on(&p, n));
    assert_int_equal(steps, (iterations + n - 1) / n);
    assert_memory_equal(p.key, whole, PBKDF2_KEY);
    assert_true(pbkdf2_go_on(&p, n)); /* of nothing */
    assert_memory_equal(p.key, whole, PBKDF2_KEY);
    pbkdf2_done(&p);
    assert_null(p.mac);
    assert_memory_equal(p.key, (unsigned char[PBKDF2_KEY]){ 0 }, PBKDF2_KEY);
}

static void how_it_is_cut_into_steps_changes_nothing(void **state)
{
    static const struct str secrets[] = {
        STR_INIT("pencil"), STR_INIT(""), STR_INIT("p\xc3\xa9ncil"),
        STR_INIT("a password that is longer than a block of SHA-256, which is why it is hashed before it is a key"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        for (size_t n = 1; n <= 9; n += 2) {
            check_key(secrets[i], STR("sodium chloride"), 1, n);
            check_key(secrets[i], STR("s\0alt"), 45, n);
            check_key(secrets[i], STR("s"), 46, 46);
        }
}

/* RFC 7914 11. */
static void the_example_of_RFC_7914(void **state)
{
    static const unsigned char key[PBKDF2_KEY] = {
        0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21, 0x83, 0x0c, 0xee, 0x5e, 0xf2, 0x27, 0x01, 0xf9,
        0x64, 0x1a, 0x44, 0x18, 0xd0, 0x4c, 0x04, 0x14, 0xae, 0xff, 0x08, 0x87, 0x6b, 0x34, 0xab, 0x56,
    };
    struct pbkdf2 p;

    (void)state;
    assert_true(pbkdf2_begin(&p, STR("Password"), STR("NaCl"), 80000));
    while (p.left)
        assert_true(pbkdf2_go_on(&p, SALTING_STEP));
    assert_memory_equal(p.key, key, PBKDF2_KEY);
    pbkdf2_done(&p);
}

/* ---- several ---- */

enum { ASKERS = SALTING_WAITING_MAX + 2 };

struct asker {
    struct salting_ask ask;
    unsigned told;
    bool failed;
    uint64_t after; /* so many steps */
    unsigned char key[PBKDF2_KEY];
    struct asker *cancels; /* when it is told */
};

static struct {
    struct io_loop *loop;
    struct io_timer turn;
    struct salting salting;
    struct asker askers[ASKERS];
} room;

static void on_turn(struct io_timer *t)
{
    io_loop_stop(t->loop);
}

static void on_reckoned(struct salting_ask *ask, const unsigned char *key)
{
    struct asker *a = CONTAINER_OF(ask, struct asker, ask);

    a->told++;
    a->failed = !key;
    a->after = room.salting.steps;
    if (key)
        memcpy(a->key, key, PBKDF2_KEY);
    if (a->cancels)
        salting_cancel(&room.salting, &a->cancels->ask);
}

static void open_room(void)
{
    struct err err = { 0 };

    memset(&room, 0, sizeof(room));
    room.loop = io_loop_new(&err);
    assert_non_null(room.loop);
    assert_true(io_timer_init(&room.turn, room.loop, on_turn, &err));
    assert_true(salting_init(&room.salting, room.loop, &err));
    for (size_t i = 0; i < ASKERS; i++)
        room.askers[i].ask.reckoned = on_reckoned;
}

static void close_room(void)
{
    salting_done(&room.salting);
    io_timer_done(&room.turn);
    io_loop_free(room.loop);
}

static enum salting_answer ask_of(size_t i, struct str secret, struct str salt, size_t iterations, struct err *err)
{
    const struct salting_what what = { secret, salt, iterations };

    return salting_ask(&room.salting, &what, &room.askers[i].ask, room.askers[i].key, err);
}

static enum salting_answer ask(size_t i, struct str salt, size_t iterations)
{
    struct err err = { 0 };

    return ask_of(i, STR("pencil"), salt, iterations, &err);
}

static void turn(void)
{
    struct err err = { 0 };

    io_timer_start(&room.turn, 0);
    assert_true(io_loop_run(room.loop, &err));
}

static void until_all_is_reckoned(void)
{
    while (room.salting.n)
        turn();
    assert_true(list_empty(&room.salting.waiting));
    assert_false(io_timer_pending(&room.salting.timer));
}

static void it_takes_one_step_a_turn_and_no_more_than_it_must(void **state)
{
    (void)state;
    open_room();
    assert_int_equal(ask(0, STR("salt"), 10 * SALTING_STEP + 1), SALTING_WAITS);
    assert_int_equal(room.salting.steps, 0);
    while (room.salting.n) {
        uint64_t before = room.salting.steps;
        assert_int_equal(room.askers[0].told, 0);
        turn();
        assert_true(room.salting.steps <= before + 1);
    }
    assert_int_equal(room.askers[0].told, 1);
    assert_int_equal(room.askers[0].after, 11);
    close_room();
}

static void several_are_reckoned_in_turn(void **state)
{
    (void)state;
    open_room();
    ask(0, STR("much"), 98 * SALTING_STEP);
    ask(1, STR("little"), 2 * SALTING_STEP);
    ask(2, STR("least"), 1);
    until_all_is_reckoned();
    /* 0 1 2, 0 1, then nobody else is there. */
    assert_int_equal(room.askers[2].after, 3);
    assert_int_equal(room.askers[1].after, 5);
    assert_int_equal(room.askers[0].after, 101);
    close_room();
}

static void who_asks_for_the_same_waits_for_the_same(void **state)
{
    (void)state;
    open_room();
    ask(0, STR("salt"), 3 * SALTING_STEP);
    turn();
    ask(1, STR("salt"), 3 * SALTING_STEP);
    ask(2, STR("salt"), 3 * SALTING_STEP);
    assert_int_equal(room.salting.n, 1);
    /* The second goes away while the first is told. */
    room.askers[0].cancels = &room.askers[1];
    until_all_is_reckoned();
    assert_int_equal(room.salting.steps, 3);
    assert_int_equal(room.askers[0].told, 1);
    assert_int_equal(room.askers[1].told, 0);
    assert_int_equal(room.askers[2].told, 1);
    assert_memory_equal(room.askers[0].key, room.askers[2].key, PBKDF2_KEY);
    close_room();
}

static unsigned char octets[PBKDF2_KEY];

/* From now on nothing is freed with what comes of ITERATIONS in it. */
static void from_now_on_secret(struct str salt, size_t iterations)
{
    assert_int_equal(PKCS5_PBKDF2_HMAC("pencil", 6, (const unsigned char *)salt.p, (int)salt.n, (int)iterations, EVP_sha256(),
                                       PBKDF2_KEY, octets), 1);
    secret_octets = octets;
    left_behind = 0;
}

static void nothing_was_left(void)
{
    assert_int_equal(left_behind, 0);
    secret_octets = NULL;
}

static void what_nobody_waits_for_any_more_is_not_reckoned(void **state)
{
    (void)state;
    open_room();
    ask(0, STR("salt"), 98 * SALTING_STEP);
    ask(1, STR("salt"), 98 * SALTING_STEP);
    while (room.salting.steps < 4)
        turn();
    salting_cancel(&room.salting, &room.askers[0].ask);
    assert_int_equal(room.salting.n, 1);
    from_now_on_secret(STR("salt"), 4 * SALTING_STEP);
    salting_cancel(&room.salting, &room.askers[1].ask);
    nothing_was_left();
    assert_int_equal(room.salting.n, 0);
    assert_false(io_timer_pending(&room.salting.timer));
    turn();
    assert_int_equal(room.salting.steps, 4);
    assert_int_equal(room.askers[0].told + room.askers[1].told, 0);
    salting_cancel(&room.salting, &room.askers[1].ask); /* once more is nothing */
    close_room();
}

/* ---- what is kept ---- */

static void what_was_reckoned_is_reckoned_no_more(void **state)
{
    (void)state;
    open_room();
    ask(0, STR("salt"), 4096);
    until_all_is_reckoned();
    assert_int_equal(room.salting.steps, 2);
    assert_int_equal(ask(1, STR("salt"), 4096), SALTING_KNOWN);
    assert_memory_equal(room.askers[1].key, room.askers[0].key, PBKDF2_KEY);
    assert_int_equal(room.askers[1].told, 0);
    assert_int_equal(room.salting.n, 0);
    /* Of the salt, of the iterations and of the secret none is another's. */
    struct err err = { 0 };
    assert_int_equal(ask(2, STR("salt."), 4096), SALTING_WAITS);
    assert_int_equal(ask(3, STR("salt"), 4097), SALTING_WAITS);
    assert_int_equal(ask_of(4, STR("pencils"), STR("alt"), 4096, &err), SALTING_WAITS);
    assert_int_equal(ask_of(5, STR("Pencil"), STR("salt"), 4096, &err), SALTING_WAITS);
    assert_int_equal(room.salting.n, 4);
    close_room();
}

static void ask_numbered(size_t i, size_t number, enum salting_answer want)
{
    char salt[32];

    snprintf(salt, sizeof(salt), "salt %zu", number);
    assert_int_equal(ask(i, str_from_c(salt), 1), want);
}

static void few_are_kept_those_that_are_used(void **state)
{
    (void)state;
    open_room();
    for (size_t i = 0; i < SALTING_KEPT; i++) {
        ask_numbered(i, i, SALTING_WAITS);
        until_all_is_reckoned();
    }
    ask_numbered(0, 0, SALTING_KNOWN);
    assert_non_null(memmem(&room.salting, sizeof(room.salting), room.askers[1].key, PBKDF2_KEY));
    memcpy(octets, room.askers[1].key, PBKDF2_KEY);
    ask_numbered(1, SALTING_KEPT, SALTING_WAITS);
    until_all_is_reckoned();
    /* The place of the one that had not been used for the longest time. */
    assert_null(memmem(&room.salting, sizeof(room.salting), octets, PBKDF2_KEY));
    ask_numbered(0, 0, SALTING_KNOWN);
    ask_numbered(1, 1, SALTING_WAITS);
    close_room();
}

static void no_more_wait_than_can_be_reckoned_while_their_hosts_wait(void **state)
{
    struct err err = { 0 };

    (void)state;
    open_room();
    for (size_t i = 0; i < SALTING_WAITING_MAX; i++)
        ask_numbered(i, i, SALTING_WAITS);
    assert_int_equal(ask_of(SALTING_WAITING_MAX, STR("pencil"), STR("one more"), 1, &err), SALTING_NOT);
    assert_int_equal(err.kind, ERR_TEMP);
    ask_numbered(SALTING_WAITING_MAX, 5, SALTING_WAITS); /* which is under way */
    salting_cancel(&room.salting, &room.askers[0].ask);
    ask_numbered(SALTING_WAITING_MAX + 1, 1000, SALTING_WAITS);
    until_all_is_reckoned();
    for (size_t i = 1; i < ASKERS; i++)
        assert_int_equal(room.askers[i].told, 1);
    close_room();
}

static void at_the_end_everything_is_wiped(void **state)
{
    (void)state;
    open_room();
    from_now_on_secret(STR("salt"), 1);
    ask(0, STR("salt"), 1);
    until_all_is_reckoned();
    assert_memory_equal(room.askers[0].key, octets, PBKDF2_KEY);
    nothing_was_left();
    from_now_on_secret(STR("more salt"), SALTING_STEP);
    ask(1, STR("more salt"), 98 * SALTING_STEP);
    while (room.salting.steps < 2)
        turn();
    salting_done(&room.salting);
    nothing_was_left();
    for (size_t i = 0; i < sizeof(room.salting); i++)
        assert_int_equal(((const unsigned char *)&room.salting)[i], 0);
    assert_null(room.askers[1].ask.reckoning);
    io_timer_done(&room.turn);
    io_loop_free(room.loop);
}

/* ---- memory ---- */

/* The Nth allocation of OpenSSL fails. True: nothing did. */
static bool with_failure_at(size_t n)
{
    struct err err = { 0 };
    enum salting_answer answer;

    open_room();
    fail_at = n;
    answer = ask_of(0, STR("pencil"), STR("salt"), 5, &err);
    if (answer == SALTING_WAITS)
        until_all_is_reckoned();
    bool failed = fail_at == 0;
    fail_at = 0;
    assert_int_equal(room.askers[0].told, answer == SALTING_WAITS);
    assert_true(answer == SALTING_WAITS || (answer == SALTING_NOT && err.kind == ERR_TEMP));
    /* A failure is nothing to be kept. */
    if (answer == SALTING_NOT || room.askers[0].failed)
        assert_int_equal(ask(1, STR("salt"), 5), SALTING_WAITS);
    else
        assert_int_equal(ask(1, STR("salt"), 5), SALTING_KNOWN);
    until_all_is_reckoned();
    if (!room.askers[0].failed && answer == SALTING_WAITS)
        assert_memory_equal(room.askers[0].key, room.salting.kept[0].key, PBKDF2_KEY);
    close_room();
    return !failed;
}

static void any_allocation_may_fail(void **state)
{
    size_t n = 1;

    (void)state;
    while (!with_failure_at(n))
        n++;
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_is_cut_into_steps_changes_nothing),
        cmocka_unit_test(the_example_of_RFC_7914),
        cmocka_unit_test(it_takes_one_step_a_turn_and_no_more_than_it_must),
        cmocka_unit_test(several_are_reckoned_in_turn),
        cmocka_unit_test(who_asks_for_the_same_waits_for_the_same),
        cmocka_unit_test(what_nobody_waits_for_any_more_is_not_reckoned),
        cmocka_unit_test(what_was_reckoned_is_reckoned_no_more),
        cmocka_unit_test(few_are_kept_those_that_are_used),
        cmocka_unit_test(no_more_wait_than_can_be_reckoned_while_their_hosts_wait),
        cmocka_unit_test(at_the_end_everything_is_wiped),
        cmocka_unit_test(any_allocation_may_fail),
    };

    /* Before anything of OpenSSL is allocated. */
    if (CRYPTO_set_mem_functions(for_openssl, again_for_openssl, free_of_openssl) != 1)
        return 1;
    return cmocka_run_group_tests_name("send/salting", tests, NULL, NULL);
}
