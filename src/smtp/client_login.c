/* smtp/client_login.c -- AUTH: the exchange as lines, SASL as octets (RFC 4954 4). */
#include "smtp/client_inside.h"

#include <string.h>

#include "core/base64.h"
#include "core/check.h"

enum { COMMAND_MAX = 512 /* RFC 4954 4: an initial response has room in a command, or is no part of it */ };

/* ---- what was secret ---- */

static void forget_line(struct smtp_client *c)
{
    buf_wipe(&c->login.line);
    c->login.at = 0;
}

void smtp_client_forget_login(struct smtp_client *c)
{
    forget_line(c);
    buf_wipe(&c->login.withheld);
    buf_wipe(&c->login.challenge);
}

/* ---- saying ---- */

static void turn_away(struct smtp_client *c)
{
    const struct smtp_client_result failure = c->failure;

    smtp_client_turn_away(c, &failure);
}

static size_t base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}

/* An empty line for HEAD, TEXT of base64, and CRLF; its room does not move, so that nothing is left behind. */
static bool begin_line(struct smtp_client *c, struct str head, size_t text)
{
    size_t n = head.n + text + 2;

    forget_line(c);
    c->login.line = BUF_INIT(n);
    return buf_room(&c->login.line, n) && buf_add(&c->login.line, head);
}

static void end_line(struct smtp_client *c, bool well)
{
    if (!well || !buf_add(&c->login.line, STR("\r\n"))) {
        smtp_client_fail(c, STR("4.3.0"), STR("out of memory"));
        return;
    }
    c->phase = SMTP_CLIENT_LOGIN_PEER;
    c->written = false;
}

/* "=" says that there is a response, and that it is empty. */
static bool add_response(struct buf *line, struct str octets, bool initial)
{
    return initial && !octets.n ? buf_add_char(line, '=') : base64_add(line, octets);
}

static void say_response(struct smtp_client *c, struct str octets)
{
    end_line(c, begin_line(c, STR_NONE, base64_size(octets.n)) && add_response(&c->login.line, octets, false));
}

static bool withhold(struct smtp_client *c, struct str octets)
{
    buf_wipe(&c->login.withheld);
    c->login.withheld = BUF_INIT(octets.n);
    return buf_add(&c->login.withheld, octets);
}

void smtp_client_auth(struct smtp_client *c, struct str mechanism, const struct str *initial)
{
    BUG_ON(initial && initial->n > SMTP_CLIENT_AUTH_MAX);
    size_t text = initial ? size_max(base64_size(initial->n), 1) + 1 : 0;
    bool fits = mechanism.n + text + 7 <= COMMAND_MAX, well;

    if (c->phase != SMTP_CLIENT_LOGIN_OWN)
        return;
    c->login.open = true;
    well = begin_line(c, STR("AUTH "), mechanism.n + text) && buf_add(&c->login.line, mechanism);
    if (initial && fits)
        well = well && buf_add_char(&c->login.line, ' ') && add_response(&c->login.line, *initial, true);
    else if (initial)
        well = well && withhold(c, *initial);
    end_line(c, well);
}

void smtp_client_auth_respond(struct smtp_client *c, struct str octets)
{
    BUG_ON(octets.n > SMTP_CLIENT_AUTH_MAX);
    if (c->phase == SMTP_CLIENT_LOGIN_OWN && c->login.open)
        say_response(c, octets);
}

void smtp_client_auth_give_up(struct smtp_client *c, struct str status, struct str text)
{
    const struct smtp_client_result failure =
        smtp_client_ours(SMTP_RESULT_TEMP, SMTP_STAGE_AUTH, status, text);

    if (c->phase != SMTP_CLIENT_LOGIN_OWN)
        return;
    smtp_client_keep_failure(c, &failure);
    if (!c->login.open) {
        turn_away(c);
        return;
    }
    c->login.cancelled = true;
    end_line(c, begin_line(c, STR("*"), 0));
}

bool smtp_client_write_login(struct smtp_client *c, struct buf *out)
{
    struct smtp_client_login *l = &c->login;
    struct str rest = str_skip(buf_str(&l->line), l->at);
    size_t n = size_min(rest.n, out->max - out->n);

    if (n && !(buf_room(out, n) && buf_add(out, str_head(rest, n)))) {
        smtp_client_fail(c, STR("4.3.0"), STR("out of memory"));
        return false;
    }
    l->at += n;
    if (l->at < l->line.n)
        return false;
    forget_line(c);
    return true;
}

/* ---- hearing ---- */

static void hear_challenge(struct smtp_client *c)
{
    struct smtp_client_login *l = &c->login;

    c->phase = SMTP_CLIENT_LOGIN_OWN;
    buf_clear(&l->challenge);
    l->challenge.max = SMTP_PEER_LINE_KEPT;
    if (c->reply.lines > 1 || c->reply.cut || !base64_read(&l->challenge, c->reply.line)) {
        smtp_client_auth_give_up(c, STR("4.5.0"), STR("a challenge to AUTH that is not one line of base64"));
    } else if (++l->challenges > SMTP_CLIENT_CHALLENGES_MAX) {
        smtp_client_auth_give_up(c, STR("4.5.0"), STR("challenges to AUTH without end"));
    } else if (l->withheld.n && !l->challenge.n) {
        say_response(c, buf_str(&l->withheld));
        buf_wipe(&l->withheld);
    } else {
        c->due |= SMTP_CLIENT_DUE_CHALLENGE;
    }
}

void smtp_client_read_login(struct smtp_client *c)
{
    enum smtp_client_result_kind kind = smtp_client_kind(c->reply.code);
    const struct smtp_client_result answer = smtp_client_verdict(c, SMTP_STAGE_AUTH, kind);

    if (c->phase == SMTP_CLIENT_LOGIN_OWN && c->reply.code != 421) {
        c->due |= SMTP_CLIENT_DUE_REFUSED;
        smtp_client_fail(c, STR("4.5.0"), STR("a reply to nothing"));
    } else if (c->login.cancelled) {
        turn_away(c);
    } else if (c->reply.code == 334) {
        hear_challenge(c);
    } else if (c->reply.code == 235) {
        c->phase = SMTP_CLIENT_LOGIN_OWN;
        c->login.open = false;
        c->login.done = true;
        c->due |= SMTP_CLIENT_DUE_LOGGED_IN;
    } else if (kind == SMTP_RESULT_NONE || kind == SMTP_RESULT_OK) {
        c->due |= SMTP_CLIENT_DUE_REFUSED;
        smtp_client_fail(c, STR("4.5.0"), STR("AUTH was answered with neither 235, 334 nor a refusal"));
    } else {
        smtp_client_turn_away(c, &answer);
    }
}

void smtp_client_end_login(struct smtp_client *c)
{
    if (c->phase != SMTP_CLIENT_LOGIN_OWN || !c->login.done || c->due & SMTP_CLIENT_DUE_LOGGED_IN)
        return;
    smtp_client_forget_login(c);
    smtp_client_begin_mailing(c);
}
