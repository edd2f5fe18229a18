/* control/commands.h -- a command of the control socket as a row, and the files that have rows. */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include "control/command.h"
#include "control/control.h"

enum { QUEUE_PATIENCE_MSEC = 30000 };

struct command {
    const char *name; /* NULL: the end of the rows */
    bool everyone;    /* may be asked by anyone on this machine */
    bool stays;       /* goes on until the client ends it by closing */
    void (*begin)(struct control_client *c, json_t *request);
    void (*answer)(struct control_client *c, struct ipc_channel *from, const struct ipc_message *m);
    void (*peer_down)(struct control_client *c, struct ipc_channel *peer);
    void (*go_on)(struct control_client *c);
    void (*too_late)(struct control_client *c);
};

extern const struct command command_queue[];
extern const struct command command_edit[];
extern const struct command command_explain[];
extern const struct command command_site[];
extern const struct command command_spool[];
extern const struct command command_tls[];

/* The connection ends: what it had begun to send or to take is over. */
void spool_transfer_forget(struct control_client *c);
extern const struct command command_trace[];
extern const struct command command_live[];

/* A record of a dialogue goes to who watches it, and nowhere else. False: it is another record. */
bool live_record(struct control *control, struct str record);
/* A process that may speak SMTP came. */
void live_peer_up(struct control *control, struct ipc_channel *peer);
/* C's command ends. */
void live_forget(struct control_client *c);

/* A search that is no longer wanted; takes NULL. */
void trace_free(struct control_trace *t);

/* ---- what those that ask the queue have in common (command.c) ---- */
void command_no_queue(struct control_client *c);
void command_queue_down(struct control_client *c, struct ipc_channel *peer);
void command_queue_late(struct control_client *c); /* after QUEUE_PATIENCE_MSEC */
void command_nonsense(struct control_client *c);   /* what came is no answer */

static inline struct worker *worker_of(const struct control_client *c)
{
    return c->control->worker;
}

/* A text of the request, empty when it has none; lives as long as the command. */
static inline struct str request_text(const struct control_client *c, const char *name)
{
    const json_t *value = json_object_get(c->request, name);

    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR_NONE;
}

#endif
