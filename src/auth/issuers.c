/* auth/issuers.c */
#include "auth/issuers.h"

#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "io/fd.h"
#include "log/log.h"

enum { HTTP_OK = 200, HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403 };

static void record(struct str table, enum log_level level, const char *state, const char *error)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_TABLE, level);
    log_text(&r, LOG_TABLE, table);
    log_text_c(&r, LOG_STATE, state);
    if (error[0])
        log_text_c(&r, LOG_ERROR, error);
    log_send(&r);
}

bool auth_issuers_init(struct auth_issuers *issuers, const struct config *config, struct err *err)
{
    issuers->config = config;
    issuers->items = calloc(config->n_oauths + 1, sizeof(*issuers->items));
    if (!issuers->items)
        return err_temp(err, "out of memory");
    for (size_t i = 0; i < config->n_oauths; i++)
        issuers->items[i] =
            (struct auth_issuer){ .oauth = &config->oauths[i], .secret = BUF_INIT(AUTH_SECRET_MAX) };
    return true;
}

void auth_issuers_done(struct auth_issuers *issuers)
{
    for (size_t i = 0; issuers->items && i < issuers->config->n_oauths; i++) {
        token_keys_free(issuers->items[i].keys);
        buf_wipe(&issuers->items[i].secret);
    }
    free(issuers->items);
    issuers->items = NULL;
}

/* ---- files ---- */

static struct token_keys *read_keys(int fd, struct err *err)
{
    struct arena *a = arena_new(TOKEN_KEYS_FILE_MAX + 1);
    struct token_keys *keys = NULL;
    struct str text;

    if (!a)
        err_temp(err, "out of memory");
    else if (fd_read_all(fd, TOKEN_KEYS_FILE_MAX, a, &text, err))
        keys = token_keys_parse(text, err);
    arena_free(a);
    return keys;
}

/* The new KEYS, or (NULL) what ERR says of them: then those before stay. */
static void replace_keys(struct auth_issuer *issuer, struct token_keys *keys, const struct err *err)
{
    struct str from = issuer->oauth->keys;
    bool was_failing = issuer->failing;

    issuer->failing = !keys;
    if (keys) {
        token_keys_free(issuer->keys);
        issuer->keys = keys;
        if (was_failing)
            record(from, LOG_LEVEL_INFO, "answering", "");
    }
    /* An issuer that is away is so for many log-ins: that is said once. A file is as wrong as it is each time. */
    if (was_failing && auth_issuer_has_url(issuer) && !keys)
        return;
    if (!keys)
        record(from, issuer->keys ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, issuer->keys ? "stale" : "failing",
               err->text);
}

static void give_keys(struct auth_issuer *issuer, int fd, struct str error)
{
    struct err err = { 0 };
    struct token_keys *keys = NULL;

    if (fd < 0)
        err_temp(&err, "%.*s", STR_ARG(error));
    else
        keys = read_keys(fd, &err);
    replace_keys(issuer, keys, &err);
}

static bool read_secret(struct auth_issuer *issuer, int fd, struct err *err)
{
    struct arena *a = arena_new(AUTH_SECRET_MAX + 1024);
    struct str text = STR_NONE;
    bool ok = a ? fd_read_all(fd, AUTH_SECRET_MAX, a, &text, err) : err_temp(err, "out of memory");

    if (ok && !str_trim(text).n)
        ok = err_perm(err, "the secret is empty");
    if (ok) {
        buf_wipe(&issuer->secret);
        ok = buf_add(&issuer->secret, str_trim(text)) || err_temp(err, "out of memory");
        issuer->has_secret = ok;
    }
    if (text.n)
        explicit_bzero((char *)(uintptr_t)text.p, text.n);
    arena_free(a);
    return ok;
}

static void give_secret(struct auth_issuer *issuer, int fd, struct str error)
{
    struct err err = { 0 };
    bool ok = fd < 0 ? err_temp(&err, "%.*s", STR_ARG(error)) : read_secret(issuer, fd, &err);

    if (!ok)
        record(issuer->oauth->secret.written, issuer->has_secret ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
               issuer->has_secret ? "stale" : "failing", err.text);
}

bool auth_issuers_give(struct auth_issuers *issuers, struct str path, int fd, struct str error)
{
    bool known = false;

    for (size_t i = 0; i < issuers->config->n_oauths; i++) {
        struct auth_issuer *issuer = &issuers->items[i];
        bool keys = str_eq(issuer->oauth->keys, path), secret = str_eq(issuer->oauth->secret.written, path);
        if (keys)
            give_keys(issuer, fd, error);
        if (secret)
            give_secret(issuer, fd, error);
        known |= keys || secret;
    }
    return known;
}

/* ---- URLs ---- */

bool auth_issuer_has_url(const struct auth_issuer *issuer)
{
    return str_contains(issuer->oauth->keys, STR("://"));
}

bool auth_issuer_wants_keys(const struct auth_issuer *issuer, bool unknown, int64_t now_msec)
{
    if (!auth_issuer_has_url(issuer))
        return false;
    if (issuer->ticket || !issuer->was_asked)
        return true;
    if (!issuer->keys)
        return now_msec - issuer->asked_msec >= AUTH_KEYS_RETRY_MSEC;
    if (unknown && (!issuer->was_unknown || now_msec - issuer->unknown_msec >= AUTH_KEYS_AGAIN_MSEC))
        return true;
    return now_msec >= issuer->fresh_until_msec && now_msec - issuer->asked_msec >= AUTH_KEYS_AGAIN_MSEC;
}

void auth_issuer_asked(struct auth_issuer *issuer, bool unknown, uint64_t ticket, int64_t now_msec)
{
    /* The first time all keys are unknown. */
    if (unknown && issuer->keys) {
        issuer->was_unknown = true;
        issuer->unknown_msec = now_msec;
    }
    issuer->was_asked = true;
    issuer->asked_msec = now_msec;
    issuer->ticket = ticket;
}

static int64_t keep_msec(uint64_t said)
{
    if (said == 0)
        return AUTH_KEYS_KEEP_MSEC;
    return said > AUTH_KEYS_KEEP_MAX_MSEC ? AUTH_KEYS_KEEP_MAX_MSEC : (int64_t)said;
}

void auth_issuer_fault(const struct ipc_fetch_answer *answer, struct err *err)
{
    if (!answer->code)
        err_temp(err, "%.*s", STR_ARG(answer->text));
    else if (answer->code >= 300 && answer->code < 400)
        err_temp(err, "it answers %u: a redirect, which is not followed; configure the URL that it leads to",
                 (unsigned)answer->code);
    else if (answer->code == HTTP_UNAUTHORIZED || answer->code == HTTP_FORBIDDEN)
        err_temp(err, "it answers %u: it does not let us ask", (unsigned)answer->code);
    else
        err_temp(err, "it answers %u", (unsigned)answer->code);
}

void auth_issuer_heard(struct auth_issuer *issuer, const char *wrong)
{
    bool was_mute = issuer->is_mute;

    issuer->is_mute = wrong;
    if (wrong && !was_mute)
        record(issuer->oauth->introspection, LOG_LEVEL_ERROR, "failing", wrong);
    else if (!wrong && was_mute)
        record(issuer->oauth->introspection, LOG_LEVEL_INFO, "answering", "");
}

void auth_issuer_take_keys(struct auth_issuer *issuer, const struct ipc_fetch_answer *answer, int64_t now_msec)
{
    struct err err = { 0 };
    struct token_keys *keys = NULL;

    issuer->ticket = 0;
    if (!answer)
        err_temp(&err, "nobody fetches them");
    else if (answer->code != HTTP_OK)
        auth_issuer_fault(answer, &err);
    else if ((keys = token_keys_parse(answer->body, &err)))
        issuer->fresh_until_msec = now_msec + keep_msec(answer->keep_msec);
    replace_keys(issuer, keys, &err);
}

static bool add_basic(const struct auth_issuer *issuer, struct buf *pair, struct buf *out)
{
    return form_add(pair, issuer->oauth->client) && buf_add_char(pair, ':') &&
           form_add(pair, buf_str(&issuer->secret)) && buf_add_c(out, "Basic ") && base64_add(out, buf_str(pair));
}

bool auth_issuer_authorize(const struct auth_issuer *issuer, struct buf *out)
{
    struct buf pair = BUF_INIT(4 * AUTH_SECRET_MAX);
    bool ok = true;

    if (issuer->oauth->client.n)
        ok = issuer->has_secret && add_basic(issuer, &pair, out);
    buf_wipe(&pair);
    return ok;
}
