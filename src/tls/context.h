/* tls/context.h -- what both sides offer (RFC 9325, 8996, 9155, 10015), and what OpenSSL says, for people. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "core/err.h"
#include "tls/chain.h"

/* Of tls_begin(): NULL with ERR when that was not called. CIPHERS as in tls_server_options. */
SSL_CTX *tls_context_new(const SSL_METHOD *method, uint16_t min_version, struct str ciphers, struct err *err);
/* SET: SSL_set_accept_state, SSL_set_connect_state. False when memory is out, and SSL is of no use. */
MUST_USE bool tls_take_role(SSL *ssl, void (*set)(SSL *ssl));
MUST_USE bool tls_context_show(SSL_CTX *context, const struct tls_chain *c, struct err *err);
/* The certificates of PEM as what one may be signed by; NULL with ERR when there is none, or one cannot be
 * read. */
X509_STORE *tls_store_new(struct str pem, struct err *err);

/* What went wrong last, as the text of WORDS; empties the queue. SYS: errno of the socket, 0: none. */
void tls_what_failed(int sys, struct err *words);
/* The same as ERR, behind WHAT. */
bool tls_failed(struct err *err, const char *what);

#endif
