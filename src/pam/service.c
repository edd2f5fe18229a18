/* pam/service.c -- questions from auth, one job each. Nothing else is heard. */
#include "pam/pam.h"

#include <stdlib.h>
#include <string.h>

#include "pam/jobs.h"

struct pam {
    struct pam_jobs jobs;
};

struct question {
    struct pam_job job;
    struct ipc_channel *from;
    uint64_t ticket;
};

static void answer(struct ipc_channel *to, uint64_t ticket, enum ipc_result status, const char *text)
{
    ipc_send_pam_answer(to, &(struct ipc_pam_answer){
                                .ticket = ticket,
                                .status = status,
                                .text = str_from_c(text),
                            });
}

static void on_done(struct pam_job *job)
{
    struct question *q = CONTAINER_OF(job, struct question, job);

    answer(q->from, q->ticket, job->outcome.status, job->outcome.text);
    free(q);
}

static bool names_service(const struct config_auths *auths, struct str service)
{
    for (size_t i = 0; i < auths->n; i++)
        if (auths->items[i].kind == CONFIG_AUTH_PAM && str_eq(auths->items[i].where, service))
            return true;
    return false;
}

/* A lesser process asks, and this one is root: only for what the configuration names. */
static bool is_configured(const struct config *config, struct str service)
{
    for (size_t i = 0; i < config->n_listeners; i++)
        if (names_service(&config->listeners[i].session.auth, service))
            return true;
    for (size_t i = 0; i < config->n_domains; i++)
        if (names_service(&config->domains[i].auth, service))
            return true;
    return false;
}

static bool copy(char *to, size_t room, struct str text)
{
    if (text.n >= room || str_has(text, '\0'))
        return false;
    memcpy(to, text.p ? text.p : "", text.n);
    to[text.n] = '\0';
    return true;
}

static bool fill(struct pam_request *r, const struct ipc_pam_ask *ask)
{
    return ask->user.n && copy(r->service, sizeof(r->service), ask->service) &&
           copy(r->user, sizeof(r->user), ask->user) && copy(r->password, sizeof(r->password), ask->password) &&
           copy(r->client, sizeof(r->client), ask->client);
}

static void begin(struct pam *pam, struct ipc_channel *from, const struct ipc_pam_ask *ask)
{
    struct question *q = calloc(1, sizeof(*q));

    if (!q) {
        answer(from, ask->ticket, IPC_TEMP, "out of memory");
        return;
    }
    q->from = from;
    q->ticket = ask->ticket;
    if (!fill(&q->job.request, ask))
        answer(from, ask->ticket, IPC_PERM, "no name or password of PAM");
    else if (!pam_job_start(&pam->jobs, &q->job))
        answer(from, ask->ticket, IPC_TEMP, "too many questions wait for PAM");
    else
        return;
    explicit_bzero(q, sizeof(*q));
    free(q);
}

static void on_message(struct worker *w, struct ipc_channel *from, struct ipc_message *m)
{
    struct str password;

    if (m->type != IPC_PAM_ASK)
        return;
    password = m->pam_ask.password;
    if (is_configured(w->config, m->pam_ask.service))
        begin(w->state, from, &m->pam_ask);
    else
        answer(from, m->pam_ask.ticket, IPC_TEMP, "the configuration names no such PAM service");
    /* The frame is ours until we return. */
    if (password.n)
        explicit_bzero((char *)(uintptr_t)password.p, password.n);
}

static void forget(struct list *jobs, const struct ipc_channel *peer)
{
    struct list *node = jobs->next;

    while (node != jobs) {
        struct question *q = CONTAINER_OF(CONTAINER_OF(node, struct pam_job, node), struct question, job);
        node = node->next;
        if (q->from != peer)
            continue;
        pam_job_cancel(&q->job);
        free(q);
    }
}

static void on_peer_down(struct worker *w, struct ipc_channel *peer)
{
    struct pam *pam = w->state;

    forget(&pam->jobs.running, peer);
    forget(&pam->jobs.waiting, peer);
}

static bool on_start(struct worker *w, struct err *err)
{
    struct pam *pam = calloc(1, sizeof(*pam));

    if (!pam)
        return err_temp(err, "out of memory");
    pam_jobs_init(&pam->jobs, w->loop, on_done);
    w->state = pam;
    return true;
}

/* Modules are other people's programs: they would inherit what binds this one. */
static void on_sandbox(struct worker *w, struct sandbox *box)
{
    (void)w;
    box->commands = true;
}

const struct worker_service pam_service = {
    .kind = PROCESS_PAM,
    .start = on_start,
    .sandbox = on_sandbox,
    .message = on_message,
    .peer_down = on_peer_down,
};
