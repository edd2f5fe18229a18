/*
 * main/delivery.c -- deliver processes, started when the queue has mail for them: one for each account and mail root,
 * and for each account that runs commands one without either mail root or sandbox (DESIGN 3).
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/server.h"

enum { DELIVER_SHORT_LIFE_MSEC = 500, DELIVER_REST_MSEC = 250 };

/* A question of the queue that waits: for a process being started, or for the moment when one may be. */
struct asked {
    struct list node; /* of main_child.asked, or main_server.resting */
    uint32_t by;      /* instance of the queue */
    struct ipc_deliver_ask ask;
    char user[]; /* what ask.user borrows */
};

/* How a deliver process is started. */
struct wanted {
    struct identity identity;
    char root[sizeof(((struct main_child *)0)->param)]; /* its mail root; empty: it runs commands, and has none */
};

/* ---- what is allowed, by our own configuration: whoever asks is a lesser process ---- */

static const struct config_domain *domain_of(const struct config *config, const struct ipc_deliver_ask *ask)
{
    return ask->domain_index < config->n_domains ? &config->domains[ask->domain_index] : NULL;
}

/* It names things of this configuration that belong together: a domain's `deliver` is for that domain. */
static bool is_known(const struct main_server *s, const struct config *config, const struct ipc_deliver_ask *ask)
{
    const struct config_domain *d = domain_of(config, ask);

    if (ask->generation != s->generation || (!d && ask->domain_index != IPC_NO_DOMAIN))
        return false;
    if (ask->kind != IPC_DELIVERY_TARGET)
        return d && ask->kind <= IPC_DELIVERY_FILE;
    return ask->route < config->n_routes &&
           (!config->routes[ask->route].domain || config->routes[ask->route].domain == d);
}

/* *commands: a process without a sandbox, for the configuration has a command there, or lets aliases name some. */
static bool decide(const struct config *config, const struct ipc_deliver_ask *ask, bool *commands, struct err *err)
{
    *commands = true;
    if (ask->kind != IPC_DELIVERY_TARGET)
        return domain_of(config, ask)->alias_commands.on ||
               err_perm(err, "commands and files of aliases are not allowed here: alias-commands is off");
    switch (config->routes[ask->route].targets[0].kind) {
    case CONFIG_TARGET_MAILDIR:
    case CONFIG_TARGET_MBOX:
        *commands = false;
        return true;
    case CONFIG_TARGET_PIPE:
        return true;
    default:
        return err_temp(err, "the route leads to no mailbox");
    }
}

/* ---- who, and where ---- */

/*
 * As whom. What an alias names belongs to no user, even where one has the alias's name. Empty: the user that is
 * delivered to, an account of this machine.
 */
static struct config_text account_said(const struct config *config, const struct ipc_deliver_ask *ask)
{
    const struct config_domain *d = domain_of(config, ask);

    if (ask->kind == IPC_DELIVERY_TARGET)
        return config_route_account(config, &config->routes[ask->route]);
    return d->deliver_as.text.n ? d->deliver_as : (struct config_text){ .text = STR("vmail") };
}

/* The configuration names the account, or its default does: then it may have a uid below 1000 (DESIGN 3). */
static bool account_of(struct main_server *s, const struct ipc_deliver_ask *ask, struct identity *id, struct err *err)
{
    struct config_text said = account_said(main_config(s), ask);
    bool named = said.text.n > 0;

    if (!s->root) {
        *id = (struct identity){ .uid = getuid(), .gid = getgid() };
        return true;
    }
    if (main_config(s)->run_as.text.n)
        return identity_find(main_config(s)->run_as.text, true, id, err);
    if (identity_find(named ? said.text : ask->user, named, id, err))
        return true;
    /* An installation without any of our accounts: everything runs as nobody, and was warned of (FACE 1.11). */
    return s->accounts_missing && named && said.place.line == 0 && identity_find(STR("nobody"), true, id, err);
}

/* Where {home} stands first it is that of the user, whoever delivers there. */
static bool root_of(struct main_server *s, const struct ipc_deliver_ask *ask, char *out, size_t room, struct err *err)
{
    const struct config *config = main_config(s);
    struct str root = config_template_root(&config->routes[ask->route].targets[0].path);
    struct str said = account_said(config, ask).text;
    struct identity owner;

    if (!root.n) {
        if (!identity_find(said.n ? said : ask->user, true, &owner, err))
            return false;
        root = str_from_c(owner.home);
    }
    if (!root.n)
        return err_perm(err, "%s has no home folder", owner.name);
    int n = snprintf(out, room, "%.*s", STR_ARG(root));
    return (n > 0 && (size_t)n < room) || err_perm(err, "the mail root has too long a name");
}

/*
 * /var/mail belongs to the group mail: who makes mailboxes and locks in it needs that group, which its users do not
 * have. No other folder gives its group away.
 */
static void add_mail_group(struct identity *id, const char *root)
{
    struct group mail, *found = NULL;
    char space[16384];
    struct stat st;

    if (stat(root, &st) < 0 || !(st.st_mode & S_IWGRP) || st.st_gid == id->gid ||
        getgrnam_r("mail", &mail, space, sizeof(space), &found) != 0 || !found || mail.gr_gid != st.st_gid)
        return;
    for (size_t i = 0; i < id->n_groups; i++)
        if (id->groups[i] == st.st_gid)
            return;
    if (id->n_groups < IDENTITY_GROUPS_MAX)
        id->groups[id->n_groups++] = st.st_gid;
}

static bool find_wanted(struct main_server *s, const struct ipc_deliver_ask *ask, bool commands, struct wanted *w,
                        struct err *err)
{
    const struct config *config = main_config(s);

    *w = (struct wanted){ .root = "" };
    if (!account_of(s, ask, &w->identity, err))
        return false;
    if (commands)
        return true;
    if (!root_of(s, ask, w->root, sizeof(w->root), err))
        return false;
    BUG_ON(!w->root[0]);
    if (s->root && config->routes[ask->route].targets[0].kind == CONFIG_TARGET_MBOX)
        add_mail_group(&w->identity, w->root);
    return true;
}

/* ---- processes ---- */

static struct main_child *deliver_for(struct main_server *s, const struct wanted *w)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->kind == PROCESS_DELIVER && c->generation == s->generation && c->state != CHILD_ENDING && c->channel &&
            c->identity.uid == w->identity.uid && c->identity.n_groups == w->identity.n_groups &&
            strcmp(c->param, w->root) == 0)
            return c;
    }
    return NULL;
}

static void answer(struct main_child *queue, uint64_t ticket, enum ipc_result status, uint32_t instance,
                   struct str text)
{
    ipc_send_deliver_answer(queue->channel, &(struct ipc_deliver_answer){
                                                .ticket = ticket,
                                                .status = (uint8_t)status,
                                                .instance = instance,
                                                .text = text,
                                            });
}

/* Domains and users that share an account and a mail root share the process, and may ask for it at once. */
static bool wait_in(struct list *list, const struct main_child *queue, const struct ipc_deliver_ask *ask)
{
    struct asked *a = calloc(1, sizeof(*a) + ask->user.n);

    if (!a)
        return false;
    *a = (struct asked){ .by = queue->instance, .ask = *ask };
    if (ask->user.n)
        memcpy(a->user, ask->user.p, ask->user.n);
    a->ask.user = str_of(a->user, ask->user.n);
    list_init(&a->node);
    list_append(list, &a->node);
    return true;
}

/* Somebody takes it: one that runs, one being started, or one that may be after a rest. */
static void give_to(struct main_server *s, struct main_child *queue, const struct ipc_deliver_ask *ask,
                    const struct wanted *w)
{
    struct main_child *c = deliver_for(s, w);
    struct err err = { 0 };

    if (c && c->state == CHILD_READY) {
        answer(queue, ask->ticket, IPC_OK, c->instance, STR_NONE);
        return;
    }
    if (!c && io_timer_pending(&s->deliver_rest)) {
        if (!wait_in(&s->resting, queue, ask))
            answer(queue, ask->ticket, IPC_TEMP, 0, STR("out of memory"));
        return;
    }
    if (!c)
        c = child_start(s, PROCESS_DELIVER, s->generation, &w->identity, w->root, &err);
    if (!c)
        answer(queue, ask->ticket, IPC_TEMP, 0, str_from_c(err.text));
    else if (!wait_in(&c->asked, queue, ask))
        answer(queue, ask->ticket, IPC_TEMP, 0, STR("out of memory"));
}

void delivery_ask(struct main_server *s, struct main_child *queue, const struct ipc_deliver_ask *ask)
{
    const struct config *config = main_config(s);
    struct wanted wanted;
    struct err err = { 0 };
    bool commands;

    if (queue->kind != PROCESS_QUEUE)
        return;
    if (!is_known(s, config, ask))
        answer(queue, ask->ticket, IPC_TEMP, 0, STR("the configuration has changed; asked again"));
    else if (!decide(config, ask, &commands, &err))
        answer(queue, ask->ticket, err.kind == ERR_PERM ? IPC_PERM : IPC_TEMP, 0, str_from_c(err.text));
    else if (!find_wanted(s, ask, commands, &wanted, &err))
        /* An account can be made: what is in the queue waits for it. */
        answer(queue, ask->ticket, IPC_TEMP, 0, str_from_c(err.text));
    else
        give_to(s, queue, ask, &wanted);
}

void delivery_rested(struct main_server *s)
{
    struct main_child *queue = child_ready(s, PROCESS_QUEUE);
    struct list rest;
    struct list *node;

    list_init(&rest);
    while ((node = list_take(&s->resting)))
        list_append(&rest, node);
    while ((node = list_take(&rest))) {
        struct asked *a = CONTAINER_OF(node, struct asked, node);
        if (queue && queue->instance == a->by)
            delivery_ask(s, queue, &a->ask);
        free(a);
    }
}

void delivery_ready(struct main_child *deliver)
{
    struct main_child *queue = child_ready(deliver->server, PROCESS_QUEUE);
    struct list *node;

    while ((node = list_take(&deliver->asked))) {
        struct asked *a = CONTAINER_OF(node, struct asked, node);
        if (queue && queue->instance == a->by)
            answer(queue, a->ask.ticket, IPC_OK, deliver->instance, STR_NONE);
        free(a);
    }
}

/* One that dies as soon as it was born would be born again at once, for ever: the next ones wait, longer each time. */
void delivery_ended(struct main_child *deliver)
{
    struct main_server *s = deliver->server;
    int64_t rest = DELIVER_REST_MSEC;
    struct list *node;

    if (deliver->state != CHILD_ENDING) {
        bool short_life = io_now_msec(s->loop) - deliver->started_msec < DELIVER_SHORT_LIFE_MSEC;
        s->deliver_short_lives = short_life ? s->deliver_short_lives + 1 : 0;
        for (unsigned i = 1; i < s->deliver_short_lives && rest < MAIN_BACKOFF_MAX_MSEC; i++)
            rest *= 2;
    }
    while ((node = list_take(&deliver->asked)))
        list_append(&s->resting, node);
    if (s->deliver_short_lives || !list_empty(&s->resting))
        io_timer_start(&s->deliver_rest, rest < MAIN_BACKOFF_MAX_MSEC ? rest : MAIN_BACKOFF_MAX_MSEC);
}

void delivery_retire_former(struct main_server *s)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->kind != PROCESS_DELIVER || c->generation == s->generation || c->state == CHILD_ENDING)
            continue;
        c->state = CHILD_ENDING;
        if (c->channel)
            ipc_send_retire(c->channel, &(struct ipc_retire){ .generation = s->generation });
    }
}
