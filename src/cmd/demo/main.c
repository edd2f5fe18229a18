/* cmd/demo/main.c -- which of the three demonstrations, where, and how it ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "cmd/demo/crash.h"
#include "cmd/demo/demo.h"

enum form { FORM_WATCH, FORM_ONCE, FORM_CRASH };

enum { STARTS_MAX = 5 };

struct options {
    enum form form;
    const char *dir;
    bool fresh;
};

/* Returns the argument that is not understood; NULL when all are. */
static const char *read_options(const struct cmd_call *call, struct options *o)
{
    for (int i = 1; i < call->argc; i++) {
        const char *word = call->argv[i];
        if (!strcmp(word, "--dir") && i + 1 < call->argc)
            o->dir = call->argv[++i];
        else if (!strncmp(word, "--dir=", 6))
            o->dir = word + 6;
        else if (!strcmp(word, "--fresh"))
            o->fresh = true;
        else if (!strcmp(word, "once") && o->form == FORM_WATCH)
            o->form = FORM_ONCE;
        else if (!strcmp(word, "crash") && o->form == FORM_WATCH)
            o->form = FORM_CRASH;
        else
            return word;
    }
    /* It writes its configuration itself, and what it shows is for people. */
    return call->config ? "-c" : call->json ? "--json" : NULL;
}

static bool start(struct demo *demo, struct err *err)
{
    for (int tries = 1;; tries++) {
        *err = (struct err){ 0 };
        if (demo_server_start(&demo->server, &demo->place, &demo->records, err))
            return true;
        if (err->sys != EADDRINUSE || tries == STARTS_MAX || !demo_place_change_ports(&demo->place, err))
            return false;
    }
}

static bool run(struct demo *demo, const struct options *o, struct err *err)
{
    if (!demo_records_open(&demo->records, &demo->place, err) || !start(demo, err) ||
        !demo_elsewhere_start(&demo->elsewhere, &demo->place, err))
        return false;
    if (o->form == FORM_CRASH)
        return demo_crash(demo, err);
    demo_show_head(&demo->show, &demo->place);
    if (!demo_first(demo, err))
        return false;
    if (o->form == FORM_ONCE)
        return true;
    demo_show_hints(&demo->show, &demo->place, demo->server.queued);
    return demo_watch(demo, err);
}

/* A demonstration of kill -9 begins anew each time, apart from the mail of another that may be running. */
static bool open_place(struct demo *demo, const struct options *o, struct err *err)
{
    bool fresh = o->fresh || o->form == FORM_CRASH;
    struct demo_place base;

    if (!demo_place_choose(&base, o->dir, err) || !demo_elsewhere_open(&demo->elsewhere, err))
        return false;
    demo->place = base;
    if (o->form == FORM_CRASH && !demo_place_inside(&demo->place, &base, "crash", err))
        return false;
    demo->place.elsewhere = demo->elsewhere.port;
    /* Ten thousand files of the last time are not gone in a moment. */
    bool tell = fresh && demo->show.screen.width;
    if (tell)
        printf("  clearing %s\r", demo->place.shown);
    fflush(stdout);
    bool ok = demo_place_open(&demo->place, fresh, err);
    if (tell)
        printf("%*s\r", (int)strlen(demo->place.shown) + 11, "");
    return ok;
}

int demo_main(const struct cmd_call *call)
{
    struct options options = { .form = FORM_WATCH };
    struct demo demo = { .place.fd = -1, .server = DEMO_SERVER_NONE,
                         .elsewhere = DEMO_ELSEWHERE_NONE };
    const char *wrong = read_options(call, &options);
    struct err err = { 0 };

    if (wrong)
        return cmd_usage(call, wrong);
    if (call->quiet && !freopen("/dev/null", "w", stdout))
        return cmd_fail(CMD_FOUND, NULL, "/dev/null: %s", strerror(errno));
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    /* Workers outlive a main that is killed for a moment: they become ours, and their end is waited for. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    demo.records = (struct demo_records){ .log = -1, .changes = -1, .signals = -1 };
    demo_show_init(&demo.show, call->argv[0]);
    bool ok = open_place(&demo, &options, &err) && run(&demo, &options, &err);
    demo_server_stop(&demo.server, &demo.records);
    demo_elsewhere_stop(&demo.elsewhere);
    if (!ok)
        demo_server_print_said(&demo.server);
    demo_records_close(&demo.records);
    demo_place_close(&demo.place);
    return ok ? CMD_OK : cmd_fail(CMD_FOUND, NULL, "%s", err.text);
}
