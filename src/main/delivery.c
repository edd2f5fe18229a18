/* main/delivery.c -- deliver processes: one for each account and mail root, started when the queue has mail for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The configuration names the account: then it may have a uid below 1000 (DESIGN 3). */
static bool account_of(struct main_server *s, const struct config_domain *d, struct str user, struct identity *id,
                       struct err *err)
{
    struct str name = d->deliver_as.text.n ? d->deliver_as.text : user;
    bool named = d->deliver_as.text.n > 0;

    if (!s->root) {
        *id = (struct identity){ .uid = getuid(), .gid = getgid() };
        return true;
    }
    if (main_config(s)->run_as.text.n)
        return identity_find(main_config(s)->run_as.text, true, id, err);
    if (identity_find(name, named, id, err))
        return true;
    /* An installation without any of our accounts: everything runs as nobody, and was warned of (FACE 1.11). */
    if (s->accounts_missing && d->deliver_as.place.line == 0 && named)
        return identity_find(STR("nobody"), true, id, err);
    return false;
}

static bool root_of(const struct config_domain *d, const struct identity *id, char *out, size_t room, struct err *err)
{
    struct str root = config_template_root(&d->route->targets[0].path);
    int n = root.n ? snprintf(out, room, "%.*s", STR_ARG(root)) : snprintf(out, room, "%s", id->home);

    if (n <= 0)
        return err_perm(err, "%s has no home folder", id->name);
    return (size_t)n < room || err_perm(err, "the mail root has too long a name");
}

static struct main_child *deliver_for(struct main_server *s, uint32_t generation, const struct identity *id,
                                      const char *root)
{
    LIST_FOR(node, &s->children) {
        struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        if (c->kind == PROCESS_DELIVER && c->generation == generation && c->state != CHILD_ENDING && c->channel &&
            c->identity.uid == id->uid && strcmp(c->param, root) == 0)
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

void delivery_ask(struct main_server *s, struct main_child *queue, const struct ipc_deliver_ask *ask)
{
    const struct config *config = main_config(s);
    struct identity id;
    char root[sizeof(((struct main_child *)0)->param)];
    struct err err = { 0 };

    if (queue->kind != PROCESS_QUEUE)
        return;
    if (ask->generation != s->generation || ask->domain_index >= config->n_domains) {
        answer(queue, ask->ticket, IPC_TEMP, 0, STR("the configuration has changed; asked again"));
        return;
    }
    const struct config_domain *d = &config->domains[ask->domain_index];
    if (!account_of(s, d, ask->user, &id, &err) || !root_of(d, &id, root, sizeof(root), &err)) {
        /* An account can be made: what is in the queue waits for it. */
        answer(queue, ask->ticket, IPC_TEMP, 0, str_from_c(err.text));
        return;
    }
    struct main_child *c = deliver_for(s, s->generation, &id, root);
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
        c = child_start(s, PROCESS_DELIVER, s->generation, &id, root, &err);
    if (!c)
        answer(queue, ask->ticket, IPC_TEMP, 0, str_from_c(err.text));
    else if (!wait_in(&c->asked, queue, ask))
        answer(queue, ask->ticket, IPC_TEMP, 0, STR("out of memory"));
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
