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

static bool reason_matches(struct str wanted, const struct message *m)
{
    if (!wanted.n || (m->hold_reason && str_contains(str_from_c(m->hold_reason), wanted)))
        return true;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &m->recipients[i];
        if (str_eq(wanted, str_from_c(log_reason_text(r->reason))))
            return true;
        if (r->text && str_contains(str_from_c(r->text), wanted))
            return true;
    }
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
    if (!str_eq(f->from, STR("<>")) && !may_match(q, f->from, r->from, 0))
        return false;
    if (!(r->flags & REST_SEVERAL) && !may_match(q, f->to, r->to, r->domain))
        return false;
    return !site || r->flags & REST_SEVERAL || limits_are_called(site->limits, f->site) || r->attempts;
}

bool filter_must_read(const struct select_filter *f, const struct rest *r)
{
    return f->from.n || f->to.n || f->sent_by.n || f->site.n || f->reason.n || !(r->flags & REST_KNOWN);
}
