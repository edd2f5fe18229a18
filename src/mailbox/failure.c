/* mailbox/failure.c -- from errno to the enhanced status codes of mailboxes (RFC 3463 3.2 to 3.4). */
#include "mailbox/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    int sys;
    const char *code;
    const char *words; /* instead of the C library's */
} known[] = {
    { EDQUOT, "4.2.2", "mailbox full: the quota is used up" },
    { ENOSPC, "4.3.1", "mail system full: no space on the mailbox's disk" },
    { EFBIG, "4.3.1", "larger than a file may be there" },
    { EMFILE, "4.3.1", NULL },
    { ENFILE, "4.3.1", NULL },
    { ENOMEM, "4.3.1", NULL },
    { EACCES, "4.3.5", MAILBOX_DENIED },
    { EPERM, "4.3.5", MAILBOX_DENIED },
    { EROFS, "4.3.5", NULL },
    { ENOTDIR, "4.3.5", "a file stands where a folder is wanted" },
    { ELOOP, "4.3.5", "symbolic links are not followed below the mail root" },
    { EXDEV, "4.3.5", "it would leave the mail root, or cross onto another disk" },
    { ENAMETOOLONG, "5.1.3", "the name of the mailbox is too long" },
};

static void classify(struct mailbox_failure *f, int sys, const char **words)
{
    const char *code = "4.3.0";

    *words = NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].sys == sys) {
            code = known[i].code;
            *words = known[i].words;
        }
    }
    snprintf(f->code, sizeof(f->code), "%s", code);
}

bool mailbox_fail_sys(struct mailbox_failure *f, int sys, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX];
    const char *words;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    classify(f, sys, &words);
    if (f->code[0] == '5')
        err_perm(&f->err, "%s: %s", what, words);
    else if (words)
        err_temp(&f->err, "%s: %s", what, words);
    else
        err_sys(&f->err, sys, "%s", what);
    f->err.sys = sys;
    return false;
}

bool mailbox_fail(struct mailbox_failure *f, const char *code, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    snprintf(f->code, sizeof(f->code), "%s", code);
    return code[0] == '5' ? err_perm(&f->err, "%s", what) : err_temp(&f->err, "%s", what);
}
