/* cmd/worker_queue.c -- the program of the queue process. */
#include "queue/queue.h"

int main(void)
{
    return worker_main(&queue_service);
}
