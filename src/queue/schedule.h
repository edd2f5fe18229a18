/*
 * queue/schedule.h -- who waits for which host, and whose turn it is (DESIGN 6).
 *
 *     recipient ──route──> hop ──plan──> site ──turn──> transfer on a connection ──> outcome
 *
 * Recipients of one message with one next hop are an entry. Entries wait at the hop for its plan, then at the site in
 * the line of their sender, and leave in transfers: a message and at most so many recipients, leased to a connection.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "core/list.h"
#include "core/map.h"
#include "core/wheel.h"
#include "config/config.h"
#include "ipc/channel.h"
#include "policy/rate.h"
#include "queue/rest.h"
#include "queue/window.h"
#include "route/plan.h"
#include "smtp/client.h"

struct queue;
struct message;
struct recipient;
struct outcome;

enum {
    SCHEDULE_CONNECTIONS_MAX = 4096, /* at once, all sites together */
    SCHEDULE_TRANSFERS_MAX = 16384,
    SCHEDULE_ASKING_MAX = 1024, /* plans asked for at once */
    SCHEDULE_FRONT = 128,      /* messages of a sender at a site that stay awake, when there are too many */
    SCHEDULE_DEPTH = 3,        /* transfers given to a connection: the next envelope goes behind the content */
    SCHEDULE_OUTAGE_MSEC = 15000, /* between questions while DNS as a whole does not answer */
    SCHEDULE_FORGET_MSEC = 600000, /* a site without mail is forgotten after */
};

/* Where routing sends a recipient: a route, and the recipient's domain where the route is to its MX. */
struct hop {
    struct map_node node; /* by route and domain */
    struct queue *queue;
    char *key;
    uint32_t generation;
    uint32_t route;
    uint32_t named; /* place in config->sites of the one that has the recipient's domain, + 1; 0: none */
    char *domain;
    char *target;          /* of recipients with a route of their own; NULL: the configuration's */
    struct list waiting;   /* entries, for the plan */
    struct rest_line rest; /* messages at rest, for the plan */
    struct list unplanned; /* of the schedule's: could not ask yet */
    bool asked;
    bool retired; /* of a former configuration: goes with its last entry */
    uint32_t slot; /* of its question */
    uint64_t ticket;
    struct site *site;      /* NULL: no plan yet */
    struct wheel_node wake; /* the plan is over, or is asked for again */
    int64_t until_msec;     /* the plan's */
    int64_t planned_msec;   /* when the plan was told */
    size_t entries;         /* and transfers, that lead here */
};

#define SITE_UNTIL_RESUMED INT64_MAX

/* What limits belong to: a site that the configuration names, with all sets of hosts it has; or one set of hosts. */
struct site_limits {
    struct map_node node; /* of the schedule's, by CALLED: the first of those of this configuration */
    bool is_first;
    bool named;
    struct queue *queue;
    char *called;         /* by its block, its domain or its host */
    char *place;          /* what makes it what it is: its block, else its route; file:line */
    char *name;           /* CALLED, and what tells it apart from its twins */
    struct list twins;    /* others that are called so, in a ring */
    uint64_t serial;      /* in the order of their making */
    struct list sites;
    struct list hungry;   /* sites that may not open a connection, the oldest first */
    struct list spare;    /* connections that have nothing to do, the oldest first */
    size_t n_connections;
    size_t n_busy;        /* connections with transfers */
    struct window window;
    uint32_t said;        /* the window, in the last record */
    int64_t slowed_msec;
    struct policy_rate rate; /* SHARE 0: none */
    struct policy_bucket bucket;
    int64_t paused_until_msec; /* 0: not paused */
    char *pause_cause;         /* for people; of the last pause */
    char *cause;               /* of the last change of the window, for people; NULL: none yet */
    struct wheel_node wake;    /* the end of the pause, or the rate allows the next */
};

/* A pause of a site of that name, whether or not there is one now. */
struct site_pause {
    struct list node;
    char *name;
    char *cause;
    int64_t until_msec;
};

/* One set of hosts of one route: what lines, connections and back-off belong to. */
struct site {
    struct map_node node;  /* by route, name and hosts */
    struct list of_limits;
    struct list hungry;
    struct site_limits *limits;
    const struct config_sending *sending; /* of this configuration: not once it is retired */
    uint32_t named;        /* place in config->sites of the one it is of, + 1; 0: none */
    struct list pumped;    /* of the schedule's, when something changed */
    struct queue *queue;
    char *key;
    char *plan;
    size_t plan_n;
    uint32_t generation;
    uint32_t route;
    size_t hops;           /* that lead to it */
    struct list turns;     /* senders that wait, in turn: those with entries */
    struct list sleepers;  /* those all of whose messages are at rest */
    size_t n_entries;      /* in all turns */
    size_t n_front;        /* of them, the first few of each sender */
    size_t n_waking;       /* messages of all turns that are being read back */
    struct map senders;
    struct list reading;   /* entries whose content is on its way back */
    bool retired;          /* of a former configuration: goes with its last connection */
    size_t waiting;        /* recipients in line */
    struct list connections;
    size_t n_connections;
    size_t n_opening;
    size_t n_transfers;
    size_t at_rest;        /* messages at rest that go there, as last counted (sites.c) */
    int64_t well_msec;     /* a transaction went well, or a connection was opened; 0: not yet */
    int64_t rest_msec;     /* how long it rested last, when it took mail a moment before */
    int64_t dead_until_msec; /* 0: not dead. Then one probe may go */
    bool dead_said;         /* in the log */
    struct wheel_node wake; /* the end of its rest; or, unused for long, to be forgotten */
    char *trouble;          /* the last failure, for people */
    enum log_reason reason;
};

/* A sender's line at a site: they take turns by deficit round robin. */
struct turn {
    struct map_node node;
    struct list of_site;
    struct site *site;
    char *key;
    struct list entries;
    size_t n;              /* entries */
    struct rest_line rest; /* messages at rest, behind them */
    uint32_t waking;       /* of them, as the site counts them */
    long deficit; /* recipients it may still send before the next has its turn */
    bool served;  /* it is its turn, and it has had its share of this round */
};

/* One message at one next hop. */
struct entry {
    struct list node;       /* of its turn, its hop, or reading */
    struct list of_message;
    struct message *message;
    struct hop *hop;
    struct site *site; /* NULL: waits for the plan */
    struct turn *turn; /* NULL: in no line */
    struct list recipients;
    size_t n;
    int64_t lined_usec;
    bool parked; /* the site is dead, or there is no DNS: its recipients do not count as under way */
};

enum connection_state { CONNECTION_OPENING, CONNECTION_OPEN, CONNECTION_CLOSING };

/* A connection of a send process. */
struct connection {
    struct list node;
    struct site *site;
    uint64_t id;
    uint32_t slot;
    uint32_t instance; /* of the send process */
    enum connection_state state;
    struct list transfers;
    size_t n_transfers;
    uint64_t used;          /* transfers given to it, in all */
    uint64_t made;          /* of them, those that came to something, well or not */
    struct wheel_node idle; /* closed then */
    struct list spare;      /* of the limits', while it is idle */
    int64_t connect_usec;
    char *with; /* open: "mx1.example.net [203.0.113.10]"; NULL: not known */
};

/* A lease: some recipients of a message, with a connection. */
struct transfer {
    struct list node;
    struct connection *connection;
    struct message *message;
    struct hop *hop;
    uint64_t lease;
    uint32_t slot;
    struct list recipients;
    size_t n;
    int64_t begun_usec; /* io_clock_usec() */
    int64_t queue_usec; /* how long it was in line */
    bool refused;       /* given back before the connection's opening was told of */
};

struct schedule {
    struct map hops;
    struct map sites;
    struct map called;   /* limits of this configuration, by what they are called */
    struct list merged;  /* values of routes to them */
    struct list pauses;
    size_t n_pauses;
    uint64_t limits_made;
    int64_t counted_msec; /* when messages at rest were counted for all sites; 0: not yet */
    struct list pumped; /* sites to look at in the end of this turn */
    struct io_task pump;
    struct list unplanned; /* hops that could not ask yet */
    struct hop *asking[SCHEDULE_ASKING_MAX];
    struct connection *connections[SCHEDULE_CONNECTIONS_MAX];
    struct transfer *transfers[SCHEDULE_TRANSFERS_MAX];
    uint32_t next_asking, next_connection, next_transfer; /* where the search for a free place begins */
    uint64_t serial;
    size_t n_connections;
    uint32_t next_send; /* send processes take turns */
};

/* ---- hop.c: next hops and their plans ---- */
/* R's next hop, by its route; NULL without memory. */
struct hop *hop_have(struct queue *q, const struct recipient *r);
void hop_release(struct hop *hop);
/* Ask resolve, unless that is done already. */
void hop_ask(struct hop *hop);
/* Its plan holds, so that its site is where its mail goes. */
bool hop_has_plan(const struct hop *hop);
/* Of a former configuration: what waits there is routed anew. */
void hop_retire(struct hop *hop);
void schedule_plan(struct queue *q, const struct ipc_plan_answer *a);
/* Ask for plans that could not be asked for. */
void schedule_ask(struct queue *q);
void schedule_resolve_gone(struct queue *q);

/* ---- schedule.c: in and out of line ---- */
MUST_USE bool schedule_init(struct queue *q, struct err *err);
/* Put it in line at its next hop; its route is a remote one. */
void schedule_add(struct recipient *r);
/* Again, before others of its sender: the attempt said nothing about it. */
void schedule_back(struct recipient *r, struct hop *hop);
/* Plans and sites of the former configuration: what waits there is routed anew. */
void schedule_reconfigured(struct queue *q);
/* R leaves its line without an attempt (it was removed, or is leased already). */
void schedule_remove(struct recipient *r);
/* The content of M is there: what waited for it goes on. */
void schedule_content(struct message *m);
/*
 * The line in which M may rest: all that it waits for is at one next hop, which has no room for it now, or others of its
 * sender rest before it. NULL: none.
 */
struct rest_line *schedule_line(struct message *m);
/* What waits in line at R's next hop is not tried now. */
bool schedule_rests_deferred(const struct queue *q, const struct rest *r);
/* What holds for R, whose route is of this configuration: its site's values, as far as its route says nothing. */
const struct config_sending *schedule_sending(const struct recipient *r);
/* The site that R waits for, or waited for last; NULL: not known in this run. */
struct site *schedule_site_of(const struct queue *q, const struct rest *r);

/* ---- entry.c ---- */
struct entry *entry_new(struct message *m, struct hop *hop);
/* It is in no line and has no recipients; takes NULL. */
void entry_free(struct entry *entry);
/* The entry of M that still waits for that hop; NULL: none. */
struct entry *entry_of(struct message *m, const struct hop *hop);
void entry_put(struct entry *entry, struct recipient *r, bool first);
/* The first one; it is in no list then. NULL: none is left. */
struct recipient *entry_take(struct entry *entry);
void entry_park(struct entry *entry);
void entry_unpark(struct entry *entry);
/* M goes to rest: it is in no line any more. */
void entries_leave(struct message *m);
/* Each of its recipients has this outcome; the entry is no more. */
void entry_outcome(struct entry *entry, const struct outcome *o);

/* ---- turn.c: the lines of a site ---- */
/* ENTRY waits there; FIRST: before the others of its sender. False without memory: it is where it was. */
MUST_USE bool site_line(struct site *site, struct entry *entry, bool first);
/* Its content is back: what it was read for comes first. */
MUST_USE bool site_resume(struct site *site, struct entry *entry);
void site_unline(struct entry *entry);
/* All of ENTRY is leased: it is in no line. */
void turn_leave(struct entry *entry);
/* Whose turn it is, where at most MAX recipients go at once; NULL: nobody's. */
struct entry *site_next(struct site *site, size_t max);
/* What rests in LINE rests in the lines of its senders there. */
void site_line_rests(struct site *site, struct rest_line *line);
/* So many messages are awake in its lines, or soon will be, if it has as many. */
void site_wake(struct site *site, size_t wanted);
/* What rests in its lines is due now, and goes where its route says. */
void site_rests_end(struct site *site);

/* ---- site.c ---- */
/* The site of that plan; NULL without memory. */
struct site *site_have(struct hop *hop, const struct route_plan *plan, struct str octets);
void site_release(struct site *site);
/* What its route says of sending; what the top says once it is of a former configuration. */
const struct config_sending *site_sending(const struct site *site);
void site_post(struct site *site);
void sites_post(struct queue *q);
void site_pump(struct site *site);
/* What waits there is routed anew; it goes with its last connection. */
void site_retire(struct site *site);
/* A connection could not be opened; or could. */
void site_failed(struct site *site, const struct outcome *why);
void site_opened(struct site *site);
/* Not now, through no fault of the site. */
void site_pause(struct site *site);
/* A transfer ended; REPLY: what was said of it. */
void site_hear(struct site *site, const struct window_sample *sample, struct str reply);
/* What was parked is under way again. */
void site_unpark(struct site *site);
/* When it may be tried again: it is dead, or paused. 0: now; SITE_UNTIL_RESUMED: not by itself. */
int64_t site_rest_until(const struct site *site);

/* ---- site_name.c ---- */
/* "mx1.example.net,mx2.example.net" */
struct str site_hosts(const struct site *site);
/* Which line of the configuration makes it what it is: its block, else its route, else somebody's `queue edit`. */
struct config_place_text site_place(const struct site *site);
/* L, which has its first site, is one of this configuration, and has its name. False without memory. */
MUST_USE bool limits_in(struct site_limits *l);
/* No more; takes one that is none. */
void limits_out(struct site_limits *l);
/* Those of that block; NULL: none yet. */
struct site_limits *limits_named(struct queue *q, const struct config_site *named);
/* ASKED is its name, or all of it that is common to its twins. Case does not count. */
bool limits_are_called(const struct site_limits *l, struct str asked);
/* The same of a name that was kept. */
bool site_name_fits(struct str name, struct str asked);

/* ---- limits.c ---- */
/* What holds for mail of that route to a site of that name (NULL: to another). */
const struct config_sending *limits_sending(struct queue *q, uint32_t route, const struct config_site *named);
void limits_forget_values(struct queue *q);
/* CALLED is taken over: what SITE is called if it is not NAMED. */
MUST_USE bool limits_join(struct site *site, const struct config_site *named, char *called);
void limits_leave(struct site *site);
/* Of a former configuration: sites of the new one do not share them. */
void limits_retire(struct site_limits *l);
/* May another connection be opened? If not, SITE is looked at when one may. */
bool limits_may_open(struct site *site);
/* May one more connection have work? */
bool limits_may_work(const struct site *site);
bool limits_has_too_many_at_work(const struct site *site);
/* There are more connections than the window is wide. */
bool limits_has_surplus(const struct site *site);
/* A connection ended, or has nothing to do: who waits for one is looked at. */
void limits_room(struct site_limits *l);
/* May a message be leased? If not, its sites are looked at when one may. */
bool limits_allow(struct site *site);
void limits_sent(struct site *site);
/* Milliseconds until the next message may go; 0: now. */
int64_t limits_wait(struct site_limits *l);
void limits_hear(struct site *site, const struct window_sample *sample, struct str reply);
/* A connection could not be opened, while others stand or are being opened. */
void limits_refused(struct site *site, const struct outcome *why);
/* It answers again. */
void limits_restart(struct site *site);
void limits_say(struct site_limits *l, const char *state, const char *cause, int64_t until_msec, struct str reply);
/* What holds it, for people who ask later; to be freed. NULL: no memory. */
char *limits_cause(const char *cause, struct str reply);
/* What its window has come to, if that is news; REPLY: what was said meanwhile. */
void limits_tell(struct site_limits *l, struct str reply);
/* Its sites are looked at. */
void limits_post(struct site_limits *l);

/* ---- pauses.c ---- */
bool limits_are_paused(const struct site_limits *l);
/* Nothing is leased until then, queue_now(); a longer pause stays. */
void limits_pause(struct site_limits *l, int64_t until_msec, const char *cause, struct str reply);
bool limits_resume(struct site_limits *l, const char *cause);
/* Sites of that name that are made later are paused, too. False: there are too many pauses, or no memory. */
MUST_USE bool limits_note_pause(struct queue *q, struct str name, int64_t until_msec, struct str cause);
bool limits_forget_pause(struct queue *q, struct str name);
/* L goes on, and so does what is made anew under its name; its twins stay as they are. */
void limits_forget_pauses(struct site_limits *l);
/* One that was noted under its name. */
void limits_take_pause(struct site_limits *l);

/* ---- replies.c ---- */
/*
 * What `on-reply` makes of O, a reply of a host: its result may change, never what was said; the site may be slowed or
 * paused. The rule that it met, NULL: none; reply_hold() is then for whoever knows the message.
 */
const struct config_on_reply *reply_take(struct site *site, struct outcome *o);
void reply_hold(struct site *site, struct message *m, const struct config_on_reply *rule, const struct outcome *o);

/* ---- connection.c ---- */
/* NULL: none can be had now. */
struct connection *connection_open(struct site *site);
/* No further transfer; it is no more when the send process says so. */
void connection_close(struct connection *c);
/* Lease up to MAX recipients of ENTRY, which stays in its line; their number, 0: not now. */
size_t connection_lease(struct connection *c, struct entry *entry, size_t max);
void connection_message(struct queue *q, struct ipc_channel *from, struct ipc_message *m);
void connection_peer_gone(struct queue *q, struct ipc_channel *peer);

#endif
