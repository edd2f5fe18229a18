/* send/authenticate.c */
#include "send/authenticate.h"

#include <string.h>

#include "core/check.h"

enum { UNIQUE_MAX = 64, EXPORTER = 32 };

/* RFC 5248: 4.7.0 for our own reasons; the message waits until somebody has mended them. */
static void give_up(struct connection *c, const struct err *err)
{
    authenticate_done(c);
    smtp_client_auth_give_up(c->smtp, STR("4.7.0"), str_from_c(err->text));
}

/* The levels see to it before; a password is worth a second look. */
static bool is_sure_of_peer(const struct connection *c)
{
    struct tls_facts facts;

    if (!c->tls)
        return false;
    tls_stream_facts(c->tls, &facts);
    return facts.verified || c->sending->tls.level == CONFIG_TLS_FINGERPRINT;
}

/* C121: tls-exporter with TLS 1.3, tls-unique before. */
static void bind_channel(const struct connection *c, struct login_who *who, unsigned char room[UNIQUE_MAX])
{
    size_t n = 0;

    if (strcmp(c->tls_version, "TLSv1.3") == 0 && tls_stream_exporter(c->tls, room))
        who->exporter = str_of((const char *)room, EXPORTER);
    else if (strcmp(c->tls_version, "TLSv1.2") == 0 && tls_stream_unique(c->tls, room, &n))
        who->unique = str_of((const char *)room, n);
}

/* The key is reckoned. The peer's time for its reply begins now. */
static void on_answered(struct login_owner *o, const struct str *response, const struct err *why)
{
    struct connection *c = CONTAINER_OF(o, struct connection, login_owner);

    connection_hand_note(c);
    c->stage = SMTP_STAGE_NONE;
    if (response)
        smtp_client_auth_respond(c->smtp, *response);
    else
        give_up(c, why);
    dialogue_drive(c, STR_NONE);
}

void authenticate_begin(struct connection *c, struct str offered)
{
    struct login_who who = {
        .name = c->route->login_name.text, .host = c->address->host, .port = c->address->port
    };
    unsigned char room[UNIQUE_MAX];
    struct str initial;
    struct err err = { 0 };

    if (!is_sure_of_peer(c)) {
        err_perm(&err, "a password is sent inside verified TLS only");
    } else if (trust_secret(&c->send->trust, &c->route->login_secret, &who.secret, &err)) {
        bind_channel(c, &who, room);
        c->login_owner = (struct login_owner){ .answered = on_answered };
        c->login = login_new(c->send->logins, offered, &who, &c->login_owner, &err);
    }
    if (!c->login)
        give_up(c, &err);
    else if (!login_speaks_first(c->login))
        smtp_client_auth(c->smtp, login_mechanism(c->login), NULL);
    else if (login_step(c->login, STR_NONE, &initial, &err) == LOGIN_SAYS)
        smtp_client_auth(c->smtp, login_mechanism(c->login), &initial);
    else
        give_up(c, &err);
}

void authenticate_step(struct connection *c, struct str challenge)
{
    struct err err = { 0 };
    struct str response;

    switch (login_step(c->login, challenge, &response, &err)) {
    case LOGIN_SAYS:
        smtp_client_auth_respond(c->smtp, response);
        break;
    case LOGIN_WAITS:
        break;
    case LOGIN_FAILED:
        give_up(c, &err);
        break;
    }
}

void authenticate_check(struct connection *c)
{
    struct err err = { 0 };

    if (!login_is_whole(c->login)) {
        err_temp(&err, "the host takes the log-in, but has not proven that it knows the password");
        give_up(c, &err);
        return;
    }
    authenticate_done(c);
}

void authenticate_done(struct connection *c)
{
    login_free(c->login);
    c->login = NULL;
}

struct str authenticate_words(const struct connection *c, struct str text)
{
    return c->login && login_is_betrayed(c->login, text) ? STR("(its reply repeats the secret)") : text;
}

/* "AUTH PLAIN", and that there was more. */
static void mask_ours(struct str line, struct buf *out)
{
    struct str rest = line;

    if (str_starts(line, STR("AUTH "))) {
        buf_add(out, str_cut(&rest, ' '));
        buf_add_char(out, ' ');
        buf_add(out, str_cut(&rest, ' '));
        buf_add(out, rest.p ? STR(" ...") : STR_NONE);
    } else {
        buf_add(out, str_eq(line, STR("QUIT")) || str_eq(line, STR("*")) ? line : STR("..."));
    }
}

static void mask_theirs(const struct connection *c, struct str line, struct buf *out)
{
    bool is_reply = line.n >= 3 && ascii_is_digit(line.p[0]) && ascii_is_digit(line.p[1]) && ascii_is_digit(line.p[2]);

    if (!is_reply || str_starts(line, STR("334")))
        buf_add(out, is_reply ? STR("334 ...") : STR("..."));
    else
        buf_add(out, authenticate_words(c, line));
}

void authenticate_mask(const struct connection *c, bool by_us, struct str lines, struct buf *out)
{
    while (lines.n) {
        struct str line = str_trim(str_cut(&lines, '\n'));
        if (by_us)
            mask_ours(line, out);
        else
            mask_theirs(c, line, out);
        buf_add(out, STR("\r\n"));
    }
}
