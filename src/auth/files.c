/* auth/files.c */
#include "auth/files.h"

#include <stdlib.h>

#include "auth/sources.h"
#include "ipc/worker.h"
#include "log/log.h"

/* The states of a table, as the log names them; those of lookup/tables.c. */
enum file_state { FILE_AWAITED, FILE_ANSWERS, FILE_FAULTY, FILE_STALE, FILE_FAILING, FILE_STATES };

struct auth_file {
    struct list node;
    struct str path; /* the configuration's */
    enum file_state state;
    struct auth_accounts *current;
    struct str *domains; /* of struct auth_files_change */
    size_t n_domains;
};

static const char *const state_names[FILE_STATES] = {
    [FILE_AWAITED] = "awaited", [FILE_ANSWERS] = "answering", [FILE_FAULTY] = "faulty",
    [FILE_STALE] = "stale",     [FILE_FAILING] = "failing",
};

static struct auth_file *file_find(const struct auth_files *files, struct str path)
{
    LIST_FOR(node, &files->all) {
        struct auth_file *f = CONTAINER_OF(node, struct auth_file, node);
        if (str_eq(f->path, path))
            return f;
    }
    return NULL;
}

static bool file_add(struct auth_files *files, struct str path)
{
    struct auth_file *f;

    if (file_find(files, path))
        return true;
    f = malloc(sizeof(*f));
    if (!f)
        return false;
    *f = (struct auth_file){ .path = path };
    list_append(&files->all, &f->node);
    return true;
}

static bool add_auths(struct auth_files *files, const struct config_auths *auths)
{
    bool ok = true;

    for (size_t i = 0; i < auths->n; i++)
        if (auths->items[i].kind == CONFIG_AUTH_FILE)
            ok = ok && file_add(files, auths->items[i].where);
    return ok;
}

static bool add_users(struct auth_files *files, const struct config_domain *domain)
{
    bool ok = true;

    for (size_t i = 0; i < domain->n_users; i++)
        if (domain->users[i].kind == CONFIG_USERS_FILE)
            ok = ok && file_add(files, domain->users[i].path);
    return ok;
}

/* ---- where a bare name counts ---- */

static bool domain_add(struct auth_file *f, struct str domain)
{
    struct str *grown;

    if (f->n_domains && str_eq(f->domains[f->n_domains - 1], domain))
        return true;
    grown = realloc(f->domains, (f->n_domains + 1) * sizeof(*grown));
    if (!grown)
        return false;
    f->domains = grown;
    f->domains[f->n_domains++] = domain;
    return true;
}

/* In each file that a listener asks for names of DOMAIN. */
static bool count_domain(struct auth_files *files, const struct config *config, struct str domain)
{
    bool ok = true;

    for (uint32_t i = 0; i < config->n_listeners; i++) {
        struct auth_sources sources;
        struct auth_source source;
        auth_sources_begin(&sources, config, i, domain);
        while (ok && auth_sources_next(&sources, &source))
            if (source.kind == CONFIG_AUTH_FILE && source.bare)
                ok = domain_add(file_find(files, source.where), domain);
    }
    return ok;
}

/* Also where they are not asked for passwords: who is locked in them is out, whoever vouches for him. */
static bool count_users(struct auth_files *files, const struct config_domain *domain, struct str name)
{
    bool ok = true;

    for (size_t i = 0; ok && i < domain->n_users; i++)
        if (domain->users[i].kind == CONFIG_USERS_FILE)
            ok = domain_add(file_find(files, domain->users[i].path), name);
    return ok;
}

static bool count_domains(struct auth_files *files, const struct config *config)
{
    bool ok = config_find_domain(config, config->origin.text) || count_domain(files, config, config->origin.text);

    for (size_t i = 0; i < config->n_domains; i++) {
        const struct config_domain *d = &config->domains[i];
        for (size_t k = 0; ok && k < d->n_names; k++)
            ok = count_domain(files, config, d->names[k].text) && count_users(files, d, d->names[k].text);
    }
    return ok;
}

/* ---- what the log hears ---- */

static void record(const struct auth_file *f, enum log_level level, uint32_t line, const char *text)
{
    struct log_record r;

    log_start_level(&r, LOG_EVENT_TABLE, level);
    log_text(&r, LOG_TABLE, f->path);
    log_text_c(&r, LOG_STATE, state_names[f->state]);
    if (line)
        log_number(&r, LOG_LINE, line);
    log_text_c(&r, LOG_ERROR, text);
    log_send(&r);
}

static void record_lines(const struct auth_file *f, const struct route_faults *faults)
{
    for (size_t i = 0; i < faults->n && i < AUTH_FAULTS_LOGGED; i++)
        record(f, LOG_LEVEL_WARNING, faults->items[i].line, faults->items[i].text);
}

/* ---- versions ---- */

static void take_version(struct auth_files *files, struct auth_file *f, struct auth_accounts *version)
{
    struct auth_accounts *before = f->current;

    f->current = version;
    f->state = version->faults.total ? FILE_FAULTY : FILE_ANSWERS;
    /* Of bad names lookup speaks already, which reads the same file. */
    record_lines(f, &version->warnings);
    if (before && files->changed)
        files->changed(files, &(struct auth_files_change){
                                  .path = f->path,
                                  .before = before,
                                  .after = version,
                                  .domains = f->domains,
                                  .n_domains = f->n_domains,
                              });
    auth_accounts_free(before);
}

static void judge_version(struct auth_files *files, struct auth_file *f, struct auth_accounts *version,
                          const struct err *err)
{
    if (!version) {
        f->state = f->current ? FILE_STALE : FILE_FAILING;
        record(f, f->current ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, 0, err->text);
    } else if (version->faults.total && f->current && !f->current->faults.total) {
        f->state = FILE_STALE;
        record_lines(f, &version->faults);
        auth_accounts_free(version);
    } else {
        take_version(files, f, version);
    }
}

bool auth_files_init(struct auth_files *files, const struct config *config, struct err *err)
{
    bool ok = true;

    list_init(&files->all);
    for (size_t i = 0; i < config->n_listeners; i++)
        ok = ok && add_auths(files, &config->listeners[i].session.auth);
    for (size_t i = 0; i < config->n_domains; i++)
        ok = ok && add_auths(files, &config->domains[i].auth) && add_users(files, &config->domains[i]);
    if (ok && count_domains(files, config))
        return true;
    auth_files_done(files);
    return err_temp(err, "out of memory");
}

void auth_files_done(struct auth_files *files)
{
    struct list *node;

    while ((node = list_take(&files->all)) != NULL) {
        struct auth_file *f = CONTAINER_OF(node, struct auth_file, node);
        auth_accounts_free(f->current);
        free(f->domains);
        free(f);
    }
}

bool auth_files_give(struct auth_files *files, struct str path, int fd, struct str error)
{
    struct auth_file *f = file_find(files, path);
    struct auth_accounts *version = NULL;
    struct err err = { 0 };

    if (!f)
        return false;
    if (fd < 0)
        err_temp(&err, "%.*s", STR_ARG(error));
    else
        version = auth_accounts_read(fd, &err);
    judge_version(files, f, version, &err);
    return true;
}

const struct auth_accounts *auth_files_get(const struct auth_files *files, struct str path)
{
    const struct auth_file *f = file_find(files, path);

    return f ? f->current : NULL;
}

void auth_files_status(const struct auth_files *files, struct buf *rows)
{
    struct log_record r;

    LIST_FOR(node, &files->all) {
        const struct auth_file *f = CONTAINER_OF(node, struct auth_file, node);
        log_begin(&r, LOG_EVENT_TABLE, LOG_LEVEL_INFO, 0);
        log_text(&r, LOG_TABLE, f->path);
        log_text_c(&r, LOG_STATE, state_names[f->state]);
        log_number(&r, LOG_COUNT, f->current ? (int64_t)f->current->n_login : 0);
        worker_row_add(rows, &r);
    }
}
