/* lookup/limits.c -- what counts: connections, transactions, and what limits say to them. */
#include "lookup/verdict.h"

#include "log/log.h"

struct policy_party lookup_party(const struct lookup_turn *t, const struct lookup_who *who)
{
    struct policy_party party =
        policy_party_of(who->client, who->sender, &lookup_session_of(t->lookup, who->listener)->limits);
    struct config_place place;

    party.account = who->account;
    party.exempt = party.exempt || lookup_relays(t->lookup, who, &place) == LOOKUP_RELAY;
    return party;
}

bool lookup_offers_vrfy(const struct lookup_turn *t, uint32_t listener)
{
    return lookup_session_of(t->lookup, listener)->vrfy.on;
}

static void record(const struct lookup_turn *t, const struct policy_party *party, const struct policy_excess *over)
{
    struct log_record r;
    const struct config_limit *limit = over->limit;
    struct ip_text client = ip_text(&party->client);

    log_start(&r, LOG_EVENT_LIMIT);
    if (t->session)
        log_session(&r, (struct session_id){ t->session });
    log_text_c(&r, LOG_CLIENT, party->client.family == IP_NONE ? "unix" : client.c);
    log_reason(&r, LOG_REASON_LIMIT);
    log_text(&r, LOG_KEY, config_limit_key_name(limit->key));
    log_text(&r, LOG_MEASURE, config_limit_measure_name(limit->measure));
    log_number(&r, LOG_VALUE, (int64_t)(over->value > INT64_MAX ? INT64_MAX : over->value));
    log_text(&r, LOG_BOUND, limit->written);
    log_text(&r, LOG_ACTION, config_limit_action_name(limit->action));
    if (party->account.n)
        log_text(&r, LOG_ACCOUNT, party->account);
    if (party->sender.n)
        log_text(&r, LOG_FROM, party->sender);
    log_send(&r);
}

/* At connect 421 says "later" to the session, 554 "never" (RFC 5321 3.1); then it is about one command. */
static enum smtp_reply_name row_of(const struct config_limit *limit, bool at_connect)
{
    bool never = limit->action == CONFIG_LIMIT_REJECT;

    if (!at_connect)
        return never ? SMTP_REPLY_LIMIT_REJECT : SMTP_REPLY_LIMIT_DEFER;
    if (never)
        return SMTP_REPLY_GREETING_REFUSED;
    return limit->measure == CONFIG_MEASURE_CONNECTIONS ? SMTP_REPLY_TOO_MANY_CONNECTIONS
                                                        : SMTP_REPLY_LIMIT_CLOSE;
}

static void refuse(struct lookup_turn *t, const struct policy_excess *over, bool at_connect, struct lookup_verdict *v)
{
    *v = (struct lookup_verdict){
        .row = row_of(over->limit, at_connect),
        .reason = LOG_REASON_LIMIT,
        .number = over->limit->bound,
        .key = over->limit->key,
        .rule = lookup_rule(t, over->limit->place),
    };
}

/* The first limit that asks for it stands for all. */
static void hold(struct lookup_turn *t, const struct config_limit *limit, struct lookup_verdict *v)
{
    struct str key = config_limit_key_name(limit->key), measure = config_limit_measure_name(limit->measure);

    if (v->held.n)
        return;
    v->held = arena_printf(t->scratch, "limit %.*s %.*s %.*s", STR_ARG(key), STR_ARG(measure), STR_ARG(limit->written));
    if (!v->held.n)
        v->held = STR("limit");
}

static bool allow(struct lookup_turn *t, const struct policy_party *party, enum config_limit_measure measure,
                  uint64_t n, bool at_connect, struct lookup_verdict *v)
{
    struct policy_excess over;
    enum policy_verdict verdict =
        policy_limits_judge(&t->lookup->counters, party, measure, n, t->now_msec, &over);

    if (verdict == POLICY_ALLOWED)
        return true;
    if (!t->only_looks)
        record(t, party, &over);
    if (verdict == POLICY_HELD)
        hold(t, over.limit, v);
    else
        refuse(t, &over, at_connect, v);
    return verdict == POLICY_HELD;
}

bool lookup_allow(struct lookup_turn *t, const struct policy_party *party, enum config_limit_measure measure,
                  uint64_t n, struct lookup_verdict *v)
{
    return allow(t, party, measure, n, false, v);
}

void lookup_take(struct lookup_turn *t, const struct policy_party *party, enum config_limit_measure measure,
                 uint64_t n)
{
    if (!t->only_looks)
        policy_limits_take(&t->lookup->counters, party, measure, n, t->now_msec);
}

void lookup_refuse(struct lookup_turn *t, const struct policy_excess *over, struct lookup_verdict *v)
{
    refuse(t, over, false, v);
}

bool lookup_connect(struct lookup_turn *t, const struct ipc_connect_ask *ask, struct ipc_connect_answer *answer)
{
    struct lookup_who who = { .client = ask->client, .listener = ask->listener };
    struct policy_party party = lookup_party(t, &who);
    struct lookup_verdict v = { 0 };
    struct config_place place;

    bool ok = ask->again || (allow(t, &party, CONFIG_MEASURE_CONNECTIONS, 1, true, &v) &&
                             allow(t, &party, CONFIG_MEASURE_SESSIONS, 1, true, &v) &&
                             allow(t, &party, CONFIG_MEASURE_ERRORS, 1, true, &v));
    *answer = (struct ipc_connect_answer){
        .ticket = ask->ticket,
        .refused = !ok,
        .relays = ok && lookup_relays(t->lookup, &who, &place) == LOOKUP_RELAY,
        .row = (uint16_t)v.row,
        .reason = (uint16_t)v.reason,
        .number = v.number,
        .rule = v.rule,
    };
    /* One that is refused is open too until its DISCONNECT. */
    if (!t->only_looks)
        policy_limits_open(&t->lookup->counters, &party, CONFIG_MEASURE_CONNECTIONS);
    if (ok && !ask->again)
        lookup_take(t, &party, CONFIG_MEASURE_SESSIONS, 1);
    return party.exempt;
}

/* By the counts by which it was opened, whoever logged in and whatever a file of relay-from says by now. */
void lookup_release(struct lookup_turn *t, struct str client, uint32_t listener, bool exempt)
{
    struct policy_party party =
        policy_party_of(client, STR_NONE, &lookup_session_of(t->lookup, listener)->limits);
    struct list woken;

    party.exempt = exempt;
    /* Nobody waits for a connection to be closed. */
    list_init(&woken);
    policy_limits_close(&t->lookup->counters, &party, CONFIG_MEASURE_CONNECTIONS, &woken);
}

void lookup_disconnect(struct lookup_turn *t, const struct ipc_disconnect *notice, bool exempt)
{
    struct lookup_who who = { .client = notice->client, .listener = notice->listener, .account = notice->account };
    struct policy_party party = lookup_party(t, &who);

    lookup_release(t, notice->client, notice->listener, exempt);
    lookup_take(t, &party, CONFIG_MEASURE_ERRORS, notice->errors);
    lookup_take(t, &party, CONFIG_MEASURE_OCTETS, notice->octets);
}

void lookup_mail(struct lookup_turn *t, const struct ipc_mail_ask *ask, struct ipc_mail_answer *answer)
{
    struct lookup_who who = { .client = ask->client,
                              .listener = ask->listener,
                              .account = ask->account,
                              .certificate = ask->certificate,
                              .sender = ask->sender };
    struct policy_party party = lookup_party(t, &who);
    struct lookup_verdict v = { 0 };

    /* What a client does not declare is counted when it has gone; here an octet asks whether any are left. */
    bool ok = lookup_may_send_as(t, &who, &v) && lookup_allow(t, &party, CONFIG_MEASURE_MESSAGES, 1, &v) &&
              lookup_allow(t, &party, CONFIG_MEASURE_OCTETS, ask->size ? ask->size : 1, &v);
    *answer = (struct ipc_mail_answer){
        .ticket = ask->ticket,
        .refused = !ok,
        .held = ok && v.held.n,
        .row = (uint16_t)v.row,
        .reason = (uint16_t)v.reason,
        .number = v.number,
        .detail = ok ? v.held : v.text,
        .rule = v.rule,
    };
    if (!ok)
        return;
    lookup_take(t, &party, CONFIG_MEASURE_MESSAGES, 1);
    lookup_take(t, &party, CONFIG_MEASURE_OCTETS, ask->size);
}
