/* cmd/worker_lookup.c -- the program of the lookup process. */
#include "lookup/lookup.h"

int main(void)
{
    return worker_main(&lookup_service);
}
