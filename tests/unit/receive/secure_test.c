/* TLS and AUTH in sessions, while key and auth answer, are slow, refuse or die (RFC 3207, 4954, 8314). */
#include "tests/unit/receive/play.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "core/num.h"

#define CONFIG                                                                          \
    "hostname mail.example.org; tls { certificate /nowhere/mail.pem; }"                 \
    "domain example.org { users file:/nowhere/users; deliver maildir:/nowhere/{user}; }"
#define STARTTLS CONFIG "listen 127.0.0.1:587 submission;"
#define STRANGERS CONFIG "listen 127.0.0.1:25;"
#define ONLY_OURS                                                                                             \
    CONFIG "listen 127.0.0.1:465 submission tls { tls { certificate /nowhere/mail.pem; client-ca /nowhere/ca.pem; "  \
           "client-certificates require; } }"
#define AT_ONCE CONFIG "listen 127.0.0.1:465 submission tls;"

/* The certificate that key tells of, and the key it keeps. */
static struct {
    EVP_PKEY *key;
    X509 *certificate;
    X509 *stranger; /* of nobody's */
    SSL_CTX *ctx;
} pki;

static X509 *make_certificate(const char *of)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)of, -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pki.key);
    assert_true(X509_sign(x, pki.key, EVP_sha256()) > 0);
    return x;
}

static int make_pki(void **state)
{
    (void)state;
    pki.key = EVP_EC_gen("P-256");
    pki.certificate = make_certificate("mail.example.org");
    pki.stranger = make_certificate("stranger.example");
    pki.ctx = SSL_CTX_new(TLS_client_method());
    return 0;
}

static int drop_pki(void **state)
{
    (void)state;
    SSL_CTX_free(pki.ctx);
    X509_free(pki.certificate);
    X509_free(pki.stranger);
    EVP_PKEY_free(pki.key);
    return 0;
}

/* ---- key ---- */

static void tell_certificate(void)
{
    unsigned char *der = NULL, *spki = NULL, hash[32];
    int n = i2d_X509(pki.certificate, &der), n_spki = i2d_PUBKEY(pki.key, &spki);
    struct buf chain = BUF_INIT(65536);
    char length[4];

    assert_true(n > 0 && n_spki > 0);
    assert_int_equal(EVP_Digest(spki, (size_t)n_spki, hash, NULL, EVP_sha256(), NULL), 1);
    le32_put(length, (uint32_t)n);
    buf_add(&chain, str_of(length, sizeof(length)));
    buf_add(&chain, str_of((char *)der, (size_t)n));
    assert_true(ipc_send_certificate(play.key, &(struct ipc_certificate){
                                                   .chain = buf_str(&chain),
                                                   .key = str_of((char *)hash, sizeof(hash)),
                                               }));
    assert_true(ipc_send_keys_told(play.key, &(struct ipc_keys_told){ .generation = 1 }));
    buf_done(&chain);
    OPENSSL_free(der);
    OPENSSL_free(spki);
    go_on();
}

static void key_comes(void)
{
    peer_comes(PROCESS_KEY, &play.key);
    tell_certificate();
}

/* The newest SIGN_ASK; refused unless SIGNS. */
static void key_answers(bool signs)
{
    const struct asked *a = asked(IPC_SIGN_ASK);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char signature[256];
    size_t n = sizeof(signature);

    assert_int_equal(a->size, 0x0403); /* ecdsa_secp256r1_sha256 */
    assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, pki.key), 1);
    assert_int_equal(EVP_DigestSign(md, signature, &n, (const unsigned char *)a->envelope, a->envelope_n), 1);
    EVP_MD_CTX_free(md);
    assert_true(ipc_send_sign_answer(play.key, &(struct ipc_sign_answer){
                                                   .ticket = a->ticket,
                                                   .status = signs ? IPC_OK : IPC_PERM,
                                                   .signature = str_of((char *)signature, signs ? n : 0),
                                               }));
    go_on();
}

/* ---- clients with TLS ---- */

struct secure {
    struct client *client;
    SSL *ssl;
    char got[16384];
    bool closed;
};

static void secure_open(struct secure *s, struct client *c)
{
    *s = (struct secure){ .client = c, .ssl = SSL_new(pki.ctx) };
    assert_non_null(s->ssl);
    assert_int_equal(SSL_set_fd(s->ssl, c->fd), 1);
    SSL_set_connect_state(s->ssl);
}

static bool shakes(struct secure *s)
{
    for (int i = 0; i < 4; i++) {
        if (SSL_do_handshake(s->ssl) == 1)
            return true;
        go_on();
    }
    return false;
}

static void secure_reads(struct secure *s)
{
    size_t n = 0, got;

    go_on();
    while (n < sizeof(s->got) - 1 && SSL_read_ex(s->ssl, s->got + n, sizeof(s->got) - 1 - n, &got))
        n += got;
    s->got[n] = '\0';
    s->closed = SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static void secure_says(struct secure *s, const char *words)
{
    assert_int_equal(SSL_write(s->ssl, words, (int)strlen(words)), (int)strlen(words));
    secure_reads(s);
}

static void secure_hears(struct secure *s, const char *code)
{
    assert_str_is(str_head(str_from_c(s->got), strlen(code)), str_from_c(code));
}

static void secure_close(struct secure *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
}

/* Behind STARTTLS, TLS is on. */
static struct client *starts_tls(struct secure *s)
{
    struct client *c = client_comes();

    hear(c, "220");
    say(c, "EHLO c.example.net\r\n");
    say(c, "STARTTLS\r\n");
    hear(c, "220");
    secure_open(s, c);
    assert_false(shakes(s));
    key_answers(true);
    assert_true(shakes(s));
    return c;
}

/* ---- STARTTLS ---- */

static void behind_STARTTLS_the_session_is_new_C097(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STRANGERS);
    key_comes();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\n");
    assert_non_null(strstr(c->got, "STARTTLS"));
    say(c, "MAIL FROM:<a@example.net>\r\n");
    hear(c, "250");
    say(c, "STARTTLS\r\n");
    hear(c, "220");
    secure_open(&s, c);
    assert_false(shakes(&s));
    key_answers(true);
    assert_true(shakes(&s));
    secure_says(&s, "MAIL FROM:<a@example.net>\r\n");
    secure_hears(&s, "503");
    secure_says(&s, "EHLO c.example.net\r\n");
    secure_hears(&s, "250");
    assert_null(strstr(s.got, "STARTTLS"));
    secure_says(&s, "QUIT\r\n");
    secure_hears(&s, "221");
    assert_true(s.closed);
    secure_close(&s);
    play_close();
}

static void what_came_in_clear_behind_STARTTLS_was_never_said_C098(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STRANGERS);
    key_comes();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\n");
    say(c, "STARTTLS\r\nEHLO evil.example\r\nNOOP\r\n");
    assert_string_equal(strchr(c->got, '\n'), "\n"); /* one reply */
    secure_open(&s, c);
    (void)shakes(&s);
    key_answers(true);
    assert_true(shakes(&s));
    secure_says(&s, "NOOP\r\n");
    secure_hears(&s, "250");
    assert_string_equal(strchr(s.got, '\n'), "\n");
    secure_says(&s, "MAIL FROM:<a@example.net>\r\n");
    secure_hears(&s, "503");
    secure_close(&s);
    play_close();
}

static void without_a_certificate_STARTTLS_is_454_C096(void **state)
{
    (void)state;
    play_open_with(STRANGERS);
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\n");
    assert_null(strstr(c->got, "STARTTLS"));
    say(c, "STARTTLS\r\n");
    hear(c, "454");
    key_comes();
    say(c, "STARTTLS\r\n");
    hear(c, "220");
    play_close();
}

/* ---- the handshake ---- */

static void a_slow_signature_keeps_nobody_else_waiting(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nSTARTTLS\r\n");
    secure_open(&s, c);
    assert_false(shakes(&s));
    assert_int_equal(asked_of(IPC_SIGN_ASK), 1);
    struct client *other = client_comes();
    hear(other, "220");
    say(other, "EHLO other.example.net\r\n");
    hear(other, "250");
    assert_false(shakes(&s));
    key_answers(true);
    assert_true(shakes(&s));
    secure_close(&s);
    play_close();
}

static void a_new_key_process_is_asked_again(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nSTARTTLS\r\n");
    secure_open(&s, c);
    assert_false(shakes(&s));
    peer_dies(&play.key);
    assert_false(shakes(&s));
    key_comes();
    assert_int_equal(asked_of(IPC_SIGN_ASK), 2);
    key_answers(true);
    assert_true(shakes(&s));
    secure_close(&s);
    play_close();
}

static void a_signature_that_is_refused_ends_that_handshake(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nSTARTTLS\r\n");
    secure_open(&s, c);
    assert_false(shakes(&s));
    key_answers(false);
    assert_false(shakes(&s));
    assert_int_equal(play.receive->n_sessions, 0);
    secure_close(&s);
    play_close();
}

static void a_handshake_without_end_is_ended(void **state)
{
    struct secure s;

    (void)state;
    for (int signing = 0; signing < 2; signing++) {
        play_open_with(STARTTLS);
        key_comes();
        struct client *c = client_comes();
        say(c, "EHLO c.example.net\r\n");
        say(c, "STARTTLS\r\n");
        c->n = 0;
        if (signing) {
            secure_open(&s, c);
            assert_false(shakes(&s));
            secure_close(&s);
        } else {
            say(c, "\x16\x03\x01"); /* a record that goes on for ever */
        }
        /* No octet moves its deadline. */
        assert_true(c->session->deadline_msec <= io_now_msec(play.worker.loop) + 30000);
        time_passes(c);
        assert_int_equal(play.receive->n_sessions, 0);
        play_close();
    }
}

static void a_client_that_leaves_while_it_is_signed_for_is_forgotten(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    struct client *c = client_comes();
    say(c, "EHLO c.example.net\r\nSTARTTLS\r\n");
    secure_open(&s, c);
    assert_false(shakes(&s));
    session_end(c->session, "lost");
    go_on();
    key_answers(true); /* for nobody */
    secure_close(&s);
    play_close();
}

static void implicit_TLS_says_nothing_in_clear(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(AT_ONCE);
    key_comes();
    struct client *c = client_comes();
    client_reads(c);
    assert_int_equal(c->n, 0);
    secure_open(&s, c);
    assert_false(shakes(&s));
    key_answers(true);
    assert_true(shakes(&s));
    secure_reads(&s);
    secure_hears(&s, "220");
    secure_close(&s);
    /* A stop closes what has not shaken hands. */
    struct client *late = client_comes();
    receive_service.stop(&play.worker, 1000);
    go_on();
    client_reads(late);
    assert_int_equal(late->n, 0);
    assert_true(late->closed);
    play_close();
}

static void a_listener_opens_when_its_certificate_is_there(void **state)
{
    (void)state;
    play_open_with(AT_ONCE);
    struct receive_listener *l = &play.receive->listeners[0];
    assert_false(l->open);
    peer_comes(PROCESS_AUTH, &play.auth[0]);
    assert_true(ipc_send_mechanisms(play.auth[0], &(struct ipc_mechanisms){ .names = STR("PLAIN") }));
    go_on();
    assert_false(l->open);
    play.receive->told_again.fired(&play.receive->told_again);
    assert_false(l->open);
    key_comes();
    assert_true(l->open);
    play_close();
}

static void main_opens(const char *path, const char *text)
{
    struct err err = { 0 };
    struct ipc_message m = {
        .type = IPC_OPENED,
        .fd = fd_sealed("file", str_from_c(text), &err),
        .opened = { .path = str_from_c(path) },
    };

    assert_true(m.fd >= 0);
    receive_service.message(&play.worker, NULL, &m);
    close(m.fd);
    go_on();
}

/* The CA that our client's certificate is of, which is itself. */
static const char *ca_text(char *room, int n)
{
    BIO *out = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(out, pki.certificate), 1);
    int got = BIO_read(out, room, n - 1);
    assert_true(got > 0);
    room[got] = '\0';
    BIO_free(out);
    return room;
}

static void a_file_of_CAs_that_is_being_written_lets_nobody_in(void **state)
{
    char room[4096];
    struct secure s;

    (void)state;
    play_open_with(ONLY_OURS);
    main_opens("/nowhere/ca.pem", "");
    key_comes();
    play.receive->told_again.fired(&play.receive->told_again);
    struct receive_listener *l = &play.receive->listeners[0];
    assert_false(l->open);
    main_opens("/nowhere/ca.pem", ca_text(room, sizeof(room)));
    assert_true(l->open);
    /* Once more from its beginning: what was read before stays. */
    main_opens("/nowhere/ca.pem", "");
    assert_true(l->open);
    secure_open(&s, client_comes());
    assert_int_equal(SSL_use_certificate(s.ssl, pki.stranger), 1);
    assert_int_equal(SSL_use_PrivateKey(s.ssl, pki.key), 1);
    assert_false(shakes(&s));
    key_answers(true);
    (void)shakes(&s);
    secure_reads(&s);
    assert_string_equal(s.got, "");
    /* With octets unread, as OpenSSL 3.5 leaves some, the client is waited for a moment. */
    assert_int_equal(shutdown(s.client->fd, SHUT_WR), 0);
    secure_reads(&s);
    secure_close(&s);
    assert_int_equal(play.receive->n_sessions, 0);
    play_close();
}

static void strangers_are_served_without_TLS_when_key_is_silent(void **state)
{
    (void)state;
    play_open_with(STRANGERS);
    assert_false(play.receive->listeners[0].open);
    play.receive->told_again.fired(&play.receive->told_again);
    assert_true(play.receive->listeners[0].open);
    play_close();
}

/* ---- AUTH ---- */

static void auths_come(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        peer_comes(PROCESS_AUTH, &play.auth[i]);
        assert_true(ipc_send_mechanisms(
            play.auth[i], &(struct ipc_mechanisms){ .names = STR("SCRAM-SHA-256 PLAIN LOGIN EXTERNAL") }));
    }
    go_on();
}

static void auth_answers(const struct asked *a, enum ipc_login status, struct str challenge, struct str account)
{
    assert_true(ipc_send_login_answer(a->peer, &(struct ipc_login_answer){
                                                   .ticket = a->ticket,
                                                   .status = (uint8_t)status,
                                                   .challenge = challenge,
                                                   .account = account,
                                                   .number = 10,
                                                   .detail = STR("unix"),
                                               }));
    go_on();
}

static void begins_auth(struct secure *s)
{
    starts_tls(s);
    secure_says(s, "EHLO c.example.net\r\n");
    assert_non_null(strstr(s->got, "AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
}

static void an_exchange_stays_with_its_process(void **state)
{
    struct secure s, other;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(2);
    begins_auth(&s);
    secure_says(&s, "AUTH LOGIN\r\n");
    struct asked first = *asked(IPC_LOGIN_ASK);
    assert_string_equal(first.text, "LOGIN");
    assert_false(first.again);
    assert_int_equal(first.size, 32); /* tls-exporter */
    begins_auth(&other);
    secure_says(&other, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    assert_ptr_not_equal(asked(IPC_LOGIN_ASK)->peer, first.peer);
    assert_true(asked(IPC_LOGIN_ASK)->again);
    auth_answers(&first, IPC_LOGIN_CONTINUE, STR("User Name"), STR_NONE);
    secure_reads(&s);
    secure_hears(&s, "334 VXNlciBOYW1l\r\n");
    secure_says(&s, "YW5uYQ==\r\n");
    assert_ptr_equal(asked(IPC_LOGIN_STEP)->peer, first.peer);
    assert_string_equal(asked(IPC_LOGIN_STEP)->body, "anna");
    auth_answers(asked(IPC_LOGIN_STEP), IPC_LOGIN_DONE, STR_NONE, STR("anna@example.org"));
    secure_reads(&s);
    secure_hears(&s, "235");
    secure_says(&s, "MAIL FROM:<anna@example.org>\r\n");
    secure_hears(&s, "250");
    assert_string_equal(asked(IPC_MAIL_ASK)->text, "anna@example.org");
    assert_int_equal(asked_of(IPC_LOGIN_GONE), 0);
    secure_close(&s);
    secure_close(&other);
    play_close();
}

static void what_auth_says_has_its_reply_C114(void **state)
{
    static const struct {
        enum ipc_login status;
        const char *code;
    } said[] = {
        { IPC_LOGIN_REFUSED, "535 5.7.8" },
        { IPC_LOGIN_TEMP, "454 4.7.0" },
        { IPC_LOGIN_LIMITED, "454 4.7.0" },
        { IPC_LOGIN_WRONG, "501" },
        { (enum ipc_login)99, "454 4.7.0" },
    };
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    begins_auth(&s);
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
        auth_answers(asked(IPC_LOGIN_ASK), said[i].status, STR_NONE, STR_NONE);
        secure_reads(&s);
        secure_hears(&s, said[i].code);
    }
    secure_says(&s, "MAIL FROM:<anna@example.org>\r\n");
    secure_hears(&s, "530 5.7.0");
    secure_close(&s);
    play_close();
}

static void an_auth_process_that_dies_is_454_and_the_session_goes_on(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(2);
    begins_auth(&s);
    secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    size_t dead = asked(IPC_LOGIN_ASK)->peer == play.auth[1];
    peer_dies(&play.auth[dead]);
    secure_reads(&s);
    secure_hears(&s, "454 4.7.0");
    secure_says(&s, "AUTH LOGIN\r\n");
    assert_ptr_equal(asked(IPC_LOGIN_ASK)->peer, play.auth[!dead]);
    auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_CONTINUE, STR("User Name"), STR_NONE);
    peer_dies(&play.auth[!dead]);
    secure_says(&s, "YW5uYQ==\r\n");
    assert_non_null(strstr(s.got, "454 4.7.0"));
    secure_says(&s, "NOOP\r\n");
    secure_hears(&s, "250");
    secure_close(&s);
    play_close();
}

static void without_auth_it_is_454_when_its_time_is_up(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    begins_auth(&s);
    peer_dies(&play.auth[0]);
    secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    assert_string_equal(s.got, "");
    s.client->session->deadline_msec = 0;
    s.client->session->timer.fired(&s.client->session->timer);
    secure_reads(&s);
    secure_hears(&s, "454 4.7.0");
    secure_close(&s);
    play_close();
}

static void auth_hears_of_those_who_give_up_or_leave_C111(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    begins_auth(&s);
    for (int i = 0; i < 2; i++) {
        secure_says(&s, "AUTH LOGIN\r\n");
        auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_CONTINUE, STR("User Name"), STR_NONE);
        secure_reads(&s);
        secure_says(&s, i ? "YW5u!!!\r\n" : "*\r\n");
        secure_hears(&s, "501");
        assert_int_equal(asked_of(IPC_LOGIN_GONE), i + 1);
        assert_int_equal(asked(IPC_LOGIN_GONE)->ticket, asked(IPC_LOGIN_ASK)->ticket);
    }
    secure_says(&s, "AUTH LOGIN\r\n");
    auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_CONTINUE, STR("User Name"), STR_NONE);
    session_end(s.client->session, "lost");
    go_on();
    assert_int_equal(asked_of(IPC_LOGIN_GONE), 3);
    secure_close(&s);
    play_close();
}

/* A password in pieces: none of them stays where others' octets come to stand. */
static void a_password_that_comes_in_pieces_is_wiped(void **state)
{
    static const char *const pieces[] = { "AUTH PLAIN AGFubmEAc2Vj", "cmV0LXdvcmRz", "\r\n" };
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    struct client *c = starts_tls(&s);
    secure_says(&s, "EHLO c.example.net\r\n");
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        secure_says(&s, pieces[i]);
        struct str room = str_of(play.receive->read_room, RECEIVE_READ_MAX);
        assert_false(str_contains(room, STR("AGFubmEA")));
        assert_false(str_contains(room, STR("cmV0LXdv")));
    }
    assert_memory_equal(asked(IPC_LOGIN_ASK)->body, "\0anna\0secret-words", 1);
    assert_false(c->session->in.p != NULL);
    secure_close(&s);
    play_close();
}

static void a_slow_password_keeps_no_RCPT_waiting(void **state)
{
    struct secure s, other;

    (void)state;
    play_open_with(CONFIG "listen 127.0.0.1:25 { auth users; }");
    key_comes();
    auths_come(1);
    begins_auth(&s);
    secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    assert_int_equal(asked_of(IPC_LOGIN_ASK), 1);
    starts_tls(&other);
    secure_says(&other, "EHLO c.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
    assert_non_null(strstr(other.got, "250 2.1.5"));
    secure_close(&s);
    secure_close(&other);
    play_close();
}

static void answers_about_nobody_are_passed_over(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    begins_auth(&s);
    secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    struct asked a = *asked(IPC_LOGIN_ASK), wrong = a;
    worker_peer(&play.worker, PROCESS_AUTH)->asked = 10;
    play.auth[0]->owed = 10;
    wrong.ticket += 1ULL << 32;
    auth_answers(&wrong, IPC_LOGIN_DONE, STR_NONE, STR("eve@example.org"));
    wrong.ticket = UINT64_MAX;
    auth_answers(&wrong, IPC_LOGIN_DONE, STR_NONE, STR("eve@example.org"));
    auth_answers(&a, IPC_LOGIN_DONE, STR_NONE, STR_NONE); /* somebody without a name is nobody */
    secure_reads(&s);
    secure_hears(&s, "454 4.7.0");
    auth_answers(&a, IPC_LOGIN_DONE, STR_NONE, STR("anna@example.org"));
    secure_reads(&s);
    assert_string_equal(s.got, "");
    secure_close(&s);
    play_close();
}

/* ---- submission (RFC 6409) ---- */

static struct envelope committed(struct arena *a)
{
    const struct asked *c = asked(IPC_COMMIT_ASK);
    struct envelope e = { 0 };
    struct err err = { 0 };

    assert_true(envelope_decode(str_of(c->envelope, c->envelope_n), a, &e, &err));
    return e;
}

static void stored(struct secure *s)
{
    assert_true(ipc_send_commit_answer(play.queue, &(struct ipc_commit_answer){
                                                       .ticket = asked(IPC_COMMIT_ASK)->ticket,
                                                       .status = IPC_STORED,
                                                       .batch = 1,
                                                   }));
    secure_reads(s);
}

#define TRANSACTION "MAIL FROM:<anna@example.org>%s\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"

static void hands_in(struct secure *s, const char *parameters)
{
    char words[256];

    snprintf(words, sizeof(words), TRANSACTION, parameters);
    secure_says(s, words);
    assert_non_null(strstr(s->got, "\r\n354 "));
    secure_says(s, "Subject: x\r\nBcc: c@example.org\r\n\r\ny\r\n.\r\n");
}

static void what_is_handed_in_is_completed_and_says_by_whom_C127(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    begins_auth(&s);
    secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_DONE, STR_NONE, STR("anna@example.org"));
    hands_in(&s, " HOLDFOR=3600");
    const struct asked c = *asked(IPC_COMMIT_ASK);
    struct envelope e = committed(a);
    assert_null(strstr(c.body, "Bcc"));
    assert_non_null(strstr(c.body, "\r\nDate: "));
    assert_non_null(strstr(c.body, "\r\nMessage-ID: <"));
    assert_non_null(strstr(c.text, " with ESMTPSA "));
    assert_non_null(strstr(c.text, "tls TLS_"));
    /* What the envelope says of the content is of what is kept. */
    assert_int_equal(e.size, c.size);
    assert_int_equal(e.lines, 5);
    assert_int_equal(e.header_octets, (uint64_t)(strstr(c.body, "\r\n\r\n") + 4 - c.body));
    assert_true(e.longest_line > 30 && e.longest_line < 100);
    assert_str_is(e.account, STR("anna@example.org"));
    assert_str_is(e.release_request, STR("for;3600"));
    assert_true(e.release_msec > io_wall_msec() + 3500 * 1000 && e.release_msec <= io_wall_msec() + 3600 * 1000);
    assert_int_equal(e.held.n, 0);
    stored(&s);
    secure_hears(&s, "250 2.0.0 Ok: queued");
    secure_close(&s);
    play_close();
    arena_free(a);
}

static void what_a_limit_holds_is_taken_and_said_to_be_held(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct secure s;

    (void)state;
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    begins_auth(&s);
    secure_says(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_DONE, STR_NONE, STR("anna@example.org"));
    play.held = true;
    hands_in(&s, "");
    assert_str_is(committed(a).held, STR("limit account messages 2/h"));
    stored(&s);
    secure_hears(&s, "250 2.0.0 Ok: queued as ");
    assert_non_null(strstr(s.got, "held"));
    secure_close(&s);
    play_close();
    arena_free(a);
}

/* ---- log-ins that end ---- */

static void logs_in(struct secure *s, const char *who)
{
    secure_says(s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_DONE, STR_NONE, str_from_c(who));
    secure_reads(s);
    secure_hears(s, "235");
}

/* Nobody answers; WORDS have their reply all the same, in less than two minutes. */
static void answered_in_time(struct secure *s, const char *words, const char *code)
{
    struct session *session = s->client->session;

    secure_says(s, words);
    assert_int_equal(s->got[0], '\0');
    assert_true(session->question != QUESTION_NONE);
    assert_true(session->deadline_msec - io_now_msec(play.worker.loop) < 120 * 1000);
    session->deadline_msec = 0;
    session->timer.fired(&session->timer);
    secure_reads(s);
    secure_hears(s, code);
}

/* Held back as one to its end, it is too much for memory, and it is too late for a file. */
static void a_header_section_without_end_is_refused_at_once(void **state)
{
    static char line[1000];
    struct secure s;

    (void)state;
    play_open_with(STARTTLS "max-header-size 8M; max-message-size 20M;");
    key_comes();
    auths_come(1);
    begins_auth(&s);
    logs_in(&s, "anna@example.org");
    secure_says(&s, "MAIL FROM:<anna@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    assert_non_null(strstr(s.got, "\r\n354 "));
    snprintf(line, sizeof(line), "X-Much: %0*d\r\n", 900, 0);
    for (size_t n = 0; n < 4 << 20; n += strlen(line))
        secure_says(&s, line);
    secure_says(&s, ".\r\n");
    secure_hears(&s, "552 5.3.4 the header of the message is larger than 2097152 octets");
    secure_says(&s, "NOOP\r\n");
    secure_hears(&s, "250");
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    secure_close(&s);
    play_close();
}

static void no_command_takes_two_minutes_C129(void **state)
{
    struct secure s;

    (void)state;
    play_open_with(STARTTLS "vrfy on;");
    key_comes();
    auths_come(1);
    begins_auth(&s);
    play.queue_silent = true;
    answered_in_time(&s, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "454");
    logs_in(&s, "anna@example.org");
    play.lookup_silent = true;
    answered_in_time(&s, "MAIL FROM:<anna@example.org>\r\n", "451");
    answered_in_time(&s, "VRFY b@example.org\r\n", "451");
    play.lookup_silent = play.queue_silent = false;
    secure_says(&s, "MAIL FROM:<anna@example.org>\r\n");
    play.lookup_silent = play.queue_silent = true;
    answered_in_time(&s, "RCPT TO:<b@example.org>\r\n", "451");
    secure_close(&s);
    play_close();
}

static void submission_opens(struct secure *s)
{
    play_open_with(STARTTLS);
    key_comes();
    auths_come(2);
    begins_auth(s);
    logs_in(s, "Anna@example.org");
}

static void log_in_ends(size_t auth, const char *who)
{
    assert_true(ipc_send_login_ended(play.auth[auth], &(struct ipc_login_ended){
                                                          .account = str_from_c(who),
                                                          .reason = LOG_REASON_LOCKED,
                                                      }));
    go_on();
}

static void submission_closes(struct secure *s)
{
    secure_close(s);
    play_close();
}

/* Which of the two let the last one in. */
static size_t who_knows(void)
{
    return asked(IPC_LOGIN_ASK)->peer == play.auth[0] ? 0 : 1;
}

static void a_log_in_that_ends_is_421_between_commands(void **state)
{
    static const char *const before[] = { "NOOP\r\n", "MAIL FROM:<anna@example.org>\r\nRCPT TO:<b@example.org>\r\n",
                                          "MAIL FROM:<anna@exa" };
    struct secure s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        submission_opens(&s);
        secure_says(&s, before[i]);
        s.got[0] = '\0';
        log_in_ends(who_knows(), "anna@example.org");
        secure_reads(&s);
        assert_non_null(strstr(s.got, "421 4.7.0 your account was changed"));
        assert_true(s.closed);
        assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
        submission_closes(&s);
    }
}

static void nobody_else_is_sent_away(void **state)
{
    struct secure s;

    (void)state;
    submission_opens(&s);
    log_in_ends(who_knows(), "ann@example.org");
    log_in_ends(who_knows(), "anna@example.net");
    /* The other one lags behind: this log-in was by the new file. */
    log_in_ends(!who_knows(), "anna@example.org");
    secure_says(&s, "NOOP\r\n");
    secure_hears(&s, "250");
    /* Nobody else can say it when the one that let her in is gone. */
    size_t knew = who_knows();
    peer_dies(&play.auth[knew]);
    log_in_ends(!knew, "anna@example.org");
    secure_reads(&s);
    assert_true(s.closed);
    submission_closes(&s);
}

/* ---- a newer configuration beside ours ---- */

/* Its auth: the second of the two, which let nobody in. */
static struct ipc_channel *newer_auth_comes(void)
{
    play_open_with(STARTTLS);
    key_comes();
    auths_come(1);
    peer_comes(PROCESS_AUTH, &play.auth[1]);
    play.worker.peers[play.worker.n_peers - 1]->generation = 2;
    return play.auth[1];
}

static void wants_logins(struct ipc_channel *newer)
{
    assert_true(ipc_send_logins_wanted(newer, &(struct ipc_logins_wanted){ .generation = 2 }));
    go_on();
}

static void a_newer_configuration_is_told_who_is_logged_in(void **state)
{
    struct secure s, other;
    struct ipc_channel *newer = newer_auth_comes();

    (void)state;
    begins_auth(&s);
    begins_auth(&other);
    wants_logins(newer);
    assert_int_equal(asked_of(IPC_LOGIN_KEPT), 0);
    /* Who logs in after that is told of at once. */
    logs_in(&s, "Anna@example.org");
    assert_int_equal(asked_of(IPC_LOGIN_KEPT), 1);
    wants_logins(newer);
    assert_int_equal(asked_of(IPC_LOGIN_KEPT), 2);
    assert_ptr_equal(asked(IPC_LOGIN_KEPT)->peer, newer);
    assert_string_equal(asked(IPC_LOGIN_KEPT)->text, "Anna@example.org");
    log_in_ends(1, "Anna@example.org");
    secure_reads(&s);
    secure_hears(&s, "421 4.7.0 ");
    assert_true(s.closed);
    wants_logins(newer);
    assert_int_equal(asked_of(IPC_LOGIN_KEPT), 2);
    secure_says(&other, "NOOP\r\n");
    secure_hears(&other, "250");
    secure_close(&other);
    submission_closes(&s);
}

static void our_own_auth_is_told_of_nobody(void **state)
{
    struct secure s;

    (void)state;
    submission_opens(&s);
    assert_int_equal(asked_of(IPC_LOGIN_KEPT), 0);
    submission_closes(&s);
}

static void says_no_logins(void)
{
    struct ipc_message m = { .type = IPC_NO_LOGINS, .fd = -1, .no_logins = { .generation = 2 } };

    play.worker.service->message(&play.worker, play.worker.main, &m);
    go_on();
}

static void a_newer_configuration_without_log_ins_ends_all(void **state)
{
    struct secure s, other;

    (void)state;
    submission_opens(&s);
    begins_auth(&other);
    says_no_logins();
    secure_reads(&s);
    secure_hears(&s, "421 4.7.0 ");
    assert_true(s.closed);
    /* Nor does anybody log in any more who was connected before. */
    secure_says(&other, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n");
    auth_answers(asked(IPC_LOGIN_ASK), IPC_LOGIN_DONE, STR_NONE, STR("anna@example.org"));
    secure_reads(&other);
    secure_hears(&other, "454 4.7.0 ");
    secure_close(&other);
    submission_closes(&s);
}

static void a_message_under_way_is_refused_at_its_end(void **state)
{
    struct secure s;

    (void)state;
    submission_opens(&s);
    secure_says(&s, "MAIL FROM:<anna@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    assert_non_null(strstr(s.got, "\r\n354 "));
    log_in_ends(who_knows(), "anna@example.org");
    secure_says(&s, "Subject: x\r\n\r\ny\r\n");
    assert_int_equal(s.got[0], '\0');
    secure_says(&s, ".\r\nNOOP\r\n");
    secure_hears(&s, "421 4.7.0 ");
    assert_null(strstr(s.got, "250"));
    assert_true(s.closed);
    assert_int_equal(asked_of(IPC_COMMIT_ASK), 0);
    submission_closes(&s);
}

static void what_was_given_whole_is_taken_first(void **state)
{
    struct secure s;

    (void)state;
    submission_opens(&s);
    hands_in(&s, "");
    log_in_ends(who_knows(), "anna@example.org");
    secure_reads(&s);
    assert_false(s.closed);
    s.got[0] = '\0';
    stored(&s);
    secure_hears(&s, "250 2.0.0 Ok: queued");
    assert_non_null(strstr(s.got, "\r\n421 4.7.0 "));
    assert_true(s.closed);
    submission_closes(&s);
}

/* Only where `relay-from` stands in the same block as what is required (FACE 1.9, require). */
static void those_who_relay_here_need_no_AUTH_C123(void **state)
{
    static const struct {
        const char *config;
        const char *code;
    } cases[] = {
        { CONFIG "listen 127.0.0.1:587 submission { relay-from 192.0.2.0/24; }", "250" },
        { CONFIG "relay-from 192.0.2.0/24; listen 127.0.0.1:587 submission;", "530" },
    };
    struct secure s;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        play_open_with(cases[i].config);
        key_comes();
        play.relays = true;
        starts_tls(&s);
        secure_says(&s, "EHLO c.example.net\r\n");
        secure_says(&s, "MAIL FROM:<anna@example.org>\r\n");
        secure_hears(&s, cases[i].code);
        secure_close(&s);
        play_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_STARTTLS_the_session_is_new_C097),
        cmocka_unit_test(what_came_in_clear_behind_STARTTLS_was_never_said_C098),
        cmocka_unit_test(without_a_certificate_STARTTLS_is_454_C096),
        cmocka_unit_test(a_slow_signature_keeps_nobody_else_waiting),
        cmocka_unit_test(a_new_key_process_is_asked_again),
        cmocka_unit_test(a_signature_that_is_refused_ends_that_handshake),
        cmocka_unit_test(a_handshake_without_end_is_ended),
        cmocka_unit_test(a_client_that_leaves_while_it_is_signed_for_is_forgotten),
        cmocka_unit_test(implicit_TLS_says_nothing_in_clear),
        cmocka_unit_test(a_listener_opens_when_its_certificate_is_there),
        cmocka_unit_test(a_file_of_CAs_that_is_being_written_lets_nobody_in),
        cmocka_unit_test(strangers_are_served_without_TLS_when_key_is_silent),
        cmocka_unit_test(an_exchange_stays_with_its_process),
        cmocka_unit_test(what_auth_says_has_its_reply_C114),
        cmocka_unit_test(an_auth_process_that_dies_is_454_and_the_session_goes_on),
        cmocka_unit_test(without_auth_it_is_454_when_its_time_is_up),
        cmocka_unit_test(auth_hears_of_those_who_give_up_or_leave_C111),
        cmocka_unit_test(a_password_that_comes_in_pieces_is_wiped),
        cmocka_unit_test(a_slow_password_keeps_no_RCPT_waiting),
        cmocka_unit_test(answers_about_nobody_are_passed_over),
        cmocka_unit_test(what_is_handed_in_is_completed_and_says_by_whom_C127),
        cmocka_unit_test(what_a_limit_holds_is_taken_and_said_to_be_held),
        cmocka_unit_test(a_header_section_without_end_is_refused_at_once),
        cmocka_unit_test(no_command_takes_two_minutes_C129),
        cmocka_unit_test(a_log_in_that_ends_is_421_between_commands),
        cmocka_unit_test(nobody_else_is_sent_away),
        cmocka_unit_test(a_newer_configuration_is_told_who_is_logged_in),
        cmocka_unit_test(our_own_auth_is_told_of_nobody),
        cmocka_unit_test(a_newer_configuration_without_log_ins_ends_all),
        cmocka_unit_test(a_message_under_way_is_refused_at_its_end),
        cmocka_unit_test(what_was_given_whole_is_taken_first),
        cmocka_unit_test(those_who_relay_here_need_no_AUTH_C123),
    };
    return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
