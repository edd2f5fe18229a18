/*
 * Whole dialogues. With the top bit of the first octet clear, each further octet picks a line, and a model of
 * a dozen facts says which code each line must hear. With it set the octets are the client's: then each
 * command line, and each content, must have one reply. The machine gets all in one row, split at will. Every other session
 * is one of submission: TLS and AUTH come before MAIL. The octet 22 there is a handshake, if STARTTLS stands before it;
 * what is between the two must never be heard (C098).
 */
#include "tests/fuzz/smtp/fuzz.h"

#include "core/arena.h"
#include "core/base64.h"
#include "core/buf.h"
#include "smtp/server.h"

enum { PLENTY = 1 << 22, MAX_RECIPIENTS = 3, MAX_MESSAGES = 2, MAX_ERRORS = 9, MAX_SIZE = 60, AUTH_TRIES = 3 };

#define SHAKE "\026"

static const struct str mechanisms = STR_INIT("PLAIN XFIRST");
static const struct str password = STR_INIT("\0anna\0secret");

enum meaning {
    EHLO_GOOD,
    EHLO_BAD,
    MAIL_GOOD,
    MAIL_BAD,
    MAIL_LARGE,
    MAIL_UNKNOWN,
    MAIL_LATER,
    RCPT_GOOD,
    RCPT_BAD,
    RCPT_NOBODY,
    RCPT_UTF8,
    DATA,
    RSET,
    OK,
    QUIT,
    VRFY_252,
    HELP,
    UNKNOWN,
    STARTTLS,
    STARTTLS_ARGUMENT,
    HANDSHAKE, /* behind STARTTLS; elsewhere a line like any other */
    AUTH_GOOD,
    AUTH_WRONG,
    AUTH_OPEN,
    AUTH_BASE64,
    AUTH_UNKNOWN,
    DATA_ARGUMENT,
    QUIT_ARGUMENT,
};

static const struct {
    struct str line;
    enum meaning meaning;
} lines[] = {
    { STR_INIT("EHLO a.example\r\n"), EHLO_GOOD },
    { STR_INIT("HELO [192.0.2.1]\r\n"), EHLO_GOOD },
    { STR_INIT("EHLO a_b\r\n"), EHLO_BAD },
    { STR_INIT("EHLO\r\n"), EHLO_BAD },
    { STR_INIT("MAIL FROM:<a@b.example>\r\n"), MAIL_GOOD },
    { STR_INIT("mail from:<> SIZE=60 body=8BITMIME\r\n"), MAIL_GOOD },
    { STR_INIT("MAIL FROM:<a@@b>\r\n"), MAIL_BAD },
    { STR_INIT("MAIL TO:<a@b>\r\n"), MAIL_BAD },
    { STR_INIT("MAIL FROM:<a@b> SIZE=61\r\n"), MAIL_LARGE },
    { STR_INIT("MAIL FROM:<a@b> FOO\r\n"), MAIL_UNKNOWN },
    { STR_INIT("MAIL FROM:<later@b>\r\n"), MAIL_LATER },
    { STR_INIT("RCPT TO:<c@d.example>\r\n"), RCPT_GOOD },
    { STR_INIT("RCPT TO:<@x,@y:\"c\"@d.example>\r\n"), RCPT_GOOD },
    { STR_INIT("RCPT TO:<Postmaster>\r\n"), RCPT_GOOD },
    { STR_INIT("RCPT TO:<c\r\n"), RCPT_BAD },
    { STR_INIT("RCPT TO:<nobody@d>\r\n"), RCPT_NOBODY },
    { STR_INIT("RCPT TO:<\xc3\xa4@d>\r\n"), RCPT_UTF8 },
    { STR_INIT("DATA\r\n"), DATA },
    { STR_INIT("RSET\r\n"), RSET },
    { STR_INIT("NOOP x\r\n"), OK },
    { STR_INIT("QUIT\r\n"), QUIT },
    { STR_INIT("VRFY x\r\n"), VRFY_252 },
    { STR_INIT("HELP\r\n"), HELP },
    { STR_INIT(".\r\n"), UNKNOWN },
    { STR_INIT("..\r\n"), UNKNOWN },
    { STR_INIT("\r\n"), UNKNOWN },
    { STR_INIT("x\n.\r\n"), UNKNOWN },
    { STR_INIT("RSET\nRSET\r\n"), UNKNOWN },
    { STR_INIT("x\r\r\n"), UNKNOWN },
    { STR_INIT(".\r.\r\n"), UNKNOWN },
    { STR_INIT("0123456789012345678901234567890123456789\r\n"), UNKNOWN },
    { STR_INIT("DATA x\r\n"), DATA_ARGUMENT },
    { STR_INIT("QUIT x\r\n"), QUIT_ARGUMENT },
    { STR_INIT("STARTTLS\r\n"), STARTTLS },
    { STR_INIT("starttls x\r\n"), STARTTLS_ARGUMENT },
    { STR_INIT(SHAKE "\r\n"), HANDSHAKE },
    { STR_INIT("AUTH PLAIN AGFubmEAc2VjcmV0\r\n"), AUTH_GOOD },
    { STR_INIT("AUTH PLAIN AGFubmEAd3Jvbmc=\r\n"), AUTH_WRONG },
    { STR_INIT("auth xfirst =\r\n"), AUTH_WRONG },
    { STR_INIT("auth plain\r\n"), AUTH_OPEN },
    { STR_INIT("AUTH PLAIN AGFubmEAc2VjcmV=\r\n"), AUTH_BASE64 },
    { STR_INIT("AUTH FOO AGFubmEAc2VjcmV0\r\n"), AUTH_UNKNOWN },
    { STR_INIT("AGFubmEAc2VjcmV0\r\n"), UNKNOWN },
    { STR_INIT("*\r\n"), UNKNOWN },
};

/* The model: what a server remembers, and nothing of how. */
struct model {
    bool hello, mail, tried, data, bare, closed;
    bool secure;    /* the listener is for submission */
    bool shaking;   /* STARTTLS was said, no handshake yet */
    bool tls, auth;
    bool exchange;  /* the next line answers a challenge */
    unsigned recipients, messages, errors, auth_errors;
    uint64_t octets;
    struct buf codes;
    struct buf taken; /* the messages, one after the other */
    struct buf content;
};

static unsigned model_mail(const struct model *m, unsigned code)
{
    if (!m->hello || m->mail)
        return 503;
    return m->messages >= MAX_MESSAGES ? 421 : code;
}

static unsigned model_rcpt(struct model *m, unsigned code)
{
    if (!m->mail)
        return 503;
    m->tried = true;
    bool asked = code == 250 || code == 550;
    if (asked && m->recipients >= MAX_RECIPIENTS)
        return 452;
    m->recipients += code == 250;
    return code;
}

static void model_forget(struct model *m)
{
    m->mail = m->tried = false;
    m->recipients = 0;
}

static unsigned model_data(struct model *m)
{
    if (!m->mail || !m->tried)
        return 503;
    if (!m->recipients)
        return 554;
    m->data = true;
    m->bare = false;
    m->octets = 0;
    buf_clear(&m->content);
    return 354;
}

static unsigned model_starttls(struct model *m)
{
    if (!m->secure)
        return 502;
    if (m->tls)
        return 503;
    model_forget(m);
    m->shaking = true;
    return 220;
}

/* AUTH, which would get CODE if it may come now. */
static unsigned model_auth(struct model *m, unsigned code)
{
    if (!m->secure)
        return 502;
    if (!m->tls)
        return 538;
    if (!m->hello || m->auth || m->mail)
        return 503;
    m->auth = code == 235;
    m->exchange = code == 334;
    return code;
}

/* LINE answers a challenge. */
static unsigned model_response(struct model *m, struct str line)
{
    struct buf said = BUF_INIT(PLENTY);
    struct str text = str_head(line, line.n - 2);
    bool base64 = base64_read(&said, text);

    m->exchange = false;
    m->auth = base64 && str_eq(buf_str(&said), password);
    buf_done(&said);
    return m->auth ? 235 : base64 ? 535 : 501;
}

static bool is_transfer(enum meaning meaning)
{
    switch (meaning) {
    case MAIL_GOOD:
    case MAIL_BAD:
    case MAIL_LARGE:
    case MAIL_UNKNOWN:
    case MAIL_LATER:
    case RCPT_GOOD:
    case RCPT_BAD:
    case RCPT_NOBODY:
    case RCPT_UTF8:
    case DATA:
    case DATA_ARGUMENT:
    case VRFY_252:
        return true;
    default:
        return false;
    }
}

static unsigned model_command(struct model *m, enum meaning meaning)
{
    if (m->secure && !m->tls && (is_transfer(meaning) || meaning == RSET || meaning == HELP))
        return 530;
    if (m->secure && !m->auth && is_transfer(meaning))
        return 530;
    switch (meaning) {
    case EHLO_GOOD:
        model_forget(m);
        m->hello = true;
        return 250;
    case MAIL_GOOD: {
        unsigned code = model_mail(m, 250);
        m->mail |= code == 250;
        return code;
    }
    case MAIL_BAD:
        return model_mail(m, 501);
    case MAIL_LARGE:
        return model_mail(m, 552);
    case MAIL_UNKNOWN:
        return model_mail(m, 555);
    case MAIL_LATER:
        return model_mail(m, 450);
    case RCPT_GOOD:
        return model_rcpt(m, 250);
    case RCPT_BAD:
        return model_rcpt(m, 501);
    case RCPT_NOBODY:
        return model_rcpt(m, 550);
    case RCPT_UTF8:
        return model_rcpt(m, 553);
    case DATA:
        return model_data(m);
    case RSET:
        model_forget(m);
        return 250;
    case OK:
        return 250;
    case QUIT:
        return 221;
    case VRFY_252:
        return 252;
    case HELP:
        return 214;
    case UNKNOWN:
    case HANDSHAKE:
        return 500;
    case STARTTLS:
        return model_starttls(m);
    case STARTTLS_ARGUMENT:
        return m->secure ? 501 : 502;
    case AUTH_GOOD:
        return model_auth(m, 235);
    case AUTH_WRONG:
        return model_auth(m, 535);
    case AUTH_OPEN:
        return model_auth(m, 334);
    case AUTH_BASE64:
        return model_auth(m, 501);
    case AUTH_UNKNOWN:
        return model_auth(m, 504);
    case EHLO_BAD:
    case DATA_ARGUMENT:
    case QUIT_ARGUMENT:
        return 501;
    }
    return 0;
}

static bool has_bare_newline(struct str line)
{
    struct str body = str_head(line, line.n - 2);

    return str_has(body, '\r') || str_has(body, '\n');
}

/* A line of content; the code when it is the end, else 0. */
static unsigned model_content(struct model *m, struct str line)
{
    if (!str_eq(line, STR(".\r\n"))) {
        struct str plain = line.p[0] == '.' ? str_skip(line, 1) : line;
        /* Whichever comes first decides. */
        if (!m->bare && m->octets <= MAX_SIZE) {
            size_t to_bare = plain.n;
            for (size_t i = plain.n - 2; has_bare_newline(line) && i-- > 0;)
                if (plain.p[i] == '\n' || plain.p[i] == '\r')
                    to_bare = i;
            m->bare = to_bare < plain.n && m->octets + to_bare + 1 <= MAX_SIZE;
        }
        m->octets += plain.n;
        buf_add(&m->content, plain);
        return 0;
    }
    m->data = false;
    model_forget(m);
    if (m->bare || m->octets > MAX_SIZE)
        return m->bare ? 550 : 552;
    m->messages++;
    buf_add(&m->taken, buf_str(&m->content));
    buf_add_char(&m->taken, '|');
    return 250;
}

static void model_line(struct model *m, struct str line, enum meaning meaning)
{
    bool verdict = m->data;
    bool auth = !m->data && m->secure && (m->exchange || (meaning >= AUTH_GOOD && meaning <= AUTH_UNKNOWN));

    if (m->shaking) {
        if (meaning != HANDSHAKE)
            return;
        m->shaking = m->hello = false;
        m->tls = true;
    }
    unsigned code = m->data       ? model_content(m, line)
                    : m->exchange ? model_response(m, line)
                                  : model_command(m, meaning);
    if (!code)
        return;
    bool forgiven = code >= 500 && auth && m->auth_errors < AUTH_TRIES;
    if (code >= 500 && !verdict && !forgiven && m->errors >= MAX_ERRORS)
        code = 421;
    m->auth_errors += code >= 500 && auth;
    m->errors += code >= 500 && !forgiven;
    m->closed = code == 421 || code == 221;
    buf_printf(&m->codes, "%u ", code);
}

/* The owner of the machine. */
struct session {
    struct smtp_server *server;
    struct buf replies, taken, content;
    bool closed, shaking;
};

static void answer_auth(struct session *s, const struct smtp_event *ev, struct buf *out)
{
    BUG_ON(!smtp_server_in_secret(s->server));
    if (ev->kind == SMTP_EVENT_ASK_AUTH && !ev->has_initial)
        smtp_server_challenge(s->server, STR("more"), out);
    else if (str_eq(ev->response, password))
        smtp_server_authenticated(s->server, out);
    else
        smtp_server_answer(s->server, SMTP_REPLY_AUTH_FAILED, NULL, out);
}

static enum smtp_reply_name verdict(const struct smtp_event *ev, const struct smtp_server *server)
{
    switch (ev->kind) {
    case SMTP_EVENT_ASK_MAIL:
        return str_eq(smtp_server_transaction(server)->sender.local, STR("later")) ? SMTP_REPLY_LIMIT_DEFER
                                                                                   : SMTP_REPLY_MAIL_OK;
    case SMTP_EVENT_ASK_RCPT:
        return str_eq(ev->path->local, STR("nobody")) ? SMTP_REPLY_NO_SUCH_MAILBOX : SMTP_REPLY_RCPT_OK;
    case SMTP_EVENT_ASK_VRFY:
        return SMTP_REPLY_VRFY_OK;
    case SMTP_EVENT_ASK_DATA:
        return SMTP_REPLY_DATA_GO;
    case SMTP_EVENT_ASK_COMMIT:
        return SMTP_REPLY_QUEUED;
    default:
        return SMTP_REPLY_NONE;
    }
}

static bool act(struct session *s, const struct smtp_event *ev, struct buf *out)
{
    enum smtp_reply_name name = verdict(ev, s->server);

    if (ev->kind == SMTP_EVENT_ASK_DATA)
        buf_clear(&s->content);
    if (ev->kind == SMTP_EVENT_ASK_COMMIT) {
        BUG_ON(ev->facts->size != s->content.n);
        buf_add(&s->taken, buf_str(&s->content));
        buf_add_char(&s->taken, '|');
    }
    if (ev->kind == SMTP_EVENT_CONTENT)
        buf_add(&s->content, ev->span);
    if (ev->kind == SMTP_EVENT_RESET)
        BUG_ON(!smtp_server_transaction(s->server));
    if (ev->kind == SMTP_EVENT_ASK_AUTH || ev->kind == SMTP_EVENT_ASK_AUTH_STEP)
        answer_auth(s, ev, out);
    if (name != SMTP_REPLY_NONE) {
        smtp_server_answer(s->server, name, NULL, out);
        return true;
    }
    s->shaking |= ev->kind == SMTP_EVENT_STARTTLS;
    if (ev->kind == SMTP_EVENT_STARTTLS || ev->kind == SMTP_EVENT_MORE || ev->kind == SMTP_EVENT_FLUSH ||
        ev->kind == SMTP_EVENT_DELAY || ev->kind == SMTP_EVENT_CLOSE) {
        buf_add(&s->replies, buf_str(out));
        buf_clear(out);
    }
    s->closed = ev->kind == SMTP_EVENT_CLOSE;
    return ev->kind != SMTP_EVENT_MORE && !s->closed && !s->shaking;
}

/* Octets that come together: never what is in front of a handshake with what is behind it. */
static size_t segment(struct str in)
{
    return 1 + str_find(str_skip(in, 1), SHAKE[0]);
}

static void feed(struct session *s, struct str in, struct splitter split)
{
    static const struct smtp_server_tls tls = { .on = true };
    struct buf held = BUF_INIT(PLENTY), out = BUF_INIT(SMTP_SERVER_OUT_MIN);

    while (in.n && !s->closed) {
        if (s->shaking && in.p[0] == SHAKE[0]) {
            BUG_ON(held.n);
            smtp_server_tls_started(s->server, &tls);
            s->shaking = false;
            in = str_skip(in, 1);
            continue;
        }
        size_t piece = next_piece(&split, segment(in));
        buf_add(&held, str_head(in, piece));
        in = str_skip(in, piece);
        bool more;
        do {
            struct smtp_event ev;
            size_t used;
            char *copy = heap_copy(buf_str(&held));
            smtp_server_next(s->server, str_of(copy, held.n), &used, &out, &ev);
            BUG_ON(ev.kind == SMTP_EVENT_STARTTLS && used != held.n);
            more = act(s, &ev, &out);
            free(copy);
            buf_eat(&held, used);
        } while (more);
    }
    buf_done(&held);
    buf_done(&out);
}

static const struct smtp_server_config config = {
    .hostname = STR_INIT("mail.example.org"),
    .max_message_size = MAX_SIZE,
    .max_line_length = 1000,
    .max_recipients = MAX_RECIPIENTS,
    .max_messages = MAX_MESSAGES,
    .max_errors = MAX_ERRORS,
    .bare_newlines = SMTP_NEWLINES_REJECT,
    .ehlo_check = SMTP_EHLO_SYNTAX,
    .path_syntax = SMTP_PATH_STRICT,
    .vrfy = true,
};

static struct smtp_server_config secure_config(void)
{
    struct smtp_server_config c = config;

    c.require_tls = c.require_auth = true;
    return c;
}

static bool is_secure(uint8_t seed)
{
    return seed & 0x40;
}

static struct session play(struct str in, uint8_t seed, bool secure)
{
    const struct smtp_server_config secured = secure_config();
    struct arena *arena = arena_new(PLENTY);
    struct session s = { .replies = BUF_INIT(PLENTY),
                         .taken = BUF_INIT(PLENTY),
                         .content = BUF_INIT(PLENTY) };

    BUG_ON(!arena);
    s.server = smtp_server_new(arena, secure ? &secured : &config);
    BUG_ON(!s.server);
    if (secure) {
        smtp_server_offer_tls(s.server, true);
        smtp_server_offer_auth(s.server, mechanisms);
    }
    feed(&s, in, (struct splitter){ .seed = seed });
    smtp_server_done(s.server);
    buf_done(&s.content);
    arena_free(arena);
    return s;
}

/* The shape of each line (RFC 5321 4.2.1); the codes of last lines go to CODES. */
static void read_codes(struct str replies, struct buf *codes)
{
    while (replies.n) {
        size_t lf = str_find(replies, '\n');
        BUG_ON(lf == replies.n || lf < 5 || lf + 1 > SMTP_REPLY_LINE_MAX || replies.p[lf - 1] != '\r');
        struct str line = str_head(replies, lf - 1);
        replies = str_skip(replies, lf + 1);
        for (size_t i = 0; i < line.n; i++)
            BUG_ON((unsigned char)line.p[i] < 0x20);
        BUG_ON(line.p[0] < '2' || line.p[0] > '5' || (line.p[3] != ' ' && line.p[3] != '-'));
        if (line.p[3] == '-') {
            BUG_ON(!str_starts(replies, str_head(line, 3)));
            continue;
        }
        buf_add(codes, str_head(line, 3));
        buf_add_char(codes, ' ');
    }
}

/* Lines picked by octets, with a model that knows each answer. */
static void play_lines(const uint8_t *data, size_t size, uint8_t seed)
{
    struct model m = { .secure = is_secure(seed),
                       .codes = BUF_INIT(PLENTY),
                       .taken = BUF_INIT(PLENTY),
                       .content = BUF_INIT(PLENTY) };
    struct buf in = BUF_INIT(PLENTY), codes = BUF_INIT(PLENTY);

    for (size_t i = 0; i < size; i++) {
        size_t row = data[i] % ARRAY_LEN(lines);
        buf_add(&in, lines[row].line);
        if (!m.closed)
            model_line(&m, lines[row].line, lines[row].meaning);
    }
    struct session s = play(buf_str(&in), seed & 0x3f, is_secure(seed));
    read_codes(buf_str(&s.replies), &codes);
    BUG_ON(!str_eq(buf_str(&codes), buf_str(&m.codes)));
    BUG_ON(!str_eq(buf_str(&s.taken), buf_str(&m.taken)));
    BUG_ON(s.closed != m.closed);
    buf_done(&m.codes);
    buf_done(&m.taken);
    buf_done(&m.content);
    buf_done(&in);
    buf_done(&codes);
    buf_done(&s.replies);
    buf_done(&s.taken);
}

/* How many octets at the front of IN the next reply answers; 0: there is no whole command, or content. */
static size_t octets_answered(struct str in, bool content)
{
    const char *end;

    if (content && str_starts(in, STR(".\r\n")))
        return 3;
    end = in.n ? memmem(in.p, in.n, content ? "\r\n.\r\n" : "\r\n", content ? 5 : 2) : NULL;
    return end ? (size_t)(end - in.p) + (content ? 5 : 2) : 0;
}

/* The octets as they are: each line, and each content, has one reply, however they are split. */
static void play_octets(struct str in, uint8_t seed)
{
    bool secure = is_secure(seed);
    struct session whole = play(in, 0, secure), split = play(in, seed & 0x3f, secure);
    struct buf codes = BUF_INIT(PLENTY);
    bool content = false, closed = false;

    BUG_ON(!str_eq(buf_str(&whole.replies), buf_str(&split.replies)));
    BUG_ON(!str_eq(buf_str(&whole.taken), buf_str(&split.taken)));
    BUG_ON(whole.closed != split.closed);
    read_codes(buf_str(&whole.replies), &codes);
    for (struct str c = buf_str(&codes); c.n; c = str_skip(c, 4)) {
        BUG_ON(closed);
        size_t n = octets_answered(in, content);
        closed = str_starts(c, STR("221")) || str_starts(c, STR("421"));
        BUG_ON(!n && !closed);
        in = str_skip(in, n);
        content = str_starts(c, STR("354"));
        if (str_starts(c, STR("220")))
            in = str_skip(in, str_find(in, SHAKE[0]) + 1);
    }
    BUG_ON(!closed && octets_answered(in, content));
    buf_done(&codes);
    buf_done(&whole.replies);
    buf_done(&whole.taken);
    buf_done(&split.replies);
    buf_done(&split.taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 8192)
        return 0;
    if (data[0] & 0x80)
        play_octets(str_of((const char *)data + 1, size - 1), data[0] & 0x7f);
    else
        play_lines(data + 1, size - 1, data[0]);
    return 0;
}
