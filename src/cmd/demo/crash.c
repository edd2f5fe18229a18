/* cmd/demo/crash.c -- load, kill -9, start, ten times over. */
#include "cmd/demo/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/demo/tally.h"
#include "cmd/row.h"
#include "cmd/server.h"
#include "io/fd.h"
#include "io/loop.h"

enum {
    ROUNDS = 10,
    KILL_AFTER_USEC = 200 * 1000, /* at the earliest; and at most so much later: */
    KILL_SPREAD_USEC = 700 * 1000,
    FIRST_LOOK_USEC = 10 * 1000,
    FIRST_PATIENCE_USEC = 20 * 1000000,
    LOAD_PATIENCE_USEC = 10 * 1000000, /* to see that nobody answers any more */
    LOOK_EACH_USEC = 100 * 1000,
    QUEUE_PATIENCE_USEC = 60 * 1000000, /* without a single delivery */
    LOST_SHOWN = 5,
};

static const char ledger[] = "ledger";

/* ---- a round ---- */

static pid_t start_load(const struct demo *demo, struct err *err)
{
    char to[32], path[DEMO_PATH_MAX];
    const char *const argv[] = {
        "veredus",    "bench",  "load",       "--to",     to,       "--sessions",       "50",     "--size",
        "4k",         "--from", "bob@example.test",       "--rcpt", "ada@example.test", "--ledger", path,
        "--duration", "600",    NULL,
    };
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

    snprintf(to, sizeof(to), "127.0.0.1:%u", demo->place.port);
    demo_place_path(&demo->place, ledger, path);
    pid_t pid = demo_spawn(argv, nothing, err);
    fd_close(&nothing);
    return pid;
}

static uint32_t random_below(uint32_t bound)
{
    uint32_t random = 0;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        random = (uint32_t)io_clock_usec();
    return random % bound;
}

/* Lines of the ledger: each of them was written before its session went on. */
static uint64_t count_acknowledged(const struct demo *demo)
{
    char octets[1 << 16];
    uint64_t lines = 0;
    int fd = openat(demo->place.fd, ledger, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    while (fd >= 0 && (n = read(fd, octets, sizeof(octets))) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += octets[i] == '\n';
    fd_close(&fd);
    return lines;
}

/* Sleeps; false: something ended that should not have. */
static bool go_on_until(struct demo *demo, pid_t load, int64_t until, struct err *err)
{
    enum demo_wake wake;
    siginfo_t info;

    while ((wake = demo_records_sleep(&demo->records, until)) == DEMO_WAKE_CHILD) {
        info.si_pid = 0;
        if (demo_server_has_ended(&demo->server, err))
            return false;
        if (waitid(P_PID, (id_t)load, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == load)
            return err_temp(err, "the load ended before the server was killed");
    }
    return wake == DEMO_WAKE_TIME || err_temp(err, "stopped");
}

/* The time to the kill runs from the first acknowledgement: before it there is nothing to lose. */
static bool load_until_kill(struct demo *demo, pid_t load, uint64_t acknowledged, struct err *err)
{
    int64_t patience = io_clock_usec() + FIRST_PATIENCE_USEC;

    while (count_acknowledged(demo) == acknowledged) {
        if (io_clock_usec() > patience)
            return err_temp(err, "nothing was acknowledged for %d s", FIRST_PATIENCE_USEC / 1000000);
        if (!go_on_until(demo, load, io_clock_usec() + FIRST_LOOK_USEC, err))
            return false;
    }
    return go_on_until(demo, load, io_clock_usec() + KILL_AFTER_USEC + random_below(KILL_SPREAD_USEC), err);
}

static bool run_round(struct demo *demo, uint64_t acknowledged, struct err *err)
{
    pid_t load = start_load(demo, err);
    int status;

    if (load < 0)
        return false;
    bool ok = load_until_kill(demo, load, acknowledged, err);
    demo_server_kill(&demo->server);
    if (!demo_records_await_end(&demo->records, load, io_clock_usec() + LOAD_PATIENCE_USEC, &status)) {
        kill(load, SIGKILL);
        waitpid(load, &status, 0);
        ok = ok && err_temp(err, "the load goes on without a server");
    }
    return ok && demo_server_start(&demo->server, &demo->place, &demo->records, err);
}

static bool run_rounds(struct demo *demo, struct err *err)
{
    uint64_t before = 0;

    for (int i = 1; i <= ROUNDS; i++) {
        if (!run_round(demo, before, err))
            return false;
        uint64_t now = count_acknowledged(demo);
        printf("  round %2d %8s acknowledged    ready again in %.2f s\n", i, text_count(now - before).c,
               (double)demo->server.started_usec / 1e6);
        before = now;
    }
    return true;
}

/* ---- the rest is delivered ---- */

/* Messages that wait, as the server says when asked. */
static bool ask_waiting(const struct demo *demo, uint64_t *waiting, struct err *err)
{
    char path[DEMO_PATH_MAX];
    struct server s;
    json_t *row;
    bool told = false;

    demo_place_path(&demo->place, "control", path);
    if (server_connect(&s, path, true) == CMD_OK)
        server_ask(&s, json_pack("{s:s}", "command", "status"));
    while ((row = server_next(&s, NULL))) {
        if (!strcmp(row_text_c(row, "event"), "spool_status")) {
            *waiting = row_number(row, "messages");
            told = true;
        }
        json_decref(row);
    }
    server_close(&s);
    return told || err_temp(err, "the server does not tell what waits in its queue");
}

static void show_progress(const struct demo *demo, uint64_t waiting)
{
    if (demo->show.screen.width)
        printf("\r  delivering  %10s to go ", text_count(waiting).c);
    fflush(stdout);
}

/* Until nothing waits any more, or nothing goes. */
static bool await_empty_queue(struct demo *demo, struct err *err)
{
    uint64_t waiting = UINT64_MAX, now;
    int64_t until = io_clock_usec() + QUEUE_PATIENCE_USEC;

    for (;;) {
        if (!ask_waiting(demo, &now, err))
            return false;
        if (now != waiting)
            until = io_clock_usec() + QUEUE_PATIENCE_USEC;
        waiting = now;
        show_progress(demo, waiting);
        if (!waiting || io_clock_usec() > until)
            break;
        enum demo_wake wake = demo_records_sleep(&demo->records, io_clock_usec() + LOOK_EACH_USEC);
        if (wake == DEMO_WAKE_STOP)
            return err_temp(err, "stopped");
        if (wake == DEMO_WAKE_CHILD && demo_server_has_ended(&demo->server, err))
            return false;
    }
    if (demo->show.screen.width)
        printf("\r%40s\r", "");
    return true;
}

/* ---- the count ---- */

static void print_lost(const struct demo_tally *t)
{
    unsigned shown = 0;

    for (size_t i = 0; i < t->room && shown < LOST_SHOWN; i++) {
        const struct demo_tally_message *m = &t->slots[i];
        if (m->acknowledged && m->found == 1)
            continue;
        if (!m->acknowledged && m->found < 2)
            continue;
        printf("              %s: <%s>\n", m->found ? "twice" : "lost", m->id);
        shown++;
    }
}

static void print_result(const struct demo_tally *t, const struct demo_sums *s)
{
    printf("  result      %s acknowledged, ", text_count(s->acknowledged).c);
    if (!s->lost)
        printf("all delivered, ");
    printf("%s lost, %s twice", text_count(s->lost).c, text_count(s->twice).c);
    if (s->unasked)
        printf("; %s more arrived whose 250 the kill cut off", text_count(s->unasked).c);
    printf("\n");
    print_lost(t);
}

static bool count(struct demo *demo, struct err *err)
{
    struct demo_tally tally = { 0 };
    bool ok = demo_tally_add_ledger(&tally, &demo->place, ledger, err) &&
              demo_tally_add_mailbox(&tally, &demo->place, "ada", err);

    if (ok) {
        struct demo_sums sums = demo_tally_sums(&tally);
        print_result(&tally, &sums);
        ok = (!sums.lost && !sums.twice) ||
             err_perm(err, "a promise was broken; all of it is in %s", demo->place.shown);
    }
    demo_tally_done(&tally);
    return ok;
}

bool demo_crash(struct demo *demo, struct err *err)
{
    printf("  load        50 sessions, 4 KiB, to the demo server\n"
           "  kill -9     of all its processes, %d times, each after 0.2 to 0.9 s; then a clean start\n",
           ROUNDS);
    if (!run_rounds(demo, err) || !await_empty_queue(demo, err))
        return false;
    demo_server_stop(&demo->server, &demo->records);
    if (!count(demo, err))
        return false;
    printf("  kept        %s: the mailbox, the log, and the ledger of what was acknowledged\n", demo->place.shown);
    printf("  A killed process is not a power cut: for that, make simulate cuts the disk itself, thousands of "
           "times.\n");
    return true;
}
