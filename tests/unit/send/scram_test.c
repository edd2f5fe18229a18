/* SCRAM-SHA-256 as a client says it: the example of RFC 7677, what binds, hosts that do not keep to it, memory that fails. */
#include "tests/unit/unit.h"

#include "core/base64.h"
#include "core/buf.h"
#include "send/pbkdf2.h"
#include "send/scram.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static size_t fail_at; /* 0: nothing fails */

static bool fails_now(void)
{
    return fail_at && --fail_at == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails_now() ? NULL : __real_realloc(p, n);
}

/* ---- RFC 7677 3 ---- */

#define NONCE  "rOprNGfwEbeRWgbNEkqO"
#define NONCES NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALTED "r=" NONCES ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define VERIFIER "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const struct scram_who user = { .name = STR_INIT("user"), .secret = STR_INIT("pencil") };

static struct scram *begun(const struct scram_who *who)
{
    struct err err = { 0 };
    struct scram *s = scram_new(who, STR(NONCE), &err);

    assert_non_null(s);
    return s;
}

/* Reckoned in one go; tests/unit/send/salting_test.c has the steps. */
static enum scram_answer answered(struct scram *s, struct str *response, struct err *err)
{
    const struct scram_salt salt = scram_salt(s);
    struct pbkdf2 p;

    assert_true(pbkdf2_begin(&p, salt.secret, salt.salt, salt.iterations));
    assert_true(pbkdf2_go_on(&p, salt.iterations));
    bool ok = scram_salted(s, p.key, response, err);
    pbkdf2_done(&p);
    return ok ? SCRAM_SAYS : SCRAM_FAILED;
}

/* The challenge is gone before the key is there. */
static enum scram_answer step(struct scram *s, struct str challenge, struct str *response, struct err *err)
{
    char *copy = exact_copy(challenge);
    enum scram_answer answer = scram_step(s, str_of(copy, challenge.n), response, err);

    free(copy);
    return answer == SCRAM_ASKS ? answered(s, response, err) : answer;
}

static struct str said(struct scram *s, struct str challenge)
{
    struct err err = { 0 };
    struct str response;

    if (step(s, challenge, &response, &err) != SCRAM_SAYS)
        fail_msg("%s", err.text);
    return response;
}

static struct err refused(struct scram *s, struct str challenge)
{
    struct err err = { 0 };
    struct str response;

    assert_int_equal(step(s, challenge, &response, &err), SCRAM_FAILED);
    assert_int_equal(err.kind, ERR_TEMP);
    assert_false(scram_is_whole(s));
    return err;
}

static void the_example_of_RFC_7677(void **state)
{
    struct scram *s = begun(&user);

    (void)state;
    assert_str_is(said(s, STR("")), STR("n,,n=user,r=" NONCE));
    assert_str_is(said(s, STR(SALTED)), STR("c=biws,r=" NONCES ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    assert_false(scram_is_whole(s));
    assert_str_is(said(s, STR(VERIFIER)), STR(""));
    assert_true(scram_is_whole(s));
    scram_free(s);
}

/* ---- what is said of the channel (RFC 5802 6, 9266) ---- */

/* What stands behind c= says SAYS. */
static void check_channel(const struct scram_who *who, struct str header, struct str says)
{
    struct scram *s = begun(who);
    struct buf octets = BUF_INIT(200);
    struct str first = said(s, STR("")), final;

    assert_true(str_starts(first, header));
    assert_str_is(str_skip(first, header.n), STR("n=user,r=" NONCE));
    final = said(s, STR(SALTED));
    assert_true(str_starts(final, STR("c=")));
    assert_true(base64_read(&octets, str_slice(final, 2, str_find(final, ','))));
    assert_str_is(buf_str(&octets), says);
    buf_done(&octets);
    scram_free(s);
}

static void a_channel_is_bound_and_where_it_could_be_that_is_said(void **state)
{
    struct scram_who who = user;

    (void)state;
    check_channel(&who, STR("n,,"), STR("n,,"));
    who.binding = STR("0123456789abcdef\0\xff 456789abcdef..");
    who.kind = "tls-exporter";
    check_channel(&who, STR("y,,"), STR("y,,"));
    who.plus = true;
    check_channel(&who, STR("p=tls-exporter,,"), STR("p=tls-exporter,,0123456789abcdef\0\xff 456789abcdef.."));
    who.kind = "tls-unique";
    check_channel(&who, STR("p=tls-unique,,"), STR("p=tls-unique,,0123456789abcdef\0\xff 456789abcdef.."));
}

static void names_are_written_so_that_nothing_in_them_ends_them(void **state)
{
    struct scram_who who = user;
    struct scram *s;

    (void)state;
    who.name = STR("a,b=c,r=x");
    s = begun(&who);
    assert_str_is(said(s, STR("")), STR("n,,n=a=2Cb=3Dc=2Cr=3Dx,r=" NONCE));
    scram_free(s);
}

/* ---- hosts that do not keep to it (C120) ---- */

static void what_is_no_salt_is_refused(void **state)
{
    static const struct str cases[] = {
        STR_INIT(""), STR_INIT("r="), STR_INIT("r=" NONCE ",s=W22Z,i=4096"), STR_INIT("r=other" NONCE ",s=W22Z,i=4096"),
        STR_INIT("m=x,r=" NONCES ",s=W22Z,i=4096"), STR_INIT("r=" NONCES ",s=,i=4096"), STR_INIT("r=" NONCES ",s=!,i=4096"),
        STR_INIT("r=" NONCES ",s=W22Z"), STR_INIT("r=" NONCES ",s=W22Z,i="), STR_INIT("r=" NONCES ",s=W22Z,i=0"),
        STR_INIT("r=" NONCES ",s=W22Z,i=-1"), STR_INIT("r=" NONCES ",s=W22Z,i=200001"),
        STR_INIT("r=" NONCES ",s=W22Z,i=99999999999999999999"), STR_INIT("r=" NONCES ",i=4096,s=W22Z"), STR_INIT("e=other-error"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scram *s = begun(&user);
        said(s, STR(""));
        refused(s, cases[i]);
        scram_free(s);
    }
    /* Each piece of a good one that is not all of it. */
    for (size_t n = 0; n < strlen(SALTED) - strlen("4096"); n++) {
        struct scram *s = begun(&user);
        said(s, STR(""));
        refused(s, str_head(STR(SALTED), n));
        scram_free(s);
    }
}

static void who_does_not_know_the_password_is_found_out(void **state)
{
    static const struct {
        struct str final;
        const char *why;
    } cases[] = {
        { STR_INIT("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="), "SCRAM: the host does not know the password" },
        { STR_INIT("v="), "SCRAM: the host does not know the password" },
        { STR_INIT("v=6rriTRBi23WpRR"), "SCRAM: the host does not know the password" },
        { STR_INIT(""), "SCRAM: the host does not know the password" },
        { STR_INIT("e=channel-bindings-dont-match"), "SCRAM: the host says channel-bindings-dont-match" },
        { STR_INIT(SALTED), "SCRAM: the host does not know the password" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scram *s = begun(&user);
        said(s, STR(""));
        said(s, STR(SALTED));
        struct err err = refused(s, cases[i].final);
        assert_string_equal(err.text, cases[i].why);
        scram_free(s);
    }
}

static void what_comes_too_early_or_too_late_is_refused(void **state)
{
    struct scram *s = begun(&user);
    struct err err = { 0 };
    struct str response;

    (void)state;
    refused(s, STR(SALTED));
    said(s, STR(""));
    said(s, STR(SALTED));
    said(s, STR(VERIFIER));
    assert_int_equal(scram_step(s, STR(VERIFIER), &response, &err), SCRAM_FAILED);
    scram_free(s);
    /* Nor is anything heard while the key is reckoned. */
    s = begun(&user);
    said(s, STR(""));
    assert_int_equal(scram_step(s, STR(SALTED), &response, &err), SCRAM_ASKS);
    assert_int_equal(scram_step(s, STR(SALTED), &response, &err), SCRAM_FAILED);
    scram_free(s);
}

/* ---- memory ---- */

/* The exchange with its nth allocation failing: to its end, or given up for now. True: nothing failed. */
static bool with_failure_at(size_t n)
{
    static const struct str challenges[] = { STR_INIT(""), STR_INIT(SALTED), STR_INIT(VERIFIER) };
    struct err err = { 0 };
    enum scram_answer answer;
    struct str response;
    bool ok;

    fail_at = n;
    struct scram *s = scram_new(&user, STR(NONCE), &err);
    ok = s;
    for (size_t i = 0; ok && i < ARRAY_LEN(challenges); i++) {
        answer = scram_step(s, challenges[i], &response, &err);
        ok = (answer == SCRAM_ASKS ? answered(s, &response, &err) : answer) == SCRAM_SAYS;
    }
    bool failed = fail_at == 0;
    fail_at = 0;
    assert_int_equal(ok, s && scram_is_whole(s));
    if (!ok)
        assert_int_equal(err.kind, ERR_TEMP);
    scram_free(s);
    return !failed;
}

static void memory_that_fails_is_a_log_in_for_later(void **state)
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
        cmocka_unit_test(the_example_of_RFC_7677),
        cmocka_unit_test(a_channel_is_bound_and_where_it_could_be_that_is_said),
        cmocka_unit_test(names_are_written_so_that_nothing_in_them_ends_them),
        cmocka_unit_test(what_is_no_salt_is_refused),
        cmocka_unit_test(who_does_not_know_the_password_is_found_out),
        cmocka_unit_test(what_comes_too_early_or_too_late_is_refused),
        cmocka_unit_test(memory_that_fails_is_a_log_in_for_later),
    };

    return cmocka_run_group_tests_name("send/scram", tests, NULL, NULL);
}
