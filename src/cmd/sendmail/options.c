/* cmd/sendmail/options.c -- the options that forty years of programs pass to a sendmail. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/sendmail/sendmail.h"

int sendmail_fail(int exit_code, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fputs("sendmail: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return exit_code;
}

static const char *base_name(const char *program)
{
    const char *slash = strrchr(program, '/');

    return slash ? slash + 1 : program;
}

bool sendmail_is_name(const char *program)
{
    const char *base = base_name(program);

    return !strcmp(base, "sendmail") || !strcmp(base, "mailq") || !strcmp(base, "newaliases");
}

static bool wrong(const char *what, const char *value)
{
    sendmail_fail(SENDMAIL_USAGE, "%s%s; see sendmail(8)", what, value);
    return false;
}

/* -b: what to be. */
static bool take_mode(struct sendmail_options *o, const char *value)
{
    static const struct {
        char letter;
        enum sendmail_mode mode;
    } modes[] = {
        { 'm', SENDMAIL_MESSAGE }, { 's', SENDMAIL_SMTP },    { 'p', SENDMAIL_MAILQ },
        { 'v', SENDMAIL_VERIFY },  { 'i', SENDMAIL_ALIASES },
    };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (value[0] == modes[i].letter && !value[1]) {
            o->mode = modes[i].mode;
            return true;
        }
    }
    if (!strcmp(value, "d") || !strcmp(value, "D"))
        return wrong("the server is started by 'systemctl start veredus' or 'veredus run', not by -b", value);
    return wrong("no such mode: -b", value);
}

/* -o: one letter and its value; only `i` asks for something that is not so already. */
static bool take_old_option(struct sendmail_options *o, const char *value)
{
    if (!strcmp(value, "i"))
        o->dots = true;
    return value[0] ? true : wrong("-o: which option?", "");
}

/* -O NAME=VALUE: the long form. */
static bool take_long_option(struct sendmail_options *o, const char *value)
{
    if (!strcmp(value, "IgnoreDots") || !strcasecmp(value, "IgnoreDots=true"))
        o->dots = true;
    return true;
}

static bool take_body(struct sendmail_options *o, const char *value)
{
    if (strcasecmp(value, "7BIT") != 0 && strcasecmp(value, "8BITMIME") != 0)
        return wrong("no such body type: -B ", value);
    o->body = value;
    return true;
}

static bool take_option(struct sendmail_options *o, int letter, const char *value)
{
    switch (letter) {
    case 't':
        o->extract = true;
        return true;
    case 'i':
        o->dots = true;
        return true;
    case 'v':
        o->verbose = true;
        return true;
    case 'G':
        o->gateway = true;
        return true;
    case 'f':
    case 'r':
        o->sender = value;
        return true;
    case 'F':
        o->name = value;
        return true;
    case 'C':
        o->config = value;
        return true;
    case 'B':
        return take_body(o, value);
    case 'b':
        return take_mode(o, value);
    case 'o':
        return take_old_option(o, value);
    case 'O':
        return take_long_option(o, value);
    case 'q':
        o->mode = SENDMAIL_FLUSH;
        return value ? wrong("-q alone tries the whole queue now; the server does so by itself: -q", value) : true;
    case 'N':
    case 'R':
    case 'V':
        o->dsn = true;
        return true;
    case 'n': /* aliases are the server's: no message passes them by */
    case 'U': /* a first submission is what every call is, but with -G */
    case 'A': /* there is one configuration */
        return true;
    default:
        return wrong("no such option, or its value is missing: -", (const char[]){ (char)optopt, '\0' });
    }
}

bool sendmail_options_read(int argc, char **argv, struct sendmail_options *o)
{
    const char *base = base_name(argc > 0 ? argv[0] : "sendmail");
    int letter;

    *o = (struct sendmail_options){ 0 };
    if (!strcmp(base, "mailq"))
        o->mode = SENDMAIL_MAILQ;
    if (!strcmp(base, "newaliases"))
        o->mode = SENDMAIL_ALIASES;
    optind = 0;
    opterr = 0;
    /* Up to the first recipient, as it always was. */
    while ((letter = getopt(argc, argv, "+A:B:b:C:F:f:GiN:no:O:q::R:r:tUvV:")) != -1)
        if (!take_option(o, letter, optarg))
            return false;
    o->recipients = argv + optind;
    o->n_recipients = argc - optind;
    return true;
}
