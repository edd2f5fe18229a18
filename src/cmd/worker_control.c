/* cmd/worker_control.c -- the program of the control process. */
#include "control/service.h"

int main(void)
{
    return worker_main(&control_service);
}
