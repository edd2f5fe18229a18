/* OAUTHBEARER and XOAUTH2: their messages, signed tokens, and what becomes of both in an exchange (C122). */
#include "tests/unit/auth/room.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <time.h>

#include "auth/bearer.h"
#include "auth/token.h"

static const char config[] = "hostname mail.example.org; origin example.org; listen 25; listen 26;\n"
                             "domain example.org { users file:/users; deliver maildir:/m/{user}; }\n";

/* ---- messages ---- */

static void c122_messages_of_oauthbearer_are_read(void **state)
{
    static const struct {
        struct str message, user, token; /* no token: it is wrong */
    } cases[] = {
        { STR_INIT("n,a=anna@example.org,\1auth=Bearer abc.d-e_f~+/==\1\1"), STR_INIT("anna@example.org"),
          STR_INIT("abc.d-e_f~+/==") },
        { STR_INIT("n,,\1host=x\1port=587\1AUTH=bearer  abc\1\1"), STR_INIT(""), STR_INIT("abc") },
        { STR_INIT("y,,\1auth=Bearer abc\1x=\1\1"), STR_INIT(""), STR_INIT("abc") },
        { STR_INIT("n,a=an=2Cna,\1auth=Bearer abc\1\1"), STR_INIT("an=2Cna"), STR_INIT("abc") },
        { STR_INIT(""), STR_INIT(""), STR_INIT("") },
        { STR_INIT("\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Bearer abc\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Bearer abc\1\1x"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,auth=Bearer abc\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("p=tls-exporter,,\1auth=Bearer abc\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,anna,\1auth=Bearer abc\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Basic abc\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Bearer \1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Bearer ===\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Bearer a b\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1auth=Bearer abc\1auth=Bearer abd\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1k3y=x\1auth=Bearer abc\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,,\1novalue\1auth=Bearer abc\1\1"), STR_INIT(""), STR_INIT("") },
        { STR_INIT("n,a=a\0b,\1auth=Bearer abc\1\1"), STR_INIT(""), STR_INIT("") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *p = exact_copy(cases[i].message);
        struct bearer out;
        bool ok = bearer_read(str_of(p, cases[i].message.n), &out);
        if (ok != (cases[i].token.n > 0))
            fail_msg("case %zu", i);
        if (ok) {
            assert_str_is(out.user, cases[i].user);
            assert_str_is(out.token, cases[i].token);
        }
        free(p);
    }
}

static void messages_of_xoauth2_are_read(void **state)
{
    static const struct str wrong[] = {
        STR_INIT(""), STR_INIT("user=anna"), STR_INIT("user=anna\1\1"), STR_INIT("anna\1auth=Bearer abc\1\1"),
        STR_INIT("user=anna\1auth=Bearer abc\1"), STR_INIT("user=\xff\1auth=Bearer abc\1\1"),
    };
    struct bearer out;

    (void)state;
    assert_true(bearer_read_xoauth2(STR("user=anna@example.org\1auth=Bearer abc\1\1"), &out));
    assert_str_is(out.user, STR("anna@example.org"));
    assert_str_is(out.token, STR("abc"));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char *p = exact_copy(wrong[i]);
        assert_false(bearer_read_xoauth2(str_of(p, wrong[i].n), &out));
        free(p);
    }
}

/* ---- an issuer ---- */

static struct {
    EVP_PKEY *rsa, *ec, *ed;
    const char *jwks;
    struct config_oauth oauth;
    struct str audience;
} issuer;

/* base64url without padding, in the room's arena. */
static const char *url64(const void *octets, size_t n)
{
    char *text = (char *)(uintptr_t)room_base64(octets, n);

    for (char *p = text; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p;
    return text;
}

static const char *number64(EVP_PKEY *key, const char *name)
{
    unsigned char octets[512];
    BIGNUM *n = NULL;
    int used;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    used = key == issuer.ec ? BN_bn2binpad(n, octets, 32) : BN_bn2bin(n, octets);
    BN_free(n);
    assert_true(used > 0);
    return url64(octets, (size_t)used);
}

static int open_room(void **state)
{
    unsigned char ed[32];
    size_t n = sizeof(ed);

    (void)state;
    room_open(config);
    issuer.rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    issuer.ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    issuer.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_true(issuer.rsa && issuer.ec && issuer.ed);
    assert_int_equal(EVP_PKEY_get_raw_public_key(issuer.ed, ed, &n), 1);
    issuer.jwks = arena_printf(room.arena,
                               "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},"
                               "{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"%s\"},"
                               "{\"kty\":\"EC\",\"kid\":\"e\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"},"
                               "{\"kty\":\"OKP\",\"kid\":\"o\",\"alg\":\"EdDSA\",\"use\":\"sig\","
                               "\"crv\":\"Ed25519\",\"x\":\"%s\"}]}",
                               number64(issuer.rsa, "n"), number64(issuer.rsa, "e"),
                               number64(issuer.ec, OSSL_PKEY_PARAM_EC_PUB_X),
                               number64(issuer.ec, OSSL_PKEY_PARAM_EC_PUB_Y), url64(ed, sizeof(ed)))
                      .p;
    issuer.audience = STR("mail");
    issuer.oauth = (struct config_oauth){
        .name = STR("company"), .issuer = STR("https://id.example.org"), .keys = STR("/jwks"),
        .audiences = &issuer.audience, .n_audiences = 1, .login_claim = STR("email"),
    };
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    EVP_PKEY_free(issuer.rsa);
    EVP_PKEY_free(issuer.ec);
    EVP_PKEY_free(issuer.ed);
    room_close();
    return 0;
}

/* r and s of a signature of OpenSSL's, 32 octets each. */
static size_t from_der(unsigned char *signature, size_t n)
{
    const unsigned char *p = signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);

    assert_non_null(sig);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32);
    ECDSA_SIG_free(sig);
    return 64;
}

static const char *sign(const char *alg, EVP_PKEY *key, const char *header, const char *claims)
{
    const char *said = arena_printf(room.arena, "%s.%s", url64(header, strlen(header)), url64(claims, strlen(claims))).p;
    unsigned char signature[512];
    size_t n = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;

    assert_int_equal(EVP_DigestSignInit(ctx, &options, key == issuer.ed ? NULL : EVP_sha256(), NULL, key), 1);
    if (strcmp(alg, "PS256") == 0) {
        EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)said, strlen(said)), 1);
    EVP_MD_CTX_free(ctx);
    if (key == issuer.ec)
        n = from_der(signature, n);
    return arena_printf(room.arena, "%s.%s", said, url64(signature, n)).p;
}

static const char *token_of(const char *alg, EVP_PKEY *key, const char *claims)
{
    return sign(alg, key, arena_printf(room.arena, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg).p, claims);
}

enum { NOW = 1800000000 };

static const char good_claims[] = "{\"iss\":\"https://id.example.org\",\"aud\":[\"web\",\"mail\"],\"exp\":1800000100,"
                                  "\"nbf\":1799999999,\"email\":\"Anna@example.org\"}";

static enum token_verdict check(const char *token, struct str *account, const char **why)
{
    struct err err = { 0 };
    struct token_keys *keys = token_keys_parse(str_from_c(issuer.jwks), &err);
    enum token_verdict verdict;
    char *p = exact_copy(str_from_c(token));

    assert_non_null(keys);
    verdict = token_check(str_of(p, strlen(token)), keys, &issuer.oauth, NOW, room.arena, account, why);
    token_keys_free(keys);
    free(p);
    return verdict;
}

static void assert_bad(const char *token, const char *because)
{
    struct str account;
    const char *why;

    assert_int_equal(check(token, &account, &why), TOKEN_BAD);
    assert_string_equal(why, because);
}

static void signatures_of_four_kinds_are_checked(void **state)
{
    const struct {
        const char *alg;
        EVP_PKEY *key;
    } kinds[] = { { "RS256", issuer.rsa }, { "PS256", issuer.rsa }, { "ES256", issuer.ec }, { "EdDSA", issuer.ed } };
    struct str account;
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *token = token_of(kinds[i].alg, kinds[i].key, good_claims);
        char *changed = (char *)(uintptr_t)arena_printf(room.arena, "%s", token).p;
        if (check(token, &account, &why) != TOKEN_GOOD)
            fail_msg("%s: %s", kinds[i].alg, why);
        assert_str_is(account, STR("Anna@example.org"));
        /* One octet of the claims, one of the signature. */
        changed[strcspn(changed, ".") + 12] ^= 1;
        assert_bad(changed, "not a signed token");
        changed = (char *)(uintptr_t)arena_printf(room.arena, "%s", token).p;
        changed[strlen(changed) - 10] = changed[strlen(changed) - 10] == 'A' ? 'B' : 'A';
        assert_bad(changed, "not a signed token");
    }
}

static void a_token_cannot_choose_how_it_is_checked(void **state)
{
    const char *unsigned_one = arena_printf(room.arena, "%s.%s.", url64("{\"alg\":\"none\"}", 14),
                                            url64(good_claims, strlen(good_claims)))
                                   .p;

    (void)state;
    assert_bad(unsigned_one, "not a signed token");
    assert_bad(token_of("HS256", issuer.rsa, good_claims), "not a signed token");
    assert_bad(token_of("none", issuer.rsa, good_claims), "not a signed token");
    assert_bad(token_of("ES256", issuer.ed, good_claims), "not a signed token");
    assert_bad(sign("RS256", issuer.rsa, "{\"alg\":\"RS256\",\"kid\":\"other\"}", good_claims), "not a signed token");
    assert_bad(sign("RS256", issuer.rsa, "{\"alg\":\"RS256\",\"crit\":[\"x\"],\"x\":1}", good_claims),
               "not a signed token");
    assert_bad("", "not a signed token");
    assert_bad("..", "not a signed token");
    assert_bad("a.b.c", "not a signed token");
    assert_bad("a.b.c.d", "not a signed token");
}

static void claims_are_looked_at(void **state)
{
    static const struct {
        const char *claims, *why;
    } cases[] = {
        { "{\"iss\":\"https://other.example\",\"aud\":\"mail\",\"exp\":1800000100,\"email\":\"a@b\"}",
          "the token is another issuer's" },
        { "{\"aud\":\"mail\",\"exp\":1800000100,\"email\":\"a@b\"}", "the token is another issuer's" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"web\",\"exp\":1800000100,\"email\":\"a@b\"}",
          "the token is for another audience" },
        { "{\"iss\":\"https://id.example.org\",\"exp\":1800000100,\"email\":\"a@b\"}",
          "the token is for another audience" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":1799999940,\"email\":\"a@b\"}",
          "the token has expired" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"email\":\"a@b\"}", "the token has expired" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":\"x\",\"email\":\"a@b\"}",
          "the token has expired" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":1800000100,\"nbf\":1800000061,\"email\":\"a@b\"}",
          "the token is not good yet" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":1800000100}",
          "the token does not say whose account it is" },
        { "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":1800000100,\"email\":7}",
          "the token does not say whose account it is" },
        { "[]", "the token is another issuer's" },
        { "nothing", "the token's claims are not JSON" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_bad(token_of("ES256", issuer.ec, cases[i].claims), cases[i].why);
}

static void what_is_no_set_of_keys_is_said(void **state)
{
    static const char *const texts[] = {
        "", "{}", "[]", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}, 7, null]}",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *p = exact_copy(str_from_c(texts[i]));
        err = (struct err){ 0 };
        assert_null(token_keys_parse(str_of(p, strlen(texts[i])), &err));
        assert_int_equal(err.kind, ERR_PERM);
        free(p);
    }
}

/* ---- exchanges ---- */

/* The users files are not asked for a password, but for who is locked out, and how names are spelled. */
static struct config_auth by_token[] = { { .kind = CONFIG_AUTH_OAUTH }, { .kind = CONFIG_AUTH_USERS } };

static void start(bool has_keys)
{
    by_token[0].oauth = &issuer.oauth;
    room.config.oauths = &issuer.oauth;
    room.config.n_oauths = 1;
    room_auths(0, by_token, ARRAY_LEN(by_token));
    room_file("/users", arena_printf(room.arena, "Anna:%s\nben:!%s\n", room_hash("x"), room_hash("x")).p);
    room_file("/jwks", has_keys ? issuer.jwks : NULL);
    room_start();
}

/* Good for a minute from now. */
static const char *fresh_token(const char *email)
{
    long long now = (long long)time(NULL);

    return token_of("ES256", issuer.ec,
                    arena_printf(room.arena,
                                 "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":%lld,\"email\":\"%s\"}",
                                 now + 60, email)
                        .p);
}

static enum ipc_login bearer(const char *user, const char *token)
{
    return room_ask("OAUTHBEARER", arena_printf(room.arena, "n,%s,\1auth=Bearer %s\1\1", user, token));
}

static void c122_a_good_token_is_an_account(void **state)
{
    (void)state;
    start(true);
    assert_string_equal(room.offers[0], "PLAIN LOGIN OAUTHBEARER XOAUTH2");
    assert_int_equal(bearer("", fresh_token("anna@example.org")), IPC_LOGIN_DONE);
    assert_string_equal(room.answer.account, "Anna@example.org");
    assert_string_equal(room.asked, "");
    assert_string_equal(room.guessed[0], "anna@example.org right");
    assert_int_equal(bearer("a=ANNA", fresh_token("anna@example.org")), IPC_LOGIN_DONE);
    assert_int_equal(room_ask("XOAUTH2", arena_printf(room.arena, "user=anna@example.org\1auth=Bearer %s\1\1",
                                                      fresh_token("anna@example.org"))),
                     IPC_LOGIN_DONE);
    assert_int_equal(room_ask("OAUTHBEARER", STR_NONE), IPC_LOGIN_CONTINUE);
    assert_int_equal(room.answer.n_challenge, 0);
    assert_int_equal(room_step(arena_printf(room.arena, "n,,\1auth=Bearer %s\1\1", fresh_token("anna@example.org"))),
                     IPC_LOGIN_DONE);
}

static void c122_a_refused_token_is_a_challenge_first(void **state)
{
    (void)state;
    start(true);
    assert_int_equal(bearer("", "abc"), IPC_LOGIN_CONTINUE);
    assert_memory_equal(room.answer.challenge, "{\"status\":\"invalid_token\"}", room.answer.n_challenge);
    assert_int_equal(room_step(STR("\1")), IPC_LOGIN_REFUSED);
    assert_string_equal(room.answer.detail, "not a signed token");
    assert_string_equal(room.guessed[0], " wrong");
    /* Somebody else's, a domain that is not ours, a locked account. */
    assert_int_equal(bearer("a=ben", fresh_token("anna@example.org")), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_step(STR("\1")), IPC_LOGIN_REFUSED);
    assert_int_equal(bearer("", fresh_token("ben@example.org")), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_step(STR("\1")), IPC_LOGIN_REFUSED);
    assert_int_equal(bearer("", fresh_token("anna@example.net")), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_step(STR("\1")), IPC_LOGIN_REFUSED);
    assert_int_equal(room_ask("XOAUTH2", STR("user=anna\1auth=Bearer abc\1\1")), IPC_LOGIN_CONTINUE);
    assert_int_equal(room_step(STR("")), IPC_LOGIN_REFUSED);
    assert_int_equal(bearer("a=an=na", "abc"), IPC_LOGIN_WRONG);
    assert_int_equal(room_ask("OAUTHBEARER", STR("\1")), IPC_LOGIN_WRONG);
}

static void without_keys_nobody_can_say(void **state)
{
    (void)state;
    start(false);
    assert_int_equal(bearer("", fresh_token("anna@example.org")), IPC_LOGIN_TEMP);
    room_file("/jwks", issuer.jwks);
    assert_int_equal(bearer("", fresh_token("anna@example.org")), IPC_LOGIN_DONE);
    /* A wrong file leaves the keys that were good. */
    room_file("/jwks", "{}");
    assert_int_equal(bearer("", fresh_token("anna@example.org")), IPC_LOGIN_DONE);
}

/* ---- keys by URL ---- */

#define JWKS_URL "https://id.example.org/jwks"

static const char *keyed_token(const char *kid)
{
    return sign("ES256", issuer.ec, arena_printf(room.arena, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid).p,
                arena_printf(room.arena,
                             "{\"iss\":\"https://id.example.org\",\"aud\":\"mail\",\"exp\":%lld,"
                             "\"email\":\"anna@example.org\"}",
                             (long long)time(NULL) + 60)
                    .p);
}

static void start_with_url(void)
{
    issuer.oauth.keys = STR(JWKS_URL);
    start(false);
    room.resolve = room_peer(PROCESS_RESOLVE);
    room.fetch_code = 200;
    room.fetch_body = issuer.jwks;
}

/* A refused log-in, both steps. */
static enum ipc_login refused(void)
{
    assert_int_equal(room.answer.status, IPC_LOGIN_CONTINUE);
    return room_step(STR("\1"));
}

static struct auth_issuer *the_issuer(void)
{
    return &room_auth()->issuers.items[0];
}

static void keys_by_url_are_fetched_at_first_need_and_kept(void **state)
{
    (void)state;
    start_with_url();
    assert_string_equal(room.offers[0], "PLAIN LOGIN OAUTHBEARER XOAUTH2");
    assert_int_equal(room.n_fetches, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
    assert_int_equal(room.n_fetches, 1);
    assert_string_equal(room.fetched, JWKS_URL "  ");
}

static void nobody_is_asked_for_what_claims_not_to_be_the_issuers(void **state)
{
    (void)state;
    start_with_url();
    bearer("", "abc");
    assert_int_equal(refused(), IPC_LOGIN_REFUSED);
    bearer("", token_of("ES256", issuer.ec, "{\"iss\":\"https://other.example\"}"));
    assert_int_equal(refused(), IPC_LOGIN_REFUSED);
    assert_int_equal(room.n_fetches, 0);
}

static void an_unknown_key_is_asked_for_once_a_minute(void **state)
{
    (void)state;
    start_with_url();
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
    for (int i = 0; i < 3; i++) {
        bearer("", keyed_token("new"));
        assert_int_equal(refused(), IPC_LOGIN_REFUSED);
    }
    assert_int_equal(room.n_fetches, 2);
    the_issuer()->unknown_msec -= AUTH_KEYS_AGAIN_MSEC;
    room.fetch_body = "{\"keys\":[]}";
    /* Those of the last good answer stay; of the unknown one nothing can be said. */
    assert_int_equal(bearer("", keyed_token("new")), IPC_LOGIN_TEMP);
    assert_int_equal(room.n_fetches, 3);
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
}

static void keys_that_are_old_are_fetched_anew_and_used_until_then(void **state)
{
    (void)state;
    start_with_url();
    room.fetch_keep_msec = 1;
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
    the_issuer()->asked_msec -= AUTH_KEYS_AGAIN_MSEC;
    the_issuer()->fresh_until_msec -= AUTH_KEYS_AGAIN_MSEC;
    room.fetch_code = 0;
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
    assert_int_equal(room.n_fetches, 2);
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
    assert_int_equal(room.n_fetches, 2);
    assert_string_equal(room_field(room.n_records - 1, LOG_STATE), "stale");
}

static void an_issuer_that_is_away_is_try_later(void **state)
{
    unsigned records;

    (void)state;
    start_with_url();
    room.fetch_code = 0;
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_TEMP);
    records = room.n_records;
    assert_string_equal(room_field(records - 1, LOG_ERROR), "connection refused");
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_TEMP);
    assert_int_equal(room.n_fetches, 1);
    the_issuer()->asked_msec -= AUTH_KEYS_RETRY_MSEC;
    room.fetch_code = 503;
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_TEMP);
    assert_int_equal(room.n_fetches, 2);
    assert_int_equal(room.n_records, records);
    the_issuer()->asked_msec -= AUTH_KEYS_RETRY_MSEC;
    room.fetch_code = 200;
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_DONE);
}

static void many_log_ins_wait_for_one_fetch(void **state)
{
    struct str message;

    (void)state;
    start_with_url();
    message = arena_printf(room.arena, "n,,\1auth=Bearer %s\1\1", keyed_token("e"));
    room.resolve_is_silent = true;
    room_send_ask("OAUTHBEARER", true, message);
    room_run(NULL);
    /* The first asker does not wait for it any more. */
    ipc_send_login_gone(room.receive, &(struct ipc_login_gone){ .ticket = room.ticket });
    room_send_ask("OAUTHBEARER", true, message);
    room_fetch_answer();
    room_await(0);
    assert_int_equal(room.answer.status, IPC_LOGIN_DONE);
    assert_int_equal(room.n_fetches, 1);
}

static void who_would_fetch_may_be_gone(void **state)
{
    (void)state;
    issuer.oauth.keys = STR(JWKS_URL);
    start(false);
    assert_int_equal(bearer("", keyed_token("e")), IPC_LOGIN_TEMP);
    room.resolve = room_peer(PROCESS_RESOLVE);
    room.resolve_is_silent = true;
    room_send_ask("OAUTHBEARER", true, arena_printf(room.arena, "n,,\1auth=Bearer %s\1\1", keyed_token("e")));
    room_run(NULL);
    assert_int_equal(room.n_fetches, 1);
    ipc_channel_free(room.resolve);
    room.resolve = NULL;
    room_await(1);
    assert_int_equal(room.answer.status, IPC_LOGIN_TEMP);
    assert_int_equal(the_issuer()->ticket, 0);
}

/* ---- introspection ---- */

#define ASK_URL "https://id.example.org/ask"

static void start_with_introspection(bool has_secret)
{
    issuer.oauth.keys = STR_NONE;
    issuer.oauth.introspection = STR(ASK_URL);
    issuer.oauth.client = STR("ver edus");
    issuer.oauth.secret.written = STR("/secret");
    start(false);
    room_file("/secret", has_secret ? "a:b+c\n" : NULL);
    room.resolve = room_peer(PROCESS_RESOLVE);
    room.fetch_code = 200;
    room.fetch_body = "{\"active\":true,\"aud\":\"mail\",\"email\":\"ANNA@example.org\"}";
}

static void the_issuer_is_asked_of_a_token_and_believed_for_a_minute(void **state)
{
    const char pair[] = "ver+edus:a%3Ab%2Bc";

    (void)state;
    start_with_introspection(true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bearer("", "abc+/=="), IPC_LOGIN_DONE);
    assert_string_equal(room.answer.account, "Anna@example.org");
    assert_int_equal(room.n_fetches, 1);
    assert_string_equal(room.fetched, arena_printf(room.arena, ASK_URL " Basic %s token=abc%%2B%%2F%%3D%%3D"
                                                                       "&token_type_hint=access_token",
                                                   room_base64(pair, strlen(pair)))
                                          .p);
    for (size_t i = 0; i < INTROSPECTIONS_MAX; i++)
        room_auth()->issuers.said.items[i].until -= INTROSPECTION_KEEP_SEC;
    room.fetch_body = "{\"active\":false}";
    bearer("", "abc+/==");
    assert_int_equal(refused(), IPC_LOGIN_REFUSED);
    assert_int_equal(room.n_fetches, 2);
}

static void what_an_issuer_says_of_a_token_is_looked_at(void **state)
{
    static const struct {
        const char *body;
        enum ipc_login status;
        const char *why;
    } cases[] = {
        { "{\"active\":false}", IPC_LOGIN_REFUSED, "the issuer says that the token is not good" },
        { "{\"active\":true,\"email\":\"anna@example.org\"}", IPC_LOGIN_REFUSED, "the token is for another audience" },
        { "{\"active\":true,\"aud\":[\"web\"],\"email\":\"anna@example.org\"}", IPC_LOGIN_REFUSED,
          "the token is for another audience" },
        { "{\"active\":true,\"aud\":\"mail\",\"exp\":1000,\"email\":\"anna@example.org\"}", IPC_LOGIN_REFUSED,
          "the token has expired" },
        { "{\"active\":true,\"aud\":\"mail\",\"iss\":\"https://x\",\"email\":\"anna@example.org\"}", IPC_LOGIN_REFUSED,
          "the token is another issuer's" },
        { "{\"active\":true,\"aud\":\"mail\",\"sub\":\"anna@example.org\"}", IPC_LOGIN_REFUSED,
          "the issuer does not say whose account it is" },
        { "{\"active\":true,\"aud\":\"mail\",\"email\":\"ben@example.org\"}", IPC_LOGIN_REFUSED,
          "the account is locked" },
        { "{\"active\":\"true\"}", IPC_LOGIN_TEMP, "the issuer cannot say of the token" },
        { "[]", IPC_LOGIN_TEMP, "the issuer cannot say of the token" },
        { "", IPC_LOGIN_TEMP, "the issuer cannot say of the token" },
    };

    (void)state;
    start_with_introspection(true);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        room.fetch_body = cases[i].body;
        bearer("", arena_printf(room.arena, "token-%zu", i).p);
        if (cases[i].status == IPC_LOGIN_REFUSED)
            refused();
        if (room.answer.status != cases[i].status || strcmp(room.answer.detail, cases[i].why) != 0)
            fail_msg("case %zu: %d %s", i, (int)room.answer.status, room.answer.detail);
    }
    /* What is wrong with the issuer is told once, and that it is over. */
    unsigned records = room.n_records;
    assert_string_equal(room_field(records - 1, LOG_STATE), "failing");
    assert_string_equal(room_field(records - 1, LOG_ERROR),
                        "its answer is no JSON that says whether the token is active (RFC 7662)");
    room.fetch_body = "{\"active\":false}";
    bearer("", "again");
    refused();
    assert_int_equal(room.n_records, records + 1);
    assert_string_equal(room_field(records, LOG_STATE), "answering");
}

static void without_an_answer_or_a_secret_a_token_is_try_later(void **state)
{
    static const unsigned codes[] = { 0, 401, 403, 500 };

    (void)state;
    start_with_introspection(false);
    assert_int_equal(bearer("", "abc"), IPC_LOGIN_TEMP);
    assert_int_equal(room.n_fetches, 0);
    room_file("/secret", "x");
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        room.fetch_code = (uint16_t)codes[i];
        assert_int_equal(bearer("", "abc"), IPC_LOGIN_TEMP);
    }
    assert_int_equal(room.n_fetches, ARRAY_LEN(codes));
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c122_messages_of_oauthbearer_are_read),
        cmocka_unit_test(messages_of_xoauth2_are_read),
        IN_ROOM(signatures_of_four_kinds_are_checked),
        IN_ROOM(a_token_cannot_choose_how_it_is_checked),
        IN_ROOM(claims_are_looked_at),
        IN_ROOM(what_is_no_set_of_keys_is_said),
        IN_ROOM(c122_a_good_token_is_an_account),
        IN_ROOM(c122_a_refused_token_is_a_challenge_first),
        IN_ROOM(without_keys_nobody_can_say),
        IN_ROOM(keys_by_url_are_fetched_at_first_need_and_kept),
        IN_ROOM(nobody_is_asked_for_what_claims_not_to_be_the_issuers),
        IN_ROOM(an_unknown_key_is_asked_for_once_a_minute),
        IN_ROOM(keys_that_are_old_are_fetched_anew_and_used_until_then),
        IN_ROOM(an_issuer_that_is_away_is_try_later),
        IN_ROOM(many_log_ins_wait_for_one_fetch),
        IN_ROOM(who_would_fetch_may_be_gone),
        IN_ROOM(the_issuer_is_asked_of_a_token_and_believed_for_a_minute),
        IN_ROOM(what_an_issuer_says_of_a_token_is_looked_at),
        IN_ROOM(without_an_answer_or_a_secret_a_token_is_try_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
