/* dns/servers.c -- lines of a keyword and its value; those that are of no use here are passed over. */
#include "dns/servers.h"

static struct str cut_word(struct str *rest)
{
    size_t n = 0;
    struct str word;

    *rest = str_trim(*rest);
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    word = str_head(*rest, n);
    *rest = str_skip(*rest, n);
    return word;
}

size_t dns_servers_read(struct str text, struct ip servers[DNS_SERVERS_MAX])
{
    size_t n = 0;

    for (struct str rest = text; rest.p && n < DNS_SERVERS_MAX;) {
        struct str line = str_cut(&rest, '\n');
        if (str_eq(cut_word(&line), STR("nameserver")))
            n += ip_parse(cut_word(&line), &servers[n]);
    }
    if (!n)
        servers[n++] = (struct ip){ .family = IP_V4, .octets = { 127, 0, 0, 1 } };
    return n;
}
