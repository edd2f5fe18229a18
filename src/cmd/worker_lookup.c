/* cmd/worker_lookup.c -- the program of the lookup process. */
#include "lookup/service.h"

int main(void)
{
    return worker_main(&lookup_service);
}
