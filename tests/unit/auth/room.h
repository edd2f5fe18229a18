/* An auth process in one room with a receive, a lookup and GNU SASL's client, all on one loop. */
#ifndef TESTS_UNIT_AUTH_ROOM_H
#define TESTS_UNIT_AUTH_ROOM_H

#include "tests/unit/unit.h"

#include <crypt.h>
#include <stdio.h>

#include "auth/exchange.h"
#include "core/base64.h"
#include "io/fd.h"
#include "log/log.h"
#include "tests/unit/route/world.h"

enum { ROOM_GUESSES = 64, ROOM_OFFERS = 16, ROOM_RECORDS = 32, ROOM_TEXT = 4096 };

struct room_answer {
    unsigned n; /* answers so far */
    enum ipc_login status;
    enum log_reason reason;
    uint64_t number;
    size_t n_challenge;
    char challenge[ROOM_TEXT];
    char account[ROOM_TEXT];
    char detail[ROOM_TEXT];
    char rule[ROOM_TEXT];
};

struct room {
    struct arena *arena;
    struct config config;
    struct config_listener listeners[2];
    struct worker worker;
    struct ipc_handler handler; /* of the other side */
    struct ipc_channel *receive;
    struct ipc_channel *lookup;
    struct ipc_channel *pam; /* NULL: there is none */
    enum ipc_result pam_status;
    const char *pam_text;
    char pam_user[ROOM_TEXT]; /* "service user password client" of the last question */
    struct ipc_channel *resolve; /* NULL: there is none */
    bool resolve_is_silent;
    unsigned n_fetches;
    uint64_t fetch_ticket;
    uint16_t fetch_code;
    uint64_t fetch_keep_msec;
    const char *fetch_body;
    char fetched[3 * ROOM_TEXT]; /* "url authorization form" of the last question */
    struct room_answer answer;
    uint64_t ticket;

    bool lookup_is_silent;
    bool guess_refused;
    unsigned n_asked;
    char asked[ROOM_TEXT];           /* account of the last question */
    unsigned n_guessed;
    char guessed[ROOM_GUESSES][128]; /* "anna@example.org right" */
    unsigned n_not_made;
    uint64_t last_guess;             /* ticket of the last question */
    unsigned n_under_way;            /* allowed, and nobody has said yet how it ended */
    uint64_t under_way[ROOM_GUESSES];

    unsigned n_ended;
    char ended[ROOM_GUESSES][128]; /* "anna@example.org locked" */

    unsigned n_wanted; /* how often we were asked who is logged in */

    unsigned n_offers;
    char offers[2][ROOM_TEXT]; /* of each listener, the last told */

    const char *until; /* what the loop runs for */

    struct log_sink sink;
    unsigned n_records;
    struct buf records[ROOM_RECORDS];

    /* Of the next log-in: */
    struct str client; /* 16 octets; empty: 198.51.100.20 */
    struct str exporter, unique, names;
    uint32_t listener;
};

static struct room room;

static const struct config_auth room_users = { .kind = CONFIG_AUTH_USERS };

/* ---- the others ---- */

static inline void room_copy(char *to, size_t room_for, struct str text)
{
    assert_true(text.n < room_for);
    snprintf(to, room_for, "%.*s", STR_ARG(text));
}

static void room_take_answer(const struct ipc_login_answer *a)
{
    struct room_answer *to = &room.answer;

    assert_int_equal(a->ticket, room.ticket);
    to->n++;
    to->status = a->status;
    to->reason = a->reason;
    to->number = a->number;
    assert_true(a->challenge.n <= sizeof(to->challenge));
    if (a->challenge.n)
        memcpy(to->challenge, a->challenge.p, a->challenge.n);
    to->n_challenge = a->challenge.n;
    room_copy(to->account, sizeof(to->account), a->account);
    room_copy(to->detail, sizeof(to->detail), a->detail);
    room_copy(to->rule, sizeof(to->rule), a->rule);
    io_loop_stop(room.worker.loop);
}

static void room_answer_guess(struct ipc_channel *c, const struct ipc_guess_ask *ask)
{
    room.n_asked++;
    room.last_guess = ask->ticket;
    room_copy(room.asked, sizeof(room.asked), ask->account);
    if (room.lookup_is_silent) {
        io_loop_stop(room.worker.loop);
        return;
    }
    if (!room.guess_refused) {
        assert_true(room.n_under_way < ROOM_GUESSES);
        room.under_way[room.n_under_way++] = ask->ticket;
    }
    ipc_send_guess_answer(c, &(struct ipc_guess_answer){
                                 .ticket = ask->ticket,
                                 .result = room.guess_refused ? IPC_GUESS_LIMITED : IPC_GUESS_ALLOWED,
                                 .number = room.guess_refused ? 600 : 0,
                                 .detail = room.guess_refused ? STR("too many guesses") : STR_NONE,
                                 .rule = room.guess_refused ? STR("default") : STR_NONE,
                             });
}

/* One end for each that was allowed; one that was never answered is given up. */
static void room_hear_guessed(const struct ipc_guessed *g)
{
    bool known = !g->ticket || room.lookup_is_silent;

    for (unsigned i = 0; i < room.n_under_way && !known; i++) {
        known = room.under_way[i] == g->ticket;
        if (known)
            room.under_way[i] = room.under_way[--room.n_under_way];
    }
    assert_true(known);
    if (g->end == IPC_GUESS_NOT_MADE) {
        room.n_not_made++;
    } else {
        assert_true(room.n_guessed < ROOM_GUESSES);
        snprintf(room.guessed[room.n_guessed++], sizeof(room.guessed[0]), "%.*s %s", STR_ARG(g->account),
                 g->end == IPC_GUESS_RIGHT ? "right" : "wrong");
    }
    if (room.until && strcmp(room.until, "guessed") == 0)
        io_loop_stop(room.worker.loop);
}

static void room_answer_pam(struct ipc_channel *c, const struct ipc_pam_ask *ask)
{
    snprintf(room.pam_user, sizeof(room.pam_user), "%.*s %.*s %.*s %.*s", STR_ARG(ask->service), STR_ARG(ask->user),
             STR_ARG(ask->password), STR_ARG(ask->client));
    ipc_send_pam_answer(c, &(struct ipc_pam_answer){
                               .ticket = ask->ticket,
                               .status = room.pam_status,
                               .text = str_from_c(room.pam_text),
                           });
}

static inline void room_fetch_answer(void)
{
    ipc_send_fetch_answer(room.resolve, &(struct ipc_fetch_answer){
                                            .ticket = room.fetch_ticket,
                                            .code = room.fetch_code,
                                            .keep_msec = room.fetch_keep_msec,
                                            .body = str_from_c(room.fetch_code ? room.fetch_body : ""),
                                            .text = str_from_c(room.fetch_code ? "" : "connection refused"),
                                        });
}

static void room_take_fetch(const struct ipc_fetch_ask *ask)
{
    room.n_fetches++;
    room.fetch_ticket = ask->ticket;
    snprintf(room.fetched, sizeof(room.fetched), "%.*s %.*s %.*s", STR_ARG(ask->url), STR_ARG(ask->authorization),
             STR_ARG(ask->form));
    assert_int_equal(ask->posts, ask->form.n > 0);
    if (!room.resolve_is_silent)
        room_fetch_answer();
    else
        io_loop_stop(room.worker.loop);
}

static void room_heard(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    switch (m->type) {
    case IPC_LOGIN_ANSWER:
        room_take_answer(&m->login_answer);
        return;
    case IPC_GUESS_ASK:
        room_answer_guess(c, &m->guess_ask);
        return;
    case IPC_PAM_ASK:
        room_answer_pam(c, &m->pam_ask);
        return;
    case IPC_FETCH_ASK:
        room_take_fetch(&m->fetch_ask);
        return;
    case IPC_GUESSED:
        room_hear_guessed(&m->guessed);
        return;
    case IPC_LOGIN_ENDED:
        assert_true(room.n_ended < ROOM_GUESSES);
        snprintf(room.ended[room.n_ended++], sizeof(room.ended[0]), "%.*s %s", STR_ARG(m->login_ended.account),
                 log_reason_text((enum log_reason)m->login_ended.reason));
        return;
    case IPC_LOGINS_WANTED:
        room.n_wanted++;
        return;
    case IPC_MECHANISMS:
        assert_true(m->mechanisms.listener < 2);
        room_copy(room.offers[m->mechanisms.listener], ROOM_TEXT, m->mechanisms.names);
        room.n_offers++;
        if (room.until && strcmp(room.until, "offer") == 0)
            io_loop_stop(room.worker.loop);
        return;
    default:
        fail_msg("%s was not expected", ipc_type_name(m->type));
    }
}

static void room_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    (void)h;
    (void)c;
}

/* ---- our own side of the channels: what ipc/worker.c does ---- */

static void room_own_message(struct ipc_handler *h, struct ipc_channel *c, struct ipc_message *m)
{
    (void)h;
    auth_service.message(&room.worker, c, m);
}

static void room_own_ended(struct ipc_handler *h, struct ipc_channel *c)
{
    struct worker *w = &room.worker;

    (void)h;
    for (size_t i = 0; i < w->n_peers; i++)
        if (w->peers[i] == c)
            w->peers[i] = w->peers[--w->n_peers];
    auth_service.peer_down(w, c);
    ipc_channel_free(c);
    io_loop_stop(w->loop);
}

/* A peer of that kind; its end of the channel. */
static inline struct ipc_channel *room_peer(enum process_kind kind)
{
    struct err err = { 0 };
    struct ipc_channel *ours, *theirs;
    int fds[2];

    assert_true(fd_pair(fds, &err));
    ours = ipc_channel_new(room.worker.loop, fds[0], PROCESS_AUTH, kind, &room.worker.handler, &err);
    theirs = ipc_channel_new(room.worker.loop, fds[1], kind, PROCESS_AUTH, &room.handler, &err);
    assert_true(ours && theirs);
    ours->generation = room.worker.generation;
    room.worker.peers[room.worker.n_peers++] = ours;
    if (room.worker.started)
        auth_service.peer_up(&room.worker, ours);
    return theirs;
}

static void room_record(struct log_sink *sink, struct str record)
{
    (void)sink;
    assert_true(room.n_records < ROOM_RECORDS);
    room.records[room.n_records] = BUF_INIT(LOG_RECORD_MAX);
    buf_add(&room.records[room.n_records++], record);
}

static inline const char *room_field(unsigned i, enum log_field field)
{
    static char text[LOG_VALUE_MAX + 32];
    struct log_value v;

    assert_true(i < room.n_records);
    if (!log_view_find(buf_str(&room.records[i]), field, &v))
        return "none";
    if (v.kind == LOG_KIND_NUMBER)
        snprintf(text, sizeof(text), "%lld", (long long)v.number);
    else
        snprintf(text, sizeof(text), "%.*s", STR_ARG(v.octets));
    return text;
}

/* ---- the room ---- */

static inline void room_auths(size_t listener, const struct config_auth *auths, size_t n)
{
    room.listeners[listener].session.auth = (struct config_auths){ .items = auths, .n = n };
}

/* Two listeners, the first asks the users of the domains. room_start() when the configuration is as it should be. */
static inline void room_open(const char *config)
{
    struct err err = { 0 };

    room = (struct room){ .arena = arena_new(64 << 20) };
    room.config = *world_config(room.arena, config);
    assert_int_equal(room.config.n_listeners, 2);
    memcpy(room.listeners, room.config.listeners, sizeof(room.listeners));
    room.config.listeners = room.listeners;
    room_auths(0, &room_users, 1);
    room.worker.loop = io_loop_new(&err);
    room.worker.config = &room.config;
    room.worker.generation = 7;
    room.worker.handler = (struct ipc_handler){ .message = room_own_message, .ended = room_own_ended };
    room.handler = (struct ipc_handler){ .message = room_heard, .ended = room_ended };
    room.sink = (struct log_sink){ .write = room_record, .level = LOG_LEVEL_DEBUG };
    log_sink_set(&room.sink);
}

static inline struct auth *room_auth(void)
{
    return room.worker.state;
}

/* The file PATH holds TEXT from now on; NULL: it cannot be had. */
static inline void room_file(const char *path, const char *text)
{
    struct err err = { 0 };
    struct ipc_message m = { .type = IPC_OPENED, .fd = -1, .opened = { .path = str_from_c(path) } };

    if (text)
        m.fd = fd_sealed("users", str_from_c(text), &err);
    else
        m.opened.error = STR("No such file or directory");
    auth_service.message(&room.worker, NULL, &m);
    fd_close(&m.fd);
}

static inline void room_run(const char *until)
{
    struct err err = { 0 };

    room.until = until;
    assert_true(io_loop_run(room.worker.loop, &err));
    room.until = NULL;
}

/* So many guesses came to nothing, none is under way, and nobody was right or wrong. */
static inline void room_await_not_made(unsigned n)
{
    while (room.n_not_made < n || room.n_under_way)
        room_run("guessed");
    assert_int_equal(room.n_not_made, n);
    assert_int_equal(room.n_guessed, 0);
}

static inline void room_start(void)
{
    struct err err = { 0 };

    assert_true(auth_service.start(&room.worker, &err));
    room.worker.started = true;
    room.lookup = room_peer(PROCESS_LOOKUP);
    room.receive = room_peer(PROCESS_SUBMIT);
    while (room.n_offers < 2)
        room_run("offer");
}

static inline void room_close(void)
{
    if (room_auth())
        auth_exchanges_end(room_auth());
    while (room.lookup && room.n_under_way)
        room_run("guessed");
    auth_free(room.worker.state);
    for (size_t i = 0; i < room.worker.n_peers; i++)
        ipc_channel_free(room.worker.peers[i]);
    ipc_channel_free(room.lookup);
    ipc_channel_free(room.pam);
    ipc_channel_free(room.resolve);
    ipc_channel_free(room.receive);
    io_loop_free(room.worker.loop);
    log_sink_set(NULL);
    for (unsigned i = 0; i < room.n_records; i++)
        buf_done(&room.records[i]);
    arena_free(room.arena);
}

/* ---- asking ---- */

static inline void room_await(unsigned before)
{
    while (room.answer.n == before)
        room_run(NULL);
}

static inline void room_send_ask(const char *mechanism, bool has_initial, struct str initial)
{
    const struct str usual = str_of("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x14", 16);

    room.ticket++;
    assert_true(ipc_send_login_ask(room.receive, &(struct ipc_login_ask){
                                                     .ticket = room.ticket,
                                                     .client = room.client.n ? room.client : usual,
                                                     .listener = room.listener,
                                                     .mechanism = str_from_c(mechanism),
                                                     .has_initial = has_initial,
                                                     .initial = initial,
                                                     .exporter = room.exporter,
                                                     .unique = room.unique,
                                                     .names = room.names,
                                                 }));
}

static inline enum ipc_login room_ask(const char *mechanism, struct str initial)
{
    unsigned before = room.answer.n;

    room_send_ask(mechanism, initial.p, initial);
    room_await(before);
    return room.answer.status;
}

static inline enum ipc_login room_step(struct str response)
{
    unsigned before = room.answer.n;

    assert_true(ipc_send_login_step(room.receive,
                                    &(struct ipc_login_step){ .ticket = room.ticket, .response = response }));
    room_await(before);
    return room.answer.status;
}

/* PLAIN in one step. */
static inline enum ipc_login room_plain(const char *name, const char *password)
{
    struct str message = arena_printf(room.arena, "%c%s%c%s", 0, name, 0, password);

    return room_ask("PLAIN", message);
}

/* ---- what users files hold ---- */

/* A hash of crypt(3), made cheaply. */
static inline const char *room_hash(const char *password)
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    const char *made = crypt_rn(password, "$6$rounds=1000$saltsaltsalt", data, (int)sizeof(*data));
    const char *kept = arena_printf(room.arena, "%s", made).p;

    free(data);
    return kept;
}

static inline const char *room_base64(const char *octets, size_t n)
{
    struct buf text = BUF_INIT(1024);
    const char *kept;

    assert_true(base64_add(&text, str_of(octets, n)));
    kept = arena_printf(room.arena, "%.*s", STR_ARG(buf_str(&text))).p;
    buf_done(&text);
    return kept;
}

/* ITERATIONS,SALT,STORED,SERVER. */
static inline const char *room_keys(const char *password, unsigned iterations)
{
    char salted[32], client[32], server[32], stored[32];
    const char salt[] = "pepper and salt";

    assert_int_equal(gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, password, iterations, salt, strlen(salt),
                                                       salted, client, server, stored),
                     GSASL_OK);
    return arena_printf(room.arena, "%u,%s,%s,%s", iterations, room_base64(salt, strlen(salt)),
                        room_base64(stored, sizeof(stored)), room_base64(server, sizeof(server)))
        .p;
}

#endif
