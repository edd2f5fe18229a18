/* receive/watched.c -- a session's lines, told to those who asked for them (veredus trace --live). */
#include "receive/session.h"

static void watched(struct session *s, bool by_client, struct str lines)
{
    struct session_id_text id = session_id_text(s->id);
    struct ip_text room;
    const struct live_who who = { .session = str_from_c(id.c), .address = session_client_text(s, &room) };

    live_lines(&s->receive->live, &s->dialogue, &who, by_client, lines);
}

void watched_replies(struct session *s)
{
    struct receive *r = s->receive;

    if (!r->live.n)
        return;
    watched(s, false, str_skip(buf_str(&r->out), r->out_told));
    r->out_told = r->out.n;
}

static void watched_content(struct session *s)
{
    struct session_id_text id = session_id_text(s->id);
    struct ip_text room;
    const struct live_who who = { .session = str_from_c(id.c), .address = session_client_text(s, &room) };

    live_content(&s->receive->live, &s->dialogue, &who);
}

void watched_octets(struct session *s, struct str octets, bool before)
{
    if (!before) {
        /* Also of an exchange that had begun before anybody watched; of AUTH itself the mechanism is shown. */
        if (octets.n && smtp_server_in_secret(s->smtp) && !str_starts_nocase(octets, STR("AUTH ")))
            s->dialogue.hides = true;
        watched(s, true, octets);
        return;
    }
    s->dialogue.content += octets.n;
    if (!smtp_server_in_content(s->smtp))
        watched_content(s);
}
