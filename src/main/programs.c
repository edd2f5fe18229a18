/* main/programs.c */
#include "main/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "io/fd.h"

/* The folder of our own program: installed as PREFIX/sbin/veredus, or in a build tree. */
static bool own_folder(char *out, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", out, room - 1);

    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

static bool program_open(struct main_program *p, enum process_kind kind, const char *folder, struct err *err)
{
    static const char *const places[] = { "../libexec/veredus", "src/cmd", "." };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        int n = snprintf(p->path, sizeof(p->path), "%s/%s/veredus-%s", folder, places[i], process_name(kind));
        if (n <= 0 || (size_t)n >= sizeof(p->path) || access(p->path, X_OK) != 0)
            continue;
        p->fd = open(p->path, O_PATH | O_CLOEXEC);
        return p->fd >= 0 || err_sys(err, errno, "%s", p->path);
    }
    return err_perm(err, "the program veredus-%s is not beside %s: is the installation whole?", process_name(kind),
                    folder);
}

bool programs_open(struct main_programs *p, struct err *err)
{
    char folder[512];

    if (!own_folder(folder, sizeof(folder)))
        return err_sys(err, errno, "/proc/self/exe");
    for (enum process_kind kind = PROCESS_MAIN + 1; kind < PROCESS_KINDS; kind++)
        if (!program_open(&p->of[kind], kind, folder, err))
            return false;
    return true;
}

void programs_close(struct main_programs *p)
{
    for (size_t i = 0; i < PROCESS_KINDS; i++)
        if (p->of[i].fd > 0)
            fd_close(&p->of[i].fd);
}
