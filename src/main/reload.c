/* main/reload.c -- a new configuration beside the old: new sessions under it, old ones to their end. */
#include <stdio.h>
#include <string.h>

#include "main/server.h"

enum { RELOAD_PATIENCE_MSEC = 10000 };

/* What cannot change while the server runs (FACE 1.12). */
static bool needs_restart(const struct config *old, const struct config *new, struct buf *text)
{
    const struct {
        const char *name;
        struct str before, after;
    } rows[] = {
        { "spool", old->spool.text, new->spool.text },
        { "state", old->state.text, new->state.text },
        { "control", old->control.path, new->control.path },
        { "run-as", old->run_as.text, new->run_as.text },
    };
    bool needed = false;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_eq(rows[i].before, rows[i].after))
            continue;
        buf_printf(text, "%s changed from '%.*s' to '%.*s': that needs a restart; nothing was changed\n", rows[i].name,
                   STR_ARG(rows[i].before), STR_ARG(rows[i].after));
        needed = true;
    }
    return needed;
}

bool posts_of_generation(struct main_server *s)
{
    const struct config *config = main_config(s);

    return posts_add(s, PROCESS_LOOKUP, 1) && posts_add(s, PROCESS_RESOLVE, 1) &&
           posts_add(s, PROCESS_KEY, main_wants_key(config)) && posts_add(s, PROCESS_PAM, main_wants_pam(config)) &&
           posts_add(s, PROCESS_AUTH, main_auth_workers(config)) &&
           posts_add(s, PROCESS_SUBMIT, main_submit_workers(config)) &&
           posts_add(s, PROCESS_SEND, main_send_workers(config)) &&
           posts_add(s, PROCESS_RECEIVE, main_receive_workers(config));
}

static void reconfigure(struct main_server *s, enum process_kind kind)
{
    struct main_child *c = child_ready(s, kind);
    struct main_generation *g = generation_find(s, s->generation);

    if (!c)
        return;
    ipc_send_config(c->channel,
                    &(struct ipc_config){
                        .generation = s->generation,
                        .instance = c->instance,
                        .root = str_from_c(s->options->config_path),
                    },
                    g->bundle);
    c->generation = s->generation;
    if (kind == PROCESS_CONTROL)
        log_targets_send(s, c);
}

static void posts_follow(struct main_server *s)
{
    /* One process each, which takes the new configuration itself; started again it is to have that one. */
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++) {
        struct main_post *p = &s->posts[i];
        if (p->used && ((SET_CONTROL | SET_QUEUE) & 1U << p->kind))
            p->generation = s->generation;
    }
}

static void answer(struct ipc_channel *asker, uint64_t ticket, bool ok, struct str text)
{
    if (asker)
        ipc_send_command_answer(asker, &(struct ipc_command_answer){ .ticket = ticket, .ok = ok, .text = text });
}

static void log_reloaded(struct main_server *s, struct str account)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_CONFIG, LOG_LEVEL_INFO);
    log_text_c(&r, LOG_FILE, s->options->config_path);
    log_flag(&r, LOG_CHANGED, true);
    if (account.n)
        log_text(&r, LOG_ACCOUNT, account);
    log_send(&r);
}

static bool new_ones_ready(struct main_server *s)
{
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++) {
        struct main_post *p = &s->posts[i];
        if (p->used && p->generation == s->generation && (!p->child || p->child->state == CHILD_STARTING))
            return false;
    }
    return true;
}

void reload_begin(struct main_server *s, struct ipc_channel *asker, uint64_t ticket, struct str account)
{
    struct buf text = BUF_INIT(1 << 20);
    const struct config *old = main_config(s);
    struct main_generation *g;

    if (s->phase != PHASE_RUNNING) {
        answer(asker, ticket, false, STR("the server is starting or stopping\n"));
        goto out;
    }
    if (!new_ones_ready(s)) {
        /* What changed since that one began is read when it is done. */
        s->reload_again = true;
        answer(asker, ticket, true, STR("the reload before this one is not finished; another follows it\n"));
        goto out;
    }
    notify_systemd("RELOADING=1");
    generations_prune(s);
    g = generation_load(s, &text);
    if (!g || needs_restart(old, g->config, &text)) {
        if (g)
            generation_drop(g);
        buf_add_c(&text, "The running server keeps the configuration it has.\n");
        answer(asker, ticket, false, buf_str(&text));
        goto out;
    }
    s->generation = g->number;
    posts_follow(s);
    files_watch(s);
    sockets_open(s);
    reconfigure(s, PROCESS_CONTROL);
    reconfigure(s, PROCESS_QUEUE);
    delivery_retire_former(s);
    /* With too few places some serve with fewer. */
    (void)posts_of_generation(s);
    log_reloaded(s, account);
    /* Answered when the new processes serve: who asked may rely on it. */
    s->reload_asker = asker ? asker->instance : 0;
    s->reload_ticket = ticket;
    buf_clear(&s->reload_text);
    buf_add(&s->reload_text, buf_str(&text));
    io_timer_start(&s->reload, RELOAD_PATIENCE_MSEC);
out:
    notify_systemd("READY=1");
    buf_done(&text);
}

static void answer_asker(struct main_server *s, bool ok)
{
    struct main_child *control = child_ready(s, PROCESS_CONTROL);

    if (s->reload_asker && control && control->instance == s->reload_asker)
        answer(control->channel, s->reload_ticket, ok, buf_str(&s->reload_text));
    s->reload_asker = 0;
    io_timer_stop(&s->reload);
}

void reload_overdue(struct main_server *s)
{
    buf_add_c(&s->reload_text, "the new processes are not ready yet; see the log\n");
    answer_asker(s, false);
}

static void retire(struct main_server *s, unsigned kinds, uint32_t generation)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (!(kinds & 1U << c->kind) || c->generation != generation || c->state == CHILD_ENDING)
            continue;
        c->state = CHILD_ENDING;
        if (c->channel)
            ipc_send_retire(c->channel, &(struct ipc_retire){ .generation = s->generation });
    }
}

/* Who is logged in under a former configuration: auth of the new one says whether it knows him, if it has one. */
static void end_logins(struct main_server *s)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if ((SET_INTAKE & 1U << c->kind) && c->generation != s->generation && c->channel)
            ipc_send_no_logins(c->channel, &(struct ipc_no_logins){ .generation = s->generation });
    }
}

static bool any_of(struct main_server *s, unsigned kinds, uint32_t generation)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if ((kinds & 1U << c->kind) && c->generation == generation)
            return true;
    }
    return false;
}

static void posts_drop(struct main_server *s, unsigned kinds, uint32_t generation)
{
    for (size_t i = 0; i < MAIN_POSTS_MAX; i++)
        if (s->posts[i].used && (kinds & 1U << s->posts[i].kind) && s->posts[i].generation == generation)
            post_drop(&s->posts[i]);
}

void reload_go_on(struct main_server *s)
{
    if (!new_ones_ready(s))
        return;
    for (size_t i = 0; i < MAIN_GENERATIONS_MAX; i++) {
        uint32_t former = s->generations[i].number;
        if (!former || former == s->generation)
            continue;
        /* The new ones serve: the old processes take no more, and those they ask go when the sessions are gone. */
        posts_drop(s, SET_INTAKE | SET_SEND, former);
        retire(s, SET_INTAKE | SET_SEND, former);
        if (!any_of(s, SET_INTAKE, former)) {
            posts_drop(s, SET_LOOKUP | SET_RESOLVE | SET_AUTH | SET_PAM, former);
            retire(s, SET_LOOKUP | SET_RESOLVE | SET_AUTH | SET_PAM, former);
        }
        if (!any_of(s, SET_TLS, former)) {
            posts_drop(s, SET_KEY, former);
            retire(s, SET_KEY, former);
        }
    }
    if (!main_auth_workers(main_config(s)))
        end_logins(s);
    generations_prune(s);
    answer_asker(s, true);
    if (s->reload_again) {
        s->reload_again = false;
        reload_begin(s, NULL, 0, STR_NONE);
    }
}
