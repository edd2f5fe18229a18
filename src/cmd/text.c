/* cmd/text.c -- columns and plain words. */
#include "cmd/text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/num.h"
#include "core/utc.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR, WIDTH_LEAST = 40 };

struct text_screen text_screen(void)
{
    struct text_screen screen = { .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8") };
    const char *columns = getenv("COLUMNS"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size = { 0 };
    uint64_t n;

    if (!isatty(STDOUT_FILENO))
        return screen;
    if (columns && num_parse_u64(str_from_c(columns), 10000, &n))
        screen.width = n;
    else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        screen.width = size.ws_col;
    if (screen.width < WIDTH_LEAST)
        screen.width = screen.width ? WIDTH_LEAST : 80;
    screen.colour = !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
    return screen;
}

/* ---- characters ---- */

struct shown {
    size_t n;    /* octets it takes */
    bool as_is; /* false: a mark stands for it */
};

/* A control, or what turns the direction of text around, must not reach a terminal; nor what is not UTF-8. */
static struct shown first_of(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = str_utf8_length(s);

    if (n == 1)
        return (struct shown){ 1, p[0] >= 0x20 && p[0] != 0x7f };
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
        return (struct shown){ n, false };
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
        return (struct shown){ n, false };
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
        return (struct shown){ n, false };
    return (struct shown){ n ? n : 1, n > 0 };
}

size_t text_width(struct str s)
{
    size_t columns = 0;

    for (; s.n; s = str_skip(s, first_of(s).n))
        columns++;
    return columns;
}

static void add_columns(struct buf *out, const struct text_screen *screen, struct str s, size_t columns)
{
    for (; s.n && columns; columns--) {
        struct shown c = first_of(s);
        if (s.p[0] == '\t')
            buf_add_char(out, ' ');
        else if (!c.as_is || (c.n > 1 && !screen->utf8))
            buf_add_char(out, '?');
        else
            buf_add(out, str_head(s, c.n));
        s = str_skip(s, c.n);
    }
}

void text_add(struct buf *out, const struct text_screen *screen, struct str s, size_t width)
{
    const char *mark = screen->utf8 ? "\xe2\x80\xa6" : "~";

    if (!width || text_width(s) <= width) {
        add_columns(out, screen, s, SIZE_MAX);
        return;
    }
    add_columns(out, screen, s, width - 1);
    buf_add_c(out, mark);
}

static void blanks(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_add_char(out, ' ');
}

void text_cell(struct buf *out, const struct text_screen *screen, struct str s, size_t width, bool right)
{
    size_t has = text_width(s), rest = has < width ? width - has : 0;

    if (right)
        blanks(out, rest);
    text_add(out, screen, s, width);
    if (!right)
        blanks(out, rest);
}

void text_paint(struct buf *out, const struct text_screen *screen, enum text_colour colour)
{
    static const char *const codes[] = { "\033[0m", "\033[32m", "\033[31m", "\033[1m", "\033[2m" };

    if (screen->colour)
        buf_add_c(out, codes[colour]);
}

/* ---- lines ---- */

/* Octets of the front of LINE that take at most WIDTH columns, colours aside. */
static size_t fitting(struct str line, size_t width)
{
    size_t at = 0;

    for (size_t columns = 0; at < line.n;) {
        if (line.p[at] == '\033') {
            at += str_find(str_skip(line, at), 'm') + 1;
            continue;
        }
        if (columns++ == width)
            break;
        at += first_of(str_skip(line, at)).n;
    }
    return at < line.n ? at : line.n;
}

void text_print(struct buf *out, const struct text_screen *screen)
{
    struct str line = buf_str(out);
    size_t n = screen->width ? fitting(line, screen->width) : line.n;
    const char *end = "";

    while (n && line.p[n - 1] == ' ')
        n--;
    if (n < line.n && str_trim(str_skip(line, n)).n && fitting(line, screen->width) < line.n) {
        n = fitting(line, screen->width - 1);
        end = screen->utf8 ? "\xe2\x80\xa6" : "~";
    }
    fwrite(line.p, 1, n, stdout);
    fputs(end, stdout);
    if (str_has(line, '\033'))
        fputs("\033[0m", stdout);
    fputc('\n', stdout);
    buf_clear(out);
}

/* ---- figures ---- */

struct text_short text_age(int64_t msec)
{
    struct text_short t;
    int64_t n = msec < 0 ? 0 : msec;

    if (n < MINUTE)
        snprintf(t.c, sizeof(t.c), "%" PRId64 "s", n / SECOND);
    else if (n < HOUR && n % MINUTE < SECOND)
        snprintf(t.c, sizeof(t.c), "%" PRId64 "m", n / MINUTE);
    else if (n < HOUR)
        snprintf(t.c, sizeof(t.c), "%" PRId64 "m%" PRId64 "s", n / MINUTE, n % MINUTE / SECOND);
    else if (n < DAY && n % HOUR < MINUTE)
        snprintf(t.c, sizeof(t.c), "%" PRId64 "h", n / HOUR);
    else if (n < DAY)
        snprintf(t.c, sizeof(t.c), "%" PRId64 "h%" PRId64 "m", n / HOUR, n % HOUR / MINUTE);
    else if (n % DAY < HOUR)
        snprintf(t.c, sizeof(t.c), "%" PRId64 "d", n / DAY);
    else
        snprintf(t.c, sizeof(t.c), "%" PRId64 "d%" PRId64 "h", n / DAY, n % DAY / HOUR);
    return t;
}

struct text_short text_size(uint64_t octets)
{
    static const char units[] = { 'k', 'M', 'G', 'T' };
    double n = (double)octets / 1024;
    size_t unit = 0;
    struct text_short t;

    if (octets < 1000) {
        snprintf(t.c, sizeof(t.c), "%" PRIu64, octets);
        return t;
    }
    for (; n >= 999.5 && unit + 1 < sizeof(units); unit++)
        n /= 1024;
    snprintf(t.c, sizeof(t.c), n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[unit]);
    return t;
}

struct text_short text_count(uint64_t n)
{
    char digits[TEXT_SHORT];
    struct text_short t;
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            t.c[at++] = ',';
        t.c[at++] = digits[i];
    }
    t.c[at] = '\0';
    return t;
}

struct text_short text_time(const char *written)
{
    struct text_short t;

    snprintf(t.c, sizeof(t.c), "%.19s", written ? written : "");
    if (strlen(t.c) > 10 && t.c[10] == 'T')
        t.c[10] = ' ';
    return t;
}

struct text_short text_time_today(const char *written, int64_t now_msec)
{
    enum { DATE = 10 };
    struct utc_text today = utc_text_seconds(now_msec);
    struct text_short t = text_time(written);

    if (strlen(t.c) > DATE && !strncmp(t.c, today.c, DATE))
        memmove(t.c, t.c + DATE + 1, strlen(t.c + DATE + 1) + 1);
    return t;
}

struct str text_hold_reason(struct str reason)
{
    return str_eq(reason, STR("run-hold")) ? STR("the server was started with --hold") : reason;
}

int64_t text_time_msec(const char *written)
{
    struct tm tm = { 0 };
    const char *rest = written ? strptime(written, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    int64_t msec = 0;

    for (int i = 1; rest && rest[0] == '.' && i <= 3; i++)
        msec = msec * 10 + (ascii_is_digit(rest[i]) ? rest[i] - '0' : 0);
    return rest ? (int64_t)timegm(&tm) * 1000 + msec : -1;
}
