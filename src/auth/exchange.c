/* auth/exchange.c */
#include "auth/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "auth/check.h"
#include "auth/ended.h"
#include "auth/waiting.h"
#include "log/log.h"

enum { EXCHANGE_ARENA_MAX = 64 * 1024, PAM_TOLD_AGAIN_MSEC = 60 * 1000 };

static const char outdated[] = "the account was changed meanwhile";

/* ---- answers ---- */

static void drop(struct auth_exchange *x)
{
    /* Whoever goes without a verdict leaves its place among those who try: here, so that it is on every way out. */
    if (x->guess)
        auth_tell_guessed(x, IPC_GUESS_NOT_MADE);
    map_remove(&x->auth->exchanges, &x->node);
    auth_waiting_end(x);
    auth_sasl_end(&x->sasl);
    io_timer_done(&x->patience);
    if (x->token.n)
        explicit_bzero((char *)(uintptr_t)x->token.p, x->token.n);
    arena_free(x->arena);
    explicit_bzero(x, sizeof(*x));
    free(x);
}

/* Whom they said to be, for the log. */
static struct str said_name(const struct auth_exchange *x)
{
    if (x->name.account.n)
        return x->name.account;
    return str_from_c(x->sasl.name.c[0] ? x->sasl.name.c : x->sasl.authzid.c);
}

static void send_answer(struct auth_exchange *x, struct ipc_login_answer *answer)
{
    answer->ticket = x->key.ticket;
    ipc_send_login_answer(x->key.peer, answer);
    if (answer->status != IPC_LOGIN_CONTINUE)
        drop(x);
}

static void fail(struct auth_exchange *x, enum ipc_login status, enum log_reason reason, const char *detail)
{
    send_answer(x, &(struct ipc_login_answer){
                       .status = status,
                       .reason = reason,
                       .account = said_name(x),
                       .detail = str_from_c(detail),
                   });
}

static void wrong(struct auth_exchange *x)
{
    fail(x, IPC_LOGIN_WRONG, LOG_REASON_SYNTAX, "not a message of this mechanism");
}

static void put_off(struct auth_exchange *x, const char *why)
{
    fail(x, IPC_LOGIN_TEMP, LOG_REASON_LOOKUP, why);
}

static void challenge(struct auth_exchange *x, struct str octets)
{
    send_answer(x, &(struct ipc_login_answer){ .status = IPC_LOGIN_CONTINUE, .challenge = octets });
}

static void succeed(struct auth_exchange *x)
{
    send_answer(x, &(struct ipc_login_answer){ .status = IPC_LOGIN_DONE, .account = x->account });
}

static void on_impatient(struct io_timer *timer)
{
    put_off(CONTAINER_OF(timer, struct auth_exchange, patience), "no answer in time");
}

/* May somebody try this account from there? Before its password is looked at. */
static void ask_guess(struct auth_exchange *x)
{
    if (!auth_ask_guess(x))
        put_off(x, x->detail);
}

/* ---- who it is ---- */

static void refuse(struct auth_exchange *x, const char *detail)
{
    auth_tell_guessed(x, IPC_GUESS_WRONG);
    fail(x, IPC_LOGIN_REFUSED, LOG_REASON_PASSWORD, detail);
}

/* Acting for somebody else is nobody's right: an authzid is empty, or the same account (C119). */
static bool acts_as_itself(struct auth_exchange *x)
{
    struct auth_name other;

    if (!x->sasl.authzid.c[0])
        return true;
    return auth_name_read(x->arena, str_from_c(x->sasl.authzid.c), x->auth->config->origin.text, &other) ==
               AUTH_NAME_OK &&
           str_eq(other.account, x->name.account);
}

static void conclude(struct auth_exchange *x, enum auth_verdict verdict)
{
    switch (verdict) {
    case AUTH_VERDICT_YES:
        auth_tell_guessed(x, IPC_GUESS_RIGHT);
        succeed(x);
        return;
    case AUTH_VERDICT_NO:
        refuse(x, x->detail);
        return;
    case AUTH_VERDICT_LATER:
        put_off(x, x->detail);
        return;
    case AUTH_VERDICT_WAIT:
        return;
    }
}

static void on_password(struct auth_exchange *x)
{
    switch (auth_take_name(x)) {
    case AUTH_NAME_NO_MEMORY:
        put_off(x, "out of memory");
        return;
    case AUTH_NAME_NOBODY:
    case AUTH_NAME_OK:
        /* What no account can be called is counted like an unknown one, and takes as long. */
        ask_guess(x);
        return;
    }
}

/* The proof was right. Its answer goes out as a challenge that wants an empty response (RFC 4954 4). */
static void on_proven(struct auth_exchange *x, struct str last)
{
    if (!x->account.n || !acts_as_itself(x)) {
        refuse(x, "another authzid");
        return;
    }
    auth_tell_guessed(x, IPC_GUESS_RIGHT);
    x->stage = AUTH_STAGE_LAST;
    challenge(x, last);
}

static void on_identity(struct auth_exchange *x)
{
    if (!auth_find_certified(x)) {
        fail(x, IPC_LOGIN_REFUSED, LOG_REASON_AUTH, x->detail);
        return;
    }
    auth_tell_guessed(x, IPC_GUESS_RIGHT);
    succeed(x);
}

static void advance(struct auth_exchange *x, struct str response)
{
    char *out;
    size_t n;
    enum auth_sasl_result result = auth_sasl_step(&x->sasl, response, &out, &n);

    switch (result) {
    case AUTH_SASL_CHALLENGE:
        challenge(x, str_of(out, n));
        break;
    case AUTH_SASL_PASSWORD:
        on_password(x);
        break;
    case AUTH_SASL_IDENTITY:
        on_identity(x);
        break;
    case AUTH_SASL_PROVEN:
        on_proven(x, str_of(out, n));
        break;
    case AUTH_SASL_REFUSED:
        refuse(x, "wrong password, or one that nobody can have");
        break;
    case AUTH_SASL_WRONG:
        wrong(x);
        break;
    case AUTH_SASL_TEMP:
        put_off(x, x->detail);
        break;
    }
    gsasl_free(out);
}

/* Whose account it is only the token says. */
static void hear_token(struct auth_exchange *x, struct str response)
{
    if (!response.p) {
        x->sasl.asked = true;
        challenge(x, STR_NONE);
        return;
    }
    switch (auth_take_token(x, response)) {
    case AUTH_TOKEN_TAKEN:
        ask_guess(x);
        return;
    case AUTH_TOKEN_WRONG:
        wrong(x);
        return;
    case AUTH_TOKEN_NO_MEMORY:
        put_off(x, "out of memory");
        return;
    }
}

/* The refusal goes out as a challenge first, so that clients may read it (RFC 7628 3.2.2, 3.2.3; C122). */
static void conclude_token(struct auth_exchange *x, enum auth_verdict verdict)
{
    if (verdict != AUTH_VERDICT_NO) {
        conclude(x, verdict);
        return;
    }
    auth_tell_guessed(x, IPC_GUESS_WRONG);
    x->stage = AUTH_STAGE_REFUSED;
    challenge(x, bearer_refusal(x->sasl.mechanism == AUTH_XOAUTH2));
}

static void hear(struct auth_exchange *x, struct str response)
{
    if (x->stage == AUTH_STAGE_REFUSED)
        fail(x, IPC_LOGIN_REFUSED, LOG_REASON_PASSWORD, x->detail);
    else if (auth_mechanism_is_bearer(x->sasl.mechanism))
        hear_token(x, response);
    else if (x->stage == AUTH_STAGE_LAST && response.n)
        fail(x, IPC_LOGIN_WRONG, LOG_REASON_SYNTAX, "more than the mechanism has");
    else if (x->stage == AUTH_STAGE_LAST)
        succeed(x);
    else if (!auth_sasl_expects_proof(&x->sasl))
        advance(x, response);
    else if (response.n > sizeof(x->proof))
        fail(x, IPC_LOGIN_WRONG, LOG_REASON_SYNTAX, "too long");
    else {
        memcpy(x->proof, response.p, response.n);
        x->n_proof = response.n;
        ask_guess(x);
    }
}

/* ---- beginning and end ---- */

static struct auth_exchange *find(struct auth *auth, struct auth_exchange_key *key)
{
    struct map_node *node = map_find(&auth->exchanges, str_of((const char *)key, sizeof(*key)));

    return node ? CONTAINER_OF(node, struct auth_exchange, node) : NULL;
}

static struct auth_exchange *add(struct auth *auth, const struct auth_exchange_key *key)
{
    struct auth_exchange *x;
    struct err err;

    if (auth->exchanges.n == AUTH_EXCHANGES_MAX)
        return NULL;
    x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->auth = auth;
    x->key = *key;
    x->arena = arena_new(EXCHANGE_ARENA_MAX);
    if (x->arena && io_timer_init(&x->patience, auth->worker->loop, on_impatient, &err) &&
        map_insert(&auth->exchanges, &x->node, str_of((const char *)&x->key, sizeof(x->key))))
        return x;
    if (x->patience.loop)
        io_timer_done(&x->patience);
    arena_free(x->arena);
    free(x);
    return NULL;
}

static void answer_without(struct ipc_channel *from, uint64_t ticket, enum ipc_login status, const char *detail)
{
    ipc_send_login_answer(from, &(struct ipc_login_answer){
                                    .ticket = ticket,
                                    .status = status,
                                    .reason = status == IPC_LOGIN_TEMP ? LOG_REASON_LOOKUP : LOG_REASON_SEQUENCE,
                                    .detail = str_from_c(detail),
                                });
}

/* An IPv6 client has a /64 of addresses; an IPv4 one, mapped, has one. */
static bool same_client(struct str a, struct str b)
{
    static const char mapped[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
    bool is_v4 = str_starts(a, str_of(mapped, sizeof(mapped) - 1));

    return is_v4 ? str_eq(a, b) : str_eq(str_head(a, sizeof(uint64_t)), str_head(b, sizeof(uint64_t)));
}

static bool has_enough(struct auth *auth, struct str client)
{
    size_t n = 0;

    MAP_FOR (node, &auth->exchanges) {
        const struct auth_exchange *x = CONTAINER_OF(node, struct auth_exchange, node);
        n += same_client(client, str_of(x->client, x->n_client));
    }
    return n >= AUTH_EXCHANGES_OF_CLIENT_MAX;
}

static bool begin(struct auth_exchange *x, enum auth_mechanism m, const struct ipc_login_ask *ask)
{
    const struct auth_offer *offer = &x->auth->offers.items[ask->listener];
    /* Who binds to the channel says so, and who could but was not let says so, too (RFC 5802 6). */
    bool binds = auth_offer_has(offer, AUTH_SCRAM_PLUS);

    x->listener = ask->listener;
    x->n_client = ask->client.n <= sizeof(x->client) ? ask->client.n : 0;
    if (x->n_client)
        memcpy(x->client, ask->client.p, x->n_client);
    x->names = arena_str(x->arena, ask->names);
    x->detail = "out of memory";
    x->sasl.keys = auth_find_keys;
    x->sasl.mechanism = m;
    if (auth_mechanism_is_bearer(m))
        return true;
    return x->names.p && auth_sasl_begin(&x->sasl, x->auth->library, m, binds ? ask->exporter : STR_NONE,
                                         binds ? ask->unique : STR_NONE);
}

void auth_login(struct auth *auth, struct ipc_channel *from, const struct ipc_login_ask *ask)
{
    struct auth_exchange_key key = { .peer = from, .ticket = ask->ticket };
    enum auth_mechanism m = auth_mechanism_find(ask->mechanism);
    struct auth_exchange *x;

    if (find(auth, &key)) {
        answer_without(from, ask->ticket, IPC_LOGIN_WRONG, "an exchange of that ticket is under way");
        return;
    }
    if (ask->listener >= auth->offers.n || m == AUTH_MECHANISMS ||
        !auth_offer_has(&auth->offers.items[ask->listener], m)) {
        answer_without(from, ask->ticket, IPC_LOGIN_TEMP, "the mechanism is not offered any more");
        return;
    }
    if (has_enough(auth, ask->client)) {
        answer_without(from, ask->ticket, IPC_LOGIN_TEMP, "too many log-ins of this client are under way");
        return;
    }
    x = add(auth, &key);
    if (!x)
        answer_without(from, ask->ticket, IPC_LOGIN_TEMP, "too many exchanges, or no memory");
    else if (!begin(x, m, ask))
        put_off(x, "out of memory");
    else if (ask->has_initial)
        hear(x, ask->initial.n ? ask->initial : STR(""));
    else
        hear(x, STR_NONE);
}

void auth_step(struct auth *auth, struct ipc_channel *from, const struct ipc_login_step *step)
{
    struct auth_exchange_key key = { .peer = from, .ticket = step->ticket };
    struct auth_exchange *x = find(auth, &key);

    if (!x || x->number)
        answer_without(from, step->ticket, IPC_LOGIN_WRONG, "no exchange waits for that");
    else if (x->outdated && x->stage != AUTH_STAGE_REFUSED)
        put_off(x, outdated);
    else
        hear(x, step->response.n ? step->response : STR(""));
}

void auth_gone(struct auth *auth, struct ipc_channel *from, uint64_t ticket)
{
    struct auth_exchange_key key = { .peer = from, .ticket = ticket };
    struct auth_exchange *x = find(auth, &key);

    if (x)
        drop(x);
}

static struct auth_exchange *find_by_peer(struct auth *auth, const struct ipc_channel *peer)
{
    MAP_FOR (node, &auth->exchanges) {
        struct auth_exchange *x = CONTAINER_OF(node, struct auth_exchange, node);
        if (x->key.peer == peer || x->asked == peer)
            return x;
    }
    return NULL;
}

/* Their keys, for all that wait: now there, or not to be had. */
static void keys_came(struct auth *auth, struct auth_issuer *issuer, const struct ipc_fetch_answer *answer)
{
    struct auth_exchange *x;

    auth_issuer_take_keys(issuer, answer, io_now_msec(auth->worker->loop));
    while ((x = auth_waiting_take_keys(auth, issuer)) != NULL) {
        x->fetched = true;
        conclude_token(x, auth_check_token(x));
    }
}

void auth_peer_gone(struct auth *auth, const struct ipc_channel *peer)
{
    struct auth_exchange *x;

    if (peer->peer == PROCESS_RESOLVE && peer->generation == auth->generation)
        for (size_t i = 0; i < auth->config->n_oauths; i++)
            if (auth->issuers.items[i].ticket)
                keys_came(auth, &auth->issuers.items[i], NULL);
    while ((x = find_by_peer(auth, peer)) != NULL) {
        if (x->key.peer == peer)
            drop(x);
        else
            put_off(x, "who was asked is gone");
    }
}

void auth_guess(struct auth *auth, const struct ipc_guess_answer *answer)
{
    struct auth_exchange *x = auth_waiting_take(auth, answer->ticket, PROCESS_LOOKUP);

    if (!x)
        return;
    if (answer->result != IPC_GUESS_ALLOWED)
        x->guess = 0;
    if (answer->result == IPC_GUESS_LIMITED) {
        send_answer(x, &(struct ipc_login_answer){
                           .status = IPC_LOGIN_LIMITED,
                           .reason = LOG_REASON_LIMIT,
                           .account = said_name(x),
                           .number = answer->number,
                           .detail = answer->detail,
                           .rule = answer->rule,
                       });
    } else if (answer->result != IPC_GUESS_ALLOWED) {
        put_off(x, "too many try at once");
    } else if (x->token.n) {
        conclude_token(x, auth_check_token(x));
    } else if (x->n_proof) {
        advance(x, str_of(x->proof, x->n_proof));
    } else if (!acts_as_itself(x)) {
        refuse(x, "another authzid");
    } else {
        auth_sources_begin(&x->sources, auth->config, x->listener, x->name.domain);
        conclude(x, auth_check_next(x));
    }
}

/* Why PAM cannot say, once a minute: the client hears 454 each time. */
static void tell_pam(struct auth *auth, struct str error)
{
    int64_t now = io_now_msec(auth->worker->loop);
    struct log_record r;

    if (auth->pam_told && now - auth->pam_told_msec < PAM_TOLD_AGAIN_MSEC)
        return;
    auth->pam_told = true;
    auth->pam_told_msec = now;
    log_start_level(&r, LOG_EVENT_TABLE, LOG_LEVEL_ERROR);
    log_text_c(&r, LOG_TABLE, "pam");
    log_text_c(&r, LOG_STATE, "failing");
    log_text(&r, LOG_ERROR, error);
    log_send(&r);
}

void auth_pam_answered(struct auth *auth, const struct ipc_pam_answer *answer)
{
    struct auth_exchange *x = auth_waiting_take(auth, answer->ticket, PROCESS_PAM);

    if (answer->status == IPC_TEMP)
        tell_pam(auth, answer->text);
    if (x)
        conclude(x, auth_check_pam(x, answer));
}

void auth_fetched(struct auth *auth, const struct ipc_fetch_answer *answer)
{
    struct auth_exchange *x;

    for (size_t i = 0; i < auth->config->n_oauths; i++)
        if (auth->issuers.items[i].ticket == answer->ticket) {
            keys_came(auth, &auth->issuers.items[i], answer);
            return;
        }
    x = auth_waiting_take(auth, answer->ticket, PROCESS_RESOLVE);
    if (x)
        conclude_token(x, auth_check_introspected(x, answer));
}

void auth_dovecot_answered(struct dovecot *link, const struct dovecot_line *line)
{
    struct auth_dovecot *d = CONTAINER_OF(link, struct auth_dovecot, link);
    struct auth_exchange *x = auth_waiting_take_dovecot(d->auth, line->number, d);

    auth_dovecot_state(d, NULL);
    if (x)
        conclude(x, auth_check_dovecot(x, line));
}

void auth_dovecot_lost(struct dovecot *link, const char *why)
{
    struct auth_dovecot *d = CONTAINER_OF(link, struct auth_dovecot, link);
    struct auth_exchange *x;

    /* One that hangs up while nobody waits is restarted, perhaps. */
    while ((x = auth_waiting_take_any(d->auth, d)) != NULL) {
        auth_dovecot_state(d, why);
        put_off(x, why);
    }
}

/* One that waits for somebody else has a question of its client's to answer. */
static struct auth_exchange *find_outdated(struct auth *auth)
{
    MAP_FOR (node, &auth->exchanges) {
        struct auth_exchange *x = CONTAINER_OF(node, struct auth_exchange, node);
        if (x->outdated && x->number)
            return x;
    }
    return NULL;
}

void auth_exchanges_outdate(struct auth *auth, const struct auth_files_change *change)
{
    struct auth_exchange *x;

    MAP_FOR (node, &auth->exchanges) {
        x = CONTAINER_OF(node, struct auth_exchange, node);
        x->outdated |= x->name.local.n && auth_ended(change, x->name.local, x->name.domain) != LOG_REASON_NONE;
    }
    while ((x = find_outdated(auth)) != NULL)
        put_off(x, outdated);
}

void auth_exchanges_end(struct auth *auth)
{
    struct map_node *node;

    while ((node = map_any(&auth->exchanges)) != NULL)
        drop(CONTAINER_OF(node, struct auth_exchange, node));
    map_done(&auth->exchanges);
    map_done(&auth->waiting);
}
