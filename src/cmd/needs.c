/* cmd/needs.c -- files read as the server reads them, accounts asked, folders looked at. */
#include "cmd/needs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/needs_inside.h"
#include "ipc/identity.h"
#include "ipc/process.h"
#include "table/read.h"

static const struct needs_finding error = { CONFIG_ERROR, "" };

void needs_say(struct needs_report *r, struct config_place place, struct needs_finding f, const char *fmt, ...)
{
    char text[CMD_PATH_MAX + 256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    config_diagnostics_add(r->diag, f.severity, place, str_from_c(text), STR_NONE, str_from_c(f.cure));
}

bool needs_path(struct str what, char path[CMD_PATH_MAX])
{
    return what.n < CMD_PATH_MAX && !str_has(what, '\0') &&
           snprintf(path, CMD_PATH_MAX, "%.*s", STR_ARG(what)) == (int)what.n;
}

static bool is_default(struct config_place place)
{
    return place.line == 0;
}

/* ---- files of tables ---- */

void needs_line(struct needs_report *r, enum config_severity severity, const char *fmt, ...)
{
    char text[CMD_PATH_MAX + 1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_printf(&r->lines, "%s\n", text);
    if (severity == CONFIG_ERROR)
        r->errors++;
    else
        r->warnings++;
}

static void say_faults(struct needs_report *r, const char *path, const struct route_faults *faults)
{
    for (size_t i = 0; i < faults->n; i++)
        needs_line(r, CONFIG_ERROR, "%s:%u: error: %s", path, faults->items[i].line, faults->items[i].text);
    if (faults->total > faults->n) {
        needs_line(r, CONFIG_ERROR, "%s: error: %zu more lines like these", path, faults->total - faults->n);
        r->errors += faults->total - faults->n - 1;
    }
}

/* Who names a file: the configuration at PLACE, or (FILE is not NULL) an alias at LINE of FILE. */
struct naming {
    struct config_place place;
    const char *file;
    uint32_t line;
};

PRINTF_LIKE(4, 5)
static void say_named(struct needs_report *r, const struct naming *by, struct needs_finding f, const char *fmt, ...)
{
    const char *severity = f.severity == CONFIG_ERROR ? "error" : "warning";
    char text[CMD_PATH_MAX + 256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (by->file)
        needs_line(r, f.severity, "%s:%u: %s: %s: %s", by->file, by->line, severity, text, f.cure);
    else
        needs_say(r, by->place, f, "%s", text);
}

/* What an alias names, main opens only if everyone may read it: the alias file may have other writers. */
static bool is_for_everyone(const char *path)
{
    struct stat st;

    return geteuid() != 0 || stat(path, &st) < 0 || (st.st_mode & S_IROTH);
}

static struct route_table *read_table(struct needs_report *r, enum route_form form, const char *path,
                                      const struct naming *by)
{
    struct err err = { 0 };
    struct route_table *table = table_read_path(path, form, &err);

    if (table)
        say_faults(r, path, &table->faults);
    else if (err.sys == EACCES && geteuid() != 0)
        say_named(r, by, (struct needs_finding){ CONFIG_WARNING, "ask again as root" }, "you may not read %s",
                  path);
    else
        say_named(r, by, (struct needs_finding){ CONFIG_ERROR, "until it is there, mail that needs it gets 451" },
                  "%s", err.text);
    if (table && by->file && !is_for_everyone(path))
        say_named(r, by, (struct needs_finding){ CONFIG_ERROR, "until it is, mail that needs it gets 451" },
                  "%s is not readable by everyone", path);
    return table;
}

/* Reads the file once; NULL, and it was said, when it cannot be had. */
static const struct route_table *table_at(struct needs_report *r, enum route_form form, struct str path,
                                          const struct naming *by)
{
    char name[CMD_PATH_MAX];

    for (size_t i = 0; i < r->n_tables; i++)
        if (r->tables[i].form == form && str_eq(r->tables[i].path, path))
            return r->tables[i].table;
    struct needs_table *more = realloc(r->tables, (r->n_tables + 1) * sizeof(*more));
    if (!more || !needs_path(path, name)) {
        r->tables = more ? more : r->tables;
        return NULL;
    }
    r->tables = more;
    r->tables[r->n_tables] = (struct needs_table){ .path = path, .form = form, .table = NULL };
    return r->tables[r->n_tables++].table = read_table(r, form, name, by);
}

/* Files of :include: that FILE, of either form that has targets, names. */
static void read_includes(struct needs_report *r, const struct needs_table *file)
{
    const struct route_aliases *aliases = &file->table->aliases;
    char name[CMD_PATH_MAX];

    for (size_t i = 0; needs_path(file->path, name) && i < route_aliases_count(aliases); i++) {
        const struct route_alias *entry = route_aliases_entry(aliases, i);
        struct naming by = { .file = name, .line = entry->line };
        for (size_t k = 0; k < entry->n; k++) {
            struct route_target target = route_alias_target(aliases, entry, k);
            if (target.kind == ROUTE_TARGET_INCLUDE)
                (void)table_at(r, ROUTE_FORM_LIST, target.text, &by);
        }
    }
}

static void read_all_includes(struct needs_report *r)
{
    /* Those of included files come behind. */
    for (size_t i = 0; i < r->n_tables; i++) {
        struct needs_table file = r->tables[i];
        if (file.table && (file.form == ROUTE_FORM_ALIASES || file.form == ROUTE_FORM_LIST))
            read_includes(r, &file);
    }
}

const struct route_table *needs_table(struct needs_report *r, enum route_form form, struct str path,
                                      struct config_place place)
{
    return table_at(r, form, path, &(struct naming){ .place = place });
}

void needs_done(struct needs_report *r)
{
    for (size_t i = 0; i < r->n_tables; i++)
        table_free(r->tables[i].table);
    free(r->tables);
    buf_done(&r->lines);
}

/* ---- accounts ---- */

static void check_account(struct needs_report *r, const struct config *config, const struct config_need *need)
{
    static const struct needs_finding missing = {
        CONFIG_ERROR, "systemd-sysusers makes those veredus comes with; deliver-as and run-as name others"
    };
    struct identity id;
    struct err err = { 0 };

    /* Without root the server runs as its starter, and with run-as as that account: it needs no other. */
    if (!need->what.n || (is_default(need->place) && (geteuid() != 0 || config->run_as.text.n)))
        return;
    if (identity_find(need->what, true, &id, &err))
        return;
    needs_say(r, need->place, missing, "%s", err.text);
}

/* As main sees it when it starts: without one of them all processes share an account. */
static void check_process_accounts(struct needs_report *r, const struct config *config)
{
    static const struct needs_finding warning = { CONFIG_WARNING, "make them: systemd-sysusers, or make install" };

    if (geteuid() != 0 || config->run_as.text.n)
        return;
    for (unsigned kind = 0; kind < PROCESS_KINDS; kind++)
        if (process_account(kind) && !getpwnam(process_account(kind))) {
            needs_say(r, CONFIG_PLACE_DEFAULT, warning,
                      "the account %s is missing: all processes would run as nobody, not kept apart by the kernel",
                      process_account(kind));
            return;
        }
}

static void check_group(struct needs_report *r, const struct config_need *need)
{
    char name[CMD_PATH_MAX];

    if (!need->what.n || is_default(need->place) || !needs_path(need->what, name) || getgrnam(name))
        return;
    /* Ours comes with the package; without it root alone may ask, and nothing else is lost. */
    if (!strcmp(name, "veredus"))
        needs_say(r, need->place,
                  (struct needs_finding){ CONFIG_WARNING, "systemd-sysusers makes it; until then only root may ask" },
                  "there is no group 'veredus'");
    else
        needs_say(r, need->place, error, "there is no group '%s'", name);
}

/* ---- folders ---- */

/* Has ID the rights WHAT (as bits of others) to a folder of that owner and mode? Without access lists. */
static bool may(const struct identity *id, const struct stat *st, mode_t what)
{
    bool member = st->st_gid == id->gid;

    for (size_t i = 0; i < id->n_groups && !member; i++)
        member = id->groups[i] == st->st_gid;
    if (st->st_uid == id->uid)
        return (st->st_mode >> 6 & what) == what;
    if (member)
        return (st->st_mode >> 3 & what) == what;
    return (st->st_mode & what) == what;
}

/* May ID come as far as the folder PATH? */
static bool may_reach(const struct identity *id, struct str path)
{
    char folder[CMD_PATH_MAX];
    struct stat st;

    for (size_t n = 1; n < path.n; n++) {
        if (n > 1 && path.p[n] != '/')
            continue;
        if (needs_path(str_head(path, n), folder) && stat(folder, &st) == 0 && !may(id, &st, S_IXOTH))
            return false;
    }
    return true;
}

/* False, and it was said, when PATH is no folder; PARENT: the server makes the last part itself. */
static bool check_folder(struct needs_report *r, struct config_place place, struct str what, bool parent,
                         struct stat *st)
{
    char path[CMD_PATH_MAX];
    bool made = false;

    if (!needs_path(what, path) || !what.n)
        return false;
    int status = stat(path, st);
    char *slash = status < 0 && errno == ENOENT && parent ? strrchr(path, '/') : NULL;
    if (slash && slash > path) {
        *slash = '\0';
        made = true;
        status = stat(path, st);
    }
    if (status < 0 && errno == EACCES && geteuid() != 0)
        needs_say(r, place, (struct needs_finding){ CONFIG_WARNING, "ask again as root" }, "you may not look at %s",
                  path);
    else if (status < 0)
        needs_say(r, place, (struct needs_finding){ CONFIG_ERROR, "make it" }, "%s: %s", path, strerror(errno));
    else if (!S_ISDIR(st->st_mode))
        needs_say(r, place, error, "%s is not a folder", path);
    else
        return !made;
    return false;
}

/* ---- where mail goes ---- */

/* One Maildir for a whole domain may be meant, but more often {user} was forgotten or written otherwise. */
static void check_mailbox_apart(struct needs_report *r, const struct config_target *target)
{
    static const enum config_placeholder tells_apart[] = {
        CONFIG_PLACEHOLDER_USER,
        CONFIG_PLACEHOLDER_ADDRESS,
        CONFIG_PLACEHOLDER_ORIGINAL,
        CONFIG_PLACEHOLDER_HOME,
    };

    for (size_t i = 0; i < ARRAY_LEN(tells_apart); i++)
        if (config_template_uses(&target->path, tells_apart[i]))
            return;
    needs_say(r, target->place, (struct needs_finding){ CONFIG_WARNING, "if each has their own, write {user} in it" },
              "all users of this domain share one mailbox");
}

/* ACCOUNT: to whom it delivers; empty: to each user themself. */
static void check_mail_root(struct needs_report *r, const struct config_target *target, struct str account)
{
    struct str root = config_template_root(&target->path);
    char path[CMD_PATH_MAX];
    struct identity id;
    struct stat st;

    /* Below {home} each user has a root of their own. */
    if (!root.n || !check_folder(r, target->place, root, false, &st))
        return;
    if (geteuid() == 0 && account.n) {
        if (identity_find(account, true, &id, NULL) &&
            !(may_reach(&id, root) && may(&id, &st, S_IWOTH | S_IXOTH)))
            needs_say(r, target->place, (struct needs_finding){ CONFIG_ERROR, "chown it, or set deliver-as" },
                      "%.*s, to whom this delivers, may not write to %.*s", STR_ARG(account), STR_ARG(root));
    } else if (geteuid() != 0 && needs_path(root, path) && access(path, W_OK | X_OK) < 0) {
        needs_say(r, target->place, (struct needs_finding){ CONFIG_WARNING, "a server that you start delivers as you" },
                  "you may not write to %.*s", STR_ARG(root));
    }
}

static bool is_mailbox(const struct config_target *target)
{
    return target->kind == CONFIG_TARGET_MAILDIR || target->kind == CONFIG_TARGET_MBOX;
}

/* A `route` may mean one mailbox for many: that is said of domains only. */
static void check_route(struct needs_report *r, const struct config *config, const struct config_route *route)
{
    const struct config_target *target = &route->targets[0];

    if (!is_mailbox(target))
        return;
    if (route->domain)
        check_mailbox_apart(r, target);
    check_mail_root(r, target, config_route_account(config, route).text);
}

bool needs_there(struct needs_report *r, const struct config_need *need, struct needs_finding missing,
                 struct stat *st)
{
    char path[CMD_PATH_MAX];

    if (!needs_path(need->what, path))
        return false;
    if (stat(path, st) == 0)
        return true;
    if (errno == EACCES && geteuid() != 0)
        needs_say(r, need->place, (struct needs_finding){ CONFIG_WARNING, "ask again as root" },
                  "you may not look at %s", path);
    else
        needs_say(r, need->place, missing, "%s: %s", path, strerror(errno));
    return false;
}

static void check_command(struct needs_report *r, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "until it is there, mail that needs it waits" };
    struct stat st;

    if (!needs_there(r, need, missing, &st))
        return;
    if (!S_ISREG(st.st_mode))
        needs_say(r, need->place, error, "%.*s is not a program", STR_ARG(need->what));
    else if (!(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        needs_say(r, need->place, (struct needs_finding){ CONFIG_ERROR, "chmod +x it" }, "%.*s is not executable",
                  STR_ARG(need->what));
}

/* Who listens there may start later than we do. */
static void check_target_socket(struct needs_report *r, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_WARNING, "until somebody listens there, mail waits" };
    struct stat st;

    if (needs_there(r, need, missing, &st) && !S_ISSOCK(st.st_mode))
        needs_say(r, need->place, error, "%.*s is not a socket", STR_ARG(need->what));
}

bool needs_file(struct needs_report *r, const struct config_need *need, struct needs_finding missing,
                struct stat *st)
{
    char path[CMD_PATH_MAX];

    if (!needs_there(r, need, missing, st) || !needs_path(need->what, path))
        return false;
    if (!S_ISREG(st->st_mode))
        needs_say(r, need->place, error, "%s is not a file", path);
    else if (access(path, R_OK) == 0)
        return true;
    else
        needs_say(r, need->place, (struct needs_finding){ CONFIG_WARNING, "ask again as root" },
                  "you may not read %s", path);
    return false;
}

/* ---- all ---- */

static void check_need(struct needs_report *r, const struct config *config, const struct config_need *need)
{
    static const struct needs_finding missing = { CONFIG_ERROR, "make it, or leave the directive out" };
    struct stat st;

    switch (need->kind) {
    case CONFIG_NEED_USERS_FILE:
    case CONFIG_NEED_AUTH_FILE:
        (void)needs_table(r, ROUTE_FORM_USERS, need->what, need->place);
        break;
    case CONFIG_NEED_ALIASES_FILE:
        (void)needs_table(r, ROUTE_FORM_ALIASES, need->what, need->place);
        break;
    case CONFIG_NEED_ACCOUNT:
        check_account(r, config, need);
        break;
    case CONFIG_NEED_GROUP:
        check_group(r, need);
        break;
    case CONFIG_NEED_MAIL_ROOT: /* by route, since who delivers there matters too */
        break;
    case CONFIG_NEED_SOCKET_FOLDER:
        (void)check_folder(r, need->place, need->what, need->place.line == config->control.place.line, &st);
        break;
    case CONFIG_NEED_LOG_FOLDER:
        (void)check_folder(r, need->place, need->what, false, &st);
        break;
    case CONFIG_NEED_SPOOL:
    case CONFIG_NEED_STATE:
        (void)check_folder(r, need->place, need->what, true, &st);
        break;
    case CONFIG_NEED_RELAY_FILE:
        (void)needs_table(r, ROUTE_FORM_CLIENTS, need->what, need->place);
        break;
    case CONFIG_NEED_TRUST_ANCHOR:
        (void)needs_file(r, need, missing, &st);
        break;
    case CONFIG_NEED_COMMAND:
        check_command(r, need);
        break;
    case CONFIG_NEED_TARGET_SOCKET:
        check_target_socket(r, need);
        break;
    default:
        BUG_ON(!needs_secure(r, need));
    }
}

void needs_check(const struct config *config, struct needs_report *report)
{
    for (size_t i = 0; i < config->n_needs; i++)
        check_need(report, config, &config->needs[i]);
    needs_certificates(report, config);
    check_process_accounts(report, config);
    read_all_includes(report);
    for (size_t i = 0; i < config->n_routes; i++)
        check_route(report, config, &config->routes[i]);
}
