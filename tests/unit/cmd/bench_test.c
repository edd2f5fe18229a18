/* tests/unit/cmd/bench_test.c -- the load generator and the counting sink, against each other. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/bench/args.h"
#include "cmd/bench/bench.h"
#include "cmd/bench/latency.h"
#include "cmd/bench/letter.h"

/* As main() is given them. */
static char **plain(const char **argv)
{
    return (char **)(uintptr_t)argv;
}

static void a_letter_has_exactly_the_size_asked_for(void **state)
{
    for (uint64_t size = 300; size < 700; size++) {
        struct letter l;
        struct buf out = BUF_INIT(8192);

        assert_true(letter_init(&l, size, "a@x.test", "b@x.test"));
        assert_true(letter_add_head(&l, 7, &out));
        assert_true(buf_add(&out, buf_str(&l.body)));
        assert_int_equal(out.n, size);
        assert_true(str_ends(buf_str(&out), STR("\r\n")));
        buf_done(&out);
        letter_done(&l);
    }
}

static void letters_keep_the_rules_of_lines(void **state)
{
    struct letter l;
    size_t line = 0;

    assert_true(letter_init(&l, 10001, "a@x.test", "b@x.test"));
    for (size_t i = 0; i < l.body.n; i++) {
        line = l.body.p[i] == '\n' ? 0 : line + 1;
        assert_true(line <= 79 && !(line == 1 && l.body.p[i] == '.'));
        assert_true(l.body.p[i] != '\n' || l.body.p[i - 1] == '\r');
    }
    assert_string_not_equal(letter_id(&l, 1).c, letter_id(&l, 2).c);
    letter_done(&l);
}

static void quantiles_are_kept_to_two_percent(void **state)
{
    struct latency *l = calloc(1, sizeof *l);

    assert_int_equal(latency_quantile_usec(l, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        latency_add(l, i);
    assert_in_range(latency_quantile_usec(l, 0.5), 49000, 51000);
    assert_in_range(latency_quantile_usec(l, 0.99), 98000, 100000);
    assert_int_equal(latency_quantile_usec(l, 1), 100000);
    latency_add(l, UINT64_MAX);
    assert_int_equal(latency_quantile_usec(l, 1), 86400000000);
    free(l);
}

static void options_are_read_or_refused_with_words(void **state)
{
    uint64_t size = 0, msec = 0;
    bool flag = true;
    const char *text = NULL;
    const struct bench_arg table[] = {
        { "size", BENCH_ARG_SIZE, &size, "" },
        { "wait", BENCH_ARG_SECONDS, &msec, "" },
        { "flag", BENCH_ARG_FLAG, &flag, "" },
        { "text", BENCH_ARG_TEXT, &text, "" },
    };
    const char *good[] = { "x", "--size=4k", "--wait", "1.25s", "--no-flag", "--text", "a=b" };
    const char *bad[] = { "size", "--size", "--size=4z", "--wait=.", "--no-size=1", "--flag=1", "--other" };
    struct err err = { 0 };

    assert_int_equal(bench_args_read(table, ARRAY_LEN(table), ARRAY_LEN(good), plain(good), &err), BENCH_ARGS_OK);
    assert_int_equal(size, 4096);
    assert_int_equal(msec, 1250);
    assert_false(flag);
    assert_string_equal(text, "a=b");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *argv[] = { "x", bad[i] };
        err = (struct err){ 0 };
        assert_int_equal(bench_args_read(table, ARRAY_LEN(table), 2, plain(argv), &err), BENCH_ARGS_BAD);
        assert_int_equal(err.kind, ERR_PERM);
    }
}

/* A sink in a process of its own; returns its pid, and the address to send to. */
static pid_t start_sink(char *to, size_t n, const char *tempfail)
{
    const char *argv[] = { "sink", "--listen", "127.0.0.1:0", "--print-port", "--tempfail", tempfail };
    char port[8] = "";
    int pipe_ends[2];
    pid_t pid;

    assert_int_equal(pipe(pipe_ends), 0);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(pipe_ends[1], STDOUT_FILENO);
        exit(bench_sink_main(ARRAY_LEN(argv), plain(argv)));
    }
    close(pipe_ends[1]);
    assert_true(read(pipe_ends[0], port, sizeof port - 1) > 0);
    close(pipe_ends[0]);
    port[strcspn(port, "\n")] = '\0';
    snprintf(to, n, "127.0.0.1:%s", port);
    return pid;
}

static int load_against_sink(const char *tempfail, const char **options, int count)
{
    char to[32];
    pid_t sink = start_sink(to, sizeof to, tempfail);
    const char *argv[16] = { "load", "--to", to, "--sessions", "7", "--json" };
    int status;

    for (int i = 0; i < count; i++)
        argv[6 + i] = options[i];
    status = bench_load_main(6 + count, plain(argv));
    kill(sink, SIGTERM);
    waitpid(sink, NULL, 0);
    return status;
}

static void every_message_is_acknowledged(void **state)
{
    const char *pipelined[] = { "--messages", "500", "--size", "5k", "--per-connection", "9" };
    const char *one_by_one[] = { "--messages", "200", "--no-pipelining", "--recipients", "3", "--rcpt", "u{n}@x.test" };
    const char *large[] = { "--messages", "30", "--size", "900k" };

    assert_int_equal(load_against_sink("0", pipelined, ARRAY_LEN(pipelined)), 0);
    assert_int_equal(load_against_sink("0", one_by_one, ARRAY_LEN(one_by_one)), 0);
    assert_int_equal(load_against_sink("0", large, ARRAY_LEN(large)), 0);
}

static void a_refused_message_shows_in_the_exit_status(void **state)
{
    const char *options[] = { "--messages", "200" };
    const char *nobody[] = { "load", "--to", "127.0.0.1:1", "--sessions", "2" };

    assert_int_equal(load_against_sink("5", options, ARRAY_LEN(options)), 1);
    assert_int_equal(bench_load_main(ARRAY_LEN(nobody), plain(nobody)), 69);
}

static void the_ledger_names_each_acknowledged_message_once(void **state)
{
    char path[] = "/tmp/veredus-ledger-XXXXXX";
    int fd = mkstemp(path);
    const char *options[] = { "--messages", "100", "--ledger", path };
    char text[8192];
    ssize_t n;
    int lines = 0;

    assert_true(fd >= 0);
    assert_int_equal(load_against_sink("50", options, ARRAY_LEN(options)), 1);
    n = read(fd, text, sizeof text);
    assert_true(n > 0);
    for (ssize_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 50);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_has_exactly_the_size_asked_for),
        cmocka_unit_test(letters_keep_the_rules_of_lines),
        cmocka_unit_test(quantiles_are_kept_to_two_percent),
        cmocka_unit_test(options_are_read_or_refused_with_words),
        cmocka_unit_test(every_message_is_acknowledged),
        cmocka_unit_test(a_refused_message_shows_in_the_exit_status),
        cmocka_unit_test(the_ledger_names_each_acknowledged_message_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
