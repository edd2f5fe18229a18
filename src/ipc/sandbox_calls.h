/* ipc/sandbox_calls.h -- the system calls a process may still make. */
#ifndef IPC_SANDBOX_CALLS_H
#define IPC_SANDBOX_CALLS_H

#include <stdbool.h>

#include "core/bug.h"
#include "core/err.h"
#include "ipc/sandbox.h"

/* Builds with AddressSanitizer or ThreadSanitizer need a little more; sandbox.c and sandbox_calls.c say what and why. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/*
 * Put the filter for BOX in force, for all threads. Everybody may use what it has: memory, time, descriptors and the
 * streams among them. Beside that: names of files for those with PATHS, new sockets of the internet with NETWORK, of
 * the machine with UNIX_SOCKETS, new threads with THREADS, accepting on sockets handed over for receive, submit and
 * control, an interval timer for the two that other users of the machine connect to.
 * What no honest process of ours would try (another program, another process, another user, another namespace, the
 * kernel) kills; all else that is not allowed fails with EPERM, as a library's probe can bear.
 * *enforced is false when this kernel has no seccomp: nothing is in force then, which is no failure.
 */
MUST_USE bool sandbox_calls_limit(const struct sandbox *box, bool *enforced, struct err *err);

#endif
