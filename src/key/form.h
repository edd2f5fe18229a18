/* key/form.h -- does what is to be signed have the form of its place in a handshake? Nothing here but the
 * octets. */
#ifndef KEY_FORM_H
#define KEY_FORM_H

#include "core/err.h"
#include "core/str.h"
#include "ipc/message.h"

/*
 * Are OCTETS, whole, what a handshake signs as FORM (enum ipc_sign_form)? So a process that was taken over
 * can have nothing signed that another protocol or another place would take for ours. False with ERR.
 */
MUST_USE bool key_form_check(unsigned form, struct str octets, struct err *err);

#endif
