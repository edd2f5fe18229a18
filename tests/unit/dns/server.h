/* tests/unit/dns/server.h -- a name server that says what a test wrote down for it, on a free port of loopback. */
#ifndef TESTS_DNS_SERVER_H
#define TESTS_DNS_SERVER_H

#include "io/loop.h"

enum dns_say {
    SAY_RECORDS, /* the lines of DATA; none: there is no such data */
    SAY_NO_NAME,
    SAY_SERVFAIL,
    SAY_NOTHING,  /* never answers */
    SAY_BY_TCP,   /* UDP: truncated; TCP: DATA */
    SAY_GARBAGE,
};

/*
 * What is said of NAME and TYPE. DATA: records, one a line, all of NAME and TYPE but "CNAME target" and "TARGET TYPE data"
 * for others: "192.0.2.1", "10 mx.example", "2001:db8::1", "CNAME mx.example". A name that no row has does not exist;
 * the name "*" is every name, the type 0 every type.
 */
struct dns_script {
    const char *name;
    int type;
    enum dns_say say;
    const char *data;
};

struct dns_server;

struct dns_server *dns_server_new(struct io_loop *loop, const struct dns_script *script, size_t n);
uint16_t dns_server_port(const struct dns_server *s);
/* Questions heard about NAME and TYPE, by UDP and TCP. */
unsigned dns_server_heard(const struct dns_server *s, const char *name, int type);
/* From now on it says this. */
void dns_server_script(struct dns_server *s, const struct dns_script *script, size_t n);
void dns_server_free(struct dns_server *s);

#endif
