/*
 * tests/simulate/window.c -- does the window find out what a host bears (DESIGN 6)? On a simulated clock.
 *
 * Hosts are played: lanes in which transactions queue, limits on connections, tempers. A site with endless mail sends to
 * each of them for 45 minutes, with the window. What the host could take is found by brute force: the same time with
 * windows that do not move, the best of which counts. `--table` shows the figures, and each change of the first seed.
 */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "core/num.h"
#include "queue/window.h"
#include "tests/simulate/random.h"

#define SECOND ((int64_t)1000000)
#define MINUTE (60 * SECOND)
#define LENGTH (45 * MINUTE)
#define NEVER INT64_MAX

enum { CONNECTIONS_MAX = 256, LANES_MAX = 256, REUSE = 100, SEEDS = 5 };

/* ---- hosts ---- */

/* From a time on the host is like this. */
struct temper {
    int64_t from;
    unsigned lanes;        /* transactions it works on at once; others wait for theirs; 0: as many as come */
    int64_t work_usec;     /* on each, on average */
    double tempfails;      /* share, whatever we do */
    double takes_a_second; /* more than that gets 4yz at once; 0: everything */
    unsigned limit;        /* connections; 0: none */
    bool limits_by_reply;  /* 421, else they are refused */
    bool crawls;           /* the more it has to do at once beyond its lanes, the less it gets done */
    bool tires;            /* delays each transaction of a connection by more than the one before */
    bool dawdles;          /* delays grow as time goes by, whatever we do */
    bool has_whales;       /* one in 40 is forty times as long */
    unsigned hangs_up;     /* a connection is closed with 421 after so many */
    bool is_down;
};

struct peer {
    const char *name;
    uint32_t max;           /* of the window; 0: 20 */
    double mail_a_second;   /* 0: endless */
    unsigned changes_most;  /* said in the last third, five seeds together */
    struct temper tempers[4];
};

static const struct peer peers[] = {
    { "1 lane", 0, 0, 25, { { .lanes = 1, .work_usec = 300000 } } },
    { "3 lanes", 0, 0, 50, { { .lanes = 3, .work_usec = 300000 } } },
    { "8 lanes", 0, 0, 55, { { .lanes = 8, .work_usec = 300000 } } },
    { "8 lanes, 10 s each", 0, 0, 55, { { .lanes = 8, .work_usec = 10 * SECOND } } },
    { "no end of lanes", 0, 0, 2, { { .work_usec = 300000 } } },
    { "120 lanes, of 200", 200, 0, 8, { { .lanes = 120, .work_usec = 2 * SECOND } } },
    { "1 message a second", 0, 0, 20, { { .lanes = 1, .work_usec = SECOND } } },
    { "500 messages a second", 0, 0, 150, { { .lanes = 4, .work_usec = 8000 } } },
    { "3 lanes, then 16", 0, 0, 5,
      { { .lanes = 3, .work_usec = 300000 }, { .from = 15 * MINUTE, .lanes = 16, .work_usec = 300000 } } },
    { "16 lanes, then 3", 0, 0, 30,
      { { .lanes = 16, .work_usec = 300000 }, { .from = 15 * MINUTE, .lanes = 3, .work_usec = 300000 } } },
    { "4 lanes, 16, 4", 0, 0, 60,
      { { .lanes = 4, .work_usec = 300000 },
        { .from = 10 * MINUTE, .lanes = 16, .work_usec = 300000 },
        { .from = 20 * MINUTE, .lanes = 4, .work_usec = 300000 } } },
    { "all three times as slow", 0, 0, 5,
      { { .work_usec = 300000 }, { .from = 15 * MINUTE, .work_usec = 900000 } } },
    { "crawls beyond 6", 0, 0, 50, { { .lanes = 6, .work_usec = 300000, .crawls = true } } },
    { "tempfails 5%", 0, 0, 2, { { .work_usec = 300000, .tempfails = 0.05 } } },
    { "tempfails 20%", 0, 0, 5, { { .work_usec = 300000, .tempfails = 0.2 } } },
    { "tempfails 40%", 0, 0, 10, { { .work_usec = 300000, .tempfails = 0.4 } } },
    { "4yz above 10 a second", 0, 0, 160, { { .work_usec = 300000, .takes_a_second = 10 } } },
    { "limits 8 by 421", 0, 0, 50, { { .work_usec = 300000, .limit = 8, .limits_by_reply = true } } },
    { "limits 1 by 421", 0, 0, 20, { { .work_usec = 300000, .limit = 1, .limits_by_reply = true } } },
    { "refuses above 3", 0, 0, 40, { { .work_usec = 300000, .limit = 3 } } },
    { "refuses above 12, 5 lanes", 0, 0, 45, { { .lanes = 5, .work_usec = 300000, .limit = 12 } } },
    { "tarpit by connection", 0, 0, 75, { { .work_usec = 100000, .tires = true } } },
    { "tarpit by time", 0, 0, 5, { { .work_usec = 100000, .dawdles = true } } },
    { "whales", 0, 0, 55, { { .lanes = 10, .work_usec = 200000, .has_whales = true } } },
    { "421 after 10 messages", 0, 0, 5, { { .work_usec = 300000, .hangs_up = 10 } } },
    { "down for 8 minutes", 0, 0, 50,
      { { .lanes = 8, .work_usec = 300000 },
        { .from = 12 * MINUTE, .is_down = true, .work_usec = 1 },
        { .from = 20 * MINUTE, .lanes = 8, .work_usec = 300000 } } },
    { "3 messages a second to send", 0, 3, 0, { { .lanes = 10, .work_usec = 300000 } } },
};

/* ---- a site and its host ---- */

enum place_state { NOTHING, OPENING, IDLE, BUSY };

struct place {
    enum place_state state;
    int64_t at;    /* the end of what is under way */
    int64_t began;
    bool put_off, lost, refused;
    unsigned used;
};

struct play {
    const struct peer *peer;
    struct random random;
    int64_t now;
    struct window window;
    uint32_t fixed; /* a window that does not move; 0: the real one */
    struct place places[CONNECTIONS_MAX];
    size_t n_places; /* of them, those that have ever been used */
    uint32_t standing, opening, in_use;
    int64_t closed_at; /* the host has not noticed yet */
    int64_t dead_until;
    bool dead;
    int64_t lanes[LANES_MAX];
    double bucket;
    int64_t bucket_at;
    int64_t mail_at;
    uint64_t mail;
    /* what came of it */
    uint64_t done; /* in the last third */
    unsigned news;
    uint32_t least, most;
    bool shows;
};

static const struct temper *temper_of(const struct play *p)
{
    const struct temper *t = &p->peer->tempers[0];

    for (size_t i = 1; i < ARRAY_LEN(p->peer->tempers) && p->peer->tempers[i].from; i++)
        if (p->now >= p->peer->tempers[i].from)
            t = &p->peer->tempers[i];
    return t;
}

static double chance(struct play *p)
{
    return (double)random_below(&p->random, 1U << 30) / (1U << 30);
}

/* Around 1, between 0 and 2. */
static double jitter(struct play *p)
{
    return chance(p) + chance(p);
}

static uint32_t connections(const struct play *p)
{
    return p->fixed ? p->fixed : window_connections(&p->window);
}

static uint32_t working(const struct play *p)
{
    return p->fixed ? p->fixed : window_working(&p->window);
}

static int64_t in_its_lane(struct play *p, const struct temper *t, int64_t work)
{
    int64_t *lane = &p->lanes[0];

    if (!t->lanes)
        return p->now + work;
    for (unsigned i = 1; i < t->lanes; i++)
        if (p->lanes[i] < *lane)
            lane = &p->lanes[i];
    return *lane = (*lane > p->now ? *lane : p->now) + work;
}

static bool has_had_enough(struct play *p, const struct temper *t)
{
    if (!t->takes_a_second)
        return false;
    p->bucket += (double)(p->now - p->bucket_at) / (double)SECOND * t->takes_a_second;
    p->bucket_at = p->now;
    if (p->bucket > t->takes_a_second)
        p->bucket = t->takes_a_second;
    if (p->bucket < 1)
        return true;
    p->bucket -= 1;
    return false;
}

static void give(struct play *p, struct place *c)
{
    const struct temper *t = temper_of(p);
    double work = (double)t->work_usec * jitter(p);

    p->in_use++;
    p->mail -= p->peer->mail_a_second > 0;
    c->state = BUSY;
    c->began = p->now;
    c->used++;
    c->lost = t->is_down || (t->hangs_up && c->used > t->hangs_up);
    c->put_off = c->lost || chance(p) < t->tempfails || has_had_enough(p, t);
    if (t->has_whales && random_one_in(&p->random, 40))
        work *= 40;
    if (t->crawls && p->in_use > t->lanes)
        work *= (double)p->in_use / t->lanes;
    if (t->tires)
        work += 20000.0 * c->used;
    if (t->dawdles)
        work *= 1 + 20 * (double)p->now / (double)LENGTH;
    c->at = c->put_off ? p->now + (int64_t)(work / 4) : in_its_lane(p, t, (int64_t)work);
    if (c->at <= p->now)
        c->at = p->now + 1;
}

static void open_one(struct play *p, struct place *c)
{
    const struct temper *t = temper_of(p);
    uint32_t counted = p->standing + p->opening + (p->now - p->closed_at < SECOND / 5 && p->closed_at);

    *c = (struct place){ .state = OPENING, .at = p->now + 20000 + (int64_t)random_below(&p->random, 60000) };
    c->refused = t->is_down || (t->limit && counted >= t->limit);
    p->opening++;
}

/* The first one; NULL: none. */
static struct place *any(struct play *p, enum place_state state)
{
    for (size_t i = 0; i < p->n_places; i++)
        if (p->places[i].state == state)
            return &p->places[i];
    if (state != NOTHING)
        return NULL;
    assert_true(p->n_places < CONNECTIONS_MAX);
    return &p->places[p->n_places++];
}

static void close_one(struct play *p, struct place *c)
{
    c->state = NOTHING;
    p->standing--;
    p->closed_at = p->now;
}

static bool may_open(const struct play *p)
{
    uint32_t n = p->standing + p->opening;

    if (p->now < p->dead_until)
        return false;
    if (p->fixed)
        return n < (p->dead_until ? 1 : p->fixed);
    return !n || (!p->dead_until && window_may_open(&p->window, p->now / 1000, n));
}

/* As queue/site.c does. */
static void pump(struct play *p)
{
    while (p->standing > connections(p) && any(p, IDLE))
        close_one(p, any(p, IDLE));
    while (may_open(p) && (!p->peer->mail_a_second || p->mail))
        open_one(p, any(p, NOTHING));
    while (p->in_use < working(p) && any(p, IDLE) && (!p->peer->mail_a_second || p->mail))
        give(p, any(p, IDLE));
}

static void end_of_opening(struct play *p, struct place *c)
{
    p->opening--;
    c->state = c->refused ? NOTHING : IDLE;
    if (!c->refused) {
        p->standing++;
        if (p->dead)
            window_restart(&p->window, p->now / 1000);
        p->dead_until = 0;
        p->dead = false;
    } else if (p->standing + p->opening) {
        window_refused(&p->window, p->now / 1000, p->standing + p->opening, temper_of(p)->limits_by_reply,
                       "connection refused");
    } else {
        p->dead = !p->closed_at || p->now - p->closed_at > 2 * SECOND; /* else it has not noticed that we left */
        p->dead_until = p->now + (p->dead ? MINUTE : SECOND);
    }
}

static void end_of_work(struct play *p, struct place *c)
{
    window_ended(&p->window, &(struct window_sample){
                                 .now_msec = p->now / 1000,
                                 .latency_usec = p->now - c->began,
                                 .in_use = p->in_use,
                                 .put_off = c->put_off,
                             });
    p->in_use--;
    c->state = IDLE;
    if (!c->put_off && p->now > LENGTH / 3 * 2)
        p->done++;
    if (c->lost || c->used >= REUSE)
        close_one(p, c);
}

static void look(struct play *p)
{
    struct window_news news;

    assert_true(window_working(&p->window) >= 1 && window_working(&p->window) <= window_connections(&p->window));
    assert_true(window_connections(&p->window) <= (p->peer->max ? p->peer->max : 20));
    if (p->now > LENGTH / 3 * 2) {
        uint32_t n = window_connections(&p->window);
        p->least = n < p->least ? n : p->least;
        p->most = n > p->most ? n : p->most;
    }
    if (p->fixed || !window_news(&p->window, &news))
        return;
    assert_true(news.cause[0]);
    p->news += p->now > LENGTH / 3 * 2;
    if (p->shows)
        printf("    %5.1f min  %u, was %u: %s\n", (double)p->now / (double)MINUTE, news.now, news.was, news.cause);
}

static void more_mail(struct play *p)
{
    p->mail++;
    p->mail_at = p->now + (int64_t)(jitter(p) * (double)SECOND / p->peer->mail_a_second);
}

static void step(struct play *p)
{
    struct place *next = NULL;
    int64_t at = p->peer->mail_a_second > 0 ? p->mail_at : NEVER;

    if (p->dead_until > p->now && p->dead_until < at)
        at = p->dead_until;
    for (size_t i = 0; i < p->n_places; i++) {
        struct place *c = &p->places[i];
        if ((c->state != OPENING && c->state != BUSY) || c->at > at)
            continue;
        at = c->at;
        next = c;
    }
    p->now = at;
    if (next && next->state == OPENING)
        end_of_opening(p, next);
    else if (next)
        end_of_work(p, next);
    else if (p->peer->mail_a_second > 0 && at == p->mail_at)
        more_mail(p);
    look(p);
    pump(p);
}

static struct play run(const struct peer *peer, uint64_t seed, uint32_t fixed, bool shows)
{
    struct play p = { .peer = peer, .random = { seed }, .now = 1, .fixed = fixed, .least = UINT32_MAX, .shows = shows };

    window_init(&p.window, 5, peer->max ? peer->max : 20);
    pump(&p);
    while (p.now < LENGTH)
        step(&p);
    return p;
}

/* What it can take: in the last third, with the best window that does not move. */
static uint64_t best_of(const struct peer *peer)
{
    static const uint32_t tried[] = { 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20 };
    uint32_t scale = peer->max ? peer->max / 20 : 1;
    uint64_t best = 0;

    for (size_t i = 0; i < ARRAY_LEN(tried); i++) {
        uint64_t done = run(peer, 1, tried[i] * scale, false).done;
        best = done > best ? done : best;
    }
    return best;
}

static bool shows_table;
static unsigned seeds = SEEDS;

static void finds_what_it_bears(void **state)
{
    const struct peer *peer = *state;
    uint64_t best = best_of(peer);
    unsigned news = 0, low = 1000, high = 0;
    uint32_t least = UINT32_MAX, most = 0;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct play p = run(peer, seed * 7919, 0, shows_table && seed == 1);
        unsigned percent = (unsigned)(p.done * 100 / best);
        news += p.news;
        low = percent < low ? percent : low;
        high = percent > high ? percent : high;
        least = p.least < least ? p.least : least;
        most = p.most > most ? p.most : most;
    }
    if (shows_table)
        printf("%-28s %8.1f/s  %3u-%3u%%  window %3u-%3u  %u news\n", peer->name,
               (double)best / (double)(LENGTH / 3 / SECOND), low, high, least, most, news);
    if (shows_table)
        return;
    assert_in_range(low, 50, 105);
    assert_in_range(high, 50, 105);
    assert_in_range(news, 0, peer->changes_most);
}

static void look_at_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint64_t n;
        if (!strcmp(argv[i], "--table"))
            shows_table = true;
        else if (!strcmp(argv[i], "--seeds") && i + 1 < argc && num_parse_u64(str_from_c(argv[++i]), SEEDS, &n) && n)
            seeds = (unsigned)n;
        else
            exit(64);
    }
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ARRAY_LEN(peers)];

    look_at_arguments(argc, argv);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        tests[i] = (struct CMUnitTest){
            .name = peers[i].name,
            .test_func = finds_what_it_bears,
            .initial_state = (void *)(uintptr_t)&peers[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
