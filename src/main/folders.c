/* main/folders.c -- the folders that must be there before any process is: the spool, and the state with the history. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/server.h"

/* It was another account's before (made before ours were): its files go with it, and no others. */
static bool folder_give(const char *path, uid_t former, const struct identity *id, struct err *err)
{
    DIR *folder = opendir(path);
    bool ok = folder != NULL;

    for (struct dirent *e; ok && (e = readdir(folder));) {
        struct stat st;
        if (fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
            st.st_uid != former || st.st_nlink != 1)
            continue;
        ok = fchownat(dirfd(folder), e->d_name, id->uid, id->gid, AT_SYMLINK_NOFOLLOW) == 0;
    }
    /* The folder last: until then its former owner is seen to be one, and this is done again. */
    ok = ok && fchown(dirfd(folder), id->uid, id->gid) == 0;
    if (!ok)
        err_sys(err, errno, "cannot give %s to %s", path, id->name);
    if (folder)
        closedir(folder);
    return ok;
}

/* PATH with MODE, given to the account that KIND runs as. */
static bool folder_of(struct main_server *s, const char *path, mode_t mode, enum process_kind kind, struct err *err)
{
    const struct config *config = main_config(s);
    struct identity id;
    struct stat st;

    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make %s", path);
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_perm(err, "%s is not a folder", path);
    if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
        return err_sys(err, errno, "%s", path);
    if (!s->root)
        return true;
    struct str account = config->run_as.text.n ? config->run_as.text
                         : s->accounts_missing ? STR("nobody")
                                               : str_from_c(process_account(kind));
    return identity_find(account, true, &id, err) &&
           (st.st_uid == id.uid || folder_give(path, st.st_uid, &id, err));
}

/* Everyone may pass through to the drop folder; nobody else may list it, and the files in it are the queue's alone. */
static bool spool_folder(struct main_server *s, struct err *err)
{
    char path[1024];

    if (snprintf(path, sizeof(path), "%.*s", STR_ARG(main_config(s)->spool.text)) >= (int)sizeof(path))
        return err_perm(err, "spool: too long a path");
    return folder_of(s, path, 0711, PROCESS_QUEUE, err) || err_wrap(err, "spool");
}

/* What senders and recipients there were is nobody's business but control's, who writes and reads it. */
static bool history_folder(struct main_server *s, struct err *err)
{
    char path[1024];

    if (snprintf(path, sizeof(path), "%.*s/history", STR_ARG(main_config(s)->state.text)) >= (int)sizeof(path))
        return err_perm(err, "state: too long a path");
    return folder_of(s, path, 0700, PROCESS_CONTROL, err) || err_wrap(err, "state");
}

/* Of the one who started us: what is made in it belongs to the processes that make it. */
static bool state_folder(struct main_server *s, struct err *err)
{
    char path[1024];
    struct stat st;

    if (snprintf(path, sizeof(path), "%.*s", STR_ARG(main_config(s)->state.text)) >= (int)sizeof(path))
        return err_perm(err, "state: too long a path");
    if (mkdir(path, 0755) == 0)
        return chmod(path, 0755) == 0 || err_sys(err, errno, "state: %s", path);
    if (errno != EEXIST)
        return err_sys(err, errno, "state: cannot make %s", path);
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_perm(err, "state: %s is not a folder", path);
    return true;
}

bool folders_make(struct main_server *s, struct err *err)
{
    struct err missing = { 0 };
    struct log_record r;

    if (!spool_folder(s, err))
        return false;
    if (state_folder(s, &missing) && history_folder(s, &missing))
        return true;
    /* Mail goes without it (FACE 1.12): only what would be kept there is not. */
    log_start_level(&r, LOG_EVENT_CONFIG, LOG_LEVEL_ERROR);
    log_text_c(&r, LOG_ERROR, missing.text);
    log_send(&r);
    return true;
}
