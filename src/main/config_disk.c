/* main/config_disk.c -- regular files, glob(3), getenv(3), and what the system says of itself. */
#include "main/config_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

enum { HOST_NAME_ROOM = 256, HOSTS_FILE_MAX = 1 << 20, HOSTS_ARENA_MAX = 2 << 20 };

static bool disk_read_file(void *ctx, struct str path, struct arena *a, struct str *text, struct err *err)
{
    const char *name = arena_cstr(a, path);

    (void)ctx;
    if (!name)
        return err_perm(err, "not a path");
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_temp(err, "%s", strerror(errno));
    bool ok = fd_read_all(fd, CONFIG_FILE_MAX, a, text, err);
    close(fd);
    return ok;
}

/* A folder that is not there matches nothing; one that cannot be read must not look as if it were empty. */
static int glob_failed(const char *path, int error)
{
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static bool disk_glob(void *ctx, struct str pattern, struct arena *a, struct str **paths, size_t *n, struct err *err)
{
    const char *name = arena_cstr(a, pattern);
    glob_t found = { 0 };
    bool ok = false;

    (void)ctx;
    if (!name)
        return err_perm(err, "not a pattern");
    int status = glob(name, GLOB_NOSORT, glob_failed, &found);
    if (status == GLOB_NOMATCH) {
        *n = 0;
        ok = true;
        goto out;
    }
    if (status) {
        err_sys(err, status == GLOB_ABORTED ? errno : ENOMEM, "%s", name);
        goto out;
    }
    struct str *list = ARENA_NEW_ARRAY(a, found.gl_pathc, struct str);
    for (size_t i = 0; list && i < found.gl_pathc; i++) {
        list[i] = arena_str(a, str_from_c(found.gl_pathv[i]));
        if (!list[i].p)
            list = NULL;
    }
    if (!list) {
        err_temp(err, "out of memory");
        goto out;
    }
    *paths = list;
    *n = found.gl_pathc;
    ok = true;
out:
    globfree(&found);
    return ok;
}

static bool disk_env(void *ctx, struct str name, struct arena *a, struct str *value)
{
    const char *key = arena_cstr(a, name);
    const char *found = key ? getenv(key) : NULL;

    (void)ctx;
    if (!found)
        return false;
    *value = arena_str(a, str_from_c(found));
    return value->p != NULL;
}

/* ---- facts ---- */

static struct str next_word(struct str *line)
{
    *line = str_trim(*line);
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    struct str word = str_head(*line, n);
    *line = str_skip(*line, n);
    return word;
}

/* hosts(5): the first name with a dot on the line that also has NAME; empty without such a line. */
static struct str full_name_in(struct str hosts, struct str name)
{
    while (hosts.p) {
        struct str line = str_cut(&hosts, '\n'), full = STR_NONE;
        bool ours = false;
        line = str_head(line, str_find(line, '#'));
        next_word(&line);
        for (struct str word = next_word(&line); word.n; word = next_word(&line)) {
            ours = ours || str_eq_nocase(word, name);
            if (!full.n && str_has(word, '.'))
                full = word;
        }
        if (ours && full.n)
            return full;
    }
    return STR_NONE;
}

static struct str host_name(void)
{
    static char name[HOST_NAME_ROOM];
    struct arena *a = arena_new(HOSTS_ARENA_MAX);
    struct str hosts;

    if (gethostname(name, sizeof(name) - 1) < 0)
        name[0] = '\0';
    if (!a || str_has(str_from_c(name), '.') || !file_read_all("/etc/hosts", HOSTS_FILE_MAX, a, &hosts, NULL))
        goto out;
    struct str full = full_name_in(hosts, str_from_c(name));
    if (full.n)
        snprintf(name, sizeof(name), "%.*s", STR_ARG(full));
out:
    arena_free(a);
    return str_from_c(name);
}

static bool stderr_is_the_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

struct config_reader config_disk_reader(void)
{
    return (struct config_reader){
        .read_file = disk_read_file,
        .glob = disk_glob,
        .env = disk_env,
        .facts = { .fqdn = host_name(), .under_systemd = stderr_is_the_journal() },
    };
}
