/* cmd/veredus.c -- the program: finds the subcommand, takes what all of them understand (FACE 2.1, 2.2). */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/sendmail/sendmail.h"
#include "cmd/subcommands.h"
#include "core/str.h"

static int unknown(int argc, char **argv)
{
    bool noun = false;

    for (const struct cmd_command *c = cmd_commands; c->words && !noun; c++)
        noun = str_starts(str_from_c(c->words), str_from_c(argv[0])) && c->words[strlen(argv[0])] == ' ';
    if (noun && argc < 2)
        return cmd_fail(CMD_USAGE, "veredus help lists what there is", "%s: what of it?", argv[0]);
    if (noun)
        return cmd_fail(CMD_USAGE, "veredus help lists what there is", "%s: no such subcommand: '%s'", argv[0],
                        argv[1]);
    return cmd_fail(CMD_USAGE, "veredus help lists what there is", "no such subcommand: '%s'", argv[0]);
}

/* ---- options of all ---- */

struct common {
    const char *config;
    bool json, quiet, help;
};

/*
 * Takes one option of all off the front of ARGV. Returns how many arguments it was, 0 when it is none, -1 when its value
 * is missing.
 */
static int take_common(struct common *common, int argc, char **argv)
{
    if (!strcmp(argv[0], "-c")) {
        if (argc < 2)
            return -1;
        common->config = argv[1];
        return 2;
    }
    if (!strncmp(argv[0], "-c", 2) && argv[0][2] == '/') {
        common->config = argv[0] + 2;
        return 1;
    }
    if (!strcmp(argv[0], "--json"))
        common->json = true;
    else if (!strcmp(argv[0], "-q"))
        common->quiet = true;
    else if (!strcmp(argv[0], "-h") || !strcmp(argv[0], "--help"))
        common->help = true;
    else
        return 0;
    return 1;
}

static bool takes_value(const struct cmd_command *command, const char *option)
{
    struct str rest = str_from_c(command->values);

    while (rest.p) {
        struct str word = str_cut(&rest, ' ');
        if (word.n && str_eq(word, str_from_c(option)))
            return true;
    }
    return false;
}

/* What is left of ARGV in OUT without the options of all; they may stand anywhere before a "--". False: one is cut short. */
static bool sort_out(const struct cmd_command *command, struct common *common, int argc, char **argv, char **out,
                     int *n)
{
    bool open = true;

    for (int i = 0; i < argc;) {
        int taken = open ? take_common(common, argc - i, argv + i) : 0;
        if (taken < 0)
            return false;
        if (!taken) {
            open = open && strcmp(argv[i], "--") != 0;
            if (open && takes_value(command, argv[i]) && i + 1 < argc)
                out[(*n)++] = argv[i++];
            out[(*n)++] = argv[i++];
        }
        i += taken;
    }
    return true;
}

/* ---- the program ---- */

static int run(const struct cmd_command *command, struct common *common, int argc, char **argv, const char *program)
{
    char **rest = calloc((size_t)argc + 2, sizeof(*rest));
    struct cmd_call call = { .words = command->words, .argc = 1, .argv = rest };
    int status;

    if (!rest)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    rest[0] = (char *)(uintptr_t)program;
    if (command->raw) {
        call.argc = argc + 1;
        if (argc)
            memcpy(rest + 1, argv, (size_t)argc * sizeof(*rest));
    } else if (!sort_out(command, common, argc, argv, rest, &call.argc)) {
        free(rest);
        return cmd_fail(CMD_USAGE, NULL, "-c: which file?");
    }
    call.config = common->config;
    call.json = common->json;
    call.quiet = common->quiet;
    if (common->help && !command->raw) {
        cmd_help_one(command);
        status = CMD_OK;
    } else {
        status = command->run(&call);
    }
    free(rest);
    if (fflush(stdout) != 0 || ferror(stdout))
        return status ? status : CMD_LATER;
    return status;
}

static int later(const struct cmd_command *command, struct common *common, int argc, char **argv)
{
    for (int i = 0; i < argc && !common->help; i++)
        common->help = !strcmp(argv[i], "-h") || !strcmp(argv[i], "--help");
    if (!common->help)
        return cmd_fail(CMD_USAGE, NULL, "%s: not built yet", command->words);
    cmd_help_one(command);
    return CMD_OK;
}

int main(int argc, char **argv)
{
    const char *program = argc > 0 ? argv[0] : "veredus";
    struct common common = { 0 };
    int at = 1, taken, words;

    setlocale(LC_CTYPE, "");
    if (sendmail_is_name(program))
        return sendmail_main(argc, argv);
    for (; at < argc && (taken = take_common(&common, argc - at, argv + at)) != 0; at += taken)
        if (taken < 0)
            return cmd_fail(CMD_USAGE, NULL, "-c: which file?");
    if (at >= argc) {
        cmd_help_all();
        return common.help ? CMD_OK : CMD_USAGE;
    }
    const struct cmd_command *command = cmd_find(argc - at, argv + at, &words);
    if (!command)
        return unknown(argc - at, argv + at);
    if (!command->run)
        return later(command, &common, argc - at - words, argv + at + words);
    return run(command, &common, argc - at - words, argv + at + words, program);
}
