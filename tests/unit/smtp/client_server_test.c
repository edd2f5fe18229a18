/* The client's machine against the server's: what the one sends, the other takes. With little room and with
 * much. */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/player.h"

#include "core/buf.h"
#include "smtp/client.h"

enum { PLENTY = 1 << 20, MANY = 250 };

static const struct str content =
    STR_INIT("Subject: dots\r\n\r\n.\r\n..\r\n.one\r\ntwo.\r\n\r\n.\r\nend\r\n");

struct pair {
    struct player server;
    struct smtp_client *client;
    struct arena *arena;
    struct buf out;
    size_t heard; /* of the server's replies */
    unsigned contents;
    bool closed;
};

static void init(struct pair *p, size_t room)
{
    *p = (struct pair){ .arena = arena_new(PLENTY), .out = BUF_INIT(room) };
    player_init(&p->server);
    smtp_server_greet(p->server.server, &p->server.replies);
    p->client = smtp_client_new(p->arena, STR("client.example.net"), 0);
    assert_non_null(p->client);
}

static void done(struct pair *p)
{
    smtp_client_done(p->client);
    player_done(&p->server);
    arena_free(p->arena);
    buf_done(&p->out);
}

static void deliver(struct pair *p)
{
    player_play(&p->server, buf_str(&p->out));
    buf_clear(&p->out);
}

static void give(struct pair *p)
{
    struct str rest = content;

    buf_clear(&p->server.content);
    while (rest.n) {
        size_t taken;
        smtp_client_content(p->client, rest, &taken, &p->out);
        rest = str_skip(rest, taken);
        if (rest.n)
            deliver(p);
    }
    smtp_client_content_end(p->client, &p->out);
    p->contents++;
}

/* Until TX is done. */
static void make(struct pair *p, struct smtp_client_tx *tx)
{
    struct smtp_client_event ev;

    smtp_client_add(p->client, tx);
    do {
        struct str in = str_skip(buf_str(&p->server.replies), p->heard);
        size_t used;
        smtp_client_next(p->client, in, &used, &p->out, &ev);
        p->heard += used;
        assert_true(ev.kind != SMTP_CLIENT_REFUSED && ev.kind != SMTP_CLIENT_CLOSE);
        if (ev.kind == SMTP_CLIENT_CONTENT)
            give(p);
        if (ev.kind == SMTP_CLIENT_MORE) {
            assert_true(p->out.n || used);
            deliver(p);
        }
    } while (ev.kind != SMTP_CLIENT_DONE);
    assert_ptr_equal(ev.tx, tx);
}

static struct smtp_client_tx transaction(struct pair *p, size_t n)
{
    struct smtp_client_tx tx = { .arena = p->arena,
                                 .sender = STR("anna@example.net"),
                                 .recipients = ARENA_NEW_ARRAY(p->arena, n, struct smtp_client_recipient),
                                 .n_recipients = n,
                                 .size = content.n };

    for (size_t i = 0; i < n; i++)
        tx.recipients[i].address = arena_printf(p->arena, "user%zu@example.org", i);
    return tx;
}

static const size_t rooms[] = { SMTP_CLIENT_OUT_MIN, PLENTY };

/* C149: the server keeps what the client was given. */
static void content_arrives_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
        struct pair p;
        init(&p, rooms[i]);
        struct smtp_client_tx tx = transaction(&p, 2);
        tx.recipients[0].address = STR("nobody@example.org");
        tx.recipients[1].address = STR("\"quoted one\"@example.org");
        make(&p, &tx);
        assert_int_equal(tx.recipients[0].result.kind, SMTP_RESULT_PERM);
        assert_str_is(tx.recipients[0].result.status, STR("5.1.1"));
        assert_int_equal(tx.recipients[1].result.kind, SMTP_RESULT_OK);
        assert_str_is(buf_str(&p.server.content), content);
        assert_true(tx.begun && !tx.in_doubt);
        done(&p);
    }
}

/* C151, C152: the server takes 100 at a time; those left come again on the same connection until none is. */
static void many_recipients_take_several_transactions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
        struct pair p;
        unsigned turns = 0;
        init(&p, rooms[i]);
        struct smtp_client_tx tx = transaction(&p, MANY);
        while (tx.n_recipients) {
            size_t left = 0, ok = 0;
            make(&p, &tx);
            for (size_t k = 0; k < tx.n_recipients; k++) {
                ok += tx.recipients[k].result.kind == SMTP_RESULT_OK;
                if (tx.recipients[k].result.kind == SMTP_RESULT_AGAIN)
                    tx.recipients[left++].address = tx.recipients[k].address;
            }
            assert_int_equal(ok + left, tx.n_recipients);
            assert_true(ok == 100 || !left);
            tx.n_recipients = left;
            turns++;
        }
        assert_int_equal(turns, 3);
        assert_int_equal(p.contents, 3);
        assert_true(smtp_client_idle(p.client));
        done(&p);
    }
}

/* C081, C095: what the server offered is held to. */
static void a_size_that_was_offered_is_kept(void **state)
{
    struct pair p;

    (void)state;
    init(&p, PLENTY);
    struct smtp_client_tx tx = transaction(&p, 1);
    make(&p, &tx);
    assert_int_equal(smtp_client_features(p.client)->size_max, p.server.config.max_message_size);
    tx.size = p.server.config.max_message_size + 1;
    make(&p, &tx);
    assert_int_equal(tx.recipients[0].result.kind, SMTP_RESULT_PERM);
    assert_str_is(tx.recipients[0].result.status, STR("5.3.4"));
    assert_int_equal(tx.recipients[0].result.code, 0);
    done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_arrives_as_it_is),
        cmocka_unit_test(many_recipients_take_several_transactions),
        cmocka_unit_test(a_size_that_was_offered_is_kept),
    };

    return cmocka_run_group_tests_name("smtp/client-server", tests, NULL, NULL);
}
