/* tests/unit/dns/server.c -- questions of one name; answers without compression but of the question's name. */
#include "tests/unit/unit.h"

#include "tests/unit/dns/server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bug.h"
#include "core/dns.h"

enum { HEARD_MAX = 8192, CONNECTIONS_MAX = 64, PACKET_MAX = 4096, NAME_TEXT_MAX = 256, TYPE_CNAME = 5, TYPE_SOA = 6 };

struct connection {
    struct dns_server *server;
    struct io_watch watch;
    int fd;
};

struct dns_server {
    struct io_loop *loop;
    const struct dns_script *script;
    size_t n;
    int udp;
    int tcp;
    struct io_watch on_udp;
    struct io_watch on_tcp;
    struct connection connections[CONNECTIONS_MAX];
    size_t n_connections;
    struct {
        char name[NAME_TEXT_MAX];
        int type;
    } heard[HEARD_MAX];
    size_t n_heard;
};

struct packet {
    unsigned char c[PACKET_MAX];
    size_t n;
};

static void put16(struct packet *p, unsigned v)
{
    p->c[p->n++] = (unsigned char)(v >> 8);
    p->c[p->n++] = (unsigned char)v;
}

static void put_name(struct packet *p, const char *name)
{
    while (*name && strcmp(name, ".") != 0) {
        size_t n = strcspn(name, ".");
        p->c[p->n++] = (unsigned char)n;
        memcpy(p->c + p->n, name, n);
        p->n += n;
        name += n + (name[n] == '.');
    }
    p->c[p->n++] = 0;
}

static void put_data(struct packet *p, int type, const char *data)
{
    size_t at = p->n;
    int preference, skip = 0;

    put16(p, 0);
    if (type == DNS_A) {
        p->n += inet_pton(AF_INET, data, p->c + p->n) == 1 ? 4 : 0;
    } else if (type == DNS_AAAA) {
        p->n += inet_pton(AF_INET6, data, p->c + p->n) == 1 ? 16 : 0;
    } else if (type == DNS_MX) {
        assert_int_equal(sscanf(data, "%d %n", &preference, &skip), 1);
        put16(p, (unsigned)preference);
        put_name(p, data + skip);
    } else {
        put_name(p, data);
    }
    p->c[at] = (unsigned char)((p->n - at - 2) >> 8);
    p->c[at + 1] = (unsigned char)(p->n - at - 2);
}

static void put_record(struct packet *p, const char *owner, int type, const char *data)
{
    put_name(p, owner);
    put16(p, (unsigned)type);
    put16(p, 1);
    put16(p, 0);
    put16(p, 300);
    put_data(p, type, data);
}

static void put_soa(struct packet *p)
{
    put_name(p, ".");
    put16(p, TYPE_SOA);
    put16(p, 1);
    put16(p, 0);
    put16(p, 120);
    put16(p, 22);
    put_name(p, ".");
    put_name(p, ".");
    for (int i = 0; i < 5; i++) {
        put16(p, 0);
        put16(p, 60);
    }
}

static const struct dns_script *find(const struct dns_server *s, const char *name, int type, bool *known)
{
    *known = false;
    for (size_t i = 0; i < s->n; i++) {
        if (strcasecmp(s->script[i].name, name) != 0 && strcmp(s->script[i].name, "*") != 0)
            continue;
        *known = true;
        if (s->script[i].type == type || s->script[i].type == 0)
            return &s->script[i];
    }
    return NULL;
}

/* Records of NAME, through its aliases as far as we know them; gives their number. */
static unsigned put_answers(const struct dns_server *s, struct packet *p, const char *name, int type, int depth)
{
    bool known;
    const struct dns_script *row = find(s, name, type, &known);
    unsigned n = 0;

    if (!row || !row->data || depth > 8)
        return 0;
    for (const char *line = row->data; *line;) {
        char text[NAME_TEXT_MAX];
        size_t length = strcspn(line, "\n");
        snprintf(text, sizeof(text), "%.*s", (int)length, line);
        n++;
        if (strncmp(text, "CNAME ", 6) == 0) {
            put_record(p, name, TYPE_CNAME, text + 6);
            n += put_answers(s, p, text + 6, type, depth + 1);
        } else {
            put_record(p, name, type, text);
        }
        line += length + (line[length] == '\n');
    }
    return n;
}

static bool read_question(struct dns_server *s, const unsigned char *in, size_t n, char name[NAME_TEXT_MAX],
                          int *type, size_t *end)
{
    size_t at = 12, out = 0;

    while (at < n && in[at]) {
        if (at + 1 + in[at] >= n || out + in[at] + 2 > NAME_TEXT_MAX)
            return false;
        if (out)
            name[out++] = '.';
        memcpy(name + out, in + at + 1, in[at]);
        out += in[at];
        at += 1 + (size_t)in[at];
    }
    if (n < 17 || at + 5 > n)
        return false;
    name[out] = '\0';
    *type = in[at + 1] << 8 | in[at + 2];
    *end = at + 5;
    assert_true(s->n_heard < HEARD_MAX);
    snprintf(s->heard[s->n_heard].name, NAME_TEXT_MAX, "%s", name);
    s->heard[s->n_heard++].type = *type;
    return true;
}

/* False: it says nothing. */
static bool answer(struct dns_server *s, const unsigned char *in, size_t n, bool by_tcp, struct packet *p)
{
    char name[NAME_TEXT_MAX];
    const struct dns_script *row;
    enum dns_say say;
    unsigned count = 0;
    size_t end;
    int type;
    bool known;

    if (!read_question(s, in, n, name, &type, &end))
        return false;
    row = find(s, name, type, &known);
    say = row ? row->say : known ? SAY_RECORDS : SAY_NO_NAME;
    memcpy(p->c, in, end);
    p->n = end;
    p->c[2] = 0x81;
    p->c[3] = (unsigned char)(0x80 | (say == SAY_NO_NAME ? 3 : say == SAY_SERVFAIL ? 2 : 0));
    memset(p->c + 4, 0, 8);
    p->c[5] = 1;
    if (say == SAY_NOTHING)
        return false;
    if (say == SAY_GARBAGE) {
        memset(p->c + 2, 0xff, p->n - 2);
        return true;
    }
    if (say == SAY_BY_TCP && !by_tcp)
        p->c[2] |= 0x02;
    else
        count = put_answers(s, p, name, type, 0);
    p->c[7] = (unsigned char)count;
    if (!count && say != SAY_SERVFAIL) {
        p->c[9] = 1;
        put_soa(p);
    }
    return true;
}

static void on_udp(struct io_watch *w, unsigned what)
{
    struct dns_server *s = CONTAINER_OF(w, struct dns_server, on_udp);
    unsigned char in[PACKET_MAX];
    struct sockaddr_in from;
    socklen_t from_n = sizeof(from);
    ssize_t n = recvfrom(s->udp, in, sizeof(in), 0, (struct sockaddr *)&from, &from_n);
    struct packet p = { .n = 0 };

    (void)what;
    if (n > 0 && answer(s, in, (size_t)n, false, &p))
        (void)!sendto(s->udp, p.c, p.n, 0, (struct sockaddr *)&from, from_n);
}

/* A question is small: it comes in one piece, and so does the answer go. */
static void on_connection(struct io_watch *w, unsigned what)
{
    struct connection *c = CONTAINER_OF(w, struct connection, watch);
    unsigned char in[PACKET_MAX];
    ssize_t n = read(c->fd, in, sizeof(in));
    struct packet p = { .n = 0 };

    (void)what;
    if (n <= 2 || !answer(c->server, in + 2, (size_t)n - 2, true, &p)) {
        io_watch_arm(&c->watch, 0);
        return;
    }
    unsigned char head[2] = { (unsigned char)(p.n >> 8), (unsigned char)p.n };
    memmove(p.c + 2, p.c, p.n);
    memcpy(p.c, head, 2);
    (void)!write(c->fd, p.c, p.n + 2);
}

static void on_tcp(struct io_watch *w, unsigned what)
{
    struct dns_server *s = CONTAINER_OF(w, struct dns_server, on_tcp);
    struct connection *c = &s->connections[s->n_connections];

    (void)what;
    assert_true(s->n_connections < CONNECTIONS_MAX);
    c->fd = accept4(s->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (c->fd < 0)
        return;
    s->n_connections++;
    c->server = s;
    assert_true(io_watch_init(&c->watch, s->loop, c->fd, on_connection, NULL));
    io_watch_arm(&c->watch, IO_READ);
}

/* TCP first, then UDP of the same port; if that is taken, another one. */
static bool open_pair(struct dns_server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);

    s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->tcp, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(s->tcp, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(listen(s->tcp, 8), 0);
    if (bind(s->udp, (struct sockaddr *)&at, sizeof(at)) == 0)
        return true;
    close(s->tcp);
    close(s->udp);
    return false;
}

struct dns_server *dns_server_new(struct io_loop *loop, const struct dns_script *script, size_t n)
{
    struct dns_server *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->loop = loop;
    dns_server_script(s, script, n);
    while (!open_pair(s))
        continue;
    assert_true(io_watch_init(&s->on_udp, loop, s->udp, on_udp, NULL));
    assert_true(io_watch_init(&s->on_tcp, loop, s->tcp, on_tcp, NULL));
    io_watch_arm(&s->on_udp, IO_READ);
    io_watch_arm(&s->on_tcp, IO_READ);
    return s;
}

void dns_server_script(struct dns_server *s, const struct dns_script *script, size_t n)
{
    s->script = script;
    s->n = n;
}

uint16_t dns_server_port(const struct dns_server *s)
{
    struct sockaddr_in at;
    socklen_t n = sizeof(at);

    assert_int_equal(getsockname(s->udp, (struct sockaddr *)&at, &n), 0);
    return ntohs(at.sin_port);
}

unsigned dns_server_heard(const struct dns_server *s, const char *name, int type)
{
    unsigned count = 0;

    for (size_t i = 0; i < s->n_heard; i++)
        count += s->heard[i].type == type && strcasecmp(s->heard[i].name, name) == 0;
    return count;
}

void dns_server_free(struct dns_server *s)
{
    for (size_t i = 0; i < s->n_connections; i++) {
        io_watch_done(&s->connections[i].watch);
        close(s->connections[i].fd);
    }
    io_watch_done(&s->on_udp);
    io_watch_done(&s->on_tcp);
    close(s->udp);
    close(s->tcp);
    free(s);
}
