/* cmd/worker_pam.c -- the program of the pam process. */
#include "pam/pam.h"

int main(void)
{
    return worker_main(&pam_service);
}
