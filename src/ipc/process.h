/* ipc/process.h -- the kinds of process that make up a server (DESIGN: processes). */
#ifndef IPC_PROCESS_H
#define IPC_PROCESS_H

#include "core/bug.h"
#include "core/str.h"

enum process_kind {
    PROCESS_MAIN,
    PROCESS_RECEIVE,
    PROCESS_QUEUE,
    PROCESS_RESOLVE,
    PROCESS_LOOKUP,
    PROCESS_DELIVER,
    PROCESS_CONTROL,
    PROCESS_SEND,
    PROCESS_SUBMIT,
    PROCESS_AUTH,
    PROCESS_KEY,
    PROCESS_PAM,
    PROCESS_KINDS
};

/* Sets of kinds. */
enum process_set {
    SET_MAIN = 1 << PROCESS_MAIN,
    SET_RECEIVE = 1 << PROCESS_RECEIVE,
    SET_QUEUE = 1 << PROCESS_QUEUE,
    SET_RESOLVE = 1 << PROCESS_RESOLVE,
    SET_LOOKUP = 1 << PROCESS_LOOKUP,
    SET_DELIVER = 1 << PROCESS_DELIVER,
    SET_CONTROL = 1 << PROCESS_CONTROL,
    SET_SEND = 1 << PROCESS_SEND,
    SET_SUBMIT = 1 << PROCESS_SUBMIT,
    SET_AUTH = 1 << PROCESS_AUTH,
    SET_KEY = 1 << PROCESS_KEY,
    SET_PAM = 1 << PROCESS_PAM,
    SET_INTAKE = SET_RECEIVE | SET_SUBMIT, /* take messages: the same program under two users */
    SET_OUTWARD = SET_DELIVER | SET_SEND,  /* hold leases */
    SET_TLS = SET_INTAKE | SET_SEND,       /* shake hands, with keys that they do not have */
    SET_ANY = (1 << PROCESS_KINDS) - 1,
};

/* "receive": its name in log and status. */
const char *process_name(enum process_kind kind);
/* "_veredus_in": the account it runs as when started by root; NULL for main, deliver and pam. */
const char *process_account(enum process_kind kind);
/* Kinds of process this kind exchanges messages with, main apart. */
unsigned process_peers(enum process_kind kind);

#endif
