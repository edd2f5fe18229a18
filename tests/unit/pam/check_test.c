/* What PAM says, told apart; children that are slow, many, or die; nobody asks for what the configuration does not name. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pam/jobs.h"

enum { MANY = PAM_CHILDREN_MAX * 2 };

static struct {
    char folder[64];
    struct io_loop *loop;
    struct pam_jobs jobs;
    unsigned done;
    unsigned wanted;
} room;

static void on_done(struct pam_job *job)
{
    (void)job;
    if (++room.done >= room.wanted)
        io_loop_stop(room.loop);
}

static void write_file(const char *name, mode_t mode, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", room.folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* A service whose password is checked by the shell script BODY, with it on its standard input. */
static void write_script(const char *service, const char *body)
{
    char text[512], name[64];

    snprintf(name, sizeof(name), "%s.sh", service);
    snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
    write_file(name, 0755, text);
    snprintf(text, sizeof(text),
             "auth sufficient pam_exec.so quiet expose_authtok %s/%s\nauth required pam_deny.so\n"
             "account required pam_permit.so\n",
             room.folder, name);
    write_file(service, 0644, text);
}

/* A service that says what it is told to. */
static void write_debug(const char *service, const char *auth, const char *account)
{
    char text[256];

    snprintf(text, sizeof(text), "auth required pam_debug.so auth=%s\naccount required pam_debug.so acct=%s\n", auth,
             account);
    write_file(service, 0644, text);
}

static int open_room(void **state)
{
    struct err err = { 0 };

    (void)state;
    memset(&room, 0, sizeof(room));
    snprintf(room.folder, sizeof(room.folder), "/tmp/veredus-pam-XXXXXX");
    assert_non_null(mkdtemp(room.folder));
    room.loop = io_loop_new(&err);
    pam_jobs_init(&room.jobs, room.loop, on_done);
    room.jobs.confdir = room.folder;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int close_room(void **state)
{
    (void)state;
    pam_jobs_end(&room.jobs);
    io_loop_free(room.loop);
    nftw(room.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void run_until(unsigned done)
{
    struct err err = { 0 };

    room.wanted = done;
    if (room.done < done)
        assert_true(io_loop_run(room.loop, &err));
}

static void request(struct pam_job *job, const char *service, const char *password)
{
    *job = (struct pam_job){ 0 };
    snprintf(job->request.service, sizeof(job->request.service), "%s", service);
    snprintf(job->request.user, sizeof(job->request.user), "anna");
    snprintf(job->request.password, sizeof(job->request.password), "%s", password);
    snprintf(job->request.client, sizeof(job->request.client), "198.51.100.20");
}

static struct pam_outcome ask(const char *service, const char *password)
{
    struct pam_job job;

    request(&job, service, password);
    assert_true(pam_job_start(&room.jobs, &job));
    run_until(room.done + 1);
    /* No copy stays with us. */
    for (size_t i = 0; i < sizeof(job.request.password); i++)
        assert_int_equal(job.request.password[i], 0);
    return job.outcome;
}

static void assert_says(const char *service, enum ipc_result status, const char *text)
{
    struct pam_outcome outcome = ask(service, "secret");

    assert_int_equal(outcome.status, status);
    assert_string_equal(outcome.text, text);
}

static void a_password_is_right_or_wrong(void **state)
{
    (void)state;
    write_script("mail", "read -r p; test \"$PAM_USER $p $PAM_RHOST\" = 'anna secret 198.51.100.20'");
    assert_int_equal(ask("mail", "secret").status, IPC_OK);
    assert_int_equal(ask("mail", "Secret").status, IPC_PERM);
}

static void what_pam_says_is_told_apart(void **state)
{
    (void)state;
    write_debug("good", "success", "success");
    write_debug("wrong", "auth_err", "success");
    write_debug("unknown", "user_unknown", "success");
    write_debug("expired", "success", "acct_expired");
    write_debug("old", "success", "new_authtok_reqd");
    write_debug("locked", "success", "perm_denied");
    write_debug("down", "authinfo_unavail", "success");
    assert_says("good", IPC_OK, "");
    assert_says("wrong", IPC_PERM, "wrong password");
    assert_says("unknown", IPC_PERM, "wrong password");
    assert_says("expired", IPC_PERM, "the account has expired");
    assert_says("old", IPC_PERM, "the password has expired");
    assert_says("locked", IPC_PERM, "the account is locked");
    assert_int_equal(ask("down", "secret").status, IPC_TEMP);
}

/* Not as if the password were wrong, which `other` says to everybody. */
static void a_service_that_is_not_there_is_nobodys_fault(void **state)
{
    (void)state;
    write_debug("other", "auth_err", "success");
    assert_says("mial", IPC_TEMP, "there is no PAM service 'mial'");
}

static void a_service_file_that_is_wrong_is_no_wrong_password(void **state)
{
    (void)state;
    write_file("broken", 0644, "auth required pam_there_is_no_such_module.so\n");
    assert_int_not_equal(ask("broken", "secret").status, IPC_OK);
}

static void what_takes_too_long_is_ended(void **state)
{
    (void)state;
    write_script("slow", "exec sleep 3600");
    room.jobs.deadline_msec = 200;
    assert_says("slow", IPC_TEMP, "PAM did not answer in time");
    assert_int_equal(room.jobs.n_running, 0);
    /* And the next one is asked as ever. */
    room.jobs.deadline_msec = PAM_DEADLINE_MSEC;
    write_debug("good", "success", "success");
    assert_says("good", IPC_OK, "");
}

static void a_module_that_ends_its_process_harms_nobody(void **state)
{
    (void)state;
    write_script("deadly", "kill -9 $PPID");
    assert_says("deadly", IPC_TEMP, "a module of PAM ended its process");
}

static void children_are_bounded(void **state)
{
    static struct pam_job jobs[MANY];
    unsigned right = 0;

    (void)state;
    write_script("mail", "read -r p; test \"$p\" = secret");
    for (size_t i = 0; i < MANY; i++) {
        request(&jobs[i], "mail", "secret");
        assert_true(pam_job_start(&room.jobs, &jobs[i]));
    }
    while (room.done < MANY) {
        run_until(room.done + 1);
        assert_true(room.jobs.n_running <= PAM_CHILDREN_MAX);
    }
    for (size_t i = 0; i < MANY; i++)
        right += jobs[i].outcome.status == IPC_OK;
    assert_int_equal(right, MANY);
}

static void too_many_are_refused_and_what_waits_can_be_given_up(void **state)
{
    static struct pam_job jobs[PAM_WAITING_MAX + 1];

    (void)state;
    write_script("slow", "exec sleep 3600");
    for (size_t i = 0; i < PAM_WAITING_MAX; i++) {
        request(&jobs[i], "slow", "secret");
        assert_true(pam_job_start(&room.jobs, &jobs[i]));
    }
    request(&jobs[PAM_WAITING_MAX], "slow", "secret");
    assert_false(pam_job_start(&room.jobs, &jobs[PAM_WAITING_MAX]));
    /* The first ones run; all are given up. */
    write_debug("good", "success", "success");
    for (size_t i = PAM_CHILDREN_MAX; i < PAM_WAITING_MAX; i++)
        pam_job_cancel(&jobs[i]);
    pam_job_cancel(&jobs[0]);
    assert_says("good", IPC_OK, "");
    for (size_t i = 1; i < PAM_CHILDREN_MAX; i++)
        pam_job_cancel(&jobs[i]);
    assert_int_equal(room.jobs.n_running, 0);
    assert_int_equal(room.jobs.n_waiting, 0);
    assert_int_equal(room.done, 1);
}

#define IN_ROOM(f) cmocka_unit_test_setup_teardown(f, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(a_password_is_right_or_wrong),
        IN_ROOM(what_pam_says_is_told_apart),
        IN_ROOM(a_service_that_is_not_there_is_nobodys_fault),
        IN_ROOM(a_service_file_that_is_wrong_is_no_wrong_password),
        IN_ROOM(what_takes_too_long_is_ended),
        IN_ROOM(a_module_that_ends_its_process_harms_nobody),
        IN_ROOM(children_are_bounded),
        IN_ROOM(too_many_are_refused_and_what_waits_can_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
