/* cmd/sendmail/smtp.c -- -bs: SMTP on standard input and output, carried to the server; -bv: may this be sent? */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/sendmail/submission.h"
#include "cmd/sendmail/place.h"
#include "cmd/sendmail/wire.h"
#include "io/fd.h"

static bool write_all(int fd, struct str octets)
{
    while (octets.n) {
        ssize_t n = write(fd, octets.p, octets.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        octets = str_skip(octets, (size_t)n);
    }
    return true;
}

/* What FROM has to say goes to TO. False: it has ended. */
static bool carry(int from, int to)
{
    char room[16 * 1024];
    ssize_t n = read(from, room, sizeof(room));

    if (n < 0 && errno == EINTR)
        return true;
    return n > 0 && write_all(to, str_of(room, (size_t)n));
}

/* Programs that speak so write line ends as they please: LF alone is made CRLF. */
static bool carry_lines(int from, int to, bool *cr)
{
    char room[8 * 1024], out[2 * sizeof(room)];
    ssize_t n = read(from, room, sizeof(room));
    size_t k = 0;

    if (n < 0 && errno == EINTR)
        return true;
    for (ssize_t i = 0; i < n; i++) {
        if (room[i] == '\n' && !*cr)
            out[k++] = '\r';
        *cr = room[i] == '\r';
        out[k++] = room[i];
    }
    return n > 0 && write_all(to, str_of(out, k));
}

int sendmail_smtp(const struct sendmail_place *place)
{
    int server = wire_connect(place->submit);
    struct pollfd ends[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = server, .events = POLLIN } };
    bool cr = false;

    if (server < 0) {
        printf("421 4.3.2 %s takes no mail now; try again later\r\n", place->hostname);
        return sendmail_fail(SENDMAIL_LATER, "%s: %s", place->submit, strerror(errno));
    }
    for (;;) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR)
            break;
        if (ends[1].revents && !carry(server, STDOUT_FILENO))
            break;
        if (ends[0].revents && !carry_lines(STDIN_FILENO, server, &cr)) {
            /* It says no more; the server answers what it has heard. */
            shutdown(server, SHUT_WR);
            ends[0].fd = -1;
        }
    }
    fd_close(&server);
    return SENDMAIL_OK;
}

/* ---- -bv ---- */

static int verify_one(struct wire *w, const struct submission_address *a)
{
    unsigned code = a->domain.n ? wire_say(w, "RCPT TO:<%.*s@%.*s>", STR_ARG(a->local), STR_ARG(a->domain))
                                : wire_say(w, "RCPT TO:<%.*s>", STR_ARG(a->local));

    printf("%.*s%s%.*s: %s\n", STR_ARG(a->local), a->domain.n ? "@" : "", STR_ARG(a->domain), w->words);
    return code / 100 == 2 ? SENDMAIL_OK : code / 100 == 5 ? SENDMAIL_NO_USER : SENDMAIL_LATER;
}

int sendmail_verify(const struct sendmail_options *o, const struct sendmail_place *place)
{
    struct arena *a = arena_new(16 << 20);
    struct submission_addresses to = { 0 };
    struct wire w = { .fd = -1 };
    struct err err = { 0 };
    int status = SENDMAIL_OK;

    for (int i = 0; a && i < o->n_recipients && !status; i++)
        if (!submission_addresses_add(&to, a, str_from_c(o->recipients[i]), &err))
            status = sendmail_fail(SENDMAIL_DATA, "%s", err.text);
    if (!status && !to.n)
        status = sendmail_fail(SENDMAIL_USAGE, "-bv: which address?");
    /* A transaction that is never finished: what RCPT says is what would be said. */
    if (!status && (!wire_open(&w, place->submit, o->verbose) || wire_say(&w, "MAIL FROM:<>") != 250))
        status = sendmail_fail(SENDMAIL_LATER, "%s", w.words);
    for (size_t i = 0; !status && i < to.n; i++) {
        int one = verify_one(&w, &to.items[i]);
        status = status ? status : one;
    }
    wire_close(&w);
    arena_free(a);
    return status;
}
