/* control/service.h -- the control process: writes the log, answers the subcommands (DESIGN 3). */
#ifndef CONTROL_SERVICE_H
#define CONTROL_SERVICE_H

#include "ipc/worker.h"

extern const struct worker_service control_service;

#endif
