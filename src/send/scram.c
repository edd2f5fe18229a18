/*
 * send/scram.c -- the four messages of SCRAM, and what is reckoned between them, but for the iterations: they take long
 * (send/salting.h).
 *
 *     us    gs2 header  n=anna,r=NONCE                       n,, y,, or p=tls-exporter,,
 *     host  r=NONCE+ITS,s=SALT,i=4096
 *     us    c=HEADER+BINDING,r=NONCE+ITS,p=PROOF
 *     host  v=SIGNATURE
 */
#include "send/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/buf.h"
#include "core/num.h"

enum { KEY = SCRAM_KEY, SALT_MAX = 1024, TEXT_MAX = 8192, BINDING_MAX = 64 };

enum state { BEGINNING, SALTED, ASKED, SIGNED, OVER };

struct scram {
    enum state state;
    struct buf header; /* of GS2 */
    struct buf bare;   /* our first message without it */
    struct buf secret;
    struct buf nonce;
    struct buf said;
    unsigned char binding[BINDING_MAX];
    size_t n_binding; /* 0: it is not bound */
    struct buf challenge; /* with the salt, while the key is reckoned */
    struct buf salt;
    struct str nonces; /* of CHALLENGE: both, one behind the other */
    size_t iterations;
    unsigned char signature[KEY]; /* what the host has to say in the end */
};

/* ---- memory ---- */

static bool keep(struct buf *b, struct str octets)
{
    return buf_hold(b, octets.n) && buf_add(b, octets);
}

/* ---- our first message ---- */

/* RFC 5802 5.1: a name has no bare "," or "=". */
static void add_name(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == ',')
            buf_add(out, STR("=2C"));
        else if (name.p[i] == '=')
            buf_add(out, STR("=3D"));
        else
            buf_add_char(out, name.p[i]);
    }
}

static bool write_header(struct scram *s, const struct scram_who *who)
{
    if (!buf_hold(&s->header, 64))
        return false;
    if (who->plus)
        return buf_printf(&s->header, "p=%s,,", who->kind);
    return buf_add(&s->header, who->binding.n ? STR("y,,") : STR("n,,"));
}

static bool write_bare(struct scram *s, const struct scram_who *who)
{
    if (!buf_hold(&s->bare, 3 * who->name.n + s->nonce.n + 8))
        return false;
    buf_add(&s->bare, STR("n="));
    add_name(&s->bare, who->name);
    buf_add(&s->bare, STR(",r="));
    return buf_add(&s->bare, buf_str(&s->nonce));
}

static bool say_first(struct scram *s, struct str challenge, struct err *err)
{
    if (challenge.n)
        return err_temp(err, "SCRAM: the host speaks first");
    if (!buf_hold(&s->said, s->header.n + s->bare.n) || !buf_add(&s->said, buf_str(&s->header)) ||
        !buf_add(&s->said, buf_str(&s->bare)))
        return err_temp(err, "out of memory");
    s->state = SALTED;
    return true;
}

/* ---- salt and proof ---- */

/* "r=" of ours and more, "s=", "i="; extensions that may be ignored follow. "m=" may not, and begins what is none. */
static bool read_salted(struct scram *s, struct err *err)
{
    struct str rest = buf_str(&s->challenge);
    struct str nonce = str_cut(&rest, ','), salt = str_cut(&rest, ','), iterations = str_cut(&rest, ',');
    uint64_t n;

    if (!str_starts(nonce, STR("r=")) || !str_starts(salt, STR("s=")) || !str_starts(iterations, STR("i=")) ||
        !num_parse_u64(str_skip(iterations, 2), UINT64_MAX, &n) || n == 0)
        return err_temp(err, "SCRAM: what the host says is no salt");
    s->nonces = str_skip(nonce, 2);
    if (s->nonces.n <= s->nonce.n || !str_starts(s->nonces, buf_str(&s->nonce)))
        return err_temp(err, "SCRAM: the host answers somebody else's message");
    if (n > SCRAM_ITERATIONS_MAX)
        return err_temp(err, "the host wants more than %d iterations of SCRAM", SCRAM_ITERATIONS_MAX);
    s->iterations = (size_t)n;
    s->salt = BUF_INIT(SALT_MAX);
    return (base64_read(&s->salt, str_skip(salt, 2)) && s->salt.n) ||
           err_temp(err, "SCRAM: what the host says is no salt");
}

static bool keyed_hash(const unsigned char key[KEY], struct str octets, unsigned char out[KEY])
{
    return HMAC(EVP_sha256(), key, KEY, (const unsigned char *)octets.p, octets.n, out, NULL) != NULL;
}

/* Behind c=: the header, and the binding. */
static bool add_channel(struct scram *s, struct buf *out)
{
    struct buf octets = BUF_INIT(64 + BINDING_MAX);
    bool ok = buf_add(&octets, buf_str(&s->header)) &&
              (!s->n_binding || buf_add(&octets, str_of((const char *)s->binding, s->n_binding))) &&
              base64_add(out, buf_str(&octets));

    buf_done(&octets);
    return ok;
}

/* ClientProof, in PROOF, and the ServerSignature that will be compared (RFC 5802 3). */
static bool prove(struct scram *s, const unsigned char salted[KEY], struct str text, unsigned char proof[KEY])
{
    unsigned char key[KEY], stored[KEY], signature[KEY];
    bool ok = keyed_hash(salted, STR("Client Key"), key) &&
              EVP_Digest(key, KEY, stored, NULL, EVP_sha256(), NULL) == 1 && keyed_hash(stored, text, signature);

    for (size_t i = 0; ok && i < KEY; i++)
        proof[i] = key[i] ^ signature[i];
    ok = ok && keyed_hash(salted, STR("Server Key"), key) && keyed_hash(key, text, s->signature);
    explicit_bzero(key, sizeof(key));
    explicit_bzero(stored, sizeof(stored));
    return ok;
}

static bool say_proof(struct scram *s, const unsigned char salted[KEY])
{
    struct buf text = BUF_INIT(2 * TEXT_MAX);
    unsigned char proof[KEY];
    bool ok = buf_hold(&s->said, 256 + s->nonces.n) && buf_add(&s->said, STR("c=")) && add_channel(s, &s->said) &&
              buf_add(&s->said, STR(",r=")) && buf_add(&s->said, s->nonces);

    ok = ok && buf_add(&text, buf_str(&s->bare)) && buf_add_char(&text, ',') &&
         buf_add(&text, buf_str(&s->challenge)) && buf_add_char(&text, ',') && buf_add(&text, buf_str(&s->said)) &&
         prove(s, salted, buf_str(&text), proof) && buf_add(&s->said, STR(",p=")) &&
         base64_add(&s->said, str_of((const char *)proof, KEY));
    buf_done(&text);
    return ok;
}

static bool hear_salt(struct scram *s, struct str challenge, struct err *err)
{
    if (challenge.n > TEXT_MAX)
        return err_temp(err, "SCRAM: what the host says is no salt");
    if (!keep(&s->challenge, challenge))
        return err_temp(err, "out of memory");
    if (!read_salted(s, err))
        return false;
    s->state = ASKED;
    return true;
}

struct scram_salt scram_salt(const struct scram *s)
{
    BUG_ON(s->state != ASKED);
    return (struct scram_salt){ buf_str(&s->secret), buf_str(&s->salt), s->iterations };
}

bool scram_salted(struct scram *s, const unsigned char key[SCRAM_KEY], struct str *response, struct err *err)
{
    BUG_ON(s->state != ASKED);
    if (!say_proof(s, key))
        return err_temp(err, "out of memory");
    s->state = SIGNED;
    *response = buf_str(&s->said);
    return true;
}

/* ---- the host's turn ---- */

static bool hear_signature(struct scram *s, struct str challenge, struct err *err)
{
    struct str rest = challenge;
    struct str verifier = str_cut(&rest, ',');
    struct buf octets = BUF_INIT(2 * KEY);
    bool right = str_starts(verifier, STR("v=")) && base64_read(&octets, str_skip(verifier, 2)) &&
                 octets.n == KEY && CRYPTO_memcmp(octets.p, s->signature, KEY) == 0;

    buf_done(&octets);
    if (str_starts(verifier, STR("e=")))
        return err_temp(err, "SCRAM: the host says %.*s", STR_ARG(str_skip(verifier, 2)));
    if (!right)
        return err_temp(err, "SCRAM: the host does not know the password");
    buf_wipe(&s->said);
    s->state = OVER;
    return true;
}

enum scram_answer scram_step(struct scram *s, struct str challenge, struct str *response, struct err *err)
{
    bool ok = false;

    switch (s->state) {
    case BEGINNING:
        ok = say_first(s, challenge, err);
        break;
    case SALTED:
        return hear_salt(s, challenge, err) ? SCRAM_ASKS : SCRAM_FAILED;
    case ASKED:
        err_temp(err, "SCRAM: the host does not wait for the answer");
        return SCRAM_FAILED;
    case SIGNED:
        ok = hear_signature(s, challenge, err);
        break;
    case OVER:
        err_temp(err, "SCRAM: the host goes on behind the end");
        return SCRAM_FAILED;
    }
    *response = buf_str(&s->said);
    return ok ? SCRAM_SAYS : SCRAM_FAILED;
}

bool scram_is_whole(const struct scram *s)
{
    return s->state == OVER;
}

/* ---- life ---- */

struct scram *scram_new(const struct scram_who *who, struct str nonce, struct err *err)
{
    struct scram *s = calloc(1, sizeof(*s));

    BUG_ON(who->binding.n > BINDING_MAX || (who->plus && !who->binding.n) || nonce.n > SCRAM_NONCE_MAX);
    if (s && who->plus) {
        memcpy(s->binding, who->binding.p, who->binding.n);
        s->n_binding = who->binding.n;
    }
    if (s && keep(&s->nonce, nonce) && keep(&s->secret, who->secret) && write_header(s, who) && write_bare(s, who))
        return s;
    scram_free(s);
    err_temp(err, "out of memory");
    return NULL;
}

void scram_free(struct scram *s)
{
    if (!s)
        return;
    buf_wipe(&s->header);
    buf_wipe(&s->bare);
    buf_wipe(&s->secret);
    buf_wipe(&s->nonce);
    buf_wipe(&s->said);
    buf_wipe(&s->challenge);
    buf_wipe(&s->salt);
    explicit_bzero(s, sizeof(*s));
    free(s);
}
