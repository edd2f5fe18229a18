/* smtp/client.c -- the client's machine from outside: transactions in, events out. */
#include "smtp/client_inside.h"

struct str smtp_stage_name(enum smtp_stage stage)
{
    static const struct str names[SMTP_STAGES] = {
        [SMTP_STAGE_CONNECT] = STR_INIT("connect"), [SMTP_STAGE_GREETING] = STR_INIT("greeting"),
        [SMTP_STAGE_EHLO] = STR_INIT("ehlo"),       [SMTP_STAGE_TLS] = STR_INIT("tls"),
        [SMTP_STAGE_AUTH] = STR_INIT("auth"),       [SMTP_STAGE_MAIL] = STR_INIT("mail"),
        [SMTP_STAGE_RCPT] = STR_INIT("rcpt"),       [SMTP_STAGE_DATA] = STR_INIT("data"),
        [SMTP_STAGE_CONTENT] = STR_INIT("content"), [SMTP_STAGE_FINAL] = STR_INIT("final"),
        [SMTP_STAGE_QUIT] = STR_INIT("quit"),
    };

    return stage < SMTP_STAGES ? names[stage] : STR("");
}

struct smtp_client *smtp_client_new(struct arena *session, struct str hostname, unsigned flags)
{
    struct smtp_client *c = ARENA_NEW(session, struct smtp_client);

    /* A password is for nobody in between, whatever the owner forgot to ask for. */
    if (flags & SMTP_CLIENT_AUTH && !(flags & SMTP_CLIENT_TLS_ON))
        flags |= SMTP_CLIENT_TLS_MUST;
    if (c)
        *c = (struct smtp_client){ .hostname = hostname,
                                   .flags = flags,
                                   .secured = flags & SMTP_CLIENT_TLS_ON };
    return c;
}

void smtp_client_done(struct smtp_client *c)
{
    if (!c)
        return;
    smtp_client_forget_login(c);
    c->phase = SMTP_CLIENT_OVER;
    c->inside = c->done = NULL;
}

static size_t count(const struct smtp_client_tx *tx)
{
    size_t n = 0;

    for (; tx; tx = tx->next)
        n++;
    return n;
}

bool smtp_client_wants(const struct smtp_client *c)
{
    return c->phase <= SMTP_CLIENT_MAILING && !c->quit &&
           count(c->inside) + count(c->done) < SMTP_CLIENT_DEPTH;
}

void smtp_client_add(struct smtp_client *c, struct smtp_client_tx *tx)
{
    BUG_ON(!tx->n_recipients || count(c->inside) + count(c->done) >= SMTP_CLIENT_DEPTH);
    tx->written = tx->read = (struct smtp_client_place){ SMTP_CLIENT_COMMAND_RSET, 0 };
    tx->accepted = 0;
    tx->begun = tx->in_doubt = tx->mail_refused = tx->ended = false;
    for (size_t i = 0; i < tx->n_recipients; i++)
        tx->recipients[i] = (struct smtp_client_recipient){ .address = tx->recipients[i].address };
    smtp_client_append(&c->inside, tx);
    if (c->phase > SMTP_CLIENT_MAILING || c->quit)
        smtp_client_refuse(c, tx);
    else if (c->phase == SMTP_CLIENT_MAILING)
        smtp_client_screen(c, tx);
}

/* The transaction whose content is being given; NULL: the session ended, or the end was said. */
static struct smtp_client_tx *in_content(const struct smtp_client *c)
{
    struct smtp_client_tx *tx = c->inside;

    return tx && tx->written.command == SMTP_CLIENT_COMMAND_DOT &&
                   tx->read.command == SMTP_CLIENT_COMMAND_DOT && !tx->ended
               ? tx
               : NULL;
}

void smtp_client_content(struct smtp_client *c, struct str piece, size_t *taken, struct buf *out)
{
    struct smtp_client_tx *tx = in_content(c);

    *taken = piece.n;
    if (!tx)
        return;
    if (!smtp_stuff(&c->stuffer, piece, taken, out)) {
        *taken = piece.n;
        smtp_client_fail(c, STR("4.3.0"), STR("out of memory"));
        return;
    }
    tx->begun |= *taken > 0;
}

void smtp_client_content_sent(struct smtp_client *c, bool ended_with_crlf)
{
    struct smtp_client_tx *tx = in_content(c);

    if (!tx)
        return;
    tx->begun = true;
    smtp_stuff_passed(&c->stuffer, ended_with_crlf);
}

void smtp_client_content_end(struct smtp_client *c, struct buf *out)
{
    struct smtp_client_tx *tx = in_content(c);

    if (!tx)
        return;
    tx->ended = true;
    smtp_client_write(c, out);
}

void smtp_client_content_failed(struct smtp_client *c, struct str text)
{
    if (in_content(c))
        smtp_client_fail(c, STR("4.3.0"), text);
}

void smtp_client_quit(struct smtp_client *c, struct buf *out)
{
    c->quit = true;
    smtp_client_write(c, out);
}

void smtp_client_lost(struct smtp_client *c, struct str text, struct buf *out)
{
    buf_clear(out);
    if (c->phase == SMTP_CLIENT_QUITTING)
        c->phase = SMTP_CLIENT_OVER; /* all was said; that the goodbye got lost is no failure */
    if (c->phase != SMTP_CLIENT_OVER)
        smtp_client_fail(c, STR("4.4.2"), text);
}

enum smtp_stage smtp_client_stage(const struct smtp_client *c)
{
    switch (c->phase) {
    case SMTP_CLIENT_GREETING:
        return SMTP_STAGE_GREETING;
    case SMTP_CLIENT_EHLO:
    case SMTP_CLIENT_HELO:
        return SMTP_STAGE_EHLO;
    case SMTP_CLIENT_STARTTLS:
    case SMTP_CLIENT_SHAKING:
        return SMTP_STAGE_TLS;
    case SMTP_CLIENT_LOGIN_OWN:
    case SMTP_CLIENT_LOGIN_PEER:
        return SMTP_STAGE_AUTH;
    case SMTP_CLIENT_MAILING:
        return c->inside ? smtp_client_place_stage(c->inside) : SMTP_STAGE_NONE;
    case SMTP_CLIENT_QUITTING:
        return SMTP_STAGE_QUIT;
    case SMTP_CLIENT_OVER:
        break;
    }
    return SMTP_STAGE_NONE;
}

bool smtp_client_idle(const struct smtp_client *c)
{
    return !c->inside && !c->done;
}

const struct smtp_client_features *smtp_client_features(const struct smtp_client *c)
{
    return &c->features;
}

size_t smtp_client_replies(const struct smtp_client *c)
{
    return c->replies;
}

static bool take_due(struct smtp_client *c, enum smtp_client_due due)
{
    bool is_due = c->due & due;

    c->due &= ~(unsigned)due;
    return is_due;
}

/* What is owed to the owner; MORE: nothing. */
static struct smtp_client_event event_due(struct smtp_client *c)
{
    struct smtp_client_tx *done = c->done;

    if (take_due(c, SMTP_CLIENT_DUE_TLS_REFUSED)) {
        const struct smtp_client_result why = c->failure;
        c->failure = (struct smtp_client_result){ 0 };
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_TLS_REFUSED, .failure = why };
    }
    if (take_due(c, SMTP_CLIENT_DUE_HANDSHAKE))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_HANDSHAKE };
    if (take_due(c, SMTP_CLIENT_DUE_LOGIN))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_LOGIN, .octets = c->features.auth };
    if (take_due(c, SMTP_CLIENT_DUE_CHALLENGE))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_CHALLENGE, .octets = buf_str(&c->login.challenge) };
    if (take_due(c, SMTP_CLIENT_DUE_LOGGED_IN))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_LOGGED_IN };
    if (take_due(c, SMTP_CLIENT_DUE_READY))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_READY };
    if (done) {
        c->done = done->next;
        done->next = NULL;
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_DONE, .tx = done };
    }
    if (take_due(c, SMTP_CLIENT_DUE_CONTENT))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_CONTENT, .tx = c->inside };
    if (take_due(c, SMTP_CLIENT_DUE_REFUSED))
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_REFUSED, .failure = c->failure };
    if (c->phase == SMTP_CLIENT_OVER)
        return (struct smtp_client_event){ .kind = SMTP_CLIENT_CLOSE, .failure = c->failure };
    return (struct smtp_client_event){ .kind = SMTP_CLIENT_MORE };
}

/* Not while what a reply would answer waits for room in OUT; while nothing is to be answered, what comes is
 * heard. */
static bool may_read(const struct smtp_client *c)
{
    switch (c->phase) {
    case SMTP_CLIENT_EHLO:
    case SMTP_CLIENT_HELO:
    case SMTP_CLIENT_STARTTLS:
    case SMTP_CLIENT_LOGIN_PEER:
    case SMTP_CLIENT_QUITTING:
        return c->written;
    case SMTP_CLIENT_MAILING:
        return !c->inside || smtp_client_owed(c->inside) || in_content(c);
    case SMTP_CLIENT_GREETING:
    case SMTP_CLIENT_SHAKING:
    case SMTP_CLIENT_LOGIN_OWN:
    case SMTP_CLIENT_OVER:
        break;
    }
    return true;
}

static void read_line(struct smtp_client *c, enum smtp_peer_step step)
{
    if (c->phase == SMTP_CLIENT_QUITTING) {
        if (step != SMTP_PEER_LINE)
            c->phase = SMTP_CLIENT_OVER; /* 221, or whatever: there is nothing behind it */
    } else if (step == SMTP_PEER_NONSENSE) {
        if (c->phase < SMTP_CLIENT_MAILING)
            c->due |= SMTP_CLIENT_DUE_REFUSED;
        smtp_client_fail(c, STR("4.5.0"), c->reply.fault);
    } else if (c->phase == SMTP_CLIENT_LOGIN_OWN || c->phase == SMTP_CLIENT_LOGIN_PEER) {
        if (step == SMTP_PEER_END)
            smtp_client_read_login(c);
    } else if (c->phase < SMTP_CLIENT_MAILING) {
        smtp_client_read_hello(c, step);
    } else if (step == SMTP_PEER_END) {
        smtp_client_read_reply(c);
    }
}

void smtp_client_next(struct smtp_client *c, struct str in, size_t *used, struct buf *out,
                      struct smtp_client_event *ev)
{
    *used = 0;
    smtp_client_end_login(c);
    for (;;) {
        smtp_client_write(c, out);
        *ev = event_due(c);
        /* What came in clear is nothing that TLS says (C098): it is dropped, now and until TLS stands. */
        if (c->phase == SMTP_CLIENT_SHAKING)
            *used = in.n;
        if (ev->kind != SMTP_CLIENT_MORE || *used == in.n || !may_read(c))
            return;
        size_t n;
        enum smtp_peer_step step = smtp_peer_reply_next(&c->reply, str_skip(in, *used), &n);
        *used += n;
        if (step == SMTP_PEER_END)
            c->replies++;
        if (step != SMTP_PEER_MORE)
            read_line(c, step);
    }
}
