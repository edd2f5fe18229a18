/* message/trace.c -- what a peer chose goes in as little as it must, and can end neither line nor comment. */
#include "message/trace.h"

#include <string.h>

#include "message/date.h"

enum { NAME_MAX_OCTETS = 255 }; /* RFC 5321 4.5.3.1.2; all else comes from us and is shorter */

/* What can stand in a domain, an address literal or an atom; the rest could be taken for structure. */
static bool is_plain(char c)
{
    return ascii_is_alnum(c) || (c && strchr(".-_:[]!#$%&'*+/=?^`{|}~", c));
}

static void add_name(struct buf *out, struct str name)
{
    if (!name.n)
        buf_add(out, STR("unknown"));
    for (size_t i = 0; i < name.n && i < NAME_MAX_OCTETS; i++)
        buf_add_char(out, is_plain(name.p[i]) ? name.p[i] : '?');
}

/* With TCP-info of RFC 5321 4.4: the client's verified name, if it has one, and its address as a literal. */
static void add_from(struct buf *out, const struct message_received *r)
{
    buf_add_c(out, "from ");
    add_name(out, r->client_helo);
    buf_add_c(out, " (");
    if (r->client_name.n) {
        add_name(out, r->client_name);
        buf_add_char(out, ' ');
    }
    buf_add_c(out, str_has(r->client, ':') ? "[IPv6:" : "[");
    add_name(out, r->client);
    buf_add_c(out, "])\r\n\t");
}

/* A part of ours: no line end may come in, whatever its maker did. */
static void add_text(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i]);
}

bool message_received_write(struct buf *out, const struct message_received *r)
{
    struct message_date_text date = message_date(r->utc_msec, r->zone_minutes);

    buf_add_c(out, "Received: ");
    if (r->client.n)
        add_from(out, r);
    buf_add_c(out, "by ");
    add_name(out, r->hostname);
    if (r->uid_plus)
        buf_printf(out, " (userid %u)", (unsigned)(r->uid_plus - 1));
    buf_add_c(out, " with ");
    add_name(out, r->protocol);
    buf_add_c(out, " id ");
    add_name(out, r->id);
    if (r->recipient.n) {
        buf_add_c(out, "\r\n\tfor <");
        add_text(out, r->recipient);
        buf_add_char(out, '>');
    }
    if (r->tls_cipher.n) {
        buf_add_c(out, "\r\n\ttls ");
        add_name(out, r->tls_cipher);
    }
    buf_add_c(out, "; ");
    buf_add_c(out, date.c);
    return buf_add(out, STR("\r\n"));
}

bool message_return_path_write(struct buf *out, struct str path)
{
    buf_add_c(out, "Return-Path: <");
    add_text(out, path);
    return buf_add(out, STR(">\r\n"));
}

bool message_delivered_to_write(struct buf *out, struct str address)
{
    buf_add_c(out, "Delivered-To: ");
    add_text(out, address);
    return buf_add(out, STR("\r\n"));
}
