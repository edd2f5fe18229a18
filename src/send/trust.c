/* send/trust.c */
#include "send/trust.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/check.h"
#include "io/fd.h"
#include "log/log.h"

enum {
    FILE_MAX = 4 << 20,         /* a bundle of CAs has some 200 KiB */
    CAS_ARENA_MAX = 2 * FILE_MAX,
};

#define NO_CERTIFICATE SIZE_MAX

/* What main opened for us; OCTETS are the last that could be read. */
struct file {
    struct list node;
    char *name;
    char *octets; /* NULL: none yet */
    size_t n;
    struct err err; /* why there are none, or no newer ones */
};

struct client {
    struct list node;
    struct file *cas; /* NULL: those of the system */
    size_t certificate;
    struct tls_client *tls;
};

/* ---- clients are made of files and chains, and made anew when those change ---- */

static void client_free(struct client *c)
{
    list_remove(&c->node);
    tls_client_free(c->tls);
    free(c);
}

static void forget_clients(struct trust *t, const struct file *cas, size_t certificate)
{
    for (struct list *node = t->clients.next, *next; node != &t->clients; node = next) {
        struct client *c = CONTAINER_OF(node, struct client, node);
        next = node->next;
        if ((cas && c->cas == cas) || (certificate != NO_CERTIFICATE && c->certificate == certificate))
            client_free(c);
    }
}

/* ---- files ---- */

static struct file *file_find(const struct trust *t, struct str name)
{
    LIST_FOR(node, &t->files) {
        struct file *f = CONTAINER_OF(node, struct file, node);
        if (str_eq(str_from_c(f->name), name))
            return f;
    }
    return NULL;
}

static struct file *file_new(struct trust *t, struct str name)
{
    struct file *f = calloc(1, sizeof(*f));

    if (!f || !(f->name = strndup(name.p, name.n))) {
        free(f);
        return NULL;
    }
    list_append(&t->files, &f->node);
    return f;
}

/* It may be a password. */
static void file_forget(struct file *f)
{
    if (f->octets)
        explicit_bzero(f->octets, f->n);
    free(f->octets);
    f->octets = NULL;
    f->n = 0;
}

static bool file_read(struct file *f, int fd, struct err *err)
{
    struct arena *a = arena_new(CAS_ARENA_MAX);
    struct str octets;
    char *copy = NULL;
    bool ok = a ? fd_read_all(fd, FILE_MAX, a, &octets, err) : err_temp(err, "out of memory");

    if (ok && !(copy = malloc(octets.n + 1)))
        ok = err_temp(err, "out of memory");
    if (ok) {
        memcpy(copy, octets.p, octets.n);
        file_forget(f);
        f->octets = copy;
        f->n = octets.n;
        explicit_bzero((char *)(uintptr_t)octets.p, octets.n);
    }
    arena_free(a);
    return ok;
}

static void record(const struct file *f)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_CONFIG, LOG_LEVEL_ERROR);
    log_text_c(&r, LOG_FILE, f->name);
    log_text_c(&r, LOG_ERROR, f->err.text);
    log_send(&r);
}

void trust_opened(struct trust *t, const struct ipc_opened *m, int *fd)
{
    struct file *f = file_find(t, m->path);

    if (!f)
        f = file_new(t, m->path);
    if (!f)
        return;
    f->err = (struct err){ 0 };
    if (*fd < 0)
        err_perm(&f->err, "%.*s", STR_ARG(m->error));
    else if (file_read(f, *fd, &f->err))
        forget_clients(t, f, NO_CERTIFICATE);
    fd_close(fd);
    if (f->err.kind != ERR_NONE)
        record(f);
}

/* ---- what key has ---- */

void trust_certificate(struct trust *t, const struct ipc_certificate *m)
{
    struct tls_chain *chain = NULL;
    struct err err = { 0 };

    if (m->certificate >= t->config->n_certificates)
        return;
    if (m->chain.n)
        chain = tls_chain_new(m->chain, m->key, &err);
    forget_clients(t, NULL, m->certificate);
    tls_chain_free(t->chains[m->certificate]);
    t->chains[m->certificate] = chain;
}

void trust_keys_told(struct trust *t)
{
    t->keys_told = true;
}

static bool chain_of(const struct trust *t, const struct config_certificate *c, struct tls_chain **chain,
                     struct err *err)
{
    *chain = t->chains[c->index];
    if (*chain)
        return true;
    if (!t->keys_told)
        return err_temp(err, "the key of the client certificate is not there yet");
    return err_perm(err, "the client certificate %.*s or its key cannot be had", STR_ARG(c->chain));
}

/* ---- for a handshake ---- */

static bool cas_of(struct trust *t, const struct config_sending *sending, struct file **cas, struct err *err)
{
    struct str name = sending->tls_ca.text;

    *cas = name.n ? file_find(t, name) : NULL;
    /* Nobody else's word is taken instead. */
    if (name.n && (!*cas || !(*cas)->octets || !(*cas)->n))
        return err_perm(err, "%.*s: %s", STR_ARG(name),
                        !*cas || (*cas)->octets ? "there are no CAs in it" : (*cas)->err.text);
    return true;
}

static struct tls_client *client_new(struct trust *t, struct file *cas, size_t certificate, struct tls_chain *chain,
                                     struct err *err)
{
    struct client *c = calloc(1, sizeof(*c));

    if (!c) {
        err_temp(err, "out of memory");
        return NULL;
    }
    *c = (struct client){ .cas = cas, .certificate = certificate };
    list_init(&c->node);
    c->tls = tls_client_new(cas ? str_of(cas->octets, cas->n) : STR_NONE, chain, err);
    if (!c->tls) {
        free(c);
        return NULL;
    }
    list_append(&t->clients, &c->node);
    return c->tls;
}

struct tls_client *trust_client(struct trust *t, const struct config_route *route,
                                const struct config_sending *sending, struct err *err)
{
    const struct config_certificate *shown = route ? route->client_certificate : NULL;
    bool verifies = sending->tls.level == CONFIG_TLS_VERIFY || sending->tls.level == CONFIG_TLS_SECURE;
    size_t certificate = shown ? shown->index : NO_CERTIFICATE;
    struct tls_chain *chain = NULL;
    struct file *cas = NULL;

    if ((verifies && !cas_of(t, sending, &cas, err)) || (shown && !chain_of(t, shown, &chain, err)))
        return NULL;
    if (verifies && !cas && !t->has_system_cas) {
        *err = t->no_system_cas;
        return NULL;
    }
    LIST_FOR(node, &t->clients) {
        struct client *c = CONTAINER_OF(node, struct client, node);
        if (c->cas == cas && c->certificate == certificate)
            return c->tls;
    }
    return client_new(t, cas, certificate, chain, err);
}

bool trust_secret(struct trust *t, const struct config_secret *secret, struct str *out, struct err *err)
{
    struct file *f = file_find(t, secret->written);
    struct str octets = f ? str_of(f->octets, f->n) : STR_NONE;
    struct str line = str_head(octets, str_find(octets, '\n'));

    if (str_ends(line, STR("\r")))
        line.n--;
    if (!f || !f->octets)
        return err_perm(err, "%.*s: %s", STR_ARG(secret->written), f ? f->err.text : "it has not been opened");
    if (!line.n)
        return err_perm(err, "%.*s: its first line is empty", STR_ARG(secret->written));
    *out = line;
    return true;
}

/* ---- life ---- */

static bool may_verify(const struct config_sending *s)
{
    return !s->tls_ca.text.n && (s->tls.level == CONFIG_TLS_VERIFY || s->tls.level == CONFIG_TLS_SECURE);
}

static bool needs_system_cas(const struct config *config)
{
    bool by_site = false, needs = may_verify(&config->sending);

    for (size_t i = 0; i < config->n_sites; i++)
        by_site |= config->sites[i].sending.said & CONFIG_SAID_TLS_LEVEL && may_verify(&config->sites[i].sending);
    for (size_t i = 0; i < config->n_routes; i++)
        needs |= may_verify(&config->routes[i].sending);
    return needs || by_site;
}

/* A file that is not there is nothing to stop for: who needs it is told then. */
static bool read_system_cas(struct trust *t, struct err *err)
{
    struct arena *a = arena_new(CAS_ARENA_MAX);
    struct str pem;
    bool ok;

    if (!a)
        return err_temp(err, "out of memory");
    ok = file_read_all(TLS_SYSTEM_CAS, FILE_MAX, a, &pem, &t->no_system_cas);
    t->has_system_cas = ok && tls_system_cas(pem, &t->no_system_cas);
    arena_free(a);
    return true;
}

void trust_init(struct trust *t)
{
    *t = (struct trust){ 0 };
    list_init(&t->files);
    list_init(&t->clients);
}

bool trust_begin(struct trust *t, const struct config *config, struct err *err)
{
    t->config = config;
    t->chains = calloc(config->n_certificates + 1, sizeof(struct tls_chain *));
    if (!t->chains)
        return err_temp(err, "out of memory");
    return !needs_system_cas(config) || read_system_cas(t, err);
}

void trust_done(struct trust *t)
{
    while (!list_empty(&t->clients))
        client_free(CONTAINER_OF(t->clients.next, struct client, node));
    for (struct list *node; (node = list_take(&t->files));) {
        struct file *f = CONTAINER_OF(node, struct file, node);
        file_forget(f);
        free(f->name);
        free(f);
    }
    for (size_t i = 0; t->chains && i < t->config->n_certificates; i++)
        tls_chain_free(t->chains[i]);
    free(t->chains);
}
