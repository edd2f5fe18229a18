/* main/memory.c -- what all processes take of memory, and how much they may (max-memory). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/num.h"
#include "io/fd.h"
#include "main/server.h"

enum { LINE_MAX_OCTETS = 4096, PATH_ROOM = 4096 };

#define PAGES_MAX (1ULL << 48)

/* The beginning of a small file of the kernel; empty when it cannot be read. */
static struct str read_small(const char *path, char *buf, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, room);

    fd_close(&fd);
    return str_of(buf, n > 0 ? (size_t)n : 0);
}

static struct str next_word(struct str *text)
{
    size_t i = 0, n;

    while (i < text->n && (text->p[i] == ' ' || text->p[i] == '\n'))
        i++;
    for (n = i; n < text->n && text->p[n] != ' ' && text->p[n] != '\n';)
        n++;
    struct str word = str_slice(*text, i, n);
    *text = str_skip(*text, n);
    return word;
}

/* Octets that are its alone: what is resident less what it shares with others (libraries, its executable). */
static uint64_t taken_by(const char *path)
{
    char buf[256];
    struct str text = read_small(path, buf, sizeof(buf));
    uint64_t resident = 0, shared = 0;

    (void)next_word(&text);
    if (!num_parse_u64(next_word(&text), PAGES_MAX, &resident) ||
        !num_parse_u64(next_word(&text), PAGES_MAX, &shared) || shared > resident)
        return 0;
    return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t taken_by_all(const struct main_server *s)
{
    uint64_t sum = taken_by("/proc/self/statm");
    char path[64];

    LIST_FOR(node, &s->children) {
        const struct main_child *c = CONTAINER_OF(node, struct main_child, node);
        (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)c->pid);
        sum += c->pid > 0 ? taken_by(path) : 0;
    }
    return sum;
}

/* The lowest bound of our control group and those above it; UINT64_MAX: none. */
static uint64_t group_bound(void)
{
    char line[LINE_MAX_OCTETS], path[PATH_ROOM], value[64];
    struct str text = read_small("/proc/self/cgroup", line, sizeof(line));
    uint64_t best = UINT64_MAX, n = 0;
    const char *at = text.n ? memmem(text.p, text.n, "0::/", 4) : NULL;
    size_t len = 0;

    if (!at)
        return best;
    text = str_skip(text, (size_t)(at - text.p) + 3);
    while (len < text.n && text.p[len] != '\n')
        len++;
    for (; len > 0; len--) {
        if (len > 1 && text.p[len - 1] != '/' && len < text.n && text.p[len] != '/' && text.p[len] != '\n')
            continue;
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/memory.max", (int)len, text.p);
        struct str bound = read_small(path, value, sizeof(value));
        if (num_parse_u64(next_word(&bound), UINT64_MAX, &n) && n < best)
            best = n;
    }
    return best;
}

/* Three quarters of what machine or control group allows. */
static uint64_t own_bound(void)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), group = group_bound();

    return (group < machine ? group : machine) / 4 * 3;
}

void memory_ask(struct main_server *s, struct main_child *from, const struct ipc_memory_ask *ask)
{
    const struct config *config = main_config(s);

    if (from->channel)
        ipc_send_memory_answer(from->channel,
                               &(struct ipc_memory_answer){
                                   .ticket = ask->ticket,
                                   .used = taken_by_all(s),
                                   .bound = config->max_memory.automatic ? own_bound() : config->max_memory.n,
                               });
}
