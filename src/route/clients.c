/* route/clients.c -- addresses are kept in the one form that RFC 5952 gives them. */
#include "route/clients.h"

static bool add_line(struct route_names *names, struct str line, uint32_t number, struct route_faults *faults)
{
    struct str word = line;
    struct ip_text text;
    struct ip ip;

    for (size_t i = 0; i < line.n && word.n == line.n; i++)
        if (line.p[i] == ' ' || line.p[i] == '\t')
            word = str_head(line, i);
    if (!word.n || word.p[0] == '#')
        return true;
    if (!ip_parse(word, &ip)) {
        route_fault_add(faults, number, word, "no address; networks are written in relay-from itself");
        return true;
    }
    ip = ip_unmap(ip);
    text = ip_text(&ip);
    return route_names_add(names, str_from_c(text.c), STR_NONE) != ROUTE_NAMES_FULL;
}

bool route_clients_parse(struct route_names *names, struct str text, struct route_faults *faults)
{
    uint32_t number = 0;
    bool ok = true;

    while (text.p && ok)
        ok = add_line(names, str_trim(str_cut(&text, '\n')), ++number, faults);
    return ok;
}

bool route_clients_have(const struct route_names *names, const struct ip *client)
{
    struct ip ip = ip_unmap(*client);
    struct ip_text text = ip_text(&ip);
    struct str spelled;

    return route_names_find(names, str_from_c(text.c), STR_NONE, &spelled);
}
