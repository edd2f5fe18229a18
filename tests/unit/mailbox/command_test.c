/* Commands: what they are given, what they find around them, and what their end means for the message. */
#include "tests/unit/mailbox/box.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "mailbox/command.h"

/* Runs ARGV with CONTENT; words and all in *result. */
static void run_with(const char *const *argv, struct str content, int64_t limit_msec, int stop,
                     struct command_result *result)
{
    static const char *const env[] = { "A=b c", "PATH=/usr/bin:/bin", NULL };
    const struct mailbox_command command = {
        .argv = argv,
        .env = env,
        .folder = "/tmp",
        .content = { .pieces = &content, .n_pieces = 1, .file = -1 },
        .limit_msec = limit_msec,
        .grace_msec = 100,
        .stop = stop,
    };

    mailbox_command_run(&command, result);
}

/* A script of sh, which is only a program like others here. */
static void run(const char *script, struct str content, struct command_result *result)
{
    const char *const argv[] = { "/bin/sh", "-c", script, "zero", "one argument", "", "$HOME;`x`", NULL };

    run_with(argv, content, 60000, -1, result);
}

static void says(const char *script, struct str content, const char *words)
{
    struct command_result result;
    struct mailbox_failure failure = { 0 };

    run(script, content, &result);
    assert_string_equal(result.words, words);
    assert_int_equal(result.end, COMMAND_EXITED);
    assert_int_equal(result.number, 0);
    assert_true(mailbox_command_verdict(&result, &failure));
}

static void it_is_given_the_whole_message_with_the_line_ends_of_files(void **state)
{
    enum { SIZE = 1000000 };
    char *large = malloc(SIZE);

    (void)state;
    assert_non_null(large);
    memset(large, 'x', SIZE);
    says("od -An -c | tr -d ' \\n'", STR("a: b\r\n\r\n.x\r\n"), "a:b\\n\\n.x\\n");
    says("wc -c", str_of(large, SIZE), "1000000");
    /* A file, whole before it begins: it may be read again. */
    says("cat >/dev/null; wc -c </dev/stdin", str_of(large, 300000), "300000");
    free(large);
}

static void a_command_that_reads_nothing_may_take_the_message_all_the_same(void **state)
{
    enum { SIZE = 1000000 };
    char *large = calloc(1, SIZE);

    (void)state;
    assert_non_null(large);
    says("exit 0", str_of(large, SIZE), "");
    says("exec <&-; echo closed", str_of(large, SIZE), "closed");
    free(large);
}

static void each_argument_is_one_whatever_it_contains(void **state)
{
    (void)state;
    says("echo \"$#|$1|$2|$3|\"", STR(""), "3|one argument||$HOME;`x`|");
}

static void around_it_is_what_it_was_given_and_nothing_else(void **state)
{
    int kept = open("/dev/null", O_RDONLY);

    (void)state;
    assert_true(kept >= 0);
    says("env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=' | sort | tr '\\n' ' '", STR(""),
         "A=b c PATH=/usr/bin:/bin");
    says("pwd", STR(""), "/tmp");
    says("umask", STR(""), "0077");
    says("ulimit -Sc; ulimit -Hc", STR(""), "0");
    says("test $(ulimit -Sn) -le 1024 && ulimit -t", STR(""), "61");
    /* 3 is of the one that looks. */
    says("exec ls /proc/self/fd | tr '\\n' ' '", STR(""), "0 1 2 3");
    close(kept);
}

static void only_the_last_line_of_what_it_prints_is_kept(void **state)
{
    (void)state;
    says("echo first; echo last one >&2; echo; echo ' '", STR(""), "last one");
    says("printf 'a\\tb\\001c\\303\\244'", STR(""), "a?b?c??");
    says("yes x | head -c 100000; echo; echo end", STR(""), "end");
    says("head -c 300 /dev/zero | tr '\\0' y", STR(""),
         "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
         "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
}

static void code_is(const struct command_result *result, const char *code, const char *text)
{
    struct mailbox_failure failure = { 0 };

    assert_false(mailbox_command_verdict(result, &failure));
    assert_string_equal(failure.code, code);
    assert_int_equal(failure.err.kind, code[0] == '5' ? ERR_PERM : ERR_TEMP);
    assert_string_equal(failure.err.text, text);
}

static void exit_statuses_have_the_meaning_of_sysexits(void **state)
{
    const struct {
        int status;
        const char *code;
    } cases[] = {
        { 64, "5.3.5" }, { 65, "5.6.0" }, { 66, "5.3.0" },  { 67, "5.1.1" },  { 68, "5.1.2" }, { 69, "5.3.0" },
        { 70, "5.3.0" }, { 71, "4.3.0" }, { 72, "5.3.0" },  { 73, "5.2.0" },  { 74, "4.3.0" }, { 75, "4.3.0" },
        { 76, "5.5.0" }, { 77, "5.7.1" }, { 78, "5.3.5" },  { 1, "4.3.0" },   { 2, "4.3.0" },  { 100, "4.3.0" },
        { 111, "4.3.0" }, { 126, "4.3.5" }, { 127, "4.3.5" }, { 255, "4.3.0" },
    };
    char script[40], text[80];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct command_result result;
        snprintf(script, sizeof(script), "echo no; exit %d", cases[i].status);
        snprintf(text, sizeof(text), "the command ended with %d: no", cases[i].status);
        run(script, STR("x\r\n"), &result);
        assert_int_equal(result.end, COMMAND_EXITED);
        code_is(&result, cases[i].code, text);
    }
}

static void other_ends_are_tried_again(void **state)
{
    const char *const missing[] = { "/nonexistent/command", NULL };
    const char *const folder[] = { "/tmp", NULL };
    struct command_result result;

    (void)state;
    run("kill -KILL $$", STR("x"), &result);
    assert_int_equal(result.end, COMMAND_KILLED);
    code_is(&result, "4.3.0", "the command was ended by signal 9");
    /* Workers ignore it, commands do not. */
    run("kill -PIPE $$; exit 0", STR("x"), &result);
    code_is(&result, "4.3.0", "the command was ended by signal 13");
    run_with(missing, STR("x"), 60000, -1, &result);
    assert_int_equal(result.end, COMMAND_NOT_STARTED);
    code_is(&result, "4.3.5", "the command cannot be started: No such file or directory");
    run_with(folder, STR("x"), 60000, -1, &result);
    code_is(&result, "4.3.5", "the command cannot be started: Permission denied");
}

static void content_that_cannot_be_read_reaches_no_command(void **state)
{
    struct box b = box_make();
    char path[80];
    const char *const argv[] = { "/usr/bin/touch", path, NULL };
    const char *const env[] = { NULL };
    struct command_result result;
    struct mailbox_command command = {
        .argv = argv,
        .env = env,
        .folder = "/",
        .limit_msec = 60000,
        .stop = -1,
        .content = { .file_size = 10 },
    };

    (void)state;
    snprintf(path, sizeof(path), "%s/ran", b.root);
    box_make_file(&b, "short", STR("123456789"));
    command.content.file = openat(b.fd, "short", O_RDONLY);
    mailbox_command_run(&command, &result);
    assert_int_equal(result.end, COMMAND_NOT_STARTED);
    assert_int_equal(result.number, EIO);
    assert_int_equal(box_count(&b, ".", NULL), 1);
    close(command.content.file);
    box_drop(&b);
}

/* ---- too late ---- */

/* A zombie is its parent's matter. */
static bool lives(int pid)
{
    char path[40], line[200] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    bool alive = f && fgets(line, sizeof(line), f) && !strstr(line, ") Z");
    if (f)
        fclose(f);
    return alive;
}

/* SCRIPT prints the number of a process that it started, which then ends, too. */
static void ends_all(const char *script, int64_t limit_msec, int stop, enum command_end end)
{
    struct command_result result;
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    int pid;

    run_with(argv, STR("x"), limit_msec, stop, &result);
    assert_int_equal(result.end, end);
    assert_int_equal(sscanf(result.words, "%d", &pid), 1);
    while (lives(pid))
        sched_yield();
}

static void one_that_takes_too_long_is_ended_with_all_that_it_started(void **state)
{
    (void)state;
    ends_all("sleep 1000 & echo $!; wait", 300, -1, COMMAND_LATE);
    ends_all("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000", 300, -1, COMMAND_LATE);
}

static void one_is_ended_when_the_server_stops(void **state)
{
    struct command_result result;
    struct mailbox_failure failure = { 0 };
    int stop = eventfd(1, EFD_CLOEXEC);
    const char *const argv[] = { "/bin/sh", "-c", "sleep 1000 & wait", NULL };

    (void)state;
    assert_true(stop >= 0);
    run_with(argv, STR("x"), 60000, stop, &result);
    assert_int_equal(result.end, COMMAND_STOPPED);
    assert_false(mailbox_command_verdict(&result, &failure));
    assert_int_equal(failure.err.kind, ERR_TEMP);
    close(stop);
}

/* One that leaves something behind on purpose has ended all the same. */
static void what_it_leaves_behind_is_not_waited_for(void **state)
{
    struct command_result result;
    int pid;

    (void)state;
    run("sleep 1000 & echo $!", STR("x"), &result);
    assert_int_equal(result.end, COMMAND_EXITED);
    assert_int_equal(sscanf(result.words, "%d", &pid), 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_given_the_whole_message_with_the_line_ends_of_files),
        cmocka_unit_test(a_command_that_reads_nothing_may_take_the_message_all_the_same),
        cmocka_unit_test(each_argument_is_one_whatever_it_contains),
        cmocka_unit_test(around_it_is_what_it_was_given_and_nothing_else),
        cmocka_unit_test(only_the_last_line_of_what_it_prints_is_kept),
        cmocka_unit_test(exit_statuses_have_the_meaning_of_sysexits),
        cmocka_unit_test(other_ends_are_tried_again),
        cmocka_unit_test(content_that_cannot_be_read_reaches_no_command),
        cmocka_unit_test(one_that_takes_too_long_is_ended_with_all_that_it_started),
        cmocka_unit_test(one_is_ended_when_the_server_stops),
        cmocka_unit_test(what_it_leaves_behind_is_not_waited_for),
    };

    return cmocka_run_group_tests_name("mailbox/command", tests, NULL, NULL);
}
