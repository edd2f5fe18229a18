/* core/err.h -- why something failed, and what that means for mail: try later, or never. Pure. */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdbool.h>

#include "core/bug.h"

enum err_kind {
    ERR_NONE,
    ERR_TEMP, /* may go well later: 4yz, a retry */
    ERR_PERM, /* will not: 5yz, a report */
};

enum { ERR_TEXT_MAX = 400 };

/* Init: struct err err = { 0 }; untouched on success. SYS is the errno behind it, 0 without one. */
struct err {
    enum err_kind kind;
    int sys;
    char text[ERR_TEXT_MAX]; /* one line for people, no line end; cut, never overrun */
};

/* Fill ERR (NULL is allowed) and return false, so that a caller can write: return err_temp(err, ...). */
bool err_temp(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool err_perm(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Temporary, with SYS kept and its words put behind the text: "open /x: No such file or directory". */
bool err_sys(struct err *err, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Put words in front of what ERR says: "WORDS: former text". Returns false. */
bool err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
