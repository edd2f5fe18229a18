/* smtp/client_hello.c -- greeting, EHLO, and what it offers (RFC 5321 3.1, 3.2, 4.1.1.1; C146). */
#include "smtp/client_inside.h"

#include "core/num.h"

static void offer_size(struct smtp_client_features *f, struct str argument)
{
    f->size = true;
    /* RFC 1870 4: zero, or no number, says that there is no fixed maximum. */
    if (!num_parse_u64(argument, UINT64_MAX, &f->size_max))
        f->size_max = 0;
}

/* "SIZE 1000000": a keyword, without case, and its arguments. */
static void read_keyword(struct smtp_client_features *f, struct str line)
{
    struct str argument = str_trim(line);
    struct str keyword = str_cut(&argument, ' ');

    if (str_eq_nocase(keyword, STR("SIZE")))
        offer_size(f, str_trim(argument));
    f->pipelining |= str_eq_nocase(keyword, STR("PIPELINING"));
    f->eight_bit |= str_eq_nocase(keyword, STR("8BITMIME"));
    f->smtputf8 |= str_eq_nocase(keyword, STR("SMTPUTF8"));
    f->dsn |= str_eq_nocase(keyword, STR("DSN"));
    f->enhanced |= str_eq_nocase(keyword, STR("ENHANCEDSTATUSCODES"));
    f->chunking |= str_eq_nocase(keyword, STR("CHUNKING"));
}

/* Not here, says the peer. It waits for QUIT (RFC 5321 3.1), but after 421 for nothing. */
static void refuse(struct smtp_client *c, const struct smtp_client_result *failure)
{
    c->due |= SMTP_CLIENT_DUE_REFUSED;
    smtp_client_end(c, failure);
    if (failure->from_peer && failure->code != 421) {
        c->phase = SMTP_CLIENT_QUITTING;
        c->written = false;
    }
}

static void say_hello(struct smtp_client *c, enum smtp_client_phase phase)
{
    c->phase = phase;
    c->written = false;
}

static void begin_mailing(struct smtp_client *c)
{
    c->features.extended = c->phase == SMTP_CLIENT_EHLO;
    c->phase = SMTP_CLIENT_MAILING;
    c->due |= SMTP_CLIENT_DUE_READY;
    for (struct smtp_client_tx *tx = c->inside, *next; tx; tx = next) {
        next = tx->next;
        smtp_client_screen(c, tx);
    }
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
        say_hello(c, SMTP_CLIENT_HELO);
    } else if (kind == SMTP_RESULT_NONE) {
        c->due |= SMTP_CLIENT_DUE_REFUSED;
        smtp_client_fail(c, STR("4.5.0"), STR("a 3yz reply where there can be none"));
    } else if (kind != SMTP_RESULT_OK) {
        refuse(c, &failure);
    } else if (c->phase == SMTP_CLIENT_GREETING) {
        say_hello(c, SMTP_CLIENT_EHLO);
    } else {
        begin_mailing(c);
    }
}

void smtp_client_read_hello(struct smtp_client *c, enum smtp_peer_step step)
{
    /* The first line is the peer's name; HELO offers nothing. */
    if (c->phase == SMTP_CLIENT_EHLO && c->reply.lines > 1 &&
        smtp_client_kind(c->reply.code) == SMTP_RESULT_OK)
        read_keyword(&c->features, c->reply.line);
    if (step == SMTP_PEER_END)
        read_end(c);
}
