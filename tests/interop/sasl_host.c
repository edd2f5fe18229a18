/*
 * sasl-host PEM MECHANISMS -- a mail host whose TLS is OpenSSL's and whose log-ins are GNU SASL's, on a port of 127.0.0.1
 * that it prints first. TLS is there from the first octet; EHLO offers MECHANISMS, and mail is taken from "anna" with
 * "tea" alone. It binds channels by tls-exporter (RFC 9266) below TLS 1.3, too. Each log-in is a line: what was asked
 * for, the flag of GS2, how it ended.
 */
#include <arpa/inet.h>
#include <gsasl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 16384, BINDING = 32 };

struct host {
    SSL_CTX *context;
    Gsasl *sasl;
    const char *mechanisms;
};

struct talk {
    SSL *ssl;
    char in[LINE];
    size_t n;
    char *binding; /* base64 */
};

/* ---- lines ---- */

static void say(struct talk *t, const char *text)
{
    char line[LINE];
    int n = snprintf(line, sizeof(line), "%s\r\n", text);

    if (n > 0 && n < LINE)
        SSL_write(t->ssl, line, n);
}

/* The next line without its end; false: there is none. */
static bool hear(struct talk *t, char line[LINE])
{
    for (;;) {
        char *end = memchr(t->in, '\n', t->n);
        if (end) {
            size_t n = (size_t)(end - t->in);
            memcpy(line, t->in, n);
            line[n && line[n - 1] == '\r' ? n - 1 : n] = '\0';
            t->n -= n + 1;
            memmove(t->in, end + 1, t->n);
            return true;
        }
        int got = t->n < LINE ? SSL_read(t->ssl, t->in + t->n, (int)(LINE - t->n)) : 0;
        if (got <= 0)
            return false;
        t->n += (size_t)got;
    }
}

/* ---- log-ins ---- */

static int on_asked(Gsasl *sasl, Gsasl_session *session, Gsasl_property property)
{
    const struct talk *t = gsasl_session_hook_get(session);

    (void)sasl;
    if (property == GSASL_CB_TLS_EXPORTER && t->binding)
        return gsasl_property_set(session, property, t->binding);
    if (property == GSASL_PASSWORD && strcmp(gsasl_property_fast(session, GSASL_AUTHID), "anna") == 0)
        return gsasl_property_set(session, property, "tea");
    return GSASL_NO_CALLBACK;
}

static void bind_channel(struct talk *t)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char octets[BINDING];

    if (SSL_export_keying_material(t->ssl, octets, sizeof(octets), label, strlen(label), (const unsigned char *)"", 0, 1) == 1)
        gsasl_base64_to((const char *)octets, sizeof(octets), &t->binding, NULL);
}

/* "p=tls-exporter" of the base64 that a SCRAM client begins with. */
static void print_flag(const char *initial)
{
    char *octets = NULL;
    size_t n = 0;

    if (gsasl_base64_from(initial, strlen(initial), &octets, &n) == GSASL_OK)
        printf(" %.*s", (int)strcspn(octets, ","), octets);
    gsasl_free(octets);
}

static bool exchange(struct talk *t, Gsasl_session *session, const char *initial)
{
    char heard[LINE], line[LINE], *output = NULL;
    int code;

    snprintf(heard, sizeof(heard), "%s", initial);
    while ((code = gsasl_step64(session, heard, &output)) == GSASL_NEEDS_MORE || (code == GSASL_OK && output && *output)) {
        snprintf(line, sizeof(line), "334 %s", output ? output : "");
        gsasl_free(output);
        output = NULL;
        say(t, line);
        if (!hear(t, heard) || strcmp(heard, "*") == 0)
            return false;
        if (code == GSASL_OK)
            return heard[0] == '\0';
    }
    gsasl_free(output);
    return code == GSASL_OK;
}

static bool log_in(struct host *h, struct talk *t, const char *mechanism, const char *initial)
{
    Gsasl_session *session = NULL;
    bool ok;

    printf("%s", mechanism);
    print_flag(initial);
    if (gsasl_server_start(h->sasl, mechanism, &session) != GSASL_OK)
        return false;
    gsasl_session_hook_set(session, t);
    ok = exchange(t, session, initial);
    gsasl_finish(session);
    printf(" %s\n", ok ? "welcome" : "refused");
    fflush(stdout);
    say(t, ok ? "235 2.7.0 welcome" : "535 5.7.8 no");
    return ok;
}

/* ---- mail ---- */

static void take_content(struct talk *t)
{
    char line[LINE];

    say(t, "354 go on");
    while (hear(t, line) && strcmp(line, ".") != 0)
        ;
    say(t, "250 2.0.0 taken");
}

static void converse(struct host *h, struct talk *t)
{
    char line[LINE], text[LINE], mechanism[64], initial[LINE];
    bool known = false;

    say(t, "220 sasl.test ESMTP");
    while (hear(t, line)) {
        if (strncmp(line, "EHLO", 4) == 0) {
            snprintf(text, sizeof(text), "250-sasl.test\r\n250 AUTH %s", h->mechanisms);
            say(t, text);
        } else if (sscanf(line, "AUTH %63s %16000s", mechanism, initial) == 2) {
            known = log_in(h, t, mechanism, initial);
        } else if (strcmp(line, "QUIT") == 0) {
            say(t, "221 2.0.0 bye");
            return;
        } else if (!known) {
            say(t, "530 5.7.0 log in first");
        } else if (strcmp(line, "DATA") == 0) {
            take_content(t);
        } else {
            say(t, "250 2.0.0 fine");
        }
    }
}

static void serve(struct host *h, int client)
{
    struct talk t = { .ssl = SSL_new(h->context) };

    SSL_set_fd(t.ssl, client);
    if (SSL_accept(t.ssl) == 1) {
        bind_channel(&t);
        converse(h, &t);
        SSL_shutdown(t.ssl);
    }
    gsasl_free(t.binding);
    SSL_free(t.ssl);
    close(client);
}

static int listener(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, n) < 0 || listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
        exit(EXIT_FAILURE);
    printf("%u\n", ntohs(sa.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct host h = { .context = SSL_CTX_new(TLS_server_method()), .mechanisms = argc > 2 ? argv[2] : "" };
    int fd, client;

    if (argc != 3 || SSL_CTX_use_certificate_chain_file(h.context, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(h.context, argv[1], SSL_FILETYPE_PEM) != 1 || gsasl_init(&h.sasl) != GSASL_OK)
        return EXIT_FAILURE;
    gsasl_callback_set(h.sasl, on_asked);
    fd = listener();
    while ((client = accept(fd, NULL, NULL)) >= 0)
        serve(&h, client);
    return EXIT_SUCCESS;
}
