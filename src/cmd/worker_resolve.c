/* cmd/worker_resolve.c -- the program of the resolve process. */
#include "resolve/service.h"

int main(void)
{
    return worker_main(&resolve_service);
}
