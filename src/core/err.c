/* core/err.c -- the texts of failures. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_temp(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return false;
    err->kind = ERR_TEMP;
    err->sys = 0;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return false;
}

bool err_perm(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return false;
    err->kind = ERR_PERM;
    err->sys = 0;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return false;
}

bool err_sys(struct err *err, int sys, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return false;
    err->kind = ERR_TEMP;
    err->sys = sys;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);

    const char *words = strerrordesc_np(sys);
    size_t at = n < 0 ? 0 : (size_t)n;
    if (at < sizeof(err->text))
        snprintf(err->text + at, sizeof(err->text) - at, ": %s", words ? words : "unknown error");
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
    char former[ERR_TEXT_MAX];
    va_list ap;

    if (!err)
        return false;
    memcpy(former, err->text, sizeof(former));
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);

    size_t at = n < 0 ? 0 : (size_t)n;
    if (at < sizeof(err->text))
        snprintf(err->text + at, sizeof(err->text) - at, ": %s", former);
    return false;
}
