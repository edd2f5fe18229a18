/* cmd/user_password.c -- a password: asked for, and in the forms in which a users file keeps it (FACE 1.11). */
#include <crypt.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/user.h"
#include "core/base64.h"

enum { SALT_OCTETS = 16, ITERATIONS = 10000, LINE_MAX_OCTETS = AUTH_TEXT_MAX + 2 };

/* ---- asking ---- */

/* Without its line end. False: none, or too long a one. */
static bool read_line(char line[LINE_MAX_OCTETS])
{
    if (!fgets(line, LINE_MAX_OCTETS, stdin))
        return false;
    size_t n = strcspn(line, "\r\n");
    bool whole = line[n] || feof(stdin);
    line[n] = '\0';
    return whole;
}

static bool ask(const char *what, struct str account, char line[LINE_MAX_OCTETS])
{
    struct termios before, silent;
    bool ok = tcgetattr(STDIN_FILENO, &before) == 0;

    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    silent.c_lflag |= ECHONL;
    if (!ok || tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0)
        return false;
    fprintf(stderr, "%s%.*s: ", what, STR_ARG(account));
    fflush(stderr);
    ok = read_line(line);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    return ok;
}

int user_ask_password(struct str account, struct auth_text *password)
{
    char first[LINE_MAX_OCTETS], second[LINE_MAX_OCTETS];
    bool on_terminal = isatty(STDIN_FILENO);
    int status = CMD_OK;

    /* No copy of it stays with stdio. */
    setvbuf(stdin, NULL, _IONBF, 0);
    if (!(on_terminal ? ask("Password for ", account, first) && ask("Again", STR_NONE, second) : read_line(first)))
        status = cmd_fail(CMD_INPUT, NULL, "no password was given, or one of more than %d octets", AUTH_TEXT_MAX);
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
