/* Events: m r v d c a s ask; . content; ! refused; e AUTH ended; R reset; D delay; F flush; T handshake; X close. */
#include "tests/unit/smtp/player.h"

#include "tests/unit/unit.h"

enum { PLENTY = 64 << 20 };

void player_init(struct player *p)
{
    p->config = (struct smtp_server_config){
        .hostname = STR("mail.example.org"),
        .max_message_size = 100000,
        .max_line_length = 65536,
        .max_recipients = 100,
        .max_messages = 1000,
        .max_errors = 1000,
        .bare_newlines = SMTP_NEWLINES_REJECT,
        .ehlo_check = SMTP_EHLO_SYNTAX,
        .path_syntax = SMTP_PATH_LENIENT,
        .vrfy = true,
    };
    p->replies = BUF_INIT(PLENTY);
    p->content = BUF_INIT(PLENTY);
    p->messages = BUF_INIT(PLENTY);
    p->envelope = BUF_INIT(PLENTY);
    p->events = BUF_INIT(PLENTY);
    p->sasl = BUF_INIT(PLENTY);
    p->session = arena_new(1 << 20);
    p->server = smtp_server_new(p->session, &p->config);
    assert_non_null(p->server);
}

void player_done(struct player *p)
{
    smtp_server_done(p->server);
    arena_free(p->session);
    buf_done(&p->replies);
    buf_done(&p->content);
    buf_done(&p->messages);
    buf_done(&p->envelope);
    buf_done(&p->events);
    buf_done(&p->sasl);
}

void player_secure(struct player *p)
{
    p->config.require_tls = p->config.require_auth = true;
    smtp_server_offer_tls(p->server, true);
    smtp_server_offer_auth(p->server, STR("PLAIN LOGIN XLONG XFIRST"));
}

static enum smtp_reply_name or_good(enum smtp_reply_name told, enum smtp_reply_name good)
{
    return told == SMTP_REPLY_NONE ? good : told;
}

static void answer_rcpt(struct player *p, const struct smtp_path *path, struct buf *out)
{
    enum smtp_reply_name name = SMTP_REPLY_RCPT_OK;

    if (str_starts(path->local, STR("no")))
        name = SMTP_REPLY_NO_SUCH_MAILBOX;
    else if (str_starts(path->local, STR("slow")))
        name = SMTP_REPLY_LOOKUP_FAILED;
    else if (str_starts(path->local, STR("relay")))
        name = SMTP_REPLY_RELAY_DENIED;
    if (name == SMTP_REPLY_RCPT_OK) {
        smtp_path_write(&p->envelope, path);
        buf_add_char(&p->envelope, ',');
    }
    smtp_server_answer(p->server, name, NULL, out);
}

static void answer_vrfy(struct player *p, const struct smtp_path *path, struct buf *out)
{
    enum smtp_reply_name name = SMTP_REPLY_VRFY_OK;

    assert_false(path->flags & (SMTP_PATH_POSTMASTER | SMTP_PATH_NULL));
    if (str_starts(path->local, STR("no")))
        name = SMTP_REPLY_VRFY_NO_SUCH;
    else if (str_starts(path->local, STR("two")))
        name = SMTP_REPLY_VRFY_AMBIGUOUS;
    smtp_server_answer(p->server, name, NULL, out);
}

static void answer_mail(struct player *p, struct buf *out)
{
    const struct smtp_transaction *t = smtp_server_transaction(p->server);

    assert_non_null(t);
    buf_clear(&p->envelope);
    smtp_path_write(&p->envelope, &t->sender);
    buf_add_char(&p->envelope, '>');
    smtp_server_answer(p->server, or_good(p->mail_reply, SMTP_REPLY_MAIL_OK), NULL, out);
}

static void answer_commit(struct player *p, const struct smtp_event *ev, struct buf *out)
{
    enum smtp_reply_name name = or_good(p->commit_reply, SMTP_REPLY_QUEUED);
    struct smtp_slots slots = { .id = STR("3591TJHR6EY3"), .number = 101 };
    struct str protocol = smtp_server_protocol(p->server);

    assert_int_equal(ev->facts->size, p->content.n);
    assert_int_equal(ev->facts->fault, SMTP_CONTENT_GOOD);
    p->facts = *ev->facts;
    memcpy(p->protocol, protocol.p, protocol.n);
    p->protocol[protocol.n] = '\0';
    if (name == SMTP_REPLY_QUEUED) {
        buf_add(&p->messages, buf_str(&p->envelope));
        buf_add_char(&p->messages, ':');
        buf_add(&p->messages, buf_str(&p->content));
        buf_add_char(&p->messages, '\n');
    }
    smtp_server_answer(p->server, name, &slots, out);
    assert_non_null(smtp_server_transaction(p->server));
}

static void answer_password(struct player *p, bool anna, bool down, bool right, struct buf *out)
{
    if (down)
        smtp_server_answer(p->server, SMTP_REPLY_AUTH_UNAVAILABLE, NULL, out);
    else if (anna && right)
        smtp_server_authenticated(p->server, out);
    else
        smtp_server_answer(p->server, SMTP_REPLY_AUTH_FAILED, NULL, out);
}

static void answer_plain(struct player *p, struct str said, struct buf *out)
{
    answer_password(p, str_starts(said, STR("\0anna\0")), str_starts(said, STR("\0down\0")),
                    str_ends(said, STR("\0secret")), out);
}

static void answer_login(struct player *p, struct str said, struct buf *out)
{
    if (p->logged_user) {
        p->logged_user = false;
        answer_password(p, p->knows_user, false, str_eq(said, STR("secret")), out);
        return;
    }
    p->knows_user = str_eq(said, STR("anna"));
    p->logged_user = true;
    smtp_server_challenge(p->server, STR("Password:"), out);
}

static void note_sasl(struct player *p, const struct smtp_event *ev)
{
    if (ev->kind == SMTP_EVENT_ASK_AUTH)
        buf_add(&p->sasl, ev->mechanism);
    if (ev->kind == SMTP_EVENT_ASK_AUTH_STEP || ev->has_initial)
        buf_add_char(&p->sasl, '=');
    for (size_t i = 0; i < ev->response.n; i++)
        buf_add_char(&p->sasl, ev->response.p[i] ? ev->response.p[i] : '.');
    buf_add_char(&p->sasl, ';');
}

static void answer_auth(struct player *p, const struct smtp_event *ev, struct buf *out)
{
    bool asks = ev->kind == SMTP_EVENT_ASK_AUTH && !ev->has_initial;

    note_sasl(p, ev);
    if (ev->kind == SMTP_EVENT_ASK_AUTH)
        p->mechanism = ev->mechanism;
    assert_true(smtp_server_in_secret(p->server));
    if (str_eq(p->mechanism, STR("XFIRST")) && ev->has_initial) {
        smtp_server_answer(p->server, SMTP_REPLY_AUTH_NO_INITIAL, NULL, out);
    } else if (asks) {
        p->logged_user = false;
        smtp_server_challenge(p->server, str_eq(p->mechanism, STR("LOGIN")) ? STR("Username:") : STR_NONE, out);
    } else if (str_eq(p->mechanism, STR("PLAIN"))) {
        answer_plain(p, ev->response, out);
    } else if (str_eq(p->mechanism, STR("LOGIN"))) {
        p->logged_user &= ev->kind == SMTP_EVENT_ASK_AUTH_STEP;
        answer_login(p, ev->response, out);
    } else if (ev->response.n) {
        smtp_server_authenticated(p->server, out);
    } else {
        smtp_server_answer(p->server, SMTP_REPLY_AUTH_WRONG, NULL, out);
    }
}

static void send_out(struct player *p, struct buf *out)
{
    p->sends += out->n > 0;
    buf_add(&p->replies, buf_str(out));
    buf_clear(out);
}

/* Acts on one event; false when there is nothing more to do with what was fed. */
static bool act(struct player *p, const struct smtp_event *ev, struct buf *out)
{
    static const char letters[] = {
        [SMTP_EVENT_FLUSH] = 'F',      [SMTP_EVENT_DELAY] = 'D',    [SMTP_EVENT_ASK_MAIL] = 'm',
        [SMTP_EVENT_ASK_RCPT] = 'r',   [SMTP_EVENT_ASK_VRFY] = 'v', [SMTP_EVENT_ASK_DATA] = 'd',
        [SMTP_EVENT_ASK_COMMIT] = 'c', [SMTP_EVENT_CONTENT] = '.',  [SMTP_EVENT_REFUSED] = '!',
        [SMTP_EVENT_RESET] = 'R',      [SMTP_EVENT_CLOSE] = 'X',    [SMTP_EVENT_ASK_AUTH] = 'a',
        [SMTP_EVENT_STARTTLS] = 'T',   [SMTP_EVENT_AUTH_ENDED] = 'e', [SMTP_EVENT_ASK_AUTH_STEP] = 's',
    };

    if (ev->kind != SMTP_EVENT_MORE)
        buf_add_char(&p->events, letters[ev->kind]);
    switch (ev->kind) {
    case SMTP_EVENT_MORE:
        send_out(p, out);
        return false;
    case SMTP_EVENT_FLUSH:
    case SMTP_EVENT_DELAY:
        send_out(p, out);
        break;
    case SMTP_EVENT_ASK_MAIL:
        answer_mail(p, out);
        break;
    case SMTP_EVENT_ASK_RCPT:
        answer_rcpt(p, ev->path, out);
        break;
    case SMTP_EVENT_ASK_VRFY:
        answer_vrfy(p, ev->path, out);
        break;
    case SMTP_EVENT_ASK_DATA:
        buf_clear(&p->content);
        smtp_server_answer(p->server, or_good(p->data_reply, SMTP_REPLY_DATA_GO), NULL, out);
        break;
    case SMTP_EVENT_ASK_COMMIT:
        answer_commit(p, ev, out);
        break;
    case SMTP_EVENT_CONTENT:
        assert_true(ev->span.n > 0);
        buf_add(&p->content, ev->span);
        break;
    case SMTP_EVENT_ASK_AUTH:
    case SMTP_EVENT_ASK_AUTH_STEP:
        answer_auth(p, ev, out);
        break;
    case SMTP_EVENT_AUTH_ENDED:
    case SMTP_EVENT_REFUSED:
        assert_true(ev->verb != SMTP_VERB_AUTH || !ev->argument.n);
        p->last_refused = ev->reply;
        break;
    case SMTP_EVENT_STARTTLS:
        assert_null(smtp_server_transaction(p->server));
        send_out(p, out);
        p->shaking = true;
        return false;
    case SMTP_EVENT_RESET:
        assert_non_null(smtp_server_transaction(p->server));
        break;
    case SMTP_EVENT_CLOSE:
        assert_null(smtp_server_transaction(p->server));
        send_out(p, out);
        p->closed = true;
        p->close_reply = ev->reply;
        return false;
    }
    return true;
}

/* HELD is what was received and not used yet. */
static void run(struct player *p, struct buf *held)
{
    struct buf out = BUF_INIT(SMTP_SERVER_OUT_MIN);
    struct smtp_event ev;
    size_t used;
    bool more;

    do {
        char *copy = exact_copy(buf_str(held));
        smtp_server_next(p->server, str_of(copy, held->n), &used, &out, &ev);
        assert_true(used <= held->n);
        assert_true(ev.kind != SMTP_EVENT_STARTTLS || used == held->n);
        assert_false(out.failed);
        more = act(p, &ev, &out);
        free(copy);
        buf_eat(held, used);
    } while (more);
    buf_done(&out);
}

/* Without STARTTLS before it: TLS from the first octet. */
static void shake_hands(struct player *p, const struct buf *held)
{
    static const struct smtp_server_tls tls = { .version = STR_INIT("TLSv1.3"),
                                                .cipher = STR_INIT("TLS_AES_256_GCM_SHA384") };

    assert_int_equal(held->n, 0);
    assert_true(p->shaking || !p->replies.n);
    p->shaking = false;
    smtp_server_tls_started(p->server, &tls);
}

void player_play(struct player *p, struct str input)
{
    struct buf held = BUF_INIT(PLENTY);

    while (!p->closed) {
        struct str piece = str_head(input, str_find(input, HANDSHAKE[0]));
        if (input.n && !piece.n) {
            shake_hands(p, &held);
            input = str_skip(input, 1);
            continue;
        }
        piece = p->piece ? str_head(piece, p->piece) : piece;
        input = str_skip(input, piece.n);
        buf_add(&held, piece);
        run(p, &held);
        if (!input.n)
            break;
    }
    buf_done(&held);
}

/* Calls SEE for each line, without its CRLF. */
static void for_each_line(struct str replies, void (*see)(struct str line, void *arg), void *arg)
{
    while (replies.n) {
        size_t lf = str_find(replies, '\n');
        assert_true(lf < replies.n);
        assert_true(lf > 3 && replies.p[lf - 1] == '\r');
        see(str_head(replies, lf - 1), arg);
        replies = str_skip(replies, lf + 1);
    }
}

static void add_code(struct str line, void *arg)
{
    struct buf *codes = arg;

    if (line.p[3] != ' ')
        return;
    buf_add(codes, codes->n ? STR(" ") : STR_NONE);
    buf_add(codes, str_head(line, 3));
}

struct shape {
    struct str code, status;
    bool going_on;
};

static bool is_hello_line(struct str text)
{
    return str_starts(text, STR("mail.example.org")) || str_starts(text, STR("name yourself")) ||
           str_starts(text, STR("this host takes no mail")) ||
           (text.n && ascii_upper(text.p[0]) == text.p[0] && !str_has(text, '.') &&
            !str_starts(text, STR("Ok")));
}

/* C019, C020, C073, C074, C075 of every reply ever seen here. */
static void check_line(struct str line, void *arg)
{
    struct shape *shape = arg;
    struct str text = str_skip(line, 4), rest = text;

    assert_true(line.n + 2 <= SMTP_REPLY_LINE_MAX);
    assert_true(line.p[0] >= '2' && line.p[0] <= '5');
    assert_true(line.p[3] == ' ' || line.p[3] == '-');
    for (size_t i = 0; i < line.n; i++)
        assert_true((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
    if (shape->going_on)
        assert_str_is(str_head(line, 3), shape->code);
    struct str status = str_cut(&rest, ' ');
    struct smtp_reply reply = { .code = (unsigned)(line.p[0] - '0') * 100, .status = status };
    bool plain = line.p[0] == '3' || is_hello_line(text);
    if (plain) {
        assert_false(str_has(status, '.') && ascii_is_digit(status.p[0]) && smtp_reply_is_sane(&reply));
    } else {
        assert_true(status.n && smtp_reply_is_sane(&reply));
        if (shape->going_on)
            assert_str_is(status, shape->status);
    }
    *shape = (struct shape){ str_head(line, 3), status, line.p[3] == '-' };
}

static void check_codes(struct str replies, const char *want, const char *where)
{
    struct buf codes = BUF_INIT(1 << 17);

    for_each_line(replies, add_code, &codes);
    if (!str_eq(buf_str(&codes), str_from_c(want)))
        fail_msg("%s:\n got %.*s\nwant %s", where, STR_ARG(buf_str(&codes)), want);
    buf_done(&codes);
}

void player_check(struct str replies, const char *codes, const char *where)
{
    struct shape shape = { 0 };

    check_codes(replies, codes, where);
    for_each_line(replies, check_line, &shape);
    assert_false(shape.going_on);
}

void player_expect(struct player *p, struct str input, struct str replies)
{
    buf_clear(&p->replies);
    player_play(p, input);
    assert_str_is(buf_str(&p->replies), replies);
}

void player_expect_codes(struct player *p, struct str input, const char *codes)
{
    buf_clear(&p->replies);
    player_play(p, input);
    player_check(buf_str(&p->replies), codes, "in a session");
}
