/* send/address.h -- one address of a plan: reached, and named for people. */
#ifndef SEND_ADDRESS_H
#define SEND_ADDRESS_H

#include <stdbool.h>

#include "core/arena.h"
#include "core/bug.h"
#include "route/plan.h"

/*
 * Begin to connect: *fd is the socket, not blocking, without Nagle's delay. 0: it is under way, or there already;
 * either way it becomes writable, and address_connected() tells. Else the errno of what went wrong, *fd untouched.
 */
MUST_USE int address_connect(const struct route_plan_address *a, int *fd);
/* 0, or the errno that the attempt ended with. */
MUST_USE int address_connected(int fd);
/* This machine has no way to that kind of address: no fault of the host's (FACE: address-family). */
bool address_is_out_of_reach(int sys);
/* We have no more sockets or memory: no fault of the host's. */
bool address_is_our_shortage(int sys);
/* "connection refused": the usual failures in the words of mail, all others in the system's. */
const char *address_failure_words(int sys);

/* For people: "203.0.113.99", of a unix socket "unix:/run/x". */
enum { ADDRESS_TEXT_MAX = 128 };
struct address_text {
    char c[ADDRESS_TEXT_MAX];
};
struct address_text address_text(const struct route_plan_address *a);

#endif
