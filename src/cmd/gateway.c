/* cmd/gateway.c -- the gateway of a container stands for everybody whose connections it hands in. */
#include "cmd/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUTES_FILE_MAX = 1 << 20, PIECE = 4096, FLAG_GATEWAY = 2, IPV6_DIGITS = 32 };

/* ---- what the kernel writes ---- */

static int hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to eight hexadecimal digits and nothing else. */
static bool parse_hex(struct str s, uint32_t *out)
{
    uint32_t n = 0;

    if (!s.n || s.n > 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return false;
        n = n << 4 | (uint32_t)digit;
    }
    *out = n;
    return true;
}

/* Cuts the next column off *line, whatever blanks part them. */
static struct str column(struct str *line)
{
    size_t n = 0;

    *line = str_trim(*line);
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    struct str found = str_head(*line, n);
    *line = str_skip(*line, n);
    return found;
}

static void add(struct gateways *g, const struct ip *gateway)
{
    if (g->n < GATEWAYS_MAX)
        g->items[g->n++] = *gateway;
}

/* Interface, destination, gateway, flags, three numbers, mask: the destination 0 with a mask of 0 is all the rest. */
void gateways_read_ipv4(struct gateways *g, struct str text)
{
    for (struct str rest = text; rest.p;) {
        struct str line = str_cut(&rest, '\n'), columns[8];
        uint32_t to, by, flags, mask;

        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            columns[i] = column(&line);
        if (!parse_hex(columns[1], &to) || !parse_hex(columns[2], &by) || !parse_hex(columns[3], &flags) ||
            !parse_hex(columns[7], &mask))
            continue;
        if (to || mask || !by || !(flags & FLAG_GATEWAY))
            continue;
        /* The kernel prints the four octets as one number of this machine. */
        struct ip gateway = { .family = IP_V4 };
        memcpy(gateway.octets, &by, sizeof(by));
        add(g, &gateway);
    }
}

static bool parse_ipv6(struct str s, struct ip *out)
{
    *out = (struct ip){ .family = IP_V6 };
    if (s.n != IPV6_DIGITS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return false;
        out->octets[i / 2] = (unsigned char)(out->octets[i / 2] << 4 | digit);
    }
    return true;
}

/* Destination, its prefix, source, its prefix, next hop, ...: a prefix of 0 is all the rest. */
void gateways_read_ipv6(struct gateways *g, struct str text)
{
    static const struct ip none = { .family = IP_V6 };

    for (struct str rest = text; rest.p;) {
        struct str line = str_cut(&rest, '\n'), columns[5];
        uint32_t prefix;
        struct ip to, by;

        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            columns[i] = column(&line);
        if (parse_ipv6(columns[0], &to) && parse_hex(columns[1], &prefix) && parse_ipv6(columns[4], &by) &&
            !prefix && ip_eq(&to, &none) && !ip_eq(&by, &none))
            add(g, &by);
    }
}

/* ---- comparing ---- */

static void compare(const struct gateways *g, const struct config_networks *nets, struct needs_report *report)
{
    for (size_t i = 0; i < g->n; i++) {
        struct config_place place;
        if (!config_networks_have(nets, &g->items[i], &place))
            continue;
        struct buf text = BUF_INIT(200);
        buf_printf(&text, "%s, the gateway of this container, may relay", ip_text(&g->items[i]).c);
        config_diagnostics_add(
            report->diag, CONFIG_WARNING, place, buf_str(&text), STR_NONE,
            STR("behind a proxy every stranger looks like it: leave it out, unless only your "
                "own clients reach this port"));
        buf_done(&text);
    }
}

void gateways_compare(const struct gateways *g, const struct config *config, struct needs_report *report)
{
    compare(g, &config->session.relay_from, report);
    for (size_t i = 0; i < config->n_listeners; i++)
        compare(g, &config->listeners[i].session.relay_from, report);
}

/* What Docker, Podman, systemd-nspawn and Kubernetes leave as a sign. */
static bool is_container(void)
{
    return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
           getenv("container") || getenv("KUBERNETES_SERVICE_HOST");
}

/* What the kernel makes up as it is read has no size that could be asked first. */
static void read_file(struct gateways *g, const char *path,
                      void (*reader)(struct gateways *g, struct str text))
{
    struct buf text = BUF_INIT(ROUTES_FILE_MAX);
    FILE *f = fopen(path, "re");
    char *room;
    size_t n;

    while (f && (room = buf_room(&text, PIECE)) && (n = fread(room, 1, PIECE, f)))
        buf_grew(&text, n);
    reader(g, buf_str(&text));
    if (f)
        fclose(f);
    buf_done(&text);
}

void gateway_check(const struct config *config, struct needs_report *report)
{
    struct gateways g = { 0 };

    if (!is_container())
        return;
    read_file(&g, "/proc/net/route", gateways_read_ipv4);
    read_file(&g, "/proc/net/ipv6_route", gateways_read_ipv6);
    gateways_compare(&g, config, report);
}
