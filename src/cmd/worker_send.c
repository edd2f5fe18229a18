/* cmd/worker_send.c -- the program of the send process. */
#include "send/send.h"

int main(void)
{
    return worker_main(&send_service);
}
