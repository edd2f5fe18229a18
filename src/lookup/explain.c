/* lookup/explain.c -- `veredus explain ADDRESS`: every decision about that RCPT, as rows; nothing is counted.
 */
#include "core/num.h"
#include "lookup/verdict.h"
#include "route/local.h"
#include "smtp/address.h"

enum { SHOWN_MAX = 8, USES_MAX = 64, TEXT_MAX = 8192, HOPS_MAX = 64 * 1024 };

/* What one address that mail for it goes to turned out to be. */
struct found {
    const struct route_result *result;
    struct route_hit hit;             /* of an ADDRESS */
    const struct config_route *route; /* NULL: none that may be taken */
};

struct explainer {
    struct lookup_turn *turn;
    const struct ipc_explain_ask *ask;
    struct lookup_who who;
    struct lookup_verdict verdict;
    bool refused;
    struct route_hit hit; /* of the address asked for */
    enum lookup_relay relays; /* as this client that logged in as this account */
    struct config_place relay_place;
    enum lookup_relay trusted; /* as this client alone */
    struct config_place trusted_place;
    struct str held; /* taken, but kept for this limit's sake */
    enum route_status status;
    struct route_failure why;
    struct route_results results;
    struct found found[SHOWN_MAX];
    size_t n_found;
    struct buf text; /* of the row in hand */
    struct buf hops;
    uint32_t n_hops;
};

/* ---- the verdict ---- */

static bool greeted(struct explainer *e, struct lookup_verdict *v)
{
    const struct config *config = e->turn->lookup->config;
    struct ip client = policy_client_of(e->ask->client);
    struct ipc_connect_ask ask = { .client = e->ask->client, .listener = e->ask->listener };
    struct ipc_connect_answer a;

    if (e->ask->listener < config->n_listeners && client.family != IP_NONE) {
        const struct config_networks *from = &config->listeners[e->ask->listener].allow_from;
        if (!from->everyone && !config_networks_have(from, &client, NULL)) {
            *v = (struct lookup_verdict){ .row = from->n ? SMTP_REPLY_GREETING_REFUSED
                                                         : SMTP_REPLY_GREETING_NEVER,
                                          .reason = LOG_REASON_POLICY,
                                          .rule = lookup_rule(e->turn, from->place) };
            return false;
        }
    }
    (void)lookup_connect(e->turn, &ask, &a);
    *v = (struct lookup_verdict){ .row = a.row, .reason = a.reason, .number = a.number, .rule = a.rule };
    return !a.refused;
}

static bool sender_taken(struct explainer *e, struct lookup_verdict *v)
{
    struct ipc_mail_ask ask = { .client = e->ask->client,
                                .listener = e->ask->listener,
                                .account = e->ask->account,
                                .sender = e->ask->sender,
                                .size = e->ask->size };
    struct ipc_mail_answer a;

    lookup_mail(e->turn, &ask, &a);
    e->held = a.held ? a.detail : STR_NONE;
    *v = (struct lookup_verdict){
        .row = a.row, .reason = a.reason, .number = a.number, .rule = a.rule, .text = a.detail
    };
    return !a.refused;
}

static bool recipient_taken(struct explainer *e, struct lookup_verdict *v)
{
    struct ipc_rcpt_ask ask = { .client = e->ask->client,
                                .listener = e->ask->listener,
                                .account = e->ask->account,
                                .sender = e->ask->sender,
                                .local = e->ask->local,
                                .domain = e->ask->domain,
                                .size = e->ask->size };
    struct ipc_rcpt_answer a;

    lookup_rcpt(e->turn, &ask, &a);
    if (a.held && !e->held.n)
        e->held = a.detail;
    *v = (struct lookup_verdict){ .row = a.row,
                                  .reason = a.reason,
                                  .number = a.number,
                                  .rule = a.rule,
                                  .code = a.code,
                                  .status = a.status,
                                  .text = a.detail };
    return !a.refused;
}

static void add_address(struct buf *out, struct str local, struct str domain)
{
    struct smtp_path path = { .local = local, .domain = domain };

    (void)smtp_path_write(out, &path);
}

/* As the client would see it, without the code. */
static struct str reply_words(struct explainer *e, const struct smtp_reply *reply, bool in_own_words)
{
    struct ip client = policy_client_of(e->ask->client);
    struct ip_text client_text = ip_text(&client);
    struct buf address = BUF_INIT(TEXT_MAX), line = BUF_INIT(TEXT_MAX);
    struct str words = STR("");

    add_address(&address, e->ask->local, e->ask->domain);
    struct smtp_slots slots = { .address = buf_str(&address),
                                .client = str_from_c(client_text.c),
                                .hostname =
                                    lookup_session_of(e->turn->lookup, e->ask->listener)->hostname.text,
                                .text = e->verdict.text,
                                .number = e->verdict.number };
    if (smtp_reply_write(&line, reply, in_own_words ? NULL : &slots, true) && line.n > 4)
        words = arena_str(e->turn->scratch, str_trim(str_skip(buf_str(&line), 4)));
    buf_done(&line);
    buf_done(&address);
    return words;
}

static void say_verdict(struct explainer *e)
{
    const struct lookup_verdict *v = &e->verdict;
    bool in_own_words = v->row == SMTP_REPLY_NONE;
    struct smtp_reply reply = { .code = v->code, .status = v->status, .words = v->text };
    struct log_record r;

    if (!in_own_words)
        reply = smtp_reply_row(v->row);
    log_begin(&r, LOG_EVENT_ROW_VERDICT, LOG_LEVEL_INFO, 0);
    log_text(&r, LOG_LISTENER, lookup_listener_name(e->turn->lookup, e->ask->listener));
    log_number(&r, LOG_CODE, reply.code);
    log_text(&r, LOG_STATUS, reply.status);
    if (v->reason != LOG_REASON_NONE)
        log_reason(&r, v->reason);
    if (e->refused && v->rule.n)
        log_text(&r, LOG_RULE, v->rule);
    log_text(&r, LOG_REPLY, reply_words(e, &reply, in_own_words));
    worker_row_add(e->turn->octets, &r);
}

/* ---- rows ---- */

/* A decision, its text what was gathered in e->text. */
static void say(struct explainer *e, const char *name, struct str value, struct str rule)
{
    struct log_record r;

    log_begin(&r, LOG_EVENT_ROW_DECISION, LOG_LEVEL_INFO, 0);
    log_text_c(&r, LOG_NAME, name);
    log_text(&r, LOG_VALUE, value);
    log_text(&r, LOG_TEXT, buf_str(&e->text));
    if (rule.n)
        log_text(&r, LOG_RULE, rule);
    worker_row_add(e->turn->octets, &r);
    buf_clear(&e->text);
}

static void say_words(struct explainer *e, const char *name, struct str value, const char *words,
                      struct str rule)
{
    buf_add_c(&e->text, words);
    say(e, name, value, rule);
}

static const char *client_words(const struct explainer *e, const struct ip *client)
{
    if (e->trusted == LOOKUP_RELAY)
        return e->ask->listener == IPC_NO_LISTENER ? "a program of this machine: may send anywhere"
                                                   : "in relay-from: may send anywhere";
    if (e->trusted == LOOKUP_RELAY_UNSURE)
        return "whether it may send anywhere cannot be known: a file of relay-from cannot be read";
    if (client->family == IP_NONE)
        return "nobody in particular: not in relay-from";
    return ip_is_loopback(client) ? "this machine itself: not in relay-from"
                                  : "a stranger: not in relay-from";
}

static void say_client(struct explainer *e)
{
    struct ip client = policy_client_of(e->ask->client);
    struct ip_text text = ip_text(&client);
    const char *none = e->ask->listener == IPC_NO_LISTENER ? "sendmail" : "unknown";

    say_words(e, "client", str_from_c(client.family == IP_NONE ? none : text.c), client_words(e, &client),
              lookup_rule(e->turn, e->trusted_place));
}

static void say_account(struct explainer *e)
{
    struct str account = e->ask->account;

    if (account.n)
        say_words(e, "account", account, "as if it had logged in",
                  lookup_rule(e->turn, lookup_session_of(e->turn->lookup, e->ask->listener)->auth.place));
}

static void say_send_as(struct explainer *e)
{
    const struct config_send_as *send_as = lookup_send_as_of(e->turn->lookup, e->ask->account);
    struct lookup_verdict v = { 0 };

    if (!e->ask->account.n)
        return;
    if (send_as->kind == CONFIG_SEND_AS_ANY)
        buf_add_c(&e->text, "any sender address");
    else
        buf_add_c(&e->text, "its own address, and aliases that lead to it");
    for (size_t i = 0; i < send_as->n_files; i++)
        buf_printf(&e->text, ", and what %.*s says", STR_ARG(send_as->files[i].text));
    say(e, "send-as", lookup_may_send_as(e->turn, &e->who, &v) ? STR("allowed") : STR("refused"),
        lookup_rule(e->turn, send_as->place));
}

static void say_domain(struct explainer *e)
{
    const struct route_hit *hit = &e->hit;

    if (!hit->block) {
        say_words(e, "domain", e->ask->domain, "not served here", STR_NONE);
        return;
    }
    buf_add_c(&e->text, "served");
    if (!str_eq(hit->domain, e->ask->domain))
        buf_printf(&e->text, ", and what '%.*s' means here", STR_ARG(e->ask->domain));
    say(e, "domain", hit->domain, lookup_rule(e->turn, hit->block->place));
}

static void say_relay(struct explainer *e)
{
    if (e->hit.block)
        return;
    if (e->relays == LOOKUP_RELAY_ACCOUNT)
        say_words(e, "relay", STR("allowed"), "who logged in may send to other hosts",
                  lookup_rule(e->turn, e->relay_place));
    else if (e->relays == LOOKUP_RELAY)
        say_words(e, "relay", STR("allowed"), "this client may send to other hosts",
                  lookup_rule(e->turn, e->relay_place));
    else
        say_words(e, "relay", STR("refused"), "only clients in relay-from may send to other hosts",
                  lookup_rule(e->turn, e->relay_place));
}

/* ---- aliases ---- */

static const char *failure_words(enum route_status status)
{
    switch (status) {
    case ROUTE_IS_UNKNOWN:
        return "leads to nobody who exists";
    case ROUTE_HAS_NO_TABLE:
        return "cannot be followed: a file cannot be read";
    case ROUTE_IS_BROKEN:
        return "has a target that cannot be read";
    case ROUTE_IS_OFF:
        return "names a command or file, and alias-commands is off";
    case ROUTE_IS_UNGUARDED:
        return "names a command or file, and others than root may write to the alias file";
    case ROUTE_IS_LOOP:
        return "leads in a circle, or too deep";
    case ROUTE_IS_TOO_MUCH:
        return "leads to more addresses than max-expansion";
    default:
        return "cannot be followed now";
    }
}

static void add_result(struct buf *out, const struct route_result *r)
{
    if (r->kind == ENVELOPE_ADDRESS) {
        add_address(out, r->local, r->domain);
    } else {
        if (r->kind == ENVELOPE_COMMAND)
            buf_add_char(out, '|');
        buf_add(out, r->local);
    }
}

static void say_alias(struct explainer *e)
{
    const struct route_results *all = &e->results;
    struct str rule = route_hit_rule(&e->turn->lookup->view, &e->hit, e->turn->scratch);

    if (e->hit.kind != ROUTE_ALIAS && e->hit.kind != ROUTE_REDIRECT)
        return;
    if (e->status != ROUTE_OK) {
        say_words(e, "alias", e->ask->local, failure_words(e->status), e->why.rule.n ? e->why.rule : rule);
        return;
    }
    if (e->hit.kind == ROUTE_REDIRECT)
        buf_printf(&e->text, "%.*s: ", STR_ARG(route_by_name(e->hit.by)));
    buf_add_c(&e->text, "is ");
    for (size_t i = 0; i < all->n && i < SHOWN_MAX; i++) {
        buf_add_c(&e->text, i ? ", " : "");
        add_result(&e->text, &all->items[i]);
    }
    if (all->n > SHOWN_MAX)
        buf_printf(&e->text, " and %zu more", all->n - SHOWN_MAX);
    if (all->n && all->items[0].sender.n)
        buf_printf(&e->text, "; sent on as %.*s", STR_ARG(all->items[0].sender));
    say(e, "alias", e->ask->local, rule);
}

/* ---- users ---- */

static const char *user_words(struct explainer *e, const struct found *f)
{
    struct lookup_turn *t = e->turn;
    const struct route_hit *hit = &f->hit;

    if (hit->kind == ROUTE_NO_TABLE)
        return "cannot be known: a file cannot be read";
    if (hit->kind != ROUTE_MAILBOX || (hit->routed && !f->route))
        return "does not exist";
    if (hit->routed)
        return "needs no mailbox: a route names it";
    if (!hit->assumed)
        return "exists";
    if (!hit->ask)
        return route_is_role(f->result->local) ? "taken in every domain" : "every name exists";
    switch (lookup_verified_get(&t->lookup->verified, f->result->local, f->result->domain, t->now_msec)) {
    case LOOKUP_EXISTS:
        return "exists: the next hop said so";
    case LOOKUP_EXISTS_NOT:
        return "does not exist: the next hop said so";
    default:
        return "only the next hop knows: it is asked at RCPT";
    }
}

static void say_user(struct explainer *e, const struct found *f)
{
    const struct route_hit *hit = &f->hit;
    bool is_routed = hit->routed && f->route;

    if (f->result->kind != ENVELOPE_ADDRESS || !hit->block)
        return;
    buf_add_c(&e->text, user_words(e, f));
    if (hit->detail.n)
        buf_printf(&e->text, ", with detail '%.*s'", STR_ARG(hit->detail));
    say(e, "user", hit->kind == ROUTE_MAILBOX ? hit->user : f->result->local,
        is_routed ? lookup_rule(e->turn, f->route->place)
                  : route_hit_rule(&e->turn->lookup->view, hit, e->turn->scratch));
}

/* ---- limits ---- */

static size_t add_uses(struct explainer *e, const struct config_limits *limits, struct policy_use *uses,
                       size_t n)
{
    struct policy_party party = lookup_party(e->turn, &e->who);
    bool has_log_in = lookup_session_of(e->turn->lookup, e->ask->listener)->auth.n;
    size_t end, kept = n;

    party.limits = limits;
    end = n + policy_limits_uses(&e->turn->lookup->counters, &party, e->turn->now_msec, uses + n, USES_MAX - n);
    for (size_t i = n; i < end; i++)
        if (has_log_in || uses[i].limit->measure != CONFIG_MEASURE_AUTH_FAILURES)
            uses[kept++] = uses[i];
    return kept;
}

static struct str distance(const struct policy_use *uses, size_t n)
{
    struct str far = STR("far away");

    for (size_t i = 0; i < n; i++) {
        if (uses[i].value >= uses[i].limit->bound)
            return STR("reached");
        if (uses[i].value >= uses[i].limit->bound / 2)
            far = STR("near");
    }
    return far;
}

static void say_limits(struct explainer *e)
{
    struct policy_use uses[USES_MAX];
    size_t n = add_uses(e, &lookup_session_of(e->turn->lookup, e->ask->listener)->limits, uses, 0);

    if (e->hit.block)
        n = add_uses(e, &e->hit.block->limits, uses, n);
    if (!n && !e->ask->client.n && !e->ask->account.n && e->ask->listener != IPC_NO_LISTENER) {
        say_words(e, "limits", STR("not asked"), "they are about a client: give one with --client", STR_NONE);
        return;
    }
    if (!n) {
        say_words(e, "limits", STR("none"), "none binds this client", STR_NONE);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct config_limit *l = uses[i].limit;
        bool same_key = i && uses[i - 1].limit->key == l->key;
        buf_add_c(&e->text, i ? ", " : "");
        if (!same_key)
            buf_printf(&e->text, "%.*s ", STR_ARG(config_limit_key_name(l->key)));
        buf_printf(&e->text, "%.*s %llu of %.*s", STR_ARG(config_limit_measure_name(l->measure)),
                   (unsigned long long)uses[i].value, STR_ARG(l->written));
    }
    say(e, "limits", distance(uses, n), STR_NONE);
}

static void say_held(struct explainer *e)
{
    if (!e->refused && e->held.n)
        say_words(e, "held", e->held, "it would be taken, and kept until somebody releases it", STR_NONE);
}

/* ---- next hops ---- */

static struct str target_kind(enum config_target_kind kind)
{
    static const struct str names[] = {
        [CONFIG_TARGET_MX] = STR_INIT("mx"),           [CONFIG_TARGET_SMTP] = STR_INIT("smtp"),
        [CONFIG_TARGET_LMTP] = STR_INIT("lmtp"),       [CONFIG_TARGET_LMTP_UNIX] = STR_INIT("lmtp"),
        [CONFIG_TARGET_MAILDIR] = STR_INIT("maildir"), [CONFIG_TARGET_MBOX] = STR_INIT("mbox"),
        [CONFIG_TARGET_PIPE] = STR_INIT("pipe"),       [CONFIG_TARGET_HOLD] = STR_INIT("hold"),
        [CONFIG_TARGET_DISCARD] = STR_INIT("discard"), [CONFIG_TARGET_FAIL] = STR_INIT("fail"),
        [CONFIG_TARGET_DEFER] = STR_INIT("defer"),
    };

    return names[kind];
}

static void add_host(struct buf *out, const struct config_target *target)
{
    bool is_v6 = str_has(target->host, ':');

    buf_printf(out, is_v6 ? "[%.*s]" : "%.*s", STR_ARG(target->host));
    if (target->port)
        buf_printf(out, ":%u", target->port);
}

/* As a configuration writes it. */
static void add_target(struct explainer *e, const struct config_target *target)
{
    struct buf *out = &e->text;
    struct arena *a = e->turn->scratch;

    buf_add(out, target_kind(target->kind));
    switch (target->kind) {
    case CONFIG_TARGET_MX:
        buf_add_c(out, target->host.n ? ":" : "");
        buf_add(out, target->host);
        return;
    case CONFIG_TARGET_SMTP:
    case CONFIG_TARGET_LMTP:
        buf_add_c(out, target->tls_at_once ? "s://" : "://");
        add_host(out, target);
        return;
    case CONFIG_TARGET_LMTP_UNIX:
        buf_printf(out, ":unix:%.*s", STR_ARG(target->host));
        return;
    case CONFIG_TARGET_MAILDIR:
    case CONFIG_TARGET_MBOX:
    case CONFIG_TARGET_PIPE:
        buf_printf(out, ":%.*s", STR_ARG(config_template_text(&target->path, a)));
        for (size_t i = 0; i < target->n_args; i++)
            buf_printf(out, " %.*s", STR_ARG(config_template_text(&target->args[i], a)));
        return;
    case CONFIG_TARGET_FAIL:
    case CONFIG_TARGET_DEFER:
        buf_printf(out, " \"%.*s %.*s\"", STR_ARG(target->status), STR_ARG(target->text));
        return;
    case CONFIG_TARGET_HOLD:
    case CONFIG_TARGET_DISCARD:
        return;
    }
}

static void add_targets(struct explainer *e, const struct config_target *targets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_add_c(&e->text, i ? " " : "");
        add_target(e, &targets[i]);
    }
}

static struct str where(enum config_target_kind kind)
{
    if (config_target_is_remote(kind))
        return STR("remote");
    return kind <= CONFIG_TARGET_PIPE ? STR("local") : STR("nowhere");
}

/* A next hop whose plan is wanted; each once. */
static void add_hop(struct explainer *e, const struct config_route *route, struct str domain)
{
    char head[6];
    struct str rest = buf_str(&e->hops);

    le32_put(head, (uint32_t)route->index);
    le16_put(head + 4, (uint16_t)domain.n);
    for (; rest.n; rest = str_skip(rest, sizeof(head) + le16_get(rest.p + 4)))
        if (str_eq(str_head(rest, sizeof(head)), str_of(head, sizeof(head))) &&
            str_eq(str_slice(rest, sizeof(head), sizeof(head) + domain.n), domain))
            return;
    if (buf_room(&e->hops, sizeof(head) + domain.n) && buf_add(&e->hops, str_of(head, sizeof(head))) &&
        buf_add(&e->hops, domain))
        e->n_hops++;
}

static void say_route(struct explainer *e, const struct found *f)
{
    const struct config_route *route = f->route;

    if (f->result->kind != ENVELOPE_ADDRESS) {
        add_result(&e->text, f->result);
        say(e, "deliver", f->result->kind == ENVELOPE_FILE ? STR("file") : STR("command"), f->result->rule);
        return;
    }
    if (!route)
        return;
    if (e->results.n > 1) {
        add_result(&e->text, f->result);
        buf_add_c(&e->text, ": ");
    }
    add_targets(e, route->targets, route->n_targets);
    if (route->n_fallback)
        buf_add_c(&e->text, ", fallback ");
    add_targets(e, route->fallback, route->n_fallback);
    say(e, route->domain ? "deliver" : "route", where(route->targets[0].kind),
        lookup_rule(e->turn, route->place));
    if (config_target_is_remote(route->targets[0].kind) && !e->refused)
        add_hop(e, route, f->hit.domain);
}

/* ---- all ---- */

/* What it becomes: itself, or what aliases make of it. */
static void follow(struct explainer *e)
{
    const struct route_view *view = &e->turn->lookup->view;
    struct route_result itself = { .local = e->ask->local, .domain = e->ask->domain };

    route_find(view, e->ask->local, e->ask->domain, ROUTE_FIND_ALL, e->turn->scratch, &e->hit);
    e->results = (struct route_results){ .arena = e->turn->scratch };
    if (e->hit.kind == ROUTE_ALIAS || e->hit.kind == ROUTE_REDIRECT)
        e->status = route_expand(view, e->ask->local, e->ask->domain, 0, &e->results, &e->why);
    else if (!route_results_add(&e->results, &itself))
        e->status = ROUTE_HAS_NO_MEMORY;
}

static void find_all(struct explainer *e)
{
    const struct route_view *view = &e->turn->lookup->view;
    struct route_question q = { .listener = lookup_listener_name(e->turn->lookup, e->ask->listener),
                                .account = e->ask->account };

    for (size_t i = 0; i < e->results.n && i < SHOWN_MAX; i++) {
        struct found *f = &e->found[e->n_found++];
        f->result = &e->results.items[i];
        if (f->result->kind != ENVELOPE_ADDRESS)
            continue;
        route_find(view, f->result->local, f->result->domain, ROUTE_FIND_MAILBOX, e->turn->scratch, &f->hit);
        q.local = f->result->local;
        q.sender = f->result->sender.n && e->ask->sender.n ? f->result->sender : e->ask->sender;
        if (f->hit.kind == ROUTE_MAILBOX ||
            (f->hit.kind == ROUTE_FOREIGN &&
             (e->hit.block || e->relays == LOOKUP_RELAY || e->relays == LOOKUP_RELAY_ACCOUNT)))
            f->route = route_of(view, &f->hit, q);
    }
}

static void say_all(struct explainer *e)
{
    say_verdict(e);
    say_client(e);
    say_account(e);
    say_send_as(e);
    say_domain(e);
    say_relay(e);
    say_alias(e);
    for (size_t i = 0; i < e->n_found; i++)
        say_user(e, &e->found[i]);
    say_limits(e);
    say_held(e);
    for (size_t i = 0; i < e->n_found; i++)
        say_route(e, &e->found[i]);
}

void lookup_explain(struct lookup_turn *t, const struct ipc_explain_ask *ask,
                    struct ipc_explain_answer *answer)
{
    struct explainer e = { .turn = t,
                           .ask = ask,
                           .who = { .client = ask->client,
                                    .listener = ask->listener,
                                    .account = ask->account,
                                    .sender = ask->sender },
                           .text = BUF_INIT(TEXT_MAX),
                           .hops = BUF_INIT(HOPS_MAX) };

    struct lookup_who client = { .client = ask->client, .listener = ask->listener };

    BUG_ON(!t->only_looks);
    buf_clear(t->octets);
    e.refused = !(greeted(&e, &e.verdict) && sender_taken(&e, &e.verdict) && recipient_taken(&e, &e.verdict));
    e.relays = lookup_relays(t->lookup, &e.who, &e.relay_place);
    e.trusted = lookup_relays(t->lookup, &client, &e.trusted_place);
    follow(&e);
    find_all(&e);
    say_all(&e);
    *answer = (struct ipc_explain_answer){
        .ticket = ask->ticket,
        .generation = t->lookup->generation,
        .count = e.n_hops,
        .hops = arena_str(t->scratch, buf_str(&e.hops)),
        .records = buf_str(t->octets),
    };
    if (!answer->hops.p)
        answer->count = 0;
    buf_done(&e.text);
    buf_done(&e.hops);
}
