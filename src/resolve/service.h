/* resolve/service.h -- the resolve process: the only one that will ask the internet for names (DESIGN 3). */
#ifndef RESOLVE_SERVICE_H
#define RESOLVE_SERVICE_H

#include "ipc/worker.h"

extern const struct worker_service resolve_service;

#endif
