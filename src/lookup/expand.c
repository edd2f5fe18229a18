/* lookup/expand.c -- what recipients become after the last octet, and where addresses go at each attempt. */
#include "core/num.h"
#include "lookup/verdict.h"
#include "smtp/address.h"

/* ---- EXPAND ---- */

static bool take_counted(struct str *in, struct str *out)
{
    if (in->n < 2)
        return false;
    size_t n = le16_get(in->p);
    if (in->n - 2 < n)
        return false;
    *out = str_slice(*in, 2, 2 + n);
    *in = str_skip(*in, 2 + n);
    return true;
}

static bool add_counted(struct buf *out, struct str s)
{
    char n[2];

    if (s.n > UINT16_MAX)
        return false;
    le16_put(n, (uint16_t)s.n);
    return buf_add(out, str_of(n, sizeof(n))) && buf_add(out, s);
}

static bool add_result(struct buf *out, const struct route_result *r)
{
    char head[4];

    le16_put(head, (uint16_t)r->index);
    head[2] = (char)r->by;
    head[3] = (char)r->kind;
    return buf_add(out, str_of(head, sizeof(head))) && add_counted(out, r->local) &&
           add_counted(out, r->domain) && add_counted(out, r->rule) && add_counted(out, r->sender);
}

static bool is_for_ever(enum route_status status)
{
    return status == ROUTE_IS_FOREIGN || status == ROUTE_IS_UNKNOWN;
}

/*
 * RCPT was accepted: an address that is gone since then goes on as it is and fails in the queue, for itself
 * alone. What may be well later refuses the whole message with 4yz.
 */
static bool expand_one(struct lookup_turn *t, struct route_results *results, struct str local,
                       struct str domain, size_t index, struct lookup_verdict *v)
{
    struct route_failure why = { 0 };
    struct route_result itself = { .index = index, .local = local, .domain = domain };
    enum route_status status = route_expand(&t->lookup->view, local, domain, index, results, &why);

    if (is_for_ever(status))
        status = route_results_add(results, &itself) ? ROUTE_OK : ROUTE_HAS_NO_MEMORY;
    if (status == ROUTE_OK)
        return true;
    *v = lookup_verdict_of(status, &why);
    /* The end of data is about no address in particular: the rows of RCPT would name none. */
    if (v->row != SMTP_REPLY_MEMORY_SHORT)
        v->row = SMTP_REPLY_SYSTEM_FAILED;
    return false;
}

static bool expand_all(struct lookup_turn *t, const struct ipc_expand_ask *ask, struct route_results *results,
                       struct lookup_verdict *v)
{
    struct str rest = ask->recipients, local, domain;

    for (uint32_t i = 0; i < ask->count; i++) {
        if (i > UINT16_MAX || !take_counted(&rest, &local) || !take_counted(&rest, &domain)) {
            *v = (struct lookup_verdict){ .row = SMTP_REPLY_SYSTEM_FAILED };
            return false;
        }
        if (!expand_one(t, results, local, domain, i, v))
            return false;
    }
    return true;
}

static bool write_all(struct lookup_turn *t, const struct route_results *results, struct lookup_verdict *v)
{
    buf_clear(t->octets);
    for (size_t i = 0; i < results->n; i++) {
        if (add_result(t->octets, &results->items[i]))
            continue;
        /* No more than one frame holds. */
        *v = (struct lookup_verdict){ .row = SMTP_REPLY_ENVELOPE_TOO_BIG,
                                      .reason = LOG_REASON_LIMIT,
                                      .number = results->n,
                                      .rule = STR("default") };
        return false;
    }
    return true;
}

void lookup_expand(struct lookup_turn *t, const struct ipc_expand_ask *ask, struct ipc_expand_answer *answer)
{
    struct route_results results = { .arena = t->scratch };
    struct lookup_verdict v = { 0 };
    bool ok = expand_all(t, ask, &results, &v) && write_all(t, &results, &v);

    *answer = (struct ipc_expand_answer){
        .ticket = ask->ticket,
        .refused = !ok,
        .row = (uint16_t)v.row,
        .reason = (uint16_t)v.reason,
        .number = v.number,
        .rule = v.rule,
        .count = ok ? (uint32_t)results.n : 0,
        .results = ok ? buf_str(t->octets) : STR_NONE,
    };
}

/* ---- ROUTE ---- */

static void route_failed(struct lookup_turn *t, const struct route_hit *hit, struct ipc_route_answer *answer)
{
    bool gone = hit->kind == ROUTE_UNKNOWN || hit->kind == ROUTE_MAILBOX;

    answer->status = gone ? IPC_PERM : IPC_TEMP;
    answer->rule = route_hit_rule(&t->lookup->view, hit, t->scratch);
    if (gone) {
        answer->code = STR("5.1.1");
        answer->text = STR("there is no such mailbox any more");
    } else if (hit->kind == ROUTE_FOREIGN) {
        answer->code = STR("4.4.4");
        answer->text = STR("no route leads to its domain now");
    } else {
        answer->code = STR("4.3.0");
        answer->text = STR("the address cannot be looked up now");
    }
}

/* What RCPT gave, as it is looked for; a name without domain is <Postmaster>. */
static enum route_status read_original(struct lookup_turn *t, struct str original, struct smtp_path *path)
{
    *path = (struct smtp_path){ .local = original };
    if (!str_has(original, '@'))
        return ROUTE_OK;
    switch (smtp_mailbox_parse(t->scratch, original, path)) {
    case SMTP_PATH_OK:
        return ROUTE_OK;
    case SMTP_PATH_NO_MEMORY:
        return ROUTE_HAS_NO_MEMORY;
    default:
        return ROUTE_IS_UNKNOWN;
    }
}

/* A process that was taken over can commit any command: only those are run to which an alias leads at this moment. */
static enum route_status leads_there(struct lookup_turn *t, const struct ipc_route_ask *ask)
{
    struct route_results results = { .arena = t->scratch };
    struct route_failure why = { 0 };
    struct smtp_path path;
    enum route_status status = read_original(t, ask->original, &path);

    if (status == ROUTE_OK)
        status = route_expand(&t->lookup->view, path.local, path.domain, 0, &results, &why);
    if (status != ROUTE_OK)
        return status;
    for (size_t i = 0; i < results.n; i++)
        if (results.items[i].kind == (enum envelope_kind)ask->kind && str_eq(results.items[i].local, ask->local) &&
            str_eq(results.items[i].domain, ask->domain))
            return ROUTE_OK;
    return ROUTE_IS_UNKNOWN;
}

static void route_command(struct lookup_turn *t, const struct ipc_route_ask *ask, struct ipc_route_answer *answer)
{
    switch (leads_there(t, ask)) {
    case ROUTE_OK:
        answer->status = IPC_OK;
        break;
    case ROUTE_HAS_NO_TABLE:
    case ROUTE_HAS_NO_MEMORY:
    case ROUTE_IS_BROKEN:
        answer->status = IPC_TEMP;
        answer->code = STR("4.3.0");
        answer->text = STR("its alias cannot be looked up now");
        break;
    default:
        answer->status = IPC_PERM;
        answer->code = STR("5.7.1");
        answer->text = STR("no alias leads to that command or file any more");
    }
}

/* One elsewhere is known by its local part alone. */
static void route_found(struct lookup_turn *t, const struct ipc_route_ask *ask, const struct route_hit *hit,
                        const struct config_route *route, struct ipc_route_answer *answer)
{
    answer->status = IPC_OK;
    answer->route = (uint32_t)route->index;
    answer->user = hit->block ? hit->user : ask->local;
    answer->detail = hit->detail;
    answer->rule = lookup_rule(t, route->place);
}

/* The address is what aliases led to: they are not asked again, or \name would not be the end of it. */
void lookup_route(struct lookup_turn *t, const struct ipc_route_ask *ask, struct ipc_route_answer *answer)
{
    const struct route_view *view = &t->lookup->view;
    struct route_question q = { .local = ask->local, .sender = ask->sender, .listener = ask->listener,
                                .account = ask->account, .released = ask->released };
    const struct config_route *route = NULL;
    struct route_hit hit;

    route_find(view, ask->local, ask->domain, ROUTE_FIND_MAILBOX, t->scratch, &hit);
    *answer = (struct ipc_route_answer){
        .ticket = ask->ticket,
        .generation = t->lookup->generation,
        /* Also of what is no mailbox: a command or file of an alias is one of its domain. */
        .domain_index = hit.block ? (uint32_t)hit.block->index : IPC_NO_DOMAIN,
        .domain = hit.domain,
    };
    if (ask->kind != ENVELOPE_ADDRESS) {
        route_command(t, ask, answer);
        return;
    }
    if (hit.kind == ROUTE_MAILBOX || hit.kind == ROUTE_FOREIGN)
        route = route_of(view, &hit, q);
    if (route)
        route_found(t, ask, &hit, route, answer);
    else
        route_failed(t, &hit, answer);
}
