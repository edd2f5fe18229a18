/* tests/unit/key/service_test.c -- the process as its peers see it: files in, chains out, signatures for
 * those who may. */
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#include "io/fd.h"
#include "key/key.h"
#include "log/log.h"
#include "log/render.h"
#include "tests/unit/tls/pki.h"
#include "tests/unit/unit.h"

/* Certificates of the configuration: one of a listener, one of a route, the first in one file. */
enum { OF_LISTENER, OF_ROUTE, CERTIFICATES };

static const struct config_certificate places[CERTIFICATES] = {
    { .index = OF_LISTENER, .chain = STR_INIT("/mx.pem"), .key = STR_INIT("/mx.pem") },
    { .index = OF_ROUTE, .chain = STR_INIT("/out.crt"), .key = STR_INIT("/out.key") },
};
static const struct config_certificate *const shown[] = { &places[OF_LISTENER] };

struct heard {
    size_t certificates;
    size_t of[CERTIFICATES];
    bool empty; /* the last chain */
    unsigned char key[32];
    struct buf chain;
    size_t tickets;
    struct buf ticket_keys;
    uint32_t ticket_listener;
    size_t told;
    uint32_t generation;
    uint64_t ticket;
    int status; /* of the last signature; -1: none yet */
    size_t signature;
};

struct peer {
    struct ipc_channel *ours;
    struct ipc_channel *at_service;
    struct heard heard;
};

static struct {
    struct io_loop *loop;
    struct worker worker;
    struct ipc_handler theirs;
    struct config config;
    struct config_listener listeners[2];
    struct config_route route;
    struct peer receive;
    struct peer send;
    struct io_task settle;
    int turns;
    struct buf log;
    struct log_sink sink;
} hall;

static void their_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    struct heard *heard = c == hall.receive.ours ? &hall.receive.heard : &hall.send.heard;

    switch (m->type) {
    case IPC_CERTIFICATE:
        heard->certificates++;
        heard->of[m->certificate.certificate]++;
        heard->empty = m->certificate.chain.n == 0;
        buf_clear(&heard->chain);
        buf_add(&heard->chain, m->certificate.chain);
        if (m->certificate.key.n == 32)
            memcpy(heard->key, m->certificate.key.p, 32);
        break;
    case IPC_TICKET_KEYS:
        heard->tickets++;
        heard->ticket_listener = m->ticket_keys.listener;
        buf_clear(&heard->ticket_keys);
        buf_add(&heard->ticket_keys, m->ticket_keys.keys);
        break;
    case IPC_KEYS_TOLD:
        heard->told++;
        heard->generation = m->keys_told.generation;
        break;
    case IPC_SIGN_ANSWER:
        heard->status = m->sign_answer.status;
        heard->ticket = m->sign_answer.ticket;
        heard->signature = m->sign_answer.signature.n;
        break;
    default:
        fail_msg("message %s", ipc_type_name(m->type));
    }
}

static void their_end(struct ipc_handler *h, struct ipc_channel *c)
{
    fail_msg("the service closed the channel: %s", c->why);
}

static void service_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    key_service.message(CONTAINER_OF(h, struct worker, handler), c, m);
}

static void log_write(struct log_sink *sink, struct str record)
{
    assert_true(log_render(record, LOG_KV, false, &hall.log));
    buf_add_char(&hall.log, '\n');
}

/* Turns in which nothing more can come: channels write at a turn's end and read in the next. */
static void on_settle(struct io_task *t)
{
    if (--hall.turns == 0)
        io_loop_stop(hall.loop);
}

static struct io_timer tick;

static void on_tick(struct io_timer *t)
{
    io_task_post(&hall.settle);
    io_timer_start(&tick, 0);
}

static void settle(void)
{
    struct err err = { 0 };

    hall.turns = 8;
    io_timer_start(&tick, 0);
    assert_true(io_loop_run(hall.loop, &err));
    io_timer_stop(&tick);
}

static void connect_peer(struct peer *p, enum process_kind kind)
{
    struct err err = { 0 };
    int fds[2];

    assert_true(fd_pair(fds, &err));
    p->heard = (struct heard){ .status = -1, .chain = BUF_INIT(1 << 20), .ticket_keys = BUF_INIT(1 << 10) };
    p->ours = ipc_channel_new(hall.loop, fds[0], kind, PROCESS_KEY, &hall.theirs, &err);
    p->at_service = ipc_channel_new(hall.loop, fds[1], PROCESS_KEY, kind, &hall.worker.handler, &err);
    assert_true(p->ours && p->at_service);
    hall.worker.peers[hall.worker.n_peers++] = p->at_service;
}

static void disconnect_peer(struct peer *p)
{
    ipc_channel_free(p->ours);
    ipc_channel_free(p->at_service);
    buf_done(&p->heard.chain);
    buf_done(&p->heard.ticket_keys);
}

static int open_hall(void **state)
{
    struct err err = { 0 };

    memset(&hall, 0, sizeof(hall));
    hall.loop = io_loop_new(&err);
    assert_non_null(hall.loop);
    assert_true(io_timer_init(&tick, hall.loop, on_tick, &err));
    io_task_init(&hall.settle, hall.loop, on_settle);
    hall.listeners[1].tls =
        (struct config_tls){ .certificates = shown, .n_certificates = 1, .session_tickets.on = true };
    hall.route.client_certificate = &places[OF_ROUTE];
    hall.config = (struct config){
        .certificates = places,
        .n_certificates = CERTIFICATES,
        .listeners = hall.listeners,
        .n_listeners = 2,
        .routes = &hall.route,
        .n_routes = 1,
    };
    hall.worker = (struct worker){
        .service = &key_service, .loop = hall.loop, .config = &hall.config, .generation = 7
    };
    hall.worker.handler = (struct ipc_handler){ .message = service_message, .ended = their_end };
    hall.theirs = (struct ipc_handler){ .message = their_message, .ended = their_end };
    hall.log = BUF_INIT(1 << 20);
    hall.sink = (struct log_sink){ .write = log_write, .level = LOG_LEVEL_INFO };
    log_sink_set(&hall.sink);
    return 0;
}

static int close_hall(void **state)
{
    key_free(hall.worker.state);
    disconnect_peer(&hall.receive);
    disconnect_peer(&hall.send);
    io_timer_done(&tick);
    io_task_done(&hall.settle);
    io_loop_free(hall.loop);
    buf_done(&hall.log);
    log_sink_set(NULL);
    return 0;
}

/* ---- files ---- */

static void give(struct str path, struct str octets)
{
    struct ipc_message m = { .type = IPC_OPENED, .opened.path = path, .fd = fd_sealed("file", octets, NULL) };

    assert_true(m.fd >= 0);
    key_service.message(&hall.worker, NULL, &m);
    close(m.fd);
}

static void give_error(struct str path, const char *error)
{
    struct ipc_message m = { .type = IPC_OPENED, .opened = { path, str_from_c(error) }, .fd = -1 };

    key_service.message(&hall.worker, NULL, &m);
}

struct paper {
    EVP_PKEY *key;
    X509 *certificate;
    struct buf chain; /* PEM */
    struct buf secret;
};

static struct paper paper_make(const char *kind, struct pki_ask ask)
{
    struct paper p = { .key = pki_key(kind), .chain = BUF_INIT(1 << 16), .secret = BUF_INIT(1 << 16) };

    ask.key = p.key;
    p.certificate = pki_certificate(&ask);
    pki_pem(&p.chain, p.certificate);
    pki_pem_key(&p.secret, p.key);
    return p;
}

static void paper_done(struct paper *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->certificate);
    buf_done(&p->chain);
    buf_done(&p->secret);
}

static void give_both(const struct paper *p)
{
    struct buf all = BUF_INIT(1 << 17);

    buf_add(&all, buf_str(&p->secret));
    buf_add(&all, buf_str(&p->chain));
    give(STR("/mx.pem"), buf_str(&all));
    buf_done(&all);
}

static void start(void)
{
    struct err err = { 0 };

    assert_true(key_service.start(&hall.worker, &err));
    hall.worker.started = true;
    connect_peer(&hall.receive, PROCESS_RECEIVE);
    connect_peer(&hall.send, PROCESS_SEND);
    key_service.peer_up(&hall.worker, hall.receive.at_service);
    key_service.peer_up(&hall.worker, hall.send.at_service);
    settle();
}

static bool logged(const char *what)
{
    return str_contains(buf_str(&hall.log), str_from_c(what));
}

static void check_key(const struct heard *h, const struct paper *p)
{
    unsigned char hash[32];

    pki_hash_key(p->certificate, hash);
    assert_memory_equal(h->key, hash, 32);
}

/* ---- what is told ---- */

static void each_side_is_told_its_chains(void **state)
{
    struct paper mx = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });
    struct paper out = paper_make("RSA:2048", (struct pki_ask){ .names = "out.example" });
    struct buf der = BUF_INIT(1 << 16);

    give_both(&mx);
    give(STR("/out.crt"), buf_str(&out.chain));
    give(STR("/out.key"), buf_str(&out.secret));
    start();
    assert_int_equal(hall.receive.heard.certificates, 1);
    assert_int_equal(hall.receive.heard.of[OF_LISTENER], 1);
    assert_int_equal(hall.send.heard.certificates, 1);
    assert_int_equal(hall.send.heard.of[OF_ROUTE], 1);
    check_key(&hall.receive.heard, &mx);
    check_key(&hall.send.heard, &out);
    pki_chain(&der, &mx.certificate, 1);
    assert_str_is(buf_str(&hall.receive.heard.chain), buf_str(&der));
    assert_int_equal(hall.receive.heard.told, 1);
    assert_int_equal(hall.receive.heard.generation, 7);
    assert_int_equal(hall.send.heard.told, 1);
    /* Keys of tickets: of the listener that has them, for those who accept. */
    assert_int_equal(hall.receive.heard.tickets, 1);
    assert_int_equal(hall.receive.heard.ticket_listener, 1);
    assert_int_equal(hall.receive.heard.ticket_keys.n, 80);
    assert_int_equal(hall.send.heard.tickets, 0);
    assert_true(logged("event=certificate state=loaded file=/mx.pem names=mx.example"));
    buf_done(&der);
    paper_done(&mx);
    paper_done(&out);
}

/* Those who speak with strangers cannot read what our users' sessions were resumed with, nor the other way round. */
static void tickets_are_for_those_who_serve_their_listener(void **state)
{
    struct peer submit = { 0 };

    (void)state;
    hall.listeners[1].role = CONFIG_ROLE_SUBMISSION;
    start();
    connect_peer(&submit, PROCESS_SUBMIT);
    key_service.peer_up(&hall.worker, submit.at_service);
    settle();
    /* Whoever is not receive is heard as send, which itself gets none. */
    assert_int_equal(hall.send.heard.tickets, 1);
    assert_int_equal(hall.receive.heard.told, 1);
    assert_int_equal(hall.receive.heard.tickets, 0);
    hall.listeners[1].role = CONFIG_ROLE_MX;
    hall.worker.n_peers--;
    disconnect_peer(&submit);
}

static void what_is_missing_is_said_and_mended_later(void **state)
{
    struct paper mx = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });

    give_error(STR("/mx.pem"), "open /mx.pem: Permission denied");
    start();
    assert_int_equal(hall.receive.heard.of[OF_LISTENER], 1);
    assert_true(hall.receive.heard.empty);
    assert_int_equal(hall.receive.heard.told, 1);
    assert_true(logged("level=error event=certificate state=missing file=/mx.pem"));
    assert_true(logged("Permission denied"));
    give_both(&mx);
    settle();
    assert_int_equal(hall.receive.heard.of[OF_LISTENER], 2);
    assert_false(hall.receive.heard.empty);
    check_key(&hall.receive.heard, &mx);
    paper_done(&mx);
}

static void a_pair_that_does_not_fit_leaves_the_last_good_one(void **state)
{
    struct paper former = paper_make("EC:P-256", (struct pki_ask){ .names = "out.example" });
    struct paper fresh = paper_make("EC:P-256", (struct pki_ask){ .names = "out.example" });

    give(STR("/out.crt"), buf_str(&former.chain));
    give(STR("/out.key"), buf_str(&former.secret));
    start();
    check_key(&hall.send.heard, &former);
    give(STR("/out.crt"), buf_str(&fresh.chain));
    settle();
    assert_int_equal(hall.send.heard.of[OF_ROUTE], 1);
    assert_true(logged("level=warning event=certificate state=kept file=/out.crt names=out.example"));
    assert_true(logged("the key is not that of the first certificate"));
    give(STR("/out.key"), buf_str(&fresh.secret));
    settle();
    assert_int_equal(hall.send.heard.of[OF_ROUTE], 2);
    check_key(&hall.send.heard, &fresh);
    paper_done(&former);
    paper_done(&fresh);
}

/* Both changed before the turn was over: nobody sees half of it. */
static void files_that_change_together_are_looked_at_together(void **state)
{
    struct paper former = paper_make("EC:P-256", (struct pki_ask){ .names = "out.example" });
    struct paper fresh = paper_make("RSA:2048", (struct pki_ask){ .names = "out.example" });

    give(STR("/out.crt"), buf_str(&former.chain));
    give(STR("/out.key"), buf_str(&former.secret));
    start();
    give(STR("/out.crt"), buf_str(&fresh.chain));
    give(STR("/out.key"), buf_str(&fresh.secret));
    settle();
    assert_false(logged("state=kept"));
    assert_int_equal(hall.send.heard.of[OF_ROUTE], 2);
    /* The same again is no change. */
    give(STR("/out.crt"), buf_str(&fresh.chain));
    settle();
    assert_int_equal(hall.send.heard.of[OF_ROUTE], 2);
    paper_done(&former);
    paper_done(&fresh);
}

static void files_that_are_no_pair_are_refused_in_words(void **state)
{
    struct paper mx = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });
    struct paper other = paper_make("EC:P-256", (struct pki_ask){ .names = "other.example" });
    struct paper odd = paper_make("EC:secp256k1", (struct pki_ask){ .names = "mx.example" });
    struct buf b = BUF_INIT(1 << 17);
    BIO *locked = BIO_new(BIO_s_mem());
    char *octets;

    give_both(&mx);
    give(STR("/out.crt"), STR("no PEM"));
    give(STR("/out.key"), STR("no PEM"));
    start();
    assert_true(logged("/out.crt: there is no certificate in it (PEM)"));
    give(STR("/out.crt"), buf_str(&mx.chain));
    settle();
    assert_true(logged("/out.key: there is no private key in it (PEM)"));
    assert_int_equal(PEM_write_bio_PrivateKey(locked, mx.key, EVP_aes_128_cbc(), (const unsigned char *)"tea",
                                              3, NULL, NULL),
                     1);
    size_t n = (size_t)BIO_get_mem_data(locked, &octets);
    give(STR("/out.key"), str_of(octets, n));
    settle();
    assert_true(logged("the key is encrypted"));
    buf_add(&b, buf_str(&mx.chain));
    buf_add(&b, buf_str(&other.chain));
    give(STR("/out.crt"), buf_str(&b));
    give(STR("/out.key"), buf_str(&mx.secret));
    settle();
    assert_true(logged("the chain is not in order"));
    buf_clear(&b);
    buf_add(&b, buf_str(&mx.chain));
    buf_add(&b, str_head(buf_str(&other.chain), 200));
    give(STR("/out.crt"), buf_str(&b));
    settle();
    assert_true(logged("certificate 2 cannot be read"));
    give(STR("/out.crt"), buf_str(&odd.chain));
    give(STR("/out.key"), buf_str(&odd.secret));
    settle();
    assert_true(logged("keys are RSA, EC P-256, EC P-384 or Ed25519"));
    /* Nothing secret is in any of it. */
    assert_false(logged("PRIVATE"));
    assert_int_equal(hall.send.heard.of[OF_ROUTE], 1);
    BIO_free(locked);
    buf_done(&b);
    paper_done(&mx);
    paper_done(&other);
    paper_done(&odd);
}

static void expiry_is_a_warning_and_no_more(void **state)
{
    struct paper over = paper_make(
        "EC:P-256",
        (struct pki_ask){ .names = "mx.example", .from_seconds = -90 * 86400, .until_seconds = -60 });
    struct paper soon = paper_make(
        "EC:P-256",
        (struct pki_ask){ .names = "out.example", .from_seconds = -80 * 86400, .until_seconds = 6 * 86400 });
    struct buf rows = BUF_INIT(1 << 16);

    give_both(&over);
    give(STR("/out.crt"), buf_str(&soon.chain));
    give(STR("/out.key"), buf_str(&soon.secret));
    start();
    assert_false(hall.receive.heard.empty);
    assert_true(logged("level=warning event=certificate state=expired file=/mx.pem names=mx.example until="));
    assert_true(
        logged("level=warning event=certificate state=expiring file=/out.crt names=out.example until="));
    key_service.status(&hall.worker, &rows);
    assert_true(str_contains(buf_str(&rows), STR("expired")));
    assert_true(str_contains(buf_str(&rows), STR("expiring")));
    buf_done(&rows);
    paper_done(&over);
    paper_done(&soon);
}

/* ---- who may have what signed ---- */

static char verify[64 + 34 + 32];

static int ask(struct peer *p, const struct paper *of, unsigned form)
{
    unsigned char hash[32];

    memset(verify, ' ', 64);
    memcpy(verify + 64,
           form == IPC_SIGN_SERVER_13 ? "TLS 1.3, server CertificateVerify"
                                      : "TLS 1.3, client CertificateVerify",
           34);
    pki_hash_key(of->certificate, hash);
    p->heard.status = -1;
    assert_true(ipc_send_sign_ask(p->ours, &(struct ipc_sign_ask){
                                               .ticket = 42,
                                               .key = str_of((const char *)hash, 32),
                                               .scheme = 0x0403,
                                               .form = (uint8_t)form,
                                               .octets = str_of(verify, sizeof(verify)),
                                           }));
    settle();
    assert_int_equal(p->heard.ticket, 42);
    assert_int_equal(p->heard.signature > 0, p->heard.status == IPC_OK);
    return p->heard.status;
}

static void servers_sign_as_servers_and_clients_as_clients(void **state)
{
    struct paper mx = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });
    struct paper out = paper_make("EC:P-256", (struct pki_ask){ .names = "out.example" });

    give_both(&mx);
    give(STR("/out.crt"), buf_str(&out.chain));
    give(STR("/out.key"), buf_str(&out.secret));
    start();
    assert_int_equal(ask(&hall.receive, &mx, IPC_SIGN_SERVER_13), IPC_OK);
    assert_int_equal(ask(&hall.receive, &mx, IPC_SIGN_CLIENT_13), IPC_PERM);
    assert_int_equal(ask(&hall.receive, &out, IPC_SIGN_SERVER_13), IPC_PERM);
    assert_int_equal(ask(&hall.receive, &out, IPC_SIGN_CLIENT_13), IPC_PERM);
    assert_int_equal(ask(&hall.send, &out, IPC_SIGN_CLIENT_13), IPC_OK);
    assert_int_equal(ask(&hall.send, &out, IPC_SIGN_SERVER_13), IPC_PERM);
    assert_int_equal(ask(&hall.send, &mx, IPC_SIGN_SERVER_13), IPC_PERM);
    assert_int_equal(ask(&hall.send, &mx, IPC_SIGN_CLIENT_13), IPC_PERM);
    paper_done(&mx);
    paper_done(&out);
}

/* Those who speak with strangers are nobody's submission server. */
static void listeners_of_users_and_of_strangers_sign_apart(void **state)
{
    struct paper mail = paper_make("EC:P-256", (struct pki_ask){ .names = "mail.example" });
    struct peer submit = { 0 };
    struct ipc_channel *send;

    (void)state;
    hall.listeners[1].role = CONFIG_ROLE_SUBMISSION;
    give_both(&mail);
    start();
    assert_int_equal(hall.receive.heard.certificates, 0);
    assert_int_equal(ask(&hall.receive, &mail, IPC_SIGN_SERVER_13), IPC_PERM);
    connect_peer(&submit, PROCESS_SUBMIT);
    key_service.peer_up(&hall.worker, submit.at_service);
    settle();
    /* Whoever is not receive is heard as send. */
    assert_int_equal(hall.send.heard.of[OF_LISTENER], 1);
    send = hall.send.ours;
    hall.send.ours = submit.ours;
    assert_int_equal(ask(&hall.send, &mail, IPC_SIGN_SERVER_13), IPC_OK);
    hall.send.ours = send;
    hall.worker.n_peers--;
    disconnect_peer(&submit);
    paper_done(&mail);
}

static void a_handshake_under_way_is_signed_with_the_former_key(void **state)
{
    struct paper first = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });
    struct paper second = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });
    struct paper third = paper_make("EC:P-256", (struct pki_ask){ .names = "mx.example" });

    give_both(&first);
    start();
    give_both(&second);
    settle();
    assert_int_equal(ask(&hall.receive, &first, IPC_SIGN_SERVER_13), IPC_OK);
    assert_int_equal(ask(&hall.receive, &second, IPC_SIGN_SERVER_13), IPC_OK);
    give_both(&third);
    settle();
    assert_int_equal(ask(&hall.receive, &first, IPC_SIGN_SERVER_13), IPC_PERM);
    assert_int_equal(ask(&hall.receive, &third, IPC_SIGN_SERVER_13), IPC_OK);
    paper_done(&first);
    paper_done(&second);
    paper_done(&third);
}

static void keys_of_tickets_have_one_before_them(void **state)
{
    struct key_tickets t = { 0 };
    struct err err = { 0 };
    char first[KEY_TICKET];

    assert_true(key_tickets_turn(&t, &err));
    assert_int_equal(key_tickets_octets(&t).n, KEY_TICKET);
    memcpy(first, t.keys, KEY_TICKET);
    assert_true(key_tickets_turn(&t, &err));
    assert_int_equal(key_tickets_octets(&t).n, 2 * KEY_TICKET);
    assert_memory_not_equal(t.keys, first, KEY_TICKET);
    assert_memory_equal(t.keys + KEY_TICKET, first, KEY_TICKET);
    assert_true(key_tickets_turn(&t, &err));
    assert_int_equal(key_tickets_octets(&t).n, 2 * KEY_TICKET);
    assert_memory_not_equal(t.keys + KEY_TICKET, first, KEY_TICKET);
}

#define IN_HALL(test) cmocka_unit_test_setup_teardown(test, open_hall, close_hall)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HALL(tickets_are_for_those_who_serve_their_listener),
        IN_HALL(each_side_is_told_its_chains),
        IN_HALL(what_is_missing_is_said_and_mended_later),
        IN_HALL(a_pair_that_does_not_fit_leaves_the_last_good_one),
        IN_HALL(files_that_change_together_are_looked_at_together),
        IN_HALL(files_that_are_no_pair_are_refused_in_words),
        IN_HALL(expiry_is_a_warning_and_no_more),
        IN_HALL(servers_sign_as_servers_and_clients_as_clients),
        IN_HALL(listeners_of_users_and_of_strangers_sign_apart),
        IN_HALL(a_handshake_under_way_is_signed_with_the_former_key),
        cmocka_unit_test(keys_of_tickets_have_one_before_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
