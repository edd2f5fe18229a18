/* queue/report_draft.c -- reports in the making: to whom, about whom, and what that address becomes. */
#include "queue/report.h"

#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "smtp/address.h"

enum { DRAFTS_MAX = 64 }; /* reverse-paths of one message: the rest is told when these are */

void draft_free(struct draft *d)
{
    list_remove(&d->node);
    for (size_t i = 0; i < d->n_to; i++) {
        free(d->locals[i]);
        free(d->domains[i]);
    }
    free(d->locals);
    free(d->domains);
    free(d->numbers);
    free(d->to);
    free(d);
}

static bool draft_recipient(struct draft *d, struct str local, struct str domain)
{
    char **locals = realloc(d->locals, (d->n_to + 1) * sizeof(*locals));
    if (locals)
        d->locals = locals;
    char **domains = realloc(d->domains, (d->n_to + 1) * sizeof(*domains));
    if (domains)
        d->domains = domains;
    if (!locals || !domains)
        return false;
    d->locals[d->n_to] = text_copy(local);
    d->domains[d->n_to] = text_copy(domain);
    d->n_to++;
    return d->locals[d->n_to - 1] && d->domains[d->n_to - 1];
}

bool draft_number(struct draft *d, uint32_t number)
{
    uint32_t *numbers = realloc(d->numbers, (d->n_numbers + 1) * sizeof(*numbers));

    if (!numbers)
        return false;
    d->numbers = numbers;
    d->numbers[d->n_numbers++] = number;
    return true;
}

static struct draft *draft_new(struct reporting *rep, enum message_report_kind kind, struct str to)
{
    struct draft *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    *d = (struct draft){ .kind = kind, .to = text_copy(to) };
    list_init(&d->node);
    list_append(&rep->drafts, &d->node);
    if (d->to)
        return d;
    draft_free(d);
    return NULL;
}

static struct draft *draft_of(struct reporting *rep, enum message_report_kind kind, struct str to, size_t *n)
{
    *n = 0;
    LIST_FOR(node, &rep->drafts) {
        struct draft *d = CONTAINER_OF(node, struct draft, node);
        if (d->kind == kind && str_eq(str_from_c(d->to), to))
            return d;
        ++*n;
    }
    return NULL;
}

bool draft_has_room(struct reporting *rep, enum message_report_kind kind, struct str to)
{
    size_t n;

    return draft_of(rep, kind, to, &n) || n < DRAFTS_MAX;
}

struct draft *draft_for(struct reporting *rep, enum message_report_kind kind, struct str to)
{
    size_t n;
    struct draft *d = draft_of(rep, kind, to, &n);

    return d ? d : draft_new(rep, kind, to);
}

/* The address as written, in the parts that routing wants: local part without quotes, and domain. */
static bool split(struct arena *a, struct str address, struct str *local, struct str *domain)
{
    struct smtp_path path;

    if (smtp_mailbox_parse(a, address, &path) != SMTP_PATH_OK)
        return false;
    *local = path.local;
    *domain = path.domain;
    return true;
}

bool report_address(struct queue *q, struct draft *d)
{
    struct arena *a = arena_new(1 << 16);
    struct str local, domain;
    bool ok = a && split(a, str_from_c(d->to), &local, &domain);

    if (ok) {
        d->asks = config_find_domain(q->worker->config, domain) != NULL;
        ok = draft_recipient(d, local, domain);
    }
    arena_free(a);
    return ok;
}

static bool take_counted(struct str *in, struct str *out)
{
    if (in->n < 2 || le16_get(in->p) > in->n - 2)
        return false;
    *out = str_slice(*in, 2, 2 + (size_t)le16_get(in->p));
    *in = str_skip(*in, 2 + out->n);
    return true;
}

/* Addresses alone: what an alias would run or write is not told of failures. */
void draft_expanded(struct draft *d, const struct ipc_expand_answer *a)
{
    struct str rest = a->results, local, domain, rule, sender;
    size_t first = d->n_to;

    for (uint32_t i = 0; i < a->count && rest.n >= 4; i++) {
        unsigned kind = (unsigned char)rest.p[3];
        rest = str_skip(rest, 4);
        if (!take_counted(&rest, &local) || !take_counted(&rest, &domain) || !take_counted(&rest, &rule) ||
            !take_counted(&rest, &sender))
            break;
        if (kind == ENVELOPE_ADDRESS && !draft_recipient(d, local, domain))
            break;
    }
    if (d->n_to == first)
        return;
    /* In place of the address itself. */
    for (size_t i = 0; i < first; i++) {
        free(d->locals[i]);
        free(d->domains[i]);
    }
    memmove(d->locals, d->locals + first, (d->n_to - first) * sizeof(*d->locals));
    memmove(d->domains, d->domains + first, (d->n_to - first) * sizeof(*d->domains));
    d->n_to -= first;
}
