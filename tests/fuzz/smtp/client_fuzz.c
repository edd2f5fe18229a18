/*
 * A server that says anything. The first octets choose the transactions; with the top bit of the first clear
 * each further octet picks a line of the server, with it set they are its octets. The same is fed whole, and
 * split with little room in OUT: what is said, given and decided must be equal. Each transaction comes back
 * once, with a result for each recipient; content is given to 354 alone. Where STARTTLS may be said, lines come
 * one by one, so that it is the same octets that come before the handshake; no mail and no log-in goes out where
 * TLS is a must.
 */
#include "tests/fuzz/smtp/fuzz.h"

#include "core/arena.h"
#include "core/buf.h"
#include "core/check.h"
#include "smtp/client.h"

enum { PLENTY = 1 << 20, TRANSACTIONS = 6, RECIPIENTS = 4 };

static const struct str lines[] = {
    STR_INIT("220 mx\r\n"),
    STR_INIT("250 mx\r\n"),
    STR_INIT("250-mx\r\n250-SIZE 100\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n"),
    STR_INIT("250-mx\r\n250 PIPELINING\r\n"),
    STR_INIT("250 2.1.5 ok\r\n"),
    STR_INIT("250\r\n"),
    STR_INIT("250-\r\n"),
    STR_INIT("251 2.1.5 ok\n"),
    STR_INIT("354 go\r\n"),
    STR_INIT("354\r\n"),
    STR_INIT("350 go\r\n"),
    STR_INIT("221 bye\r\n"),
    STR_INIT("421 4.3.2 stop\r\n"),
    STR_INIT("450 later\r\n"),
    STR_INIT("452 too many\r\n"),
    STR_INIT("452 4.2.2 full\r\n"),
    STR_INIT("500 what\r\n"),
    STR_INIT("502-what\r\n502 5.5.1 now\r\n"),
    STR_INIT("503 not now\r\n"),
    STR_INIT("550-5.1.1 no\r\n550 5.1.1 one\r\n"),
    STR_INIT("552 4.5.3 too many\r\n"),
    STR_INIT("554 no\r\n"),
    STR_INIT("599 \xc3\x28\x01\r\n"),
    STR_INIT("250 ok\r\n250 ok\r\n"),
    STR_INIT("250 ok\r\n250 ok\r\n354 go\r\n"),
    STR_INIT("250-a\r\n550 b\r\n"),
    STR_INIT("hello\r\n"),
    STR_INIT("250-mx\r\n250-STARTTLS\r\n250-AUTH PLAIN X\r\n250 PIPELINING\r\n"),
    STR_INIT("250-mx\r\n250 AUTH X\r\n"),
    STR_INIT("220 go\r\n"),
    STR_INIT("235 2.7.0 ok\r\n"),
    STR_INIT("334 eHh4eA==\r\n"),
    STR_INIT("334 \r\n"),
    STR_INIT("334 =\r\n"),
    STR_INIT("454 no\r\n"),
};

/* From the first octets of the input. */
struct plan {
    unsigned flags;
    uint8_t split;
    uint8_t shape[TRANSACTIONS];
};

struct session {
    const struct plan *plan;
    struct smtp_client *client;
    struct arena *arena;
    struct smtp_client_tx txs[TRANSACTIONS];
    struct smtp_client_recipient recipients[TRANSACTIONS][RECIPIENTS];
    size_t added;
    bool inside[TRANSACTIONS];
    struct buf out, said, decided;
    struct str last_line; /* of the server, all that was used of it */
    bool ended;
    bool shaking;
    bool secured;
    bool cut_short; /* a transaction came back without anything settled: then no other is made */
};

static void add_next(struct session *s)
{
    static const struct str addresses[RECIPIENTS] = { STR_INIT("a@b.example"), STR_INIT("\"c d\"@e.example"),
                                                      STR_INIT("f@g\r\n.example"),
                                                      STR_INIT("\xc3\xbc@i.example") };

    while (s->added < TRANSACTIONS && smtp_client_wants(s->client)) {
        uint8_t shape = s->plan->shape[s->added];
        struct smtp_client_tx *tx = &s->txs[s->added];
        *tx = (struct smtp_client_tx){ .arena = s->arena,
                                       .sender = shape & 0x80 ? STR("") : STR("s@t.example"),
                                       .recipients = s->recipients[s->added],
                                       .n_recipients = 1 + (shape & 3),
                                       .size = shape & 4 ? 101 : 4,
                                       .eight_bit = shape & 8,
                                       .utf8 = shape & 16,
                                       .probe = shape & 32 };
        for (size_t i = 0; i < tx->n_recipients; i++)
            tx->recipients[i].address = addresses[(i + (shape >> 6 & 1)) % RECIPIENTS];
        s->inside[s->added++] = true;
        smtp_client_add(s->client, tx);
    }
    if (s->added == TRANSACTIONS)
        smtp_client_quit(s->client, &s->out);
}

static void send(struct session *s)
{
    BUG_ON(!buf_add(&s->said, buf_str(&s->out)));
    buf_clear(&s->out);
}

static void give(struct session *s, size_t piece)
{
    struct str content = STR(".one\r\n..\r\ntwo.\r\n\r\n.");

    while (content.n) {
        size_t taken;
        smtp_client_content(s->client, str_head(content, piece), &taken, &s->out);
        content = str_skip(content, taken);
        if (!taken)
            send(s);
    }
    smtp_client_content_end(s->client, &s->out);
}

static void check_text(struct str text)
{
    BUG_ON(text.n > SMTP_CLIENT_TEXT_MAX || !str_is_utf8(text));
    for (size_t i = 0; i < text.n; i++)
        BUG_ON((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f);
}

static void check_result(struct session *s, const struct smtp_client_result *r)
{
    static const char classes[] = { 0, '2', '4', '5', '4' };

    BUG_ON(r->kind == SMTP_RESULT_NONE || r->status.n < 5 || r->status.p[0] != classes[r->kind]);
    BUG_ON(r->from_peer != (r->code != 0));
    check_text(r->text);
    buf_printf(&s->decided, "%d %d %u %.*s %.*s\n", (int)r->kind, (int)r->stage, r->code, STR_ARG(r->status),
               STR_ARG(r->text));
}

static void check_done(struct session *s, const struct smtp_client_tx *tx)
{
    size_t at = (size_t)(tx - s->txs), settled = 0;

    BUG_ON(!s->inside[at]);
    s->inside[at] = false;
    buf_printf(&s->decided, "tx %zu%s%s\n", at, tx->begun ? " begun" : "", tx->in_doubt ? " in doubt" : "");
    for (size_t i = 0; i < tx->n_recipients; i++) {
        const struct smtp_client_result *r = &tx->recipients[i].result;
        check_result(s, r);
        settled += r->kind != SMTP_RESULT_AGAIN;
        BUG_ON(r->kind == SMTP_RESULT_OK && !tx->probe && (!tx->begun || r->stage != SMTP_STAGE_FINAL));
        BUG_ON(str_has(tx->recipients[i].address, '\r') && r->kind == SMTP_RESULT_OK);
    }
    s->cut_short |= !settled;
    BUG_ON(tx->probe && tx->begun);
}

/* The owner's part of AUTH, as the plan has it. */
static void log_in(struct session *s, const struct smtp_client_event *ev)
{
    static char octets[600];
    const struct str initial = str_of(octets, s->plan->split & 2 ? sizeof(octets) : s->plan->split & 4);

    BUG_ON(!s->secured || !str_is_ascii(buf_str(&s->said)));
    buf_printf(&s->decided, "login %d %.*s\n", (int)ev->kind, STR_ARG(ev->octets));
    memset(octets, 'x', sizeof(octets));
    if (ev->kind == SMTP_CLIENT_LOGGED_IN ? s->plan->split & 8 : (s->plan->split & 0x70) == 0x70)
        smtp_client_auth_give_up(s->client, STR("4.7.0"), STR("no"));
    else if (ev->kind == SMTP_CLIENT_LOGIN)
        smtp_client_auth(s->client, STR("X"), s->plan->split & 0x80 ? &initial : NULL);
    else if (ev->kind == SMTP_CLIENT_CHALLENGE)
        smtp_client_auth_respond(s->client, ev->octets);
}

/* True while there is more to do at once. */
static bool told(struct session *s, const struct smtp_client_event *ev, size_t piece)
{
    switch (ev->kind) {
    case SMTP_CLIENT_MORE:
        send(s);
        return false;
    case SMTP_CLIENT_TLS_REFUSED:
        BUG_ON(s->plan->flags & (SMTP_CLIENT_TLS_MUST | SMTP_CLIENT_AUTH));
        check_result(s, &ev->failure);
        break;
    case SMTP_CLIENT_HANDSHAKE:
        BUG_ON(s->secured || !str_ends(buf_str(&s->said), STR("STARTTLS\r\n")));
        s->shaking = true;
        return false;
    case SMTP_CLIENT_LOGIN:
    case SMTP_CLIENT_CHALLENGE:
    case SMTP_CLIENT_LOGGED_IN:
        log_in(s, ev);
        break;
    case SMTP_CLIENT_READY:
        BUG_ON(s->plan->flags & (SMTP_CLIENT_TLS_MUST | SMTP_CLIENT_AUTH) && !s->secured);
        BUG_ON(s->cut_short);
        buf_printf(&s->decided, "ready\n");
        break;
    case SMTP_CLIENT_CONTENT:
        BUG_ON(s->cut_short || !str_starts(s->last_line, STR("354")));
        give(s, piece);
        break;
    case SMTP_CLIENT_DONE:
        check_done(s, ev->tx);
        add_next(s);
        break;
    case SMTP_CLIENT_REFUSED:
    case SMTP_CLIENT_CLOSE:
        s->ended = ev->kind == SMTP_CLIENT_CLOSE;
        if (ev->failure.kind != SMTP_RESULT_NONE)
            check_result(s, &ev->failure);
        send(s);
        break;
    }
    return !s->ended;
}

static void use(struct session *s, struct str used)
{
    struct str line = str_ends(used, STR("\n")) ? str_head(used, used.n - 1) : used;
    size_t lf = str_rfind(line, '\n');

    s->last_line = lf < line.n ? str_skip(line, lf + 1) : line;
}

/* Some octets that came in clear: they are dropped. Returns how many. */
static size_t shake(struct session *s, struct str came)
{
    struct smtp_client_event ev;
    size_t used;

    smtp_client_next(s->client, came, &used, &s->out, &ev);
    BUG_ON(ev.kind != SMTP_CLIENT_MORE || used != came.n || s->out.n);
    smtp_client_secured(s->client);
    s->shaking = false;
    s->secured = true;
    return came.n;
}

/* At most up to the end of a line, where that matters. */
static size_t piece_of(struct splitter *splitter, const struct plan *plan, struct str rest)
{
    size_t n = next_piece(splitter, rest.n);

    return plan->flags & ~(unsigned)(SMTP_CLIENT_LMTP | SMTP_CLIENT_TLS_ON) ? size_min(n, str_find(rest, '\n') + 1) : n;
}

/* PIECE by piece; a piece is an exact heap copy of what came and was not used. */
static struct session play(const struct plan *plan, struct str in, bool split)
{
    struct session s = { .plan = plan, .arena = arena_new(PLENTY), .secured = plan->flags & SMTP_CLIENT_TLS_ON };
    struct splitter splitter = { .seed = split ? plan->split : 0 };
    size_t used_up = 0, fed = 0;
    struct smtp_client_event ev;

    s.out = BUF_INIT(split ? SMTP_CLIENT_OUT_MIN : PLENTY);
    s.said = s.decided = BUF_INIT(PLENTY);
    s.client = smtp_client_new(s.arena, STR("client.example"), plan->flags);
    BUG_ON(!s.client);
    add_next(&s);
    while (!s.ended) {
        bool last = fed == in.n;
        if (last)
            smtp_client_lost(s.client, STR("reset"), &s.out);
        fed += piece_of(&splitter, plan, str_skip(in, fed));
        do {
            struct str part = last ? STR_NONE : str_slice(in, used_up, fed);
            char *copy = heap_copy(part);
            size_t used;
            smtp_client_next(s.client, str_of(copy, part.n), &used, &s.out, &ev);
            BUG_ON(used > part.n || s.out.failed);
            used_up += used;
            use(&s, str_head(in, used_up));
            free(copy);
        } while (told(&s, &ev, split ? 1 : 64));
        if (s.shaking)
            used_up = fed += shake(&s, str_slice(in, fed, fed + plan->split % 16));
        BUG_ON(last && !s.ended);
    }
    for (size_t i = 0; i < s.added; i++)
        BUG_ON(s.inside[i]);
    BUG_ON(!str_is_ascii(buf_str(&s.said)) && !str_contains(buf_str(&s.said), STR(" SMTPUTF8\r\n")));
    BUG_ON(!smtp_client_idle(s.client) || smtp_client_wants(s.client));
    smtp_client_done(s.client);
    return s;
}

static void done(struct session *s)
{
    arena_free(s->arena);
    buf_done(&s->out);
    buf_done(&s->said);
    buf_done(&s->decided);
}

static void play_both(const struct plan *plan, struct str in)
{
    struct session whole = play(plan, in, false), split = play(plan, in, true);

    BUG_ON(!str_eq(buf_str(&whole.said), buf_str(&split.said)));
    BUG_ON(!str_eq(buf_str(&whole.decided), buf_str(&split.decided)));
    done(&whole);
    done(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan plan;
    struct buf in = BUF_INIT(PLENTY);

    if (size < 2 + TRANSACTIONS || size > 4096)
        return 0;
    plan.flags = data[0] & (SMTP_CLIENT_LMTP | SMTP_CLIENT_TLS_MAY | SMTP_CLIENT_TLS_MUST | SMTP_CLIENT_TLS_ON |
                            SMTP_CLIENT_AUTH);
    plan.split = (uint8_t)(data[1] | 1);
    memcpy(plan.shape, data + 2, TRANSACTIONS);
    for (size_t i = 2 + TRANSACTIONS; i < size; i++) {
        if (data[0] & 0x80)
            BUG_ON(!buf_add_char(&in, (char)data[i]));
        else
            BUG_ON(!buf_add(&in, lines[data[i] % ARRAY_LEN(lines)]));
    }
    play_both(&plan, buf_str(&in));
    buf_done(&in);
    return 0;
}
