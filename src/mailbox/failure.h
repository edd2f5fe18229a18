/* mailbox/failure.h -- why mail could not be put into a mailbox, in the words of mail (RFC 3463). */
#ifndef MAILBOX_FAILURE_H
#define MAILBOX_FAILURE_H

#include <stdbool.h>

#include "core/err.h"

enum { MAILBOX_CODE_MAX = 8 };

/* How the text ends where rights are missing. */
#define MAILBOX_DENIED "the delivering account has no right to it"

struct mailbox_failure {
    struct err err;              /* kind: try later or never; sys: the errno behind it; text for people */
    char code[MAILBOX_CODE_MAX]; /* enhanced status code, "4.2.2" */
};

/*
 * Fill F from the errno SYS of what was being done, and return false. For ever (5.1.3) is a name that is too long;
 * all else may go well later: quota 4.2.2, disk full 4.3.1, rights and folders that are none 4.3.5, the rest 4.3.0.
 */
bool mailbox_fail_sys(struct mailbox_failure *f, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Without an errno; CODE's class decides between later and never. Returns false. */
bool mailbox_fail(struct mailbox_failure *f, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
