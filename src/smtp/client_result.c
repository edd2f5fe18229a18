/* smtp/client_result.c -- from replies to results (RFC 5321 4.2; 3463; 5248), ends of transactions. */
#include "smtp/client_inside.h"

#include <string.h>

#include "core/check.h"

/*
 * What stands for the enhanced status code of a peer that gives none: subject and detail. Only where the code
 * itself says so much (RFC 5321 4.2.3) and RFC 5248 2.4 allows the pair; 450, 550 and 554 are said of
 * mailboxes and of policy alike, so that nothing is known but the class: X.0.0.
 */
static const struct {
    unsigned code;
    enum smtp_stage stage; /* NONE: any */
    const char *status;
} derived[] = {
    { 421, SMTP_STAGE_NONE, "4.3.0" }, /* the service goes away */
    { 451, SMTP_STAGE_NONE, "4.3.0" }, /* error in processing */
    { 452, SMTP_STAGE_NONE, "4.3.1" }, /* insufficient system storage */
    { 455, SMTP_STAGE_NONE, "4.5.4" }, /* unable to accommodate parameters */
    { 500, SMTP_STAGE_NONE, "5.5.2" }, /* syntax */
    { 501, SMTP_STAGE_NONE, "5.5.4" }, /* syntax of parameters */
    { 502, SMTP_STAGE_NONE, "5.5.1" }, /* not implemented */
    { 503, SMTP_STAGE_NONE, "5.5.1" }, /* bad sequence */
    { 504, SMTP_STAGE_NONE, "5.5.4" }, /* parameter not implemented */
    { 530, SMTP_STAGE_NONE, "5.7.0" }, /* authentication required (RFC 4954 6) */
    { 552, SMTP_STAGE_RCPT, "5.2.2" }, /* this mailbox is full */
    { 552, SMTP_STAGE_NONE, "5.3.4" }, /* message too big */
    { 553, SMTP_STAGE_RCPT, "5.1.0" }, /* mailbox name not allowed */
    { 553, SMTP_STAGE_MAIL, "5.1.0" }, { 555, SMTP_STAGE_NONE, "5.5.4" }, /* parameters not recognized */
};

static char class_of(enum smtp_client_result_kind kind)
{
    if (kind == SMTP_RESULT_OK)
        return '2';
    return kind == SMTP_RESULT_PERM ? '5' : '4';
}

/* The class is set later. */
static struct str derived_status(unsigned code, enum smtp_stage stage, enum smtp_client_result_kind kind)
{
    if (kind == SMTP_RESULT_AGAIN)
        return STR("4.5.3"); /* too many recipients */
    for (size_t i = 0; i < ARRAY_LEN(derived); i++)
        if (derived[i].code == code && (derived[i].stage == stage || derived[i].stage == SMTP_STAGE_NONE))
            return str_from_c(derived[i].status);
    return STR("X.0.0");
}

enum smtp_client_result_kind smtp_client_kind(unsigned code)
{
    switch (code / 100) {
    case 2:
        return SMTP_RESULT_OK;
    case 4:
        return SMTP_RESULT_TEMP;
    case 5:
        return SMTP_RESULT_PERM;
    default:
        return SMTP_RESULT_NONE;
    }
}

struct smtp_client_result smtp_client_verdict(const struct smtp_client *c, enum smtp_stage stage,
                                              enum smtp_client_result_kind kind)
{
    const struct smtp_peer_reply *r = &c->reply;

    return (struct smtp_client_result){ .kind = kind,
                                        .stage = stage,
                                        .code = r->code,
                                        .status =
                                            r->status.n ? r->status : derived_status(r->code, stage, kind),
                                        .text = r->text,
                                        .from_peer = true };
}

struct smtp_client_result smtp_client_ours(enum smtp_client_result_kind kind, enum smtp_stage stage,
                                           struct str status, struct str text)
{
    return (struct smtp_client_result){ .kind = kind, .stage = stage, .status = status, .text = text };
}

static struct str keep_in(char *place, size_t size, struct str s)
{
    s = str_head(s, size);
    /* It may stand there already. */
    if (s.n)
        memmove(place, s.p, s.n);
    return str_of(place, s.n);
}

/* STATUS in PLACE (SMTP_PEER_STATUS_MAX), of KIND's class: the code decides, the class follows (RFC 2034 4).
 */
static struct str keep_status(char *place, struct str status, enum smtp_client_result_kind kind)
{
    status = keep_in(place, SMTP_PEER_STATUS_MAX, status);
    place[0] = class_of(kind);
    return status;
}

static struct str bare_status(enum smtp_client_result_kind kind)
{
    if (kind == SMTP_RESULT_OK)
        return STR("2.0.0");
    return kind == SMTP_RESULT_PERM ? STR("5.0.0") : STR("4.0.0");
}

/* RESULT with texts of TX's arena; without memory the text is lost, and all of the status but its class. */
static struct smtp_client_result kept(struct smtp_client_tx *tx, const struct smtp_client_result *result)
{
    char status[SMTP_PEER_STATUS_MAX];
    struct smtp_client_result r = *result;

    r.status = arena_str(tx->arena, keep_status(status, r.status, r.kind));
    if (!r.status.n)
        r.status = bare_status(r.kind);
    r.text = arena_str(tx->arena, r.text);
    return r;
}

void smtp_client_settle(struct smtp_client_tx *tx, const struct smtp_client_result *result)
{
    struct smtp_client_result r = { 0 };

    for (size_t i = 0; i < tx->n_recipients; i++) {
        if (tx->recipients[i].result.kind != SMTP_RESULT_NONE)
            continue;
        if (r.kind == SMTP_RESULT_NONE)
            r = kept(tx, result);
        tx->recipients[i].result = r;
    }
}

void smtp_client_settle_one(struct smtp_client_tx *tx, size_t recipient,
                            const struct smtp_client_result *result)
{
    tx->recipients[recipient].result = kept(tx, result);
}

static void unlink_tx(struct smtp_client *c, struct smtp_client_tx *tx)
{
    struct smtp_client_tx **at = &c->inside;

    while (*at != tx)
        at = &(*at)->next;
    *at = tx->next;
}

void smtp_client_append(struct smtp_client_tx **list, struct smtp_client_tx *tx)
{
    tx->next = NULL;
    while (*list)
        list = &(*list)->next;
    *list = tx;
}

void smtp_client_finish(struct smtp_client *c, struct smtp_client_tx *tx)
{
    unlink_tx(c, tx);
    smtp_client_append(&c->done, tx);
}

static bool path_is_sane(struct str path)
{
    return path.n <= SMTP_CLIENT_PATH_MAX && !str_has(path, '\r') && !str_has(path, '\n') &&
           !str_has(path, '\0');
}

#define NO_SMTPUTF8 "the next host does not take internationalized mail (SMTPUTF8)"

/* What keeps all of TX from this peer; kind NONE: nothing. */
static struct smtp_client_result obstacle(const struct smtp_client *c, const struct smtp_client_tx *tx)
{
    const struct smtp_client_features *f = &c->features;
    struct str status = STR_NONE, text = STR_NONE;

    if (!path_is_sane(tx->sender)) {
        status = STR("5.1.7");
        text = STR("the reverse-path cannot be written in SMTP");
    } else if (!f->smtputf8 && (tx->utf8 || !str_is_ascii(tx->sender))) {
        status = tx->utf8_header ? STR("5.6.9") : STR("5.6.7");
        text = STR(NO_SMTPUTF8);
    } else if (tx->eight_bit && !f->eight_bit) {
        status = STR("5.6.3");
        text = STR("the next host does not take 8-bit content (8BITMIME)");
    } else if (f->size_max && tx->size > f->size_max) {
        status = STR("5.3.4");
        text = STR("the message is larger than the next host takes (SIZE)");
    }
    return smtp_client_ours(status.n ? SMTP_RESULT_PERM : SMTP_RESULT_NONE, SMTP_STAGE_MAIL, status, text);
}

/* The same for one recipient. */
static struct smtp_client_result address_obstacle(const struct smtp_client *c, struct str address)
{
    struct str status = STR_NONE, text = STR_NONE;

    if (!address.n || !path_is_sane(address)) {
        status = STR("5.1.3");
        text = STR("the forward-path cannot be written in SMTP");
    } else if (!c->features.smtputf8 && !str_is_ascii(address)) {
        status = STR("5.6.7");
        text = STR(NO_SMTPUTF8);
    }
    return smtp_client_ours(status.n ? SMTP_RESULT_PERM : SMTP_RESULT_NONE, SMTP_STAGE_RCPT, status, text);
}

void smtp_client_screen(struct smtp_client *c, struct smtp_client_tx *tx)
{
    const struct smtp_client_result whole = obstacle(c, tx);
    size_t asked = 0;

    if (whole.kind != SMTP_RESULT_NONE)
        smtp_client_settle(tx, &whole);
    tx->says_utf8 = tx->utf8 || !str_is_ascii(tx->sender);
    for (size_t i = 0; i < tx->n_recipients && whole.kind == SMTP_RESULT_NONE; i++) {
        struct smtp_client_recipient *r = &tx->recipients[i];
        const struct smtp_client_result alone = address_obstacle(c, r->address);
        if (alone.kind != SMTP_RESULT_NONE)
            smtp_client_settle_one(tx, i, &alone);
        r->asked = alone.kind == SMTP_RESULT_NONE;
        asked += r->asked;
        tx->says_utf8 |= r->asked && !str_is_ascii(r->address);
    }
    if (!asked)
        smtp_client_finish(c, tx);
}

void smtp_client_refuse(struct smtp_client *c, struct smtp_client_tx *tx)
{
    const struct smtp_client_result r =
        smtp_client_ours(SMTP_RESULT_AGAIN, SMTP_STAGE_NONE, STR("4.4.2"), STR("the session had ended"));

    smtp_client_settle(tx, &r);
    smtp_client_finish(c, tx);
}

/* The dot is out and unanswered. 421 answers; of LMTP for the next recipient alone (RFC 2033 4.2). */
static bool leaves_doubt(const struct smtp_client *c, const struct smtp_client_tx *tx,
                         const struct smtp_client_result *r)
{
    size_t unanswered = 0;

    if (r->stage != SMTP_STAGE_FINAL)
        return false;
    for (size_t i = 0; i < tx->n_recipients; i++)
        unanswered += tx->recipients[i].accepted && tx->recipients[i].result.kind == SMTP_RESULT_NONE;
    if (r->from_peer)
        return c->flags & SMTP_CLIENT_LMTP && unanswered > 1;
    return unanswered > 0;
}

/* RFC 5321 3.8, C154: what was in hand as after 451; of what was not begun the session says nothing. */
static void cut_short(struct smtp_client *c, struct smtp_client_tx *tx, bool in_hand)
{
    struct smtp_client_result r = c->failure;

    r.stage = in_hand ? smtp_client_place_stage(tx) : SMTP_STAGE_NONE;
    if (r.stage == SMTP_STAGE_NONE || (r.stage == SMTP_STAGE_MAIL && c->made))
        r.kind = SMTP_RESULT_AGAIN;
    tx->in_doubt = leaves_doubt(c, tx, &r);
    smtp_client_settle(tx, &r);
    smtp_client_finish(c, tx);
}

void smtp_client_keep_failure(struct smtp_client *c, const struct smtp_client_result *failure)
{
    c->failure = *failure;
    c->failure.status = keep_status(c->failure_status, failure->status, failure->kind);
    c->failure.text = keep_in(c->failure_text, sizeof(c->failure_text), failure->text);
}

void smtp_client_end(struct smtp_client *c, const struct smtp_client_result *failure)
{
    bool in_hand = c->inside && c->inside->written.command > SMTP_CLIENT_COMMAND_MAIL;

    smtp_client_keep_failure(c, failure);
    smtp_client_forget_login(c);
    c->phase = SMTP_CLIENT_OVER;
    c->due &= SMTP_CLIENT_DUE_REFUSED;
    for (; c->inside; in_hand = false)
        cut_short(c, c->inside, in_hand);
}

void smtp_client_fail(struct smtp_client *c, struct str status, struct str text)
{
    const struct smtp_client_result failure =
        smtp_client_ours(SMTP_RESULT_TEMP, smtp_client_stage(c), status, text);

    smtp_client_end(c, &failure);
}
