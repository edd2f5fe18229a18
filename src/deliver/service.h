/* deliver/service.h -- the deliver process: final delivery as one user, below one mail root (DESIGN 3). */
#ifndef DELIVER_SERVICE_H
#define DELIVER_SERVICE_H

#include "ipc/worker.h"

extern const struct worker_service deliver_service;

#endif
