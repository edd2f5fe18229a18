/* cmd/worker_deliver.c -- the program of the deliver process. */
#include "deliver/service.h"

int main(void)
{
    return worker_main(&deliver_service);
}
