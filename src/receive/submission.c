/*
 * receive/submission.c -- what submission does to a message (RFC 6409 8): its header is completed, and without Bcc; and
 * when it may leave (RFC 4865).
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/utc.h"
#include "receive/session.h"

/*
 * A stranger's message passes as it came (RFC 5321 6.4, C127), whatever the listener says: only of those who hand in their
 * own is a header completed. sendmail(1) has done it itself.
 */
static bool completes(const struct session *s)
{
    const struct config_listener *l = s->listener->config;

    if (!s->listener->offer || !l->session.complete_headers.on)
        return false;
    return l->role == CONFIG_ROLE_SUBMISSION || s->account.n > 0 || s->relays;
}

bool submission_begin(struct session *s)
{
    struct transaction *tx = s->tx;
    struct queue_id_text id = queue_id_text(tx->id);

    if (!completes(s))
        return true;
    if (tx->mends)
        message_submission_done(tx->mends);
    else
        tx->mends = ARENA_NEW(tx->arena, struct message_submission);
    if (!tx->mends)
        return false;
    tx->lines_in = tx->lines_out = tx->longest_out = 0;
    message_submission_init(tx->mends, s->listener->config->session.max_header_size.n,
                            &(struct message_submission_terms){
                                .hostname = s->listener->config->session.hostname.text,
                                .unique = arena_str(tx->arena, str_from_c(id.c)),
                                .utc_msec = io_wall_msec(),
                            });
    return true;
}

static bool keep(struct session *s, struct str octets)
{
    if (s->tx->header)
        message_header_scan_feed(s->tx->header, octets);
    return content_add(s, octets);
}

/* Lines of OCTETS; in *longest the longest of them, if that is longer. */
static uint64_t count_lines(struct str octets, uint64_t *longest)
{
    uint64_t n = 0;

    while (octets.n) {
        size_t line = str_find(octets, '\n');
        /* As the facts have it: without CRLF. */
        if (line > 0 && line - 1 > *longest)
            *longest = line - 1;
        n += line < octets.n;
        octets = str_skip(octets, line + 1);
    }
    return n;
}

bool submission_content(struct session *s, struct str span)
{
    struct transaction *tx = s->tx;
    struct str header = STR_NONE, rest = span;
    uint64_t longest_in = 0;

    if (!tx || !tx->mends)
        return keep(s, span);
    bool over = tx->mends->over;
    if (message_submission_feed(tx->mends, span, &header, &rest) != MESSAGE_SUBMISSION_GOOD)
        return true; /* judged at its end */
    if (!over)
        tx->lines_in += count_lines(str_head(span, span.n - rest.n), &longest_in);
    tx->lines_out += count_lines(header, &tx->longest_out);
    bool go_on = !header.n || keep(s, header);
    return (!rest.n || keep(s, rest)) && go_on;
}

void submission_end(struct session *s)
{
    struct transaction *tx = s->tx;
    struct str header;

    if (!tx->mends || message_submission_end(tx->mends, &header) != MESSAGE_SUBMISSION_GOOD || !header.n)
        return;
    tx->lines_out += count_lines(header, &tx->longest_out);
    /* There is no more to come that would want a file. */
    if (!keep(s, header))
        question_done(s);
}

void submission_facts(const struct session *s, struct smtp_content_facts *facts)
{
    const struct transaction *tx = s->tx;

    if (!tx->mends)
        return;
    facts->size = s->file ? s->file_octets : s->content.n;
    facts->lines += tx->lines_out - tx->lines_in;
    if (tx->longest_out > facts->longest_line)
        facts->longest_line = tx->longest_out;
}

void submission_done(struct transaction *tx)
{
    if (tx->mends)
        message_submission_done(tx->mends);
}

void submission_release(const struct session *s, struct submission_release *out)
{
    const struct smtp_mail_params *p = &smtp_server_transaction(s->smtp)->params;

    *out = (struct submission_release){ 0 };
    if (!p->has_hold)
        return;
    if (p->hold_until_msec)
        snprintf(out->request, sizeof(out->request), "until;%s", utc_text_seconds(p->hold_until_msec).c);
    else
        snprintf(out->request, sizeof(out->request), "for;%" PRIu64, p->hold_for_sec);
    out->msec = p->hold_until_msec ? p->hold_until_msec : io_wall_msec() + (int64_t)p->hold_for_sec * 1000;
}
