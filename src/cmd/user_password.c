/* cmd/user_password.c -- a password: asked for, and in the forms in which a users file keeps it (FACE 1.11). */
#include <crypt.h>
#include <gsasl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "auth/plain.h"
#include "cmd/user.h"
#include "core/base64.h"

enum { SALT_OCTETS = 16, ITERATIONS = 10000, LINE_MAX_OCTETS = AUTH_PLAIN_PART_MAX + 3 /* CR, LF or NUL */ };

static const int breaks_off[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };

/* ---- asking ---- */

/* Without its line end. What is wrong with it, in words, or NULL: PLAIN and LOGIN have no room for more. */
static const char *read_line(char line[LINE_MAX_OCTETS])
{
    size_t n = 0;
    int c;

    while ((c = getc(stdin)) != EOF && c != '\n') {
        if (n + 1 == LINE_MAX_OCTETS)
            return "it has more than 255 octets";
        line[n++] = (char)c;
    }
    if (c == EOF && !n)
        return "none was given";
    if (n && line[n - 1] == '\r')
        n--;
    line[n] = '\0';
    if (strlen(line) < n)
        return "it has a NUL in it";
    return n <= AUTH_PLAIN_PART_MAX ? NULL : "it has more than 255 octets";
}

static struct termios as_it_was;

/* Who breaks off gets back a terminal that shows what is typed; the signal then does what it always does. */
static void on_signal(int number)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
    raise(number);
}

static void catch_signals(struct sigaction before[ARRAY_LEN(breaks_off)])
{
    struct sigaction ours = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

    sigemptyset(&ours.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(breaks_off); i++)
        sigaction(breaks_off[i], &ours, &before[i]);
}

static void leave_signals(const struct sigaction before[ARRAY_LEN(breaks_off)])
{
    for (size_t i = 0; i < ARRAY_LEN(breaks_off); i++)
        sigaction(breaks_off[i], &before[i], NULL);
}

static const char *ask(const char *what, struct str account, char line[LINE_MAX_OCTETS])
{
    struct sigaction signals[ARRAY_LEN(breaks_off)];
    struct termios silent;
    const char *wrong = "the terminal cannot be asked";

    if (tcgetattr(STDIN_FILENO, &as_it_was) < 0)
        return wrong;
    silent = as_it_was;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    silent.c_lflag |= ECHONL;
    catch_signals(signals);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0) {
        fprintf(stderr, "%s%.*s: ", what, STR_ARG(account));
        fflush(stderr);
        wrong = read_line(line);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_was);
    }
    leave_signals(signals);
    return wrong;
}

int user_ask_password(struct str account, struct auth_text *password)
{
    char first[LINE_MAX_OCTETS] = "", second[LINE_MAX_OCTETS] = "";
    bool on_terminal = isatty(STDIN_FILENO);
    int status = CMD_OK;

    /* No copy of it stays with stdio. */
    setvbuf(stdin, NULL, _IONBF, 0);
    const char *wrong = on_terminal ? ask("Password for ", account, first) : read_line(first);
    if (!wrong && on_terminal)
        wrong = ask("Again", STR_NONE, second);
    if (wrong)
        status = cmd_fail(CMD_INPUT, NULL, "that can be no password: %s", wrong);
    else if (on_terminal && strcmp(first, second) != 0)
        status = cmd_fail(CMD_INPUT, NULL, "these are two different ones; nothing was changed");
    else if (auth_prepare(first, password) != AUTH_PREPARED)
        status = cmd_fail(CMD_INPUT, NULL, "nobody can have that password: it is empty, or not allowed by SASLprep");
    explicit_bzero(first, sizeof(first));
    explicit_bzero(second, sizeof(second));
    return status;
}

/* ---- what is kept ---- */

static bool add_crypt(const struct auth_text *password, struct buf *out)
{
    struct crypt_data *data = calloc(1, sizeof(*data));
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made = NULL;

    /* Whatever this system holds best; in Debian that is yescrypt. */
    if (data && crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)))
        made = crypt_rn(password->c, setting, data, (int)sizeof(*data));
    bool ok = made && buf_printf(out, "{CRYPT}%s", made);
    if (data)
        explicit_bzero(data, sizeof(*data));
    free(data);
    return ok;
}

/* StoredKey and ServerKey of RFC 5802 3: the password cannot be had from them, nor can one log in with them elsewhere. */
static bool add_scram(const struct auth_text *password, struct buf *out)
{
    struct {
        char salted[AUTH_SCRAM_KEY_OCTETS], client[AUTH_SCRAM_KEY_OCTETS];
        char server[AUTH_SCRAM_KEY_OCTETS], stored[AUTH_SCRAM_KEY_OCTETS];
    } keys;
    char salt[SALT_OCTETS];
    bool ok = getrandom(salt, sizeof(salt), 0) == SALT_OCTETS &&
              gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, password->c, ITERATIONS, salt, sizeof(salt),
                                                keys.salted, keys.client, keys.server, keys.stored) == GSASL_OK;

    ok = ok && buf_printf(out, "%d,", ITERATIONS) && base64_add(out, str_of(salt, sizeof(salt))) &&
         buf_add_char(out, ',') && base64_add(out, str_of(keys.stored, sizeof(keys.stored))) &&
         buf_add_char(out, ',') && base64_add(out, str_of(keys.server, sizeof(keys.server)));
    explicit_bzero(&keys, sizeof(keys));
    return ok;
}

bool user_hash(const struct auth_text *password, struct buf *hash, struct buf *scram)
{
    return add_crypt(password, hash) && add_scram(password, scram);
}
