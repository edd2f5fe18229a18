/* ipc/message.h -- the messages of messages.def as structs, and their octets on a stream. Pure. */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bug.h"
#include "core/str.h"
#include "ipc/process.h"

/*
 * A frame: u32 length of what follows it, u16 type, u16 flags (1: a descriptor comes with it), then the fields in
 * order, integers little endian, STR behind a u32 length. Octets too few or too many make a frame nonsense.
 */
enum { IPC_FRAME_MAX = 4 << 20, IPC_FRAME_HEAD = 8, IPC_FLAG_FD = 1 };

/* HOLD: messages that are found in the spool are held until they are released. */
enum ipc_start_flag { IPC_START_HOLD = 1 };
/* What became of something that was asked for. */
enum ipc_result { IPC_OK, IPC_TEMP, IPC_PERM };
/* What the spool says to taking a message. */
enum ipc_storage { IPC_STORED, IPC_NO_SPACE, IPC_STORAGE_FAILED, IPC_NO_MEMORY };
/* From then on, counted from when it was handed over, the queue answers no commit with IPC_STORED (ADR 0006). */
enum { IPC_COMMIT_MSEC = 50000 };
/* What is read of a message. DAMAGED: texts that are whole, and of the content what is left. */
enum ipc_read { IPC_READ_OK, IPC_READ_GONE, IPC_READ_DAMAGED, IPC_READ_FAILED };
/* What control may ask main for. */
enum ipc_command { IPC_COMMAND_RELOAD, IPC_COMMAND_STOP, IPC_COMMAND_STATUS };

/* What the plan of a next hop is. OUTAGE: DNS as a whole does not answer; no attempt is charged (DESIGN 6). */
enum ipc_plan { IPC_PLAN_OK, IPC_PLAN_TEMP, IPC_PLAN_PERM, IPC_PLAN_OUTAGE };
/* AGAIN: this attempt says nothing about the recipient (never begun, too many recipients): not charged. */
enum { IPC_AGAIN = IPC_PERM + 1 };
/* Of the voucher of a lease of one recipient (queue/voucher.h). */
enum { IPC_VOUCHER_OCTETS = 32 };
#define IPC_NO_DOMAIN UINT32_MAX
#define IPC_NO_ROUTE UINT32_MAX /* a target of its own stands beside it */
/* In OPENED: no file of the configuration, but lookup's own in the folder `state`, open for writing. */
#define IPC_FILE_LOGINS "state:logins"
/* Nor this one: how much of each rate is used (struct policy_rates), memory that all lookup processes write to. */
#define IPC_FILE_RATES "memory:rates"
#define IPC_NO_LISTENER UINT32_MAX /* sendmail(1) */
/* Content has octets above 127; an address or the header is not ASCII; the header is not; lines begin with dots. */
enum ipc_transfer_flag {
    IPC_TRANSFER_EIGHT_BIT = 1 << 0,
    IPC_TRANSFER_UTF8 = 1 << 1,
    IPC_TRANSFER_UTF8_HEADER = 1 << 2,
    IPC_TRANSFER_DOTS = 1 << 3,
};
/* What a deliver process is to do: the route's target, or a command or file that an alias names. */
enum ipc_delivery { IPC_DELIVERY_TARGET, IPC_DELIVERY_COMMAND, IPC_DELIVERY_FILE };
/* What may be done to messages in the queue. */
enum ipc_act { IPC_ACT_FLUSH, IPC_ACT_HOLD, IPC_ACT_RELEASE, IPC_ACT_REMOVE, IPC_ACT_BOUNCE };
/* What rows of `veredus queue shape` stand for. */
enum ipc_shape { IPC_SHAPE_DOMAIN, IPC_SHAPE_SITE, IPC_SHAPE_SENDER };
/* What became of an edit: done; wrong in itself; not now; no such message. */
enum ipc_edit { IPC_EDIT_DONE, IPC_EDIT_WRONG, IPC_EDIT_LATER, IPC_EDIT_UNKNOWN };

/* What became of pausing or resuming a site: done; no such site; not now. */
enum ipc_site { IPC_SITE_DONE, IPC_SITE_UNKNOWN, IPC_SITE_LATER };

/*
 * An exchange of AUTH: goes on; somebody is logged in; not with that (535); cannot be said now (454); guessed too often;
 * the client does not keep to the mechanism (501).
 */
enum ipc_login {
    IPC_LOGIN_CONTINUE,
    IPC_LOGIN_DONE,
    IPC_LOGIN_REFUSED,
    IPC_LOGIN_TEMP,
    IPC_LOGIN_LIMITED,
    IPC_LOGIN_WRONG,
};

/* May a password be tried: yes; no, too many were wrong; that cannot be said now. */
enum ipc_guess { IPC_GUESS_ALLOWED, IPC_GUESS_LIMITED, IPC_GUESS_LATER };
/* How that ended: it was right; wrong; nobody knows, since nobody looked or who asked is gone. */
enum ipc_guess_end { IPC_GUESS_RIGHT, IPC_GUESS_WRONG, IPC_GUESS_NOT_MADE };

/* What a TLS handshake signs (RFC 8446 4.4.3; RFC 5246 7.4.3, 7.4.8). */
enum ipc_sign_form {
    IPC_SIGN_SERVER_13, /* 64 blanks, "TLS 1.3, server CertificateVerify", NUL, a hash */
    IPC_SIGN_CLIENT_13,
    IPC_SIGN_SERVER_12, /* both randoms, ECDHE parameters */
    IPC_SIGN_CLIENT_12, /* the handshake so far */
};

enum ipc_class { IPC_NOTICE, IPC_QUESTION, IPC_ANSWER };

#define IPC_TYPE_U8 uint8_t
#define IPC_TYPE_U16 uint16_t
#define IPC_TYPE_U32 uint32_t
#define IPC_TYPE_U64 uint64_t
#define IPC_TYPE_I64 int64_t
#define IPC_TYPE_STR struct str

#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD) struct ipc_##name {
#define IPC_FIELD(name, KIND, field) IPC_TYPE_##KIND field;
#define IPC_END(name)                                                                                       \
    }                                                                                                       \
    ;
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END

enum ipc_type {
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD) IPC_##TYPE,
#define IPC_FIELD(name, KIND, field)
#define IPC_END(name)
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
    IPC_TYPES
};

/* A message as it arrived: STR fields borrow from the frame, and die when the handler returns. */
struct ipc_message {
    enum ipc_type type;
    int fd; /* -1, or the receiver's to close; a handler that keeps it sets it to -1 */
    union {
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD) struct ipc_##name name;
#define IPC_FIELD(name, KIND, field)
#define IPC_END(name)
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
    };
};

enum ipc_scan { IPC_SCAN_FRAME, IPC_SCAN_MORE, IPC_SCAN_NONSENSE };

const char *ipc_type_name(enum ipc_type type);
enum ipc_class ipc_type_class(enum ipc_type type);
bool ipc_type_allowed(enum ipc_type type, enum process_kind from, enum process_kind to);
bool ipc_type_takes_fd(enum ipc_type type);
/* Is there a message from one to the other that may carry a descriptor? */
bool ipc_gives_fds(enum process_kind from, enum process_kind to);

/* Appends BODY (the struct of TYPE) as a frame; false and OUT as it was when it would be too large. */
MUST_USE bool ipc_encode(struct buf *out, enum ipc_type type, const void *body, bool with_fd);
/*
 * The frame at the front of IN. FRAME: *used octets are it, *m is filled (fd: -1) and *with_fd says whether a
 * descriptor belongs to it. MORE: *used is the least length IN must have to say more. NONSENSE: no frame of ours.
 */
enum ipc_scan ipc_decode(struct str in, struct ipc_message *m, bool *with_fd, size_t *used);

#endif
