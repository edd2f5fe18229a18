/* http/url.c -- where a URL leads, read by the library that will follow it. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "http/client.h"

enum { URL_MAX = 2048 };

/* One part of the URL as C text, which is the caller's to curl_free(); NULL when it has none. */
static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
    char *text = NULL;

    return curl_url_get(u, what, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool has(CURLU *u, CURLUPart what)
{
    char *text = part(u, what, 0);
    bool found = text != NULL;

    curl_free(text);
    return found;
}

static bool read_host(CURLU *u, struct http_place *place)
{
    char *host = part(u, CURLUPART_HOST, 0);
    struct str s = host ? str_from_c(host) : STR_NONE;

    if (str_starts(s, STR("[")) && str_ends(s, STR("]")))
        s = str_slice(s, 1, s.n - 1);
    bool ok = s.n > 0 && s.n <= HTTP_HOST_MAX;
    for (size_t i = 0; ok && i < s.n; i++)
        place->host[i] = (char)ascii_lower(s.p[i]);
    if (ok)
        place->host[s.n] = '\0';
    curl_free(host);
    return ok;
}

static bool read_port(CURLU *u, struct http_place *place)
{
    char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    uint64_t n = 0;
    bool ok = port && num_parse_u64(str_from_c(port), UINT16_MAX, &n) && n > 0;

    place->port = (uint16_t)n;
    curl_free(port);
    return ok;
}

static bool is_here(const char *host)
{
    struct ip address;

    return strcmp(host, "localhost") == 0 || (ip_parse(str_from_c(host), &address) && ip_is_loopback(&address));
}

static bool read_place(CURLU *u, struct http_place *place, struct err *err)
{
    char *scheme = part(u, CURLUPART_SCHEME, 0);
    bool plain = scheme && strcmp(scheme, "http") == 0;

    place->tls = scheme && strcmp(scheme, "https") == 0;
    curl_free(scheme);
    if (!place->tls && !plain)
        return err_perm(err, "it begins with https://");
    if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD) || has(u, CURLUPART_FRAGMENT))
        return err_perm(err, "it has neither user nor password nor fragment");
    if (!read_host(u, place) || !read_port(u, place))
        return err_perm(err, "it names a host");
    if (plain && !is_here(place->host))
        return err_perm(err, "it begins with https://; http:// is for this machine alone");
    return true;
}

bool http_url_read(struct str url, struct http_place *place, struct err *err)
{
    char text[URL_MAX];
    struct http_place found = { 0 };
    CURLU *u;
    bool ok;

    if (!url.n || url.n >= sizeof(text) || str_has(url, '\0'))
        return err_perm(err, "a URL has 1 to %d octets", URL_MAX - 1);
    memcpy(text, url.p, url.n);
    text[url.n] = '\0';
    u = curl_url();
    if (!u)
        return err_temp(err, "out of memory");
    if (curl_url_set(u, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK)
        ok = read_place(u, &found, err);
    else
        ok = err_perm(err, "it is no URL that can be followed");
    if (ok)
        *place = found;
    curl_url_cleanup(u);
    return ok;
}
