/* ipc/process.c -- names, accounts and who talks to whom. */
#include "ipc/process.h"

static const struct {
    const char *name;
    const char *account;
    unsigned peers;
} kinds[PROCESS_KINDS] = {
    [PROCESS_MAIN] = { "main", NULL, 0 },
    [PROCESS_RECEIVE] = { "receive", "_veredus_in",
                          SET_LOOKUP | SET_QUEUE | SET_RESOLVE | SET_SEND | SET_CONTROL | SET_AUTH | SET_KEY },
    [PROCESS_QUEUE] = { "queue", "_veredus_q",
                        SET_INTAKE | SET_LOOKUP | SET_RESOLVE | SET_OUTWARD | SET_CONTROL },
    [PROCESS_RESOLVE] = { "resolve", "_veredus_dns", SET_INTAKE | SET_QUEUE | SET_CONTROL | SET_AUTH },
    [PROCESS_LOOKUP] = { "lookup", "_veredus_lk", SET_INTAKE | SET_QUEUE | SET_CONTROL | SET_AUTH },
    [PROCESS_DELIVER] = { "deliver", NULL, SET_QUEUE | SET_CONTROL },
    [PROCESS_CONTROL] = { "control", "_veredus_ct",
                          SET_INTAKE | SET_QUEUE | SET_RESOLVE | SET_LOOKUP | SET_OUTWARD | SET_AUTH | SET_KEY |
                              SET_PAM },
    [PROCESS_SEND] = { "send", "_veredus_out", SET_INTAKE | SET_QUEUE | SET_CONTROL | SET_KEY },
    [PROCESS_SUBMIT] = { "submit", "_veredus_sub",
                         SET_LOOKUP | SET_QUEUE | SET_RESOLVE | SET_SEND | SET_CONTROL | SET_AUTH | SET_KEY },
    [PROCESS_AUTH] = { "auth", "_veredus_au", SET_INTAKE | SET_LOOKUP | SET_RESOLVE | SET_PAM | SET_CONTROL },
    [PROCESS_KEY] = { "key", "_veredus_key", SET_TLS | SET_CONTROL },
    [PROCESS_PAM] = { "pam", NULL, SET_AUTH | SET_CONTROL },
};

const char *process_name(enum process_kind kind)
{
    BUG_ON(kind >= PROCESS_KINDS);
    return kinds[kind].name;
}

const char *process_account(enum process_kind kind)
{
    BUG_ON(kind >= PROCESS_KINDS);
    return kinds[kind].account;
}

unsigned process_peers(enum process_kind kind)
{
    BUG_ON(kind >= PROCESS_KINDS);
    return kinds[kind].peers;
}
