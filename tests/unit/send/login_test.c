/* Log-ins at next hops: which mechanism, the octets of each, what must not be said (RFC 4616, 5802, 7628). */
#include "tests/unit/unit.h"

#include "core/base64.h"
#include "core/buf.h"
#include "send/login.h"
#include "smtp/client.h"

static struct login_context *context;
static struct login_owner owner; /* of whom nothing is asked here that takes long */

static const struct login_who anna = {
    .name = STR_INIT("anna"), .secret = STR_INIT("tea"), .host = STR_INIT("mx.example.net"), .port = 587
};

static struct login *begun(struct str offered, const struct login_who *who)
{
    struct err err = { 0 };
    struct login *l = login_new(context, offered, who, &owner, &err);

    if (!l)
        fail_msg("%.*s: %s", STR_ARG(offered), err.text);
    return l;
}

static struct str said(struct login *l, struct str challenge)
{
    struct err err = { 0 };
    struct str response;

    if (login_step(l, challenge, &response, &err) != LOGIN_SAYS)
        fail_msg("%.*s: %s", STR_ARG(challenge), err.text);
    return response;
}

static void the_strongest_of_what_is_offered_is_chosen(void **state)
{
    struct login_who bound = anna, bearer = anna;
    const struct {
        struct str offered;
        const struct login_who *who;
        struct str chosen; /* empty: none */
    } cases[] = {
        { STR("LOGIN PLAIN"), &anna, STR("PLAIN") },
        { STR("plain scram-sha-256"), &anna, STR("SCRAM-SHA-256") },
        { STR("SCRAM-SHA-256-PLUS SCRAM-SHA-256"), &anna, STR("SCRAM-SHA-256") },
        { STR("SCRAM-SHA-256-PLUS SCRAM-SHA-256"), &bound, STR("SCRAM-SHA-256-PLUS") },
        { STR("OAUTHBEARER LOGIN"), &anna, STR("LOGIN") },
        { STR("OAUTHBEARER"), &anna, STR("OAUTHBEARER") },
        { STR("PLAIN OAUTHBEARER"), &bearer, STR("OAUTHBEARER") },
        { STR("PLAIN XOAUTH2"), &bearer, STR_NONE }, /* a token is no password */
        { STR("CRAM-MD5 PLAINER"), &anna, STR_NONE },
        { STR(""), &anna, STR_NONE },
    };

    (void)state;
    bound.exporter = STR("0123456789abcdef0123456789abcdef");
    bearer.secret = STR("Bearer abc.def");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };
        struct login *l = login_new(context, cases[i].offered, cases[i].who, &owner, &err);
        assert_str_is(l ? login_mechanism(l) : STR_NONE, cases[i].chosen);
        assert_int_equal(err.kind != ERR_NONE, l == NULL);
        login_free(l);
    }
}

static void PLAIN_and_LOGIN_say_name_and_password(void **state)
{
    struct login *plain = begun(STR("PLAIN"), &anna), *login = begun(STR("LOGIN"), &anna);

    (void)state;
    assert_true(login_speaks_first(plain));
    assert_false(login_is_whole(plain));
    assert_str_is(said(plain, STR_NONE), STR("\0anna\0tea"));
    assert_true(login_is_whole(plain));
    assert_false(login_speaks_first(login));
    assert_str_is(said(login, STR("Username:")), STR("anna"));
    assert_str_is(said(login, STR("Password:")), STR("tea"));
    login_free(plain);
    login_free(login);
}

/* RFC 7628 3.1, 3.2.3; RFC 5801 4: "," and "=" of a name are written otherwise. */
static void OAUTHBEARER_is_said_as_it_is_written(void **state)
{
    struct login_who who = anna;
    struct err err = { 0 };
    struct login *l;

    (void)state;
    who.name = STR("a,b=c@example.net");
    who.secret = STR("Bearer ey.J-0~x==");
    l = begun(STR("OAUTHBEARER"), &who);
    assert_str_is(said(l, STR_NONE),
                  STR("n,a=a=2Cb=3Dc@example.net,\1host=mx.example.net\1port=587\1auth=Bearer ey.J-0~x==\1\1"));
    assert_str_is(said(l, STR("{\"status\":\"invalid_token\"}")), STR("\1"));
    login_free(l);
    who.secret = STR("Bearer a b");
    assert_null(login_new(context, STR("OAUTHBEARER"), &who, &owner, &err));
    assert_int_equal(err.kind, ERR_PERM);
}

static void a_secret_too_long_for_AUTH_is_not_cut(void **state)
{
    struct buf token = BUF_INIT(SMTP_CLIENT_AUTH_MAX + 16);
    struct login_who who = anna;
    struct err err = { 0 };

    (void)state;
    while (token.n < SMTP_CLIENT_AUTH_MAX)
        assert_true(buf_add_char(&token, 'x'));
    who.secret = buf_str(&token);
    assert_null(login_new(context, STR("OAUTHBEARER"), &who, &owner, &err));
    assert_int_equal(err.kind, ERR_PERM);
    buf_done(&token);
}

/* C120; and nobody can make us reckon for as long as he likes. */
static void SCRAM_is_left_where_the_host_does_not_keep_to_it(void **state)
{
    static const struct {
        const char *before, *behind; /* the nonce */
    } answers[] = {
        { "r=", "host,s=c2FsdA==,i=200001" }, { "r=", "host,s=c2FsdA==,i=99999999999999999999" },
        { "r=", "host,s=c2FsdA==,i=x" },      { "r=other", ",s=c2FsdA==,i=4096" },
        { "hello ", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct login *l = begun(STR("SCRAM-SHA-256"), &anna);
        struct str first = said(l, STR_NONE), response;
        struct buf answer = BUF_INIT(1000);
        struct err err = { 0 };
        assert_true(str_starts(first, STR("n,,n=anna,r=")));
        assert_true(
            buf_printf(&answer, "%s%.*s%s", answers[i].before, STR_ARG(str_skip(first, 12)), answers[i].behind));
        char *copy = exact_copy(buf_str(&answer));
        assert_int_equal(login_step(l, str_of(copy, answer.n), &response, &err), LOGIN_FAILED);
        assert_false(login_is_whole(l));
        free(copy);
        buf_done(&answer);
        login_free(l);
    }
}

static void a_host_that_repeats_the_secret_is_noticed(void **state)
{
    struct login *l = begun(STR("PLAIN"), &anna);

    (void)state;
    said(l, STR_NONE);
    assert_true(login_is_betrayed(l, STR("no such password: tea!")));
    assert_true(login_is_betrayed(l, STR("no: dGVh")));             /* tea */
    assert_true(login_is_betrayed(l, STR("no: AGFubmEAdGVh x")));   /* the response */
    assert_false(login_is_betrayed(l, STR("user name or password is wrong")));
    login_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strongest_of_what_is_offered_is_chosen),
        cmocka_unit_test(PLAIN_and_LOGIN_say_name_and_password),
        cmocka_unit_test(OAUTHBEARER_is_said_as_it_is_written),
        cmocka_unit_test(a_secret_too_long_for_AUTH_is_not_cut),
        cmocka_unit_test(SCRAM_is_left_where_the_host_does_not_keep_to_it),
        cmocka_unit_test(a_host_that_repeats_the_secret_is_noticed),
    };
    struct err err = { 0 };
    struct io_loop *loop = io_loop_new(&err);

    context = loop ? login_context_new(loop, &err) : NULL;
    assert_non_null(context);
    int failed = cmocka_run_group_tests_name("send/login", tests, NULL, NULL);
    login_context_free(context);
    io_loop_free(loop);
    return failed;
}
