/* cmd/bench/load.c -- veredus bench load: many sessions in one loop, and what they saw. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "cmd/bench/args.h"
#include "cmd/bench/bench.h"
#include "cmd/bench/session.h"

enum { SESSIONS_MAX = 100000, RECIPIENTS_MAX = 10000, EVENTS = 256 };

struct load_options {
    const char *to;
    const char *from;
    const char *rcpt;
    const char *ledger;
    const char *tls;
    uint64_t sessions;
    uint64_t messages;
    uint64_t size;
    uint64_t per_connection;
    uint64_t recipients;
    uint64_t users;
    uint64_t duration_msec;
    uint64_t patience_msec;
    bool pipelining;
    bool apart;
    bool resume;
    bool json;
};

static enum bench_args read_options(int argc, char **argv, struct load_options *o, struct err *err)
{
    const struct bench_arg table[] = {
        { "to", BENCH_ARG_TEXT, &o->to, "HOST:PORT of the server (127.0.0.1:2525)" },
        { "sessions", BENCH_ARG_COUNT, &o->sessions, "sessions at once (50)" },
        { "messages", BENCH_ARG_COUNT, &o->messages, "messages in all (10000; without end with --duration)" },
        { "duration", BENCH_ARG_SECONDS, &o->duration_msec, "begin no message after so many seconds" },
        { "size", BENCH_ARG_SIZE, &o->size, "octets of each message, header included (4k)" },
        { "per-connection", BENCH_ARG_COUNT, &o->per_connection, "messages a connection (100); 0: no bound" },
        { "recipients", BENCH_ARG_COUNT, &o->recipients, "recipients a message (1)" },
        { "from", BENCH_ARG_TEXT, &o->from, "reverse-path (bench@example.test)" },
        { "rcpt", BENCH_ARG_TEXT, &o->rcpt, "forward-path; {n} counts from 1 to --users (ada@example.test)" },
        { "users", BENCH_ARG_COUNT, &o->users, "how far {n} counts before it begins again (1)" },
        { "pipelining", BENCH_ARG_FLAG, &o->pipelining, "use it where offered (on); --no-pipelining" },
        { "apart", BENCH_ARG_FLAG, &o->apart, "Nagle's algorithm on, and the final dot in a write of its own" },
        { "tls", BENCH_ARG_TEXT, &o->tls, "none, starttls or implicit (none); any certificate will do" },
        { "resume", BENCH_ARG_FLAG, &o->resume, "TLS goes on from the session before, where the server lets it" },
        { "ledger", BENCH_ARG_TEXT, &o->ledger, "file that gets the Message-ID of each acknowledged message" },
        { "patience", BENCH_ARG_SECONDS, &o->patience_msec, "give up when nothing moves for so long (60)" },
        { "json", BENCH_ARG_FLAG, &o->json, "one JSON object instead of text" },
    };
    enum bench_args got;

    *o = (struct load_options){ .to = "127.0.0.1:2525",
                                .from = "bench@example.test",
                                .rcpt = "ada@example.test",
                                .tls = "none",
                                .sessions = 50,
                                .size = 4096,
                                .per_connection = 100,
                                .recipients = 1,
                                .users = 1,
                                .patience_msec = 60000,
                                .pipelining = true };
    got = bench_args_read(table, ARRAY_LEN(table), argc, argv, err);
    if (got == BENCH_ARGS_HELP)
        bench_args_help("veredus bench load: sends generated mail and measures", table, ARRAY_LEN(table));
    if (!o->messages)
        o->messages = o->duration_msec ? UINT64_MAX : 10000;
    return got;
}

static bool options_fit(const struct load_options *o, struct err *err)
{
    if (!o->sessions || o->sessions > SESSIONS_MAX)
        return err_perm(err, "--sessions: 1 to %d", SESSIONS_MAX);
    if (!o->recipients || o->recipients > RECIPIENTS_MAX)
        return err_perm(err, "--recipients: 1 to %d", RECIPIENTS_MAX);
    if (!o->users)
        return err_perm(err, "--users: at least 1");
    return true;
}

static bool open_tls(struct bench_run *run, const struct load_options *o, struct err *err)
{
    static const char *const names[] = { "none", "starttls", "implicit" };

    while (run->tls < ARRAY_LEN(names) && strcmp(o->tls, names[run->tls]) != 0)
        run->tls++;
    if (run->tls == ARRAY_LEN(names))
        return err_perm(err, "--tls: none, starttls or implicit");
    if (run->tls != BENCH_TLS_NONE)
        run->secure = secure_client(o->resume, err);
    return run->tls == BENCH_TLS_NONE || run->secure;
}

static bool open_run(struct bench_run *run, const struct load_options *o, struct err *err)
{
    run->from = o->from;
    run->rcpt = o->rcpt;
    run->users = o->users;
    run->recipients = o->recipients;
    run->messages = o->messages;
    run->per_connection = o->per_connection;
    run->pipelining = o->pipelining && !o->apart;
    run->apart = o->apart;
    if (!options_fit(o, err) || !bench_address_parse(o->to, &run->to, err) || !open_tls(run, o, err))
        return false;
    if (!letter_init(&run->letter, o->size, o->from, o->rcpt))
        return err_perm(err, "--size %llu: no memory for that", (unsigned long long)o->size);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0)
        return err_sys(err, errno, "epoll");
    if (o->ledger)
        run->ledger = open(o->ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (o->ledger && run->ledger < 0)
        return err_sys(err, errno, "%s", o->ledger);
    return true;
}

static void close_run(struct bench_run *run)
{
    if (run->ledger >= 0)
        close(run->ledger);
    if (run->epoll >= 0)
        close(run->epoll);
    letter_done(&run->letter);
    secure_context_free(run->secure);
}

/* More descriptors than the usual 1024, where that is allowed. */
static void raise_descriptors(uint64_t sessions)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < sessions + 64) {
        limit.rlim_cur = sessions + 64 < limit.rlim_max ? sessions + 64 : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Turns the loop until no session is left; false when nothing moved for PATIENCE. */
static bool turn(struct bench_run *run, uint64_t patience_msec)
{
    struct epoll_event events[EVENTS];

    while (run->live) {
        int n = epoll_wait(run->epoll, events, EVENTS, (int)patience_msec);
        run->now_usec = bench_now_usec();
        if (n == 0)
            return false;
        for (int i = 0; i < n; i++)
            bench_session_event(events[i].data.ptr, events[i].events);
    }
    return true;
}

static double cpu_seconds(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void print_json(const struct bench_run *run, double seconds)
{
    const struct latency *l = &run->latency;
    const char *comma = "";

    printf("{\"handshakes\":%llu,\"resumed\":%llu,\"acknowledged\":%llu,\"refused\":%llu,\"lost\":%llu,"
           "\"unconnected\":%llu,\"seconds\":%.3f,"
           "\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu_seconds\":%.3f,\"codes\":{",
           run->secure ? secure_handshakes(run->secure) : 0, run->secure ? secure_resumed(run->secure) : 0,
           (unsigned long long)run->acknowledged, (unsigned long long)run->refused,
           (unsigned long long)run->lost, (unsigned long long)run->unconnected, seconds,
           seconds > 0 ? (double)run->acknowledged / seconds : 0.0,
           (double)latency_quantile_usec(l, 0.5) / 1e3, (double)latency_quantile_usec(l, 0.99) / 1e3,
           (double)l->max_usec / 1e3, cpu_seconds());
    for (int code = 0; code < BENCH_CODES; code++) {
        if (!run->codes[code])
            continue;
        printf("%s\"%d\":%u", comma, code, run->codes[code]);
        comma = ",";
    }
    printf("}}\n");
}

static void print_text(const struct bench_run *run, double seconds)
{
    const struct latency *l = &run->latency;

    printf("acknowledged  %llu messages in %.2f s: %.0f a second\n", (unsigned long long)run->acknowledged,
           seconds, seconds > 0 ? (double)run->acknowledged / seconds : 0.0);
    printf("250 after     p50 %.2f ms, p99 %.2f ms, max %.2f ms\n",
           (double)latency_quantile_usec(l, 0.5) / 1e3, (double)latency_quantile_usec(l, 0.99) / 1e3,
           (double)l->max_usec / 1e3);
    printf("not           %llu refused, %llu lost with their session, %llu sessions never opened\n",
           (unsigned long long)run->refused, (unsigned long long)run->lost,
           (unsigned long long)run->unconnected);
    if (run->secure)
        printf("TLS           %llu handshakes, %llu of them resumed\n", secure_handshakes(run->secure),
               secure_resumed(run->secure));
    for (int code = 0; code < BENCH_CODES; code++)
        if (run->codes[code])
            printf("replies       %d: %u\n", code, run->codes[code]);
}

static int verdict(const struct bench_run *run)
{
    if (!run->acknowledged && run->unconnected && !run->refused)
        return EX_UNAVAILABLE;
    return run->refused || run->lost || run->unconnected || run->ledger_failed ? 1 : 0;
}

static int run_load(struct bench_run *run, const struct load_options *o, struct bench_session *sessions)
{
    uint64_t began = run->now_usec = bench_now_usec();
    double seconds;

    if (o->duration_msec)
        run->deadline_usec = began + o->duration_msec * 1000;
    for (uint64_t i = 0; i < o->sessions; i++)
        bench_session_start(&sessions[i], run);
    if (!turn(run, o->patience_msec))
        fprintf(stderr, "veredus bench load: nothing moved for %.0f s\n", (double)o->patience_msec / 1e3);
    run->lost += run->live;
    seconds = run->last_ack_usec > began ? (double)(run->last_ack_usec - began) / 1e6 : 0;
    if (run->ledger_failed)
        fprintf(stderr, "veredus bench load: the ledger could not be written\n");
    if (o->json)
        print_json(run, seconds);
    else
        print_text(run, seconds);
    return verdict(run);
}

int bench_load_main(int argc, char **argv)
{
    struct load_options options;
    struct bench_session *sessions = NULL;
    struct bench_run *run = NULL;
    struct err err = { 0 };
    enum bench_args got = read_options(argc, argv, &options, &err);
    int status = EX_USAGE;

    if (got == BENCH_ARGS_HELP)
        return 0;
    if (got == BENCH_ARGS_BAD)
        goto out;
    run = calloc(1, sizeof *run);
    sessions = calloc(options.sessions <= SESSIONS_MAX ? options.sessions : 1, sizeof *sessions);
    if (!run || !sessions) {
        err_temp(&err, "out of memory");
        goto out;
    }
    run->epoll = run->ledger = -1;
    if (!open_run(run, &options, &err))
        goto out;
    raise_descriptors(options.sessions);
    status = run_load(run, &options, sessions);
    for (uint64_t i = 0; i < options.sessions; i++)
        bench_session_done(&sessions[i]);
out:
    if (err.kind != ERR_NONE)
        fprintf(stderr, "veredus bench load: %s\n", err.text);
    if (run)
        close_run(run);
    free(run);
    free(sessions);
    return status;
}
