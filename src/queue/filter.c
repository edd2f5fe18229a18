/* queue/filter.c -- whether a message is one of those that SELECT means: under way or read, or at rest by its slot. */
#include "queue/filter.h"

#include <stdlib.h>
#include <string.h>

static bool address_matches(struct str pattern, struct str local, struct str domain)
{
    const char *at = pattern.n ? memrchr(pattern.p, '@', pattern.n) : NULL;

    if (str_eq(pattern, STR("*")))
        return true;
    if (at) {
        size_t n = (size_t)(at - pattern.p);
        return str_eq_nocase(str_head(pattern, n), local) && str_eq_nocase(str_skip(pattern, n + 1), domain);
    }
    if (str_starts(pattern, STR(".")))
        return str_ends_nocase(domain, pattern);
    return str_eq_nocase(pattern, domain);
}

static bool sender_matches(struct str pattern, struct str sender)
{
    const char *at = sender.n ? memrchr(sender.p, '@', sender.n) : NULL;

    if (!pattern.n)
        return true;
    if (!sender.n)
        return str_eq(pattern, STR("<>")) || str_eq(pattern, STR("*"));
    size_t n = at ? (size_t)(at - sender.p) : sender.n;
    return address_matches(pattern, str_head(sender, n), str_skip(sender, at ? n + 1 : n));
}

bool filter_account(struct str pattern, struct str account)
{
    size_t at = str_rfind(account, '@');

    if (!pattern.n || !account.n)
        return !pattern.n || str_eq(pattern, STR("<>"));
    return address_matches(pattern, str_head(account, at), str_skip(account, at + 1)) ||
           str_eq_nocase(pattern, str_head(account, at));
}

bool filter_envelope(const struct select_filter *f, const struct envelope *e)
{
    bool any = !f->to.n;

    for (size_t i = 0; i < e->n_recipients && !any; i++)
        any = address_matches(f->to, e->recipients[i].local, e->recipients[i].domain);
    return any && sender_matches(f->from, e->sender) && filter_account(f->sent_by, e->account);
}

/* A name of a reason means that reason; words are looked for where none is known, and where they name none. */
static bool failure_matches(struct str wanted, enum log_reason named, enum log_reason reason, const char *text)
{
    if (named != LOG_REASON_NONE && reason != LOG_REASON_NONE)
        return named == reason;
    return text && str_contains(str_from_c(text), wanted);
}

static bool reason_matches(struct str wanted, const struct message *m)
{
    enum log_reason named = log_reason_named(wanted);

    if (!wanted.n)
        return true;
    if (m->held != LOG_REASON_NONE && failure_matches(wanted, named, m->held, m->hold_reason))
        return true;
    for (uint32_t i = 0; i < m->n_recipients; i++)
        if (failure_matches(wanted, named, m->recipients[i].reason, m->recipients[i].text))
            return true;
    return false;
}

static bool site_matches(struct str wanted, const struct message *m)
{
    const struct site *rests_for = m->slot ? schedule_site_of(m->queue, m->slot) : NULL;

    if (!wanted.n || (rests_for && limits_are_called(rests_for->limits, wanted)))
        return true;
    LIST_FOR(node, &m->entries) {
        const struct site *site = CONTAINER_OF(node, struct entry, of_message)->site;
        if (site && limits_are_called(site->limits, wanted))
            return true;
    }
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (r->progress == PROGRESS_WAITING && (site_name_fits(str_from_c(r->site), wanted) ||
                                                str_eq_nocase(str_from_c(r->host), wanted)))
            return true;
    }
    return false;
}

static bool id_matches(const struct select_filter *f, uint64_t id)
{
    return !f->n_ids || bsearch(&id, f->ids, f->n_ids, sizeof(id), candidates_compare);
}

bool filter_message(const struct select_filter *f, const struct message *m)
{
    return m->state != MESSAGE_TAKING && id_matches(f, m->id.n) && (!f->uid_plus || m->uid_plus == f->uid_plus) &&
           (!f->state.n || str_eq(f->state, str_from_c(show_state(m)))) && message_age(m) >= f->older_msec &&
           site_matches(f->site, m) && reason_matches(f->reason, m);
}

/* ---- of messages at rest: by their slots; what a slot does not say is read ---- */

/* Whether an address with that hash, at the domain of that name (0: not known), may be what PATTERN says. */
static bool may_match(const struct queue *q, struct str pattern, uint32_t hash, uint32_t domain)
{
    const char *at = pattern.n ? memrchr(pattern.p, '@', pattern.n) : NULL;
    size_t n = at ? (size_t)(at - pattern.p) : 0;

    if (!pattern.n || str_eq(pattern, STR("*")))
        return true;
    if (at)
        return rest_hash(str_head(pattern, n), str_skip(pattern, n + 1)) == hash;
    return !domain || address_matches(pattern, STR("?"), names_text(&q->rests.names, domain));
}

/* What it was last told, or why it is held; of several recipients the slot knows one alone, and words it knows none. */
static bool may_be_reason(struct str wanted, const struct rest *r)
{
    enum log_reason named = log_reason_named(wanted);

    if (named == LOG_REASON_NONE || r->reason == named || r->flags & (REST_SEVERAL | REST_HELD))
        return true;
    return r->reason == LOG_REASON_NONE && r->attempts;
}

bool filter_rest(const struct queue *q, const struct select_filter *f, const struct rest *r)
{
    const struct site *site = f->site.n ? schedule_site_of(q, r) : NULL;

    if (!id_matches(f, r->id) || (f->state.n && !str_eq(f->state, str_from_c(rest_state(q, r)))))
        return false;
    if (!(r->flags & REST_KNOWN) || r->flags & REST_DAMAGED)
        return true;
    if ((f->uid_plus && r->uid_plus != f->uid_plus) || rest_age(q, r) < f->older_msec)
        return false;
    /* Who has an account is called by it. */
    struct str who = names_text(&q->rests.names, r->who);
    if (!filter_account(f->sent_by, str_has(who, '@') ? who : STR_NONE))
        return false;
    if (str_eq(f->from, STR("<>")) ? r->from != rest_hash(STR_NONE, STR_NONE) : !may_match(q, f->from, r->from, 0))
        return false;
    if (!(r->flags & REST_SEVERAL) && !may_match(q, f->to, r->to, r->domain))
        return false;
    if (!may_be_reason(f->reason, r))
        return false;
    /* Where it goes counts, as far as that is known now; else where it was tried last, which is read. */
    return !site || r->flags & REST_SEVERAL || limits_are_called(site->limits, f->site);
}

bool filter_must_read(const struct select_filter *f, const struct rest *r)
{
    return f->from.n || f->to.n || f->sent_by.n || f->site.n || f->reason.n || !(r->flags & REST_KNOWN);
}
