/*
 * TLS at a next hop: memory that fails at each place, OpenSSL's too, sockets that fail, a host that stops in the middle of
 * a ticket. No message is called delivered that was not, and none is given up for our own want.
 */
#include "tests/unit/send/play.h"

#include <errno.h>

#include "tests/unit/tls/pki.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
ssize_t __real_recv(int fd, void *at, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *at, size_t n, int flags);
ssize_t __real_send(int fd, const void *at, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *at, size_t n, int flags);

enum fault { NOTHING, MEMORY, MEMORY_FOR_GOOD, HEARING, SPEAKING };

static struct {
    enum fault kind;
    bool armed;
    unsigned count;
    unsigned fail_at;
} faults;

/* Not what the processes say to one another. */
static bool is_tcp(int fd)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t n = sizeof(sa);

    return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && sa.ss_family == AF_INET;
}

static bool fails_now(enum fault kind)
{
    bool memory = kind == MEMORY && (faults.kind == MEMORY || faults.kind == MEMORY_FOR_GOOD);

    if (!faults.armed || peer_at_work || !(memory || faults.kind == kind))
        return false;
    faults.count++;
    return faults.count == faults.fail_at || (faults.kind == MEMORY_FOR_GOOD && faults.count > faults.fail_at);
}

void *__wrap_malloc(size_t n)
{
    return fails_now(MEMORY) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now(MEMORY) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails_now(MEMORY) ? NULL : __real_realloc(p, n);
}

static void *for_openssl(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now(MEMORY) ? NULL : __real_malloc(n);
}

static void *again_for_openssl(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now(MEMORY) ? NULL : __real_realloc(p, n);
}

static void free_of_openssl(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

ssize_t __wrap_recv(int fd, void *at, size_t n, int flags)
{
    if (!is_tcp(fd) || !fails_now(HEARING))
        return __real_recv(fd, at, n, flags);
    errno = ECONNRESET;
    return -1;
}

ssize_t __wrap_send(int fd, const void *at, size_t n, int flags)
{
    if (!is_tcp(fd) || !fails_now(SPEAKING))
        return __real_send(fd, at, n, flags);
    errno = EPIPE;
    return -1;
}

/* ---- the host ---- */

static SSL_CTX *context;
static unsigned char hash[32];
static struct str hashes[1];

static int with_much_inside(SSL *ssl, void *unused)
{
    static const char much[4000];

    (void)unused;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much, sizeof(much));
}

static int begin(void **state)
{
    EVP_PKEY *key = pki_key("EC:P-256");
    X509 *x = pki_certificate(&(struct pki_ask){ .key = key, .names = "mx.example.net" });

    (void)state;
    pki_hash_certificate(x, hash);
    hashes[0] = str_of((const char *)hash, sizeof(hash));
    context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_cert_and_key(context, x, key, NULL, 1), 1);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_ticket_cb(context, with_much_inside, NULL, NULL);
    SSL_CTX_set_max_send_fragment(context, 512);
    X509_free(x);
    EVP_PKEY_free(key);
    return 0;
}

static int end(void **state)
{
    (void)state;
    SSL_CTX_free(context);
    return 0;
}

static void room_with(enum config_tls_level level)
{
    play_open();
    play.config.sending.tls = (struct config_tls_demand){ .level = level };
    if (level == CONFIG_TLS_FINGERPRINT) {
        play.config.sending.tls.hashes = hashes;
        play.config.sending.tls.n_hashes = 1;
    }
    peer_begin(&play.peers[0], play.worker.loop);
    play.peers[0].context = context;
    play.peers[0].says[AT_EHLO][0] = "250-there\r\n250-PIPELINING\r\n250 STARTTLS\r\n";
    play.peers[0].says[AT_EHLO][1] = "250-there\r\n250 PIPELINING\r\n";
}

static void put_open(void)
{
    struct buf room = BUF_INIT(4096);

    assert_true(ipc_send_open_ask(play.queue, &(struct ipc_open_ask){ .connection = 1, .plan = plan_of(1, &room) }));
    buf_done(&room);
}

static void until_it_is_quiet(void)
{
    for (int i = 0; i < 3; i++)
        go_on();
}

static void a_message_goes_out_inside_TLS(void **state)
{
    (void)state;
    room_with(CONFIG_TLS_FINGERPRINT);
    put_open();
    put_transfer(1, 1, 2, STR("\r\n.x\r\n"), -1, 0);
    until_it_is_quiet();
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    assert_int_equal(play.peers[0].said[AT_STARTTLS], 1);
    assert_true(play.peers[0].sessions[0].ssl);
    play_close();
}

/* ---- what fails ---- */

/* The channels have what they need from the start: the rest is what fails. */
static void make_room(void)
{
    struct ipc_channel *service = play.worker.peers[play.worker.n_peers - 1];
    struct buf *bufs[] = { &play.queue->in, &play.queue->out, &service->in, &service->out };

    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        assert_non_null(buf_room(bufs[i], 512 * 1024));
}

/* One connection and a message, the Nth call of KIND failing. True: nothing failed. */
static bool with_failure_at(enum fault kind, unsigned n)
{
    bool failed;

    room_with(CONFIG_TLS_FINGERPRINT);
    make_room();
    put_open();
    put_transfer(1, 1, 1, STR("\r\n.x\r\n"), -1, 0);
    faults.kind = kind;
    faults.fail_at = n;
    faults.count = 0;
    faults.armed = true;
    until_it_is_quiet();
    faults.armed = false;
    until_it_is_quiet();
    failed = faults.count >= n;
    assert_int_equal(seen_count(IPC_OPEN_ANSWER), 1);
    assert_int_not_equal(seen(IPC_OPEN_ANSWER)->status, IPC_PERM);
    assert_int_equal(seen_count(IPC_TRANSFERRED), 1);
    if (seen(IPC_TRANSFERRED)->count) {
        const struct seen *s = seen(IPC_TRANSFERRED);
        assert_int_not_equal(s->status, IPC_PERM);
        assert_true(s->status != IPC_OK || play.peers[0].said[AT_DOT] == 1);
    }
    if (!failed)
        assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    /* In clear nothing was said of anybody. */
    assert_true(!play.peers[0].said[AT_MAIL] || play.peers[0].said[AT_EHLO] == 2);
    play_close();
    return !failed;
}

static void check_each(enum fault kind)
{
    unsigned n = 1;

    while (!with_failure_at(kind, n))
        n += n < 50 ? 1 : 29;
    assert_true(n > 4);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    check_each(MEMORY);
}

static void memory_may_be_out_for_good(void **state)
{
    (void)state;
    check_each(MEMORY_FOR_GOOD);
}

static void any_read_and_any_write_may_fail(void **state)
{
    (void)state;
    check_each(HEARING);
    check_each(SPEAKING);
}

/* ---- a host that stops within a message of TLS itself ---- */

/* Nothing is written then; to wait for room to write would be to turn for ever, as there is room. */
static void in_the_middle_of_a_ticket_nobody_turns_for_ever(void **state)
{
    const struct connection *c;

    (void)state;
    room_with(CONFIG_TLS_ENCRYPT);
    play.peers[0].says[AT_EHLO][1] = "250 there\r\n";
    put_open();
    until_it_is_quiet();
    assert_int_equal(seen(IPC_OPEN_ANSWER)->status, IPC_OK);
    /* The reply to MAIL is followed by half a ticket; what is to be said behind it has to wait. */
    play.peers[0].holds = 1500;
    put_transfer(1, 1, 1, STR("\r\n.x\r\n"), -1, 0);
    until_it_is_quiet();
    c = CONTAINER_OF(play.send->connections.next, struct connection, node);
    assert_int_equal(seen_count(IPC_TRANSFERRED), 0);
    assert_true(c->blocked);
    assert_int_equal(c->watch.armed, IO_READ);
    play.peers[0].sessions[0].holds = false;
    peer_flush(&play.peers[0].sessions[0], 0);
    until_it_is_quiet();
    assert_int_equal(seen(IPC_TRANSFERRED)->status, IPC_OK);
    play_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_out_inside_TLS),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(memory_may_be_out_for_good),
        cmocka_unit_test(any_read_and_any_write_may_fail),
        cmocka_unit_test(in_the_middle_of_a_ticket_nobody_turns_for_ever),
    };

    /* Before anything of OpenSSL is allocated. */
    if (CRYPTO_set_mem_functions(for_openssl, again_for_openssl, free_of_openssl) != 1)
        return 1;
    return cmocka_run_group_tests_name("send/tls", tests, begin, end);
}
