/* http/client.c -- the library's sockets and times on our loop. */
#include "http/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/list.h"
#include "core/num.h"

enum { RESOLVE_ENTRY_MAX = HTTP_HOST_MAX + 16 + HTTP_ADDRESSES_MAX * (IP_TEXT_MAX + 3), FIELD_MAX = 8192 };

struct http_client {
    struct io_loop *loop;
    CURLM *multi;
    struct io_timer timer;
    struct list sockets;
    struct buf cas;
};

/* A socket of the library's, while it waits for it. */
struct watched {
    struct list node;
    struct http_client *client;
    struct io_watch watch;
};

/* ---- what has ended ---- */

static void take_answer(struct http_request *q, CURLcode result)
{
    long code = 0;

    if (result == CURLE_OK)
        curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &code);
    else if (!q->failure[0])
        snprintf(q->failure, sizeof(q->failure), "%s", curl_easy_strerror(result));
    if (q->body.failed || result == CURLE_FILESIZE_EXCEEDED) {
        snprintf(q->failure, sizeof(q->failure), "the answer is longer than %zu octets", q->body.max);
        code = 0;
    }
    q->code = (unsigned)code;
}

static void tell_ended(struct http_client *c)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(c->multi, &left))) {
        CURLcode result = message->data.result;
        void *owner = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&owner);
        struct http_request *q = owner;
        take_answer(q, result);
        q->answered(q);
    }
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
    int running;

    (void)curl_multi_socket_action(c->multi, fd, what, &running);
    tell_ended(c);
}

/* ---- sockets and times ---- */

static void on_ready(struct io_watch *w, unsigned what)
{
    struct watched *s = CONTAINER_OF(w, struct watched, watch);

    act(s->client, w->fd, ((what & IO_READ) ? CURL_CSELECT_IN : 0) | ((what & IO_WRITE) ? CURL_CSELECT_OUT : 0));
}

static void watched_free(struct watched *s)
{
    list_remove(&s->node);
    io_watch_done(&s->watch);
    free(s);
}

static struct watched *watched_new(struct http_client *c, curl_socket_t fd)
{
    struct watched *s = calloc(1, sizeof(*s));
    struct err err = { 0 };

    if (!s)
        return NULL;
    s->client = c;
    list_init(&s->node);
    if (!io_watch_init(&s->watch, c->loop, fd, on_ready, &err)) {
        free(s);
        return NULL;
    }
    list_append(&c->sockets, &s->node);
    curl_multi_assign(c->multi, fd, s);
    return s;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *known)
{
    struct watched *s = known;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            watched_free(s);
        return 0;
    }
    if (!s)
        s = watched_new(client, fd);
    if (!s)
        return -1;
    io_watch_arm(&s->watch, (what & CURL_POLL_IN ? IO_READ : 0U) | (what & CURL_POLL_OUT ? IO_WRITE : 0U));
    return 0;
}

static int on_time(CURLM *multi, long msec, void *client)
{
    struct http_client *c = client;

    (void)multi;
    if (msec < 0)
        io_timer_stop(&c->timer);
    else
        io_timer_start(&c->timer, msec);
    return 0;
}

static void on_timer(struct io_timer *t)
{
    act(CONTAINER_OF(t, struct http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* ---- the client ---- */

struct http_client *http_client_new(struct io_loop *loop, struct str cas, struct err *err)
{
    struct http_client *c = calloc(1, sizeof(*c));

    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(c);
        err_temp(err, "HTTPS: out of memory");
        return NULL;
    }
    *c = (struct http_client){ .loop = loop, .cas = BUF_INIT(SIZE_MAX), .multi = curl_multi_init() };
    list_init(&c->sockets);
    if (!c->multi || !buf_add(&c->cas, cas)) {
        err_temp(err, "HTTPS: out of memory");
        goto fail;
    }
    if (!io_timer_init(&c->timer, loop, on_timer, err))
        goto fail;
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_time);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    return c;
fail:
    curl_multi_cleanup(c->multi);
    buf_done(&c->cas);
    curl_global_cleanup();
    free(c);
    return NULL;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    /* Connections that are kept for reuse are closed here, and the library takes its sockets back. */
    curl_multi_cleanup(c->multi);
    while (!list_empty(&c->sockets))
        watched_free(CONTAINER_OF(c->sockets.next, struct watched, node));
    io_timer_done(&c->timer);
    buf_done(&c->cas);
    curl_global_cleanup();
    free(c);
}

/* ---- a request ---- */

static size_t on_body(char *octets, size_t size, size_t n, void *owner)
{
    struct http_request *q = owner;

    /* Less than all of it ends the request. */
    return buf_add(&q->body, str_of(octets, size * n)) ? size * n : 0;
}

/* "Cache-Control: …, max-age=600": the seconds, -1 without. */
static int64_t max_age(struct str field)
{
    static const struct str name = STR_INIT("cache-control:"), directive = STR_INIT("max-age=");
    uint64_t seconds;

    if (!str_starts_nocase(field, name))
        return -1;
    struct str rest = str_skip(field, name.n);
    while (rest.n) {
        struct str one = str_trim(str_cut(&rest, ','));
        if (str_starts_nocase(one, directive) && num_parse_u64(str_skip(one, directive.n), INT32_MAX, &seconds))
            return (int64_t)seconds;
    }
    return -1;
}

static size_t on_field(char *octets, size_t size, size_t n, void *owner)
{
    struct http_request *q = owner;
    int64_t seconds = max_age(str_trim(str_of(octets, size * n)));

    if (seconds >= 0)
        q->keep_msec = seconds * 1000;
    return size * n;
}

/* "+host:port:address,address": a name that is asked of nobody. NULL without memory. */
static struct curl_slist *resolve_entry(const struct http_place *place, const struct http_ask *ask)
{
    char text[RESOLVE_ENTRY_MAX];
    int n = snprintf(text, sizeof(text), "%s:%u:", place->host, place->port);

    for (size_t i = 0; i < ask->n_addresses && i < HTTP_ADDRESSES_MAX; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, ask->addresses[i].family == IP_V6 ? "%s[%s]" : "%s%s",
                      i ? "," : "", ip_text(&ask->addresses[i]).c);
    return curl_slist_append(NULL, text);
}

/* The library copies what it is given as C text, so that a secret is wiped here as soon as it has it. */
static bool set_text(CURL *easy, CURLoption option, struct str text)
{
    char *copy = strndup(text.p ? text.p : "", text.n);
    bool ok = copy && curl_easy_setopt(easy, option, copy) == CURLE_OK;

    if (copy)
        explicit_bzero(copy, text.n);
    free(copy);
    return ok;
}

static bool add_field(struct http_request *q, const char *name, struct str value)
{
    char field[FIELD_MAX];
    int n = snprintf(field, sizeof(field), "%s: %.*s", name, STR_ARG(value));
    struct curl_slist *longer = NULL;

    if (n > 0 && (size_t)n < sizeof(field) && !str_has(value, '\r') && !str_has(value, '\n'))
        longer = curl_slist_append(q->headers, field);
    explicit_bzero(field, sizeof(field));
    if (longer)
        q->headers = longer;
    return longer;
}

/* How every request of ours goes. */
static void set_manner(struct http_request *q, const struct http_place *place, const struct http_ask *ask)
{
    CURL *easy = q->easy;
    struct curl_blob cas = { .data = q->client->cas.p, .len = q->client->cas.n, .flags = CURL_BLOB_NOCOPY };

    curl_easy_setopt(easy, CURLOPT_PRIVATE, q);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, q->failure);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, place->tls ? "https" : "http");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (cas.len)
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &cas);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ask->timeout_msec);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)ask->body_max);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, q);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_field);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, q);
}

static bool set_question(struct http_request *q, const struct http_place *place, const struct http_ask *ask)
{
    struct curl_slist *entry = resolve_entry(place, ask);
    bool ok = entry && set_text(q->easy, CURLOPT_URL, ask->url);

    /* It lives as long as the list of fields: the library keeps a pointer to it. */
    q->resolved = entry;
    if (ok)
        curl_easy_setopt(q->easy, CURLOPT_RESOLVE, entry);
    if (ok && ask->posts) {
        curl_easy_setopt(q->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->form.n);
        ok = set_text(q->easy, CURLOPT_COPYPOSTFIELDS, ask->form);
    }
    ok = ok && add_field(q, "User-Agent", STR("veredus")) && add_field(q, "Accept", STR("application/json"));
    if (ok && ask->authorization.n)
        ok = add_field(q, "Authorization", ask->authorization);
    if (ok)
        curl_easy_setopt(q->easy, CURLOPT_HTTPHEADER, q->headers);
    return ok;
}

bool http_request_start(struct http_request *q, struct http_client *c, const struct http_ask *ask,
                        void (*answered)(struct http_request *q), struct err *err)
{
    struct http_place place;

    if (!http_url_read(ask->url, &place, err))
        return false;
    *q = (struct http_request){
        .client = c,
        .easy = curl_easy_init(),
        .body = BUF_INIT(ask->body_max),
        .keep_msec = -1,
        .answered = answered,
    };
    if (!q->easy)
        return err_temp(err, "out of memory");
    set_manner(q, &place, ask);
    if (set_question(q, &place, ask) && curl_multi_add_handle(c->multi, q->easy) == CURLM_OK)
        return true;
    http_request_done(q);
    return err_temp(err, "out of memory");
}

/* The list's text may hold a secret. */
static void headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *h = headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(headers);
}

void http_request_done(struct http_request *q)
{
    if (!q->easy)
        return;
    curl_multi_remove_handle(q->client->multi, q->easy);
    curl_easy_cleanup(q->easy);
    headers_free(q->headers);
    curl_slist_free_all(q->resolved);
    buf_done(&q->body);
    *q = (struct http_request){ 0 };
}
