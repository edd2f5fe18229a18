/* cmd/worker_key.c -- the program of the key process. */
#include "key/key.h"

int main(void)
{
    return worker_main(&key_service);
}
