/* Each allocation fails in turn: what is read is whole or not there, and no password becomes right or wrong by it. */
#include "tests/unit/auth/room.h"

#include "auth/password.h"

static long fails_at; /* 0: never */

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return fails_at && --fails_at == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static int open_room(void **state)
{
    (void)state;
    room = (struct room){ .arena = arena_new(1 << 20) };
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    arena_free(room.arena);
    return 0;
}

static void a_users_file_is_read_whole_or_not_at_all(void **state)
{
    struct str text = arena_printf(room.arena, "anna:%s\nben:{CRYPT}!%s\nbox\ncarl:%s\n", room_hash("a"),
                                   room_hash("b"), room_hash("c"));
    struct auth_accounts *accounts = NULL;
    long n = 0;

    (void)state;
    while (!accounts) {
        struct err err = { 0 };
        fails_at = ++n;
        accounts = auth_accounts_parse(text, &err);
        if (!accounts)
            assert_int_equal(err.kind, ERR_TEMP);
    }
    fails_at = 0;
    assert_true(n > 5);
    assert_int_equal(accounts->faults.total, 0);
    assert_int_equal(accounts->n_login, 2);
    assert_int_equal(accounts->map.n, 3);
    assert_int_equal(accounts->warnings.total, 0);
    auth_accounts_free(accounts);
}

static void without_memory_no_password_is_wrong(void **state)
{
    const char *keys = room_keys("secret", 4096);
    struct auth_text password = { "secret" };
    struct auth_stored stored[2] = { { .kind = AUTH_STORED_CRYPT, .hash = str_from_c(room_hash("secret")) },
                                     { .kind = AUTH_STORED_SCRAM } };

    (void)state;
    assert_true(auth_scram_parse(str_from_c(keys), &stored[1].scram));
    for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
        enum auth_check result = AUTH_CHECK_FAILED;
        for (long n = 1; result == AUTH_CHECK_FAILED; n++) {
            fails_at = n;
            result = auth_password_check(&password, &stored[i]);
        }
        fails_at = 0;
        assert_int_equal(result, AUTH_CHECK_RIGHT);
    }
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(a_users_file_is_read_whole_or_not_at_all),
        IN_ROOM(without_memory_no_password_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
