/* cmd/worker_auth.c -- the program of the auth process. */
#include "auth/auth.h"

int main(void)
{
    return worker_main(&auth_service);
}
