/* smtp/ehlo.c -- each keyword here works, and each verb beyond RFC 5321 4.5.1 that works is here. */
#include "smtp/ehlo.h"

#include "core/bug.h"

bool smtp_ehlo_write(struct buf *out, struct str hostname, uint64_t size_max_octets)
{
    buf_printf(out, "250-%.*s\r\n", STR_ARG(hostname));
    buf_printf(out, "250-SIZE %llu\r\n", (unsigned long long)size_max_octets);
    buf_add(out, STR("250-PIPELINING\r\n"
                     "250-8BITMIME\r\n"
                     "250-ENHANCEDSTATUSCODES\r\n"
                     "250-SMTPUTF8\r\n"
                     "250-VRFY\r\n"
                     "250 HELP\r\n"));
    return !out->failed;
}
