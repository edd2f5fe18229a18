/* pam/pam.h -- the pam process: runs as main does, knows one question, and asks PAM in a child for each. */
#ifndef PAM_PAM_H
#define PAM_PAM_H

#include "ipc/worker.h"

/* What worker_main() of its program runs. */
extern const struct worker_service pam_service;

#endif
