/* lookup/tables.c -- a new version of a file replaces the old one whole, or not at all. */
#include "lookup/tables.h"

#include <fcntl.h>
#include <stdlib.h>

#include "io/fd.h"
#include "ipc/worker.h"
#include "log/log.h"

/* The states of a table, as the log names them. */
enum table_state {
    TABLE_AWAITED, /* nothing was heard of it yet */
    TABLE_ANSWERS,
    TABLE_FAULTY,  /* answers from what is right in it; some lines are not */
    TABLE_STALE,   /* answers from the last good version */
    TABLE_FAILING, /* cannot be had: what needs it is answered 451 */
    TABLE_STATES,
};

struct lookup_table {
    struct list node;
    struct list in_bucket;
    struct lookup_tables *tables;
    struct str path; /* owned */
    enum route_form form;
    enum table_state state;
    struct route_table *current;
    struct table_job job;
    bool reading;
    int next_fd; /* a version newer than the one that is being read; -1 for none */
};

static const char *const state_names[TABLE_STATES] = {
    [TABLE_AWAITED] = "awaited", [TABLE_ANSWERS] = "answering", [TABLE_FAULTY] = "faulty",
    [TABLE_STALE] = "stale",     [TABLE_FAILING] = "failing",
};

static struct list *bucket_of(struct lookup_tables *t, struct str path)
{
    return &t->buckets[str_hash(path, 0) % LOOKUP_TABLE_BUCKETS];
}

static struct lookup_table *table_find(struct lookup_tables *t, enum route_form form, struct str path)
{
    LIST_FOR(node, bucket_of(t, path)) {
        struct lookup_table *table = CONTAINER_OF(node, struct lookup_table, in_bucket);
        if (table->form == form && str_eq(table->path, path))
            return table;
    }
    return NULL;
}

static bool table_add(struct lookup_tables *t, enum route_form form, struct str path)
{
    struct buf copy = BUF_INIT(64 * 1024);
    struct lookup_table *table;

    if (table_find(t, form, path))
        return true;
    table = malloc(sizeof(*table));
    if (!table || !buf_add(&copy, path)) {
        free(table);
        buf_done(&copy);
        return false;
    }
    *table = (struct lookup_table){ .tables = t, .path = buf_str(&copy), .form = form, .next_fd = -1 };
    list_append(&t->all, &table->node);
    list_append(bucket_of(t, path), &table->in_bucket);
    return true;
}

static size_t entries_of(const struct route_table *t)
{
    if (t->form == ROUTE_FORM_ALIASES || t->form == ROUTE_FORM_LIST)
        return route_aliases_count(&t->aliases);
    return t->form == ROUTE_FORM_SENDERS ? t->senders.n : t->names.n;
}

/* ---- what the log hears ---- */

static void record(const struct lookup_table *table, enum log_level level, uint32_t line, const char *error)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_TABLE, level);
    log_text(&r, LOG_TABLE, table->path);
    log_text_c(&r, LOG_STATE, state_names[table->state]);
    if (line)
        log_number(&r, LOG_LINE, line);
    if (error)
        log_text_c(&r, LOG_ERROR, error);
    else
        log_number(&r, LOG_COUNT, (int64_t)entries_of(table->current));
    log_send(&r);
}

/* Without any version mail waits for it, and somebody must act. */
static void record_failure(const struct lookup_table *table, const char *error)
{
    record(table, table->current ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, 0, error);
}

static void record_faults(const struct lookup_table *table, const struct route_faults *faults)
{
    for (size_t i = 0; i < faults->n && i < LOOKUP_FAULTS_LOGGED; i++)
        record(table, LOG_LEVEL_WARNING, faults->items[i].line, faults->items[i].text);
}

/* ---- versions ---- */

static void want_includes(struct lookup_table *table)
{
    struct lookup_tables *t = table->tables;
    const struct route_aliases *a = &table->current->aliases;

    for (size_t i = 0; i < route_aliases_count(a); i++) {
        const struct route_alias *entry = route_aliases_entry(a, i);
        for (size_t k = 0; k < entry->n; k++) {
            struct route_target target = route_alias_target(a, entry, k);
            if (target.kind != ROUTE_TARGET_INCLUDE || table_find(t, ROUTE_FORM_LIST, target.text))
                continue;
            if (t->includes == LOOKUP_INCLUDES_MAX || !table_add(t, ROUTE_FORM_LIST, target.text))
                return;
            t->includes++;
            t->want(t, target.text);
        }
    }
}

static void take_version(struct lookup_table *table, struct route_table *version)
{
    bool is_first = table->state == TABLE_AWAITED;

    table_free(table->current);
    table->current = version;
    table->state = version->faults.total ? TABLE_FAULTY : TABLE_ANSWERS;
    if (version->faults.total)
        record_faults(table, &version->faults);
    else if (!is_first)
        record(table, LOG_LEVEL_INFO, 0, NULL);
    want_includes(table);
}

/* A version without faults stays rather than one that has some, until the file changes again. */
static void judge_version(struct lookup_table *table, struct route_table *version, const struct err *err)
{
    if (!version) {
        table->state = table->current ? TABLE_STALE : TABLE_FAILING;
        record_failure(table, err->text);
    } else if (version->faults.total && table->current && !table->current->faults.total) {
        table->state = TABLE_STALE;
        record_faults(table, &version->faults);
        table_free(version);
    } else {
        take_version(table, version);
    }
}

static void read_later(struct lookup_table *table, int fd)
{
    if (table->reading) {
        fd_close(&table->next_fd);
        table->next_fd = fd;
        return;
    }
    table->reading = true;
    table_loader_read(&table->tables->loader, &table->job, fd, table->form, table->tables->on_read);
}

static void on_read(struct table_job *job)
{
    struct lookup_table *table = CONTAINER_OF(job, struct lookup_table, job);
    int fd = table->next_fd;

    table->reading = false;
    table->next_fd = -1;
    judge_version(table, job->table, &job->err);
    job->table = NULL;
    if (fd >= 0)
        read_later(table, fd);
}

static void read_now(struct lookup_table *table, int fd)
{
    struct err err = { 0 };
    struct route_table *version = table_read(fd, table->form, &err);

    judge_version(table, version, &err);
    fd_close(&fd);
}

static void give(struct lookup_table *table, int fd, struct str error, bool at_once)
{
    struct err err = { 0 };

    if (fd < 0) {
        err_temp(&err, "%.*s", STR_ARG(error));
        judge_version(table, NULL, &err);
    } else if (at_once) {
        read_now(table, fd);
    } else {
        read_later(table, fd);
    }
}

static void table_done(struct lookup_table *table)
{
    list_remove(&table->node);
    list_remove(&table->in_bucket);
    table_free(table->current);
    fd_close(&table->next_fd);
    free((char *)(uintptr_t)table->path.p);
    free(table);
}

static bool add_clients(struct lookup_tables *t, const struct config_session *session)
{
    bool ok = true;

    for (size_t i = 0; i < session->n_relay_tables; i++)
        ok = ok && table_add(t, ROUTE_FORM_CLIENTS, session->relay_tables[i].text);
    return ok;
}

static bool add_senders(struct lookup_tables *t, const struct config_send_as *send_as)
{
    bool ok = true;

    for (size_t i = 0; i < send_as->n_files; i++)
        ok = ok && table_add(t, ROUTE_FORM_SENDERS, send_as->files[i].text);
    return ok;
}

static bool add_configured(struct lookup_tables *t, const struct config *config)
{
    bool ok = add_clients(t, &config->session) && add_senders(t, &config->send_as);

    for (size_t i = 0; i < config->n_listeners; i++)
        ok = ok && add_clients(t, &config->listeners[i].session);
    for (size_t i = 0; i < config->n_domains; i++) {
        const struct config_domain *d = &config->domains[i];
        ok = ok && add_senders(t, &d->send_as);
        for (size_t k = 0; k < d->n_users; k++) {
            if (d->users[k].kind == CONFIG_USERS_FILE)
                ok = ok && table_add(t, ROUTE_FORM_USERS, d->users[k].path);
            else if (d->users[k].kind == CONFIG_USERS_SYSTEM)
                ok = ok && table_add(t, ROUTE_FORM_SYSTEM, ROUTE_SYSTEM_PATH);
        }
        for (size_t k = 0; k < d->n_aliases; k++)
            ok = ok && table_add(t, ROUTE_FORM_ALIASES, d->aliases[k].text);
    }
    return ok;
}

bool lookup_tables_init(struct lookup_tables *t, struct io_loop *loop, const struct config *config,
                        void (*want)(struct lookup_tables *t, struct str path), struct err *err)
{
    list_init(&t->all);
    for (size_t i = 0; i < LOOKUP_TABLE_BUCKETS; i++)
        list_init(&t->buckets[i]);
    t->includes = 0;
    t->want = want;
    t->on_read = on_read;
    if (!table_loader_init(&t->loader, loop, err))
        return false;
    if (add_configured(t, config))
        return true;
    lookup_tables_done(t);
    return err_temp(err, "out of memory");
}

void lookup_tables_done(struct lookup_tables *t)
{
    table_loader_done(&t->loader);
    while (!list_empty(&t->all))
        table_done(CONTAINER_OF(t->all.next, struct lookup_table, node));
}

void lookup_tables_give(struct lookup_tables *t, struct str path, int fd, struct str error, bool at_once)
{
    /* One file may be read in more than one form; each reading has a descriptor of its own. */
    for (enum route_form form = 0; form < ROUTE_FORMS; form++) {
        struct lookup_table *table = table_find(t, form, path);
        int own = table && fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
        if (table)
            give(table, own, fd >= 0 ? STR("out of descriptors") : error, at_once);
    }
    fd_close(&fd);
}

const struct route_table *lookup_tables_get(void *tables, enum route_form form, struct str path)
{
    const struct lookup_table *table = table_find(tables, form, path);

    return table ? table->current : NULL;
}

void lookup_tables_status(const struct lookup_tables *t, struct buf *rows)
{
    struct log_record r;

    LIST_FOR(node, &t->all) {
        const struct lookup_table *table = CONTAINER_OF(node, struct lookup_table, node);
        log_begin(&r, LOG_EVENT_TABLE, LOG_LEVEL_INFO, 0);
        log_text(&r, LOG_TABLE, table->path);
        log_text_c(&r, LOG_STATE, state_names[table->state]);
        log_number(&r, LOG_COUNT, table->current ? (int64_t)entries_of(table->current) : 0);
        worker_row_add(rows, &r);
    }
}
