/* tests/unit/smtp/client_player.c -- one owner, who sends OUT whenever the machine says MORE. */
#include "tests/unit/unit.h"

#include "tests/unit/smtp/client_player.h"

#include "core/buf.h"
#include "core/num.h"

enum { PLENTY = 1 << 20, MOST = 8, MOST_RECIPIENTS = 16 };

struct player {
    const struct client_case *c;
    struct smtp_client *client;
    struct arena *session;
    size_t piece; /* octets fed at a time; 0: all */
    struct buf out;
    struct buf in;    /* given to the machine and not used */
    struct buf chunk; /* S lines that are yet to be fed */
    struct buf sent;  /* since the last C line */
    struct buf events, wanted;
    struct smtp_client_tx txs[MOST];
    struct smtp_client_recipient recipients[MOST][MOST_RECIPIENTS];
    size_t n_txs;
    bool hold;
    bool minds;
    bool closed;
};

static void drain(struct player *p)
{
    assert_false(p->out.failed);
    assert_true(buf_add(&p->sent, buf_str(&p->out)));
    buf_clear(&p->out);
}

static void add_result(struct buf *b, const struct smtp_client_result *r)
{
    static const char *const kinds[] = { "none", "ok", "temp", "perm", "again" };
    struct str stage = r->stage == SMTP_STAGE_NONE ? STR("-") : smtp_stage_name(r->stage);

    buf_printf(b, " %s %.*s %u %.*s %s: %.*s", kinds[r->kind], STR_ARG(stage), r->code, STR_ARG(r->status),
               r->from_peer ? "peer" : "own", STR_ARG(r->text));
}

static void give(struct player *p, struct str content)
{
    while (content.n) {
        size_t taken;
        struct str piece = str_head(content, p->piece ? p->piece : content.n);
        char *copy = exact_copy(piece);
        smtp_client_content(p->client, str_of(copy, piece.n), &taken, &p->out);
        free(copy);
        content = str_skip(content, taken);
        if (taken < piece.n)
            drain(p);
    }
}

static void told(struct player *p, const struct smtp_client_event *ev)
{
    switch (ev->kind) {
    case SMTP_CLIENT_READY:
        buf_printf(&p->events, "! ready\n");
        break;
    case SMTP_CLIENT_HANDSHAKE:
        buf_printf(&p->events, "! handshake\n");
        break;
    case SMTP_CLIENT_LOGIN:
        buf_printf(&p->events, "! login %.*s\n", STR_ARG(ev->octets));
        break;
    case SMTP_CLIENT_CHALLENGE:
        buf_printf(&p->events, "! challenge %.*s\n", STR_ARG(ev->octets));
        break;
    case SMTP_CLIENT_LOGGED_IN:
        buf_printf(&p->events, "! logged in\n");
        if (p->minds)
            smtp_client_auth_give_up(p->client, STR("4.7.0"), STR("it did not prove who it is"));
        break;
    case SMTP_CLIENT_CONTENT:
        buf_printf(&p->events, "! content\n");
        if (p->hold)
            break;
        give(p, STR("hi\r\n"));
        smtp_client_content_end(p->client, &p->out);
        break;
    case SMTP_CLIENT_DONE:
        for (size_t i = 0; i < ev->tx->n_recipients; i++) {
            buf_printf(&p->events, "= %.*s", STR_ARG(ev->tx->recipients[i].address));
            add_result(&p->events, &ev->tx->recipients[i].result);
            buf_printf(&p->events, "\n");
        }
        break;
    case SMTP_CLIENT_TLS_REFUSED:
    case SMTP_CLIENT_REFUSED:
    case SMTP_CLIENT_CLOSE:
        buf_printf(&p->events, "! %s", ev->kind == SMTP_CLIENT_CLOSE     ? "close"
                                       : ev->kind == SMTP_CLIENT_REFUSED ? "refused"
                                                                         : "in clear");
        if (ev->failure.kind != SMTP_RESULT_NONE)
            add_result(&p->events, &ev->failure);
        buf_printf(&p->events, "\n");
        break;
    case SMTP_CLIENT_MORE:
        break;
    }
}

/* Until nothing happens any more. */
static void pump(struct player *p)
{
    struct smtp_client_event ev;
    bool again = !p->closed;

    while (again) {
        struct str in = buf_str(&p->in);
        char *copy = exact_copy(in);
        size_t used;
        smtp_client_next(p->client, str_of(copy, in.n), &used, &p->out, &ev);
        assert_true(used <= in.n);
        told(p, &ev);
        free(copy);
        buf_eat(&p->in, used);
        p->closed = ev.kind == SMTP_CLIENT_CLOSE;
        again = !p->closed && (ev.kind != SMTP_CLIENT_MORE || used > 0 || p->out.n > 0);
        if (ev.kind == SMTP_CLIENT_MORE)
            drain(p);
    }
    drain(p);
}

static void feed(struct player *p)
{
    struct str chunk = buf_str(&p->chunk);

    while (chunk.n) {
        struct str piece = str_head(chunk, p->piece ? p->piece : chunk.n);
        assert_true(buf_add(&p->in, piece));
        pump(p);
        chunk = str_skip(chunk, piece.n);
    }
    buf_clear(&p->chunk);
}

static void add_transaction(struct player *p, struct str line)
{
    struct smtp_client_tx *tx = &p->txs[p->n_txs];
    struct str word = str_cut(&line, ' ');

    assert_true(p->n_txs < MOST);
    *tx = (struct smtp_client_tx){ .arena = arena_new(PLENTY),
                                   .recipients = p->recipients[p->n_txs++],
                                   .size = 4 };
    tx->sender = str_eq(word, STR("<>")) ? STR("") : word;
    while (line.p) {
        word = str_cut(&line, ' ');
        if (str_starts(word, STR("size=")))
            assert_true(num_parse_u64(str_skip(word, 5), UINT64_MAX, &tx->size));
        else if (str_eq(word, STR("8bit")))
            tx->eight_bit = true;
        else if (str_eq(word, STR("probe")))
            tx->probe = true;
        else if (str_eq(word, STR("utf8")))
            tx->utf8 = true;
        else if (str_eq(word, STR("header")))
            tx->utf8_header = true;
        else
            tx->recipients[tx->n_recipients++].address = word;
    }
    smtp_client_add(p->client, tx);
}

/* "PLAIN", "PLAIN initial": empty behind a blank is an empty one; "long" is one of 500 octets. */
static void say_auth(struct player *p, struct str line)
{
    char octets[500];
    struct str mechanism = str_cut(&line, ' ');

    memset(octets, 'x', sizeof(octets));
    if (str_eq(line, STR("long")))
        line = str_of(octets, sizeof(octets));
    char *copy = exact_copy(line);
    const struct str initial = str_of(copy, line.n);
    smtp_client_auth(p->client, mechanism, line.p ? &initial : NULL);
    free(copy);
}

static void respond(struct player *p, struct str octets)
{
    char *copy = exact_copy(octets);

    smtp_client_auth_respond(p->client, str_of(copy, octets.n));
    free(copy);
}

static void act(struct player *p, struct str line)
{
    struct str word = str_cut(&line, ' ');

    if (str_eq(word, STR("secured"))) {
        smtp_client_secured(p->client);
    } else if (str_eq(word, STR("auth"))) {
        say_auth(p, line);
    } else if (str_eq(word, STR("respond"))) {
        respond(p, line);
    } else if (str_eq(word, STR("give-up"))) {
        smtp_client_auth_give_up(p->client, STR("4.7.9"), line);
    } else if (str_eq(word, STR("mind"))) {
        p->minds = true;
    } else if (str_eq(word, STR("quit"))) {
        smtp_client_quit(p->client, &p->out);
    } else if (str_eq(word, STR("lost"))) {
        pump(p);
        smtp_client_lost(p->client, line, &p->out);
        pump(p);
    } else if (str_eq(word, STR("hold"))) {
        p->hold = true;
    } else if (str_eq(word, STR("give"))) {
        give(p, line);
    } else if (str_eq(word, STR("line"))) {
        give(p, line);
        give(p, STR("\r\n"));
    } else if (str_eq(word, STR("end"))) {
        smtp_client_content_end(p->client, &p->out);
    } else if (str_eq(word, STR("sent"))) {
        smtp_client_content_sent(p->client, str_eq(line, STR("crlf")));
    } else if (str_eq(word, STR("failed"))) {
        smtp_client_content_failed(p->client, line);
        pump(p);
    } else {
        fail_msg("%s: ~ %.*s", p->c->name, STR_ARG(word));
    }
}

static void check(struct player *p, struct str line)
{
    const struct {
        struct str word;
        bool is;
    } facts[] = {
        { STR("wants"), smtp_client_wants(p->client) },
        { STR("full"), !smtp_client_wants(p->client) },
        { STR("idle"), smtp_client_idle(p->client) },
        { STR("busy"), !smtp_client_idle(p->client) },
        { STR("doubt"), p->txs[0].in_doubt },
        { STR("sure"), !p->txs[0].in_doubt },
        { STR("begun"), p->txs[0].begun },
        { STR("fresh"), !p->txs[0].begun },
    };

    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        if (!str_eq(line, facts[i].word))
            continue;
        if (!facts[i].is)
            fail_msg("%s: it is not %.*s", p->c->name, STR_ARG(line));
        return;
    }
    assert_true(str_starts(line, STR("stage")));
    assert_str_is(smtp_stage_name(smtp_client_stage(p->client)), str_skip(line, 6));
}

static void expect_sent(struct player *p, struct buf *want)
{
    if (!str_eq(buf_str(&p->sent), buf_str(want)))
        fail_msg("%s, pieces of %zu: sent \"%.*s\", want \"%.*s\"", p->c->name, p->piece,
                 STR_ARG(buf_str(&p->sent)), STR_ARG(buf_str(want)));
    buf_clear(&p->sent);
    buf_clear(want);
}

static void play_line(struct player *p, struct str line, struct buf *want)
{
    struct str rest = str_skip(line, str_find(line, ' ') + 1);
    char what = line.p[0];

    if (what == 'S') {
        pump(p);
        expect_sent(p, want);
        buf_add(&p->chunk, rest);
        buf_add(&p->chunk, STR("\r\n"));
        return;
    }
    feed(p);
    if (what == 'C') {
        buf_add(want, rest);
        buf_add(want, STR("\r\n"));
    } else if (what == '+') {
        add_transaction(p, rest);
    } else if (what == '~') {
        act(p, rest);
    } else if (what == '?') {
        pump(p);
        check(p, rest);
    } else {
        assert_true(what == '!' || what == '=');
        buf_add(&p->wanted, line);
        buf_add(&p->wanted, STR("\n"));
    }
}

static void done(struct player *p)
{
    for (size_t i = 0; i < p->n_txs; i++)
        arena_free(p->txs[i].arena);
    smtp_client_done(p->client);
    arena_free(p->session);
    struct buf *all[] = { &p->out, &p->in, &p->chunk, &p->sent, &p->events, &p->wanted };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_done(all[i]);
}

static void play(const struct client_case *c, size_t piece, size_t room)
{
    struct player p = { .c = c, .piece = piece, .session = arena_new(PLENTY), .out = BUF_INIT(room) };
    struct buf *all[] = { &p.in, &p.chunk, &p.sent, &p.events, &p.wanted };
    struct buf want = BUF_INIT(PLENTY);
    struct str script = str_from_c(c->script);

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        all[i]->max = PLENTY;
    p.client = smtp_client_new(p.session, STR("client.example"), c->flags);
    assert_non_null(p.client);
    while (script.n)
        play_line(&p, str_cut(&script, '\n'), &want);
    feed(&p);
    pump(&p);
    expect_sent(&p, &want);
    if (!str_eq(buf_str(&p.events), buf_str(&p.wanted)))
        fail_msg("%s, pieces of %zu, happened:\n%.*swanted:\n%.*s", c->name, piece,
                 STR_ARG(buf_str(&p.events)), STR_ARG(buf_str(&p.wanted)));
    buf_done(&want);
    done(&p);
}

void client_play(const struct client_case *c)
{
    const size_t pieces[] = { 0, 1, 3 };

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        play(c, pieces[i], PLENTY);
        play(c, pieces[i], SMTP_CLIENT_OUT_MIN);
    }
}
