/* key/log.c -- certificates in the log and in `veredus status` (FACE 3.2). */
#include "key/log.h"

#include "log/log.h"

static const char *state_of(const struct key_certificate *c, int64_t wall_msec)
{
    enum key_age age = c->pair ? key_pair_age(c->pair, wall_msec) : KEY_AGE_GOOD;

    if (c->state == KEY_STATE_MISSING)
        return "missing";
    if (age == KEY_AGE_EXPIRED)
        return "expired";
    if (c->state == KEY_STATE_KEPT)
        return "kept";
    return age == KEY_AGE_EXPIRING ? "expiring" : "loaded";
}

static void add_facts(struct log_record *r, const struct key_certificate *c, const char *state)
{
    struct str names[KEY_NAMES_MAX];

    log_text_c(r, LOG_STATE, state);
    log_text(r, LOG_FILE, c->place->chain);
    if (!c->pair)
        return;
    log_list(r, LOG_NAMES, names, key_pair_names(c->pair, names));
    log_time(r, LOG_UNTIL, c->pair->until_msec);
}

void key_log(const struct key_certificate *c, const struct err *err)
{
    enum log_level level = LOG_LEVEL_INFO;
    struct log_record r;

    if (c->state == KEY_STATE_MISSING)
        level = LOG_LEVEL_ERROR;
    else if (c->state == KEY_STATE_KEPT)
        level = LOG_LEVEL_WARNING;
    log_start_level(&r, LOG_EVENT_CERTIFICATE, level);
    add_facts(&r, c,
              c->state == KEY_STATE_MISSING ? "missing"
              : c->state == KEY_STATE_KEPT  ? "kept"
                                            : "loaded");
    if (err && err->kind)
        log_text_c(&r, LOG_ERROR, err->text);
    log_send(&r);
}

void key_log_age(const struct key_certificate *c, int64_t wall_msec)
{
    enum key_age age = c->pair ? key_pair_age(c->pair, wall_msec) : KEY_AGE_GOOD;
    struct log_record r;

    if (age == KEY_AGE_GOOD)
        return;
    log_start_level(&r, LOG_EVENT_CERTIFICATE, LOG_LEVEL_WARNING);
    add_facts(&r, c, age == KEY_AGE_EXPIRED ? "expired" : "expiring");
    log_send(&r);
}

void key_status(const struct key *k, struct buf *rows)
{
    int64_t now = io_wall_msec();
    struct log_record r;

    for (size_t i = 0; i < k->n_certificates; i++) {
        log_begin(&r, LOG_EVENT_CERTIFICATE, LOG_LEVEL_INFO, 0);
        add_facts(&r, &k->certificates[i], state_of(&k->certificates[i], now));
        worker_row_add(rows, &r);
    }
}
