/* cmd/worker_submit.c -- the program of the submit process: that of receive, for the clients of this machine. */
#include "receive/receive.h"

int main(void)
{
    return worker_main(&submit_service);
}
