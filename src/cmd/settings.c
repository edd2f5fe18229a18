/* cmd/settings.c -- the configuration, parsed here as main parses it. */
#include "cmd/settings.h"

#include <stdio.h>

#include "config/parse.h"
#include "main/config_disk.h"

enum { SETTINGS_ARENA_MAX = 256 << 20 };

/* The next word of TEXT; ";", "{" and "}" are words of their own. Empty at the end. */
static struct str next_word(struct str *text)
{
    static const struct str marks = STR_INIT(";{}");
    size_t n = 0;

    for (*text = str_trim(*text); text->n && text->p[0] == '#'; *text = str_trim(*text))
        str_cut(text, '\n');
    while (n < text->n && !str_has(marks, text->p[n]) && (unsigned char)text->p[n] > ' ')
        n++;
    struct str word = str_head(*text, n ? n : text->n ? 1 : 0);
    *text = str_skip(*text, word.n);
    return word;
}

/* The path after `control` where a statement may begin at the top; empty without one. */
static struct str written_control(struct str text)
{
    bool begins = true;
    size_t depth = 0;

    for (struct str word = next_word(&text); word.n; word = next_word(&text)) {
        if (begins && !depth && str_eq(word, STR("control")))
            return next_word(&text);
        begins = str_eq(word, STR(";")) || str_eq(word, STR("{")) || str_eq(word, STR("}"));
        if (str_eq(word, STR("{")))
            depth++;
        else if (str_eq(word, STR("}")) && depth)
            depth--;
    }
    return STR_NONE;
}

bool settings_control(const struct settings *s, char path[CMD_PATH_MAX])
{
    struct str file = str_from_c(s->path), folder = str_head(file, str_rfind(file, '/'));
    struct str control = s->config ? s->config->control.path : STR_NONE;
    int n;

    if (!s->config && s->diag.files.n)
        control = written_control(s->diag.files.items[0].text);
    if (!control.n)
        control = STR("/run/veredus/control");
    if (control.p[0] == '/')
        n = snprintf(path, CMD_PATH_MAX, "%.*s", STR_ARG(control));
    else
        n = snprintf(path, CMD_PATH_MAX, "%.*s/%.*s", STR_ARG(folder), STR_ARG(control));
    return n > 0 && n < CMD_PATH_MAX;
}

int settings_read(struct settings *s, const struct cmd_call *call)
{
    struct config_reader disk = config_disk_reader();

    s->arena = NULL;
    s->config = NULL;
    s->diag = (struct config_diagnostics){ 0 };
    if (!cmd_config_path(call, s->path))
        return CMD_CONFIG;
    s->arena = arena_new(SETTINGS_ARENA_MAX);
    if (!s->arena)
        return cmd_fail(CMD_LATER, NULL, "out of memory");
    struct config_source source = { .root = str_from_c(s->path) };
    if (!config_parse(&disk, &source, s->arena, &s->config, &s->diag))
        s->config = NULL;
    return CMD_OK;
}

void settings_done(struct settings *s)
{
    arena_free(s->arena);
    s->arena = NULL;
}
