/* cmd/worker_receive.c -- the program of the receive processes. */
#include "receive/receive.h"

int main(void)
{
    return worker_main(&receive_service);
}
