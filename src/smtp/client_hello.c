/* smtp/client_hello.c -- greeting, EHLO, what it offers, STARTTLS (RFC 5321 3.1, 3.2, 4.1.1.1; 3207; C146). */
#include "smtp/client_inside.h"

#include <string.h>

#include "core/num.h"

static void offer_size(struct smtp_client_features *f, struct str argument)
{
    f->size = true;
    /* RFC 1870 4: zero, or no number, says that there is no fixed maximum. */
    if (!num_parse_u64(argument, UINT64_MAX, &f->size_max))
        f->size_max = 0;
}

/* Mechanisms of this line behind those of lines before; what there is no room for is not offered. */
static void offer_auth(struct smtp_client *c, struct str argument)
{
    struct str *all = &c->features.auth;

    while (argument.p) {
        struct str word = str_cut(&argument, ' ');
        size_t blank = all->n > 0;
        if (!word.n || !str_is_ascii(word) || word.n + blank > sizeof(c->mechanisms) - all->n)
            continue;
        if (blank)
            c->mechanisms[all->n] = ' ';
        memcpy(c->mechanisms + all->n + blank, word.p, word.n);
        *all = str_of(c->mechanisms, all->n + blank + word.n);
    }
}

/* "SIZE 1000000": a keyword, without case, and its arguments. */
static void read_keyword(struct smtp_client *c, struct str line)
{
    struct smtp_client_features *f = &c->features;
    struct str argument = str_trim(line);
    struct str keyword = str_cut(&argument, ' ');

    if (str_eq_nocase(keyword, STR("SIZE")))
        offer_size(f, str_trim(argument));
    if (str_eq_nocase(keyword, STR("AUTH")))
        offer_auth(c, argument);
    f->starttls |= str_eq_nocase(keyword, STR("STARTTLS"));
    f->pipelining |= str_eq_nocase(keyword, STR("PIPELINING"));
    f->eight_bit |= str_eq_nocase(keyword, STR("8BITMIME"));
    f->smtputf8 |= str_eq_nocase(keyword, STR("SMTPUTF8"));
    f->dsn |= str_eq_nocase(keyword, STR("DSN"));
    f->enhanced |= str_eq_nocase(keyword, STR("ENHANCEDSTATUSCODES"));
    f->chunking |= str_eq_nocase(keyword, STR("CHUNKING"));
}

void smtp_client_turn_away(struct smtp_client *c, const struct smtp_client_result *failure)
{
    c->due |= SMTP_CLIENT_DUE_REFUSED;
    smtp_client_end(c, failure);
    if (failure->code != 421) {
        c->phase = SMTP_CLIENT_QUITTING;
        c->written = false;
    }
}

static void turn_away_for(struct smtp_client *c, enum smtp_stage stage, struct str status, struct str text)
{
    const struct smtp_client_result failure = smtp_client_ours(SMTP_RESULT_TEMP, stage, status, text);

    smtp_client_turn_away(c, &failure);
}

static void say(struct smtp_client *c, enum smtp_client_phase phase)
{
    c->phase = phase;
    c->written = false;
}

void smtp_client_begin_mailing(struct smtp_client *c)
{
    c->phase = SMTP_CLIENT_MAILING;
    c->due |= SMTP_CLIENT_DUE_READY;
    for (struct smtp_client_tx *tx = c->inside, *next; tx; tx = next) {
        next = tx->next;
        smtp_client_screen(c, tx);
    }
}

/* The features are known, TLS stands or is not wanted. */
static void log_in(struct smtp_client *c)
{
    if (!(c->flags & SMTP_CLIENT_AUTH)) {
        smtp_client_begin_mailing(c);
    } else if (!c->features.auth.n) {
        turn_away_for(c, SMTP_STAGE_AUTH, STR("4.7.4"), STR("the host does not offer to log in (AUTH)"));
    } else {
        c->phase = SMTP_CLIENT_LOGIN_OWN;
        c->due |= SMTP_CLIENT_DUE_LOGIN;
    }
}

static void end_hello(struct smtp_client *c)
{
    bool wants_tls = !c->secured && c->flags & (SMTP_CLIENT_TLS_MAY | SMTP_CLIENT_TLS_MUST);

    c->features.extended = c->phase == SMTP_CLIENT_EHLO;
    if (wants_tls && c->features.starttls)
        say(c, SMTP_CLIENT_STARTTLS);
    else if (wants_tls && c->flags & SMTP_CLIENT_TLS_MUST)
        turn_away_for(c, SMTP_STAGE_TLS, STR("4.7.4"), STR("the host does not offer TLS (STARTTLS)"));
    else
        log_in(c);
}

/* A peer that will not, though it said it would: that is no reason to talk in clear where TLS is a must. */
static void end_starttls(struct smtp_client *c, const struct smtp_client_result *answer)
{
    if (c->reply.code == 220) {
        c->phase = SMTP_CLIENT_SHAKING;
        c->due |= SMTP_CLIENT_DUE_HANDSHAKE;
    } else if (answer->kind == SMTP_RESULT_OK) {
        c->due |= SMTP_CLIENT_DUE_REFUSED;
        smtp_client_fail(c, STR("4.5.0"), STR("STARTTLS was answered with neither 220 nor a refusal"));
    } else if (c->reply.code == 421 || c->flags & SMTP_CLIENT_TLS_MUST) {
        smtp_client_turn_away(c, answer);
    } else {
        smtp_client_keep_failure(c, answer);
        c->due |= SMTP_CLIENT_DUE_TLS_REFUSED;
        log_in(c);
    }
}

void smtp_client_secured(struct smtp_client *c)
{
    if (c->phase != SMTP_CLIENT_SHAKING)
        return;
    c->secured = true;
    c->features = (struct smtp_client_features){ 0 };
    c->reply = (struct smtp_peer_reply){ 0 };
    say(c, SMTP_CLIENT_EHLO);
}

/* 500 and 502 say that the word EHLO is not known; LMTP has no other (RFC 2033 4.1). */
static bool wants_helo(const struct smtp_client *c)
{
    return c->phase == SMTP_CLIENT_EHLO && !(c->flags & SMTP_CLIENT_LMTP) &&
           (c->reply.code == 500 || c->reply.code == 502);
}

static void read_end(struct smtp_client *c)
{
    enum smtp_client_result_kind kind = smtp_client_kind(c->reply.code);
    struct smtp_client_result failure = smtp_client_verdict(c, smtp_client_stage(c), kind);

    if (wants_helo(c)) {
        say(c, SMTP_CLIENT_HELO);
    } else if (kind == SMTP_RESULT_NONE) {
        c->due |= SMTP_CLIENT_DUE_REFUSED;
        smtp_client_fail(c, STR("4.5.0"), STR("a 3yz reply where there can be none"));
    } else if (c->phase == SMTP_CLIENT_STARTTLS) {
        end_starttls(c, &failure);
    } else if (kind != SMTP_RESULT_OK) {
        smtp_client_turn_away(c, &failure);
    } else if (c->phase == SMTP_CLIENT_GREETING) {
        say(c, SMTP_CLIENT_EHLO);
    } else {
        end_hello(c);
    }
}

void smtp_client_read_hello(struct smtp_client *c, enum smtp_peer_step step)
{
    /* The first line is the peer's name; HELO offers nothing. */
    if (c->phase == SMTP_CLIENT_EHLO && c->reply.lines > 1 &&
        smtp_client_kind(c->reply.code) == SMTP_RESULT_OK)
        read_keyword(c, c->reply.line);
    if (step == SMTP_PEER_END)
        read_end(c);
}
