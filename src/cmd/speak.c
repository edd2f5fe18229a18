/* cmd/speak.c -- errors, help, and which subcommand is meant. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "core/id.h"
#include "core/str.h"

/* How many of ARGV are the words of NAME, all of them; 0 when they are not. */
static int words_match(const char *name, int argc, char **argv)
{
    struct str rest = str_from_c(name);
    int n = 0;

    while (rest.p) {
        struct str word = str_cut(&rest, ' ');
        if (n >= argc || !str_eq(word, str_from_c(argv[n])))
            return 0;
        n++;
    }
    return n;
}

static bool is_queue_id(const char *word)
{
    struct queue_id id;

    return queue_id_parse(str_from_c(word), &id);
}

/* A noun alone lists (FACE 2.2), and so does one with what it lists, which no verb looks like. */
static const struct cmd_command *noun_alone(int argc, char **argv, int *n)
{
    char list[32];

    if (argc < 1 || (argc > 1 && argv[1][0] != '-' && !is_queue_id(argv[1])))
        return NULL;
    snprintf(list, sizeof(list), "%s list", argv[0]);
    for (const struct cmd_command *c = cmd_commands; c->words; c++) {
        if (!strcmp(c->words, list)) {
            *n = 1;
            return c;
        }
    }
    return NULL;
}

const struct cmd_command *cmd_find(int argc, char **argv, int *n)
{
    const struct cmd_command *found = NULL;

    *n = 0;
    for (const struct cmd_command *c = cmd_commands; c->words; c++) {
        int words = words_match(c->words, argc, argv);
        if (words > *n) {
            *n = words;
            found = c;
        }
    }
    return found ? found : noun_alone(argc, argv, n);
}

int cmd_fail(int exit_code, const char *cure, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fputs("veredus: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (cure && cure[0])
        fprintf(stderr, "         %s\n", cure);
    return exit_code;
}

int cmd_usage(const struct cmd_call *call, const char *argument)
{
    char cure[128];

    snprintf(cure, sizeof(cure), "veredus help %s", call->words);
    if (!argument)
        return cmd_fail(CMD_USAGE, cure, "%s: something is missing", call->words);
    return cmd_fail(CMD_USAGE, cure, "%s: '%s' is not understood here", call->words, argument);
}

void cmd_help_one(const struct cmd_command *command)
{
    printf("veredus %s%s%s -- %s\n", command->words, command->usage ? " " : "", command->usage ? command->usage : "",
           command->summary);
    if (!command->run)
        printf("\nnot built yet\n");
    if (command->details)
        printf("\n%s", command->details);
    if (command->run && !command->raw)
        printf("%s  -c FILE        the configuration; else VEREDUS_CONFIG, else /etc/veredus/veredus.conf\n"
               "  --json         for programs\n"
               "  -q             errors only\n",
               command->details ? "" : "\n");
}

void cmd_help_all(void)
{
    printf("veredus, a mail transfer agent\n\n");
    for (const struct cmd_command *c = cmd_commands; c->words; c++)
        if (c->run)
            printf("  veredus %-14s%s\n", c->words, c->summary);
    printf("\nmore of one: veredus help COMMAND; the manual: veredus(8), veredus.conf(5)\n");
}
