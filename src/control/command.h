/* control/command.h -- what may be asked for on the control socket, and how it is found out. */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include "control/client.h"

/* Exit codes of subcommands (FACE 2.2). */
enum {
    COMMAND_OK = 0,
    COMMAND_FOUND = 1,
    COMMAND_USAGE = 64,
    COMMAND_INPUT = 65,
    COMMAND_NO_SERVER = 69,
    COMMAND_LATER = 75,
    COMMAND_DENIED = 77,
    COMMAND_CONFIG = 78,
};

/* LINE is a request: begin what it asks for, or fail it. */
void command_begin(struct control_client *c, struct str line);
/* An answer of main or a peer, for the client whose ticket it has. */
void command_answer(struct control *control, struct ipc_channel *from, const struct ipc_message *m);
/* That process ended: nobody waits for it any longer. */
void command_peer_down(struct control *control, struct ipc_channel *peer);
/* The client took what was there: go on. */
void command_go_on(struct control_client *c);
/* Is it ended by the client's close? */
bool command_stays(const struct control_client *c);
/* Its patience is over. */
void command_too_late(struct control_client *c);
/* The client goes. */
void command_forget(struct control_client *c);

#endif
